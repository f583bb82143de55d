//! Bytes as a configuration: read, or refused with places.

use std::{collections::BTreeSet, path::Path};

use portald::{
    config::{self, Config, Environment},
    registry::CONNECTORS,
};
use sdk::Timestamp;

/// A configuration that a merchant's file makes whole.
const TOP: &str = "merchants = \"merchants.d\"\n[supplier]\nname = \"Acme\"\n";

/// Reads the bytes as `portald.toml`, and as the file of a merchant beside a good one. Answers whether one of them
/// was good.
pub(crate) fn read(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("portald.toml");
    std::fs::write(&top, bytes).unwrap();
    let alone = judge(&top, bytes);
    std::fs::write(&top, TOP).unwrap();
    let merchants = folder.path().join("merchants.d");
    std::fs::create_dir(&merchants).unwrap();
    std::fs::write(merchants.join("bluefin.toml"), bytes).unwrap();
    judge(&top, bytes) || alone
}

fn judge(top: &Path, bytes: &[u8]) -> bool {
    let load = || {
        let known = [("PINECREST_SHOPIFY_TOKEN", "shpat"), ("LAKESIDE_BIGCOMMERCE_TOKEN", "token")];
        config::load(top, &Environment::of(known), CONNECTORS)
    };
    match load() {
        Ok(config) => {
            sound(&config);
            let again = load().expect("what was good is good again");
            assert!(config::diff(&config, &again).is_empty(), "the same files are the same configuration");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = bytes.split(|byte| *byte == b'\n').count();
            for problem in &problems {
                assert!(problem.message.trim().len() > 3, "{problems}");
                // A place in a file, or the file or folder itself.
                match problem.at {
                    Some((line, column)) => {
                        let lines = lines.max(TOP.lines().count() + 1);
                        assert!((1..=lines).contains(&line) && column >= 1, "{problems}");
                    }
                    None => assert!(!problem.file.as_os_str().is_empty(), "{problems}"),
                }
            }
            let told = problems.to_string();
            assert!(told.len() <= 64 * 1024 + 40 * bytes.len(), "{} bytes are told", told.len());
            false
        }
    }
}

/// What everything behind it relies on.
fn sound(config: &Config) {
    let now = Timestamp::from_timestamp(1_793_000_000, 0).unwrap();
    assert!(!config.supplier.warehouses.is_empty());
    assert!(config.pull.concurrency > 0 && config.delivery.concurrency > 0);
    let mut channels = BTreeSet::new();
    let mut accounts = BTreeSet::new();
    for (merchant, channel) in config.channels() {
        assert!(channels.insert((&merchant.id, &channel.id)), "{}/{} twice", merchant.id, channel.id);
        assert!(accounts.insert(channel.configured.account()), "{} twice", channel.configured.account());
        let schedules = &channel.schedules;
        for cron in [
            &schedules.orders,
            &schedules.deliver,
            &schedules.inventory,
            &schedules.products,
            &schedules.sweep,
        ] {
            let next = cron.next_after(now, config.supplier.timezone);
            assert!(next.is_none_or(|next| next > now), "{}", cron.text());
            assert!(portald::schedule::Cron::parse(cron.text()).is_ok(), "{}", cron.text());
        }
        drop(channel.configured.warnings(now));
    }
    let policies = config.policies(|_, _| now);
    assert_eq!(policies.channels.len(), channels.len());
    drop(config::stock_warnings(config));
}
