//! `portald run`: builds the daemon's parts, runs it, ends it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sdk::{Clock, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{BAD_CONFIG, output};
use crate::{
    api::{self, Api, Info},
    board::Board,
    clock::SystemClock,
    config::{self, Config, Environment},
    daemon::{self, Bounds, Daemon, Wiring},
    files::Disk,
    http::{HttpLimits, ReqwestHttp},
    ledger::Ledger,
    registry::CONNECTORS,
    scheduler::{self, Schedules},
    store::{
        Store,
        sled::{Options, SledStore},
    },
    telemetry,
};

/// A commit that waits longer means that the store's writer hangs: systemd is to start us again.
const STUCK: Duration = Duration::from_secs(60);
/// Of pulls and of deliveries, for one merchant at a time.
const PER_MERCHANT: usize = 4;
/// Requests under way may end within this, once the daemon itself has ended.
const API_DRAIN: Duration = Duration::from_secs(5);

/// Why the daemon did not start, or ended.
enum Failed {
    /// 78.
    Config(String),
    /// 1.
    Otherwise(String),
}

impl<E: std::fmt::Display> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Otherwise(error.to_string())
    }
}

/// Runs the daemon until a signal ends it.
pub fn run(path: &Path) -> ExitCode {
    let started = Instant::now();
    let config = match config::load(path, &Environment::process(), CONNECTORS) {
        Ok(config) => config,
        Err(problems) => {
            output::complain(&problems.to_string());
            return ExitCode::from(BAD_CONFIG);
        }
    };
    if let Err(error) = telemetry::init(config.log.format, config.log.level) {
        output::complain(&error.to_string());
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(path.to_owned(), config, started)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Config(why)) => {
            tracing::error!(event = "config.refused", error = %why, "the configuration contradicts the store");
            ExitCode::from(BAD_CONFIG)
        }
        Err(Failed::Otherwise(why)) => {
            tracing::error!(event = "daemon.failed", error = %why, "the daemon ends");
            ExitCode::FAILURE
        }
    }
}

async fn serve(path: PathBuf, config: Config, started: Instant) -> Result<(), Failed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(open(&config.store_path).await?);
    let kept: Arc<dyn Store> = store.clone();
    let start = config::rewiring(&config, &*kept, &*clock).await.map_err(Failed::Config)?;

    let ledger = Arc::new(Ledger::new(kept.clone(), clock.clone()));
    let board = Arc::new(Board::default());
    let shutdown = CancellationToken::new();
    let (control, requests) = mpsc::channel(64);
    let started_at = clock.now();
    let api = Api::new(
        ledger.clone(),
        board.clone(),
        control.clone(),
        Info::of(&config, started_at),
        Some(telemetry::init_metrics()?),
    );
    let closing = CancellationToken::new();
    let mut servers = listen(&config, &api, &closing).await?;

    let zone = config.supplier.timezone;
    let (schedules, watched) = watch::channel(Schedules { zone, texts: BTreeSet::new() });
    let (ticker, ticks) = mpsc::channel(1024);
    let ticking = tokio::spawn(scheduler::run(watched, ticker, clock.clone(), shutdown.clone()));
    let listening = tokio::spawn(daemon::signals::listen(control.clone(), shutdown.clone()));
    let bounds = Bounds {
        pulls: config.pull.concurrency,
        deliveries: config.delivery.concurrency,
        per_merchant: PER_MERCHANT,
    };
    let watch = store.clone();
    let configs = Arc::new(Mutex::new(Configs { started: config.clone(), in_force: config, pending: None }));
    let wiring = Wiring {
        ledger,
        board,
        http: Arc::new(ReqwestHttp::new(HttpLimits::default())?),
        files: Arc::new(Disk::default()),
        start,
        schedules,
        reload: reload(path, configs.clone(), kept.clone(), clock.clone()),
        in_force: in_force(configs, api, started_at),
        rename: daemon::rename::over(kept),
        health: Box::new(move || match watch.health(Instant::now()) {
            health if health.broken.is_some() => Err(health.broken.unwrap_or_default()),
            health if health.oldest_wait.is_some_and(|wait| wait > STUCK) => {
                Err(format!("a commit has been waiting for {:?}", health.oldest_wait.unwrap_or_default()))
            }
            _ => Ok(()),
        }),
        seed: seed_of(clock.now()),
        bounds,
    };
    tracing::info!(event = "daemon.built", ms = started.elapsed().as_millis() as u64, "all is built");
    let ended = Daemon::run(wiring, ticks, requests, shutdown.clone()).await;

    shutdown.cancel();
    closing.cancel();
    let served = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(API_DRAIN, served).await.is_err() {
        tracing::warn!(event = "api.cut_off", "requests under way were cut off");
    }
    if let Ok(Err(error)) = listening.await {
        tracing::error!(event = "daemon.deaf", %error, "signals could not be listened to");
    }
    match ticking.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(event = "schedule.failed", %error, "the scheduler did not end well"),
        Err(error) => tracing::warn!(event = "schedule.failed", %error, "the scheduler broke off"),
    }
    store.close().await;
    Ok(ended?)
}

