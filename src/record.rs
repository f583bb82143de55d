//! One channel order's whole record: what the channel shows, the merchant account, the supplier orders made of
//! it, their shipments, and the writes still owed to the channel. One record is one unit of commit.
//!
//! # Quantities
//! Per channel line, in the channel's units, over all splits:
//! `ordered = not_ours + excluded + elsewhere_before + held + routed + cancelled`, and
//! `routed = open + shipped + cancelled_after + elsewhere_after`.
//! `ordered` is the most units that the channel ever showed. [`Record::check`] tells whether this holds.
//!
//! Supplier lines count the supplier's own units: `per_unit` of them make one channel unit (a kit line has one
//! supplier line a part).

mod audit;

use std::collections::BTreeMap;

use sdk::{Address, LineQuantity, Order, RemoteId, Timestamp, TrackingSet, skip_false, skip_one, skip_zero};
use serde::{Deserialize, Serialize};

use crate::outbox::Write;

/// The hold of an order that the channel no longer has.
pub const VANISHED: &str = "the channel no longer has this order";

/// The layout that this release writes.
pub const SCHEMA: u16 = 1;

/// `{merchant}.{channel}.{remote id, URL-safe}`: opaque to readers, and a key prefix to the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub String);

impl RecordId {
    /// The id of a channel's order. Bytes outside `[A-Za-z0-9_]` become `~hh`, so that no channel's number can be
    /// taken for another's split (`1001-2` is an order's number in some shops).
    pub fn new(merchant: &str, channel: &str, remote: &RemoteId) -> Self {
        Self(format!("{merchant}.{channel}.{}", Self::key_part(remote)))
    }

    /// A channel's id as ids and keys here write it.
    pub fn key_part(remote: &RemoteId) -> String {
        let mut part = String::with_capacity(remote.as_str().len());
        for byte in remote.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                part.push(char::from(byte));
            } else {
                part.push_str(&format!("~{byte:02x}"));
            }
        }
        part
    }

    /// Takes a supplier order's id apart: the record and which of its orders (1 without a suffix).
    pub fn parse_order(id: &str) -> Option<(Self, u32)> {
        let tail = id.rsplit_once('.')?.1;
        match tail.split_once('-') {
            None => Some((Self(id.to_owned()), 1)),
            Some((remote, number)) => {
                let n: u32 = number.parse().ok().filter(|n| *n >= 2)?;
                let record = &id[..id.len() - number.len() - 1];
                (!remote.is_empty() && number == n.to_string()).then(|| (Self(record.to_owned()), n))
            }
        }
    }

    /// A supplier order's id within this record.
    pub fn order(&self, n: u32) -> String {
        if n == 1 { self.0.clone() } else { format!("{}-{n}", self.0) }
    }
}

impl std::fmt::Display for RecordId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One channel order's whole record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Layout number: [`SCHEMA`].
    pub schema: u16,
    /// Its id.
    pub id: RecordId,
    /// Counts commits; 0 is "not stored yet". Guards every write.
    pub version: u64,
    /// The merchant.
    pub merchant: String,
    /// The merchant's channel.
    pub channel: String,
    /// First seen here, by our clock.
    pub imported_at: Timestamp,
    /// Seen while the merchant was in shadow: never acked, shipped or written for.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub shadow: bool,
    /// The channel's order as last seen.
    pub seen: Order,
    /// When that was asked for, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_asked: Option<Timestamp>,
    /// The merchant account: every line ever shown, in the channel's order.
    pub lines: Vec<AccountLine>,
    /// Why the order as a whole is never routed (cut-over), if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// The gates that do not pass now, from the last reconcile. They hold units that are not yet routed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Gates that a person has overridden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<GateName>,
    /// When a gate may pass by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// The supplier orders: one per fulfilment group, and their splits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<SupplierOrder>,
    /// The supplier's parcels, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// Hop 1: what the merchant account shows of the supplier's splits and parcels.
    #[serde(default, skip_serializing_if = "Account::is_empty")]
    pub account: Account,
    /// Hop 2: the writes to the channel, wanted and done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
    /// What a person should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Since when a cancellation waits for the supplier's answer, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// Why the supplier last rejected a cancellation: told to the channel where it asks for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_rejection: Option<String>,
    /// Since when the channel no longer has the order, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vanished_at: Option<Timestamp>,
    /// Addresses that the channel showed before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_addresses: Vec<FormerAddress>,
    /// Commands that carried an `Idempotency-Key`: key → what was asked and what came of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, CommandDone>,
    /// What happened, oldest first. The oldest entries move to parts of their own as it grows.
    pub timeline: Vec<Event>,
    /// Events already moved to parts.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub timeline_moved: u32,
    /// Highest number given to a supplier order.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub last_order: u32,
    /// Highest number given to a supplier line.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub last_line: u32,
    /// Restored from a backup, and its channel was not asked for it since: nothing is written for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// Numbers up to here may have been given between a backup and its restore: none of them is given again.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub numbers_after: u32,
}

