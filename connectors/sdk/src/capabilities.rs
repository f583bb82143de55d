//! What a kind of channel can tell and take, as a literal that one can read.

use serde::Serialize;

/// One kind of channel's abilities. Logs, `check`, the API and each order show what is *not* here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// A cancelled order is told.
    pub sees_cancellations: bool,
    /// Cancelled units of a line are told, the order going on.
    pub sees_partial_cancellations: bool,
    /// The channel has cancellation requests of its own, which can be accepted and rejected there.
    pub answers_cancellations: bool,
    /// Holds (fraud, payment, merchant's own) are told.
    pub sees_holds: bool,
    /// Changed lines and addresses are told. Where false, a later version of an order that says otherwise
    /// is set aside as a conflict instead of replacing what is known.
    pub sees_edits: bool,
    /// One order by its id can be asked for (the sweep and the last look).
    pub order_by_id: bool,
    /// Part of an order, and part of a line, can be fulfilled.
    pub partial_fulfillments: bool,
    /// The tracking of a made fulfillment can be corrected.
    pub tracking_updates: bool,
    /// A made fulfillment can be taken back.
    pub voids: bool,
    /// Where a fulfillment cannot be taken back: a notice can be left there, for a person to do it.
    pub void_notices: bool,
    /// A split can be shown on the channel itself.
    pub split_mirror: bool,
    /// The catalogue can be listed, and stock read and written.
    pub stock_writes: bool,
    /// The most items of one stock call; 0 where stock cannot be written.
    pub stock_batch: usize,
    /// Stock is written against an expected value.
    pub compare_and_set_stock: bool,
    /// Made fulfillments can be read back, so that an unknown outcome can be settled by looking.
    /// Where false, a write must be safe to repeat under its key.
    pub finds_fulfillments: bool,
    /// Test orders are marked as such.
    pub test_orders: bool,
}

impl Capabilities {
    /// What this channel cannot tell or take, in words for a person.
    pub fn gaps(&self) -> Vec<&'static str> {
        [
            (self.sees_cancellations, "cancellations are not told"),
            (self.sees_partial_cancellations, "cancelled units of a line are not told"),
            (self.sees_holds, "holds are not told"),
            (self.sees_edits, "changed lines and addresses are not told"),
            (self.order_by_id, "one order cannot be asked for again"),
            (self.partial_fulfillments, "an order can only be fulfilled whole"),
            (self.tracking_updates, "tracking cannot be corrected there"),
            (self.voids, "a fulfillment cannot be taken back there"),
            (self.test_orders, "test orders are not marked"),
        ]
        .into_iter()
        .filter_map(|(can, gap)| (!can).then_some(gap))
        .collect()
    }
}
