//! One suite for every store.
#![allow(clippy::unwrap_used, reason = "the fixtures of tests may panic")]

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use portald::{
    record::{
        AccountLine, Event, Level, Owner, Part, Record, RecordId, Rule, SCHEMA, SupplierLine, SupplierOrder,
    },
    store::{
        Aside, Changes, ChannelState, Query, StockChanges, Store, StoreError,
        memory::{Failure, MemoryStore},
        sled::{Options, SledStore},
    },
};
use proptest::prelude::*;
use sdk::{Address, Delivery, ExposeSecret, Line, Order, OrderState, Payment, RemoteId, Timestamp};
use tempfile::TempDir;
use tokio::time::Instant;

/// A store under test, with its folder.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) name: &'static str,
    _folder: Option<TempDir>,
}

pub(crate) fn both() -> Vec<Bench> {
    let folder = tempfile::tempdir().unwrap();
    let sled = Arc::new(open(folder.path()));
    vec![
        Bench { store: Arc::new(MemoryStore::new()), name: "memory", _folder: None },
        Bench { store: sled, name: "sled", _folder: Some(folder) },
    ]
}

pub(crate) fn open(path: &Path) -> SledStore {
    SledStore::open(path, Options { cache_bytes: 16 * 1024 * 1024, ..Options::default() }).unwrap()
}

pub(crate) fn time(secs: i64) -> Timestamp {
    Timestamp::from_timestamp(1_790_000_000 + secs, 123_456_789).unwrap()
}

pub(crate) fn id(remote: &str) -> RecordId {
    RecordId::new("bluefin", "shop", &RemoteId::from(remote))
}

/// A record at rest: nothing of it is ours.
pub(crate) fn record(merchant: &str, channel: &str, remote: &str) -> Record {
    let remote = RemoteId::from(remote);
    Record {
        schema: SCHEMA,
        id: RecordId::new(merchant, channel, &remote),
        version: 0,
        merchant: merchant.to_owned(),
        channel: channel.to_owned(),
        imported_at: time(0),
        shadow: false,
        seen_asked: None,
        seen: Order {
            number: format!("#{remote}"),
            id: remote,
            placed_at: time(-60),
            updated_at: None,
            test: false,
            payment: Payment::Paid,
            state: OrderState::Open,
            holds: Vec::new(),
            deliveries: vec![Delivery {
                key: String::new(),
                kind: sdk::DeliveryKind::Shipping,
                ship_to: Some(Address { name: "Zoë \"Zed\" Ångström".to_owned(), ..Address::default() }),
                method: None,
            }],
            lines: Vec::new(),
            fulfillments: Vec::new(),
            groups: Vec::new(),
            cancellation_requests: Vec::new(),
            email: None,
            customer_note: None,
            bill_to: None,
            extra: serde_json::Value::Null,
        },
        lines: Vec::new(),
        excluded: None,
        gates: Vec::new(),
        overrides: Vec::new(),
        wake_at: None,
        orders: Vec::new(),
        shipments: Vec::new(),
        account: portald::record::Account::default(),
        writes: Vec::new(),
        alerts: Vec::new(),
        cancel_requested_at: None,
        cancel_rejection: None,
        vanished_at: None,
        former_addresses: Vec::new(),
        commands: BTreeMap::new(),
        timeline: Vec::new(),
        timeline_moved: 0,
        last_order: 0,
        last_line: 0,
        restored: None,
        numbers_after: 0,
    }
}

