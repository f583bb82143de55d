//! Stock: brings one channel to what it may show. Orders are pulled first, so that what was sold is counted.
//!
//! An activation settles what is not known of the last one, compares all figures once a day, works out what the
//! channel may show, and writes the differences, a batch at a time (`write`). What it is not sure of it reads
//! first (`look`). It can end at any point: what it began is in the store, and the next one goes on from there.

mod look;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use sdk::{ErrorKind, RemoteId, Variant};

use self::write::Ended;
use super::{Connection, Failure, Shared, Verdict, products, pull};
use crate::{
    plan::{
        routing::Catalogue,
        stock::{self, Offer, Planned, breaker, diff, undo},
    },
    policy::Policy,
    record::Owner,
    stock::{Answer, Run, RunEnd, RunId, RunReason, SCHEMA, Shown, StockState, Stopped, run::Blast},
    stockroom::Stockroom,
    store::{Changes, StockChanges, StoreError},
    telemetry::metric,
};

/// How often all figures are compared with the channel.
const COMPARED: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// How long a write that was accepted and did not come to pass is reckoned with.
const LATE: chrono::TimeDelta = chrono::TimeDelta::hours(2);
/// How often one activation works out its writes anew, since a figure was stale.
const ROUNDS: usize = 4;

/// Pushes a channel's stock.
pub async fn run(shared: &Shared, connection: &Connection) -> Verdict {
    if connection.ledge.restored().is_some() {
        return Verdict::well();
    }
    let pulled = pull::run(shared, connection).await;
    if !pulled.well {
        return pulled;
    }
    let mut push = Push::new(shared, connection);
    let ended = push.all().await;
    // What was not looked at is the next activation's.
    push.room().note_sold(push.merchant, push.channel, std::mem::take(&mut push.sold).into_values());
    match ended {
        Ok(again_after) => Verdict { again_after, ..Verdict::well() },
        Err(failure) => {
            let closed = push.close(RunEnd::Broken(failure.to_string())).await;
            tracing::warn!(
                event = "stock.failed",
                merchant = &*connection.key.merchant,
                channel = &*connection.key.channel,
                error = %failure,
                "a push of stock did not go to its end; the next one goes on"
            );
            match closed {
                Ok(()) => failed(shared, connection, failure).await,
                Err(error) => Verdict::of(Failure::Store(error)),
            }
        }
    }
}

/// What a failure of stock means for the channel. Refused credentials suspend it, as they do for orders.
pub(super) async fn failed(shared: &Shared, connection: &Connection, failure: Failure) -> Verdict {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    shared.board.update(merchant, channel, |status| status.stock_error = Some(failure.to_string()));
    if let Failure::Channel(error) = &failure
        && error.kind == ErrorKind::Unauthorized
    {
        connection.ledge.note_write(true);
        if let Err(error) = connection.suspend(shared, error).await {
            return Verdict::of(Failure::Store(error));
        }
    }
    Verdict::of(failure)
}

/// One activation.
struct Push<'t> {
    shared: &'t Shared,
    connection: &'t Connection,
    merchant: &'t str,
    channel: &'t str,
    /// Most items of one call.
    batch: usize,
    listed: BTreeMap<RemoteId, Variant>,
    /// The variants of each item.
    sharing: BTreeMap<RemoteId, Vec<RemoteId>>,
    shown: BTreeMap<RemoteId, Shown>,
    run: Option<Run>,
    /// Items of which some were ordered here, and that were not read since, with their SKUs.
    sold: BTreeMap<RemoteId, String>,
    /// Items that the comparison found otherwise.
    drifted: BTreeSet<RemoteId>,
    done: Done,
}

/// What an activation did.
#[derive(Debug, Default)]
struct Done {
    offered: usize,
    set: u64,
    refused: u64,
    stale: u64,
    denied: u64,
    repaired: u64,
}

impl<'t> Push<'t> {
    fn new(shared: &'t Shared, connection: &'t Connection) -> Self {
        Self {
            shared,
            connection,
            merchant: &connection.key.merchant,
            channel: &connection.key.channel,
            batch: connection.remote.capabilities().stock_batch,
            listed: BTreeMap::new(),
            sharing: BTreeMap::new(),
            shown: BTreeMap::new(),
            run: None,
            sold: BTreeMap::new(),
            drifted: BTreeSet::new(),
            done: Done::default(),
        }
    }

