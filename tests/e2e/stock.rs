//! Stock of 5,000 products on both kinds of shop, while orders come in, figures go stale, a feed is wrong and a token is
//! revoked: at the end every figure is right, and nothing that is not ours was touched.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Duration};

use sdk::Rng;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, until},
    shops::{Shop, TwoShops, two_shops_with_stock},
};

const PRODUCTS: usize = 5_000;

fn sku(index: usize) -> String {
    format!("ACME-{index:04}")
}

/// What the supplier has of it.
fn figure(index: usize) -> i64 {
    20 + (index % 31) as i64
}

/// Shelves as a merchant had them before: of ours too few, and products that are none of our business.
fn fill(shops: &[Shop; 2]) {
    for shop in shops {
        if let Shop::BigCommerce(store) = shop {
            // For the count of calls: what is applied later is asked for again.
            store.apply_after(0);
        }
        for index in 0..PRODUCTS {
            add(shop, &sku(index), true, 15);
        }
        for index in 0..50 {
            add(shop, &format!("OTHER-{index}"), true, 7);
            add(shop, &format!("ACME-X{index}"), false, 3);
        }
    }
}

fn add(shop: &Shop, sku: &str, tracked: bool, available: i64) {
    match shop {
        Shop::Shopify(shop) => drop(shop.add_product(sku, tracked, available)),
        Shop::BigCommerce(store) => drop(store.add_product(sku, tracked, available)),
    }
}

/// What a shop shows, by SKU.
fn shelves(shop: &Shop) -> BTreeMap<String, i64> {
    match shop {
        Shop::Shopify(shop) => {
            let shown = shop.variants().into_iter().filter_map(|variant| {
                let level = variant.levels.get(&shopify::fake::LOCATION)?;
                Some((variant.sku?, level.available))
            });
            shown.collect()
        }
        Shop::BigCommerce(store) => {
            let shown = store.variants().into_iter().filter_map(|variant| {
                let units = store.stock(&sdk::RemoteId(variant.id.to_string()))?;
                Some((variant.sku, units))
            });
            shown.collect()
        }
    }
}

/// Calls about stock so far: (reads, writes).
fn calls(shop: &Shop) -> (u32, u32) {
    let (counts, read, write) = match shop {
        Shop::Shopify(shop) => (shop.counts(), "PortaldStock", "PortaldSetStock"),
        Shop::BigCommerce(store) => {
            (store.counts(), "GET /v3/inventory/items", "PUT /v3/inventory/adjustments/absolute")
        }
    };
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    (of(read), of(write))
}

struct Play<'p> {
    daemon: &'p Daemon,
    shops: &'p [Shop; 2],
    folder: PathBuf,
    /// Units that open orders hold.
    sold: BTreeMap<String, i64>,
}

