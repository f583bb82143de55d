//! A store in memory, for tests and the simulation. It keeps what the other keeps, byte for byte, so that it also
//! proves that records survive being written; it can fail on demand, and forget what was not flushed.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use sdk::{RemoteId, SecretString, Timestamp};
use tokio::sync::mpsc;

use super::{
    Aside, Changes, ChannelState, Page, Query, Store, StoreError,
    backup::{self, BackupError, Copied, Header, PART},
    group::Group,
    layout,
    prepare::Prepared,
    questions,
    space::{Batch, Space},
    stock,
    verify::{self, Report},
};
use crate::{
    record::{Event, Record, RecordId},
    stock::{Feed, FeedRow, Level, Listing, Moved, ProductFlag, Run, RunPart, Shown, StockState},
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    latency: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// What readers see.
    applied: Map,
    /// What a loss of power leaves.
    durable: Map,
    /// Applied and not yet durable, in order.
    unflushed: Vec<Batch>,
    failures: VecDeque<Option<Failure>>,
    counters: Counters,
    gone: bool,
}

/// How a commit is made to fail. The caller always gets [`StoreError::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is written.
    Before,
    /// It is written, durably; only the answer is lost.
    AnswerLost,
    /// It is written and readers see it, but a crash forgets it unless a later commit flushes it as well.
    NotFlushed,
}

/// What a store has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Commits refused because of a version.
    pub conflicts: u64,
    /// Commits made to fail.
    pub failed: u64,
}

impl MemoryStore {
    /// An empty store that answers at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every commit take this long (tokio's time, which tests can pause), half of it before others see it
    /// and half before it is durable.
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Makes the next commit fail; several calls make several commits fail, in their order. Empty commits and
    /// conflicts do not count.
    pub fn fail_next(&self, failure: Failure) {
        self.lock().failures.push_back(Some(failure));
    }

    /// Makes one commit fail after so many that go well.
    pub fn fail_after(&self, commits: usize, failure: Failure) {
        let failures = &mut self.lock().failures;
        failures.extend(std::iter::repeat_n(None, commits));
        failures.push_back(Some(failure));
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// The power fails: a new store with what was flushed, which is all that was acknowledged. This one answers
    /// [`StoreError::Failed`] from now on.
    pub fn crash(&self) -> Self {
        let mut state = self.lock();
        state.gone = true;
        self.reborn(state.durable.clone())
    }

    /// `kill -9`: a new store with everything that was written, acknowledged or not. This one answers
    /// [`StoreError::Failed`] from now on.
    pub fn kill(&self) -> Self {
        let mut state = self.lock();
        state.gone = true;
        self.reborn(state.applied.clone())
    }

    /// A new store with everything that is in this one now, as a backup has it. This one goes on.
    pub fn copy(&self) -> Self {
        let state = self.lock();
        self.reborn(state.applied.clone())
    }

    /// Spoils the stored bytes of a record, as a bad disk would. Answers whether there was one.
    pub fn damage(&self, id: &RecordId) -> bool {
        let key = Bytes::from(layout::record(id));
        let State { applied, durable, .. } = &mut *self.lock();
        let mut found = false;
        for map in [applied, durable] {
            if let Some(value) = map.0.get_mut(&key) {
                let mut bytes = value.to_vec();
                if let Some(last) = bytes.last_mut() {
                    *last ^= 0x01;
                }
                *value = bytes.into();
                found = true;
            }
        }
        found
    }

    fn reborn(&self, map: Map) -> Self {
        let state = State { applied: map.clone(), durable: map, ..State::default() };
        Self { state: Mutex::new(state), latency: self.latency }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, question: impl FnOnce(&Map) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let state = self.lock();
        state.alive()?;
        question(&state.applied)
    }

    async fn pause(&self) {
        if self.latency.is_zero() {
            // Others may run here, as they may while a disk writes.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.latency / 2).await;
        }
    }
}

impl State {
    fn alive(&self) -> Result<(), StoreError> {
        if self.gone { Err(StoreError::Failed("this store has crashed".to_owned())) } else { Ok(()) }
    }

    /// Compares and applies; answers how the commit is to fail afterwards.
    fn apply(&mut self, commit: Prepared) -> Result<Option<Failure>, StoreError> {
        self.alive()?;
        let mut group = Group::new(&self.applied);
        let added = group.add(commit);
        let batch = group.into_batch();
        if let Err(error) = added {
            self.counters.conflicts += u64::from(matches!(error, StoreError::Conflict(_)));
            return Err(error);
        }
        let failure = self.failures.pop_front().flatten();
        self.counters.failed += u64::from(failure.is_some());
        if failure == Some(Failure::Before) {
            return Err(StoreError::Failed("made to fail before anything was written".to_owned()));
        }
        self.applied.apply(&batch);
        self.unflushed.push(batch);
        Ok(failure)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.alive()?;
        for batch in self.unflushed.drain(..) {
            self.durable.apply(&batch);
        }
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.read(|map| questions::record(map, id))
    }

    async fn records(&self, ids: Vec<RecordId>) -> Result<Vec<Option<Record>>, StoreError> {
        self.read(|map| questions::records(map, &ids))
    }

    async fn list(&self, query: Query) -> Result<Page, StoreError> {
        self.read(|map| questions::list(map, &query, &mut super::report))
    }

    async fn old_events(&self, id: &RecordId) -> Result<Vec<Event>, StoreError> {
        self.read(|map| questions::old_events(map, id))
    }

