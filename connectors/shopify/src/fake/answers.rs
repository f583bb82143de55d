//! The model's answers: exactly the fields that each operation asks for.

use sdk::Timestamp;
use serde_json::{Value, json};

use super::{
    model::{Asked, Refusal, Shop, Told},
    records::{FakeAddress, FakeFo, FakeFoLine, FakeFulfillment, FakeLine, FakeOrder},
};

/// Answers one operation.
pub(super) fn answer(
    shop: &mut Shop,
    scopes: &[String],
    operation: &str,
    variables: &Value,
    now: Timestamp,
) -> Value {
    match operation {
        "PortaldOrders" => orders(shop, scopes, variables),
        "PortaldChanges" => {
            let page = since(&variables["query"])
                .and_then(|since| fulfillment_orders(shop, scopes, since, 200, &variables["after"]));
            page.map_or_else(|refusal| refusal, |page| data(json!({ "fulfillmentOrders": page })))
        }
        "PortaldOrder" => data(json!({ "order": of(shop, variables).map(|order| whole(order, variables)) })),
        "PortaldOrderLines" => data(json!({ "order": of(shop, variables).map(|order| json!({
            "updatedAt": stamp(order.updated),
            "lineItems": connection(&order.lines, 100, variables["after"].as_str(), line),
        })) })),
        "PortaldFulfillmentOrders" => data(json!({ "order": of(shop, variables).map(|order| json!({
            "updatedAt": stamp(order.updated),
            "fulfillmentOrders": connection(&order.fulfillment_orders, 10, variables["after"].as_str(), |fo| {
                fulfillment_order(fo, 50)
            }),
        })) })),
        "PortaldFulfillmentOrderLines" => {
            let id = number(&variables["id"]);
            let fo = shop.orders.values().flat_map(|order| &order.fulfillment_orders).find(|fo| fo.id == id);
            data(json!({ "fulfillmentOrder": fo.map(|fo| json!({
                "lineItems": connection(&fo.lines, 100, variables["after"].as_str(), fo_line),
            })) }))
        }
        "PortaldFulfillments" => data(json!({ "order": of(shop, variables).map(|order| json!({
            "updatedAt": stamp(order.updated),
            "fulfillments": fulfillments(order, 250, 3),
        })) })),
        "PortaldFulfillmentLines" => {
            let id = number(&variables["id"]);
            let made = shop.orders.values().flat_map(|order| &order.fulfillments).find(|made| made.id == id);
            data(json!({ "fulfillment": made.map(|made| json!({
                "fulfillmentLineItems": connection(&made.lines, 100, variables["after"].as_str(), made_line),
            })) }))
        }
        "PortaldFulfillmentCreate" => create(shop, variables, now),
        "PortaldTrackingUpdate" => update(shop, variables, now),
        "PortaldFulfillmentCancel" => {
            let id = number(&variables["id"]);
            let payload = if shop.take_back(id, now) {
                payload("fulfillment", json!({ "id": variables["id"] }), None)
            } else {
                payload(
                    "fulfillment",
                    Value::Null,
                    Some((vec!["id".into()], "Fulfillment not found.".into())),
                )
            };
            data(json!({ "fulfillmentCancel": payload }))
        }
        "PortaldFulfillmentOrderSplit" => split(shop, variables, now),
        "PortaldRequests" => {
            let id = number(&variables["id"]);
            let found = shop.orders.values().find_map(|order| {
                order.fulfillment_orders.iter().find(|fo| fo.id == id).map(|fo| (order.id, fo))
            });
            data(json!({ "fulfillmentOrder": found.map(|(order, fo)| json!({
                "orderId": gid("Order", order), "status": fo.status, "requestStatus": fo.request_status,
                "merchantRequests": requests(fo, 10),
            })) }))
        }
        "PortaldAcceptCancellation" => {
            answered(shop, scopes, "fulfillmentOrderAcceptCancellationRequest", variables, true, now)
        }
        "PortaldRejectCancellation" => {
            answered(shop, scopes, "fulfillmentOrderRejectCancellationRequest", variables, false, now)
        }
        "PortaldCheck" => {
            let scopes: Vec<Value> = scopes.iter().map(|scope| json!({ "handle": scope })).collect();
            data(json!({
                "shop": { "name": "Bluefin Outdoors", "myshopifyDomain": "bluefin.myshopify.com" },
                "currentAppInstallation": { "accessScopes": scopes },
                "publicApiVersions": [
                    { "handle": "2026-07", "supported": true }, { "handle": "2026-10", "supported": true },
                    { "handle": "unstable", "supported": false },
                ],
            }))
        }
        "PortaldLocation" => {
            if !scopes.iter().any(|scope| scope == "read_locations") {
                return json!({ "data": { "location": null }, "errors": [{
                    "message": "Access denied for isActive field. Required access: `read_locations` access scope.",
                    "path": ["location", "isActive"],
                    "extensions": { "code": "ACCESS_DENIED" },
                }] });
            }
            let known = number(&variables["id"]) == super::LOCATION;
            data(json!({ "location": known.then(|| json!({ "name": "Main warehouse", "isActive": true })) }))
        }
        unknown => json!({ "errors": [{
            "message": format!("No operation named \"{unknown}\""),
            "extensions": { "code": "undefinedOperation" },
        }] }),
    }
}

