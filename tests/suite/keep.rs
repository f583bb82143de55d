//! Backups, looks through the store, and restores.
#![allow(clippy::unwrap_used, reason = "the fixtures of tests may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use portald::{
    record::{Record, Restored},
    stock::{Cause, Change, Movement},
    store::{
        Changes, ChannelState, Query, StockChanges, Store, StoreError,
        backup::{self, Header},
        sled::{
            Options, SledStore,
            restore::{self, restore},
        },
    },
};
use sdk::Timestamp;
use tokio::sync::mpsc;

use crate::store::{Bench, active, aside, both, copy_of, id, open, raw, record, time, write};

/// Takes a backup into a file.
async fn take(store: &dyn Store, file: &Path) -> backup::Copied {
    let (sink, mut parts) = mpsc::channel::<Bytes>(2);
    let header = Header::new(time(0));
    let taking = async {
        let mut all = Vec::new();
        while let Some(part) = parts.recv().await {
            all.extend_from_slice(&part);
        }
        all
    };
    let (copied, all) = tokio::join!(store.backup(header, sink), taking);
    fs::write(file, all).unwrap();
    copied.unwrap()
}

fn channel(merchant: &str) -> (String, String, ChannelState) {
    let state = ChannelState {
        account: format!("shopify {merchant}"),
        cursor: Some(time(5)),
        ..ChannelState::default()
    };
    (merchant.to_owned(), "shop".to_owned(), state)
}

fn figure(sku: &str, units: i64) -> Movement {
    Movement {
        sku: sku.to_owned(),
        warehouse: "main".to_owned(),
        change: Change::Set(units),
        at: time(1),
        cause: Cause::Operator,
    }
}

async fn all(store: &dyn Store) -> Vec<Record> {
    store.list(Query { limit: 100_000, ..Query::default() }).await.unwrap().records
}

/// A store with some of everything.
async fn fill(store: &dyn Store, orders: u32) {
    let stock = StockChanges {
        movements: vec![figure("ACME-00001", 7), figure("ACME-00001", 5)],
        ..StockChanges::default()
    };
    store
        .commit(Changes {
            channels: vec![channel("bluefin")],
            set_aside: vec![aside("bluefin", "x", 1)],
            stock,
            ..Changes::default()
        })
        .await
        .unwrap();
    for n in 0..orders {
        // One in ten is long enough to be cut in pieces.
        let lines = if n % 10 == 0 { 60 } else { 2 };
        store
            .commit(write(vec![active("bluefin", "shop", &format!("{n:04}"), lines, Some(time(9)))]))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_exact_as_of_its_end_while_everything_changes() {
    for Bench { store, name, .. } in both() {
        let folder = tempfile::tempdir().unwrap();
        fill(&*store, 300).await;
        // Two records that are always committed together, with the same number; and one that grows and shrinks.
        let (stop, writing) = (Arc::new(AtomicBool::new(false)), store.clone());
        let theirs = stop.clone();
        let writer = tokio::spawn(async move {
            let mut n = 0;
            while !theirs.load(Ordering::Relaxed) {
                n += 1;
                let mut pair = writing.records(vec![id("0000"), id("0299")]).await.unwrap();
                let mut records: Vec<Record> = pair.drain(..).flatten().collect();
                for record in &mut records {
                    record.last_order = n;
                }
                assert_eq!(records.len(), 2);
                let long = writing.record(&id("0150")).await.unwrap().unwrap();
                let lines = if n % 2 == 0 { 90 } else { 1 };
                records
                    .push(Record { version: long.version, ..active("bluefin", "shop", "0150", lines, None) });
                writing.commit(write(records)).await.unwrap();
            }
            n
        });
        let (mut before, mut commits) = (0, 0);
        for round in 0..5 {
            let file = folder.path().join(format!("{round}.backup"));
            take(&*store, &file).await;
            let place = folder.path().join(format!("restored-{round}"));
            let done = restore(&file, &place, time(100), false).unwrap();
            assert_eq!(done.report.findings, [], "{name}");
            let copy = open(&place);
            let pair = copy.records(vec![id("0000"), id("0299")]).await.unwrap();
            let numbers: Vec<u32> =
                pair.iter().flatten().map(|record| record.seen.lines.len() as u32).collect();
            assert_eq!(numbers.len(), 2, "{name}");
            let versions: Vec<u64> = pair.iter().flatten().map(|record| record.version).collect();
            assert_eq!(versions[0], versions[1], "{name}: half of a commit");
            assert!(versions[0] >= before, "{name}: older than the last backup");
            commits += u64::from(versions[0] > before);
            before = versions[0];
            assert_eq!(all(&copy).await.len(), 300, "{name}");
        }
        stop.store(true, Ordering::Relaxed);
        let written = writer.await.unwrap();
        assert!(written > 5 && commits > 1, "{name}: {written} commits, seen by {commits} backups");
    }
}

#[tokio::test]
async fn a_commit_does_not_wait_for_a_backup_that_nobody_takes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 400).await;
    let (sink, mut parts) = mpsc::channel::<Bytes>(1);
    let copying = store.backup(Header::new(time(0)), sink);
    let writing = async {
        parts.recv().await.unwrap();
        for n in 0..50 {
            store.commit(write(vec![record("bluefin", "shop", &format!("new{n}"))])).await.unwrap();
        }
        // Given up: whoever took it has gone away.
        drop(parts);
    };
    let (copied, ()) =
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(copying, writing) })
            .await
            .expect("commits do not wait");
    assert_eq!(copied.unwrap_err().to_string(), "the backup was given up: nobody takes it any more");
    // And the store is as well as before.
    take(&store, &folder.path().join("again.backup")).await;
    assert_eq!(store.health(tokio::time::Instant::now()).broken, None);
}

