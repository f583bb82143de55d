//! The supplier's stock as the daemon works with it: what is free now, what an operator tells, imports.
//!
//! Committed units are derived from the records and kept in memory ([`commitments`]), like the agenda. A look at the
//! shelf reads them *before* the figures: a parcel that is committed in between is then counted twice, never not at
//! all. A void is the other way round, and an import must be seen whole or not at all, or half of a bad feed would
//! pass the breaker: both go through a gate that a look waits for.
//!
//! [`rows`] a CSV as it arrives · [`intake`] an import, from its rows to the figures.

pub mod commitments;
pub mod intake;
pub mod rows;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sdk::{Clock, Timestamp};
use tokio::sync::{Notify, OnceCell, RwLock, RwLockWriteGuard};

use self::commitments::Commitments;
use crate::{
    plan::stock::{Shelf, likeness::Likeness},
    record::{Record, RecordId},
    stock::{Movement, StockState},
    store::{Changes, Query, StockChanges, Store, StoreError},
};

/// Records read at once when the committed units are counted for the first time.
const PAGE: usize = 500;
/// Levels read at once.
const LEVELS: usize = 2000;
/// How old the list of our SKUs may be when products are looked at.
const LIKENESS_FRESH: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// A channel with more SKUs sold between two pushes is read by what it says is stale.
const MOST_SOLD: usize = 10_000;
/// An order that came so long before the end of a push may not be in it.
const PUSH_LASTS: chrono::TimeDelta = chrono::TimeDelta::minutes(15);
/// How often a write of a channel's state that lost its race is tried again.
const RACES: usize = 8;

/// The supplier's stock.
pub struct Stockroom {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    commitments: Commitments,
    counted: OnceCell<()>,
    gate: RwLock<()>,
    importing: Arc<tokio::sync::Mutex<()>>,
    ours: Mutex<Option<(Timestamp, Arc<Likeness>)>>,
    wanted: Mutex<BTreeSet<String>>,
    woken: Notify,
    /// (merchant, channel) → the merchant's SKUs in orders that came in since its stock was last pushed.
    sold: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
}

