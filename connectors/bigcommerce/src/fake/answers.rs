//! The model's answers, field by field as in `orders.v2.oas2.yml`.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use sdk::Timestamp;
use serde_json::{Value, json};

use super::{
    model::{FakeAddress, FakeLine, FakeOrder, FakeShipment, Refusal, Store, Told},
    shelves::{self, Names},
};

/// How the model reads what the contract leaves open.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readings {
    /// Bounds of times and ids leave their own value out.
    pub(super) exclusive: bool,
    /// Lists show archived orders.
    pub(super) archived: bool,
    /// The largest page, whatever is asked for.
    pub(super) cap: Option<usize>,
    /// Lists of V3 do not tell how many entries there are.
    pub(super) untold: bool,
    /// What refused adjustments name.
    pub(super) names: Names,
    /// What changed after this is not in the list of orders yet.
    pub(super) indexed_until: Option<Timestamp>,
}

/// A status and a body; no body for an empty list.
pub(super) type Answer = (StatusCode, Option<Value>);

/// Answers a request. `path` is what follows the store's hash.
pub(super) fn answer(
    store: &mut Store,
    readings: Readings,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
    now: Timestamp,
) -> Answer {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if let ["v3", below @ ..] = &parts[..] {
        return shelves::answer(&mut store.goods, readings, method, below, query, body);
    }
    let query = match parameters(query) {
        Ok(query) => query,
        Err(name) => return refused((name, "it cannot be read".to_owned())),
    };
    let id = |text: &str| text.parse::<u64>().ok();
    let get = method == Method::GET;
    match parts[..] {
        ["v2", "time"] if get => ok(json!({ "time": now.timestamp() })),
        ["v2", "store"] if get => {
            ok(json!({ "id": super::STORE, "name": "Bluefin Outdoors", "plan_level": "Standard" }))
        }
        ["v2", "orders"] if get => match orders(store, readings, &query) {
            Ok(orders) => list(orders),
            Err(name) => refused((name, "it cannot be read".to_owned())),
        },
        ["v2", "orders", order] if get => match id(order).and_then(|id| store.orders.get(&id)) {
            Some(order) => ok(spoil(order, "order", header(order))),
            None => missing(),
        },
        ["v2", "orders", order, what] if get => {
            let Some(order) = id(order).and_then(|id| store.orders.get(&id)) else { return missing() };
            let entries = match what {
                "products" => order.lines.iter().map(|line| product(order, line)).collect(),
                "shipping_addresses" => {
                    order.addresses.iter().map(|(id, it)| place(order, *id, it)).collect()
                }
                "shipments" => order.shipments.iter().map(|made| shipment(order, made)).collect(),
                _ => return missing(),
            };
            let spoiled = spoil(order, what, Value::Array(page(entries, readings, &query)));
            match spoiled {
                Value::Array(entries) => list(entries),
                other => ok(other),
            }
        }
        ["v2", "orders", order, "shipments"] if method == Method::POST => {
            id(order).map_or_else(missing, |order| create(store, order, body, now))
        }
        ["v2", "orders", order, "shipments", made] if method == Method::PUT => match (id(order), id(made)) {
            (Some(order), Some(made)) => update(store, order, made, body, now),
            _ => missing(),
        },
        _ => missing(),
    }
}

fn ok(body: Value) -> Answer {
    (StatusCode::OK, Some(body))
}

/// V2 answers an empty list with nothing.
fn list(entries: Vec<Value>) -> Answer {
    if entries.is_empty() { (StatusCode::NO_CONTENT, None) } else { ok(Value::Array(entries)) }
}

fn missing() -> Answer {
    let body = json!([{ "status": 404, "message": "The requested resource was not found." }]);
    (StatusCode::NOT_FOUND, Some(body))
}

fn refused((field, why): Refusal) -> Answer {
    let body = json!([{
        "status": 400,
        "message": format!("The field '{field}' is invalid."),
        "details": { "invalid_reason": why },
    }]);
    (StatusCode::BAD_REQUEST, Some(body))
}

