//! The catalogue, page by page, and what of it can be written.

use std::collections::BTreeSet;

use sdk::{ErrorKind, Variant, Writable};
use shopify::fake::{Fault, NewProduct};

use crate::shop::{Bench, LASTING, PLACED, bench};

/// All pages.
async fn catalogue(bench: &Bench) -> Vec<Variant> {
    let mut all = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let found = bench.channel.products(page.as_deref()).await.unwrap();
        all.extend(found.variants);
        match found.next {
            Some(next) => page = Some(next),
            None => return all,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_variant_says_whether_its_stock_can_be_written() {
    let bench = bench(PLACED);
    let plain = bench.shop.add(NewProduct::new("A", 3).at(77, 5));
    bench.shop.add(NewProduct::new("B", 3).option("Large").untracked());
    bench.shop.add(NewProduct::new("C", 3).bundle());
    bench.shop.add(NewProduct::new("D", 3).elsewhere().at(77, 3));
    bench.shop.add(NewProduct::new("E", 3).without_sku());
    bench.shop.add_product("F", true, 3);
    bench.shop.stop_stocking("F");
    let found = catalogue(&bench).await;
    let told: Vec<(&str, Option<&str>, &str)> = found
        .iter()
        .map(|it| {
            let why = match &it.writable {
                Writable::Yes => "",
                Writable::No(why) => why.as_str(),
            };
            (it.title.as_str(), it.sku.as_deref(), why)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Product A", Some("A"), ""),
            ("Product B - Large", Some("B"), "the shop does not track its stock"),
            ("Product C", Some("C"), "it is a bundle: its stock is that of its parts"),
            ("Product D", Some("D"), "it is not stocked at the location 655441491"),
            ("Product E", None, ""),
            ("Product F", Some("F"), "it is no longer stocked at the location 655441491"),
        ]
    );
    assert_eq!((&found[0].id, &found[0].item), (&plain.remote_id(), &plain.item_id()));
    assert!(found[0].updated_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_location_nothing_can_be_written_and_none_is_asked_about() {
    let bench = bench(LASTING);
    bench.shop.add_product("A", true, 3);
    let found = catalogue(&bench).await;
    assert_eq!(found[0].writable, Writable::No("the channel's settings name no `location`".to_owned()));
    assert!(!bench.shop.asked()[0].to_string().contains("Location"));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_variants_come_once_each_in_the_fewest_pages() {
    let bench = bench(PLACED);
    let all: Vec<_> =
        (0..5_000).map(|at| bench.shop.add_product(&format!("S-{at}"), true, at).remote_id()).collect();
    let found: Vec<_> = catalogue(&bench).await.into_iter().map(|it| it.id).collect();
    assert_eq!(found, all);
    assert_eq!(bench.shop.counts()["PortaldVariants"], 20);
}

#[tokio::test(start_paused = true)]
async fn a_catalogue_past_what_one_question_may_page_is_read_to_its_end() {
    let bench = bench(PLACED);
    for at in 0..26_000 {
        bench.shop.add_product(&format!("S-{at}"), true, at);
    }
    let found: BTreeSet<_> = catalogue(&bench).await.into_iter().map(|it| it.id).collect();
    assert_eq!(found.len(), 26_000);
    assert_eq!(bench.shop.counts()["PortaldVariants"], 104);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_dear_is_asked_for_in_less() {
    let bench = bench(PLACED);
    for at in 0..300 {
        bench.shop.add_product(&format!("S-{at}"), true, at);
    }
    let mut first = true;
    bench.shop.on_request(move |_| {
        let body = r#"{"errors":[{"message":"m","extensions":{"code":"MAX_COST_EXCEEDED"}}]}"#;
        if std::mem::take(&mut first) { Fault::Body(body.into()) } else { Fault::None }
    });
    assert_eq!(catalogue(&bench).await.len(), 300);
    assert_eq!(bench.shop.asked()[0]["variables"]["first"], 125);
}

#[tokio::test(start_paused = true)]
async fn what_the_app_may_not_read_does_not_pass_for_what_is_not_there() {
    let bench = bench(PLACED);
    let item = bench.shop.add_product("A", true, 3).item_id();
    for scopes in [&["read_products"][..], &["read_inventory"]] {
        bench.shop.set_scopes(scopes);
        let error = bench.channel.products(None).await.unwrap_err();
        // Not `Unauthorized`: orders go on.
        assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
        assert!(error.message.contains("write_inventory"), "{error}");
    }
    bench.shop.set_scopes(&["read_products"]);
    let error = bench.channel.read_stock(&[item]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_is_not_ours_is_refused_and_pages_that_do_not_go_on_are_an_error() {
    let bench = bench(PLACED);
    for mark in ["", "x|1|c", "1|x|c", "1|2"] {
        assert_eq!(bench.channel.products(Some(mark)).await.unwrap_err().kind, ErrorKind::Rejected, "{mark}");
    }
    for body in [
        r#"{"data":{"productVariants":{"nodes":[],"pageInfo":{"hasNextPage":true,"endCursor":null}}}}"#,
        r#"{"data":{"productVariants":{"nodes":[{"id":1}],"pageInfo":{"hasNextPage":true,"endCursor":"a"}}}}"#,
        r#"{"data":{"productVariants":null}}"#,
    ] {
        bench.shop.on_request(move |_| Fault::Body(body.into()));
        assert_eq!(bench.channel.products(None).await.unwrap_err().kind, ErrorKind::Malformed, "{body}");
    }
}
