//! Against the published schema and recorded answers, where `PORTALD_CONTRACTS` names the folder that holds them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use apollo_compiler::{
    ExecutableDocument, Schema,
    ast::Type,
    executable::{Field, Selection, SelectionSet},
    schema::ExtendedType,
    validation::Valid,
};
use bytes::Bytes;
use sdk::{Http, Pulled, StockChange, StockWrite, TransportError, async_trait, testkit::MemoryTokens};
use serde_json::{Value, json};
use shopify::{
    documents,
    fake::{NewLine, NewOrder, NewProduct},
};

use crate::shop::{LASTING, bench, connect};

/// The folder, or a line that says why there is none.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn contracts() -> Option<PathBuf> {
    let folder = std::env::var_os("PORTALD_CONTRACTS").map(|folder| Path::new(&folder).join("shopify"));
    if folder.is_none() {
        eprintln!("SKIPPED: PORTALD_CONTRACTS is not set, the schema is not looked at");
    }
    folder
}

pub(crate) fn schema(folder: &Path) -> Valid<Schema> {
    let text = std::fs::read_to_string(folder.join("admin_2026-10.full.graphql")).unwrap();
    Schema::parse_and_validate(format!("directive @oneOf on INPUT_OBJECT\n{text}"), "admin.graphql").unwrap()
}

#[test]
fn names_are_as_they_are_logged_and_braces_match() {
    for document in documents::ALL {
        let text = document.text();
        assert!(text.contains(&format!(" {}", document.name)), "{}", document.name);
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "{}", document.name);
    }
}

#[test]
fn every_document_validates_against_both_versions() {
    let Some(folder) = contracts() else { return };
    for version in ["2026-10", "2026-07"] {
        let text = std::fs::read_to_string(folder.join(format!("admin_{version}.full.graphql"))).unwrap();
        let schema =
            Schema::parse_and_validate(format!("directive @oneOf on INPUT_OBJECT\n{text}"), "admin.graphql")
                .unwrap();
        for document in documents::ALL {
            if let Err(errors) =
                ExecutableDocument::parse_and_validate(&schema, document.text(), document.name)
            {
                panic!("{} on {version}: {errors}", document.name);
            }
        }
    }
}

/// A question and its variables.
type Asked<'a> = (&'a ExecutableDocument, &'a Value);

/// Whether the variables say that a field is not asked for.
fn is_left_out(field: &Field, variables: &Value) -> bool {
    let include = field.directives.get("include").and_then(|it| it.arguments.first());
    let variable = include.and_then(|it| it.value.as_variable());
    variable.is_some_and(|variable| variables[variable.as_str()] == json!(false))
}

/// Holds a value against what was selected: the same fields, nothing null that may not be, known enum words.
fn conforms(schema: &Schema, document: Asked<'_>, set: &SelectionSet, value: &Value, path: &str) {
    let mut fields = BTreeMap::new();
    collect(document, set, &mut fields);
    let object = value.as_object().unwrap_or_else(|| panic!("{path} is no object: {value}"));
    let there: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(there, wanted, "{path}");
    for (name, (ty, inner)) in &fields {
        typed(schema, document, ty, inner, &object[name], &format!("{path}.{name}"));
    }
}

fn typed(schema: &Schema, document: Asked<'_>, ty: &Type, inner: &SelectionSet, value: &Value, path: &str) {
    if value.is_null() {
        assert!(!ty.is_non_null(), "{path} may not be null");
        return;
    }
    if ty.is_list() {
        for item in value.as_array().unwrap_or_else(|| panic!("{path} is no list")) {
            typed(schema, document, ty.item_type(), inner, item, path);
        }
        return;
    }
    match &schema.types[ty.inner_named_type()] {
        ExtendedType::Enum(words) => {
            assert!(
                words.values.contains_key(value.as_str().unwrap()),
                "{path}: {value} is no word of the enum"
            );
        }
        ExtendedType::Scalar(_) => match ty.inner_named_type().as_str() {
            "Int" => assert!(value.is_i64() || value.is_u64(), "{path}: {value}"),
            "Boolean" => assert!(value.is_boolean(), "{path}: {value}"),
            _ => assert!(value.is_string(), "{path}: {value}"),
        },
        _ => conforms(schema, document, inner, value, path),
    }
}

