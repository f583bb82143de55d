//! Where an order goes: the channel's word until the hand-off, frozen from then on. A later change is an alert that
//! the supplier confirms, one way or the other. Both versions are kept.

use std::collections::BTreeSet;

use sdk::{Address, Order, RemoteId, Timestamp};

use super::command::{self, Refused};
use crate::record::{FormerAddress, Level, Record, SupplierOrder};

/// So many former addresses are kept.
const KEPT: usize = 8;

/// Where the channel says that an order goes now.
fn told<'r>(seen: &'r Order, order: &SupplierOrder) -> Option<&'r Address> {
    seen.deliveries.iter().find(|delivery| delivery.key == order.delivery)?.ship_to.as_ref()
}

/// The address that the channel shows instead of the one that an order in work goes to, where nobody decided yet.
pub fn change<'r>(record: &'r Record, order: &SupplierOrder) -> Option<&'r Address> {
    let frozen = order.ship_to.as_ref()?;
    let open = order.lines.iter().any(|line| line.open() > 0 || line.short() > 0);
    let told = told(&record.seen, order)?;
    (open && told != frozen && order.declined_ship_to.as_ref() != Some(told)).then_some(told)
}

/// Keeps the addresses that a new picture replaces, and tells. Before `record.seen` is replaced.
pub(super) fn note_changes(record: &mut Record, seen: &Order, now: Timestamp) {
    let moved: Vec<FormerAddress> = record
        .seen
        .deliveries
        .iter()
        .filter(|old| {
            let new = seen.deliveries.iter().find(|new| new.key == old.key);
            old.ship_to.is_some() && new.is_some_and(|new| new.ship_to != old.ship_to)
        })
        .map(|old| FormerAddress { delivery: old.key.clone(), ship_to: old.ship_to.clone(), until: now })
        .collect();
    if moved.is_empty() {
        return;
    }
    let orders: Vec<(u32, Option<bool>)> = record
        .orders
        .iter()
        .filter(|order| moved.iter().any(|former| former.delivery == order.delivery))
        .filter(|order| order.lines.iter().any(|line| line.open() > 0))
        .map(|order| (order.n, order.ship_to.as_ref().map(|frozen| told(seen, order) == Some(frozen))))
        .collect();
    for (n, back) in orders {
        let id = record.id.order(n);
        let (level, text) = match back {
            None => {
                (Level::Info, format!("the ship-to of {id} changed on the channel: it goes to the new one"))
            }
            Some(true) => (Level::Info, format!("the ship-to of {id} is again the one that it goes to")),
            Some(false) => {
                (Level::Error, format!("the ship-to of {id} changed on the channel after hand-off"))
            }
        };
        record.note_of_channel(now, "order.address_changed", Some(n), level, text);
    }
    record.former_addresses.extend(moved);
    let surplus = record.former_addresses.len().saturating_sub(KEPT);
    record.former_addresses.drain(..surplus);
}

/// The supplier decides on a changed address: it follows it, or keeps the one that it works with.
pub(super) fn confirm(record: &mut Record, n: u32, keep_old: bool, now: Timestamp) -> Result<(), Refused> {
    let id = record.id.order(n);
    let order = record.order(n).ok_or_else(|| command::unknown(&id))?;
    let Some(new) = change(record, order).cloned() else {
        return Err(Refused::conflict(
            "no-change",
            format!("no change of address of {id} waits for an answer"),
        ));
    };
    let delivery = order.delivery.clone();
    let order = command::order_mut(record, n)?;
    let text = if keep_old {
        order.declined_ship_to = Some(new);
        "the supplier keeps the address that it works with: the parcel goes to the old one"
    } else {
        let old = order.ship_to.replace(new);
        order.declined_ship_to = None;
        if !record.former_addresses.iter().any(|former| former.ship_to == old) {
            record.former_addresses.push(FormerAddress { delivery, ship_to: old, until: now });
        }
        "the supplier confirmed the new address: the parcel goes there"
    };
    record.note(now, "order.address_confirmed", Some(n), Level::Info, text);
    Ok(())
}

/// An order that is not in work and whose delivery the channel no longer shows goes where its lines are shown to go now: a
/// line that came first with a word unknown to this release (or without an address) must not wait for ever for a
/// delivery that is not there any more.
pub(super) fn regroup(record: &mut Record) {
    for at in 0..record.orders.len() {
        let order = &record.orders[at];
        let old = order.delivery.clone();
        if order.acked_at.is_some() || record.delivery(&old).is_some() {
            continue;
        }
        let serves = |line: &RemoteId| order.lines.iter().any(|own| own.channel_line.as_ref() == Some(line));
        let shown: BTreeSet<&str> = record
            .seen
            .lines
            .iter()
            .filter(|line| serves(&line.id))
            .map(|line| line.delivery.as_str())
            .collect();
        let mut shown = shown.into_iter();
        let (Some(new), None) = (shown.next(), shown.next()) else { continue };
        let new = new.to_owned();
        // Where that delivery has an order already, the later one of the two counts as split from the first.
        if let Some(with) = record.orders.iter().position(|other| other.delivery == new) {
            let (first, later) = (with.min(at), with.max(at));
            let n = record.orders[first].n;
            record.orders[later].split_of.get_or_insert(n);
        }
        for line in record.lines.iter_mut().filter(|line| line.delivery == old) {
            if record.seen.lines.iter().any(|known| known.id == line.id && known.delivery == new) {
                line.delivery.clone_from(&new);
            }
        }
        for order in
            record.orders.iter_mut().filter(|order| order.delivery == old && order.acked_at.is_none())
        {
            order.delivery.clone_from(&new);
        }
    }
}
