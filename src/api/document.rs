//! The documents that the API answers with. The CLI's `--json` prints the same, and its tables read them back.

use sdk::{Address, LineQuantity, Money, Payment, RemoteFulfillment, Timestamp, TrackingSet};
use serde::{Deserialize, Serialize};

use crate::{board::ChannelStatus, record::Status};

/// `GET /v1/orders`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderList {
    /// The orders, by id.
    pub orders: Vec<Order>,
    /// Ask again with `after=` this for more. A page may be shorter than its limit and still have a next one.
    pub next: Option<String>,
}

/// One supplier order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its id: opaque.
    pub id: String,
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The channel's id of its order.
    pub channel_order: String,
    /// What people call it.
    pub number: String,
    /// A test order.
    pub test: bool,
    /// Seen in shadow: never acked, shipped or written for.
    pub shadow: bool,
    /// Derived.
    pub status: Status,
    /// Why it is held by gates, in words.
    pub reasons: Vec<String>,
    /// The order it was split from.
    pub split_of: Option<String>,
    /// The lead of its ship-together group.
    pub merged_into: Option<String>,
    /// On a lead: the others.
    pub merged: Vec<String>,
    /// The record's version, for `If-Match`.
    pub version: u64,
    /// Holds of the channel and of the supplier.
    pub holds: Vec<String>,
    /// What a person should look at.
    pub alerts: Vec<String>,
    /// What the channel cannot tell, so that nobody waits for it.
    pub channel_gaps: Vec<String>,
    /// Where it goes.
    pub ship_to: Option<Address>,
    /// The method that the customer chose.
    pub shipping_method: Option<String>,
    /// The optional fields that the merchant passes on.
    pub fields: Fields,
    /// Taken into work.
    pub handed_off: bool,
    /// Units that the channel no longer wants, to be answered.
    pub cancel_request: Option<CancelRequest>,
    /// Where the channel wants it to go instead of `ship_to`, changed after the hand-off: to be confirmed.
    #[serde(default)]
    pub address_change: Option<Address>,
    /// Addresses that the channel showed before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_addresses: Vec<FormerAddress>,
    /// The lines.
    pub lines: Vec<Line>,
    /// The parcels.
    pub shipments: Vec<Shipment>,
    /// When the customer placed it.
    pub placed_at: Timestamp,
    /// When it was first seen here.
    pub imported_at: Timestamp,
    /// Of a command's answer: what the operator should know though it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// The optional fields of an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Fields {
    /// The customer's e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The customer's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_note: Option<String>,
    /// The billing address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill_to: Option<Address>,
}

/// A cancellation that waits for the supplier's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CancelRequest {
    /// When it was first seen.
    pub at: Timestamp,
    /// Of which lines, in the supplier's units.
    pub lines: Vec<LineUnits>,
}

/// An address that the channel showed before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FormerAddress {
    /// The address.
    pub ship_to: Option<Address>,
    /// When its change was seen here.
    pub until: Timestamp,
}

/// Units of a supplier line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineUnits {
    /// `l1`.
    pub id: String,
    /// Units.
    pub quantity: u32,
}

/// One line of a supplier order, in the supplier's units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// `l1`.
    pub id: String,
    /// The channel's line; `null`: added by the supplier, never pushed.
    pub channel_line: Option<String>,
    /// Our SKU.
    pub sku: String,
    /// The merchant's SKU.
    pub merchant_sku: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// The supplier's number.
    pub quantity: u32,
    /// Still to be shipped.
    pub open: u32,
    /// Shipped.
    pub shipped: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Fulfilled by someone else.
    pub elsewhere: u32,
    /// Owed to the channel's line.
    pub routed: u32,
    /// The supplier's own number, where it was edited.
    pub edited: Option<u32>,
    /// Edited away, and still expected by the channel.
    pub short: u32,
    /// How many make one unit of the channel's line.
    pub per_unit: u32,
    /// What a unit costs the merchant, where passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<Money>,
}

/// A parcel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shipment {
    /// `p1`.
    pub id: String,
    /// Canonical carrier, or the supplier's word.
    pub carrier: String,
    /// Service.
    pub service: Option<String>,
    /// Tracking number.
    pub tracking: Option<String>,
    /// Link.
    pub tracking_url: Option<String>,
    /// When it left.
    pub shipped_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Where from.
    pub warehouse: Option<String>,
    /// What the label cost.
    pub label_cost: Option<Money>,
    /// Taken back.
    pub voided: bool,
    /// Some of its units had been cancelled.
    pub after_cancel: bool,
    /// When the channel had cancelled them.
    #[serde(default)]
    pub cancelled_at: Option<Timestamp>,
    /// What is in it.
    pub lines: Vec<LineUnits>,
    /// Where the channel's knowledge of it stands.
    pub push: Push,
    /// The last failure of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_error: Option<String>,
}