pub(super) fn data(data: Value) -> Value {
    json!({ "data": data })
}

fn payload(field: &str, value: Value, refusal: Option<Refusal>) -> Value {
    let errors: Vec<Value> = refusal
        .into_iter()
        .map(|(path, message)| {
            let path = if path.is_empty() { Value::Null } else { json!(path) };
            json!({ "field": path, "message": message })
        })
        .collect();
    json!({ field: value, "userErrors": errors })
}

pub(super) fn number(gid: &Value) -> u64 {
    gid.as_str().and_then(|gid| gid.rsplit('/').next()?.parse().ok()).unwrap_or(0)
}

fn of<'a>(shop: &'a Shop, variables: &Value) -> Option<&'a FakeOrder> {
    shop.orders.get(&number(&variables["id"]))
}

pub(super) fn stamp(time: Timestamp) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn gid(kind: &str, id: u64) -> String {
    format!("gid://shopify/{kind}/{id}")
}

/// A page of a list inside an order; its cursors are places.
fn connection<T>(all: &[T], first: u64, after: Option<&str>, node: impl Fn(&T) -> Value) -> Value {
    let from = after.and_then(|after| after.strip_prefix("at-")?.parse::<usize>().ok()).unwrap_or(0);
    let to = all.len().min(from + first as usize);
    let nodes: Vec<Value> = all.get(from..to).unwrap_or_default().iter().map(node).collect();
    let end = (!nodes.is_empty()).then(|| format!("at-{to}"));
    json!({ "nodes": nodes, "pageInfo": { "hasNextPage": to < all.len(), "endCursor": end } })
}

/// The time of a search for what changed at or after it; the error is the shop's.
fn since(query: &Value) -> Result<Option<Timestamp>, Value> {
    let Some(query) = query.as_str() else { return Ok(None) };
    let bound = query.strip_prefix("updated_at:>='").and_then(|rest| rest.strip_suffix('\''));
    match bound.and_then(|bound| chrono::DateTime::parse_from_rfc3339(bound).ok()) {
        Some(time) => Ok(Some(time.to_utc())),
        None => {
            Err(json!({ "errors": [{ "message": format!("the model does not know the query {query}") }] }))
        }
    }
}

/// A page of what changed, oldest change first; a cursor names the change and the id that it stands behind, as
/// Shopify's do.
fn changed<T>(
    mut found: Vec<T>,
    key: impl Fn(&T) -> (i64, u64),
    first: u64,
    after: &Value,
    node: impl Fn(T) -> Value,
) -> Value {
    let after = after.as_str().and_then(|after| {
        let (seconds, id) = after.strip_prefix("after-")?.split_once('-')?;
        Some((seconds.parse::<i64>().ok()?, id.parse::<u64>().ok()?))
    });
    found.retain(|it| after.is_none_or(|after| key(it) > after));
    found.sort_by_key(&key);
    let more = found.len() as u64 > first;
    found.truncate(first as usize);
    let end = found.last().map(|it| {
        let (seconds, id) = key(it);
        format!("after-{seconds}-{id}")
    });
    let nodes: Vec<Value> = found.into_iter().map(node).collect();
    json!({ "nodes": nodes, "pageInfo": { "hasNextPage": more, "endCursor": end } })
}

