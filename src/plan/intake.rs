//! The channel's picture of an order against our quantities: new units, cancelled ones, those that someone
//! else fulfilled. It compares what is with what is, so a repeated or late picture does no harm.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{
    Delivery, DeliveryKind, Group, Line, LineQuantity, Order, OrderState, RemoteFulfillment, RemoteId,
    Timestamp,
};

use super::{cancellation, units};
use crate::{
    outbox::{Write, WriteKind, WriteState},
    policy::{Fields, Policy},
    record::{AccountLine, Level, Owner, Record, VANISHED},
};

/// Removes what the merchant does not pass on: it is not even stored.
pub fn strip(seen: &mut Order, fields: Fields) {
    if !fields.email {
        seen.email = None;
    }
    if !fields.customer_note {
        seen.customer_note = None;
    }
    if !fields.bill_to {
        seen.bill_to = None;
    }
    if !fields.unit_cost {
        for line in &mut seen.lines {
            line.unit_cost = None;
        }
    }
}

/// What differs between two versions of an order, by name only: values may be a customer's.
pub fn difference(old: &Order, new: &Order) -> String {
    let changed: Vec<&str> = [
        (old.number != new.number, "number"),
        (old.placed_at != new.placed_at, "time placed"),
        (old.test != new.test, "test mark"),
        (old.payment != new.payment, "payment"),
        (old.state != new.state, "state"),
        (old.holds != new.holds, "holds"),
        (old.deliveries != new.deliveries, "address or delivery"),
        (old.lines != new.lines, "lines"),
        (old.fulfillments != new.fulfillments, "fulfillments"),
        (
            old.email != new.email || old.customer_note != new.customer_note || old.bill_to != new.bill_to,
            "customer's fields",
        ),
    ]
    .into_iter()
    .filter_map(|(differs, name)| differs.then_some(name))
    .collect();
    if changed.is_empty() {
        "nothing that matters".to_owned()
    } else {
        format!("it says otherwise about: {}", changed.join(", "))
    }
}

/// Tells on the timeline what the channel changed.
pub fn note_changes(record: &mut Record, seen: &Order, now: Timestamp) {
    note_regrouping(record, seen, now);
    note_deleted(record, seen, now);
    let mut old = record.seen.clone();
    // Our own pushes change the fulfillments and what is open; they have events of their own.
    old.fulfillments.clone_from(&seen.fulfillments);
    old.groups.clone_from(&seen.groups);
    old.cancellation_requests.clone_from(&seen.cancellation_requests);
    let only_stamp = Order { updated_at: seen.updated_at, extra: seen.extra.clone(), ..old.clone() };
    if only_stamp == *seen {
        return;
    }
    let mut lines_same = old.clone();
    for (line, new) in lines_same.lines.iter_mut().zip(&seen.lines) {
        line.fulfillable = new.fulfillable;
    }
    if (Order { updated_at: seen.updated_at, extra: seen.extra.clone(), ..lines_same }) == *seen {
        return;
    }
    note_holds(record, seen, now);
    let what = difference(&old, seen);
    record.note(now, "order.changed", None, Level::Info, format!("the channel changed it: {what}"));
    let apart: Vec<u32> = record
        .orders
        .iter()
        .filter(|order| order.merged_into.is_some() || !order.merged.is_empty())
        .filter(|order| order.lines.iter().any(|line| line.open() > 0))
        .filter(|order| {
            let told = seen.deliveries.iter().find(|delivery| delivery.key == order.delivery);
            told.is_some_and(|told| told.ship_to.as_ref() != record.ship_to(order))
        })
        .map(|order| order.n)
        .collect();
    for n in apart {
        if let Some(order) = record.order_mut(n) {
            order.merged_into = None;
            order.merged.clear();
        }
        let text = "its address changed: it no longer ships together with others";
        record.note(now, "order.unmerged", Some(n), Level::Warn, text);
    }
    super::address::note_changes(record, seen, now);
}

