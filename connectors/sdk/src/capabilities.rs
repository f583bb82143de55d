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

/// One ability: how it is read, what it is in words, and what its lack is in words (none where nobody misses it).
type Fact = (fn(&Capabilities) -> bool, &'static str, Option<&'static str>);

/// The abilities in words, for people: tables of the documentation are held against them.
const FACTS: &[Fact] = &[
    (|can| can.sees_cancellations, "tells a cancelled order", Some("cancellations are not told")),
    (
        |can| can.sees_partial_cancellations,
        "tells cancelled units of a line",
        Some("cancelled units of a line are not told"),
    ),
    (|can| can.answers_cancellations, "asks for a cancellation, and takes the answer", None),
    (|can| can.sees_holds, "tells holds that come later", Some("holds are not told")),
    (
        |can| can.sees_edits,
        "tells changed lines and addresses",
        Some("changed lines and addresses are not told"),
    ),
    (
        |can| can.order_by_id,
        "is asked for one order again (last look, sweep)",
        Some("one order cannot be asked for again"),
    ),
    (|can| can.test_orders, "marks test orders", Some("test orders are not marked")),
    (
        |can| can.partial_fulfillments,
        "takes a part of an order",
        Some("an order can only be fulfilled whole"),
    ),
    (|can| can.tracking_updates, "takes corrected tracking", Some("tracking cannot be corrected there")),
    (|can| can.voids, "takes a parcel back", Some("a fulfillment cannot be taken back there")),
    (|can| can.split_mirror, "shows the supplier's splits", None),
    (|can| can.finds_fulfillments, "is asked whether a lost write arrived", None),
    (|can| can.stock_writes, "takes stock", None),
    (|can| can.compare_and_set_stock, "compares stock before it is set", None),
];

impl Capabilities {
    /// Each ability in words, and whether it is there.
    pub fn facts(&self) -> Vec<(&'static str, bool)> {
        FACTS.iter().map(|(can, words, _)| (*words, can(self))).collect()
    }

    /// What this channel cannot tell or take, in words for a person.
    pub fn gaps(&self) -> Vec<&'static str> {
        FACTS.iter().filter(|(can, ..)| !can(self)).filter_map(|(.., gap)| *gap).collect()
    }
}
