//! Requests as they pass: what each asks, which are writes, and which of these name what they must not.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;

use crate::{
    journal::Journal,
    network::Fault,
    shops::{Remote, Shop, is_ours},
};

/// A request as far as the network reads it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The operation.
    pub(crate) name: String,
    pub(crate) write: bool,
    /// For the trace.
    pub(crate) detail: String,
    /// Which order, fulfillment order, … a write names: its ids, as they stand.
    pub(crate) about: String,
    /// Equal for two requests that ask the same.
    pub(crate) same: String,
    body: Value,
}

impl Call {
    pub(crate) fn read(request: &Request<Bytes>) -> Self {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let path = request.uri().path();
        let host = request.uri().host().unwrap_or_default();
        if let Some(operation) = body["operationName"].as_str() {
            let write = body["query"].as_str().is_some_and(|text| text.trim_start().starts_with("mutation"));
            let variables = body["variables"].to_string();
            let detail = if write { format!("{variables} ") } else { String::new() };
            return Self {
                name: operation.to_owned(),
                write,
                detail,
                about: variables.clone(),
                same: format!("{host} {operation} {variables}"),
                body,
            };
        }
        let write = request.method() != Method::GET;
        let short = path.split_once("/v").map_or(path, |(_, rest)| rest);
        let detail = if write { format!("{body} ") } else { String::new() };
        Self {
            name: format!("{} v{short}", request.method()),
            write,
            detail,
            about: path.to_owned(),
            same: format!("{host} {}", request.uri()),
            body,
        }
    }

    /// Whether it asks for the changed orders.
    pub(crate) fn lists_orders(&self) -> bool {
        self.name == "PortaldOrders" || self.name == "GET v2/orders"
    }

    /// Whether it sets figures of stock.
    pub(crate) fn is_stock(&self) -> bool {
        self.write && (self.name == "PortaldSetStock" || self.name.contains("inventory"))
    }
}

/// No write of stock may name what is not the supplier's.
pub(crate) fn watch(shop: &Shop, call: &Call, journal: &Journal) {
    if !call.write {
        return;
    }
    let check = |sku: Option<String>, what: String| {
        journal.check("stock is written of ours alone", sku.as_deref().is_some_and(is_ours), || {
            format!("{}: {what} is {sku:?}", shop.merchant)
        });
    };
    match &shop.remote {
        Remote::Shopify(remote) if call.name == "PortaldSetStock" => {
            let quantities = call.body["variables"]["input"]["quantities"].as_array();
            journal.check("stock is written of ours alone", quantities.is_some(), || call.detail.clone());
            for quantity in quantities.into_iter().flatten() {
                let item = quantity["inventoryItemId"].as_str().unwrap_or_default();
                let item = item.rsplit('/').next().unwrap_or_default().to_owned();
                let known = remote.variants().into_iter().find(|known| known.item.to_string() == item);
                let known = known.filter(|known| known.tracked);
                check(known.and_then(|known| known.sku), item);
            }
        }
        Remote::BigCommerce(remote) if call.name.contains("inventory") => {
            let items = call.body["items"].as_array();
            journal.check("stock is written of ours alone", items.is_some(), || call.detail.clone());
            for item in items.into_iter().flatten() {
                let (variant, product) = (item["variant_id"].as_u64(), item["product_id"].as_u64());
                let known = remote.variants().into_iter().find(|known| {
                    variant.is_some_and(|id| known.id == id) || product.is_some_and(|id| known.product == id)
                });
                check(known.map(|known| known.sku), item.to_string());
            }
        }
        _ => {}
    }
}

/// Words that a release may know only some of, and fields that are never null.
const WORDS: [&str; 5] = ["displayFinancialStatus", "status", "requestStatus", "status_id", "type"];
const FILLED: [&str; 8] = [
    "id",
    "name",
    "updatedAt",
    "createdAt",
    "quantity",
    "remainingQuantity",
    "date_created",
    "quantity_shipped",
];

/// The places of an answer where a surprise may stand.
pub(crate) fn surprising(value: &Value, fault: Fault, at: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{at}/{name}");
                let named =
                    if fault == Fault::Null { FILLED.contains(&&**name) } else { WORDS.contains(&&**name) };
                if named && (value.is_string() || value.is_number()) {
                    places.push(place);
                } else {
                    surprising(value, fault, &place, places);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                surprising(item, fault, &format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}
