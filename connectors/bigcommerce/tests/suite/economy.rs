//! What it costs: the list has no lines, and every request is one that the merchant's other apps do not have.

use bigcommerce::fake::{NewLine, NewOrder};
use sdk::Timestamp;

use crate::shop::{Bench, PLAIN, bench, fulfillable, order, seconds};

fn one() -> NewOrder {
    NewOrder::new(vec![NewLine::new("A", 2)])
}

/// Requests of one pull: lists, and the rest.
async fn cost(bench: &Bench, since: Option<Timestamp>) -> (u32, u32) {
    let before = bench.store.counts();
    bench.pull(since).await;
    let after = bench.store.counts();
    let (mut lists, mut rest) = (0, 0);
    for (name, count) in after {
        let more = count - before.get(&name).copied().unwrap_or(0);
        if name == "GET /v2/orders" { lists += more } else { rest += more }
    }
    (lists, rest)
}

#[tokio::test(start_paused = true)]
async fn an_order_costs_its_parts_once_and_nothing_while_it_stays_as_it_is() {
    let bench = bench(PLAIN);
    for _ in 0..20 {
        bench.store.place(one());
    }
    let since = Some(bench.clock.now());
    seconds(60).await;
    assert_eq!(
        cost(&bench, since).await,
        (1, 40),
        "products and addresses; there are no shipments to ask for"
    );
    for _ in 0..3 {
        seconds(60).await;
        assert_eq!(cost(&bench, since).await, (1, 0));
    }
    let id = bench.store.orders()[3].remote_id();
    bench.store.ship_elsewhere(&id, bench.number(&id, 0), 1, "T1").unwrap();
    seconds(60).await;
    assert_eq!(cost(&bench, since).await, (1, 3), "one changed, and has shipments now");
}

#[tokio::test(start_paused = true)]
async fn a_change_within_the_same_second_is_seen() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one());
    let since = Some(bench.clock.now());
    bench.pull(since).await;
    // The list shows nothing of this one: the same stamp, the same status.
    bench.store.refund(&id, bench.number(&id, 0), 1);
    bench.store.set_status(&id, 11);
    seconds(5).await;
    let pulled = order(bench.pull(since).await.remove(0));
    assert_eq!(fulfillable(&pulled), [1], "what was read too soon after a change is not trusted");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_by_id_is_not_hidden_by_what_is_remembered() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one());
    let since = Some(bench.clock.now());
    seconds(60).await;
    bench.pull(since).await;
    bench.store.spoil(&id, "products", "/0/quantity_refunded", serde_json::json!(1));
    assert_eq!(fulfillable(&order(bench.pull(since).await.remove(0))), [2], "its stamp did not move");
    assert_eq!(fulfillable(&bench.read(&id).await), [1]);
    assert_eq!(fulfillable(&order(bench.pull(since).await.remove(0))), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_no_pull_lists_any_more_is_forgotten() {
    let bench = bench(PLAIN);
    bench.store.place(one());
    let early = Some(bench.clock.now());
    seconds(60).await;
    assert_eq!(cost(&bench, early).await, (1, 2));
    assert_eq!(cost(&bench, Some(bench.clock.now())).await, (1, 0));
    assert_eq!(cost(&bench, early).await, (1, 2), "asked for again all the same");
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded() {
    let bench = bench(PLAIN);
    for _ in 0..30 {
        bench.store.place(NewOrder::new((0..200).map(|at| NewLine::new(&format!("L-{at}"), 1)).collect()));
        seconds(1).await;
    }
    let since = Some(bench.store.orders()[0].created);
    seconds(60).await;
    cost(&bench, since).await;
    let again = cost(&bench, since).await.1;
    // 4,000 lines are remembered: 19 orders of 201 pieces. The oldest are read again, and drive out others.
    assert!((11 * 2..=30 * 3).contains(&again), "{again}");
}
