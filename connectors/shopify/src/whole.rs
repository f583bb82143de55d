//! One order read whole, however many lines, fulfillment orders and fulfillments it has.
//!
//! What does not fit into one answer is read on, and all parts must show the order at the same last change: parts
//! of two states would add up to cancellations that never were.

use bytes::Bytes;
use sdk::{Error, ErrorKind, Priority, Result};
use serde::Serialize;

use crate::{
    admin::{Admin, Ask, plain},
    error::KeptChanging,
    wire::{
        Answer, FulfillmentLinesData, FulfillmentOrderLinesData, MoreFulfillmentOrders, MoreFulfillments,
        MoreLines, Order, OrderData,
        documents::{
            FULFILLMENT_LINES, FULFILLMENT_ORDER_LINES, FULFILLMENT_ORDERS, FULFILLMENTS, ORDER, ORDER_LINES,
        },
    },
};

/// How much of each list inside an order is asked for at once.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    pub(crate) lines: u32,
    pub(crate) fulfillment_orders: u32,
    pub(crate) fulfillment_order_lines: u32,
    pub(crate) fulfillments: u32,
    pub(crate) fulfillment_lines: u32,
}

/// For one order alone.
const ALONE: Shape = Shape {
    lines: 100,
    fulfillment_orders: 10,
    fulfillment_order_lines: 50,
    fulfillments: 20,
    fulfillment_lines: 20,
};

/// Shopify gives at most this many fulfillments of an order, and no way to ask for more.
const MOST_FULFILLMENTS: usize = 250;

/// Times that an order which changes between its parts is begun again.
const ROUNDS: u32 = 3;

/// What the first question for one order is expected to cost, in points: 138 by the recorded prices.
const COST: f64 = 140.0;

/// What a question for further fulfillment orders is expected to cost: 99 by the recorded prices.
const COST_FULFILLMENT_ORDERS: f64 = 100.0;

/// What a question for other further parts is expected to cost: 21 at most by the recorded prices.
const COST_MORE: f64 = 25.0;

#[derive(Serialize)]
struct One<'a> {
    id: &'a str,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Serialize)]
struct Page<'a> {
    id: &'a str,
    after: &'a str,
}

/// The answers that together show one order.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    order: Bytes,
    lines: Vec<Bytes>,
    fulfillment_orders: Vec<Bytes>,
    fulfillment_order_lines: Vec<(String, Bytes)>,
    fulfillments: Option<Bytes>,
    fulfillment_lines: Vec<(String, Bytes)>,
}

/// Whether a list inside the order goes on past what was asked for.
pub(crate) fn is_partial(order: &Order<'_>, shape: &Shape) -> bool {
    order.line_items.page_info.has_next_page
        || order.fulfillment_orders.page_info.has_next_page
        || order.fulfillment_orders.nodes.iter().any(|fo| fo.line_items.page_info.has_next_page)
        || order.fulfillments.len() >= shape.fulfillments as usize
        || order
            .fulfillments
            .iter()
            .filter_map(|fulfillment| fulfillment.fulfillment_line_items.as_ref())
            .any(|lines| lines.page_info.has_next_page)
}

/// Reads an order; `NotFound` when the shop has none of this id.
pub(crate) async fn read(admin: &Admin, gid: &str, priority: Priority) -> Result<Whole> {
    for _ in 0..ROUNDS {
        if let Some(whole) = once(admin, gid, priority).await? {
            return Ok(whole);
        }
    }
    Err(Error::new(ErrorKind::Unavailable, ORDER.name, "the order kept changing while it was read")
        .with_source(KeptChanging))
}

