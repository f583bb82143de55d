//! What the shops show of the supplier's stock, against the policy's formula, worked out here once more.

use std::{collections::BTreeMap, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Books, number, text};
use crate::{
    operators::{ask, get},
    setup::Rules,
    shops::{Remote, Shop, parts},
    world::World,
};

/// The last stocktake: figures that nobody doubts.
pub(super) async fn count(world: &World) {
    let levels: Vec<Value> =
        FIGURES.iter().map(|(sku, units)| json!({ "sku": sku, "on_hand": units })).collect();
    let body = json!({ "levels": levels }).to_string();
    for _ in 0..30 {
        let life = world.running().await;
        let kinds = [("content-type", "application/json")];
        let said = ask(&life, Method::PUT, "/v1/inventory", &kinds, body.clone()).await;
        if matches!(said, Some((StatusCode::OK, _))) {
            world.journal.note("the last stocktake");
            return;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    world.journal.violation("the simulation itself", "the last stocktake was never taken");
}

const FIGURES: [(&str, i64); 5] =
    [("ACME-1", 40), ("ACME-2", 23), ("ACME-3", 600), ("ACME-4", 7), ("ACME-5", 31)];

/// A person looks at what the breaker stopped, and lets it go.
pub(super) async fn release(world: &World) {
    for shop in &world.shops {
        let body = json!({ "merchant": shop.merchant }).to_string();
        let life = world.running().await;
        let kinds = [("content-type", "application/json")];
        let said = ask(&life, Method::POST, "/v1/inventory/release", &kinds, body).await;
        world.journal.note(format!("{}: stock is released: {:?}", shop.merchant, said.map(|said| said.0)));
    }
}

/// What a channel may show of a merchant SKU.
fn formula(sku: &str, free: &BTreeMap<String, i64>, rules: &Rules) -> i64 {
    let whole =
        parts(sku).into_iter().map(|(own, per)| free.get(&own).copied().unwrap_or(0).max(0) / i64::from(per));
    let available = whole.min().unwrap_or(0);
    let share = available * i64::from(rules.share_percent) / 100;
    (share - i64::from(rules.reserve)).clamp(0, i64::from(rules.max))
}

/// What a shop shows, by SKU, where it keeps count.
fn shelves(shop: &Shop) -> BTreeMap<String, i64> {
    match &shop.remote {
        Remote::Shopify(remote) => {
            let tracked = remote.variants().into_iter().filter(|variant| variant.tracked);
            let shown = tracked.filter_map(|variant| {
                let level = variant.levels.get(&shopify::fake::LOCATION)?;
                Some((variant.sku.clone()?, level.available))
            });
            shown.collect()
        }
        Remote::BigCommerce(remote) => {
            remote.settle();
            let shown = remote.variants().into_iter().filter_map(|variant| {
                let units = remote.stock(&sdk::RemoteId(variant.id.to_string()))?;
                Some((variant.sku, units))
            });
            shown.collect()
        }
        Remote::Folder(files) => {
            let products = files.text(shop.folder().join("products.csv"));
            let tracked: Vec<String> = products
                .lines()
                .filter_map(|row| row.strip_suffix(",yes")?.split(',').next().map(str::to_owned))
                .collect();
            let told = files.text(shop.folder().join("outbox/stock.csv"));
            let shown: BTreeMap<&str, i64> = told
                .lines()
                .skip(1)
                .filter_map(|row| {
                    let mut cells = row.split(',');
                    let sku = cells.next()?;
                    Some((sku, cells.nth(1)?.parse().ok()?))
                })
                .collect();
            tracked.into_iter().map(|sku| (sku.clone(), shown.get(&*sku).copied().unwrap_or(-1))).collect()
        }
    }
}

/// Every figure of ours is what the formula says, on every shop that asks for it.
pub(super) async fn shown(world: &World, books: &Books) {
    let mut free: BTreeMap<String, i64> =
        FIGURES.iter().map(|(sku, units)| ((*sku).to_owned(), *units)).collect();
    let mut committed: BTreeMap<String, i64> = BTreeMap::new();
    for line in books.orders.values().flat_map(|order| order["lines"].as_array().into_iter().flatten()) {
        let held = number(&line["open"]) + number(&line["short"]);
        *free.entry(text(&line["sku"])).or_default() -= held;
        *committed.entry(text(&line["sku"])).or_default() += held;
    }
    let levels = get(world, "/v1/inventory?limit=1000").await;
    for level in levels["levels"].as_array().into_iter().flatten() {
        let held = committed.get(&text(&level["sku"])).copied().unwrap_or(0);
        world.journal.check("open units are committed", number(&level["committed"]) == held, || {
            format!("{held} are open: {level}")
        });
    }
    let setup = world.setup.lock().expect("nobody panics with it").clone();
    for shop in &world.shops {
        let Some(rules) = setup.rules.get(&shop.merchant).filter(|rules| rules.sync) else { continue };
        let document = get(world, &format!("/v1/inventory/merchants/{}", shop.merchant)).await;
        for (sku, units) in shelves(shop) {
            if parts(&sku).is_empty() {
                continue;
            }
            let wanted = formula(&sku, &free, rules);
            let mut offers = document["products"].as_array().into_iter().flatten();
            let offer = offers.rfind(|offer| offer["sku"] == *sku);
            let said = || format!("{} {sku}: shown {units}, wanted {wanted}: {offer:?}", shop.merchant);
            let told =
                offer.is_some_and(|offer| offer["published"] == wanted && offer["acknowledged"] == wanted);
            world.journal.check("the policy's figure is told", told, said);
            // What the shop changed by itself is found once a day.
            if world.is_long() {
                world.journal.check("the shop shows what the policy says", units == wanted, said);
            }
        }
    }
}
