//! Parcels: ship, correct, void; and which whole channel units each parcel tells the channel.

use std::collections::BTreeMap;

use sdk::{LineQuantity, RemoteId, Timestamp, TrackingSet, carriers};

use super::{
    command::{self, Book, LineAmount, Parcel, Refused, Setting, TrackingChange},
    orders, splits,
    units::{self, Gone, Scope},
};
use crate::{
    policy::Policy,
    record::{Level, Owner, Record, RecordId, Shipment, ShippedLine},
};

/// Records a parcel: of one order, or of a ship-together group through its lead. Answers warnings.
pub fn ship(
    book: &mut Book,
    id: &RecordId,
    n: u32,
    parcel: &Parcel,
    setting: Setting<'_>,
) -> Result<Vec<String>, Refused> {
    let name = id.order(n);
    let record = book.get(id).ok_or_else(|| command::unknown(&name))?;
    let order = record.order(n).ok_or_else(|| command::unknown(&name))?;
    let policy = setting.policy(record);
    if let Some(lead) = order.merged_into.clone().filter(|lead| still_leads(book, lead, &name)) {
        return Err(Refused::conflict(
            "merged",
            format!("{name} ships together with {lead}: ship {lead}, or `orders unmerge {name}` first"),
        ));
    }
    let stale = order.merged_into.is_some();
    let mut warnings = Vec::new();
    let told = Told::read(parcel, &policy, setting, &mut warnings)?;
    let followers = splits::followers(book, id, n);
    if followers.len() < order.merged.len() {
        warnings.push("orders that left the ship-together group are not in this parcel".to_owned());
    }
    if stale && let Some(order) = book.get_mut(id).and_then(|record| record.order_mut(n)) {
        // Its lead left the group, for its address changed.
        order.merged_into = None;
    }
    let members: Vec<(RecordId, u32)> = std::iter::once((id.clone(), n)).chain(followers).collect();
    let named = by_member(&members, &parcel.lines)?;
    let mut recorded = 0;
    for (member, lines) in members.iter().zip(named) {
        if lines.is_empty() && !parcel.lines.is_empty() {
            continue;
        }
        let record = book.get_mut(&member.0).ok_or_else(|| command::unknown(&member.0.order(member.1)))?;
        let policy = setting.policy(record);
        orders::not_shadow(record, &policy)?;
        // Cancelled units of a whole group are never meant by a word about the parcel: they are named, order by order.
        let after_cancel = parcel.after_cancel && (members.len() == 1 || !lines.is_empty());
        let chosen = match choose(record, member.1, &lines, after_cancel) {
            Err(refused)
                if members.len() > 1
                    && lines.is_empty()
                    && refused.kind == command::RefusedKind::Conflict =>
            {
                warnings.push(format!(
                    "{} is not in this parcel: {}",
                    member.0.order(member.1),
                    refused.message
                ));
                continue;
            }
            chosen => chosen?,
        };
        warnings.extend(record_parcel(record, member.1, &told, chosen, setting.now)?);
        recorded += 1;
    }
    if recorded == 0 {
        return Err(Refused::conflict(
            "nothing-open",
            warnings.pop().unwrap_or_else(|| "nothing is open".to_owned()),
        ));
    }
    Ok(warnings)
}

fn still_leads(book: &Book, lead: &str, follower: &str) -> bool {
    // A lead that is not in the book was not asked for: its word cannot be checked, so it counts.
    RecordId::parse_order(lead)
        .and_then(|(id, n)| book.get(&id)?.order(n))
        .is_none_or(|order| order.merged.iter().any(|member| member == follower))
}

/// The asked lines of each member: `l1` is the lead's, `ORDER/l1` another's.
fn by_member(members: &[(RecordId, u32)], lines: &[LineAmount]) -> Result<Vec<Vec<(String, u32)>>, Refused> {
    let mut named = vec![Vec::new(); members.len()];
    for (label, units) in command::sum_amounts(lines)? {
        let (owner, line) = match label.rsplit_once('/') {
            None => (0, label.as_str()),
            Some((order, line)) => {
                let found = members.iter().position(|(id, n)| id.order(*n) == order);
                (
                    found.ok_or_else(|| {
                        Refused::not_found(format!("{order} is not in this parcel's group"))
                    })?,
                    line,
                )
            }
        };
        named[owner].push((line.to_owned(), units));
    }
    Ok(named)
}

