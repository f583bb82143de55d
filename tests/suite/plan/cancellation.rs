//! Cancellation by tables: a situation, a change on the channel or a command, and where the units are then.
//!
//! Orders are of `A7` (`l1`) unless a row says otherwise; `KIT` is two of `A1` and one of `B2`.

mod address;
mod crossing;
mod elsewhere;
mod hand;
mod handshake;
mod merge;
mod order;
mod takeback;

use super::bench::{ALL, Bench, Do, Do::*, table, table_by};
use super::model::{Remote, policy};

/// All columns but the name and the steps.
macro_rules! rows {
    ($($name:literal: $order:expr, $steps:expr => $lines:literal | $orders:literal | $alerts:literal | $events:literal;)*) => {
        &[$($crate::plan::bench::Row {
            name: $name, order: $order, steps: $steps,
            lines: $lines, orders: $orders, alerts: $alerts, events: $events,
        },)*]
    };
}
pub(crate) use rows;

const THREE: super::bench::Units = &[("A7", 3)];
const FIVE: super::bench::Units = &[("A7", 5)];
const TWO_LINES: super::bench::Units = &[("A7", 3), ("A8", 2)];
const KITS: super::bench::Units = &[("KIT", 3)];

#[test]
fn before_the_hand_off_the_channels_word_is_done_at_once() {
    table(rows![
        "full cancel": THREE, &[CancelOrder, Pull]
            => "A7: 3 cancelled" | "1 cancelled" | "-" | "order.changed, order.cancelled";
        "partial cancel": THREE, &[Want(0, 2), Pull]
            => "A7: 2 open, 1 cancelled" | "1 open" | "-" | "order.changed, order.cancelled";
        "two edits down are two cancellations": THREE, &[Want(0, 2), Pull, Want(0, 1), Pull]
            => "A7: 1 open, 2 cancelled" | "1 open" | "-" | "order.changed, order.cancelled, order.changed, order.cancelled";
        "edit up": THREE, &[Want(0, 5), Pull]
            => "A7: 5 open" | "1 open" | "-" | "order.changed, order.routed";
        "down and up again re-opens before it grows": THREE, &[Want(0, 1), Pull, Want(0, 4), Pull]
            => "A7: 4 open" | "1 open" | "-" | "";
        "line added": THREE, &[AddLine("A8", 2), Pull]
            => "A7: 3 open; A8: 2 open" | "1 open" | "-" | "order.changed, order.routed";
        "line added that is not ours": THREE, &[AddLine("other", 2), Pull]
            => "A7: 3 open" | "1 open" | "-" | "order.changed";
        "line removed": TWO_LINES, &[RemoveLine(1), Pull]
            => "A7: 3 open; A8: 2 cancelled" | "1 open" | "-" | "order.changed, order.cancelled";
        "refund of unfulfilled units": THREE, &[Refund(0, 1), Pull]
            => "A7: 2 open, 1 cancelled" | "1 open" | "-" | "order.changed, order.cancelled";
        "the order comes back": THREE, &[CancelOrder, Pull, Reinstate, Pull]
            => "A7: 3 open" | "1 open" | "-"
            | "order.changed, order.cancelled, order.changed, order.reinstated, order.routed";
        "it comes back unpaid: through the gates again": THREE, &[CancelOrder, Pull, Pay(false), Reinstate, Pull]
            => "A7: 3 held" | "1 held" | "-"
            | "order.changed, order.cancelled, order.changed, order.reinstated, order.held";
        "a unit comes back behind a hold and passes with it": THREE,
            &[Want(0, 1), Pull, HoldThere("fraud"), Want(0, 3), Pull, LetGo, Pull]
            => "A7: 3 open" | "1 open" | "-" | "";
        "cancelled and back between two pulls is nothing": THREE, &[CancelOrder, Reinstate, Pull]
            => "A7: 3 open" | "1 open" | "-" | "-";
        "cancelled before it was released": THREE, &[Pay(false), AddLine("A8", 1), Pull, Want(1, 0), Pull]
            => "A7: 3 open; A8: 1 cancelled" | "1 open" | "-" | "";
    ]);
}

