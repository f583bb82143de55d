//! What a quiet daemon costs: `cargo bench --bench idle`.
//!
//! The daemon's real parts in one process: 10,000 merchants from 10,000 files, each with a Shopify channel; the loop,
//! the scheduler, the connector and the store on disk. In place of the network a model that answers 'nothing new' at
//! once (connections and TLS are not in these figures).
//!
//! The short run (some 90 seconds) polls every 30 seconds in place of five minutes: ten times the load, with the
//! overlap shortened alike, so that as large a share of the polls stores a cursor. `PORTALD_BENCH_LONG=1` runs the
//! real five minutes. `PORTALD_BENCH_MERCHANTS` sets another number.
//!
//! A poll's due time is its slot's time by cron plus the channel's own offset: what the scheduler comes late is in
//! the lag. The polls' own processor time is measured afterwards, on the same store: the same pulls without the
//! daemon around them.
#![allow(clippy::print_stdout, reason = "a table for people")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may stop")]

mod support;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use portald::{
    board::Board,
    clock::SystemClock,
    config::{self, Config, Environment},
    daemon::{Bounds, Daemon, Wiring},
    driver::{ChannelKey, Stream, spread},
    files::Disk,
    ledger::Ledger,
    registry::CONNECTORS,
    scheduler::{self, Schedules},
    store::sled::{Options, SledStore},
    tasks::{Connection, Shared, connection::Ledge, pull},
};
use sdk::{Clock, Context, Http, Rng, Timestamp, TransportError, async_trait, testkit::MemoryTokens};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// The first polls after a start are spread over this.
const START: Duration = Duration::from_secs(30);
/// A poll may come so late and still be counted.
const LATE: Duration = Duration::from_secs(5);
/// Channels and rounds of the polls that are measured by themselves.
const ALONE: (usize, usize) = (1000, 4);

#[tokio::main]
async fn main() {
    let merchants = std::env::var("PORTALD_BENCH_MERCHANTS").map_or(10_000, |text| text.parse().unwrap());
    let long = std::env::var_os("PORTALD_BENCH_LONG").is_some();
    let (period, cron) = if long { (300, "0 */5 * * * *") } else { (30, "*/30 * * * * *") };
    let folder = tempfile::tempdir().unwrap();
    let file = write_files(folder.path(), merchants, cron, period);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let remote = Arc::new(Quiet { clock: clock.clone(), polls: Mutex::default() });

    let began = clock.now();
    let config = config::load(&file, &Environment::of([("TOKEN", "shpat_bench")]), CONNECTORS)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let loaded = clock.now() - began;
    let store = Arc::new(SledStore::open(&config.store_path, Options::default()).unwrap());
    let ledger = Arc::new(Ledger::new(store.clone(), clock.clone()));
    let shutdown = CancellationToken::new();
    let daemon = start(&config, &ledger, remote.clone(), shutdown.clone()).await;

    // The first polls, then the next whole slot.
    tokio::time::sleep(START + Duration::from_secs(2)).await;
    let now = clock.now().timestamp();
    let slot = Timestamp::from_timestamp(now - now % period + period, 0).unwrap();
    tokio::time::sleep((slot - clock.now()).to_std().unwrap()).await;
    let (cpu, commits) = (support::cpu(), store.health(Instant::now()).commits);
    tokio::time::sleep(Duration::from_secs(period as u64)).await;
    let (cpu_after, commits_after) = (support::cpu(), store.health(Instant::now()).commits);
    let resident = support::memory("VmRSS:");
    tokio::time::sleep(LATE).await;
    shutdown.cancel();
    daemon.await.unwrap();

    let polls = std::mem::take(&mut *remote.polls.lock().unwrap());
    let first = polls.iter().map(|(_, at)| *at).min().unwrap() - began;
    let mut lags = lags(&polls, merchants, slot, Duration::from_secs(period as u64));
    lags.sort_unstable();
    let end = slot + Duration::from_secs(period as u64);
    let in_window = polls.iter().filter(|(_, at)| (slot..end).contains(at)).count();
    let busy = (cpu_after.0 + cpu_after.1 - cpu.0 - cpu.1) / period as f64;
    let each = poll_alone(&config, &ledger, remote).await;
    let own = each * in_window as f64 / period as f64;

    let row = |what: &str, value: String, goal: &str| vec![what.to_owned(), value, goal.to_owned()];
    let percent = |share: f64| format!("{:.2} % of a core", share * 100.0);
    let beyond = busy - own;
    let mut rows = vec![
        row("", "measured".to_owned(), "goal"),
        row("resident memory", format!("{resident:.0} MB"), "200 MB"),
        row("start to first poll", seconds(first), "2 s"),
        row("of it reading the files", seconds(loaded), ""),
        row("due-lag p50", format!("{:.0} ms", support::ms(support::at(&lags, 0.5))), ""),
        row("due-lag p99", format!("{:.0} ms", support::ms(support::at(&lags, 0.99))), "2,000 ms"),
        row("slots folded into the one before", (merchants - lags.len()).to_string(), ""),
        row("polls", format!("{:.0}/s", in_window as f64 / period as f64), ""),
        row("commits", format!("{:.0}/s", (commits_after - commits) as f64 / period as f64), ""),
        row("CPU in all", percent(busy), ""),
        row("of it the polls", format!("{} ({:.0} µs each)", percent(own), each * 1e6), ""),
        row("CPU beyond the polls", percent(beyond), "1 %"),
    ];
    if !long {
        let scaled = percent(busy * period as f64 / 300.0);
        rows.push(row("CPU in all at five minutes, by proportion", scaled, ""));
    }
    support::table(&rows);
    println!(
        "\n{} merchants, polled every {period} s over {} s; {}.",
        support::grouped(merchants as f64),
        period,
        support::machine(folder.path())
    );
}

