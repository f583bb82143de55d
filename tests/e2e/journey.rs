//! 200 orders from placing to the last parcel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sdk::{RemoteId, Rng};
use serde_json::{Value, json};
use shopify::fake::{FakeAddress, FakeShop, Fault, LOCATION, NewLine, NewOrder};

use crate::{
    daemon::{Daemon, until},
    scene::{Scene, scene},
};

const ORDERS: usize = 200;
const OTHER_LOCATION: u64 = LOCATION + 1;

/// What the channel must show at the end: per order and tracking number the units of each line.
type Parcels = BTreeMap<(RemoteId, String), BTreeMap<u64, i64>>;

/// Every answer is lost with this chance, after the shop acted.
fn lose_one_in_ten(shop: &FakeShop) {
    let mut chance = Rng::from_seed(7).child("faults");
    shop.on_request(move |_| if chance.below(10) == 0 { Fault::LoseAfterApplied } else { Fault::None });
}

fn order(index: usize) -> NewOrder {
    let mut lines = vec![NewLine::new("ACME-1", 1 + (index % 4) as u32)];
    if index.is_multiple_of(3) {
        lines.push(NewLine::new("OTHER", 2));
    }
    if index.is_multiple_of(5) {
        lines.push(NewLine::new("KIT", 1));
    }
    if index.is_multiple_of(7) {
        lines.push(NewLine::new("ACME-2", 2).at(OTHER_LOCATION));
    }
    NewOrder::new(lines)
}

fn address(index: usize) -> FakeAddress {
    let mut address = FakeAddress::sample();
    address.address1 = format!("{index} Planted Street");
    address
}

