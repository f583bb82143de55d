//! SKUs that look like the supplier's: so that a product that was never flagged is found before its orders are missed.

use std::collections::BTreeSet;

use crate::plan::routing::normalise;

/// The supplier's SKUs, without what people write differently: case, blanks, and signs between.
#[derive(Clone, Debug, Default)]
pub struct Likeness(BTreeSet<String>);

impl Likeness {
    /// Of these SKUs.
    pub fn of<S: AsRef<str>>(skus: impl IntoIterator<Item = S>) -> Self {
        Self(skus.into_iter().filter_map(|sku| bare(sku.as_ref())).collect())
    }

    /// Adds some.
    pub fn extend<S: AsRef<str>>(&mut self, skus: impl IntoIterator<Item = S>) {
        self.0.extend(skus.into_iter().filter_map(|sku| bare(sku.as_ref())));
    }

    /// Whether a merchant's SKU looks like one of them.
    pub fn has(&self, sku: &str) -> bool {
        bare(sku).is_some_and(|bare| self.0.contains(&bare))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Letters and digits alone; `None` where fewer than three are left, which look like anything.
fn bare(sku: &str) -> Option<String> {
    let bare: String = normalise(sku).chars().filter(|letter| letter.is_alphanumeric()).collect();
    (bare.chars().count() >= 3).then_some(bare)
}
