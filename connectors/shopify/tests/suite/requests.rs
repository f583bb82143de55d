//! Cancellation requests: which wait for an answer, what an answer does, and what it leaves.

use std::time::Duration;

use sdk::{CancellationAnswer, CancellationRequest, ErrorKind, LineQuantity, Order, RemoteId, Result};
use shopify::fake::{Fault, NewLine, NewOrder};

use crate::shop::{Bench, LASTING, bench};

const SERVICE: u64 = 77;

/// A shop whose second location is a fulfillment service's.
fn served() -> Bench {
    let bench = bench(LASTING);
    bench.shop.manage_by_service(SERVICE);
    bench
}

impl Bench {
    /// The number of the order's `at`th fulfillment order.
    pub(crate) fn fo(&self, id: &RemoteId, at: usize) -> u64 {
        self.shop.order(id).unwrap().fulfillment_orders[at].id
    }

    /// Has the service asked for a fulfillment order, and agree.
    pub(crate) fn take_on(&self, fo: u64) {
        self.shop.submit_fulfillment_request(fo, None, None).unwrap();
        self.shop.accept_fulfillment_request(fo).unwrap();
    }

    /// Units of the order's lines, by their places.
    pub(crate) fn units(&self, id: &RemoteId, lines: &[(usize, u32)]) -> Vec<LineQuantity> {
        self.parcel(id, lines).lines
    }

    async fn give(&self, id: &RemoteId, request: &RemoteId, accept: bool) -> Result<()> {
        let answer = CancellationAnswer {
            key: "key".into(),
            order: id.clone(),
            request: request.clone(),
            accept,
            message: Some("We had not started".into()),
        };
        self.channel.answer_cancellation(&answer).await
    }

    async fn waiting(&self, id: &RemoteId) -> CancellationRequest {
        let mut waiting = self.read(id).await.cancellation_requests;
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        waiting.remove(0)
    }
}

fn fulfillable(order: &Order) -> Vec<u32> {
    order.lines.iter().map(|line| line.fulfillable).collect()
}

