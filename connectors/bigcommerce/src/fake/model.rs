//! The model's orders and what happens to them.
//!
//! What the contract tells is as it tells it. What it leaves open is chosen here, and named at its place.

use std::collections::BTreeMap;

use sdk::{RemoteId, Timestamp};
use serde_json::Value;

use super::goods::Goods;

/// An address of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeAddress {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Street and number.
    pub street_1: String,
    /// City.
    pub city: String,
    /// State, in full.
    pub state: String,
    /// Postal code.
    pub zip: String,
    /// ISO 3166-1 alpha-2.
    pub country_iso2: String,
}

impl FakeAddress {
    /// A believable one.
    pub fn sample() -> Self {
        Self {
            first_name: "Ada".to_owned(),
            last_name: "Example".to_owned(),
            street_1: "1 Sample Street".to_owned(),
            city: "Springfield".to_owned(),
            state: "Illinois".to_owned(),
            zip: "62701".to_owned(),
            country_iso2: "US".to_owned(),
        }
    }
}

/// A line to place.
#[derive(Clone, Debug)]
pub struct NewLine {
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) quantity: u32,
    pub(super) kind: String,
    pub(super) product: bool,
    pub(super) place: usize,
    pub(super) pickup: u64,
}

impl NewLine {
    /// A thing that ships to the first address.
    pub fn new(sku: &str, quantity: u32) -> Self {
        Self {
            sku: sku.to_owned(),
            name: format!("Product {sku}"),
            quantity,
            kind: "physical".to_owned(),
            product: true,
            place: 0,
            pickup: 0,
        }
    }

    /// Typed in by hand: no product, no SKU.
    pub fn custom(mut self) -> Self {
        self.sku.clear();
        self.product = false;
        self
    }

    /// A file to download.
    pub fn digital(self) -> Self {
        self.typed("digital")
    }

    /// A gift certificate.
    pub fn gift_card(self) -> Self {
        self.typed("giftcertificate")
    }