#[test]
fn after_the_hand_off_the_supplier_is_asked() {
    table(rows![
        "full cancel": THREE, &[Ack(1), CancelOrder, Pull]
            => "A7: 3 open, 3 asked" | "1 in_work" | "cancel-requested" | "order.acked, order.changed, cancel.requested";
        "partial, accepted": THREE, &[Ack(1), Want(0, 2), Pull, Accept(1, ALL)]
            => "A7: 2 open, 1 cancelled" | "1 in_work" | "-"
            | "order.acked, order.changed, cancel.requested, cancel.accepted";
        "accepted in part": THREE, &[Ack(1), Want(0, 1), Pull, Accept(1, &[("l1", 1)])]
            => "A7: 2 open, 1 cancelled, 1 asked" | "1 in_work" | "cancel-requested" | "";
        "all accepted": THREE, &[Ack(1), CancelOrder, Pull, Accept(1, ALL)]
            => "A7: 3 cancelled" | "1 cancelled" | "-" | "";
        "rejected": THREE, &[Ack(1), Want(0, 2), Pull, Reject(1, ALL)]
            => "A7: 3 open, 1 rejected" | "1 in_work" | "-"
            | "order.acked, order.changed, cancel.requested, cancel.rejected";
        "rejected in part, the rest accepted": THREE,
            &[Ack(1), Want(0, 0), Pull, Reject(1, &[("l1", 2)]), Accept(1, ALL)]
            => "A7: 2 open, 1 cancelled, 2 rejected" | "1 in_work" | "-" | "";
        "what was rejected is not asked again": THREE,
            &[Ack(1), Want(0, 2), Pull, Reject(1, ALL), Move("Ely"), Pull, KeepOld(1)]
            => "A7: 3 open, 1 rejected" | "1 in_work" | "-" | "";
        "asked again only for what falls further": THREE,
            &[Ack(1), Want(0, 2), Pull, Reject(1, ALL), Want(0, 1), Pull]
            => "A7: 3 open, 1 asked, 1 rejected" | "1 in_work" | "cancel-requested" | "";
        "back and down again is a new word": THREE,
            &[Ack(1), Want(0, 2), Pull, Reject(1, ALL), Want(0, 3), Pull, Want(0, 2), Pull]
            => "A7: 3 open, 1 asked" | "1 in_work" | "cancel-requested" | "";
        "a refusal ends with what it refused": THREE,
            &[Ack(1), Want(0, 2), Pull, Accept(1, ALL), ByMerchant(1, &[("l1", 1)]), Reject(1, ALL), Want(0, 3), Pull]
            => "A7: 2 open, 1 cancelled" | "1 in_work" | "-" | "";
        "and so the next one is asked": THREE,
            &[Ack(1), Want(0, 2), Pull, Accept(1, ALL), ByMerchant(1, &[("l1", 1)]), Reject(1, ALL), Want(0, 3), Pull,
                Want(0, 1), Pull]
            => "A7: 2 open, 1 cancelled, 1 asked" | "1 in_work" | "cancel-requested" | "";
        "further cancels enlarge the request": THREE, &[Ack(1), Want(0, 2), Pull, Want(0, 0), Pull]
            => "A7: 3 open, 3 asked" | "1 in_work" | "cancel-requested" | "";
        "reinstatement shrinks it": THREE, &[Ack(1), Want(0, 0), Pull, Want(0, 2), Pull]
            => "A7: 3 open, 1 asked" | "1 in_work" | "cancel-requested"
            | "order.acked, order.changed, cancel.requested, order.changed, cancel.withdrawn";
        "reinstated before the answer": THREE, &[Ack(1), CancelOrder, Pull, Reinstate, Pull]
            => "A7: 3 open" | "1 in_work" | "-"
            | "order.acked, order.changed, cancel.requested, order.changed, cancel.withdrawn";
        "reinstated after an accepted request: a new split": THREE,
            &[Ack(1), Want(0, 2), Pull, Accept(1, ALL), Want(0, 3), Pull]
            => "A7: 3 open" | "1 in_work, 2 open" | "-" | "";
        "reinstated unpaid after it: the new split waits": THREE,
            &[Ack(1), Want(0, 2), Pull, Accept(1, ALL), Pay(false), Want(0, 3), Pull]
            => "A7: 1 held, 2 open" | "1 in_work, 2 held" | "-" | "";
        "edit up after the hand-off is new work": THREE, &[Ack(1), Want(0, 4), Pull]
            => "A7: 4 open" | "1 in_work, 2 open" | "-" | "";
        "the new work is cancelled at once, what is in work is not": THREE,
            &[Ack(1), Want(0, 4), Pull, Want(0, 2), Pull]
            => "A7: 3 open, 1 cancelled, 1 asked" | "1 in_work, 2 cancelled" | "cancel-requested" | "";
        "a line removed": TWO_LINES, &[Ack(1), RemoveLine(1), Pull]
            => "A7: 3 open; A8: 2 open, 2 asked" | "1 in_work" | "cancel-requested" | "";
        "shipping all leaves out what is asked for": THREE, &[Ack(1), Want(0, 2), Pull, Ship(1, ALL)]
            => "A7: 1 open, 2 shipped, 1 asked" | "1 partly_shipped" | "cancel-requested" | "";
        "and its answer ends the order": THREE, &[Ack(1), Want(0, 2), Pull, Ship(1, ALL), Accept(1, ALL)]
            => "A7: 2 shipped, 1 cancelled" | "1 shipped" | "-" | "";
        "shipped by name, the request is moot": THREE, &[Ack(1), Want(0, 2), Pull, Ship(1, &[("l1", 3)])]
            => "A7: 3 shipped" | "1 shipped" | "shipped-after-cancel" | "";
    ]);
}

