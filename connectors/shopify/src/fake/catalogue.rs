//! The model's catalogue: variants, their inventory items, and what is available of each at each location.

use std::collections::{BTreeMap, VecDeque};

use sdk::{RemoteId, Timestamp};

use super::{FakeShop, LOCATION, NewOrder};

/// A product of one variant, to add.
#[derive(Clone, Debug)]
pub struct NewProduct {
    sku: Option<String>,
    title: String,
    option: String,
    tracked: bool,
    bundle: bool,
    levels: BTreeMap<u64, FakeLevel>,
}

impl NewProduct {
    /// Tracked, with this much available at the first location.
    pub fn new(sku: &str, available: i64) -> Self {
        Self {
            sku: Some(sku.to_owned()),
            title: format!("Product {sku}"),
            option: "Default Title".to_owned(),
            tracked: true,
            bundle: false,
            levels: BTreeMap::from([(LOCATION, FakeLevel { available, active: true })]),
        }
    }

    /// The shop does not track its stock.
    pub fn untracked(mut self) -> Self {
        self.tracked = false;
        self
    }

    /// A bundle's parent.
    pub fn bundle(mut self) -> Self {
        self.bundle = true;
        self
    }

    /// Without a SKU.
    pub fn without_sku(mut self) -> Self {
        self.sku = None;
        self
    }

    /// One of several variants: `Large`.
    pub fn option(mut self, option: &str) -> Self {
        option.clone_into(&mut self.option);
        self
    }

    /// Stocked at this location as well.
    pub fn at(mut self, location: u64, available: i64) -> Self {
        self.levels.insert(location, FakeLevel { available, active: true });
        self
    }

    /// Not stocked at the first location.
    pub fn elsewhere(mut self) -> Self {
        self.levels.remove(&LOCATION);
        self
    }
}

/// What is available at one location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FakeLevel {
    /// Units: below zero where it was oversold.
    pub available: i64,
    /// Stocking can be turned off: the figure stays.
    pub active: bool,
}

/// A variant with its inventory item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeVariant {
    /// The variant's number.
    pub id: u64,
    /// Its inventory item's.
    pub item: u64,
    /// SKU.
    pub sku: Option<String>,
    /// Whether its stock is tracked.
    pub tracked: bool,
    /// What is available where.
    pub levels: BTreeMap<u64, FakeLevel>,
    pub(super) title: String,
    pub(super) option: String,
    pub(super) bundle: bool,
    pub(super) updated: Timestamp,
}

impl FakeVariant {
    /// Its id as a channel gives it.
    pub fn remote_id(&self) -> RemoteId {
        RemoteId(self.id.to_string())
    }

    /// Its inventory item's id as a channel gives it.
    pub fn item_id(&self) -> RemoteId {
        RemoteId(self.item.to_string())
    }
}

/// A figure that the API was made to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeStockWrite {
    /// The inventory item.
    pub item: RemoteId,
    /// Where.
    pub location: u64,
    /// What was available.
    pub before: i64,
    /// What is now.
    pub after: i64,
}

/// All that the shop sells.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) variants: BTreeMap<u64, FakeVariant>,
    /// Variants by their inventory items.
    pub(super) items: BTreeMap<u64, u64>,
    by_sku: BTreeMap<String, u64>,
    /// What the API was made to set, oldest first.
    pub(super) writes: Vec<FakeStockWrite>,
    /// Keys of writes.
    pub(super) keys: BTreeMap<String, FakeKey>,
    /// Writes that are answered as being under way.
    pub(super) busy: u32,
    /// Sets those of a batch that are not refused.
    pub(super) sets_the_rest: bool,
    /// Tells a refusal again under the same key.
    pub(super) repeats_refusals: bool,
    /// Orders that are placed just before a write each.
    pub(super) ahead: VecDeque<NewOrder>,
}

/// A key that was used.
#[derive(Debug)]
pub(super) struct FakeKey {
    pub(super) input: serde_json::Value,
    pub(super) answer: serde_json::Value,
    pub(super) failed: bool,
}

impl Catalogue {
    fn add(&mut self, new: NewProduct, number: u64, now: Timestamp) -> FakeVariant {
        let (id, item) = (51_000_000_000 + number, 53_000_000_000 + number);
        let NewProduct { sku, title, option, tracked, bundle, levels } = new;
        if let Some(sku) = &sku {
            self.by_sku.entry(sku.clone()).or_insert(id);
        }
        let variant = FakeVariant { id, item, sku, tracked, levels, title, option, bundle, updated: now };
        self.items.insert(item, id);
        self.variants.insert(id, variant.clone());
        variant
    }

