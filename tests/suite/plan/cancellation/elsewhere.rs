//! Units that someone else fulfils on the channel: they leave, and are never shipped twice.

use super::super::bench::{ALL, Bench, Do::*, table};
use super::super::model::Fault;
use super::{FIVE, THREE, TWO_LINES, rows};

#[test]
fn what_someone_else_fulfils_leaves_and_comes_back_with_it() {
    table(rows![
        "before the hand-off": THREE, &[Foreign(0, 1), Pull]
            => "A7: 2 open, 1 elsewhere" | "1 open" | "-" | "order.fulfilled_elsewhere";
        "all of it": THREE, &[Foreign(0, 3), Pull]
            => "A7: 3 elsewhere" | "1 shipped" | "-" | "order.fulfilled_elsewhere";
        "in work it is an alert": THREE, &[Ack(1), Foreign(0, 1), Pull]
            => "A7: 2 open, 1 elsewhere" | "1 in_work" | "fulfilled-elsewhere" | "order.acked, order.fulfilled_elsewhere";
        "taken back there": THREE, &[Foreign(0, 1), Pull, Unforeign, Pull]
            => "A7: 3 open" | "1 open" | "-" | "";
        "taken back, when in work: new work, and no alert that says not to ship": THREE,
            &[Ack(1), Foreign(0, 1), Pull, Unforeign, Pull]
            => "A7: 3 open" | "1 in_work, 2 open" | "-" | "";
        "the merchant fulfils what the supplier could not": THREE,
            &[BySupplier(1, &[("l1", 1)]), Foreign(0, 1), Pull]
            => "A7: 2 open, 1 elsewhere" | "1 open" | "cannot-fulfil" | "order.cancelled, order.fulfilled_elsewhere";
        "and more than that": THREE, &[BySupplier(1, &[("l1", 1)]), Foreign(0, 2), Pull]
            => "A7: 1 open, 2 elsewhere" | "1 open" | "cannot-fulfil" | "";
        "in work": THREE, &[Ack(1), BySupplier(1, &[("l1", 1)]), Foreign(0, 1), Pull]
            => "A7: 2 open, 1 elsewhere" | "1 in_work" | "cannot-fulfil" | "";
        "what was asked for by hand is moot": THREE, &[Ack(1), ByMerchant(1, &[("l1", 1)]), Foreign(0, 1), Pull]
            => "A7: 2 open, 1 elsewhere" | "1 in_work" | "fulfilled-elsewhere" | "";
        "cancelled, and the rest fulfilled elsewhere": THREE, &[Want(0, 2), Pull, Foreign(0, 2), Pull]
            => "A7: 1 cancelled, 2 elsewhere" | "1 shipped" | "-" | "";
    ]);
}

/// Between two pulls the merchant takes a cancellation back and ships the units itself: they never were to be shipped
/// here, whatever a pull in between would have seen.
#[test]
fn cancelled_units_that_the_merchant_ships_after_all_do_not_come_back() {
    for (what, before, orders) in [
        ("before the hand-off", &[CancelOrder, Pull][..], "1 shipped"),
        ("accepted", &[Ack(1), CancelOrder, Pull, Accept(1, ALL)], "1 shipped"),
        ("in part", &[Want(0, 1), Pull], "1 open"),
        ("by the supplier, and caught up", &[BySupplier(1, ALL), CancelOrder, Pull], "1 shipped"),
    ] {
        let units = if what == "in part" { 2 } else { 3 };
        let bench = Bench::new(THREE).run(before).run(&[Reinstate, Want(0, 3), Foreign(0, units), Pull]);
        let open = if units == 2 { "1 open, " } else { "" };
        assert_eq!(bench.lines(), format!("A7: {open}{units} elsewhere"), "{what}");
        assert_eq!(bench.orders(), orders, "{what}: no new work of it");
        assert_eq!(bench.said("order.reinstated"), "", "{what}: they were not wanted here again");
    }
    let seen_between = Bench::new(THREE).run(&[CancelOrder, Pull, Reinstate, Pull, Foreign(0, 3), Pull]);
    assert_eq!(seen_between.lines(), "A7: 3 elsewhere");
}

