//! A shipment, as it is shown and as it is written.

use serde::{Deserialize, Serialize};

use super::{Text, Units};

/// `orderShipment`.
#[derive(Debug, Deserialize)]
pub(crate) struct Shipment<'a> {
    pub(crate) id: u64,
    #[serde(borrow, default)]
    pub(crate) date_created: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) tracking_number: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) tracking_carrier: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) tracking_link: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) generated_tracking_link: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) shipping_provider: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) shipping_method: Option<Text<'a>>,
    pub(crate) items: Vec<ShipmentItem>,
}

/// Units of one line in a shipment.
#[derive(Debug, Deserialize)]
pub(crate) struct ShipmentItem {
    pub(crate) order_product_id: u64,
    pub(crate) quantity: Units,
}

/// `orderShipment_Post`.
#[derive(Debug, Serialize)]
pub(crate) struct NewShipment {
    pub(crate) order_address_id: u64,
    pub(crate) items: Vec<NewItem>,
    #[serde(flatten)]
    pub(crate) tracking: Tracking,
}

/// Units of one line in a new shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NewItem {
    pub(crate) order_product_id: u64,
    pub(crate) quantity: u32,
}

/// What `orderShipment_Post` and `orderShipment_Put` say of the parcel's way. All but the comments is always said, so
/// that a correction leaves nothing of what stood there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tracking {
    pub(crate) tracking_number: String,
    pub(crate) shipping_provider: &'static str,
    pub(crate) tracking_carrier: &'static str,
    pub(crate) tracking_link: String,
    pub(crate) shipping_method: String,
    /// `None` leaves the comments as they are: the merchant may have written some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comments: Option<String>,
}