/// Holds that the channel set or lifted: before the hand-off they keep an order from being worked on.
fn note_holds(record: &mut Record, seen: &Order, now: Timestamp) {
    let set: Vec<&str> =
        seen.holds.iter().filter(|hold| !record.seen.holds.contains(hold)).map(String::as_str).collect();
    let in_work = record
        .orders
        .iter()
        .any(|order| order.acked_at.is_some() && order.lines.iter().any(|line| line.open() > 0));
    if !set.is_empty() {
        let (level, so) = if in_work {
            (Level::Error, ", though it is in work: look before it ships")
        } else {
            (Level::Info, "")
        };
        let text = format!("the channel holds it{so}: {}", set.join(", "));
        record.note(now, "order.channel_hold", None, level, text);
    } else if seen.holds.is_empty() && !record.seen.holds.is_empty() {
        record.note(now, "order.channel_release", None, Level::Info, "the channel holds it no longer");
    }
}

/// A split that the merchant made on the channel: more groups hold a line than before, by units that were there. It
/// changes no supplier order. Groups made by our own voids come with as many more units, those of our own splits are
/// known.
fn note_regrouping(record: &mut Record, seen: &Order, now: Timestamp) {
    if record.seen.groups.is_empty() {
        return;
    }
    let units = |groups: &[Group], id: &RemoteId| -> u64 {
        groups
            .iter()
            .flat_map(|group| &group.lines)
            .filter(|line| line.line == *id)
            .map(|line| u64::from(line.quantity))
            .sum()
    };
    let holding = |groups: &[Group], id: &RemoteId| {
        groups.iter().filter(|group| group.lines.iter().any(|line| line.line == *id)).count()
    };
    let new: Vec<Group> = seen
        .groups
        .iter()
        .filter(|group| record.seen.groups.iter().all(|old| old.id != group.id))
        .cloned()
        .collect();
    let mut apart = Vec::new();
    for line in &record.lines {
        if !matches!(line.owner, Owner::Supplier { .. })
            || holding(&seen.groups, &line.id) <= holding(&record.seen.groups, &line.id)
        {
            continue;
        }
        let grown = units(&seen.groups, &line.id).saturating_sub(units(&record.seen.groups, &line.id));
        let ours = own_regrouping(record, &line.id);
        if units(&new, &line.id) > grown.saturating_add(ours) {
            apart.push(line.name().to_owned());
        }
    }
    if !apart.is_empty() {
        let text = format!(
            "the merchant split {} on the channel into {} groups: the supplier's orders stay as they are",
            apart.join(", "),
            seen.groups.len()
        );
        record.alert(now, "split-on-channel", text.clone());
        record.note(now, "order.split_on_channel", None, Level::Warn, text);
    }
}

/// Units of a line that our own splits and voids may have put into groups of their own since the known picture was
/// asked for.
fn own_regrouping(record: &Record, id: &RemoteId) -> u64 {
    let since = record.seen_asked;
    let news = |write: &&Write| match write.state {
        WriteState::Done { at } => since.is_none_or(|since| at >= since),
        _ => write.attempts > 0,
    };
    let units = |lines: &[LineQuantity]| -> u64 {
        lines.iter().filter(|line| line.line == *id).map(|line| u64::from(line.quantity)).sum()
    };
    let of_void = |void: &Write| -> u64 {
        let creates = record.writes.iter().filter(|create| {
            create.kind == WriteKind::Create
                && create.is_of(void.order, void.parcel)
                && create.revision == void.revision
        });
        creates.map(|create| units(&create.lines)).sum()
    };
    record
        .writes
        .iter()
        .filter(news)
        .map(|write| match write.kind {
            WriteKind::Split => units(&write.lines),
            WriteKind::Void => of_void(write),
            WriteKind::Create | WriteKind::Track | WriteKind::Answer => 0,
        })
        .sum()
}