#[tokio::test]
async fn a_backup_that_was_cut_short_or_damaged_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    fill(&store, 12).await;
    let file = folder.path().join("a.backup");
    let copied = take(&store, &file).await;
    let (header, checked) = backup::check(&file).unwrap();
    assert_eq!((header.at, checked), (time(0), copied));
    let whole = fs::read(&file).unwrap();
    let bad = folder.path().join("bad.backup");
    let place = folder.path().join("place");
    let mut tried = 0;
    let step = whole.len() / 199;
    for at in (0..whole.len()).step_by(step) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        for bytes in [flipped, whole[..at].to_vec()] {
            fs::write(&bad, bytes).unwrap();
            let error = restore(&bad, &place, time(1), true).unwrap_err().to_string();
            assert!(error.contains("bad.backup"), "{error}");
            assert!(!place.exists(), "nothing was made: byte {at}");
            tried += 1;
        }
    }
    assert!(tried > 300);
    fs::write(&bad, [whole.as_slice(), b"?"].concat()).unwrap();
    assert!(backup::check(&bad).unwrap_err().to_string().contains("something follows its end"));
    fs::write(&bad, "a text").unwrap();
    assert!(backup::check(&bad).unwrap_err().to_string().contains("damaged: it ends too soon"));
    fs::write(&bad, "a longer text, not of ours").unwrap();
    assert!(backup::check(&bad).unwrap_err().to_string().contains("is not a backup of portald"));
}

#[tokio::test]
async fn a_sound_store_has_no_findings_and_counts_what_is_there() {
    for Bench { store, name, .. } in both() {
        fill(&*store, 21).await;
        let report = store.verify().await.unwrap();
        assert_eq!(report.findings, [], "{name}");
        assert_eq!(report.counted["orders"], 21, "{name}");
        assert_eq!(report.counted["open orders in the index"], 21, "{name}");
        assert_eq!(report.counted["movements of stock"], 2, "{name}");
        assert!(report.counted["pieces of long values"] > 2, "{name}");
    }
}

/// A closed store with some of everything, and one thing wrong with it; what a look through it finds.
async fn spoilt(spoil: impl FnOnce(&sled::Db)) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 11).await;
    store.close().await;
    drop(store);
    let db = raw(folder.path());
    spoil(&db);
    db.flush().unwrap();
    drop(db);
    let report = tokio::task::block_in_place(|| verified(folder.path()));
    let found = report.findings.into_iter().map(|finding| (finding.key, finding.what)).collect();
    // The next start mends what is derived.
    let store = open(folder.path());
    assert!(store.health(tokio::time::Instant::now()).recovered, "it is looked through at the next start");
    let index = store.verify().await.unwrap().findings;
    assert!(index.iter().all(|finding| !finding.what.contains("index")), "{index:?}");
    found
}