/// One round; `None` when the order changed meanwhile.
async fn once(admin: &Admin, gid: &str, priority: Priority) -> Result<Option<Whole>> {
    let ask = Ask::read(ORDER, priority, COST);
    let more = |document| Ask::read(document, priority, COST_MORE);
    let mut whole = Whole {
        order: admin.send(ask, &One { id: gid, shape: ALONE }).await?.into_body(),
        ..Whole::default()
    };
    let body = whole.order.clone();
    let raw = admin.decode::<OrderData<crate::wire::Raw<'_>>>(ask, &body)?;
    let Some(raw) = raw.data.order else {
        if !raw.errors.is_empty() {
            return Err(crate::error::failure(ask.name(), &raw.errors, None));
        }
        return Err(Error::new(ErrorKind::NotFound, ask.name(), "the shop has no such order"));
    };
    let Ok(order) = serde_json::from_str::<Order<'_>>(raw.get()) else {
        return Ok(Some(whole)); // `wire` says what is wrong with it
    };

    let mut after = order.line_items.page_info.next().map(str::to_owned);
    while let Some(cursor) = after.take() {
        let ask = more(ORDER_LINES);
        let body = admin.send(ask, &Page { id: gid, after: &cursor }).await?.into_body();
        let Some(part) = admin.decode::<OrderData<MoreLines<'_>>>(ask, &body)?.data.order else {
            return Ok(None);
        };
        if *part.updated_at != *order.updated_at {
            return Ok(None);
        }
        after = further(ask, part.line_items.page_info.next(), &cursor)?;
        whole.lines.push(body.clone());
    }

    let mut long: Vec<(String, String)> = Vec::new();
    let mut note = |orders: &[crate::wire::FulfillmentOrder<'_>]| {
        for fo in orders {
            if let Some(cursor) = fo.line_items.page_info.next() {
                long.push((fo.id.to_string(), cursor.to_owned()));
            }
        }
    };
    note(&order.fulfillment_orders.nodes);
    let mut after = order.fulfillment_orders.page_info.next().map(str::to_owned);
    while let Some(cursor) = after.take() {
        let ask = Ask::read(FULFILLMENT_ORDERS, priority, COST_FULFILLMENT_ORDERS);
        let body = admin.send(ask, &Page { id: gid, after: &cursor }).await?.into_body();
        let Some(part) = admin.decode::<OrderData<MoreFulfillmentOrders<'_>>>(ask, &body)?.data.order else {
            return Ok(None);
        };
        if *part.updated_at != *order.updated_at {
            return Ok(None);
        }
        note(&part.fulfillment_orders.nodes);
        after = further(ask, part.fulfillment_orders.page_info.next(), &cursor)?;
        whole.fulfillment_orders.push(body.clone());
    }
    for (id, first) in long {
        let mut after = Some(first);
        while let Some(cursor) = after.take() {
            let ask = more(FULFILLMENT_ORDER_LINES);
            let body = admin.send(ask, &Page { id: &id, after: &cursor }).await?.into_body();
            let data = admin.decode::<FulfillmentOrderLinesData<'_>>(ask, &body)?.data;
            let Some(part) = data.fulfillment_order else { return Ok(None) };
            after = further(ask, part.line_items.page_info.next(), &cursor)?;
            whole.fulfillment_order_lines.push((id.clone(), body.clone()));
        }
    }

    let mut long: Vec<(String, String)> = Vec::new();
    let mut note = |fulfillments: &[crate::wire::Fulfillment<'_>]| {
        for fulfillment in fulfillments {
            let lines = fulfillment.fulfillment_line_items.as_ref();
            if let Some(cursor) = lines.and_then(|lines| lines.page_info.next()) {
                long.push((fulfillment.id.to_string(), cursor.to_owned()));
            }
        }
    };
    if order.fulfillments.len() < ALONE.fulfillments as usize {
        note(&order.fulfillments);
    } else {
        let ask = more(FULFILLMENTS);
        let body = admin.send(ask, &serde_json::json!({ "id": gid })).await?.into_body();
        let Some(part) = admin.decode::<OrderData<MoreFulfillments<'_>>>(ask, &body)?.data.order else {
            return Ok(None);
        };
        if *part.updated_at != *order.updated_at {
            return Ok(None);
        }
        note(&part.fulfillments);
        whole.fulfillments = Some(body.clone());
    }
    for (id, first) in long {
        let mut after = Some(first);
        while let Some(cursor) = after.take() {
            let ask = more(FULFILLMENT_LINES);
            let body = admin.send(ask, &Page { id: &id, after: &cursor }).await?.into_body();
            let Some(part) = admin.decode::<FulfillmentLinesData<'_>>(ask, &body)?.data.fulfillment else {
                return Ok(None);
            };
            after = further(ask, part.fulfillment_line_items.page_info.next(), &cursor)?;
            whole.fulfillment_lines.push((id.clone(), body.clone()));
        }
    }
    // Lines of one long list carry no stamp of their own: ask once more for the order's.
    if !whole.fulfillment_order_lines.is_empty() || !whole.fulfillment_lines.is_empty() {
        let ask = Ask::read(ORDER, priority, COST);
        let body = admin.send(ask, &One { id: gid, shape: ALONE }).await?.into_body();
        let again = admin.decode::<OrderData<crate::wire::OrderStamp<'_>>>(ask, &body)?.data.order;
        let stamp = again.and_then(|order| order.updated_at);
        if stamp.is_none_or(|stamp| *stamp != *order.updated_at) {
            return Ok(None);
        }
    }
    Ok(Some(whole))
}

