//! The model's answers about variants and stock. What the recordings do not show follows the schema's words, and where
//! these are silent a guess that is named as one.

use std::ops::Bound;

use serde_json::{Value, json};

use super::{
    answers::{data, gid, number, stamp},
    catalogue::{Catalogue, FakeKey, FakeLevel, FakeStockWrite, FakeVariant},
};

/// Objects of one question, cursor by cursor.
const MOST_OBJECTS: u64 = 25_000;

/// Recorded: the reasons that are taken.
const REASONS: [&str; 17] = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
];

/// What a question costs: an object a point, a list of `n` two and `2 ln n` of its items; a mutation ten.
pub(super) fn price(operation: &str, variables: &Value) -> Option<f64> {
    let items = |each: f64| {
        let size = variables["first"].as_f64().unwrap_or(1.0);
        2.0 + (2.0 * size.ln()).floor().max(1.0) * each
    };
    match operation {
        "PortaldVariants" => Some(items(4.0)),
        "PortaldVariantsAlone" => Some(items(3.0)),
        "PortaldStock" => Some(3.0),
        _ => None,
    }
}

/// Answers one operation, if it is about variants or stock.
pub(super) fn answer(catalogue: &mut Catalogue, scopes: &[String], body: &Value) -> Option<Value> {
    let variables = &body["variables"];
    let has = |names: &[&str]| scopes.iter().any(|scope| names.contains(&scope.as_str()));
    let reads_stock = has(&["read_inventory", "write_inventory"]);
    match body["operationName"].as_str()? {
        "PortaldVariants" | "PortaldVariantsAlone" if !has(&["read_products", "write_products"]) => {
            let mut denied = denied("productVariants", "read_products");
            denied["data"] = Value::Null;
            Some(denied)
        }
        "PortaldVariants" => {
            let location = number(&variables["location"]);
            let page = variants(catalogue, variables, |variant| {
                let mut node = plain(variant);
                let level = variant.levels.get(&location).filter(|_| reads_stock);
                node["inventoryItem"]["inventoryLevel"] =
                    json!(level.map(|level| json!({ "isActive": level.active })));
                node
            });
            Some(if reads_stock { page } else { beside(page) })
        }
        "PortaldVariantsAlone" => Some(variants(catalogue, variables, plain)),
        "PortaldStock" => {
            let location = number(&variables["location"]);
            let nodes: Vec<Value> = variables["ids"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|id| {
                    let variant = catalogue.by_item(number(id))?;
                    let level = variant.levels.get(&location).filter(|_| reads_stock);
                    Some(json!({
                        "id": id, "tracked": variant.tracked, "inventoryLevel": level.map(shown),
                    }))
                })
                .map(Option::unwrap_or_default)
                .collect();
            let answer = data(json!({ "nodes": nodes }));
            Some(if reads_stock { answer } else { beside(answer) })
        }
        "PortaldSetStock" if !has(&["write_inventory"]) => {
            Some(denied("inventorySetQuantities", "write_inventory"))
        }
        "PortaldSetStock" => Some(set(catalogue, body)),
        _ => None,
    }
}

fn shown(level: &FakeLevel) -> Value {
    json!({
        "isActive": level.active,
        "quantities": [{ "name": "available", "quantity": level.available }],
    })
}

fn denied(field: &str, scope: &str) -> Value {
    json!({ "data": { field: null }, "errors": [{
        "message": format!("Access denied for {field} field. Required access: `{scope}` access scope."),
        "path": [field],
        "extensions": { "code": "ACCESS_DENIED" },
    }] })
}

/// A field that may be null is, beside the error that says why.
fn beside(mut answer: Value) -> Value {
    answer["errors"] = denied("inventoryLevel", "read_inventory")["errors"].clone();
    answer
}

fn plain(variant: &FakeVariant) -> Value {
    json!({
        "id": gid("ProductVariant", variant.id),
        "sku": variant.sku,
        "title": variant.option,
        "updatedAt": stamp(variant.updated),
        "requiresComponents": variant.bundle,
        "product": { "title": variant.title },
        "inventoryItem": { "id": gid("InventoryItem", variant.item), "tracked": variant.tracked },
    })
}

