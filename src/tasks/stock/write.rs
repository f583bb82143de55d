//! Writing: a batch at a time, begun durably before it leaves, its answer recorded before the next.

use std::{collections::VecDeque, time::Duration};

use sdk::{Error, ErrorKind, RemoteId, StockOutcome};

use super::{super::bounded, Failure, Push};
use crate::{
    plan::stock::{Permitted, Planned, Sieved, diff, permit, settle},
    stock::{Answer, Entry, InFlight, RunPart, RunReason, SCHEMA, run::PART},
    store::{StockChanges, StoreError},
};

/// A channel that takes a write and applies it later is read back after these waits, in seconds.
const VERIFIED_AFTER: [u64; 5] = [1, 2, 4, 8, 15];
/// So many refusals of single items, with nothing set before or between, mean that the channel refuses all.
const REFUSES_ALL: u32 = 5;
/// So many refusals are told one by one.
const NAMED: u64 = 5;

/// How far the writes of one round came.
pub(super) enum Ended {
    /// All were answered.
    All,
    /// Of some the channel showed another figure than expected, or another figure is due by now.
    Outdated,
    /// The daemon ends, or a person stepped in: the rest is the next activation's.
    Cut,
    /// The outcome of a batch is not known: it is looked at after this.
    Unknown(Duration),
}

/// What came of one batch.
enum Sent {
    Answered {
        stale: bool,
    },
    /// The channel refuses the batch as a whole: nothing of it was set.
    Refused(Error),
    Unknown,
}

