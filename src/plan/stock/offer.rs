//! What one variant of a channel may show.

use std::collections::BTreeSet;

use sdk::{RemoteId, Timestamp, Variant, Writable};

use super::Shelf;
use crate::{
    policy::{Policy, StockRules, WhenStale},
    record::{NotOurs, Owner, Part},
};

/// A figure that a channel may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The variant's id.
    pub variant: RemoteId,
    /// What stock calls name.
    pub item: RemoteId,
    /// The merchant's SKU.
    pub sku: String,
    /// What one unit is made of.
    pub parts: Vec<Part>,
    /// Whole units that the merchant's warehouses have free.
    pub available: u32,
    /// Units to show.
    pub units: u32,
}

impl Offer {
    /// Why it is this figure, for the ledger.
    pub fn why(&self, rules: &StockRules) -> String {
        let mut text = format!("{} available", self.available);
        if rules.share_percent != 100 {
            text.push_str(&format!(", {} % of it", rules.share_percent));
        }
        if rules.reserve > 0 {
            text.push_str(&format!(", {} kept back", rules.reserve));
        }
        if self.units == rules.max && self.available > rules.max {
            text.push_str(&format!(", at most {}", rules.max));
        }
        text
    }
}

/// Whether a variant is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// With this figure.
    Offered(Offer),
    /// It is left as it is on the channel.
    Kept(Kept),
}

/// Why a variant is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The merchant's own.
    NotOurs(NotOurs),
    /// Its stock cannot be written, in the channel's words.
    NotWritable(String),
    /// The supplier has told no figure of this SKU in the merchant's warehouses.
    Untold(String),
    /// The figure of this SKU is too old.
    Stale {
        /// Our SKU.
        sku: String,
        /// When it was last told.
        since: Timestamp,
    },
}

impl Kept {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::NotOurs(NotOurs::FlaggedOff) => "flagged off at run time".to_owned(),
            Self::NotOurs(NotOurs::NoSku) => "it has no SKU".to_owned(),
            Self::NotOurs(NotOurs::Ambiguous(skus)) => {
                format!("without case and blanks it equals several rules' SKUs: {}", skus.join(", "))
            }
            Self::NotOurs(_) => "no rule names its SKU".to_owned(),
            Self::NotWritable(why) => format!("its stock cannot be written: {why}"),
            Self::Untold(sku) => format!("the supplier has told no figure of {sku}"),
            Self::Stale { sku, since } => {
                format!("the figure of {sku} is of {}", since.format("%Y-%m-%dT%H:%M:%SZ"))
            }
        }
    }
}

/// Whether and how a variant is published. Deny by default: what is not certain is left as it is.
pub fn standing(variant: &Variant, policy: &Policy, shelf: &Shelf, now: Timestamp) -> Standing {
    let parts = match policy.catalogue.product(variant.sku.as_deref()) {
        Owner::Supplier { parts, .. } => parts,
        Owner::Merchant(why) => return Standing::Kept(Kept::NotOurs(why)),
    };
    if let Writable::No(why) = &variant.writable {
        return Standing::Kept(Kept::NotWritable(why.clone()));
    }
    let available = match available(&parts, shelf, &policy.stock, now) {
        Ok(available) => available,
        Err(kept) => return Standing::Kept(kept),
    };
    Standing::Offered(Offer {
        variant: variant.id.clone(),
        item: variant.item.clone(),
        sku: variant.sku.clone().unwrap_or_default(),
        parts,
        available,
        units: units(available, &policy.stock),
    })
}

/// What the variants of a catalogue may show. An item that they share with one that may not be written is left as it
/// is: its stock is that one's as well.
pub fn offers<'v>(
    variants: impl Iterator<Item = &'v Variant>,
    policy: &Policy,
    shelf: &Shelf,
    now: Timestamp,
) -> Vec<Offer> {
    let mut kept = BTreeSet::new();
    let mut offers = Vec::new();
    for variant in variants {
        match standing(variant, policy, shelf, now) {
            Standing::Offered(offer) => offers.push(offer),
            Standing::Kept(_) => _ = kept.insert(&variant.item),
        }
    }
    offers.retain(|offer| !kept.contains(&offer.item));
    offers
}

/// `min(max, floor(available × share) − reserve)`, never negative.
pub fn units(available: u32, rules: &StockRules) -> u32 {
    let share = u64::from(available) * u64::from(rules.share_percent.min(100)) / 100;
    let shared = u32::try_from(share).unwrap_or(u32::MAX);
    shared.saturating_sub(rules.reserve).min(rules.max)
}

/// Whole units that the merchant's warehouses have free: of a kit the minimum over its parts.
pub fn available(parts: &[Part], shelf: &Shelf, rules: &StockRules, now: Timestamp) -> Result<u32, Kept> {
    let mut least: Option<u32> = None;
    for part in parts {
        let mut free: i64 = 0;
        let mut told = false;
        let counted = shelf.places(&part.sku).iter().filter(|place| {
            place.named && (rules.warehouses.is_empty() || rules.warehouses.contains(&place.warehouse))
        });
        for place in counted {
            told = true;
            let stale = rules
                .stale_after
                .is_some_and(|limit| (now - place.told_at).to_std().is_ok_and(|age| age > limit));
            match rules.when_stale {
                WhenStale::Skip if stale => {
                    return Err(Kept::Stale { sku: part.sku.clone(), since: place.told_at });
                }
                // What is held there must still be found somewhere.
                WhenStale::Zero if stale => {
                    free = free.saturating_add(place.on_hand.min(0)).saturating_sub(place.committed);
                }
                _ => free = free.saturating_add(place.available()),
            }
        }
        if !told {
            return Err(Kept::Untold(part.sku.clone()));
        }
        let whole = u32::try_from(free.max(0)).unwrap_or(u32::MAX) / part.per_unit.max(1);
        least = Some(least.map_or(whole, |known| known.min(whole)));
    }
    Ok(least.unwrap_or(0))
}
