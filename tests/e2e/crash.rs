//! Killed at random moments while orders are worked on and shops lose answers; backed up in the middle, and at the end
//! restored from that older backup. The shops' own truth is what it is held against.
//!
//! `PORTALD_KILLS=120 PORTALD_SEED=7 cargo test --test e2e crash:: -- --nocapture` is the long version.

#![allow(clippy::print_stdout, reason = "its figures are what it is run for")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sdk::{RemoteId, Rng};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    daemon::{Daemon, until},
    shops::{Shop, TwoShops, two_shops},
};

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What was told to the supplier's side, and acknowledged.
#[derive(Clone, Default)]
struct Acknowledged {
    /// Of every kind.
    commands: u64,
    refused: u64,
    /// (order, shipment) → its number now.
    parcels: BTreeMap<(String, String), String>,
    voided: BTreeSet<(String, String)>,
}

struct Play {
    daemon: Arc<Daemon>,
    shops: [Shop; 2],
    placed: Mutex<Vec<(usize, RemoteId)>>,
    done: Mutex<Acknowledged>,
    stop: AtomicBool,
    next: AtomicU64,
}

impl Play {
    fn place(&self, rng: &mut Rng) {
        let at = rng.below(2) as usize;
        let units = 1 + rng.below(4) as u32;
        let order = self.shops[at].place(&[("ACME-1", units), ("OTHER", 1)]);
        self.placed.lock().expect("whole").push((at, order));
    }

    /// One thing that the supplier, a customer or a merchant does.
    async fn act(&self, rng: &mut Rng) {
        let (at, order) = {
            let placed = self.placed.lock().expect("whole");
            placed[rng.below(placed.len() as u64) as usize].clone()
        };
        let shop = &self.shops[at];
        let id = shop.supplier(&order);
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let number = format!("1Z{n:06}");
        match rng.below(12) {
            0 => self.place(rng),
            1 => shop.hold(&order),
            2 => shop.release(&order),
            // What left is not cancelled: a crossing has tests of its own.
            3 if self.daemon.find(&id).await.is_some_and(|order| order["shipments"] == json!([])) => {
                shop.edit(&order, 2);
            }
            4..8 => {
                let lines = if rng.below(2) == 0 { json!([{"id": "l1", "quantity": 1}]) } else { json!([]) };
                let body = json!({"carrier": "UPS", "tracking": number, "lines": lines});
                let Some(answer) = self.command(&format!("{id}/ship"), n, &body).await else { return };
                let parcel = answer["shipments"]
                    .as_array()
                    .and_then(|all| all.iter().find(|parcel| parcel["tracking"] == number.as_str()));
                let parcel = text(&parcel.unwrap_or_else(|| panic!("{number} in {answer}"))["id"]);
                self.done.lock().expect("whole").parcels.insert((text(&answer["id"]), parcel), number);
            }
            8 => drop(
                self.command(&format!("{id}/split"), n, &json!({"lines": [{"id": "l1", "quantity": 1}]}))
                    .await,
            ),
            9 => {
                let Some(key) = self.parcel_of(&id) else { return };
                let path = format!("{}/shipments/{}", key.0, key.1);
                if self.command(&path, n, &json!({"tracking": number})).await.is_some() {
                    self.done.lock().expect("whole").parcels.insert(key, number);
                }
            }
            // BigCommerce takes nothing back by itself.
            10 if at == 0 => {
                let Some(key) = self.parcel_of(&id) else { return };
                let path = format!("{}/shipments/{}/void", key.0, key.1);
                if self.command(&path, n, &json!({"reason": "wrong box"})).await.is_some() {
                    self.done.lock().expect("whole").voided.insert(key);
                }
            }
            _ => drop(self.command(&format!("{id}/ack"), n, &json!({})).await),
        }
    }

    /// A parcel of an order that was not voided.
    fn parcel_of(&self, id: &str) -> Option<(String, String)> {
        let done = self.done.lock().expect("whole");
        done.parcels.keys().find(|key| key.0 == id && !done.voided.contains(*key)).cloned()
    }

