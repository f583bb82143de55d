//! Answers that are none, and what they mean.

use std::time::Duration;

use sdk::{ErrorKind, PullRequest};
use shopify::fake::{Fault, NewLine, NewOrder};

use crate::shop::{LASTING, bench};

#[tokio::test(start_paused = true)]
async fn every_bad_answer_to_a_pull_is_an_error_of_its_kind() {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    let code = |code: &str| {
        body(&format!(
            "{{\"errors\":[{{\"message\":\"m\",\"extensions\":{{\"code\":\"{code}\"}}}}],\"data\":null}}"
        ))
    };
    for (fault, kind) in [
        (body("<!DOCTYPE html><title>Maintenance</title>"), ErrorKind::Malformed),
        (body(""), ErrorKind::Malformed),
        (Fault::Body(b"{\"data\":\"\xff\"}".to_vec()), ErrorKind::Malformed),
        (body("{\"data\":{\"orders\":{\"nodes\":[{\"id\""), ErrorKind::Malformed),
        (body("{\"data\":null}"), ErrorKind::Malformed),
        (body("[]"), ErrorKind::Malformed),
        (
            body(
                "{\"data\":{\"orders\":{\"nodes\":[],\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":null}}}}",
            ),
            ErrorKind::Malformed,
        ),
        (body("{\"errors\":\"[API] Invalid API key or access token\"}"), ErrorKind::Unauthorized),
        (code("ACCESS_DENIED"), ErrorKind::Unauthorized),
        (code("INTERNAL_SERVER_ERROR"), ErrorKind::Unavailable),
        (code("undefinedField"), ErrorKind::Rejected),
        (code("MAX_COST_EXCEEDED"), ErrorKind::Rejected),
        (code("THROTTLED"), ErrorKind::RateLimited),
        (Fault::Throttled, ErrorKind::RateLimited),
        (Fault::Refuse, ErrorKind::Unavailable),
        (Fault::LoseBefore, ErrorKind::Unavailable),
        (Fault::Status(301), ErrorKind::Rejected),
        (Fault::Status(401), ErrorKind::Unauthorized),
        (Fault::Status(402), ErrorKind::Unauthorized),
        (Fault::Status(403), ErrorKind::Unauthorized),
        (Fault::Status(404), ErrorKind::Unauthorized),
        (Fault::Status(423), ErrorKind::Unauthorized),
        (Fault::Status(429), ErrorKind::RateLimited),
        (Fault::Status(500), ErrorKind::Unavailable),
        (Fault::Status(503), ErrorKind::Unavailable),
        (Fault::Status(204), ErrorKind::Malformed),
    ] {
        let bench = bench(LASTING);
        let what = format!("{fault:?}");
        bench.shop.on_request(move |_| fault.clone());
        let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_beside_valid_data_fails_nothing() {
    let bench = bench(LASTING);
    let body = r#"{"errors":[{"message":"Access denied for heldByApp field.","extensions":{"code":"ACCESS_DENIED"},
        "path":["orders"]}],"data":{"orders":{"nodes":[],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#;
    bench.shop.on_request(move |_| Fault::Body(body.into()));
    let page = bench.channel.pull_orders(&PullRequest::default()).await.unwrap();
    assert!(page.orders.is_empty() && page.next.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_waits_as_long_as_the_budget_needs() {
    let bench = bench(LASTING);
    for _ in 0..40 {
        bench.shop.place(NewOrder::new(vec![NewLine::new("A", 1)]));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    bench.shop.set_budget(400.0, 20.0);
    let before = tokio::time::Instant::now();
    let mut seen = std::collections::BTreeSet::new();
    let mut request = PullRequest::default();
    let mut tries = 0;
    loop {
        match bench.channel.pull_orders(&request).await {
            Ok(page) => {
                seen.extend(page.orders.into_iter().map(|it| crate::shop::order(it).id));
                match page.next {
                    Some(next) => request.page = Some(next),
                    None => break,
                }
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::RateLimited, "{error}");
                tokio::time::sleep(error.retry_after.unwrap_or(Duration::from_secs(1))).await;
            }
        }
        tries += 1;
        assert!(tries < 50);
    }
    assert_eq!(seen.len(), 40);
    assert!(before.elapsed() > Duration::from_secs(1), "the budget made it wait");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_is_not_ours_is_refused() {
    let bench = bench(LASTING);
    let request = PullRequest { since: None, page: Some("yesterday".to_owned()) };
    assert_eq!(bench.channel.pull_orders(&request).await.unwrap_err().kind, ErrorKind::Rejected);
}
