//! Two merchants, one on each kind of shop, as a test acts for them: the same deeds on either.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bigcommerce::fake::FakeStore;
use portald::clock::SystemClock;
use sdk::{
    RemoteId, Rng,
    testkit::{Served, serve},
};
use shopify::fake::FakeShop;

use crate::{daemon::Daemon, scene::DAEMON};

/// A merchant's shop.
#[derive(Clone)]
pub(crate) enum Shop {
    Shopify(Arc<FakeShop>),
    BigCommerce(Arc<FakeStore>),
}

/// Units of each line in the parcels that the channel shows, by tracking number.
pub(crate) type Shown = BTreeMap<String, BTreeMap<String, i64>>;

impl Shop {
    pub(crate) fn merchant(&self) -> &'static str {
        match self {
            Self::Shopify(_) => "bluefin",
            Self::BigCommerce(_) => "pinecrest",
        }
    }

    /// The supplier order's id.
    pub(crate) fn supplier(&self, order: &RemoteId) -> String {
        format!("{}.shop.{order}", self.merchant())
    }

    /// A customer buys these: (SKU, units).
    pub(crate) fn place(&self, lines: &[(&str, u32)]) -> RemoteId {
        match self {
            Self::Shopify(shop) => {
                let lines = lines.iter().map(|(sku, units)| shopify::fake::NewLine::new(sku, *units));
                shop.place(shopify::fake::NewOrder::new(lines.collect()))
            }
            Self::BigCommerce(store) => {
                let lines = lines.iter().map(|(sku, units)| bigcommerce::fake::NewLine::new(sku, *units));
                store.place(bigcommerce::fake::NewOrder::new(lines.collect()))
            }
        }
    }

    pub(crate) fn cancel(&self, order: &RemoteId) {
        match self {
            Self::Shopify(shop) => shop.cancel_order(order, "CUSTOMER"),
            Self::BigCommerce(store) => store.cancel_order(order),
        }
    }

    pub(crate) fn hold(&self, order: &RemoteId) {
        match self {
            Self::Shopify(shop) => shop.hold(order, "HIGH_RISK_OF_FRAUD"),
            Self::BigCommerce(store) => store.hold(order),
        }
    }

    pub(crate) fn release(&self, order: &RemoteId) {
        match self {
            Self::Shopify(shop) => shop.release(order),
            Self::BigCommerce(store) => store.release(order),
        }
    }

    /// The order's first line is to have so many units.
    pub(crate) fn edit(&self, order: &RemoteId, units: u32) {
        let line = self.line(order, 0);
        match self {
            Self::Shopify(shop) => shop.edit_quantity(order, line, units),
            Self::BigCommerce(store) => store.edit_quantity(order, line, units),
        }
    }

    /// Money for units of the first line goes back: of shipped ones a return, else a cancellation.
    pub(crate) fn refund(&self, order: &RemoteId, units: u32, shipped: bool) {
        let line = self.line(order, 0);
        match self {
            Self::Shopify(shop) => {
                use shopify::fake::Restock::{Cancel, Return};
                shop.refund(order, line, units, if shipped { Return } else { Cancel });
            }
            Self::BigCommerce(store) => store.refund(order, line, units),
        }
    }

    /// The merchant sends units of the first line itself.
    pub(crate) fn fulfil(&self, order: &RemoteId, units: u32) {
        let line = self.line(order, 0);
        match self {
            Self::Shopify(shop) => {
                let lines = [sdk::LineQuantity { line: RemoteId(line.to_string()), quantity: units }];
                shop.fulfil(order, &lines).expect("it is open");
            }
            Self::BigCommerce(store) => {
                store.ship_elsewhere(order, line, units, "ELSEWHERE").expect("it is open");
            }
        }
    }

    fn line(&self, order: &RemoteId, at: usize) -> u64 {
        match self {
            Self::Shopify(shop) => shop.order(order).expect("placed").lines[at].id,
            Self::BigCommerce(store) => store.order(order).expect("placed").lines[at].id,
        }
    }

    /// The parcels that the channel shows of an order; each number must stand there once.
    pub(crate) fn shown(&self, order: &RemoteId) -> Shown {
        let mut shown = Shown::new();
        let mut add = |number: String, lines: Vec<(String, i64)>| {
            assert!(!shown.contains_key(&number), "{order}: parcel {number:?} is there twice");
            shown.insert(number, lines.into_iter().collect());
        };
        match self {
            Self::Shopify(shop) => {
                for made in shop.fulfillments(order).iter().filter(|made| made.active()) {
                    let lines = made.lines.iter().map(|(line, units)| (line.to_string(), *units));
                    add(made.numbers.first().cloned().unwrap_or_default(), lines.collect());
                }
            }
            Self::BigCommerce(store) => {
                for made in store.shipments(order) {
                    let lines = made.lines.iter().map(|(line, units)| (line.to_string(), i64::from(*units)));
                    add(made.number.clone(), lines.collect());
                }
            }
        }
        shown
    }

    /// Units in all parcels that the channel shows of an order, and how many parcels are there twice: the same number
    /// with units of the same line.
    pub(crate) fn doubled(&self, order: &RemoteId) -> usize {
        let mut seen = std::collections::BTreeSet::new();
        let mut twice = 0;
        let mut add = |number: String, line: String| twice += usize::from(!seen.insert((number, line)));
        match self {
            Self::Shopify(shop) => {
                for made in shop.fulfillments(order).iter().filter(|made| made.active()) {
                    let number = made.numbers.first().cloned().unwrap_or_default();
                    made.lines.iter().for_each(|(line, _)| add(number.clone(), line.to_string()));
                }
            }
            Self::BigCommerce(store) => {
                for made in store.shipments(order) {
                    made.lines.iter().for_each(|(line, _)| add(made.number.clone(), line.to_string()));
                }
            }
        }
        twice
    }

    /// Every number that the channel ever showed and still knows of, also of parcels that were taken back.
    pub(crate) fn ever(&self, order: &RemoteId) -> std::collections::BTreeSet<String> {
        match self {
            Self::Shopify(shop) => {
                shop.fulfillments(order).into_iter().flat_map(|made| made.numbers).collect()
            }
            Self::BigCommerce(store) => store.shipments(order).into_iter().map(|made| made.number).collect(),
        }
    }

    /// One answer in ten is lost after the shop acted.
    fn lose_one_in_ten(&self, seed: u64) {
        let mut chance = Rng::from_seed(seed).child(self.merchant());
        let mut lost = move || chance.below(10) == 0;
        match self {
            Self::Shopify(shop) => {
                use shopify::fake::Fault;
                shop.on_request(move |_| if lost() { Fault::LoseAfterApplied } else { Fault::None });
            }
            Self::BigCommerce(store) => {
                use bigcommerce::fake::Fault;
                store.on_request(move |_| if lost() { Fault::LoseAfterApplied } else { Fault::None });
            }
        }
    }
}

