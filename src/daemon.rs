//! The running daemon: it connects the channels, starts what is due, answers an operator, reloads and drains.
//!
//! One loop owns what is running and what is due. It does no work itself: pulls, sweeps and deliveries are tasks
//! that end with a verdict, and the loop decides by it when they may run again. An idle channel has no task and no
//! timer.

pub mod connections;
mod operator;
pub mod reload;
pub mod rename;
pub mod signals;
mod supervisor;
pub mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use sdk::{Configured, Files, Http, Rng, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use connections::check_bindings;

use crate::{
    board::Board,
    control::Request,
    driver::{ChannelKey, Driver, Lanes, Stream, StreamKey, spread},
    ledger::Ledger,
    outbox,
    policy::Policies,
    record::RecordId,
    scheduler::{Schedules, Tick},
    store::StoreError,
    tasks::{
        Connection, Shared, Verdict, connection::Ledge, deliver, products, pull, readback, stock, sweep,
    },
};

/// What is in flight may take this long when the daemon is asked to end.
const DRAIN: Duration = Duration::from_secs(20);
/// The first polls after a start are spread over this at most, and so over the channels.
const START_SPREAD: Duration = Duration::from_secs(30);
/// Between the first polls of two channels after a start, until that fills [`START_SPREAD`].
const START_STEP: Duration = Duration::from_millis(3);
/// How soon a record that is due, though nothing could be done about it, is looked at again.
const PUT_OFF: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// The same where its channel is paused, suspended or not configured: all of these recall it when they end.
const CLOSED: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// How often the loop looks after itself.
const UPKEEP: Duration = Duration::from_secs(30);
/// The longest wait between two probes of a channel that refuses our credentials, in seconds.
const SLOWEST_PROBE: u64 = 3600;
/// The longest wait of our own between two pulls of a channel that fails.
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);

/// A future behind a pointer, for the hooks.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Parses the files anew; the error is in words for a person.
pub type ReloadHook = Box<dyn Fn() -> Answer<Result<Rewiring, String>> + Send + Sync>;
/// Told that what the last [`ReloadHook`] answered is in force.
pub type InForceHook = Box<dyn Fn() + Send + Sync>;
/// Moves a merchant's records from the old id to the new one.
pub type RenameHook = Box<dyn Fn(String, String) -> Answer<Result<(), String>> + Send + Sync>;
/// Whether the store is well; the error says what is wrong. Asked every few seconds.
pub type HealthHook = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// All that the daemon is built of.
pub struct Wiring {
    /// All orders.
    pub ledger: Arc<Ledger>,
    /// Where `status` reads what each channel is doing.
    pub board: Arc<Board>,
    /// The transport lent to channels.
    pub http: Arc<dyn Http>,
    /// The files lent to channels.
    pub files: Arc<dyn Files>,
    /// The channels and rules to start with.
    pub start: Rewiring,
    /// Told which schedules to tick for.
    pub schedules: watch::Sender<Schedules>,
    /// For a reload.
    pub reload: ReloadHook,
    /// After a reload.
    pub in_force: InForceHook,
    /// For a rename.
    pub rename: RenameHook,
    /// For the watchdog.
    pub health: HealthHook,
    /// Seed of all chance.
    pub seed: u64,
    /// How much runs at once.
    pub bounds: Bounds,
}

/// What a reload may change.
#[derive(Clone, Debug)]
pub struct Rewiring {
    /// Every configured channel.
    pub channels: Vec<ChannelWiring>,
    /// The rules of all of them.
    pub policies: Policies,
}

/// One configured channel.
#[derive(Clone, Debug)]
pub struct ChannelWiring {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// Its checked settings.
    pub configured: Arc<dyn Configured>,
    /// When to pull.
    pub orders: Schedule,
    /// When to look for owed writes, beside each one's own due time.
    pub deliver: Schedule,
    /// When to sweep.
    pub sweep: Schedule,
    /// When to read the catalogue; `None`: stock is not kept for it.
    pub products: Option<Schedule>,
    /// When to push stock; `None`: it is not.
    pub inventory: Option<Schedule>,
    /// How far each pull looks back behind the cursor.
    pub overlap: Duration,
    /// How many days back a sweep reads all orders again.
    pub sweep_days: u32,
    /// Stored as the first contact if there was none.
    pub first_contact: Timestamp,
}

