//! Against the published contract, where `PORTALD_CONTRACTS` names the folder that holds it.
//!
//! Everything that the connector sends (path, parameters, body) and everything that the model answers is held against
//! the OpenAPI files; for V2 against the strict copy, which has the rules that upstream has only in prose.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
};

use bigcommerce::fake::{FakeAddress, NewLine, NewOrder, NewProduct, Tracking};
use bytes::Bytes;
use sdk::{Http, OtherParcel, PullRequest, TrackingUpdate, TransportError, async_trait, carriers::CARRIERS};
use serde_json::{Map, Value, json};

use crate::{
    openapi::{Contract, contracts, named},
    shop::{Bench, PLAIN, bench, connect, seconds},
};

/// What passed: the request and what it was answered with.
struct Passed {
    request: http::Request<Bytes>,
    status: u16,
    answer: Bytes,
}

/// The model in between, with all that passes written down.
struct Recorder {
    store: Arc<dyn Http>,
    passed: Mutex<Vec<Passed>>,
}

#[async_trait]
impl Http for Recorder {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let response = self.store.send(request.clone()).await?;
        self.passed.lock().unwrap().push(Passed {
            request,
            status: response.status().as_u16(),
            answer: response.body().clone(),
        });
        Ok(response)
    }
}

/// Drives everything that the connector sends and the model answers.
async fn exercise() -> Vec<Passed> {
    let bench = bench(&format!("{PLAIN}page_size = 4\nlocation = 1\n"));
    let recorder = Arc::new(Recorder { store: bench.store.clone(), passed: Mutex::default() });
    let channel = connect(&format!("{PLAIN}page_size = 4\n"), recorder.clone(), bench.clock.clone());
    channel.pull_orders(&PullRequest::default()).await.unwrap();
    let many = NewOrder::new(vec![
        NewLine::new("A", 4),
        NewLine::new("B", 2).to(1),
        NewLine::new("C", 1).pickup(4),
        NewLine::new("D", 1).digital(),
        NewLine::new("E", 1).gift_card(),
        NewLine::new("", 1).custom(),
    ]);
    let id =
        bench.store.place(many.addresses(vec![FakeAddress::sample(), FakeAddress::sample()]).note("hello"));
    let long: Vec<NewLine> = (0..60).map(|at| NewLine::new(&format!("L-{at}"), 1)).collect();
    let long = bench.store.place(NewOrder::new(long));
    assert!(channel.find(&long).await.unwrap().is_empty());
    for status in 0..=14 {
        let order = bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]).payment_status("captured"));
        bench.store.set_status(&order, status);
    }
    let mut request = bench.parcel(&id, &[(0, 2), (1, 1)]);
    request.tracking.others = vec![OtherParcel {
        carrier: "UPS".into(),
        number: "1Z".into(),
        url: Some("https://x.example".into()),
    }];
    let pushed = channel.push_fulfillment(&request).await.unwrap();
    request.lines = pushed.left;
    request.tracking.carrier = "Pigeon Post".into();
    request.tracking.number = None;
    channel.push_fulfillment(&request).await.unwrap();
    let update = TrackingUpdate {
        key: "k".into(),
        order: id.clone(),
        number: "1".into(),
        fulfillment: pushed.fulfillment.id,
        tracking: bench.parcel(&id, &[]).tracking,
        notify: false,
    };
    channel.update_tracking(&update).await.unwrap();
    channel.find(&id).await.unwrap();
    bench.store.refund(&id, bench.number(&id, 0), 1);
    channel.order(&id).await.unwrap();
    channel.order(&"7".into()).await.unwrap_err();
    bench.store.archive(&id);
    bench.store.list_archived(true);
    seconds(60).await;
    let mut request =
        PullRequest { since: Some(bench.clock.now() - chrono::TimeDelta::hours(1)), page: None };
    while let Some(next) = channel.pull_orders(&request).await.unwrap().next {
        request.page = Some(next);
    }
    channel.check().await.unwrap();
    exercise_stock(&bench, &*channel).await;
    std::mem::take(&mut *recorder.passed.lock().unwrap())
}

/// The catalogue, and stock in all the ways that it is tracked.
async fn exercise_stock(bench: &Bench, channel: &dyn sdk::Channel) {
    bench.store.add_product("S-1", true, 5);
    bench.store.add_product("S-2", false, 0);
    let kinds = bench.store.add(NewProduct::of(&[("V-1", "Red"), ("V-2", "Blue")]).available(3));
    bench.store.add(NewProduct::of(&[("W-1", "Red"), ("W-2", "Blue")]).tracked(Tracking::Product));
    bench.store.set_available_at(&kinds[0], 2, 9);
    let page = channel.products(None).await.unwrap();
    assert!(page.next.is_none() && page.variants.len() == 6);
    let items: Vec<_> = page.variants.iter().map(|variant| variant.item.clone()).collect();
    channel.read_stock(&items).await.unwrap();
    let changes = page.variants.iter().map(|variant| sdk::StockChange {
        item: variant.item.clone(),
        variant: variant.id.clone(),
        sku: variant.sku.clone(),
        from: None,
        to: 7,
    });
    let write = sdk::StockWrite { key: "k".into(), changes: changes.collect() };
    channel.push_stock(&write).await.unwrap();
}

