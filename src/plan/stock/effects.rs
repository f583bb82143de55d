//! What parcels and voids move: shipping takes from on hand, voiding gives back, each exactly once.
//!
//! What a parcel took is written into the parcel, in the commit that moves the figures. A void gives back what stands
//! there. SKUs of which the supplier never told a figure are not counted, so a supplier without stock keeping is
//! not told of figures below zero.

use std::collections::{BTreeMap, BTreeSet};

use sdk::Timestamp;

use super::Shelf;
use crate::{
    record::{Level as Loudness, Record, Shipment, Taken},
    stock::{Cause, Change, Movement},
};

/// Our SKUs of parcels that `after` has and `before` has not: their levels are needed.
pub fn skus(before: &Record, after: &Record) -> BTreeSet<String> {
    new_parcels(before, after).flat_map(|parcel| units(after, parcel).into_keys()).collect()
}

/// What left or came back between the two, as movements; what each new parcel took is noted in it. `shelf` has the
/// levels of [`skus`]; what is taken here is taken from it, so that several records can share it.
pub fn effects(before: &Record, after: &mut Record, shelf: &mut Floor, now: Timestamp) -> Vec<Movement> {
    let mut movements = Vec::new();
    for index in 0..after.shipments.len() {
        let parcel = &after.shipments[index];
        let name = format!("{}/{}", after.id.order(parcel.order), parcel.label());
        let known = find(before, parcel);
        // A test order's parcel is no stock of anybody's.
        if known.is_none() && parcel.voided_at.is_none() && !after.seen.test {
            let mut taken = Vec::new();
            let mut below = Vec::new();
            for (sku, units) in units(after, parcel) {
                let Some((warehouse, left)) = shelf.take(&sku, parcel.warehouse.as_deref(), units) else {
                    continue;
                };
                if left < 0 {
                    below.push(format!("{sku} in {warehouse} is at {left}"));
                }
                taken.push(Taken { sku, warehouse, units });
            }
            let order = parcel.order;
            movements.extend(taken.iter().map(|taken| moved(taken, -1, Cause::Parcel(name.clone()), now)));
            after.shipments[index].taken = taken;
            if !below.is_empty() {
                let text = format!("parcel {name} took more than was on hand: {}", below.join(", "));
                after.alert(now, "stock-negative", text.clone());
                after.note(now, "stock.negative", Some(order), Loudness::Error, text);
            }
        } else if known.is_some_and(|known| known.voided_at.is_none()) && parcel.voided_at.is_some() {
            let taken = parcel.taken.iter();
            movements.extend(taken.map(|taken| moved(taken, 1, Cause::Void(name.clone()), now)));
        }
    }
    movements
}

/// Whether a parcel was voided between the two: units come back to the shelf and to the order at once.
pub fn voids(before: &Record, after: &Record) -> bool {
    after.shipments.iter().any(|parcel| {
        parcel.voided_at.is_some() && find(before, parcel).is_some_and(|known| known.voided_at.is_none())
    })
}

fn find<'r>(record: &'r Record, parcel: &Shipment) -> Option<&'r Shipment> {
    record.shipments.iter().find(|known| known.order == parcel.order && known.n == parcel.n)
}

fn new_parcels<'r>(before: &'r Record, after: &'r Record) -> impl Iterator<Item = &'r Shipment> {
    after.shipments.iter().filter(|parcel| find(before, parcel).is_none())
}

/// A parcel's units, by SKU.
fn units(record: &Record, parcel: &Shipment) -> BTreeMap<String, u32> {
    let mut units: BTreeMap<String, u32> = BTreeMap::new();
    let Some(order) = record.order(parcel.order) else { return units };
    for shipped in &parcel.lines {
        if let Some(line) = order.lines.iter().find(|line| line.id == shipped.line) {
            let sum = units.entry(line.sku.clone()).or_default();
            *sum = sum.saturating_add(shipped.quantity);
        }
    }
    units
}

fn moved(taken: &Taken, sign: i64, cause: Cause, at: Timestamp) -> Movement {
    Movement {
        sku: taken.sku.clone(),
        warehouse: taken.warehouse.clone(),
        change: Change::Add(sign * i64::from(taken.units)),
        at,
        cause,
    }
}

/// Figures on hand that parcels of one command take from.
#[derive(Clone, Debug, Default)]
pub struct Floor(BTreeMap<String, Vec<(String, i64)>>);

impl From<&Shelf> for Floor {
    fn from(shelf: &Shelf) -> Self {
        let place = |place: &super::Place| (place.warehouse.clone(), place.on_hand);
        Self(shelf.iter().map(|(sku, places)| (sku.clone(), places.iter().map(place).collect())).collect())
    }
}

impl Floor {
    /// Takes units of a SKU: from the named warehouse, else from the first that holds all of them, else from the first
    /// that holds some, else from the first. Answers which, and what is left there; `None`: the SKU is not counted.
    fn take(&mut self, sku: &str, from: Option<&str>, units: u32) -> Option<(String, i64)> {
        let places = self.0.get_mut(sku).filter(|places| !places.is_empty())?;
        let wanted = i64::from(units);
        let at = match from {
            Some(name) => places.iter().position(|(warehouse, _)| warehouse == name).unwrap_or_else(|| {
                places.push((name.to_owned(), 0));
                places.len() - 1
            }),
            None => {
                let holds = |least: i64| places.iter().position(|(_, on_hand)| *on_hand >= least);
                holds(wanted).or_else(|| holds(1)).unwrap_or(0)
            }
        };
        let (warehouse, on_hand) = &mut places[at];
        *on_hand = on_hand.saturating_sub(wanted);
        Some((warehouse.clone(), *on_hand))
    }
}
