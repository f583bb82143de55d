//! What goes between a channel and portald, in portald's words.
//!
//! Text from a channel is data: it is never trusted for length or content. Quantities are whole units and
//! never negative. Times are UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant in UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// An id that the channel gave, kept as text and never read into.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteId(pub String);

impl RemoteId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RemoteId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for RemoteId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_one(value: &u32) -> bool {
    *value == 1
}

/// An order as the channel shows it now: the whole picture, never a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The channel's stable id (Shopify: the legacy number, not the `gid`).
    pub id: RemoteId,
    /// What people call it: `#1001`.
    pub number: String,
    /// When the customer placed it.
    pub placed_at: Timestamp,
    /// Last change by the channel's clock, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// A test order: routed and marked, never in the default lists.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
    /// Whether it is paid.
    pub payment: Payment,
    /// Whether it goes on.
    #[serde(default, skip_serializing_if = "OrderState::is_open")]
    pub state: OrderState,
    /// Reasons of the channel to wait, as text: "fraud review", "fulfillment scheduled for 2026-12-01".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Where the lines go. A line names its delivery by `key`. Most orders have one.
    pub deliveries: Vec<Delivery>,
    /// The lines, in the channel's order.
    pub lines: Vec<Line>,
    /// The fulfillments that the channel has, whoever made them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fulfillments: Vec<RemoteFulfillment>,
    /// The channel's own grouping of what is open (Shopify: open fulfillment orders). Empty where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Cancellations that the channel asks for in a way of its own and waits to have answered. The units are still
    /// in `fulfillable`; who reads the order takes them off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancellation_requests: Vec<CancellationRequest>,
    /// The customer's e-mail. Kept only where the merchant passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The customer's note. Kept only where the merchant passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_note: Option<String>,
    /// The billing address. Kept only where the merchant passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill_to: Option<Address>,
    /// What the connector wants handed back, and owns.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub extra: serde_json::Value,
}

/// Whether an order is paid, as far as the channel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Paid, or paid and partly refunded.
    Paid,
    /// Authorized, not captured.
    Authorized,
    /// Not (wholly) paid yet; the channel's word.
    Unpaid(String),
    /// Given back or voided: nothing to ship for; the channel's word.
    Returned(String),
    /// A word that this release does not know: holds and says so.
    Unknown(String),
}

/// Whether an order goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It goes on (closed or archived by the merchant does not matter: what is fulfillable does).
    #[default]
    Open,
    /// Cancelled as a whole.
    Cancelled {
        /// When, if told.
        at: Option<Timestamp>,
        /// Why, if told.
        reason: Option<String>,
    },
    /// A word that this release does not know: holds and says so.
    Unknown(String),
}

impl OrderState {
    /// Whether this is `Open`.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// One destination and delivery method of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Stable within the order; empty where an order has only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// How it goes.
    #[serde(default)]
    pub kind: DeliveryKind,
    /// Where it goes. `None` on a shippable delivery is a gate: "no shipping address".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<Address>,
    /// The method that the customer chose, as the channel calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// How a delivery goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    /// By carrier.
    #[default]
    Shipping,
    /// The customer fetches it, or the merchant brings it: never ours. The channel's word.
    Merchant(String),
    /// A word that this release does not know: holds and says so.
    Unknown(String),
}

/// A postal address. Its `Debug` says nothing of it: addresses never reach a log.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Whole name of the person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Company.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub company: String,
    /// Street and number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address1: String,
    /// Second line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address2: String,
    /// City.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub city: String,
    /// State or province, as the channel codes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub province: String,
    /// Postal code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zip: String,
    /// ISO 3166-1 alpha-2 where known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Phone, for the carrier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
}

impl Address {
    /// Whether there is nothing in it that a carrier could use.
    pub fn is_blank(&self) -> bool {
        self.address1.trim().is_empty() && self.city.trim().is_empty() && self.zip.trim().is_empty()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The channel's line id: what fulfillments name.
    pub id: RemoteId,
    /// The merchant's SKU, as the channel shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// For people only; never matched.
    #[serde(default)]
    pub title: String,
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "LineKind::is_goods")]
    pub kind: LineKind,
    /// The units that the channel shows as ordered. It may fall when an order is edited.
    pub quantity: u32,
    /// The units that can still be fulfilled there, now or after a hold. (What is neither fulfillable nor
    /// fulfilled is no longer wanted.)
    pub fulfillable: u32,
    /// Units that the channel shows as refunded, where it tells that apart from an edit. For the words of a
    /// timeline alone: what is still wanted is in `fulfillable`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refunded: u32,
    /// The [`Delivery::key`] that it goes with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery: String,
    /// What a unit costs the merchant, where told and asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<Money>,
}

/// What kind of thing a line sells. Only goods can be ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A thing that ships.
    #[default]
    Goods,
    /// Typed in by hand, no product behind it.
    Custom,
    /// Needs no shipping.
    Digital,
    /// A gift card.
    GiftCard,
}

impl LineKind {
    /// Whether this is `Goods`.
    pub fn is_goods(&self) -> bool {
        matches!(self, Self::Goods)
    }
}

/// An amount and its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Exact amount, in the currency's main unit.
    pub amount: rust_decimal::Decimal,
    /// ISO 4217.
    pub currency: String,
}

/// Units of one channel line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineQuantity {
    /// The channel's line.
    pub line: RemoteId,
    /// Units.
    pub quantity: u32,
}

/// What the channel means to go together: its own split of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The channel's id of it.
    pub id: RemoteId,
    /// Units that are open in it.
    pub lines: Vec<LineQuantity>,
}

/// A cancellation that the channel asks for and waits to have accepted or rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancellationRequest {
    /// What [`crate::Channel::answer_cancellation`] names. A later request never has the id of an answered one.
    pub id: RemoteId,
    /// The units that it would cancel.
    pub lines: Vec<LineQuantity>,
    /// The merchant's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was asked, by the channel's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// A fulfillment as the channel shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFulfillment {
    /// The channel's id of it.
    pub id: RemoteId,
    /// False once it was taken back there.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub active: bool,
    /// What is in it.
    pub lines: Vec<LineQuantity>,
    /// Its tracking, in the channel's spelling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracking: Vec<RemoteTracking>,
    /// When it was made, by the channel's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

/// One tracking entry of a fulfillment on the channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteTracking {
    /// Carrier in the channel's spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Tracking number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The tracking to tell: the parcel's own, and those of earlier parcels that it completes a unit with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingSet {
    /// The carrier's canonical name from [`crate::carriers`], or the supplier's own word for one not in it.
    pub carrier: String,
    /// The carrier's service, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The parcel's own number; a parcel may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where to follow it: given by the supplier, else made from the carrier's template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Tracking of earlier parcels that hold parts of the units told here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherParcel>,
}

/// An earlier parcel's tracking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherParcel {
    /// Carrier, as in [`TrackingSet::carrier`].
    pub carrier: String,
    /// Number.
    pub number: String,
    /// Link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Skips a zero when writing; for other crates' records too.
pub fn skip_zero(value: &u32) -> bool {
    is_zero(value)
}

/// Skips a one when writing.
pub fn skip_one(value: &u32) -> bool {
    is_one(value)
}

/// Skips `false` when writing.
pub fn skip_false(value: &bool) -> bool {
    is_false(value)
}
