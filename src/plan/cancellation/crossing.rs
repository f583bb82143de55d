//! Parcels that crossed a cancellation: marked, explained, and told as far as the channel takes them.

use std::collections::BTreeMap;

use sdk::{LineQuantity, RemoteId, Timestamp};

use super::{names, stamp};
use crate::{
    outbox::WriteState,
    plan::mirror,
    record::{Level, Record},
};

/// Units that left though the channel no longer wants them, by line: their parcels are marked, newest first, and keep
/// both times. Where the channel refused such a parcel and takes the rest of it, the rest is told.
pub(in crate::plan) fn mark_crossed(record: &mut Record, crossed: &[(RemoteId, u32)], now: Timestamp) {
    let mut hit: BTreeMap<usize, Vec<LineQuantity>> = BTreeMap::new();
    for (id, units) in crossed {
        let mut left = *units;
        for at in (0..record.shipments.len()).rev() {
            let shipment = &record.shipments[at];
            if shipment.voided_at.is_some() || is_told(record, at) {
                continue;
            }
            let inside: u32 =
                shipment.completes.iter().filter(|told| told.line == *id).map(|told| told.quantity).sum();
            let quantity = inside.min(left);
            left -= quantity;
            if quantity > 0 {
                hit.entry(at).or_default().push(LineQuantity { line: id.clone(), quantity });
            }
        }
    }
    let at_channel = record.changed_at();
    for (at, lines) in hit {
        let shipment = &mut record.shipments[at];
        let (order, label) = (shipment.order, shipment.label());
        if !shipment.after_cancel || shipment.cancelled_at.is_none() {
            shipment.after_cancel = true;
            shipment.cancelled_at = at_channel.or(Some(now));
            let text = format!(
                "parcel {label} of {} crossed a cancellation: it left {}, the channel cancelled {}",
                record.id.order(order),
                stamp(shipment.shipped_at),
                at_channel.map_or_else(|| "meanwhile".to_owned(), stamp)
            );
            record.alert(now, "shipped-after-cancel", text.clone());
            record.note_of_channel(now, "order.shipped_after_cancel", Some(order), Level::Error, text);
            explain(record, at, at_channel.unwrap_or(now));
        }
        let refused = mirror::live_create(record, at).is_some_and(|create| {
            create.state.is_parked() && !create.uncertain && create.made.is_empty() && !create.given_up
        });
        let shipment = &mut record.shipments[at];
        if !refused || shipment.untold == lines {
            continue;
        }
        let before = std::mem::replace(&mut shipment.untold, lines);
        if shipment.to_tell().is_empty() {
            shipment.untold = before;
            continue;
        }
        let names = names(record, &record.shipments[at].untold);
        let text =
            format!("the channel cancelled {names} of parcel {label} and does not take it: the rest is told");
        record.note(now, "fulfillment.reduced", Some(order), Level::Warn, text);
    }
}

/// A parcel may have been refused before its cancellation was seen: now the reason is known.
fn explain(record: &mut Record, shipment: usize, cancelled_at: Timestamp) {
    let parked = mirror::live_create(record, shipment).filter(|create| create.state.is_parked());
    let Some(key) = parked.map(|create| create.key.clone()) else { return };
    if let Some(write) = record.writes.iter_mut().find(|write| write.key == key) {
        write.error = write.error.as_deref().map(|why| crossed(cancelled_at, why));
    }
}

/// Why a parcel that crossed a cancellation is refused.
pub(in crate::plan) fn crossed(cancelled_at: Timestamp, why: &str) -> String {
    format!(
        "shipped after a cancellation ({}), and the channel does not take it any more: {why}",
        stamp(cancelled_at)
    )
}

fn is_told(record: &Record, shipment: usize) -> bool {
    mirror::live_create(record, shipment)
        .is_some_and(|create| matches!(create.state, WriteState::Done { .. }))
}