/// An order of 3 A and 2 B, both at the service, which has taken them on.
fn taken_on(bench: &Bench) -> (RemoteId, u64) {
    let lines = vec![NewLine::new("A", 3).at(SERVICE), NewLine::new("B", 2).at(SERVICE)];
    let id = bench.shop.place(NewOrder::new(lines));
    let fo = bench.fo(&id, 0);
    bench.take_on(fo);
    (id, fo)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_listed_in_pages_and_alone_whatever_the_status_says() {
    for silent in [false, true] {
        let bench = served();
        if silent {
            bench.shop.ask_silently();
        }
        let (id, fo) = taken_on(&bench);
        bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap();
        assert!(bench.read(&id).await.cancellation_requests.is_empty());
        tokio::time::advance(Duration::from_secs(60)).await;
        let number = bench.shop.submit_cancellation_request(fo, Some("Changed his mind")).unwrap();
        let alone = bench.read(&id).await;
        let expected = CancellationRequest {
            id: RemoteId(format!("{fo}-{number}")),
            lines: bench.units(&id, &[(0, 2), (1, 2)]),
            message: Some("Changed his mind".into()),
            at: Some(crate::shop::start() + chrono::TimeDelta::seconds(60)),
        };
        assert_eq!(alone.cancellation_requests, [expected], "silent: {silent}");
        assert_eq!(fulfillable(&alone), [2, 2], "the units stay: who reads takes them off");
        assert_eq!(crate::shop::order(bench.pull(None).await.remove(0)), alone, "a page shows the same");
        assert!(alone.holds.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_units_do_not_come_back_before_they_are_asked_for() {
    for silent in [false, true] {
        let bench = served();
        if silent {
            bench.shop.ask_silently();
        }
        let (id, fo) = taken_on(&bench);
        bench.shop.submit_cancellation_request(fo, None).unwrap();
        let request = bench.waiting(&id).await;
        tokio::time::advance(Duration::from_secs(5)).await;
        bench.give(&id, &request.id, true).await.unwrap();
        let truth = bench.shop.order(&id).unwrap();
        let states: Vec<_> = truth
            .fulfillment_orders
            .iter()
            .map(|fo| (fo.status.as_str(), fo.request_status.as_str(), fo.lines[0].remaining))
            .collect();
        assert_eq!(states, [("CLOSED", "CANCELLATION_ACCEPTED", 0), ("OPEN", "UNSUBMITTED", 3)]);
        let order = bench.read(&id).await;
        assert_eq!(fulfillable(&order), [0, 0]);
        assert_eq!(order.lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [3, 2], "still ordered");
        assert!(order.cancellation_requests.is_empty() && order.groups.is_empty() && order.holds.is_empty());
        assert!(order.state.is_open());

        // The merchant moves a part to a place of their own: it is theirs to ship.
        let again = bench.fo(&id, 1);
        bench.shop.move_fulfillment_order(again, 5, Some(&bench.units(&id, &[(1, 2)]))).unwrap();
        assert_eq!(fulfillable(&bench.read(&id).await), [0, 0]);
        // Asked for again, in part: the rest is still given up.
        bench.shop.submit_fulfillment_request(again, Some(&bench.units(&id, &[(0, 2)])), None).unwrap();
        let order = bench.read(&id).await;
        assert_eq!(fulfillable(&order), [2, 0]);
        assert_eq!(order.groups.len(), 1);
        bench.shop.accept_fulfillment_request(again).unwrap();
        assert_eq!(fulfillable(&bench.read(&id).await), [2, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_leaves_the_units_and_a_later_one_has_another_id() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(fo, Some("once")).unwrap();
    let first = bench.waiting(&id).await;
    bench.give(&id, &first.id, false).await.unwrap();
    let order = bench.read(&id).await;
    assert_eq!((fulfillable(&order), order.cancellation_requests.len()), (vec![3, 2], 0));
    bench.shop.submit_cancellation_request(fo, Some("twice")).unwrap();
    let second = bench.waiting(&id).await;
    assert_ne!(first.id, second.id);
    assert_eq!(second.message.as_deref(), Some("twice"));
    bench.give(&id, &first.id, false).await.unwrap();
    let error = bench.give(&id, &first.id, true).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("rejected already"), "{error}");
    assert_eq!(bench.waiting(&id).await, second, "the answer to the first left the second alone");
    bench.give(&id, &second.id, true).await.unwrap();
    assert_eq!(fulfillable(&bench.read(&id).await), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_old_cancellation_is_not_read_into_a_later_agreement() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    let request = bench.waiting(&id).await;
    bench.give(&id, &request.id, false).await.unwrap();
    bench.shop.close_fulfillment_order(fo).unwrap();
    let order = bench.read(&id).await;
    assert_eq!(fulfillable(&order), [3, 2], "INCOMPLETE keeps its units");
    tokio::time::advance(Duration::from_secs(9)).await;
    bench.take_on(fo);
    assert!(bench.read(&id).await.cancellation_requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_safe_to_repeat_and_another_one_is_refused_in_words() {
    for accept in [true, false] {
        let bench = served();
        let (id, fo) = taken_on(&bench);
        bench.shop.submit_cancellation_request(fo, None).unwrap();
        let request = bench.waiting(&id).await;
        bench.give(&id, &request.id, accept).await.unwrap();
        bench.give(&id, &request.id, accept).await.unwrap();
        let error = bench.give(&id, &request.id, !accept).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        let word = if accept { "accepted already" } else { "rejected already" };
        assert!(error.message.contains(word), "{error}");
        let counts = bench.shop.counts();
        let written = |name: &str| counts.get(name).copied().unwrap_or(0);
        assert_eq!(written("PortaldAcceptCancellation") + written("PortaldRejectCancellation"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_or_names_nothing_is_refused() {
    late(false).await;
    late(true).await;
}

async fn late(silent: bool) {
    let bench = served();
    if silent {
        bench.shop.ask_silently();
    }
    let (id, fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    let request = bench.waiting(&id).await;
    // The merchant takes the fulfillment order back without waiting: its units are no more wanted than by an answer.
    bench.shop.cancel_fulfillment_order(fo).unwrap();
    let order = bench.read(&id).await;
    assert_eq!((fulfillable(&order), order.cancellation_requests.len()), (vec![0, 0], 0));
    let error = bench.give(&id, &request.id, false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("waits for no answer any more"), "{error}");
    let (other, other_fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(other_fo, None).unwrap();
    let theirs = bench.waiting(&other).await.id;
    for (what, text) in [
        (RemoteId(format!("{other_fo}-1")), "no such cancellation request"),
        (RemoteId("9999-1".into()), "no fulfillment order 9999"),
        (RemoteId("9999".into()), "not a cancellation request"),
        (RemoteId("1-2-3".into()), "not a cancellation request"),
        (RemoteId("-".into()), "not a cancellation request"),
    ] {
        let error = bench.give(&other, &what, true).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected, "{what}");
        assert!(error.message.contains(text), "{what}: {error}");
    }
    let error = bench.give(&id, &theirs, true).await.unwrap_err();
    assert!(error.message.contains("of this order"), "another order's request: {error}");
    // All fulfilled meanwhile: the shop closes it by itself.
    bench.channel.push_fulfillment(&bench.parcel(&other, &[(0, 3), (1, 2)])).await.unwrap();
    assert!(bench.read(&other).await.cancellation_requests.is_empty());
    let error = bench.give(&other, &theirs, true).await.unwrap_err();
    assert!(error.message.contains("CLOSED"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_applied_and_lost_is_done_at_the_repeat() {
    for fault in [
        Fault::LoseAfterApplied,
        Fault::BodyAfterApplied(b"<html>".to_vec()),
        Fault::LoseBefore,
        Fault::Status(502),
        Fault::Refuse,
    ] {
        for accept in [true, false] {
            let bench = served();
            let (id, fo) = taken_on(&bench);
            bench.shop.submit_cancellation_request(fo, None).unwrap();
            let request = bench.waiting(&id).await;
            let (what, mut once) = (format!("{fault:?}"), Some(fault.clone()));
            bench.shop.on_request(move |operation| match operation {
                "PortaldAcceptCancellation" | "PortaldRejectCancellation" => {
                    once.take().unwrap_or(Fault::None)
                }
                _ => Fault::None,
            });
            // The client may send again by itself; else the daemon does.
            if let Err(error) = bench.give(&id, &request.id, accept).await {
                assert!(
                    matches!(
                        error.kind,
                        ErrorKind::Indeterminate | ErrorKind::Unavailable | ErrorKind::Malformed
                    ),
                    "{what}: {error}"
                );
                bench.give(&id, &request.id, accept).await.unwrap();
            }
            let order = bench.read(&id).await;
            assert!(order.cancellation_requests.is_empty(), "{what}");
            assert_eq!(fulfillable(&order), if accept { [0, 0] } else { [3, 2] }, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_scope_refuses_the_answer_and_not_the_channel() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    let request = bench.waiting(&id).await;
    bench.shop.set_scopes(&["read_orders", "write_third_party_fulfillment_orders"]);
    let error = bench.give(&id, &request.id, true).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("write_assigned_fulfillment_orders"), "{error}");
    bench.shop.on_request(|operation| match operation {
        "PortaldAcceptCancellation" => Fault::Status(401),
        _ => Fault::None,
    });
    let error = bench.give(&id, &request.id, true).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "a refused token is another matter");
}

#[tokio::test(start_paused = true)]
async fn one_group_for_each_open_fulfillment_order_and_their_units_are_the_fulfillable_ones() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    let lines = |at: &[(usize, u32)]| bench.units(&id, at);
    let groups = |order: &Order| -> Vec<(String, Vec<LineQuantity>)> {
        order.groups.iter().map(|group| (group.id.to_string(), group.lines.clone())).collect()
    };
    assert_eq!(groups(&bench.read(&id).await), [(fo.to_string(), lines(&[(0, 3), (1, 2)]))]);
    let plain = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 3)]));
    let whole = bench.fo(&plain, 0);
    let part = bench.shop.split_fulfillment_order(whole, &bench.units(&plain, &[(0, 1)])).unwrap();
    let order = bench.read(&plain).await;
    assert_eq!(
        groups(&order),
        [
            (whole.to_string(), bench.units(&plain, &[(0, 2)])),
            (part.to_string(), bench.units(&plain, &[(0, 1)]))
        ]
    );
    assert_eq!(fulfillable(&order), [3]);
    bench.shop.fulfil(&plain, &bench.units(&plain, &[(0, 2)])).unwrap();
    let order = bench.read(&plain).await;
    assert_eq!(groups(&order), [(part.to_string(), bench.units(&plain, &[(0, 1)]))], "closed ones are none");
    assert_eq!(order.fulfillments.len(), 1, "the merchant's own");
}

#[tokio::test(start_paused = true)]
async fn a_parcel_takes_asked_units_first_and_given_up_ones_only_where_it_must() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    let request = bench.waiting(&id).await;
    bench.give(&id, &request.id, true).await.unwrap();
    let given_up = bench.fo(&id, 1);
    let asked = bench.shop.split_fulfillment_order(given_up, &bench.units(&id, &[(0, 1)])).unwrap();
    bench.take_on(asked);
    assert_eq!(fulfillable(&bench.read(&id).await), [1, 0]);
    // Two A are in the parcel, one of them after the cancellation: that is a fact, and the shop is told.
    let pushed = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 2)])).await.unwrap();
    assert!(pushed.left.is_empty());
    let truth = bench.shop.order(&id).unwrap();
    let left = |fo: u64| truth.fulfillment_orders.iter().find(|it| it.id == fo).unwrap().lines[0].remaining;
    assert_eq!((left(asked), left(given_up)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_changes_only_a_fulfillment_order_is_pulled_though_the_order_keeps_its_stamp() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    let (still, _) = taken_on(&bench);
    let quiet = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    bench.shop.keep_stamps();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let since = Some(bench.clock.now());
    assert!(bench.pull(since).await.is_empty());
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    bench.shop.hold_fulfillment_order(bench.fo(&quiet, 0), "Incorrect address").unwrap();
    let touched = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    let pulled: Vec<Order> = bench.pull(since).await.into_iter().map(crate::shop::order).collect();
    let ids: Vec<&RemoteId> = pulled.iter().map(|order| &order.id).collect();
    assert_eq!(ids, [&touched, &id, &quiet], "each once, and not {still}");
    assert_eq!(pulled[1].cancellation_requests.len(), 1);
    assert_eq!(pulled[2].holds, ["on hold: Incorrect address"]);
    // They come on a page of their own, and nothing new is covered before it is stored.
    let first = bench.page(&sdk::PullRequest { since, page: None }).await;
    assert_eq!((first.orders.len(), first.covers), (1, since));
    let second = bench.page(&sdk::PullRequest { since, page: first.next }).await;
    assert_eq!((second.orders.len(), second.covers, second.next), (2, Some(bench.clock.now()), None));
    // Many of them are paged, and an order with many is read once.
    let lines = (0..300).map(|at| NewLine::new("A", 1).at(1_000 + at)).collect();
    let many = bench.shop.place(NewOrder::new(lines));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let since = Some(bench.clock.now());
    for fo in bench.shop.order(&many).unwrap().fulfillment_orders {
        bench.shop.hold_fulfillment_order(fo.id, "Other").unwrap();
    }
    let pulled = bench.pull(since).await;
    assert_eq!(pulled.len(), 1);
    assert_eq!(crate::shop::order(pulled.into_iter().next().unwrap()).id, many);
    assert_eq!(bench.shop.counts()["PortaldChanges"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_does_not_tell_changes_is_pulled_without() {
    let bench = served();
    let (id, fo) = taken_on(&bench);
    bench.shop.set_scopes(&["read_orders"]);
    bench.shop.keep_stamps();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let since = Some(bench.clock.now());
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    assert!(bench.pull(since).await.is_empty());
    bench.shop.touch(&id);
    assert_eq!(bench.pull(since).await.len(), 1);
    assert_eq!(bench.shop.counts()["PortaldOrders"], 3, "the refusal is remembered");
    // An error that is not owed to that part is no refusal of it.
    let other = served();
    let body = br#"{"data":null,"errors":[{"message":"m","extensions":{"code":"ACCESS_DENIED"}}]}"#;
    other.shop.on_request(|_| Fault::Body(body.to_vec()));
    let request = sdk::PullRequest { since, page: None };
    assert_eq!(other.channel.pull_orders(&request).await.unwrap_err().kind, ErrorKind::Unauthorized);
    other.shop.on_request(|_| Fault::None);
    other.channel.pull_orders(&request).await.unwrap();
    let asked = other.shop.asked();
    assert_eq!(asked.last().unwrap()["variables"]["changes"], true);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_asked_for_before_an_accepted_cancellation_counts_as_ever() {
    let bench = served();
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 3).at(SERVICE)]));
    let fo = bench.fo(&id, 0);
    bench.shop.submit_fulfillment_request(fo, Some(&bench.units(&id, &[(0, 1)])), None).unwrap();
    bench.shop.accept_fulfillment_request(fo).unwrap();
    assert_eq!(fulfillable(&bench.read(&id).await), [3], "two were not asked for, and count as before");
    tokio::time::advance(Duration::from_secs(60)).await;
    bench.shop.submit_cancellation_request(fo, None).unwrap();
    let request = bench.waiting(&id).await;
    assert_eq!(request.lines, bench.units(&id, &[(0, 1)]), "the one that was");
    bench.give(&id, &request.id, true).await.unwrap();
    assert_eq!(fulfillable(&bench.read(&id).await), [2]);
    // A later edit of that line adds units that nobody has asked for either.
    let line = bench.shop.order(&id).unwrap().lines[0].id;
    bench.shop.edit_quantity(&id, line, 5);
    assert_eq!(fulfillable(&bench.read(&id).await), [2]);
    // Another line is another matter.
    bench.shop.add_line(&id, NewLine::new("B", 4).at(SERVICE));
    assert_eq!(fulfillable(&bench.read(&id).await), [2, 4]);
}
