//! `[inventory]`: what of the supplier's stock a merchant's channels may show.

use std::time::Duration;

use sdk::settings::Section;

use super::supplier::word;
use crate::policy::{StockRules, WhenStale};

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
