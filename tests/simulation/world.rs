//! One world: shops, a network, a disk, a store, and a daemon that is started again whenever it ends.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use portald::{
    api::{self, Api, Info},
    board::Board,
    config,
    control::{Control, Request},
    daemon::{self, Bounds, Daemon, Wiring},
    ledger::Ledger,
    scheduler::Schedules,
    store::{Store, memory::MemoryStore},
};
use sdk::Clock;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    chance::Dice,
    clock::{self, Wall},
    files::{Disk, Held},
    journal::Journal,
    network::{Line, Network},
    setup::{self, Setup},
    shops::Shop,
};

/// How a daemon ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// `kill -9`: what was written stays.
    Kill,
    /// The power fails: what was not flushed is gone.
    Power,
}

impl Crash {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Power => "power loss",
        }
    }
}

/// A daemon that runs.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) router: Router,
    pub(crate) ledger: Arc<Ledger>,
    /// Cancelled when it is gone: whoever waits for an answer gets none.
    pub(crate) gone: CancellationToken,
    pub(crate) shutdown: CancellationToken,
    control: Control,
    abort: AbortHandle,
    line: Arc<Line>,
    held: Arc<Held>,
}

/// All that there is.
pub(crate) struct World {
    pub(crate) journal: Arc<Journal>,
    pub(crate) wall: Arc<Wall>,
    pub(crate) shops: Vec<Arc<Shop>>,
    pub(crate) network: Arc<Network>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) setup: Mutex<Setup>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) healed: AtomicBool,
    seed: u64,
    store: Mutex<Arc<MemoryStore>>,
    life: Mutex<Option<Life>>,
    lives: AtomicU64,
    /// Told of each start.
    pub(crate) started: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    #[allow(clippy::too_many_arguments, reason = "a world is made of all of these, once")]
    pub(crate) fn new(
        seed: u64,
        journal: Arc<Journal>,
        wall: Arc<Wall>,
        shops: Vec<Arc<Shop>>,
        network: Arc<Network>,
        disk: Arc<Disk>,
        setup: Setup,
    ) -> Arc<Self> {
        let store = MemoryStore::new().with_latency(Duration::from_millis(4));
        let folder = tempfile::tempdir().expect("a folder for the configuration");
        setup.write(folder.path(), &shops);
        Arc::new(Self {
            journal,
            wall,
            shops,
            network,
            disk,
            setup: Mutex::new(setup),
            folder,
            healed: AtomicBool::new(false),
            seed,
            store: Mutex::new(Arc::new(store)),
            life: Mutex::new(None),
            lives: AtomicU64::new(0),
            started: Notify::new(),
        })
    }

    pub(crate) fn store(&self) -> Arc<MemoryStore> {
        locked(&self.store).clone()
    }

    /// The daemon that runs now, if one does.
    pub(crate) fn life(&self) -> Option<Life> {
        locked(&self.life).clone()
    }

    /// The daemon that runs, once one does.
    pub(crate) async fn running(&self) -> Life {
        loop {
            let started = self.started.notified();
            if let Some(life) = self.life() {
                return life;
            }
            started.await;
        }
    }

    /// Whether this run's healing is long enough for figures of stock to be compared, once a day, and put right.
    pub(crate) fn is_long(&self) -> bool {
        self.seed.is_multiple_of(4)
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.healed.load(Ordering::SeqCst)
    }

    /// Ends the daemon at once, wherever it stands.
    pub(crate) fn crash(&self, how: Crash) {
        let Some(life) = locked(&self.life).take() else { return };
        self.journal.note(how.name());
        self.journal.count("crash", how.name());
        self.bury(&life, how);
        life.abort.abort();
    }

    /// Nothing that is left of a daemon reaches the world any more.
    fn bury(&self, life: &Life, how: Crash) {
        life.line.alive.store(false, Ordering::SeqCst);
        life.held.alive.store(false, Ordering::SeqCst);
        let mut store = locked(&self.store);
        let reborn = match how {
            Crash::Kill => store.kill(),
            Crash::Power => store.crash(),
        };
        *store = Arc::new(reborn);
        life.gone.cancel();
    }

    /// What an operator asks of the daemon itself beside its API: a reload.
    pub(crate) async fn reload(&self) -> Option<Result<String, String>> {
        let life = self.life()?;
        let (done, answer) = oneshot::channel();
        life.control.send(Request::Reload { done }).await.ok()?;
        tokio::select! {
            biased;
            () = life.gone.cancelled() => None,
            answer = answer => answer.ok(),
        }
    }

    /// systemd: starts the daemon, and again whenever it ends.
    pub(crate) async fn keep_running(self: Arc<Self>, mut dice: Dice) {
        loop {
            match self.clone().start().await {
                Ok(ended) => match ended.await {
                    Ok(Ok(())) => self.journal.note("the daemon ended as asked"),
                    Ok(Err(error)) => self.journal.note(format!("the daemon ended: {error}")),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => self.journal.violation("the daemon does not panic", error.to_string()),
                },
                Err(why) => self.journal.note(format!("the daemon did not start: {why}")),
            }
            let ended = locked(&self.life).take();
            if let Some(life) = ended {
                // What it had written is what the next one finds.
                self.bury(&life, Crash::Kill);
            }
            tokio::time::sleep(dice.millis(1_000, 15_000)).await;
        }
    }

    async fn start(
        self: Arc<Self>,
    ) -> Result<tokio::task::JoinHandle<Result<(), daemon::DaemonError>>, String> {
        let number = self.lives.fetch_add(1, Ordering::SeqCst);
        let config = setup::load(self.folder.path(), &self.shops).map_err(|_| "its files are wrong")?;
        let store: Arc<dyn Store> = self.store();
        let wall: Arc<dyn Clock> = self.wall.clone();
        let start = config::rewiring(&config, &*store, &*wall).await?;
        let ledger = Arc::new(Ledger::new(store.clone(), wall.clone()));
        let board = Arc::new(Board::default());
        let (control, requests) = mpsc::channel(64);
        let started_at = wall.now();
        let info = Info::of(&config, started_at);
        let api = Api::new(ledger.clone(), board.clone(), control.clone(), info, None);
        let (schedules, watched) =
            watch::channel(Schedules { zone: config.supplier.timezone, texts: BTreeSet::new() });
        let (ticker, ticks) = mpsc::channel(64);
        let shutdown = CancellationToken::new();
        let line = Arc::new(Line { network: self.network.clone(), alive: AtomicBool::new(true) });
        let held = Arc::new(Held { disk: self.disk.clone(), alive: AtomicBool::new(true) });
        let pending = Arc::new(Mutex::new(None));
        let (world, read, asked) = (self.clone(), pending.clone(), store.clone());
        let shown = api.clone();
        let wiring = Wiring {
            ledger: ledger.clone(),
            board,
            http: line.clone(),
            files: held.clone(),
            start,
            schedules,
            reload: Box::new(move || {
                let (world, read, store) = (world.clone(), read.clone(), asked.clone());
                Box::pin(async move {
                    let config = setup::load(world.folder.path(), &world.shops)?;
                    let rewiring = config::rewiring(&config, &*store, &*world.wall).await?;
                    *locked(&read) = Some(config);
                    Ok(rewiring)
                })
            }),
            in_force: Box::new(move || {
                if let Some(config) = locked(&pending).take() {
                    shown.set_info(Info::of(&config, started_at));
                }
            }),
            rename: daemon::rename::over(store),
            health: Box::new(|| Ok(())),
            seed: self.seed.wrapping_mul(1_000).wrapping_add(number),
            bounds: Bounds {
                pulls: config.pull.concurrency,
                deliveries: config.delivery.concurrency,
                per_merchant: 4,
            },
        };
        let gone = CancellationToken::new();
        let ticking = tokio::spawn(clock::tick(watched, ticker, self.wall.clone()));
        let daemon = tokio::spawn(Daemon::run(wiring, ticks, requests, shutdown.clone()));
        let life = Life {
            router: api::router(api),
            ledger,
            gone,
            shutdown,
            control,
            abort: daemon.abort_handle(),
            line,
            held,
        };
        drop(ticking);
        self.journal.note("the daemon starts");
        self.journal.count("traffic", "daemon starts");
        *locked(&self.life) = Some(life);
        self.started.notify_waiters();
        Ok(daemon)
    }
}