/// What the supplier says of a parcel, read and checked.
struct Told {
    tracking: TrackingSet,
    shipped_at: Timestamp,
    warehouse: Option<String>,
    label_cost: Option<sdk::Money>,
}

impl Told {
    fn read(
        parcel: &Parcel,
        policy: &Policy,
        setting: Setting<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Refused> {
        let change = TrackingChange {
            carrier: parcel.carrier.clone(),
            service: parcel.service.clone(),
            tracking: parcel.tracking.clone(),
            tracking_url: parcel.tracking_url.clone(),
        };
        let tracking = retrack(&TrackingSet::default(), &change, warnings)?;
        if tracking.number.is_none() {
            warnings.push("no tracking number: the customer cannot follow this parcel".to_owned());
        }
        let shipped_at = match parcel.shipped_at.as_deref() {
            Some(text) => command::parse_shipped_at(text, setting.policies.zone)?,
            None => setting.now,
        };
        if shipped_at > setting.now + chrono::TimeDelta::days(1) {
            warnings.push("the ship date is in the future".to_owned());
        }
        let warehouse = command::text("warehouse", parcel.warehouse.as_deref(), 100)?;
        if let Some(name) = warehouse
            .as_ref()
            .filter(|name| !policy.warehouses.is_empty() && !policy.warehouses.contains(name))
        {
            let known = policy.warehouses.join(", ");
            return Err(Refused::invalid(
                "warehouse",
                format!("there is no warehouse `{name}`; known: {known}"),
            ));
        }
        if let Some(cost) = &parcel.label_cost {
            if cost.amount.is_sign_negative() && !cost.amount.is_zero() {
                return Err(Refused::invalid("label-cost", "a label cannot cost less than nothing"));
            }
            if cost.currency.len() != 3 || !cost.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(Refused::invalid(
                    "label-cost",
                    "the currency is three capital letters, such as USD",
                ));
            }
        }
        Ok(Self { tracking, shipped_at, warehouse, label_cost: parcel.label_cost.clone() })
    }
}

/// A parcel's tracking after a change: the carrier by its table name, the link by its template where none is given.
fn retrack(
    old: &TrackingSet,
    change: &TrackingChange,
    warnings: &mut Vec<String>,
) -> Result<TrackingSet, Refused> {
    let mut new = old.clone();
    if let Some(word) = command::text("carrier", change.carrier.as_deref(), 100)? {
        new.carrier = match carriers::lookup(&word) {
            Some(carrier) => carrier.name.to_owned(),
            None => {
                warnings.push(format!(
                    "`{word}` is not in the carrier table: it is told as it is, with its number and link; check the spelling"
                ));
                word
            }
        };
    }
    if let Some(service) = command::text("service", change.service.as_deref(), 100)? {
        new.service = Some(service);
    }
    if let Some(number) = command::text("tracking", change.tracking.as_deref(), 100)? {
        new.number = Some(number);
    }
    if let Some(url) = command::text("tracking_url", change.tracking_url.as_deref(), 2000)? {
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(Refused::invalid(
                "tracking-url",
                "`tracking_url` must begin with https:// or http://",
            ));
        }
        new.url = Some(url);
    } else if new.carrier != old.carrier || new.number != old.number {
        let carrier = carriers::lookup(&new.carrier);
        new.url =
            carrier.zip(new.number.as_deref()).and_then(|(carrier, number)| carrier.tracking_url(number));
    }
    Ok(new)
}

/// Units of a line for a parcel; of these, `cancelled` had been cancelled.
struct Chosen {
    line: u32,
    units: u32,
    cancelled: u32,
}

