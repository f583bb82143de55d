//! The ledger over a store that others write at the same time.

use std::{sync::Arc, time::Duration};

use portald::{
    ledger::Ledger,
    plan::command::{Ask, Command},
    policy::Policies,
    record::RecordId,
    store::{Store, memory::MemoryStore},
};
use sdk::{Address, Pulled, RemoteId, testkit::ManualClock};

use super::model::{Remote, at, policy};

fn ledger(store: MemoryStore) -> (Ledger, Arc<MemoryStore>) {
    let store = Arc::new(store);
    let ledger = Ledger::new(store.clone(), Arc::new(ManualClock::new(at(0))));
    let mut policies = Policies::default();
    policies.channels.insert(("m".to_owned(), "shop".to_owned()), Arc::new(policy()));
    ledger.set_policies(policies);
    (ledger, store)
}

fn order(id: &str, changes: u32, city: &str) -> sdk::Order {
    let mut remote = Remote::new(&[("A7", 2)]);
    city.clone_into(&mut remote.city);
    for _ in 0..changes {
        remote.touch();
    }
    sdk::Order { id: RemoteId::from(id), ..remote.order() }
}

fn page(orders: Vec<sdk::Order>) -> Vec<Pulled> {
    orders.into_iter().map(|order| Pulled::Order(Box::new(order))).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_set_aside_stays_so_when_the_page_meets_another_writer() {
    let (ledger, store) = ledger(MemoryStore::new().with_latency(Duration::from_millis(10)));
    let first = page(vec![order("1", 0, "Duluth"), order("2", 0, "Duluth")]);
    ledger.absorb_page("m", "shop", first, at(0), None).await.expect("stored");
    assert!(store.damage(&RecordId("m.shop.2".to_owned())));
    let hold = Ask { command: Command::Hold { reason: "no stock".to_owned() }, key: None, if_match: None };
    let second = page(vec![order("1", 1, "Ely"), order("2", 1, "Ely")]);
    let (held, taken) = tokio::join!(ledger.command("m.shop.1", hold), async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        ledger.absorb_page("m", "shop", second, at(0), None).await
    });
    held.expect("held");
    taken.expect("taken in");
    assert!(store.counters().conflicts > 0, "they met");
    assert_eq!(store.set_aside(None).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn an_order_too_large_to_keep_is_set_aside_and_the_page_goes_on() {
    let (ledger, store) = ledger(MemoryStore::new());
    let mut giant = order("1", 0, "Duluth");
    giant.deliveries[0].ship_to = Some(Address {
        company: "x".repeat(9 * 1024 * 1024),
        ..giant.deliveries[0].ship_to.clone().expect("one")
    });
    let outcome = ledger
        .absorb_page("m", "shop", page(vec![giant, order("2", 0, "Duluth")]), at(0), None)
        .await
        .expect("the rest goes on");
    assert_eq!((outcome.imported, outcome.set_aside), (1, 1));
    let aside = store.set_aside(None).await.expect("readable");
    assert_eq!(aside[0].id, "1");
    assert!(aside[0].reason.contains("too large"), "{}", aside[0].reason);
}

#[tokio::test]
async fn a_quantity_that_no_one_can_count_is_set_aside() {
    let (ledger, store) = ledger(MemoryStore::new());
    let mut huge = order("1", 0, "Duluth");
    huge.lines[0].sku = Some("KIT".to_owned());
    (huge.lines[0].quantity, huge.lines[0].fulfillable) = (u32::MAX, u32::MAX);
    let outcome = ledger
        .absorb_page("m", "shop", page(vec![huge, order("2", 0, "Duluth")]), at(0), None)
        .await
        .expect("the rest goes on");
    assert_eq!((outcome.imported, outcome.set_aside), (1, 1));
    assert_eq!(store.set_aside(None).await.expect("readable")[0].id, "1");
}

#[tokio::test]
async fn a_picture_that_was_asked_for_earlier_undoes_nothing_unless_the_clock_was_set_back() {
    let (ledger, _) = ledger(MemoryStore::new());
    let city = async || {
        let record = ledger.record(&RecordId("m.shop.1".to_owned())).await.expect("readable").expect("there");
        record.seen.deliveries[0].ship_to.as_ref().map(|address| address.city.clone())
    };
    // All of one second, by the channel's clock: only the time of asking tells which is newer.
    for (asked, told, shown) in
        [(0, "Duluth", "Duluth"), (20, "Ely", "Ely"), (10, "Duluth", "Ely"), (-1000, "Orr", "Orr")]
    {
        let page = page(vec![order("1", 0, told)]);
        ledger.absorb_page("m", "shop", page, at(asked), None).await.expect("stored");
        assert_eq!(city().await.as_deref(), Some(shown), "asked at {asked}");
    }
    // A newer stamp counts, whenever it was asked for.
    let page = page(vec![order("1", 1, "Tower")]);
    ledger.absorb_page("m", "shop", page, at(-1010), None).await.expect("stored");
    assert_eq!(city().await.as_deref(), Some("Tower"));
}
