//! Stock at the one location that the settings name: read and set, nowhere else.
//!
//! # The figure
//! An absolute adjustment sets what is *on hand*; `available_to_sell` is that without the merchant's safety stock
//! (`ItemResponse` in `inventory.v3.yml`). What is read here is on hand, so that what was set can be recognised.
//!
//! # Writing
//! `PUT /v3/inventory/adjustments/absolute` takes up to 2,000 items and answers with a `transaction_id`: the store applies
//! them some time later, and compares nothing. It is set, never added, so that it may be sent again; of two that are under
//! way at once "you never know which will be the first" (BigCommerce's guide *Inventory adjustments*, which the contract
//! links to), so that there must be one at a time.
//!
//! # Refusals
//! A 422 has the reason in its `title`, and no place for single items; nothing in the contract says that the others are
//! applied, or that they are not. Where the title names items of the batch by `variant_id` or `product_id`, those are
//! refused, and the others are sent again without them: right either way, since they are set and not added. Where it
//! names none, the batch is refused as a whole, and whoever called may try its halves.

use std::collections::BTreeSet;

use http::Method;
use sdk::{Effect, ErrorKind, Priority, RemoteId, Result, StockLevel, StockOutcome, StockWrite};

use crate::{
    error::Unprocessable,
    items::Item,
    lists::{self, Entry, Of},
    rest::{self, Ask, Rest},
    wire::{Adjustment, Adjustments, InventoryItem, Transaction},
};

/// "Limit of 2000 items for payload length" of `PUT …/absolute`.
pub(crate) const BATCH: usize = 2_000;

/// Items of one question. The contract allows 1,000 in an answer; half of them keep the address short.
const PAGE: usize = 500;

/// The most units of one item: beyond, "the store does not save the product or variant" (the same guide; the figure is
/// in `inventory_level` of `product-variants_catalog.v3.yml` too).
const MOST_UNITS: u32 = 2_147_483_647;

/// Times that a batch is sent without the items that were named in a refusal.
const ROUNDS: u32 = 8;

const ITEMS: &str = "/v3/inventory/items?location_id:in=";

const ADJUST: &str = "/v3/inventory/adjustments/absolute";

/// Shown beside the adjustment in the store.
const REASON: &str = "Stock of the supplier";

const BY_VARIANT: &str = "variant_id:in";
const BY_PRODUCT: &str = "product_id:in";

impl Entry for InventoryItem {
    fn of(&self, question: &Of<'_>) -> Option<u64> {
        if question.filter == BY_PRODUCT { self.identity.product_id } else { self.identity.variant_id }
    }

    fn key(&self) -> (u64, u64) {
        (self.identity.product_id.unwrap_or(0), self.identity.variant_id.unwrap_or(0))
    }
}

/// What is on hand of these items at the location. What the inventory does not have is left out.
pub(crate) async fn read(rest: &Rest, location: u32, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
    let ask = Ask::read("read_stock", Priority::Pull);
    within(ask, items.len())?;
    let items = items.iter().map(|id| Item::of(ask.name, id)).collect::<Result<BTreeSet<Item>>>()?;
    let path = format!("{ITEMS}{location}");
    let mut levels = Vec::with_capacity(items.len());
    for filter in [BY_VARIANT, BY_PRODUCT] {
        let ids: Vec<u64> = items
            .iter()
            .filter_map(|item| match *item {
                Item::Variant(id) => (filter == BY_VARIANT).then_some(id),
                Item::Product(id) => (filter == BY_PRODUCT).then_some(id),
            })
            .collect();
        let question = Of { ask, path: &path, filter, page: PAGE };
        let mut found: Vec<InventoryItem> = lists::of(rest, &question, &ids).await?;
        found.sort_by_key(|entry| entry.of(&question));
        for same in found.chunk_by(|one, next| one.of(&question) == next.of(&question)) {
            let [entry] = same else {
                if filter == BY_PRODUCT {
                    continue; // its variants are tracked by now: there is no such item any more
                }
                return Err(ask.error(ErrorKind::Malformed, "an item comes twice in one answer"));
            };
            let Some(id) = entry.of(&question) else { continue };
            let item = if filter == BY_PRODUCT { Item::Product(id) } else { Item::Variant(id) };
            levels.push(StockLevel { item: item.id(), available: on_hand(ask, entry, location)? });
        }
    }
    Ok(levels)
}

