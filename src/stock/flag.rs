//! What an operator set of a product at run time, beside the merchant's file.

use sdk::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{plan::routing::Flag, record::Part};

/// The flag of exactly one SKU on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFlag {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The merchant's SKU.
    pub sku: String,
    /// Whether it is ours.
    pub flag: Flagged,
    /// When it was set.
    pub at: Timestamp,
}

/// Whether a product is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flagged {
    /// It is not, whatever the file says.
    Off,
    /// It is; with a recipe of its own, or with the file's.
    On(Option<Vec<Part>>),
}

impl From<&Flagged> for Flag {
    fn from(flag: &Flagged) -> Self {
        match flag {
            Flagged::Off => Self::Off,
            Flagged::On(recipe) => Self::On(recipe.clone()),
        }
    }
}
