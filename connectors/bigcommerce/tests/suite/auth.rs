//! The token, and what `check` proves.

use bigcommerce::fake::{Fault, NewLine, NewOrder};
use sdk::{ErrorKind, PullRequest};

use crate::shop::{PLAIN, bench};

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_said_to_be_refused_and_never_shown() {
    let bench = bench(PLAIN);
    bench.store.accept_token("another");
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("bc_fake_token"), "{error}");
    assert_eq!(bench.channel.check().await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(bench.store.requests(), 2, "none was sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_header_is_refused_unsent() {
    let bench = bench(&PLAIN.replace("bc_fake_token", "bc\\nfake"));
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!((error.kind, bench.store.requests()), (ErrorKind::Unauthorized, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_store_suspends_instead_of_showing_no_orders() {
    let bench = bench(&PLAIN.replace("a1b2c3d4e5", "zzz"));
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(error.message.contains("store_hash"), "{error}");
    let report = bench.channel.check().await.unwrap();
    assert!(report.problems[0].contains("no store zzz"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_prefix_of_the_base_url_is_kept() {
    let bench = bench(&format!("{PLAIN}base_url = \"http://127.0.0.1:9/prefix/\"\n"));
    bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    assert_eq!(bench.pull(None).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn check_proves_what_can_be_proved_without_writing() {
    let bench = bench(PLAIN);
    bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    let report = bench.channel.check().await.unwrap();
    for proved in [
        "token accepted",
        "Bluefin Outdoors",
        "scope Orders",
        "shipments can be read",
        "products can be read",
        "location 1 can be read",
        "stock can be read",
    ] {
        assert!(report.proved.iter().any(|line| line.contains(proved)), "{proved}: {report:?}");
    }
    assert!(report.problems.is_empty());
    assert_eq!(report.warnings.len(), 2, "the scopes to write show only at a write: {report:?}");
    assert!(report.warnings[1].contains("stock") && report.warnings[1].contains("Store Inventory: modify"));
    assert!(bench.store.counts().keys().all(|name| name.starts_with("GET ")));
}

#[tokio::test(start_paused = true)]
async fn check_names_what_is_missing() {
    let bench = bench(&format!("{PLAIN}location = 9\n"));
    bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    let report = bench.channel.check().await.unwrap();
    assert!(report.warnings.iter().any(|line| line.contains("no inventory location 9")), "{report:?}");
    for (refused, problem) in [
        ("GET /v2/orders", "orders cannot be read"),
        ("GET /v2/orders/{}/shipments", "shipments cannot be read"),
    ] {
        bench.store.on_request(move |name| if name == refused { Fault::Status(403) } else { Fault::None });
        let report = bench.channel.check().await.unwrap();
        assert_eq!(report.problems.len(), 1, "{report:?}");
        assert!(report.problems[0].contains(problem) && report.problems[0].contains("Orders: modify"));
    }
    for (refused, what, scope) in [
        ("GET /v3/catalog/products", "products cannot be read", "Products: read-only"),
        ("GET /v3/inventory/items", "stock cannot be read", "Store Inventory: modify"),
        ("GET /v3/inventory/locations/{}/items", "location 9 cannot be read", "Store Inventory: modify"),
    ] {
        bench.store.on_request(move |name| if name == refused { Fault::Status(403) } else { Fault::None });
        let report = bench.channel.check().await.unwrap();
        assert!(report.problems.is_empty(), "orders do without: {report:?}");
        let told = report.warnings.iter().any(|line| line.contains(what) && line.contains(scope));
        assert!(told, "{what}: {report:?}");
    }
    bench.store.on_request(|name| if name == "GET /v2/store" { Fault::Status(403) } else { Fault::None });
    assert!(bench.channel.check().await.unwrap().problems.is_empty(), "that scope is not needed");
}