fn collect(document: Asked<'_>, set: &SelectionSet, fields: &mut BTreeMap<String, (Type, SelectionSet)>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) if is_left_out(field, document.1) => {}
            Selection::Field(field) => {
                let entry = fields.entry(field.name.to_string());
                let entry = entry.or_insert_with(|| {
                    (field.ty().clone(), SelectionSet::new(field.selection_set.ty.clone()))
                });
                entry.1.selections.extend(field.selection_set.selections.iter().cloned());
            }
            Selection::FragmentSpread(spread) => {
                collect(document, &document.0.fragments[&spread.fragment_name].selection_set, fields);
            }
            Selection::InlineFragment(inline) => collect(document, &inline.selection_set, fields),
        }
    }
}

/// The model in between, with all that passes written down.
struct Recorder {
    shop: Arc<dyn Http>,
    passed: Mutex<Vec<(Value, Value)>>,
}

#[async_trait]
impl Http for Recorder {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let asked = serde_json::from_slice(request.body()).unwrap_or_default();
        let response = self.shop.send(request).await?;
        self.passed.lock().unwrap().push((asked, serde_json::from_slice(response.body()).unwrap()));
        Ok(response)
    }
}

#[tokio::test(start_paused = true)]
async fn the_models_answers_are_of_the_schema() {
    let Some(folder) = contracts() else { return };
    let schema = schema(&folder);
    let bench = bench(LASTING);
    let recorder = Arc::new(Recorder { shop: bench.shop.clone(), passed: Mutex::default() });
    let settings = format!("{LASTING}mirror_splits = true\nlocation = \"655441491\"\n");
    let channel =
        connect(&settings, recorder.clone(), bench.clock.clone(), Arc::new(MemoryTokens::default()));
    let lines = (0..130).map(|at| NewLine::new(&format!("S-{at}"), 2).at(1 + at % 60)).collect();
    let many = bench.shop.place(NewOrder::new(lines));
    let long =
        bench.shop.place(NewOrder::new((0..130).map(|at| NewLine::new(&format!("S-{at}"), 2)).collect()));
    let held = bench
        .shop
        .place(NewOrder::new(vec![NewLine::new("A", 1), NewLine::new("", 1).custom()]).address(None));
    for at in 0..21 {
        channel.push_fulfillment(&bench.parcel(&many, &[(at, 1)])).await.unwrap();
    }
    let whole: Vec<(usize, u32)> = (0..130).map(|at| (at, 1)).collect();
    let pushed = channel.push_fulfillment(&bench.parcel(&long, &whole)).await.unwrap();
    channel.find(&many).await.unwrap();
    channel.find(&long).await.unwrap();
    let update = sdk::TrackingUpdate {
        key: "k".into(),
        order: long.clone(),
        number: "#1".into(),
        fulfillment: pushed.fulfillment.id.clone(),
        tracking: bench.parcel(&long, &[]).tracking,
        notify: false,
    };
    channel.update_tracking(&update).await.unwrap();
    channel.void_fulfillment(&long, &pushed.fulfillment.id, "k").await.unwrap();
    channel.void_fulfillment(&long, &"1".into(), "k").await.unwrap_err();
    let split = sdk::SplitMirror {
        key: "k".into(),
        order: long.clone(),
        lines: bench.parcel(&long, &[(1, 1)]).lines,
    };
    channel.mirror_split(&split).await.unwrap();
    bench.shop.hold(&held, "Other");
    bench.shop.cancel_order(&held, "CUSTOMER");
    bench.shop.manage_by_service(77);
    for accept in [true, false] {
        let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2).at(77)]));
        let fo = bench.shop.order(&id).unwrap().fulfillment_orders[0].id;
        bench.shop.submit_fulfillment_request(fo, None, Some("Gift wrap")).unwrap();
        bench.shop.accept_fulfillment_request(fo).unwrap();
        bench.shop.submit_cancellation_request(fo, None).unwrap();
        bench.shop.set_risk(&id, "INVESTIGATE");
        bench.shop.dispute(&id, "CHARGEBACK", "NEEDS_RESPONSE");
        let request = bench.read(&id).await.cancellation_requests.remove(0).id;
        let answer = sdk::CancellationAnswer { key: "k".into(), order: id, request, accept, message: None };
        channel.answer_cancellation(&answer).await.unwrap();
    }
    channel.pull_orders(&sdk::PullRequest::default()).await.unwrap();
    let since = Some(bench.clock.now() - chrono::TimeDelta::minutes(5));
    let page = channel.pull_orders(&sdk::PullRequest { since, page: None }).await.unwrap().next;
    channel.pull_orders(&sdk::PullRequest { since, page }).await.unwrap();
    channel.check().await.unwrap();
    let item = bench.shop.add_product("A", true, 7).item_id();
    bench.shop.add(NewProduct::new("B", 1).untracked().without_sku().option("Large"));
    let bundle = bench.shop.add(NewProduct::new("C", 1).bundle()).item_id();
    let nowhere = bench.shop.add(NewProduct::new("D", 1).elsewhere().at(9, 1)).item_id();
    bench.shop.stop_stocking("B");
    channel.products(None).await.unwrap();
    let alone = connect(LASTING, recorder.clone(), bench.clock.clone(), Arc::new(MemoryTokens::default()));
    alone.products(None).await.unwrap();
    channel.read_stock(&[item.clone(), nowhere.clone(), "9".into()]).await.unwrap();
    let changes = [(&item, Some(6)), (&bundle, None), (&nowhere, None)].map(|(item, from)| StockChange {
        item: item.clone(),
        variant: "1".into(),
        sku: None,
        from,
        to: 3,
    });
    channel.push_stock(&StockWrite { key: "k".into(), changes: changes.to_vec() }).await.unwrap();
    let changes = vec![StockChange { from: Some(7), ..changes[0].clone() }];
    channel.push_stock(&StockWrite { key: "m".into(), changes }).await.unwrap();
    let mut seen = BTreeSet::new();
    for (asked, answered) in recorder.passed.lock().unwrap().iter() {
        let name = asked["operationName"].as_str().unwrap();
        seen.insert(name.to_owned());
        let text = asked["query"].as_str().unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, text, name).unwrap();
        let operation = document.operations.get(Some(name)).unwrap();
        let document: Asked<'_> = (&document, &asked["variables"]);
        conforms(&schema, document, &operation.selection_set, &answered["data"], name);
    }
    let all: BTreeSet<String> = documents::ALL.iter().map(|document| document.name.to_owned()).collect();
    assert_eq!(seen, all, "every operation was held against the schema");
}

