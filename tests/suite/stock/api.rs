//! Stock and products over the HTTP API.

use http::Method;
use portald::{
    plan::routing::Catalogue,
    stock::{
        Answer, Entry, Listing, Run, RunPart, RunReason, SCHEMA, Shown, StockState, Stopped, run::Blast,
    },
    store::{Changes, StockChanges, Store},
};
use serde_json::{Value, json};

use super::core::variant;
use crate::api::shop::{Shop, get, now, post, send};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

async fn put(shop: &Shop, path: &str, body: Value) -> crate::api::shop::Answer {
    send(shop, Method::PUT, path, JSON, body.to_string()).await
}

async fn import(shop: &Shop, query: &str, csv: &str) -> crate::api::shop::Answer {
    let path = format!("/v1/inventory/import{query}");
    send(shop, Method::PUT, &path, &[("content-type", "text/csv")], csv.to_owned()).await
}

async fn keep(shop: &Shop, stock: StockChanges) {
    shop.store.commit(Changes { stock, ..Changes::default() }).await.unwrap();
}

async fn listed() -> Shop {
    let shop = Shop::new().await;
    let listing = |id: &str, sku| {
        (
            "m".to_owned(),
            "shop".to_owned(),
            Listing { schema: SCHEMA, variant: variant(id, Some(sku), true), first_seen: now() },
        )
    };
    let shown = Shown { figure: Some(4), ..Shown::unknown("i1".into(), now()) };
    keep(
        &shop,
        StockChanges {
            listings: vec![
                listing("1", "A1"),
                listing("2", "KIT"),
                listing("3", "THEIRS"),
                listing("4", "b 222"),
            ],
            shown: vec![("m".to_owned(), "shop".to_owned(), shown)],
            ..StockChanges::default()
        },
    )
    .await;
    shop
}

#[tokio::test]
async fn figures_are_told_listed_and_remembered() {
    let shop = listed().await;
    assert_eq!(get(&shop, "/v1/inventory").await.ok(), json!({ "levels": [], "next": null }));
    let body = json!({ "levels": [{ "sku": "A1", "on_hand": 20 }, { "sku": "B2", "on_hand": 3, "warehouse": "main" }] });
    let set = put(&shop, "/v1/inventory", body).await.ok();
    let level = &set["levels"][0];
    let told = ["sku", "warehouse", "on_hand", "committed", "available"].map(|name| level[name].clone());
    // Orders 1 and 3 hold three each, and the kit of order 2 two; the test order holds none.
    assert_eq!(told, [json!("A1"), json!("main"), json!(20), json!(8), json!(12)]);
    put(&shop, "/v1/inventory", json!({ "levels": [{ "sku": "A1", "add": -5 }] })).await.ok();
    let parcel = json!({ "carrier": "UPS", "tracking": "T1" });
    post(&shop, "/v1/orders/m.shop.1/ship", parcel).await.ok();
    let one = get(&shop, "/v1/inventory?sku=A1").await.ok();
    assert_eq!((&one["levels"][0]["on_hand"], &one["levels"][0]["committed"]), (&json!(12), &json!(5)));
    let history = get(&shop, "/v1/inventory/history/A1").await.ok();
    let changes: Vec<_> =
        history["moves"].as_array().unwrap().iter().map(|moved| moved["change"].clone()).collect();
    assert_eq!(changes, ["=20", "-5", "-3"]);
    assert_eq!(history["moves"][2]["why"], "parcel m.shop.1/p1");
    get(&shop, "/v1/inventory/history/NONE").await.problem(404, "not-found");
    let page = get(&shop, "/v1/inventory?limit=1").await.ok();
    let next = page["next"].as_str().unwrap();
    let rest = get(&shop, &format!("/v1/inventory?limit=5&after={next}")).await.ok();
    assert_eq!(
        (rest["levels"][0]["sku"].as_str(), rest["levels"].as_array().unwrap().len()),
        (Some("B2"), 1)
    );
    get(&shop, "/v1/inventory?after=zz").await.problem(400, "cursor");
    get(&shop, "/v1/inventory?limit=0").await.problem(400, "limit");
}

#[tokio::test]
async fn wrong_figures_are_refused_and_none_is_kept() {
    let shop = Shop::new().await;
    for (level, code) in [
        (json!({ "sku": "A1" }), "level"),
        (json!({ "sku": "A1", "on_hand": 1, "add": 1 }), "level"),
        (json!({ "sku": "A1", "on_hand": -1 }), "level"),
        (json!({ "sku": "A1", "add": 0 }), "level"),
        (json!({ "sku": " ", "on_hand": 1 }), "level"),
        (json!({ "sku": "A1", "on_hand": 1, "much": true }), "body"),
    ] {
        let body = json!({ "levels": [{ "sku": "B2", "on_hand": 1 }, level] });
        put(&shop, "/v1/inventory", body).await.problem(422, code);
    }
    put(&shop, "/v1/inventory", json!({ "levels": [] })).await.problem(422, "levels");
    assert_eq!(get(&shop, "/v1/inventory").await.ok()["levels"], json!([]));
    post(&shop, "/v1/inventory", json!({})).await.problem(405, "method");
}