impl Push<'_> {
    /// Writes these changes. Where the channel refuses a whole batch, halves of it are tried, down to the item that it
    /// means.
    pub(super) async fn write(&mut self, writes: Vec<Planned>, reason: RunReason) -> Result<Ended, Failure> {
        let mut queue: VecDeque<Vec<Planned>> = diff::batches(writes, self.batch).into();
        let mut outdated = false;
        let mut refused_in_a_row = 0;
        while let Some(batch) = queue.pop_front() {
            let ledge = &self.connection.ledge;
            let here = ledge.is_stock_place(&self.connection.remote.stock_place());
            if self.shared.draining.is_cancelled() || !ledge.may_write() || !here {
                return Ok(Ended::Cut);
            }
            let Some(sieved) = self.sieved(batch, reason).await? else { return Ok(Ended::Cut) };
            outdated |= !sieved.outdated.is_empty();
            let permitted = sieved.permitted;
            if permitted.is_empty() {
                continue;
            }
            match self.send(&permitted).await? {
                Sent::Answered { stale } => {
                    outdated |= stale;
                    refused_in_a_row = 0;
                }
                Sent::Refused(error) if permitted.planned().len() > 1 => {
                    let mut half = permitted.planned().to_vec();
                    let other = half.split_off(half.len() / 2);
                    queue.push_front(other);
                    queue.push_front(half);
                    tracing::debug!(%error, "a channel refuses a batch of stock: its halves are tried");
                }
                Sent::Refused(error) => {
                    refused_in_a_row += 1;
                    if refused_in_a_row >= REFUSES_ALL && self.done.set == 0 {
                        return Err(error.into());
                    }
                    self.refused(&permitted, &error).await?;
                }
                Sent::Unknown => return Ok(Ended::Unknown(self.policy().read_back)),
            }
        }
        Ok(if outdated { Ended::Outdated } else { Ended::All })
    }

    /// The last line: what may leave of a batch, by the rules and the catalogue as they are now. `None`: a person or
    /// a reload stepped in meanwhile, and nothing more leaves.
    async fn sieved(&mut self, batch: Vec<Planned>, reason: RunReason) -> Result<Option<Sieved>, Failure> {
        let state = self.state().await?;
        let wanted = match reason {
            RunReason::Schedule => state.undo.is_none() && state.stopped.is_none() && !state.held,
            RunReason::Undo(run) => state.undo == Some(run),
        };
        // A reload may have turned it off in the middle: a run that was cut is not done, and an undo stays to be done.
        if !wanted || permit::off(&self.policy()).is_some() {
            return Ok(None);
        }
        self.begin(reason, false).await?;
        let run = self.run.as_ref().map_or(0, |run| run.n);
        let part = self.run.as_ref().map_or(0, |run| run.parts);
        let sharing = |write: &Planned| self.sharing.get(&write.change.item).into_iter().flatten().cloned();
        let ids: Vec<RemoteId> = batch.iter().flat_map(sharing).collect();
        let store = self.shared.ledger.store();
        let listed = store.listings_of(self.merchant, self.channel, ids).await?;
        let listed =
            listed.into_iter().map(|listing| (listing.variant.id.clone(), listing.variant)).collect();
        let key = format!("{}.{}.{run}/{part}", self.merchant, self.channel);
        // Batches take their time: what was ordered, told or ruled since is counted in the rest of them.
        let offers = match reason {
            RunReason::Schedule => Some(self.offers(&listed, &self.policy()).await?),
            RunReason::Undo(_) => None,
        };
        let sieved = permit(batch, &self.policy(), &listed, offers.as_deref(), key);
        let denied = &sieved.denied;
        if let Some((first, why)) = denied.first() {
            self.done.denied += denied.len() as u64;
            tracing::warn!(
                event = "stock.denied",
                merchant = self.merchant,
                channel = self.channel,
                count = denied.len(),
                sku = first.change.sku.as_deref().unwrap_or_default(),
                error = why,
                "writes of stock were kept back at the last moment"
            );
        }
        Ok(Some(sieved))
    }

    /// Sends a batch: its intent is on the disk before it leaves.
    async fn send(&mut self, permitted: &Permitted) -> Result<Sent, Failure> {
        let mut parts = self.new_parts(permitted.planned(), &Answer::Sent);
        let run = self.run.as_ref().map_or(0, |run| run.n);
        let in_flight = InFlight {
            run,
            part: parts.first().map_or(0, |part| part.n),
            parts: parts.len() as u32,
            since: self.shared.ledger.clock().now(),
        };
        self.keep_parts(&parts, |state| state.in_flight = Some(in_flight)).await?;
        let call = self.connection.remote.push_stock(permitted.write());
        let answer = bounded("push_stock", ErrorKind::Indeterminate, call).await;
        let outcomes = match answer {
            Ok(outcomes) if outcomes.len() == permitted.planned().len() => outcomes,
            Ok(outcomes) => {
                let (told, asked) = (outcomes.len(), permitted.planned().len());
                tracing::warn!(
                    event = "stock.read_back_later",
                    merchant = self.merchant,
                    channel = self.channel,
                    told,
                    asked,
                    "a channel did not answer for every item of a batch: it is read back"
                );
                return Ok(Sent::Unknown);
            }
            Err(error) => match error.kind {
                ErrorKind::Indeterminate | ErrorKind::Malformed => {
                    tracing::warn!(
                        event = "stock.read_back_later",
                        merchant = self.merchant,
                        channel = self.channel,
                        %error,
                        "the outcome of a batch of stock is not known: it is read back"
                    );
                    return Ok(Sent::Unknown);
                }
                kind => {
                    // Nothing of it was set.
                    for entry in parts.iter_mut().flat_map(|part| &mut part.writes) {
                        entry.answer = Answer::NotApplied(None);
                    }
                    self.keep_parts(&parts, |state| state.in_flight = None).await?;
                    return match kind {
                        ErrorKind::Rejected | ErrorKind::NotFound => Ok(Sent::Refused(error)),
                        _ => Err(error.into()),
                    };
                }
            },
        };
        self.connection.ledge.note_write(false);
        self.answered(permitted, &outcomes, parts).await
    }

    /// Records a batch's answers; what was only accepted is read back before it is believed.
    async fn answered(
        &mut self,
        permitted: &Permitted,
        outcomes: &[StockOutcome],
        mut parts: Vec<RunPart>,
    ) -> Result<Sent, Failure> {
        let now = self.shared.ledger.clock().now();
        let run = self.run.as_ref().map_or(0, |run| run.n);
        let mut stale = false;
        let mut shown = Vec::with_capacity(outcomes.len());
        let entries = parts.iter_mut().flat_map(|part| &mut part.writes);
        for ((planned, outcome), entry) in permitted.planned().iter().zip(outcomes).zip(entries) {
            let item = &planned.change.item;
            let (after, answer) = settle::answered(self.shown.get(item), planned, outcome, run, now);
            stale |= answer == Answer::Stale;
            shown.push(after);
            entry.answer = answer;
        }
        let accepted = parts.iter().flat_map(|part| &part.writes).any(|entry| entry.answer == Answer::Sent);
        self.note(&parts);
        let with = self.parts_changes(&parts);
        self.keep_shown(shown, with).await?;
        if accepted {
            return self.verify(parts, stale).await;
        }
        self.change(StockChanges::default(), |state| state.in_flight = None).await?;
        Ok(Sent::Answered { stale })
    }

    /// Reads accepted items until the channel shows them, for a while. No other batch leaves meanwhile.
    async fn verify(&mut self, mut parts: Vec<RunPart>, stale: bool) -> Result<Sent, Failure> {
        let run = self.run.as_ref().map_or(0, |run| run.n);
        for wait in VERIFIED_AFTER {
            tokio::select! {
                biased;
                () = self.shared.draining.cancelled() => return Ok(Sent::Unknown),
                () = tokio::time::sleep(Duration::from_secs(wait)) => {}
            }
            let open = parts.iter().flat_map(|part| &part.writes);
            let items: Vec<RemoteId> =
                open.filter(|entry| entry.answer == Answer::Sent).map(|entry| entry.item.clone()).collect();
            let mut found = std::collections::BTreeMap::new();
            for batch in items.chunks(self.batch.max(1)) {
                found.extend(self.read(batch).await?);
            }
            let now = self.shared.ledger.clock().now();
            let mut shown = Vec::new();
            let mut settled: Vec<Entry> = Vec::new();
            for entry in parts.iter_mut().flat_map(|part| &mut part.writes) {
                let figure = found.get(&entry.item).copied().flatten();
                if entry.answer != Answer::Sent || figure != Some(i64::from(entry.after)) {
                    continue;
                }
                let (after, answer) = settle::read_back(self.shown.get(&entry.item), entry, figure, run, now);
                entry.answer = answer;
                settled.push(entry.clone());
                shown.push(after);
            }
            if !settled.is_empty() {
                self.note(&[RunPart { schema: SCHEMA, run, n: 0, writes: settled }]);
                let with = self.parts_changes(&parts);
                self.keep_shown(shown, with).await?;
            }
            if parts.iter().flat_map(|part| &part.writes).all(|entry| entry.answer != Answer::Sent) {
                self.change(StockChanges::default(), |state| state.in_flight = None).await?;
                return Ok(Sent::Answered { stale });
            }
        }
        Ok(Sent::Unknown)
    }

    /// The one item that the channel meant when it refused a batch.
    async fn refused(&mut self, permitted: &Permitted, error: &Error) -> Result<(), Failure> {
        let now = self.shared.ledger.clock().now();
        let run = self.run.as_ref().map_or(0, |run| run.n);
        let outcome = StockOutcome::Refused(error.message.clone());
        let mut shown = Vec::new();
        let mut parts = self.new_parts(permitted.planned(), &Answer::Sent);
        let entries = parts.iter_mut().flat_map(|part| &mut part.writes);
        for (planned, entry) in permitted.planned().iter().zip(entries) {
            let item = &planned.change.item;
            let (after, answer) = settle::answered(self.shown.get(item), planned, &outcome, run, now);
            entry.answer = answer;
            shown.push(after);
        }
        self.note(&parts);
        let with = self.parts_changes(&parts);
        self.keep_shown(shown, with).await?;
        Ok(())
    }

    /// Records writes that are not sent.
    pub(super) async fn plan_only(&mut self, writes: &[Planned]) -> Result<(), StoreError> {
        for chunk in writes.chunks(PART) {
            let parts = self.new_parts(chunk, &Answer::Planned);
            let with = self.parts_changes(&parts);
            self.commit(with).await?;
        }
        Ok(())
    }

    /// The next parts of the run's ledger, for these writes.
    fn new_parts(&mut self, writes: &[Planned], answer: &Answer) -> Vec<RunPart> {
        let Some(run) = &mut self.run else { return Vec::new() };
        let parts = writes.chunks(PART).map(|chunk| {
            let n = run.parts;
            run.parts += 1;
            let writes = chunk.iter().map(|write| settle::entry(write, answer.clone())).collect();
            RunPart { schema: SCHEMA, run: run.n, n, writes }
        });
        parts.collect()
    }

    fn parts_changes(&self, parts: &[RunPart]) -> StockChanges {
        let place = |part: &RunPart| (self.merchant.to_owned(), self.channel.to_owned(), part.clone());
        StockChanges {
            runs: self.run.iter().cloned().collect(),
            parts: parts.iter().map(place).collect(),
            ..StockChanges::default()
        }
    }

    async fn keep_parts(
        &self,
        parts: &[RunPart],
        change: impl Fn(&mut crate::stock::StockState),
    ) -> Result<(), StoreError> {
        self.change(self.parts_changes(parts), change).await.map(|_| ())
    }

    /// Counts answers, and tells what was refused.
    fn note(&mut self, parts: &[RunPart]) {
        for entry in parts.iter().flat_map(|part| &part.writes) {
            self.count(&entry.answer);
            match &entry.answer {
                Answer::Set => {
                    self.done.set += 1;
                    self.done.repaired += u64::from(self.drifted.remove(&entry.item));
                    if let Some(run) = &mut self.run {
                        run.set += 1;
                    }
                }
                Answer::Stale => {
                    self.done.stale += 1;
                    tracing::info!(
                        event = "stock.stale",
                        merchant = self.merchant,
                        channel = self.channel,
                        sku = entry.sku,
                        "a channel shows another figure than expected: it is read, and worked out anew"
                    );
                }
                Answer::Refused(why) => {
                    self.done.refused += 1;
                    if let Some(run) = &mut self.run {
                        run.refused += 1;
                    }
                    if self.done.refused <= NAMED {
                        tracing::error!(
                            event = "stock.refused",
                            merchant = self.merchant,
                            channel = self.channel,
                            sku = entry.sku,
                            error = why,
                            "a channel refuses the stock of a product; `inventory list --merchant` shows all of them"
                        );
                    }
                }
                _ => {}
            }
        }
    }
}
