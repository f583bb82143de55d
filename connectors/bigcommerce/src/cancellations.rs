//! How many units of each line the store still wants fulfilled: the facts that tell a cancellation.
//!
//! The contract has no cancelled quantity. What there is (`orderProducts`):
//! * `quantity`, which an edit lowers or raises; a line edited to 0 is no longer listed;
//! * `quantity_refunded`, which leaves `quantity` alone. A refunded unit may be one that was shipped (a return) or one
//!   that was not (a cancellation), and nothing says which. Units that are still open are taken to be the refunded
//!   ones; only what exceeds them is a return. So a return of a shipped unit, while others of its line are open,
//!   looks like a cancellation of an open one;
//! * `quantity_shipped`, which counts the units in shipments. Where it says more, a person marked them as shipped.

use std::collections::BTreeMap;

use crate::wire::{Product, Shipment};

/// One line's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    /// Left to fulfil, now or after a hold.
    pub(crate) fulfillable: u32,
    /// In shipments.
    pub(crate) shipped: u32,
    /// Shown as shipped and in no shipment.
    pub(crate) unlisted: u32,
}

/// The units of each line, in the order of the lines. `over`: the status says that nothing is wanted any more.
pub(crate) fn units(products: &[Product<'_>], shipments: &[Shipment<'_>], over: bool) -> Vec<Units> {
    let listed = listed(shipments);
    let of = |product: &Product<'_>| {
        let shipped = listed.get(&product.id).copied().unwrap_or(0);
        let shown = product.quantity_shipped.0;
        let gone = product.quantity_refunded.0.saturating_add(shipped.max(shown));
        let fulfillable = if over { 0 } else { product.quantity.0.saturating_sub(gone) };
        Units { fulfillable, shipped, unlisted: shown.saturating_sub(shipped) }
    };
    products.iter().map(of).collect()
}

/// Lines of which products and shipments tell differently: id, units shown as shipped, units in shipments. They are
/// two answers: a parcel made between them looks like units that are gone, or there twice.
pub(crate) fn odds(products: &[Product<'_>], shipments: &[Shipment<'_>]) -> Vec<(u64, u32, u32)> {
    let listed = listed(shipments);
    let of = |product: &Product<'_>| {
        (product.id, product.quantity_shipped.0, listed.get(&product.id).copied().unwrap_or(0))
    };
    products.iter().map(of).filter(|(_, shown, listed)| shown != listed).collect()
}

/// Units in shipments, by line.
fn listed(shipments: &[Shipment<'_>]) -> BTreeMap<u64, u32> {
    let mut listed: BTreeMap<u64, u32> = BTreeMap::new();
    for item in shipments.iter().flat_map(|shipment| &shipment.items) {
        let units = listed.entry(item.order_product_id).or_default();
        *units = units.saturating_add(item.quantity.0);
    }
    listed
}
