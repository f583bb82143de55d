//! Which stream runs when: the due-queue, the guard against overlap, and the bounds. Pure: time is an argument.
//!
//! A stream that is not due costs nothing here. A slot that comes while the stream is still running is remembered
//! once and run when it ends, however many slots came. Merchants take turns, so one with much to do does not hold
//! up the others.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// One connected shop of a merchant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey {
    /// Merchant id.
    pub merchant: Arc<str>,
    /// Channel id.
    pub channel: Arc<str>,
}

impl ChannelKey {
    /// A key of these ids.
    pub fn new(merchant: &str, channel: &str) -> Self {
        Self { merchant: merchant.into(), channel: channel.into() }
    }
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.merchant, self.channel)
    }
}

/// What is read from a channel, or brought to it, on a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Changed orders.
    Orders,
    /// The full look at what is open here.
    Sweep,
    /// The catalogue.
    Products,
    /// Stock, after a pull of the orders.
    Inventory,
}

impl Stream {
    /// As logs and the spread's hash write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Sweep => "sweep",
            Self::Products => "products",
            Self::Inventory => "inventory",
        }
    }
}

/// A stream of a channel.
pub type StreamKey = (ChannelKey, Stream);

/// A stream's own offset within its period: the same at every start, below `min(period, 10 minutes)`, so that the
/// channels of one schedule do not all poll at once.
pub fn spread(key: &StreamKey, period: Duration) -> Duration {
    const WIDEST: Duration = Duration::from_secs(600);
    let window = period.min(WIDEST).as_millis() as u64;
    let name = format!("{}/{}", key.0, key.1.as_str());
    // FNV's low bits alone repeat for names that differ in their last letter: fold the high ones in.
    let hash = sdk::clock::stable_hash(&name);
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    Duration::from_millis(mixed.checked_rem(window).unwrap_or(0))
}

/// Work that waits for its turn: bounded in all and per merchant, merchants in rotation.
#[derive(Debug)]
pub struct Lanes<T> {
    bound: usize,
    per_merchant: usize,
    running: usize,
    lanes: HashMap<Arc<str>, Lane<T>>,
    /// Merchants with something to start, each at most once.
    ready: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<T>,
    running: usize,
    listed: bool,
}

impl<T> Lanes<T> {
    /// Lanes that run at most `bound` pieces of work at once, `per_merchant` of them for one merchant (each at
    /// least one).
    pub fn new(bound: usize, per_merchant: usize) -> Self {
        Self {
            bound: bound.max(1),
            per_merchant: per_merchant.max(1),
            running: 0,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Puts a piece of work at the end of its merchant's lane.
    pub fn push(&mut self, merchant: &Arc<str>, item: T) {
        let lane = self.lanes.entry(merchant.clone()).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            running: 0,
            listed: false,
        });
        lane.waiting.push_back(item);
        if !lane.listed && lane.running < self.per_merchant {
            lane.listed = true;
            self.ready.push_back(merchant.clone());
        }
    }

    /// The next piece of work that may start; it counts as running until [`Lanes::done`].
    pub fn pop(&mut self) -> Option<T> {
        if self.running >= self.bound {
            return None;
        }
        let merchant = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&merchant)?;
        lane.listed = false;
        let item = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        if !lane.waiting.is_empty() && lane.running < self.per_merchant {
            lane.listed = true;
            self.ready.push_back(merchant);
        }
        Some(item)
    }

    /// A piece of this merchant's work ended.
    pub fn done(&mut self, merchant: &Arc<str>) {
        let Some(lane) = self.lanes.get_mut(merchant) else { return };
        self.running = self.running.saturating_sub(1);
        lane.running = lane.running.saturating_sub(1);
        if lane.waiting.is_empty() {
            if lane.running == 0 {
                self.lanes.remove(merchant);
            }
        } else if !lane.listed {
            lane.listed = true;
            self.ready.push_back(merchant.clone());
        }
    }

    /// How many run now.
    pub fn running(&self) -> usize {
        self.running
    }
}

/// Where a stream that is not idle stands.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waits for its time.
    Due(Instant),
    /// Waits for a free place.
    Queued,
    /// Runs; `again`: a slot came meanwhile.
    Running { again: Option<Instant> },
}

