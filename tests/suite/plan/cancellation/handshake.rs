//! The channel's own cancellation requests: accepted at once where nothing is in work, else answered with the
//! supplier's word, and not before it.

use super::super::bench::{ALL, Bench, Do::*, Units, table_by};
use super::super::model::Fault;
use super::{FIVE, THREE, TWO_LINES};

/// What it is about, the order, what happens; then the lines, the writes, and how many requests wait there.
type Answered<'r> = (&'r str, Units, &'r [super::super::bench::Do], &'r str, &'r str, usize);

fn check(rows: &[Answered<'_>]) {
    for (what, order, steps, lines, writes, requests) in rows {
        let bench = Bench::new(order).run(steps);
        let writes = if *writes == "-" { "" } else { writes };
        assert_eq!((bench.lines().as_str(), bench.writes().as_str()), (*lines, writes), "{what}");
        assert_eq!(bench.remote.requests.len(), *requests, "{what}: requests left there");
    }
}

#[test]
fn a_request_is_answered_with_the_suppliers_word() {
    check(&[
        (
            "at once before the hand-off",
            THREE,
            &[Ask(0, 2), Pull],
            "A7: 1 open, 2 cancelled",
            "accept pending",
            1,
        ),
        ("and told", THREE, &[Ask(0, 2), Pull, Quiet], "A7: 1 open, 2 cancelled", "accept done", 0),
        ("not before the supplier's word", THREE, &[Ack(1), Ask(0, 2), Pull], "A7: 3 open, 2 asked", "-", 1),
        (
            "accepted",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Accept(1, ALL), Quiet],
            "A7: 1 open, 2 cancelled",
            "accept done",
            0,
        ),
        (
            "half an answer is none",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Accept(1, &[("l1", 1)])],
            "A7: 2 open, 1 cancelled, 1 asked",
            "-",
            1,
        ),
        (
            "rejected",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Reject(1, ALL)],
            "A7: 3 open, 2 rejected",
            "reject pending",
            1,
        ),
        (
            "rejected and told",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Reject(1, ALL), Quiet],
            "A7: 3 open",
            "reject done",
            0,
        ),
        (
            "half rejected: the channel cancels nothing of it, so the accepted half is wanted again",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Accept(1, &[("l1", 1)]), Reject(1, ALL), Quiet],
            "A7: 3 open",
            "reject done",
            0,
        ),
        (
            "accepted while the files do not name the merchant",
            THREE,
            &[Ack(1), Ask(0, 3), Pull, Leave, Accept(1, ALL), Return, Quiet],
            "A7: 3 cancelled",
            "accept done",
            0,
        ),
        (
            "withdrawn before the answer",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Withdraw, Pull],
            "A7: 3 open",
            "-",
            0,
        ),
        (
            "withdrawn before the answer was sent",
            THREE,
            &[Ask(0, 2), Pull, Withdraw, Pull, Quiet],
            "A7: 3 open",
            "accept dropped",
            0,
        ),
        (
            "accepted too late: it is withdrawn when the answer comes",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Accept(1, ALL), Withdraw, Push(Fault::None), Pull],
            "A7: 3 open",
            "accept dropped",
            0,
        ),
        (
            "again after a rejection: a new question",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Reject(1, ALL), Quiet, Ask(0, 1), Pull],
            "A7: 3 open, 1 asked",
            "reject done",
            1,
        ),
        (
            "and answered anew",
            THREE,
            &[Ack(1), Ask(0, 2), Pull, Reject(1, ALL), Quiet, Ask(0, 1), Pull, Accept(1, ALL), Quiet],
            "A7: 2 open, 1 cancelled",
            "reject done, accept done",
            0,
        ),
        (
            "over two lines, one answer for both",
            TWO_LINES,
            &[Ack(1), AskAll(&[(0, 1), (1, 2)]), Pull, Accept(1, &[("l1", 1)])],
            "A7: 2 open, 1 cancelled; A8: 2 open, 2 asked",
            "-",
            1,
        ),
        (
            "two requests, each with its answer",
            TWO_LINES,
            &[Ack(1), Ask(0, 1), Ask(1, 1), Pull, Accept(1, &[("l1", 1)]), Reject(1, ALL), Quiet],
            "A7: 2 open, 1 cancelled; A8: 2 open",
            "accept done, reject done",
            0,
        ),
        (
            "an answer lost on its way is sent again",
            THREE,
            &[Ask(0, 2), Pull, Push(Fault::LostBefore), Quiet],
            "A7: 1 open, 2 cancelled",
            "accept done",
            0,
        ),
        (
            "the answer came there, its receipt did not: the next pull shows it answered",
            THREE,
            &[Ask(0, 2), Pull, Push(Fault::LostAfter), Pull, Quiet],
            "A7: 1 open, 2 cancelled",
            "accept dropped",
            0,
        ),
        (
            "a person gave the answer up",
            THREE,
            &[Ask(0, 2), Pull, Drop, Move("Ely"), Pull],
            "A7: 1 open, 2 cancelled",
            "accept dropped",
            1,
        ),
        (
            "the whole order is cancelled meanwhile",
            THREE,
            &[Ack(1), Ask(0, 1), Pull, CancelOrder, Pull, Accept(1, ALL), Quiet],
            "A7: 3 cancelled",
            "accept done",
            0,
        ),
    ]);
}

