//! Split an order; ship several orders together, and undo that.

use sdk::{Address, Timestamp};

use super::{
    command::{self, Book, LineAmount, Refused},
    orders,
};
use crate::record::{Level, Record, RecordId, Status, SupplierLine, SupplierOrder};

/// Moves units to a new order. Answers its number.
pub fn split(record: &mut Record, n: u32, lines: &[LineAmount], now: Timestamp) -> Result<u32, Refused> {
    let id = record.id.order(n);
    if lines.is_empty() {
        return Err(Refused::invalid("missing", "name the lines and units that go to the new order"));
    }
    let new = record.last_order + 1;
    let mut last_line = record.last_line;
    let order = command::order_mut(record, n)?;
    let mut moved = Vec::new();
    for (label, units) in command::sum_amounts(lines)? {
        let at = command::line_at(order, &label, &id)?;
        let line = &mut order.lines[at];
        let free = movable(line);
        if units > free {
            return Err(Refused::conflict(
                "quantity",
                format!("line {label}: {units} units cannot move, {free} are open"),
            ));
        }
        let own = line.channel_line.is_none();
        last_line += 1;
        moved.push(SupplierLine {
            id: last_line,
            channel_line: line.channel_line.clone(),
            sku: line.sku.clone(),
            per_unit: line.per_unit,
            routed: if own { 0 } else { units },
            edited: own.then_some(units),
            shipped: 0,
            cancelled: 0,
            elsewhere: 0,
        });
        if !own {
            line.routed -= units;
        }
        if let Some(edited) = &mut line.edited {
            *edited -= units;
        }
        if line.edited == Some(line.routed) && !own {
            line.edited = None;
        }
    }
    if order.lines.iter().all(|line| line.open() == 0 && line.gone() == 0 && line.short() == 0) {
        return Err(Refused::conflict("empty", "nothing would stay in the order: split off less"));
    }
    order.lines.retain(|line| line.quantity() > 0 || line.routed > 0 || line.gone() > 0);
    let split = SupplierOrder {
        n: new,
        split_of: Some(n),
        delivery: order.delivery.clone(),
        ship_to: order.ship_to.clone(),
        declined_ship_to: order.declined_ship_to.clone(),
        lines: moved,
        hold: order.hold.clone(),
        acked_at: order.acked_at,
        merged_into: None,
        merged: Vec::new(),
        last_parcel: 0,
    };
    record.orders.push(split);
    record.last_order = new;
    record.last_line = last_line;
    let text = format!("{} was split off {}", record.number(new), record.number(n));
    record.note(now, "order.split", Some(new), Level::Info, text);
    Ok(new)
}

fn movable(line: &SupplierLine) -> u32 {
    let by_number = line.quantity().saturating_sub(line.gone());
    if line.channel_line.is_some() {
        by_number.min(line.routed.saturating_sub(line.gone()))
    } else {
        by_number
    }
}

/// Makes a ship-together group: the first order leads, the others follow.
pub fn merge(book: &mut Book, ids: &[String], now: Timestamp) -> Result<(), Refused> {
    let mut members: Vec<(RecordId, u32)> = Vec::new();
    for id in ids {
        let member = RecordId::parse_order(id).ok_or_else(|| command::unknown(id))?;
        if members.contains(&member) {
            return Err(Refused::invalid("merge", format!("{id} is named twice")));
        }
        members.push(member);
    }
    if members.len() < 2 {
        return Err(Refused::invalid("merge", "name at least two orders"));
    }
    let mut place: Option<(String, Address)> = None;
    for ((id, n), name) in members.iter().zip(ids) {
        let record = book.get(id).ok_or_else(|| command::unknown(name))?;
        let order = record.order(*n).ok_or_else(|| command::unknown(name))?;
        let (merchant, ship_to) = (record.merchant.clone(), may_join(record, order, name)?);
        match &place {
            None => place = Some((merchant, ship_to)),
            Some((first, _)) if *first != merchant => {
                return Err(Refused::conflict("merchant", format!("{name} is another merchant's")));
            }
            Some((_, first)) if !same_place(first, &ship_to) => {
                return Err(Refused::conflict("ship-to", format!("{name} goes to another address")));
            }
            Some(_) => {}
        }
    }
    let lead = ids[0].clone();
    for ((id, n), name) in members.iter().zip(ids) {
        let record = book.get_mut(id).ok_or_else(|| command::unknown(name))?;
        let order = command::order_mut(record, *n)?;
        let text = if *name == lead {
            order.merged = ids[1..].to_vec();
            format!("ships together with {}", ids[1..].join(", "))
        } else {
            order.merged_into = Some(lead.clone());
            format!("ships together with {lead}")
        };
        record.note(now, "order.merged", Some(*n), Level::Info, text);
    }
    Ok(())
}