/// The due-queue of all streams.
#[derive(Debug)]
pub struct Driver {
    phases: HashMap<StreamKey, Phase>,
    due: BTreeSet<(Instant, StreamKey)>,
    pulls: Lanes<StreamKey>,
    /// Of their own, so that a night's sweeps do not hold up the pulls.
    sweeps: Lanes<StreamKey>,
    /// Catalogues and stock: of their own likewise.
    stocks: Lanes<StreamKey>,
}

impl Driver {
    /// A queue that runs at most `pulls` pulls at once, and beside them a quarter as many sweeps and half as many
    /// catalogues and pushes of stock.
    pub fn new(pulls: usize, per_merchant: usize) -> Self {
        Self {
            phases: HashMap::new(),
            due: BTreeSet::new(),
            pulls: Lanes::new(pulls, per_merchant),
            sweeps: Lanes::new(pulls / 4, per_merchant),
            stocks: Lanes::new(pulls / 2, per_merchant),
        }
    }

    /// Marks a stream due at `at`. If it is due already, the earlier time counts; if it runs, it runs once more.
    pub fn mark(&mut self, key: &StreamKey, at: Instant) {
        match self.phases.get_mut(key) {
            None => {
                self.phases.insert(key.clone(), Phase::Due(at));
                self.due.insert((at, key.clone()));
            }
            Some(Phase::Due(known)) => {
                if at < *known {
                    self.due.remove(&(*known, key.clone()));
                    *known = at;
                    self.due.insert((at, key.clone()));
                }
            }
            Some(Phase::Queued) => {}
            Some(Phase::Running { again }) => *again = Some(again.map_or(at, |known| known.min(at))),
        }
    }

    /// The next stream that may start at `now`; it counts as running until [`Driver::done`].
    pub fn start(&mut self, now: Instant) -> Option<StreamKey> {
        while let Some((at, _)) = self.due.first()
            && *at <= now
        {
            let Some((_, key)) = self.due.pop_first() else { break };
            self.phases.insert(key.clone(), Phase::Queued);
            let merchant = key.0.merchant.clone();
            self.lanes(key.1).push(&merchant, key);
        }
        let key = self.pulls.pop().or_else(|| self.stocks.pop()).or_else(|| self.sweeps.pop())?;
        self.phases.insert(key.clone(), Phase::Running { again: None });
        Some(key)
    }

    /// A stream's run ended. `not_before`: it must not run again sooner, whatever slot came meanwhile.
    pub fn done(&mut self, key: &StreamKey, not_before: Option<Instant>) {
        self.lanes(key.1).done(&key.0.merchant);
        if let Some(Phase::Running { again: Some(at) }) = self.phases.remove(key) {
            self.mark(key, not_before.map_or(at, |bound| bound.max(at)));
        }
    }

    /// Forgets a stream that waits for its time (one that is queued or runs ends by itself).
    pub fn forget(&mut self, key: &StreamKey) {
        match self.phases.get_mut(key) {
            Some(Phase::Due(at)) => {
                self.due.remove(&(*at, key.clone()));
                self.phases.remove(key);
            }
            Some(Phase::Running { again }) => *again = None,
            Some(Phase::Queued) | None => {}
        }
    }

    /// When the next stream is due. Those that wait for a free place are started as others end.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many streams run now.
    pub fn running(&self) -> usize {
        self.pulls.running() + self.sweeps.running() + self.stocks.running()
    }