/// Which units go into the parcel: the asked ones, or all that is open.
fn choose(
    record: &Record,
    n: u32,
    lines: &[(String, u32)],
    after_cancel: bool,
) -> Result<Vec<Chosen>, Refused> {
    let id = record.id.order(n);
    let order = record.order(n).ok_or_else(|| command::unknown(&id))?;
    let gated = |line: &crate::record::SupplierLine| -> u32 {
        let account = line.channel_line.as_ref().and_then(|id| record.line(id));
        let held = account.filter(|_| order.acked_at.is_none()).map_or(0, |account| account.held);
        // What leaves counts for the channel first: the supplier's own extra units wait behind the held ones.
        let extra = if held > 0 { line.quantity().saturating_sub(line.routed) } else { 0 };
        held.saturating_mul(line.per_unit).saturating_add(extra).min(line.shippable())
    };
    let mut chosen = Vec::new();
    if lines.is_empty() {
        let requested = units::requested(record);
        for line in &order.lines {
            let kept = gated(line).saturating_add(requested.get(&line.id).copied().unwrap_or(0));
            let units = line.open().saturating_sub(kept);
            if units > 0 {
                chosen.push(Chosen { line: line.id, units, cancelled: 0 });
            }
        }
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        if record.is_gated(order) {
            return Err(orders::gated(record, n));
        }
        let cancelled = order.lines.iter().any(|line| line.cancelled > 0);
        if cancelled && after_cancel && order.lines.iter().all(|line| line.open() == 0) {
            let all = order.lines.iter().filter(|line| line.cancelled > 0);
            return Ok(all
                .map(|line| Chosen { line: line.id, units: line.cancelled, cancelled: line.cancelled })
                .collect());
        }
        if order.lines.iter().any(|line| line.open() > 0) {
            let why =
                "all that is open is under a cancellation request: answer it, or name the lines that left";
            return Err(Refused::conflict("cancel-requested", why));
        }
        if cancelled {
            return Err(cancelled_units(&id));
        }
        return Err(Refused::conflict("nothing-open", format!("nothing of {id} is open")));
    }
    for (label, units) in lines {
        let line = &order.lines[command::line_at(order, label, &id)?];
        let free = line.shippable().saturating_sub(gated(line));
        let beyond = units.saturating_sub(free);
        if beyond > 0 && gated(line) > 0 {
            return Err(orders::gated(record, n));
        }
        if beyond > line.cancelled {
            return Err(Refused::conflict(
                "quantity",
                format!(
                    "line {label}: {units} units cannot be in this parcel: {free} are open, {} shipped, {} cancelled",
                    line.shipped, line.cancelled
                ),
            ));
        }
        if beyond > 0 && !after_cancel {
            return Err(cancelled_units(&id));
        }
        chosen.push(Chosen { line: line.id, units: *units, cancelled: beyond });
    }
    Ok(chosen)
}

fn cancelled_units(id: &str) -> Refused {
    Refused::conflict(
        "cancelled",
        format!(
            "these units of {id} are cancelled: do not ship them; if they left already, say `after_cancel`"
        ),
    )
}

fn record_parcel(
    record: &mut Record,
    n: u32,
    told: &Told,
    chosen: Vec<Chosen>,
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    let mut warnings = Vec::new();
    let order = record.order(n).ok_or_else(|| command::unknown(&record.id.order(n)))?;
    for hold in record.holds(order) {
        warnings.push(format!("{} is on hold: {hold}", record.id.order(n)));
    }
    if record.lines.iter().any(|line| line.cancel_requested > 0) {
        warnings.push(format!("{}: the channel asked to cancel units of this order", record.id.order(n)));
    }
    if let Some(number) = &told.tracking.number
        && let Some(twin) = record.shipments.iter().find(|other| {
            other.order == n && other.voided_at.is_none() && other.tracking.number.as_ref() == Some(number)
        })
    {
        warnings.push(format!("parcel {} has the same tracking number", twin.label()));
    }
    orders::hand_off(record, n, now);
    let after_cancel = chosen.iter().any(|chosen| chosen.cancelled > 0);
    uncancel(record, n, &chosen);
    let order = command::order_mut(record, n)?;
    order.last_parcel += 1;
    let parcel = order.last_parcel;
    let mut lines = Vec::new();
    let mut units: u64 = 0;
    for chosen in &chosen {
        if let Some(line) = order.lines.iter_mut().find(|line| line.id == chosen.line) {
            line.shipped += chosen.units;
            units += u64::from(chosen.units);
            lines.push(ShippedLine {
                line: line.id,
                quantity: chosen.units,
                was_cancelled: chosen.cancelled,
            });
        }
    }
    record.shipments.push(Shipment {
        order: n,
        n: parcel,
        tracking: told.tracking.clone(),
        shipped_at: told.shipped_at,
        recorded_at: now,
        warehouse: told.warehouse.clone(),
        label_cost: told.label_cost.clone(),
        lines,
        taken: Vec::new(),
        completes: Vec::new(),
        contributors: Vec::new(),
        voided_at: None,
        after_cancel,
        cancelled_at: if after_cancel { record.changed_at().or(Some(now)) } else { None },
        untold: Vec::new(),
    });
    units::leave_held_behind(record, n);
    settle(record);
    let carrier = if told.tracking.carrier.is_empty() { "no carrier" } else { &told.tracking.carrier };
    let text = format!("parcel p{parcel}: {} by {carrier}", super::counted(units));
    record.note(now, "order.shipped", Some(n), Level::Info, text);
    if after_cancel {
        let text = format!("parcel p{parcel} of {} holds units that had been cancelled", record.id.order(n));
        record.alert(now, "shipped-after-cancel", text.clone());
        record.note(now, "order.shipped_after_cancel", Some(n), Level::Error, text);
    }
    Ok(warnings)
}