/// A restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup was taken: what happened after it is not known here.
    pub taken: Timestamp,
    /// When it was restored.
    pub at: Timestamp,
}

/// One line of the merchant account: who owns it and where its units are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountLine {
    /// The channel's line id.
    pub id: RemoteId,
    /// The merchant's SKU when it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// For people.
    pub title: String,
    /// Who fulfils it, and why. Frozen.
    pub owner: Owner,
    /// The delivery that it goes with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery: String,
    /// The most units that the channel ever showed.
    pub ordered: u32,
    /// Units that are the merchant's.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub not_ours: u32,
    /// Units excluded by the cut-over.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub excluded: u32,
    /// Units that someone else had fulfilled before they were routed.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub elsewhere_before: u32,
    /// Units that wait for a gate.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub held: u32,
    /// Units given to the supplier, for good.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub routed: u32,
    /// Units cancelled before they were routed.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub cancelled: u32,
    /// Units cancelled after they were routed.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub cancelled_after: u32,
    /// Units that someone else fulfilled after they were routed.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub elsewhere_after: u32,
    /// Units that the channel no longer wants while the supplier has the order in work: asked, not answered.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub cancel_requested: u32,
    /// Units that the channel no longer wants, or a person said so, and that the supplier refused to cancel.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub cancel_rejected: u32,
    /// Units that the channel did not want when it was last looked at.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub unwanted: u32,
    /// Units that a person cancelled here (for the merchant, or as the supplier cannot fulfil them) and that the
    /// channel does not show as unwanted yet.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub by_hand: u32,
}

impl AccountLine {
    /// Units cancelled, before they were routed or after.
    pub fn all_cancelled(&self) -> u32 {
        self.cancelled.saturating_add(self.cancelled_after)
    }

    /// Units that ought to be cancelled: by the channel's picture, or by a person's word.
    pub fn to_cancel(&self) -> u32 {
        self.unwanted.saturating_add(self.by_hand).min(self.ordered)
    }

    /// For people: the SKU, or the title of a line without one.
    pub fn name(&self) -> &str {
        self.sku.as_deref().unwrap_or(&self.title)
    }
}

/// An address that the channel showed before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerAddress {
    /// The [`sdk::Delivery::key`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery: String,
    /// Where it went until then.
    pub ship_to: Option<Address>,
    /// When the change was seen, by our clock.
    pub until: Timestamp,
}

/// Who fulfils a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The supplier: the rule that said so, and the frozen recipe.
    Supplier {
        /// Which rule.
        rule: Rule,
        /// What one channel unit is made of.
        parts: Vec<Part>,
    },
    /// The merchant, and why.
    Merchant(NotOurs),
}

/// Why a line is auto-dropship.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A flag set at run time for exactly this channel and SKU.
    Flag,
    /// The file's `[dropship.map]`, at this key.
    Map(String),
    /// The file's `[dropship] skus`, by this glob.
    Glob(String),
}

/// One supplier SKU in a channel unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Our SKU.
    pub sku: String,
    /// How many make one channel unit.
    #[serde(default = "one", skip_serializing_if = "skip_one")]
    pub per_unit: u32,
}

fn one() -> u32 {
    1
}

