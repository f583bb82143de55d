//! Bodies with something wrong in them: refused in words or done whole, never a failure of ours.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use http::Method;
use portald::store::{Query, Store};
use proptest::prelude::*;
use sdk::{
    Rng,
    testkit::{mutate, spoil},
};
use serde_json::{Value, json};

use super::shop::{Shop, get, send};

/// Every command with a body that would do.
pub(crate) fn commands() -> Vec<(Method, String, Value)> {
    let line = || json!([{ "id": "l1", "quantity": 1 }]);
    let parcel = json!({
        "carrier": "UPS", "service": "Ground", "tracking": "1Z1", "tracking_url": "https://example.com/1Z1",
        "shipped_at": "2026-10-26T10:00:00Z", "warehouse": "main", "label_cost": { "amount": "4.20", "currency": "USD" }, "after_cancel": false,
        "lines": line(),
    });
    let order = |verb: &str| format!("/v1/orders/m.shop.1/{verb}");
    let mut commands = vec![
        (Method::POST, order("ack"), json!({ "force": false })),
        (Method::POST, order("ship"), parcel),
        (Method::POST, order("split"), json!({ "lines": line() })),
        (Method::POST, order("hold"), json!({ "reason": "why" })),
        (Method::POST, order("release"), json!({ "override": ["payment"] })),
        (Method::POST, order("edit"), json!({ "lines": line(), "add": [{ "sku": "X", "quantity": 2 }] })),
        (Method::POST, order("cancel"), json!({ "by": "merchant", "reason": "why", "lines": line() })),
        (Method::POST, order("accept-cancel"), json!({ "lines": line() })),
        (Method::POST, order("reject-cancel"), json!({ "reason": "why", "lines": line() })),
        (Method::POST, order("confirm-address"), json!({ "keep_old": true })),
        (Method::POST, order("reimport"), json!({})),
        (Method::POST, order("unmerge"), json!({})),
        (Method::POST, order("shipments/p1"), json!({ "carrier": "DHL", "tracking": "2" })),
        (Method::POST, order("shipments/p1/void"), json!({ "reason": "why" })),
        (Method::POST, "/v1/orders/merge".to_owned(), json!({ "orders": ["m.shop.1", "m.shop.2"] })),
        (
            Method::POST,
            "/v1/set-aside/drop".to_owned(),
            json!({ "merchant": "m", "channel": "shop", "id": "7", "reason": "why" }),
        ),
        (Method::POST, "/v1/inventory/release".to_owned(), json!({ "merchant": "m" })),
        (Method::POST, "/v1/inventory/undo".to_owned(), json!({ "run": "m.shop.1" })),
    ];
    let levels = json!({ "levels": [{ "sku": "A1", "warehouse": "main", "on_hand": 5 }] });
    commands.push((Method::PUT, "/v1/inventory".to_owned(), levels));
    let flag = json!({ "merchant": "m", "channel": "shop", "sku": "A9", "flag": "on", "parts": [{ "sku": "A1", "per_unit": 1 }] });
    commands.push((Method::PUT, "/v1/products".to_owned(), flag));
    commands
}

/// Else the spoilt ones below would be refused at their first member.
#[tokio::test]
async fn the_good_bodies_are_understood() {
    for (method, path, body) in commands() {
        let shop = Shop::new().await;
        let answer =
            send(&shop, method, &path, &[("content-type", "application/json")], body.to_string()).await;
        assert!(answer.body["code"] != "body", "{path}: {}", answer.body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_body_is_refused_in_words_or_done_whole(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut rng = Rng::from_seed(seed);
            let shop = Shop::new().await;
            let commands = commands();
            for _ in 0..12 {
                let (method, path, good) = &commands[rng.below(commands.len() as u64) as usize];
                let mut body = good.clone();
                let text = match rng.below(4) {
                    0 => good.to_string(),
                    1 => String::from_utf8_lossy(&spoil(good.to_string().as_bytes(), &mut rng)).into_owned(),
                    _ => {
                        mutate(&mut body, &mut rng);
                        body.to_string()
                    }
                };
                let headers = [("content-type", "application/json")];
                let answer = send(&shop, method.clone(), path, &headers, text.clone()).await;
                let told = format!("{method} {path} {text}: {} {}", answer.status, answer.body);
                assert!(answer.status.as_u16() < 500, "{told}");
                if !answer.status.is_success() {
                    assert!(answer.body["detail"].as_str().is_some_and(|words| words.len() > 3), "{told}");
                }
                let query = Query { limit: 100, ..Query::default() };
                for record in shop.store.list(query).await.unwrap().records {
                    assert!(record.check().is_ok(), "{told}");
                }
                assert!(get(&shop, "/v1/orders").await.status.is_success(), "{told}");
            }
        });
    }
}
