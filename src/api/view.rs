//! From a record to the documents that show it. Pure.

use super::document::{self, Push};
use crate::{
    outbox::{Write, WriteState},
    plan::{address, units},
    record::{NotOurs, Owner, Record, Rule, Shipment, SupplierOrder},
};

/// A supplier order's document.
pub fn order(record: &Record, order: &SupplierOrder, gaps: &[String]) -> document::Order {
    let gated = record.is_gated(order);
    document::Order {
        id: record.id.order(order.n),
        merchant: record.merchant.clone(),
        channel: record.channel.clone(),
        channel_order: record.seen.id.0.clone(),
        number: record.number(order.n),
        test: record.seen.test,
        shadow: record.shadow,
        status: record.status(order),
        reasons: if gated { gates(record) } else { Vec::new() },
        split_of: order.split_of.map(|n| record.id.order(n)),
        merged_into: order.merged_into.clone(),
        merged: order.merged.clone(),
        version: record.version,
        holds: record.holds(order),
        alerts: record.alerts.iter().map(|alert| alert.text.clone()).collect(),
        channel_gaps: gaps.to_vec(),
        ship_to: record.ship_to(order).cloned(),
        shipping_method: record.delivery(&order.delivery).and_then(|delivery| delivery.method.clone()),
        fields: document::Fields {
            email: record.seen.email.clone(),
            customer_note: record.seen.customer_note.clone(),
            bill_to: record.seen.bill_to.clone(),
        },
        handed_off: is_handed_off(order),
        cancel_request: cancel_request(record, order),
        address_change: address::change(record, order).cloned(),
        former_addresses: record
            .former_addresses
            .iter()
            .filter(|former| former.delivery == order.delivery)
            .map(|former| document::FormerAddress { ship_to: former.ship_to.clone(), until: former.until })
            .collect(),
        lines: order.lines.iter().map(|line| supplier_line(record, line)).collect(),
        shipments: record
            .shipments
            .iter()
            .filter(|shipment| shipment.order == order.n)
            .map(|parcel| shipment(record, parcel))
            .collect(),
        placed_at: record.seen.placed_at,
        imported_at: record.imported_at,
        warnings: None,
    }
}

/// The gates that hold, in words.
pub fn gates(record: &Record) -> Vec<String> {
    record.gates.iter().map(|gate| format!("{}: {}", gate_name(gate.name), gate.why)).collect()
}

/// A gate's name as commands write it.
pub fn gate_name(name: crate::record::GateName) -> String {
    serde_json::to_value(name)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_else(|| format!("{name:?}"))
}

/// Whether the supplier has taken it into work; shipping implies it.
pub fn is_handed_off(order: &SupplierOrder) -> bool {
    order.acked_at.is_some() || order.lines.iter().any(|line| line.shipped > 0)
}

fn supplier_line(record: &Record, line: &crate::record::SupplierLine) -> document::Line {
    let account = line.channel_line.as_ref().and_then(|id| record.line(id));
    let seen = line.channel_line.as_ref().and_then(|id| record.seen.lines.iter().find(|seen| seen.id == *id));
    document::Line {
        id: line.label(),
        channel_line: line.channel_line.as_ref().map(|id| id.0.clone()),
        sku: line.sku.clone(),
        merchant_sku: account.and_then(|account| account.sku.clone()),
        title: account.map(|account| account.title.clone()),
        quantity: line.quantity(),
        open: line.open(),
        shipped: line.shipped,
        cancelled: line.cancelled,
        elsewhere: line.elsewhere,
        routed: line.routed,
        edited: line.edited,
        short: line.short(),
        per_unit: line.per_unit,
        unit_cost: seen.and_then(|seen| seen.unit_cost.clone()),
    }
}

/// The units of an order that the channel no longer wants, as far as this order can answer for them.
pub fn cancel_request(record: &Record, order: &SupplierOrder) -> Option<document::CancelRequest> {
    let asked = units::requested(record);
    let of_line = |line: &crate::record::SupplierLine| {
        Some(document::LineUnits { id: line.label(), quantity: *asked.get(&line.id)? })
    };
    let lines: Vec<_> = order.lines.iter().filter_map(of_line).collect();
    let at = record.cancel_requested_at?;
    (!lines.is_empty()).then_some(document::CancelRequest { at, lines })
}

