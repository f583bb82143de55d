//! What a channel's answer to a write means, and what a look at an item does.

use sdk::{RemoteId, StockOutcome, Timestamp};

use super::Planned;
use crate::stock::{Answer, Entry, Refusal, Shown, Wrote};

/// What is known of an item after its write was answered. `Accepted` is not believed: the figure is unknown until it
/// is read.
pub fn answered(
    known: Option<&Shown>,
    planned: &Planned,
    outcome: &StockOutcome,
    run: u32,
    now: Timestamp,
) -> (Shown, Answer) {
    let change = &planned.change;
    let mut shown = known.cloned().unwrap_or_else(|| Shown::unknown(change.item.clone(), now));
    (shown.at, shown.blank) = (now, false);
    let answer = match outcome {
        StockOutcome::Set => {
            shown.figure = Some(i64::from(change.to));
            (shown.written, shown.refused, shown.planned) = (true, None, None);
            Answer::Set
        }
        StockOutcome::Accepted => {
            shown.figure = None;
            Answer::Sent
        }
        StockOutcome::Stale => {
            shown.figure = None;
            Answer::Stale
        }
        StockOutcome::Refused(why) => {
            shown.refused = Some(Refusal { to: change.to, why: why.clone(), at: now });
            Answer::Refused(why.clone())
        }
    };
    if answer != Answer::Sent {
        note(&mut shown, &entry(planned, answer.clone()), run, now);
    }
    (shown, answer)
}

/// What is known of an item after the channel was read, following a write of which no answer was known.
pub fn read_back(
    known: Option<&Shown>,
    entry: &Entry,
    found: Option<i64>,
    run: u32,
    now: Timestamp,
) -> (Shown, Answer) {
    let mut shown = read(known, entry.item.clone(), found, now);
    let answer = if found == Some(i64::from(entry.after)) {
        (shown.written, shown.refused, shown.planned) = (true, None, None);
        Answer::Set
    } else {
        Answer::NotApplied(found)
    };
    note(&mut shown, &Entry { answer: answer.clone(), ..entry.clone() }, run, now);
    (shown, answer)
}

/// What is known of an item after the channel was read.
pub fn read(known: Option<&Shown>, item: RemoteId, found: Option<i64>, now: Timestamp) -> Shown {
    let mut shown = known.cloned().unwrap_or_else(|| Shown::unknown(item, now));
    (shown.figure, shown.blank, shown.at) = (found, found.is_none(), now);
    shown
}

/// What is known of an item that the channel left out of its answer: it is not written for a while.
pub fn absent(known: Option<&Shown>, item: RemoteId, units: u32, now: Timestamp) -> Shown {
    let mut shown = known.cloned().unwrap_or_else(|| Shown::unknown(item, now));
    (shown.figure, shown.blank, shown.at) = (None, false, now);
    shown.refused =
        Some(Refusal { to: units, why: "the channel does not know this item".to_owned(), at: now });
    shown
}

/// A write as the ledger keeps it.
pub fn entry(planned: &Planned, answer: Answer) -> Entry {
    let change = &planned.change;
    Entry {
        item: change.item.clone(),
        variant: change.variant.clone(),
        sku: change.sku.clone().unwrap_or_default(),
        before: change.from,
        after: change.to,
        why: planned.why.clone(),
        answer,
    }
}

fn note(shown: &mut Shown, entry: &Entry, run: u32, now: Timestamp) {
    shown.note(Wrote {
        run,
        at: now,
        before: entry.before,
        after: entry.after,
        why: entry.why.clone(),
        answer: entry.answer.clone(),
    });
}
