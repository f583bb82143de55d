//! Addresses that change, and the merchant's own grouping on the channel.

use super::super::bench::{ALL, Bench, Do::*, table, table_by};
use super::super::model::{Remote, policy};
use super::{FIVE, THREE, rows};

fn goes_to(bench: &Bench, n: u32) -> String {
    let order = bench.record.order(n).expect("there");
    bench.record.ship_to(order).expect("an address").city.clone()
}

#[test]
fn a_changed_address_is_followed_before_the_hand_off_and_asked_about_after_it() {
    table(rows![
        "before": THREE, &[Move("Ely"), Pull]
            => "" | "1 open" | "-" | "order.changed, order.address_changed";
        "after": THREE, &[Ack(1), Move("Ely"), Pull]
            => "" | "1 in_work" | "address-changed" | "order.acked, order.changed, order.address_changed";
        "confirmed": THREE, &[Ack(1), Move("Ely"), Pull, Confirm(1)]
            => "" | "1 in_work" | "-" | "order.acked, order.changed, order.address_changed, order.address_confirmed";
        "the old one kept": THREE, &[Ack(1), Move("Ely"), Pull, KeepOld(1)]
            => "" | "" | "-" | "";
        "kept, and another pull": THREE, &[Ack(1), Move("Ely"), Pull, KeepOld(1), Pay(false), Pull]
            => "" | "" | "-" | "";
        "kept, and changed again": THREE, &[Ack(1), Move("Ely"), Pull, KeepOld(1), Move("Virginia"), Pull]
            => "" | "" | "address-changed" | "";
        "changed back before an answer": THREE, &[Ack(1), Move("Ely"), Pull, Move("Duluth"), Pull]
            => "" | "" | "-" | "";
        "changed when all was shipped": THREE, &[Ship(1, ALL), Move("Ely"), Pull]
            => "" | "1 shipped" | "-" | "";
        "changed when a part was shipped": THREE, &[Ship(1, &[("l1", 1)]), Move("Ely"), Pull]
            => "" | "1 partly_shipped" | "address-changed" | "";
        "shipped before the answer: moot": THREE, &[Ack(1), Move("Ely"), Pull, Ship(1, ALL)]
            => "" | "1 shipped" | "-" | "";
        "two orders of it in work": FIVE, &[Ack(1), Split(1, &[("l1", 2)]), Move("Ely"), Pull]
            => "" | "" | "address-changed, address-changed" | "";
        "one of two confirmed": FIVE, &[Ack(1), Split(1, &[("l1", 2)]), Move("Ely"), Pull, Confirm(2)]
            => "" | "" | "address-changed" | "";
    ]);
    for (steps, city) in [
        (&[Move("Ely"), Pull][..], "Ely"),
        (&[Ack(1), Move("Ely"), Pull], "Duluth"),
        (&[Ack(1), Move("Ely"), Pull, Confirm(1)], "Ely"),
        (&[Ack(1), Move("Ely"), Pull, KeepOld(1)], "Duluth"),
        (&[Ack(1), Move("Ely"), Pull, Move("Virginia"), Pull, Confirm(1)], "Virginia"),
        (&[Ack(1), Move("Ely"), Pull, Confirm(1), Move("Duluth"), Pull], "Ely"),
        (&[Ack(1), Move("Ely"), Pull, Confirm(1), Move("Duluth"), Pull, Confirm(1)], "Duluth"),
    ] {
        assert_eq!(goes_to(&Bench::new(THREE).run(steps), 1), city, "{steps:?}");
    }
}

#[test]
fn only_a_change_that_waits_can_be_confirmed() {
    let mut bench = Bench::new(THREE).run(&[Move("Ely"), Pull]);
    assert_eq!(bench.refused(Confirm(1)), "no-change", "before the hand-off it was followed");
    let mut bench = bench.run(&[Ack(1)]);
    assert_eq!(bench.refused(KeepOld(1)), "no-change");
    let mut bench = bench.run(&[Move("Virginia"), Pull, Confirm(1)]);
    assert_eq!(bench.refused(Confirm(1)), "no-change", "once");
    assert_eq!(bench.refused(Confirm(9)), "not-found");
}