    fn by_sku(&mut self, sku: &str) -> Option<&mut FakeVariant> {
        self.variants.get_mut(self.by_sku.get(sku)?)
    }

    pub(super) fn by_item(&self, item: u64) -> Option<&FakeVariant> {
        self.variants.get(self.items.get(&item)?)
    }

    /// An order takes units (or gives them back, below zero): what is available falls when it is placed.
    pub(super) fn commit(&mut self, sku: Option<&str>, location: u64, units: i64) {
        let variant = sku.and_then(|sku| self.by_sku(sku)).filter(|variant| variant.tracked);
        if let Some(level) = variant.and_then(|variant| variant.levels.get_mut(&location)) {
            level.available -= units;
        }
    }

    /// Whether it is one of the shop's locations.
    pub(super) fn has_location(&self, location: u64) -> bool {
        location == LOCATION || self.variants.values().any(|variant| variant.levels.contains_key(&location))
    }
}

/// What a merchant does with products and stock. They are named by SKU: where several have one, by the first.
impl FakeShop {
    /// Adds a product of one variant, with this much available at the first location.
    pub fn add_product(&self, sku: &str, tracked: bool, available: i64) -> FakeVariant {
        let new = NewProduct::new(sku, available);
        self.add(if tracked { new } else { new.untracked() })
    }

    /// Adds a product.
    pub fn add(&self, product: NewProduct) -> FakeVariant {
        let now = self.now();
        let mut state = self.state();
        let number = state.shop.id();
        state.shop.catalogue.add(product, number, now)
    }

    fn on_sku(&self, sku: &str, change: impl FnOnce(&mut FakeVariant)) {
        if let Some(variant) = self.state().shop.catalogue.by_sku(sku) {
            change(variant);
        }
    }

    /// The merchant counts anew, at the first location.
    pub fn set_available(&self, sku: &str, available: i64) {
        self.on_sku(sku, |variant| {
            variant.levels.insert(LOCATION, FakeLevel { available, active: true });
        });
    }

    /// Turns tracking on or off.
    pub fn set_tracked(&self, sku: &str, tracked: bool) {
        self.on_sku(sku, |variant| variant.tracked = tracked);
    }

    /// Turns stocking at the first location off: the figure stays.
    pub fn stop_stocking(&self, sku: &str) {
        self.on_sku(sku, |variant| {
            if let Some(level) = variant.levels.get_mut(&LOCATION) {
                level.active = false;
            }
        });
    }

    /// Deletes the product.
    pub fn delete_product(&self, sku: &str) {
        let mut state = self.state();
        let catalogue = &mut state.shop.catalogue;
        if let Some(variant) = catalogue.by_sku.remove(sku).and_then(|id| catalogue.variants.remove(&id)) {
            catalogue.items.remove(&variant.item);
        }
    }

    /// What is available of an inventory item at the first location.
    pub fn stock(&self, item: &RemoteId) -> Option<i64> {
        let state = self.state();
        let variant = state.shop.catalogue.by_item(item.as_str().parse().ok()?)?;
        variant.levels.get(&LOCATION).map(|level| level.available)
    }

    /// All variants, as they stand.
    pub fn variants(&self) -> Vec<FakeVariant> {
        self.state().shop.catalogue.variants.values().cloned().collect()
    }

    /// The variant with this SKU, as it stands.
    pub fn variant(&self, sku: &str) -> Option<FakeVariant> {
        self.state().shop.catalogue.by_sku(sku).cloned()
    }

    /// What the API was made to set so far, oldest first: at any location, of any item.
    pub fn stock_writes(&self) -> Vec<FakeStockWrite> {
        self.state().shop.catalogue.writes.clone()
    }

    /// Answers the next writes of stock as being under way with the same key.
    pub fn be_busy(&self, writes: u32) {
        self.state().shop.catalogue.busy = writes;
    }

    /// Sets those of a batch that are not refused, from now on. (Nothing tells for sure that a real shop sets none.)
    pub fn set_the_rest(&self) {
        self.state().shop.catalogue.sets_the_rest = true;
    }

    /// Tells a refusal again under the same key, in place of calling the key used up. (Which of them is not recorded.)
    pub fn repeat_refusals(&self) {
        self.state().shop.catalogue.repeats_refusals = true;
    }

    /// Places this order between whatever was read and the next write of stock; one order a write.
    pub fn place_before_write(&self, order: NewOrder) {
        self.state().shop.catalogue.ahead.push_back(order);
    }

    /// Forgets the keys of all writes: they are kept for a time.
    pub fn forget_keys(&self) {
        self.state().shop.catalogue.keys.clear();
    }
}