#[test]
fn a_refund_of_fulfilled_units_is_a_return_and_never_un_ships() {
    table(rows![
        "all shipped, one comes back": THREE, &[Ship(1, ALL), Quiet, SendBack(0, 1), Pull]
            => "A7: 3 shipped" | "1 shipped" | "-" | "";
        "part shipped, one of them comes back": THREE, &[Ship(1, &[("l1", 2)]), Quiet, SendBack(0, 1), Pull]
            => "A7: 1 open, 2 shipped" | "1 partly_shipped" | "-" | "";
        "a return and a refund of what is open": THREE,
            &[Ship(1, &[("l1", 2)]), Quiet, SendBack(0, 2), Refund(0, 1), Pull, Accept(1, ALL)]
            => "A7: 2 shipped, 1 cancelled" | "1 shipped" | "-" | "";
        "shipped, and the whole order is cancelled": THREE, &[Ship(1, ALL), Quiet, CancelOrder, Pull]
            => "A7: 3 shipped" | "1 shipped" | "-" | "";
        "part shipped, and the whole order is cancelled": THREE,
            &[Ship(1, &[("l1", 2)]), Quiet, CancelOrder, Pull]
            => "A7: 1 open, 2 shipped, 1 asked" | "1 partly_shipped" | "cancel-requested" | "";
    ]);
}

#[test]
fn every_request_by_policy_is_a_request() {
    let asking = |order| {
        let mut policy = policy();
        policy.cancel_at_once = false;
        Bench::over(Remote::new(order), policy)
    };
    table_by(
        rows![
            "before the hand-off too": THREE, &[Want(0, 2), Pull]
                => "A7: 3 open, 1 asked" | "1 open" | "cancel-requested" | "order.changed, cancel.requested";
            "also while the files do not name the merchant": THREE, &[Want(0, 2), Pull, Leave]
                => "A7: 3 open, 1 asked" | "1 open" | "cancel-requested" | "order.changed, cancel.requested";
            "accepted, it comes back in the same order": THREE, &[Want(0, 2), Pull, Accept(1, ALL), Want(0, 3), Pull]
                => "A7: 3 open" | "1 open" | "-" | "";
            "what no gate let through yet leaves at once": THREE, &[Pay(false), Want(0, 5), Pull, Want(0, 3), Pull]
                => "A7: 3 open, 2 cancelled" | "1 open" | "-" | "";
            "by hand": THREE, &[ByMerchant(1, &[("l1", 2)])]
                => "A7: 3 open, 2 asked" | "1 open" | "cancel-requested" | "order.cancelled, cancel.requested";
        ],
        asking,
    );
    let mut bench = asking(THREE).run(&[Want(0, 2), Pull]);
    assert_eq!(bench.refused(Ack(1)), "cancel-requested");
    let mut bench = bench.run(&[AckForce(1), Reject(1, ALL)]);
    assert_eq!(bench.lines(), "A7: 3 open, 1 rejected");
    assert_eq!(bench.refused(Accept(1, ALL)), "no-request");
}

