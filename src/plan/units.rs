//! Moving units between the terms of promise 5, in the account's line and in the supplier orders at once.
//!
//! All amounts are whole channel units. A kit's unit is `per_unit` of each of its parts, wherever splits have put
//! them; units are taken from the last split first.

use std::collections::BTreeMap;

use sdk::RemoteId;

use crate::record::{Owner, Part, Record, SupplierLine, SupplierOrder};

/// Which supplier orders a movement may touch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only those that the supplier has not taken into work.
    BeforeHandOff,
    /// All.
    Any,
}

impl Scope {
    fn covers(self, order: &SupplierOrder) -> bool {
        self == Self::Any || order.acked_at.is_none()
    }
}

/// Where units that leave the open ones go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The channel cancelled them.
    Cancelled,
    /// Someone else fulfilled them.
    Elsewhere,
}

fn parts(record: &Record, line: usize) -> Vec<Part> {
    match record.lines.get(line).map(|line| &line.owner) {
        Some(Owner::Supplier { parts, .. }) => parts.clone(),
        _ => Vec::new(),
    }
}

fn serves(own: &SupplierLine, id: &RemoteId, part: &Part) -> bool {
    own.channel_line.as_ref() == Some(id) && own.sku == part.sku
}

/// Where a line counts units that left so.
fn counter(own: &mut SupplierLine, gone: Gone) -> &mut u32 {
    match gone {
        Gone::Cancelled => &mut own.cancelled,
        Gone::Elsewhere => &mut own.elsewhere,
    }
}

fn untouched(own: &SupplierLine) -> u32 {
    own.routed.saturating_sub(own.gone())
}

/// Adds units to the line's fulfilment group: to its order that is not yet in work, else to a new order, so
/// that the bench sees new work. The account's terms are the caller's.
pub fn add(record: &mut Record, line: usize, units: u32) {
    if units == 0 {
        return;
    }
    let order = unworked(record, line);
    for part in parts(record, line) {
        let amount = units.saturating_mul(part.per_unit);
        add_part(record, line, order, part, amount);
    }
}

/// The place of the fulfilment group's order that is not yet in work; a new one where there is none.
fn unworked(record: &mut Record, line: usize) -> usize {
    let delivery = record.lines[line].delivery.clone();
    let open = record.orders.iter().position(|order| {
        order.delivery == delivery && order.acked_at.is_none() && order.merged_into.is_none()
    });
    open.unwrap_or_else(|| {
        let first = record.orders.iter().find(|order| order.delivery == delivery).map(|order| order.n);
        record.last_order += 1;
        record.orders.push(SupplierOrder {
            n: record.last_order,
            split_of: first,
            delivery,
            ship_to: None,
            declined_ship_to: None,
            lines: Vec::new(),
            hold: None,
            acked_at: None,
            merged_into: None,
            merged: Vec::new(),
            last_parcel: 0,
        });
        record.orders.len() - 1
    })
}

fn add_part(record: &mut Record, line: usize, order: usize, part: Part, amount: u32) {
    let id = record.lines[line].id.clone();
    let order = &mut record.orders[order];
    if let Some(own) = order.lines.iter_mut().find(|own| serves(own, &id, &part)) {
        own.routed = own.routed.saturating_add(amount);
        if let Some(edited) = &mut own.edited {
            *edited = edited.saturating_add(amount);
        }
        return;
    }
    record.last_line += 1;
    order.lines.push(SupplierLine {
        id: record.last_line,
        channel_line: Some(id),
        sku: part.sku,
        per_unit: part.per_unit,
        routed: amount,
        edited: None,
        shipped: 0,
        cancelled: 0,
        elsewhere: 0,
    });
}