/// A page by id; a cursor names the id that it stands behind, and how many were before it.
fn variants(catalogue: &Catalogue, variables: &Value, node: impl Fn(&FakeVariant) -> Value) -> Value {
    let refuse = |message: String| json!({ "errors": [{ "message": message }] });
    let anchor = match variables["query"].as_str() {
        None => 0,
        Some(query) => match query.strip_prefix("id:>").and_then(|id| id.parse().ok()) {
            Some(id) => id,
            None => return refuse(format!("the model does not know the query {query}")),
        },
    };
    let cursor = variables["after"].as_str().and_then(|after| {
        let (id, seen) = after.strip_prefix("after-")?.split_once('-')?;
        Some((id.parse::<u64>().ok()?, seen.parse::<u64>().ok()?))
    });
    let (after, seen) = cursor.unwrap_or((anchor, 0));
    let first = variables["first"].as_u64().unwrap_or(0).min(250);
    if seen + first > MOST_OBJECTS {
        return refuse(format!("no more than {MOST_OBJECTS} objects"));
    }
    let mut rest = catalogue.variants.range((Bound::Excluded(after.max(anchor)), Bound::Unbounded));
    let found: Vec<&FakeVariant> = rest.by_ref().take(first as usize).map(|(_, variant)| variant).collect();
    let end = found.last().map(|last| format!("after-{}-{}", last.id, seen + found.len() as u64));
    let nodes: Vec<Value> = found.into_iter().map(node).collect();
    data(json!({ "productVariants": {
        "nodes": nodes, "pageInfo": { "hasNextPage": rest.next().is_some(), "endCursor": end },
    } }))
}

/// A refusal: field, message, code.
fn error(field: Value, message: &str, code: Option<&str>) -> Value {
    json!({ "field": field, "message": message, "code": code })
}

/// `inventorySetQuantities`.
fn set(catalogue: &mut Catalogue, body: &Value) -> Value {
    let (input, key) = (&body["variables"]["input"], body["variables"]["key"].as_str().unwrap_or_default());
    let quantities = input["quantities"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some((message, code)) = malformed(body, quantities) {
        return json!({ "data": { "inventorySetQuantities": null }, "errors": [{
            "message": message, "path": ["inventorySetQuantities"], "extensions": { "code": code },
        }] });
    }
    let answered = |errors: Vec<Value>| data(json!({ "inventorySetQuantities": { "userErrors": errors } }));
    let of_key = |message: &str, code: &str| answered(vec![error(Value::Null, message, Some(code))]);
    if catalogue.busy > 0 {
        catalogue.busy -= 1;
        return of_key(
            "This request is currently in progress, please try again.",
            "IDEMPOTENCY_CONCURRENT_REQUEST",
        );
    }
    match catalogue.keys.get(key) {
        Some(used) if used.input != *input => {
            return of_key(
                "The same idempotency key cannot be used with different operation parameters.",
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
            );
        }
        Some(used) if used.failed && !catalogue.repeats_refusals => {
            return of_key(
                "A previous request with this idempotency key failed. Retry with a new idempotency key.",
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
            );
        }
        Some(used) => return used.answer.clone(),
        None => {}
    }
    // What is wrong with the request itself is found before anything is compared.
    let mut errors = refusals(catalogue, input, quantities);
    if errors.is_empty() || catalogue.sets_the_rest {
        errors.extend(stale(catalogue, quantities));
    }
    let failed = !errors.is_empty();
    for (at, quantity) in quantities.iter().enumerate() {
        let named = errors.iter().any(|error| error["field"][2] == json!(at.to_string()));
        let batch = errors.iter().any(|error| error["field"][1] != json!("quantities"));
        if !failed || (catalogue.sets_the_rest && !named && !batch) {
            apply(catalogue, quantity);
        }
    }
    let answer = answered(errors);
    let used = FakeKey { input: input.clone(), answer: answer.clone(), failed };
    catalogue.keys.insert(key.to_owned(), used);
    answer
}

/// What leaves the field null. Recorded, but for the size.
fn malformed(body: &Value, quantities: &[Value]) -> Option<(String, &'static str)> {
    let query = body["query"].as_str().unwrap_or_default();
    if !query.contains("inventorySetQuantities(input: $input) @idempotent(key: $key)") {
        let message = "The @idempotent directive is required for this mutation but was not provided.";
        return Some((message.to_owned(), "BAD_REQUEST"));
    }
    if quantities.iter().any(|quantity| quantity.get("changeFromQuantity").is_none()) {
        let message = "InventoryQuantityInput must include the following argument: changeFromQuantity.";
        return Some((message.to_owned(), "INVALID_FIELD_ARGUMENTS"));
    }
    let size = quantities.len();
    let message = || format!("The input array size of {size} is greater than the maximum allowed of 250.");
    (size > 250).then(|| (message(), "MAX_INPUT_SIZE_EXCEEDED"))
}

/// Recorded words and places, but for bundles (the schema's) and for items that are not stocked there: the schema has no
/// word for these since 2026-04, so the model refuses without one. A guess.
fn refusals(catalogue: &Catalogue, input: &Value, quantities: &[Value]) -> Vec<Value> {
    let field = |names: &[&str]| json!(std::iter::once(&"input").chain(names).collect::<Vec<_>>());
    if input["name"] != "available" && input["name"] != "on_hand" {
        let message = "The quantity name must be either 'available' or 'on_hand'.";
        return vec![error(field(&["name"]), message, Some("INVALID_NAME"))];
    }
    if !input["reason"].as_str().is_some_and(|reason| REASONS.contains(&reason)) {
        return vec![error(field(&["reason"]), "The specified reason is invalid.", Some("INVALID_REASON"))];
    }
    let uri = input["referenceDocumentUri"].as_str().is_none_or(|uri| {
        uri.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.ends_with('/'))
    });
    if !uri {
        let message = "The specified reference document is invalid.";
        return vec![error(field(&["referenceDocumentUri"]), message, Some("INVALID_REFERENCE_DOCUMENT"))];
    }
    let mut errors = Vec::new();
    for (at, quantity) in quantities.iter().enumerate() {
        let at = at.to_string();
        let mut refuse = |name: &str, message: &str, code: Option<&str>| {
            errors.push(error(field(&["quantities", &at, name]), message, code));
        };
        let same = |other: &&Value| {
            other["inventoryItemId"] == quantity["inventoryItemId"]
                && other["locationId"] == quantity["locationId"]
        };
        if quantities.iter().filter(same).count() > 1 {
            let message = "The combination of inventoryItemId and locationId must be unique.";
            refuse("locationId", message, Some("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"));
        }
        let location = number(&quantity["locationId"]);
        let variant = catalogue.by_item(number(&quantity["inventoryItemId"]));
        if variant.is_none() {
            let message = "The specified inventory item could not be found.";
            refuse("inventoryItemId", message, Some("INVALID_INVENTORY_ITEM"));
        }
        if !catalogue.has_location(location) {
            let message = "The specified location could not be found.";
            refuse("locationId", message, Some("INVALID_LOCATION"));
        } else if variant.is_some_and(|variant| !variant.levels.contains_key(&location)) {
            refuse("locationId", "The specified inventory item is not stocked at the location.", None);
        }
        if variant.is_some_and(|variant| variant.bundle) {
            let message = "The specified inventory item is not allowed to be adjusted via API.";
            refuse("inventoryItemId", message, Some("NON_MUTABLE_INVENTORY_ITEM"));
        }
        let units = quantity["quantity"].as_i64().unwrap_or(0);
        if units > 1_000_000_000 {
            let message = "The quantity can't be higher than 1,000,000,000.";
            refuse("quantity", message, Some("INVALID_QUANTITY_TOO_HIGH"));
        }
        if units < -1_000_000_000 {
            let message = "The quantity can't be lower than -1,000,000,000.";
            refuse("quantity", message, Some("INVALID_QUANTITY_TOO_LOW"));
        }
    }
    errors
}