#[test]
fn over_splits_the_last_one_gives_first() {
    for (what, steps, lines, open) in [
        (
            "one unit",
            &[Split(1, &[("l1", 2)]), Want(0, 4), Pull][..],
            "A7: 4 open, 1 cancelled",
            "1/l1 3, 2/l2 1",
        ),
        (
            "more than the last has",
            &[Split(1, &[("l1", 2)]), Want(0, 1), Pull],
            "A7: 1 open, 4 cancelled",
            "1/l1 1",
        ),
        (
            "three splits",
            &[Split(1, &[("l1", 2)]), Split(1, &[("l1", 1)]), Want(0, 3), Pull],
            "A7: 3 open, 2 cancelled",
            "1/l1 2, 2/l2 1",
        ),
        (
            "what is in work comes last, though it is the last split",
            &[Split(1, &[("l1", 2)]), Ack(2), Want(0, 1), Pull],
            "A7: 2 open, 3 cancelled, 1 asked",
            "2/l2 2",
        ),
        (
            "in work, the last split is asked first",
            &[Ack(1), Split(1, &[("l1", 2)]), Want(0, 4), Pull, Ship(2, ALL)],
            "A7: 4 open, 1 shipped, 1 asked",
            "1/l1 3, 2/l2 1",
        ),
        (
            "what the supplier had edited away goes before what it means to ship",
            &[Edit(1, &[("l1", 4)]), Want(0, 4), Pull],
            "A7: 4 open, 1 cancelled",
            "1/l1 4",
        ),
        (
            "units come back to the order they left, the first first",
            &[Split(1, &[("l1", 2)]), Want(0, 0), Pull, Want(0, 4), Pull],
            "A7: 4 open, 1 cancelled",
            "1/l1 3, 2/l2 1",
        ),
        (
            "either order may answer for a unit",
            &[Ack(1), Split(1, &[("l1", 2)]), Want(0, 4), Pull, Accept(1, ALL)],
            "A7: 4 open, 1 cancelled",
            "1/l1 2, 2/l2 2",
        ),
    ] {
        let bench = Bench::new(FIVE).run(steps);
        assert_eq!((bench.lines().as_str(), bench.open().as_str()), (lines, open), "{what}");
    }
}