    fn room(&self) -> &'t Arc<Stockroom> {
        self.shared.ledger.stockroom()
    }

    fn policy(&self) -> Arc<Policy> {
        self.shared.ledger.policy(self.merchant, self.channel)
    }

    async fn state(&self) -> Result<StockState, StoreError> {
        let store = self.shared.ledger.store();
        Ok(store.stock_state(self.merchant, self.channel).await?.unwrap_or_default())
    }

    async fn change(
        &self,
        with: StockChanges,
        change: impl Fn(&mut StockState),
    ) -> Result<StockState, StoreError> {
        let with = Changes { stock: with, ..Changes::default() };
        self.room().change_state(self.merchant, self.channel, with, change).await
    }

    /// The whole activation. Answers after which time it is to run again, if not by its schedule.
    async fn all(&mut self) -> Result<Option<Duration>, Failure> {
        let policy = self.policy();
        if !policy.stock.sync || !self.connection.remote.capabilities().stock_writes || self.batch == 0 {
            return Ok(None);
        }
        let mut state = self.state().await?;
        let place = self.connection.remote.stock_place();
        if state.place.as_ref() != Some(&place) {
            self.moved(&place, state.place.is_some()).await?;
            state = self.state().await?;
        }
        if state.catalogue_at.is_none() {
            products::refresh(self.shared, self.connection).await?;
            state = self.state().await?;
        }
        self.room().ready().await?;
        self.load().await?;
        if let Some(in_flight) = state.in_flight {
            let now = self.shared.ledger.clock().now();
            // A request without an answer may still be on its way: looking too soon would believe too much.
            let due = chrono::TimeDelta::from_std(policy.read_back).unwrap_or_default();
            let wait = in_flight.since + due - now;
            if wait > chrono::TimeDelta::zero() && wait <= due {
                return Ok(wait.to_std().ok());
            }
            self.settle(in_flight).await?;
            state = self.state().await?;
        }
        if let Some(run) = state.undo {
            if policy.shadow {
                self.stopped(Some("a run is to be taken back, and the merchant is in shadow".to_owned()));
                return Ok(None);
            }
            return self.undo(run).await;
        }
        if let Some(why) = state.waits() {
            self.stopped(Some(why));
            return Ok(None);
        }
        self.stopped(None);
        self.publish(&state).await
    }

    /// The settings name another place than before. What was known of the figures is not true there: all of it is
    /// forgotten, and read again with the catalogue, which says what can be written there.
    async fn moved(&self, place: &str, known: bool) -> Result<(), StoreError> {
        if known {
            let shown = self.shared.ledger.store().shown(self.merchant, self.channel).await?;
            for part in shown.chunks(crate::stock::run::PART) {
                let forgotten = part.iter().map(|shown| {
                    let unknown = Shown::unknown(shown.item.clone(), shown.at);
                    let forgotten = Shown { recent: shown.recent.clone(), ..unknown };
                    (self.merchant.to_owned(), self.channel.to_owned(), forgotten)
                });
                let stock = StockChanges { shown: forgotten.collect(), ..StockChanges::default() };
                self.commit(stock).await?;
            }
            tracing::warn!(
                event = "stock.moved",
                merchant = self.merchant,
                channel = self.channel,
                place,
                "stock is kept at another place of the channel from now on: its figures are read anew"
            );
        }
        self.change(StockChanges::default(), |state| {
            if known {
                (state.catalogue_at, state.compared_at) = (None, None);
                (state.in_flight, state.undo, state.moved_after) = (None, None, state.last_run);
            }
            state.place = Some(place.to_owned());
        })
        .await
        .map(|_| ())
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        let store = self.shared.ledger.store();
        let listings = store.listings(self.merchant, self.channel).await?;
        self.listed =
            listings.into_iter().map(|listing| (listing.variant.id.clone(), listing.variant)).collect();
        for variant in self.listed.values() {
            self.sharing.entry(variant.item.clone()).or_default().push(variant.id.clone());
        }
        let shown = store.shown(self.merchant, self.channel).await?;
        self.shown = shown.into_iter().map(|shown| (shown.item.clone(), shown)).collect();
        self.forget_sold();
        self.forget_late();
        Ok(())
    }

    /// What a write may yet change behind our back is read before it is compared.
    fn forget_late(&mut self) {
        let now = self.shared.ledger.clock().now();
        for shown in self.shown.values_mut().filter(|shown| shown.late.is_some_and(|at| now - at < LATE)) {
            (shown.figure, shown.blank) = (None, false);
        }
    }

    /// Of what was ordered here the channel has changed its figure: it is read before it is compared.
    fn forget_sold(&mut self) {
        let sold = self.room().take_sold(self.merchant, self.channel);
        for variant in self.listed.values() {
            let Some(sku) = variant.sku.as_ref().filter(|sku| sold.contains(*sku)) else { continue };
            if let Some(shown) = self.shown.get_mut(&variant.item) {
                (shown.figure, shown.blank) = (None, false);
                self.sold.insert(variant.item.clone(), sku.clone());
            }
        }
    }

    /// What each of these variants may show, as of now.
    async fn offers(
        &self,
        listed: &BTreeMap<RemoteId, Variant>,
        policy: &Policy,
    ) -> Result<Vec<Offer>, StoreError> {
        let skus = parts(listed.values(), &policy.catalogue);
        let shelf = self.room().shelf(skus, &policy.warehouses).await?;
        Ok(stock::offers(listed.values(), policy, &shelf, self.shared.ledger.clock().now()))
    }

    /// What a person saw and released, if so.
    async fn seen(&self, state: &StockState) -> Result<breaker::Seen, StoreError> {
        let Some(run) = state.released else { return Ok(breaker::Seen::default()) };
        let parts = self.shared.ledger.store().run_parts(self.merchant, self.channel, run).await?;
        Ok(breaker::Seen::of(parts.iter().flat_map(|part| &part.writes)))
    }

    /// Writes what differs from what the channel may show.
    async fn publish(&mut self, state: &StockState) -> Result<Option<Duration>, Failure> {
        let now = self.shared.ledger.clock().now();
        let mut compared = state.compared_at.is_some_and(|at| now - at < COMPARED);
        let seen = self.seen(state).await?;
        let mut reach = breaker::Reach::default();
        for _ in 0..ROUNDS {
            let policy = self.policy();
            let mut offers = self.offers(&self.listed, &policy).await?;
            self.done.offered = offers.len();
            if !compared && !policy.shadow {
                self.compare(&offers).await?;
                compared = true;
            }
            let mut plan = stock::diff(&offers, &self.shown, &policy.stock, policy.shadow, now);
            if !plan.unknown.is_empty() {
                self.look(&plan.unknown, &offers).await?;
                // Reading takes its time, and what is sold meanwhile is counted.
                offers = self.offers(&self.listed, &policy).await?;
                plan = stock::diff(&offers, &self.shown, &policy.stock, policy.shadow, now);
            }
            if plan.writes.is_empty() {
                break;
            }
            if !policy.shadow {
                reach.add(&plan.writes, &self.shown, &seen);
                let blast = reach.blast(diff::least(&offers).len());
                if let Some(why) = breaker::trips(blast, policy.stock.breaker_percent) {
                    self.stop(plan.writes, blast, why).await?;
                    return Ok(None);
                }
            }
            if policy.shadow {
                self.shadow(plan.writes).await?;
                break;
            }
            match self.write(plan.writes, RunReason::Schedule).await? {
                Ended::All => break,
                // Something was sold, most likely: its order comes first.
                Ended::Outdated => {
                    let pulled = pull::run(self.shared, self.connection).await;
                    if !pulled.well {
                        break;
                    }
                    self.forget_sold();
                }
                Ended::Cut => return Ok(None),
                Ended::Unknown(wait) => return Ok(Some(wait)),
            }
        }
        self.sold.clear();
        self.end(RunReason::Schedule).await?;
        Ok(None)
    }

    /// Takes a run back, as a person asked; publishing stays held until it is released.
    async fn undo(&mut self, run: u32) -> Result<Option<Duration>, Failure> {
        let store = self.shared.ledger.store();
        let parts = store.run_parts(self.merchant, self.channel, run).await?;
        let entries: Vec<_> = parts.into_iter().flat_map(|part| part.writes).collect();
        let id = RunId { merchant: self.merchant.to_owned(), channel: self.channel.to_owned(), n: run };
        for _ in 0..ROUNDS {
            let unknown: Vec<RemoteId> = undo::undo(&entries, &self.shown, &id)
                .into_iter()
                .filter(|write| write.change.from.is_none())
                .map(|write| write.change.item)
                .collect();
            if !unknown.is_empty() {
                self.look(&unknown, &[]).await?;
            }
            let mut writes = undo::undo(&entries, &self.shown, &id);
            // What could not be read is not written blindly.
            writes.retain(|write| {
                write.change.from.is_some()
                    || self.shown.get(&write.change.item).is_some_and(|shown| shown.blank)
            });
            if writes.is_empty() {
                break;
            }
            match self.write(writes, RunReason::Undo(run)).await? {
                Ended::All => break,
                Ended::Outdated => {}
                Ended::Cut => return Ok(None),
                Ended::Unknown(wait) => return Ok(Some(wait)),
            }
        }
        self.end(RunReason::Undo(run)).await?;
        let state = self.state().await?;
        self.stopped(state.waits());
        Ok(None)
    }

    /// The breaker: what would have been written is kept for a person to look at, and nothing is sent.
    async fn stop(&mut self, writes: Vec<Planned>, blast: Blast, why: String) -> Result<(), Failure> {
        self.begin(RunReason::Schedule, false).await?;
        self.plan_only(&writes).await?;
        let n = self.run.as_ref().map_or(0, |run| run.n);
        let stopped = Stopped { run: n, at: self.shared.ledger.clock().now(), why: why.clone(), blast };
        self.change(StockChanges::default(), |state| state.stopped = Some(stopped.clone())).await?;
        self.close(RunEnd::Stopped(why.clone())).await?;
        self.stopped(Some(why.clone()));
        tracing::error!(
            event = "stock.breaker",
            merchant = self.merchant,
            channel = self.channel,
            run = n,
            zeroed = blast.zeroed,
            halved = blast.halved,
            products = blast.products,
            error = why,
            "a push of stock was stopped before its first write: look at it, then `inventory release` the merchant"
        );
        Ok(())
    }

    /// Shadow: the writes are shown as they would be, once, and none is sent.
    async fn shadow(&mut self, writes: Vec<Planned>) -> Result<(), Failure> {
        self.begin(RunReason::Schedule, true).await?;
        self.plan_only(&writes).await?;
        let now = self.shared.ledger.clock().now();
        for chunk in writes.chunks(crate::stock::run::PART) {
            let shown = chunk.iter().map(|write| {
                let item = &write.change.item;
                let mut shown =
                    self.shown.get(item).cloned().unwrap_or_else(|| Shown::unknown(item.clone(), now));
                shown.planned = Some(write.change.to);
                shown
            });
            let shown: Vec<Shown> = shown.collect();
            self.keep_shown(shown, StockChanges::default()).await?;
        }
        tracing::info!(
            event = "stock.planned",
            merchant = self.merchant,
            channel = self.channel,
            writes = writes.len(),
            "the merchant is in shadow: these writes of stock would be made"
        );
        Ok(())
    }

    /// An activation went to its end.
    async fn end(&mut self, reason: RunReason) -> Result<(), Failure> {
        let now = self.shared.ledger.clock().now();
        self.close(RunEnd::Done).await?;
        let undone = matches!(reason, RunReason::Undo(_));
        let state = self.state().await?;
        if self.run.is_some() || state.released.is_some() || undone {
            self.change(StockChanges::default(), |state| {
                state.pushed_at = Some(now);
                if undone {
                    state.undo = None;
                } else {
                    state.released = None;
                }
            })
            .await?;
        }
        self.connection.ledge.note_write(false);
        self.shared.board.update(self.merchant, self.channel, |status| {
            (status.last_stock, status.stock_error) = (Some(now), None);
        });
        let labels = self.labels();
        metrics::gauge!(metric::LAST_STOCK, &labels).set(now.timestamp() as f64);
        let Done { offered, set, refused, stale, denied, repaired } = self.done;
        if repaired > 0 {
            tracing::info!(
                event = "stock.repaired",
                merchant = self.merchant,
                channel = self.channel,
                count = repaired,
                "figures that a channel showed otherwise are as they should be"
            );
        }
        if set + refused + stale + denied > 0 {
            tracing::info!(
                event = "stock.pushed",
                merchant = self.merchant,
                channel = self.channel,
                run = self.run.as_ref().map_or(0, |run| run.n),
                offered,
                set,
                refused,
                stale,
                denied,
                "a push of stock went to its end"
            );
        } else {
            tracing::debug!(
                event = "stock.pushed",
                merchant = self.merchant,
                channel = self.channel,
                offered,
                "a push of stock had nothing to write"
            );
        }
        Ok(())
    }

    fn stopped(&self, why: Option<String>) {
        metrics::gauge!(metric::STOCK_STOPPED, &self.labels()).set(f64::from(u8::from(why.is_some())));
        self.shared.board.update(self.merchant, self.channel, |status| status.stock_stopped = why);
    }

    fn labels(&self) -> [(&'static str, String); 2] {
        [("merchant", self.merchant.to_owned()), ("channel", self.channel.to_owned())]
    }

    fn count(&self, answer: &Answer) {
        let name = match answer {
            Answer::Set => "set",
            Answer::Refused(_) => "refused",
            Answer::Stale => "stale",
            Answer::NotApplied(_) => "not_applied",
            Answer::Planned | Answer::Sent => return,
        };
        let [merchant, channel] = self.labels();
        metrics::counter!(metric::STOCK_WRITES, &[merchant, channel, ("answer", name.to_owned())])
            .increment(1);
    }

    /// A run begins: it gets its number durably, and the oldest one kept gives way.
    async fn begin(&mut self, reason: RunReason, shadow: bool) -> Result<(), StoreError> {
        if self.run.is_some() {
            return Ok(());
        }
        let state = self.change(StockChanges::default(), |state| state.last_run += 1).await?;
        let n = state.last_run;
        let run = Run {
            schema: SCHEMA,
            merchant: self.merchant.to_owned(),
            channel: self.channel.to_owned(),
            n,
            at: self.shared.ledger.clock().now(),
            reason,
            shadow,
            end: None,
            parts: 0,
            set: 0,
            refused: 0,
        };
        let mut changes = StockChanges { runs: vec![run.clone()], ..StockChanges::default() };
        if let Some(old) = n.checked_sub(crate::stock::run::KEPT_RUNS).filter(|old| *old > 0)
            && let Some(old) = self.shared.ledger.store().run(self.merchant, self.channel, old).await?
        {
            changes.forgotten.push((old.merchant, old.channel, old.n, old.parts));
        }
        self.commit(changes).await?;
        self.run = Some(run);
        Ok(())
    }

    /// A run ends so.
    async fn close(&mut self, end: RunEnd) -> Result<(), StoreError> {
        let Some(mut run) = self.run.clone().filter(|run| run.end.is_none()) else { return Ok(()) };
        run.end = Some(end);
        self.run = Some(run.clone());
        self.commit(StockChanges { runs: vec![run], ..StockChanges::default() }).await
    }

    async fn commit(&self, stock: StockChanges) -> Result<(), StoreError> {
        self.shared.ledger.store().commit(Changes { stock, ..Changes::default() }).await
    }

    /// Stores what is known of items, with what goes with it.
    async fn keep_shown(&mut self, shown: Vec<Shown>, mut with: StockChanges) -> Result<(), StoreError> {
        for shown in shown {
            with.shown.push((self.merchant.to_owned(), self.channel.to_owned(), shown.clone()));
            self.shown.insert(shown.item.clone(), shown);
        }
        if with.is_empty() { Ok(()) } else { self.commit(with).await }
    }
}

/// Our SKUs that these variants are made of.
pub fn parts<'v>(variants: impl Iterator<Item = &'v Variant>, catalogue: &Catalogue) -> BTreeSet<String> {
    variants
        .filter_map(|variant| match catalogue.product(variant.sku.as_deref()) {
            Owner::Supplier { parts, .. } => Some(parts),
            Owner::Merchant(_) => None,
        })
        .flatten()
        .map(|part| part.sku)
        .collect()
}
