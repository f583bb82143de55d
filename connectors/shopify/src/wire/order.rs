//! An order and what hangs on it.

use serde::{Deserialize, de::IgnoredAny};

use super::{Connection, Text};

/// `orders` of a page; `N` is [`Order`], or raw text where one of them cannot be read.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrdersData<N> {
    pub(crate) orders: Option<Connection<N>>,
    /// On the first page of a pull.
    #[serde(default)]
    pub(crate) fulfillment_orders: Option<Connection<Changed>>,
}

/// The orders whose fulfillment orders changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangesData {
    pub(crate) fulfillment_orders: Option<Connection<Changed>>,
}

/// A changed fulfillment order, by its order.
#[derive(Debug, Deserialize)]
pub(crate) struct Changed {
    pub(crate) order: ChangedOrder,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedOrder {
    pub(crate) id: String,
    pub(crate) updated_at: String,
}

/// `order`, in whatever parts were asked for.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
pub(crate) struct OrderData<N> {
    pub(crate) order: Option<N>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) created_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) updated_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) cancelled_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) cancel_reason: Option<Text<'a>>,
    pub(crate) edited: bool,
    pub(crate) test: bool,
    #[serde(borrow)]
    pub(crate) note: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) email: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) display_financial_status: Option<Text<'a>>,
    /// `None` where the shop does not tell it.
    #[serde(borrow, default)]
    pub(crate) risk: Option<Risk<'a>>,
    /// `None` where the shop does not tell them.
    #[serde(borrow, default)]
    pub(crate) disputes: Option<Vec<Dispute<'a>>>,
    #[serde(borrow)]
    pub(crate) shipping_address: Option<Address<'a>>,
    #[serde(borrow)]
    pub(crate) billing_address: Option<Address<'a>>,
    #[serde(borrow)]
    pub(crate) shipping_line: Option<ShippingLine<'a>>,
    #[serde(borrow)]
    pub(crate) line_items: Connection<LineItem<'a>>,
    #[serde(borrow)]
    pub(crate) fulfillment_orders: Connection<FulfillmentOrder<'a>>,
    #[serde(borrow)]
    pub(crate) fulfillments: Vec<Fulfillment<'a>>,
}

/// As little of an order as names it, for one that cannot be read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderStamp<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) updated_at: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Address<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) first_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) last_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) company: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) address1: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) address2: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) city: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) province: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) province_code: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) zip: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) country_code_v2: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) country: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) phone: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Risk<'a> {
    #[serde(borrow)]
    pub(crate) recommendation: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dispute<'a> {
    #[serde(borrow)]
    pub(crate) initiated_as: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ShippingLine<'a> {
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Id<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineItem<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) sku: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) title: Text<'a>,
    pub(crate) quantity: i64,
    pub(crate) current_quantity: i64,
    pub(crate) requires_shipping: bool,
    pub(crate) is_gift_card: bool,
    #[serde(borrow)]
    pub(crate) product: Option<Id<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrder<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) request_status: Text<'a>,
    #[serde(borrow)]
    pub(crate) created_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) fulfill_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) fulfillment_holds: Vec<Hold<'a>>,
    #[serde(borrow)]
    pub(crate) assigned_location: Option<AssignedLocation<'a>>,
    #[serde(borrow)]
    pub(crate) delivery_method: Option<DeliveryMethod<'a>>,
    /// The newest of them.
    #[serde(borrow)]
    pub(crate) merchant_requests: MerchantRequests<'a>,
    #[serde(borrow)]
    pub(crate) line_items: Connection<FulfillmentOrderLine<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MerchantRequests<'a> {
    #[serde(borrow)]
    pub(crate) nodes: Vec<MerchantRequest<'a>>,
}

/// What a merchant asks of the fulfillment service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MerchantRequest<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) sent_at: Text<'a>,
    /// Anything but null: the service has answered. (Null says nothing: answered requests were recorded with it.)
    pub(crate) response_data: Option<IgnoredAny>,
}

/// A fulfillment order as far as answering a request needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestsData<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment_order: Option<Requests<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Requests<'a> {
    #[serde(borrow)]
    pub(crate) order_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) request_status: Text<'a>,
    #[serde(borrow)]
    pub(crate) merchant_requests: MerchantRequests<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hold<'a> {
    #[serde(borrow)]
    pub(crate) display_reason: Text<'a>,
    #[serde(borrow)]
    pub(crate) reason_notes: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AssignedLocation<'a> {
    #[serde(borrow)]
    pub(crate) location: Option<Id<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryMethod<'a> {
    #[serde(borrow)]
    pub(crate) method_type: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrderLine<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    pub(crate) remaining_quantity: i64,
    #[serde(borrow)]
    pub(crate) line_item: Id<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fulfillment<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) created_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) tracking_info: Vec<Tracking<'a>>,
    #[serde(borrow, default)]
    pub(crate) fulfillment_line_items: Option<Connection<FulfillmentLine<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Tracking<'a> {
    #[serde(borrow)]
    pub(crate) company: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) number: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) url: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentLine<'a> {
    pub(crate) quantity: Option<i64>,
    #[serde(borrow)]
    pub(crate) line_item: Id<'a>,
}

/// Further lines of an order, read for themselves.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoreLines<'a> {
    #[serde(borrow)]
    pub(crate) updated_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) line_items: Connection<LineItem<'a>>,
}

/// Further fulfillment orders of an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoreFulfillmentOrders<'a> {
    #[serde(borrow)]
    pub(crate) updated_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) fulfillment_orders: Connection<FulfillmentOrder<'a>>,
}

/// All fulfillments of an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoreFulfillments<'a> {
    #[serde(borrow)]
    pub(crate) updated_at: Text<'a>,
    #[serde(borrow)]
    pub(crate) fulfillments: Vec<Fulfillment<'a>>,
}

/// Further lines of a fulfillment order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrderLinesData<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment_order: Option<FulfillmentOrderLines<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrderLines<'a> {
    #[serde(borrow)]
    pub(crate) line_items: Connection<FulfillmentOrderLine<'a>>,
}

/// Further lines of a fulfillment.
#[derive(Debug, Deserialize)]
pub(crate) struct FulfillmentLinesData<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment: Option<FulfillmentLines<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentLines<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment_line_items: Connection<FulfillmentLine<'a>>,
}
