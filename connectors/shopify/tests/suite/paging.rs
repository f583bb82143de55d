//! Pages while orders change, long orders, and the page size.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use sdk::{PullRequest, Pulled};
use shopify::fake::{Fault, NewLine, NewOrder};

use crate::shop::{LASTING, bench, order, start};

fn one(sku: &str) -> NewOrder {
    NewOrder::new(vec![NewLine::new(sku, 1)])
}

#[tokio::test(start_paused = true)]
async fn a_pull_gives_every_order_once_and_covers_the_shops_own_clock() {
    let bench = bench(LASTING);
    for at in 0..60 {
        bench.shop.place(one(&format!("S-{at}")));
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    let first = bench.page(&PullRequest::default()).await;
    assert_eq!(first.orders.len(), 25);
    let last = order(first.orders.into_iter().next_back().unwrap());
    assert_eq!(first.covers, last.updated_at, "no more is covered than what was seen");
    let all = bench.pull(None).await;
    let mut ids: Vec<_> = all.into_iter().map(|it| order(it).id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60);
    let page =
        bench.page(&PullRequest { since: Some(start() + chrono::TimeDelta::hours(1)), page: None }).await;
    assert!(page.orders.is_empty() && page.next.is_none());
    assert_eq!(page.covers, Some(bench.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_whole_import_of_one_second_is_paged_by_its_cursor() {
    let bench = bench(LASTING);
    for at in 0..130 {
        bench.shop.place(one(&format!("S-{at}")));
    }
    let ids: Vec<_> = bench.pull(None).await.into_iter().map(|it| order(it).id).collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 130);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_500_lines_with_a_500_line_parcel_is_read_whole() {
    let bench = bench(LASTING);
    let lines = (0..500).map(|at| NewLine::new(&format!("S-{at}"), 2)).collect();
    let id = bench.shop.place(NewOrder::new(lines));
    let parcel: Vec<(usize, u32)> = (0..500).map(|at| (at, 1)).collect();
    let pushed = bench.channel.push_fulfillment(&bench.parcel(&id, &parcel)).await.unwrap();
    assert_eq!((pushed.fulfillment.lines.len(), pushed.left.len()), (500, 0));
    let pulled = bench.pull(None).await;
    let [order] = <[Pulled; 1]>::try_from(pulled).unwrap().map(order);
    assert_eq!(order.lines.len(), 500);
    assert!(order.lines.iter().all(|line| line.quantity == 2 && line.fulfillable == 1));
    assert_eq!(order.fulfillments[0].lines.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn an_order_with_many_fulfillments_and_fulfillment_orders_is_read_whole() {
    let bench = bench(LASTING);
    let lines = (0..24).map(|at| NewLine::new(&format!("S-{at}"), 3).at(100 + at)).collect();
    let id = bench.shop.place(NewOrder::new(lines));
    for at in 0..24 {
        bench.channel.push_fulfillment(&bench.parcel(&id, &[(at, 1)])).await.unwrap();
    }
    let order = bench.read(&id).await;
    assert_eq!(order.fulfillments.len(), 24);
    assert!(order.lines.iter().all(|line| line.quantity == 3 && line.fulfillable == 2));
    assert_eq!(bench.channel.find(&id).await.unwrap().len(), 24);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_changes_between_its_parts_is_read_again() {
    let bench = bench(LASTING);
    let id =
        bench.shop.place(NewOrder::new((0..150).map(|at| NewLine::new(&format!("S-{at}"), 1)).collect()));
    let (shop, order) = (bench.shop.clone(), id.clone());
    let mut once = Some(());
    // Taken from the model's own thread of calls: the change comes after the first part was answered.
    let changer = std::sync::Arc::new(std::sync::Mutex::new(None));
    let plan = changer.clone();
    bench.shop.on_request(move |operation| {
        if operation == "PortaldOrderLines" && once.take().is_some() {
            *plan.lock().unwrap() = Some(());
        }
        Fault::None
    });
    tokio::time::advance(Duration::from_secs(5)).await;
    let reading = bench.read(&id);
    tokio::pin!(reading);
    let read = loop {
        tokio::select! {
            biased;
            read = &mut reading => break read,
            () = tokio::task::yield_now() => {
                if changer.lock().unwrap().take().is_some() {
                    shop.set_note(&order, "changed between two parts");
                }
            }
        }
    };
    assert_eq!(read.lines.len(), 150);
}

#[tokio::test(start_paused = true)]
async fn the_page_follows_the_price() {
    let bench = bench(LASTING);
    for at in 0..400 {
        bench.shop.place(one(&format!("S-{at}")));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    bench.shop.set_price(3.0);
    bench.pull(None).await;
    let sizes = |bench: &crate::shop::Bench| -> Vec<u64> {
        let asked = bench.shop.asked();
        asked.iter().map(|body| body["variables"]["first"].as_u64().unwrap()).collect()
    };
    let grown = sizes(&bench);
    assert_eq!(grown[0], 25);
    assert!(*grown.last().unwrap() >= 200, "{grown:?}");
    bench.shop.set_price(40.0);
    let ids: std::collections::BTreeSet<_> =
        bench.pull(None).await.into_iter().map(|it| order(it).id).collect();
    assert_eq!(ids.len(), 400);
    assert!(*sizes(&bench).last().unwrap() <= 22, "{:?}", sizes(&bench));
}

#[derive(Clone, Debug)]
enum Change {
    Place,
    Touch(usize),
    Note(usize),
    Cancel(usize),
    Edit(usize),
    Wait,
}

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = prop_oneof![
        2 => Just(Change::Place),
        4 => (0..200usize).prop_map(Change::Touch),
        2 => (0..200usize).prop_map(Change::Note),
        1 => (0..200usize).prop_map(Change::Cancel),
        1 => (0..200usize).prop_map(Change::Edit),
        3 => Just(Change::Wait),
    ];
    prop::collection::vec(prop::collection::vec(change, 0..8), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever changes between two pages: when the pull is through, and again from what it covers, the last
    /// picture of each order is the order as it is.
    #[test]
    fn nothing_is_missed_while_orders_change_between_pages(batches in changes(), size in 1..9u32, orders in 1..40usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = bench(&format!("{LASTING}page_size = {size}\n"));
            let mut ids = Vec::new();
            for at in 0..orders {
                ids.push(bench.shop.place(one(&format!("S-{at}"))));
                if at % 3 == 0 {
                    tokio::time::advance(Duration::from_secs(1)).await;
                }
            }
            let mut seen = BTreeMap::new();
            let mut batches = batches.into_iter();
            let mut since = None;
            for round in 0..2 {
                let mut request = PullRequest { since, page: None };
                loop {
                    let page = bench.page(&request).await;
                    for pulled in page.orders {
                        let order = order(pulled);
                        seen.insert(order.id.clone(), order);
                    }
                    if let Some(covers) = page.covers {
                        assert!(since.is_none_or(|since| covers >= since) && covers <= bench.clock.now());
                        since = Some(covers);
                    }
                    let Some(next) = page.next else { break };
                    request.page = Some(next);
                    if round > 0 {
                        continue;
                    }
                    for change in batches.next().unwrap_or_default() {
                        let pick = |at: usize| ids[at % ids.len()].clone();
                        match change {
                            Change::Place => ids.push(bench.shop.place(one("NEW"))),
                            Change::Touch(at) => bench.shop.touch(&pick(at)),
                            Change::Note(at) => bench.shop.set_note(&pick(at), &format!("note {at}")),
                            Change::Cancel(at) => bench.shop.cancel_order(&pick(at), "CUSTOMER"),
                            Change::Edit(at) => {
                                let id = pick(at);
                                let line = bench.shop.order(&id).unwrap().lines[0].id;
                                bench.shop.edit_quantity(&id, line, 0);
                            }
                            Change::Wait => tokio::time::advance(Duration::from_secs(1)).await,
                        }
                    }
                }
                if round == 0 {
                    // The first pull alone has missed no order; what changed after its page comes with the second.
                    for order in bench.shop.orders() {
                        assert!(seen.contains_key(&order.remote_id()), "order {} was missed", order.name);
                    }
                }
            }
            for truth in bench.shop.orders() {
                let known = &seen[&truth.remote_id()];
                assert_eq!(known.updated_at, Some(truth.updated), "order {} is stale", truth.name);
                assert_eq!(known.customer_note, truth.note);
                assert_eq!(known.state.is_open(), truth.cancelled.is_none());
            }
        });
    }
}
