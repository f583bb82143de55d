//! An import on its way into the figures: staged in parts, accepted as a whole, then applied part by part.
//!
//! A part's rows are applied in the commit that takes the part away. So an import that was accepted is applied to its
//! end exactly once, also over a crash, and one that was not accepted leaves no trace in any figure.

use sdk::{Timestamp, skip_false};
use serde::{Deserialize, Serialize};

/// Rows of one part, and so of one durable commit: many, since the disk's answer costs as much as a thousand rows; not more,
/// since other commits wait for its end.
pub const PART_ROWS: usize = 2_000;

/// An import that is staged, or accepted and not yet wholly applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// Its id: when it began, and a number.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Quantities are added, not set.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub delta: bool,
    /// All of it was read and is well: it is applied.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub accepted: bool,
    /// Parts staged.
    pub parts: u32,
}

/// One row, as short as it can be stored: SKU, warehouse, quantity, and the figure's [`super::Level::flow`] when it was
/// staged: what parcels move from then on comes on top of an absolute quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow(pub String, pub String, pub i64, #[serde(default)] pub i64);
