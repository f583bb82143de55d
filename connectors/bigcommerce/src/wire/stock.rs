//! The catalogue and stock: `products_catalog.v3.yml`, `product-variants_catalog.v3.yml`, `inventory.v3.yml`.

use serde::{Deserialize, Serialize};

/// A list of V3.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) meta: Option<Meta>,
}

/// `metaCollection_Full`, `Meta`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Meta {
    #[serde(default)]
    pub(crate) pagination: Option<Pagination>,
}

/// As much of `pagination_Full` as is needed: how many there are on all pages.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Pagination {
    #[serde(default)]
    pub(crate) total: Option<u64>,
}

/// `product_Full`, as much as is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct CatalogProduct {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// `none`, `product` or `variant`.
    #[serde(default)]
    pub(crate) inventory_tracking: Option<String>,
}

/// A variant of `GET /catalog/variants`, as much as is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct CatalogVariant {
    pub(crate) id: u64,
    pub(crate) product_id: u64,
    #[serde(default)]
    pub(crate) sku: Option<String>,
    /// Empty for a product's base variant.
    #[serde(default)]
    pub(crate) option_values: Option<Vec<OptionValue>>,
}

/// What sets a variant apart from its siblings.
#[derive(Debug, Deserialize)]
pub(crate) struct OptionValue {
    #[serde(default)]
    pub(crate) label: Option<String>,
}

/// `ItemResponse`: one item's stock, by location.
#[derive(Debug, Deserialize)]
pub(crate) struct InventoryItem {
    pub(crate) identity: Identity,
    #[serde(default)]
    pub(crate) locations: Vec<Shelf>,
}

/// What an item is called.
#[derive(Debug, Deserialize)]
pub(crate) struct Identity {
    #[serde(default)]
    pub(crate) variant_id: Option<u64>,
    #[serde(default)]
    pub(crate) product_id: Option<u64>,
}

/// An item's stock at one location.
#[derive(Debug, Deserialize)]
pub(crate) struct Shelf {
    pub(crate) location_id: u64,
    /// "Total inventory on hand": what an absolute adjustment sets. `available_to_sell` is this without the merchant's
    /// safety stock.
    #[serde(default)]
    pub(crate) total_inventory_onhand: Option<i64>,
}

/// `AdjustmentsAbsoluteRequest`.
#[derive(Debug, Serialize)]
pub(crate) struct Adjustments {
    pub(crate) reason: &'static str,
    pub(crate) items: Vec<Adjustment>,
}

/// One item's new figure. Exactly one of the ids is there.
#[derive(Debug, Serialize)]
pub(crate) struct Adjustment {
    pub(crate) location_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variant_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) product_id: Option<u64>,
    pub(crate) quantity: u32,
}

/// `SimpleTransactionResponse`.
#[derive(Debug, Deserialize)]
pub(crate) struct Transaction {
    #[serde(rename = "transaction_id")]
    pub(crate) _id: String,
}