/// Fulfillments of ours that the channel showed and does not show any more.
fn note_deleted(record: &mut Record, seen: &Order, now: Timestamp) {
    let gone: Vec<RemoteId> = record
        .writes
        .iter()
        .filter(|write| write.kind == WriteKind::Create && !super::mirror::is_taken_back(record, write))
        .flat_map(|create| &create.made)
        .filter(|made| record.seen.fulfillments.iter().any(|old| old.id == made.id && old.active))
        .filter(|made| seen.fulfillments.iter().all(|new| new.id != made.id))
        .map(|made| made.id.clone())
        .collect();
    for id in gone {
        note_taken_back(record, &id, now);
    }
}

fn note_taken_back(record: &mut Record, id: &RemoteId, now: Timestamp) {
    let text =
        format!("fulfillment {id} was taken back on the channel, not by us: its parcel is no longer told");
    if record.alert(now, "fulfillment-taken-back", text.clone()) {
        record.note(now, "fulfillment.taken_back", None, Level::Error, text);
    }
}

/// Brings the account's terms in line with what the channel shows.
pub fn take_in(record: &mut Record, policy: &Policy, now: Timestamp) {
    super::delivery::adopt_seen(record, now);
    let shown = Shown::of(record);
    for duplicate in &shown.duplicates {
        let text =
            format!("fulfillment {duplicate} on the channel repeats a parcel of ours: take one back there");
        if record.alert(now, "duplicate-fulfillment", text.clone()) {
            record.note(now, "fulfillment.duplicate", None, Level::Error, text);
        }
    }
    for gone in taken_back(record) {
        note_taken_back(record, &gone, now);
    }
    let before: Vec<Terms> = record.lines.iter().map(Terms::of).collect();
    super::address::regroup(record);
    grow(record, policy);
    let asked: BTreeMap<RemoteId, u32> = cancellation::asked(&record.seen.cancellation_requests)
        .into_iter()
        .map(|(line, units)| (line.clone(), units))
        .collect();
    let mut crossed = Vec::new();
    let mut in_work = false;
    for index in 0..record.lines.len() {
        let line = &record.lines[index];
        if !matches!(line.owner, Owner::Supplier { .. }) || line.excluded > 0 {
            continue;
        }
        let id = &line.id;
        let fulfillable = record.seen.lines.iter().find(|line| line.id == *id);
        let fulfillable = fulfillable.map_or(0, |line| fulfillable_of(&record.seen, line));
        let kept = fulfillable.saturating_sub(asked.get(id).copied().unwrap_or(0));
        let wanted = kept.saturating_add(shown.fulfilled.get(id).copied().unwrap_or(0));
        let foreign = shown.foreign.get(id).copied().unwrap_or(0);
        cancellation::look(&mut record.lines[index], wanted);
        in_work |= cancellation::elsewhere(record, index, foreign);
        let left = cancellation::settle(record, index, policy);
        if left > 0 {
            crossed.push((record.lines[index].id.clone(), left));
        }
    }
    record.orders.retain(|order| !order.lines.is_empty());
    tell(record, &before, in_work, now);
    cancellation::mark_crossed(record, &crossed, now);
}

/// The units of a line that can still be fulfilled: none of a cancelled order.
pub(super) fn fulfillable_of(seen: &Order, line: &Line) -> u32 {
    if matches!(seen.state, OrderState::Cancelled { .. }) { 0 } else { line.fulfillable }
}

/// What a line's terms were, to tell what became of them.
#[derive(Clone, Copy, Default)]
struct Terms {
    cancelled: u32,
    requested: u32,
    elsewhere: u32,
    to_cancel: u32,
}

impl Terms {
    fn of(line: &AccountLine) -> Self {
        Self {
            cancelled: line.all_cancelled(),
            requested: line.cancel_requested,
            elsewhere: line.elsewhere_before + line.elsewhere_after,
            to_cancel: line.to_cancel(),
        }
    }
}

