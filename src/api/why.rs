//! The trace of an order: every decision in the record, in words. Pure.

use super::{
    document::{Finding, Why},
    story, view,
};
use crate::record::{AccountLine, Event, Owner, Record, Status, SupplierOrder};

/// The trace of the record that holds supplier order `n`; `old` are its events already moved out of the head.
pub fn trace(record: &Record, n: u32, old: Vec<Event>) -> Why {
    let order = record.order(n);
    let mut trace = Trace(Vec::new());
    if let Some(excluded) = &record.excluded {
        trace.add("cut-over", format!("never routed: {excluded}; `orders reimport` decides it anew"));
    }
    if record.shadow {
        trace.add("shadow", "seen while the merchant was in shadow: never acked, shipped or written for");
    }
    if record.seen.test {
        trace.add("order", "a test order: routed and marked, outside the default lists and counts");
    }
    for line in &record.lines {
        trace.add("line", account_line(record, line));
    }
    gates(record, &mut trace);
    for order in &record.orders {
        supplier_order(record, order, &mut trace);
    }
    for shipment in &record.shipments {
        let tracking = &shipment.tracking;
        let mut text = format!(
            "{} {}: {} {}, {}",
            record.id.order(shipment.order),
            shipment.label(),
            tracking.carrier,
            tracking.number.as_deref().unwrap_or("without a number"),
            shipment
                .lines
                .iter()
                .map(|line| format!("l{} × {}", line.line, line.quantity))
                .collect::<Vec<_>>()
                .join(", ")
        );
        if shipment.voided_at.is_some() {
            text.push_str("; voided");
        }
        if shipment.after_cancel {
            text.push_str("; some of it had been cancelled");
        }
        if let Some(at) = shipment.cancelled_at {
            text.push_str(&format!(" {}", at.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        text.push_str(&format!("; on the channel: {}", view::push(record, shipment).as_str()));
        trace.add("parcel", text);
    }
    for write in &record.writes {
        let mut text = format!("{}: {}", write.key, view::write_state(&write.state));
        if write.attempts > 0 {
            text.push_str(&format!(", {} attempt(s)", write.attempts));
        }
        if write.state.is_owed() {
            text.push_str(&format!(", next not before {}", write.next_at.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        if let Some(error) = &write.error {
            text.push_str(&format!("; last failure: {error}"));
        }
        if write.state.is_parked() {
            text.push_str("; `outbox retry` or `outbox drop` decides it");
        }
        trace.add("write", text);
    }
    for alert in &record.alerts {
        trace.add("alert", format!("{}: {}", alert.code, alert.text));
    }
    let mut timeline = old;
    timeline.extend(record.timeline.iter().cloned());
    Why {
        id: record.id.order(n),
        number: record.number(n),
        status: order.map(|order| record.status(order)),
        summary: summary(record, order),
        story: story::tell(record, &timeline),
        trace: trace.0,
        timeline,
    }
}

struct Trace(Vec<Finding>);

impl Trace {
    fn add(&mut self, about: &str, text: impl Into<String>) {
        self.0.push(Finding { about: about.to_owned(), text: text.into() });
    }
}

fn summary(record: &Record, order: Option<&SupplierOrder>) -> String {
    let Some(order) = order else {
        return match &record.excluded {
            Some(why) => format!("No supplier order: {why}."),
            None if record.lines.iter().all(|line| matches!(line.owner, Owner::Merchant(_))) => {
                "No supplier order: every line is the merchant's.".to_owned()
            }
            None => "No supplier order: no unit of it was left to route.".to_owned(),
        };
    };
    match record.status(order) {
        Status::Held => {
            let mut why = if record.is_gated(order) { view::gates(record) } else { Vec::new() };
            why.extend(record.holds(order));
            format!("Held: {}.", why.join("; "))
        }
        Status::Open => "Open: every gate has passed; it waits for the supplier.".to_owned(),
        Status::InWork => "In work: the supplier has taken it.".to_owned(),
        Status::PartlyShipped => "Partly shipped: some units are still open.".to_owned(),
        Status::Shipped => "Shipped: nothing is open.".to_owned(),
        Status::Cancelled => "Cancelled: no unit is wanted any more.".to_owned(),
    }
}

fn account_line(record: &Record, line: &AccountLine) -> String {
    let name = line.sku.as_deref().unwrap_or("without SKU");
    let owner = match &line.owner {
        Owner::Supplier { parts, .. } => {
            let recipe: Vec<_> =
                parts.iter().map(|part| format!("{} × {}", part.per_unit, part.sku)).collect();
            format!("ours by {}, as {}", view::rule(&line.owner), recipe.join(" + "))
        }
        Owner::Merchant(_) => format!("the merchant's: {}", view::rule(&line.owner)),
    };
    let terms = [
        (line.not_ours, "the merchant's"),
        (line.excluded, "excluded by the cut-over"),
        (line.elsewhere_before, "fulfilled elsewhere before routing"),
        (line.held, "held"),
        (line.routed, "routed"),
        (line.cancelled, "cancelled before routing"),
    ];
    let mut text = format!("{} ({name}): {owner}; ordered {} = {}", line.id, line.ordered, sum(&terms));
    if line.routed > 0 {
        let of_routed = [
            (record.open_units(line), "open"),
            (record.shipped_units(line), "shipped"),
            (line.cancelled_after, "cancelled after routing"),
            (line.elsewhere_after, "fulfilled elsewhere after routing"),
        ];
        text.push_str(&format!("; routed {} = {}", line.routed, sum(&of_routed)));
    }
    if line.by_hand > 0 {
        text.push_str(&format!("; {} cancelled by hand, not by the channel", line.by_hand));
    }
    if line.cancel_requested > 0 {
        text.push_str(&format!("; cancellation of {} asked, not answered", line.cancel_requested));
    }
    if line.cancel_rejected > 0 {
        text.push_str(&format!("; cancellation of {} refused", line.cancel_rejected));
    }
    text
}

fn sum(terms: &[(u32, &str)]) -> String {
    let parts: Vec<_> =
        terms.iter().filter(|(units, _)| *units > 0).map(|(units, name)| format!("{units} {name}")).collect();
    if parts.is_empty() { "0".to_owned() } else { parts.join(" + ") }
}

fn gates(record: &Record, trace: &mut Trace) {
    use crate::record::GateName as G;
    for gate in &record.gates {
        let name = view::gate_name(gate.name);
        let lifts = match gate.name {
            G::Payment => "lifts when the channel shows it paid",
            G::UnknownPayment | G::UnknownState | G::UnknownDelivery => {
                "lifts when the channel shows a word that this release knows"
            }
            G::ChannelHold => "lifts when the channel releases it",
            G::Settle => "lifts by time alone",
            G::NoAddress => "lifts when the channel shows an address",
        };
        let mut text = format!("{name}: {}; {lifts}, or by `orders release --override {name}`", gate.why);
        if gate.name == G::Settle
            && let Some(at) = record.wake_at
        {
            text.push_str(&format!("; looked at again {}", at.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        trace.add("gate", text);
    }
    for gate in &record.overrides {
        trace.add("override", format!("{}: overridden by a person, for good", view::gate_name(*gate)));
    }
}

fn supplier_order(record: &Record, order: &SupplierOrder, trace: &mut Trace) {
    let id = record.id.order(order.n);
    let mut text = format!("{id}: {}", record.status(order).as_str());
    if let Some(from) = order.split_of {
        text.push_str(&format!("; split from {}", record.id.order(from)));
    }
    if let Some(lead) = &order.merged_into {
        text.push_str(&format!("; ships together with {lead}"));
    }
    if !order.merged.is_empty() {
        text.push_str(&format!("; leads {}", order.merged.join(", ")));
    }
    if let Some(at) = order.acked_at {
        text.push_str(&format!("; taken into work {}", at.format("%Y-%m-%dT%H:%M:%SZ")));
    }
    trace.add("order", text);
    for line in &order.lines {
        let mut text = format!(
            "{id} {}: {} of {}; {} open, {} shipped, {} cancelled",
            line.label(),
            line.quantity(),
            line.sku,
            line.open(),
            line.shipped,
            line.cancelled
        );
        if line.elsewhere > 0 {
            text.push_str(&format!(", {} fulfilled elsewhere", line.elsewhere));
        }
        match &line.channel_line {
            Some(channel_line) if line.per_unit > 1 => {
                text.push_str(&format!("; {} make one unit of {channel_line}", line.per_unit));
            }
            Some(channel_line) => text.push_str(&format!("; serves {channel_line}")),
            None => text.push_str("; added by the supplier, never pushed"),
        }
        if let Some(edited) = line.edited {
            text.push_str(&format!("; edited from {} to {edited}", line.routed));
        }
        if line.short() > 0 {
            text.push_str(&format!("; {} short: the channel still expects them", line.short()));
        }
        trace.add("order", text);
    }
    for hold in record.holds(order) {
        trace.add("hold", format!("{id}: {hold}"));
    }
}