/// Why a line is the merchant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotOurs {
    /// It has no SKU.
    NoSku,
    /// Typed in by hand.
    Custom,
    /// Needs no shipping.
    Digital,
    /// A gift card.
    GiftCard,
    /// Fetched by the customer or brought by the merchant; the channel's word.
    MerchantDelivery(String),
    /// No rule names its SKU.
    NoRule,
    /// A run-time flag says no.
    FlaggedOff,
    /// Without case and blanks it equals several rules' SKUs.
    Ambiguous(Vec<String>),
}

/// A condition of release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateName {
    /// Not paid.
    Payment,
    /// A payment word that this release does not know.
    UnknownPayment,
    /// The channel holds it.
    ChannelHold,
    /// A state that this release does not know.
    UnknownState,
    /// A delivery kind that this release does not know.
    UnknownDelivery,
    /// Younger than the settle time.
    Settle,
    /// No address to ship to.
    NoAddress,
}

/// A gate that does not pass, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Which.
    pub name: GateName,
    /// Why, for a person.
    pub why: String,
}

/// One order in the supplier's account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupplierOrder {
    /// 1 for the first of the record, then 2, 3, …: never reused.
    pub n: u32,
    /// The order that it was split from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_of: Option<u32>,
    /// The fulfilment group: a [`sdk::Delivery::key`] of the channel's order.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery: String,
    /// Frozen at hand-off; until then the channel's own is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<Address>,
    /// A later address of the channel's that a person decided not to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined_ship_to: Option<Address>,
    /// The lines.
    pub lines: Vec<SupplierLine>,
    /// The supplier's own hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// When the supplier took it into work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Timestamp>,
    /// The lead of its ship-together group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// On the lead: the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// Highest number given to a parcel of this order.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub last_parcel: u32,
}

/// One line of a supplier order, in the supplier's units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplierLine {
    /// Unique within the record; shown as `l{id}`.
    pub id: u32,
    /// The channel line that it serves; `None`: added by the supplier, never pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_line: Option<RemoteId>,
    /// Our SKU.
    pub sku: String,
    /// How many make one unit of the channel line.
    #[serde(default = "one", skip_serializing_if = "skip_one")]
    pub per_unit: u32,
    /// Units owed to the channel line (held ones included until they are released or cancelled).
    pub routed: u32,
    /// The supplier's own number, where it was edited; else `routed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<u32>,
    /// Units shipped.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub shipped: u32,
    /// Units cancelled.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub cancelled: u32,
    /// Units that someone else fulfilled.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub elsewhere: u32,
}

impl SupplierLine {
    /// The supplier's number: `routed` unless edited.
    pub fn quantity(&self) -> u32 {
        self.edited.unwrap_or(self.routed)
    }

    /// What is still to be shipped by the supplier's number.
    pub fn open(&self) -> u32 {
        self.quantity().saturating_sub(self.gone())
    }

    /// Units edited away that the channel still expects.
    pub fn short(&self) -> u32 {
        self.routed.saturating_sub(self.gone()).saturating_sub(self.open())
    }

    /// The most that can still be shipped: open units, and short ones when asked for by name.
    pub fn shippable(&self) -> u32 {
        self.quantity().max(self.routed).saturating_sub(self.gone())
    }

    /// Shipped units that the channel waits for: what was edited in beyond them is the supplier's own.
    pub fn shipped_for_channel(&self) -> u32 {
        self.shipped.min(self.routed.saturating_sub(self.cancelled.saturating_add(self.elsewhere)))
    }

    /// Units that are settled one way or the other.
    pub fn gone(&self) -> u32 {
        self.shipped.saturating_add(self.cancelled).saturating_add(self.elsewhere)
    }

    /// `l{id}`.
    pub fn label(&self) -> String {
        format!("l{}", self.id)
    }
}

