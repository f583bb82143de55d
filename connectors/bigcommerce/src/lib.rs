#![doc = include_str!("../README.md")]

mod cancellations;
mod channel;
mod check;
mod config;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod fulfillments;
mod inventory;
mod items;
mod known;
mod lists;
mod orders;
mod picture;
mod products;
mod rest;
mod statuses;
mod whole;
mod wire;

use sdk::{Capabilities, Configured, Connector, settings::Section};

/// What a BigCommerce store can tell and take. A shipment can be deleted there, but the order stays "Shipped": that
/// is no taking back.
pub const CAPABILITIES: Capabilities = Capabilities {
    sees_cancellations: true,
    sees_partial_cancellations: true,
    answers_cancellations: false,
    sees_holds: true,
    sees_edits: true,
    order_by_id: true,
    partial_fulfillments: true,
    tracking_updates: true,
    voids: false,
    void_notices: false,
    split_mirror: false,
    stock_writes: true,
    stock_batch: inventory::BATCH,
    compare_and_set_stock: false,
    finds_fulfillments: true,
    test_orders: false,
};

/// Stores on BigCommerce, through the REST Management API.
#[derive(Clone, Copy, Debug)]
pub struct BigCommerce;

impl Connector for BigCommerce {
    fn name(&self) -> &'static str {
        "bigcommerce"
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>> {
        config::read(section).map(|settings| Box::new(settings) as Box<dyn Configured>)
    }
}