    async fn command(&self, path: &str, n: u64, body: &Value) -> Option<Value> {
        let answer = self.daemon.attempt(&format!("/v1/orders/{path}"), &format!("key-{n}"), body).await;
        let mut done = self.done.lock().expect("whole");
        match &answer {
            Some(_) => done.commands += 1,
            None => done.refused += 1,
        }
        answer
    }

    /// The numbers that the shops show, by order.
    fn shown(&self) -> BTreeMap<String, BTreeSet<(String, i64)>> {
        let placed = self.placed.lock().expect("whole");
        let of = |(at, order): &(usize, RemoteId)| {
            let shop = &self.shops[*at];
            let parcels = shop.shown(order).into_iter().map(|(number, lines)| (number, lines.values().sum()));
            (shop.supplier(order), parcels.collect())
        };
        placed.iter().map(of).collect()
    }

    /// Every number that was ever seen on a shop.
    fn ever(&self) -> BTreeSet<String> {
        let placed = self.placed.lock().expect("whole");
        placed.iter().flat_map(|(at, order)| self.shops[*at].ever(order)).collect()
    }

    /// Whether a parcel was voided, by an acknowledged command.
    fn voided(&self, number: &str) -> bool {
        let done = self.done.lock().expect("whole");
        done.voided.iter().any(|key| done.parcels.get(key).is_some_and(|known| known == number))
    }

    fn doubled(&self) -> usize {
        let placed = self.placed.lock().expect("whole");
        placed.iter().map(|(at, order)| self.shops[*at].doubled(order)).sum()
    }
}

/// `portald verify` of a store whose daemon is dead, or is running; answers the number of findings.
async fn verify(daemon: &Daemon, words: &[&str]) -> usize {
    let (code, said) = daemon.other(&[&["verify", "--json"], words].concat()).await;
    let report: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("a report, not {said}"));
    assert_eq!(code, Some(i32::from(!findings.is_empty())), "{said}");
    if !findings.is_empty() {
        println!("findings: {findings:#?}");
    }
    findings.len()
}

/// Nothing is owed any more; what is parked waits for a person.
async fn quiet(daemon: &Daemon) {
    until("nothing is owed", async || {
        let outbox = daemon.get("/v1/outbox?limit=250").await;
        let entries = outbox["entries"].as_array().expect("a list");
        entries.iter().all(|entry| entry["state"] == "parked").then_some(())
    })
    .await;
}

/// Every parcel that was acknowledged and is not there; and the orders as they are.
async fn lost(daemon: &Daemon, done: &Acknowledged) -> (Vec<String>, Vec<Value>) {
    let orders = daemon.orders().await;
    let parcels: BTreeMap<(String, String), Value> = orders
        .iter()
        .flat_map(|order| {
            let id = text(&order["id"]);
            let all = order["shipments"].as_array().cloned().unwrap_or_default();
            all.into_iter().map(move |parcel| ((id.clone(), text(&parcel["id"])), parcel))
        })
        .collect();
    let missing = done.parcels.iter().filter(|(key, number)| {
        let Some(parcel) = parcels.get(*key) else { return true };
        parcel["tracking"] != number.as_str() || parcel["voided"] != done.voided.contains(*key)
    });
    (missing.map(|(key, number)| format!("{key:?} {number}")).collect(), orders)
}

/// What the daemon says it told is what the shops show, and nothing else.
async fn compare(daemon: &Daemon, orders: &[Value], shown: &BTreeMap<String, BTreeSet<(String, i64)>>) {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut maybe: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for order in orders {
        let record = text(&order["id"]);
        let record = record.split_once('-').map_or(record.as_str(), |(record, _)| record).to_owned();
        for parcel in order["shipments"].as_array().expect("a list") {
            if parcel["voided"] == true {
                continue;
            }
            let place = if parcel["push"] == "done" { &mut told } else { &mut maybe };
            place.entry(record.clone()).or_default().insert(text(&parcel["tracking"]));
        }
    }
    for (order, numbers) in shown {
        let numbers: BTreeSet<String> = numbers.iter().map(|(number, _)| number.clone()).collect();
        let none = BTreeSet::new();
        let (told, maybe) = (told.get(order).unwrap_or(&none), maybe.get(order).unwrap_or(&none));
        let why = if told.is_subset(&numbers) {
            Value::Null
        } else {
            daemon.get(&format!("/v1/orders/{order}/why")).await
        };
        assert!(why.is_null(), "{order}: told {told:?}, shown {numbers:?}: {why:#}");
        let unknown: Vec<_> =
            numbers.iter().filter(|number| !told.contains(*number) && !maybe.contains(*number)).collect();
        if !unknown.is_empty() {
            let why = daemon.get(&format!("/v1/orders/{order}/why")).await;
            panic!("{order}: the shop shows {unknown:?}, which was never told: {why:#}");
        }
    }
}