/// A schedule as the daemon needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Cron with seconds. Shared by the channels that have the same.
    pub text: Arc<str>,
    /// About how long from one time to the next.
    pub period: Duration,
}

impl From<&crate::schedule::Cron> for Schedule {
    fn from(cron: &crate::schedule::Cron) -> Self {
        Self { text: cron.text().into(), period: cron.period() }
    }
}

/// How much runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pulls, in all. (Sweeps: a quarter as many beside them.)
    pub pulls: usize,
    /// Orders being delivered, in all.
    pub deliveries: usize,
    /// Of each, for one merchant.
    pub per_merchant: usize,
}

/// Why the daemon ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store is broken: the process must end and be started again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The running daemon.
pub struct Daemon {
    shared: Arc<Shared>,
    http: Arc<dyn Http>,
    files: Arc<dyn Files>,
    seed: u64,
    schedules: watch::Sender<Schedules>,
    reload: ReloadHook,
    in_force: InForceHook,
    rename: RenameHook,
    supervisor: supervisor::Supervisor,
    channels: BTreeMap<ChannelKey, Running>,
    /// Stored states, kept over reconnections and for channels that left the files.
    ledges: HashMap<ChannelKey, Arc<Ledge>>,
    by_text: HashMap<Arc<str>, Vec<StreamKey>>,
    watched: BTreeMap<Arc<str>, Watched>,
    driver: Driver,
    outgoing: Lanes<(ChannelKey, RecordId)>,
    tasks: JoinSet<Report>,
    jobs: HashMap<Id, Job>,
}

/// A configured channel that runs.
struct Running {
    wiring: ChannelWiring,
    connection: Arc<Connection>,
    /// Failures in a row.
    failures: u32,
    /// No pull before this, whatever the schedule says.
    not_before: Option<Instant>,
}

/// A schedule's ticks, so that a scheduler that went silent is noticed.
struct Watched {
    period: Duration,
    last: Instant,
}

#[derive(Clone, Debug)]
enum Job {
    Stream(StreamKey),
    Deliver(ChannelKey, RecordId),
    Look,
}

enum Report {
    Stream(Verdict),
    Delivered(deliver::Delivered),
    Looked,
}

impl Daemon {
    /// Runs until `shutdown`, then drains. Fills the agenda, binds the channels, tells systemd that it is ready.
    ///
    /// # Errors
    /// When the store cannot be read at the start, or breaks.
    pub async fn run(
        wiring: Wiring,
        mut ticks: mpsc::Receiver<Tick>,
        mut control: mpsc::Receiver<Request>,
        shutdown: CancellationToken,
    ) -> Result<(), DaemonError> {
        let Wiring {
            ledger,
            board,
            http,
            files,
            start,
            schedules,
            reload,
            in_force,
            rename,
            health,
            seed,
            bounds,
        } = wiring;
        let rng = Rng::from_seed(seed).child("tasks");
        let mut daemon = Self {
            shared: Arc::new(Shared::new(ledger, board, CancellationToken::new(), rng)),
            http,
            files,
            seed,
            schedules,
            reload,
            in_force,
            rename,
            supervisor: supervisor::Supervisor::new(health),
            channels: BTreeMap::new(),
            ledges: HashMap::new(),
            by_text: HashMap::new(),
            watched: BTreeMap::new(),
            driver: Driver::new(bounds.pulls, bounds.per_merchant),
            outgoing: Lanes::new(bounds.deliveries, bounds.per_merchant),
            tasks: JoinSet::new(),
            jobs: HashMap::new(),
        };
        let active = daemon.shared.ledger.load_agenda().await?;
        daemon.shared.ledger.stockroom().recover().await?;
        daemon.rewire(start).await?;
        tracing::info!(
            event = "daemon.started",
            channels = daemon.channels.len(),
            active,
            "the daemon is running"
        );
        supervisor::ready();
        let ended = daemon.serve(&mut ticks, &mut control, &shutdown).await;
        daemon.drain().await;
        ended
    }

