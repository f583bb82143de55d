//! The model's answers about products and stock, field by field as in `products_catalog.v3.yml`,
//! `product-variants_catalog.v3.yml` and `inventory.v3.yml`.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    answers::{Answer, Readings, decoded},
    goods::{FakeProduct, FakeVariant, Goods, Holder},
};

/// How much of a refusal the model names: the contract's example names one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Every item that is refused.
    #[default]
    All,
    /// The first of them.
    First,
    /// None: words alone.
    Nothing,
}

/// The most items of one adjustment.
const MOST: usize = 2_000;

type Query = BTreeMap<String, String>;

/// Answers a request for what is below `v3`.
pub(super) fn answer(
    goods: &mut Goods,
    readings: Readings,
    method: &Method,
    parts: &[&str],
    query: &str,
    body: &[u8],
) -> Answer {
    let get = method == Method::GET;
    let query: Query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let answered = match parts {
        ["catalog", "products"] if get => products(goods, readings, &query),
        ["catalog", "variants"] if get => variants(goods, readings, &query),
        ["inventory", "items"] if get => items(goods, readings, &query),
        ["inventory", "locations", location, "items"] if get => {
            location_items(goods, readings, location, &query)
        }
        ["inventory", "adjustments", "absolute"] if method == Method::PUT => adjust(goods, readings, body),
        _ => Err((StatusCode::NOT_FOUND, "The requested resource was not found.".to_owned())),
    };
    match answered {
        Ok(body) => (StatusCode::OK, Some(body)),
        Err((status, title)) => (status, Some(problem(status, &title))),
    }
}

type Outcome = Result<Value, (StatusCode, String)>;

fn problem(status: StatusCode, title: &str) -> Value {
    json!({
        "status": status.as_u16(),
        "title": title,
        "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes",
        "errors": {},
    })
}

fn refuse<T>(title: impl Into<String>) -> Result<T, (StatusCode, String)> {
    Err((StatusCode::UNPROCESSABLE_ENTITY, title.into()))
}

/// Only what a list knows may be asked for.
fn knows(query: &Query, names: &[&str]) -> Result<(), (StatusCode, String)> {
    match query.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => refuse(format!("The filter {name} is not known.")),
        None => Ok(()),
    }
}

fn number(query: &Query, name: &str) -> Result<Option<u64>, (StatusCode, String)> {
    match query.get(name).map(|text| text.parse()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => refuse(format!("{name} cannot be read.")),
    }
}

/// A list of numbers in one parameter.
fn numbers(query: &Query, name: &str) -> Result<Option<BTreeSet<u64>>, (StatusCode, String)> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match text.split(',').map(str::parse).collect() {
        Ok(numbers) => Ok(Some(numbers)),
        Err(_) => refuse(format!("{name} cannot be read.")),
    }
}

/// A page, with what is told of the whole.
fn page<T>(
    all: Vec<T>,
    readings: Readings,
    query: &Query,
    largest: u64,
    show: impl Fn(T) -> Value,
) -> Outcome {
    let limit =
        number(query, "limit")?.unwrap_or(50).clamp(1, readings.cap.map_or(largest, |cap| cap as u64));
    let at = number(query, "page")?.unwrap_or(1).max(1);
    let total = all.len() as u64;
    let shown = all.into_iter().skip((limit * (at - 1)) as usize).take(limit as usize);
    let data: Vec<Value> = shown.map(show).collect();
    let pagination = json!({
        "total": total,
        "count": data.len(),
        "per_page": limit,
        "current_page": at,
        "total_pages": total.div_ceil(limit),
        "links": { "current": format!("?limit={limit}&page={at}") },
    });
    let meta = if readings.untold { json!({}) } else { json!({ "pagination": pagination }) };
    Ok(json!({ "data": data, "meta": meta }))
}

/// "The ID and the specified fields will be returned."
fn fields(query: &Query, mut entry: Value) -> Value {
    if let (Some(wanted), Some(fields)) = (query.get("include_fields"), entry.as_object_mut()) {
        let wanted: Vec<&str> = wanted.split(',').collect();
        fields.retain(|name, _| name == "id" || wanted.contains(&name.as_str()));
    }
    entry
}

fn products(goods: &Goods, readings: Readings, query: &Query) -> Outcome {
    knows(query, &["include_fields", "sort", "direction", "id:greater", "limit", "page"])?;
    let after = number(query, "id:greater")?.unwrap_or(0);
    let mut found: Vec<(&u64, &FakeProduct)> = goods.products.iter().filter(|(id, _)| **id > after).collect();
    // In no order that anyone promised, unless it is asked for.
    if query.get("sort").map(String::as_str) != Some("id") {
        found.reverse();
    }
    if query.get("direction").map(String::as_str) == Some("desc") {
        found.reverse();
    }
    let bases = goods.variants.values().filter(|variant| variant.labels.is_empty());
    let skus: BTreeMap<u64, &str> = bases.map(|base| (base.product, base.sku.as_str())).collect();
    page(found, readings, query, 250, |(id, product)| {
        let entry = json!({
            "id": id,
            "name": product.name,
            "type": "physical",
            "sku": skus.get(id).copied().unwrap_or_default(),
            "inventory_tracking": product.tracking.word(),
            "is_visible": true,
        });
        fields(query, entry)
    })
}

fn variants(goods: &Goods, readings: Readings, query: &Query) -> Outcome {
    knows(query, &["id", "sku", "include_fields", "product_id:in", "limit", "page"])?;
    let wanted = numbers(query, "product_id:in")?;
    let found = goods
        .variants
        .values()
        .filter(|variant| wanted.as_ref().is_none_or(|wanted| wanted.contains(&variant.product)));
    page(found.collect(), readings, query, 250, |variant| {
        let options: Vec<Value> = variant
            .labels
            .iter()
            .map(|label| json!({ "id": 7, "option_id": 3, "option_display_name": "Kind", "label": label }))
            .collect();
        let entry = json!({
            "id": variant.id,
            "product_id": variant.product,
            "sku": variant.sku,
            "purchasing_disabled": false,
            "option_values": options,
        });
        fields(query, entry)
    })
}

