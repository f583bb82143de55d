//! Bytes as the body of a request: refused in words or done whole.

use axum::body::Body;
use http::{Method, Request};
use portald::store::{Query, Store};
use tower::ServiceExt;

use crate::api::shop::Shop;

/// Every route that reads a body.
pub(crate) const ROUTES: [(Method, &str, &str); 21] = [
    (Method::POST, "/v1/orders/m.shop.1/ack", JSON),
    (Method::POST, "/v1/orders/m.shop.1/ship", JSON),
    (Method::POST, "/v1/orders/m.shop.1/split", JSON),
    (Method::POST, "/v1/orders/m.shop.1/hold", JSON),
    (Method::POST, "/v1/orders/m.shop.1/release", JSON),
    (Method::POST, "/v1/orders/m.shop.1/edit", JSON),
    (Method::POST, "/v1/orders/m.shop.1/cancel", JSON),
    (Method::POST, "/v1/orders/m.shop.1/accept-cancel", JSON),
    (Method::POST, "/v1/orders/m.shop.1/reject-cancel", JSON),
    (Method::POST, "/v1/orders/m.shop.1/confirm-address", JSON),
    (Method::POST, "/v1/orders/m.shop.1/reimport", JSON),
    (Method::POST, "/v1/orders/m.shop.1/unmerge", JSON),
    (Method::POST, "/v1/orders/m.shop.1/shipments/p1", JSON),
    (Method::POST, "/v1/orders/m.shop.1/shipments/p1/void", JSON),
    (Method::POST, "/v1/orders/merge", JSON),
    (Method::POST, "/v1/set-aside/drop", JSON),
    (Method::POST, "/v1/inventory/release", JSON),
    (Method::POST, "/v1/inventory/undo", JSON),
    (Method::PUT, "/v1/inventory", JSON),
    (Method::PUT, "/v1/products", JSON),
    (Method::PUT, "/v1/inventory/import", "text/csv"),
];
const JSON: &str = "application/json";

/// Sends the bytes, without their first, to the route that it names. Answers whether it was done.
pub(crate) async fn send(bytes: &[u8]) -> bool {
    let (which, body) = bytes.split_first().map_or((0, bytes), |(which, body)| (*which, body));
    let (method, path, kind) = &ROUTES[usize::from(which) % ROUTES.len()];
    let shop = Shop::new().await;
    let request = Request::builder().method(method.clone()).uri(*path).header("content-type", *kind);
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let answer = shop.router().oneshot(request).await.unwrap();
    let (status, done) = (answer.status(), answer.status().is_success());
    let words = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("an answer of some length");
    let told = || format!("{method} {path}: {status} {}", String::from_utf8_lossy(&words));
    assert!(status.as_u16() < 500, "{}", told());
    let value: serde_json::Value = serde_json::from_slice(&words).expect("answers are JSON");
    assert!(done || value["detail"].as_str().is_some_and(|words| words.len() > 3), "{}", told());
    for record in shop.store.list(Query { limit: 100, ..Query::default() }).await.unwrap().records {
        assert!(record.check().is_ok(), "{}", told());
    }
    done
}