#[test]
fn a_request_that_is_not_ours_alone_is_a_persons() {
    let bench = |order| Bench::new(order);
    table_by(
        super::rows![
            "the merchant's line too": &[("A7", 2), ("other", 1)], &[AskAll(&[(0, 1), (1, 1)]), Pull]
                => "A7: 1 open, 1 cancelled" | "1 open" | "cancellation-by-hand" | "order.cancelled, cancel.by_hand";
            "told once": &[("A7", 2), ("other", 1)], &[AskAll(&[(0, 1), (1, 1)]), Pull, Move("Ely"), Pull]
                => "A7: 1 open, 1 cancelled" | "1 open" | "cancellation-by-hand" | "";
            "the merchant's line alone": &[("A7", 2), ("other", 1)], &[Ask(1, 1), Pull]
                => "A7: 2 open" | "1 open" | "cancellation-by-hand" | "cancel.by_hand";
        ],
        bench,
    );
    let bench = Bench::new(&[("A7", 2), ("other", 1)]).run(&[AskAll(&[(0, 1), (1, 1)]), Pull, Quiet]);
    assert_eq!(bench.writes(), "", "no answer of ours");
}

#[test]
fn a_request_for_units_that_left_is_rejected_with_the_reason() {
    let bench = Bench::new(THREE).run(&[Ship(1, ALL), Ask(0, 2), Pull]);
    assert_eq!(bench.writes(), "p1 create pending", "first it is known whether the channel takes the parcel");
    let bench = bench.run(&[Push(Fault::None)]);
    assert_eq!(bench.writes(), "p1 create done, reject pending");
    let answer = bench.record.writes[1].answer.as_ref().expect("an answer");
    assert_eq!(answer.message.as_deref(), Some("the units have left already"));
    let bench = Bench::new(THREE).run(&[Ack(1), Ask(0, 2), Pull, Reject(1, ALL)]);
    let answer = bench.record.writes[0].answer.as_ref().expect("an answer");
    assert_eq!(answer.message.as_deref(), Some("packed"), "in the supplier's words");
}

/// A request that is withdrawn and asked again may have its old id: only an answered one never comes again.
#[test]
fn a_request_that_comes_again_before_it_was_answered_is_answered() {
    let mut bench = Bench::new(THREE).run(&[Ask(0, 2), Pull]);
    let request = bench.remote.requests[0].clone();
    bench = bench.run(&[Withdraw, Pull]);
    assert_eq!((bench.lines().as_str(), bench.writes().as_str()), ("A7: 3 open", "accept dropped"));
    bench.remote.requests.push(request);
    bench.remote.touch();
    bench = bench.run(&[Pull]);
    assert_eq!(bench.writes(), "accept dropped, accept pending");
    bench = bench.run(&[Quiet]);
    assert_eq!((bench.lines().as_str(), bench.remote.requests.len()), ("A7: 1 open, 2 cancelled", 0));
}

/// The answer is about what the channel will show when it comes there, not about what was seen before our parcel.
#[test]
fn the_answer_does_not_depend_on_whether_a_told_parcel_was_seen_before_it() {
    let given = &[Ack(1), Ask(0, 3), Pull, Ship(1, &[("l1", 1)]), Push(Fault::None)];
    let mut seen = Bench::new(THREE).run(given).run(&[Pull, Accept(1, ALL), Quiet]);
    let mut unseen = Bench::new(THREE).run(given).run(&[Accept(1, ALL), Quiet]);
    assert_eq!(seen.lines(), "A7: 1 shipped, 2 cancelled");
    assert_eq!(unseen.lines(), "A7: 1 shipped, 2 cancelled");
    assert_eq!((seen.remote.requests.len(), unseen.remote.requests.len()), (0, 0));
    assert!(!seen.events().is_empty() && !unseen.events().is_empty());
}

#[test]
fn a_channel_without_the_handshake_is_never_answered() {
    let mut bench = Bench::new(FIVE);
    bench.policy.capabilities.answers_cancellations = false;
    let bench = bench.run(&[Ask(0, 2), Pull, Ack(1), Ask(0, 1), Pull, Accept(1, ALL), Quiet]);
    assert_eq!(bench.writes(), "");
    assert_eq!(bench.lines(), "A7: 2 open, 3 cancelled");
}

#[test]
fn the_merchants_words_are_bounded_and_one_line_where_they_are_told() {
    let mut bench = Bench::new(THREE).run(&[Ack(1), Ask(0, 1)]);
    bench.remote.requests[0].message =
        Some(format!("please\nevent=order.shipped \u{1b}[31m{}", "x".repeat(5000)));
    let bench = bench.run(&[Pull]);
    let said = bench.said("cancel.requested");
    assert!(said.contains("please"), "{said}");
    assert!(!said.contains(char::is_control), "{said:?}");
    assert!(said.chars().count() < 500, "{}", said.chars().count());
}