/// The figure at the location, and at no other.
fn on_hand(ask: Ask, entry: &InventoryItem, location: u32) -> Result<Option<i64>> {
    let mut here = entry.locations.iter().filter(|shelf| shelf.location_id == u64::from(location));
    let figure = here.next().and_then(|shelf| shelf.total_inventory_onhand);
    if here.next().is_some() {
        return Err(ask.error(ErrorKind::Malformed, "an item has one location twice"));
    }
    Ok(figure)
}

/// Sets these figures at the location. What the store took is [`StockOutcome::Accepted`]: it shows later.
pub(crate) async fn push(rest: &Rest, location: u32, write: &StockWrite) -> Result<Vec<StockOutcome>> {
    let ask = Ask::write("push_stock", Effect::Idempotent).at(Priority::Pull);
    let items = checked(ask, write)?;
    let mut outcomes: Vec<StockOutcome> = write
        .changes
        .iter()
        .map(|change| match change.to {
            0..=MOST_UNITS => StockOutcome::Accepted,
            _ => StockOutcome::Refused(format!("the store keeps no more than {MOST_UNITS} units")),
        })
        .collect();
    let mut left: Vec<usize> =
        (0..outcomes.len()).filter(|at| outcomes[*at] == StockOutcome::Accepted).collect();
    for _ in 0..ROUNDS {
        if left.is_empty() {
            return Ok(outcomes);
        }
        let adjustments =
            left.iter().map(|at| adjustment(location, items[*at], write.changes[*at].to)).collect();
        let body = Adjustments { reason: REASON, items: adjustments };
        let error = match rest.put(ask, Method::PUT, ADJUST, &body).await {
            Ok(answer) => {
                // Whatever else came with a 200: it may be under way.
                rest::read::<Transaction>(answer.body())
                    .map_err(|why| ask.error(ErrorKind::Indeterminate, why))?;
                return Ok(outcomes);
            }
            Err(error) => error,
        };
        let named = named(&error);
        let (refused, others): (Vec<usize>, Vec<usize>) =
            left.into_iter().partition(|at| named.contains(&items[*at]));
        if refused.is_empty() {
            return Err(error);
        }
        for at in refused {
            outcomes[at] = StockOutcome::Refused(error.message.clone());
        }
        left = others;
    }
    if left.is_empty() {
        return Ok(outcomes);
    }
    Err(ask.error(ErrorKind::Rejected, format!("the store refused other items each of {ROUNDS} times")))
}

/// The items that a refusal names. An outcome that is not known names none.
fn named(error: &sdk::Error) -> Vec<Item> {
    let told = error.source.as_ref().and_then(|source| source.downcast_ref::<Unprocessable>());
    match told {
        Some(told) if error.kind == ErrorKind::Rejected => Item::named(&told.texts),
        _ => Vec::new(),
    }
}

fn within(ask: Ask, count: usize) -> Result<()> {
    if count > BATCH {
        let message = format!("{count} items: the store takes {BATCH} at a time");
        return Err(ask.error(ErrorKind::Rejected, message));
    }
    Ok(())
}

/// The last look before anything is sent: what each change means, or why none of them may leave.
fn checked(ask: Ask, write: &StockWrite) -> Result<Vec<Item>> {
    within(ask, write.changes.len())?;
    let mut seen = BTreeSet::new();
    let mut items = Vec::with_capacity(write.changes.len());
    for change in &write.changes {
        let item = Item::of(ask.name, &change.item)?;
        if !seen.insert(item) {
            return Err(ask.error(ErrorKind::Rejected, format!("the item {item} is twice in one batch")));
        }
        if matches!(item, Item::Variant(_)) && change.variant != change.item {
            let message = format!("the item {item} is not the variant {}'s", change.variant);
            return Err(ask.error(ErrorKind::Rejected, message));
        }
        items.push(item);
    }
    Ok(items)
}

fn adjustment(location: u32, item: Item, quantity: u32) -> Adjustment {
    let (variant_id, product_id) = match item {
        Item::Variant(id) => (Some(id), None),
        Item::Product(id) => (None, Some(id)),
    };
    Adjustment { location_id: location, variant_id, product_id, quantity }
}