/// The word is the schema's; that it names the field is a guess, after the others.
fn stale(catalogue: &Catalogue, quantities: &[Value]) -> Vec<Value> {
    let mut errors = Vec::new();
    for (at, quantity) in quantities.iter().enumerate() {
        let there = catalogue
            .by_item(number(&quantity["inventoryItemId"]))
            .and_then(|variant| variant.levels.get(&number(&quantity["locationId"])))
            .map(|level| level.available);
        if quantity["changeFromQuantity"].as_i64().is_some_and(|from| Some(from) != there) {
            let field = json!(["input", "quantities", at.to_string(), "changeFromQuantity"]);
            let message = "The changeFromQuantity value does not match persisted value.";
            errors.push(error(field, message, Some("CHANGE_FROM_QUANTITY_STALE")));
        }
    }
    errors
}

fn apply(catalogue: &mut Catalogue, quantity: &Value) {
    let (item, location) = (number(&quantity["inventoryItemId"]), number(&quantity["locationId"]));
    let after = quantity["quantity"].as_i64().unwrap_or(0);
    let Some(id) = catalogue.items.get(&item) else { return };
    let Some(level) = catalogue.variants.get_mut(id).and_then(|it| it.levels.get_mut(&location)) else {
        return;
    };
    let before = std::mem::replace(&mut level.available, after);
    let item = sdk::RemoteId(item.to_string());
    catalogue.writes.push(FakeStockWrite { item, location, before, after });
}