/// The query, decoded; the error names a parameter that no list here knows.
fn parameters(query: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let mut all = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = ["sort", "limit", "page", "min_date_modified", "max_date_modified", "min_id", "max_id"];
        if !known.contains(&name) {
            return Err("query");
        }
        all.insert(name.to_owned(), decoded(value));
    }
    Ok(all)
}

/// `%2B` is a plus, and a plus is a blank.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(query: &BTreeMap<String, String>, name: &'static str) -> Result<Option<u64>, &'static str> {
    query.get(name).map(|text| text.parse().map_err(|_| name)).transpose()
}

fn page(entries: Vec<Value>, readings: Readings, query: &BTreeMap<String, String>) -> Vec<Value> {
    let figure = |name, default| number(query, name).ok().flatten().map_or(default, |figure| figure as usize);
    let limit = figure("limit", 50).min(readings.cap.unwrap_or(250));
    entries.into_iter().skip(limit * (figure("page", 1).max(1) - 1)).take(limit).collect()
}

fn orders(
    store: &Store,
    readings: Readings,
    query: &BTreeMap<String, String>,
) -> Result<Vec<Value>, &'static str> {
    let time = |name: &'static str| -> Result<Option<i64>, &'static str> {
        let read = |text: &String| chrono::DateTime::parse_from_rfc3339(text).map(|time| time.timestamp());
        query.get(name).map(|text| read(text).map_err(|_| name)).transpose()
    };
    let (from, to) = (time("min_date_modified")?, time("max_date_modified")?);
    let (least, most) = (number(query, "min_id")?, number(query, "max_id")?);
    let above = |bound: Option<i64>, it: i64| {
        bound.is_none_or(|bound| it > bound || it == bound && !readings.exclusive)
    };
    let below = |bound: Option<i64>, it: i64| {
        bound.is_none_or(|bound| it < bound || it == bound && !readings.exclusive)
    };
    let mut found: Vec<&FakeOrder> = store
        .orders
        .values()
        .filter(|order| readings.archived || !order.archived)
        .filter(|order| readings.indexed_until.is_none_or(|until| order.updated <= until))
        .filter(|order| above(from, order.updated.timestamp()) && below(to, order.updated.timestamp()))
        .filter(|order| {
            above(least.map(|id| id as i64), order.id as i64)
                && below(most.map(|id| id as i64), order.id as i64)
        })
        .collect();
    match query.get("sort").map(String::as_str) {
        // Equal stamps in no order that anyone promised: the latest placed first.
        Some("date_modified:asc") => {
            found.sort_by_key(|order| (order.updated.timestamp(), std::cmp::Reverse(order.id)));
        }
        Some("date_modified:desc") => found.sort_by_key(|order| std::cmp::Reverse(order.updated.timestamp())),
        Some("id:asc") | None => {}
        Some(_) => return Err("sort"),
    }
    let entries = found.into_iter().map(|order| spoil(order, "order", header(order))).collect();
    Ok(page(entries, readings, query))
}

fn spoil(order: &FakeOrder, what: &str, mut answer: Value) -> Value {
    for (_, pointer, value) in order.spoiled.iter().filter(|(resource, ..)| resource == what) {
        let place = pointer.rsplit_once('/').and_then(|(parent, key)| {
            let parent = answer.pointer_mut(parent)?.as_object_mut()?;
            Some((parent, key))
        });
        match place {
            // A value that no JSON has stands for a field that is not there.
            Some((parent, key)) if value == "(missing)" => drop(parent.remove(key)),
            Some((parent, key)) => drop(parent.insert(key.to_owned(), value.clone())),
            None => answer = value.clone(),
        }
    }
    answer
}

fn date(time: Timestamp) -> String {
    time.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The names of `GET /order_statuses`.
fn status_name(status: i64) -> &'static str {
    match status {
        0 => "Incomplete",
        1 => "Pending",
        2 => "Shipped",
        3 => "Partially Shipped",
        4 => "Refunded",
        5 => "Cancelled",
        6 => "Declined",
        7 => "Awaiting Payment",
        8 => "Awaiting Pickup",
        9 => "Awaiting Shipment",
        10 => "Completed",
        11 => "Awaiting Fulfillment",
        12 => "Manual Verification Required",
        13 => "Disputed",
        14 => "Partially Refunded",
        _ => "Something New",
    }
}

