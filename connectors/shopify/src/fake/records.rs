//! The model's records: orders to place, and orders as they stand.

use sdk::{RemoteId, Timestamp};

/// An address of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeAddress {
    /// Whole name.
    pub name: String,
    /// Street and number.
    pub address1: String,
    /// City.
    pub city: String,
    /// Province code.
    pub province_code: String,
    /// Postal code.
    pub zip: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
}

impl FakeAddress {
    /// A believable one.
    pub fn sample() -> Self {
        Self {
            name: "Ada Example".to_owned(),
            address1: "1 Sample Street".to_owned(),
            city: "Springfield".to_owned(),
            province_code: "IL".to_owned(),
            zip: "62701".to_owned(),
            country_code: "US".to_owned(),
        }
    }
}

/// A line to place.
#[derive(Clone, Debug)]
pub struct NewLine {
    pub(super) sku: Option<String>,
    pub(super) title: String,
    pub(super) quantity: i64,
    pub(super) requires_shipping: bool,
    pub(super) gift_card: bool,
    pub(super) product: bool,
    pub(super) location: u64,
    pub(super) method: String,
}

impl NewLine {
    /// A thing that ships from the first location.
    pub fn new(sku: &str, quantity: u32) -> Self {
        Self {
            sku: Some(sku.to_owned()),
            title: format!("Product {sku}"),
            quantity: i64::from(quantity),
            requires_shipping: true,
            gift_card: false,
            product: true,
            location: super::LOCATION,
            method: "SHIPPING".to_owned(),
        }
    }

    /// Typed in by hand: no product, no SKU.
    pub fn custom(mut self) -> Self {
        self.sku = None;
        self.product = false;
        self
    }

    /// Needs no shipping.
    pub fn digital(mut self) -> Self {
        self.requires_shipping = false;
        "NONE".clone_into(&mut self.method);
        self
    }

    /// A gift card.
    pub fn gift_card(mut self) -> Self {
        self.gift_card = true;
        self.digital()
    }

    /// Ships from another location.
    pub fn at(mut self, location: u64) -> Self {
        self.location = location;
        self
    }

    /// Goes by another delivery method: `PICK_UP`, `LOCAL`, …
    pub fn by(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Shows another title.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }
}

/// An order to place: paid, no test, with an address, unless said otherwise.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub(super) lines: Vec<NewLine>,
    pub(super) financial: Option<String>,
    pub(super) test: bool,
    pub(super) note: Option<String>,
    pub(super) email: Option<String>,
    pub(super) address: Option<FakeAddress>,
    pub(super) scheduled: Option<Timestamp>,
}

impl NewOrder {
    /// An order of these lines.
    pub fn new(lines: Vec<NewLine>) -> Self {
        Self {
            lines,
            financial: Some("PAID".to_owned()),
            test: false,
            note: None,
            email: Some("ada@example.com".to_owned()),
            address: Some(FakeAddress::sample()),
            scheduled: None,
        }
    }

    /// Not paid yet.
    pub fn unpaid(self) -> Self {
        self.financial("PENDING")
    }

    /// Paid.
    pub fn paid(self) -> Self {
        self.financial("PAID")
    }

    /// Any financial status, known or not.
    pub fn financial(mut self, status: &str) -> Self {
        self.financial = Some(status.to_owned());
        self
    }

    /// A test order.
    pub fn test(mut self) -> Self {
        self.test = true;
        self
    }

    /// The customer's note.
    pub fn note(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }

    /// Another address, or none.
    pub fn address(mut self, address: Option<FakeAddress>) -> Self {
        self.address = address;
        self
    }

    /// Not to be fulfilled before this.
    pub fn scheduled(mut self, at: Timestamp) -> Self {
        self.scheduled = Some(at);
        self
    }
}

/// A line of the model's order.
#[derive(Clone, Debug)]
pub struct FakeLine {
    /// Line item id.
    pub id: u64,
    /// SKU.
    pub sku: Option<String>,
    /// Title.
    pub title: String,
    /// Units when it was placed: edits do not change it.
    pub quantity: i64,
    /// Units now.
    pub current: i64,
    /// Units of it that money was given back for.
    pub refunded: i64,
    pub(super) requires_shipping: bool,
    pub(super) gift_card: bool,
    pub(super) product: bool,
}

impl FakeLine {
    pub(super) fn of(id: u64, line: NewLine) -> Self {
        Self {
            id,
            sku: line.sku,
            title: line.title,
            quantity: line.quantity,
            current: line.quantity,
            refunded: 0,
            requires_shipping: line.requires_shipping,
            gift_card: line.gift_card,
            product: line.product,
        }
    }
}

