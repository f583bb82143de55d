//! The breaker: how much a run may change unasked.
//!
//! A feed that was read wrongly shows itself by changing much at once. Products that sell out one by one do not trip
//! it: one product alone never does. It is asked again before each round of a run, and counts all of the run so far: a
//! feed that arrives in the middle meets it too.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{RemoteId, StockChange};

use super::Planned;
use crate::stock::{Answer, Entry, Shown, run::Blast};

/// A run in which more than this share of the products changes by more than half stops, in percent.
pub const HALVED_PERCENT: usize = 50;

/// What a stopped run would have written, as a person saw it before releasing it: the figure of each item before and
/// after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<RemoteId, (i64, i64)>);

impl Seen {
    /// Of the ledger of the stopped run.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let planned = entries.into_iter().filter(|entry| entry.answer == Answer::Planned);
        Self(
            planned
                .filter_map(|entry| Some((entry.item.clone(), (entry.before?, i64::from(entry.after)))))
                .collect(),
        )
    }

    /// Whether a write goes no further than what was seen of its item.
    fn covers(&self, change: &StockChange) -> bool {
        self.0.get(&change.item).is_some_and(|(before, after)| {
            (*before.min(after)..=*before.max(after)).contains(&i64::from(change.to))
        })
    }
}

/// The items that a run changes much, and that nobody approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    zeroed: BTreeSet<RemoteId>,
    halved: BTreeSet<RemoteId>,
}

impl Reach {
    /// Counts these writes in. What a person approved is left out.
    pub fn add(&mut self, writes: &[Planned], shown: &BTreeMap<RemoteId, Shown>, seen: &Seen) {
        for Planned { change, .. } in writes {
            let Some(before) = change.from.filter(|before| *before > 0) else { continue };
            if seen.covers(change) {
                continue;
            }
            let after = i64::from(change.to);
            if after == 0 {
                self.zeroed.insert(change.item.clone());
            }
            // What the merchant showed before its first figure of ours says nothing of our feed.
            let ours = shown.get(&change.item).is_some_and(|shown| shown.written);
            if ours && (after - before).abs() * 2 > before {
                self.halved.insert(change.item.clone());
            }
        }
    }

    /// How many they are, of so many published products.
    pub fn blast(&self, products: usize) -> Blast {
        Blast { products, zeroed: self.zeroed.len(), halved: self.halved.len() }
    }
}

/// Why such a run stops, if it does.
pub fn trips(blast: Blast, breaker_percent: u32) -> Option<String> {
    let of = blast.products;
    let past = |count: usize, percent: usize| count > 1 && count * 100 > of * percent;
    if past(blast.zeroed, breaker_percent as usize) {
        return Some(format!(
            "{} of {of} products would go to zero, more than {breaker_percent} %",
            blast.zeroed
        ));
    }
    past(blast.halved, HALVED_PERCENT).then(|| {
        format!(
            "{} of {of} products would change by more than half, more than {HALVED_PERCENT} %",
            blast.halved
        )
    })
}