/// Tells on the timeline what became of the lines' terms, with the cause and the channel's own time.
fn tell(record: &mut Record, before: &[Terms], in_work: bool, now: Timestamp) {
    let told = |more: &dyn Fn(Terms, Terms) -> u32, why: bool| -> String {
        let mut parts = Vec::new();
        for (index, line) in record.lines.iter().enumerate() {
            let units = more(before.get(index).copied().unwrap_or_default(), Terms::of(line));
            if units > 0 && why {
                parts.push(format!("{units} × {} ({})", line.name(), cancellation::cause(record, &line.id)));
            } else if units > 0 {
                parts.push(format!("{units} × {}", line.name()));
            }
        }
        parts.join(", ")
    };
    let cancelled = told(&|old, new| new.cancelled.saturating_sub(old.cancelled), true);
    let reinstated = told(
        &|old, new| old.cancelled.saturating_sub(new.cancelled + new.elsewhere.saturating_sub(old.elsewhere)),
        false,
    );
    let requested = told(&|old, new| new.requested.saturating_sub(old.requested), true);
    let withdrawn = told(
        &|old, new| {
            let less = old.requested.saturating_sub(new.requested);
            less.min(old.to_cancel.saturating_sub(new.to_cancel))
        },
        false,
    );
    let elsewhere = told(&|old, new| new.elsewhere.saturating_sub(old.elsewhere), false);
    if !cancelled.is_empty() {
        let text = format!("the channel no longer wants {cancelled}");
        record.note_of_channel(now, "order.cancelled", None, Level::Info, text);
    }
    if !reinstated.is_empty() {
        let text = format!("the channel wants {reinstated} again");
        record.note_of_channel(now, "order.reinstated", None, Level::Info, text);
    }
    if !requested.is_empty() {
        let text = format!("STOP: {requested} cancelled while in work");
        record.note_of_channel(now, "cancel.requested", None, Level::Error, text);
    }
    if !withdrawn.is_empty() {
        let text = format!("the channel wants {withdrawn} after all: no answer is needed");
        record.note_of_channel(now, "cancel.withdrawn", None, Level::Info, text);
    }
    if record.lines.iter().all(|line| line.elsewhere_after == 0) {
        // Nothing of it is fulfilled elsewhere any more: what is open here is to be shipped.
        record.alerts.retain(|alert| alert.code != "fulfilled-elsewhere");
    }
    if !elsewhere.is_empty() {
        let (level, so) = if in_work {
            (Level::Error, ": they are in work here, do not ship them")
        } else {
            (Level::Warn, "")
        };
        let text = format!("{elsewhere} fulfilled by someone else{so}");
        if in_work {
            record.alert(now, "fulfilled-elsewhere", text.clone());
        }
        record.note_of_channel(now, "order.fulfilled_elsewhere", None, level, text);
    }
}

/// New lines are decided, once; more units than ever seen enter as held.
fn grow(record: &mut Record, policy: &Policy) {
    let deliveries = record.seen.deliveries.clone();
    let kind = |key: &str| {
        deliveries
            .iter()
            .find(|delivery: &&Delivery| delivery.key == key)
            .map_or(DeliveryKind::Shipping, |delivery| delivery.kind.clone())
    };
    let mut known: BTreeMap<RemoteId, usize> =
        record.lines.iter().enumerate().map(|(index, line)| (line.id.clone(), index)).collect();
    for position in 0..record.seen.lines.len() {
        let line = &record.seen.lines[position];
        let index = *known.entry(line.id.clone()).or_insert_with(|| {
            record.lines.push(AccountLine {
                id: line.id.clone(),
                sku: line.sku.clone(),
                title: line.title.clone(),
                owner: policy.catalogue.decide(line, &kind(&line.delivery)),
                delivery: line.delivery.clone(),
                ordered: 0,
                not_ours: 0,
                excluded: 0,
                elsewhere_before: 0,
                held: 0,
                routed: 0,
                cancelled: 0,
                cancelled_after: 0,
                elsewhere_after: 0,
                cancel_requested: 0,
                cancel_rejected: 0,
                unwanted: 0,
                by_hand: 0,
            });
            record.lines.len() - 1
        });
        let shown = line.quantity.max(line.fulfillable);
        let growth = shown.saturating_sub(record.lines[index].ordered);
        let excluded = record.excluded.is_some();
        let account = &mut record.lines[index];
        account.ordered += growth;
        match account.owner {
            Owner::Merchant(_) => account.not_ours += growth,
            Owner::Supplier { .. } if excluded => account.excluded += growth,
            Owner::Supplier { .. } => {
                // Units that the channel shows as gone already never enter a supplier order.
                let wanted = fulfillable_of(&record.seen, line).min(growth);
                account.cancelled += growth - wanted;
                account.held += wanted;
                units::add(record, index, wanted);
            }
        }
    }
}