#[tokio::test]
async fn a_file_is_imported_whole_or_refused_with_its_lines() {
    let shop = Shop::new().await;
    let dry = import(&shop, "?dry_run=true", "sku,quantity\nA1,5\nA2,6\n").await.ok();
    assert_eq!((&dry["import"], &dry["rows"], &dry["new"]), (&Value::Null, &json!(2), &json!(2)));
    let done = import(&shop, "", "sku,quantity,colour\nA1,5\nA2,6,red\n").await.problem(422, "rows");
    assert!(done["detail"].as_str().unwrap().contains("line 2: it has 2 cells"), "{done}");
    let done = import(&shop, "", "sku,quantity,colour\nA1,5,\nA2,6,red\n").await.ok();
    assert!(done["import"].is_string() && done["warnings"][0].as_str().unwrap().contains("colour"), "{done}");
    let done = import(&shop, "?delta=true&warehouse=main", "sku,quantity\nA1,-5\n").await.ok();
    assert_eq!((&done["changed"], &done["zeroed"]), (&json!(1), &json!(1)));
    import(&shop, "", "").await.problem(422, "empty");
    import(&shop, "?warehouse=moon", "sku,quantity\nA1,1\n").await.problem(422, "warehouse");
    put(&shop, "/v1/inventory/import", json!({})).await.problem(415, "content-type");
    import(&shop, "?much=1", "").await.problem(400, "query");
}

