//! Which records want attention without being asked, and when: derived from the records, kept in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use sdk::Timestamp;
use tokio::sync::Notify;

use crate::record::{Record, RecordId};

/// Due times of all active records.
#[derive(Debug, Default)]
pub struct Agenda {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    due: BTreeSet<(Timestamp, RecordId)>,
    /// Every active record; `None`: nothing by itself, but the sweep asks for it.
    active: BTreeMap<RecordId, Option<Timestamp>>,
}

impl Agenda {
    /// Takes note of a record as it was committed.
    pub fn update(&self, record: &Record) {
        if record.is_active() {
            self.set(&record.id, record.next_wake());
        } else {
            self.remove(&record.id);
        }
    }

    /// Sets a record's due time (`None`: active, but nothing by itself).
    pub fn set(&self, id: &RecordId, due: Option<Timestamp>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(old)) = inner.active.insert(id.clone(), due) {
            inner.due.remove(&(old, id.clone()));
        }
        if let Some(due) = due {
            inner.due.insert((due, id.clone()));
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Forgets a record.
    pub fn remove(&self, id: &RecordId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(old)) = inner.active.remove(id) {
            inner.due.remove(&(old, id.clone()));
        }
    }

    /// The records due at `now`, earliest first.
    pub fn due(&self, now: Timestamp) -> Vec<RecordId> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| id.clone()).collect()
    }

    /// When the next record is due.
    pub fn next(&self) -> Option<Timestamp> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.due.first().map(|(due, _)| *due)
    }

    /// The active records of a channel: what its sweep asks for.
    pub fn active_of(&self, merchant: &str, channel: &str) -> Vec<RecordId> {
        let prefix = format!("{merchant}.{channel}.");
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .active
            .range(RecordId(prefix.clone())..)
            .take_while(|(id, _)| id.0.starts_with(&prefix))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// How many records are active.
    pub fn len(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).active.len()
    }

    /// Whether no record is active.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves when some due time was set since the last call: the sleeper looks again.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}
