//! Every GraphQL document that is sent, in one place: a test validates them all against the schema.
//!
//! The shapes follow <https://shopify.dev/docs/api/admin-graphql/2026-10>. Sizes of lists inside an order are
//! variables, since the price of a query grows with them.

/// One document: the operation and the fragments that it spreads.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// The operation's name: what logs, errors and the model of the remote know it by.
    pub name: &'static str,
    /// The operation.
    operation: &'static str,
    /// The fragments, each once.
    fragments: &'static [&'static str],
}

impl Document {
    /// The text that is sent.
    pub fn text(&self) -> String {
        let mut text = self.operation.to_owned();
        for fragment in self.fragments {
            text.push('\n');
            text.push_str(fragment);
        }
        text
    }
}

const LINE: &str = "fragment PortaldLine on LineItem {
  id sku title quantity currentQuantity requiresShipping isGiftCard product { id }
}";
const FULFILLMENT_ORDER_LINE: &str = "fragment PortaldFulfillmentOrderLine on FulfillmentOrderLineItem {
  id remainingQuantity lineItem { id }
}";
const FULFILLMENT_ORDER: &str = "fragment PortaldFulfillmentOrder on FulfillmentOrder {
  id status requestStatus createdAt fulfillAt fulfillmentHolds { displayReason reasonNotes }
  assignedLocation { location { id } } deliveryMethod { methodType }
  merchantRequests(last: 2) { nodes { ...PortaldMerchantRequest } }
}";
const MERCHANT_REQUEST: &str = "fragment PortaldMerchantRequest on FulfillmentOrderMerchantRequest {
  id kind message sentAt responseData
}";
const FULFILLMENT: &str = "fragment PortaldFulfillment on Fulfillment {
  id status createdAt trackingInfo(first: 25) { company number url }
}";
const FULFILLMENT_LINE: &str =
    "fragment PortaldFulfillmentLine on FulfillmentLineItem { quantity lineItem { id } }";
const ADDRESS: &str = "fragment PortaldAddress on MailingAddress {
  name firstName lastName company address1 address2 city province provinceCode zip countryCodeV2 country phone
}";
const MORE: &str = "fragment PortaldMore on PageInfo { hasNextPage endCursor }";
const WHOLE_ORDER: &str = "fragment PortaldWholeOrder on Order {
  id name createdAt updatedAt cancelledAt cancelReason edited test note email displayFinancialStatus
  risk { recommendation } disputes { initiatedAs status }
  shippingAddress { ...PortaldAddress } billingAddress { ...PortaldAddress } shippingLine { title }
  lineItems(first: $lines) { nodes { ...PortaldLine } pageInfo { ...PortaldMore } }
  fulfillmentOrders(first: $fulfillmentOrders) {
    nodes {
      ...PortaldFulfillmentOrder
      lineItems(first: $fulfillmentOrderLines) {
        nodes { ...PortaldFulfillmentOrderLine } pageInfo { ...PortaldMore }
      }
    }
    pageInfo { ...PortaldMore }
  }
  fulfillments(first: $fulfillments) {
    ...PortaldFulfillment
    fulfillmentLineItems(first: $fulfillmentLines) {
      nodes { ...PortaldFulfillmentLine } pageInfo { ...PortaldMore }
    }
  }
}";
const WHOLE_ORDER_FRAGMENTS: &[&str] = &[
    WHOLE_ORDER,
    ADDRESS,
    LINE,
    FULFILLMENT_ORDER,
    MERCHANT_REQUEST,
    FULFILLMENT_ORDER_LINE,
    FULFILLMENT,
    FULFILLMENT_LINE,
    MORE,
];

/// A page of orders by their last change; on the first page with whose fulfillment orders changed.
pub const ORDERS: Document = Document {
    name: "PortaldOrders",
    operation: "query PortaldOrders($query: String, $first: Int!, $after: String, $changes: Boolean!, $lines: Int!,
  $fulfillmentOrders: Int!, $fulfillmentOrderLines: Int!, $fulfillments: Int!, $fulfillmentLines: Int!) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { ...PortaldWholeOrder } pageInfo { ...PortaldMore }
  }
  fulfillmentOrders(first: 50, query: $query, includeClosed: true, sortKey: UPDATED_AT) @include(if: $changes) {
    nodes { order { id updatedAt } } pageInfo { ...PortaldMore }
  }
}",
    fragments: WHOLE_ORDER_FRAGMENTS,
};

/// Whose fulfillment orders changed besides those of the first page.
pub const CHANGES: Document = Document {
    name: "PortaldChanges",
    operation: "query PortaldChanges($query: String, $after: String) {
  fulfillmentOrders(first: 200, after: $after, query: $query, includeClosed: true, sortKey: UPDATED_AT) {
    nodes { order { id updatedAt } } pageInfo { ...PortaldMore }
  }
}",
    fragments: &[MORE],
};