fn orders(shop: &Shop, scopes: &[String], variables: &Value) -> Value {
    let since = match since(&variables["query"]) {
        Ok(since) => since,
        Err(refusal) => return refusal,
    };
    let indexed = |order: &&FakeOrder| shop.indexed_until.is_none_or(|until| order.updated <= until);
    let found: Vec<&FakeOrder> = shop
        .orders
        .values()
        .filter(indexed)
        .filter(|order| since.is_none_or(|since| order.updated >= since))
        .collect();
    let first = variables["first"].as_u64().unwrap_or(0).min(250);
    let page = changed(
        found,
        |order| (order.updated.timestamp(), order.id),
        first,
        &variables["after"],
        |order| whole(order, variables),
    );
    if variables["changes"] != json!(true) {
        return data(json!({ "orders": page }));
    }
    match fulfillment_orders(shop, scopes, since, 50, &Value::Null) {
        Ok(changes) => data(json!({ "orders": page, "fulfillmentOrders": changes })),
        Err(refusal) => refusal,
    }
}

/// Changed fulfillment orders by their orders. Without a scope nothing of the whole question is answered, since the field
/// may not be null.
fn fulfillment_orders(
    shop: &Shop,
    scopes: &[String],
    since: Option<Timestamp>,
    first: u64,
    after: &Value,
) -> Result<Value, Value> {
    if !scopes.iter().any(|scope| scope.ends_with("_fulfillment_orders")) {
        return Err(json!({ "data": null, "errors": [{
            "message": "Access denied for fulfillmentOrders field.",
            "path": ["fulfillmentOrders"],
            "extensions": { "code": "ACCESS_DENIED" },
        }] }));
    }
    let found: Vec<(&FakeOrder, &FakeFo)> = shop
        .orders
        .values()
        .flat_map(|order| order.fulfillment_orders.iter().map(move |fo| (order, fo)))
        .filter(|(_, fo)| since.is_none_or(|since| fo.updated >= since))
        .collect();
    Ok(changed(
        found,
        |(_, fo)| (fo.updated.timestamp(), fo.id),
        first,
        after,
        |(order, _)| json!({ "order": { "id": gid("Order", order.id), "updatedAt": stamp(order.updated) } }),
    ))
}

fn whole(order: &FakeOrder, variables: &Value) -> Value {
    let first = |name: &str| variables[name].as_u64().unwrap_or(0);
    let address = order.address.as_ref().map(address);
    json!({
        "id": gid("Order", order.id),
        "name": order.name,
        "createdAt": stamp(order.created),
        "updatedAt": stamp(order.updated),
        "cancelledAt": order.cancelled.map(stamp),
        "cancelReason": order.reason,
        "edited": order.edited,
        "test": order.test,
        "note": order.note,
        "email": order.email,
        "displayFinancialStatus": order.financial,
        "risk": { "recommendation": order.risk },
        "disputes": order.disputes.iter().map(|(kind, status)| json!({
            "initiatedAs": kind, "status": status,
        })).collect::<Vec<_>>(),
        "shippingAddress": address,
        "billingAddress": address,
        "shippingLine": { "title": "Standard" },
        "lineItems": connection(&order.lines, first("lines"), None, line),
        "fulfillmentOrders": connection(&order.fulfillment_orders, first("fulfillmentOrders"), None, |fo| {
            fulfillment_order(fo, first("fulfillmentOrderLines"))
        }),
        "fulfillments": fulfillments(order, first("fulfillments"), first("fulfillmentLines")),
    })
}