impl Play<'_> {
    async fn import(&self, name: &str, figure: impl Fn(usize) -> i64) {
        let mut feed = "sku,quantity\n".to_owned();
        for index in 0..PRODUCTS {
            writeln!(feed, "{},{}", sku(index), figure(index)).expect("text");
        }
        let path = self.folder.join(name);
        std::fs::write(&path, feed).expect("written");
        let (code, said) = self.daemon.other(&["inventory", "import", path.to_str().expect("text")]).await;
        assert_eq!(code, Some(0), "{said}");
    }

    fn wanted(&self, figure: impl Fn(usize) -> i64) -> BTreeMap<String, i64> {
        (0..PRODUCTS)
            .map(|index| {
                let sold = self.sold.get(&sku(index)).copied().unwrap_or(0);
                (sku(index), (figure(index) - sold).max(0))
            })
            .collect()
    }

    /// Both shops come to show just this of ours, and of all else what they showed before.
    async fn shows(&self, what: &str, figure: impl Fn(usize) -> i64) {
        let wanted = self.wanted(figure);
        for shop in self.shops {
            until(&format!("{}: {what}", shop.merchant()), async || {
                let shown = shelves(shop);
                wanted.iter().all(|(sku, units)| shown.get(sku) == Some(units)).then_some(())
            })
            .await;
        }
        self.others_are_untouched();
    }

    fn others_are_untouched(&self) {
        for shop in self.shops {
            for (sku, units) in shelves(shop) {
                if sku.starts_with("OTHER-") {
                    assert_eq!(units, 7, "{}: {sku}", shop.merchant());
                } else if sku.starts_with("ACME-X") {
                    assert_eq!(units, 3, "{}: {sku} is not tracked", shop.merchant());
                }
            }
        }
    }

    /// Customers buy of both shops while stock is pushed.
    async fn buy(&mut self, orders: usize, seed: u64) {
        let mut rng = Rng::from_seed(seed).child("customers");
        for _ in 0..orders {
            let sku = sku(rng.below(PRODUCTS as u64) as usize);
            let units = 1 + rng.below(3) as u32;
            let shop = &self.shops[rng.below(2) as usize];
            shop.place(&[(&sku, units)]);
            *self.sold.entry(sku).or_default() += i64::from(units);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A customer buys between what was read and the next write of stock: that write is stale.
    fn buy_in_between(&mut self, index: usize) {
        let Shop::Shopify(shop) = &self.shops[0] else { panic!("the first is on Shopify") };
        let line = shopify::fake::NewLine::new(&sku(index), 2);
        shop.place_before_write(shopify::fake::NewOrder::new(vec![line]));
        *self.sold.entry(sku(index)).or_default() += 2;
    }

    async fn logged(&self, event: &str, merchant: &str) {
        until(&format!("{event} of {merchant}"), async || {
            let log = self.daemon.log();
            let mut lines = log.lines().filter(|line| line.contains(&format!("\"{event}\"")));
            lines.any(|line| line.contains(merchant)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_products_are_right_on_both_shops_whatever_happens() {
    let TwoShops { shops, daemon, folder, .. } = &two_shops_with_stock(fill).await;
    let folder = folder.path().to_owned();
    let mut play = Play { daemon, shops, folder, sold: BTreeMap::new() };
    until("it answers", async || daemon.find("nothing").await.or(Some(Value::Null))).await;
    daemon.get("/v1/status").await;

    play.import("first.csv", figure).await;
    play.shows("the first figures", figure).await;
    let first: Vec<(u32, u32)> = shops.iter().map(calls).collect();
    if let Shop::BigCommerce(store) = &shops[1] {
        store.apply_after(2);
    }

    play.buy(60, 5).await;
    // Both are among those whose figures change.
    play.buy_in_between(7);
    play.buy_in_between(14);
    let later = |index: usize| figure(index) + i64::from(index.is_multiple_of(7));
    play.import("second.csv", later).await;
    play.shows("orders and new figures", later).await;

    // A feed that went wrong changes nothing.
    play.import("broken.csv", |_| 0).await;
    for shop in shops {
        play.logged("stock.breaker", shop.merchant()).await;
    }
    play.shows("what was there before the broken feed", later).await;
    play.import("mended.csv", later).await;
    for shop in shops {
        let (code, said) = daemon.other(&["inventory", "release", shop.merchant()]).await;
        assert_eq!(code, Some(0), "{said}");
    }

    // Tokens are revoked while there is something to push.
    for shop in shops {
        match shop {
            Shop::Shopify(shop) => shop.accept_token("another"),
            Shop::BigCommerce(store) => store.accept_token("another"),
        }
    }
    let last = |index: usize| later(index) + i64::from(index.is_multiple_of(3));
    play.import("third.csv", last).await;
    for shop in shops {
        play.logged("channel.suspended", shop.merchant()).await;
    }
    play.buy(20, 6).await;
    for shop in shops {
        match shop {
            Shop::Shopify(shop) => shop.accept_token(shopify::fake::TOKEN),
            Shop::BigCommerce(store) => store.accept_token(bigcommerce::fake::TOKEN),
        }
        let sync = format!("/v1/merchants/{}/sync", shop.merchant());
        daemon.command(&sync, "again", &json!({})).await;
    }
    play.shows("all of it, in spite of the tokens", last).await;

    // What Shopify was made to set is ours alone.
    let Shop::Shopify(shopify) = &shops[0] else { panic!("the first is on Shopify") };
    let ours: BTreeMap<sdk::RemoteId, String> = shopify
        .variants()
        .into_iter()
        .filter_map(|variant| Some((variant.item_id(), variant.sku?)))
        .collect();
    for write in shopify.stock_writes() {
        let sku = &ours[&write.item];
        assert!(sku.starts_with("ACME-") && !sku.starts_with("ACME-X"), "{sku}: {write:?}");
    }
    // The first push, counted: the least is a read and a write for each batch, and BigCommerce is read back.
    let batches = |size: usize| PRODUCTS.div_ceil(size) as u32;
    let least = [(batches(250), batches(250)), (2 * batches(500), batches(2_000))];
    for ((shop, counted), least) in shops.iter().zip(&first).zip(least) {
        let (counted, least) = (counted.0 + counted.1, least.0 + least.1);
        assert!(counted * 100 <= least * 105, "{}: {counted} calls, {least} are the least", shop.merchant());
    }
    assert!(!daemon.log().contains("panicked"));
}
