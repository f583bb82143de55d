//! An order, its products and its addresses.

use serde::Deserialize;

use super::{Text, Units};

/// `order_Resp`: the order without its sub-resources.
#[derive(Debug, Deserialize)]
pub(crate) struct Order<'a> {
    pub(crate) id: u64,
    #[serde(borrow)]
    pub(crate) date_created: Text<'a>,
    #[serde(borrow)]
    pub(crate) date_modified: Text<'a>,
    pub(crate) status_id: i64,
    /// The status in words; the id is what counts.
    #[serde(borrow, default)]
    pub(crate) status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) payment_status: Option<Text<'a>>,
    #[serde(default)]
    pub(crate) is_deleted: Option<bool>,
    #[serde(borrow, default)]
    pub(crate) customer_message: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) billing_address: Option<Address<'a>>,
}

/// `orderProducts`: a line.
#[derive(Debug, Deserialize)]
pub(crate) struct Product<'a> {
    pub(crate) id: u64,
    /// 0 for a custom product.
    #[serde(default)]
    pub(crate) product_id: Option<u64>,
    /// Above 0 where the customer fetches it.
    #[serde(default)]
    pub(crate) order_pickup_method_id: Option<u64>,
    pub(crate) order_address_id: Option<u64>,
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) sku: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    pub(crate) quantity: Units,
    pub(crate) quantity_refunded: Units,
    pub(crate) quantity_shipped: Units,
}

/// `billingAddress_Resp` and `orderShippingAddress`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Address<'a> {
    /// Of a shipping address alone.
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(borrow, default)]
    pub(crate) first_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) last_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) company: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) street_1: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) street_2: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) city: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) state: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) zip: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) country: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) country_iso2: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) phone: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) email: Option<Text<'a>>,
    /// Of a shipping address alone: what the customer chose.
    #[serde(borrow, default)]
    pub(crate) shipping_method: Option<Text<'a>>,
}