fn address(address: &FakeAddress) -> Value {
    let (given, family) = address.name.split_once(' ').unwrap_or((&address.name, ""));
    json!({
        "name": address.name, "firstName": given, "lastName": family, "company": null,
        "address1": address.address1, "address2": null, "city": address.city, "province": null,
        "provinceCode": address.province_code, "zip": address.zip, "countryCodeV2": address.country_code,
        "country": null, "phone": null,
    })
}

fn line(line: &FakeLine) -> Value {
    json!({
        "id": gid("LineItem", line.id),
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "currentQuantity": line.current,
        "requiresShipping": line.requires_shipping,
        "isGiftCard": line.gift_card,
        "product": line.product.then(|| json!({ "id": gid("Product", line.id) })),
    })
}

fn fulfillment_order(fo: &FakeFo, lines: u64) -> Value {
    let holds: Vec<Value> = fo
        .holds
        .iter()
        .map(|(reason, notes)| json!({ "displayReason": reason, "reasonNotes": notes }))
        .collect();
    json!({
        "id": gid("FulfillmentOrder", fo.id),
        "status": fo.status,
        "requestStatus": fo.request_status,
        "createdAt": stamp(fo.created),
        "merchantRequests": requests(fo, 2),
        "fulfillAt": fo.fulfill_at.map(stamp),
        "fulfillmentHolds": holds,
        "assignedLocation": { "location": { "id": gid("Location", fo.location) } },
        "deliveryMethod": { "methodType": fo.method },
        "lineItems": connection(&fo.lines, lines, None, fo_line),
    })
}

/// The newest of a fulfillment order's requests. Recorded: `responseData` is null on answered ones as well.
fn requests(fo: &FakeFo, last: usize) -> Value {
    let from = fo.requests.len().saturating_sub(last);
    let nodes: Vec<Value> = fo.requests[from..]
        .iter()
        .map(|request| {
            json!({
                "id": gid("FulfillmentOrderMerchantRequest", request.id),
                "kind": request.kind,
                "message": request.message,
                "sentAt": stamp(request.at),
                "responseData": null,
            })
        })
        .collect();
    json!({ "nodes": nodes })
}

/// The service's answer to a cancellation request. Recorded: an id that is none fails the whole field; a scope that lacks
/// does so too.
fn answered(
    shop: &mut Shop,
    scopes: &[String],
    field: &str,
    variables: &Value,
    accept: bool,
    now: Timestamp,
) -> Value {
    let fail = |message: String, code: &str| json!({ "data": { field: null }, "errors": [{ "message": message, "path": [field], "extensions": { "code": code } }] });
    if !scopes.iter().any(|scope| scope == "write_assigned_fulfillment_orders") {
        return fail(
            format!(
                "Access denied for {field} field. Required access: `write_assigned_fulfillment_orders` access scope."
            ),
            "ACCESS_DENIED",
        );
    }
    let id = number(&variables["id"]);
    if shop.owner_of_fo(id).is_none() {
        return fail(
            format!("Invalid id: {}", variables["id"].as_str().unwrap_or_default()),
            "RESOURCE_NOT_FOUND",
        );
    }
    let payload = match shop.answer_cancellation(id, accept, now) {
        Ok(()) => json!({ "userErrors": [] }),
        Err((_, message)) => json!({ "userErrors": [{ "field": null, "message": message }] }),
    };
    data(json!({ field: payload }))
}

fn fo_line(line: &FakeFoLine) -> Value {
    json!({
        "id": gid("FulfillmentOrderLineItem", line.id),
        "remainingQuantity": line.remaining,
        "lineItem": { "id": gid("LineItem", line.line) },
    })
}

fn fulfillments(order: &FakeOrder, first: u64, lines: u64) -> Value {
    let made = order.fulfillments.iter().take(first as usize).map(|made| {
        let mut value = fulfillment(made);
        value["fulfillmentLineItems"] = connection(&made.lines, lines, None, made_line);
        value
    });
    Value::Array(made.collect())
}

fn made_line((line, quantity): &(u64, i64)) -> Value {
    json!({ "quantity": quantity, "lineItem": { "id": gid("LineItem", *line) } })
}

