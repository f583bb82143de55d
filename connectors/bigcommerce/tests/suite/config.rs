//! A channel's keys.

use sdk::Connector;

use crate::shop::{PLAIN, configure};

#[test]
fn good_tables() {
    for table in [
        PLAIN.to_owned(),
        PLAIN.replace("a1b2", "A1B2"),
        format!("{PLAIN}location = 3\npage_size = 250\nbase_url = \"http://127.0.0.1:9000/x/\"\n"),
    ] {
        let (configured, problems) = configure(&table);
        assert_eq!(problems, []);
        assert_eq!(configured.unwrap().account(), "bigcommerce:a1b2c3d4e5");
    }
    assert_eq!(bigcommerce::BigCommerce.name(), "bigcommerce");
}

#[test]
fn every_mistake_is_told_with_its_key() {
    for (table, told) in [
        ("access_token = { env = \"T\" }", "`channel.store_hash` is missing"),
        ("store_hash = \" \"\naccess_token = { env = \"T\" }", "`channel.store_hash` is empty"),
        ("store_hash = \"stores/abc\"\naccess_token = { env = \"T\" }", "the store's hash alone"),
        ("store_hash = \"abc\"", "`channel.access_token` is missing"),
        ("store_hash = \"abc\"\naccess_token = \"hush\"", "never the secret itself"),
        ("store_hash = \"abc\"\naccess_token = { env = \"T\" }\nlocation = \"1\"", "a whole number"),
        ("store_hash = \"abc\"\naccess_token = { env = \"T\" }\nlocation = 0", "between 1 and"),
        ("store_hash = \"abc\"\naccess_token = { env = \"T\" }\nbase_url = \"ftp://x\"", "http or https"),
        ("store_hash = \"abc\"\naccess_token = { env = \"T\" }\npage_size = 1", "between 2 and 250"),
        ("store_hash = \"abc\"\naccess_token = { env = \"T\" }\nstore = \"1\"", "unknown key"),
    ] {
        let (configured, problems) = configure(table);
        assert!(problems.iter().any(|problem| problem.message.contains(told)), "{table}: {problems:?}");
        assert!(configured.is_none() || told == "unknown key", "{table}");
        assert!(problems.iter().all(|problem| !problem.message.contains("hush")));
    }
}

#[test]
fn every_key_changes_the_fingerprint_and_no_secret_is_shown() {
    let configured = configure(PLAIN).0.unwrap();
    let base = configured.fingerprint();
    assert!(!format!("{configured:?}").contains("bc_fake_token"));
    for change in [
        PLAIN.replace("bc_fake_token", "bc_new"),
        PLAIN.replace("a1b2c3d4e5", "a1b2c3d4e6"),
        format!("{PLAIN}location = 7\n"),
        format!("{PLAIN}page_size = 51\n"),
        format!("{PLAIN}base_url = \"http://127.0.0.1:9/x\"\n"),
    ] {
        assert_ne!(configure(&change).0.unwrap().fingerprint(), base, "{change}");
    }
}
