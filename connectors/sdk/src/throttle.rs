//! One budget for all that we do on one remote account, obeying what the server says of it.
//!
//! A leaky bucket in the server's own unit (requests, or query points). Every channel and task of the account
//! shares it through an `Arc`. Who waits stands in a queue: deliveries before pulls, and else first come, first
//! served. Some of the bucket is left for others (a person in the shop's admin, other apps of the store).
//!
//! What cannot happen: waiting for ever (a cost above the capacity goes when the bucket is full and leaves a
//! debt), a pull starved by deliveries without end (after [`PATIENCE`] it stands with them), a place lost to a
//! dropped future (its waiter leaves the queue).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use crate::Priority;

/// The share of the capacity that pulls leave unspent: for deliveries, and for others on the same account.
pub const LEFT_BY_PULLS: f64 = 0.2;
/// The share of the capacity that deliveries leave unspent: for others on the same account.
pub const LEFT_BY_DELIVERIES: f64 = 0.05;
/// How long a pull lets deliveries pass before it stands in the same queue with them.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The longest pause that is obeyed at a stretch. A server that asks for more is asked again after it, so that
/// one absurd header cannot silence an account for ever.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The deepest debt that a server's figure is believed, as the time in which it is refilled.
pub const DEEPEST_DEBT: Duration = Duration::from_secs(600);

/// A leaky bucket that the server's own figures correct. Deliveries go before pulls; some is left for others.
#[derive(Debug)]
pub struct Throttle {
    state: Mutex<State>,
    /// Something changed that may let a waiter go sooner than it thought.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    capacity: f64,
    per_second: f64,
    /// As of `as_of`; below zero after a cost above the capacity.
    available: f64,
    /// `None` until the first use, so that a budget can be made before the runtime (and its clock) runs.
    as_of: Option<Instant>,
    paused_until: Option<Instant>,
    /// The cost of calls that were sent and not answered yet: the server's next figure may not know them.
    in_flight: f64,
    waiters: Vec<Waiter>,
    next_ticket: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: u64,
    cost: f64,
    priority: Priority,
    since: Instant,
}

