//! A channel's keys.

use sdk::Connector;

use crate::shop::{GRANT, LASTING, ROTATING, configure};

#[test]
fn good_tables() {
    for table in [LASTING, GRANT, ROTATING] {
        let (configured, problems) = configure(table);
        assert_eq!(problems, []);
        assert_eq!(configured.unwrap().account(), "shopify:bluefin.myshopify.com");
    }
    assert_eq!(shopify::Shopify.name(), "shopify");
}

#[test]
fn every_mistake_is_told_with_its_key() {
    for (table, told) in [
        ("access_token = { env = \"T\" }", "`channel.shop` is missing"),
        (
            "shop = \"https://bluefin.myshopify.com\"\naccess_token = { env = \"T\" }",
            "must be the shop's host name",
        ),
        ("shop = \"bluefin\"\naccess_token = { env = \"T\" }", "must be the shop's host name"),
        ("shop = \"a.b\"", "no credentials"),
        ("shop = \"a.b\"\naccess_token = \"shpat_x\"", "never the secret itself"),
        ("shop = \"a.b\"\nclient_id = \"x\"", "`channel.client_secret` is missing"),
        ("shop = \"a.b\"\nrefresh_token = { env = \"R\" }", "`channel.client_id` is missing"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\nclient_id = \"x\"", "exclude each other"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\napi_version = \"2026-11\"", "no version"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\nlocation = \"main\"", "location's number"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\nbase_url = \"ftp://x\"", "http or https"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\npage_size = 251", "between 1 and 250"),
        ("shop = \"a.b\"\naccess_token = { env = \"T\" }\nlocations = \"1\"", "unknown key"),
    ] {
        let (configured, problems) = configure(table);
        assert!(problems.iter().any(|problem| problem.message.contains(told)), "{table}: {problems:?}");
        assert!(configured.is_none() || told == "unknown key", "{table}");
        assert!(problems.iter().all(|problem| !problem.message.contains("shpat_x")));
    }
}

#[test]
fn every_key_changes_the_fingerprint() {
    let base = configure(LASTING).0.unwrap().fingerprint();
    for change in [
        LASTING.replace("shpat_fake", "shpat_new"),
        format!("{LASTING}location = \"7\"\n"),
        format!("{LASTING}api_version = \"2026-07\"\n"),
        format!("{LASTING}mirror_splits = true\n"),
        format!("{LASTING}page_size = 50\n"),
        format!("{LASTING}base_url = \"http://127.0.0.1:9/x\"\n"),
    ] {
        assert_ne!(configure(&change).0.unwrap().fingerprint(), base, "{change}");
    }
}

#[test]
fn a_version_near_its_end_is_warned_about() {
    let configured = configure(LASTING).0.unwrap();
    let at = |text: &str| text.parse::<sdk::Timestamp>().unwrap();
    assert!(configured.warnings(at("2026-11-25T00:00:00Z")).is_empty());
    assert!(configured.warnings(at("2027-09-01T00:00:00Z"))[0].contains("2027-10-01"));
    assert!(configured.warnings(at("2028-01-01T00:00:00Z"))[0].contains("newer"));
}
