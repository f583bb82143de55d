//! What mutations take and answer, and the answers of `check`.

use serde::{Deserialize, Serialize};

use super::Fulfillment;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentInput {
    pub(crate) line_items_by_fulfillment_order: Vec<FulfillmentOrderLinesInput>,
    pub(crate) notify_customer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tracking_info: Option<TrackingInput>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrderLinesInput {
    pub(crate) fulfillment_order_id: String,
    pub(crate) fulfillment_order_line_items: Vec<FulfillmentOrderLineInput>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FulfillmentOrderLineInput {
    pub(crate) id: String,
    pub(crate) quantity: u32,
}

/// `number` and `url`, or `numbers` and `urls`: never both
/// (<https://shopify.dev/docs/api/admin-graphql/2026-10/input-objects/FulfillmentTrackingInput>).
#[derive(Debug, Default, Serialize)]
pub(crate) struct TrackingInput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) numbers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateData<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment_create: Option<FulfillmentPayload<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentPayload<'a> {
    #[serde(borrow)]
    pub(crate) fulfillment: Option<Fulfillment<'a>>,
    pub(crate) user_errors: Vec<UserError>,
}

/// A refusal in words; Shopify gives most of them no code.
#[derive(Debug, Deserialize)]
pub(crate) struct UserError {
    pub(crate) field: Option<Vec<String>>,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackingUpdateData {
    pub(crate) fulfillment_tracking_info_update: Option<ChangedFulfillment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelData {
    pub(crate) fulfillment_cancel: Option<ChangedFulfillment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedFulfillment {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SplitData {
    pub(crate) fulfillment_order_split: Option<SplitPayload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SplitPayload {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AcceptCancellationData {
    pub(crate) fulfillment_order_accept_cancellation_request: Option<Answered>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RejectCancellationData {
    pub(crate) fulfillment_order_reject_cancellation_request: Option<Answered>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckData {
    pub(crate) shop: Option<Shop>,
    pub(crate) current_app_installation: Option<Installation>,
    #[serde(default)]
    pub(crate) public_api_versions: Option<Vec<ApiVersion>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shop {
    pub(crate) name: String,
    pub(crate) myshopify_domain: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Installation {
    pub(crate) access_scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Scope {
    pub(crate) handle: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ApiVersion {
    pub(crate) handle: String,
    pub(crate) supported: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LocationData {
    pub(crate) location: Option<Location>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Location {
    pub(crate) name: String,
    pub(crate) is_active: bool,
}