impl Throttle {
    /// A full budget of `capacity` that refills by `per_second`, both in the server's unit. What is not a
    /// positive number is taken as the smallest useful budget, 1.
    pub fn new(capacity: f64, per_second: f64) -> Self {
        let capacity = positive(capacity).unwrap_or(1.0);
        let per_second = positive(per_second).unwrap_or(1.0);
        Self {
            state: Mutex::new(State {
                capacity,
                per_second,
                available: capacity,
                as_of: None,
                paused_until: None,
                in_flight: 0.0,
                waiters: Vec::new(),
                next_ticket: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits until `cost` can be paid, deliveries first, and takes it. Dropping the future takes nothing.
    pub async fn acquire(&self, cost: f64, priority: Priority) {
        let place = Place { throttle: self, ticket: self.lock().enqueue(cost, priority, Instant::now()) };
        loop {
            // Made before the look: it then hears of a change between the look and the wait.
            let changed = self.changed.notified();
            let look_again = match self.lock().try_take(place.ticket, Instant::now()) {
                Ok(()) => break,
                Err(at) => at,
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(look_again) => {}
            }
        }
        // `place` is dropped here: it is no longer in the queue, and wakes the next.
    }

    /// As [`Throttle::acquire`], if it takes no longer than `longest`. `Err` is how long it would take as far as
    /// can be told now (never zero); nothing was taken then.
    pub async fn acquire_within(
        &self,
        cost: f64,
        priority: Priority,
        longest: Duration,
    ) -> Result<(), Duration> {
        let estimate = self.lock().estimate(cost, priority, Instant::now());
        if estimate > longest {
            return Err(estimate);
        }
        timeout(longest, self.acquire(cost, priority))
            .await
            .map_err(|_| self.lock().estimate(cost, priority, Instant::now()).max(Duration::from_millis(1)))
    }

    /// What the server says is available now, at most, and per second. Calls that it has not answered yet are
    /// taken off, since its figure may not know them. Figures that are no positive numbers change nothing
    /// (`available` may be zero or below, by [`DEEPEST_DEBT`] at most), nor does a bucket that would take longer than
    /// [`LONGEST_PAUSE`] to fill: one absurd answer must not silence an account, for no later one would be asked for.
    pub fn observe(&self, available: f64, capacity: f64, per_second: f64) {
        if !available.is_finite() {
            return;
        }
        let mut state = self.lock();
        state.refill(Instant::now());
        let capacity = positive(capacity).unwrap_or(state.capacity);
        let per_second = positive(per_second).unwrap_or(state.per_second);
        if capacity / per_second > LONGEST_PAUSE.as_secs_f64() {
            return;
        }
        state.capacity = capacity;
        state.per_second = per_second;
        state.available =
            (available - state.in_flight).clamp(-DEEPEST_DEBT.as_secs_f64() * per_second, capacity);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The server said no: nobody sends for that long (at most [`LONGEST_PAUSE`]). A shorter pause than the one
    /// that runs changes nothing.
    pub fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_PAUSE);
        let mut state = self.lock();
        state.paused_until = Some(state.paused_until.map_or(until, |now| now.max(until)));
    }

    /// How much of a pause is left; `None` when there is none.
    pub fn paused_for(&self) -> Option<Duration> {
        let left = self.lock().paused_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Gives back what was taken beyond the true cost. (After [`Throttle::observe`] there is nothing to give
    /// back: the server's figure knows the true cost.)
    pub fn refund(&self, cost: f64) {
        let Some(cost) = positive(cost) else { return };
        let mut state = self.lock();
        state.refill(Instant::now());
        state.available = (state.available + cost).min(state.capacity);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Marks `cost` as sent and not yet answered until the result is dropped.
    pub(crate) fn in_flight(&self, cost: f64) -> InFlight<'_> {
        let cost = positive(cost).unwrap_or(0.0);
        self.lock().in_flight += cost;
        InFlight { throttle: self, cost }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way; a poisoned budget is still a budget.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that the server has not answered yet.
pub(crate) struct InFlight<'t> {
    throttle: &'t Throttle,
    cost: f64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        state.in_flight = (state.in_flight - self.cost).max(0.0);
    }
}

/// A place in the queue, given up when the waiting future ends or is dropped.
struct Place<'t> {
    throttle: &'t Throttle,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.throttle.lock().waiters.retain(|waiter| waiter.ticket != self.ticket);
        self.throttle.changed.notify_waiters();
    }
}

impl State {
    fn enqueue(&mut self, cost: f64, priority: Priority, now: Instant) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiters.push(Waiter { ticket, cost: positive(cost).unwrap_or(0.0), priority, since: now });
        ticket
    }

    /// Takes the cost if it is this one's turn; else says when to look again.
    fn try_take(&mut self, ticket: u64, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        let head = self.waiters.iter().copied().min_by_key(|waiter| waiter.rank(now));
        let Some(head) = head else { return Ok(()) };
        let ready = self.ready(head.cost, head.priority, now);
        if ready > now {
            // Everyone looks again when the head may go: the head may be another by then.
            return Err(ready);
        }
        if head.ticket != ticket {
            // The head goes now and wakes the others; this is only the longest that one waits for that.
            return Err(now + Duration::from_secs(1));
        }
        self.available -= head.cost;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(*self.as_of.get_or_insert(now));
        self.available = (self.available + elapsed.as_secs_f64() * self.per_second).min(self.capacity);
        self.as_of = Some(now);
    }

    /// What the bucket must hold before this may go. A cost that never fits goes when the bucket is full.
    fn needed(&self, cost: f64, priority: Priority) -> f64 {
        let left = match priority {
            Priority::Pull => LEFT_BY_PULLS,
            Priority::Deliver => LEFT_BY_DELIVERIES,
        };
        (cost + left * self.capacity).min(self.capacity)
    }

    /// When the bucket will hold enough and no pause runs; `now` at the earliest.
    fn ready(&self, cost: f64, priority: Priority, now: Instant) -> Instant {
        let missing = self.needed(cost, priority) - self.available;
        // Rounding may leave a hair of the bucket missing for ever.
        let filled =
            if missing <= self.capacity * 1e-9 { now } else { now + seconds(missing / self.per_second) };
        self.paused_until.map_or(filled, |until| filled.max(until))
    }

    /// How long a newcomer would wait behind those that go before it.
    fn estimate(&mut self, cost: f64, priority: Priority, now: Instant) -> Duration {
        self.refill(now);
        let newcomer = Waiter { ticket: u64::MAX, cost, priority, since: now };
        let ahead: f64 = self
            .waiters
            .iter()
            .filter(|waiter| waiter.rank(now) < newcomer.rank(now))
            .map(|waiter| waiter.cost)
            .sum();
        let missing = self.needed(cost, priority) + ahead - self.available;
        let filled =
            if missing <= self.capacity * 1e-9 { Duration::ZERO } else { seconds(missing / self.per_second) };
        let paused = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        filled.max(paused)
    }
}

impl Waiter {
    /// The smallest goes first: deliveries and pulls that were passed over for long, then by arrival.
    fn rank(&self, now: Instant) -> (bool, u64) {
        let yields = self.priority == Priority::Pull && now.saturating_duration_since(self.since) < PATIENCE;
        (yields, self.ticket)
    }
}

fn positive(figure: f64) -> Option<f64> {
    (figure.is_finite() && figure > 0.0).then_some(figure)
}

/// Bounded, since a tiny rate makes a time that no `Instant` holds; who waits looks again then.
fn seconds(figure: f64) -> Duration {
    Duration::try_from_secs_f64(figure)
        .unwrap_or(LONGEST_PAUSE)
        .clamp(Duration::from_millis(1), LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use Priority::{Deliver, Pull};

    use super::*;

    fn secs(figure: u64) -> Duration {
        Duration::from_secs(figure)
    }

    async fn spend(throttle: &Throttle, cost: f64) {
        throttle.acquire(cost, Deliver).await;
    }

    /// Starts a waiter that writes its name when it has paid.
    async fn waiter(
        throttle: &Arc<Throttle>,
        log: &Arc<Mutex<Vec<&'static str>>>,
        name: &'static str,
        cost: f64,
        priority: Priority,
    ) -> tokio::task::JoinHandle<()> {
        let (throttle, log) = (Arc::clone(throttle), Arc::clone(log));
        let task = tokio::spawn(async move {
            throttle.acquire(cost, priority).await;
            log.lock().unwrap().push(name);
        });
        // On the tests' single thread this lets it take its place in the queue.
        tokio::task::yield_now().await;
        task
    }

    /// Found by spoilt answers: a figure of `i64::MIN` silenced the account for good.
    #[tokio::test(start_paused = true)]
    async fn absurd_figures_do_not_silence_the_account() {
        for (available, capacity, per_second) in [
            (-9.2e18, 1000.0, 50.0),
            (900.0, 1.8e19, 50.0),
            (0.0, 1000.0, 1e-300),
            (-1e300, 1e300, 1e-300),
            (f64::MAX, f64::MAX, f64::MAX),
        ] {
            let throttle = Throttle::new(1000.0, 50.0);
            throttle.observe(available, capacity, per_second);
            let start = Instant::now();
            spend(&throttle, 100.0).await;
            assert!(
                start.elapsed() < secs(700),
                "{available} {capacity} {per_second}: {:?}",
                start.elapsed()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_costs_no_time_and_an_empty_one_its_refill() {
        let throttle = Throttle::new(100.0, 10.0);
        let start = Instant::now();
        spend(&throttle, 95.0).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        spend(&throttle, 20.0).await;
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn deliveries_go_before_pulls_that_came_earlier_and_each_kind_in_turn() {
        let (throttle, log) = (Arc::new(Throttle::new(10.0, 1.0)), Arc::default());
        spend(&throttle, 9.5).await;
        let mut tasks = Vec::new();
        for (name, priority) in [("p1", Pull), ("d1", Deliver), ("p2", Pull), ("d2", Deliver)] {
            tasks.push(waiter(&throttle, &log, name, 1.0, priority).await);
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.lock().unwrap(), ["d1", "d2", "p1", "p2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn pulls_leave_a_fifth_that_deliveries_may_use() {
        let throttle = Throttle::new(100.0, 1.0);
        let start = Instant::now();
        throttle.acquire(80.0, Pull).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        throttle.acquire(15.0, Deliver).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        throttle.acquire(1.0, Pull).await;
        assert_eq!(start.elapsed().as_secs(), 16, "5 are there, 21 are needed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pull_is_not_starved_by_deliveries_without_end() {
        let (throttle, log) = (Arc::new(Throttle::new(10.0, 1.0)), Arc::default());
        spend(&throttle, 9.5).await;
        let pull = waiter(&throttle, &log, "pull", 1.0, Pull).await;
        let mut deliveries = Vec::new();
        for _ in 0..100 {
            deliveries.push(waiter(&throttle, &log, "delivery", 1.0, Deliver).await);
        }
        let start = Instant::now();
        pull.await.unwrap();
        assert!(start.elapsed() < PATIENCE + secs(5), "{:?}", start.elapsed());
        deliveries.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cost_above_the_capacity_goes_when_the_bucket_is_full_and_leaves_a_debt() {
        let throttle = Throttle::new(10.0, 1.0);
        spend(&throttle, 5.0).await;
        let start = Instant::now();
        throttle.acquire(25.0, Pull).await;
        assert_eq!(start.elapsed().as_secs(), 5);
        spend(&throttle, 1.0).await;
        assert_eq!(start.elapsed().as_secs(), 5 + 16, "15 of debt, 1 of cost, half of one left for others");
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_figures_win_less_what_it_cannot_know_yet() {
        let throttle = Throttle::new(100.0, 10.0);
        let start = Instant::now();
        let flight = throttle.in_flight(30.0);
        throttle.observe(50.0, 200.0, 20.0);
        // 20 of 200 are there: 10 are left for others, so 10 can be had at once.
        spend(&throttle, 10.0).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(flight);
        spend(&throttle, 20.0).await;
        assert_eq!(start.elapsed().as_secs(), 1);
        throttle.observe(f64::NAN, 1.0, 1.0);
        throttle.observe(200.0, 0.0, f64::INFINITY);
        spend(&throttle, 190.0).await;
        assert_eq!(start.elapsed().as_secs(), 1, "bad figures leave the good ones alone");
    }

    #[tokio::test(start_paused = true)]
    async fn good_news_wakes_those_who_wait() {
        let (throttle, log) = (Arc::new(Throttle::new(100.0, 0.05)), Arc::default());
        spend(&throttle, 95.0).await;
        let start = Instant::now();
        let first = waiter(&throttle, &log, "first", 10.0, Deliver).await;
        throttle.refund(10.0);
        first.await.unwrap();
        let second = waiter(&throttle, &log, "second", 10.0, Deliver).await;
        throttle.observe(100.0, 100.0, 0.05);
        second.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everyone_and_only_a_longer_one_counts() {
        let throttle = Throttle::new(100.0, 10.0);
        assert_eq!(throttle.paused_for(), None);
        throttle.pause(secs(30));
        throttle.pause(secs(3));
        assert_eq!(throttle.paused_for(), Some(secs(30)));
        let start = Instant::now();
        spend(&throttle, 1.0).await;
        assert_eq!(start.elapsed(), secs(30));
        assert_eq!(throttle.paused_for(), None);
        throttle.pause(Duration::MAX);
        assert_eq!(throttle.paused_for(), Some(LONGEST_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_begins_while_one_waits_is_obeyed() {
        let (throttle, log) = (Arc::new(Throttle::new(10.0, 1.0)), Arc::default());
        spend(&throttle, 9.5).await;
        let start = Instant::now();
        let task = waiter(&throttle, &log, "one", 1.0, Deliver).await;
        throttle.pause(secs(20));
        task.await.unwrap();
        assert_eq!(start.elapsed(), secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_waiter_takes_nothing_and_holds_up_nobody() {
        let (throttle, log) = (Arc::new(Throttle::new(10.0, 1.0)), Arc::default());
        spend(&throttle, 9.5).await;
        let large = waiter(&throttle, &log, "large", 9.0, Deliver).await;
        let start = Instant::now();
        let small = waiter(&throttle, &log, "small", 1.0, Deliver).await;
        large.abort();
        small.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 1);
        assert_eq!(*log.lock().unwrap(), ["small"]);
        assert!(throttle.lock().waiters.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_with_a_limit_says_at_once_that_it_would_be_longer() {
        let (throttle, log) = (Arc::new(Throttle::new(10.0, 1.0)), Arc::default());
        spend(&throttle, 9.5).await;
        let start = Instant::now();
        assert_eq!(throttle.acquire_within(5.0, Deliver, secs(10)).await, Ok(()));
        assert_eq!(start.elapsed().as_secs(), 5);
        let ahead = waiter(&throttle, &log, "ahead", 4.0, Deliver).await;
        let wait = throttle.acquire_within(4.0, Deliver, secs(5)).await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 5, "refused at once");
        assert_eq!(wait.as_secs(), 8, "4 for the one ahead, 4 for this one");
        ahead.abort();
        throttle.pause(secs(60));
        let wait = throttle.acquire_within(1.0, Pull, secs(10)).await.unwrap_err();
        assert!(wait > secs(55), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_turns_out_longer_than_its_limit_ends_there() {
        let throttle = Arc::new(Throttle::new(10.0, 1.0));
        spend(&throttle, 9.5).await;
        let start = Instant::now();
        let task = tokio::spawn({
            let throttle = Arc::clone(&throttle);
            async move { throttle.acquire_within(2.0, Deliver, secs(10)).await }
        });
        tokio::task::yield_now().await;
        throttle.pause(secs(100));
        let wait = task.await.unwrap().unwrap_err();
        assert_eq!((start.elapsed(), wait), (secs(10), secs(90)));
    }
}
