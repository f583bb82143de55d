//! The channel's picture of an order against our quantities: new units, cancelled ones, those that someone
//! else fulfilled. It compares what is with what is, so a repeated or late picture does no harm.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{Delivery, DeliveryKind, Line, Order, OrderState, RemoteFulfillment, RemoteId, Timestamp};

use super::units::{self, Gone, Scope};
use crate::{
    outbox::WriteKind,
    policy::{Fields, Policy},
    record::{AccountLine, Level, Owner, Record},
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
    let mut old = record.seen.clone();
    // Our own pushes change the fulfillments; they have events of their own.
    old.fulfillments.clone_from(&seen.fulfillments);
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
    let what = difference(&old, seen);
    record.note(now, "order.changed", None, Level::Info, format!("the channel changed it: {what}"));
    let moved: Vec<u32> = record
        .orders
        .iter()
        .filter(|order| {
            let told = seen.deliveries.iter().find(|delivery| delivery.key == order.delivery);
            order.ship_to.is_some() && told.is_some_and(|told| told.ship_to != order.ship_to)
        })
        .filter(|order| order.lines.iter().any(|line| line.open() > 0))
        .map(|order| order.n)
        .collect();
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
    for n in moved {
        let text = format!("the ship-to of {} changed on the channel after hand-off", record.id.order(n));
        if record.alert(now, "address-changed", text.clone()) {
            record.note(now, "order.address_changed", Some(n), Level::Error, text);
        }
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
        let text = format!(
            "fulfillment {gone} was taken back on the channel, not by us: its parcel is no longer told"
        );
        if record.alert(now, "fulfillment-taken-back", text.clone()) {
            record.note(now, "fulfillment.taken_back", None, Level::Error, text);
        }
    }
    let before = (
        total(record, |line| line.cancelled + line.cancelled_after),
        total(record, |line| line.cancel_requested),
    );
    let elsewhere_before = total(record, |line| line.elsewhere_before + line.elsewhere_after);
    grow(record, policy);
    for index in 0..record.lines.len() {
        let line = &record.lines[index];
        if !matches!(line.owner, Owner::Supplier { .. }) || line.excluded > 0 {
            continue;
        }
        elsewhere(record, index, shown.foreign.get(&record.lines[index].id).copied().unwrap_or(0));
        let id = &record.lines[index].id;
        let fulfillable = record.seen.lines.iter().find(|line| line.id == *id);
        let fulfillable = fulfillable.map_or(0, |line| fulfillable_of(&record.seen, line));
        let wanted = fulfillable.saturating_add(shown.fulfilled.get(id).copied().unwrap_or(0));
        cancel(record, index, wanted, policy);
    }
    record.orders.retain(|order| !order.lines.is_empty());
    tell(record, before, elsewhere_before, now);
}

/// The units of a line that can still be fulfilled: none of a cancelled order.
pub(super) fn fulfillable_of(seen: &Order, line: &Line) -> u32 {
    if matches!(seen.state, OrderState::Cancelled { .. }) { 0 } else { line.fulfillable }
}

fn total(record: &Record, term: impl Fn(&AccountLine) -> u32) -> u64 {
    record.lines.iter().map(|line| u64::from(term(line))).sum()
}

