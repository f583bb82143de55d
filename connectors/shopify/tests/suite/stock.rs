//! Stock: read, set against what was expected, and never anything else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sdk::{ErrorKind, RemoteId, Result, StockChange, StockLevel, StockOutcome, StockWrite};
use serde_json::{Value, json};
use shopify::fake::{Fault, LOCATION, NewLine, NewOrder, NewProduct};

use crate::{
    contract::contracts,
    shop::{Bench, LASTING, PLACED, bench},
};

fn change(item: &RemoteId, from: Option<i64>, to: u32) -> StockChange {
    StockChange { item: item.clone(), variant: "1".into(), sku: None, from, to }
}

impl Bench {
    fn items(&self, count: usize) -> Vec<RemoteId> {
        (0..count).map(|at| self.shop.add_product(&format!("S-{at}"), true, 10).item_id()).collect()
    }

    async fn push(&self, key: &str, changes: &[StockChange]) -> Result<Vec<StockOutcome>> {
        self.channel.push_stock(&StockWrite { key: key.to_owned(), changes: changes.to_vec() }).await
    }

    fn stocks(&self, items: &[RemoteId]) -> Vec<i64> {
        items.iter().map(|item| self.shop.stock(item).unwrap()).collect()
    }

    fn sets(&self) -> u32 {
        self.shop.counts().get("PortaldSetStock").copied().unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_set_in_one_call_with_a_key_and_what_was_expected() {
    let bench = bench(PLACED);
    let items = bench.items(250);
    let changes: Vec<StockChange> = items
        .iter()
        .enumerate()
        .map(|(at, item)| change(item, (at % 2 == 0).then_some(10), at as u32))
        .collect();
    let outcomes = bench.push("run-1", &changes).await.unwrap();
    assert_eq!(outcomes, vec![StockOutcome::Set; 250]);
    assert_eq!(bench.stocks(&items), (0..250).collect::<Vec<i64>>());
    assert_eq!(bench.sets(), 1);
    let asked = bench.shop.asked().pop().unwrap();
    let input = &asked["variables"]["input"];
    assert_eq!(input["name"], "available");
    assert_eq!(input["referenceDocumentUri"], "gid://portald/StockWrite/run-1");
    assert_eq!(input["quantities"][0]["changeFromQuantity"], 10);
    assert!(input["quantities"][1].get("changeFromQuantity").is_some_and(Value::is_null));
    assert_eq!(input["quantities"][1]["locationId"], "gid://shopify/Location/655441491");
    let key = asked["variables"]["key"].as_str().unwrap();
    assert_eq!((key.len(), key.matches('-').count(), &key[14..15]), (36, 4, "8"), "{key}");
}

#[tokio::test(start_paused = true)]
async fn stale_and_refused_items_hold_up_no_other() {
    // Whether a real shop sets the rest of a batch with a stale item is not recorded: both ways end alike.
    for sets_the_rest in [false, true] {
        let bench = bench(PLACED);
        if sets_the_rest {
            bench.shop.set_the_rest();
        }
        let items = bench.items(4);
        let bundle = bench.shop.add(NewProduct::new("B", 1).bundle()).item_id();
        let nowhere = bench.shop.add(NewProduct::new("N", 1).elsewhere().at(77, 1)).item_id();
        bench.shop.set_available("S-1", 9);
        let changes = [
            change(&items[0], Some(10), 1),
            change(&bundle, Some(1), 2),
            change(&items[1], Some(10), 3),
            change(&"999".into(), Some(1), 4),
            change(&"0".into(), Some(1), 4),
            change(&items[2], Some(10), 2_000_000_000),
            change(&nowhere, None, 5),
            change(&items[3], None, 6),
        ];
        let outcomes = bench.push("k", &changes).await.unwrap();
        let refused = |text: &str| StockOutcome::Refused(text.to_owned());
        // What was set beside the refused ones compares unequal when it goes again.
        let first = if sets_the_rest { StockOutcome::Stale } else { StockOutcome::Set };
        assert_eq!(
            outcomes,
            [
                first,
                refused("The specified inventory item is not allowed to be adjusted via API."),
                StockOutcome::Stale,
                refused("The specified inventory item could not be found."),
                refused("\"0\" is not an id of this shop"),
                refused("the shop takes at most 1000000000 units"),
                refused("The specified inventory item is not stocked at the location."),
                StockOutcome::Set,
            ],
        );
        assert_eq!(bench.stocks(&items), [1, 9, 10, 6]);
        assert!(bench.sets() <= 3, "once for the refused, once for the stale");
    }
}

#[tokio::test(start_paused = true)]
async fn what_should_not_be_sent_is_not() {
    let bench = bench(PLACED);
    assert_eq!(bench.channel.stock_place(), shopify::fake::LOCATION.to_string());
    let items = bench.items(251);
    let all: Vec<StockChange> = items.iter().map(|item| change(item, None, 1)).collect();
    let twice = [all[0].clone(), all[1].clone(), all[0].clone()];
    for changes in [&all[..], &twice] {
        assert_eq!(bench.push("k", changes).await.unwrap_err().kind, ErrorKind::Rejected);
    }
    assert_eq!(bench.channel.read_stock(&items).await.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(bench.push("k", &[]).await.unwrap(), []);
    assert_eq!(bench.channel.read_stock(&[]).await.unwrap(), []);
    assert_eq!(
        bench.push("k", &[change(&items[0], Some(5_000_000_000), 1)]).await.unwrap(),
        [StockOutcome::Stale]
    );
    assert_eq!(bench.channel.read_stock(&["x".into()]).await.unwrap(), []);
    assert!(bench.shop.asked().is_empty());

    let bench = crate::shop::bench(LASTING);
    assert_eq!(bench.channel.stock_place(), "");
    let item = bench.items(1).remove(0);
    let error = bench.push("k", &[change(&item, None, 1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("location"), "{error}");
    assert_eq!(bench.channel.read_stock(&[item]).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert!(bench.shop.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_figure_is_read_where_customers_are_held_to_it() {
    let bench = bench(PLACED);
    let items = bench.items(2);
    let untracked = bench.shop.add_product("U", false, 4).item_id();
    let nowhere = bench.shop.add(NewProduct::new("N", 1).elsewhere().at(77, 9)).item_id();
    let oversold = bench.shop.add(NewProduct::new("O", -2).at(77, 9)).item_id();
    bench.shop.stop_stocking("S-1");
    let asked: Vec<RemoteId> =
        [&items[..], &[untracked.clone(), nowhere.clone(), oversold.clone(), "7".into()]].concat();
    let levels = bench.channel.read_stock(&asked).await.unwrap();
    let levels: BTreeMap<RemoteId, Option<i64>> =
        levels.into_iter().map(|level| (level.item, level.available)).collect();
    let wanted = [
        (items[0].clone(), Some(10)),
        (items[1].clone(), None),
        (untracked, None),
        (nowhere, None),
        (oversold, Some(-2)),
    ];
    assert_eq!(levels, BTreeMap::from(wanted));
}

#[tokio::test(start_paused = true)]
async fn an_order_takes_what_is_available_and_a_write_that_does_not_know_is_stale() {
    let bench = bench(PLACED);
    let items = bench.items(2);
    let order = bench.shop.place(NewOrder::new(vec![NewLine::new("S-0", 3), NewLine::new("S-1", 1).at(77)]));
    assert_eq!(bench.stocks(&items), [7, 10]);
    let changes = [change(&items[0], Some(10), 12), change(&items[1], Some(10), 12)];
    assert_eq!(bench.push("k", &changes).await.unwrap(), [StockOutcome::Stale, StockOutcome::Set]);
    assert_eq!(bench.stocks(&items), [7, 12]);
    let line = bench.shop.order(&order).unwrap().lines[0].id;
    bench.shop.edit_quantity(&order, line, 1);
    assert_eq!(bench.stocks(&items), [9, 12]);
    bench.shop.cancel_order(&order, "CUSTOMER");
    assert_eq!(bench.stocks(&items), [10, 12]);
    // One that comes between reading and writing.
    bench.shop.place_before_write(NewOrder::new(vec![NewLine::new("S-0", 1)]));
    let changes = [change(&items[0], Some(10), 5), change(&items[1], Some(12), 5)];
    assert_eq!(bench.push("l", &changes).await.unwrap(), [StockOutcome::Stale, StockOutcome::Set]);
    assert_eq!(bench.stocks(&items), [9, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_and_sets_once() {
    let bench = bench(PLACED);
    let items = bench.items(3);
    let changes: Vec<StockChange> = items.iter().map(|item| change(item, None, 4)).collect();
    let mut lost = 2;
    bench.shop.on_request(move |_| {
        lost -= i32::from(lost > 0);
        if lost > 0 { Fault::LoseAfterApplied } else { Fault::None }
    });
    assert_eq!(bench.push("k", &changes).await.unwrap(), vec![StockOutcome::Set; 3]);
    assert_eq!(bench.shop.stock_writes().len(), 3);

    // Lost for good: read back, or the same again.
    bench.shop.on_request(|_| Fault::LoseAfterApplied);
    let changes: Vec<StockChange> = items.iter().map(|item| change(item, Some(4), 5)).collect();
    assert_eq!(bench.push("l", &changes).await.unwrap_err().kind, ErrorKind::Indeterminate);
    assert_eq!(bench.stocks(&items), [5, 5, 5]);
    bench.shop.on_request(|_| Fault::None);
    bench.shop.set_available("S-1", 2);
    assert_eq!(
        bench.push("l", &changes).await.unwrap(),
        vec![StockOutcome::Set; 3],
        "as it was answered then"
    );
    assert_eq!(bench.stocks(&items), [5, 2, 5], "and not set again");
    // Keys are kept for a time; after it the figures are compared.
    bench.shop.forget_keys();
    assert_eq!(bench.push("l", &changes).await.unwrap(), vec![StockOutcome::Stale; 3]);
    assert_eq!(bench.stocks(&items), [5, 2, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_refusal_uses_its_key_up_and_the_next_one_is_taken() {
    let bench = bench(PLACED);
    let items = bench.items(2);
    bench.shop.set_available("S-0", 8);
    let changes = [change(&items[0], Some(10), 1), change(&items[1], Some(10), 2)];
    let mut first = true;
    bench
        .shop
        .on_request(move |_| if std::mem::take(&mut first) { Fault::LoseAfterApplied } else { Fault::None });
    assert_eq!(bench.push("k", &changes).await.unwrap(), [StockOutcome::Stale, StockOutcome::Set]);
    // The whole call again: what it set is known by its key or compares unequal. Never wrong, never twice.
    let again = bench.push("k", &changes).await.unwrap();
    assert!(
        again.iter().all(|outcome| matches!(outcome, StockOutcome::Set | StockOutcome::Stale)),
        "{again:?}"
    );
    assert_eq!(bench.stocks(&items), [8, 2]);
    assert_eq!(bench.shop.stock_writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_under_way_is_not_known_and_the_same_key_tells_later() {
    let bench = bench(PLACED);
    let item = bench.items(1).remove(0);
    bench.shop.be_busy(1);
    let error = bench.push("k", &[change(&item, Some(10), 1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Indeterminate, "{error}");
    assert_eq!(bench.push("k", &[change(&item, Some(10), 1)]).await.unwrap(), [StockOutcome::Set]);
    let keys: Vec<Value> = bench.shop.asked().iter().map(|body| body["variables"]["key"].clone()).collect();
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test(start_paused = true)]
async fn another_location_is_another_key_and_one_that_is_not_there_is_an_error() {
    let one = bench(PLACED);
    let items = one.items(2);
    let changes = [change(&items[0], Some(10), 1), change(&items[1], None, 1)];
    one.push("k", &changes).await.unwrap();
    let other = bench(&PLACED.replace("655441491", "77"));
    other.items(2);
    let error = other.push("k", &changes).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("no location 77"), "{error}");
    let key = |bench: &Bench| bench.shop.asked()[0]["variables"]["key"].clone();
    assert_ne!(key(&one), key(&other));
}

#[tokio::test(start_paused = true)]
async fn every_answer_to_a_write_has_its_meaning() {
    let refusals = |errors: Value| {
        Fault::Body(
            json!({ "data": { "inventorySetQuantities": { "userErrors": errors } } }).to_string().into(),
        )
    };
    let error = |field: Value, code: &str| json!({ "field": field, "message": "m", "code": code });
    let coded = |code: &str| {
        Fault::Body(
            json!({ "data": { "inventorySetQuantities": null },
                "errors": [{ "message": "m", "extensions": { "code": code } }] })
            .to_string()
            .into(),
        )
    };
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    for (fault, kind) in [
        (refusals(json!([error(json!(["input", "reason"]), "INVALID_REASON")])), ErrorKind::Rejected),
        (refusals(json!([error(json!(["input", "name"]), "INVALID_NAME")])), ErrorKind::Rejected),
        (refusals(json!([error(Value::Null, "A_NEW_WORD")])), ErrorKind::Rejected),
        (
            refusals(json!([error(
                json!(["input", "quantities", "9", "quantity"]),
                "INVALID_INVENTORY_ITEM"
            )])),
            ErrorKind::Rejected,
        ),
        (refusals(json!([error(Value::Null, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")])), ErrorKind::Rejected),
        (refusals(json!([error(Value::Null, "IDEMPOTENCY_CONCURRENT_REQUEST")])), ErrorKind::Indeterminate),
        (coded("IDEMPOTENCY_CONCURRENT_REQUEST"), ErrorKind::Indeterminate),
        (coded("IDEMPOTENCY_KEY_PARAMETER_MISMATCH"), ErrorKind::Rejected),
        (coded("BAD_REQUEST"), ErrorKind::Rejected),
        (coded("INVALID_FIELD_ARGUMENTS"), ErrorKind::Rejected),
        (coded("ACCESS_DENIED"), ErrorKind::Unsupported),
        (coded("SHOP_INACTIVE"), ErrorKind::Unauthorized),
        (coded("INTERNAL_SERVER_ERROR"), ErrorKind::Indeterminate),
        (coded("THROTTLED"), ErrorKind::RateLimited),
        (Fault::Throttled, ErrorKind::RateLimited),
        (Fault::Refuse, ErrorKind::Unavailable),
        (Fault::LoseBefore, ErrorKind::Indeterminate),
        (Fault::LoseAfterApplied, ErrorKind::Indeterminate),
        (Fault::Status(503), ErrorKind::Indeterminate),
        (Fault::Status(429), ErrorKind::RateLimited),
        (Fault::Status(401), ErrorKind::Unauthorized),
        (
            body(
                "{\"data\":{\"inventorySetQuantities\":{\"userErrors\":[]}},\"errors\":[{\"message\":\"m\"}]}",
            ),
            ErrorKind::Indeterminate,
        ),
        (body(""), ErrorKind::Indeterminate),
        (body("<html>"), ErrorKind::Indeterminate),
        (body("{\"data\":{\"inventorySetQuantities\":null}}"), ErrorKind::Indeterminate),
        (body("{\"data\":{\"inventorySetQuantities\":{}}}"), ErrorKind::Indeterminate),
        (body("{\"data\":null}"), ErrorKind::Indeterminate),
    ] {
        let bench = bench(PLACED);
        let items = bench.items(2);
        let what = format!("{fault:?}");
        bench.shop.on_request(move |_| fault.clone());
        let changes = [change(&items[0], Some(10), 1), change(&items[1], Some(10), 1)];
        let error = bench.push("k", &changes).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
    // Somebody is stale, and nobody is named: all are read anew. So they are when every key is used up.
    let stale = refusals(json!([error(json!(["input", "quantities"]), "CHANGE_FROM_QUANTITY_STALE")]));
    let used = refusals(json!([error(Value::Null, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")]));
    for (fault, calls) in [(stale, 1), (used, 4), (coded("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"), 4)] {
        let bench = bench(PLACED);
        let items = bench.items(2);
        bench.shop.on_request(move |_| fault.clone());
        let changes = [change(&items[0], Some(10), 1), change(&items[1], Some(10), 1)];
        assert_eq!(bench.push("k", &changes).await.unwrap(), vec![StockOutcome::Stale; 2]);
        assert_eq!(bench.sets(), calls);
    }
}

/// Each recorded exchange of `inventorySetQuantities` with its recorded answer, and the outcome of its first item.
#[tokio::test(start_paused = true)]
async fn recorded_answers_are_read_right() {
    let Some(folder) = contracts() else { return };
    let folder = folder.join("recorded/harry-test-heelo.myshopify.com/2026-04/products");
    let file = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let contracts = file("inventory-quantity-contracts-2026-04.json");
    let bounds = file("inventorySetQuantities-quantity-bounds.json");
    let names = file("inventorySetQuantities-name-validation.json");
    let reasons = file("inventory-reason-validation.json");
    let ids = &contracts["unknownIdValidation"];
    for (exchange, expected) in [
        (&contracts["inventorySetQuantities"], Ok(StockOutcome::Set)),
        (&bounds["cases"]["availableNegativeWithinBounds"], Ok(StockOutcome::Set)),
        (&contracts["missingSetIdempotency"], Err("@idempotent directive is required")),
        (&contracts["missingSetChangeFromQuantity"], Err("changeFromQuantity")),
        (&contracts["legacySetShape"], Err("ignoreCompareQuantity")),
        (
            &ids["setUnknownInventoryItem"],
            Ok(StockOutcome::Refused("The specified inventory item could not be found.".to_owned())),
        ),
        (&ids["setUnknownLocation"], Err("no location 655441491")),
        (
            &names["cases"]["availableTooHigh"],
            Ok(StockOutcome::Refused("The quantity can't be higher than 1,000,000,000.".to_owned())),
        ),
        (&names["cases"]["damaged"], Err("INVALID_NAME")),
        (&reasons["invalidReasonCases"]["unknownReasonSet"], Err("INVALID_REASON")),
    ] {
        let bench = bench(PLACED);
        let item = bench.items(1).remove(0);
        let answer = exchange["response"].to_string();
        assert!(answer.contains("data") || answer.contains("errors"), "{exchange}");
        bench.shop.on_request(move |_| Fault::Body(answer.clone().into_bytes()));
        match (bench.push("k", &[change(&item, Some(10), 1)]).await, expected) {
            (Ok(outcomes), Ok(expected)) => assert_eq!(outcomes, [expected]),
            (Err(error), Err(text)) => {
                assert!(matches!(error.kind, ErrorKind::Rejected | ErrorKind::Unsupported), "{error}");
                assert!(error.message.contains(text), "{error}");
            }
            (got, expected) => panic!("{got:?} in place of {expected:?}"),
        }
    }
}

/// Where stocking was turned off, the recorded level keeps its figure: it counts for nothing until it is turned on.
#[tokio::test(start_paused = true)]
async fn recorded_levels_are_read_right() {
    let Some(folder) = contracts() else { return };
    let file = folder.join("recorded/harry-test-heelo.myshopify.com/2026-04/products");
    let file = file.join("inventory-inactive-level-lifecycle-2026-04.json");
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for (step, available) in [
        ("inventoryInactiveLifecycleReadAfterDeactivate", None),
        ("inventoryInactiveLifecycleReadAfterReactivate", Some(7)),
    ] {
        let item = &recorded[step]["response"]["data"]["inventoryItem"];
        let node = json!({
            "id": item["id"], "tracked": item["tracked"], "inventoryLevel": item["inactiveLevel"],
        });
        let answer = json!({ "data": { "nodes": [node, null] } }).to_string();
        let bench = bench(PLACED);
        bench.shop.on_request(move |_| Fault::Body(answer.clone().into_bytes()));
        let id = RemoteId::from(item["id"].as_str().unwrap().rsplit('/').next().unwrap());
        let levels = bench.channel.read_stock(&[id.clone(), "7".into()]).await.unwrap();
        assert_eq!(levels, [StockLevel { item: id, available }], "{step}");
        // What was not asked for is not told.
        assert_eq!(bench.channel.read_stock(&["7".into()]).await.unwrap(), []);
    }
}

/// What happens between two writes.
#[derive(Clone, Debug)]
enum Step {
    Sale(usize, u32),
    Late(usize, u32),
    Count(usize, i64),
    Untrack(usize, bool),
    Delete(usize),
    Publish { wanted: Vec<(usize, u32)>, blind: bool, faults: Vec<u8> },
}

const VARIANTS: usize = 8;

fn step() -> impl Strategy<Value = Step> {
    let at = 0..VARIANTS;
    prop_oneof![
        (at.clone(), 1..4_u32).prop_map(|(at, units)| Step::Sale(at, units)),
        (at.clone(), 1..4_u32).prop_map(|(at, units)| Step::Late(at, units)),
        (at.clone(), -3..30_i64).prop_map(|(at, units)| Step::Count(at, units)),
        (at.clone(), any::<bool>()).prop_map(|(at, on)| Step::Untrack(at, on)),
        at.prop_map(Step::Delete),
        (
            proptest::collection::btree_map(0..VARIANTS, 0..40_u32, 0..6),
            any::<bool>(),
            proptest::collection::vec(0..8_u8, 0..6),
        )
            .prop_map(|(wanted, blind, faults)| Step::Publish {
                wanted: wanted.into_iter().collect(),
                blind,
                faults,
            }),
    ]
}

fn fault(word: u8) -> Fault {
    match word {
        0 => Fault::LoseBefore,
        1 => Fault::LoseAfterApplied,
        2 => Fault::Throttled,
        3 => Fault::Status(500),
        4 => Fault::BodyAfterApplied(b"<html>".to_vec()),
        5 => Fault::Refuse,
        _ => Fault::None,
    }
}

/// Reads, decides, writes, as the daemon does, until nothing is left to do.
async fn converge(bench: &Bench, wanted: &BTreeMap<RemoteId, u32>) {
    for round in 0..20 {
        let items: Vec<RemoteId> = wanted.keys().cloned().collect();
        let levels = bench.channel.read_stock(&items).await.unwrap();
        let changes: Vec<StockChange> = levels
            .iter()
            .filter(|level| level.available.is_some_and(|there| there != i64::from(wanted[&level.item])))
            .map(|level| change(&level.item, level.available, wanted[&level.item]))
            .collect();
        if changes.is_empty() {
            return;
        }
        let _ = bench.push(&format!("converge-{round}-{}", bench.sets()), &changes).await.unwrap();
    }
    panic!("it does not come to rest");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever is answered, lost or changed meanwhile: nothing but what was asked for is ever set, nowhere else; what is
    /// told as set was set; and reading and writing again ends in the wanted figures.
    #[test]
    fn nothing_else_is_ever_written(
        steps in proptest::collection::vec(step(), 1..14),
        sets_the_rest in any::<bool>(),
        repeats in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = bench(PLACED);
            if sets_the_rest {
                bench.shop.set_the_rest();
            }
            if repeats {
                bench.shop.repeat_refusals();
            }
            let sku = |at: usize| format!("S-{at}");
            let items: Vec<RemoteId> = (0..VARIANTS)
                .map(|at| {
                    let new = NewProduct::new(&sku(at), 10).at(77, 5);
                    bench.shop.add(if at == 7 { new.bundle() } else { new }).item_id()
                })
                .collect();
            for (nth, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Sale(at, units) => {
                        bench.shop.place(NewOrder::new(vec![NewLine::new(&sku(at), units)]));
                    }
                    Step::Late(at, units) => {
                        bench.shop.place_before_write(NewOrder::new(vec![NewLine::new(&sku(at), units)]));
                    }
                    Step::Count(at, units) => bench.shop.set_available(&sku(at), units),
                    Step::Untrack(at, on) => bench.shop.set_tracked(&sku(at), on),
                    Step::Delete(at) => bench.shop.delete_product(&sku(at)),
                    Step::Publish { wanted, blind, faults } => {
                        let before = bench.shop.stock_writes().len();
                        let mut left = faults.into_iter();
                        bench.shop.on_request(move |_| left.next().map_or(Fault::None, fault));
                        let changes: Vec<StockChange> = wanted
                            .iter()
                            .map(|(at, to)| change(&items[*at], (!blind).then_some(10), *to))
                            .collect();
                        let key = format!("run-{nth}");
                        let mut outcomes = bench.push(&key, &changes).await;
                        if outcomes.is_err() {
                            outcomes = bench.push(&key, &changes).await;
                        }
                        let made = &bench.shop.stock_writes()[before..];
                        for write in made {
                            prop_assert_eq!(write.location, LOCATION);
                            let asked = changes.iter().find(|change| change.item == write.item);
                            prop_assert!(asked.is_some_and(|asked| i64::from(asked.to) == write.after), "{:?}", write);
                            prop_assert!(asked.is_some_and(|it| it.from.is_none_or(|from| from == write.before)));
                        }
                        for (change, outcome) in changes.iter().zip(outcomes.into_iter().flatten()) {
                            let times = made.iter().filter(|write| write.item == change.item).count();
                            match outcome {
                                StockOutcome::Set => prop_assert!(times > 0, "{:?}", change),
                                StockOutcome::Refused(_) => prop_assert_eq!(times, 0),
                                _ => {}
                            }
                        }
                        bench.shop.on_request(|_| Fault::None);
                    }
                }
            }
            let wanted: BTreeMap<RemoteId, u32> =
                items[..7].iter().enumerate().map(|(at, item)| (item.clone(), 20 + at as u32)).collect();
            converge(&bench, &wanted).await;
            for variant in bench.shop.variants() {
                prop_assert_eq!(variant.levels[&77].available, 5);
                if let Some(wanted) = wanted.get(&variant.item_id()).filter(|_| variant.tracked) {
                    prop_assert_eq!(variant.levels[&LOCATION].available, i64::from(*wanted));
                }
            }
            Ok(())
        })?;
    }
}