impl Stockroom {
    /// The stockroom over a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            commitments: Commitments::default(),
            counted: OnceCell::new(),
            gate: RwLock::new(()),
            importing: Arc::default(),
            ours: Mutex::default(),
            wanted: Mutex::default(),
            woken: Notify::new(),
            sold: Mutex::default(),
        }
    }

    /// What open orders hold.
    pub fn commitments(&self) -> &Commitments {
        &self.commitments
    }

    /// What there is of these SKUs now, and what of it is free.
    ///
    /// # Errors
    /// The store's.
    pub async fn shelf(&self, skus: BTreeSet<String>, warehouses: &[String]) -> Result<Shelf, StoreError> {
        self.count().await?;
        let _gate = self.gate.read().await;
        let committed = self.commitments.of(&skus);
        let levels = self.store.levels_of(skus.into_iter().collect()).await?;
        Ok(Shelf::new(levels, |sku| committed.get(sku).copied().unwrap_or(0), warehouses))
    }

    /// What there is of these SKUs on the shelves alone: what a parcel takes from. Waits for nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn floor(&self, skus: BTreeSet<String>, warehouses: &[String]) -> Result<Shelf, StoreError> {
        Ok(Shelf::new(self.store.levels_of(skus.into_iter().collect()).await?, |_| 0, warehouses))
    }

    /// Keeps looks at the shelf out while figures and orders change in a way that a look must see whole.
    pub async fn gate(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    /// Counts the committed units once, from every active record. What is committed meanwhile is newer and stays.
    async fn count(&self) -> Result<(), StoreError> {
        self.counted
            .get_or_try_init(|| async {
                let mut after: Option<RecordId> = None;
                let mut pushed: BTreeMap<(String, String), Option<Timestamp>> = BTreeMap::new();
                loop {
                    let query = Query { active: true, after: after.take(), limit: PAGE, ..Query::default() };
                    let page = self.store.list(query).await?;
                    for record in &page.records {
                        self.commitments.update(record);
                        self.recall_sold(record, &mut pushed).await?;
                    }
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                self.commitments.whole();
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// What was sold is kept in memory: at a start it is what was ordered since the last push that wrote something.
    async fn recall_sold(
        &self,
        record: &Record,
        pushed: &mut BTreeMap<(String, String), Option<Timestamp>>,
    ) -> Result<(), StoreError> {
        let key = (record.merchant.clone(), record.channel.clone());
        let at = match pushed.get(&key) {
            Some(at) => *at,
            None => {
                let state = self.store.stock_state(&key.0, &key.1).await?;
                let at = state.and_then(|state| state.pushed_at);
                pushed.insert(key, at);
                at
            }
        };
        let since = |at: Timestamp| record.seen_asked.is_some_and(|asked| asked + PUSH_LASTS > at);
        if at.is_some_and(since) {
            let skus = record.seen.lines.iter().filter_map(|line| line.sku.clone());
            self.note_sold(&record.merchant, &record.channel, skus);
        }
        Ok(())
    }

    /// Knows what open orders hold from here on, and what was sold before the start.
    ///
    /// # Errors
    /// The store's.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.count().await
    }

    /// Moves figures, durably and all at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn move_figures(&self, movements: Vec<Movement>) -> Result<(), StoreError> {
        let _gate = self.gate.write().await;
        let stock = StockChanges { movements, ..StockChanges::default() };
        self.store.commit(Changes { stock, ..Changes::default() }).await
    }

    /// The SKUs of which the supplier has told figures, for finding products that look like them. A little old.
    ///
    /// # Errors
    /// The store's.
    pub async fn likeness(&self) -> Result<Arc<Likeness>, StoreError> {
        let now = self.clock.now();
        if let Some((at, known)) = &*lock(&self.ours)
            && now - *at < LIKENESS_FRESH
        {
            return Ok(known.clone());
        }
        let mut likeness = Likeness::default();
        let mut after = None;
        loop {
            let page = self.store.levels(after, LEVELS).await?;
            likeness.extend(page.iter().map(|level| &level.sku));
            after = match page.last() {
                Some(last) if page.len() == LEVELS => Some((last.sku.clone(), last.warehouse.clone())),
                _ => break,
            };
        }
        let likeness = Arc::new(likeness);
        *lock(&self.ours) = Some((now, likeness.clone()));
        Ok(likeness)
    }

    /// Changes where a channel's stock stands, with what goes with it, in one commit. `change` is done again where
    /// somebody else wrote first. Answers the state after it.
    ///
    /// # Errors
    /// The store's; `Conflict` where others never cease to write.
    pub async fn change_state(
        &self,
        merchant: &str,
        channel: &str,
        with: Changes,
        change: impl Fn(&mut StockState),
    ) -> Result<StockState, StoreError> {
        for _ in 0..RACES {
            let mut state = self.store.stock_state(merchant, channel).await?.unwrap_or_default();
            let before = state.clone();
            change(&mut state);
            let mut changes = with.clone();
            if state != before {
                changes.stock.states.push((merchant.to_owned(), channel.to_owned(), state.clone()));
                state.version += 1;
            }
            match self.store.commit(changes).await {
                Ok(()) => return Ok(state),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(format!("the stock of {merchant}.{channel}")))
    }

    /// Takes note of what was ordered on a channel: the channel has taken it from its own figures already. In memory
    /// alone: after a start it is worked out of the records.
    pub fn note_sold(&self, merchant: &str, channel: &str, skus: impl IntoIterator<Item = String>) {
        let mut sold = lock(&self.sold);
        let sold = sold.entry((merchant.to_owned(), channel.to_owned())).or_default();
        sold.extend(skus);
        if sold.len() > MOST_SOLD {
            sold.clear();
        }
    }

    /// What was ordered on a channel since the last call.
    pub fn take_sold(&self, merchant: &str, channel: &str) -> BTreeSet<String> {
        lock(&self.sold).remove(&(merchant.to_owned(), channel.to_owned())).unwrap_or_default()
    }

    /// Asks for this merchant's stock to be pushed as soon as may be.
    pub fn wake(&self, merchant: &str) {
        lock(&self.wanted).insert(merchant.to_owned());
        self.woken.notify_one();
    }

    /// The merchants for which that was asked since the last call; waits for the first.
    pub async fn woken(&self) -> BTreeSet<String> {
        loop {
            let wanted = std::mem::take(&mut *lock(&self.wanted));
            if !wanted.is_empty() {
                return wanted;
            }
            self.woken.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is complete before its guard is dropped.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
