//! Which lines are ours, by which rule, and what they are made of.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use sdk::{DeliveryKind, Line, LineKind};
use unicode_normalization::UnicodeNormalization;

use crate::record::{NotOurs, Owner, Part, Rule};

/// What a merchant's SKU is made of, from the file's `[dropship.map]` or a run-time flag.
pub type Recipe = Vec<Part>;

/// A merchant's rules, in their precedence: run-time flags, the file's `map`, the file's `skus`.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    flags: BTreeMap<String, Flag>,
    map: BTreeMap<String, Recipe>,
    globs: Vec<(String, GlobMatcher)>,
    /// Normalised text → the exact SKUs of rules that read so.
    normalised: BTreeMap<String, Vec<String>>,
}

/// A run-time flag for exactly one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Not ours, whatever the file says.
    Off,
    /// Ours; `None` keeps the SKU or the file's recipe.
    On(Option<Recipe>),
}

impl Catalogue {
    /// Builds the rules. The error names the glob and why it cannot be read.
    pub fn new(
        skus: &[String],
        map: BTreeMap<String, Recipe>,
        flags: BTreeMap<String, Flag>,
    ) -> Result<Self, String> {
        let mut globs = Vec::with_capacity(skus.len());
        for pattern in skus {
            globs.push((pattern.clone(), parse_glob(pattern)?));
        }
        let mut normalised: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let exact = skus.iter().filter(|pattern| !has_wildcard(pattern));
        for sku in map.keys().chain(flags.keys()).chain(exact) {
            let known = normalised.entry(normalise(sku)).or_default();
            if !known.contains(sku) {
                known.push(sku.clone());
            }
        }
        Ok(Self { flags, map, globs, normalised })
    }

    /// The same rules with these run-time flags in place of the ones so far.
    pub fn with_flags(&self, flags: BTreeMap<String, Flag>) -> Self {
        let mut changed = self.clone();
        for sku in self.flags.keys().filter(|sku| !self.is_written(sku)) {
            if let Some(known) = changed.normalised.get_mut(&normalise(sku)) {
                known.retain(|known| known != sku);
            }
        }
        for sku in flags.keys() {
            let known = changed.normalised.entry(normalise(sku)).or_default();
            if !known.contains(sku) {
                known.push(sku.clone());
            }
        }
        changed.flags = flags;
        changed
    }

    /// Whether the file names exactly this SKU.
    fn is_written(&self, sku: &str) -> bool {
        self.map.contains_key(sku) || self.globs.iter().any(|(pattern, _)| pattern == sku)
    }

    /// The recipes that the file writes out, by the merchant's SKU.
    pub fn recipes(&self) -> impl Iterator<Item = (&String, &Recipe)> {
        self.map.iter().chain(self.flags.iter().filter_map(|(sku, flag)| match flag {
            Flag::On(Some(recipe)) => Some((sku, recipe)),
            _ => None,
        }))
    }

    /// Who fulfils a line that goes by `delivery`.
    pub fn decide(&self, line: &Line, delivery: &DeliveryKind) -> Owner {
        let merchant = |why| Owner::Merchant(why);
        match line.kind {
            LineKind::Custom => return merchant(NotOurs::Custom),
            LineKind::Digital => return merchant(NotOurs::Digital),
            LineKind::GiftCard => return merchant(NotOurs::GiftCard),
            LineKind::Goods => {}
        }
        if let DeliveryKind::Merchant(word) = delivery {
            return merchant(NotOurs::MerchantDelivery(word.clone()));
        }
        self.product(line.sku.as_deref())
    }

    /// Who fulfils a product with this SKU, whoever brings it.
    pub fn product(&self, sku: Option<&str>) -> Owner {
        let merchant = |why| Owner::Merchant(why);
        let Some(sku) = sku.filter(|sku| !sku.trim().is_empty()) else {
            return merchant(NotOurs::NoSku);
        };
        if let Some(owner) = self.exact(sku) {
            return owner;
        }
        match self.normalised.get(&normalise(sku)).map(Vec::as_slice) {
            Some([only]) => self.exact(only).unwrap_or(Owner::Merchant(NotOurs::NoRule)),
            Some(several) if several.len() > 1 => merchant(NotOurs::Ambiguous(several.to_vec())),
            _ => self.by_glob(sku.trim()).unwrap_or(Owner::Merchant(NotOurs::NoRule)),
        }
    }

    fn exact(&self, sku: &str) -> Option<Owner> {
        match self.flags.get(sku) {
            Some(Flag::Off) => return Some(Owner::Merchant(NotOurs::FlaggedOff)),
            Some(Flag::On(recipe)) => {
                let parts =
                    recipe.clone().or_else(|| self.map.get(sku).cloned()).unwrap_or_else(|| itself(sku));
                return Some(Owner::Supplier { rule: Rule::Flag, parts });
            }
            None => {}
        }
        if let Some(recipe) = self.map.get(sku) {
            return Some(Owner::Supplier { rule: Rule::Map(sku.to_owned()), parts: recipe.clone() });
        }
        self.by_glob(sku)
    }

    fn by_glob(&self, sku: &str) -> Option<Owner> {
        let (pattern, _) = self.globs.iter().find(|(_, glob)| glob.is_match(sku))?;
        Some(Owner::Supplier { rule: Rule::Glob(pattern.clone()), parts: itself(sku) })
    }
}

fn itself(sku: &str) -> Recipe {
    vec![Part { sku: sku.to_owned(), per_unit: 1 }]
}

/// Reads a SKU glob: `*`, `?`, `[…]`, `{a,b}`; a slash is a letter like any other.
pub fn parse_glob(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`{pattern}` is not a glob: {}", error.kind()))
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{', '\\'])
}

/// A SKU without the differences that people do not see: Unicode form, case, outer and doubled blanks.
pub fn normalise(sku: &str) -> String {
    let folded: String =
        sku.nfkc().flat_map(char::to_lowercase).filter(|letter| !letter.is_control()).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}
