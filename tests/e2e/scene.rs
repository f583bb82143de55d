//! A shop on a socket, and a daemon that is configured for it.

use std::{path::Path, sync::Arc};

use portald::clock::SystemClock;
use sdk::testkit::{Served, serve};
use shopify::fake::FakeShop;

use crate::daemon::Daemon;

/// Lives as long as the test; the shop goes with it.
pub(crate) struct Scene {
    pub(crate) shop: Arc<FakeShop>,
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) base_url: String,
    _served: Served,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) async fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = FakeShop::new(Arc::new(SystemClock));
    shop.set_budget(100_000.0, 50_000.0);
    let served = serve(shop.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("a server");
    let base_url = served.base_url();
    configure(folder.path(), &base_url);
    let daemon = Arc::new(Daemon::start(folder.path()));
    Scene { shop, daemon, base_url, _served: served, folder }
}

/// The supplier's side of a configuration: everything at once, and whatever fails soon again.
pub(crate) const DAEMON: &str = r#"[supplier]
name = "Acme"
[store]
path = "."
[api]
socket = "portald.sock"
[log]
level = "debug"
format = "json"
[schedule]
orders = "* * * * * *"
deliver = "* * * * * *"
[delivery]
read_back_secs = 1
retry_cap_secs = 2
"#;

pub(crate) fn configure(folder: &Path, base_url: &str) {
    let text = format!(
        r#"{DAEMON}[[merchant]]
id = "bluefin"
since = "2020-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.dropship.map]
"KIT" = [{{ sku = "ACME-10", quantity = 2 }}, {{ sku = "ACME-20" }}]
[merchant.orders]
settle_secs = 0
fields = ["email", "customer_note"]
[[merchant.channel]]
id = "shop"
connector = "shopify"
shop = "bluefin.myshopify.com"
access_token = {{ env = "SHOP_TOKEN" }}
base_url = "{base_url}"
page_size = 20
"#
    );
    std::fs::write(folder.join("portald.toml"), text).expect("written");
}
