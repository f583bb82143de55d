//! Changed orders, page by page.
//!
//! # Why pages are re-anchored
//! Orders change while they are paged: each change moves an order to the end of the list. So the next page is not
//! "the one after" but a new question for everything changed *at or after the last change seen*. Nothing can move
//! out of that window, whatever the cursor means, and Shopify's bound of 25,000 objects to one question
//! (<https://shopify.dev/docs/api/usage/limits>) is never met. Only where a whole page bears one single stamp is
//! its cursor followed. The price: orders of the last second come twice, which changes nothing.

use bytes::Bytes;
use http::Response;
use sdk::{
    Error, ErrorKind, OrderPage, Priority, PullRequest, Pulled, RemoteId, Result, Timestamp, Unreadable,
    client::server_time, clock::stable_hash,
};
use serde::Serialize;

use crate::{
    admin::{Admin, Ask, plain},
    cancellations::tail,
    changes::{self, Changes, Detour},
    config::LARGEST_PAGE,
    error::{KeptChanging, TooCostly, has},
    page_size::PageSize,
    picture,
    whole::{self, Shape, Whole},
    wire::{Changed, Connection, Order, OrderStamp, OrdersData, PageInfo, Raw, documents::ORDERS},
};

/// Lists inside each order of a page: most orders fit, the others are read whole.
const IN_PAGE: Shape = Shape {
    lines: 20,
    fulfillment_orders: 5,
    fulfillment_order_lines: 20,
    fulfillments: 8,
    fulfillment_lines: 10,
};

/// The first page's size, until the price of one order is known.
const FIRST_PAGE: u32 = 25;

/// Points of one order, in thousandths, until an answer tells: a page of [`FIRST_PAGE`] costs 554 points by the recorded
/// prices. (An order takes 92 points there, but a list of `n` costs as much as `2 ln n` of its items: larger pages are
/// cheaper than one would think, never dearer.)
const GUESSED_PRICE: u32 = 22_200;

/// The page size of orders.
pub(crate) fn page_size(configured: Option<u32>) -> PageSize {
    PageSize::new(configured.unwrap_or(FIRST_PAGE), configured.unwrap_or(LARGEST_PAGE), GUESSED_PRICE)
}

/// Where a pull stands between two pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Changed at or after this.
    anchor: Option<Timestamp>,
    /// The shop's clock when the pull began.
    began: Option<Timestamp>,
    /// Within a page's worth of equal stamps.
    cursor: Option<String>,
}

impl Mark {
    fn write(&self) -> String {
        let time = |time: Option<Timestamp>| time.map(stamp).unwrap_or_default();
        format!("{}|{}|{}", time(self.anchor), time(self.began), self.cursor.as_deref().unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '|');
        let mut next = || parts.next();
        let time = |text: &str| match text {
            "" => Some(None),
            text => picture::time("page", text).ok().map(Some),
        };
        let (anchor, began, cursor) = (time(next()?)?, time(next()?)?, next()?);
        Some(Self { anchor, began, cursor: (!cursor.is_empty()).then(|| cursor.to_owned()) })
    }
}

/// Shopify's stamps have whole seconds.
pub(crate) fn stamp(time: Timestamp) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Serialize)]
struct Variables<'a> {
    query: Option<String>,
    first: u32,
    after: Option<&'a str>,
    changes: bool,
    #[serde(flatten)]
    shape: Shape,
}

/// One page of changed orders.
pub(crate) async fn pull(
    admin: &Admin,
    size: &PageSize,
    changes: &Changes,
    request: &PullRequest,
) -> Result<OrderPage> {
    if let Some(detour) = request.page.as_deref().and_then(Detour::read) {
        return detour.take(admin).await;
    }
    let mark = match &request.page {
        None => Mark { anchor: request.since, ..Mark::default() },
        Some(page) => Mark::read(page).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, ORDERS.name, "the mark of the next page is not one of ours")
        })?,
    };
    let first = request.page.is_none() && request.since.is_some() && changes.are_told();
    let page = match read_page(admin, size, &mark, first).await {
        Err(error) if first && Changes::may_be_refused(&error) => {
            let page = read_page(admin, size, &mark, false).await?;
            // Without that part it is answered: so that part was refused.
            changes.refuse(admin, &error);
            page
        }
        page => page?,
    };
    let detour = request.since.zip(page.changed.as_ref());
    let detour = detour.and_then(|(since, changed)| Detour::needed(since, changed));
    let mut page = go_on(page, mark, request)?;
    if let Some(detour) = detour {
        detour.put_into(&mut page)?;
    }
    Ok(page)
}

/// The page as the daemon takes it: what it covers and what comes next.
fn go_on(page: Page, mark: Mark, request: &PullRequest) -> Result<OrderPage> {
    let Page { orders, info, last, began, ask, .. } = page;
    let began = mark.began.or(began);
    if info.has_next_page {
        let next = match last {
            Some(last) if mark.anchor.is_none_or(|anchor| stamp(last) > stamp(anchor)) => {
                Mark { anchor: Some(last), began, cursor: None }
            }
            _ => {
                let cursor = info.end_cursor.filter(|cursor| mark.cursor.as_ref() != Some(cursor));
                let cursor = cursor.ok_or_else(|| {
                    Error::new(ErrorKind::Malformed, ask.name(), "the shop's pages do not go on")
                })?;
                Mark { cursor: Some(cursor), began, ..mark }
            }
        };
        let covers = match (next.anchor, began) {
            (Some(anchor), Some(began)) => Some(anchor.min(began)),
            (anchor, began) => anchor.or(began).filter(|_| anchor.is_some()),
        };
        return Ok(OrderPage { orders, next: Some(next.write()), covers, receipt: None });
    }
    let covers = began.or(last).or(request.since);
    Ok(OrderPage { orders, next: None, covers, receipt: None })
}

