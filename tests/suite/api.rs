//! The HTTP API over the memory store: every route, every refusal, paging.

mod cancellation;
pub(crate) mod rubbish;
pub(crate) mod shop;
mod sockets;

use http::{Method, StatusCode};
use portald::{
    record::RecordId,
    store::{Store, memory::Failure},
};
use sdk::DeliveryKind;
use serde_json::{Value, json};

use self::shop::{Shop, body, get, order_with, post, send};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// A daemon that starts answers before its channels are connected. A void that was asked for then was decided as if the
/// channel could take nothing back, and the parcel stayed there.
#[tokio::test(start_paused = true)]
async fn a_command_during_the_start_waits_for_the_rules() {
    let shop = Shop::starting().await;
    assert_eq!(get(&shop, "/v1/status").await.status, StatusCode::OK, "what only reads is answered");
    let asked = post(&shop, "/v1/orders/m.shop.1/ack", json!({}));
    tokio::pin!(asked);
    let early = tokio::time::timeout(std::time::Duration::from_secs(5), &mut asked).await;
    assert!(early.is_err(), "nothing is decided without rules");
    shop.start();
    assert_eq!(asked.await.status, StatusCode::NOT_FOUND, "then it is decided like any other");
}

#[tokio::test]
async fn an_order_is_listed_shown_and_explained() {
    let shop = Shop::new().await;
    let list = get(&shop, "/v1/orders").await.ok();
    let ids: Vec<_> = list["orders"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect();
    assert_eq!(ids, ["m.shop.1", "m.shop.2", "m.shop.3"], "neither the test order nor what is not ours");
    assert_eq!(list["next"], Value::Null);

    let answer = get(&shop, "/v1/orders/m.shop.1").await;
    let order = answer.ok();
    assert_eq!(answer.header("etag"), format!("\"{}\"", order["version"]));
    for (name, value) in [
        ("merchant", json!("m")),
        ("channel", json!("shop")),
        ("channel_order", json!("1")),
        ("number", json!("#1")),
        ("test", json!(false)),
        ("status", json!("open")),
        ("reasons", json!([])),
        ("split_of", Value::Null),
        ("merged_into", Value::Null),
        ("holds", json!([])),
        ("alerts", json!([])),
        ("shipping_method", json!("Ground")),
        ("fields", json!({})),
        ("handed_off", json!(false)),
        ("cancel_request", Value::Null),
        ("shipments", json!([])),
        ("channel_gaps", json!(["holds are not told"])),
    ] {
        assert_eq!(order[name], value, "{name}");
    }
    assert_eq!(order["ship_to"]["name"], "Ada 1");
    let line = &order["lines"][0];
    for (name, value) in [
        ("id", json!("l1")),
        ("channel_line", json!("1a")),
        ("sku", json!("A1")),
        ("merchant_sku", json!("A1")),
        ("quantity", json!(3)),
        ("open", json!(3)),
        ("shipped", json!(0)),
        ("cancelled", json!(0)),
        ("per_unit", json!(1)),
        ("short", json!(0)),
        ("edited", Value::Null),
    ] {
        assert_eq!(line[name], value, "{name}");
    }

    let held = get(&shop, "/v1/orders/m.shop.3").await.ok();
    assert_eq!(held["status"], "held");
    assert!(held["reasons"][0].as_str().unwrap().starts_with("payment: "), "{held}");
    let why = get(&shop, "/v1/orders/m.shop.3/why").await.ok();
    assert!(why["summary"].as_str().unwrap().starts_with("Held: payment"), "{why}");
    let trace = why["trace"].to_string();
    assert!(trace.contains("release --override payment"), "{trace}");
    assert!(trace.contains("[dropship] skus, glob"), "{trace}");
    assert_eq!(why["timeline"][0]["event"], "order.imported");

    let theirs = get(&shop, "/v1/orders/m.shop.4").await.problem(404, "not-found");
    assert!(theirs["detail"].as_str().unwrap().contains("no supplier order"), "{theirs}");
    let why = get(&shop, "/v1/orders/m.shop.4/why").await.ok();
    assert_eq!(why["summary"], "No supplier order: every line is the merchant's.");
    assert_eq!(why["status"], Value::Null);
}

#[tokio::test]
async fn lists_are_filtered_by_status_merchant_test_and_text() {
    let shop = Shop::new().await;
    let numbers = async |query: &str| -> Vec<String> {
        let list = get(&shop, &format!("/v1/orders?{query}")).await.ok();
        let text = |order: &Value| order["number"].as_str().unwrap().to_owned();
        list["orders"].as_array().unwrap().iter().map(text).collect()
    };
    assert_eq!(numbers("status=held").await, ["#3"]);
    assert_eq!(numbers("status=open").await, ["#1", "#2"]);
    assert_eq!(numbers("status=shipped").await, Vec::<String>::new());
    assert_eq!(numbers("test=true").await, ["#5"]);
    assert_eq!(numbers("merchant=m&channel=shop").await.len(), 3);
    assert_eq!(numbers("merchant=other").await, Vec::<String>::new());
    assert_eq!(numbers("q=%232").await, ["#2"]);
    assert_eq!(numbers("q=ada%201").await, ["#1"], "the recipient, without case");
    assert_eq!(numbers("q=kit").await, ["#2"], "the merchant's SKU");
    assert_eq!(numbers("q=zo%C3%AB").await, ["#3"], "beyond ASCII");
    assert_eq!(numbers("q=M.SHOP.1").await, ["#1"]);
    assert_eq!(numbers("q=Springfield").await, Vec::<String>::new(), "a city is not looked in");

    ship(
        &shop,
        "m.shop.1",
        json!({ "carrier": "UPS", "tracking": "1ZFIND", "lines": [{ "id": "l1", "quantity": 1 }] }),
    )
    .await;
    assert_eq!(numbers("q=1zfind").await, ["#1"], "tracking");
    assert_eq!(numbers("status=partly_shipped").await, ["#1"]);

    post(&shop, "/v1/orders/m.shop.1/split", json!({ "lines": [{ "id": "l1", "quantity": 1 }] })).await.ok();
    assert_eq!(numbers("q=%231-2").await, ["#1-2"], "a split by its number");
    assert_eq!(numbers("q=m.shop.1-2").await, ["#1-2"], "a split by its id");
}

async fn ship(shop: &Shop, id: &str, parcel: Value) -> Value {
    post(shop, &format!("/v1/orders/{id}/ship"), parcel).await.ok()
}

#[tokio::test]
async fn an_order_goes_its_whole_way() {
    let shop = Shop::new().await;
    let order = post(&shop, "/v1/orders/m.shop.1/ack", json!({})).await.ok();
    assert_eq!((&order["status"], &order["handed_off"]), (&json!("in_work"), &json!(true)));
    assert_eq!(order["warnings"], json!([]));

    let order = post(&shop, "/v1/orders/m.shop.1/hold", json!({ "reason": "label printer" })).await.ok();
    assert_eq!(order["status"], "held");
    assert_eq!(order["holds"], json!(["held by the supplier: label printer"]));
    let order = post(&shop, "/v1/orders/m.shop.1/release", json!({})).await.ok();
    assert_eq!(order["status"], "in_work");

    let split = post(&shop, "/v1/orders/m.shop.1/split", json!({ "lines": [{ "id": "l1", "quantity": 1 }] }))
        .await
        .ok();
    assert_eq!((&split["id"], &split["split_of"]), (&json!("m.shop.1-2"), &json!("m.shop.1")));

    let order = ship(&shop, "m.shop.1", json!({ "carrier": "UPS", "tracking": "1Z1" })).await;
    let parcel = &order["shipments"][0];
    assert_eq!(order["status"], "shipped");
    assert_eq!(
        (&parcel["id"], &parcel["tracking"], &parcel["push"]),
        (&json!("p1"), &json!("1Z1"), &json!("pending"))
    );
    assert_eq!(parcel["lines"], json!([{ "id": "l1", "quantity": 2 }]));

    let outbox = get(&shop, "/v1/outbox").await.ok();
    let entry = &outbox["entries"][0];
    assert_eq!(
        (&entry["state"], &entry["order"], &entry["kind"]),
        (&json!("pending"), &json!("m.shop.1"), &json!("create"))
    );

    let order = post(&shop, "/v1/orders/m.shop.1/shipments/p1", json!({ "tracking": "1Z2" })).await.ok();
    assert_eq!(order["shipments"][0]["tracking"], "1Z2");

    let outbox = get(&shop, "/v1/outbox").await.ok();
    assert_eq!(outbox["entries"][0]["tracking"], "1Z2", "corrected before it was sent");
    let key = outbox["entries"][0]["key"].as_str().unwrap().to_owned();
    let plain = format!("/v1/outbox/{key}/drop");
    post(&shop, &plain, json!({})).await.problem(422, "reason");
    let order = post(&shop, &plain, json!({ "reason": "told by phone" })).await.ok();
    assert_eq!(order["shipments"][0]["push"], "not_pushed");
    let encoded = format!("/v1/outbox/{}/retry", key.replace('/', "%2F"));
    let refused = post(&shop, &encoded, json!({})).await;
    assert_ne!(refused.status, StatusCode::NOT_FOUND, "an encoded key is found: {:?}", refused.body);

    let order =
        post(&shop, "/v1/orders/m.shop.1/shipments/p1/void", json!({ "reason": "wrong box" })).await.ok();
    assert_eq!(order["shipments"][0]["voided"], true);
    assert_eq!(order["lines"][0]["open"], 2);

    let order = post(
        &shop,
        "/v1/orders/m.shop.1/edit",
        json!({ "lines": [{ "id": "l1", "quantity": 1 }], "add": [{ "sku": "GIFT", "quantity": 1 }] }),
    )
    .await
    .ok();
    assert_eq!((&order["lines"][0]["edited"], &order["lines"][0]["short"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&order["lines"][1]["sku"], &order["lines"][1]["channel_line"]),
        (&json!("GIFT"), &Value::Null)
    );

    let account = get(&shop, "/v1/merchants/m/orders/shop/1").await.ok();
    assert_eq!(account["splits"][0]["order"], "m.shop.1-2");
    assert_eq!(account["parcels"][0]["voided"], true);
    let by_id = get(&shop, "/v1/merchants/m/orders/shop/m.shop.1-2").await.ok();
    assert_eq!(by_id, account);

    let why = get(&shop, "/v1/orders/m.shop.1/why").await.ok();
    let trace = why["trace"].to_string();
    for word in ["split from", "voided", "dropped", "edited from", "short", "never pushed"] {
        assert!(trace.contains(word), "{word}: {trace}");
    }
    let log = why.to_string() + &get(&shop, "/v1/outbox").await.ok().to_string();
    assert!(!log.contains("Main St"), "the trace holds no address");
}

#[tokio::test]
async fn a_gate_is_overridden_an_order_reimported_and_a_group_made() {
    let shop = Shop::new().await;
    let order = post(&shop, "/v1/orders/m.shop.3/release", json!({ "override": ["payment"] })).await.ok();
    assert_eq!(order["status"], "open");
    post(&shop, "/v1/orders/m.shop.4/reimport", json!({})).await.problem(409, "nothing-ours");

    shop.put(order_with("6", |order| order.deliveries[0].ship_to = Some(shop::address("Ada 1")))).await;
    post(&shop, "/v1/orders/merge", json!({ "orders": ["m.shop.1"] })).await.problem(422, "orders");
    post(&shop, "/v1/orders/merge", json!({ "orders": ["m.shop.1", "m.shop.1"] }))
        .await
        .problem(422, "orders");
    let refused = post(&shop, "/v1/orders/merge", json!({ "orders": ["m.shop.1", "m.shop.2"] })).await;
    assert!(refused.status.is_client_error(), "another address: {:?}", refused.body);
    let lead = post(&shop, "/v1/orders/merge", json!({ "orders": ["m.shop.1", "m.shop.6"] })).await.ok();
    assert_eq!(lead["merged"], json!(["m.shop.6"]));
    assert_eq!(get(&shop, "/v1/orders/m.shop.6").await.ok()["merged_into"], "m.shop.1");
    let free = post(&shop, "/v1/orders/m.shop.6/unmerge", json!({})).await.ok();
    assert_eq!(free["merged_into"], Value::Null);
}

#[tokio::test]
async fn kits_show_their_recipe_and_wait_for_the_last_part() {
    let shop = Shop::new().await;
    let order = get(&shop, "/v1/orders/m.shop.2").await.ok();
    assert_eq!((&order["lines"][0]["per_unit"], &order["lines"][0]["quantity"]), (&json!(2), &json!(2)));
    let first = ship(
        &shop,
        "m.shop.2",
        json!({ "carrier": "UPS", "tracking": "K1", "lines": [{ "id": "l1", "quantity": 2 }] }),
    )
    .await;
    assert_eq!(first["shipments"][0]["push"], "waiting");
    let second = ship(&shop, "m.shop.2", json!({ "carrier": "UPS", "tracking": "K2" })).await;
    assert_eq!(second["shipments"][1]["push"], "pending");
    assert_eq!(second["shipments"][0]["push"], "pending", "the completing parcel tells it");
    let account = get(&shop, "/v1/merchants/m/orders/shop/2").await.ok();
    let line = &account["lines"][0];
    assert_eq!((&line["owner"], &line["rule"]), (&json!("supplier"), &json!("[dropship.map] \"KIT\"")));
    assert_eq!(line["parts"], json!([{ "sku": "A1", "per_unit": 2 }, { "sku": "B2" }]));
    assert_eq!((&line["ordered"], &line["shipped"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn commands_repeat_safely_and_two_operators_are_told() {
    let shop = Shop::new().await;
    let parcel = json!({ "carrier": "UPS", "tracking": "1Z1", "lines": [{ "id": "l1", "quantity": 1 }] });
    let with = async |key: &str, parcel: &Value| {
        let headers = [JSON[0], ("idempotency-key", key)];
        send(&shop, Method::POST, "/v1/orders/m.shop.1/ship", &headers, parcel.to_string()).await
    };
    let first = with("k1", &parcel).await.ok();
    let again = with("k1", &parcel).await.ok();
    assert_eq!(first, again);
    assert_eq!(again["shipments"].as_array().unwrap().len(), 1);
    with("k1", &json!({ "carrier": "UPS", "tracking": "1Z2" })).await.problem(409, "idempotency-key");
    for bad in ["", "two words", &"k".repeat(201)] {
        with(bad, &parcel).await.problem(400, "idempotency-key");
    }

    let guarded = async |tag: &str| {
        let headers = [JSON[0], ("if-match", tag)];
        send(&shop, Method::POST, "/v1/orders/m.shop.1/ack", &headers, String::from("{}")).await
    };
    guarded("\"1000\"").await.problem(412, "version");
    guarded("1").await.problem(400, "if-match");
    guarded("W/\"1\"").await.problem(400, "if-match");
    guarded("\"1\", \"2\"").await.problem(400, "if-match");
    guarded(&format!("\"{}\"", again["version"])).await.ok();
}

#[tokio::test]
async fn what_cannot_be_done_is_a_problem_document() {
    let shop = Shop::new().await;
    let text = async |path: &str, body: &str| send(&shop, Method::POST, path, JSON, body.to_owned()).await;
    let ship = "/v1/orders/m.shop.1/ship";

    get(&shop, "/nothing").await.problem(404, "not-found");
    get(&shop, "/v1/orders/none").await.problem(404, "not-found");
    get(&shop, "/v1/orders/m.shop.99").await.problem(404, "not-found");
    get(&shop, "/v1/orders/m.shop.1-9").await.problem(404, "not-found");
    get(&shop, "/v1/orders/m.shop.1-9/why").await.problem(404, "not-found");
    get(&shop, "/v1/merchants/nobody").await.problem(404, "not-found");
    get(&shop, "/v1/merchants/nobody/orders").await.problem(404, "not-found");
    get(&shop, "/v1/merchants/m/orders/shop/99").await.problem(404, "not-found");
    post(&shop, "/v1/orders/m.shop.99/ack", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/orders/m.shop.1/explode", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/outbox/m.shop.1/p9/create/1/retry", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/outbox/m.shop.1/p9/create/1/explode", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/outbox/key", json!({})).await.problem(404, "not-found");

    let wrong = get(&shop, ship).await;
    wrong.problem(405, "method");
    assert_eq!(wrong.header("allow"), "POST");
    let wrong = post(&shop, "/v1/orders", json!({})).await;
    wrong.problem(405, "method");
    assert_eq!(wrong.header("allow"), "GET, HEAD");

    for (verb, body, status, code) in [
        ("cancel", json!({}), 422, "body"),
        ("cancel", json!({ "by": "customer" }), 422, "body"),
        ("cancel", json!({ "by": "supplier", "lines": [{ "id": "l9", "quantity": 1 }] }), 404, "not-found"),
        ("accept-cancel", json!({}), 409, "no-request"),
        ("reject-cancel", json!({}), 422, "body"),
        ("reject-cancel", json!({ "reason": " " }), 422, "missing"),
        ("confirm-address", json!({}), 409, "no-change"),
        ("confirm-address", json!({ "keep": true }), 422, "body"),
    ] {
        post(&shop, &format!("/v1/orders/m.shop.1/{verb}"), body).await.problem(status, code);
    }
    assert_eq!(get(&shop, "/v1/verify").await.ok()["counted"]["orders"], 5);

    text(ship, "{\"carrier\":").await.problem(400, "json");
    text(ship, "{} {}").await.problem(400, "json");
    text(ship, "\u{0}").await.problem(400, "json");
    let at =
        text(ship, r#"{"carrier":"UPS","lines":[{"id":"l1","quantity":-1}]}"#).await.problem(422, "body");
    assert_eq!(at["at"], "lines[0].quantity");
    assert!(at["detail"].as_str().unwrap().contains("line 1 column"), "{at}");
    text(ship, r#"{"carier":"UPS"}"#).await.problem(422, "body");
    text(ship, "[]").await.problem(422, "body");
    text(ship, "").await.problem(422, "parcel");
    text(ship, "{}").await.problem(422, "parcel");
    text("/v1/orders/m.shop.1/ack", r#"{"forced":true}"#).await.problem(422, "body");
    text("/v1/orders/m.shop.1/hold", r#"{"reason":"  "}"#).await.problem(422, "reason");
    text("/v1/orders/m.shop.1/edit", "{}").await.problem(422, "edit");
    text("/v1/orders/m.shop.1/shipments/p1", "{}").await.problem(422, "tracking");
    text("/v1/orders/m.shop.1/release", r#"{"override":["all"]}"#).await.problem(422, "body");
    send(&shop, Method::POST, ship, &[("content-type", "text/plain")], "{}".into())
        .await
        .problem(415, "content-type");
    send(&shop, Method::POST, ship, &[], "{}".into()).await.problem(415, "content-type");
    let big = format!("{{\"carrier\":\"{}\"}}", "U".repeat(1024 * 1024));
    text(ship, &big).await.problem(413, "too-large");

    let much = json!({ "carrier": "UPS", "lines": [{ "id": "l1", "quantity": 4 }] });
    let refused = post(&shop, ship, much).await;
    assert!(refused.status == StatusCode::CONFLICT || refused.status == StatusCode::UNPROCESSABLE_ENTITY);
    let refused =
        post(&shop, ship, json!({ "carrier": "UPS", "lines": [{ "id": "l9", "quantity": 1 }] })).await;
    assert!(refused.status.is_client_error() && refused.body["detail"].as_str().unwrap().contains("l9"));

    get(&shop, "/v1/orders?limit=0").await.problem(400, "limit");
    get(&shop, "/v1/orders?limit=251").await.problem(400, "limit");
    get(&shop, "/v1/orders?limit=x").await.problem(400, "query");
    get(&shop, "/v1/orders?status=ready").await.problem(400, "query");
    get(&shop, "/v1/orders?colour=red").await.problem(400, "query");
    get(&shop, "/v1/orders?channel=shop").await.problem(400, "channel");
    for bad in ["xyz", "zz", "+1+1", "00ff", "%C3%A9%C3%A9"] {
        get(&shop, &format!("/v1/orders?after={bad}")).await.problem(400, "cursor");
    }
    assert_eq!(get(&shop, "/v1/orders").await.ok()["orders"].as_array().unwrap().len(), 3, "nothing changed");
}

#[tokio::test]
async fn a_thousand_records_are_paged_without_a_gap_or_a_repeat() {
    let shop = Shop::empty().await;
    for n in 0..1000 {
        // Every tenth is not ours, every seventh unpaid.
        shop.put(order_with(&format!("{n:04}"), |order| {
            if n % 10 == 0 {
                order.lines[0].sku = Some("THEIRS".to_owned());
            } else if n % 7 == 0 {
                order.payment = sdk::Payment::Unpaid("pending".to_owned());
            }
        }))
        .await;
    }
    // One with more orders than a page holds.
    for _ in 0..2 {
        post(&shop, "/v1/orders/m.shop.0001/split", json!({ "lines": [{ "id": "l1", "quantity": 1 }] }))
            .await
            .ok();
    }
    let walk = async |query: &str| {
        let (mut ids, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = get(&shop, &format!("{query}{after}")).await.ok();
            let orders = page["orders"].as_array().unwrap();
            ids.extend(orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return (ids, pages),
            }
        }
    };
    let (ids, pages) = walk("/v1/orders?limit=250").await;
    assert_eq!((ids.len(), pages), (902, 4));
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 902);
    let (by_one, _) = walk("/v1/orders?limit=1&q=m.shop.000").await;
    assert_eq!(by_one[..3], ["m.shop.0001", "m.shop.0001-2", "m.shop.0001-3"], "a cursor within a record");
    assert_eq!(by_one.len(), 11);
    let (held, _) = walk("/v1/orders?limit=50&status=held").await;
    assert_eq!(held.len(), (0..1000).filter(|n| n % 10 != 0 && n % 7 == 0).count());
    let (account, _) = walk("/v1/merchants/m/orders?limit=100").await;
    assert_eq!(account.len(), 1000, "the merchant account shows all");

    for n in 1..=5 {
        ship(&shop, &format!("m.shop.000{n}"), json!({ "carrier": "UPS" })).await;
    }
    let outbox = get(&shop, "/v1/outbox?limit=3").await.ok();
    assert_eq!(outbox["entries"].as_array().unwrap().len(), 3);
    let rest =
        get(&shop, &format!("/v1/outbox?limit=3&after={}", outbox["next"].as_str().unwrap())).await.ok();
    assert_eq!((rest["entries"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    get(&shop, "/v1/outbox?state=parked").await.ok();
    get(&shop, "/v1/outbox?state=done").await.problem(400, "query");
}

#[tokio::test]
async fn status_counts_without_test_orders_and_shows_what_is_wrong() {
    let shop = Shop::new().await;
    let status = get(&shop, "/v1/status").await.ok();
    assert_eq!(
        (&status["supplier"], &status["timezone"]),
        (&json!("Acme Supply"), &json!("America/Chicago"))
    );
    let merchant = &status["merchants"][0];
    assert_eq!(
        (&merchant["open"], &merchant["held"], &merchant["parked"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert_eq!((&merchant["last_pull"], &merchant["lag_secs"]), (&Value::Null, &Value::Null), "none yet");
    assert_eq!((&merchant["suspended"], &merchant["cancel_requests"]), (&json!(false), &json!(0)));
    assert_eq!(merchant["channels"][0]["gaps"], json!(["holds are not told"]));

    shop.board.update("m", "shop", |channel| {
        channel.last_pull = Some(shop::now() - chrono::TimeDelta::seconds(90));
        channel.suspended = Some("401".to_owned());
    });
    let merchant = get(&shop, "/v1/merchants/m").await.ok();
    assert_eq!((&merchant["lag_secs"], &merchant["suspended"]), (&json!(90), &json!(true)));

    shop.forget_merchant();
    shop.bind_channel().await;
    let merchant = get(&shop, "/v1/merchants/m").await.ok();
    assert_eq!((&merchant["configured"], &merchant["suspended"]), (&json!(false), &json!(true)));

    shop.set_aside().await;
    let aside = get(&shop, "/v1/set-aside").await.ok();
    assert_eq!(aside["set_aside"][0]["reason"], "no lines");
    assert_eq!(aside["set_aside"][0]["raw"], Value::Null, "payloads may hold addresses");
    let aside = get(&shop, "/v1/set-aside?raw=true&merchant=m").await.ok();
    assert_eq!(aside["set_aside"][0]["raw"], "{}");

    let drop =
        |id: &str, reason: &str| json!({ "merchant": "m", "channel": "shop", "id": id, "reason": reason });
    post(&shop, "/v1/set-aside/drop", drop("8", "typed in by hand")).await.problem(404, "not-found");
    post(&shop, "/v1/set-aside/drop", drop("7", " ")).await.problem(422, "reason");
    post(&shop, "/v1/set-aside/drop", json!({ "id": "7" })).await.problem(422, "body");
    assert_eq!(get(&shop, "/v1/set-aside").await.ok()["set_aside"][0]["id"], "7");
    post(&shop, "/v1/set-aside/drop", drop("7", "typed in by hand")).await.ok();
    assert_eq!(get(&shop, "/v1/set-aside").await.ok()["set_aside"], json!([]));
}

#[tokio::test]
async fn requests_to_the_daemon_reach_its_loop_and_its_answer_comes_back() {
    let shop = Shop::new().await;
    for (path, body) in [
        ("/v1/merchants/m/sync", json!({})),
        ("/v1/merchants/m/pause", json!({})),
        ("/v1/merchants/m/resume", json!({})),
        ("/v1/merchants/old/rename", json!({ "to": "m" })),
        ("/v1/sweep", json!({})),
        ("/v1/sweep", json!({ "merchant": "m" })),
    ] {
        assert!(post(&shop, path, body).await.ok()["done"].is_string(), "{path}");
    }
    let heard = shop.heard();
    assert_eq!(heard, ["sync m", "pause m", "resume m", "rename old m", "sweep all", "sweep m"]);
    let refused =
        post(&shop, "/v1/merchants/old/rename", json!({ "to": "refuse" })).await.problem(409, "refused");
    assert_eq!(refused["detail"], "the files name no refuse");
    post(&shop, "/v1/merchants/nobody/sync", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/merchants/nobody/pause", json!({})).await.problem(404, "not-found");
    post(&shop, "/v1/sweep", json!({ "merchant": "nobody" })).await.problem(404, "not-found");
    post(&shop, "/v1/merchants/old/rename", json!({})).await.problem(422, "body");

    assert_eq!(get(&shop, "/readyz").await.ok()["status"], "ready");
    shop.stop_loop().await;
    post(&shop, "/v1/sweep", json!({})).await.problem(503, "stopping");
    get(&shop, "/readyz").await.problem(503, "stopping");
    assert_eq!(get(&shop, "/healthz").await.ok()["status"], "ok");
    get(&shop, "/metrics").await.problem(404, "not-found");
    let head = send(&shop, Method::HEAD, "/healthz", &[], String::new()).await;
    assert_eq!(head.status, StatusCode::OK);
}

#[tokio::test]
async fn a_failing_store_is_said_and_nothing_is_claimed() {
    let shop = Shop::new().await;
    shop.store.fail_next(Failure::Before);
    let answer = post(&shop, "/v1/orders/m.shop.1/ack", json!({})).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{:?}", answer.body);
    assert_eq!(body(&answer)["status"], 503);
}

#[tokio::test]
async fn a_command_told_as_done_under_its_key_is_on_disk() {
    let shop = Shop::new().await;
    shop.store.fail_next(Failure::NotFlushed);
    let ack = async || {
        let headers = [JSON[0], ("idempotency-key", "k1")];
        send(&shop, Method::POST, "/v1/orders/m.shop.1/ack", &headers, "{}".to_owned()).await
    };
    // Readers see it already, and a loss of power would forget it.
    assert_eq!(ack().await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&shop, "/v1/orders/m.shop.1").await.ok()["handed_off"], true);
    ack().await.ok();
    let (id, _) = RecordId::parse_order("m.shop.1").unwrap();
    let kept = shop.store.crash().record(&id).await.unwrap().unwrap();
    assert!(kept.orders[0].acked_at.is_some(), "{kept:?}");
}

#[tokio::test]
async fn an_order_that_came_first_with_an_unknown_delivery_goes_on_once_it_is_known() {
    let shop = Shop::empty().await;
    let grouped = |key: &'static str, kind: DeliveryKind| {
        order_with("9", |order| {
            if kind != DeliveryKind::Shipping {
                order.deliveries[0].ship_to = None;
            }
            key.clone_into(&mut order.deliveries[0].key);
            order.deliveries[0].kind = kind;
            key.clone_into(&mut order.lines[0].delivery);
        })
    };
    shop.put(grouped("", DeliveryKind::Unknown("something new".to_owned()))).await;
    let list = get(&shop, "/v1/orders").await.ok();
    assert_eq!(list["orders"][0]["status"], "held", "{list}");
    shop.put(grouped("501", DeliveryKind::Shipping)).await;
    let list = get(&shop, "/v1/orders").await.ok();
    let orders = list["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 1, "{list}");
    assert_eq!(orders[0]["status"], "open", "{list}");
    assert!(orders[0]["ship_to"].is_object(), "{list}");
}