fn resource(order: &FakeOrder, what: &str) -> Value {
    json!({
        "url": format!("https://api.bigcommerce.com/stores/{}/v2/orders/{}/{what}", super::STORE, order.id),
        "resource": format!("/orders/{}/{what}", order.id),
    })
}

fn header(order: &FakeOrder) -> Value {
    let total: u32 = order.lines.iter().map(|line| line.quantity).sum();
    let shipped: u32 = order.lines.iter().map(|line| line.shipped).sum();
    let address = order.addresses.first().map(|(_, address)| address.clone()).unwrap_or_default();
    let mut billing = address_fields(&address, &order.email);
    billing["form_fields"] = json!([]);
    json!({
        "id": order.id,
        "customer_id": 20,
        "date_created": date(order.created),
        "date_modified": date(order.updated),
        "date_shipped": "",
        "status_id": order.status,
        "status": status_name(order.status),
        "custom_status": status_name(order.status),
        "subtotal_ex_tax": "336.3200",
        "total_inc_tax": "361.9500",
        "items_total": total,
        "items_shipped": shipped,
        "payment_method": "Credit Card",
        "payment_provider_id": "",
        "payment_status": order.payment_status,
        "refunded_amount": "0.0000",
        "order_is_digital": false,
        "currency_code": "USD",
        "default_currency_code": "USD",
        "staff_notes": "!".repeat(order.staff_notes as usize),
        "customer_message": order.note,
        "shipping_address_count": order.addresses.len(),
        "is_deleted": order.archived,
        "ebay_order_id": "0",
        "billing_address": billing,
        "order_source": "www",
        "channel_id": 1,
        "external_source": null,
        "external_id": null,
        "products": resource(order, "products"),
        "shipping_addresses": resource(order, "shippingaddresses"),
        "coupons": resource(order, "coupons"),
    })
}

fn address_fields(address: &FakeAddress, email: &str) -> Value {
    json!({
        "first_name": address.first_name, "last_name": address.last_name, "company": "",
        "street_1": address.street_1, "street_2": "", "city": address.city, "state": address.state,
        "zip": address.zip, "country": "United States", "country_iso2": address.country_iso2,
        "phone": "", "email": email,
    })
}

fn product(order: &FakeOrder, line: &FakeLine) -> Value {
    json!({
        "id": line.id,
        "order_id": order.id,
        "product_id": line.product,
        "variant_id": line.variant,
        "order_pickup_method_id": line.pickup,
        "order_address_id": line.address,
        "name": line.name,
        "name_customer": line.name,
        "name_merchant": line.name,
        "sku": line.sku,
        "upc": "",
        "type": line.kind,
        "base_price": "31.9500",
        "price_inc_tax": "37.2300",
        "quantity": line.quantity,
        "base_cost_price": "50.0000",
        "is_refunded": line.refunded > 0 && line.refunded == line.quantity,
        "quantity_refunded": line.refunded,
        "refund_amount": "0.0000",
        "return_id": 0,
        "wrapping_name": "",
        "quantity_shipped": line.shipped,
        "event_name": null,
        "event_date": null,
        "option_set_id": null,
        "parent_order_product_id": null,
        "is_bundled_product": false,
        "external_id": null,
        "applied_discounts": [],
        "product_options": [],
        "configurable_fields": [],
        "gift_certificate_id": null,
        "discounted_total_inc_tax": "37.2300",
    })
}