#[test]
fn a_kit_is_cancelled_by_whole_units() {
    for (what, steps, lines, open) in [
        ("one of three", &[Want(0, 2), Pull][..], "KIT: 2 open, 1 cancelled", "1/l1 4, 1/l2 2"),
        (
            "its parts over two splits",
            &[Split(1, &[("l2", 3)]), Want(0, 2), Pull],
            "KIT: 2 open, 1 cancelled",
            "1/l1 4, 2/l3 2",
        ),
        (
            "its parts over two splits, one in work: a request",
            &[Split(1, &[("l2", 3)]), Ack(2), Want(0, 2), Pull],
            "KIT: 3 open, 1 asked",
            "1/l1 6, 2/l3 3",
        ),
        (
            "and accepted by the one, the other gives its part too",
            &[Split(1, &[("l2", 3)]), Ack(2), Want(0, 2), Pull, Accept(2, ALL)],
            "KIT: 2 open, 1 cancelled",
            "1/l1 4, 2/l3 2",
        ),
        (
            "a unit of which a part left is not cancelled any more",
            &[Ship(1, &[("l1", 2)]), CancelOrder, Pull],
            "KIT: 3 open, 2 asked",
            "1/l1 4, 1/l2 3",
        ),
        (
            "half a unit's part left: the unit has begun",
            &[Ship(1, &[("l1", 1)]), CancelOrder, Pull, Accept(1, ALL)],
            "KIT: 1 open, 2 cancelled",
            "1/l1 1, 1/l2 1",
        ),
        (
            "edited, reinstated and in one order again",
            &[Want(0, 1), Pull, Want(0, 3), Pull],
            "KIT: 3 open",
            "1/l1 6, 1/l2 3",
        ),
        (
            "accepted and reinstated: the parts are new work together",
            &[Ack(1), Want(0, 1), Pull, Accept(1, ALL), Want(0, 2), Pull],
            "KIT: 2 open, 1 cancelled",
            "1/l1 2, 1/l2 1, 2/l3 2, 2/l4 1",
        ),
    ] {
        let bench = Bench::new(KITS).run(steps);
        assert_eq!((bench.lines().as_str(), bench.open().as_str()), (lines, open), "{what}");
    }
    let mut bench = Bench::new(KITS).run(&[Ack(1), Want(0, 1), Pull]);
    assert_eq!(bench.refused(Accept(1, &[("l1", 3)])), "quantity", "a unit and a half");
    assert_eq!(bench.refused(Accept(1, &[("l1", 6)])), "quantity", "more than is asked");
    let bench = bench.run(&[Accept(1, &[("l1", 2), ("l2", 1)])]);
    assert_eq!(bench.lines(), "KIT: 2 open, 1 cancelled, 1 asked", "both parts name one unit");
}

#[test]
fn an_answer_needs_a_question() {
    let mut bench = Bench::new(THREE).run(&[Ack(1)]);
    assert_eq!(bench.refused(Accept(1, ALL)), "no-request");
    assert_eq!(bench.refused(Reject(1, ALL)), "no-request");
    let mut bench = bench.run(&[Want(0, 1), Pull]);
    assert_eq!(bench.refused(Accept(1, &[("l1", 3)])), "quantity");
    assert_eq!(bench.refused(Accept(1, &[("l9", 1)])), "not-found");
    assert_eq!(bench.refused(Reject(1, &[("l1", 0)])), "quantity");
    assert_eq!(bench.refused(Accept(7, ALL)), "not-found");
    let mut bench = bench.run(&[Accept(1, ALL)]);
    assert_eq!(bench.refused(Accept(1, ALL)), "no-request", "answered is answered");
    assert_eq!(bench.lines(), "A7: 1 open, 2 cancelled");
}

#[test]
fn a_page_told_twice_changes_nothing_and_a_stale_one_undoes_nothing() {
    use portald::plan::Absorbed;
    for change in [Want(0, 1), CancelOrder, Foreign(0, 1), HoldThere("fraud"), Move("Ely"), Do::Ask(0, 1)] {
        for ack in [&[][..], &[Ack(1)]] {
            let mut bench = Bench::new(THREE).run(ack);
            let stale = bench.remote.order();
            bench = bench.run(&[change, Pull]);
            let (known, page) = (bench.record.clone(), bench.remote.order());
            assert_eq!(bench.absorb(page), Absorbed::Unchanged, "{change:?}");
            assert_eq!(bench.absorb(stale), Absorbed::Unchanged, "{change:?}");
            assert_eq!(bench.record, known, "{change:?}");
        }
    }
}

#[test]
fn the_stop_alert_keeps_its_age_and_says_what_to_do() {
    let bench = Bench::new(TWO_LINES).run(&[Ack(1), Want(0, 2), Pull]);
    let asked_at = bench.record.cancel_requested_at.expect("asked");
    let bench = bench.run(&[Later, RemoveLine(1), Pull]);
    assert_eq!(bench.record.cancel_requested_at, Some(asked_at), "since the first of it");
    let text = bench.alert("cancel-requested");
    assert!(text.contains("1 × A7, 2 × A8") && text.contains("accept-cancel"), "{text}");
    assert_eq!(bench.record.alerts[0].at, asked_at);
    let said = bench.said("cancel.requested");
    assert!(said.contains("2 × A8 (the line was removed)"), "{said}");
    let bench = bench.run(&[Accept(1, ALL), Later, Want(0, 1), Pull]);
    assert!(bench.record.cancel_requested_at > Some(asked_at), "a new question");
    assert_eq!(bench.record.alerts.len(), 1);
}