/// What the channel shows as fulfilled, told apart.
struct Shown {
    /// Per line, in active fulfillments, whoever made them.
    fulfilled: BTreeMap<RemoteId, u32>,
    /// Per line, in fulfillments that are not ours and cannot be.
    foreign: BTreeMap<RemoteId, u32>,
    /// Fulfillments that repeat a parcel of ours.
    duplicates: Vec<RemoteId>,
}

impl Shown {
    fn of(record: &Record) -> Self {
        let ours: BTreeSet<&RemoteId> =
            record.writes.iter().flat_map(|write| &write.made).map(|made| &made.id).collect();
        let mut shown = Self { fulfilled: BTreeMap::new(), foreign: BTreeMap::new(), duplicates: Vec::new() };
        for fulfillment in record.seen.fulfillments.iter().filter(|fulfillment| fulfillment.active) {
            for line in &fulfillment.lines {
                let units = shown.fulfilled.entry(line.line.clone()).or_default();
                *units = units.saturating_add(line.quantity);
            }
            if ours.contains(&fulfillment.id) {
                continue;
            }
            match kinship(record, fulfillment) {
                Kinship::Repeats => shown.duplicates.push(fulfillment.id.clone()),
                Kinship::MayBeOurs => {}
                Kinship::Foreign => {
                    for line in &fulfillment.lines {
                        let units = shown.foreign.entry(line.line.clone()).or_default();
                        *units = units.saturating_add(line.quantity);
                    }
                }
            }
        }
        shown
    }
}

/// Fulfillments of ours that the channel shows as taken back though no void of ours asked for it.
fn taken_back(record: &Record) -> Vec<RemoteId> {
    let creates = record.writes.iter().filter(|write| write.kind == WriteKind::Create);
    creates
        .filter(|create| !super::mirror::is_taken_back(record, create))
        .flat_map(|create| &create.made)
        .filter(|made| record.seen.fulfillments.iter().any(|seen| seen.id == made.id && !seen.active))
        .map(|made| made.id.clone())
        .collect()
}

/// The channel no longer has the order: a person looks, and nothing of it is handed off. Answers whether that is news.
pub fn vanished(record: &mut Record, now: Timestamp) -> bool {
    if record.vanished_at.is_some() {
        return false;
    }
    record.vanished_at = Some(now);
    record.note(now, "order.vanished", None, Level::Error, VANISHED);
    true
}

pub(super) enum Kinship {
    Foreign,
    MayBeOurs,
    Repeats,
}

/// A fulfillment that no write of ours has claimed: made by an attempt whose result is unknown, by a request
/// that came late, or by someone else.
pub(super) fn kinship(record: &Record, fulfillment: &RemoteFulfillment) -> Kinship {
    let creates = || {
        record.writes.iter().filter(|write| {
            write.kind == WriteKind::Create
                && write.attempts > 0
                && !write.seen_before.contains(&fulfillment.id)
                && super::delivery::alike(&write.tracking, &write.lines, fulfillment)
        })
    };
    if creates().any(|write| write.state.is_owed()) {
        Kinship::MayBeOurs
    } else if creates().next().is_some() {
        Kinship::Repeats
    } else {
        Kinship::Foreign
    }
}