#[test]
fn both_versions_are_kept_and_no_more_than_a_few() {
    let bench =
        Bench::new(THREE).run(&[Move("Ely"), Pull, Ack(1), Later, Move("Virginia"), Pull, Confirm(1)]);
    let cities = |bench: &Bench| -> Vec<String> {
        let former = bench.record.former_addresses.iter();
        former.map(|former| former.ship_to.as_ref().expect("one").city.clone()).collect()
    };
    assert_eq!(cities(&bench), ["Duluth", "Ely"]);
    assert!(bench.record.former_addresses[0].until < bench.record.former_addresses[1].until);
    let mut bench = bench;
    for _ in 0..30 {
        bench = bench.run(&[Move("Ely"), Pull, Confirm(1), Move("Virginia"), Pull, Confirm(1)]);
    }
    assert!(bench.record.former_addresses.len() <= 9, "{}", bench.record.former_addresses.len());
    let told =
        serde_json::to_string(&bench.record.timeline).expect("text") + &format!("{:?}", bench.record.alerts);
    for secret in ["Duluth", "Ely", "Virginia", "Lake Street", "P. Person", "55801"] {
        assert!(!told.contains(secret), "the timeline names {secret}");
    }
}

fn grouped(order: super::super::bench::Units) -> Bench {
    let (mut remote, mut policy) = (Remote::new(order), policy());
    remote.grouped = true;
    policy.mirror_splits = true;
    Bench::over(remote, policy)
}

#[test]
fn the_merchants_split_is_shown_and_our_own_doings_are_not() {
    table_by(
        rows![
            "the merchant's": FIVE, &[SplitThere(0, 2), Pull]
                => "A7: 5 open" | "1 open" | "split-on-channel" | "order.split_on_channel";
            "in work": FIVE, &[Ack(1), SplitThere(0, 2), Pull]
                => "A7: 5 open" | "1 in_work" | "split-on-channel" | "";
            "seen twice, told once": FIVE, &[SplitThere(0, 2), Pull, Move("Ely"), Pull]
                => "" | "" | "split-on-channel" | "order.split_on_channel, order.changed, order.address_changed";
            "our own": FIVE, &[Split(1, &[("l1", 2)]), Quiet]
                => "A7: 5 open" | "1 open, 2 open" | "-" | "";
            "our own, its answer lost": FIVE, &[Split(1, &[("l1", 2)]), Push(super::super::model::Fault::LostAfter), Pull]
                => "A7: 5 open" | "1 open, 2 open" | "-" | "";
            "what our void leaves": FIVE, &[Ship(1, &[("l1", 2)]), Quiet, Void(1, "p1"), Quiet]
                => "A7: 5 open" | "1 in_work" | "-" | "";
            "what a void of all of it leaves": FIVE, &[Ship(1, ALL), Quiet, Void(1, "p1"), Quiet]
                => "A7: 5 open" | "1 in_work" | "-" | "";
            "a hold": FIVE, &[HoldThere("fraud"), Pull]
                => "" | "1 held" | "-" | "order.channel_hold, order.changed";
            "another location": FIVE, &[Relocate, Pull]
                => "" | "1 open" | "-" | "-";
            "a split, moved": FIVE, &[SplitThere(0, 2), Pull, Relocate, Pull]
                => "" | "" | "split-on-channel" | "order.split_on_channel";
            "an edit up": FIVE, &[Want(0, 7), Pull]
                => "A7: 7 open" | "" | "-" | "";
            "a part shipped out of a group": FIVE, &[Ship(1, &[("l1", 2)]), Quiet]
                => "" | "" | "-" | "";
            "a line of the merchant's": &[("A7", 2), ("other", 4)], &[SplitThere(1, 2), Pull]
                => "" | "" | "-" | "-";
        ],
        grouped,
    );
}

#[test]
fn a_split_there_changes_no_quantity_whatever_follows() {
    let bench = grouped(FIVE).run(&[
        SplitThere(0, 2),
        Pull,
        Want(0, 3),
        Pull,
        Ack(1),
        Want(0, 2),
        Pull,
        Accept(1, ALL),
    ]);
    assert_eq!((bench.lines().as_str(), bench.orders().as_str()), ("A7: 2 open, 3 cancelled", "1 in_work"));
    let bench = bench.run(&[Ship(1, ALL), Quiet]);
    assert_eq!(bench.told(), "T1: 2 × 100");
}