/// A record with `lines` open lines, that wakes at `wake`.
pub(crate) fn active(
    merchant: &str,
    channel: &str,
    remote: &str,
    lines: u32,
    wake: Option<Timestamp>,
) -> Record {
    let mut record = record(merchant, channel, remote);
    record.wake_at = wake;
    let mut order = SupplierOrder {
        n: 1,
        split_of: None,
        delivery: String::new(),
        ship_to: None,
        declined_ship_to: None,
        lines: Vec::new(),
        hold: None,
        acked_at: None,
        merged_into: None,
        merged: Vec::new(),
        last_parcel: 0,
    };
    for n in 1..=lines {
        let line = RemoteId::from(format!("{}", 90_000 + n));
        let sku = format!("ACME-{n:05}");
        record.seen.lines.push(Line {
            id: line.clone(),
            sku: Some(sku.clone()),
            title: format!("A fine thing, number {n}, in blue"),
            kind: sdk::LineKind::Goods,
            quantity: 2,
            fulfillable: 2,
            refunded: 0,
            delivery: String::new(),
            unit_cost: None,
        });
        record.lines.push(AccountLine {
            id: line.clone(),
            sku: Some(sku.clone()),
            title: format!("A fine thing, number {n}, in blue"),
            owner: Owner::Supplier {
                rule: Rule::Glob("ACME-*".to_owned()),
                parts: vec![Part { sku: sku.clone(), per_unit: 1 }],
            },
            delivery: String::new(),
            ordered: 2,
            not_ours: 0,
            excluded: 0,
            elsewhere_before: 0,
            held: 0,
            routed: 2,
            cancelled: 0,
            cancelled_after: 0,
            elsewhere_after: 0,
            cancel_requested: 0,
            cancel_rejected: 0,
            unwanted: 0,
            by_hand: 0,
        });
        order.lines.push(SupplierLine {
            id: n,
            channel_line: Some(line),
            sku,
            per_unit: 1,
            routed: 2,
            edited: None,
            shipped: 0,
            cancelled: 0,
            elsewhere: 0,
        });
    }
    record.orders.push(order);
    (record.last_order, record.last_line) = (1, lines);
    record
}

pub(crate) fn write(records: Vec<Record>) -> Changes {
    Changes { records, ..Changes::default() }
}

fn event(n: i64) -> Event {
    Event {
        at: time(n),
        event: "order.imported".to_owned(),
        text: format!("event {n}"),
        order: None,
        channel_at: None,
        level: Level::Info,
    }
}

pub(crate) fn aside(merchant: &str, id: &str, seen: u32) -> Aside {
    Aside {
        merchant: merchant.to_owned(),
        channel: "shop".to_owned(),
        id: id.to_owned(),
        reason: "no id".to_owned(),
        raw: "{}".to_owned(),
        at: time(0),
        seen,
    }
}

fn is_conflict(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.seen.id.0.clone()).collect()
}

#[tokio::test]
async fn a_record_is_read_back_as_it_was_with_the_next_version() {
    for Bench { store, name, .. } in both() {
        let written = active("bluefin", "shop", "1001", 3, Some(time(9)));
        store.commit(write(vec![written.clone()])).await.unwrap();
        let read = store.record(&written.id).await.unwrap().unwrap();
        assert_eq!(read, Record { version: 1, ..written }, "{name}");
        assert_eq!(store.record(&id("1002")).await.unwrap(), None, "{name}");
        let many = store.records(vec![id("1002"), id("1001")]).await.unwrap();
        assert_eq!(many, [None, Some(read)], "{name}");
    }
}

#[tokio::test]
async fn a_commit_over_another_version_conflicts_and_writes_nothing_at_all() {
    for Bench { store, name, .. } in both() {
        store.commit(write(vec![record("bluefin", "shop", "1")])).await.unwrap();
        let stale = record("bluefin", "shop", "1");
        let changes = Changes {
            records: vec![record("bluefin", "shop", "0"), stale, record("bluefin", "shop", "2")],
            channels: vec![("bluefin".to_owned(), "shop".to_owned(), ChannelState::default())],
            set_aside: vec![aside("bluefin", "x", 1)],
            cleared: Vec::new(),
            old_events: vec![(id("1"), vec![event(1)])],
            tokens: vec![(
                "bluefin".to_owned(),
                "shop".to_owned(),
                sdk::SecretString::from("secret".to_owned()),
            )],
            stock: StockChanges::default(),
        };
        let error = store.commit(changes).await.unwrap_err();
        assert_eq!(error.to_string(), "order bluefin.shop.1 was changed meanwhile", "{name}");
        assert_eq!(store.records(vec![id("0"), id("2")]).await.unwrap(), [None, None], "{name}");
        assert!(store.channels().await.unwrap().is_empty(), "{name}");
        assert!(store.set_aside(None).await.unwrap().is_empty(), "{name}");
        assert!(store.old_events(&id("1")).await.unwrap().is_empty(), "{name}");
        assert!(store.tokens("bluefin", "shop").await.unwrap().is_none(), "{name}");

        let unknown = Record { version: 4, ..record("bluefin", "shop", "7") };
        assert!(is_conflict(&store.commit(write(vec![unknown])).await), "{name}: a version of nothing");
        let twice = vec![record("bluefin", "shop", "8"), record("bluefin", "shop", "8")];
        assert!(is_conflict(&store.commit(write(twice)).await), "{name}: twice in one commit");
    }
}

