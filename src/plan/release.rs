//! The gates between import and work: paid, not on hold, settled, addressed, and nothing unknown.

use sdk::{DeliveryKind, OrderState, Payment, Timestamp};

use crate::{
    policy::Policy,
    record::{Gate, GateName, Level, Owner, Record},
};

/// Evaluates the gates while units are held, and routes the held units once all pass. Answers whether something changed.
pub fn apply(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    if record.lines.iter().all(|line| line.held == 0) {
        let changed = !record.gates.is_empty() || record.wake_at.is_some();
        record.gates.clear();
        record.wake_at = None;
        return changed;
    }
    let (gates, wake_at) = gates(record, policy, now);
    if gates.is_empty() {
        let mut units: u64 = 0;
        for line in &mut record.lines {
            units += u64::from(line.held);
            line.routed += line.held;
            line.held = 0;
        }
        record.gates.clear();
        record.wake_at = None;
        record.note(
            now,
            "order.routed",
            None,
            Level::Info,
            format!("{} released to the supplier", super::counted(units)),
        );
        return true;
    }
    if gates == record.gates && wake_at == record.wake_at {
        return false;
    }
    if gates != record.gates {
        let why: Vec<&str> = gates.iter().map(|gate| gate.why.as_str()).collect();
        let unknown = gates.iter().any(|gate| {
            matches!(gate.name, GateName::UnknownPayment | GateName::UnknownState | GateName::UnknownDelivery)
        });
        let level = if unknown { Level::Error } else { Level::Info };
        record.note(now, "order.held", None, level, why.join("; "));
    }
    record.gates = gates;
    record.wake_at = wake_at;
    true
}

/// The gates that do not pass at `now`, and when one may pass by time alone.
pub fn gates(record: &Record, policy: &Policy, now: Timestamp) -> (Vec<Gate>, Option<Timestamp>) {
    let mut gates = Vec::new();
    let mut gate = |name: GateName, why: String| {
        if !record.overrides.contains(&name) {
            gates.push(Gate { name, why });
        }
    };
    let seen = &record.seen;
    match &seen.payment {
        Payment::Paid => {}
        Payment::Authorized if policy.accept_authorized || !policy.require_paid => {}
        Payment::Authorized => gate(GateName::Payment, "payment authorized, not captured".to_owned()),
        Payment::Unpaid(word) if policy.require_paid => gate(GateName::Payment, format!("not paid: {word}")),
        Payment::Unpaid(_) => {}
        Payment::Returned(word) => gate(GateName::Payment, format!("the money went back: {word}")),
        Payment::Unknown(word) => {
            gate(GateName::UnknownPayment, format!("the payment status `{word}` is unknown to this release"));
        }
    }
    if let OrderState::Unknown(word) = &seen.state {
        gate(GateName::UnknownState, format!("the order state `{word}` is unknown to this release"));
    }
    if !seen.holds.is_empty() {
        gate(GateName::ChannelHold, format!("on hold on the channel: {}", seen.holds.join(", ")));
    }
    for delivery in &seen.deliveries {
        let ours = record.lines.iter().any(|line| {
            line.held > 0 && line.delivery == delivery.key && matches!(line.owner, Owner::Supplier { .. })
        });
        if !ours {
            continue;
        }
        if let DeliveryKind::Unknown(word) = &delivery.kind {
            gate(
                GateName::UnknownDelivery,
                format!("the delivery method `{word}` is unknown to this release"),
            );
        }
        if delivery.ship_to.as_ref().is_none_or(sdk::Address::is_blank) {
            gate(GateName::NoAddress, "no address to ship to".to_owned());
        }
    }
    let has_delivery = |key: &str| seen.deliveries.iter().any(|delivery| delivery.key == key);
    if record.lines.iter().any(|line| line.held > 0 && !has_delivery(&line.delivery)) {
        gate(GateName::NoAddress, "no delivery is told for some lines".to_owned());
    }
    // A channel whose clock runs ahead must not hold an order longer than the settle time.
    let born = seen.placed_at.min(record.imported_at);
    let settled =
        chrono::TimeDelta::from_std(policy.settle).ok().and_then(|settle| born.checked_add_signed(settle));
    let mut wake_at = None;
    if let Some(settled) = settled
        && now < settled
        && !record.overrides.contains(&GateName::Settle)
    {
        gate(GateName::Settle, format!("settles until {}", settled.format("%Y-%m-%dT%H:%M:%SZ")));
        wake_at = Some(settled);
    }
    (gates, wake_at)
}