fn place(order: &FakeOrder, id: u64, address: &FakeAddress) -> Value {
    let mut value = address_fields(address, &order.email);
    let lines = || order.lines.iter().filter(|line| line.address == id);
    value["id"] = json!(id);
    value["order_id"] = json!(order.id);
    value["items_total"] = json!(lines().map(|line| line.quantity).sum::<u32>());
    value["items_shipped"] = json!(lines().map(|line| line.shipped).sum::<u32>());
    value["shipping_method"] = json!("Flat Rate");
    value["base_cost"] = json!("5.0000");
    value["cost_tax_class_id"] = json!(2);
    value["shipping_zone_id"] = json!(1);
    value["shipping_zone_name"] = json!("United States");
    value["shipping_quotes"] = resource(order, &format!("shippingaddresses/{id}/shippingquotes"));
    value["form_fields"] = json!([]);
    value
}

fn shipment(order: &FakeOrder, made: &FakeShipment) -> Value {
    let items: Vec<Value> = made
        .lines
        .iter()
        .map(|(line, quantity)| json!({ "order_product_id": line, "product_id": 0, "quantity": quantity }))
        .collect();
    let address = order.addresses.iter().find(|(id, _)| *id == made.address);
    let address = address.map(|(_, address)| address.clone()).unwrap_or_default();
    let generated = if made.link.is_empty() && !made.number.is_empty() {
        format!("https://track.aftership.com/{}", made.number)
    } else {
        String::new()
    };
    json!({
        "id": made.id,
        "order_id": order.id,
        "customer_id": 20,
        "order_address_id": made.address,
        "date_created": date(made.created),
        "tracking_number": made.number,
        "merchant_shipping_cost": "0.0000",
        "shipping_method": made.method,
        "comments": made.comments,
        "shipping_provider": made.provider,
        "tracking_carrier": made.carrier,
        "tracking_link": made.link,
        "billing_address": address_fields(&address, &order.email),
        "shipping_address": address_fields(&address, &order.email),
        "items": items,
        "shipping_provider_display_name": made.provider.to_uppercase(),
        "generated_tracking_link": generated,
    })
}

/// What a body says of the way; the error is the field that the contract bounds.
fn told(body: &Value) -> Result<Told, Refusal> {
    let text = |name: &'static str, longest: usize| match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= longest => Ok(Some(text.clone())),
        Value::String(_) => Err((name, format!("it is longer than {longest} characters"))),
        _ => Err((name, "it is no text".to_owned())),
    };
    Ok(Told {
        number: text("tracking_number", 50)?,
        provider: text("shipping_provider", 100)?,
        carrier: text("tracking_carrier", 100)?,
        link: text("tracking_link", 500)?,
        method: text("shipping_method", 250)?,
        comments: text("comments", 65_535)?,
    })
}

fn create(store: &mut Store, order: u64, body: &[u8], now: Timestamp) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let told = match told(&body) {
        Ok(told) => told,
        Err(refusal) => return refused(refusal),
    };
    let mut items = Vec::new();
    for item in body["items"].as_array().into_iter().flatten() {
        let quantity = item["quantity"].as_u64().and_then(|quantity| u32::try_from(quantity).ok());
        match (item["order_product_id"].as_u64(), quantity) {
            (Some(line), Some(quantity)) => items.push((line, quantity)),
            _ => return refused(("items", "an item cannot be read".to_owned())),
        }
    }
    let Some(address) = body["order_address_id"].as_u64() else {
        return refused(("order_address_id", "it is missing".to_owned()));
    };
    match store.ship(order, address, &items, told, now) {
        Ok(Some(made)) => match store.orders.get(&order) {
            Some(order) => (StatusCode::CREATED, Some(shipment(order, &made))),
            None => missing(),
        },
        Ok(None) => missing(),
        Err(refusal) => refused(refusal),
    }
}

fn update(store: &mut Store, order: u64, made: u64, body: &[u8], now: Timestamp) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let told = match told(&body) {
        Ok(told) => told,
        Err(refusal) => return refused(refusal),
    };
    let Some(order) = store.orders.get_mut(&order) else { return missing() };
    let Some(found) = order.shipments.iter_mut().find(|shipment| shipment.id == made) else {
        return missing();
    };
    told.apply(found);
    let found = found.clone();
    order.updated = now;
    ok(shipment(order, &found))
}