/// The items that a question means.
fn asked<'g>(
    goods: &'g Goods,
    query: &Query,
) -> Result<Vec<(Holder, &'g FakeVariant)>, (StatusCode, String)> {
    let (variants, products) = (numbers(query, "variant_id:in")?, numbers(query, "product_id:in")?);
    let skus: Option<Vec<&str>> = query.get("sku:in").map(|list| list.split(',').collect());
    let mut items = goods.items();
    items.retain(|(_, variant)| {
        variants.as_ref().is_none_or(|wanted| wanted.contains(&variant.id))
            && products.as_ref().is_none_or(|wanted| wanted.contains(&variant.product))
            && skus.as_ref().is_none_or(|wanted| wanted.contains(&variant.sku.as_str()))
    });
    Ok(items)
}

fn identity(variant: &FakeVariant) -> Value {
    json!({ "sku": variant.sku, "variant_id": variant.id, "product_id": variant.product })
}

/// What is told of one item at one location. What was never set shows as nothing on hand.
fn shelf(goods: &Goods, holder: Holder, location: u64) -> Value {
    let on_hand = goods.on_hand.get(&(holder, location)).copied().unwrap_or(0);
    let safety = goods.safety.get(&(holder, location)).copied().unwrap_or(0);
    json!({
        "available_to_sell": on_hand - safety,
        "total_inventory_onhand": on_hand,
        "settings": { "safety_stock": safety, "is_in_stock": true, "warning_level": 0, "bin_picking_number": "" },
    })
}

fn items(goods: &Goods, readings: Readings, query: &Query) -> Outcome {
    let known = ["variant_id:in", "product_id:in", "sku:in", "location_id:in", "limit", "page"];
    knows(query, &known)?;
    let wanted = numbers(query, "location_id:in")?;
    page(asked(goods, query)?, readings, query, 1_000, |(holder, variant)| {
        let here =
            goods.locations.iter().filter(|at| wanted.as_ref().is_none_or(|wanted| wanted.contains(at)));
        let locations: Vec<Value> = here
            .map(|at| {
                let mut entry = shelf(goods, holder, *at);
                entry["location_id"] = json!(at);
                entry["location_code"] = json!(format!("BC-LOCATION-{at}"));
                entry["location_name"] = json!(format!("Location {at}"));
                entry["location_enabled"] = json!(true);
                entry
            })
            .collect();
        json!({ "identity": identity(variant), "locations": locations })
    })
}

fn location_items(goods: &Goods, readings: Readings, location: &str, query: &Query) -> Outcome {
    let location = location.parse().ok().filter(|id| goods.locations.contains(id));
    let Some(location) = location else {
        return Err((StatusCode::NOT_FOUND, format!("Location not found: {location:?}")));
    };
    knows(query, &["variant_id:in", "product_id:in", "sku:in", "limit", "page"])?;
    page(asked(goods, query)?, readings, query, 1_000, |(holder, variant)| {
        let mut entry = shelf(goods, holder, location);
        entry["identity"] = identity(variant);
        entry
    })
}

/// One item of an adjustment, or why it is refused.
fn figure(goods: &Goods, item: &Value) -> Result<(Holder, u64, i64), String> {
    let field = |name: &str| item[name].as_u64();
    let Some(location) = field("location_id").filter(|id| goods.locations.contains(id)) else {
        return Err(format!("Location not found, identities: [{}]", item["location_id"]));
    };
    let Some(quantity) = item["quantity"].as_i64().filter(|units| (0..=2_147_483_647).contains(units)) else {
        return Err("quantity is not valid".to_owned());
    };
    let holder = match (field("variant_id"), field("product_id")) {
        (Some(id), None) => match goods.holder(id) {
            Some(Holder::Variant(id)) => Holder::Variant(id),
            Some(Holder::Product(_)) => {
                return Err(format!(
                    "Item with variant_id {id} is tracked by product, please update stock by product id"
                ));
            }
            None => return Err(format!("Item with variant_id {id} is not found or not tracked")),
        },
        (None, Some(id)) => match goods.products.get(&id).map(|product| product.tracking.word()) {
            Some("product") => Holder::Product(id),
            Some("variant") => {
                return Err(format!(
                    "Item with product_id {id} is tracked by variant, please update stock by variant id"
                ));
            }
            _ => return Err(format!("Item with product_id {id} is not found or not tracked")),
        },
        _ => return Err("Exactly one of sku, variant_id and product_id must be there".to_owned()),
    };
    Ok((holder, location, quantity))
}

/// `PUT …/absolute`. That a refusal sets nothing at all is not in the contract.
fn adjust(goods: &mut Goods, readings: Readings, body: &[u8]) -> Outcome {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() || items.len() > MOST {
        return refuse("Payload contains invalid fields");
    }
    let (mut figures, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match figure(goods, item) {
            Ok(figure) => figures.push(figure),
            Err(why) => refused.push(why),
        }
    }
    if refused.is_empty() {
        let transaction = goods.adjust(figures);
        return Ok(json!({ "transaction_id": format!("00000000-0000-4000-8000-{transaction:012}") }));
    }
    match readings.names {
        Names::All => refuse(format!("[{}]", refused.join(", "))),
        Names::First => refuse(format!("[{}]", refused.swap_remove(0))),
        Names::Nothing => refuse("Some items are not valid"),
    }
}