/// Answers each question with one order.
pub(crate) struct Canned(pub(crate) Value);

#[async_trait]
impl Http for Canned {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        Ok(http::Response::new(json!({ "data": { "order": self.0 } }).to_string().into()))
    }
}

fn orders_in(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            let is_order = fields.get("id").and_then(Value::as_str).is_some_and(|id| id.contains("/Order/"));
            let fos = fields.get("fulfillmentOrders").and_then(|fos| fos["nodes"].as_array());
            let told = |fo: &Value| {
                let lines = fo["lineItems"]["nodes"].as_array();
                fo["status"].is_string()
                    && lines.is_some_and(|lines| {
                        lines.iter().all(|line| {
                            line["lineItem"]["id"].is_string() && line["remainingQuantity"].is_i64()
                        })
                    })
            };
            if is_order && fos.is_some_and(|fos| fos.iter().all(told)) {
                found.push(value.clone());
            }
            fields.values().for_each(|inner| orders_in(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| orders_in(inner, found)),
        _ => {}
    }
}

/// Fills in what a recording did not ask for; what it has stays as it came.
pub(crate) fn completed(mut order: Value) -> Value {
    let page = json!({ "hasNextPage": false, "endCursor": null });
    let mut lines: BTreeMap<String, Value> = BTreeMap::new();
    for fo in order["fulfillmentOrders"]["nodes"].as_array_mut().unwrap() {
        for line in fo["lineItems"]["nodes"].as_array().unwrap() {
            lines.insert(line["lineItem"]["id"].as_str().unwrap().to_owned(), line["lineItem"].clone());
        }
        fo["lineItems"]["pageInfo"] = page.clone();
        for (key, value) in [
            ("fulfillAt", Value::Null),
            ("fulfillmentHolds", json!([])),
            ("deliveryMethod", Value::Null),
            ("requestStatus", json!("UNSUBMITTED")),
            ("createdAt", json!("2026-01-01T00:00:00Z")),
            ("merchantRequests", json!({ "nodes": [] })),
        ] {
            if fo.get(key).is_none() {
                fo[key] = value;
            }
        }
        for hold in fo["fulfillmentHolds"].as_array_mut().unwrap() {
            if hold.get("displayReason").is_none() {
                hold["displayReason"] = json!("Other");
            }
        }
    }
    order["fulfillmentOrders"]["pageInfo"] = page.clone();
    let nodes: Vec<Value> = lines
        .into_values()
        .map(|line| {
            json!({
                "id": line["id"], "sku": line["sku"], "title": line["title"].as_str().unwrap_or("?"),
                "quantity": line["quantity"].as_i64().unwrap_or(0),
                "currentQuantity": line["currentQuantity"].as_i64().unwrap_or(0),
                "requiresShipping": true, "isGiftCard": false, "product": null,
            })
        })
        .collect();
    order["lineItems"] = json!({ "nodes": nodes, "pageInfo": page });
    if !order["fulfillments"].is_array() {
        order["fulfillments"] = json!([]);
    }
    for made in order["fulfillments"].as_array_mut().unwrap() {
        if made.get("createdAt").is_none() {
            made["createdAt"] = json!("2026-01-01T00:00:00Z");
        }
        if made.get("trackingInfo").is_none() {
            made["trackingInfo"] = json!([]);
        }
        if made.get("fulfillmentLineItems").is_some() {
            made["fulfillmentLineItems"]["pageInfo"] = page.clone();
        }
    }
    for (key, value) in [
        ("name", json!("#1")),
        ("createdAt", json!("2026-01-01T00:00:00Z")),
        ("updatedAt", json!("2026-01-01T00:00:00Z")),
        ("test", json!(true)),
        ("edited", json!(true)),
    ] {
        if order.get(key).is_none_or(Value::is_null) {
            order[key] = value;
        }
    }
    order
}

