//! Which records want attention without being asked, and when: derived from the records, kept in memory.
//!
//! A record that is being worked on is *taken*: it is not handed out again until it is put back, so the writes of
//! one order go one at a time. What is committed meanwhile is noted and counts from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
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
    /// Every active record, and any that is taken.
    entries: BTreeMap<RecordId, Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The version that said so; 0 where it is not known.
    version: u64,
    /// When it wants attention; `None`: nothing by itself, but the sweep asks for it.
    due: Option<Timestamp>,
    /// Under which time it stands in `due`: later than its own where it was put off.
    queued: Option<Timestamp>,
    /// Being worked on.
    taken: bool,
    /// No longer active; kept only until it is put back.
    gone: bool,
}

impl Inner {
    /// Whether a version after this one was noted.
    fn is_newer(&self, id: &RecordId, version: u64) -> bool {
        self.entries.get(id).is_some_and(|known| version < known.version)
    }

    fn forget(&mut self, id: &RecordId) {
        self.queue(id, None);
        match self.entries.get_mut(id) {
            Some(entry) if entry.taken => (entry.due, entry.gone) = (None, true),
            Some(_) => _ = self.entries.remove(id),
            None => {}
        }
    }

    fn queue(&mut self, id: &RecordId, at: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some(old) = entry.queued.take() {
            self.due.remove(&(old, id.clone()));
        }
        if entry.taken || entry.gone {
            return;
        }
        entry.queued = at;
        if let Some(at) = at {
            self.due.insert((at, id.clone()));
        }
    }
}

impl Agenda {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change below is complete before the guard is dropped: a poisoned map is still a whole one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a record as it was committed. An older version than the one noted is ignored: two committers
    /// may tell in the other order.
    pub fn update(&self, record: &Record) {
        if record.is_active() {
            self.note(&record.id, record.version, record.next_wake());
        } else {
            let mut inner = self.lock();
            if !inner.is_newer(&record.id, record.version) {
                inner.forget(&record.id);
            }
        }
    }

    /// Sets a record's due time (`None`: active, but nothing by itself).
    pub fn set(&self, id: &RecordId, due: Option<Timestamp>) {
        self.note(id, 0, due);
    }

    fn note(&self, id: &RecordId, version: u64, due: Option<Timestamp>) {
        let mut inner = self.lock();
        let entry = inner.entries.entry(id.clone()).or_default();
        if version > 0 && version < entry.version {
            return;
        }
        (entry.version, entry.due, entry.gone) = (version.max(entry.version), due, false);
        inner.queue(id, due);
        drop(inner);
        if due.is_some() {
            self.changed.notify_one();
        }
    }

    /// Forgets a record.
    pub fn remove(&self, id: &RecordId) {
        self.lock().forget(id);
    }

    /// The records due at `now` and not taken, earliest first.
    pub fn due(&self, now: Timestamp) -> Vec<RecordId> {
        self.lock().due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| id.clone()).collect()
    }

    /// Takes every record due at `now`, earliest first: each one stays with the caller until [`Agenda::put_back`].
    pub fn take(&self, now: Timestamp) -> Vec<RecordId> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        while let Some((due, _)) = inner.due.first()
            && *due <= now
        {
            let Some((_, id)) = inner.due.pop_first() else { break };
            if let Some(entry) = inner.entries.get_mut(&id) {
                (entry.taken, entry.queued) = (true, None);
            }
            taken.push(id);
        }
        taken
    }

    /// Gives a taken record back. It is due again at its own time. One whose time has come already though nothing
    /// could be done about it says so with `stuck`, (now, the next look), and is put off until then.
    pub fn put_back(&self, id: &RecordId, stuck: Option<(Timestamp, Timestamp)>) {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(id) else { return };
        entry.taken = false;
        if entry.gone {
            inner.entries.remove(id);
            return;
        }
        let at = entry.due.map(|due| match stuck {
            Some((now, look)) if due <= now => look,
            _ => due,
        });
        inner.queue(id, at);
        drop(inner);
        if at.is_some() {
            self.changed.notify_one();
        }
    }

    /// Ends every putting-off of a channel's records: the channel is well again.
    pub fn recall(&self, merchant: &str, channel: &str) {
        for id in self.active_of(merchant, channel) {
            let mut inner = self.lock();
            let due = inner.entries.get(&id).and_then(|entry| entry.due);
            inner.queue(&id, due);
        }
        self.changed.notify_one();
    }

    /// When the next record is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.lock().due.first().map(|(due, _)| *due)
    }

    /// The active records of a channel: what its sweep asks for.
    pub fn active_of(&self, merchant: &str, channel: &str) -> Vec<RecordId> {
        let prefix = format!("{merchant}.{channel}.");
        self.lock()
            .entries
            .range(RecordId(prefix.clone())..)
            .take_while(|(id, _)| id.0.starts_with(&prefix))
            .filter(|(_, entry)| !entry.gone)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// How many records are active.
    pub fn len(&self) -> usize {
        self.lock().entries.values().filter(|entry| !entry.gone).count()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + secs, 0).unwrap()
    }

    fn id(text: &str) -> RecordId {
        RecordId(text.to_owned())
    }

    #[test]
    fn a_taken_record_is_not_handed_out_again_until_it_is_back() {
        let agenda = Agenda::default();
        agenda.set(&id("m.c.1"), Some(at(0)));
        assert_eq!(agenda.take(at(1)), [id("m.c.1")]);
        agenda.set(&id("m.c.1"), Some(at(1)));
        assert!(agenda.take(at(2)).is_empty(), "it is with its first taker");
        agenda.put_back(&id("m.c.1"), None);
        assert_eq!(agenda.take(at(2)), [id("m.c.1")]);
    }

    #[test]
    fn a_record_put_off_waits_until_it_is_recalled_or_its_time_comes() {
        let agenda = Agenda::default();
        agenda.set(&id("m.c.1"), Some(at(0)));
        agenda.take(at(0));
        agenda.put_back(&id("m.c.1"), Some((at(1), at(60))));
        assert!(agenda.take(at(59)).is_empty());
        agenda.recall("m", "c");
        assert_eq!(agenda.take(at(1)), [id("m.c.1")]);
        agenda.set(&id("m.c.1"), Some(at(10)));
        agenda.put_back(&id("m.c.1"), Some((at(1), at(60))));
        assert_eq!(agenda.next(), Some(at(10)), "a time of its own that is still to come stands");
    }

    #[test]
    fn a_record_that_ends_while_it_is_taken_is_forgotten_when_it_comes_back() {
        let agenda = Agenda::default();
        agenda.set(&id("m.c.1"), Some(at(0)));
        agenda.take(at(0));
        agenda.remove(&id("m.c.1"));
        assert!(agenda.is_empty());
        agenda.put_back(&id("m.c.1"), None);
        assert_eq!(agenda.next(), None);
        assert!(agenda.active_of("m", "c").is_empty());
    }

    #[test]
    fn an_older_version_told_late_is_ignored() {
        let agenda = Agenda::default();
        agenda.note(&id("m.c.1"), 3, Some(at(30)));
        agenda.note(&id("m.c.1"), 2, Some(at(20)));
        assert_eq!(agenda.next(), Some(at(30)));
        assert!(agenda.lock().is_newer(&id("m.c.1"), 2));
    }
}