/// The next cursor, which must not be the one that was just asked for.
fn further(ask: Ask, next: Option<&str>, cursor: &str) -> Result<Option<String>> {
    match next {
        Some(next) if next == cursor => {
            Err(Error::new(ErrorKind::Malformed, ask.name(), "the shop's pages do not go on"))
        }
        next => Ok(next.map(str::to_owned)),
    }
}

impl Whole {
    /// The order as it came in its first answer, for one that cannot be read.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.order).into_owned()
    }

    /// The order, its parts joined. The error says what cannot be read.
    pub(crate) fn wire(&self) -> std::result::Result<Order<'_>, String> {
        let mut order =
            part::<OrderData<Order<'_>>>(&self.order)?.order.ok_or("there is no order in the answer")?;
        for body in &self.lines {
            let more = part::<OrderData<MoreLines<'_>>>(body)?.order;
            order.line_items.nodes.extend(more.into_iter().flat_map(|more| more.line_items.nodes));
        }
        for body in &self.fulfillment_orders {
            let more = part::<OrderData<MoreFulfillmentOrders<'_>>>(body)?.order;
            let more = more.into_iter().flat_map(|more| more.fulfillment_orders.nodes);
            order.fulfillment_orders.nodes.extend(more);
        }
        for (id, body) in &self.fulfillment_order_lines {
            let more = part::<FulfillmentOrderLinesData<'_>>(body)?.fulfillment_order;
            if let Some(fo) = order.fulfillment_orders.nodes.iter_mut().find(|fo| *fo.id == **id) {
                fo.line_items.nodes.extend(more.into_iter().flat_map(|more| more.line_items.nodes));
            }
        }
        if let Some(body) = &self.fulfillments {
            let all = part::<OrderData<MoreFulfillments<'_>>>(body)?.order;
            order.fulfillments = all.map(|all| all.fulfillments).unwrap_or_default();
            if order.fulfillments.len() >= MOST_FULFILLMENTS {
                return Err(format!(
                    "the order has {MOST_FULFILLMENTS} fulfillments or more: not all can be read"
                ));
            }
        }
        for (id, body) in &self.fulfillment_lines {
            let more = part::<FulfillmentLinesData<'_>>(body)?.fulfillment;
            let found = order.fulfillments.iter_mut().find(|fulfillment| *fulfillment.id == **id);
            if let Some(lines) = found.and_then(|fulfillment| fulfillment.fulfillment_line_items.as_mut()) {
                lines.nodes.extend(more.into_iter().flat_map(|more| more.fulfillment_line_items.nodes));
            }
        }
        Ok(order)
    }
}

fn part<'a, D: serde::Deserialize<'a>>(body: &'a [u8]) -> std::result::Result<D, String> {
    let answer: Answer<D> = serde_json::from_slice(body).map_err(|error| plain(&error))?;
    answer.data.ok_or_else(|| "the answer has no data".to_owned())
}
