//! `[inventory]`: what of the supplier's stock a merchant's channels may show.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sdk::settings::Section;

use super::{Config, supplier::word};
use crate::{
    policy::{StockRules, WhenStale},
    record::Owner,
};

/// Reads the table. `warehouses` are the supplier's, where they are known.
pub(super) fn read(section: &mut Section<'_>, warehouses: Option<&[String]>) -> StockRules {
    let default = StockRules::default();
    let mut number = |key: &str, most: i64, default: u32| {
        section.integer(key, 0..=most).and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let reserve = number("reserve", 1_000_000, default.reserve);
    let share_percent = number("share_percent", 100, default.share_percent);
    let max = number("max", 1_000_000, default.max);
    let breaker_percent = number("breaker_percent", 100, default.breaker_percent);
    let stale_hours = number("stale_after_hours", 8_760, 0);
    let mut named: Vec<String> = Vec::new();
    for name in section.strings("warehouses").unwrap_or_default() {
        if warehouses.is_some_and(|known| !known.contains(name.get_ref())) {
            let message = format!("unknown warehouse `{}`", name.get_ref());
            section.problem(name.span(), message, "`supplier.warehouses` names them".to_owned());
        } else if named.contains(name.get_ref()) {
            let message = format!("the warehouse `{}` is named twice", name.get_ref());
            section.problem(name.span(), message, None);
        } else {
            named.push(name.into_inner());
        }
    }
    StockRules {
        sync: section.bool("sync").unwrap_or(default.sync),
        reserve,
        share_percent,
        max,
        warehouses: named,
        breaker_percent,
        stale_after: (stale_hours > 0).then(|| Duration::from_secs(u64::from(stale_hours) * 3600)),
        when_stale: word(section, "when_stale", &[("skip", WhenStale::Skip), ("zero", WhenStale::Zero)])
            .unwrap_or(default.when_stale),
    }
}

/// What an operator should know of the stock settings though it stops nothing: channels that cannot be written, and SKUs
/// of which the merchants together are shown more than there is.
pub fn stock_warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let synced = || config.merchants.iter().filter(|merchant| merchant.inventory.sync);
    for merchant in synced() {
        for channel in &merchant.channels {
            if let Some(why) = channel.stock_gap() {
                let name = format!("{}/{}", merchant.id, channel.id);
                warnings.push(format!("{name}: inventory sync is on and writes nothing there: {why}"));
            }
        }
    }
    // What the files write out: without the store nobody knows which SKUs a glob meets.
    let skus: BTreeSet<&String> = synced()
        .flat_map(|merchant| {
            let parts = merchant.dropship.map.values().flatten().map(|part| &part.sku);
            merchant.dropship.skus.iter().chain(parts)
        })
        .collect();
    let mut together: BTreeMap<Vec<(&str, u32)>, Vec<&str>> = BTreeMap::new();
    for sku in skus {
        let sells = |merchant: &&super::Merchant| {
            merchant.dropship.skus.contains(sku)
                || merchant.dropship.map.values().flatten().any(|part| part.sku == *sku)
                || matches!(merchant.catalogue.product(Some(sku)),
                    Owner::Supplier { parts, .. } if parts.iter().any(|part| part.sku == *sku))
        };
        let sellers: Vec<(&str, u32)> = synced()
            .filter(sells)
            .map(|merchant| (merchant.id.as_str(), merchant.inventory.share_percent))
            .collect();
        if sellers.len() > 1 && sellers.iter().map(|(_, share)| share).sum::<u32>() > 100 {
            together.entry(sellers).or_default().push(sku);
        }
    }
    for (sellers, skus) in together {
        let sum: u32 = sellers.iter().map(|(_, share)| share).sum();
        let shares: Vec<String> = sellers.iter().map(|(id, share)| format!("{id} {share} %")).collect();
        let named = skus.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if skus.len() > 5 { format!(" and {} more", skus.len() - 5) } else { String::new() };
        warnings.push(format!(
            "{named}{more}: {} = {sum} % of what is available is shown; two merchants can sell the same unit",
            shares.join(" + ")
        ));
    }
    warnings
}