/// One order by its id.
pub const ORDER: Document = Document {
    name: "PortaldOrder",
    operation: "query PortaldOrder($id: ID!, $lines: Int!, $fulfillmentOrders: Int!,
  $fulfillmentOrderLines: Int!, $fulfillments: Int!, $fulfillmentLines: Int!) {
  order(id: $id) { ...PortaldWholeOrder }
}",
    fragments: WHOLE_ORDER_FRAGMENTS,
};

/// Further lines of a long order.
pub const ORDER_LINES: Document = Document {
    name: "PortaldOrderLines",
    operation: "query PortaldOrderLines($id: ID!, $after: String) {
  order(id: $id) {
    updatedAt
    lineItems(first: 100, after: $after) { nodes { ...PortaldLine } pageInfo { ...PortaldMore } }
  }
}",
    fragments: &[LINE, MORE],
};

/// Further fulfillment orders of an order that has many.
pub const FULFILLMENT_ORDERS: Document = Document {
    name: "PortaldFulfillmentOrders",
    operation: "query PortaldFulfillmentOrders($id: ID!, $after: String) {
  order(id: $id) {
    updatedAt
    fulfillmentOrders(first: 10, after: $after) {
      nodes {
        ...PortaldFulfillmentOrder
        lineItems(first: 50) { nodes { ...PortaldFulfillmentOrderLine } pageInfo { ...PortaldMore } }
      }
      pageInfo { ...PortaldMore }
    }
  }
}",
    fragments: &[FULFILLMENT_ORDER, MERCHANT_REQUEST, FULFILLMENT_ORDER_LINE, MORE],
};

/// Further lines of a long fulfillment order.
pub const FULFILLMENT_ORDER_LINES: Document = Document {
    name: "PortaldFulfillmentOrderLines",
    operation: "query PortaldFulfillmentOrderLines($id: ID!, $after: String) {
  fulfillmentOrder(id: $id) {
    lineItems(first: 100, after: $after) { nodes { ...PortaldFulfillmentOrderLine } pageInfo { ...PortaldMore } }
  }
}",
    fragments: &[FULFILLMENT_ORDER_LINE, MORE],
};

/// All fulfillments of an order that has many. (Shopify gives them as a list, without pages.)
pub const FULFILLMENTS: Document = Document {
    name: "PortaldFulfillments",
    operation: "query PortaldFulfillments($id: ID!) {
  order(id: $id) {
    updatedAt
    fulfillments(first: 250) {
      ...PortaldFulfillment
      fulfillmentLineItems(first: 3) { nodes { ...PortaldFulfillmentLine } pageInfo { ...PortaldMore } }
    }
  }
}",
    fragments: &[FULFILLMENT, FULFILLMENT_LINE, MORE],
};

/// Further lines of a long fulfillment.
pub const FULFILLMENT_LINES: Document = Document {
    name: "PortaldFulfillmentLines",
    operation: "query PortaldFulfillmentLines($id: ID!, $after: String) {
  fulfillment(id: $id) {
    fulfillmentLineItems(first: 100, after: $after) {
      nodes { ...PortaldFulfillmentLine } pageInfo { ...PortaldMore }
    }
  }
}",
    fragments: &[FULFILLMENT_LINE, MORE],
};

/// Tells a parcel.
pub const FULFILLMENT_CREATE: Document = Document {
    name: "PortaldFulfillmentCreate",
    operation: "mutation PortaldFulfillmentCreate($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { ...PortaldFulfillment } userErrors { field message }
  }
}",
    fragments: &[FULFILLMENT],
};

/// Corrects the tracking of a told parcel.
pub const TRACKING_UPDATE: Document = Document {
    name: "PortaldTrackingUpdate",
    operation:
        "mutation PortaldTrackingUpdate($fulfillmentId: ID!, $trackingInfoInput: FulfillmentTrackingInput!,
  $notifyCustomer: Boolean) {
  fulfillmentTrackingInfoUpdate(fulfillmentId: $fulfillmentId, trackingInfoInput: $trackingInfoInput,
    notifyCustomer: $notifyCustomer) {
    fulfillment { id } userErrors { field message }
  }
}",
    fragments: &[],
};

/// Takes a told parcel back.
pub const FULFILLMENT_CANCEL: Document = Document {
    name: "PortaldFulfillmentCancel",
    operation: "mutation PortaldFulfillmentCancel($id: ID!) {
  fulfillmentCancel(id: $id) { fulfillment { id } userErrors { field message } }
}",
    fragments: &[],
};

