//! What the supplier can ask of an order, and how it is refused.

use chrono::NaiveDate;
use sdk::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use crate::record::{GateName, Record};

/// One command on one supplier order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take it into work (hand-off).
    Ack,
    /// Keep it from being worked on.
    Hold {
        /// Why, for people.
        reason: String,
    },
    /// Lift the supplier's own hold, and the named gates.
    Release {
        /// Gates to override, for good.
        overrides: Vec<GateName>,
    },
    /// Move units to a new order.
    Split {
        /// What goes to the new order.
        lines: Vec<LineAmount>,
    },
    /// Change the supplier's own numbers; never flows to the merchant.
    Edit {
        /// New numbers of existing lines.
        lines: Vec<LineAmount>,
        /// Lines of the supplier's own.
        add: Vec<AddedLine>,
    },
    /// Record a parcel.
    Ship(Parcel),
    /// Correct a parcel's tracking.
    Track {
        /// `p1`.
        shipment: String,
        /// What changes; `None` keeps what is there.
        #[serde(flatten)]
        change: TrackingChange,
    },
    /// Take a parcel back.
    Void {
        /// `p1`.
        shipment: String,
        /// Why, for people.
        reason: String,
    },
    /// Leave the ship-together group (on the lead: dissolve it).
    Unmerge,
    /// Decide the order's lines anew that are the merchant's or excluded so far.
    Reimport,
    /// Send a parked write again (or a waiting one now).
    RetryWrite {
        /// Its key.
        key: String,
    },
    /// Give up a write that is owed or parked.
    DropWrite {
        /// Its key.
        key: String,
        /// Why, for people.
        reason: String,
    },
}

/// Units of a supplier line, by its label (`l1`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineAmount {
    /// `l1`.
    pub id: String,
    /// Units, the supplier's.
    pub quantity: u32,
}

/// A line that the supplier adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedLine {
    /// Our SKU.
    pub sku: String,
    /// Units.
    pub quantity: u32,
}

/// A parcel as the supplier tells it: the body of `ship`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parcel {
    /// Carrier, any spelling that the table knows, or any other word.
    pub carrier: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Tracking number.
    pub tracking: Option<String>,
    /// Link, where it is not the carrier's usual one.
    pub tracking_url: Option<String>,
    /// When it left: an instant, or a date (noon of the supplier's zone). Now, where missing.
    pub shipped_at: Option<String>,
    /// Where from; one of `[supplier] warehouses`.
    pub warehouse: Option<String>,
    /// What the label cost.
    pub label_cost: Option<Money>,
    /// Units that were cancelled are in it: recorded all the same.
    pub after_cancel: bool,
    /// What is in it; empty: all that is open.
    pub lines: Vec<LineAmount>,
}

/// A correction of a parcel's tracking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackingChange {
    /// New carrier.
    pub carrier: Option<String>,
    /// New service.
    pub service: Option<String>,
    /// New number.
    pub tracking: Option<String>,
    /// New link.
    pub tracking_url: Option<String>,
}

/// A command with what guards it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What to do.
    pub command: Command,
    /// `Idempotency-Key`: the same key and command again gives the same answer and changes nothing.
    pub key: Option<String>,
    /// `If-Match`: the record's version that the operator saw.
    pub if_match: Option<u64>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The record after it.
    pub record: Record,
    /// The supplier order that the answer shows (of a split: the new one).
    pub order: u32,
    /// What the operator should know though it was done.
    pub warnings: Vec<String>,
}

/// Why a command was not done. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Which kind, for the exit code and the HTTP status.
    pub kind: RefusedKind,
    /// Stable name: `quantity`, `not-found`, `version`, …
    pub code: &'static str,
    /// Why and what to do.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// What was named is not there (404).
    NotFound,
    /// It contradicts the order's state (409).
    Conflict,
    /// It makes no sense by itself (422).
    Invalid,
    /// `If-Match` does not hold (412).
    Stale,
    /// The store failed (503): nothing is known to be changed.
    Unavailable,
}

impl Refused {
    /// A refusal of kind `NotFound`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::NotFound, code: "not-found", message: message.into() }
    }

    /// A refusal of kind `Conflict`.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Conflict, code, message: message.into() }
    }

    /// A refusal of kind `Invalid`.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Invalid, code, message: message.into() }
    }
}

/// Reads a ship date: an instant, or a date, which is noon of the supplier's zone.
pub fn parse_shipped_at(text: &str, zone: chrono_tz::Tz) -> Result<Timestamp, Refused> {
    if let Ok(instant) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    let noon = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(12, 0, 0))
        .and_then(|noon| noon.and_local_timezone(zone).earliest());
    noon.map(|noon| noon.to_utc()).ok_or_else(|| {
        Refused::invalid(
            "shipped-at",
            format!("`shipped_at` is neither a time with an offset nor a date: {text:?}"),
        )
    })
}
