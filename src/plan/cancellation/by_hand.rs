//! What people say of a cancellation: the supplier's answer, and a word that no channel told.

use std::collections::BTreeMap;

use sdk::{RemoteId, Timestamp};

use super::{By, leave};
use crate::{
    plan::{
        command::{self, LineAmount, Refused},
        orders,
        units::{self, Gone, Scope},
    },
    policy::Policy,
    record::{Level, Record},
};

/// The supplier agrees: the units under request that order `n` has a part in (or the named ones) will not ship.
pub(in crate::plan) fn accept(
    record: &mut Record,
    n: u32,
    lines: &[LineAmount],
    now: Timestamp,
) -> Result<(), Refused> {
    let chosen = under_request(record, n, lines)?;
    for (index, units) in &chosen {
        units::take_from(record, *index, *units, Scope::Any, Gone::Cancelled, Some(n));
        let line = &mut record.lines[*index];
        line.cancel_requested -= units;
        line.cancelled_after += units;
    }
    let text = format!("the supplier accepted the cancellation of {}", told(record, &chosen));
    record.note(now, "cancel.accepted", Some(n), Level::Info, text);
    Ok(())
}

/// The supplier refuses: the units stay open, and the channel's next word about them is new.
pub(in crate::plan) fn reject(
    record: &mut Record,
    n: u32,
    reason: &str,
    lines: &[LineAmount],
    now: Timestamp,
) -> Result<(), Refused> {
    let reason = command::required_text("reason", reason, 500)?;
    let chosen = under_request(record, n, lines)?;
    for (index, units) in &chosen {
        let line = &mut record.lines[*index];
        line.cancel_requested -= units;
        line.cancel_rejected += units;
    }
    let text = format!("the supplier rejected the cancellation of {}: {reason}", told(record, &chosen));
    record.cancel_rejection = Some(reason);
    record.note(now, "cancel.rejected", Some(n), Level::Warn, text);
    Ok(())
}

/// A person cancels units of order `n` that are open (all of them, or the named ones). Answers warnings.
pub(in crate::plan) fn cancel(
    record: &mut Record,
    n: u32,
    by: By,
    reason: Option<&str>,
    lines: &[LineAmount],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    orders::not_shadow(record, policy)?;
    let reason = command::text("reason", reason, 500)?;
    let free = |record: &Record, index: usize| {
        let line = &record.lines[index];
        // The merchant's word about units that it asked for already says nothing new, answered or not.
        let asked =
            if by == By::Merchant { line.cancel_requested.saturating_add(line.cancel_rejected) } else { 0 };
        let rest = units::available(record, index, Scope::Any).saturating_sub(asked);
        units::reach(record, index, n).min(rest)
    };
    let chosen = choose(record, n, lines, free)?;
    if chosen.is_empty() {
        let id = record.id.order(n);
        return Err(Refused::conflict("nothing-open", format!("nothing of {id} is open to be cancelled")));
    }
    let mut warnings = Vec::new();
    if by == By::Merchant && policy.capabilities.sees_partial_cancellations {
        let text = "this channel tells cancellations by itself: cancel it there too, or its units come back";
        warnings.push(text.to_owned());
    }
    let in_work = record.order(n).is_some_and(|order| order.acked_at.is_some());
    let mut waiting: u64 = 0;
    for (index, units) in &chosen {
        if by == By::Merchant {
            let gone = if policy.cancel_at_once { leave(record, *index, *units, true, Some(n)) } else { 0 };
            record.lines[*index].by_hand += units;
            waiting += u64::from(units - gone);
            continue;
        }
        units::take_from(record, *index, *units, Scope::Any, Gone::Cancelled, Some(n));
        let line = &mut record.lines[*index];
        let held = if in_work { 0 } else { line.held.min(*units) };
        line.held -= held;
        line.cancelled += held;
        line.cancelled_after += units - held;
        // What the channel asked for already is granted by this, a rejection included.
        let granted = line.cancel_requested.min(*units);
        line.cancel_requested -= granted;
        let reversed = line.cancel_rejected.min(units - granted);
        line.cancel_rejected -= reversed;
        line.by_hand += units - granted - reversed;
    }
    let whose = match by {
        By::Merchant => "the merchant's word, recorded by hand",
        By::Supplier => "the supplier cannot fulfil it",
    };
    let mut text = format!("{} cancelled: {whose}", told(record, &chosen));
    if let Some(reason) = reason {
        text.push_str(&format!(" ({reason})"));
    }
    if waiting > 0 {
        text.push_str("; what is in work is asked for");
    }
    record.note(now, "order.cancelled", Some(n), Level::Info, text.clone());
    if by == By::Supplier {
        record.alert(now, "cannot-fulfil", format!("{}: {text}", record.id.order(n)));
    }
    Ok(warnings)
}

fn under_request(record: &Record, n: u32, lines: &[LineAmount]) -> Result<Vec<(usize, u32)>, Refused> {
    let free = |record: &Record, index: usize| {
        record.lines[index].cancel_requested.min(units::reach(record, index, n))
    };
    let chosen = choose(record, n, lines, free)?;
    if chosen.is_empty() {
        let id = record.id.order(n);
        return Err(Refused::conflict("no-request", format!("no cancellation of {id} waits for an answer")));
    }
    Ok(chosen)
}

/// Whole channel units by account line: all that are free, or those that the named supplier's units make.
fn choose(
    record: &Record,
    n: u32,
    lines: &[LineAmount],
    free: impl Fn(&Record, usize) -> u32,
) -> Result<Vec<(usize, u32)>, Refused> {
    let id = record.id.order(n);
    let order = record.order(n).ok_or_else(|| command::unknown(&id))?;
    let mut chosen: BTreeMap<usize, u32> = BTreeMap::new();
    if lines.is_empty() {
        for index in 0..record.lines.len() {
            let serves = |line: &RemoteId| *line == record.lines[index].id;
            if order.lines.iter().any(|own| own.channel_line.as_ref().is_some_and(serves)) {
                chosen.insert(index, free(record, index));
            }
        }
    }
    for (label, amount) in command::sum_amounts(lines)? {
        let own = &order.lines[command::line_at(order, &label, &id)?];
        let index = own
            .channel_line
            .as_ref()
            .and_then(|channel_line| record.lines.iter().position(|line| line.id == *channel_line));
        let index = index.ok_or_else(|| {
            let why = format!("line {label} is the supplier's own: `orders edit` changes it");
            Refused::conflict("own-line", why)
        })?;
        if amount % own.per_unit.max(1) != 0 {
            let why = format!("line {label}: {} make one unit, {amount} are no whole units", own.per_unit);
            return Err(Refused::invalid("quantity", why));
        }
        let units = amount / own.per_unit.max(1);
        let free = free(record, index);
        if units > free {
            let most = free.saturating_mul(own.per_unit);
            let why = format!("line {label}: {amount} units cannot be meant, at most {most} can");
            return Err(Refused::conflict("quantity", why));
        }
        // The lines of one kit name the same units.
        let entry = chosen.entry(index).or_default();
        *entry = units.max(*entry);
    }
    Ok(chosen.into_iter().filter(|(_, units)| *units > 0).collect())
}

fn told(record: &Record, chosen: &[(usize, u32)]) -> String {
    let line = |(index, units): &(usize, u32)| format!("{units} × {}", record.lines[*index].name());
    chosen.iter().map(line).collect::<Vec<_>>().join(", ")
}