    async fn serve(
        &mut self,
        ticks: &mut mpsc::Receiver<Tick>,
        control: &mut mpsc::Receiver<Request>,
        shutdown: &CancellationToken,
    ) -> Result<(), DaemonError> {
        let shared = self.shared.clone();
        let mut upkeep = tokio::time::interval(UPKEEP);
        let mut beat = tokio::time::interval(self.supervisor.interval());
        for interval in [&mut upkeep, &mut beat] {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        let (mut ticking, mut controlled) = (true, true);
        loop {
            self.start_due();
            let next = self.next_wake();
            // In this order, and not by tokio's own chance: a run can be repeated. What is rare comes first, so that
            // nothing waits behind a backlog of ended tasks.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = beat.tick() => self.supervisor.beat(),
                _ = upkeep.tick() => self.look_after(),
                request = control.recv(), if controlled => match request {
                    Some(request) => self.answer(request).await?,
                    None => controlled = false,
                },
                tick = ticks.recv(), if ticking => match tick {
                    Some(tick) => self.tick(&tick.text),
                    None => ticking = false,
                },
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.ended(ended)?,
                () = shared.ledger.agenda().changed() => {}
                merchants = shared.ledger.stockroom().woken() => self.push_stock_of(&merchants),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// A schedule's time has come: its streams are due, each at its own offset.
    fn tick(&mut self, text: &Arc<str>) {
        let now = Instant::now();
        if let Some(watched) = self.watched.get_mut(text) {
            watched.last = now;
        }
        // `deliver` has no stream: each order's due time wakes the loop, and so does this tick.
        for key in self.by_text.get(text).into_iter().flatten() {
            let Some(running) = self.channels.get(&key.0) else { continue };
            if running.connection.ledge.is_paused() {
                continue;
            }
            let schedule = match key.1 {
                Stream::Orders => Some(&running.wiring.orders),
                Stream::Sweep => Some(&running.wiring.sweep),
                Stream::Products => running.wiring.products.as_ref(),
                Stream::Inventory => running.wiring.inventory.as_ref(),
            };
            let Some(schedule) = schedule else { continue };
            let due = now + spread(key, schedule.period);
            self.driver.mark(key, running.not_before.map_or(due, |bound| bound.max(due)));
        }
    }

    /// Starts what is due and has a place.
    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some(key) = self.driver.start(now) {
            let Some(running) = self.channels.get(&key.0) else {
                self.driver.done(&key, None);
                continue;
            };
            let ledge = &running.connection.ledge;
            // A suspended channel is still pulled, slowly: that is the probe. All else waits.
            let may = !ledge.is_paused() && (key.1 == Stream::Orders || ledge.is_open());
            if !may {
                self.driver.done(&key, None);
                continue;
            }
            let (shared, connection) = (self.shared.clone(), running.connection.clone());
            let task = async move {
                Report::Stream(match key.1 {
                    Stream::Orders => pull::run(&shared, &connection).await,
                    Stream::Sweep if connection.ledge.restored().is_some() => {
                        readback::run(&shared, &connection).await
                    }
                    Stream::Sweep => sweep::run(&shared, &connection).await,
                    Stream::Products => products::run(&shared, &connection).await,
                    Stream::Inventory => stock::run(&shared, &connection).await,
                })
            };
            let key = (running.connection.key.clone(), key.1);
            let id = self.tasks.spawn(task).id();
            self.jobs.insert(id, Job::Stream(key));
        }
        let wall = self.shared.ledger.clock().now();
        for id in self.shared.ledger.agenda().take(wall) {
            match self.channel_of(&id) {
                Some(key) => self.outgoing.push(&key.merchant.clone(), (key, id)),
                // Not configured: its outbox waits, and a reload recalls it.
                None => self.shared.ledger.agenda().put_back(&id, Some((wall, wall + CLOSED))),
            }
        }
        while let Some((key, id)) = self.outgoing.pop() {
            let Some(running) = self.channels.get(&key) else {
                self.outgoing.done(&key.merchant);
                self.shared.ledger.agenda().put_back(&id, Some((wall, wall + CLOSED)));
                continue;
            };
            let (shared, connection, order) = (self.shared.clone(), running.connection.clone(), id.clone());
            let task = async move { Report::Delivered(deliver::run(&shared, &connection, &order).await) };
            let task = self.tasks.spawn(task).id();
            self.jobs.insert(task, Job::Deliver(key, id));
        }
    }

    /// The channel that a record belongs to, by its id.
    fn channel_of(&self, id: &RecordId) -> Option<ChannelKey> {
        let mut parts = id.0.splitn(3, '.');
        let key = ChannelKey::new(parts.next()?, parts.next()?);
        self.channels.get_key_value(&key).map(|(key, _)| key.clone())
    }

    /// A task ended: what its verdict means for the next one.
    fn ended(&mut self, ended: Result<(Id, Report), tokio::task::JoinError>) -> Result<(), DaemonError> {
        let (task, report) = match ended {
            Ok((task, report)) => (task, Some(report)),
            Err(error) => {
                tracing::error!(event = "task.panicked", job = ?self.jobs.get(&error.id()), error = %error, "a task broke off: this is a bug; the rest goes on");
                (error.id(), None)
            }
        };
        let Some(job) = self.jobs.remove(&task) else { return Ok(()) };
        match job {
            Job::Look => {}
            Job::Stream(key) => {
                let verdict = match report {
                    Some(Report::Stream(verdict)) => verdict,
                    _ => Verdict::default(),
                };
                if let Some(error) = verdict.fatal {
                    return Err(error.into());
                }
                // What goes wrong with stock alone does not put off the pulls, unless the credentials are refused.
                let judged = matches!(key.1, Stream::Orders | Stream::Sweep) || verdict.denied;
                let not_before =
                    if judged { self.judge(&key.0, &verdict, key.1 == Stream::Orders) } else { None };
                self.driver.done(&key, not_before);
                let again = verdict.again_after.or(verdict.retry_after.filter(|_| !judged));
                if let Some(wait) = again {
                    self.driver.mark(&key, Instant::now() + wait);
                }
            }
            Job::Deliver(key, id) => {
                let delivered = match report {
                    Some(Report::Delivered(delivered)) => delivered,
                    _ => deliver::Delivered { verdict: Verdict::default(), moved: false },
                };
                self.outgoing.done(&key.merchant);
                // What could not move is not looked at again at once, or the loop would do nothing else.
                let stuck = (!delivered.moved).then(|| {
                    let now = self.shared.ledger.clock().now();
                    let running = self.channels.get(&key);
                    let open = running.is_some_and(|running| running.connection.ledge.may_write());
                    (now, now + if open { PUT_OFF } else { CLOSED })
                });
                self.shared.ledger.agenda().put_back(&id, stuck);
                if let Some(error) = delivered.verdict.fatal {
                    return Err(error.into());
                }
                if delivered.verdict.denied {
                    self.judge(&key, &delivered.verdict, false);
                }
            }
        }
        Ok(())
    }

    /// When a channel may be pulled again, by what came of its last task.
    fn judge(&mut self, key: &ChannelKey, verdict: &Verdict, pulled: bool) -> Option<Instant> {
        let chance = self.shared.chance();
        let running = self.channels.get_mut(key)?;
        if verdict.well {
            if pulled {
                // Where a delivery was refused, a good pull proves nothing: the probes go on getting slower.
                if !running.connection.ledge.write_denied() {
                    running.failures = 0;
                }
                running.not_before = None;
            }
            return None;
        }
        running.failures = running.failures.saturating_add(1);
        let wait = if verdict.denied {
            let minutes = 60_u64 << running.failures.saturating_sub(1).min(6);
            Duration::from_secs(minutes.min(SLOWEST_PROBE)).mul_f64(1.0 - 0.1 * chance)
        } else {
            outbox::backoff(running.failures, LONGEST_BACKOFF, chance)
                .max(verdict.retry_after.unwrap_or_default())
        };
        let until = Instant::now() + wait;
        running.not_before = Some(until);
        if verdict.denied {
            // The probe does not wait for a tick: it is due by itself, and ticks meanwhile fold into it.
            let stream = (key.clone(), Stream::Orders);
            self.driver.forget(&stream);
            self.driver.mark(&stream, until);
        }
        Some(until)
    }

    /// A person asks for stock to be pushed now: a release, a run to be taken back.
    fn push_stock_of(&mut self, merchants: &BTreeSet<String>) {
        let now = Instant::now();
        for (key, running) in &self.channels {
            if merchants.contains(&*key.merchant) && running.wiring.inventory.is_some() {
                self.driver.mark(&(key.clone(), Stream::Inventory), now);
            }
        }
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let ledger = &self.shared.ledger;
        let agenda = ledger.agenda().next().map(|due| {
            // At least a millisecond: a wall clock that stands must not make the loop spin.
            let wait = (due - ledger.clock().now()).to_std().unwrap_or_default();
            now + wait.max(Duration::from_millis(1))
        });
        let longest = now + UPKEEP;
        self.driver.next().into_iter().chain(agenda).fold(longest, Instant::min)
    }

    /// A scheduler that went silent (a wall clock set back does that) must not stop the polling.
    fn look_after(&mut self) {
        let now = Instant::now();
        let silent: Vec<Arc<str>> = self
            .watched
            .iter()
            .filter(|(_, watched)| now.duration_since(watched.last) > watched.period * 3 + UPKEEP)
            .map(|(text, _)| text.clone())
            .collect();
        for text in silent {
            tracing::error!(
                event = "schedule.silent",
                schedule = &*text,
                "no tick for three periods: is the clock right? its channels are polled all the same"
            );
            self.tick(&text);
        }
        // A restored channel is read back until it is whole: what failed is asked for again.
        for (key, running) in &self.channels {
            let ledge = &running.connection.ledge;
            if ledge.restored().is_some() && ledge.is_open() {
                self.driver.mark(&(key.clone(), Stream::Sweep), now);
            }
        }
    }

    /// Waits for what is in flight, for a while. What is cut off is found as begun, and looked at before it is
    /// done again.
    async fn drain(&mut self) {
        supervisor::stopping();
        self.shared.draining.cancel();
        let left = self.tasks.len();
        tracing::info!(event = "daemon.draining", left, "the daemon ends what is in flight");
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            let left = self.tasks.len();
            tracing::warn!(
                event = "daemon.cut_off",
                left,
                "not all in flight ended in time; the next start settles it"
            );
            self.tasks.shutdown().await;
        }
        tracing::info!(event = "daemon.stopped", "the daemon has ended");
    }

    fn index(&mut self, policies_zone: chrono_tz::Tz) {
        let now = Instant::now();
        let mut texts: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut watched = BTreeMap::new();
        self.by_text.clear();
        for (key, running) in &self.channels {
            let wiring = &running.wiring;
            let own = [
                (Some(&wiring.orders), Some(Stream::Orders)),
                (Some(&wiring.sweep), Some(Stream::Sweep)),
                (Some(&wiring.deliver), None),
                (wiring.products.as_ref(), Some(Stream::Products)),
                (wiring.inventory.as_ref(), Some(Stream::Inventory)),
            ];
            for (schedule, stream) in own {
                let Some(schedule) = schedule else { continue };
                if !texts.contains(&schedule.text) {
                    texts.insert(schedule.text.clone());
                    let last = self.watched.get(&schedule.text).map_or(now, |watched| watched.last);
                    watched.insert(schedule.text.clone(), Watched { period: schedule.period, last });
                }
                if let Some(stream) = stream {
                    self.by_text.entry(schedule.text.clone()).or_default().push((key.clone(), stream));
                }
            }
        }
        self.watched = watched;
        let schedules = Schedules { zone: policies_zone, texts };
        self.schedules.send_if_modified(|known| {
            let news = *known != schedules;
            *known = schedules;
            news
        });
    }
}
