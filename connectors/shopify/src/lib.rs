#![doc = include_str!("../README.md")]

mod admin;
mod auth;
mod cancellations;
mod changes;
mod channel;
mod check;
mod config;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod fulfillments;
mod inventory;
mod orders;
mod page_size;
mod picture;
mod products;
mod requests;
mod splits;
mod whole;
mod wire;

use sdk::{Capabilities, Configured, Connector, settings::Section};

pub use wire::documents;

/// What a Shopify shop can tell and take. The split mirror is an option of the channel, off by default.
pub const CAPABILITIES: Capabilities = Capabilities {
    sees_cancellations: true,
    sees_partial_cancellations: true,
    answers_cancellations: true,
    sees_holds: true,
    sees_edits: true,
    order_by_id: true,
    partial_fulfillments: true,
    tracking_updates: true,
    voids: true,
    void_notices: false,
    split_mirror: false,
    stock_writes: true,
    stock_batch: inventory::MOST_ITEMS,
    compare_and_set_stock: true,
    finds_fulfillments: true,
    test_orders: true,
};

/// Shops on Shopify, through the Admin GraphQL API.
#[derive(Clone, Copy, Debug)]
pub struct Shopify;

impl Connector for Shopify {
    fn name(&self) -> &'static str {
        "shopify"
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>> {
        config::read(section).map(|settings| Box::new(settings) as Box<dyn Configured>)
    }
}