    /// Of any type, known or not.
    pub fn typed(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// Goes to another of the order's addresses, by its place.
    pub fn to(mut self, place: usize) -> Self {
        self.place = place;
        self
    }

    /// The customer fetches it, by this pickup method.
    pub fn pickup(mut self, method: u64) -> Self {
        self.pickup = method;
        self
    }

    /// Shows another name.
    pub fn title(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

/// An order to place: awaiting fulfillment, with one address, unless said otherwise.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub(super) lines: Vec<NewLine>,
    pub(super) status: i64,
    pub(super) payment_status: String,
    pub(super) note: String,
    pub(super) email: String,
    pub(super) addresses: Vec<FakeAddress>,
}

impl NewOrder {
    /// An order of these lines.
    pub fn new(lines: Vec<NewLine>) -> Self {
        Self {
            lines,
            status: 11,
            payment_status: String::new(),
            note: String::new(),
            email: "ada@example.com".to_owned(),
            addresses: vec![FakeAddress::sample()],
        }
    }

    /// Not paid yet.
    pub fn unpaid(self) -> Self {
        self.status(7)
    }

    /// In any status, known or not.
    pub fn status(mut self, status: i64) -> Self {
        self.status = status;
        self
    }

    /// With a payment status of its own.
    pub fn payment_status(mut self, word: &str) -> Self {
        word.clone_into(&mut self.payment_status);
        self
    }

    /// The customer's message.
    pub fn note(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }

    /// To these addresses. Lines name them by their place.
    pub fn addresses(mut self, addresses: Vec<FakeAddress>) -> Self {
        self.addresses = addresses;
        self
    }
}

/// A line of the model's order.
#[derive(Clone, Debug)]
pub struct FakeLine {
    /// Order product id.
    pub id: u64,
    /// SKU; empty where there is none.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Units, as edited. A refund does not change it.
    pub quantity: u32,
    /// Units in shipments, or marked as shipped.
    pub shipped: u32,
    /// Units refunded.
    pub refunded: u32,
    /// `physical`, …
    pub kind: String,
    /// Order address id; 0 for what goes to none.
    pub address: u64,
    /// Pickup method id; 0 for what is shipped.
    pub pickup: u64,
    pub(super) product: u64,
    pub(super) variant: u64,
}

/// A shipment.
#[derive(Clone, Debug)]
pub struct FakeShipment {
    /// Shipment id.
    pub id: u64,
    /// Order address id.
    pub address: u64,
    /// Order product id and units.
    pub lines: Vec<(u64, u32)>,
    /// Tracking number; empty where there is none.
    pub number: String,
    /// `ups`, …
    pub provider: String,
    /// `tracking_carrier`
    pub carrier: String,
    /// Custom link.
    pub link: String,
    /// `shipping_method`
    pub method: String,
    /// Comments.
    pub comments: String,
    /// Mails to the customer.
    pub mails: u32,
    /// When it was made.
    pub created: Timestamp,
}

/// An order of the model.
#[derive(Clone, Debug)]
pub struct FakeOrder {
    /// Its number.
    pub id: u64,
    /// When it was placed.
    pub created: Timestamp,
    /// Last change, to the second.
    pub updated: Timestamp,
    /// `status_id`
    pub status: i64,
    /// Archived.
    pub archived: bool,
    /// The customer's message.
    pub note: String,
    /// Its lines, without those that were removed.
    pub lines: Vec<FakeLine>,
    /// Its addresses by order address id.
    pub addresses: Vec<(u64, FakeAddress)>,
    /// Its shipments, without those that were deleted.
    pub shipments: Vec<FakeShipment>,
    pub(super) payment_status: String,
    pub(super) email: String,
    /// The status before a hold.
    pub(super) before: Option<i64>,
    /// What answers show in place of the truth: resource, JSON pointer, value.
    pub(super) spoiled: Vec<(String, String, Value)>,
    pub(super) staff_notes: u32,
}

impl FakeOrder {
    /// Its id as a channel gives it.
    pub fn remote_id(&self) -> RemoteId {
        RemoteId(self.id.to_string())
    }

    /// Units that are not in shipments and not refunded.
    fn open(&self) -> u32 {
        let ships = self.lines.iter().filter(|line| line.kind == "physical");
        ships.map(|line| line.quantity.saturating_sub(line.shipped.saturating_add(line.refunded))).sum()
    }

    fn line_mut(&mut self, id: u64) -> Option<&mut FakeLine> {
        self.lines.iter_mut().find(|line| line.id == id)
    }
}

/// What the store holds.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) orders: BTreeMap<u64, FakeOrder>,
    pub(super) goods: Goods,
    placed: u64,
    ids: u64,
}

/// A new shipment, or a change of one, as a body tells it. `None`: not said.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) number: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) carrier: Option<String>,
    pub(super) link: Option<String>,
    pub(super) method: Option<String>,
    pub(super) comments: Option<String>,
}

impl Told {
    pub(super) fn apply(self, shipment: &mut FakeShipment) {
        for (told, field) in [
            (self.number, &mut shipment.number),
            (self.provider, &mut shipment.provider),
            (self.carrier, &mut shipment.carrier),
            (self.link, &mut shipment.link),
            (self.method, &mut shipment.method),
            (self.comments, &mut shipment.comments),
        ] {
            if let Some(told) = told {
                *field = told;
            }
        }
    }
}