fn tell(record: &mut Record, before: (u64, u64), elsewhere: u64, now: Timestamp) {
    let cancelled = total(record, |line| line.cancelled + line.cancelled_after);
    if cancelled > before.0 {
        let text = format!("the channel no longer wants {} units", cancelled - before.0);
        record.note(now, "order.cancelled", None, Level::Info, text);
    } else if cancelled < before.0 {
        let text = format!("the channel wants {} cancelled units again", before.0 - cancelled);
        record.note(now, "order.reinstated", None, Level::Info, text);
    }
    let requested = total(record, |line| line.cancel_requested);
    if requested > before.1 {
        let text = format!("STOP: the channel cancelled {requested} units that are already in work");
        record.alert(now, "cancel-requested", text.clone());
        record.note(now, "cancel.requested", None, Level::Error, text);
    }
    let now_elsewhere = total(record, |line| line.elsewhere_before + line.elsewhere_after);
    if now_elsewhere > elsewhere {
        let text = format!("{} of our units were fulfilled by someone else", now_elsewhere - elsewhere);
        record.note(now, "order.fulfilled_elsewhere", None, Level::Warn, text);
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

/// Units that someone else fulfilled leave the held ones first, then the open ones; they return when that
/// fulfillment is taken back.
fn elsewhere(record: &mut Record, index: usize, foreign: u32) {
    let line = &record.lines[index];
    let known = line.elsewhere_before + line.elsewhere_after;
    if foreign > known {
        let mut more = foreign - known;
        // `grow` counted units that were fulfilled before the first look as cancelled.
        let counted = record.lines[index].cancelled.min(more);
        let not_in_orders = counted.saturating_sub(in_orders(record, index));
        let moved = not_in_orders.min(more);
        record.lines[index].cancelled -= moved;
        record.lines[index].elsewhere_before += moved;
        more -= moved;
        let held = units::available(record, index, Scope::Any).min(record.lines[index].held).min(more);
        units::take(record, index, held, Scope::Any, Gone::Elsewhere);
        record.lines[index].held -= held;
        record.lines[index].elsewhere_before += held;
        more -= held;
        let open = units::available(record, index, Scope::Any).min(more);
        units::take(record, index, open, Scope::Any, Gone::Elsewhere);
        record.lines[index].elsewhere_after += open;
    } else if foreign < known {
        let mut back = known - foreign;
        let after = record.lines[index].elsewhere_after.min(back);
        record.lines[index].elsewhere_after -= after;
        back -= after;
        record.lines[index].elsewhere_before -= back;
        record.lines[index].held += back;
        units::give_back(record, index, after + back, Gone::Elsewhere);
    }
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

/// Units that the channel no longer wants leave the held ones, then those not yet in work; the rest becomes
/// a request. Units that it wants again come back first.
fn cancel(record: &mut Record, index: usize, wanted: u32, policy: &Policy) {
    let line = &record.lines[index];
    let target = line.ordered.saturating_sub(wanted);
    let known = line.cancelled + line.cancelled_after;
    if target < known {
        let mut back = known - target;
        let after = record.lines[index].cancelled_after.min(back);
        record.lines[index].cancelled_after -= after;
        back -= after;
        record.lines[index].cancelled -= back;
        record.lines[index].held += back;
        units::give_back(record, index, after + back, Gone::Cancelled);
    }
    record.lines[index].cancel_rejected = record.lines[index].cancel_rejected.min(target);
    let known = record.lines[index].cancelled + record.lines[index].cancelled_after;
    let mut more = target.saturating_sub(known).saturating_sub(record.lines[index].cancel_rejected);
    let held = units::available(record, index, Scope::BeforeHandOff).min(record.lines[index].held).min(more);
    units::take(record, index, held, Scope::BeforeHandOff, Gone::Cancelled);
    record.lines[index].held -= held;
    record.lines[index].cancelled += held;
    more -= held;
    if policy.cancel_at_once {
        let open = units::available(record, index, Scope::BeforeHandOff).min(more);
        let open = open.min(record.lines[index].routed);
        units::take(record, index, open, Scope::BeforeHandOff, Gone::Cancelled);
        record.lines[index].cancelled_after += open;
        more -= open;
    }
    record.lines[index].cancel_requested = more.min(units::available(record, index, Scope::Any));
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
        .filter(|create| super::mirror::void_of(record, create).is_none())
        .flat_map(|create| &create.made)
        .filter(|made| record.seen.fulfillments.iter().any(|seen| seen.id == made.id && !seen.active))
        .map(|made| made.id.clone())
        .collect()
}

/// The channel no longer has the order: a person looks, and what is not in work waits. Answers whether that is news.
pub fn vanished(record: &mut Record, now: Timestamp) -> bool {
    let text = "the channel no longer has this order";
    if !record.alert(now, "vanished", text) {
        return false;
    }
    for order in record.orders.iter_mut().filter(|order| order.acked_at.is_none() && order.hold.is_none()) {
        order.hold = Some(text.to_owned());
    }
    record.note(now, "order.vanished", None, Level::Error, text);
    true
}

enum Kinship {
    Foreign,
    MayBeOurs,
    Repeats,
}

/// A fulfillment that no write of ours has claimed: made by an attempt whose result is unknown, by a request
/// that came late, or by someone else.
fn kinship(record: &Record, fulfillment: &RemoteFulfillment) -> Kinship {
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