#[test]
fn units_gone_before_the_first_look_are_told_apart() {
    let mut remote = super::super::model::Remote::new(&[("A7", 4)]);
    let line = remote.lines[0].id.clone();
    remote.fulfill(vec![sdk::LineQuantity { line, quantity: 1 }], Some("FOREIGN"));
    let first = |remote| Bench::over(remote, super::super::model::policy());
    let bench = first(remote.clone());
    assert_eq!((bench.lines().as_str(), bench.open().as_str()), ("A7: 3 open, 1 elsewhere", "1/l1 3"));
    let bench = bench.run(&[Unforeign, Pull]);
    assert_eq!(bench.lines(), "A7: 4 open", "its fulfillment was taken back");
    // Two more were cancelled here, then all is fulfilled there.
    let bench = first(remote).run(&[Want(0, 2), Pull]);
    assert_eq!(bench.lines(), "A7: 1 open, 2 cancelled, 1 elsewhere");
    let bench = bench.run(&[Foreign(0, 1), Pull]);
    assert_eq!(bench.lines(), "A7: 2 cancelled, 2 elsewhere");
}

#[test]
fn a_unit_fulfilled_elsewhere_is_never_shipped_by_default() {
    let mut bench = Bench::new(THREE).run(&[Ack(1), Foreign(0, 1), Pull, Ship(1, ALL)]);
    assert_eq!(bench.lines(), "A7: 2 shipped, 1 elsewhere");
    assert_eq!(bench.refused(Ship(1, ALL)), "nothing-open");
    assert_eq!(bench.refused(Ship(1, &[("l1", 1)])), "quantity");
    assert_eq!(bench.refused(ShipAfter(1, &[("l1", 1)])), "quantity");
    let bench = bench.run(&[Quiet]);
    assert_eq!(bench.told(), "FOREIGN: 1 × 100; T1: 2 × 100");
}

#[test]
fn a_fulfillment_of_ours_that_is_taken_back_there_is_reported_once() {
    for (what, how) in [("cancelled", TakeBack(0)), ("deleted", Delete(0))] {
        let mut bench = Bench::new(TWO_LINES).run(&[Ship(1, ALL), Quiet]);
        bench.events();
        let mut bench = bench.run(&[how, Pull]);
        assert_eq!(bench.alerts(), "fulfillment-taken-back", "{what}");
        assert_eq!(bench.events(), "fulfillment.taken_back", "{what}");
        let mut bench = bench.run(&[Move("Ely"), Pull]);
        assert_eq!(bench.lines(), "A7: 3 shipped; A8: 2 shipped", "{what}: it left all the same");
        assert!(!bench.events().contains("taken_back"), "{what}: once");
    }
}

#[test]
fn an_alert_about_units_elsewhere_stays_while_some_are_there() {
    let bench = Bench::new(FIVE).run(&[Ack(1), Foreign(0, 1), Pull, Foreign(0, 1), Pull]);
    assert_eq!(bench.lines(), "A7: 3 open, 2 elsewhere");
    assert!(bench.alerts().contains("fulfilled-elsewhere"));
    let bench = bench.run(&[Ship(1, ALL), Quiet]);
    assert!(bench.alerts().contains("fulfilled-elsewhere"), "the bench must still not ship them");
}

/// A parcel of unknown outcome was seen, then taken back there, and is told again: the new one is the only one.
#[test]
fn what_was_taken_back_before_it_was_known_as_ours_is_no_duplicate_later() {
    let bench = Bench::new(THREE)
        .run(&[Ship(1, ALL), Push(Fault::Crash { applied: true }), Pull, TakeBack(0), Later])
        .run(&[Push(Fault::LostAfter), Quiet]);
    assert_eq!((bench.told().as_str(), bench.alerts().as_str()), ("T1: 3 × 100", ""));
}