    async fn agenda(&self) -> Result<Vec<(RecordId, Option<Timestamp>)>, StoreError> {
        self.read(|map| questions::agenda(map, &mut super::report))
    }

    async fn channels(&self) -> Result<BTreeMap<(String, String), ChannelState>, StoreError> {
        self.read(questions::channels)
    }

    async fn channel(&self, merchant: &str, channel: &str) -> Result<Option<ChannelState>, StoreError> {
        self.read(|map| questions::channel(map, merchant, channel))
    }

    async fn set_aside(&self, merchant: Option<&str>) -> Result<Vec<Aside>, StoreError> {
        self.read(|map| questions::set_aside(map, merchant, &mut super::report))
    }

    async fn tokens(&self, merchant: &str, channel: &str) -> Result<Option<SecretString>, StoreError> {
        self.read(|map| questions::tokens(map, merchant, channel))
    }

    async fn levels(&self, after: Option<(String, String)>, limit: usize) -> Result<Vec<Level>, StoreError> {
        self.read(|map| stock::levels(map, after.as_ref(), limit, &mut super::report))
    }

    async fn levels_of(&self, skus: Vec<String>) -> Result<Vec<Level>, StoreError> {
        self.read(|map| stock::levels_of(map, &skus, &mut super::report))
    }

    async fn moves_of(&self, sku: &str) -> Result<Vec<(String, Moved)>, StoreError> {
        self.read(|map| stock::moves_of(map, sku, &mut super::report))
    }

    async fn listings(&self, merchant: &str, channel: &str) -> Result<Vec<Listing>, StoreError> {
        self.read(|map| stock::listings(map, merchant, channel, &mut super::report))
    }

    async fn listings_of(
        &self,
        merchant: &str,
        channel: &str,
        variants: Vec<RemoteId>,
    ) -> Result<Vec<Listing>, StoreError> {
        self.read(|map| stock::listings_of(map, merchant, channel, &variants, &mut super::report))
    }

    async fn shown(&self, merchant: &str, channel: &str) -> Result<Vec<Shown>, StoreError> {
        self.read(|map| stock::shown(map, merchant, channel, &mut super::report))
    }

    async fn stock_state(&self, merchant: &str, channel: &str) -> Result<Option<StockState>, StoreError> {
        self.read(|map| stock::state(map, merchant, channel))
    }

    async fn run(&self, merchant: &str, channel: &str, n: u32) -> Result<Option<Run>, StoreError> {
        self.read(|map| stock::run(map, merchant, channel, n))
    }

    async fn run_parts(&self, merchant: &str, channel: &str, n: u32) -> Result<Vec<RunPart>, StoreError> {
        self.read(|map| stock::run_parts(map, merchant, channel, n, &mut super::report))
    }

    async fn flags(&self) -> Result<Vec<ProductFlag>, StoreError> {
        self.read(stock::flags)
    }

    async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.read(|map| stock::feeds(map, &mut super::report))
    }

    async fn feed_part(&self, id: &str, n: u32) -> Result<Option<Vec<FeedRow>>, StoreError> {
        self.read(|map| stock::feed_part(map, id, n))
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.read(verify::verify)
    }

    async fn backup(&self, header: Header, sink: mpsc::Sender<Bytes>) -> Result<Copied, BackupError> {
        // All of it is in memory: a copy of the map is the picture, and shares its bytes.
        let map = self.read(|map| Ok(map.clone()))?;
        #[allow(clippy::disallowed_methods, reason = "whoever takes it may be slow, and is waited for")]
        let copy = tokio::task::spawn_blocking(move || {
            let mut sender = backup::Sender::begin(sink, &header)?;
            let (mut part, mut entries) = (Vec::new(), 1);
            // It needs no layout of its own; a store on the disk that is made of it does.
            backup::put(&mut part, layout::LAYOUT, layout::CURRENT.as_bytes());
            for (key, value) in &map.0 {
                backup::put(&mut part, key, value);
                entries += 1;
                if part.len() >= PART {
                    sender.send(std::mem::take(&mut part), std::mem::take(&mut entries))?;
                }
            }
            sender.send(part, entries)?;
            sender.end()
        });
        copy.await.map_err(|error| StoreError::Failed(format!("a backup was cut short: {error}")))?
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let records = changes.records.len() as u64;
        let commit = Prepared::new(changes)?;
        self.pause().await;
        let failure = self.lock().apply(commit)?;
        self.pause().await;
        let mut state = self.lock();
        match failure {
            Some(Failure::NotFlushed) => {
                return Err(StoreError::Failed("made to fail before it was flushed".to_owned()));
            }
            Some(_) => {
                state.flush()?;
                return Err(StoreError::Failed("made to fail after it was written".to_owned()));
            }
            None => state.flush()?,
        }
        state.counters.commits += 1;
        state.counters.records += records;
        Ok(())
    }

    async fn flushed(&self) -> Result<(), StoreError> {
        self.lock().flush()
    }
}

/// The key space.
#[derive(Clone, Debug, Default)]
struct Map(BTreeMap<Bytes, Bytes>);

impl Map {
    fn apply(&mut self, batch: &Batch) {
        for (key, value) in batch {
            match value {
                Some(value) => self.0.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)),
                None => self.0.remove(key.as_slice()),
            };
        }
    }
}

impl Space for Map {
    type Bytes = Bytes;

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = self.0.range::<[u8], _>((start, Bound::Unbounded));
        range
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| Ok((key.clone(), value.clone())))
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.scan(prefix, None).last().transpose()?.map(|(key, _)| key))
    }
}