/// Where the channel's knowledge of a parcel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Push {
    /// Owed.
    Pending,
    /// A kit unit is not complete yet: a later parcel tells it.
    Waiting,
    /// It may have been applied: it is being looked for.
    Indeterminate,
    /// Confirmed.
    Done,
    /// Refused for good: a person decides.
    Parked,
    /// Nothing to tell, or not wanted.
    NotPushed,
}

impl Push {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Indeterminate => "indeterminate",
            Self::Done => "done",
            Self::Parked => "parked",
            Self::NotPushed => "not_pushed",
        }
    }
}

/// `GET /v1/orders/{id}/why`: the trace of every decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Why {
    /// As asked.
    pub id: String,
    /// What people call it.
    pub number: String,
    /// The supplier order's status; `null` where there is none.
    pub status: Option<Status>,
    /// In one sentence.
    pub summary: String,
    /// The whole of it in sentences, for a reader who knows nothing of it.
    #[serde(default)]
    pub story: Vec<String>,
    /// Line by line.
    pub trace: Vec<Finding>,
    /// What happened, oldest first.
    pub timeline: Vec<crate::record::Event>,
}

/// One line of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about: `line`, `gate`, `override`, `order`, `hold`, `parcel`, `write`, `alert`, `cut-over`, `shadow`.
    pub about: String,
    /// In words.
    pub text: String,
}

/// `GET /v1/merchants/{id}/orders`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AccountList {
    /// The orders, by id.
    pub orders: Vec<AccountOrder>,
    /// Ask again with `after=` this for more.
    pub next: Option<String>,
}

/// One order of the merchant account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountOrder {
    /// The record's id.
    pub id: String,
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The channel's id of its order.
    pub channel_order: String,
    /// What people call it.
    pub number: String,
    /// A test order.
    pub test: bool,
    /// Seen in shadow.
    pub shadow: bool,
    /// The record's version.
    pub version: u64,
    /// Why it is never routed as a whole.
    pub excluded: Option<String>,
    /// Whether it is paid.
    pub payment: Payment,
    /// Whether it goes on.
    pub state: sdk::OrderState,
    /// The channel's holds.
    pub holds: Vec<String>,
    /// The gates that do not pass.
    pub gates: Vec<String>,
    /// Every line, with its owner.
    pub lines: Vec<AccountLine>,
    /// The supplier orders made of it.
    pub supplier_orders: Vec<OrderRef>,
    /// Hop 1: the splits.
    pub splits: Vec<AccountSplit>,
    /// Hop 1: the parcels, with where hop 2 stands.
    pub parcels: Vec<AccountParcel>,
    /// The fulfillments that the channel shows.
    pub fulfillments: Vec<RemoteFulfillment>,
    /// What a person should look at.
    pub alerts: Vec<String>,
    /// When the customer placed it.
    pub placed_at: Timestamp,
    /// When it was first seen here.
    pub imported_at: Timestamp,
    /// Of a command's answer: what the operator should know though it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// A supplier order by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderRef {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: Status,
}

/// One line of the merchant account, in the channel's units.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountLine {
    /// The channel's line id.
    pub id: String,
    /// The merchant's SKU.
    pub sku: Option<String>,
    /// For people.
    pub title: String,
    /// `supplier` or `merchant`.
    pub owner: String,
    /// The rule that decided it, in words.
    pub rule: String,
    /// What one unit is made of.
    pub parts: Vec<crate::record::Part>,
    /// The most units that the channel ever showed.
    pub ordered: u32,
    /// The merchant's.
    pub not_ours: u32,
    /// Excluded by the cut-over.
    pub excluded: u32,
    /// Fulfilled by someone else before they were routed.
    pub elsewhere_before: u32,
    /// Waiting for a gate.
    pub held: u32,
    /// Given to the supplier.
    pub routed: u32,
    /// Cancelled before they were routed.
    pub cancelled: u32,
    /// Of the routed ones: open.
    pub open: u32,
    /// Of the routed ones: shipped.
    pub shipped: u32,
    /// Of the routed ones: cancelled.
    pub cancelled_after: u32,
    /// Of the routed ones: fulfilled by someone else.
    pub elsewhere_after: u32,
    /// Of the open ones: asked to be cancelled.
    pub cancel_requested: u32,
    /// No longer wanted, but the supplier refused to cancel them: open, or shipped since.
    pub cancel_rejected: u32,
    /// Of the cancelled ones: by a person here, not shown by the channel.
    #[serde(default)]
    pub by_hand: u32,
}