/// Moves units that still wait for a gate out of order `n`, which just went into work: they are new work later.
pub fn leave_held_behind(record: &mut Record, n: u32) {
    let Some(at) = record.orders.iter().position(|order| order.n == n) else { return };
    for line in 0..record.lines.len() {
        let id = record.lines[line].id.clone();
        let held = record.lines[line].held;
        for part in parts(record, line).into_iter().filter(|_| held > 0) {
            let waiting: u32 = record
                .orders
                .iter()
                .filter(|order| order.acked_at.is_none())
                .flat_map(|order| &order.lines)
                .filter(|own| serves(own, &id, &part))
                .map(untouched)
                .fold(0, u32::saturating_add);
            let mut need = held.saturating_mul(part.per_unit).saturating_sub(waiting);
            let mut moved = 0;
            for own in record.orders[at].lines.iter_mut().filter(|own| serves(own, &id, &part)) {
                let amount = untouched(own).min(need);
                own.routed -= amount;
                if let Some(edited) = &mut own.edited {
                    *edited = edited.saturating_sub(amount).max(own.shipped + own.cancelled + own.elsewhere);
                }
                need -= amount;
                moved += amount;
            }
            if moved > 0 {
                let order = unworked(record, line);
                add_part(record, line, order, part, moved);
            }
        }
    }
    record.orders[at].lines.retain(|own| own.routed > 0 || own.quantity() > 0 || own.gone() > 0);
}

/// Whole channel units of a line that can still be taken from orders in `scope`: no part of them has shipped.
pub fn available(record: &Record, line: usize, scope: Scope) -> u32 {
    let account = &record.lines[line];
    let parts = parts(record, line);
    let by_scope = parts
        .iter()
        .map(|part| {
            let free: u32 = record
                .orders
                .iter()
                .filter(|order| scope.covers(order))
                .flat_map(|order| &order.lines)
                .filter(|own| serves(own, &account.id, part))
                .map(untouched)
                .fold(0, u32::saturating_add);
            free / part.per_unit.max(1)
        })
        .min()
        .unwrap_or(0);
    let started = parts
        .iter()
        .map(|part| {
            let shipped: u32 = record
                .orders
                .iter()
                .flat_map(|order| &order.lines)
                .filter(|own| serves(own, &account.id, part))
                .map(SupplierLine::shipped_for_channel)
                .fold(0, u32::saturating_add);
            shipped.div_ceil(part.per_unit.max(1))
        })
        .max()
        .unwrap_or(0);
    let live =
        (account.held + account.routed).saturating_sub(account.cancelled_after + account.elsewhere_after);
    by_scope.min(live.saturating_sub(started))
}

/// Takes units out of the open ones, last split first. The caller has asked [`available`], and moves the account's
/// terms. Answers whether some were in work.
pub fn take(record: &mut Record, line: usize, units: u32, scope: Scope, gone: Gone) -> bool {
    take_from(record, line, units, scope, gone, None)
}

/// As [`take`], from order `first` before all others.
pub fn take_from(
    record: &mut Record,
    line: usize,
    units: u32,
    scope: Scope,
    gone: Gone,
    first: Option<u32>,
) -> bool {
    let id = record.lines[line].id.clone();
    let mut in_work = false;
    for part in parts(record, line) {
        let mut left = units.saturating_mul(part.per_unit);
        let mut from = |order: &mut SupplierOrder| {
            for own in order.lines.iter_mut().rev().filter(|own| serves(own, &id, &part)) {
                let amount = untouched(own).min(left);
                // Units that the supplier had edited away go first: what it means to ship stays.
                let short = own.short().min(amount);
                own.edited = own.edited.map(|edited| edited.saturating_add(short));
                *counter(own, gone) += amount;
                if own.edited == Some(own.routed) {
                    own.edited = None;
                }
                left -= amount;
                in_work |= amount > 0 && order.acked_at.is_some();
            }
        };
        let covered = |order: &&mut SupplierOrder| scope.covers(order);
        record.orders.iter_mut().filter(covered).filter(|order| Some(order.n) == first).for_each(&mut from);
        record.orders.iter_mut().rev().filter(covered).for_each(&mut from);
        debug_assert_eq!(left, 0, "more was taken than is available");
    }
    in_work
}