fn shipment(record: &Record, shipment: &Shipment) -> document::Shipment {
    document::Shipment {
        id: shipment.label(),
        carrier: shipment.tracking.carrier.clone(),
        service: shipment.tracking.service.clone(),
        tracking: shipment.tracking.number.clone(),
        tracking_url: shipment.tracking.url.clone(),
        shipped_at: shipment.shipped_at,
        recorded_at: shipment.recorded_at,
        warehouse: shipment.warehouse.clone(),
        label_cost: shipment.label_cost.clone(),
        voided: shipment.voided_at.is_some(),
        after_cancel: shipment.after_cancel,
        cancelled_at: shipment.cancelled_at,
        lines: shipment
            .lines
            .iter()
            .map(|line| document::LineUnits { id: format!("l{}", line.line), quantity: line.quantity })
            .collect(),
        push: push(record, shipment),
        push_error: writes_of(record, shipment)
            .filter(|write| write.state.is_owed() || write.state.is_parked())
            .find_map(|write| write.error.clone()),
    }
}

fn writes_of<'r>(record: &'r Record, shipment: &Shipment) -> impl Iterator<Item = &'r Write> {
    let (order, parcel) = (shipment.order, shipment.n);
    record.writes.iter().filter(move |write| write.order == order && write.parcel == parcel)
}

/// Where the channel's knowledge of a parcel stands: the worst of its writes; of a parcel that waited, that of the
/// parcel which completed its units.
pub fn push(record: &Record, shipment: &Shipment) -> Push {
    // Of a kit's parcel that was told and taken back, since another part of the unit was, nothing stands there; nor of
    // one whose units the channel, asked again, does not take any more.
    let taken_back = shipment.voided_at.is_none() && shipment.to_tell().is_empty();
    let own = own_push(record, shipment).filter(|push| !(taken_back && *push == Push::Done));
    if let Some(push) = own {
        return push;
    }
    let completed_by = record.shipments.iter().find(|later| {
        // One that completes nothing any more, since a part of its unit was taken back, tells nothing.
        let tells = later.voided_at.is_none() && !later.to_tell().is_empty();
        tells && later.contributors.contains(&(shipment.order, shipment.n))
    });
    if let Some(push) = completed_by.and_then(|later| own_push(record, later)) {
        return push;
    }
    let serves_channel = shipment.lines.iter().any(|part| {
        let line = record.orders.iter().flat_map(|order| &order.lines).find(|line| line.id == part.line);
        line.is_some_and(|line| line.channel_line.is_some())
    });
    if shipment.voided_at.is_none() && shipment.completes.is_empty() && serves_channel && !record.shadow {
        Push::Waiting
    } else {
        Push::NotPushed
    }
}

fn own_push(record: &Record, shipment: &Shipment) -> Option<Push> {
    let states: Vec<_> = writes_of(record, shipment).map(|write| &write.state).collect();
    if states.is_empty() {
        return None;
    }
    let any = |test: fn(&WriteState) -> bool| states.iter().any(|state| test(state));
    Some(if any(WriteState::is_parked) {
        Push::Parked
    } else if any(|state| matches!(state, WriteState::Indeterminate { .. })) {
        Push::Indeterminate
    } else if any(WriteState::is_owed) {
        Push::Pending
    } else if any(|state| matches!(state, WriteState::Done { .. })) {
        Push::Done
    } else {
        Push::NotPushed
    })
}

/// One write of the outbox.
pub fn outbox_entry(record: &Record, write: &Write) -> document::OutboxEntry {
    document::OutboxEntry {
        key: write.key.clone(),
        order: record.id.order(write.order),
        number: record.number(write.order),
        merchant: record.merchant.clone(),
        channel: record.channel.clone(),
        test: record.seen.test,
        kind: write.kind.as_str().to_owned(),
        parcel: (write.parcel > 0).then(|| format!("p{}", write.parcel)),
        state: write_state(&write.state).to_owned(),
        attempts: write.attempts,
        next_at: write.next_at,
        planned_at: write.planned_at,
        error: write.error.clone(),
        waits: None,
        carrier: write.tracking.carrier.clone(),
        tracking: write.tracking.number.clone(),
        lines: write.lines.clone(),
    }
}

