//! A run taken back: every figure that it set goes back to what the channel showed before.

use std::collections::BTreeMap;

use sdk::{RemoteId, StockChange};

use super::Planned;
use crate::stock::{Answer, Entry, RunId, Shown};

/// The writes that take a run back. What the channel shows otherwise by now was written by someone else meanwhile, or by a
/// later run: it goes back all the same, as the person asked, from what it shows. Where the run was the last to write,
/// what the channel has sold since is taken off. What was not known before the run cannot be given back, what was taken
/// back already is not given back twice, and a figure below zero becomes 0.
pub fn undo(entries: &[Entry], shown: &BTreeMap<RemoteId, Shown>, run: &RunId) -> Vec<Planned> {
    let why = format!("run {run} taken back");
    // An item that the run wrote twice goes back to before the first time.
    let mut written: BTreeMap<&RemoteId, (&Entry, &Entry)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.answer, Answer::Set | Answer::Sent)) {
        written.entry(&entry.item).and_modify(|(_, last)| *last = entry).or_insert((entry, entry));
    }
    let back = written.into_values().filter_map(|(first, last)| {
        let shown = shown.get(&first.item);
        let from = shown.and_then(|shown| shown.figure);
        let latest =
            shown.and_then(|shown| shown.recent.iter().rev().find(|wrote| wrote.answer == Answer::Set));
        if latest.is_some_and(|latest| latest.why == why) {
            return None;
        }
        let sold = from
            .filter(|_| latest.is_some_and(|latest| latest.run == run.n))
            .map_or(0, |from| (i64::from(last.after) - from.max(0)).max(0));
        let to = u32::try_from((first.before? - sold).max(0)).unwrap_or(u32::MAX);
        (from != Some(i64::from(to))).then(|| Planned {
            change: StockChange {
                item: first.item.clone(),
                variant: first.variant.clone(),
                sku: Some(first.sku.clone()),
                from,
                to,
            },
            why: why.clone(),
        })
    });
    back.collect()
}
