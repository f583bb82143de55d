//! What our questions cost, by a rule that fits the recorded prices.

use std::path::Path;

use apollo_compiler::{
    ExecutableDocument, Schema,
    ast::OperationType,
    executable::{Field, Selection, SelectionSet},
    validation::Valid,
};
use sdk::PullRequest;
use serde_json::{Value, json};
use shopify::{
    documents,
    fake::{NewLine, NewOrder},
};

use crate::{
    contract::{contracts, recordings, schema},
    shop::{LASTING, bench},
};

/// No single query may cost more (<https://shopify.dev/docs/api/usage/limits>).
const MOST_POINTS: u64 = 1_000;

/// Prices a query: an object is a point, a list of `n` (a connection) is two and as much as `2 ln n` of its items;
/// scalars, amounts and page marks are free. The reference tells this only in part; the rule was fitted to the
/// recordings, and [`the_rule_fits_the_recorded_prices`] holds it against them.
struct Prices<'v> {
    document: ExecutableDocument,
    variables: &'v Value,
}

/// `None`: the recording does not show how long a list was asked for.
impl Prices<'_> {
    fn selected(&self, set: &SelectionSet) -> Option<u64> {
        let prices = set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.field(field),
            Selection::FragmentSpread(spread) => {
                self.selected(&self.document.fragments[&spread.fragment_name].selection_set)
            }
            Selection::InlineFragment(inline) => self.selected(&inline.selection_set),
        });
        prices.sum()
    }

    fn field(&self, field: &Field) -> Option<u64> {
        let name = field.ty().inner_named_type();
        if field.selection_set.is_empty() || name.starts_with("__") {
            return Some(0);
        }
        if name.ends_with("Connection") {
            return Some(2 + items(self.size(field)?) * (1 + self.nodes(&field.selection_set)?));
        }
        let free = matches!(name.as_str(), "MoneyBag" | "MoneyV2" | "PageInfo");
        Some(self.selected(&field.selection_set)? + u64::from(!free))
    }

    /// The items of a connection, by either of the two ways to name them.
    fn nodes(&self, set: &SelectionSet) -> Option<u64> {
        let fields = set.selections.iter().filter_map(Selection::as_field);
        let prices = fields.map(|field| match field.name.as_str() {
            "nodes" | "node" => self.selected(&field.selection_set),
            "edges" => self.nodes(&field.selection_set),
            _ => Some(0),
        });
        prices.sum()
    }

    fn size(&self, field: &Field) -> Option<u64> {
        let sized = field.arguments.iter().find(|it| matches!(it.name.as_str(), "first" | "last"))?;
        match sized.value.as_variable() {
            Some(variable) => self.variables[variable.as_str()].as_u64(),
            None => u64::try_from(sized.value.to_i32()?).ok(),
        }
    }
}

fn items(size: u64) -> u64 {
    ((2.0 * (size as f64).ln()).floor() as u64).max(1)
}

/// `None` where the schema does not know the question, its sizes are not shown, or it is a mutation.
fn price(schema: &Valid<Schema>, text: &str, variables: &Value) -> Option<u64> {
    let document =
        ExecutableDocument::parse_and_validate(schema, text, "question.graphql").ok()?.into_inner();
    let operation = document.operations.iter().next()?.clone();
    if operation.operation_type != OperationType::Query {
        return None;
    }
    let prices = Prices { document, variables };
    prices.selected(&operation.selection_set)
}

/// Question, variables and requested cost of each recorded exchange that shows all three.
fn exchanges(value: &Value, found: &mut Vec<(String, Value, u64)>) {
    match value {
        Value::Object(fields) => {
            let response = fields.get("response").map(|response| response.get("body").unwrap_or(response));
            let cost = response.and_then(|it| it["extensions"]["cost"]["requestedQueryCost"].as_u64());
            if let (Some(query), Some(cost)) = (fields.get("query").and_then(Value::as_str), cost) {
                let variables = fields.get("variables").cloned().unwrap_or_default();
                found.push((query.to_owned(), variables, cost));
            }
            fields.values().for_each(|inner| exchanges(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| exchanges(inner, found)),
        _ => {}
    }
}

fn recorded_in(file: &Path) -> Vec<(String, Value, u64)> {
    let mut found = Vec::new();
    exchanges(&serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap(), &mut found);
    found
}

#[test]
fn the_rule_fits_the_recorded_prices() {
    let Some(folder) = contracts() else { return };
    let schema = schema(&folder);
    let mut count = 0;
    for file in recordings(&folder) {
        // Counts, refunds and products have prices of their own, and are nothing that is asked here.
        if !file.file_name().unwrap().to_string_lossy().starts_with("fulfillment-order-") {
            continue;
        }
        for (query, variables, cost) in recorded_in(&file) {
            if let Some(price) = price(&schema, &query, &variables) {
                assert_eq!(price, cost, "{}: {query}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} recorded prices were found");
}

#[tokio::test(start_paused = true)]
async fn our_questions_are_far_enough_from_the_most_that_one_may_cost() {
    let Some(folder) = contracts() else { return };
    let schema = schema(&folder);
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    bench.channel.pull_orders(&PullRequest::default()).await.unwrap();
    bench.read(&id).await;
    let asked = |name: &str| {
        let asked = bench.shop.asked();
        asked.into_iter().rev().find(|body| body["operationName"] == name).unwrap()
    };
    let of = |body: &Value| price(&schema, body["query"].as_str().unwrap(), &body["variables"]).unwrap();
    let mut page = asked("PortaldOrders");
    let mut prices = Vec::new();
    for size in [25, 100, 148, 220, 250] {
        page["variables"]["first"] = json!(size);
        prices.push(of(&page));
    }
    // The page's size follows the price, so that the last is asked for only where `page_size` says so (and then it is
    // asked for again in less).
    assert_eq!(prices, [570, 846, 846, 938, 1030]);
    assert!(prices[..4].iter().all(|price| *price < MOST_POINTS));
    assert_eq!(of(&asked("PortaldOrder")), 138);
    let sizes = json!({ "first": 250 });
    assert_eq!(price(&schema, &documents::VARIANTS.text(), &sizes), Some(46));
    assert_eq!(price(&schema, &documents::VARIANTS_ALONE.text(), &sizes), Some(35));
    for (document, points) in [
        (documents::ORDER_LINES, 21),
        (documents::FULFILLMENT_ORDERS, 99),
        (documents::FULFILLMENT_ORDER_LINES, 21),
        (documents::FULFILLMENTS, 9),
        (documents::FULFILLMENT_LINES, 21),
        (documents::REQUESTS, 7),
        (documents::CHANGES, 22),
        (documents::STOCK, 3),
    ] {
        assert_eq!(price(&schema, &document.text(), &Value::Null), Some(points), "{}", document.name);
    }
}