async fn reopen(daemon: &Daemon) -> u128 {
    let began = Instant::now();
    daemon.start_again().await;
    daemon.get("/v1/status").await;
    began.elapsed().as_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_or_doubled_and_an_old_backup_sends_nothing_again() {
    let (kills, seed) = (asked("PORTALD_KILLS", 10), asked("PORTALD_SEED", 1));
    println!("seed {seed}, {kills} kills");
    let TwoShops { shops, daemon, folder, _served } = two_shops(seed).await;
    let play = Arc::new(Play {
        daemon: daemon.clone(),
        shops,
        placed: Mutex::default(),
        done: Mutex::default(),
        stop: AtomicBool::new(false),
        next: AtomicU64::new(1),
    });
    let mut rng = Rng::from_seed(seed).child("crash");
    for _ in 0..20 {
        play.place(&mut rng);
    }
    daemon.get("/v1/status").await;
    let workers = tokio::task::LocalSet::new();
    for worker in 0..3 {
        let (play, mut rng) = (play.clone(), Rng::from_seed(seed).child(&format!("worker {worker}")));
        _ = workers.spawn_local(async move {
            while !play.stop.load(Ordering::Relaxed) {
                play.act(&mut rng).await;
                tokio::time::sleep(Duration::from_millis(5 + rng.below(40))).await;
            }
        });
    }

    let older = folder.path().join("older.backup");
    let (mut slowest, mut findings) = (0, 0);
    let killing = async {
        for kill in 0..kills {
            tokio::time::sleep(Duration::from_millis(50 + rng.below(1_200))).await;
            if kill == kills / 2 {
                let file = older.to_str().expect("text");
                let (code, said) = daemon.other(&["backup", file]).await;
                assert_eq!(code, Some(0), "{said}");
                assert!(said.contains("of the running daemon"), "{said}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            daemon.kill().await;
            findings += verify(&daemon, &[]).await;
            slowest = slowest.max(reopen(&daemon).await);
        }
        play.stop.store(true, Ordering::Relaxed);
    };
    workers.run_until(killing).await;
    workers.await;
    quiet(&daemon).await;
    // What the last writes did is seen by a pull.
    tokio::time::sleep(Duration::from_secs(2)).await;

    let done = play.done.lock().expect("whole").clone();
    let (missing, orders) = lost(&daemon, &done).await;
    let doubled = play.doubled();
    let (commands, refused) = (done.commands, done.refused);
    findings += verify(&daemon, &[]).await;
    findings += verify(&daemon, &[older.to_str().expect("text")]).await;
    println!(
        "kills {kills} · orders {} · commands acknowledged {commands}, refused {refused} · lost {} · doubled {doubled} \
         · verify findings {findings} · slowest reopen {slowest} ms",
        orders.len(),
        missing.len()
    );
    assert!(missing.is_empty(), "acknowledged and not there: {missing:?}");
    assert_eq!((doubled, findings), (0, 0));
    let shown = play.shown();
    compare(&daemon, &orders, &shown).await;
    assert_eq!(daemon.end().await, Some(0));

    from_the_older_backup(&play, &older, folder.path(), &orders, &shown).await;
}

/// A fresh box: the older backup, the same shops.
async fn from_the_older_backup(
    play: &Play,
    older: &Path,
    folder: &Path,
    before: &[Value],
    shown: &BTreeMap<String, BTreeSet<(String, i64)>>,
) {
    let ever = &play.ever();
    let fresh = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.join("portald.toml"), fresh.path().join("portald.toml")).expect("copied");
    // As far as it is needed for a first command.
    let daemon = Daemon::start(fresh.path());
    daemon.kill().await;
    let file = older.to_str().expect("text");
    let (code, said) = daemon.other(&["restore", file, "--force"]).await;
    assert_eq!(code, Some(0), "{said}");
    reopen(&daemon).await;
    until("all is read back", async || {
        let status = daemon.get("/v1/status").await;
        let merchants = status["merchants"].as_array().expect("a list");
        let mut channels =
            merchants.iter().flat_map(|merchant| merchant["channels"].as_array().expect("a list"));
        channels.all(|channel| channel["restored"].is_null()).then_some(())
    })
    .await;
    daemon.logs("restore.done").await;
    quiet(&daemon).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    quiet(&daemon).await;

    let after = play.shown();
    // What the shop refused while it held the order, and takes now that it does not.
    let refused: BTreeSet<String> = before
        .iter()
        .flat_map(|order| order["shipments"].as_array().expect("a list"))
        .filter(|parcel| parcel["push"] == "parked")
        .filter_map(|parcel| parcel["tracking"].as_str().map(str::to_owned))
        .collect();
    let mut late = 0;
    for (order, parcels) in shown {
        let now = &after[order];
        // A parcel that was owed in the backup, and voided after it before it was ever sent: nothing tells of that.
        let (fresh, sent): (Vec<_>, Vec<_>) = now.difference(parcels).partition(|(number, _)| {
            !ever.contains(number) && (play.voided(number) || refused.contains(number))
        });
        late += fresh.len();
        if !sent.is_empty() || !parcels.is_subset(now) {
            let why = daemon.get(&format!("/v1/orders/{order}/why")).await;
            panic!("{order}: the shop shows {now:?}, before the restore {parcels:?}: {why:#}");
        }
    }
    assert_eq!(play.doubled(), 0);
    // What the store does not know of the shops is held up to a person, by its number.
    let orders = daemon.orders().await;
    let numbers = |orders: &[Value]| -> BTreeSet<String> {
        let parcels =
            orders.iter().flat_map(|order| order["shipments"].as_array().cloned().unwrap_or_default());
        parcels.filter(|parcel| parcel["voided"] == false).map(|parcel| text(&parcel["tracking"])).collect()
    };
    let known = numbers(&orders);
    let (mut new, mut at_rest, mut silent) = (0, 0, Vec::new());
    for (record, parcels) in shown {
        for (number, _) in parcels.iter().filter(|(number, _)| !known.contains(number)) {
            new += 1;
            // An order of which nothing was left has no supplier order: the trace tells of it all the same.
            let why = daemon.get(&format!("/v1/orders/{record}/why")).await;
            let trace = why["trace"].as_array().expect("a list");
            let alerts = trace.iter().filter(|found| found["about"] == "alert");
            if alerts.map(|alert| text(&alert["text"])).any(|alert| alert.contains(number.as_str())) {
                continue;
            }
            // Nothing of it is open, and no pull brought it: it is read back when something is to be written for it.
            let why = daemon.get(&format!("/v1/orders/{record}/why")).await;
            let unread =
                why["trace"].as_array().expect("a list").iter().any(|found| found["about"] == "restore");
            if unread && why["status"] == "shipped" {
                at_rest += 1;
            } else {
                silent.push(format!("{record}: {number}: {why}"));
            }
        }
    }
    println!(
        "restored from the older backup: {} of {} parcels known, {new} on the shops alone: {} of them told to a person, \
         {at_rest} corrections of orders at rest; {late} sent for the first time",
        known.len(),
        numbers(before).len(),
        new - at_rest - silent.len(),
    );
    assert!(silent.is_empty(), "a person should be told of: {silent:#?}");
    assert_eq!(verify(&daemon, &[]).await, 0);
    assert_eq!(daemon.end().await, Some(0));
}
