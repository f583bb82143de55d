//! Variants, and their stock at one location.

use serde::{Deserialize, Serialize};

use super::{Connection, Text};

/// A page of the catalogue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VariantsData<'a> {
    #[serde(borrow)]
    pub(crate) product_variants: Option<Connection<Variant<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variant<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) sku: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
    #[serde(borrow)]
    pub(crate) updated_at: Text<'a>,
    pub(crate) requires_components: bool,
    #[serde(borrow)]
    pub(crate) product: Product<'a>,
    #[serde(borrow)]
    pub(crate) inventory_item: Item<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Product<'a> {
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
}

/// An inventory item, with its stock at the location that was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    pub(crate) tracked: bool,
    /// `None`: never stocked there, or no location was asked for.
    #[serde(borrow, default)]
    pub(crate) inventory_level: Option<Level<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Level<'a> {
    /// Stocking can be turned off at a location: the figures stay, and count for nothing.
    pub(crate) is_active: bool,
    #[serde(borrow, default)]
    pub(crate) quantities: Vec<Quantity<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Quantity<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    pub(crate) quantity: i64,
}

/// Items by their ids, in the order of the question; null where there is none.
#[derive(Debug, Deserialize)]
pub(crate) struct StockData<'a> {
    #[serde(borrow)]
    pub(crate) nodes: Option<Vec<Option<Item<'a>>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetQuantitiesInput<'a> {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) reference_document_uri: &'a str,
    pub(crate) quantities: &'a [QuantityInput],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuantityInput {
    pub(crate) inventory_item_id: String,
    pub(crate) location_id: String,
    pub(crate) quantity: u32,
    /// Must be there, if only as null: recorded, `INVALID_FIELD_ARGUMENTS` without it.
    pub(crate) change_from_quantity: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetQuantitiesData {
    pub(crate) inventory_set_quantities: Option<SetQuantitiesPayload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetQuantitiesPayload {
    pub(crate) user_errors: Vec<QuantityError>,
}

/// A refusal that has a code.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct QuantityError {
    pub(crate) field: Option<Vec<String>>,
    pub(crate) message: String,
    pub(crate) code: Option<String>,
}
