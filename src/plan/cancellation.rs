//! Cancellation, per line and unit: what the channel no longer wants, what a person cancelled, and what someone else
//! fulfilled, against the units that are here.
//!
//! It works on the neutral picture alone: how many units of a line the channel still wants. So a cancelled order, an
//! edit, a vanished line and a refund of unfulfilled units are one thing. A refund of *fulfilled* units leaves what
//! is wanted as it was (they stay in their fulfillment): a return never un-ships.
//!
//! Of each line `unwanted + by_hand` units ought to be cancelled. Those that are not in work leave at once. For the
//! rest the supplier is asked, and its answer is remembered: rejected units stay open and are asked for again only if
//! the channel's quantity falls further. Units that left already stay shipped, and their parcel is marked.
//!
//! `by_hand` what people say of it · `crossing` parcels that left all the same · `answers` to a channel's own requests.

mod answers;
mod by_hand;
mod crossing;

use std::collections::BTreeMap;

use sdk::{CancellationRequest, LineQuantity, OrderState, RemoteId, Timestamp};
use serde::{Deserialize, Serialize};

use super::units::{self, Gone, Scope};
use crate::{
    policy::Policy,
    record::{AccountLine, Owner, Record},
};

pub(super) use self::{
    answers::answers,
    by_hand::{accept, cancel, reject},
    crossing::{crossed, mark_crossed},
};

/// Whose word a cancellation by hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The merchant's, where its channel cannot tell.
    Merchant,
    /// The supplier's: it cannot fulfil the units.
    Supplier,
}