fn all(folder: &Path) -> Vec<Contract> {
    [
        "strict/orders.v2.strict.yml",
        "inventory.v3.yml",
        "store_information.v2.yml",
        "products_catalog.v3.yml",
        "product-variants_catalog.v3.yml",
    ]
    .iter()
    .map(|file| Contract::load(&folder.join(file)))
    .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_and_what_the_model_answers_is_of_the_contract() {
    let Some(folder) = contracts() else { return };
    let contracts = all(&folder);
    let mut seen: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for passed in exercise().await {
        let (method, path) = (passed.request.method().as_str(), passed.request.uri().path());
        let found = contracts.iter().find_map(|contract| Some((contract, contract.operation(method, path)?)));
        let (contract, (template, item, operation)) =
            found.unwrap_or_else(|| panic!("{method} {path} is not in the contract"));
        let what = format!("{method} {template}");
        seen.entry(what.clone()).or_default().insert(passed.status);
        let parameters: Vec<&Value> = [item, operation]
            .iter()
            .flat_map(|place| place["parameters"].as_array().into_iter().flatten())
            .map(|parameter| contract.resolved(parameter))
            .collect();
        for pair in
            passed.request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty())
        {
            let (name, text) = pair.split_once('=').unwrap();
            let parameter = parameters
                .iter()
                .find(|parameter| parameter["in"] == "query" && parameter["name"] == name)
                .unwrap_or_else(|| panic!("{what} has no parameter {name}"));
            let schema = &parameter["schema"];
            // The inventory calls its comma-separated lists `integer`: each of them is one.
            let values: Vec<Value> = match schema["type"].as_str() {
                Some("integer" | "number") if name.ends_with(":in") => {
                    text.split(',').map(|part| json!(part.parse::<i64>().unwrap())).collect()
                }
                Some("integer" | "number") => vec![json!(text.parse::<i64>().unwrap())],
                Some("array") => {
                    let number = schema["items"]["type"] == "integer";
                    let part = |part: &str| {
                        if number { json!(part.parse::<i64>().unwrap()) } else { json!(part) }
                    };
                    vec![text.split(',').map(part).collect()]
                }
                _ => vec![json!(text.replace("%2B", "+"))],
            };
            for value in &values {
                assert_eq!(contract.faults(schema, value), [""; 0], "{what}: {name}={text}");
            }
            let value = &values[0];
            if name.contains("date") {
                chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
            }
        }
        for header in parameters.iter().filter(|it| it["in"] == "header" && it["required"] == true) {
            let name = header["name"].as_str().unwrap();
            let needed = name != "Content-Type" || !passed.request.body().is_empty();
            assert!(!needed || passed.request.headers()[name] == "application/json", "{what}: {name}");
        }
        // Of all locations ours alone, said each time.
        if template == "/inventory/items" {
            let query = passed.request.uri().query().unwrap();
            let places = query.split('&').filter(|pair| pair.starts_with("location"));
            assert_eq!(places.collect::<Vec<_>>(), ["location_id:in=1"], "{query}");
        }
        if !passed.request.body().is_empty() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let body: Value = serde_json::from_slice(passed.request.body()).unwrap();
            assert_eq!(contract.faults(schema, &body), [""; 0], "{what}: {body}");
            let known = contract.fields(schema);
            assert!(body.as_object().unwrap().keys().all(|field| known.contains(field)), "{what}: {body}");
        }
        let response = contract.resolved(&operation["responses"][passed.status.to_string()]);
        if passed.status == 204 {
            assert!(response.is_object() && passed.answer.is_empty(), "{what}");
            continue;
        }
        if response.is_null() {
            assert_eq!(passed.status, 404, "{what}: the contract has no {}", passed.status);
            continue;
        }
        let kind = if response["content"]["application/problem+json"].is_object() {
            "application/problem+json"
        } else {
            "application/json"
        };
        let schema = &response["content"][kind]["schema"];
        let answer: Value = serde_json::from_slice(&passed.answer).unwrap();
        assert_eq!(contract.faults(schema, &answer), [""; 0], "{what}: {answer}");
    }
    let wanted: BTreeMap<String, BTreeSet<u16>> = [
        ("GET /orders", vec![200, 204]),
        ("GET /orders/{order_id}", vec![200, 404]),
        ("GET /orders/{order_id}/products", vec![200, 204]),
        ("GET /orders/{order_id}/shipping_addresses", vec![200]),
        ("GET /orders/{order_id}/shipments", vec![200, 204]),
        ("POST /orders/{order_id}/shipments", vec![201]),
        ("PUT /orders/{order_id}/shipments/{shipment_id}", vec![200]),
        ("GET /time", vec![200]),
        ("GET /store", vec![200]),
        ("GET /inventory/locations/{location_id}/items", vec![200]),
        ("GET /inventory/items", vec![200]),
        ("PUT /inventory/adjustments/absolute", vec![200, 422]),
        ("GET /catalog/products", vec![200]),
        ("GET /catalog/variants", vec![200]),
    ]
    .into_iter()
    .map(|(what, statuses)| (what.to_owned(), statuses.into_iter().collect()))
    .collect();
    assert_eq!(seen, wanted, "every request was held against the contract");
}