/// Units that had left one way have left another way. The account's terms are the caller's.
pub fn recount(record: &mut Record, line: usize, units: u32, was: Gone, is: Gone) {
    let id = record.lines[line].id.clone();
    for part in parts(record, line) {
        let mut left = units.saturating_mul(part.per_unit);
        let own = record.orders.iter_mut().rev().flat_map(|order| order.lines.iter_mut().rev());
        for own in own.filter(|own| serves(own, &id, &part)) {
            let amount = (*counter(own, was)).min(left);
            *counter(own, was) -= amount;
            *counter(own, is) += amount;
            left -= amount;
        }
    }
}

/// Whole channel units of a line that an answer or a cancellation by way of order `n` can be about: those that it has
/// a part of.
pub fn reach(record: &Record, line: usize, n: u32) -> u32 {
    let id = &record.lines[line].id;
    let Some(order) = record.order(n) else { return 0 };
    let here = parts(record, line)
        .iter()
        .map(|part| {
            let own = order.lines.iter().filter(|own| serves(own, id, part));
            let free: u32 = own.map(untouched).fold(0, u32::saturating_add);
            free.div_ceil(part.per_unit.max(1))
        })
        .max()
        .unwrap_or(0);
    here.min(available(record, line, Scope::Any))
}

/// Units under an unanswered cancellation request, by supplier line: those in work first, the last split's first.
pub fn requested(record: &Record) -> BTreeMap<u32, u32> {
    let mut asked = BTreeMap::new();
    for index in 0..record.lines.len() {
        let units = record.lines[index].cancel_requested;
        if units == 0 {
            continue;
        }
        let id = &record.lines[index].id;
        for part in parts(record, index) {
            let mut left = units.saturating_mul(part.per_unit);
            for in_work in [true, false] {
                let orders = record.orders.iter().rev().filter(|order| order.acked_at.is_some() == in_work);
                let own = orders.flat_map(|order| order.lines.iter().rev());
                for own in own.filter(|own| serves(own, id, &part)) {
                    let amount = own.open().min(left);
                    left -= amount;
                    if amount > 0 {
                        asked.insert(own.id, amount);
                    }
                }
            }
        }
    }
    asked
}

/// Brings units back that had left: into the orders not yet in work that they left, else into a new order.
pub fn give_back(record: &mut Record, line: usize, units: u32, gone: Gone) {
    let id = record.lines[line].id.clone();
    let parts = parts(record, line);
    let count = |own: &SupplierLine| if gone == Gone::Cancelled { own.cancelled } else { own.elsewhere };
    let here = parts
        .iter()
        .map(|part| {
            let total: u32 = record
                .orders
                .iter()
                .filter(|order| order.acked_at.is_none())
                .flat_map(|order| &order.lines)
                .filter(|own| serves(own, &id, part))
                .map(count)
                .sum();
            total / part.per_unit.max(1)
        })
        .min()
        .unwrap_or(0)
        .min(units);
    for part in &parts {
        let mut left = here.saturating_mul(part.per_unit);
        let orders = record.orders.iter_mut().filter(|order| order.acked_at.is_none());
        for own in orders.flat_map(|order| order.lines.iter_mut()).filter(|own| serves(own, &id, part)) {
            let amount = count(own).min(left);
            *counter(own, gone) -= amount;
            left -= amount;
        }
    }
    leave_for_new_work(record, line, units - here, gone);
    add(record, line, units - here);
}

/// Units that come back as new work are no longer gone from the orders in work: they would be there twice.
fn leave_for_new_work(record: &mut Record, line: usize, units: u32, gone: Gone) {
    let id = record.lines[line].id.clone();
    for part in parts(record, line) {
        let mut left = units.saturating_mul(part.per_unit);
        for own in record
            .orders
            .iter_mut()
            .rev()
            .filter(|order| order.acked_at.is_some())
            .flat_map(|order| order.lines.iter_mut().rev().filter(|own| serves(own, &id, &part)))
        {
            let count = counter(own, gone);
            let amount = (*count).min(left);
            *count -= amount;
            own.routed = own.routed.saturating_sub(amount);
            if let Some(edited) = &mut own.edited {
                *edited = edited.saturating_sub(amount);
            }
            left -= amount;
        }
    }
}
