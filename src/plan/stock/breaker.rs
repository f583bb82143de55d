//! The breaker: how much a run may change unasked.
//!
//! A feed that was read wrongly shows itself by changing much at once. Products that sell out one by one do not trip
//! it: one product alone never does.

use std::collections::BTreeMap;

use sdk::RemoteId;

use super::Planned;
use crate::stock::{Shown, run::Blast};

/// A run in which more than this share of the products changes by more than half stops, in percent.
pub const HALVED_PERCENT: usize = 50;

/// How much these writes would change; `products` are published on the channel.
pub fn blast(writes: &[Planned], shown: &BTreeMap<RemoteId, Shown>, products: usize) -> Blast {
    let mut blast = Blast { products, ..Blast::default() };
    for write in writes {
        let Some(before) = write.change.from.filter(|before| *before > 0) else { continue };
        let after = i64::from(write.change.to);
        blast.zeroed += usize::from(after == 0);
        // What the merchant showed before its first figure of ours says nothing of our feed.
        let ours = shown.get(&write.change.item).is_some_and(|shown| shown.written);
        blast.halved += usize::from(ours && (after - before).abs() * 2 > before);
    }
    blast
}

/// Why such a run stops, if it does. What a person approved passes; what comes on top of it is measured anew.
pub fn trips(blast: Blast, breaker_percent: u32, approved: Option<Blast>) -> Option<String> {
    let approved = approved.unwrap_or_default();
    let past = |count: usize, approved: usize, percent: usize| {
        let fresh = count.saturating_sub(approved);
        fresh > 1 && fresh * 100 > blast.products * percent
    };
    let of = blast.products;
    if past(blast.zeroed, approved.zeroed, breaker_percent as usize) {
        return Some(format!(
            "{} of {of} products would go to zero, more than {breaker_percent} %",
            blast.zeroed
        ));
    }
    past(blast.halved, approved.halved, HALVED_PERCENT).then(|| {
        format!(
            "{} of {of} products would change by more than half, more than {HALVED_PERCENT} %",
            blast.halved
        )
    })
}
