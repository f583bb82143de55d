//! The model's products, their stock at each location, and adjustments that are under way.

use std::collections::{BTreeMap, BTreeSet};

use sdk::RemoteId;

use super::{FakeStore, model::NewLine};

/// The location that every store has.
const DEFAULT: u64 = 1;

/// How a product's stock is tracked: `inventory_tracking`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Not at all.
    None,
    /// For the product as a whole.
    Product,
    /// For each variant.
    Variant,
    /// A word that the contract does not have.
    Other(String),
}

impl Tracking {
    pub(super) fn word(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Product => "product",
            Self::Variant => "variant",
            Self::Other(word) => word,
        }
    }
}

/// A product to add: one base variant without stock, tracked as a whole, unless said otherwise.
#[derive(Clone, Debug)]
pub struct NewProduct {
    name: String,
    tracking: Tracking,
    variants: Vec<(String, Vec<String>)>,
    available: i64,
}

impl NewProduct {
    /// A simple product: its base variant alone.
    pub fn new(sku: &str) -> Self {
        Self {
            name: format!("Product {sku}"),
            tracking: Tracking::Product,
            variants: vec![(sku.to_owned(), Vec::new())],
            available: 0,
        }
    }

    /// A product of these variants, each with its SKU and the label of its option, tracked one by one.
    pub fn of(variants: &[(&str, &str)]) -> Self {
        let variants: Vec<(String, Vec<String>)> =
            variants.iter().map(|(sku, label)| ((*sku).to_owned(), vec![(*label).to_owned()])).collect();
        Self { name: "Product".to_owned(), tracking: Tracking::Variant, variants, available: 0 }
    }

    /// Called so.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Tracked so.
    pub fn tracked(mut self, tracking: Tracking) -> Self {
        self.tracking = tracking;
        self
    }

    /// With so many units of each item at the default location.
    pub fn available(mut self, units: i64) -> Self {
        self.available = units;
        self
    }
}

/// A variant of the model.
#[derive(Clone, Debug)]
pub struct FakeVariant {
    /// Its id.
    pub id: u64,
    /// Its product's.
    pub product: u64,
    /// SKU; empty where there is none.
    pub sku: String,
    /// Labels of its options; none for a base variant.
    pub labels: Vec<String>,
}

/// A product of the model.
#[derive(Clone, Debug)]
pub(super) struct FakeProduct {
    pub(super) name: String,
    pub(super) tracking: Tracking,
}

/// What stock belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Variant(u64),
    Product(u64),
}

/// New figures that were taken and are not applied.
#[derive(Clone, Debug)]
struct UnderWay {
    /// Requests that are still answered before.
    after: u32,
    figures: Vec<(Holder, u64, i64)>,
}

/// What the shop sells and has.
#[derive(Debug)]
pub(super) struct Goods {
    pub(super) products: BTreeMap<u64, FakeProduct>,
    pub(super) variants: BTreeMap<u64, FakeVariant>,
    pub(super) locations: BTreeSet<u64>,
    /// On hand, by holder and location.
    pub(super) on_hand: BTreeMap<(Holder, u64), i64>,
    pub(super) safety: BTreeMap<(Holder, u64), i64>,
    under_way: Vec<UnderWay>,
    /// Requests that are answered before an adjustment is applied.
    delay: u32,
    ids: u64,
}

impl Default for Goods {
    fn default() -> Self {
        Self {
            products: BTreeMap::new(),
            variants: BTreeMap::new(),
            locations: [DEFAULT].into(),
            on_hand: BTreeMap::new(),
            safety: BTreeMap::new(),
            under_way: Vec::new(),
            delay: 2,
            ids: 0,
        }
    }
}