/// A write's state as the API writes it.
pub fn write_state(state: &WriteState) -> &'static str {
    match state {
        WriteState::Pending => "pending",
        WriteState::Attempting { .. } => "attempting",
        WriteState::Indeterminate { .. } => "indeterminate",
        WriteState::Done { .. } => "done",
        WriteState::Parked { .. } => "parked",
        WriteState::Dropped { .. } => "dropped",
        WriteState::Shadow => "shadow",
    }
}

/// The merchant account's order.
pub fn account(record: &Record) -> document::AccountOrder {
    document::AccountOrder {
        id: record.id.0.clone(),
        merchant: record.merchant.clone(),
        channel: record.channel.clone(),
        channel_order: record.seen.id.0.clone(),
        number: record.seen.number.clone(),
        test: record.seen.test,
        shadow: record.shadow,
        version: record.version,
        excluded: record.excluded.clone(),
        payment: record.seen.payment.clone(),
        state: record.seen.state.clone(),
        holds: record.seen.holds.clone(),
        gates: gates(record),
        lines: record.lines.iter().map(|line| account_line(record, line)).collect(),
        supplier_orders: record
            .orders
            .iter()
            .map(|order| document::OrderRef { id: record.id.order(order.n), status: record.status(order) })
            .collect(),
        splits: record
            .account
            .splits
            .iter()
            .map(|split| document::AccountSplit {
                order: record.id.order(split.order),
                lines: split.lines.clone(),
                at: split.at,
            })
            .collect(),
        parcels: record
            .account
            .parcels
            .iter()
            .map(|parcel| document::AccountParcel {
                order: record.id.order(parcel.order),
                id: format!("p{}", parcel.n),
                tracking: parcel.tracking.clone(),
                voided: parcel.voided,
                at: parcel.at,
                push: record
                    .shipments
                    .iter()
                    .find(|shipment| shipment.order == parcel.order && shipment.n == parcel.n)
                    .map_or(Push::NotPushed, |shipment| push(record, shipment)),
            })
            .collect(),
        fulfillments: record.seen.fulfillments.clone(),
        alerts: record.alerts.iter().map(|alert| alert.text.clone()).collect(),
        placed_at: record.seen.placed_at,
        imported_at: record.imported_at,
        warnings: None,
    }
}

fn account_line(record: &Record, line: &crate::record::AccountLine) -> document::AccountLine {
    let (owner, parts) = match &line.owner {
        Owner::Supplier { parts, .. } => ("supplier", parts.clone()),
        Owner::Merchant(_) => ("merchant", Vec::new()),
    };
    document::AccountLine {
        id: line.id.0.clone(),
        sku: line.sku.clone(),
        title: line.title.clone(),
        owner: owner.to_owned(),
        rule: rule(&line.owner),
        parts,
        ordered: line.ordered,
        not_ours: line.not_ours,
        excluded: line.excluded,
        elsewhere_before: line.elsewhere_before,
        held: line.held,
        routed: line.routed,
        cancelled: line.cancelled,
        open: record.open_units(line),
        shipped: record.shipped_units(line),
        cancelled_after: line.cancelled_after,
        elsewhere_after: line.elsewhere_after,
        cancel_requested: line.cancel_requested,
        cancel_rejected: line.cancel_rejected,
        by_hand: line.by_hand,
    }
}

/// Why a line has its owner, in words.
pub fn rule(owner: &Owner) -> String {
    match owner {
        Owner::Supplier { rule: Rule::Flag, .. } => "flagged auto-dropship at run time".to_owned(),
        Owner::Supplier { rule: Rule::Map(key), .. } => format!("[dropship.map] {key:?}"),
        Owner::Supplier { rule: Rule::Glob(glob), .. } => format!("[dropship] skus, glob {glob:?}"),
        Owner::Merchant(why) => match why {
            NotOurs::NoSku => "it has no SKU".to_owned(),
            NotOurs::Custom => "typed in by hand, no product behind it".to_owned(),
            NotOurs::Digital => "it needs no shipping".to_owned(),
            NotOurs::GiftCard => "a gift card".to_owned(),
            NotOurs::MerchantDelivery(word) => format!("the merchant delivers it ({word})"),
            NotOurs::NoRule => "no rule names its SKU".to_owned(),
            NotOurs::FlaggedOff => "flagged off at run time".to_owned(),
            NotOurs::Ambiguous(skus) => {
                format!("without case and blanks it equals several rules' SKUs: {}", skus.join(", "))
            }
        },
    }
}