fn seconds(time: chrono::TimeDelta) -> String {
    format!("{:.2} s", time.as_seconds_f64())
}

/// From due to polled, for each merchant's poll of one slot.
fn lags(polls: &[(usize, Timestamp)], merchants: usize, slot: Timestamp, period: Duration) -> Vec<Duration> {
    let due: Vec<Timestamp> = (0..merchants)
        .map(|n| slot + spread(&(ChannelKey::new(&merchant(n), "shop"), Stream::Orders), period))
        .collect();
    let mut found: Vec<Option<Duration>> = vec![None; merchants];
    for (n, at) in polls {
        let lag = (*at - due[*n]).to_std();
        if let Ok(lag) = lag {
            found[*n] = Some(found[*n].map_or(lag, |known| known.min(lag)));
        }
    }
    // A slot that comes while the one before it is still due folds into it: those are counted, not timed.
    found.into_iter().flatten().collect()
}

fn merchant(n: usize) -> String {
    format!("m{n:05}")
}

fn write_files(folder: &Path, merchants: usize, cron: &str, period: i64) -> PathBuf {
    let files = folder.join("merchants.d");
    std::fs::create_dir(&files).unwrap();
    for n in 0..merchants {
        let name = merchant(n);
        let text = format!(
            r#"name = "Merchant {n}"
since = "2026-11-01T00:00:00Z"
[dropship]
skus = ["ACME-*", "X{n}-1", "X{n}-2"]
[dropship.map]
"KIT-{n}" = [{{ sku = "ACME-1001", quantity = 2 }}, {{ sku = "ACME-2002", quantity = 1 }}]
[[channel]]
id = "shop"
connector = "shopify"
shop = "{name}.myshopify.com"
access_token = {{ env = "TOKEN" }}
"#
        );
        std::fs::write(files.join(format!("{name}.toml")), text).unwrap();
    }
    let file = folder.join("portald.toml");
    let text = format!(
        r#"merchants = "merchants.d"
[supplier]
name = "Acme Supply"
[schedule]
orders = "{cron}"
[pull]
overlap_secs = {period}
"#
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Every shop at once: nothing new, at once. Takes note of who asked when.
struct Quiet {
    clock: Arc<dyn Clock>,
    polls: Mutex<Vec<(usize, Timestamp)>>,
}

#[async_trait]
impl Http for Quiet {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let now = self.clock.now();
        let host = request.uri().host().unwrap();
        self.polls.lock().unwrap().push((host[1..6].parse().unwrap(), now));
        let mut answer = Response::new(Bytes::from_static(
            br#"{"data":{"orders":{"nodes":[],"pageInfo":{"hasNextPage":false,"endCursor":null}}},"extensions":{"cost":{"requestedQueryCost":52,"actualQueryCost":2,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":1998,"restoreRate":100.0}}}}"#,
        ));
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers_mut().insert("date", date.parse().unwrap());
        Ok(answer)
    }
}

/// Starts the daemon as `portald run` does, without the API.
async fn start(
    config: &Config,
    ledger: &Arc<Ledger>,
    http: Arc<dyn Http>,
    shutdown: CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let start = config::rewiring(config, &**ledger.store(), &**ledger.clock()).await.unwrap();
    let (schedules, watched) =
        watch::channel(Schedules { zone: config.supplier.timezone, texts: BTreeSet::new() });
    let (ticker, ticks) = mpsc::channel(1024);
    let (_, requests) = mpsc::channel(1);
    let ticking = tokio::spawn(scheduler::run(watched, ticker, ledger.clock().clone(), shutdown.clone()));
    let wiring = Wiring {
        ledger: ledger.clone(),
        board: Arc::new(Board::default()),
        http,
        files: Arc::new(Disk::default()),
        start,
        schedules,
        reload: Box::new(|| Box::pin(async { Err("not here".to_owned()) })),
        in_force: Box::new(|| {}),
        rename: Box::new(|_, _| Box::pin(async { Err("not here".to_owned()) })),
        health: Box::new(|| Ok(())),
        seed: 7,
        bounds: Bounds {
            pulls: config.pull.concurrency,
            deliveries: config.delivery.concurrency,
            per_merchant: 4,
        },
    };
    tokio::spawn(async move {
        Daemon::run(wiring, ticks, requests, shutdown).await.unwrap();
        ticking.await.unwrap().unwrap();
    })
}

/// The processor time of one poll, in seconds: pulls as the daemon runs them, as many at once, each of which finds
/// nothing and stores its cursor.
async fn poll_alone(config: &Config, ledger: &Arc<Ledger>, http: Arc<dyn Http>) -> f64 {
    let board = Arc::new(Board::default());
    let shared = Arc::new(Shared::new(ledger.clone(), board, CancellationToken::new(), Rng::from_seed(7)));
    let states = ledger.store().channels().await.unwrap();
    let connections: Vec<Arc<Connection>> = config
        .channels()
        .take(ALONE.0)
        .map(|(merchant, channel)| {
            let context = Context {
                label: format!("{}/{}", merchant.id, channel.id),
                http: http.clone(),
                files: Arc::new(Disk::default()),
                clock: ledger.clock().clone(),
                tokens: Arc::new(MemoryTokens::default()),
                seed: 7,
            };
            let state = states[&(merchant.id.clone(), channel.id.clone())].clone();
            Arc::new(Connection {
                key: ChannelKey::new(&merchant.id, &channel.id),
                remote: channel.configured.connect(context),
                overlap: chrono::TimeDelta::zero(),
                sweep_window: chrono::TimeDelta::days(3),
                ledge: Arc::new(Ledge::new(state)),
            })
        })
        .collect();
    let mut spent = 0.0;
    for _ in 0..ALONE.1 {
        // The shops' clock has whole seconds: each round finds it moved.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let before = support::cpu();
        let mut running = JoinSet::new();
        for connection in &connections {
            if running.len() >= config.pull.concurrency {
                running.join_next().await.unwrap().unwrap();
            }
            let (shared, connection) = (shared.clone(), connection.clone());
            running.spawn(async move { assert!(pull::run(&shared, &connection).await.well) });
        }
        running.join_all().await;
        let after = support::cpu();
        spent += after.0 + after.1 - before.0 - before.1;
    }
    spent / (connections.len() * ALONE.1) as f64
}
