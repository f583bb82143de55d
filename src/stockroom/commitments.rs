//! Units that open orders hold, by SKU: derived from the records, kept in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    plan::stock::held,
    record::{Record, RecordId},
};

/// So many records that hold nothing any more are remembered with their version: two committers may tell in the other
/// order, and the older word must not bring units back.
const REMEMBERED: usize = 4096;

/// Committed units of all open orders.
#[derive(Debug, Default)]
pub struct Commitments(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: HashMap<RecordId, Entry>,
    totals: HashMap<String, u64>,
    /// Records that hold nothing, oldest first.
    empty: VecDeque<RecordId>,
    /// Every active record was read once: from now on not all that hold nothing need be remembered.
    whole: bool,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    held: Vec<(String, u64)>,
}

impl Commitments {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change below is complete before the guard is dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a record as it was committed, or as it was read. An older version than the known one is ignored.
    pub fn update(&self, record: &Record) {
        let held: Vec<(String, u64)> = held(record).into_iter().collect();
        let mut inner = self.lock();
        let Inner { records, totals, empty, .. } = &mut *inner;
        let known = records.get(&record.id);
        if known.is_some_and(|known| record.version < known.version) {
            return;
        }
        let before = known.map_or(&[][..], |known| &known.held);
        if known.is_none() && held.is_empty() && record.version <= 1 {
            // Most of a merchant's orders: never ours, and nothing older can come.
            return;
        }
        for (sku, units) in before {
            if let Some(total) = totals.get_mut(sku) {
                *total -= units;
                if *total == 0 {
                    totals.remove(sku);
                }
            }
        }
        for (sku, units) in &held {
            *totals.entry(sku.clone()).or_default() += units;
        }
        if held.is_empty() {
            empty.push_back(record.id.clone());
        }
        records.insert(record.id.clone(), Entry { version: record.version, held });
        inner.forget();
    }

    /// Every active record was read.
    pub(super) fn whole(&self) {
        let mut inner = self.lock();
        inner.whole = true;
        inner.forget();
    }

    /// Units of these SKUs; those of which none are held are left out.
    pub fn of(&self, skus: &BTreeSet<String>) -> BTreeMap<String, u64> {
        let inner = self.lock();
        skus.iter().filter_map(|sku| Some((sku.clone(), *inner.totals.get(sku)?))).collect()
    }
}

impl Inner {
    fn forget(&mut self) {
        while self.whole && self.empty.len() > REMEMBERED {
            let Some(oldest) = self.empty.pop_front() else { break };
            if self.records.get(&oldest).is_some_and(|entry| entry.held.is_empty()) {
                self.records.remove(&oldest);
            }
        }
    }
}