fn fulfillment(made: &FakeFulfillment) -> Value {
    let rows = made.numbers.len().max(usize::from(!made.urls.is_empty()));
    let tracking: Vec<Value> = (0..rows)
        .map(
            |at| json!({ "company": made.company, "number": made.numbers.get(at), "url": made.urls.get(at) }),
        )
        .collect();
    json!({
        "id": gid("Fulfillment", made.id),
        "status": made.status,
        "createdAt": stamp(made.created),
        "trackingInfo": tracking,
    })
}

fn told(input: &Value, notify: bool) -> Told {
    let texts = |one: &str, many: &str| {
        let many = input[many].as_array().into_iter().flatten();
        input[one].as_str().into_iter().chain(many.filter_map(Value::as_str)).map(str::to_owned).collect()
    };
    Told {
        company: input["company"].as_str().map(str::to_owned),
        numbers: texts("number", "numbers"),
        urls: texts("url", "urls"),
        notify,
    }
}

fn quantities(lines: &Value) -> Option<Vec<(u64, i64)>> {
    let lines = lines.as_array()?;
    Some(lines.iter().map(|line| (number(&line["id"]), line["quantity"].as_i64().unwrap_or(0))).collect())
}

fn create(shop: &mut Shop, variables: &Value, now: Timestamp) -> Value {
    let input = &variables["fulfillment"];
    let groups = input["lineItemsByFulfillmentOrder"].as_array().map(Vec::as_slice).unwrap_or_default();
    let asked: Vec<Asked> = groups
        .iter()
        .map(|group| Asked {
            fo: number(&group["fulfillmentOrderId"]),
            lines: quantities(&group["fulfillmentOrderLineItems"]),
        })
        .collect();
    let told = told(&input["trackingInfo"], input["notifyCustomer"].as_bool().unwrap_or(false));
    let payload = match shop.fulfil(&asked, &told, now) {
        Ok(made) => payload("fulfillment", fulfillment(&made), None),
        Err(refusal) => payload("fulfillment", Value::Null, Some(refusal)),
    };
    data(json!({ "fulfillmentCreate": payload }))
}

fn update(shop: &mut Shop, variables: &Value, now: Timestamp) -> Value {
    let id = number(&variables["fulfillmentId"]);
    let notify = variables["notifyCustomer"].as_bool().unwrap_or(false);
    let told = told(&variables["trackingInfoInput"], notify);
    let order = shop.owner_of(id).and_then(|owner| shop.orders.get_mut(&owner));
    let refusal = (vec!["fulfillmentId".to_owned()], "Fulfillment does not exist.".to_owned());
    let payload = match order {
        None => payload("fulfillment", Value::Null, Some(refusal)),
        Some(order) => {
            order.updated = now;
            for made in order.fulfillments.iter_mut().filter(|made| made.id == id) {
                made.company.clone_from(&told.company);
                made.numbers.clone_from(&told.numbers);
                made.urls.clone_from(&told.urls);
                made.mails += u32::from(notify);
            }
            payload("fulfillment", json!({ "id": variables["fulfillmentId"] }), None)
        }
    };
    data(json!({ "fulfillmentTrackingInfoUpdate": payload }))
}

fn split(shop: &mut Shop, variables: &Value, now: Timestamp) -> Value {
    let mut made = Vec::new();
    for group in variables["splits"].as_array().into_iter().flatten() {
        let lines = quantities(&group["fulfillmentOrderLineItems"]).unwrap_or_default();
        match shop.split(number(&group["fulfillmentOrderId"]), &lines, now) {
            Ok(_) => made.push(json!({ "fulfillmentOrder": { "id": group["fulfillmentOrderId"] } })),
            Err(refusal) => {
                return data(json!({
                    "fulfillmentOrderSplit": payload("fulfillmentOrderSplits", Value::Null, Some(refusal)),
                }));
            }
        }
    }
    data(json!({ "fulfillmentOrderSplit": payload("fulfillmentOrderSplits", Value::Array(made), None) }))
}
