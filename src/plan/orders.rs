//! Ack, hold, release, edit, reimport, and a person's word on a write.

use sdk::{DeliveryKind, Timestamp};

use super::{
    command::{self, AddedLine, LineAmount, Refused},
    delivery, intake,
    restored::UNKNOWN_PARCEL,
    units,
};
use crate::{
    outbox::{WriteKind, WriteState},
    policy::Policy,
    record::{GateName, Level, Owner, Record, Status, SupplierLine},
};

/// The most units that a person may enter in one line.
pub const MOST_UNITS: u32 = 1_000_000;

/// Takes an order into work. `force` overrides what the channel alone says against it: a hold, that it no longer has
/// the order, a cancellation that waits for an answer.
pub fn ack(record: &mut Record, n: u32, force: bool, policy: &Policy, now: Timestamp) -> Result<(), Refused> {
    let order = command::order_mut(record, n)?;
    if order.acked_at.is_some() {
        return Ok(());
    }
    let order = order.clone();
    not_shadow(record, policy)?;
    if record.is_gated(&order) {
        return Err(gated(record, n));
    }
    if matches!(record.status(&order), Status::Shipped | Status::Cancelled) {
        return Err(Refused::conflict("nothing-open", "nothing of this order is open"));
    }
    if let Some(reason) = &order.hold {
        let why = format!("the order is held: held by the supplier: {reason}");
        return Err(Refused::conflict("held", why));
    }
    let holds = record.holds(&order).join("; ");
    if !holds.is_empty() && !force {
        let why = format!("the order is held: {holds} (`--force` takes it into work all the same)");
        return Err(Refused::conflict("held", why));
    }
    let asked = units::requested(record);
    if order.lines.iter().any(|line| asked.contains_key(&line.id)) && !force {
        let why = "a cancellation of it waits for an answer: `orders accept-cancel` or `reject-cancel` first \
                   (`--force` takes it into work all the same)";
        return Err(Refused::conflict("cancel-requested", why));
    }
    hand_off(record, n, now);
    let text = if holds.is_empty() {
        "taken into work by the supplier".to_owned()
    } else {
        format!("taken into work by the supplier, in spite of: {holds}")
    };
    record.note(now, "order.acked", Some(n), Level::Info, text);
    Ok(())
}

/// The hand-off: from now on the address is the one that the parcel goes to.
pub(super) fn hand_off(record: &mut Record, n: u32, now: Timestamp) {
    let Some(index) = record.orders.iter().position(|order| order.n == n) else { return };
    if record.orders[index].acked_at.is_some() {
        return;
    }
    let ship_to = record.ship_to(&record.orders[index]).cloned();
    record.orders[index].acked_at = Some(now);
    record.orders[index].ship_to = ship_to;
}

pub(super) fn not_shadow(record: &Record, policy: &Policy) -> Result<(), Refused> {
    let why = if record.shadow {
        "the merchant was in shadow mode when this order came: it is shown, never worked on"
    } else if policy.shadow {
        "the merchant is in shadow mode: what is recorded now could never be told to the channel"
    } else {
        return Ok(());
    };
    Err(Refused::conflict("shadow", why))
}

pub(super) fn gated(record: &Record, n: u32) -> Refused {
    let gates: Vec<String> = record
        .gates
        .iter()
        .map(|gate| {
            format!("{} (`orders release {} --override {}`)", gate.why, record.id.order(n), name(gate.name))
        })
        .collect();
    Refused::conflict("gated", format!("not released yet: {}", gates.join("; ")))
}