/// The model shows no field that the contract does not have, and the connector reads none.
#[tokio::test(start_paused = true)]
async fn every_field_is_in_the_contract() {
    let Some(folder) = contracts() else { return };
    let contract = Contract::load(&folder.join("strict/orders.v2.strict.yml"));
    for (schema, read) in [
        (
            "order_Resp",
            "id date_created date_modified status_id status payment_status is_deleted customer_message billing_address",
        ),
        (
            "orderProducts",
            "id product_id order_pickup_method_id order_address_id name sku type quantity quantity_refunded \
             quantity_shipped",
        ),
        (
            "orderShippingAddress",
            "id first_name last_name company street_1 street_2 city state zip country country_iso2 phone email \
             shipping_method",
        ),
        (
            "billingAddress_Base",
            "first_name last_name company street_1 street_2 city state zip country country_iso2 phone email",
        ),
        (
            "orderShipment",
            "id date_created tracking_number tracking_carrier tracking_link generated_tracking_link shipping_provider \
             shipping_method items",
        ),
    ] {
        let known = contract.fields(&named(schema));
        for field in read.split_whitespace() {
            assert!(known.contains(field), "{schema} has no {field}");
        }
    }
    let contracts = all(&folder);
    let mut lists = 0;
    for passed in exercise().await {
        let path = passed.request.uri().path().to_owned();
        if path.contains("/v3/") {
            if passed.status == 200 {
                let method = passed.request.method().as_str();
                let found = contracts.iter().find_map(|it| Some((it, it.operation(method, &path)?.2)));
                let (contract, operation) = found.unwrap();
                let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
                let answer: Value = serde_json::from_slice(&passed.answer).unwrap();
                assert_eq!(contract.strangers(schema, &answer), [""; 0], "{path}");
                lists += usize::from(answer["data"].as_array().is_some_and(|data| !data.is_empty()));
            }
            continue;
        }
        let schema = match path.rsplit('/').find(|part| part.parse::<u64>().is_err()) {
            Some("orders") => "order_Resp",
            Some("products") => "orderProducts",
            Some("shipping_addresses") => "orderShippingAddress",
            Some("shipments") => "orderShipment",
            _ => continue,
        };
        if passed.answer.is_empty() || passed.status >= 400 {
            continue;
        }
        let mut known = contract.fields(&named(schema));
        // In the contract's examples alone.
        known.insert("custom_status".to_owned());
        let answer: Value = serde_json::from_slice(&passed.answer).unwrap();
        let one = Map::clone;
        let entries: Vec<Map<String, Value>> = match &answer {
            Value::Array(entries) => entries.iter().filter_map(Value::as_object).map(one).collect(),
            entry => entry.as_object().map(one).into_iter().collect(),
        };
        for field in entries.iter().flat_map(Map::keys) {
            assert!(known.contains(field), "{schema} has no {field}");
        }
    }
    assert!(lists >= 4, "only {lists} lists of V3 were seen");
}