/// Units that the channel asks to cancel in a way of its own and that are not answered there, by line.
pub(super) fn asked(requests: &[CancellationRequest]) -> BTreeMap<&RemoteId, u32> {
    let mut units: BTreeMap<&RemoteId, u32> = BTreeMap::new();
    for line in requests.iter().flat_map(|request| &request.lines) {
        let sum = units.entry(&line.line).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    units
}

/// Notes how many units of a line the channel wants. What a person cancelled here and the channel cancels later is one
/// cancellation.
pub(super) fn look(line: &mut AccountLine, wanted: u32) {
    let unwanted = line.ordered.saturating_sub(wanted);
    line.by_hand = line.by_hand.saturating_sub(unwanted.saturating_sub(line.unwanted));
    line.unwanted = unwanted;
}

/// Brings a line's cancelled units to what they ought to be: held ones leave first, then those not in work; the rest
/// becomes a request. Units that are wanted again come back first, through the gates. Answers the units that left
/// already though they are not wanted.
pub(super) fn settle(record: &mut Record, index: usize, policy: &Policy) -> u32 {
    let line = &mut record.lines[index];
    let target = line.to_cancel();
    let back = line.all_cancelled().saturating_sub(target);
    if back > 0 {
        let after = line.cancelled_after.min(back);
        line.cancelled_after -= after;
        line.routed -= after;
        line.cancelled -= back - after;
        line.held += back;
        units::give_back(record, index, back, Gone::Cancelled);
    }
    let line = &mut record.lines[index];
    // What is wanted again is refused no more: its next cancellation is a new one, and is asked.
    line.cancel_rejected = line.cancel_rejected.min(target.saturating_sub(line.all_cancelled()));
    let mut more = target.saturating_sub(line.all_cancelled()).saturating_sub(line.cancel_rejected);
    more -= leave(record, index, more, policy.cancel_at_once, None);
    record.lines[index].cancel_requested = more.min(units::available(record, index, Scope::Any));
    let left = target.saturating_sub(record.lines[index].all_cancelled());
    left.saturating_sub(units::available(record, index, Scope::Any))
}

/// Cancels up to `units` that are not in work, held ones first, those of order `first` before others. Answers how many.
fn leave(record: &mut Record, index: usize, units: u32, open_too: bool, first: Option<u32>) -> u32 {
    let scope = Scope::BeforeHandOff;
    let held = units::available(record, index, scope).min(record.lines[index].held).min(units);
    units::take_from(record, index, held, scope, Gone::Cancelled, first);
    record.lines[index].held -= held;
    record.lines[index].cancelled += held;
    if !open_too {
        return held;
    }
    let open = units::available(record, index, scope).min(units - held).min(record.lines[index].routed);
    units::take_from(record, index, open, scope, Gone::Cancelled, first);
    record.lines[index].cancelled_after += open;
    held + open
}

/// Units that someone else fulfilled leave the held ones first, then the open ones; they return when that fulfillment
/// is taken back. Answers whether units in work are among them.
pub(super) fn elsewhere(record: &mut Record, index: usize, foreign: u32) -> bool {
    let line = &mut record.lines[index];
    let known = line.elsewhere_before + line.elsewhere_after;
    let mut in_work = false;
    if foreign > known {
        let mut more = foreign - known;
        let wanted_again = line.all_cancelled().saturating_sub(line.to_cancel());
        // Units that were fulfilled before the first look were counted as cancelled, and are in no order.
        let outside = line.cancelled.saturating_sub(in_orders(record, index));
        let moved = outside.min(wanted_again).min(more);
        record.lines[index].cancelled -= moved;
        record.lines[index].elsewhere_before += moved;
        more -= moved;
        // What was cancelled here is what the merchant fulfils itself: units that it wants again and has fulfilled
        // since the last look, and those that the supplier could not fulfil.
        let line = &mut record.lines[index];
        let again = (wanted_again - moved).min(more);
        let by_hand = line.by_hand.min(line.all_cancelled() - again).min(more - again);
        let gone = again + by_hand;
        let after = line.cancelled_after.min(gone);
        line.by_hand -= by_hand;
        line.cancelled_after -= after;
        line.elsewhere_after += after;
        line.cancelled -= gone - after;
        line.elsewhere_before += gone - after;
        more -= gone;
        units::recount(record, index, gone, Gone::Cancelled, Gone::Elsewhere);
        let held = units::available(record, index, Scope::Any).min(record.lines[index].held).min(more);
        in_work |= units::take(record, index, held, Scope::Any, Gone::Elsewhere);
        record.lines[index].held -= held;
        record.lines[index].elsewhere_before += held;
        more -= held;
        let open = units::available(record, index, Scope::Any).min(more);
        in_work |= units::take(record, index, open, Scope::Any, Gone::Elsewhere);
        let line = &mut record.lines[index];
        line.elsewhere_after += open;
        // Of what was asked for by hand and is in work, these are the units: there is nothing left to answer.
        let moot = (held + open).min(line.by_hand).min(line.cancel_requested);
        line.by_hand -= moot;
        line.cancel_requested -= moot;
    } else if foreign < known {
        let mut back = known - foreign;
        let after = line.elsewhere_after.min(back);
        line.elsewhere_after -= after;
        back -= after;
        line.elsewhere_before -= back;
        line.held += back;
        units::give_back(record, index, after + back, Gone::Elsewhere);
    }
    in_work
}

/// Cancelled units of a line that its supplier orders still show as cancelled.
fn in_orders(record: &Record, index: usize) -> u32 {
    let Owner::Supplier { parts, .. } = &record.lines[index].owner else { return 0 };
    let Some(part) = parts.first() else { return 0 };
    let own: u32 = record
        .orders
        .iter()
        .flat_map(|order| &order.lines)
        .filter(|own| own.channel_line.as_ref() == Some(&record.lines[index].id) && own.sku == part.sku)
        .map(|own| own.cancelled)
        .sum();
    (own / part.per_unit.max(1)).saturating_sub(record.lines[index].cancelled_after)
}

pub(super) fn stamp(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Units by their lines' names: `2 × A7, 1 × B2`.
pub(super) fn names(record: &Record, lines: &[LineQuantity]) -> String {
    let name = |line: &LineQuantity| {
        let name = record.line(&line.line).map_or(line.line.as_str(), |line| line.name());
        format!("{} × {name}", line.quantity)
    };
    lines.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A channel's words on one line, and not too many of them: they go into the timeline and the log.
fn words(text: &str) -> String {
    const MOST: usize = 200;
    let plain: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MOST).collect();
    if text.chars().count() > MOST { format!("{}…", plain.trim()) } else { plain.trim().to_owned() }
}

/// Why the channel no longer wants units of a line, as far as its picture tells.
pub(super) fn cause(record: &Record, id: &RemoteId) -> String {
    if record.line(id).is_some_and(|line| line.by_hand > 0 && line.unwanted == 0) {
        return "the merchant's word, recorded by hand".to_owned();
    }
    if let OrderState::Cancelled { reason, .. } = &record.seen.state {
        return match reason {
            Some(reason) => format!("the order was cancelled: {}", words(reason)),
            None => "the order was cancelled".to_owned(),
        };
    }
    let request =
        record.seen.cancellation_requests.iter().find(|ask| ask.lines.iter().any(|line| line.line == *id));
    match (request, record.seen.lines.iter().find(|line| line.id == *id)) {
        (Some(CancellationRequest { message: Some(message), .. }), _) => {
            format!("the merchant asks for it: {}", words(message))
        }
        (Some(_), _) => "the merchant asks for it".to_owned(),
        (None, None) => "the line was removed".to_owned(),
        (None, Some(line)) if line.refunded > 0 => "refunded".to_owned(),
        (None, Some(_)) => "the order was edited".to_owned(),
    }
}
