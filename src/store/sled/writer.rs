//! The one thread that writes: it groups what is waiting, compares, applies one batch, flushes, syncs, and only then
//! answers.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Disk, Options};
use crate::store::{StoreError, group::Group, layout, prepare::Prepared};

/// A commit on its way to the disk.
pub(super) struct Request {
    pub(super) commit: Prepared,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
    /// Counts as waiting until the writer has answered, or until it is given up before it was queued.
    pub(super) waiting: Waiting,
}

/// The writer's loop: ends when every sender is gone, and then marks the store as closed well.
pub(super) fn run(disk: &Disk, options: &Options, mut queue: mpsc::Receiver<Request>) {
    let mut next = None;
    while let Some(first) = next.take().or_else(|| queue.blocking_recv()) {
        let mut weight = first.commit.weight();
        let mut group = vec![first];
        while group.len() < options.group_requests
            && weight < options.group_records
            && let Ok(more) = queue.try_recv()
        {
            weight += more.commit.weight();
            if weight > options.group_records {
                next = Some(more);
                break;
            }
            group.push(more);
        }
        write(disk, group);
    }
    if disk.status.broken().is_none() && disk.status.corrupt().is_empty() {
        // Without the mark the next start looks at everything, which is right if this fails.
        if let Err(error) = attempt(disk, || disk.mark_clean()) {
            tracing::warn!(event = "store.unclean", %error, "The store could not be marked as closed well.");
        }
    }
}

fn write(disk: &Disk, group: Vec<Request>) {
    let mut answers = Vec::with_capacity(group.len());
    let written = attempt(disk, || {
        if let Some(why) = disk.status.broken() {
            return Err(StoreError::Failed(why));
        }
        let mut batch = Group::new(disk);
        for Request { commit, done, waiting } in group {
            let records = commit.guarded.len();
            let added = batch.add(commit);
            let broken = match &added {
                Err(StoreError::Failed(why)) => Some(why.clone()),
                _ => None,
            };
            answers.push((added, records, done, waiting));
            // The disk could not be read: that is no commit's own fault, and nothing of the group is written.
            if let Some(why) = broken {
                return Err(StoreError::Failed(why));
            }
        }
        disk.apply(batch.into_batch())
    });
    // What a panic kept from the list above was dropped with its sender, which answers `Failed` as well.
    let mut answered = Vec::with_capacity(answers.len());
    let (mut commits, mut values) = (0, 0);
    for (added, records, done, waiting) in answers {
        let answer = match &written {
            Err(StoreError::Failed(why)) => Err(StoreError::Failed(why.clone())),
            Err(error) => Err(StoreError::Failed(error.to_string())),
            Ok(()) => added,
        };
        if answer.is_ok() {
            commits += 1;
            values += records as u64;
        }
        drop(waiting);
        answered.push((answer, done));
    }
    // Counted first: who has an answer finds it counted.
    disk.status.count(commits, values);
    for (answer, done) in answered {
        // A caller that has gone away does not undo its commit.
        let _ = done.send(answer);
    }
}

/// Runs a piece of the writer's work. sled may panic on a bad page: that, and any failure of its own, breaks the
/// store for good.
fn attempt(disk: &Disk, work: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Failed("sled panicked while writing".to_owned())));
    if let Err(error) = &result {
        disk.status.fail(error);
    }
    result
}

/// What the writer and the readers tell the watchdog.
#[derive(Debug, Default)]
pub(super) struct Status(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// When each commit that is not yet answered began to wait, oldest first.
    waiting: BTreeMap<u64, Instant>,
    broken: Option<String>,
    corrupt: BTreeMap<String, String>,
    commits: u64,
    records: u64,
}

impl Status {
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        let mut inner = self.lock();
        let n = inner.next;
        inner.next += 1;
        inner.waiting.insert(n, Instant::now());
        Waiting { status: Arc::clone(self), n }
    }

    /// How long the oldest commit has been waiting, and how many wait.
    pub(super) fn waits(&self, now: Instant) -> (Option<Duration>, usize) {
        let inner = self.lock();
        let oldest = inner.waiting.values().next();
        (oldest.map(|since| now.saturating_duration_since(*since)), inner.waiting.len())
    }

    /// Marks the store as broken; the first reason stays.
    pub(super) fn fail(&self, error: &StoreError) {
        let mut inner = self.lock();
        if inner.broken.is_none() {
            tracing::error!(event = "store.failed", %error, "The store failed; the daemon must be restarted.");
            inner.broken = Some(match error {
                StoreError::Failed(why) => why.clone(),
                other => other.to_string(),
            });
        }
    }

    pub(super) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Takes note of a value that cannot be read; said in the log once a key.
    pub(super) fn skip(&self, error: StoreError) {
        let StoreError::Corrupt { key, why } = &error else { return };
        if self.lock().corrupt.insert(key.clone(), why.clone()).is_none() {
            crate::store::report(error);
        }
    }

    pub(super) fn corrupt(&self) -> Vec<String> {
        self.lock().corrupt.keys().cloned().collect()
    }

    fn count(&self, commits: u64, records: u64) {
        let mut inner = self.lock();
        inner.commits += commits;
        inner.records += records;
    }

    /// Commits acknowledged since the start, and the guarded values in them.
    pub(super) fn counted(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.commits, inner.records)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit that waits, until it is dropped.
pub(super) struct Waiting {
    status: Arc<Status>,
    n: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.status.lock().waiting.remove(&self.n);
    }
}

impl Disk {
    /// Writes the mark of a good end, durably.
    fn mark_clean(&self) -> Result<(), StoreError> {
        self.apply(vec![(layout::CLEAN.to_vec(), Some(Vec::new()))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_commit_that_waits_is_seen_until_it_is_answered() {
        let status = Arc::new(Status::default());
        let first = status.wait();
        let second = status.wait();
        let later = Instant::now() + Duration::from_secs(40);
        let (oldest, waiting) = status.waits(later);
        assert!(oldest.is_some_and(|wait| wait >= Duration::from_secs(39)));
        assert_eq!(waiting, 2);
        drop(first);
        assert_eq!(status.waits(later).1, 1);
        drop(second);
        assert_eq!(status.waits(later), (None, 0));
    }

    #[test]
    fn the_first_failure_stays() {
        let status = Status::default();
        assert_eq!(status.broken(), None);
        status.fail(&StoreError::Failed("disk full".to_owned()));
        status.fail(&StoreError::Failed("something else".to_owned()));
        assert_eq!(status.broken().as_deref(), Some("disk full"));
    }
}
