//! How many to ask for at once: as many as one query may cost.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::wire::Cost;

/// No single query may cost more than 1,000 points (<https://shopify.dev/docs/api/usage/limits>): stay below.
const MOST_POINTS: f64 = 900.0;

/// The part of the shop's whole budget that one page may take.
const SHARE: f64 = 0.45;

/// The page size, which follows the price.
#[derive(Debug)]
pub(crate) struct PageSize {
    size: AtomicU32,
    most: u32,
    /// Points of one item, in thousandths.
    price: AtomicU32,
}

impl PageSize {
    /// The first page's size, the largest, and what one item is taken to cost until an answer tells, in thousandths of a
    /// point.
    pub(crate) fn new(first: u32, most: u32, price: u32) -> Self {
        Self { size: AtomicU32::new(first), most, price: AtomicU32::new(price) }
    }

    pub(crate) fn get(&self) -> u32 {
        self.size.load(Ordering::Relaxed)
    }

    pub(crate) fn points(&self) -> f64 {
        let price = self.price.load(Ordering::Relaxed);
        (f64::from(price) / 1000.0 * f64::from(self.get())).min(MOST_POINTS)
    }

    /// A page of `size` had this price: take as many as fit, growing no more than twofold.
    pub(crate) fn learn(&self, size: u32, cost: &Cost) {
        if cost.requested_query_cost <= 0.0 || size == 0 {
            return;
        }
        let each = cost.requested_query_cost / f64::from(size);
        self.price.store(((each * 1000.0) as u32).max(1), Ordering::Relaxed);
        let budget = cost
            .throttle_status
            .map_or(MOST_POINTS, |status| (status.maximum_available * SHARE).min(MOST_POINTS));
        let fits = ((budget / each) as u32).clamp(1, self.most);
        self.size.store(fits.min(size.saturating_mul(2)).max(1), Ordering::Relaxed);
    }

    /// A page of `size` was too dear; false when none smaller is left.
    pub(crate) fn shrink(&self, size: u32) -> bool {
        self.size.store((size / 2).max(1), Ordering::Relaxed);
        size > 1
    }
}
