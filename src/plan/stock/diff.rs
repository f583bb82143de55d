//! The writes that bring a channel to what it may show.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{RemoteId, StockChange, Timestamp};

use super::Offer;
use crate::{policy::StockRules, stock::Shown};

/// A refused item is tried again after this, or sooner when another figure is to be written.
const REFUSED_AGAIN: chrono::TimeDelta = chrono::TimeDelta::hours(20);

/// A write to be made, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The change.
    pub change: StockChange,
    /// Why.
    pub why: String,
}

/// What a run has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The writes, by item.
    pub writes: Vec<Planned>,
    /// Items whose figure is not known: to be read first.
    pub unknown: Vec<RemoteId>,
    /// Items that already show it.
    pub same: usize,
    /// Items that the channel refuses, left alone for a while.
    pub refused: usize,
}

/// What leads from what the channel acknowledged to the offers. An item that several variants share is written once,
/// with the least of their figures. `shadow`: against what would have been written last.
pub fn diff(
    offers: &[Offer],
    shown: &BTreeMap<RemoteId, Shown>,
    rules: &StockRules,
    shadow: bool,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    for (item, offer) in least(offers) {
        let shown = shown.get(item);
        let refused = shown.and_then(|shown| shown.refused.as_ref());
        if refused.is_some_and(|refused| refused.to == offer.units && now - refused.at < REFUSED_AGAIN) {
            plan.refused += 1;
            continue;
        }
        let figure = shown.and_then(|shown| shown.figure);
        if figure.is_none() && !shown.is_some_and(|shown| shown.blank) {
            plan.unknown.push(item.clone());
            continue;
        }
        let planned = shown.filter(|_| shadow).and_then(|shown| shown.planned);
        if planned.map(i64::from).or(figure) == Some(i64::from(offer.units)) {
            plan.same += 1;
            continue;
        }
        plan.writes.push(Planned {
            change: StockChange {
                item: item.clone(),
                variant: offer.variant.clone(),
                sku: Some(offer.sku.clone()),
                from: figure,
                to: offer.units,
            },
            why: offer.why(rules),
        });
    }
    plan
}

/// The offer that each item is written with: the least of those that share it.
pub fn least(offers: &[Offer]) -> BTreeMap<&RemoteId, &Offer> {
    let mut least: BTreeMap<&RemoteId, &Offer> = BTreeMap::new();
    for offer in offers {
        let known = least.entry(&offer.item).or_insert(offer);
        if offer.units < known.units {
            *known = offer;
        }
    }
    least
}

/// Cuts writes into batches of at most `most` items, none twice within one.
pub fn batches(writes: Vec<Planned>, most: usize) -> Vec<Vec<Planned>> {
    let mut seen = BTreeSet::new();
    let mut batches: Vec<Vec<Planned>> = Vec::new();
    for write in writes.into_iter().filter(|write| seen.insert(write.change.item.clone())) {
        match batches.last_mut() {
            Some(batch) if batch.len() < most.max(1) => batch.push(write),
            _ => batches.push(vec![write]),
        }
    }
    batches
}
