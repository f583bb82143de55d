//! Reading what a channel shows: of items that are not known, of a batch whose outcome is not known, and of all of them
//! once a day.

use std::collections::BTreeMap;

use sdk::{ErrorKind, RemoteId};

use super::{super::bounded, Failure, Push};
use crate::{
    plan::stock::{Offer, settle},
    stock::{Answer, InFlight, RunPart, Shown},
    store::StockChanges,
    telemetry::metric,
};

/// So many SKUs are named in the log.
const NAMED: usize = 10;

impl Push<'_> {
    /// What the channel shows of these items; what it does not know is not in it.
    pub(super) async fn read(&self, items: &[RemoteId]) -> Result<BTreeMap<RemoteId, Option<i64>>, Failure> {
        let asked = self.connection.remote.read_stock(items);
        let levels = bounded("read_stock", ErrorKind::Unavailable, asked).await?;
        Ok(levels.into_iter().map(|level| (level.item, level.available)).collect())
    }

    /// Reads items whose figure is not known, and keeps what was found.
    pub(super) async fn look(&mut self, items: &[RemoteId], offers: &[Offer]) -> Result<(), Failure> {
        let units: BTreeMap<&RemoteId, u32> = offers.iter().map(|offer| (&offer.item, offer.units)).collect();
        for batch in items.chunks(self.batch.max(1)) {
            if self.shared.draining.is_cancelled() {
                return Ok(());
            }
            let found = self.read(batch).await?;
            let now = self.shared.ledger.clock().now();
            let shown = batch.iter().map(|item| match found.get(item) {
                Some(figure) => settle::read(self.shown.get(item), item.clone(), *figure, now),
                None => {
                    let units = units.get(item).copied().unwrap_or(0);
                    settle::absent(self.shown.get(item), item.clone(), units, now)
                }
            });
            let shown: Vec<Shown> = shown.collect();
            self.keep_shown(shown, StockChanges::default()).await?;
            self.sold.retain(|item, _| !batch.contains(item));
        }
        Ok(())
    }

    /// Compares every figure that we publish with what the channel shows. What differs was written by someone else, or
    /// a write went astray: it is counted, and the difference is written like any other.
    pub(super) async fn compare(&mut self, offers: &[Offer]) -> Result<(), Failure> {
        let skus: BTreeMap<&RemoteId, &str> =
            offers.iter().map(|offer| (&offer.item, offer.sku.as_str())).collect();
        let items: Vec<RemoteId> = skus
            .keys()
            .filter(|item| self.shown.get(**item).is_some_and(|shown| shown.figure.is_some()))
            .map(|item| (*item).clone())
            .collect();
        let mut drifted = Vec::new();
        for batch in items.chunks(self.batch.max(1)) {
            if self.shared.draining.is_cancelled() {
                return Ok(());
            }
            let found = self.read(batch).await?;
            let now = self.shared.ledger.clock().now();
            let mut changed = Vec::new();
            for item in batch {
                let Some(known) = self.shown.get(item) else { continue };
                let figure = found.get(item).copied().flatten();
                if known.figure == figure {
                    continue;
                }
                // Before our first write the merchant's own sales move it: that is no drift.
                if known.written {
                    drifted.push(item.clone());
                }
                changed.push(settle::read(Some(known), item.clone(), figure, now));
            }
            self.keep_shown(changed, StockChanges::default()).await?;
        }
        let now = self.shared.ledger.clock().now();
        self.change(StockChanges::default(), |state| state.compared_at = Some(now)).await?;
        if !drifted.is_empty() {
            let count = drifted.len() as u64;
            let named: Vec<&str> =
                drifted.iter().filter_map(|item| skus.get(item).copied()).take(NAMED).collect();
            tracing::warn!(
                event = "stock.drift",
                merchant = self.merchant,
                channel = self.channel,
                count,
                skus = named.join(", "),
                "a channel shows other figures than it acknowledged; they are set again"
            );
            metrics::counter!(metric::STOCK_DRIFT, &self.labels()).increment(count);
            self.shared.board.update(self.merchant, self.channel, |status| status.drifted += count);
        }
        self.drifted.extend(drifted);
        Ok(())
    }

    /// Settles a batch whose outcome is not known, by reading it back.
    pub(super) async fn settle(&mut self, in_flight: InFlight) -> Result<(), Failure> {
        let store = self.shared.ledger.store();
        let mut parts: Vec<RunPart> = store.run_parts(self.merchant, self.channel, in_flight.run).await?;
        parts.retain(|part| (in_flight.part..in_flight.part + in_flight.parts).contains(&part.n));
        let mut applied = 0_u64;
        let mut lost = 0_u64;
        for mut part in parts {
            let items: Vec<RemoteId> = part
                .writes
                .iter()
                .filter(|entry| entry.answer == Answer::Sent)
                .map(|entry| entry.item.clone())
                .collect();
            let mut found = BTreeMap::new();
            for batch in items.chunks(self.batch.max(1)) {
                found.extend(self.read(batch).await?);
            }
            let now = self.shared.ledger.clock().now();
            let mut shown = Vec::new();
            for entry in part.writes.iter_mut().filter(|entry| entry.answer == Answer::Sent) {
                let figure = found.get(&entry.item).copied().flatten();
                let (mut after, answer) =
                    settle::read_back(self.shown.get(&entry.item), entry, figure, in_flight.run, now);
                let compares = self.connection.remote.capabilities().compare_and_set_stock;
                if answer != Answer::Set && !compares {
                    after.late = Some(now);
                }
                if answer == Answer::Set {
                    applied += 1;
                } else {
                    lost += 1;
                }
                self.count(&answer);
                entry.answer = answer;
                shown.push(after);
            }
            let part = (self.merchant.to_owned(), self.channel.to_owned(), part);
            let with = StockChanges { parts: vec![part], ..StockChanges::default() };
            self.keep_shown(shown, with).await?;
        }
        self.change(StockChanges::default(), |state| state.in_flight = None).await?;
        tracing::warn!(
            event = "stock.read_back",
            merchant = self.merchant,
            channel = self.channel,
            run = in_flight.run,
            applied,
            lost,
            "a batch of unknown outcome was read back"
        );
        Ok(())
    }
}