fn verified(folder: &Path) -> portald::store::verify::Report {
    for _ in 0..200 {
        match SledStore::verify_at(folder) {
            // Its last user has only just gone.
            Err(StoreError::InUse(_)) => std::thread::yield_now(),
            report => return report.unwrap(),
        }
    }
    SledStore::verify_at(folder).unwrap()
}

fn found(key: &str, what: &str) -> Vec<(String, String)> {
    vec![(key.to_owned(), what.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_damage_is_found_and_named() {
    let checksum = spoilt(|db| {
        let mut value = db.get(b"rbluefin.shop.0003").unwrap().unwrap().to_vec();
        value[200] ^= 4;
        db.insert(b"rbluefin.shop.0003", value).unwrap();
    });
    assert_eq!(checksum.await, found("r bluefin.shop.0003", "its checksum does not match"));

    let moved = spoilt(|db| {
        let value = db.get(b"rbluefin.shop.0003").unwrap().unwrap();
        db.insert(b"rbluefin.shop.0004", value).unwrap();
    });
    assert_eq!(moved.await, found("r bluefin.shop.0004", "it is another order's record"));

    let index = spoilt(|db| {
        db.remove(b"abluefin.shop.0003").unwrap();
        db.insert(b"abluefin.shop.0004", b"").unwrap();
        db.insert(b"abluefin.shop.9999", b"").unwrap();
    });
    let mut wanted = found("a bluefin.shop.9999", "there is no such order");
    wanted.extend(found("r bluefin.shop.0003", "the index of open orders lacks it"));
    wanted.extend(found("r bluefin.shop.0004", "the index of open orders has another due time"));
    assert_eq!(index.await, wanted);

    let piece = spoilt(|db| {
        let piece = db.scan_prefix(b"c").keys().next().unwrap().unwrap();
        db.remove(piece).unwrap();
    });
    let piece = piece.await;
    assert!(piece.len() == 1 && piece[0].1.starts_with("piece 1 of"), "{piece:?}");

    let orphan = spoilt(|db| {
        let piece = db.scan_prefix(b"c").keys().next().unwrap().unwrap();
        let value = db.get(&piece).unwrap().unwrap();
        let end = piece.len() - 1;
        let mut beyond = piece.to_vec();
        beyond[end] = 200;
        db.insert(beyond, value).unwrap();
        db.insert(b"e bluefin.shop.nowhere\0\0\0\0\0", b"").unwrap();
        db.insert(b"?what", b"is this").unwrap();
    });
    let orphan = orphan.await;
    let whats: Vec<&str> = orphan.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(whats, ["no such kind of value is known", "no value has this piece", "it is empty"]);

    let gone = spoilt(|db| {
        db.remove(b"jACME-00001\0main\0\x01").unwrap();
        db.remove(b"sbluefin\0shop").unwrap();
    });
    let gone = gone.await;
    assert!(gone.contains(&("l ACME-00001 main".to_owned(), "its movement 1 of 2 is not there".to_owned())));
    assert!(gone.contains(&(
        "r bluefin.shop.0003".to_owned(),
        "nothing is known of its channel bluefin.shop".to_owned()
    )));
}

#[tokio::test]
async fn a_record_that_contradicts_itself_is_found() {
    for Bench { store, name, .. } in both() {
        fill(&*store, 1).await;
        let mut record = active("bluefin", "shop", "bad", 2, None);
        record.orders[0].lines[0].shipped = 1;
        record.last_line = 1;
        record.lines[1].routed = 9;
        store.commit(write(vec![record])).await.unwrap();
        let report = store.verify().await.unwrap();
        let whats: Vec<&str> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
        assert!(report.findings.iter().all(|finding| finding.key == "r bluefin.shop.bad"), "{name}");
        assert_eq!(
            whats,
            [
                "its quantities do not add up: line 90002: ordered 2 but not_ours 0 + excluded 0 + elsewhere_before 0 \
                 + held 0 + routed 9 + cancelled 0",
                "the number of line l2 was given twice, or never",
                "line l1 counts 1 shipped, its parcels hold 0",
            ],
            "{name}"
        );
    }
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("sled"))
        .collect();
    names.sort();
    names
}

/// A store with a backup of it, closed.
async fn kept() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 5).await;
    let file = folder.path().join("a.backup");
    take(&store, &file).await;
    store.commit(write(vec![active("bluefin", "shop", "later", 1, None)])).await.unwrap();
    store.close().await;
    (folder, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_needs_a_free_store_and_moves_the_old_one_aside() {
    let (folder, file) = kept().await;
    let place = folder.path();
    let store = open(place);
    let error = restore(&file, place, time(9), true).unwrap_err().to_string();
    assert!(error.contains("is in use: stop the daemon first"), "{error}");
    store.close().await;
    drop(store);
    let error = again(|| restore(&file, place, time(9), false)).unwrap_err().to_string();
    assert!(error.contains("`--force` moves it aside"), "{error}");
    assert_eq!(folders(place), ["sled"], "nothing was left behind");

    let at = Timestamp::from_timestamp(1_796_000_000, 0).unwrap();
    let done = again(|| restore(&file, place, at, true)).unwrap();
    let old = done.aside.unwrap();
    assert_eq!(folders(place), ["sled", old.file_name().unwrap().to_str().unwrap()]);
    assert_eq!((done.open, done.report.counted["orders"]), (5, 5));
    let store = open(place);
    assert_eq!(all(&store).await.len(), 5);
    let restored = Restored { taken: time(0), at };
    let state = store.channel("bluefin", "shop").await.unwrap().unwrap();
    assert_eq!((state.restored, state.cursor), (Some(restored), Some(time(5))));
    let record = store.record(&id("0003")).await.unwrap().unwrap();
    assert_eq!(record.restored, Some(restored));
    assert_eq!(record.timeline.last().unwrap().event, "order.restored");
    // Minutes since 2026 began: no number of before is given again.
    assert_eq!(
        (record.numbers_after, record.last_order, record.orders[0].last_parcel),
        (479_573, 479_573, 479_573)
    );
    assert!(record.version > 479_573);
    let stock = store.stock_state("bluefin", "shop").await.unwrap().unwrap();
    assert_eq!((stock.last_run, stock.held, stock.compared_at), (479_573, true, None));
    assert!(stock.waits().unwrap().contains("the stock figures are of the backup of 2026-09-21T14:13:20Z"));
    drop(store);
    // What was moved aside is a whole store still.
    fs::rename(place.join("sled"), place.join("new")).unwrap();
    fs::rename(old, place.join("sled")).unwrap();
    assert_eq!(all(&open(place)).await.len(), 6);
}

/// sled gives its lock up a little after it was dropped.
fn again<T>(mut ask: impl FnMut() -> Result<T, backup::BackupError>) -> Result<T, backup::BackupError> {
    let mut answer = ask();
    for _ in 0..500 {
        match answer {
            Err(error) if error.to_string().contains("in use") => {
                std::thread::yield_now();
                answer = ask();
            }
            answer => return answer,
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_off_between_its_two_moves_is_no_empty_store() {
    let (folder, file) = kept().await;
    let place = folder.path();
    let aside = place.join("sled.before-20261126T000000Z");
    fs::rename(place.join("sled"), &aside).unwrap();
    let error = SledStore::open(place, Options::default()).err().unwrap().to_string();
    assert!(error.contains("a restore was cut off. Run `portald restore` again"), "{error}");
    restore(&file, place, time(9), false).unwrap();
    assert_eq!(all(&open(place)).await.len(), 5);
    assert!(aside.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_restores_a_backup_and_leaves_nothing_behind() {
    let (folder, file) = kept().await;
    let (header, report) = restore::trial(&file).unwrap();
    assert_eq!((header.at, report.findings.len(), report.counted["orders"]), (time(0), 0, 5));
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.backup", "sled"]);
    let copy = copy_of(folder.path());
    assert!(copy.path().join("sled").exists());
}