/// Asks, with smaller pages while they are too dear.
async fn ask_page(
    admin: &Admin,
    size: &PageSize,
    mark: &Mark,
    changes: bool,
) -> Result<(Ask, Response<Bytes>)> {
    loop {
        let first = size.get();
        let ask = Ask::read(ORDERS, Priority::Pull, size.points());
        let variables = Variables {
            query: mark.anchor.map(changes::query),
            first,
            after: mark.cursor.as_deref(),
            changes,
            shape: IN_PAGE,
        };
        match admin.send(ask, &variables).await {
            Ok(response) => return Ok((ask, response)),
            Err(error) if has::<TooCostly>(&error) => {
                if !size.shrink(first) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// What one answer holds.
struct Page {
    orders: Vec<Pulled>,
    /// Where it ends.
    info: PageInfo,
    /// The last change in it.
    last: Option<Timestamp>,
    /// Whose fulfillment orders changed, where that was asked.
    changed: Option<Connection<Changed>>,
    /// The shop's clock.
    began: Option<Timestamp>,
    ask: Ask,
}

async fn read_page(admin: &Admin, size: &PageSize, mark: &Mark, changes: bool) -> Result<Page> {
    let (ask, response) = ask_page(admin, size, mark, changes).await?;
    let began = server_time(response.headers());
    let body = response.into_body();
    let decoded = match admin.decode::<OrdersData<Order<'_>>>(ask, &body) {
        Ok(decoded) => decoded,
        Err(error) if error.kind == ErrorKind::Malformed => {
            return read_slowly(admin, ask, &body, began).await;
        }
        Err(error) => return Err(error),
    };
    let Some(page) = decoded.data.orders else {
        return Err(crate::error::failure(ask.name(), &decoded.errors, decoded.cost.as_ref()));
    };
    if let Some(cost) = &decoded.cost {
        size.learn(size.get(), cost);
    }
    let last = page.nodes.last().and_then(|order| picture::time("updatedAt", &order.updated_at).ok());
    let mut orders = Vec::with_capacity(page.nodes.len());
    for (at, order) in page.nodes.iter().enumerate() {
        let raw = || raw_node(&body, at);
        orders.push(pulled(admin, order, raw).await?);
    }
    Ok(Page { orders, info: page.page_info, last, changed: decoded.data.fulfillment_orders, began, ask })
}

/// One order of a page; one that does not fit into it is read whole.
async fn pulled(admin: &Admin, order: &Order<'_>, raw: impl Fn() -> String) -> Result<Pulled> {
    if whole::is_partial(order, &IN_PAGE) {
        return match whole::read(admin, &order.id, Priority::Pull).await {
            Ok(whole) => Ok(from_whole(&order.id, &whole)),
            // Deleted meanwhile, or changing all the time: set aside, and seen again when it changes or at the sweep.
            Err(error) if error.kind == ErrorKind::NotFound || has::<KeptChanging>(&error) => {
                Ok(unreadable(&order.id, error.message, raw()))
            }
            Err(error) => Err(error),
        };
    }
    Ok(match picture::order(order) {
        Ok(order) => Pulled::Order(Box::new(order)),
        Err(reason) => unreadable(&order.id, reason, raw()),
    })
}

/// An order that was read whole.
pub(crate) fn from_whole(gid: &str, whole: &Whole) -> Pulled {
    match whole.wire().and_then(|wire| picture::order(&wire)) {
        Ok(order) => Pulled::Order(Box::new(order)),
        Err(reason) => unreadable(gid, reason, whole.raw()),
    }
}

fn unreadable(gid: &str, reason: String, raw: String) -> Pulled {
    Pulled::Unreadable(Unreadable { id: RemoteId::from(tail(gid)), reason, raw })
}

fn raw_node(body: &[u8], at: usize) -> String {
    serde_json::from_slice::<crate::wire::Answer<OrdersData<Raw<'_>>>>(body)
        .ok()
        .and_then(|answer| answer.data?.orders?.nodes.get(at).map(|raw| raw.get().to_owned()))
        .unwrap_or_default()
}

/// The same page node by node, since one of them cannot be read: the others go on.
async fn read_slowly(admin: &Admin, ask: Ask, body: &[u8], began: Option<Timestamp>) -> Result<Page> {
    let decoded = admin.decode::<OrdersData<Raw<'_>>>(ask, body)?;
    let Some(page) = decoded.data.orders else {
        return Err(crate::error::failure(ask.name(), &decoded.errors, decoded.cost.as_ref()));
    };
    let mut orders = Vec::with_capacity(page.nodes.len());
    let mut last = None;
    for raw in &page.nodes {
        let stamp: OrderStamp<'_> =
            serde_json::from_str(raw.get()).unwrap_or(OrderStamp { id: None, updated_at: None });
        last = stamp.updated_at.as_deref().and_then(|text| picture::time("updatedAt", text).ok());
        match serde_json::from_str::<Order<'_>>(raw.get()) {
            Ok(order) => orders.push(pulled(admin, &order, || raw.get().to_owned()).await?),
            Err(error) => {
                let id = stamp
                    .id
                    .as_deref()
                    .map_or_else(|| format!("unnamed-{:016x}", stable_hash(raw.get())), str::to_owned);
                orders.push(unreadable(&id, plain(&error), raw.get().to_owned()));
            }
        }
    }
    Ok(Page { orders, info: page.page_info, last, changed: decoded.data.fulfillment_orders, began, ask })
}