impl Goods {
    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn add(&mut self, new: NewProduct) -> Vec<u64> {
        let product = 1_000 + self.id();
        self.products.insert(product, FakeProduct { name: new.name, tracking: new.tracking });
        let ids: Vec<u64> =
            new.variants.into_iter().map(|(sku, labels)| self.add_variant(product, sku, labels)).collect();
        for id in &ids {
            if let Some(holder) = self.holder(*id) {
                self.on_hand.insert((holder, DEFAULT), new.available);
            }
        }
        ids
    }

    fn add_variant(&mut self, product: u64, sku: String, labels: Vec<String>) -> u64 {
        let id = self.id();
        self.variants.insert(id, FakeVariant { id, product, sku, labels });
        id
    }

    /// What a variant's stock belongs to; `None`: it is not tracked.
    pub(super) fn holder(&self, variant: u64) -> Option<Holder> {
        let variant = self.variants.get(&variant)?;
        match self.products.get(&variant.product)?.tracking {
            Tracking::Product => Some(Holder::Product(variant.product)),
            Tracking::Variant => Some(Holder::Variant(variant.id)),
            Tracking::None | Tracking::Other(_) => None,
        }
    }

    /// Every item of the inventory: what holds it, its product, and the variant that stands for it.
    pub(super) fn items(&self) -> Vec<(Holder, &FakeVariant)> {
        let mut seen = BTreeSet::new();
        let tracked = self.variants.values().filter_map(|variant| Some((self.holder(variant.id)?, variant)));
        tracked.filter(|(holder, _)| seen.insert(*holder)).collect()
    }

    /// The variant of an order's line, and its product.
    pub(super) fn sold(&self, line: &NewLine) -> Option<(u64, u64)> {
        let sold = self.variants.values().find(|variant| !line.sku.is_empty() && variant.sku == line.sku)?;
        Some((sold.id, sold.product))
    }

    /// Stock falls when an order is placed, at the default location: when it does is a setting of the store, and not in
    /// the contract. So is that it may fall below nothing.
    pub(super) fn take(&mut self, variant: u64, units: u32) {
        if let Some(holder) = self.holder(variant) {
            *self.on_hand.entry((holder, DEFAULT)).or_default() -= i64::from(units);
        }
    }

    /// Takes new figures. They are applied later.
    pub(super) fn adjust(&mut self, figures: Vec<(Holder, u64, i64)>) -> u64 {
        self.under_way.push(UnderWay { after: self.delay, figures });
        if self.delay == 0 {
            self.apply(true);
        }
        self.id()
    }

    /// A request was answered: what is due is applied.
    pub(super) fn pass(&mut self) {
        for adjustment in &mut self.under_way {
            adjustment.after = adjustment.after.saturating_sub(1);
        }
        self.apply(false);
    }

    /// "You never know which will be the first" (the guide *Inventory adjustments*): of those that are under way at once
    /// the latest is.
    fn apply(&mut self, all: bool) {
        if !all && self.under_way.first().is_none_or(|first| first.after > 0) {
            return;
        }
        for adjustment in std::mem::take(&mut self.under_way).into_iter().rev() {
            for (holder, location, figure) in adjustment.figures {
                self.on_hand.insert((holder, location), figure);
            }
        }
    }

    fn remove(&mut self, variant: u64) {
        if let Some(gone) = self.variants.remove(&variant)
            && !self.variants.values().any(|other| other.product == gone.product)
        {
            self.products.remove(&gone.product);
        }
    }
}

fn number(id: &RemoteId) -> Option<u64> {
    id.as_str().parse().ok()
}

/// What the merchant does with products and stock. Variants are named by their ids.
impl FakeStore {
    fn goods<T>(&self, act: impl FnOnce(&mut Goods) -> T) -> T {
        act(&mut self.state().store.goods)
    }

    /// Adds a simple product, tracked for itself or not; its variant's id.
    pub fn add_product(&self, sku: &str, tracked: bool, available: i64) -> RemoteId {
        let tracking = if tracked { Tracking::Product } else { Tracking::None };
        let mut ids = self.add(NewProduct::new(sku).tracked(tracking).available(available));
        ids.swap_remove(0)
    }