fn may_join(record: &Record, order: &SupplierOrder, name: &str) -> Result<Address, Refused> {
    if record.shadow {
        return Err(Refused::conflict(
            "shadow",
            format!("{name} came in shadow mode: it is never worked on"),
        ));
    }
    if order.merged_into.is_some() || !order.merged.is_empty() {
        return Err(Refused::conflict(
            "merged",
            format!("{name} is in a group already: `orders unmerge` it first"),
        ));
    }
    if record.is_gated(order) {
        return Err(orders::gated(record, order.n));
    }
    if matches!(record.status(order), Status::Shipped | Status::Cancelled) {
        return Err(Refused::conflict("nothing-open", format!("nothing of {name} is open")));
    }
    record
        .ship_to(order)
        .filter(|address| !address.is_blank())
        .cloned()
        .ok_or_else(|| Refused::conflict("ship-to", format!("{name} has no address")))
}

/// Whether a parcel to the one reaches the other: people and places, without case and outer blanks.
pub(super) fn same_place(left: &Address, right: &Address) -> bool {
    let fields = |address: &Address| {
        [
            &address.name,
            &address.company,
            &address.address1,
            &address.address2,
            &address.city,
            &address.province,
            &address.zip,
            &address.country,
        ]
        .map(|field| field.trim().to_lowercase())
    };
    fields(left) == fields(right)
}

/// The group's other orders that still belong to it: each names the lead, and goes to the same place.
pub(super) fn followers(book: &Book, id: &RecordId, n: u32) -> Vec<(RecordId, u32)> {
    let Some((record, lead)) = book.get(id).and_then(|record| Some((record, record.order(n)?))) else {
        return Vec::new();
    };
    let name = id.order(n);
    let place = record.ship_to(lead);
    lead.merged
        .iter()
        .filter_map(|id| RecordId::parse_order(id))
        .filter(|(id, n)| {
            let found = book.get(id).and_then(|record| Some((record, record.order(*n)?)));
            found.is_some_and(|(record, order)| {
                order.merged_into.as_deref() == Some(name.as_str())
                    && place.zip(record.ship_to(order)).is_some_and(|(ours, theirs)| same_place(ours, theirs))
            })
        })
        .collect()
}

/// Leaves the group; on the lead, dissolves it.
pub fn unmerge(book: &mut Book, id: &RecordId, n: u32, now: Timestamp) -> Result<(), Refused> {
    let name = id.order(n);
    let order = book.get(id).and_then(|record| record.order(n)).ok_or_else(|| command::unknown(&name))?;
    let (lead, follows) = (order.merged_into.clone(), order.merged.clone());
    if lead.is_none() && follows.is_empty() {
        return Err(Refused::conflict("not-merged", format!("{name} is in no group")));
    }
    let mut leave = |id: &RecordId, n: u32, text: &str| {
        let Some(record) = book.get_mut(id) else { return };
        let Some(order) = record.order_mut(n) else { return };
        order.merged_into = None;
        order.merged.clear();
        record.note(now, "order.unmerged", Some(n), Level::Info, text);
    };
    leave(id, n, "left its ship-together group");
    for follower in follows.iter().filter_map(|id| RecordId::parse_order(id)) {
        leave(&follower.0, follower.1, "its ship-together group was dissolved");
    }
    if let Some((lead, lead_n)) = lead.as_deref().and_then(RecordId::parse_order)
        && let Some(order) = book.get_mut(&lead).and_then(|record| record.order_mut(lead_n))
    {
        order.merged.retain(|member| *member != name);
    }
    Ok(())
}
