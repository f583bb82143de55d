//! Rubbish from a channel and from a client: a clear error or a held order, nothing lost, nothing broken off.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use shopify::fake::{FakeShop, Fault, NewLine, NewOrder};

use crate::{daemon::until, scene::scene};

/// One after the other for each request, then the shop is well again.
fn answer_rubbish(shop: &FakeShop) -> Arc<AtomicUsize> {
    let told = Arc::new(AtomicUsize::new(0));
    let faults = [
        Fault::Body(b"<html><title>Maintenance</title></html>".to_vec()),
        Fault::Body(Vec::new()),
        Fault::Body(br#"{"data":{"orders":{"pageInfo":{"hasNextP"#.to_vec()),
        Fault::Body(
            br#"{"data":null,"errors":[{"message":"boom","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#
                .to_vec(),
        ),
        Fault::Body(b"null".to_vec()),
        Fault::Body(vec![0xff; 4096]),
        Fault::Status(500),
        Fault::Status(404),
        Fault::Status(429),
        Fault::Status(302),
        Fault::Throttled,
        Fault::Refuse,
    ];
    let count = told.clone();
    shop.on_request(move |_| {
        faults.get(count.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or(Fault::None)
    });
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_for_an_answer_delays_and_loses_nothing() {
    let scene = scene().await;
    let told = answer_rubbish(&scene.shop);
    let id = scene.shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 1)]));
    let supplier = format!("bluefin.shop.{id}");
    // A person asks for a look at once wherever the daemon would wait longer.
    let daemon = &scene.daemon;
    until("the order", async || {
        let _ = daemon.try_command("/v1/merchants/bluefin/sync").await;
        daemon.find(&supplier).await
    })
    .await;
    assert!(told.load(Ordering::Relaxed) >= 12, "all of it was told");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_orders_are_taken_in_or_held_and_say_so() {
    let scene = scene().await;
    let shop = &scene.shop;
    let many = (0..500).map(|index| NewLine::new(&format!("ACME-{index}"), 1)).collect();
    let same = vec![NewLine::new("ACME-1", 1), NewLine::new("ACME-1", 2)];
    let strange = "ACME-\u{202e}\u{1F9F8}\u{0}\u{7}\u{fffd}é";
    let placed = [
        ("500 lines", shop.place(NewOrder::new(many)), 500, "open"),
        ("one variant twice", shop.place(NewOrder::new(same)), 2, "open"),
        (
            "a strange SKU",
            shop.place(NewOrder::new(vec![NewLine::new(strange, 1).title(strange)])),
            1,
            "open",
        ),
        ("no address", shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 1)]).address(None)), 1, "held"),
        (
            "an unknown word",
            shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 1)]).financial("MOON")),
            1,
            "held",
        ),
    ];
    let empty = shop.place(NewOrder::new(Vec::new()));
    let huge = shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 1_000_000_000)]));
    for (what, id, lines, status) in placed {
        let found = until(what, async || scene.daemon.find(&format!("bluefin.shop.{id}")).await).await;
        assert_eq!(found["lines"].as_array().map(Vec::len), Some(lines), "{what}");
        assert_eq!(found["status"], status, "{what}: {found}");
        if status == "held" {
            assert!(
                found["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()),
                "{what}: {found}"
            );
        }
    }
    // A quantity that nobody ships is set aside with its reason, and shown.
    let aside = scene.daemon.get("/v1/set-aside").await.to_string();
    assert!(aside.contains(huge.as_str()) && aside.contains("1000000000 units"), "{aside}");
    let account = scene.daemon.get(&format!("/v1/merchants/bluefin/orders/shop/{empty}")).await;
    assert_eq!(account["lines"].as_array().map(Vec::len), Some(0), "{account}");
    assert!(!scene.daemon.log().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_nonsense_hears_what_is_wrong() {
    let scene = scene().await;
    let id = scene.shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 1)]));
    let supplier = format!("bluefin.shop.{id}");
    let daemon = &scene.daemon;
    until("the order", async || daemon.find(&supplier).await).await;
    let ship = format!("/v1/orders/{supplier}/ship");
    let line =
        |quantity: serde_json::Value| json!({"tracking": "1", "lines": [{"id": "l1", "quantity": quantity}]});
    for (path, body, status) in [
        (ship.as_str(), line(json!(2)), 409),
        (&ship, line(json!(-1)), 422),
        (&ship, line(json!("one")), 422),
        (&ship, line(json!(99_999_999_999_u64)), 422),
        (&ship, json!({"traking": "1"}), 422),
        (&ship, json!([]), 422),
        ("/v1/orders/bluefin.shop.nowhere/ship", json!({"tracking": "1"}), 404),
        ("/v1/orders/%00/ship", json!({"tracking": "1"}), 404),
        ("/v1/nowhere", json!({}), 404),
    ] {
        let (got, answer) = daemon.once("POST", path, &body.to_string()).await;
        assert_eq!(got, status, "{path} {body}: {answer}");
        assert!(
            answer["detail"].as_str().or(answer["title"].as_str()).is_some_and(|text| !text.is_empty()),
            "{answer}"
        );
    }
    let big = json!({"tracking": "1".repeat(3 << 20)}).to_string();
    let (got, answer) = daemon.once("POST", &ship, &big).await;
    assert_eq!(got, 413, "{answer}");
    let (got, answer) = daemon.once("POST", &ship, "{\"tracking\": ").await;
    assert!(got == 400 || got == 422, "{answer}");
    assert!(scene.shop.fulfillments(&id).is_empty());
}
