//! A run taken back: every figure that it set goes back to what the channel showed before.

use std::collections::BTreeMap;

use sdk::{RemoteId, StockChange};

use super::Planned;
use crate::stock::{Answer, Entry, RunId, Shown};

/// The writes that take a run back. What the channel shows otherwise by now was written by someone else meanwhile, or by a
/// later run: it goes back all the same, as the person asked, from what it shows. What was not known before the run
/// cannot be given back, and a figure below zero becomes 0.
pub fn undo(entries: &[Entry], shown: &BTreeMap<RemoteId, Shown>, run: &RunId) -> Vec<Planned> {
    let mut first: BTreeMap<&RemoteId, &Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.answer, Answer::Set | Answer::Sent)) {
        // An item that the run wrote twice goes back to before the first time.
        first.entry(&entry.item).or_insert(entry);
    }
    first
        .into_values()
        .filter_map(|entry| {
            let to = u32::try_from(entry.before?.max(0)).unwrap_or(u32::MAX);
            let from = shown.get(&entry.item).and_then(|shown| shown.figure);
            (from != Some(i64::from(to))).then(|| Planned {
                change: StockChange {
                    item: entry.item.clone(),
                    variant: entry.variant.clone(),
                    sku: Some(entry.sku.clone()),
                    from,
                    to,
                },
                why: format!("run {run} taken back"),
            })
        })
        .collect()
}