/// Customers and the merchant change orders for as long as the run lasts.
fn change_orders(shop: Arc<FakeShop>, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut rng = Rng::from_seed(11).child("changes");
        while !stop.load(Ordering::Relaxed) {
            let orders = shop.orders();
            if !orders.is_empty() {
                let index = rng.below(orders.len() as u64) as usize;
                let id = orders[index].remote_id();
                match rng.below(3) {
                    0 => shop.set_note(&id, "please leave it with Planted Neighbour"),
                    1 => shop.set_address(&id, address(index)),
                    _ => shop.touch(&id),
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

/// The units of each of our channel lines.
fn ours(shop: &FakeShop, id: &RemoteId) -> BTreeMap<u64, i64> {
    let order = shop.order(id).expect("placed");
    let lines = order.lines.iter().filter(|line| line.sku.as_deref() != Some("OTHER"));
    lines.map(|line| (line.id, line.current)).collect()
}

/// The supplier works on one order in one of five ways; answers what the channel must come to show.
async fn work(daemon: &Daemon, shop: &FakeShop, id: &RemoteId, way: usize) -> Parcels {
    let supplier = format!("bluefin.shop.{id}");
    let shown = daemon.get(&format!("/v1/orders/{supplier}")).await;
    let first: u64 = text(&shown["lines"][0]["channel_line"]).parse().expect("a number");
    let units = shown["lines"][0]["quantity"].as_i64().expect("a number");
    let mut parcels = Parcels::new();
    let mut whole = ours(shop, id);
    let ship = |number: String, lines: Value| json!({"carrier": "UPS", "tracking": number, "lines": lines});
    let number = |mark: &str| format!("1Z{id}{mark}");
    let post = async |path: String, mark: &str, body: Value| {
        daemon.command(&format!("/v1/orders/{path}"), &format!("{id}-{mark}"), &body).await
    };
    match way {
        1 | 2 if units > 1 => {
            let part = json!([{"id": "l1", "quantity": 1}]);
            let rest = if way == 1 {
                post(format!("{supplier}/ship"), "a", ship(number("a"), part)).await;
                supplier.clone()
            } else {
                let split = post(format!("{supplier}/split"), "split", json!({"lines": part})).await;
                let split = text(&split["id"]);
                assert_eq!(split, format!("{supplier}-2"));
                post(format!("{split}/ship"), "a", ship(number("a"), json!([]))).await;
                supplier.clone()
            };
            post(format!("{rest}/ship"), "b", ship(number("b"), json!([]))).await;
            parcels.insert((id.clone(), number("a")), BTreeMap::from([(first, 1)]));
            *whole.get_mut(&first).expect("ours") -= 1;
            parcels.insert((id.clone(), number("b")), whole);
        }
        3 => {
            post(format!("{supplier}/ship"), "a", ship(number("a"), json!([]))).await;
            post(format!("{supplier}/shipments/p1"), "track", json!({"tracking": number("c")})).await;
            parcels.insert((id.clone(), number("c")), whole);
        }
        4 => {
            post(format!("{supplier}/ship"), "a", ship(number("a"), json!([]))).await;
            post(format!("{supplier}/shipments/p1/void"), "void", json!({"reason": "wrong box"})).await;
            post(format!("{supplier}/ship"), "b", ship(number("b"), json!([]))).await;
            parcels.insert((id.clone(), number("b")), whole);
        }
        _ => {
            post(format!("{supplier}/ship"), "a", ship(number("a"), json!([]))).await;
            parcels.insert((id.clone(), number("a")), whole);
        }
    }
    parcels
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text expected, not {value}")).to_owned()
}

/// What the channel shows now.
fn shown(shop: &FakeShop) -> Parcels {
    let mut parcels = Parcels::new();
    for order in shop.orders() {
        for made in order.fulfillments.iter().filter(|made| made.active()) {
            let number = made.numbers.first().cloned().unwrap_or_default();
            let lines = parcels.entry((order.remote_id(), number)).or_default();
            for (line, units) in &made.lines {
                *lines.entry(*line).or_default() += units;
            }
        }
    }
    parcels
}

async fn journey(kills: u32) {
    let Scene { shop, daemon, .. } = &scene().await;
    let (shop, daemon) = (shop.clone(), daemon.clone());
    lose_one_in_ten(&shop);
    for index in 0..ORDERS / 2 {
        shop.place(order(index));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let changing = change_orders(shop.clone(), stop.clone());
    for index in ORDERS / 2..ORDERS {
        shop.place(order(index));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let placed: Vec<RemoteId> = shop.orders().iter().map(shopify::fake::FakeOrder::remote_id).collect();
    assert_eq!(placed.len(), ORDERS);
    until("all orders are here", async || {
        let here: BTreeSet<String> =
            daemon.orders().await.iter().map(|order| text(&order["channel_order"])).collect();
        (here.len() == ORDERS).then_some(())
    })
    .await;

    let mut wanted = Parcels::new();
    let (mut killed, mut chance) = (0, Rng::from_seed(13).child("kills"));
    for (index, id) in placed.iter().enumerate().filter(|(index, _)| index.is_multiple_of(2)) {
        wanted.append(&mut work(&daemon, &shop, id, index / 2 % 5).await);
        if index / 2 % 10 == 9 && killed < kills {
            // In the middle of what it just began.
            tokio::time::sleep(Duration::from_millis(chance.below(80))).await;
            daemon.kill_and_restart().await;
            killed += 1;
        }
    }
    until("nothing is owed", async || {
        let owed = daemon.get("/v1/outbox").await;
        owed["entries"].as_array().expect("a list").is_empty().then_some(())
    })
    .await;
    assert_eq!(killed, kills);
    stop.store(true, Ordering::Relaxed);
    changing.await.expect("changes end");

    let told = shown(&shop);
    assert_eq!(told.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "parcels on the channel");
    assert_eq!(told, wanted, "what is in them");
    for order in shop.orders() {
        let mut numbers: Vec<_> = Vec::new();
        for made in order.fulfillments.iter().filter(|made| made.active()) {
            let place = (made.numbers.clone(), made.location);
            assert!(!numbers.contains(&place), "{}: parcel {place:?} is there twice", order.name);
            numbers.push(place);
            for (line, _) in &made.lines {
                let line = order.lines.iter().find(|known| known.id == *line).expect("its own");
                assert_ne!(line.sku.as_deref(), Some("OTHER"), "{}: a line not ours was written", order.name);
            }
        }
    }
    let here = daemon.orders().await;
    let ids: BTreeSet<String> = here.iter().map(|order| text(&order["id"])).collect();
    assert_eq!(ids.len(), here.len(), "no order twice");
    for order in &here {
        assert!(order["alerts"].as_array().is_none_or(Vec::is_empty), "{order}");
    }
    assert_eq!(daemon.end().await, Some(0), "asked to end, it ends well");
    let log = daemon.log();
    for planted in [shopify::fake::TOKEN, "Planted", "ada@example.com"] {
        assert!(!log.contains(planted), "`{planted}` is in the log");
    }
    assert!(log.lines().count() > ORDERS, "it did log");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_orders_reach_the_channel_exactly_once() {
    journey(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_on_the_way_end_the_same() {
    journey(10).await;
}