/// Every recorded file.
pub(crate) fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join("recorded")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[tokio::test(start_paused = true)]
async fn recorded_orders_are_read_and_their_open_units_counted() {
    let Some(folder) = contracts() else { return };
    let files = recordings(&folder);
    let mut count = 0;
    for file in files {
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let mut orders = Vec::new();
        orders_in(&recorded, &mut orders);
        for order in orders {
            let order = completed(order);
            let fos = order["fulfillmentOrders"]["nodes"].as_array().unwrap();
            let open: i64 = fos
                .iter()
                .filter(|fo| fo["status"] != "CLOSED" && fo["status"] != "CANCELLED")
                .flat_map(|fo| fo["lineItems"]["nodes"].as_array().unwrap())
                .map(|line| line["remainingQuantity"].as_i64().unwrap())
                .sum();
            let bench = bench(LASTING);
            let canned = Arc::new(Canned(order.clone()));
            let channel = connect(LASTING, canned, bench.clock.clone(), Arc::new(MemoryTokens::default()));
            match channel.order(&"1".into()).await.unwrap() {
                Pulled::Order(read) => {
                    let fulfillable: u32 = read.lines.iter().map(|line| line.fulfillable).sum();
                    assert_eq!(i64::from(fulfillable), open, "{}", file.display());
                    if !order["cancelledAt"].is_null() {
                        assert!(!read.state.is_open());
                        assert_eq!(fulfillable, 0, "{}", file.display());
                    }
                }
                Pulled::Unreadable(why) => panic!("{}: {}", file.display(), why.reason),
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} recorded orders were found");
}
