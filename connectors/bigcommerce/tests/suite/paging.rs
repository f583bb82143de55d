//! Pages while orders change: nothing is missed, whatever moves and however bounds are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bigcommerce::fake::{FakeStore, NewLine, NewOrder};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use sdk::{ErrorKind, Http, PullRequest, Pulled, TransportError};

use crate::shop::{Bench, PLAIN, bench, connect, order, seconds};

fn one(sku: &str) -> NewOrder {
    NewOrder::new(vec![NewLine::new(sku, 2)])
}

fn ids(pulled: &[Pulled]) -> BTreeSet<String> {
    let id = |pulled: &Pulled| match pulled {
        Pulled::Order(order) => order.id.to_string(),
        Pulled::Unreadable(aside) => aside.id.to_string(),
    };
    pulled.iter().map(id).collect()
}

fn all(bench: &Bench) -> BTreeSet<String> {
    bench.store.orders().iter().map(|order| order.id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_empty_store_is_a_204_and_covers_until_now() {
    let bench = bench(PLAIN);
    let page = bench.page(&PullRequest::default()).await;
    assert!(page.orders.is_empty() && page.next.is_none());
    let covers = page.covers.unwrap();
    assert!(covers < bench.clock.now() && bench.clock.now() - covers < chrono::TimeDelta::seconds(3));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_orders_of_one_second_are_all_read() {
    for exclusive in [false, true] {
        let bench = bench(&format!("{PLAIN}page_size = 7\n"));
        bench.store.exclusive_bounds(exclusive);
        bench.store.place(one("BEFORE"));
        seconds(1).await;
        for _ in 0..100 {
            bench.store.place(one("SAME"));
        }
        seconds(1).await;
        for _ in 0..20 {
            bench.store.place(one("NEXT"));
        }
        seconds(1).await;
        bench.store.place(one("AFTER"));
        seconds(60).await;
        let (pulled, covers) = bench.pull_to(None).await;
        assert_eq!(ids(&pulled), all(&bench), "exclusive: {exclusive}");
        assert!(covers.unwrap() > bench.store.orders().last().unwrap().updated);
        assert!(pulled.len() < 400, "{} pictures of 122 orders", pulled.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_that_is_not_over_is_read_again_by_the_next_pull() {
    for exclusive in [false, true] {
        let bench = bench(&format!("{PLAIN}page_size = 5\n"));
        bench.store.exclusive_bounds(exclusive);
        bench.store.place(one("OLD"));
        seconds(60).await;
        for _ in 0..30 {
            bench.store.place(one("SAME"));
        }
        let same = bench.clock.now();
        let (pulled, covers) = bench.pull_to(None).await;
        assert!(covers.unwrap() < same, "that second is not covered");
        // More of the same second, after it was looked at.
        let first = ids(&pulled);
        bench.store.place(one("LATE"));
        seconds(30).await;
        let (pulled, later) = bench.pull_to(covers).await;
        let seen: BTreeSet<String> = first.union(&ids(&pulled)).cloned().collect();
        assert_eq!(seen, all(&bench), "exclusive: {exclusive}");
        assert!(later.unwrap() > same);
    }
}

#[tokio::test(start_paused = true)]
async fn the_bounds_own_second_is_read() {
    for exclusive in [false, true] {
        let bench = bench(PLAIN);
        bench.store.exclusive_bounds(exclusive);
        bench.store.place(one("A"));
        let at = bench.clock.now();
        seconds(60).await;
        assert_eq!(bench.pull(Some(at)).await.len(), 1);
        assert!(bench.pull(Some(at + chrono::TimeDelta::seconds(5))).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_smaller_pages_than_asked_for_loses_nothing() {
    let bench = bench(&format!("{PLAIN}page_size = 250\n"));
    bench.store.cap_pages(50);
    for at in 0..130 {
        bench.store.place(one("A"));
        if at % 10 == 0 {
            seconds(1).await;
        }
    }
    let long = NewOrder::new((0..130).map(|at| NewLine::new(&format!("L-{at}"), 1)).collect());
    let long = bench.store.place(long);
    seconds(60).await;
    assert_eq!(ids(&bench.pull(None).await), all(&bench));
    assert_eq!(bench.read(&long).await.lines.len(), 130);
}

#[tokio::test(start_paused = true)]
async fn without_the_stores_time_less_is_covered_and_nothing_lost() {
    let bench = bench(&format!("{PLAIN}page_size = 5\n"));
    bench.store.tell_time(false);
    for _ in 0..30 {
        bench.store.place(one("A"));
    }
    seconds(3_600).await;
    let (pulled, covers) = bench.pull_to(None).await;
    assert_eq!(ids(&pulled), all(&bench));
    assert!(bench.clock.now() - covers.unwrap() > chrono::TimeDelta::minutes(5));
}

#[tokio::test(start_paused = true)]
async fn a_pull_covers_no_more_than_until_it_began() {
    let bench = bench(&format!("{PLAIN}page_size = 3\n"));
    for _ in 0..9 {
        bench.store.place(one("A"));
        seconds(1).await;
    }
    seconds(60).await;
    let began = bench.clock.now();
    let mut request = PullRequest::default();
    for at in 0.. {
        let page = bench.page(&request).await;
        assert!(page.covers.unwrap() < began);
        let Some(next) = page.next else { break };
        request.page = Some(next);
        seconds(30).await;
        if at < 4 {
            bench.store.place(one("B"));
        }
    }
}

/// Loads the last order of the first page a little later than it was picked: it shows a stamp from after the question.
struct LoadedLate {
    store: Arc<FakeStore>,
    once: AtomicBool,
}

#[sdk::async_trait]
impl Http for LoadedLate {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let lists = request.uri().path().ends_with("/v2/orders");
        let mut response = self.store.send(request).await?;
        if lists && !self.once.swap(true, Ordering::Relaxed) {
            let mut page: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            let last = page.as_array_mut().unwrap().last_mut().unwrap();
            let id = sdk::RemoteId(last["id"].to_string());
            seconds(2).await;
            self.store.set_note(&id, "changed meanwhile");
            let stamp = self.store.order(&id).unwrap().updated;
            last["date_modified"] = stamp.format("%a, %d %b %Y %H:%M:%S +0000").to_string().into();
            *response.body_mut() = page.to_string().into();
        }
        Ok(response)
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_newer_than_its_place_takes_no_others_along() {
    let bench = bench(PLAIN);
    for _ in 0..9 {
        bench.store.place(one("A"));
        seconds(1).await;
    }
    seconds(60).await;
    let http = Arc::new(LoadedLate { store: bench.store.clone(), once: AtomicBool::new(false) });
    let channel = connect(&format!("{PLAIN}page_size = 3\n"), http, bench.clock.clone());
    let (mut request, mut pulled) = (PullRequest::default(), Vec::new());
    loop {
        let page = channel.pull_orders(&request).await.unwrap();
        pulled.extend(page.orders);
        let Some(next) = page.next else { break };
        request.page = Some(next);
    }
    assert_eq!(ids(&pulled), all(&bench));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_sort_is_told_so() {
    let bench = bench(&format!("{PLAIN}page_size = 3\n"));
    for _ in 0..9 {
        bench.store.place(one("A"));
        seconds(1).await;
    }
    let first = bench.store.orders()[0].remote_id();
    bench.store.spoil(&first, "order", "/date_modified", "Sat, 20 Sep 2025 00:00:09 +0000".into());
    let second = bench.store.orders()[1].remote_id();
    bench.store.spoil(&second, "order", "/date_modified", "Sat, 20 Sep 2025 00:00:05 +0000".into());
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert!(error.message.contains("does not list orders by their last change"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_someone_else_is_refused() {
    let bench = bench(PLAIN);
    for page in ["", "x", "|1|2", "1|2|x", "1|2|3|4", "99999999999999999999|1"] {
        let request = PullRequest { since: None, page: Some(page.to_owned()) };
        let refused = bench.channel.pull_orders(&request).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Rejected, "{page}");
    }
}

#[derive(Clone, Debug)]
enum Change {
    Place,
    Touch(usize),
    Note(usize),
    Cancel(usize),
    Edit(usize),
    Ship(usize),
    Wait,
}

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let at = 0..64usize;
    let change = prop_oneof![
        Just(Change::Place),
        at.clone().prop_map(Change::Touch),
        at.clone().prop_map(Change::Note),
        at.clone().prop_map(Change::Cancel),
        at.clone().prop_map(Change::Edit),
        at.prop_map(Change::Ship),
        Just(Change::Wait),
    ];
    vec(vec(change, 0..6), 0..30)
}

fn apply(bench: &Bench, ids: &mut Vec<sdk::RemoteId>, change: &Change) -> bool {
    let pick = |at: usize| ids[at % ids.len()].clone();
    match *change {
        Change::Place => {
            let id = bench.store.place(one("NEW"));
            ids.push(id);
        }
        Change::Touch(at) => bench.store.touch(&pick(at)),
        Change::Note(at) => bench.store.set_note(&pick(at), &format!("note {at}")),
        Change::Cancel(at) => bench.store.cancel_order(&pick(at)),
        Change::Edit(at) => {
            let id = pick(at);
            bench.store.edit_quantity(&id, bench.number(&id, 0), 1);
        }
        Change::Ship(at) => {
            let id = pick(at);
            bench.store.ship_elsewhere(&id, bench.number(&id, 0), 1, "T");
        }
        Change::Wait => return true,
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever changes between two pages: when a pull is through, and others go on from what it covers, the last
    /// picture of each order is the order as it is.
    #[test]
    fn nothing_is_missed_while_orders_change_between_pages(
        batches in changes(),
        size in 2..9u32,
        orders in 1..40usize,
        a_second in 1..20usize,
        exclusive in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = bench(&format!("{PLAIN}page_size = {size}\n"));
            bench.store.exclusive_bounds(exclusive);
            let mut ids = Vec::new();
            for at in 0..orders {
                ids.push(bench.store.place(one(&format!("S-{at}"))));
                if at % a_second == 0 {
                    seconds(1).await;
                }
            }
            let mut seen = BTreeMap::new();
            let mut batches = batches.into_iter();
            let mut since: Option<sdk::Timestamp> = None;
            for round in 0..4 {
                let mut request = PullRequest { since, page: None };
                let mut marks = BTreeSet::new();
                loop {
                    let page = bench.page(&request).await;
                    for pulled in page.orders {
                        let order = order(pulled);
                        seen.insert(order.id.clone(), order);
                    }
                    if let Some(covers) = page.covers {
                        assert!(covers < bench.clock.now());
                        since = since.max(Some(covers));
                    }
                    let Some(next) = page.next else { break };
                    assert!(marks.insert(next.clone()), "the mark {next} came again");
                    request.page = Some(next);
                    if round > 1 {
                        continue;
                    }
                    for change in batches.next().unwrap_or_default() {
                        if apply(&bench, &mut ids, &change) {
                            seconds(1).await;
                        }
                    }
                }
                seconds(if round < 2 { 1 } else { 30 }).await;
            }
            for truth in bench.store.orders() {
                let known = seen.get(&truth.remote_id()).unwrap_or_else(|| panic!("order {} was missed", truth.id));
                assert_eq!(known.updated_at, Some(truth.updated), "order {} is stale", truth.id);
                assert_eq!(known.customer_note.as_deref().unwrap_or_default(), truth.note);
                assert_eq!(known.state.is_open(), truth.status != 5);
                assert_eq!(known.fulfillments.len(), truth.shipments.len());
                assert_eq!(known.lines[0].quantity, truth.lines[0].quantity.max(truth.lines[0].shipped));
            }
        });
    }
}
