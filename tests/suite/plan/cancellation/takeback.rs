//! A channel that takes nothing back: a voided parcel stays there, and the next one of the same units takes its place.

use super::super::bench::{ALL, Bench, Do, Do::*};
use super::super::model::Fault;
use super::THREE;

fn bench(steps: &[Do]) -> Bench {
    let mut bench = Bench::new(THREE);
    bench.policy.capabilities.voids = false;
    bench.run(steps)
}

#[test]
fn the_next_parcel_of_the_same_units_rewrites_the_old_one() {
    let by_hand = "void-by-hand";
    let voided = &[Ship(1, ALL), Quiet, Void(1, "p1"), Quiet];
    for (what, then, told, writes, alerts) in [
        ("voided", &[][..], "T1: 3 × 100", "p1 create done", by_hand),
        ("the same units", &[Ship(1, ALL), Quiet], "T2: 3 × 100", "p1 create done, p2 create done", ""),
        (
            "other units are refused, since it still shows these",
            &[Ship(1, &[("l1", 2)]), Quiet],
            "T1: 3 × 100",
            "p1 create done, p2 create parked",
            by_hand,
        ),
        (
            "until a person deletes it there",
            &[Ship(1, &[("l1", 2)]), Quiet, Delete(0), Pull, Retry, Quiet],
            "T2: 2 × 100",
            "p1 create done, p2 create done",
            by_hand,
        ),
        (
            "deleted there by hand: a new one",
            &[Delete(0), Pull, Ship(1, ALL), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            by_hand,
        ),
        (
            "deleted there, not seen here yet",
            &[Delete(0), Ship(1, ALL), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            by_hand,
        ),
        (
            "the correction is lost on its way",
            &[Ship(1, ALL), Push(Fault::LostBefore), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            "",
        ),
        (
            "its answer is lost",
            &[Ship(1, ALL), Push(Fault::LostAfter), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            "",
        ),
        (
            "the daemon dies with it",
            &[Ship(1, ALL), Push(Fault::Crash { applied: true }), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            "",
        ),
        (
            "voided again, and a third takes its place",
            &[Ship(1, ALL), Quiet, Void(1, "p2"), Ship(1, ALL), Quiet],
            "T3: 3 × 100",
            "p1 create done, p2 create done, p3 create done",
            "",
        ),
        (
            "the second is voided: a person is told of that one alone",
            &[Ship(1, ALL), Quiet, Void(1, "p2"), Quiet],
            "T2: 3 × 100",
            "p1 create done, p2 create done",
            by_hand,
        ),
        (
            "corrected afterwards",
            &[Ship(1, ALL), Quiet, Track(1, "p2"), Quiet],
            "T3: 3 × 100",
            "p1 create done, p2 create done, p2 track done",
            "",
        ),
    ] {
        let bench = bench(voided).run(then);
        let seen = [bench.told(), bench.writes(), bench.alerts()];
        assert_eq!(seen, [told.to_owned(), writes.to_owned(), alerts.to_owned()], "{what}");
        assert!(bench.remote.fulfillments.len() <= 1, "{what}: {:?}", bench.remote.fulfillments);
    }
}

#[test]
fn a_parcel_beside_the_voided_one_is_told_by_itself() {
    let bench = bench(&[Ship(1, &[("l1", 2)]), Quiet, Void(1, "p1"), Ship(1, &[("l1", 1)]), Quiet]);
    assert_eq!(bench.told(), "T1: 2 × 100; T2: 1 × 100");
    assert_eq!((bench.lines().as_str(), bench.alerts().as_str()), ("A7: 2 open, 1 shipped", "void-by-hand"));
    let bench = bench.run(&[Ship(1, ALL), Quiet]);
    assert_eq!(bench.told(), "T3: 2 × 100; T2: 1 × 100");
    assert_eq!((bench.lines().as_str(), bench.alerts().as_str()), ("A7: 3 shipped", ""));
}

#[test]
fn voided_before_it_was_sent_leaves_nothing_behind() {
    let bench = bench(&[Ship(1, ALL), Void(1, "p1"), Ship(1, ALL), Quiet]);
    assert_eq!((bench.told().as_str(), bench.alerts().as_str()), ("T2: 3 × 100", ""));
    assert_eq!(bench.writes(), "p1 create dropped, p2 create done");
}

#[test]
fn voided_while_its_outcome_is_unknown_it_is_found_first() {
    for (fault, told, alerts) in [
        (Fault::LostAfter, "T2: 3 × 100", ""),
        (Fault::LostBefore, "T2: 3 × 100", ""),
        (Fault::Crash { applied: true }, "T2: 3 × 100", ""),
    ] {
        let bench = bench(&[Ship(1, ALL), Push(fault), Void(1, "p1"), Ship(1, ALL), Quiet]);
        assert_eq!((bench.told().as_str(), bench.alerts().as_str()), (told, alerts), "{fault:?}");
        assert_eq!(bench.remote.fulfillments.len(), 1, "{fault:?}");
    }
}

#[test]
fn cancelled_after_the_void_it_is_asked_for_only_where_the_channel_counts_it_off() {
    // The channel shows the units as fulfilled still: it cannot cancel them, so nothing is asked.
    let bench = bench(&[Ship(1, ALL), Quiet, Void(1, "p1"), CancelOrder, Pull]);
    assert_eq!(bench.lines(), "A7: 3 open");
    let bench = bench.run(&[Delete(0), Pull]);
    assert_eq!(bench.lines(), "A7: 3 open, 3 asked");
}