#[test]
fn an_order_that_the_channel_lost_is_held_and_nothing_of_it_is_cancelled() {
    table(rows![
        "vanished": THREE, &[Vanish]
            => "A7: 3 open" | "1 held" | "vanished" | "order.vanished";
        "vanished twice is one event": THREE, &[Vanish, Vanish]
            => "A7: 3 open" | "1 held" | "vanished" | "order.vanished";
        "back, as it was": THREE, &[Vanish, Pull]
            => "A7: 3 open" | "1 open" | "-" | "order.vanished, order.returned";
        "back, and cancelled": THREE, &[Vanish, CancelOrder, Pull]
            => "A7: 3 cancelled" | "1 cancelled" | "-"
            | "order.vanished, order.returned, order.changed, order.cancelled";
        "vanished in work, shipped all the same": THREE, &[Ack(1), Vanish, Ship(1, ALL)]
            => "A7: 3 shipped" | "1 shipped" | "-" | "";
        "vanished when all was done": THREE, &[Ship(1, ALL), Quiet, Vanish]
            => "A7: 3 shipped" | "1 shipped" | "-" | "";
    ]);
    let mut bench = Bench::new(THREE).run(&[Vanish]);
    assert_eq!(bench.refused(Ack(1)), "held");
    let bench = bench.run(&[AckForce(1)]);
    assert_eq!(bench.orders(), "1 held", "in work by force, and still shown as held");
}

#[test]
fn the_channels_holds_keep_an_order_from_work_and_are_an_alert_after_it() {
    table(rows![
        "before release": THREE, &[Pay(false), HoldThere("fraud"), AddLine("A8", 1), Pull]
            => "A7: 3 open; A8: 1 held" | "1 held" | "-" | "order.channel_hold, order.changed, order.held";
        "before the hand-off": THREE, &[HoldThere("fraud"), Pull]
            => "A7: 3 open" | "1 held" | "-" | "order.channel_hold, order.changed";
        "lifted": THREE, &[HoldThere("manual verification"), Pull, LetGo, Pull]
            => "A7: 3 open" | "1 open" | "-"
            | "order.channel_hold, order.changed, order.channel_release, order.changed";
        "after the hand-off": THREE, &[Ack(1), HoldThere("dispute"), Pull]
            => "A7: 3 open" | "1 held" | "channel-hold" | "order.acked, order.channel_hold, order.changed";
        "lifted after it": THREE, &[Ack(1), HoldThere("dispute"), Pull, LetGo, Pull]
            => "A7: 3 open" | "1 in_work" | "-" | "";
        "held when all was shipped": THREE, &[Ship(1, ALL), HoldThere("dispute"), Pull]
            => "A7: 3 shipped" | "1 shipped" | "-" | "";
        "held and cancelled": THREE, &[HoldThere("fraud"), CancelOrder, Pull]
            => "A7: 3 cancelled" | "1 cancelled" | "-" | "";
        "only one order of two is in work": THREE, &[Split(1, &[("l1", 1)]), Ack(2), HoldThere("fraud"), Pull]
            => "A7: 3 open" | "1 held, 2 held" | "channel-hold" | "";
    ]);
    let mut bench = Bench::new(THREE).run(&[HoldThere("fraud"), Pull]);
    assert_eq!(bench.refused(Ack(1)), "held");
    let warnings = bench.step(Release(1)).expect("nothing of ours to lift");
    assert!(warnings[0].contains("only the channel can lift this: fraud"), "{warnings:?}");
    let warnings = bench.step(Ship(1, ALL)).expect("a fact");
    assert!(warnings.iter().any(|warning| warning.contains("on hold: fraud")), "{warnings:?}");
}