    fn lanes(&mut self, stream: Stream) -> &mut Lanes<StreamKey> {
        match stream {
            Stream::Orders => &mut self.pulls,
            Stream::Sweep => &mut self.sweeps,
            Stream::Products | Stream::Inventory => &mut self.stocks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(merchant: &str, channel: &str) -> StreamKey {
        (ChannelKey::new(merchant, channel), Stream::Orders)
    }

    fn second(now: Instant, secs: u64) -> Instant {
        now + Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_never_overlaps_itself_and_late_slots_coalesce_into_one() {
        let now = Instant::now();
        let mut driver = Driver::new(8, 8);
        let stream = key("m", "c");
        driver.mark(&stream, now);
        assert_eq!(driver.start(now), Some(stream.clone()));
        for late in 1..=3 {
            driver.mark(&stream, second(now, late));
            assert_eq!(driver.start(second(now, late)), None, "it runs still");
        }
        driver.done(&stream, None);
        assert_eq!(driver.start(second(now, 4)), Some(stream.clone()), "the late slots, once");
        driver.done(&stream, None);
        assert_eq!(driver.start(second(now, 9)), None);
        assert_eq!(driver.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn bounds_hold_in_all_and_per_merchant_and_merchants_take_turns() {
        let now = Instant::now();
        let mut driver = Driver::new(3, 2);
        for channel in 0..6 {
            driver.mark(&key("big", &channel.to_string()), now);
        }
        driver.mark(&key("small", "only"), now);
        let started: Vec<_> = std::iter::from_fn(|| driver.start(now)).collect();
        assert_eq!(started.len(), 3, "the bound in all");
        assert!(started.contains(&key("small", "only")), "it does not wait behind the big one");
        assert_eq!(started.iter().filter(|(channel, _)| &*channel.merchant == "big").count(), 2);
        driver.done(&key("small", "only"), None);
        assert_eq!(driver.start(now), None, "the bound per merchant");
        driver.done(&key("big", "0"), None);
        assert!(driver.start(now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn sweeps_leave_the_pulls_their_places() {
        let now = Instant::now();
        let mut driver = Driver::new(4, 4);
        for n in 0..10 {
            driver.mark(&(ChannelKey::new(&n.to_string(), "c"), Stream::Sweep), now);
        }
        assert_eq!(std::iter::from_fn(|| driver.start(now)).count(), 1);
        driver.mark(&key("m", "c"), now);
        assert_eq!(driver.start(now), Some(key("m", "c")));
    }

    #[tokio::test(start_paused = true)]
    async fn stock_leaves_pulls_and_sweeps_their_places() {
        let now = Instant::now();
        let mut driver = Driver::new(4, 4);
        for n in 0..10 {
            driver.mark(&(ChannelKey::new(&n.to_string(), "c"), Stream::Inventory), now);
        }
        assert_eq!(std::iter::from_fn(|| driver.start(now)).count(), 2);
        driver.mark(&(ChannelKey::new("m", "c"), Stream::Sweep), now);
        driver.mark(&key("m", "c"), now);
        let started: Vec<_> = std::iter::from_fn(|| driver.start(now)).map(|(_, stream)| stream).collect();
        assert_eq!(started, [Stream::Orders, Stream::Sweep]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_due_times_counts_and_a_bound_delays_the_rerun() {
        let now = Instant::now();
        let mut driver = Driver::new(1, 1);
        let stream = key("m", "c");
        driver.mark(&stream, second(now, 60));
        driver.mark(&stream, second(now, 10));
        driver.mark(&stream, second(now, 30));
        assert_eq!(driver.next(), Some(second(now, 10)));
        assert_eq!(driver.start(second(now, 10)), Some(stream.clone()));
        driver.mark(&stream, second(now, 11));
        driver.done(&stream, Some(second(now, 100)));
        assert_eq!(driver.next(), Some(second(now, 100)));
        driver.forget(&stream);
        assert_eq!(driver.next(), None);
    }

    #[test]
    fn the_spread_is_stable_within_the_period_and_even() {
        let period = Duration::from_secs(300);
        let offsets: Vec<_> =
            (0..10_000).map(|n| spread(&key(&format!("merchant-{n}"), "shop"), period)).collect();
        assert!(offsets.iter().all(|offset| *offset < period));
        assert_eq!(offsets[7], spread(&key("merchant-7", "shop"), period));
        let mut tenths = [0_usize; 10];
        for offset in &offsets {
            tenths[(offset.as_secs() / 30) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
        let daily: Vec<_> =
            (0..500).map(|n| spread(&key(&format!("m{n}"), "c"), Duration::from_secs(86_400))).collect();
        assert!(daily.iter().all(|offset| *offset < Duration::from_secs(600)));
        assert!(daily.iter().any(|offset| *offset > Duration::from_secs(300)));
        assert_eq!(spread(&key("m", "c"), Duration::ZERO), Duration::ZERO);
    }
}
