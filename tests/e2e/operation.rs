//! What an operator does: check, reload, a second start by mistake, tracking from the command line.

use serde_json::Value;
use shopify::fake::{NewLine, NewOrder};

use crate::{
    daemon::until,
    scene::{configure, scene},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_online_check_proves_what_a_channel_needs() {
    let scene = scene().await;
    let (code, said) = scene.daemon.other(&["check", "--online"]).await;
    assert_eq!(code, Some(0), "{said}");
    for word in ["bluefin/shop: well", "2026-10", "read_orders"] {
        assert!(said.contains(word), "`{word}` in {said}");
    }
    scene.shop.set_scopes(&["read_orders"]);
    let (code, said) = scene.daemon.other(&["check", "--online"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("PROBLEM") && said.contains("fulfillment_orders"), "{said}");
    scene.shop.accept_token("another");
    let (code, said) = scene.daemon.other(&["check", "--online"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("401") && !said.contains(shopify::fake::TOKEN), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_changes_nothing_and_a_right_one_comes_into_force() {
    let scene = scene().await;
    let daemon = &scene.daemon;
    daemon.logs("daemon.started").await;
    let path = scene.folder.path().join("portald.toml");
    let good = std::fs::read_to_string(&path).expect("configured");
    std::fs::write(&path, good.replace("settle_secs", "setle_secs")).expect("written");
    let (code, said) = daemon.other(&["check"]).await;
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("setle_secs") && said.contains("settle_secs"), "with its hint: {said}");
    daemon.reload().await;
    daemon.logs("config.refused").await;

    let before: Value = daemon.get("/v1/status").await;
    let new = good.replace(r#"skus = ["ACME-*"]"#, r#"skus = ["ACME-*", "NEW-*"]"#);
    std::fs::write(&path, new.replace(r#"name = "Acme""#, r#"name = "Acme & Sons""#)).expect("written");
    daemon.reload().await;
    daemon.logs("config.rules_changed").await;
    daemon.logs("config.reloaded").await;
    let after: Value = daemon.get("/v1/status").await;
    assert_eq!(after["supplier"], "Acme & Sons");
    assert_eq!(after["started_at"], before["started_at"], "it is as old as it was");
    let id = scene.shop.place(NewOrder::new(vec![NewLine::new("NEW-1", 1)]));
    let order =
        until("the order of the new rule", async || daemon.find(&format!("bluefin.shop.{id}")).await).await;
    assert_eq!(order["lines"][0]["sku"], "NEW-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_one_store_is_refused_in_clear_words() {
    let scene = scene().await;
    scene.daemon.logs("daemon.started").await;
    let (code, said) = scene.daemon.other(&["run"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use"), "{said}");
    let status: Value = scene.daemon.get("/v1/status").await;
    assert!(status["merchants"].is_array() || status["merchants"].is_object(), "the first goes on: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_recorded_on_the_command_line_reaches_the_shop() {
    let scene = scene().await;
    let id = scene.shop.place(NewOrder::new(vec![NewLine::new("ACME-1", 2), NewLine::new("OTHER", 1)]));
    let supplier = format!("bluefin.shop.{id}");
    until("the order", async || scene.daemon.find(&supplier).await).await;
    let ship = ["orders", "ship", &supplier, "--carrier", "ups", "--tracking", "1Z999AA10123456784"];
    let (code, said) = scene.daemon.other(&ship).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = scene.daemon.other(&ship).await;
    assert_eq!(code, Some(0), "the same again changes nothing: {said}");
    let made = until("the fulfillment", async || scene.shop.fulfillments(&id).into_iter().next()).await;
    assert_eq!(made.company.as_deref(), Some("UPS"));
    assert_eq!(made.numbers, ["1Z999AA10123456784"]);
    assert_eq!(made.lines.iter().map(|(_, units)| units).sum::<i64>(), 2);
    assert_eq!(made.mails, 1, "the customer hears of it once");
    let (code, said) = scene.daemon.other(&["orders", "why", &supplier]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("OTHER") && said.contains("1Z999AA10123456784"), "{said}");
    let (code, said) = scene.daemon.other(&["orders", "show", "bluefin.shop.nowhere"]).await;
    assert_eq!(code, Some(1), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_account_is_refused_until_it_is_told_to_move() {
    let scene = scene().await;
    scene.daemon.logs("daemon.started").await;
    configure(scene.folder.path(), &scene.base_url);
    let path = scene.folder.path().join("portald.toml");
    let text = std::fs::read_to_string(&path).expect("configured");
    std::fs::write(&path, text.replace("bluefin.myshopify.com", "redfin.myshopify.com")).expect("written");
    scene.daemon.reload().await;
    scene.daemon.logs("is bound to the account").await;
}
