//! Cancellations, addresses and the last look, as the API takes and shows them.

use http::Method;
use portald::{
    record::{Event, Level},
    tasks::look::Look,
};
use sdk::{Order, OrderState};
use serde_json::{Value, json};

use super::shop::{Answer, Found, Shop, address, get, now, order_with, post, send};

const ORDER: &str = "/v1/orders/m.shop.1";

/// Order `#1` as the channel shows it, wanting so many.
fn wanting(units: u32) -> Order {
    order_with("1", |order| {
        order.lines[0].fulfillable = units;
        order.lines[0].quantity = units;
    })
}

fn cancelled() -> Order {
    order_with("1", |order| {
        order.state = OrderState::Cancelled { at: Some(now()), reason: Some("customer".to_owned()) };
        order.lines[0].fulfillable = 0;
    })
}

fn moved() -> Order {
    order_with("1", |order| order.deliveries[0].ship_to = Some(address("Ada of Ely")))
}

async fn ask(shop: &Shop, verb: &str, body: Value) -> Answer {
    post(shop, &format!("{ORDER}/{verb}"), body).await
}

async fn with(shop: &Shop, verb: &str, header: (&str, &str), body: Value) -> Answer {
    let headers = [("content-type", "application/json"), header];
    send(shop, Method::POST, &format!("{ORDER}/{verb}"), &headers, body.to_string()).await
}

async fn order(shop: &Shop) -> Value {
    get(shop, ORDER).await.ok()
}

/// In work, and one unit is not wanted any more.
async fn asked() -> Shop {
    let shop = Shop::new().await;
    ask(&shop, "ack", json!({})).await.ok();
    shop.put(wanting(2)).await;
    shop
}

fn stamp(at: sdk::Timestamp) -> Value {
    json!(at)
}

