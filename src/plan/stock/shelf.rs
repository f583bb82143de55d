//! On hand, committed, available: per SKU, and within it per warehouse.

use std::collections::BTreeMap;

use sdk::Timestamp;

use crate::{record::Record, stock::Level};

/// Our SKUs that a record's open supplier orders hold, with their units: also of orders that wait for a gate or stand on
/// hold. Test and shadow orders hold nothing, and an order that was excluded has no supplier order.
pub fn held(record: &Record) -> BTreeMap<String, u64> {
    let mut held = BTreeMap::new();
    if record.seen.test || record.shadow {
        return held;
    }
    for line in record.orders.iter().flat_map(|order| &order.lines) {
        // Units edited away are still owed to the channel: they may yet be shipped.
        let units = u64::from(line.shippable());
        if units > 0 {
            *held.entry(line.sku.clone()).or_default() += units;
        }
    }
    held
}

/// What one warehouse has of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The warehouse.
    pub warehouse: String,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of these that open orders hold.
    pub committed: i64,
    /// When the supplier last told the figure.
    pub told_at: Timestamp,
    /// Whether the configuration names the warehouse: what another one has is shown, and neither held nor published.
    pub named: bool,
}

impl Place {
    /// Units that are free: below zero where more is held than there is.
    pub fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.committed)
    }
}

/// The supplier's stock at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf(BTreeMap<String, Vec<Place>>);

impl Shelf {
    /// The shelf of these levels. `committed` says how many units of a SKU open orders hold: they are assigned to the
    /// warehouses in the supplier's order, each taking what it has; what no warehouse has stands at the first.
    /// Warehouses that the configuration does not name come last. Without `warehouses` all are named.
    pub fn new(levels: Vec<Level>, committed: impl Fn(&str) -> u64, warehouses: &[String]) -> Self {
        let mut shelf: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for level in levels {
            shelf.entry(level.sku).or_default().push(Place {
                warehouse: level.warehouse,
                on_hand: level.on_hand,
                committed: 0,
                told_at: level.told_at,
                named: true,
            });
        }
        let rank = |name: &str| warehouses.iter().position(|known| known == name).unwrap_or(usize::MAX);
        for (sku, places) in &mut shelf {
            places.sort_by(|left, right| {
                (rank(&left.warehouse), &left.warehouse).cmp(&(rank(&right.warehouse), &right.warehouse))
            });
            for place in places.iter_mut() {
                place.named = warehouses.is_empty() || warehouses.contains(&place.warehouse);
            }
            assign(places, i64::try_from(committed(sku)).unwrap_or(i64::MAX));
        }
        Self(shelf)
    }

    /// What each warehouse has of a SKU, in their order; empty where nothing was ever told.
    pub fn places(&self, sku: &str) -> &[Place] {
        self.0.get(sku).map_or(&[], Vec::as_slice)
    }

    /// Every SKU with its places.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Vec<Place>)> {
        self.0.iter()
    }
}

fn assign(places: &mut [Place], committed: i64) {
    let mut left = committed;
    for place in places.iter_mut().filter(|place| place.named) {
        place.committed = place.on_hand.max(0).min(left);
        left -= place.committed;
    }
    if let Some(first) = places.first_mut() {
        first.committed = first.committed.saturating_add(left);
    }
}