/// Cancelled units left all the same: whole channel units come back, over all parts of their kit. Of one unit several
/// parts may be in the parcel: the part with the most of them counts.
fn uncancel(record: &mut Record, n: u32, chosen: &[Chosen]) {
    let Some(order) = record.order(n) else { return };
    let mut back: BTreeMap<RemoteId, u32> = BTreeMap::new();
    for chosen in chosen.iter().filter(|chosen| chosen.cancelled > 0) {
        let Some(line) = order.lines.iter().find(|line| line.id == chosen.line) else { continue };
        let Some(id) = line.channel_line.clone() else { continue };
        let units = back.entry(id).or_default();
        *units = chosen.cancelled.div_ceil(line.per_unit.max(1)).max(*units);
    }
    for (id, units) in back {
        bring_back(record, n, &id, units);
    }
}

fn bring_back(record: &mut Record, n: u32, id: &RemoteId, back: u32) {
    let Some(index) = record.lines.iter().position(|account| account.id == *id) else { return };
    let Owner::Supplier { parts, .. } = record.lines[index].owner.clone() else { return };
    for part in parts {
        let mut left = back.saturating_mul(part.per_unit);
        // The order's own first, then the others'.
        let mut own: Vec<(usize, usize)> = Vec::new();
        for (at, order) in record.orders.iter().enumerate() {
            for (inner, line) in order.lines.iter().enumerate() {
                if line.channel_line.as_ref() == Some(id) && line.sku == part.sku {
                    own.push((at, inner));
                }
            }
        }
        own.sort_by_key(|(at, _)| (record.orders[*at].n != n, *at));
        for (at, inner) in own {
            let line = &mut record.orders[at].lines[inner];
            let units = line.cancelled.min(left);
            line.cancelled -= units;
            left -= units;
        }
    }
    let account = &mut record.lines[index];
    let after = account.cancelled_after.min(back);
    account.cancelled_after -= after;
    let before = (back - after).min(account.cancelled);
    account.cancelled -= before;
    account.routed += before;
}

/// Corrects a parcel's tracking. Answers warnings.
pub fn track(
    record: &mut Record,
    n: u32,
    label: &str,
    change: &TrackingChange,
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    let index = find(record, n, label)?;
    if record.shipments[index].voided_at.is_some() {
        return Err(Refused::conflict("voided", format!("parcel {label} was voided")));
    }
    let mut warnings = Vec::new();
    let new = retrack(&record.shipments[index].tracking, change, &mut warnings)?;
    if new != record.shipments[index].tracking {
        record.shipments[index].tracking = new;
        record.note(
            now,
            "tracking.corrected",
            Some(n),
            Level::Info,
            format!("parcel {label}: tracking corrected"),
        );
    }
    Ok(warnings)
}

/// Takes a parcel back: its units are open again.
pub fn void(record: &mut Record, n: u32, label: &str, reason: &str, now: Timestamp) -> Result<(), Refused> {
    let reason = command::required_text("reason", reason, 500)?;
    let index = find(record, n, label)?;
    if record.shipments[index].voided_at.is_some() {
        return Ok(());
    }
    record.shipments[index].voided_at = Some(now);
    let shipped = record.shipments[index].lines.clone();
    // Whole channel units: of a kit the part that had the most of them cancelled.
    let mut recancel: BTreeMap<RemoteId, u32> = BTreeMap::new();
    let order = command::order_mut(record, n)?;
    for told in &shipped {
        let Some(line) = order.lines.iter_mut().find(|line| line.id == told.line) else { continue };
        line.shipped = line.shipped.saturating_sub(told.quantity);
        if let (Some(id), true) = (&line.channel_line, told.was_cancelled > 0) {
            let units = recancel.entry(id.clone()).or_default();
            *units = told.was_cancelled.div_ceil(line.per_unit.max(1)).max(*units);
        }
    }
    for (id, units) in recancel {
        let Some(line) = record.lines.iter().position(|account| account.id == id) else { continue };
        let units = units.min(units::available(record, line, Scope::Any)).min(record.lines[line].routed);
        units::take(record, line, units, Scope::Any, Gone::Cancelled);
        record.lines[line].cancelled_after += units;
    }
    settle(record);
    record.note(now, "shipment.voided", Some(n), Level::Warn, format!("parcel {label} was voided: {reason}"));
    Ok(())
}

