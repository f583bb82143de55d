//! Parcels told to the store, and their tracking.
//!
//! A shipment is made by a `POST` without any key: what became of a lost one is learned by looking
//! ([`find`]). Its answer shows `tracking_number` as it was sent, which is why a number that would not fit is refused
//! instead of cut.

use std::collections::BTreeMap;

use http::Method;
use sdk::{
    Effect, Error, ErrorKind, FulfillmentRequest, LineQuantity, Priority, Pushed, RemoteFulfillment,
    RemoteId, Result, TrackingSet, TrackingUpdate, carriers,
};

use crate::{
    picture,
    rest::{self, Ask, Rest},
    whole,
    wire::{NewItem, NewShipment, Product, Shipment, Tracking},
};

/// `tracking_number.maxLength` of `orderShipment_Post`.
const LONGEST_NUMBER: usize = 50;

/// `tracking_link.maxLength` of `orderShipment_Post`.
const LONGEST_LINK: usize = 500;

const CREATE: &str = "shipment_create";

/// What one call will ship, and what is left for others.
#[derive(Debug, PartialEq, Eq)]
struct Allocation {
    address: u64,
    items: Vec<NewItem>,
    left: Vec<LineQuantity>,
}

/// Makes one shipment of what goes to one address.
pub(crate) async fn push(rest: &Rest, request: &FulfillmentRequest) -> Result<Pushed> {
    let ask = Ask::write(CREATE, Effect::Unsafe);
    let order = rest::id(CREATE, &request.order)?;
    let tracking = tracking(CREATE, &request.tracking)?;
    // An over-shipment is refused here, and not by whatever the store makes of it.
    let pages = whole::products(rest, order, Priority::Deliver).await?;
    let allocation = allocate(&whole::products_in(&pages)?, &request.lines)?;
    let body =
        NewShipment { order_address_id: allocation.address, items: allocation.items.clone(), tracking };
    let path = format!("/v2/orders/{order}/shipments");
    let response = rest.put(ask, Method::POST, &path, &body).await?;
    let unknown = |why: String| Error::new(ErrorKind::Indeterminate, CREATE, format!("the answer: {why}"));
    let shipment: Shipment<'_> = rest::read(response.body()).map_err(unknown)?;
    let mut fulfillment = picture::fulfillment(&shipment).map_err(unknown)?;
    // The quantities were explicit, so these are its lines.
    fulfillment.lines = allocation
        .items
        .iter()
        .map(|item| LineQuantity {
            line: RemoteId(item.order_product_id.to_string()),
            quantity: item.quantity,
        })
        .collect();
    Ok(Pushed { fulfillment, left: allocation.left })
}

/// Chooses the asked lines of one address: all of the parcel must be there to ship, or nothing is.
fn allocate(products: &[Product<'_>], asked: &[LineQuantity]) -> Result<Allocation> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Rejected, CREATE, what));
    let mut wanted: BTreeMap<u64, u32> = BTreeMap::new();
    for line in asked.iter().filter(|line| line.quantity > 0) {
        let sum = wanted.entry(rest::id(CREATE, &line.line)?).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    let mut by_address: BTreeMap<u64, u64> = BTreeMap::new();
    for (id, units) in &wanted {
        let Some(product) = products.iter().find(|product| product.id == *id) else {
            return refuse(format!("line {id} is no longer in the order"));
        };
        // Refunded units count as there: a return leaves the others to be shipped, and nothing tells it apart.
        let open = product.quantity.0.saturating_sub(product.quantity_shipped.0);
        if open < *units {
            return refuse(format!("line {id}: {units} in the parcel, {open} can be shipped on the store"));
        }
        let fetched = product.order_pickup_method_id.is_some_and(|method| method > 0);
        match product.order_address_id.filter(|address| *address > 0 && !fetched) {
            Some(address) => *by_address.entry(address).or_default() += u64::from(*units),
            None => return refuse(format!("line {id} is not shipped to an address on the store")),
        }
    }
    // The address that takes the most, the earliest of equals.
    let best = by_address.iter().rev().max_by_key(|(_, units)| **units).map(|(address, _)| *address);
    let Some(address) = best else { return refuse("the parcel has no lines".to_owned()) };
    let here = |id: u64| {
        products.iter().any(|product| product.id == id && product.order_address_id == Some(address))
    };
    let mut allocation = Allocation { address, items: Vec::new(), left: Vec::new() };
    for (id, quantity) in wanted {
        if here(id) {
            allocation.items.push(NewItem { order_product_id: id, quantity });
        } else {
            allocation.left.push(LineQuantity { line: RemoteId(id.to_string()), quantity });
        }
    }
    Ok(allocation)
}

/// Tracking in BigCommerce's words.
fn tracking(operation: &'static str, tracking: &TrackingSet) -> Result<Tracking> {
    let number = tracking.number.clone().unwrap_or_default();
    let length = number.chars().count();
    if length > LONGEST_NUMBER {
        let what = format!(
            "the tracking number has {length} characters, BigCommerce takes at most {LONGEST_NUMBER}: correct it"
        );
        return Err(Error::new(ErrorKind::Rejected, operation, what));
    }
    let carrier = carriers::lookup(&tracking.carrier);
    let provider = carrier.and_then(|carrier| carrier.bigcommerce);
    let service = tracking.service.as_deref().unwrap_or_default().trim();
    let method = match provider {
        Some(_) => service.to_owned(),
        // The store's list does not have it: it is told in words.
        None => {
            let name = carrier.map_or(tracking.carrier.trim(), |carrier| carrier.name);
            format!("{name} {service}").trim().to_owned()
        }
    };
    let mut comments: Vec<String> = Vec::new();
    let mut link = tracking.url.clone().unwrap_or_default();
    if link.chars().count() > LONGEST_LINK {
        comments.push(format!("Follow it at {link}"));
        link.clear();
    }
    comments.extend(tracking.others.iter().map(|other| {
        let carrier = carriers::lookup(&other.carrier).map_or(&*other.carrier, |carrier| carrier.name);
        match &other.url {
            Some(url) => format!("Also in parcel {carrier} {} ({url})", other.number),
            None => format!("Also in parcel {carrier} {}", other.number),
        }
    }));
    Ok(Tracking {
        tracking_number: number,
        shipping_provider: provider.unwrap_or_default(),
        tracking_carrier: "",
        tracking_link: link,
        shipping_method: method,
        comments: (!comments.is_empty()).then(|| comments.join("\n")),
    })
}

/// All shipments of an order.
pub(crate) async fn find(rest: &Rest, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
    let order = rest::id("find", order)?;
    whole::shipments(rest, order, Priority::Deliver).await
}

/// Sets the tracking of a shipment.
pub(crate) async fn update_tracking(rest: &Rest, update: &TrackingUpdate) -> Result<()> {
    let ask = Ask::write("shipment_update", Effect::Idempotent);
    let order = rest::id(ask.name, &update.order)?;
    let shipment = rest::id(ask.name, &update.fulfillment)?;
    let body = tracking(ask.name, &update.tracking)?;
    let path = format!("/v2/orders/{order}/shipments/{shipment}");
    rest.put(ask, Method::PUT, &path, &body).await.map(drop)
}
