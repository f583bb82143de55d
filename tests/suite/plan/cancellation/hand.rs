//! Cancelled by a person's word: the merchant's where its channel cannot tell, the supplier's where it cannot fulfil.

use super::super::bench::{ALL, Bench, Do::*, Units, table, table_by};
use super::super::model::{Remote, policy};
use super::{FIVE, THREE, rows};

/// A channel like a folder: it tells an order once, takes rows, and knows nothing of what becomes of them.
fn folder(order: Units) -> Bench {
    let (mut remote, mut policy) = (Remote::new(order), policy());
    remote.keyed = true;
    let can = &mut policy.capabilities;
    (can.finds_fulfillments, can.voids, can.sees_edits, can.order_by_id) = (false, false, false, false);
    (can.void_notices, can.answers_cancellations) = (true, false);
    (can.sees_cancellations, can.sees_partial_cancellations, can.sees_holds) = (false, false, false);
    Bench::over(remote, policy)
}

#[test]
fn the_merchants_word_where_the_channel_cannot_tell() {
    table_by(
        rows![
            "all, before the hand-off": THREE, &[ByMerchant(1, ALL)]
                => "A7: 3 cancelled" | "1 cancelled" | "-" | "order.cancelled";
            "one unit": THREE, &[ByMerchant(1, &[("l1", 1)])]
                => "A7: 2 open, 1 cancelled" | "1 open" | "-" | "order.cancelled";
            "in work it is asked": THREE, &[Ack(1), ByMerchant(1, ALL)]
                => "A7: 3 open, 3 asked" | "1 in_work" | "cancel-requested"
                | "order.acked, order.cancelled, cancel.requested";
            "and accepted": THREE, &[Ack(1), ByMerchant(1, ALL), Accept(1, ALL)]
                => "A7: 3 cancelled" | "1 cancelled" | "-" | "";
            "and rejected": THREE, &[Ack(1), ByMerchant(1, &[("l1", 1)]), Reject(1, ALL)]
                => "A7: 3 open, 1 rejected" | "1 in_work" | "-" | "";
            "a second one is asked on top": THREE,
                &[Ack(1), ByMerchant(1, &[("l1", 1)]), Reject(1, ALL), ByMerchant(1, &[("l1", 1)])]
                => "A7: 3 open, 1 asked, 1 rejected" | "1 in_work" | "cancel-requested" | "";
            "part in work, part not: what is not leaves at once": FIVE,
                &[Split(1, &[("l1", 2)]), Ack(1), ByMerchant(1, &[("l1", 3)])]
                => "A7: 3 open, 2 cancelled, 1 asked" | "1 in_work, 2 cancelled" | "cancel-requested" | "";
            "the shop tells the same order again": THREE, &[ByMerchant(1, ALL), Pull]
                => "A7: 3 cancelled" | "1 cancelled" | "-" | "order.cancelled";
            "shipped all the same": THREE, &[ByMerchant(1, ALL), ShipAfter(1, ALL), Quiet]
                => "A7: 3 shipped" | "1 shipped" | "shipped-after-cancel" | "";
        ],
        folder,
    );
    let mut bench = folder(THREE).run(&[ByMerchant(1, ALL)]);
    assert_eq!(bench.refused(ByMerchant(1, ALL)), "nothing-open", "once");
    assert_eq!(bench.refused(Ack(1)), "nothing-open");
    assert_eq!(bench.refused(Ship(1, ALL)), "cancelled");
    let mut bench = folder(THREE).run(&[Ack(1), ByMerchant(1, ALL)]);
    assert_eq!(bench.refused(ByMerchant(1, ALL)), "nothing-open", "asked for is asked for");
    assert!(bench.said("cancel.requested").contains("by hand"), "{}", bench.said("cancel.requested"));
}

#[test]
fn a_word_that_was_rejected_is_not_heard_a_second_time_as_if_it_were_another() {
    let mut bench = folder(THREE).run(&[Ack(1), ByMerchant(1, ALL), Reject(1, ALL)]);
    assert_eq!(bench.refused(ByMerchant(1, ALL)), "nothing-open", "it would be asked of nobody");
    assert_eq!(bench.line(0).by_hand, 3);
    let mut bench = folder(THREE).run(&[Ack(1), ByMerchant(1, &[("l1", 2)]), Reject(1, ALL)]);
    bench.step(ByMerchant(1, ALL)).expect("the third unit");
    assert_eq!((bench.lines().as_str(), bench.line(0).by_hand), ("A7: 3 open, 1 asked, 2 rejected", 3));
}

#[test]
fn the_suppliers_word_is_done_at_once_and_shown_to_the_merchant() {
    table(rows![
        "before the hand-off": THREE, &[BySupplier(1, &[("l1", 1)])]
            => "A7: 2 open, 1 cancelled" | "1 open" | "cannot-fulfil" | "order.cancelled";
        "in work": THREE, &[Ack(1), BySupplier(1, &[("l1", 1)])]
            => "A7: 2 open, 1 cancelled" | "1 in_work" | "cannot-fulfil" | "order.acked, order.cancelled";
        "all of it": THREE, &[Ack(1), BySupplier(1, ALL)]
            => "A7: 3 cancelled" | "1 cancelled" | "cannot-fulfil" | "";
        "held by a gate": THREE, &[Pay(false), Want(0, 5), Pull, BySupplier(1, &[("l1", 4)])]
            => "A7: 1 open, 4 cancelled" | "1 open" | "cannot-fulfil" | "";
        "it grants what is asked for": THREE, &[Ack(1), Want(0, 2), Pull, BySupplier(1, &[("l1", 1)])]
            => "A7: 2 open, 1 cancelled" | "1 in_work" | "cannot-fulfil" | "";
        "another pull brings nothing back": THREE, &[BySupplier(1, &[("l1", 1)]), Move("Ely"), Pull]
            => "A7: 2 open, 1 cancelled" | "1 open" | "cannot-fulfil" | "";
        "nothing of it is written": THREE, &[BySupplier(1, ALL), Quiet]
            => "A7: 3 cancelled" | "1 cancelled" | "cannot-fulfil" | "order.cancelled";
    ]);
}