#[tokio::test]
async fn of_many_who_write_one_record_at_once_each_round_has_one_winner() {
    for Bench { store, name, .. } in both() {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..16_u32 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                // A neighbour in the same group must not be harmed by the conflicts.
                let own = format!("own{task}");
                for round in 0..10 {
                    let mut mine = store
                        .record(&id(&own))
                        .await
                        .unwrap()
                        .unwrap_or_else(|| record("bluefin", "shop", &own));
                    mine.last_line = round;
                    store.commit(write(vec![mine])).await.unwrap();
                    loop {
                        let mut shared = store
                            .record(&id("1"))
                            .await
                            .unwrap()
                            .unwrap_or_else(|| record("bluefin", "shop", "1"));
                        shared.last_order += 1;
                        match store.commit(write(vec![shared])).await {
                            Ok(()) => break,
                            Err(StoreError::Conflict(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
        tasks.join_all().await;
        let shared = store.record(&id("1")).await.unwrap().unwrap();
        assert_eq!((shared.last_order, shared.version), (160, 160), "{name}");
    }
}

#[tokio::test]
async fn a_channels_state_is_guarded_by_its_version_and_goes_with_its_page() {
    for Bench { store, name, .. } in both() {
        let state = ChannelState {
            account: "shopify bluefin".to_owned(),
            cursor: Some(time(5)),
            ..Default::default()
        };
        let page = |state: &ChannelState, remote| Changes {
            records: vec![record("bluefin", "shop", remote)],
            channels: vec![("bluefin".to_owned(), "shop".to_owned(), state.clone())],
            ..Changes::default()
        };
        store.commit(page(&state, "1")).await.unwrap();
        assert!(is_conflict(&store.commit(page(&state, "2")).await), "{name}");
        assert_eq!(store.record(&id("2")).await.unwrap(), None, "{name}");
        let read = store.channel("bluefin", "shop").await.unwrap().unwrap();
        assert_eq!(read, ChannelState { version: 1, ..state }, "{name}");
        store.commit(page(&read, "2")).await.unwrap();
        let all = store.channels().await.unwrap();
        assert_eq!(all[&("bluefin".to_owned(), "shop".to_owned())].version, 2, "{name}");
        assert_eq!(store.channel("bluefin", "sho").await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn lists_page_by_id_within_a_merchant_and_a_channel() {
    for Bench { store, name, .. } in both() {
        let mut records: Vec<Record> =
            ["05", "01", "04", "02", "03"].iter().map(|n| record("blue", "shop", n)).collect();
        records.push(record("blue", "shop2", "01"));
        records.push(record("bluefin", "shop", "01"));
        store.commit(write(records)).await.unwrap();
        let ask = |after| Query {
            merchant: Some("blue".to_owned()),
            channel: Some("shop".to_owned()),
            after,
            limit: 2,
            ..Query::default()
        };
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = store.list(ask(after)).await.unwrap();
            pages.push(ids(&page.records));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages, [vec!["01", "02"], vec!["03", "04"], vec!["05"]], "{name}");
        let merchant = Query { merchant: Some("blue".to_owned()), limit: 99, ..Query::default() };
        assert_eq!(store.list(merchant).await.unwrap().records.len(), 6, "{name}");
        assert_eq!(
            store.list(Query { limit: 99, ..Query::default() }).await.unwrap().records.len(),
            7,
            "{name}"
        );
        let exact = store.list(Query { limit: 7, ..Query::default() }).await.unwrap();
        assert_eq!(exact.next, None, "{name}: a full last page says that it is the last");
    }
}

#[tokio::test]
async fn text_is_found_without_case_whatever_json_makes_of_it() {
    for Bench { store, name, .. } in both() {
        let mut other = record("bluefin", "shop", "2");
        other.seen.deliveries.clear();
        store.commit(write(vec![record("bluefin", "shop", "1"), other])).await.unwrap();
        for (text, found) in [
            ("zoë \"ZED\" ångSTRÖM", vec!["1"]),
            ("\"zed\"", vec!["1"]),
            ("#2", vec!["2"]),
            ("", vec!["1", "2"]),
            ("nobody", vec![]),
        ] {
            let query = Query { text: Some(text.to_owned()), limit: 9, ..Query::default() };
            assert_eq!(ids(&store.list(query).await.unwrap().records), found, "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn the_index_follows_the_records() {
    for Bench { store, name, .. } in both() {
        let first = active("bluefin", "shop", "1", 1, Some(time(9)));
        let second = active("bluefin", "shop", "2", 1, None);
        store.commit(write(vec![first, second, record("bluefin", "shop", "3")])).await.unwrap();
        let agenda = store.agenda().await.unwrap();
        assert_eq!(agenda, [(id("1"), Some(time(9))), (id("2"), None)], "{name}");
        let query = Query { active: true, limit: 9, ..Query::default() };
        assert_eq!(ids(&store.list(query.clone()).await.unwrap().records), ["1", "2"], "{name}");

        let mut first = store.record(&id("1")).await.unwrap().unwrap();
        first.orders[0].lines[0].shipped = 2;
        let mut second = store.record(&id("2")).await.unwrap().unwrap();
        second.wake_at = Some(time(3));
        store.commit(write(vec![first, second])).await.unwrap();
        assert_eq!(store.agenda().await.unwrap(), [(id("2"), Some(time(3)))], "{name}");
        assert_eq!(ids(&store.list(query).await.unwrap().records), ["2"], "{name}");
    }
}

#[tokio::test]
async fn old_events_come_back_oldest_first_and_stay_with_their_record() {
    for Bench { store, name, .. } in both() {
        for n in 0..12 {
            let old_events =
                vec![(id("1"), vec![event(2 * n), event(2 * n + 1)]), (id("12"), vec![event(100 + n)])];
            store.commit(Changes { old_events, ..Changes::default() }).await.unwrap();
        }
        let expected: Vec<Event> = (0..24).map(event).collect();
        assert_eq!(store.old_events(&id("1")).await.unwrap(), expected, "{name}");
        assert_eq!(store.old_events(&id("12")).await.unwrap().len(), 12, "{name}");
    }
}

#[tokio::test]
async fn what_is_set_aside_is_replaced_and_cleared_by_its_id() {
    for Bench { store, name, .. } in both() {
        let set = |set_aside| Changes { set_aside, ..Changes::default() };
        store.commit(set(vec![aside("blue", "a", 1), aside("bluefin", "a", 1)])).await.unwrap();
        store.commit(set(vec![aside("blue", "a", 2)])).await.unwrap();
        assert_eq!(store.set_aside(Some("blue")).await.unwrap(), [aside("blue", "a", 2)], "{name}");
        assert_eq!(store.set_aside(None).await.unwrap().len(), 2, "{name}");
        let cleared = vec![
            ("blue".to_owned(), "shop".to_owned(), "a".to_owned()),
            ("blue".to_owned(), "shop".to_owned(), "never there".to_owned()),
        ];
        store.commit(Changes { cleared, ..Changes::default() }).await.unwrap();
        assert_eq!(store.set_aside(None).await.unwrap(), [aside("bluefin", "a", 1)], "{name}");
    }
}

#[tokio::test]
async fn tokens_are_replaced() {
    for Bench { store, name, .. } in both() {
        for value in ["first", "second"] {
            let tokens =
                vec![("bluefin".to_owned(), "shop".to_owned(), sdk::SecretString::from(value.to_owned()))];
            store.commit(Changes { tokens, ..Changes::default() }).await.unwrap();
            let kept = store.tokens("bluefin", "shop").await.unwrap().unwrap();
            assert_eq!(kept.expose_secret(), value, "{name}");
        }
    }
}

#[tokio::test]
async fn long_records_grow_and_shrink_whole_and_endless_ones_are_refused() {
    for Bench { store, name, .. } in both() {
        let long = active("bluefin", "shop", "1", 500, None);
        store.commit(write(vec![long.clone()])).await.unwrap();
        let mut read = store.record(&long.id).await.unwrap().unwrap();
        assert_eq!(read, Record { version: 1, ..long }, "{name}");
        for lines in [40, 700, 0] {
            let next = Record { version: read.version, ..active("bluefin", "shop", "1", lines, None) };
            store.commit(write(vec![next.clone()])).await.unwrap();
            read = store.record(&id("1")).await.unwrap().unwrap();
            assert_eq!(read, Record { version: read.version, ..next }, "{name}: {lines} lines");
        }
        let mut endless = record("bluefin", "shop", "2");
        endless.seen.customer_note = Some("x".repeat(9 * 1024 * 1024));
        let error = store.commit(write(vec![endless])).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{name}: {error}");
        let named = record("bluefin", "shop", &"9".repeat(5000));
        let error = store.commit(write(vec![named])).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn memory_forgets_at_a_crash_what_was_not_flushed() {
    let store = MemoryStore::new();
    store.commit(write(vec![record("bluefin", "shop", "kept")])).await.unwrap();
    for (failure, remote) in
        [(Failure::Before, "before"), (Failure::AnswerLost, "answer"), (Failure::NotFlushed, "late")]
    {
        store.fail_next(failure);
        assert!(store.commit(write(vec![record("bluefin", "shop", remote)])).await.is_err());
    }
    let all = Query { limit: 9, ..Query::default() };
    assert_eq!(ids(&store.list(all.clone()).await.unwrap().records), ["answer", "kept", "late"]);
    let killed = store.kill();
    assert_eq!(ids(&killed.list(all.clone()).await.unwrap().records), ["answer", "kept", "late"]);
    assert_eq!(ids(&store.crash().list(all.clone()).await.unwrap().records), ["answer", "kept"]);
    assert!(matches!(store.list(all).await, Err(StoreError::Failed(_))), "the crashed store is gone");
    assert_eq!(store.counters().failed, 3);
}

#[tokio::test]
async fn what_was_read_is_on_disk_once_the_store_says_so() {
    for Bench { store, name, .. } in both() {
        store.flushed().await.unwrap_or_else(|error| panic!("{name}, empty: {error}"));
        store.commit(write(vec![record("bluefin", "shop", "1")])).await.unwrap();
        store.flushed().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let store = MemoryStore::new();
    store.fail_next(Failure::NotFlushed);
    let late = record("bluefin", "shop", "late");
    store.commit(write(vec![late.clone()])).await.unwrap_err();
    store.flushed().await.unwrap();
    assert!(store.crash().record(&late.id).await.unwrap().is_some());
    store.flushed().await.unwrap_err();

    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.close().await;
    store.flushed().await.unwrap_err();
}

#[tokio::test]
async fn sled_closed_well_opens_without_a_look_at_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(!store.health(Instant::now()).recovered, "a new store has nothing to recover");
    store.commit(write(vec![active("bluefin", "shop", "1", 2, Some(time(1)))])).await.unwrap();
    store.close().await;
    assert!(matches!(store.commit(write(vec![record("a", "b", "c")])).await, Err(StoreError::Failed(_))));
    drop(store);
    let store = open(folder.path());
    assert!(!store.health(Instant::now()).recovered);
    assert_eq!(store.agenda().await.unwrap(), [(id("1"), Some(time(1)))]);
    let killed = copy_of(folder.path());
    assert!(
        open(killed.path()).health(Instant::now()).recovered,
        "an old good end does not count for a new one"
    );
}

#[tokio::test]
async fn sled_is_for_one_process_and_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let again = SledStore::open(folder.path(), Options { lock_wait: Duration::ZERO, ..Options::default() });
    assert!(matches!(again.err(), Some(StoreError::InUse(_))));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("sled")), 0o700);
    assert_eq!(mode(&folder.path().join("sled/db")), 0o600);
    drop(store);
}

/// A copy of the files of an open store: what `kill -9` leaves.
pub(crate) fn copy_of(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("sled")).unwrap();
    for entry in std::fs::read_dir(folder.join("sled")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.path().join("sled").join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// sled itself, on a closed store.
pub(crate) fn raw(folder: &Path) -> sled::Db {
    let config = sled::Config::new().path(folder.join("sled"));
    for _ in 0..200 {
        if let Ok(db) = config.open() {
            return db;
        }
        std::thread::yield_now();
    }
    config.open().unwrap()
}

#[tokio::test]
async fn sled_killed_has_all_that_was_acknowledged_and_makes_its_index_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..40 {
        store
            .commit(write(vec![active("bluefin", "shop", &format!("{n:03}"), 30, Some(time(n)))]))
            .await
            .unwrap();
    }
    let copy = copy_of(folder.path());
    drop(store);
    // The index is derived: lose an entry, spoil one, invent one.
    let db = raw(copy.path());
    db.remove(b"abluefin.shop.003").unwrap();
    db.insert(b"abluefin.shop.004", b"?").unwrap();
    db.insert(b"abluefin.shop.999", b"").unwrap();
    db.flush().unwrap();
    drop(db);
    let store = open(copy.path());
    assert!(store.health(Instant::now()).recovered);
    let expected: Vec<_> = (0..40).map(|n| (id(&format!("{n:03}")), Some(time(n)))).collect();
    assert_eq!(store.agenda().await.unwrap(), expected);
    assert_eq!(store.list(Query { limit: 99, ..Query::default() }).await.unwrap().records.len(), 40);
    let blobs = std::fs::read_dir(copy.path().join("sled/blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0, "sled never syncs its blob files: nothing may be long enough for one");
}

#[tokio::test]
async fn sled_with_a_spoilt_value_says_so_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let records = (1..=3).map(|n| active("bluefin", "shop", &n.to_string(), 1, None)).collect();
    store.commit(write(records)).await.unwrap();
    let copy = copy_of(folder.path());
    drop(store);
    let db = raw(copy.path());
    let mut value = db.get(b"rbluefin.shop.2").unwrap().unwrap().to_vec();
    value[100] ^= 1;
    db.insert(b"rbluefin.shop.2", value).unwrap();
    db.flush().unwrap();
    drop(db);
    let store = open(copy.path());
    let health = store.health(Instant::now());
    assert_eq!((health.corrupt, health.broken), (vec!["r bluefin.shop.2".to_owned()], None));
    let error = store.record(&id("2")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stored value at r bluefin.shop.2 cannot be read: its checksum does not match"
    );
    assert_eq!(ids(&store.list(Query { limit: 9, ..Query::default() }).await.unwrap().records), ["1", "3"]);
    store.commit(write(vec![record("bluefin", "shop", "4")])).await.unwrap();
    drop(store);
    assert!(open(copy.path()).health(Instant::now()).recovered, "it is looked through until it is mended");
}

#[tokio::test]
async fn memory_with_a_spoilt_value_serves_the_rest() {
    let store = MemoryStore::new();
    store.commit(write(vec![record("bluefin", "shop", "1"), record("bluefin", "shop", "2")])).await.unwrap();
    assert!(store.damage(&id("1")));
    assert!(matches!(store.record(&id("1")).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(ids(&store.list(Query { limit: 9, ..Query::default() }).await.unwrap().records), ["2"]);
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_not_read_as_ours() {
    for Bench { store, name, .. } in both() {
        let newer = Record { schema: SCHEMA + 1, ..record("bluefin", "shop", "1") };
        store.commit(write(vec![newer])).await.unwrap();
        assert!(matches!(store.record(&id("1")).await, Err(StoreError::Corrupt { .. })), "{name}");
    }
}

#[tokio::test]
async fn sleds_health_counts_and_sees_nothing_wait_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(write(vec![record("bluefin", "shop", "1"), record("bluefin", "shop", "2")])).await.unwrap();
    let health = store.health(Instant::now());
    assert_eq!((health.commits, health.records, health.waiting, health.oldest_wait), (1, 2, 0, None));
    assert!(!store.is_stuck(Instant::now() + Duration::from_secs(3600), Duration::from_secs(30)));
}

/// One random commit: which records, each with whether it is read first (else a stale or a new version), and lines.
fn commits() -> impl Strategy<Value = Vec<Vec<(u8, bool, u32)>>> {
    let one = (0..8_u8, prop::bool::weighted(0.8), prop_oneof![9 => 0..3_u32, 1 => 60..90_u32]);
    prop::collection::vec(prop::collection::vec(one, 1..5), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_do_what_a_map_does(commits in commits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for Bench { store, name, .. } in both() {
                let mut model: BTreeMap<RecordId, Record> = BTreeMap::new();
                for commit in &commits {
                    let records: Vec<Record> = commit
                        .iter()
                        .map(|(n, fresh, lines)| {
                            let mut record = active("bluefin", "shop", &n.to_string(), *lines, None);
                            let stored = model.get(&record.id).map_or(0, |record| record.version);
                            record.version = if *fresh { stored } else { stored.saturating_sub(1) };
                            record
                        })
                        .collect();
                    let mut next = model.clone();
                    let mut passes = true;
                    for record in &records {
                        passes &= record.version == next.get(&record.id).map_or(0, |record| record.version);
                        next.insert(record.id.clone(), Record { version: record.version + 1, ..record.clone() });
                    }
                    let result = store.commit(write(records)).await;
                    assert_eq!(result.is_ok(), passes, "{name}: {result:?}");
                    if passes {
                        model = next;
                    } else {
                        assert!(is_conflict(&result), "{name}: {result:?}");
                    }
                }
                let all = store.list(Query { limit: 99, ..Query::default() }).await.unwrap().records;
                assert_eq!(all, model.values().cloned().collect::<Vec<_>>(), "{name}");
                let awake: Vec<_> = model.values().filter(|record| record.is_active()).map(|record| record.id.clone()).collect();
                let agenda: Vec<_> = store.agenda().await.unwrap().into_iter().map(|(id, _)| id).collect();
                assert_eq!(agenda, awake, "{name}");
            }
        });
    }
}