/// A gate's name as the API and the command line write it.
pub fn name(gate: GateName) -> String {
    serde_json::to_value(gate).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Keeps an order from being worked on.
pub fn hold(record: &mut Record, n: u32, reason: &str, now: Timestamp) -> Result<(), Refused> {
    let reason = command::required_text("reason", reason, 500)?;
    let order = command::order_mut(record, n)?;
    if order.hold.as_ref() == Some(&reason) {
        return Ok(());
    }
    order.hold = Some(reason.clone());
    record.note(now, "order.hold", Some(n), Level::Info, format!("held by the supplier: {reason}"));
    Ok(())
}

/// Lifts the supplier's own hold, and overrides the named gates for good. Answers warnings.
pub fn release(
    record: &mut Record,
    n: u32,
    overrides: &[GateName],
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    let order = command::order_mut(record, n)?;
    let lifted = order.hold.take();
    let order = order.clone();
    let mut warnings = Vec::new();
    let alerts = record.alerts.len();
    record.alerts.retain(|alert| alert.code != UNKNOWN_PARCEL);
    let seen_to = record.alerts.len() < alerts;
    if seen_to {
        let text = "a person compared the channel's parcels with the bench after a restore";
        record.note(now, "order.restored_parcel_settled", Some(n), Level::Info, text);
    }
    if lifted.is_none() && overrides.is_empty() && !seen_to {
        if record.is_gated(&order) {
            return Err(gated(record, n));
        }
        warnings.push(match record.holds(&order).as_slice() {
            [] => "it was not held".to_owned(),
            holds => format!("only the channel can lift this: {}", holds.join("; ")),
        });
    }
    if lifted.is_some() {
        record.note(now, "order.release", Some(n), Level::Info, "the supplier lifted its hold");
    }
    for gate in overrides {
        if record.overrides.contains(gate) {
            continue;
        }
        if !record.gates.iter().any(|shut| shut.name == *gate) {
            warnings.push(format!("the gate {} was not shut", name(*gate)));
        }
        record.overrides.push(*gate);
        let text = format!("a person overrode the gate {}", name(*gate));
        record.note(now, "order.gate_overridden", Some(n), Level::Warn, text);
    }
    Ok(warnings)
}

/// Changes the supplier's own numbers. What the channel expects stays as it is. Answers warnings.
pub fn edit(
    record: &mut Record,
    n: u32,
    lines: &[LineAmount],
    add: &[AddedLine],
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    if lines.is_empty() && add.is_empty() {
        return Err(Refused::invalid("missing", "name lines to change or to add"));
    }
    let id = record.id.order(n);
    let mut last_line = record.last_line;
    let order = command::order_mut(record, n)?;
    let mut changes = Vec::new();
    for change in lines {
        let at = command::line_at(order, &change.id, &id)?;
        let line = &mut order.lines[at];
        if change.quantity > MOST_UNITS {
            return Err(Refused::invalid(
                "quantity",
                format!("line {}: more than {MOST_UNITS} units", change.id),
            ));
        }
        if change.quantity < line.gone() {
            return Err(Refused::conflict(
                "quantity",
                format!(
                    "line {}: {} units are shipped, cancelled or fulfilled elsewhere already, it cannot go below",
                    change.id,
                    line.gone()
                ),
            ));
        }
        if change.quantity != line.quantity() {
            changes.push(format!("{} {} → {}", line.label(), line.quantity(), change.quantity));
            let routed = line.channel_line.is_some().then_some(line.routed);
            line.edited = (routed != Some(change.quantity)).then_some(change.quantity);
        }
    }
    for line in add {
        let sku = command::required_text("sku", &line.sku, 255)?;
        if line.quantity == 0 || line.quantity > MOST_UNITS {
            return Err(Refused::invalid("quantity", format!("{sku}: between 1 and {MOST_UNITS} units")));
        }
        last_line += 1;
        changes.push(format!("l{last_line} added: {} of {sku}", line.quantity));
        order.lines.push(SupplierLine {
            id: last_line,
            channel_line: None,
            sku,
            per_unit: 1,
            routed: 0,
            edited: Some(line.quantity),
            shipped: 0,
            cancelled: 0,
            elsewhere: 0,
        });
    }
    let warnings = order
        .lines
        .iter()
        .filter(|line| line.short() > 0)
        .map(|line| {
            format!(
                "line {}: the channel still expects {} more",
                line.label(),
                super::counted(line.short().into())
            )
        })
        .collect();
    record.last_line = last_line;
    if !changes.is_empty() {
        record.note(now, "order.edited", Some(n), Level::Info, changes.join("; "));
    }
    Ok(warnings)
}

/// Decides anew the lines that are the merchant's or excluded so far, by the present rules.
pub fn reimport(record: &mut Record, policy: &Policy, now: Timestamp) -> Result<(), Refused> {
    not_shadow(record, policy)?;
    if policy.is_suspended() {
        return Err(Refused::conflict(
            "suspended",
            "the configuration does not name this merchant's channel",
        ));
    }
    if let Some(why) = &record.excluded {
        if record.seen.placed_at < policy.since {
            return Err(Refused::conflict("excluded", format!("{why}; move `since` back first")));
        }
        record.excluded = None;
    }
    let mut routed: u64 = 0;
    for index in 0..record.lines.len() {
        let Some(seen) = record.seen.lines.iter().find(|line| line.id == record.lines[index].id).cloned()
        else {
            continue;
        };
        let account = &record.lines[index];
        if matches!(account.owner, Owner::Merchant(_)) {
            let kind = record
                .delivery(&account.delivery)
                .map_or(DeliveryKind::Shipping, |delivery| delivery.kind.clone());
            let owner = policy.catalogue.decide(&seen, &kind);
            record.lines[index].owner = owner;
        }
        let account = &mut record.lines[index];
        if !matches!(account.owner, Owner::Supplier { .. }) {
            account.not_ours += std::mem::take(&mut account.excluded);
            continue;
        }
        let units = std::mem::take(&mut account.not_ours) + std::mem::take(&mut account.excluded);
        let wanted = intake::fulfillable_of(&record.seen, &seen).min(units);
        account.cancelled += units - wanted;
        account.held += wanted;
        routed += u64::from(wanted);
        units::add(record, index, wanted);
    }
    intake::take_in(record, policy, now);
    if record.orders.is_empty() {
        return Err(Refused::conflict("nothing-ours", "by the present rules no line of this order is ours"));
    }
    let text = format!("decided anew by a person: {routed} units are ours now");
    record.note(now, "order.reimported", None, Level::Info, text);
    Ok(())
}

/// Sends a parked write again, or a waiting one now.
pub fn retry_write(record: &mut Record, key: &str, policy: &Policy, now: Timestamp) -> Result<(), Refused> {
    let write = write_mut(record, key)?;
    match &write.state {
        WriteState::Pending => write.next_at = now,
        // The wait protects against a request that is still on its way.
        WriteState::Attempting { since } | WriteState::Indeterminate { since } => {
            write.next_at = now.max(delivery::later(*since, policy.read_back));
        }
        WriteState::Parked { .. } | WriteState::Dropped { .. }
            if write.given_up || write.state.is_parked() =>
        {
            write.given_up = false;
            let look =
                policy.may_find_fulfillments() && write.kind == WriteKind::Create && write.attempts > 0;
            write.state = if look { WriteState::Indeterminate { since: now } } else { WriteState::Pending };
            write.next_at = now;
        }
        WriteState::Done { .. } => return Err(Refused::conflict("done", "the channel has it already")),
        WriteState::Shadow => {
            return Err(Refused::conflict("shadow", "planned in shadow mode: it can never be sent"));
        }
        _ => return Err(Refused::conflict("superseded", "a later write took its place")),
    }
    write.failures = 0;
    let order = write.order;
    record.note(now, "outbox.retried", Some(order), Level::Info, format!("a person asked to send {key} now"));
    Ok(())
}

/// Gives up a write that is owed or parked. Answers warnings.
pub fn drop_write(
    record: &mut Record,
    key: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<String>, Refused> {
    let reason = command::required_text("reason", reason, 500)?;
    let write = write_mut(record, key)?;
    match &write.state {
        WriteState::Pending | WriteState::Parked { .. } => {}
        WriteState::Dropped { .. } if write.given_up => return Ok(Vec::new()),
        WriteState::Attempting { .. } | WriteState::Indeterminate { .. } => {
            let why = "whether the channel has it is not known yet: wait until it was looked up, then decide";
            return Err(Refused::conflict("uncertain", why));
        }
        WriteState::Done { .. } => return Err(Refused::conflict("done", "the channel has it already")),
        WriteState::Shadow | WriteState::Dropped { .. } => {
            return Err(Refused::conflict("not-owed", "nothing is owed for it"));
        }
    }
    let mut warnings = Vec::new();
    if write.uncertain || !write.made.is_empty() {
        warnings.push("the channel may have (some of) it: look there".to_owned());
    }
    write.state = WriteState::Dropped { at: now };
    write.given_up = true;
    let order = write.order;
    let text = format!("a person gave up {key}: {reason}");
    record.alert(now, "write-dropped", text.clone());
    record.note(now, "outbox.dropped", Some(order), Level::Warn, text);
    Ok(warnings)
}

fn write_mut<'r>(record: &'r mut Record, key: &str) -> Result<&'r mut crate::outbox::Write, Refused> {
    let missing = || Refused::not_found(format!("there is no write {key}"));
    record.writes.iter_mut().find(|write| write.key == key).ok_or_else(missing)
}
