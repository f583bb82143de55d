//! What a merchant's file and the store say about a channel's orders, as the plan reads it. Pure data.

use std::time::Duration;

use sdk::{Capabilities, Timestamp};

use crate::plan::routing::Catalogue;

/// The rules for one channel of one merchant.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// Plan, record and log every write; send none.
    pub shadow: bool,
    /// The cut-over, by the time placed: older orders are never routed.
    pub since: Timestamp,
    /// Which SKUs are ours, and what they are made of.
    pub catalogue: Catalogue,
    /// An order younger than this waits.
    pub settle: Duration,
    /// Only paid orders are released.
    pub require_paid: bool,
    /// Authorized counts as paid.
    pub accept_authorized: bool,
    /// Optional fields that are kept and passed on.
    pub fields: Fields,
    /// Cancellations before hand-off: at once, or always as a request.
    pub cancel_at_once: bool,
    /// What the channel can tell and take.
    pub capabilities: Capabilities,
    /// Show splits on the channel too.
    pub mirror_splits: bool,
    /// Wait before looking after an unknown outcome.
    pub read_back: Duration,
    /// Longest wait between attempts.
    pub retry_cap: Duration,
    /// The supplier's warehouses.
    pub warehouses: Vec<String>,
}

/// Optional fields of an order: what is not named here is not even stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The customer's e-mail.
    pub email: bool,
    /// The customer's note.
    pub customer_note: bool,
    /// The billing address.
    pub bill_to: bool,
    /// What a unit costs the merchant.
    pub unit_cost: bool,
}