/// A refused field and why.
pub(super) type Refusal = (&'static str, String);

impl Store {
    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn place(&mut self, new: NewOrder, now: Timestamp) -> u64 {
        let addresses: Vec<(u64, FakeAddress)> =
            new.addresses.into_iter().map(|address| (500 + self.id(), address)).collect();
        let lines = new.lines.into_iter().map(|line| self.line(line, &addresses)).collect();
        self.placed += 1;
        let id = 100 + self.placed;
        let order = FakeOrder {
            id,
            created: now,
            updated: now,
            status: new.status,
            archived: false,
            note: new.note,
            lines,
            addresses,
            shipments: Vec::new(),
            payment_status: new.payment_status,
            email: new.email,
            before: None,
            spoiled: Vec::new(),
            staff_notes: 0,
        };
        self.orders.insert(id, order);
        id
    }

    fn line(&mut self, line: NewLine, addresses: &[(u64, FakeAddress)]) -> FakeLine {
        let shipped_there = line.kind == "physical" && line.pickup == 0;
        let address = addresses.get(line.place).filter(|_| shipped_there).map_or(0, |(id, _)| *id);
        let id = 10_000 + self.id();
        let sold = self.goods.sold(&line).filter(|_| line.product);
        if let Some((variant, _)) = sold {
            self.goods.take(variant, line.quantity);
        }
        let (variant, product) = sold.unwrap_or((0, if line.product { 70_000 + id } else { 0 }));
        FakeLine {
            id,
            sku: line.sku,
            name: line.name,
            quantity: line.quantity,
            shipped: 0,
            refunded: 0,
            kind: line.kind,
            address,
            pickup: line.pickup,
            product,
            variant,
        }
    }

    pub(super) fn add_line(&mut self, order: u64, line: NewLine, now: Timestamp) -> Option<u64> {
        let addresses = self.orders.get(&order)?.addresses.clone();
        let line = self.line(line, &addresses);
        let id = line.id;
        let order = self.orders.get_mut(&order)?;
        order.updated = now;
        order.lines.push(line);
        Some(id)
    }

    /// The contract: "To remove a product from an order, set that product’s `quantity` to `0`".
    pub(super) fn edit(&mut self, order: u64, line: u64, quantity: u32, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&order) else { return };
        order.updated = now;
        if let Some(line) = order.line_mut(line) {
            line.quantity = quantity;
        }
        order.lines.retain(|line| line.quantity > 0);
    }

    /// `quantity` stays. The status follows: Refunded when nothing is left that was paid, else Partially Refunded.
    pub(super) fn refund(&mut self, order: u64, line: u64, units: u32, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&order) else { return };
        order.updated = now;
        if let Some(line) = order.line_mut(line) {
            line.refunded = line.refunded.saturating_add(units).min(line.quantity);
        }
        let all = order.lines.iter().all(|line| line.refunded == line.quantity);
        order.status = if all { 4 } else { 14 };
    }

    /// `POST …/shipments`. That more than what is left is refused is not in the contract; the wording is the model's.
    pub(super) fn ship(
        &mut self,
        order: u64,
        address: u64,
        items: &[(u64, u32)],
        told: Told,
        now: Timestamp,
    ) -> Result<Option<FakeShipment>, Refusal> {
        let id = 900 + self.id();
        let Some(order) = self.orders.get_mut(&order) else { return Ok(None) };
        if !order.addresses.iter().any(|(known, _)| *known == address) {
            return Err(("order_address_id", "the order has no such address".to_owned()));
        }
        if items.is_empty() {
            return Err(("items", "a shipment needs items".to_owned()));
        }
        let mut units: BTreeMap<u64, u32> = BTreeMap::new();
        for (line, quantity) in items {
            let sum = units.entry(*line).or_default();
            *sum = sum.saturating_add(*quantity);
        }
        for (line, quantity) in &units {
            let Some(line) = order.lines.iter().find(|known| known.id == *line && known.address == address)
            else {
                return Err(("order_product_id", format!("{line} is not for this address")));
            };
            if *quantity == 0 || line.shipped.saturating_add(*quantity) > line.quantity {
                return Err(("quantity", format!("{} has not so many units left to ship", line.id)));
            }
        }
        for (line, quantity) in &units {
            if let Some(line) = order.line_mut(*line) {
                line.shipped += quantity;
            }
        }
        let mut shipment = FakeShipment {
            id,
            address,
            lines: items.to_vec(),
            number: String::new(),
            provider: String::new(),
            carrier: String::new(),
            link: String::new(),
            method: "None".to_owned(),
            comments: String::new(),
            mails: 1,
            created: now,
        };
        told.apply(&mut shipment);
        order.shipments.push(shipment.clone());
        order.updated = now;
        if !matches!(order.status, 4..=6) {
            order.status = if order.open() == 0 { 2 } else { 3 };
        }
        Ok(Some(shipment))
    }

    /// The units can be shipped again, and the order stays as it is.
    pub(super) fn delete_shipment(&mut self, order: u64, shipment: u64, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&order) else { return };
        let Some(at) = order.shipments.iter().position(|made| made.id == shipment) else { return };
        order.updated = now;
        for (line, quantity) in order.shipments.remove(at).lines {
            if let Some(line) = order.line_mut(line) {
                line.shipped = line.shipped.saturating_sub(quantity);
            }
        }
    }
}
