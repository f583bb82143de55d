//! An order in BigCommerce's words turned into one in ours. The reasons of failures name no customer.

use sdk::{
    Address, Delivery, DeliveryKind, Line, LineKind, LineQuantity, Order, RemoteFulfillment, RemoteId,
    RemoteTracking, Timestamp,
};

use crate::{
    cancellations::{self, Units},
    statuses,
    wire::{self, Product, Shipment, Text},
};

/// The id of the fulfillment that stands for units which are shown as shipped and are in no shipment.
const UNLISTED: &str = "marked-as-shipped";

/// What `shipping_method` shows where there is none (the contract's examples).
const NO_METHOD: &str = "None";

/// The order as the store shows it; the error says what cannot be read.
pub(crate) fn order(
    wire: &wire::Order<'_>,
    products: &[Product<'_>],
    addresses: &[wire::Address<'_>],
    shipments: &[Shipment<'_>],
) -> Result<Order, String> {
    let status = statuses::read(wire.status_id, wire.status.as_deref(), wire.payment_status.as_deref());
    let units = cancellations::units(products, shipments, status.over);
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(1);
    let mut lines = Vec::with_capacity(products.len());
    for (product, units) in products.iter().zip(&units) {
        let way = way(product, status.pickup);
        if !deliveries.iter().any(|delivery| delivery.key == way.key) {
            deliveries.push(deliver(&way, addresses));
        }
        lines.push(line(product, *units, way.key)?);
    }
    if let Some(twice) = repeated(&lines) {
        return Err(format!("`products`: line {twice} is there twice"));
    }
    if deliveries.is_empty() {
        deliveries.push(Delivery {
            key: String::new(),
            kind: DeliveryKind::Shipping,
            ship_to: addresses.first().map(address),
            method: None,
        });
    }
    let mut fulfillments = shipments.iter().map(fulfillment).collect::<Result<Vec<_>, _>>()?;
    fulfillments.extend(unlisted(products, &units));
    let mut holds: Vec<String> = status.hold.into_iter().collect();
    if wire.is_deleted == Some(true) {
        holds.push("the order is archived (deleted) in the shop".to_owned());
    }
    Ok(Order {
        id: RemoteId(wire.id.to_string()),
        number: wire.id.to_string(),
        placed_at: time("date_created", &wire.date_created)?,
        updated_at: Some(time("date_modified", &wire.date_modified)?),
        test: false,
        payment: status.payment,
        state: status.state,
        holds,
        deliveries,
        lines,
        fulfillments,
        groups: Vec::new(),
        cancellation_requests: Vec::new(),
        email: wire.billing_address.as_ref().and_then(|address| filled(address.email.as_ref())),
        customer_note: filled(wire.customer_message.as_ref()),
        bill_to: wire.billing_address.as_ref().map(address),
        extra: serde_json::Value::Null,
    })
}

/// An instant of V2: RFC 2822, in UTC.
pub(crate) fn time(field: &str, text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc2822(text.trim())
        .map(|time| time.to_utc())
        .map_err(|_| format!("`{field}` is not a time"))
}

/// A shipment as the store shows it.
pub(crate) fn fulfillment(wire: &Shipment<'_>) -> Result<RemoteFulfillment, String> {
    let mut lines: Vec<LineQuantity> = Vec::with_capacity(wire.items.len());
    for item in &wire.items {
        let id = RemoteId(item.order_product_id.to_string());
        match lines.iter_mut().find(|line| line.line == id) {
            Some(line) => line.quantity = line.quantity.saturating_add(item.quantity.0),
            None => lines.push(LineQuantity { line: id, quantity: item.quantity.0 }),
        }
    }
    let company = filled(wire.shipping_provider.as_ref())
        .or_else(|| filled(wire.tracking_carrier.as_ref()))
        .or_else(|| filled(wire.shipping_method.as_ref()).filter(|method| method != NO_METHOD));
    let number = filled(wire.tracking_number.as_ref());
    let url = filled(wire.tracking_link.as_ref()).or_else(|| filled(wire.generated_tracking_link.as_ref()));
    let tracking = if number.is_none() && url.is_none() {
        Vec::new()
    } else {
        vec![RemoteTracking { company, number, url }]
    };
    Ok(RemoteFulfillment {
        id: RemoteId(wire.id.to_string()),
        // One that is taken back is no longer listed.
        active: true,
        lines,
        tracking,
        created_at: match wire.date_created.as_ref().filter(|text| !text.is_empty()) {
            Some(text) => Some(time("shipments.date_created", text)?),
            None => None,
        },
    })
}

/// Units that a person marked as shipped, without a shipment: someone fulfilled them, and they are not to be shipped
/// again.
fn unlisted(products: &[Product<'_>], units: &[Units]) -> Option<RemoteFulfillment> {
    let lines: Vec<LineQuantity> = products
        .iter()
        .zip(units)
        .filter(|(_, units)| units.unlisted > 0)
        .map(|(product, units)| LineQuantity {
            line: RemoteId(product.id.to_string()),
            quantity: units.unlisted,
        })
        .collect();
    (!lines.is_empty()).then(|| RemoteFulfillment {
        id: RemoteId::from(UNLISTED),
        active: true,
        lines,
        tracking: Vec::new(),
        created_at: None,
    })
}

/// How a line goes: the delivery's key, which is the same in every picture of the order, and its kind.
struct Way {
    key: String,
    kind: DeliveryKind,
    address: Option<u64>,
}

fn way(product: &Product<'_>, pickup: bool) -> Way {
    let address = product.order_address_id.filter(|id| *id > 0);
    let merchants =
        |key: String, word: &str| Way { key, kind: DeliveryKind::Merchant(word.to_owned()), address };
    if let Some(method) = product.order_pickup_method_id.filter(|id| *id > 0) {
        return merchants(format!("pickup-{method}"), "pickup");
    }
    let kind = &*product.kind;
    if !matches!(kind, "physical" | "digital" | "giftcertificate") {
        let kind_of_way = DeliveryKind::Unknown(format!("a product of the unknown type {kind}"));
        return Way { key: format!("type-{kind}"), kind: kind_of_way, address };
    }
    match address {
        Some(id) if pickup => merchants(id.to_string(), "Awaiting Pickup"),
        Some(id) => Way { key: id.to_string(), kind: DeliveryKind::Shipping, address },
        None if kind == "physical" => Way {
            key: "none".to_owned(),
            kind: DeliveryKind::Unknown("neither an address nor a pickup".to_owned()),
            address,
        },
        None => merchants(kind.to_owned(), kind),
    }
}

fn deliver(way: &Way, addresses: &[wire::Address<'_>]) -> Delivery {
    let found = addresses.iter().find(|address| address.id.is_some() && address.id == way.address);
    Delivery {
        key: way.key.clone(),
        kind: way.kind.clone(),
        ship_to: found.map(address),
        method: found.and_then(|address| filled(address.shipping_method.as_ref())),
    }
}

fn line(product: &Product<'_>, units: Units, delivery: String) -> Result<Line, String> {
    let wanted = units
        .fulfillable
        .checked_add(units.shipped)
        .and_then(|sum| sum.checked_add(units.unlisted))
        .ok_or_else(|| format!("`products`: line {} has too many units", product.id))?;
    let sku = filled(product.sku.as_ref());
    let kind = match &*product.kind {
        "digital" => LineKind::Digital,
        "giftcertificate" => LineKind::GiftCard,
        // A custom product has no id; one with a SKU was typed in to be found by it.
        _ if product.product_id.is_none_or(|id| id == 0) && sku.is_none() => LineKind::Custom,
        _ => LineKind::Goods,
    };
    Ok(Line {
        id: RemoteId(product.id.to_string()),
        sku,
        title: product.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        kind,
        // An order edited below what was shipped is no smaller order.
        quantity: product.quantity.0.max(wanted),
        fulfillable: units.fulfillable,
        refunded: product.quantity_refunded.0,
        delivery,
        unit_cost: None,
    })
}

fn filled(text: Option<&Text<'_>>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(|text| text.to_string())
}

fn address(wire: &wire::Address<'_>) -> Address {
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.to_string()).unwrap_or_default();
    let name = [text(&wire.first_name), text(&wire.last_name)].join(" ");
    let country = filled(wire.country_iso2.as_ref()).or_else(|| filled(wire.country.as_ref()));
    Address {
        name: name.trim().to_owned(),
        company: text(&wire.company),
        address1: text(&wire.street_1),
        address2: text(&wire.street_2),
        city: text(&wire.city),
        province: text(&wire.state),
        zip: text(&wire.zip),
        country: country.unwrap_or_default(),
        phone: text(&wire.phone),
    }
}

fn repeated(lines: &[Line]) -> Option<&RemoteId> {
    let mut seen = std::collections::BTreeSet::new();
    lines.iter().map(|line| &line.id).find(|id| !seen.insert(*id))
}