/// The supplier's parcel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    /// The supplier order's number.
    pub order: u32,
    /// 1, 2, … within the order; shown as `p{n}`.
    pub n: u32,
    /// Carrier, service, number, link.
    pub tracking: TrackingSet,
    /// When it left, as the supplier says.
    pub shipped_at: Timestamp,
    /// When it was recorded here.
    pub recorded_at: Timestamp,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// What the label cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_cost: Option<sdk::Money>,
    /// What is in it, by supplier line.
    pub lines: Vec<ShippedLine>,
    /// What it took from the supplier's stock: a void gives exactly this back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
    /// The channel units that this parcel completes, and so tells the channel. Empty: waiting, or nothing to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completes: Vec<LineQuantity>,
    /// Earlier parcels with parts of those units: (order, parcel).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<(u32, u32)>,
    /// When it was voided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided_at: Option<Timestamp>,
    /// Some of its units had been cancelled.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub after_cancel: bool,
    /// When the channel cancelled them, by its clock where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// Channel units of it that the channel refused to hear of, since it had cancelled them: the rest is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<LineQuantity>,
}

impl Shipment {
    /// The channel units that the channel is to hear of.
    pub fn to_tell(&self) -> Vec<LineQuantity> {
        let mut lines = self.completes.clone();
        for untold in &self.untold {
            for line in lines.iter_mut().filter(|line| line.line == untold.line) {
                line.quantity = line.quantity.saturating_sub(untold.quantity);
            }
        }
        lines.retain(|line| line.quantity > 0);
        lines
    }

    /// `p{n}`.
    pub fn label(&self) -> String {
        format!("p{}", self.n)
    }
}

/// Units of a supplier line in a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedLine {
    /// [`SupplierLine::id`].
    pub line: u32,
    /// Units.
    pub quantity: u32,
    /// Of these, units that had been cancelled (returned to cancelled by a void).
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub was_cancelled: u32,
}

/// Units that a parcel took from the supplier's stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Our SKU.
    pub sku: String,
    /// From this warehouse.
    pub warehouse: String,
    /// Units.
    pub units: u32,
}

/// Hop 1: the supplier's splits and parcels as the merchant account shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Splits, by the split order's number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<AccountSplit>,
    /// Parcels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parcels: Vec<AccountParcel>,
}

impl Account {
    /// Whether nothing was mirrored yet.
    pub fn is_empty(&self) -> bool {
        self.splits.is_empty() && self.parcels.is_empty()
    }
}

/// A split as the merchant account shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSplit {
    /// The new supplier order's number.
    pub order: u32,
    /// Whole channel units that went to it when it was made.
    pub lines: Vec<LineQuantity>,
    /// When it was mirrored.
    pub at: Timestamp,
}

/// A parcel as the merchant account shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountParcel {
    /// The supplier order's number.
    pub order: u32,
    /// The parcel's number.
    pub n: u32,
    /// Its tracking now.
    pub tracking: TrackingSet,
    /// Taken back by the supplier.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub voided: bool,
    /// When this state was recorded.
    pub at: Timestamp,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Stable name: `duplicate-fulfillment`, `address-changed`, …
    pub code: String,
    /// In words.
    pub text: String,
    /// Which supplier order, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// When it was first seen.
    pub at: Timestamp,
}

/// A command that was done under an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandDone {
    /// Digest of the command, so that a key used for something else is refused.
    pub digest: u64,
    /// The order (by number) that the answer shows.
    pub order: u32,
    /// Warnings that the answer carried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One entry of the timeline. The ledger logs each new one under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by our clock.
    pub at: Timestamp,
    /// Stable name: `order.imported`, `order.routed`, …
    pub event: String,
    /// In words, without addresses.
    pub text: String,
    /// Which supplier order, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// How loud: a person must act, or it went by itself.
    #[serde(default, skip_serializing_if = "Level::is_info")]
    pub level: Level,
    /// When it happened on the channel, by its clock, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_at: Option<Timestamp>,
}

/// How loud an event is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As expected.
    #[default]
    Info,
    /// Recovered, or will be tried again.
    Warn,
    /// A person must act.
    Error,
}

impl Level {
    fn is_info(&self) -> bool {
        *self == Self::Info
    }
}

/// What a supplier order's status is, in the order of the design's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A gate or a hold.
    Held,
    /// To be worked on.
    Open,
    /// Taken into work.
    InWork,
    /// Some of it left.
    PartlyShipped,
    /// Nothing open.
    Shipped,
    /// All of it cancelled.
    Cancelled,
}

