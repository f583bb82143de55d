//! A BigCommerce store on a socket: orders in, parcels out exactly once though answers are lost, and what the merchant
//! takes back is taken off.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bigcommerce::fake::{FakeAddress, FakeStore, Fault, NewLine, NewOrder, STORE};
use portald::clock::SystemClock;
use sdk::{RemoteId, Rng, testkit::serve};
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, until},
    scene::DAEMON,
};

fn configure(folder: &Path, base_url: &str) {
    let text = format!(
        r#"{DAEMON}[[merchant]]
id = "lakeside"
since = "2020-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.dropship.map]
"KIT" = [{{ sku = "ACME-10", quantity = 2 }}, {{ sku = "ACME-20" }}]
[merchant.orders]
settle_secs = 0
[[merchant.channel]]
id = "shop"
connector = "bigcommerce"
store_hash = "{STORE}"
access_token = {{ env = "SHOP_TOKEN" }}
base_url = "{base_url}/prefix"
page_size = 20
"#
    );
    std::fs::write(folder.join("portald.toml"), text).expect("written");
}

fn order(index: usize) -> NewOrder {
    let mut lines = vec![NewLine::new("ACME-1", 1 + (index % 3) as u32), NewLine::new("OTHER", 2)];
    if index.is_multiple_of(3) {
        lines.push(NewLine::new("ACME-2", 2).to(1));
    }
    if index.is_multiple_of(5) {
        lines.push(NewLine::new("KIT", 1));
    }
    let away = FakeAddress { street_1: format!("{index} Planted Street"), ..FakeAddress::sample() };
    NewOrder::new(lines).addresses(vec![FakeAddress::sample(), away])
}

/// An order's supplier orders, once they are as wanted.
async fn once(daemon: &Daemon, id: &RemoteId, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    until(what, async || {
        let all = daemon.orders().await;
        let of: Vec<Value> = all.into_iter().filter(|order| order["channel_order"] == id.as_str()).collect();
        wanted(&of).then_some(of)
    })
    .await
}

fn units(orders: &[Value], what: &str) -> u64 {
    let lines = orders.iter().filter_map(|order| order["lines"].as_array()).flatten();
    lines.filter_map(|line| line[what].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_reach_a_bigcommerce_store_exactly_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FakeStore::new(Arc::new(SystemClock));
    store.accept_token(shopify::fake::TOKEN);
    let served = serve(store.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("a server");
    configure(folder.path(), &served.base_url());
    for index in 0..40 {
        store.place(order(index));
    }
    let daemon = Arc::new(Daemon::start(folder.path()));
    let mut chance = Rng::from_seed(7).child("faults");
    store.on_request(move |_| if chance.below(10) == 0 { Fault::LoseAfterApplied } else { Fault::None });
    let ids: Vec<RemoteId> = store.orders().iter().map(bigcommerce::fake::FakeOrder::remote_id).collect();
    for (index, id) in ids.iter().enumerate() {
        let orders = once(&daemon, id, "it is imported", |orders| {
            orders.len() == 1 + usize::from(index.is_multiple_of(3))
                && orders.iter().all(|it| it["status"] == "open")
        })
        .await;
        for (at, order) in orders.iter().enumerate() {
            let body = json!({"carrier": "UPS", "tracking": format!("1Z{id}{at}")});
            let path = format!("/v1/orders/{}/ship", order["id"].as_str().expect("an id"));
            daemon.command(&path, &format!("{id}-{at}"), &body).await;
        }
    }
    until("nothing is owed", async || {
        let owed = daemon.get("/v1/outbox").await;
        owed["entries"].as_array().expect("a list").is_empty().then_some(())
    })
    .await;
    for order in store.orders() {
        let mut shipped: BTreeMap<u64, u32> = BTreeMap::new();
        for (line, units) in order.shipments.iter().flat_map(|made| &made.lines) {
            *shipped.entry(*line).or_default() += units;
        }
        for line in &order.lines {
            let wanted = if line.sku == "OTHER" { 0 } else { line.quantity };
            assert_eq!(
                shipped.get(&line.id).copied().unwrap_or(0),
                wanted,
                "order {}: {}",
                order.id,
                line.sku
            );
        }
        assert!(order.shipments.iter().all(|made| made.provider == "ups" && made.mails == 1), "{}", order.id);
        assert_eq!(order.status, 3, "the merchant's own line is open");
    }
    // Its own parcels change nothing of the books.
    for order in daemon.orders().await {
        assert_eq!(
            (order["status"].as_str(), order["alerts"].as_array().map(Vec::len)),
            (Some("shipped"), Some(0))
        );
    }
    let log = daemon.log();
    for planted in [shopify::fake::TOKEN, "Planted", "ada@example.com"] {
        assert!(!log.contains(planted), "`{planted}` is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_merchant_changes_in_a_bigcommerce_store_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FakeStore::new(Arc::new(SystemClock));
    store.accept_token(shopify::fake::TOKEN);
    let served = serve(store.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("a server");
    configure(folder.path(), &served.base_url());
    let new = |quantity| NewOrder::new(vec![NewLine::new("ACME-1", quantity)]);
    let id = store.place(new(5));
    let line = store.order(&id).expect("placed").lines[0].id;
    let unpaid = store.place(new(1).unpaid());
    let held = store.place(new(1));
    store.hold(&held);
    let daemon = Arc::new(Daemon::start(folder.path()));
    let status =
        |status: &'static str| move |orders: &[Value]| orders.len() == 1 && orders[0]["status"] == status;
    once(&daemon, &id, "open", status("open")).await;
    once(&daemon, &unpaid, "held unpaid", status("held")).await;
    once(&daemon, &held, "held", status("held")).await;
    store.set_status(&unpaid, 11);
    store.release(&held);
    once(&daemon, &unpaid, "paid", status("open")).await;
    once(&daemon, &held, "released", status("open")).await;
    let open = |wanted: u64| move |orders: &[Value]| units(orders, "open") == wanted;
    store.edit_quantity(&id, line, 4);
    once(&daemon, &id, "edited", open(4)).await;
    store.refund(&id, line, 1);
    once(&daemon, &id, "refunded", open(3)).await;
    store.ship_elsewhere(&id, line, 1, "THEIRS").expect("shipped");
    once(&daemon, &id, "shipped by the merchant", open(2)).await;
    let supplier = once(&daemon, &id, "there", |orders| orders.len() == 1).await[0]["id"].clone();
    let path = format!("/v1/orders/{}/ship", supplier.as_str().expect("an id"));
    let body = json!({"carrier": "UPS", "tracking": "1Z1", "lines": [{"id": "l1", "quantity": 1}]});
    daemon.command(&path, "one", &body).await;
    until("it is told", async || (store.shipments(&id).len() == 2).then_some(())).await;
    once(&daemon, &id, "one is left", open(1)).await;
    store.cancel_order(&id);
    // After the hand-off a cancellation is a request, which the supplier answers.
    once(&daemon, &id, "cancelled", |orders| orders[0]["cancel_request"].is_object()).await;
    let archived = store.place(new(1));
    once(&daemon, &archived, "open", status("open")).await;
    store.list_archived(true);
    store.archive(&archived);
    once(&daemon, &archived, "held as archived", status("held")).await;
    assert_eq!(daemon.end().await, Some(0));
}
