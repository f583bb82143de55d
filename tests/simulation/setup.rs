//! The configuration that a world runs on: real files, written anew for each reload.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use portald::config::{self, Config, Environment};
use portald::registry::CONNECTORS;

use crate::{
    chance::Dice,
    shops::{Remote, Shop},
};

/// What the files say, as the supplier's people change it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) zone: &'static str,
    pub(crate) orders: String,
    pub(crate) deliver: String,
    pub(crate) sweep: String,
    pub(crate) inventory: String,
    pub(crate) products: String,
    pub(crate) overlap_secs: u32,
    pub(crate) retry_cap_secs: u32,
    pub(crate) settle_secs: u32,
    pub(crate) rules: BTreeMap<String, Rules>,
}

/// What one merchant's file says.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) absent: bool,
    pub(crate) sync: bool,
    pub(crate) reserve: u32,
    pub(crate) share_percent: u32,
    pub(crate) max: u32,
    pub(crate) page_size: u32,
    pub(crate) at_once: bool,
    pub(crate) since: String,
}

impl Setup {
    pub(crate) fn new(shops: &[std::sync::Arc<Shop>], since: &str, dst: bool, dice: &mut Dice) -> Self {
        let rules = shops.iter().map(|shop| {
            let rules = Rules {
                absent: false,
                sync: dice.chance(0.7),
                reserve: dice.below(4) as u32,
                share_percent: [100, 100, 80, 50][dice.below(4)],
                max: [500, 500, 12][dice.below(3)],
                page_size: dice.within(2, 6) as u32,
                at_once: dice.chance(0.8),
                since: since.to_owned(),
            };
            (shop.merchant.clone(), rules)
        });
        let rules: BTreeMap<String, Rules> = rules.collect();
        let minutes = [2, 3, 5, 10][dice.below(4)];
        Self {
            zone: "America/Chicago",
            orders: format!("0 */{minutes} * * * *"),
            deliver: "*/30 * * * * *".to_owned(),
            // In the night when clocks change, at an hour that comes twice or not at all.
            sweep: if dst { "0 30 1,2 * * *" } else { "0 7 */2 * * *" }.to_owned(),
            inventory: "0 */15 * * * *".to_owned(),
            products: "0 40 * * * *".to_owned(),
            overlap_secs: 300,
            retry_cap_secs: [300, 900, 3600][dice.below(3)],
            settle_secs: [0, 0, 120][dice.below(3)],
            rules,
        }
    }

    fn text(&self, shops: &[std::sync::Arc<Shop>]) -> String {
        let mut text = format!(
            r#"[supplier]
name = "Acme Supply"
timezone = "{}"
warehouses = ["main"]
[store]
path = "data"
[schedule]
orders = "{}"
deliver = "{}"
inventory = "{}"
products = "{}"
sweep = "{}"
[pull]
overlap_secs = {}
[delivery]
retry_cap_secs = {}
"#,
            self.zone,
            self.orders,
            self.deliver,
            self.inventory,
            self.products,
            self.sweep,
            self.overlap_secs,
            self.retry_cap_secs
        );
        for shop in shops {
            let Some(rules) = self.rules.get(&shop.merchant).filter(|rules| !rules.absent) else { continue };
            let merchant = &shop.merchant;
            let (sync, reserve, share, max) = (rules.sync, rules.reserve, rules.share_percent, rules.max);
            let cancellations = if rules.at_once { "auto" } else { "request" };
            let _ = write!(
                text,
                r#"
[[merchant]]
id = "{merchant}"
since = "{}"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.dropship.map]
"ALIAS-3" = "ACME-3"
"KIT-A" = [{{ sku = "ACME-1", quantity = 2 }}, {{ sku = "ACME-2", quantity = 1 }}]
[merchant.orders]
settle_secs = {}
fields = ["customer_note", "email"]
cancellations = "{cancellations}"
[merchant.inventory]
sync = {sync}
reserve = {reserve}
share_percent = {share}
max = {max}
breaker_percent = 100
[[merchant.channel]]
id = "shop"
"#,
                rules.since, self.settle_secs
            );
            let token = format!("access_token = {{ env = \"{}\" }}", variable(merchant));
            let page = rules.page_size;
            let _ = match &shop.remote {
                Remote::Shopify(_) => write!(
                    text,
                    "connector = \"shopify\"\nshop = \"{merchant}.myshopify.com\"\n{token}\nlocation = \"{}\"\n\
                     base_url = \"https://{}\"\npage_size = {page}\n",
                    shopify::fake::LOCATION,
                    shop.host()
                ),
                Remote::BigCommerce(_) => write!(
                    text,
                    "connector = \"bigcommerce\"\nstore_hash = \"{}\"\n{token}\nbase_url = \"https://{}\"\n\
                     page_size = {page}\n",
                    bigcommerce::fake::STORE,
                    shop.host()
                ),
                Remote::Folder(_) => write!(
                    text,
                    "connector = \"folder\"\npath = \"{}\"\nquiet_secs = 0\n",
                    shop.folder().display()
                ),
            };
        }
        text
    }

    /// Writes the files.
    pub(crate) fn write(&self, folder: &Path, shops: &[std::sync::Arc<Shop>]) {
        std::fs::write(folder.join("portald.toml"), self.text(shops)).expect("a disk of the machine's own");
    }
}

/// The environment variable that a merchant's token stands in.
fn variable(merchant: &str) -> String {
    format!("{}_TOKEN", merchant.to_uppercase())
}

/// Reads the files as the daemon does.
pub(crate) fn load(folder: &Path, shops: &[std::sync::Arc<Shop>]) -> Result<Config, String> {
    let tokens = shops.iter().map(|shop| {
        let token = shop.token.lock().expect("nobody panics with it").clone();
        (variable(&shop.merchant), token)
    });
    config::load(&folder.join("portald.toml"), &Environment::of(tokens), CONNECTORS)
        .map_err(|problems| problems.to_string())
}
