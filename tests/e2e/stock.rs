//! Stock of 5,000 products on both kinds of shop, while orders come in, figures go stale, a feed is wrong and a token is
//! revoked: at the end every figure is right, and nothing that is not ours was touched.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use sdk::Rng;
use serde_json::json;

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
fn fill(shops: &[Shop; 2], products: usize) {
    for shop in shops {
        if let Shop::BigCommerce(store) = shop {
            // For the count of calls: what is applied later is asked for again.
            store.apply_after(0);
        }
        for index in 0..products {
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

/// Calls about stock so far, reads and writes, answered or not.
fn calls(shop: &Shop) -> u32 {
    let (counts, read, write) = match shop {
        Shop::Shopify(shop) => (shop.counts(), "PortaldStock", "PortaldSetStock"),
        Shop::BigCommerce(store) => {
            (store.counts(), "GET /v3/inventory/items", "PUT /v3/inventory/adjustments/absolute")
        }
    };
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    of(read) + of(write)
}

/// The least calls: what is not known is read, what changes is written, and BigCommerce is read back; all of it in the
/// largest batches that the channel takes (of a read by BigCommerce 500 items).
fn least(shop: &Shop, unknown: usize, changed: usize) -> u32 {
    let calls = match shop {
        Shop::Shopify(_) => unknown.div_ceil(250) + changed.div_ceil(250),
        Shop::BigCommerce(_) => unknown.div_ceil(500) + changed.div_ceil(2_000) + changed.div_ceil(500),
    };
    calls as u32
}

/// Calls of one phase on one shop.
#[derive(Debug)]
struct Bill {
    what: String,
    made: u32,
    least: u32,
    allowed: u32,
}

/// From the `nth` write of stock on (or never) the shop refuses the token, until it is given back.
fn revoke_at_write(shop: &Shop, nth: u32) -> Arc<AtomicBool> {
    let (revoked, writes) = (Arc::new(AtomicBool::new(false)), AtomicU32::new(0));
    let seen = revoked.clone();
    let refuses = move |is_write: bool| {
        if is_write && writes.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            seen.store(true, Ordering::SeqCst);
        }
        seen.load(Ordering::SeqCst)
    };
    match shop {
        Shop::Shopify(shop) => {
            use shopify::fake::Fault;
            shop.on_request(move |name| {
                if refuses(name == "PortaldSetStock") { Fault::Status(401) } else { Fault::None }
            });
        }
        Shop::BigCommerce(store) => {
            use bigcommerce::fake::Fault;
            store.on_request(move |name| {
                if refuses(name.starts_with("PUT /v3/inventory")) { Fault::Status(401) } else { Fault::None }
            });
        }
    }
    revoked
}

struct Play<'p> {
    daemon: &'p Daemon,
    shops: &'p [Shop; 2],
    folder: PathBuf,
    products: usize,
    /// Units that open orders hold.
    sold: BTreeMap<String, i64>,
    /// Of these, what was bought in each shop since the phase began.
    bought: [BTreeMap<String, i64>; 2],
    /// What each shop showed when the phase began, and the calls so far.
    began: Vec<(BTreeMap<String, i64>, u32)>,
    bills: Vec<Bill>,
}

impl<'p> Play<'p> {
    fn new(daemon: &'p Daemon, shops: &'p [Shop; 2], folder: PathBuf, products: usize) -> Self {
        let (sold, bought, bills) = Default::default();
        let mut play = Self { daemon, shops, folder, products, sold, bought, began: Vec::new(), bills };
        play.phase();
        play
    }

    /// A phase begins.
    fn phase(&mut self) {
        self.bought = Default::default();
        self.began = self.shops.iter().map(|shop| (shelves(shop), calls(shop))).collect();
    }

    /// A phase ends with these figures. `first`: nothing was known before it. `more`: further calls that it takes on each
    /// shop. `allowed`: calls that it may take or not.
    fn bill(
        &mut self,
        what: &str,
        figure: impl Fn(usize) -> i64,
        first: bool,
        more: [u32; 2],
        allowed: [u32; 2],
    ) {
        let wanted = self.wanted(figure);
        for (at, shop) in self.shops.iter().enumerate() {
            let (shelf, calls_before) = &self.began[at];
            let bought = &self.bought[at];
            // What a shop sells it takes from its own figure: only what differs from that is to be written.
            let by_itself = |sku: &String| shelf[sku] - bought.get(sku).copied().unwrap_or(0);
            let changed = wanted.iter().filter(|(sku, units)| by_itself(sku) != **units).count();
            let unknown = if first { self.products } else { bought.len() };
            self.bills.push(Bill {
                what: format!("{}, {what}", shop.merchant()),
                made: calls(shop) - calls_before,
                least: least(shop, unknown, changed) + more[at],
                allowed: allowed[at],
            });
        }
        self.phase();
    }

    async fn import(&self, name: &str, figure: impl Fn(usize) -> i64) {
        let mut feed = "sku,quantity\n".to_owned();
        for index in 0..self.products {
            writeln!(feed, "{},{}", sku(index), figure(index)).expect("text");
        }
        let path = self.folder.join(name);
        std::fs::write(&path, feed).expect("written");
        let (code, said) = self.daemon.other(&["inventory", "import", path.to_str().expect("text")]).await;
        assert_eq!(code, Some(0), "{said}");
    }

    /// The figures of all orders are with the daemon.
    async fn imported(&self, orders: usize) {
        until("all orders are imported", async || (self.daemon.orders().await.len() == orders).then_some(()))
            .await;
    }

    fn wanted(&self, figure: impl Fn(usize) -> i64) -> BTreeMap<String, i64> {
        (0..self.products)
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
            let sku = sku(rng.below(self.products as u64) as usize);
            let units = 1 + rng.below(3) as u32;
            let at = rng.below(2) as usize;
            self.shops[at].place(&[(&sku, units)]);
            *self.bought[at].entry(sku.clone()).or_default() += i64::from(units);
            *self.sold.entry(sku).or_default() += i64::from(units);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A customer buys between what was read and the next write of stock: that write is stale.
    fn buy_in_between(&mut self, index: usize) {
        let Shop::Shopify(shop) = &self.shops[0] else { panic!("the first is on Shopify") };
        let line = shopify::fake::NewLine::new(&sku(index), 2);
        shop.place_before_write(shopify::fake::NewOrder::new(vec![line]));
        // Not in `bought`: it is read, and written once more, beside the others.
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
    let TwoShops { shops, daemon, folder, .. } = &two_shops_with_stock(|shops| fill(shops, PRODUCTS)).await;
    daemon.get("/v1/status").await;
    let mut play = Play::new(daemon, shops, folder.path().to_owned(), PRODUCTS);

    play.import("first.csv", figure).await;
    play.shows("the first figures", figure).await;
    play.bill("the first figures", figure, true, [0, 0], [0, 0]);

    // A feed that went wrong changes nothing, and nothing is asked.
    play.import("broken.csv", |_| 0).await;
    for shop in shops {
        play.logged("stock.breaker", shop.merchant()).await;
    }
    play.shows("what was there before the broken feed", figure).await;
    play.bill("the broken feed", figure, false, [0, 0], [0, 0]);

    // Life goes on meanwhile, and the right figures come; then a person releases both shops.
    if let Shop::BigCommerce(store) = &shops[1] {
        store.apply_after(2);
    }
    play.buy(60, 5).await;
    play.imported(60).await;
    // Customers of the first shop buy while its stock is pushed. Both products are among those whose figures change.
    play.buy_in_between(7);
    play.buy_in_between(14);
    let later = |index: usize| figure(index) + i64::from(index.is_multiple_of(7));
    play.import("second.csv", later).await;
    for shop in shops {
        let (code, said) = daemon.other(&["inventory", "release", shop.merchant()]).await;
        assert_eq!(code, Some(0), "{said}");
    }
    play.shows("orders and new figures", later).await;
    play.imported(62).await;
    // Each of the two takes its batch down: the rest of the batch goes again, twice; they are read and written once more.
    // The other shop learns of them perhaps after its push: one more write, read back; and it is read back too soon once,
    // which takes two calls for these 700 products.
    play.bill("orders and new figures", later, false, [2 + 2, 0], [0, 2 + 2]);

    // Tokens are revoked in the middle of a push: at the third batch here, at the only one there.
    let revoked = [revoke_at_write(&shops[0], 3), revoke_at_write(&shops[1], 1)];
    let last = |index: usize| later(index) + i64::from(index.is_multiple_of(3));
    play.import("third.csv", last).await;
    for shop in shops {
        play.logged("channel.suspended", shop.merchant()).await;
    }
    play.buy(20, 6).await;
    for (shop, revoked) in shops.iter().zip(revoked) {
        revoked.store(false, Ordering::SeqCst);
        let sync = format!("/v1/merchants/{}/sync", shop.merchant());
        daemon.command(&sync, "again", &json!({})).await;
    }
    play.shows("all of it, in spite of the tokens", last).await;
    // The call that met the revoked token is one that it takes. Each shop learns of the other's last orders perhaps after
    // its push: one more write, and one to read it back; that one is read back too soon, by four calls for 1,700 products.
    play.bill("revoked tokens", last, false, [1, 1], [1, 2 + 4]);

    // What Shopify was made to set is ours alone.
    only_ours_was_written(&shops[0]);
    let made: u32 = play.bills.iter().map(|bill| bill.made).sum();
    let least: u32 = play.bills.iter().map(|bill| bill.least).sum();
    let allowed: u32 = play.bills.iter().map(|bill| bill.allowed).sum();
    tell(&play.bills);
    assert!(made * 100 <= least * 105 + allowed * 100, "{made} of {least} and {allowed}: {:#?}", play.bills);
    assert!(!daemon.log().contains("panicked"));
}

#[allow(clippy::print_stderr, reason = "figures for people")]
fn tell(bills: &[Bill]) {
    for Bill { what, made, least, allowed } in bills {
        eprintln!("{what}: {made} calls, {least} are the least, {allowed} more may be");
    }
}

fn only_ours_was_written(shop: &Shop) {
    let Shop::Shopify(shopify) = shop else { panic!("the first is on Shopify") };
    let ours: BTreeMap<sdk::RemoteId, String> = shopify
        .variants()
        .into_iter()
        .filter_map(|variant| Some((variant.item_id(), variant.sku?)))
        .collect();
    for write in shopify.stock_writes() {
        let sku = &ours[&write.item];
        assert!(sku.starts_with("ACME-") && !sku.starts_with("ACME-X"), "{sku}: {write:?}");
    }
}

/// Counts the writes of stock that reach a shop.
fn count_writes(shop: &Shop, writes: &Arc<AtomicU32>) {
    let writes = writes.clone();
    let count = move |is_write: bool| {
        if is_write {
            writes.fetch_add(1, Ordering::SeqCst);
        }
    };
    match shop {
        Shop::Shopify(shop) => shop.on_request(move |name| {
            count(name == "PortaldSetStock");
            shopify::fake::Fault::None
        }),
        Shop::BigCommerce(store) => store.on_request(move |name| {
            count(name.starts_with("PUT /v3/inventory"));
            bigcommerce::fake::Fault::None
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_right_after_kills_in_the_middle_of_pushes_and_imports() {
    const SEED: u64 = 11;
    const FEW: usize = 1_500;
    let TwoShops { shops, daemon, folder, .. } = &two_shops_with_stock(|shops| fill(shops, FEW)).await;
    let writes = Arc::new(AtomicU32::new(0));
    for shop in shops {
        count_writes(shop, &writes);
    }
    if let Shop::BigCommerce(store) = &shops[1] {
        store.apply_after(2);
    }
    daemon.get("/v1/status").await;
    let mut play = Play::new(daemon, shops, folder.path().to_owned(), FEW);
    let mut rng = Rng::from_seed(SEED).child("kills");
    // Never so much at once that the breaker asks.
    let figure = |round: usize| move |index: usize| 60 + ((index * 7 + round * 5) % 15) as i64;
    let mut killed_in_an_import = 0;
    for round in 0..8 {
        let name = format!("{round}.csv");
        if round % 2 == 0 {
            // In the middle of an import: who sent it does not know what became of it, and sends it again.
            let wait = Duration::from_millis(rng.below(400));
            let mut cut = false;
            tokio::select! {
                () = play.import(&name, figure(round)) => {}
                () = tokio::time::sleep(wait) => cut = true,
            }
            killed_in_an_import += u32::from(cut);
            daemon.kill_and_restart().await;
            daemon.get("/v1/status").await;
        }
        let before = writes.load(Ordering::SeqCst);
        play.import(&name, figure(round)).await;
        play.buy(8, SEED + round as u64).await;
        // In the middle of a push: so many batches have arrived.
        let batches = 1 + rng.below(4) as u32;
        until("it pushes", async || (writes.load(Ordering::SeqCst) >= before + batches).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(rng.below(60))).await;
        daemon.kill_and_restart().await;
        daemon.get("/v1/status").await;
        play.others_are_untouched();
    }
    assert!(killed_in_an_import > 0);
    play.import("last.csv", figure(9)).await;
    play.shows("the last figures", figure(9)).await;
    only_ours_was_written(&shops[0]);
    for shop in shops {
        // What the shop shows is what the daemon knows, as soon as it has read it back.
        until("there is no difference", async || {
            let path = format!("/v1/inventory/merchants/{}?diff=true", shop.merchant());
            (daemon.get(&path).await["products"] == json!([])).then_some(())
        })
        .await;
    }
    let log = daemon.log();
    assert!(log.contains("stock.read_back") && !log.contains("panicked") && !log.contains("stock.breaker"));
}