/// The merchant catches up on its channel: one cancellation, not two. Later edits up are new.
#[test]
fn what_the_channel_cancels_too_is_one_cancellation() {
    for by in [ByMerchant(1, &[("l1", 2)]), BySupplier(1, &[("l1", 2)])] {
        for (what, then, lines, orders) in [
            ("it catches up", &[Want(0, 1), Pull][..], "A7: 1 open, 2 cancelled", "1 open"),
            ("in two steps", &[Want(0, 2), Pull, Want(0, 1), Pull], "A7: 1 open, 2 cancelled", "1 open"),
            ("and goes on", &[Want(0, 1), Pull, Want(0, 0), Pull], "A7: 3 cancelled", "1 cancelled"),
            ("by a full cancel", &[CancelOrder, Pull], "A7: 3 cancelled", "1 cancelled"),
            ("and up again: they come back", &[Want(0, 1), Pull, Want(0, 3), Pull], "A7: 3 open", "1 open"),
            (
                "half caught up, and up again: the other half stays",
                &[Want(0, 2), Pull, Want(0, 3), Pull],
                "A7: 2 open, 1 cancelled",
                "1 open",
            ),
            ("edited up without catching up", &[Want(0, 4), Pull], "A7: 2 open, 2 cancelled", "1 open"),
            (
                "up first, then it catches up",
                &[Want(0, 4), Pull, Want(0, 2), Pull],
                "A7: 2 open, 2 cancelled",
                "1 open",
            ),
        ] {
            let bench = Bench::new(THREE).run(&[by]).run(then);
            assert_eq!((bench.lines().as_str(), bench.orders().as_str()), (lines, orders), "{by:?}: {what}");
        }
    }
}

#[test]
fn the_suppliers_word_about_rejected_units_takes_the_rejection_back() {
    let bench = Bench::new(FIVE).run(&[Ack(1), Want(0, 3), Pull, Reject(1, ALL), BySupplier(1, ALL)]);
    assert_eq!((bench.lines().as_str(), bench.line(0).by_hand), ("A7: 5 cancelled", 3));
    let bench = bench.run(&[Want(0, 0), Pull, Want(0, 5), Pull]);
    assert_eq!(bench.lines(), "A7: 5 open", "the channel caught up, and wants all of them again");
    let bench = Bench::new(FIVE).run(&[
        Ack(1),
        Want(0, 3),
        Pull,
        Reject(1, &[("l1", 1)]),
        BySupplier(1, &[("l1", 2)]),
    ]);
    assert_eq!((bench.lines().as_str(), bench.line(0).by_hand), ("A7: 3 open, 2 cancelled", 0));
}

#[test]
fn a_channel_that_tells_says_so_when_its_word_is_taken_by_hand() {
    let mut bench = Bench::new(THREE);
    let warnings = bench.step(ByMerchant(1, ALL)).expect("done");
    assert!(warnings[0].contains("cancel it there too"), "{warnings:?}");
    let warnings = folder(THREE).step(ByMerchant(1, ALL)).expect("done");
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_kits_parts_are_cancelled_together_by_whichever_is_named() {
    let kits = |steps| Bench::new(&[("KIT", 3)]).run(steps);
    let bench = kits(&[Split(1, &[("l2", 3)]), BySupplier(2, &[("l3", 1)])]);
    assert_eq!(
        (bench.lines().as_str(), bench.open().as_str()),
        ("KIT: 2 open, 1 cancelled", "1/l1 4, 2/l3 2")
    );
    let mut bench = kits(&[Ack(1)]);
    assert_eq!(bench.refused(BySupplier(1, &[("l1", 3)])), "quantity");
    let bench = kits(&[Ship(1, &[("l1", 1)]), BySupplier(1, ALL)]);
    assert_eq!(
        (bench.lines().as_str(), bench.open().as_str()),
        ("KIT: 1 open, 2 cancelled", "1/l1 1, 1/l2 1")
    );
}

#[test]
fn what_the_supplier_added_itself_is_no_business_of_a_cancellation() {
    use portald::plan::command::{AddedLine, Command};
    let mut bench = Bench::new(THREE);
    let add = vec![AddedLine { sku: "GIFT".to_owned(), quantity: 1 }];
    let edit = Command::Edit { lines: Vec::new(), add };
    super::super::model::command(&mut bench.record, 1, edit, &bench.policy, bench.now).expect("added");
    assert_eq!(bench.refused(BySupplier(1, &[("l2", 1)])), "own-line");
    let mut bench = bench.run(&[CancelOrder, Pull]);
    assert_eq!(bench.open(), "1/l2 1", "the supplier's own extra stays its own");
    assert_eq!(bench.refused(BySupplier(1, ALL)), "nothing-open");
}