impl Status {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Open => "open",
            Self::InWork => "in_work",
            Self::PartlyShipped => "partly_shipped",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Record {
    /// A supplier order by its number.
    pub fn order(&self, n: u32) -> Option<&SupplierOrder> {
        self.orders.iter().find(|order| order.n == n)
    }

    /// A supplier order by its number, to change.
    pub fn order_mut(&mut self, n: u32) -> Option<&mut SupplierOrder> {
        self.orders.iter_mut().find(|order| order.n == n)
    }

    /// An account line by the channel's id.
    pub fn line(&self, id: &RemoteId) -> Option<&AccountLine> {
        self.lines.iter().find(|line| line.id == *id)
    }

    /// The order's display number, with the same suffix as the id.
    pub fn number(&self, n: u32) -> String {
        if n == 1 { self.seen.number.clone() } else { format!("{}-{n}", self.seen.number) }
    }

    /// The delivery of a supplier order as the channel shows it now.
    pub fn delivery(&self, key: &str) -> Option<&sdk::Delivery> {
        self.seen.deliveries.iter().find(|delivery| delivery.key == key)
    }

    /// Where a supplier order goes: frozen at hand-off, the channel's own before.
    pub fn ship_to<'r>(&'r self, order: &'r SupplierOrder) -> Option<&'r Address> {
        order.ship_to.as_ref().or_else(|| self.delivery(&order.delivery)?.ship_to.as_ref())
    }

    /// Whether units of this order still wait for a gate.
    pub fn is_gated(&self, order: &SupplierOrder) -> bool {
        // What came after the hand-off waits in an order of its own.
        order.acked_at.is_none()
            && order.lines.iter().any(|line| {
                line.open() > 0
                    && line
                        .channel_line
                        .as_ref()
                        .and_then(|id| self.line(id))
                        .is_some_and(|line| line.held > 0)
            })
    }

    /// The reasons of the channel and the supplier to hold an order now (gates apart).
    pub fn holds(&self, order: &SupplierOrder) -> Vec<String> {
        let mut holds = self.seen.holds.clone();
        holds.extend(self.vanished_at.map(|_| VANISHED.to_owned()));
        holds.extend(order.hold.iter().map(|reason| format!("held by the supplier: {reason}")));
        holds
    }

    /// A supplier order's status, derived.
    pub fn status(&self, order: &SupplierOrder) -> Status {
        let open = order.lines.iter().any(|line| line.open() > 0 || line.short() > 0);
        let shipped = order.lines.iter().any(|line| line.shipped > 0);
        let elsewhere = order.lines.iter().any(|line| line.elsewhere > 0);
        if !open {
            return if shipped || elsewhere { Status::Shipped } else { Status::Cancelled };
        }
        if self.is_gated(order) || !self.holds(order).is_empty() {
            Status::Held
        } else if shipped {
            Status::PartlyShipped
        } else if order.acked_at.is_some() {
            Status::InWork
        } else {
            Status::Open
        }
    }

    /// Whether anything here can still change by itself, by the supplier's work or by a person's decision on a parked
    /// write: the sweep asks for these.
    pub fn is_active(&self) -> bool {
        self.lines.iter().any(|line| line.held > 0)
            || self
                .orders
                .iter()
                .any(|order| !matches!(self.status(order), Status::Shipped | Status::Cancelled))
            || self.writes.iter().any(|write| write.state.is_owed() || write.state.is_parked())
    }

    /// Channel units of a line that are wholly shipped: the minimum over its parts, over all splits.
    pub fn shipped_units(&self, line: &AccountLine) -> u32 {
        self.units(line, SupplierLine::shipped_for_channel)
    }

    /// Channel units of a line that are still open.
    pub fn open_units(&self, line: &AccountLine) -> u32 {
        line.routed.saturating_sub(self.shipped_units(line) + line.cancelled_after + line.elsewhere_after)
    }

    fn units(&self, line: &AccountLine, count: impl Fn(&SupplierLine) -> u32) -> u32 {
        let Owner::Supplier { parts, .. } = &line.owner else { return 0 };
        parts
            .iter()
            .map(|part| {
                let total: u32 = self
                    .orders
                    .iter()
                    .flat_map(|order| &order.lines)
                    .filter(|own| own.channel_line.as_ref() == Some(&line.id) && own.sku == part.sku)
                    .map(&count)
                    .sum();
                total / part.per_unit.max(1)
            })
            .min()
            .unwrap_or(0)
    }

    /// When this record next wants attention without being asked: a gate by time, or a write that is due.
    pub fn next_wake(&self) -> Option<Timestamp> {
        [self.wake_at, crate::outbox::next_due(&self.writes)].into_iter().flatten().min()
    }

    /// The highest revision that may have been given to a write about this parcel (0: a split, an answer) without
    /// being known here.
    pub fn revisions_after(&self, parcel: u32) -> u32 {
        if parcel > self.numbers_after { 0 } else { self.numbers_after }
    }

    /// Adds to the timeline.
    pub fn note(
        &mut self,
        at: Timestamp,
        event: &str,
        order: Option<u32>,
        level: Level,
        text: impl Into<String>,
    ) {
        let (event, text) = (event.to_owned(), text.into());
        self.timeline.push(Event { at, event, text, order, level, channel_at: None });
    }

    /// Adds to the timeline what the channel did, with its own time.
    pub fn note_of_channel(
        &mut self,
        at: Timestamp,
        event: &str,
        order: Option<u32>,
        level: Level,
        text: impl Into<String>,
    ) {
        let channel_at = self.changed_at();
        let (event, text) = (event.to_owned(), text.into());
        self.timeline.push(Event { at, event, text, order, level, channel_at });
    }

    /// When the channel made the order what it is: of a cancelled one the cancellation, else its last change.
    pub fn changed_at(&self) -> Option<Timestamp> {
        match &self.seen.state {
            sdk::OrderState::Cancelled { at: Some(at), .. } => Some(*at),
            _ => self.seen.updated_at,
        }
    }

    /// Adds an alert once.
    pub fn alert(&mut self, at: Timestamp, code: &str, text: impl Into<String>) -> bool {
        let text = text.into();
        if self.alerts.iter().any(|alert| alert.code == code && alert.text == text) {
            return false;
        }
        self.alerts.push(Alert { code: code.to_owned(), text, order: None, at });
        true
    }

    /// Whether the quantities are in balance (promise 5); the error names the line and the figures.
    pub fn check(&self) -> Result<(), String> {
        for line in &self.lines {
            let terms =
                [line.not_ours, line.excluded, line.elsewhere_before, line.held, line.routed, line.cancelled];
            let sum: u64 = terms.iter().map(|term| u64::from(*term)).sum();
            if u64::from(line.ordered) != sum {
                return Err(format!(
                    "line {}: ordered {} but not_ours {} + excluded {} + elsewhere_before {} + held {} + routed {} + cancelled {}",
                    line.id, line.ordered, terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
                ));
            }
            let settled = u64::from(self.shipped_units(line))
                + u64::from(line.cancelled_after)
                + u64::from(line.elsewhere_after);
            if settled > u64::from(line.routed) {
                return Err(format!(
                    "line {}: routed {} but shipped {} + cancelled {} + elsewhere {}",
                    line.id,
                    line.routed,
                    self.shipped_units(line),
                    line.cancelled_after,
                    line.elsewhere_after
                ));
            }
            let Owner::Supplier { parts, .. } = &line.owner else { continue };
            for part in parts {
                let owed: u64 = self
                    .orders
                    .iter()
                    .flat_map(|order| &order.lines)
                    .filter(|own| own.channel_line.as_ref() == Some(&line.id) && own.sku == part.sku)
                    .map(|own| u64::from(own.routed.saturating_sub(own.cancelled + own.elsewhere)))
                    .sum();
                // Units sit in supplier orders from import, held or not.
                let units = u64::from(line.held) + u64::from(line.routed)
                    - u64::from(line.cancelled_after)
                    - u64::from(line.elsewhere_after);
                let wanted = units * u64::from(part.per_unit);
                if owed != wanted {
                    return Err(format!(
                        "line {}: {owed} units of {} in supplier orders, {wanted} expected",
                        line.id, part.sku
                    ));
                }
            }
        }
        Ok(())
    }
}