    /// Adds a product; its variants' ids.
    pub fn add(&self, product: NewProduct) -> Vec<RemoteId> {
        let ids = self.goods(|goods| goods.add(product));
        ids.into_iter().map(|id| RemoteId(id.to_string())).collect()
    }

    /// Adds a variant to the product of another; its id.
    pub fn add_variant(&self, sibling: &RemoteId, sku: &str, label: &str) -> Option<RemoteId> {
        let sibling = number(sibling)?;
        self.goods(|goods| {
            let product = goods.variants.get(&sibling)?.product;
            Some(RemoteId(goods.add_variant(product, sku.to_owned(), vec![label.to_owned()]).to_string()))
        })
    }

    /// Removes a variant, and its product where it was the last.
    pub fn remove_variant(&self, variant: &RemoteId) {
        if let Some(id) = number(variant) {
            self.goods(|goods| goods.remove(id));
        }
    }

    /// Tracks the stock of a variant's product otherwise.
    pub fn set_tracking(&self, variant: &RemoteId, tracking: Tracking) {
        self.goods(|goods| {
            let product = number(variant).and_then(|id| Some(goods.variants.get(&id)?.product));
            if let Some(product) = product.and_then(|id| goods.products.get_mut(&id)) {
                product.tracking = tracking;
            }
        });
    }

    /// The merchant sets what is on hand at the default location.
    pub fn set_available(&self, variant: &RemoteId, units: i64) {
        self.set_available_at(variant, DEFAULT, units);
    }

    /// The merchant sets what is on hand at a location, which is there from now on.
    pub fn set_available_at(&self, variant: &RemoteId, location: u64, units: i64) {
        self.goods(|goods| {
            goods.locations.insert(location);
            if let Some(holder) = number(variant).and_then(|id| goods.holder(id)) {
                goods.on_hand.insert((holder, location), units);
            }
        });
    }

    /// The merchant keeps so many units back at the default location.
    pub fn set_safety_stock(&self, variant: &RemoteId, units: i64) {
        self.goods(|goods| {
            if let Some(holder) = number(variant).and_then(|id| goods.holder(id)) {
                goods.safety.insert((holder, DEFAULT), units);
            }
        });
    }

    /// What is on hand at the default location; `None`: not tracked, or never set.
    pub fn stock(&self, variant: &RemoteId) -> Option<i64> {
        self.stock_at(variant, DEFAULT)
    }

    /// What is on hand at a location.
    pub fn stock_at(&self, variant: &RemoteId, location: u64) -> Option<i64> {
        self.goods(|goods| {
            let holder = goods.holder(number(variant)?)?;
            goods.on_hand.get(&(holder, location)).copied()
        })
    }

    /// Every variant, as it stands.
    pub fn variants(&self) -> Vec<FakeVariant> {
        self.goods(|goods| goods.variants.values().cloned().collect())
    }

    /// Everything that is on hand anywhere, by holder and location: `variant 7 at 1`.
    pub fn shelves(&self) -> BTreeMap<String, i64> {
        let name = |holder: &Holder| match holder {
            Holder::Variant(id) => format!("variant {id}"),
            Holder::Product(id) => format!("product {id}"),
        };
        self.goods(|goods| {
            let shelves = goods.on_hand.iter();
            shelves.map(|((holder, at), units)| (format!("{} at {at}", name(holder)), *units)).collect()
        })
    }

    /// Adjustments are applied once so many more requests were answered; 0: at once. Two unless said otherwise.
    pub fn apply_after(&self, requests: u32) {
        self.goods(|goods| goods.delay = requests);
    }

    /// Applies what is under way.
    pub fn settle(&self) {
        self.goods(|goods| goods.apply(true));
    }

    /// Adjustments that were taken and are not applied.
    pub fn under_way(&self) -> usize {
        self.goods(|goods| goods.under_way.len())
    }
}