/// A line of a fulfillment order.
#[derive(Clone, Debug)]
pub struct FakeFoLine {
    /// Fulfillment order line item id.
    pub id: u64,
    /// Line item id.
    pub line: u64,
    /// All units.
    pub total: i64,
    /// Units not fulfilled.
    pub remaining: i64,
}

/// A fulfillment order.
#[derive(Clone, Debug)]
pub struct FakeFo {
    /// Fulfillment order id.
    pub id: u64,
    /// `OPEN`, `CLOSED`, …
    pub status: String,
    /// Location id.
    pub location: u64,
    /// `SHIPPING`, …
    pub method: String,
    /// Why it waits.
    pub holds: Vec<(String, Option<String>)>,
    /// Its lines.
    pub lines: Vec<FakeFoLine>,
    /// `UNSUBMITTED` unless its location is a fulfillment service's.
    pub request_status: String,
    /// What the merchant asked of the service, oldest first.
    pub requests: Vec<FakeRequest>,
    /// When it was made.
    pub created: Timestamp,
    /// Its last change.
    pub updated: Timestamp,
    pub(super) fulfill_at: Option<Timestamp>,
}

impl FakeFo {
    /// A new one that is open and not submitted.
    pub(super) fn open(id: u64, location: u64, method: &str, created: Timestamp) -> Self {
        Self {
            id,
            status: "OPEN".to_owned(),
            location,
            method: method.to_owned(),
            holds: Vec::new(),
            lines: Vec::new(),
            request_status: "UNSUBMITTED".to_owned(),
            requests: Vec::new(),
            created,
            updated: created,
            fulfill_at: None,
        }
    }

    /// Closes it once nothing is left in it.
    pub(super) fn close_if_done(&mut self) {
        if self.lines.iter().all(|line| line.remaining == 0) {
            "CLOSED".clone_into(&mut self.status);
        }
    }
}

/// A merchant's request to the fulfillment service.
#[derive(Clone, Debug)]
pub struct FakeRequest {
    /// Its number.
    pub id: u64,
    /// `FULFILLMENT_REQUEST` or `CANCELLATION_REQUEST`.
    pub kind: String,
    /// The merchant's words.
    pub message: Option<String>,
    /// When it was sent.
    pub at: Timestamp,
}

/// A fulfillment.
#[derive(Clone, Debug)]
pub struct FakeFulfillment {
    /// Fulfillment id.
    pub id: u64,
    /// `SUCCESS` or `CANCELLED`.
    pub status: String,
    /// Location it left from.
    pub location: u64,
    /// Line item id and units.
    pub lines: Vec<(u64, i64)>,
    /// Carrier as it was told.
    pub company: Option<String>,
    /// Tracking numbers.
    pub numbers: Vec<String>,
    /// Links.
    pub urls: Vec<String>,
    /// Mails to the customer.
    pub mails: u32,
    /// When it was made.
    pub created: Timestamp,
    pub(super) from: Vec<(u64, u64, i64)>,
}

impl FakeFulfillment {
    /// Whether it was not taken back.
    pub fn active(&self) -> bool {
        self.status == "SUCCESS"
    }
}

/// An order of the model.
#[derive(Clone, Debug)]
pub struct FakeOrder {
    /// Its number.
    pub id: u64,
    /// `#1001`.
    pub name: String,
    /// When it was placed.
    pub created: Timestamp,
    /// Last change, to the second.
    pub updated: Timestamp,
    /// When it was cancelled.
    pub cancelled: Option<Timestamp>,
    /// Its note.
    pub note: Option<String>,
    /// Its lines.
    pub lines: Vec<FakeLine>,
    /// Its fulfillment orders, the closed ones too.
    pub fulfillment_orders: Vec<FakeFo>,
    /// Its fulfillments, the cancelled ones too.
    pub fulfillments: Vec<FakeFulfillment>,
    pub(super) reason: Option<String>,
    pub(super) financial: Option<String>,
    pub(super) test: bool,
    pub(super) email: Option<String>,
    pub(super) address: Option<FakeAddress>,
    pub(super) tags: u32,
    pub(super) edited: bool,
    /// The recommendation of the risk analysis: `NONE`, `ACCEPT`, `INVESTIGATE`, `CANCEL`.
    pub(super) risk: String,
    /// Disputes: how they began and how they stand.
    pub(super) disputes: Vec<(String, String)>,
}

impl FakeOrder {
    /// Its id as a channel gives it.
    pub fn remote_id(&self) -> RemoteId {
        RemoteId(self.id.to_string())
    }

    pub(super) fn fo_mut(&mut self, id: u64) -> Option<&mut FakeFo> {
        self.fulfillment_orders.iter_mut().find(|fo| fo.id == id)
    }
}
