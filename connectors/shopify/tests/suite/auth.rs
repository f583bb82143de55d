//! The three kinds of credentials, and `check`.

use std::{sync::Arc, time::Duration};

use sdk::{ErrorKind, PullRequest};
use shopify::fake::Fault;

use crate::shop::{GRANT, LASTING, ROTATING, bench, connect};

#[tokio::test(start_paused = true)]
async fn the_grant_is_asked_for_once_and_again_when_it_ends() {
    let bench = bench(GRANT);
    for _ in 0..3 {
        bench.pull(None).await;
    }
    assert_eq!(bench.shop.counts()["token"], 1);
    tokio::time::advance(Duration::from_secs(86_000)).await;
    bench.pull(None).await;
    assert_eq!(bench.shop.counts()["token"], 1);
    tokio::time::advance(Duration::from_secs(390)).await;
    bench.pull(None).await;
    assert_eq!(bench.shop.counts()["token"], 2);
    // Revoked before its time: a refused token is replaced once, unseen.
    bench.shop.accept_token("shpat_other");
    bench.pull(None).await;
    assert_eq!(bench.shop.counts()["token"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_pair_is_saved_before_use_and_survives_a_restart() {
    let bench = bench(ROTATING);
    bench.shop.rotate_tokens("shprt_seed");
    bench.pull(None).await;
    assert_eq!(bench.tokens.saved().len(), 1);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    bench.pull(None).await;
    assert_eq!(bench.tokens.saved().len(), 2);
    assert!(bench.tokens.saved()[1].contains("shprt_issued_2"));

    // A restart goes on with the kept pair, though the file still names the used-up seed.
    let again = connect(ROTATING, bench.shop.clone(), bench.clock.clone(), bench.tokens.clone());
    again.pull_orders(&PullRequest::default()).await.unwrap();
    assert_eq!(bench.shop.counts()["token"], 2);

    // A changed seed in the file wins over what is kept.
    bench.shop.rotate_tokens("shprt_fresh");
    let fresh = ROTATING.replace("shprt_seed", "shprt_fresh");
    let again = connect(&fresh, bench.shop.clone(), bench.clock.clone(), bench.tokens.clone());
    again.pull_orders(&PullRequest::default()).await.unwrap();
    assert_eq!(bench.shop.counts()["token"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_cannot_be_saved_is_not_used_and_not_lost() {
    let bench = bench(ROTATING);
    bench.shop.rotate_tokens("shprt_seed");
    bench.tokens.refuse_saves(true);
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(!bench.shop.counts().contains_key("PortaldOrders"), "not used");
    bench.tokens.refuse_saves(false);
    bench.pull(None).await;
    assert_eq!(bench.shop.counts()["token"], 1, "the pair in hand was saved, no second one asked for");
}

#[tokio::test(start_paused = true)]
async fn many_callers_refresh_once() {
    let bench = Arc::new(bench(ROTATING));
    bench.shop.rotate_tokens("shprt_seed");
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move { bench.pull(None).await.len() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(bench.shop.counts()["token"], 1);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_suspend_and_say_no_secret() {
    for settings in [LASTING, GRANT, ROTATING] {
        let bench = bench(settings);
        bench.shop.accept_token("shpat_other");
        bench
            .shop
            .on_request(|operation| if operation == "token" { Fault::Status(400) } else { Fault::None });
        let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("shp"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn check_proves_what_there_is_and_names_what_is_missing() {
    let bench = bench(&format!("{LASTING}location = \"655441491\"\n"));
    let report = bench.channel.check().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.proved.iter().any(|line| line.contains("bluefin.myshopify.com")));
    assert!(report.proved.iter().any(|line| line.contains("Main warehouse")));
    assert!(report.proved.contains(&"scope write_inventory".to_owned()));
    bench.shop.set_scopes(&["read_orders"]);
    bench.shop.answer_version("2026-07");
    let report = bench.channel.check().await.unwrap();
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    for scope in ["read_inventory", "write_inventory", "read_locations", "read_products"] {
        assert!(report.warnings.iter().any(|line| line.contains(scope)), "{scope}: {:?}", report.warnings);
    }
    assert!(report.warnings.iter().any(|line| line.contains("2026-07")), "{:?}", report.warnings);
}

#[tokio::test(start_paused = true)]
async fn check_names_a_location_that_is_not_there() {
    let bench = bench(&format!("{LASTING}location = \"1\"\n"));
    let report = bench.channel.check().await.unwrap();
    assert_eq!(report.problems, ["the shop has no location 1"]);
}