#[tokio::test]
async fn what_channels_may_show_is_listed_with_its_reasons() {
    let shop = listed().await;
    put(&shop, "/v1/inventory", json!({ "levels": [{ "sku": "A1", "on_hand": 20 }] })).await.ok();
    let list = get(&shop, "/v1/inventory/merchants/m").await.ok();
    let rows: Vec<_> = list["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["sku"].clone(), row["published"].clone(), row["acknowledged"].clone()))
        .collect();
    assert_eq!(rows, [(json!("A1"), json!(12), json!(4)), (json!("KIT"), Value::Null, Value::Null)]);
    assert_eq!(list["products"][1]["note"], "the supplier has told no figure of B2");
    let diff = get(&shop, "/v1/inventory/merchants/m?diff=true").await.ok();
    assert_eq!(diff["products"].as_array().unwrap().len(), 1);
    get(&shop, "/v1/inventory/merchants/nobody").await.problem(404, "not-found");
}

#[tokio::test]
async fn products_are_flagged_at_run_time_and_the_next_order_goes_by_it() {
    let shop = listed().await;
    put(
        &shop,
        "/v1/inventory",
        json!({ "levels": [{ "sku": "B-222", "on_hand": 1 }, { "sku": "THEIRS", "on_hand": 1 }] }),
    )
    .await
    .ok();
    let list = get(&shop, "/v1/products?merchant=m").await.ok();
    let ours: Vec<_> =
        list["products"].as_array().unwrap().iter().map(|row| row["auto_dropship"].clone()).collect();
    assert_eq!(ours, [true, true, false, false]);
    let missed = get(&shop, "/v1/products?unflagged=true").await.ok();
    let skus: Vec<_> = missed["products"].as_array().unwrap().iter().map(|row| row["sku"].clone()).collect();
    assert_eq!(skus, ["THEIRS", "b 222"]);
    assert_eq!(missed["lines"][0]["order"], "m.shop.4", "an order went by because of it");

    let flag =
        json!({ "merchant": "m", "sku": "THEIRS", "flag": "on", "parts": [{ "sku": "A1", "per_unit": 2 }] });
    let set = put(&shop, "/v1/products", flag).await.ok();
    assert_eq!(
        (&set["products"][0]["auto_dropship"], &set["products"][0]["flag"]),
        (&json!(true), &json!("on"))
    );
    let order = crate::api::shop::order_with("9", |order| order.lines[0].sku = Some("THEIRS".to_owned()));
    shop.put(order).await;
    assert_eq!(get(&shop, "/v1/orders/m.shop.9").await.ok()["lines"][0]["quantity"], 6);
    get(&shop, "/v1/orders/m.shop.4").await.problem(404, "not-found");
    put(&shop, "/v1/products", json!({ "merchant": "m", "sku": "A1", "flag": "off" })).await.ok();
    let order = crate::api::shop::order_with("10", |_| {});
    shop.put(order).await;
    get(&shop, "/v1/orders/m.shop.10").await.problem(404, "not-found");
    put(&shop, "/v1/products", json!({ "merchant": "m", "sku": "A1", "flag": "none" })).await.ok();
    let order = crate::api::shop::order_with("11", |_| {});
    shop.put(order).await;
    get(&shop, "/v1/orders/m.shop.11").await.ok();
    for (body, status, code) in [
        (json!({ "merchant": "nobody", "sku": "A1", "flag": "on" }), 404, "not-found"),
        (json!({ "merchant": "m", "sku": "", "flag": "on" }), 422, "product"),
        (json!({ "merchant": "m", "sku": "A1", "flag": "off", "parts": [{ "sku": "A1" }] }), 422, "product"),
        (
            json!({ "merchant": "m", "sku": "A1", "flag": "on", "parts": [{ "sku": "A1", "per_unit": 0 }] }),
            422,
            "product",
        ),
        (json!({ "merchant": "m", "sku": "A1", "flag": "maybe" }), 422, "body"),
    ] {
        put(&shop, "/v1/products", body).await.problem(status, code);
    }
    // The store keeps them: another daemon over it decides alike.
    let flags = shop.store.flags().await.unwrap();
    assert_eq!(flags.iter().map(|flag| flag.sku.as_str()).collect::<Vec<_>>(), ["THEIRS"]);
    let bare = Catalogue::new(&["A*".to_owned()], Default::default(), Default::default()).unwrap();
    let flagged = bare.with_flags([("THEIRS".to_owned(), (&flags[0].flag).into())].into());
    assert!(
        matches!(flagged.product(Some("theirs ")), portald::record::Owner::Supplier { .. }),
        "as it is written, or alike"
    );
    assert!(matches!(
        flagged.with_flags(Default::default()).product(Some("THEIRS")),
        portald::record::Owner::Merchant(_)
    ));
}

#[tokio::test]
async fn a_stopped_run_is_looked_at_released_or_taken_back() {
    let shop = listed().await;
    post(&shop, "/v1/inventory/release", json!({ "merchant": "m" })).await.problem(409, "not-stopped");
    let run = Run {
        schema: SCHEMA,
        merchant: "m".to_owned(),
        channel: "shop".to_owned(),
        n: 3,
        at: now(),
        reason: RunReason::Schedule,
        shadow: false,
        end: None,
        parts: 1,
        set: 1,
        refused: 0,
    };
    let entry = Entry {
        item: "i1".into(),
        variant: "1".into(),
        sku: "A1".to_owned(),
        before: Some(9),
        after: 4,
        why: "4 available".to_owned(),
        answer: Answer::Set,
    };
    let blast = Blast { products: 4, zeroed: 3, halved: 0 };
    let stopped = Stopped { run: 3, at: now(), why: "3 of 4 products".to_owned(), blast };
    let state = StockState { stopped: Some(stopped), last_run: 3, ..StockState::default() };
    keep(
        &shop,
        StockChanges {
            states: vec![("m".to_owned(), "shop".to_owned(), state)],
            runs: vec![run],
            parts: vec![(
                "m".to_owned(),
                "shop".to_owned(),
                RunPart { schema: SCHEMA, run: 3, n: 0, writes: vec![entry] },
            )],
            ..StockChanges::default()
        },
    )
    .await;
    let list = get(&shop, "/v1/inventory/merchants/m").await.ok();
    assert_eq!(list["channels"][0]["stopped_run"], "m.shop.3");
    let told = get(&shop, "/v1/inventory/runs/m.shop.3").await.ok();
    assert_eq!((&told["writes"][0]["before"], &told["writes"][0]["answer"]), (&json!(9), &json!("set")));
    post(&shop, "/v1/inventory/release", json!({ "merchant": "m" })).await.ok();
    let state = shop.store.stock_state("m", "shop").await.unwrap().unwrap();
    assert_eq!((state.stopped, state.released), (None, Some(3)));
    let plan = post(&shop, "/v1/inventory/undo", json!({ "run": "m.shop.3", "dry_run": true })).await.ok();
    assert_eq!(plan["writes"], json!([{ "sku": "A1", "from": 4, "to": 9 }]));
    assert!(!shop.store.stock_state("m", "shop").await.unwrap().unwrap().held, "a dry run holds nothing");
    post(&shop, "/v1/inventory/undo", json!({ "run": "m.shop.3" })).await.problem(409, "sync-off");
    for run in ["m.shop.4", "nonsense"] {
        post(&shop, "/v1/inventory/undo", json!({ "run": run })).await.problem(404, "not-found");
        get(&shop, &format!("/v1/inventory/runs/{run}")).await.problem(404, "not-found");
    }
}