/// A split as the merchant account shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountSplit {
    /// The supplier order's id.
    pub order: String,
    /// Whole channel units that went to it.
    pub lines: Vec<LineQuantity>,
    /// When it was mirrored.
    pub at: Timestamp,
}

/// A parcel as the merchant account shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountParcel {
    /// The supplier order's id.
    pub order: String,
    /// `p1`.
    pub id: String,
    /// Its tracking.
    pub tracking: TrackingSet,
    /// Taken back.
    pub voided: bool,
    /// When this state was recorded.
    pub at: Timestamp,
    /// Where hop 2 stands.
    pub push: Push,
}

/// `GET /v1/outbox`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    /// Writes owed, uncertain or parked; by order, in their order.
    pub entries: Vec<OutboxEntry>,
    /// Ask again with `after=` this for more.
    pub next: Option<String>,
}

/// One write.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its key.
    pub key: String,
    /// The supplier order's id.
    pub order: String,
    /// What people call that.
    pub number: String,
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// A test order's.
    pub test: bool,
    /// `create`, `track`, `void`, `split`.
    pub kind: String,
    /// `p1`; `null` for a split.
    pub parcel: Option<String>,
    /// `pending`, `attempting`, `indeterminate`, `parked`.
    pub state: String,
    /// Attempts begun.
    pub attempts: u32,
    /// No attempt before this.
    pub next_at: Timestamp,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// The last failure.
    pub error: Option<String>,
    /// Why it does not leave though its time may have come: its channel is read back after a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Carrier to tell.
    pub carrier: String,
    /// Number to tell.
    pub tracking: Option<String>,
    /// Lines in the channel's units.
    pub lines: Vec<LineQuantity>,
}

/// `GET /v1/set-aside`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SetAside {
    /// What could not be read, or contradicts what is known.
    pub set_aside: Vec<SetAsideEntry>,
}

/// One thing set aside. The payload itself may hold an address; it stays in the store unless asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAsideEntry {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The order's remote id, or the place it came from.
    pub id: String,
    /// Why.
    pub reason: String,
    /// First seen.
    pub at: Timestamp,
    /// How often it was seen so.
    pub seen: u32,
    /// The payload, with `?raw=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// The daemon's version.
    pub version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Now, by its clock.
    pub now: Timestamp,
    /// The supplier.
    pub supplier: String,
    /// The supplier's time zone.
    pub timezone: String,
    /// Records set aside, of all merchants.
    pub set_aside: usize,
    /// Every merchant, configured or only stored.
    pub merchants: Vec<Merchant>,
}

/// `GET /v1/merchants`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MerchantList {
    /// By id.
    pub merchants: Vec<Merchant>,
}

/// One merchant's doings. Counts leave test orders out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merchant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `live` or `shadow`.
    pub mode: String,
    /// Whether the files name it.
    pub configured: bool,
    /// An operator paused it.
    pub paused: bool,
    /// Not polled and not written to: missing from the files, or credentials refused on a channel.
    pub suspended: bool,
    /// The oldest of its channels' last whole pulls; `null`: some channel has had none since the start.
    pub last_pull: Option<Timestamp>,
    /// Seconds since then.
    pub lag_secs: Option<i64>,
    /// Supplier orders to be worked on (open, in work, partly shipped).
    pub open: u64,
    /// Supplier orders held.
    pub held: u64,
    /// Writes still owed.
    pub owed: u64,
    /// Writes that a person must decide about.
    pub parked: u64,
    /// Supplier orders with a cancellation to be answered.
    pub cancel_requests: u64,
    /// Set aside.
    pub set_aside: u64,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// One channel's doings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Which connector.
    pub connector: String,
    /// What it cannot tell or take.
    pub gaps: Vec<String>,
    /// What it is doing.
    #[serde(flatten)]
    pub status: ChannelStatus,
}

/// The answer of a control verb (`sync`, `pause`, …).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// In words.
    pub done: String,
}