/// Opening blocks: for seconds after an unclean end of a large store.
async fn open(path: &Path) -> Result<SledStore, Failed> {
    let path = path.to_owned();
    #[allow(clippy::disallowed_methods, reason = "opening a store reads it")]
    let opened = tokio::task::spawn_blocking(move || SledStore::open(&path, Options::default())).await?;
    let store = opened?;
    let health = store.health(Instant::now());
    for key in &health.corrupt {
        tracing::error!(event = "store.corrupt", %key, "a stored value cannot be read; the rest goes on");
    }
    Ok(store)
}

/// The configurations of a running daemon.
struct Configs {
    /// That of the start: what a reload does not change stays in force from it.
    started: Config,
    in_force: Config,
    /// One with which a reload began, until the daemon says that it is in force.
    pending: Option<Config>,
}

type Shared = Arc<Mutex<Configs>>;

/// Reads the files again for a reload.
fn reload(
    path: PathBuf,
    configs: Shared,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> daemon::ReloadHook {
    Box::new(move || {
        let (path, store, clock, configs) = (path.clone(), store.clone(), clock.clone(), configs.clone());
        Box::pin(async move {
            let new = config::load(&path, &Environment::process(), CONNECTORS)
                .map_err(|problems| problems.to_string())?;
            let rewiring = config::rewiring(&new, &*store, &*clock).await?;
            let mut configs = configs.lock().unwrap_or_else(PoisonError::into_inner);
            for setting in config::diff(&configs.started, &new).restart {
                tracing::warn!(
                    event = "config.needs_restart",
                    setting,
                    "this change comes into force with the next start"
                );
            }
            configs.pending = Some(new);
            Ok(rewiring)
        })
    })
}

/// The API and the log tell of a new configuration once it is in force. The daemon is as old as it was.
fn in_force(configs: Shared, api: Api, started_at: Timestamp) -> daemon::InForceHook {
    Box::new(move || {
        let mut configs = configs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(new) = configs.pending.take() else { return };
        api.set_info(Info::of(&new, started_at));
        for change in config::diff(&configs.in_force, &new).changed {
            if change.rules {
                tracing::info!(
                    event = "config.rules_changed",
                    merchant = change.merchant,
                    channel = change.channel,
                    "a channel's orders go by new rules from now on"
                );
            }
        }
        configs.in_force = new;
    })
}

async fn listen(
    config: &Config,
    api: &Api,
    closing: &CancellationToken,
) -> Result<tokio::task::JoinSet<()>, Failed> {
    let mut servers = tokio::task::JoinSet::new();
    let router = api::router(api.clone());
    let socket = &config.api.socket;
    let unix = api::bind_unix(socket, config.api.socket_mode)
        .map_err(|error| format!("the API's socket {} cannot be made: {error}", socket.display()))?;
    servers.spawn(unix.serve(router.clone(), closing.clone()));
    if let (Some(address), Some(token)) = (config.api.listen, config.api.token.clone()) {
        let tcp = api::bind_tcp(address)
            .await
            .map_err(|error| format!("the API cannot listen on {address}: {error}"))?;
        servers.spawn(tcp.serve(router, token, closing.clone()));
    }
    tracing::info!(event = "api.listening", socket = %socket.display(), listen = ?config.api.listen, "the API answers");
    Ok(servers)
}

/// Chance differs from start to start; each user of it forks its own child.
fn seed_of(now: Timestamp) -> u64 {
    sdk::clock::stable_hash(&format!(
        "{} {}",
        now.timestamp_nanos_opt().unwrap_or_default(),
        std::process::id()
    ))
}