/// The two shops on sockets, and a daemon for both.
pub(crate) struct TwoShops {
    pub(crate) shops: [Shop; 2],
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) _served: [Served; 2],
}

/// Two shops that lose one answer in ten.
pub(crate) async fn two_shops(seed: u64) -> TwoShops {
    open(true, |shops| {
        for shop in shops {
            shop.lose_one_in_ten(seed);
        }
    })
    .await
}

/// Two shops that show the supplier's stock; `stock` fills their shelves before the daemon starts.
pub(crate) async fn two_shops_with_stock(stock: impl FnOnce(&[Shop; 2])) -> TwoShops {
    open(false, stock).await
}

async fn open(orders_alone: bool, prepare: impl FnOnce(&[Shop; 2])) -> TwoShops {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = FakeShop::new(Arc::new(SystemClock));
    shop.set_budget(100_000.0, 50_000.0);
    let store = FakeStore::new(Arc::new(SystemClock));
    let address = || "127.0.0.1:0".parse().expect("an address");
    let served = [
        serve(shop.clone(), address()).await.expect("a server"),
        serve(store.clone(), address()).await.expect("a server"),
    ];
    let shops = [Shop::Shopify(shop), Shop::BigCommerce(store)];
    prepare(&shops);
    let inventory = if orders_alone { "" } else { STOCK };
    configure(folder.path(), &served[0].base_url(), &served[1].base_url(), inventory);
    let daemon = Arc::new(Daemon::start(folder.path()));
    TwoShops { shops, daemon, _served: served, folder }
}

const STOCK: &str = "[merchant.schedule]
inventory = \"*/2 * * * * *\"
[merchant.inventory]
sync = true
max = 1000
";

fn configure(folder: &Path, shopify: &str, bigcommerce: &str, inventory: &str) {
    let location = shopify::fake::LOCATION;
    let text = format!(
        r#"{DAEMON}[[merchant]]
id = "bluefin"
since = "2020-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.orders]
settle_secs = 0
{inventory}
[[merchant.channel]]
id = "shop"
connector = "shopify"
location = "{location}"
shop = "bluefin.myshopify.com"
access_token = {{ env = "SHOP_TOKEN" }}
base_url = "{shopify}"
[[merchant]]
id = "pinecrest"
since = "2020-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.orders]
settle_secs = 0
{inventory}
[[merchant.channel]]
id = "shop"
connector = "bigcommerce"
store_hash = "a1b2c3d4e5"
access_token = {{ env = "STORE_TOKEN" }}
base_url = "{bigcommerce}"
"#
    );
    std::fs::write(folder.join("portald.toml"), text).expect("written");
}