#[tokio::test]
async fn a_request_is_shown_with_its_age_and_answered_either_way() {
    for (verb, body, open, gone) in [
        ("accept-cancel", json!({}), 2, 1),
        ("accept-cancel", json!({ "lines": [{ "id": "l1", "quantity": 1 }] }), 2, 1),
        ("reject-cancel", json!({ "reason": "packed" }), 3, 0),
    ] {
        let shop = asked().await;
        let shown = order(&shop).await;
        let request = json!({ "at": stamp(now()), "lines": [{ "id": "l1", "quantity": 1 }] });
        assert_eq!(shown["cancel_request"], request);
        assert_eq!((&shown["status"], &shown["lines"][0]["open"]), (&json!("in_work"), &json!(3)));
        assert!(shown["alerts"][0].as_str().unwrap().starts_with("STOP: 1 × A1"), "{shown}");
        let answer = ask(&shop, verb, body).await.ok();
        assert_eq!(answer["cancel_request"], Value::Null, "{verb}");
        assert_eq!(answer["alerts"], json!([]), "{verb}");
        let line = &answer["lines"][0];
        assert_eq!((&line["open"], &line["cancelled"]), (&json!(open), &json!(gone)), "{verb}");
        ask(&shop, verb, json!({ "reason": "again" })).await;
        assert_eq!(order(&shop).await["lines"], answer["lines"], "{verb}");
        let story = get(&shop, &format!("{ORDER}/why")).await.ok()["story"].to_string();
        let word = if gone == 1 { "1 cancelled" } else { "the supplier rejected that" };
        assert!(story.contains(word), "{story}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_a_problem_and_changes_nothing() {
    let shop = asked().await;
    let before = order(&shop).await;
    for (verb, body, status, code) in [
        ("accept-cancel", json!({ "lines": [{ "id": "l1", "quantity": 2 }] }), 409, "quantity"),
        ("accept-cancel", json!({ "lines": [{ "id": "l1", "quantity": 0 }] }), 422, "quantity"),
        ("accept-cancel", json!({ "lines": [{ "id": "l7", "quantity": 1 }] }), 404, "not-found"),
        ("reject-cancel", json!({ "reason": "  " }), 422, "missing"),
        ("cancel", json!({ "by": "supplier", "lines": [{ "id": "l1", "quantity": 4 }] }), 409, "quantity"),
        ("cancel", json!({ "by": "merchant", "lines": [{ "id": "l1", "quantity": 3 }] }), 409, "quantity"),
        ("confirm-address", json!({}), 409, "no-change"),
        ("ship", json!({ "tracking": "1", "lines": [{ "id": "l1", "quantity": 4 }] }), 409, "quantity"),
    ] {
        ask(&shop, verb, body).await.problem(status, code);
        assert_eq!(order(&shop).await, before, "{verb} was refused");
    }
    for (verb, body) in [
        ("reject-cancel", json!({})),
        ("cancel", json!({})),
        ("cancel", json!({ "by": "nobody" })),
        ("cancel", json!({ "by": "merchant", "force": true })),
        ("accept-cancel", json!({ "line": [] })),
        ("confirm-address", json!({ "keep": true })),
        ("ack", json!({ "forced": true })),
    ] {
        let answer = ask(&shop, verb, body).await;
        assert!(answer.status.is_client_error(), "{verb}: {}", answer.body);
        assert_eq!(order(&shop).await, before, "{verb} was refused");
    }
    post(&shop, "/v1/orders/m.shop.9/accept-cancel", json!({})).await.problem(404, "not-found");
    let fresh = Shop::new().await;
    ask(&fresh, "accept-cancel", json!({})).await.problem(409, "no-request");
    ask(&fresh, "reject-cancel", json!({ "reason": "x" })).await.problem(409, "no-request");
}

#[tokio::test]
async fn every_verb_repeats_under_its_key_and_keeps_to_the_version() {
    for (verb, body) in [
        ("accept-cancel", json!({})),
        ("reject-cancel", json!({ "reason": "packed" })),
        ("cancel", json!({ "by": "supplier", "reason": "broken" })),
        ("cancel", json!({ "by": "merchant", "lines": [{ "id": "l1", "quantity": 1 }] })),
    ] {
        let shop = asked().await;
        with(&shop, verb, ("if-match", "\"77\""), body.clone()).await.problem(412, "version");
        let version = order(&shop).await["version"].to_string();
        let first = with(&shop, verb, ("idempotency-key", "k1"), body.clone()).await.ok();
        let again = with(&shop, verb, ("idempotency-key", "k1"), body.clone()).await.ok();
        assert_eq!(first, again, "{verb}");
        with(&shop, "hold", ("idempotency-key", "k1"), json!({ "reason": "x" }))
            .await
            .problem(409, "idempotency-key");
        with(&shop, verb, ("if-match", &format!("\"{version}\"")), body).await.problem(412, "version");
    }
    let shop = Shop::new().await;
    ask(&shop, "ack", json!({})).await.ok();
    shop.put(moved()).await;
    let first = with(&shop, "confirm-address", ("idempotency-key", "k2"), json!({})).await.ok();
    let again = with(&shop, "confirm-address", ("idempotency-key", "k2"), json!({})).await.ok();
    assert_eq!(first, again);
}

#[tokio::test]
async fn cancelled_by_hand_says_whose_word_it_was() {
    let shop = Shop::new().await;
    let lines = json!([{ "id": "l1", "quantity": 1 }]);
    let answer =
        ask(&shop, "cancel", json!({ "by": "merchant", "reason": "called", "lines": lines })).await.ok();
    assert_eq!((&answer["lines"][0]["cancelled"], &answer["status"]), (&json!(1), &json!("open")));
    let answer = ask(&shop, "cancel", json!({ "by": "supplier" })).await.ok();
    assert_eq!((&answer["lines"][0]["cancelled"], &answer["status"]), (&json!(3), &json!("cancelled")));
    assert!(answer["alerts"][0].as_str().unwrap().contains("the supplier cannot fulfil it"), "{answer}");
    ask(&shop, "cancel", json!({ "by": "supplier" })).await.problem(409, "nothing-open");
    let account = get(&shop, "/v1/merchants/m/orders/shop/1").await.ok();
    assert!(account["alerts"][0].as_str().unwrap().contains("cannot fulfil"), "{account}");
    assert_eq!(account["lines"][0]["by_hand"], 3);
    ask(&shop, "ship", json!({ "tracking": "1" })).await.problem(409, "cancelled");
}

#[tokio::test]
async fn a_parcel_after_a_cancellation_is_marked_with_its_time() {
    let shop = Shop::new().await;
    shop.put(cancelled()).await;
    assert_eq!(order(&shop).await["status"], "cancelled");
    ask(&shop, "ack", json!({})).await.problem(409, "nothing-open");
    ask(&shop, "ship", json!({ "tracking": "1Z1" })).await.problem(409, "cancelled");
    let answer = ask(&shop, "ship", json!({ "tracking": "1Z1", "after_cancel": true })).await.ok();
    let parcel = &answer["shipments"][0];
    assert_eq!((&parcel["after_cancel"], &parcel["cancelled_at"]), (&json!(true), &stamp(now())));
    assert_eq!((&answer["status"], &parcel["push"]), (&json!("shipped"), &json!("pending")));
    assert!(answer["alerts"].to_string().contains("p1 of m.shop.1"), "{answer}");
    let story = get(&shop, &format!("{ORDER}/why")).await.ok()["story"].to_string();
    assert!(story.contains("though units of it had been cancelled"), "{story}");
}

#[tokio::test]
async fn a_changed_address_waits_for_an_answer_and_both_are_shown() {
    for (keep_old, name) in [(false, "Ada of Ely"), (true, "Ada 1")] {
        let shop = Shop::new().await;
        ask(&shop, "ack", json!({})).await.ok();
        shop.put(moved()).await;
        let shown = order(&shop).await;
        assert_eq!(shown["ship_to"]["name"], "Ada 1", "the one that it works with");
        assert_eq!(shown["address_change"]["name"], "Ada of Ely");
        assert_eq!(shown["former_addresses"][0]["ship_to"]["name"], "Ada 1");
        assert_eq!(shown["former_addresses"][0]["until"], stamp(now()));
        assert!(shown["alerts"][0].as_str().unwrap().contains("confirm-address"), "{shown}");
        let answer = ask(&shop, "confirm-address", json!({ "keep_old": keep_old })).await.ok();
        assert_eq!(answer["ship_to"]["name"], name);
        assert_eq!((&answer["address_change"], &answer["alerts"]), (&Value::Null, &json!([])));
        ask(&shop, "confirm-address", json!({})).await.problem(409, "no-change");
        let why = get(&shop, &format!("{ORDER}/why")).await.ok();
        assert!(!why["timeline"].to_string().contains("Ada"), "no address in the timeline");
    }
    let shop = Shop::new().await;
    shop.put(moved()).await;
    let shown = order(&shop).await;
    assert_eq!((&shown["ship_to"]["name"], &shown["address_change"]), (&json!("Ada of Ely"), &Value::Null));
}

#[tokio::test]
async fn a_change_seen_at_the_last_moment_refuses_the_hand_off_once() {
    for (what, change) in [
        ("no longer wants 1 × A1", wanting(2)),
        ("holds it: fraud", order_with("1", |order| order.holds.push("fraud".to_owned()))),
        ("ship-to of m.shop.1 changed", moved()),
    ] {
        let shop = Shop::new().await;
        shop.finds(Found::Order(Box::new(change)));
        let problem = ask(&shop, "ack", json!({})).await.problem(409, "changed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(what) && detail.contains("--force"), "{detail}");
        assert_eq!(order(&shop).await["handed_off"], false);
        let second = ask(&shop, "ack", json!({})).await;
        if what.starts_with("holds") {
            second.problem(409, "held");
        } else {
            assert_eq!(second.ok()["handed_off"], true, "{what}: seen is seen");
        }
        assert_eq!(shop.looks(), 2);
    }
}

#[tokio::test]
async fn force_takes_it_into_work_and_names_the_change() {
    let shop = Shop::new().await;
    shop.finds(Found::Order(Box::new(wanting(2))));
    let answer = ask(&shop, "ack", json!({ "force": true })).await.ok();
    assert_eq!(answer["handed_off"], true);
    assert!(answer["warnings"].to_string().contains("no longer wants 1 × A1"), "{answer}");
    assert_eq!(answer["lines"][0]["open"], 2, "what was cancelled in time is cancelled");
    let shop = Shop::new().await;
    shop.finds(Found::Order(Box::new(cancelled())));
    ask(&shop, "ack", json!({ "force": true })).await.problem(409, "nothing-open");
}

#[tokio::test]
async fn a_look_that_finds_nothing_or_fails_is_no_refusal() {
    let event = |event: &str, order| Event {
        at: now(),
        event: event.to_owned(),
        text: "something".to_owned(),
        order,
        level: Level::Info,
        channel_at: None,
    };
    for (look, warning) in [
        (Look::Same, None),
        (Look::NotKnowable, None),
        (Look::Failed("no answer within 3 seconds".to_owned()), Some("no answer within 3 seconds")),
        (Look::Changed(vec![event("order.changed", None), event("fulfillment.pushed", Some(1))]), None),
        (Look::Changed(vec![event("order.address_changed", Some(2))]), None),
    ] {
        let shop = Shop::new().await;
        shop.finds(Found::Answer(look.clone()));
        let answer = ask(&shop, "ack", json!({})).await.ok();
        assert_eq!(answer["handed_off"], true, "{look:?}");
        let warnings = answer["warnings"].to_string();
        match warning {
            Some(words) => assert!(warnings.contains(words), "{warnings}"),
            None => assert_eq!(answer["warnings"], json!([]), "{look:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_look_longer_than_its_budget() {
    let shop = Shop::new().await;
    shop.finds(Found::Silence);
    let before = tokio::time::Instant::now();
    let answer = ask(&shop, "ack", json!({})).await.ok();
    assert!(before.elapsed().as_secs() <= 4, "{:?}", before.elapsed());
    assert!(answer["warnings"].to_string().contains("no answer in time"), "{answer}");
    shop.stop_loop().await;
    let path = "/v1/orders/m.shop.2/ack";
    let answer = post(&shop, path, json!({})).await.ok();
    assert!(answer["warnings"].to_string().contains("the daemon is ending"), "{answer}");
}

#[tokio::test]
async fn a_parcel_is_recorded_whatever_the_look_finds_and_says_so() {
    for (found, words) in [
        (Found::Order(Box::new(wanting(1))), "crossed a cancellation"),
        (Found::Order(Box::new(cancelled())), "crossed a cancellation"),
        (Found::Answer(Look::Failed("503".to_owned())), "could not be asked"),
    ] {
        let shop = Shop::new().await;
        shop.finds(found);
        let answer = ask(&shop, "ship", json!({ "carrier": "UPS", "tracking": "1Z1" })).await.ok();
        assert_eq!(answer["lines"][0]["shipped"], 3);
        assert_eq!(answer["shipments"][0]["tracking"], "1Z1");
        assert!(answer["warnings"].to_string().contains(words), "{answer}");
        assert_eq!(
            answer["shipments"][0]["after_cancel"],
            words.contains("crossed"),
            "the answer shows what was found"
        );
    }
}

#[tokio::test]
async fn only_the_first_parcel_and_the_hand_off_ask_the_channel() {
    let shop = Shop::new().await;
    ask(&shop, "hold", json!({ "reason": "x" })).await.ok();
    ask(&shop, "release", json!({})).await.ok();
    assert_eq!(shop.looks(), 0);
    ask(&shop, "ack", json!({})).await.ok();
    ask(&shop, "ack", json!({})).await.ok();
    assert_eq!(shop.looks(), 1, "in work is in work");
    let lines = |units| json!([{ "id": "l1", "quantity": units }]);
    let parcel = |tracking: &str| json!({ "tracking": tracking, "lines": lines(1) });
    let first = with(&shop, "ship", ("idempotency-key", "k"), parcel("1")).await.ok();
    assert_eq!(shop.looks(), 2);
    assert_eq!(
        with(&shop, "ship", ("idempotency-key", "k"), parcel("1")).await.ok()["lines"],
        first["lines"]
    );
    ask(&shop, "ship", parcel("2")).await.ok();
    assert_eq!(shop.looks(), 2, "the first parcel only");
    ask(&shop, "ship", json!({ "tracking": "3", "lines": lines(9) })).await.problem(409, "quantity");
    assert_eq!(shop.looks(), 2);
}

#[tokio::test]
async fn a_command_that_waits_for_its_version_does_not_slip_past_the_look() {
    let shop = Shop::new().await;
    let version = order(&shop).await["version"].to_string();
    shop.finds(Found::Order(Box::new(wanting(2))));
    let match_it = format!("\"{version}\"");
    with(&shop, "ack", ("if-match", &match_it), json!({})).await.problem(409, "changed");
    with(&shop, "ack", ("if-match", &match_it), json!({})).await.problem(412, "version");
    assert_eq!(order(&shop).await["handed_off"], false);
}
