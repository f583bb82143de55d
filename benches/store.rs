//! How fast commits become durable: `cargo bench --bench store`.
//!
//! Pages of 250 new records, one after another, and single-record commits by 1, 8 and 64 tasks at once. Each commit is
//! on disk when it is counted. The disk is that of the folder in `TMPDIR`.
#![allow(clippy::print_stdout, reason = "a table for people")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may stop")]

use std::{sync::Arc, time::Duration};

use portald::{
    record::{Record, RecordId},
    store::{
        Changes, Store,
        sled::{Options, SledStore},
    },
};
use sdk::RemoteId;
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

const PAGES: usize = 100;
const PAGE: usize = 250;
const SINGLES: usize = 4000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SledStore::open(folder.path(), Options::default()).unwrap());
    let size = serde_json::to_vec(&record("1000000")).unwrap().len();
    println!("records of {size} bytes of JSON, in {}", folder.path().display());
    println!("{:<34} {:>12} {:>10} {:>10} {:>10}", "", "records/s", "p50 ms", "p99 ms", "max ms");

    let template: Vec<Record> = (0..PAGE).map(|n| record(&n.to_string())).collect();
    let (mut waits, began) = (Vec::new(), Instant::now());
    for page in 0..PAGES {
        let records =
            template.iter().enumerate().map(|(n, record)| renamed(record, &format!("p{page:04}x{n}")));
        let changes = Changes { records: records.collect(), ..Changes::default() };
        let sent = Instant::now();
        store.commit(changes).await.unwrap();
        waits.push(sent.elapsed());
    }
    show("pages of 250, new", PAGES * PAGE, began.elapsed(), waits);

    for tasks in [1, 8, 64] {
        let began = Instant::now();
        let mut set = JoinSet::new();
        for task in 0..tasks {
            let (store, record) = (Arc::clone(&store), template[0].clone());
            set.spawn(async move {
                let mut waits = Vec::new();
                for n in 0..SINGLES / tasks {
                    let records = vec![renamed(&record, &format!("s{tasks}x{task}x{n}"))];
                    let sent = Instant::now();
                    store.commit(Changes { records, ..Changes::default() }).await.unwrap();
                    waits.push(sent.elapsed());
                }
                waits
            });
        }
        let waits: Vec<Duration> = set.join_all().await.concat();
        show(&format!("single records, {tasks} at once"), waits.len(), began.elapsed(), waits);
    }

    let (mut waits, began) = (Vec::new(), Instant::now());
    for n in 0..SINGLES {
        let id =
            RecordId::new("bluefin", "shop", &RemoteId::from(format!("p{:04}x{}", n % PAGES, n * 7 % PAGE)));
        let sent = Instant::now();
        assert!(store.record(&id).await.unwrap().is_some());
        waits.push(sent.elapsed());
    }
    show("reads by id", SINGLES, began.elapsed(), waits);
}

fn show(what: &str, records: usize, took: Duration, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let rate = records as f64 / took.as_secs_f64();
    println!("{what:<34} {rate:>12.0} {:>10.3} {:>10.3} {:>10.3}", at(0.5), at(0.99), at(1.0));
}

fn renamed(record: &Record, remote: &str) -> Record {
    let remote = RemoteId::from(remote);
    let id = RecordId::new(&record.merchant, &record.channel, &remote);
    let mut record = Record { id, ..record.clone() };
    record.seen.id = remote;
    record
}

/// An order of three lines, two of them ours, open.
fn record(remote: &str) -> Record {
    let address = json!({
        "name": "Maria van den Berg", "address1": "1204 West Harbor Street", "address2": "Apartment 12",
        "city": "Portland", "province": "OR", "zip": "97209", "country": "US", "phone": "+1 503 555 0142"
    });
    let at = "2026-11-02T10:20:30.123Z";
    let seen = |n: u32| {
        json!({
            "id": format!("144667182384{n}"), "sku": format!("ACME-100{n}"), "quantity": 2, "fulfillable": 2,
            "title": format!("Bluefin trail lantern, rechargeable, {n}00 lumen")
        })
    };
    let line = |n: u32, owner: serde_json::Value, counts: (u32, u32)| {
        json!({
            "id": format!("144667182384{n}"), "sku": format!("ACME-100{n}"), "ordered": 2, "owner": owner,
            "title": format!("Bluefin trail lantern, rechargeable, {n}00 lumen"),
            "routed": counts.0, "not_ours": counts.1
        })
    };
    let ours = |n: u32| json!({ "supplier": { "rule": { "glob": "ACME-*" }, "parts": [{ "sku": format!("ACME-100{n}") }] } });
    let own = |n: u32| {
        json!({
            "id": n, "channel_line": format!("144667182384{n}"), "sku": format!("ACME-100{n}"), "routed": 2
        })
    };
    let event = |event: &str, text: &str| json!({ "at": at, "event": event, "text": text });
    serde_json::from_value(json!({
        "schema": 1, "id": format!("bluefin.shop.{remote}"), "version": 0, "merchant": "bluefin", "channel": "shop",
        "imported_at": at,
        "seen": {
            "id": remote, "number": "#10342", "placed_at": at, "updated_at": at, "payment": "paid",
            "deliveries": [{ "ship_to": address, "method": "Standard Shipping" }],
            "lines": [seen(1), seen(2), seen(3)], "extra": null
        },
        "lines": [
            line(1, ours(1), (2, 0)), line(2, ours(2), (2, 0)), line(3, json!({ "merchant": "no_rule" }), (0, 2))
        ],
        "orders": [{ "n": 1, "lines": [own(1), own(2)] }],
        "timeline": [
            event("order.imported", "imported from shop with 3 lines, 2 of them ours"),
            event("order.routed", "4 units routed to the supplier")
        ],
        "last_order": 1, "last_line": 2
    }))
    .unwrap()
}