/// Shows a split.
pub const FULFILLMENT_ORDER_SPLIT: Document = Document {
    name: "PortaldFulfillmentOrderSplit",
    operation: "mutation PortaldFulfillmentOrderSplit($splits: [FulfillmentOrderSplitInput!]!) {
  fulfillmentOrderSplit(fulfillmentOrderSplits: $splits) {
    fulfillmentOrderSplits { fulfillmentOrder { id } } userErrors { field message }
  }
}",
    fragments: &[],
};

/// How a fulfillment order's requests stand, before one of them is answered.
pub const REQUESTS: Document = Document {
    name: "PortaldRequests",
    operation: "query PortaldRequests($id: ID!) {
  fulfillmentOrder(id: $id) {
    orderId status requestStatus merchantRequests(last: 10) { nodes { ...PortaldMerchantRequest } }
  }
}",
    fragments: &[MERCHANT_REQUEST],
};

/// Agrees to a cancellation.
pub const ACCEPT_CANCELLATION: Document = Document {
    name: "PortaldAcceptCancellation",
    operation: "mutation PortaldAcceptCancellation($id: ID!, $message: String) {
  fulfillmentOrderAcceptCancellationRequest(id: $id, message: $message) { userErrors { field message } }
}",
    fragments: &[],
};

/// Refuses a cancellation.
pub const REJECT_CANCELLATION: Document = Document {
    name: "PortaldRejectCancellation",
    operation: "mutation PortaldRejectCancellation($id: ID!, $message: String) {
  fulfillmentOrderRejectCancellationRequest(id: $id, message: $message) { userErrors { field message } }
}",
    fragments: &[],
};

const VARIANT: &str = "fragment PortaldVariant on ProductVariant {
  id sku title updatedAt requiresComponents product { title }
}";

/// A page of the catalogue, with whether each is stocked at one location.
pub const VARIANTS: Document = Document {
    name: "PortaldVariants",
    operation: "query PortaldVariants($first: Int!, $after: String, $query: String, $location: ID!) {
  productVariants(first: $first, after: $after, query: $query, sortKey: ID) {
    nodes {
      ...PortaldVariant
      inventoryItem { id tracked inventoryLevel(locationId: $location, includeInactive: true) { isActive } }
    }
    pageInfo { ...PortaldMore }
  }
}",
    fragments: &[VARIANT, MORE],
};

/// The same where no location is named: what is stocked where is not asked.
pub const VARIANTS_ALONE: Document = Document {
    name: "PortaldVariantsAlone",
    operation: "query PortaldVariantsAlone($first: Int!, $after: String, $query: String) {
  productVariants(first: $first, after: $after, query: $query, sortKey: ID) {
    nodes { ...PortaldVariant inventoryItem { id tracked } } pageInfo { ...PortaldMore }
  }
}",
    fragments: &[VARIANT, MORE],
};

/// What is available of some items at one location.
pub const STOCK: Document = Document {
    name: "PortaldStock",
    operation: "query PortaldStock($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id tracked
      inventoryLevel(locationId: $location, includeInactive: true) {
        isActive quantities(names: [\"available\"]) { name quantity }
      }
    }
  }
}",
    fragments: &[],
};

/// Sets what is available. The key's directive stands on the field, and must: the schema does not say so.
pub const SET_STOCK: Document = Document {
    name: "PortaldSetStock",
    operation: "mutation PortaldSetStock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { field message code } }
}",
    fragments: &[],
};

/// The harmless question: whose shop this is and what the token may do.
pub const CHECK: Document = Document {
    name: "PortaldCheck",
    operation: "query PortaldCheck {
  shop { name myshopifyDomain } currentAppInstallation { accessScopes { handle } }
  publicApiVersions { handle supported }
}",
    fragments: &[],
};

/// Whether the configured location is there.
pub const LOCATION: Document = Document {
    name: "PortaldLocation",
    operation: "query PortaldLocation($id: ID!) { location(id: $id) { name isActive } }",
    fragments: &[],
};

/// All of them.
pub const ALL: &[Document] = &[
    ORDERS,
    CHANGES,
    ORDER,
    ORDER_LINES,
    FULFILLMENT_ORDERS,
    FULFILLMENT_ORDER_LINES,
    FULFILLMENTS,
    FULFILLMENT_LINES,
    FULFILLMENT_CREATE,
    TRACKING_UPDATE,
    FULFILLMENT_CANCEL,
    FULFILLMENT_ORDER_SPLIT,
    REQUESTS,
    ACCEPT_CANCELLATION,
    REJECT_CANCELLATION,
    VARIANTS,
    VARIANTS_ALONE,
    STOCK,
    SET_STOCK,
    CHECK,
    LOCATION,
];
