//! Products and stock, as they go between a channel and portald.
//!
//! A *variant* is what a shop sells under one SKU. Its stock is read and written at the one location that the
//! channel's settings name; a connector never reads or writes another.

use serde::{Deserialize, Serialize};

use crate::{RemoteId, Timestamp};

/// One variant of a product, as the channel's catalogue shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The channel's stable id of the variant: what order lines and flags mean.
    pub id: RemoteId,
    /// What stock calls name (Shopify: the inventory item; elsewhere often the variant itself).
    pub item: RemoteId,
    /// The merchant's SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Product and variant, for people.
    #[serde(default)]
    pub title: String,
    /// Whether its stock can be written at the channel's location, and if not, why.
    #[serde(default)]
    pub writable: Writable,
    /// Last change by the channel's clock, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Whether a variant's stock can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writable {
    /// It can.
    #[default]
    Yes,
    /// It cannot: a bundle's parent, tracking turned off, tracked at another level, not stocked at the location. In
    /// words for a person.
    No(String),
}

/// One page of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariantPage {
    /// Variants, in the channel's order.
    pub variants: Vec<Variant>,
    /// The connector's own mark of the next page; `None`: the end was reached.
    pub next: Option<String>,
}

/// What the channel shows as available of one item at the channel's location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLevel {
    /// [`Variant::item`].
    pub item: RemoteId,
    /// Units; below zero where the shop oversold. `None`: the channel has no figure of it.
    pub available: Option<i64>,
}

/// One item's new figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockChange {
    /// [`Variant::item`].
    pub item: RemoteId,
    /// The variant's id, for channels whose stock calls want it too.
    pub variant: RemoteId,
    /// The merchant's SKU, for channels that name stock by it and for people.
    pub sku: Option<String>,
    /// What the channel last showed: compared there, where it can. `None`: not compared.
    pub from: Option<i64>,
    /// Units from now on.
    pub to: u32,
}

/// One batch of stock, at most [`crate::Capabilities::stock_batch`] items. Setting, never adding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockWrite {
    /// The same at every attempt of this batch, never used for another.
    pub key: String,
    /// The changes; no item twice.
    pub changes: Vec<StockChange>,
}

/// What became of one item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockOutcome {
    /// The channel has it.
    Set,
    /// The channel took it and applies it later: read it back before it is believed.
    Accepted,
    /// The channel shows another figure than `from` now: nothing was set. Read, decide anew.
    Stale,
    /// The channel refuses this item, and will as long as nothing else changes; why, for a person.
    Refused(String),
}
