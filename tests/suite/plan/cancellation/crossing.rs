//! Shipped here while cancelled there: in every order of arrival the tracking is kept, what the channel still takes is
//! told, and no unit is out of balance.

use super::super::bench::{ALL, Bench, Came, Do, Do::*};
use super::super::model::Fault;
use super::{FIVE, THREE, TWO_LINES};

/// Rows: steps, then the lines, what the channel shows, the writes, the alerts.
fn check(rows: &[(&str, super::super::bench::Units, &[Do], [&str; 4])]) {
    let mut wrong = Vec::new();
    for (what, order, steps, wanted) in rows {
        let bench = Bench::new(order).run(steps);
        let seen = [bench.lines(), bench.told(), bench.writes(), bench.alerts()];
        for ((column, seen), wanted) in ["lines", "told", "writes", "alerts"].iter().zip(seen).zip(wanted) {
            if seen != *wanted {
                wrong.push(format!("{what}\n  {column} wanted: {wanted}\n  {column} seen:   {seen}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const LATE: &str = "shipped-after-cancel";

#[test]
fn a_cancellation_of_one_unit_meets_a_parcel_of_three() {
    let reduced = ["A7: 3 shipped", "T1: 2 × 100", "p1 create dropped, p1 create done", LATE];
    check(&[
        ("cancelled, not seen, then pushed", THREE, &[Ship(1, ALL), Want(0, 2), Quiet], reduced),
        ("seen before the push", THREE, &[Ship(1, ALL), Want(0, 2), Pull, Quiet], reduced),
        (
            "while the push is under way, and refused",
            THREE,
            &[Ship(1, ALL), Depart, Want(0, 2), Arrive(Came::Through), Quiet],
            reduced,
        ),
        (
            "the same, seen before the refusal",
            THREE,
            &[Ship(1, ALL), Depart, Want(0, 2), Pull, Arrive(Came::Through), Quiet],
            reduced,
        ),
        (
            "the push was lost on its way, and the answer unknown",
            THREE,
            &[Ship(1, ALL), Depart, Want(0, 2), Pull, Arrive(Came::Lost), Quiet],
            reduced,
        ),
        (
            "the channel took the parcel first, and its answer was lost",
            THREE,
            &[Ship(1, ALL), Depart, Arrive(Came::AnswerLost), Want(0, 2), Quiet],
            ["A7: 3 shipped", "T1: 3 × 100", "p1 create done", ""],
        ),
        (
            "told before: nothing crossed",
            THREE,
            &[Ship(1, ALL), Quiet, Want(0, 2), Pull],
            ["A7: 3 shipped", "T1: 3 × 100", "p1 create done", ""],
        ),
        (
            "seen and taken back before the push",
            THREE,
            &[Ship(1, ALL), Want(0, 2), Pull, Want(0, 3), Pull, Quiet],
            ["A7: 3 shipped", "T1: 3 × 100", "p1 create done", LATE],
        ),
        (
            "known, and shipped all the same",
            THREE,
            &[Want(0, 2), Pull, ShipAfter(1, &[("l1", 3)]), Quiet],
            reduced,
        ),
        (
            "rejected, and shipped",
            THREE,
            &[Ack(1), Want(0, 2), Pull, Reject(1, ALL), Ship(1, ALL), Quiet],
            ["A7: 3 shipped, 1 rejected", "T1: 2 × 100", "p1 create dropped, p1 create done", LATE],
        ),
        (
            "asked, and shipped by name before the answer",
            THREE,
            &[Ack(1), Want(0, 2), Pull, Ship(1, &[("l1", 3)]), Quiet],
            reduced,
        ),
    ]);
}

#[test]
fn a_whole_cancellation_meets_a_parcel() {
    let parked = ["A7: 3 shipped", "", "p1 create parked", LATE];
    check(&[
        ("not seen before the push", THREE, &[Ship(1, ALL), CancelOrder, Quiet], parked),
        ("seen before the push", THREE, &[Ship(1, ALL), CancelOrder, Pull, Quiet], parked),
        ("under way", THREE, &[Ship(1, ALL), Depart, CancelOrder, Arrive(Came::Through), Quiet], parked),
        (
            "under way and lost",
            THREE,
            &[Ship(1, ALL), Depart, CancelOrder, Pull, Arrive(Came::Lost), Quiet],
            parked,
        ),
        (
            "the daemon died with it",
            THREE,
            &[Ship(1, ALL), Push(Fault::Crash { applied: false }), CancelOrder, Pull, Quiet],
            parked,
        ),
        (
            "the daemon died after it",
            THREE,
            &[Ship(1, ALL), Push(Fault::Crash { applied: true }), CancelOrder, Pull, Quiet],
            ["A7: 3 shipped", "T1: 3 × 100", "p1 create done", ""],
        ),
        ("known", THREE, &[CancelOrder, Pull, ShipAfter(1, ALL), Quiet], parked),
        (
            "accepted, and it left all the same",
            THREE,
            &[Ack(1), CancelOrder, Pull, Accept(1, ALL), ShipAfter(1, ALL), Quiet],
            parked,
        ),
        (
            "the merchant opens the order again, a person sends it again",
            THREE,
            &[Ship(1, ALL), CancelOrder, Quiet, Reinstate, Pull, Retry, Quiet],
            ["A7: 3 shipped", "T1: 3 × 100", "p1 create done", LATE],
        ),
        (
            "voided: it did not leave, and is asked for",
            THREE,
            &[Ship(1, ALL), CancelOrder, Quiet, Void(1, "p1"), Accept(1, ALL), Quiet],
            ["A7: 3 cancelled", "", "p1 create dropped", LATE],
        ),
        (
            "voided, of known cancelled units: cancelled again",
            THREE,
            &[CancelOrder, Pull, ShipAfter(1, ALL), Void(1, "p1"), Quiet],
            ["A7: 3 cancelled", "", "p1 create dropped", LATE],
        ),
    ]);
}

#[test]
fn of_a_parcel_the_rest_is_told() {
    check(&[
        (
            "one of its lines was cancelled",
            TWO_LINES,
            &[Ship(1, ALL), RemoveLine(1), Quiet],
            ["A7: 3 shipped; A8: 2 shipped", "T1: 3 × 100", "p1 create dropped, p1 create done", LATE],
        ),
        (
            "a unit of each",
            TWO_LINES,
            &[Ship(1, ALL), Want(0, 2), Want(1, 1), Quiet],
            [
                "A7: 3 shipped; A8: 2 shipped",
                "T1: 2 × 100 + 1 × 101",
                "p1 create dropped, p1 create done",
                LATE,
            ],
        ),
        (
            "a second cancellation meets the rest",
            THREE,
            &[Ship(1, ALL), Want(0, 2), Push(Fault::None), Pull, Want(0, 1), Quiet],
            ["A7: 3 shipped", "T1: 1 × 100", "p1 create dropped, p1 create dropped, p1 create done", LATE],
        ),
        (
            "two parcels: the later one crossed",
            FIVE,
            &[Ship(1, &[("l1", 2)]), Ship(1, &[("l1", 3)]), Want(0, 4), Quiet],
            [
                "A7: 5 shipped",
                "T1: 2 × 100; T2: 2 × 100",
                "p1 create done, p2 create dropped, p2 create done",
                LATE,
            ],
        ),
        (
            "the first is told, the second meets it",
            FIVE,
            &[Ship(1, &[("l1", 2)]), Quiet, Ship(1, &[("l1", 3)]), CancelOrder, Quiet],
            ["A7: 5 shipped", "T1: 2 × 100", "p1 create done, p2 create parked", LATE],
        ),
        (
            "a kit's unit",
            &[("KIT", 3)],
            &[Ship(1, ALL), Want(0, 2), Quiet],
            ["KIT: 3 shipped", "T1: 2 × 100", "p1 create dropped, p1 create done", LATE],
        ),
    ]);
}

#[test]
fn a_parcel_that_crossed_keeps_both_times_and_both_sides_are_told() {
    let mut bench = Bench::new(THREE).run(&[Ship(1, ALL), Depart]);
    let cancelled = super::super::model::at(4242);
    bench.remote.cancelled_at = Some(cancelled);
    let bench = bench.run(&[CancelOrder, Arrive(Came::Through)]);
    let parcel = &bench.record.shipments[0];
    assert!(parcel.after_cancel);
    assert_eq!((parcel.shipped_at, parcel.cancelled_at), (super::super::model::at(0), Some(cancelled)));
    let text = bench.alert("shipped-after-cancel");
    for time in [parcel.shipped_at, cancelled] {
        assert!(text.contains(&time.format("%Y-%m-%dT%H:%M:%SZ").to_string()), "{text}");
    }
    let event = bench.record.timeline.iter().find(|event| event.event == "order.shipped_after_cancel");
    assert_eq!(event.expect("told").channel_at, Some(cancelled));
    assert_eq!(bench.record.account.parcels[0].tracking.number.as_deref(), Some("T1"), "hop 1 has it");
    let bench = bench.run(&[Retry, Quiet]);
    let why = bench.record.writes[0].error.as_deref().expect("refused");
    assert!(why.contains("shipped after a cancellation"), "{why}");
    let told = bench.record.timeline.iter().filter(|event| event.event == "order.shipped_after_cancel");
    assert_eq!(told.count(), 1, "told once");
}

#[test]
fn what_is_cancelled_in_time_ships_neither_by_default_nor_by_name() {
    let mut bench = Bench::new(THREE).run(&[CancelOrder, Pull]);
    assert_eq!(bench.refused(Ack(1)), "nothing-open");
    assert_eq!(bench.refused(AckForce(1)), "nothing-open");
    assert_eq!(bench.refused(Ship(1, ALL)), "cancelled");
    assert_eq!(bench.refused(Ship(1, &[("l1", 1)])), "cancelled");
    assert_eq!(bench.refused(Split(1, &[("l1", 1)])), "quantity");
    let mut bench = Bench::new(THREE).run(&[Ack(1), Want(0, 2), Pull]);
    bench.step(Ship(1, ALL)).expect("two");
    assert_eq!(bench.refused(Ship(1, ALL)), "cancel-requested");
    let mut bench = bench.run(&[Accept(1, ALL)]);
    assert_eq!(bench.refused(Ship(1, ALL)), "cancelled");
    assert_eq!(bench.refused(ShipAfter(1, &[("l1", 2)])), "quantity", "one was cancelled, not two");
    let bench = bench.run(&[Quiet]);
    assert_eq!(bench.told(), "T1: 2 × 100");
}

/// Ship, push, cancel, see it: every order of the four, with every end of the push.
#[test]
fn whatever_the_order_of_arrival_no_tracking_is_lost_and_nothing_is_told_twice() {
    let mut tried = 0;
    for came in [Came::Through, Came::AnswerLost, Came::Lost] {
        let all = [Ship(1, ALL), Depart, Arrive(came), CancelOrder, Pull];
        for change in [CancelOrder, Want(0, 1)] {
            let steps: Vec<Do> =
                all.iter().map(|step| if matches!(step, CancelOrder) { change } else { *step }).collect();
            for order in orders_of(5).into_iter().filter(|order| {
                let at = |what: usize| order.iter().position(|step| *step == what);
                at(0) < at(1) && at(1) < at(2)
            }) {
                let mut bench = Bench::new(THREE).run(&[Ack(1)]);
                let mut shipped = true;
                for step in order.iter().map(|at| steps[*at]) {
                    let flies = matches!(step, Depart | Arrive(_));
                    if flies && !shipped {
                        continue;
                    }
                    let done = bench.step(step);
                    if matches!(step, Ship(..)) {
                        shipped = done.is_ok();
                    }
                }
                let bench = bench.run(&[Quiet, Pull, Quiet]);
                tried += 1;
                let what = format!("{came:?} {change:?} {order:?}: {}", bench.writes());
                let line = bench.line(0);
                let left = bench.record.shipped_units(line);
                let told = bench.remote.fulfilled(&line.id);
                assert!(told <= left && bench.remote.fulfillments.len() <= 1, "{what}");
                let parked = bench.record.writes.iter().any(|write| write.state.is_parked());
                let parcels = &bench.record.shipments;
                let untold: u32 =
                    parcels.iter().flat_map(|parcel| &parcel.untold).map(|line| line.quantity).sum();
                assert!(left == told + untold || parked, "{what}: {left} left, {told} told, {untold} untold");
                assert!(parcels.iter().all(|parcel| parcel.tracking.number.is_some()), "{what}");
                let crossed = left > told;
                assert_eq!(parcels.iter().any(|parcel| parcel.after_cancel), crossed, "{what}");
                assert_eq!(line.cancel_requested + left, 3, "{what}: each unit left or is asked for");
            }
        }
    }
    assert_eq!(tried, 3 * 2 * 20);
}

fn orders_of(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders_of(n - 1) {
        for at in 0..n {
            let mut order = shorter.clone();
            order.insert(at, n - 1);
            all.push(order);
        }
    }
    all
}
