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

use std::collections::BTreeMap;

use sdk::{CancellationRequest, LineQuantity, OrderState, RemoteId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    command::{self, LineAmount, Refused},
    mirror, orders,
    units::{self, Gone, Scope},
};
use crate::{
    outbox::{CancelAnswer, Write, WriteKind, WriteState},
    policy::Policy,
    record::{AccountLine, Level, Owner, Record, RecordId},
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
    line.cancel_rejected = line.cancel_rejected.min(target);
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

/// Units that left though the channel no longer wants them, by line: their parcels are marked, newest first, and keep
/// both times. Where the channel refused such a parcel and takes the rest of it, the rest is told.
pub(super) fn mark_crossed(record: &mut Record, crossed: &[(RemoteId, u32)], now: Timestamp) {
    let mut hit: BTreeMap<usize, Vec<LineQuantity>> = BTreeMap::new();
    for (id, units) in crossed {
        let mut left = *units;
        for at in (0..record.shipments.len()).rev() {
            let shipment = &record.shipments[at];
            if shipment.voided_at.is_some() || is_told(record, at) {
                continue;
            }
            let inside: u32 =
                shipment.completes.iter().filter(|told| told.line == *id).map(|told| told.quantity).sum();
            let quantity = inside.min(left);
            left -= quantity;
            if quantity > 0 {
                hit.entry(at).or_default().push(LineQuantity { line: id.clone(), quantity });
            }
        }
    }
    let at_channel = record.changed_at();
    for (at, lines) in hit {
        let shipment = &mut record.shipments[at];
        let (order, label) = (shipment.order, shipment.label());
        if !shipment.after_cancel || shipment.cancelled_at.is_none() {
            shipment.after_cancel = true;
            shipment.cancelled_at = at_channel.or(Some(now));
            let text = format!(
                "parcel {label} of {} crossed a cancellation: it left {}, the channel cancelled {}",
                record.id.order(order),
                stamp(shipment.shipped_at),
                at_channel.map_or_else(|| "meanwhile".to_owned(), stamp)
            );
            record.alert(now, "shipped-after-cancel", text.clone());
            record.note_of_channel(now, "order.shipped_after_cancel", Some(order), Level::Error, text);
        }
        let refused = mirror::live_create(record, at).is_some_and(|create| {
            create.state.is_parked() && !create.uncertain && create.made.is_empty() && !create.given_up
        });
        let shipment = &mut record.shipments[at];
        if !refused || shipment.untold == lines {
            continue;
        }
        let before = std::mem::replace(&mut shipment.untold, lines);
        if shipment.to_tell().is_empty() {
            shipment.untold = before;
            continue;
        }
        let names = names(record, &record.shipments[at].untold);
        let text =
            format!("the channel cancelled {names} of parcel {label} and does not take it: the rest is told");
        record.note(now, "fulfillment.reduced", Some(order), Level::Warn, text);
    }
}

fn is_told(record: &Record, shipment: usize) -> bool {
    mirror::live_create(record, shipment)
        .is_some_and(|create| matches!(create.state, WriteState::Done { .. }))
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

/// The supplier agrees: the units under request that order `n` has a part in (or the named ones) will not ship.
pub(super) fn accept(
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
pub(super) fn reject(
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
pub(super) fn cancel(
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

/// The answers owed to the channel's own requests: once nothing of one waits for the supplier, it is accepted when all
/// of its units are cancelled here, and rejected otherwise. Answers whether something changed.
pub(super) fn answers(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    let mut changed = withdraw(record, now);
    if !policy.capabilities.answers_cancellations || (policy.shadow && !record.shadow) {
        return changed;
    }
    for at in 0..record.seen.cancellation_requests.len() {
        let request = record.seen.cancellation_requests[at].clone();
        // One that was withdrawn before it was answered may come again.
        if record.writes.iter().any(|write| write.answers(&request.id) && !write.is_superseded()) {
            continue;
        }
        let ours: Vec<_> = request.lines.iter().filter_map(|line| record.line(&line.line)).collect();
        let all_ours = ours.len() == request.lines.len()
            && ours.iter().all(|line| matches!(line.owner, Owner::Supplier { .. }) && line.excluded == 0);
        if !all_ours {
            let text = format!(
                "the cancellation request {} is also about lines that are not ours: answer it in the shop",
                request.id
            );
            if record.alert(now, "cancellation-by-hand", text.clone()) {
                record.note(now, "cancel.by_hand", None, Level::Error, text);
                changed = true;
            }
            continue;
        }
        if ours.iter().any(|line| line.cancel_requested > 0 || is_leaving(record, &line.id)) {
            continue;
        }
        // What the channel was told of since it was last looked at is no part of its request any more.
        let settled = |line: &AccountLine| line.all_cancelled().saturating_add(told_unseen(record, &line.id));
        let accept = ours.iter().all(|line| settled(line) >= line.to_cancel())
            && ours.iter().any(|line| line.all_cancelled() > 0);
        let reason = if ours.iter().any(|line| line.cancel_rejected > 0) {
            record.cancel_rejection.clone()
        } else {
            Some("the units have left already".to_owned())
        };
        let message = reason.filter(|_| !accept);
        let before =
            record.writes.iter().filter(|write| write.answers(&request.id)).map(|write| write.revision);
        let revision = before.max().unwrap_or(0) + 1;
        let mut write = mirror::blank(record, WriteKind::Answer, 1, 0, revision, policy, now);
        write.key = format!("{}/{}/answer/{revision}", record.id, RecordId::key_part(&request.id));
        write.targets = vec![request.id];
        write.answer = Some(CancelAnswer { accept, message });
        record.writes.push(write);
        changed = true;
    }
    changed
}

/// Whether a parcel with units of this line is on its way to the channel.
fn is_leaving(record: &Record, id: &RemoteId) -> bool {
    creates(record).any(|create| create.state.is_owed() && create.lines.iter().any(|line| line.line == *id))
}

/// Units of a line that the channel was told of and does not show yet.
fn told_unseen(record: &Record, id: &RemoteId) -> u32 {
    creates(record)
        .flat_map(|create| &create.made)
        .filter(|made| record.seen.fulfillments.iter().all(|seen| seen.id != made.id))
        .flat_map(|made| &made.lines)
        .filter(|line| line.line == *id)
        .fold(0, |sum, line| sum.saturating_add(line.quantity))
}

fn creates(record: &Record) -> impl Iterator<Item = &Write> {
    let is_create = |write: &&Write| write.kind == WriteKind::Create;
    record.writes.iter().filter(is_create).filter(|create| !mirror::is_taken_back(record, create))
}

/// Answers to requests that the channel no longer shows are not owed any more.
fn withdraw(record: &mut Record, now: Timestamp) -> bool {
    let mut changed = false;
    let open = &record.seen.cancellation_requests;
    for write in record.writes.iter_mut().filter(|write| write.kind == WriteKind::Answer) {
        let shown = open.iter().any(|request| write.targets.contains(&request.id));
        let waits = write.state == WriteState::Pending || write.state.is_parked();
        if waits && !shown {
            write.state = WriteState::Dropped { at: now };
            changed = true;
        }
    }
    changed
}
