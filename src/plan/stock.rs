//! Stock: what the supplier has, what of it each channel may show, and the writes that make it so. Pure.
//!
//! ```text
//!  levels ─┐
//!          ├─ shelf ── available ── offer (per variant) ── diff against what the channel acknowledged ── breaker
//!  orders ─┘ committed                │                                                                    │
//!                              who may be written                                             batches ── permit ── request
//! ```
//! Nothing is published by silence: a variant is offered only if the merchant's catalogue says that it is ours, the
//! channel lists it by its id and lets it be written, and the supplier has told a figure for all of its parts. What
//! is not offered is left as it is on the channel, with the reason. The last line before a request asks all of this
//! again ([`mod@permit`]): a request can only be made of what passed there.
//!
//! [`shelf`] on hand, committed, available · [`offer`] what a variant may show · [`mod@diff`] the writes that it takes ·
//! [`breaker`] how much a run may change unasked · [`mod@permit`] the last line · [`settle`] what an answer means ·
//! [`effects`] what parcels and voids move · [`undo`] a run taken back · [`likeness`] SKUs that look like ours.

pub mod breaker;
pub mod diff;
pub mod effects;
pub mod likeness;
pub mod offer;
pub mod permit;
pub mod settle;
pub mod shelf;
pub mod undo;

pub use self::{
    diff::{Plan, Planned, diff},
    offer::{Kept, Offer, Standing, offers, standing},
    permit::{Permitted, Sieved, permit},
    shelf::{Place, Shelf, held},
};