/// The oracle can say no.
#[test]
fn what_breaks_the_contract_is_found() {
    let Some(folder) = contracts() else { return };
    let contract = Contract::load(&folder.join("strict/orders.v2.strict.yml"));
    let post = named("orderShipment_Post");
    let good = json!({ "order_address_id": 1, "items": [{ "order_product_id": 2, "quantity": 1 }] });
    assert_eq!(contract.faults(&post, &good), [""; 0]);
    for (field, value) in [
        ("order_address_id", json!("1")),
        ("items", json!([])),
        ("items", json!([{ "order_product_id": 2, "quantity": 0 }])),
        ("items", json!([{ "quantity": 1 }])),
        ("tracking_number", json!("9".repeat(51))),
        ("tracking_link", json!("9".repeat(501))),
        ("comments", json!(null)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(!contract.faults(&post, &bad).is_empty(), "{bad}");
    }
    let product = named("orderProducts");
    assert!(!contract.faults(&product, &json!({ "typ": "physical" })).is_empty());
    assert!(!contract.faults(&product, &json!({ "type": "hologram" })).is_empty());
    assert!(contract.faults(&product, &json!({ "event_date": null })).is_empty(), "nullable");
    let contract = Contract::load(&folder.join("inventory.v3.yml"));
    let adjustments = named("AdjustmentsAbsoluteRequest");
    let item = |item: Value| json!({ "items": [item] });
    let good = item(json!({ "location_id": 1, "variant_id": 2, "quantity": 3 }));
    assert_eq!(contract.faults(&adjustments, &good), [""; 0]);
    for bad in [
        json!({ "location_id": 1, "variant_id": 2, "product_id": 2, "quantity": 3 }),
        json!({ "location_id": 1, "quantity": 3 }),
        json!({ "variant_id": 2, "quantity": 3 }),
        json!({ "location_id": 1, "variant_id": "2", "quantity": 3 }),
        json!({ "location_id": 1, "variant_id": 2, "quantity": 3.5 }),
    ] {
        assert!(!contract.faults(&adjustments, &item(bad.clone())).is_empty(), "{bad}");
    }
    let strange = json!({ "identity": { "variant": 7 }, "locations": [{ "location_id": 1, "on_hand": 2 }] });
    assert_eq!(contract.strangers(&named("ItemResponse"), &strange), ["variant", "on_hand"]);
}

/// Each example of the contract is an order, a line, an address, a shipment that can be read.
#[tokio::test(start_paused = true)]
async fn the_contracts_own_examples_are_read() {
    let Some(folder) = contracts() else { return };
    let contract = Contract::load(&folder.join("orders.v2.oas2.yml"));
    let examples = |response: &str| -> Vec<Value> {
        let content = &contract.document["components"]["responses"][response]["content"]["application/json"];
        let examples =
            content["examples"].as_object().unwrap().values().map(|example| example["value"].clone());
        examples
            .flat_map(|value| match value {
                Value::Array(entries) => entries,
                entry => vec![entry],
            })
            .collect()
    };
    let mut count = 0;
    for order in examples("orderCollection_Resp").into_iter().chain(examples("order_Resp")) {
        let products: Vec<Value> = examples("orderProductsCollection_Resp")
            .into_iter()
            .chain(examples("orderProductLineItem_Resp"))
            .enumerate()
            .map(|(at, mut product)| {
                product["id"] = json!(at + 1);
                product
            })
            .collect();
        let canned = Arc::new(Canned {
            order: order.clone(),
            products: products.clone(),
            addresses: examples("orderShippingAddressCollection_Resp"),
            shipments: examples("orderShipmentCollection_Resp"),
        });
        let channel = connect(PLAIN, canned, bench(PLAIN).clock);
        let id = order["id"].as_u64().unwrap().to_string();
        match channel.order(&id.as_str().into()).await.unwrap() {
            sdk::Pulled::Order(read) => {
                assert_eq!(read.lines.len(), products.len());
                for (line, product) in read.lines.iter().zip(&products) {
                    assert_eq!(json!(line.quantity), product["quantity"]);
                    assert_eq!(line.title, product["name"].as_str().unwrap());
                }
                count += 1;
            }
            sdk::Pulled::Unreadable(aside) => panic!("{}", aside.reason),
        }
    }
    assert!(count >= 2, "only {count} examples were found");
    assert!(!examples("orderShipment_Resp").is_empty());
}

/// Answers each question with the contract's own words.
struct Canned {
    order: Value,
    products: Vec<Value>,
    addresses: Vec<Value>,
    shipments: Vec<Value>,
}

#[async_trait]
impl Http for Canned {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let body = match request.uri().path().rsplit('/').next() {
            Some("products") => json!(self.products),
            Some("shipping_addresses") => json!(self.addresses),
            Some("shipments") => json!(self.shipments),
            _ => self.order.clone(),
        };
        Ok(http::Response::new(body.to_string().into()))
    }
}

#[test]
fn carriers_are_spelled_as_the_contract_has_them() {
    let Some(folder) = contracts() else { return };
    let contract = Contract::load(&folder.join("orders.v2.oas2.yml"));
    let known = &contract.document["components"]["schemas"]["shipping_provider_standard"]["enum"];
    let known: BTreeSet<&str> = known.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for carrier in CARRIERS {
        if let Some(spelling) = carrier.bigcommerce {
            assert!(known.contains(spelling), "{}: {spelling}", carrier.name);
        }
    }
}
