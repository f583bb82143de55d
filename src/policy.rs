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
    /// What of the supplier's stock the channel may show.
    pub stock: StockRules,
}

/// `[inventory]`: what of the supplier's stock one merchant's channels may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockRules {
    /// Whether anything is written at all.
    pub sync: bool,
    /// Units never shown.
    pub reserve: u32,
    /// So much of what is available may be shown, in percent.
    pub share_percent: u32,
    /// The most units that are shown.
    pub max: u32,
    /// Only what these hold is shown; empty: all.
    pub warehouses: Vec<String>,
    /// A run that sets more than this share of the products to zero stops, in percent.
    pub breaker_percent: u32,
    /// A figure that was told longer ago is stale; `None`: never.
    pub stale_after: Option<Duration>,
    /// What a stale figure means.
    pub when_stale: WhenStale,
}

/// What a stale figure means for what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStale {
    /// The product is not published: the channel keeps what it shows.
    Skip,
    /// The figure counts as 0.
    Zero,
}

impl Default for StockRules {
    fn default() -> Self {
        Self {
            sync: false,
            reserve: 0,
            share_percent: 100,
            max: 500,
            warehouses: Vec::new(),
            breaker_percent: 25,
            stale_after: None,
            when_stale: WhenStale::Skip,
        }
    }
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

impl Policy {
    /// Whether these are the rules of [`Policy::suspended`].
    pub fn is_suspended(&self) -> bool {
        self.since == Timestamp::MAX_UTC
    }

    /// Whether the channel can be asked for its parcels. Where that is not known (the files do not name the merchant
    /// now), yes: a write of unknown outcome that is repeated without a look may be told twice.
    pub fn may_find_fulfillments(&self) -> bool {
        self.capabilities.finds_fulfillments || self.is_suspended()
    }

    /// For a merchant that the files no longer name: what is decided stays, the supplier can go on recording
    /// facts, nothing new is routed and nothing is sent.
    pub fn suspended(merchant: &str, channel: &str) -> Self {
        Self {
            merchant: merchant.to_owned(),
            channel: channel.to_owned(),
            shadow: false,
            since: Timestamp::MAX_UTC,
            catalogue: Catalogue::default(),
            settle: Duration::ZERO,
            require_paid: true,
            accept_authorized: false,
            fields: Fields::default(),
            // Whether the merchant wants to be asked is not known: the supplier is.
            cancel_at_once: false,
            capabilities: Capabilities::default(),
            mirror_splits: false,
            read_back: Duration::from_secs(60),
            retry_cap: Duration::from_secs(3600),
            warehouses: Vec::new(),
            stock: StockRules::default(),
        }
    }
}

/// The rules of all configured channels, and the supplier's zone.
#[derive(Clone, Debug)]
pub struct Policies {
    /// The supplier's time zone.
    pub zone: chrono_tz::Tz,
    /// The supplier's warehouses, in the order in which stock is committed.
    pub warehouses: Vec<String>,
    /// By (merchant, channel).
    pub channels: std::collections::BTreeMap<(String, String), std::sync::Arc<Policy>>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { zone: chrono_tz::Tz::UTC, warehouses: Vec::new(), channels: std::collections::BTreeMap::new() }
    }
}

impl Policies {
    /// One channel's rules; the suspended ones where the files no longer name it.
    pub fn get(&self, merchant: &str, channel: &str) -> std::sync::Arc<Policy> {
        let key = (merchant.to_owned(), channel.to_owned());
        self.channels
            .get(&key)
            .cloned()
            .unwrap_or_else(|| std::sync::Arc::new(self.suspended(merchant, channel)))
    }

    /// What is the supplier's own holds for a merchant that the files no longer name as well.
    fn suspended(&self, merchant: &str, channel: &str) -> Policy {
        let mut policy = Policy::suspended(merchant, channel);
        policy.warehouses.clone_from(&self.warehouses);
        if let Some(other) = self.channels.values().next() {
            (policy.read_back, policy.retry_cap) = (other.read_back, other.retry_cap);
        }
        policy
    }
}