fn find(record: &Record, n: u32, label: &str) -> Result<usize, Refused> {
    let found = record.shipments.iter().position(|shipment| shipment.order == n && shipment.label() == label);
    found.ok_or_else(|| {
        let known: Vec<String> =
            record.shipments.iter().filter(|shipment| shipment.order == n).map(Shipment::label).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Refused::not_found(format!(
            "order {} has no parcel `{label}`; its parcels: {known}",
            record.id.order(n)
        ))
    })
}

/// Which parcel tells which whole channel units. What was told stays with its parcel as long as it can: only a
/// surplus is taken back (from the newest parcel) and only a lack is given (to the newest with a part of it).
fn settle(record: &mut Record) {
    // Derived anew: a parcel that completes nothing of a kit any more speaks for none of its other parcels.
    for shipment in record.shipments.iter_mut().filter(|shipment| shipment.voided_at.is_none()) {
        shipment.contributors.clear();
    }
    for index in 0..record.lines.len() {
        let account = &record.lines[index];
        let Owner::Supplier { parts, .. } = &account.owner else { continue };
        let is_kit = parts.len() > 1 || parts.iter().any(|part| part.per_unit > 1);
        let (id, whole) = (account.id.clone(), record.shipped_units(account));
        let own: Vec<u32> = record
            .orders
            .iter()
            .flat_map(|order| &order.lines)
            .filter(|line| line.channel_line.as_ref() == Some(&id))
            .map(|line| line.id)
            .collect();
        let holding: Vec<usize> = (0..record.shipments.len())
            .filter(|at| {
                let shipment = &record.shipments[*at];
                shipment.voided_at.is_none() && shipment.lines.iter().any(|line| own.contains(&line.line))
            })
            .collect();
        let told: u32 = holding.iter().map(|at| completes(&record.shipments[*at], &id)).sum();
        let mut surplus = told.saturating_sub(whole);
        for at in holding.iter().rev() {
            let now = completes(&record.shipments[*at], &id);
            let less = now.min(surplus);
            surplus -= less;
            set_completes(&mut record.shipments[*at], &id, now - less);
        }
        let mut lack = whole.saturating_sub(told);
        if !is_kit {
            // Without kits every parcel tells what is in it, as far as the channel expects it.
            for at in holding.iter().rev() {
                let now = completes(&record.shipments[*at], &id);
                let inside: u32 = record.shipments[*at]
                    .lines
                    .iter()
                    .filter(|line| own.contains(&line.line))
                    .map(|line| line.quantity)
                    .sum();
                let more = inside.saturating_sub(now).min(lack);
                lack -= more;
                set_completes(&mut record.shipments[*at], &id, now + more);
            }
        }
        if let Some(newest) = holding.last().filter(|_| lack > 0) {
            let now = completes(&record.shipments[*newest], &id);
            set_completes(&mut record.shipments[*newest], &id, now + lack);
        }
        if is_kit {
            contributors(record, &id, &holding);
        }
    }
}

fn completes(shipment: &Shipment, id: &RemoteId) -> u32 {
    shipment.completes.iter().filter(|told| told.line == *id).map(|told| told.quantity).sum()
}

fn set_completes(shipment: &mut Shipment, id: &RemoteId, units: u32) {
    match shipment.completes.iter_mut().find(|told| told.line == *id) {
        Some(told) => told.quantity = units,
        None => shipment.completes.push(LineQuantity { line: id.clone(), quantity: units }),
    }
    shipment.completes.retain(|told| told.quantity > 0);
}

/// Of a kit's parcels, those that tell nothing themselves are told along with the next one that completes a unit.
fn contributors(record: &mut Record, id: &RemoteId, holding: &[usize]) {
    let mut waiting: Vec<(u32, u32)> = Vec::new();
    for at in holding {
        let shipment = &mut record.shipments[*at];
        if completes(shipment, id) == 0 {
            waiting.push((shipment.order, shipment.n));
            continue;
        }
        for parcel in waiting.drain(..) {
            if !shipment.contributors.contains(&parcel) {
                shipment.contributors.push(parcel);
            }
        }
    }
}
