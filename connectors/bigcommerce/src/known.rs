//! What was read of the orders that the next pull will list again.
//!
//! The list has no lines: each order costs two or three requests more. Every pull reads the last minutes once more,
//! and nearly all of it is as it was. So an order is remembered by its whole entry in the list, bytes and all: the
//! same entry is the same order. Only *settled* orders are remembered, whose last change was over for a while when
//! their parts were read: a stamp has whole seconds, and a second change within the same one would leave the entry as
//! it is.
//!
//! Memory is bounded: what no later pull can list is dropped when one begins, and so is the oldest of too much.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::TimeDelta;
use sdk::{Order, Timestamp, clock::stable_hash};

/// Lines of all remembered orders together: a few megabytes at most.
const MOST_LINES: usize = 4_000;

/// How long after its last change an order counts as settled. Beyond the stamp's second it allows for clocks inside
/// the store that disagree.
const SETTLED: TimeDelta = TimeDelta::seconds(10);

/// The remembered orders of one store.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    orders: BTreeMap<u64, Remembered>,
    lines: usize,
}

#[derive(Debug)]
struct Remembered {
    entry: u64,
    updated: Timestamp,
    order: Order,
}

impl Remembered {
    fn weight(&self) -> usize {
        1 + self.order.lines.len() + self.order.fulfillments.len()
    }
}

impl Known {
    /// The order, if its entry in the list is still the same.
    pub(crate) fn unchanged(&self, id: u64, entry: &str) -> Option<Order> {
        let memory = self.lock();
        memory
            .orders
            .get(&id)
            .filter(|known| known.entry == stable_hash(entry))
            .map(|known| known.order.clone())
    }

    /// Whether anything is remembered of the order.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.lock().orders.contains_key(&id)
    }

    /// Remembers an order whose parts were read after `asked`, by the store's clock.
    pub(crate) fn remember(&self, id: u64, entry: &str, order: &Order, asked: Timestamp) {
        self.forget(id);
        let Some(updated) = order.updated_at.filter(|updated| *updated + SETTLED <= asked) else { return };
        let known = Remembered { entry: stable_hash(entry), updated, order: order.clone() };
        let mut memory = self.lock();
        memory.lines += known.weight();
        memory.orders.insert(id, known);
        while memory.lines > MOST_LINES {
            let oldest = memory.orders.iter().min_by_key(|(_, known)| known.updated).map(|(id, _)| *id);
            let Some(oldest) = oldest else { return };
            memory.forget(oldest);
        }
    }

    /// Forgets one order.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().forget(id);
    }

    /// Forgets what changed last before `since`: no later pull lists it while it stays as it is.
    pub(crate) fn forget_before(&self, since: Timestamp) {
        let mut memory = self.lock();
        memory.orders.retain(|_, known| known.updated >= since);
        memory.lines = memory.orders.values().map(Remembered::weight).sum();
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // Nothing in here panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn forget(&mut self, id: u64) {
        if let Some(known) = self.orders.remove(&id) {
            self.lines = self.lines.saturating_sub(known.weight());
        }
    }
}
