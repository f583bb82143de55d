//! Changed orders, page by page.
//!
//! # Why page numbers are never followed
//! Orders change while they are paged: each change moves an order to the end of the list, and all behind it move up.
//! So the next page is not "page 2" but a new question for everything changed *at or after the last change seen*.
//! Nothing can move out of that window. Orders of the last second come twice, which changes nothing.
//!
//! # Bounds that nobody documents
//! Whether `min_date_modified` holds its own second, and `min_id` its own id, is not in the contract. Every bound is
//! put where both readings give all that is wanted: a second earlier, a second later, and an id that was seen already.
//!
//! # A page of one stamp
//! Stamps have whole seconds, and a bulk edit puts hundreds of orders into one. A full page that ends where it began
//! cannot be passed by its stamp. Then that second and the next are drained by id, from a window of both, and the list
//! goes on behind them. An order that changes meanwhile leaves the window and is met later; one can only come *into* it
//! while those seconds last, and what a pull covers ends before it began: the next one reads them again.
//!
//! # An entry newer than its place
//! The store may pick a page's orders first and load them after. One that changes in between shows a stamp that is not
//! why it stands where it stands. Stamps from after the question was asked say nothing, and are not gone by.

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use sdk::{
    Clock, Error, ErrorKind, OrderPage, Priority, PullRequest, Pulled, RemoteId, Result, Timestamp,
    Unreadable, client::server_time, clock::stable_hash,
};

use crate::{
    known::Known,
    picture,
    rest::{self, Ask, Rest},
    statuses, whole,
    wire::{Order, Raw},
};

/// Orders whose parts are read at once, two parts of each.
const AT_ONCE: usize = 4;

/// A page of fewer orders than this is the last, whatever page size the store really gives: it is its default
/// (`limit` in the contract).
const SURELY_FULL: usize = 50;

/// How far the store's clock is taken to be behind ours where it does not tell its own.
const UNTOLD: TimeDelta = TimeDelta::minutes(5);

/// What a pull needs.
pub(crate) struct Pull<'a> {
    pub(crate) rest: &'a Rest,
    pub(crate) known: &'a Known,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) page_size: u32,
}

/// Where a pull stands between two pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Changed at or after this; what changed before it was read.
    anchor: Option<Timestamp>,
    /// When the pull began, by the store's clock.
    began: Option<Timestamp>,
    /// Within more equal stamps than a page holds: the second of `anchor` and the next are read by id, from this one.
    drain: Option<u64>,
}

impl Mark {
    fn write(&self) -> String {
        let time =
            |time: Option<Timestamp>| time.map(|time| time.timestamp().to_string()).unwrap_or_default();
        let mut text = format!("{}|{}", time(self.anchor), time(self.began));
        if let Some(from) = self.drain {
            text.push_str(&format!("|{from}"));
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let time = |text: &str| match text {
            "" => Some(None),
            text => chrono::DateTime::from_timestamp(text.parse().ok()?, 0).map(Some),
        };
        match parts[..] {
            [anchor, began] => Some(Self { anchor: time(anchor)?, began: time(began)?, drain: None }),
            [anchor, began, from] => Some(Self {
                anchor: Some(time(anchor)??),
                began: time(began)?,
                drain: Some(from.parse().ok()?),
            }),
            _ => None,
        }
    }

    /// The question. Times always in full and with their offset: a date alone is filled with the time of day.
    fn path(&self, limit: u32) -> String {
        let second = TimeDelta::seconds(1);
        let bound =
            |name: &str, time: Timestamp| format!("&{name}={}", time.format("%Y-%m-%dT%H:%M:%S%%2B00:00"));
        let from = self.anchor.map(|anchor| bound("min_date_modified", moved(anchor, -second)));
        let from = from.unwrap_or_default();
        match (self.drain, self.anchor) {
            (Some(id), Some(anchor)) => {
                let to = bound("max_date_modified", moved(anchor, second * 2));
                format!("/v2/orders?sort=id:asc&limit={limit}{from}{to}&min_id={id}")
            }
            _ => format!("/v2/orders?sort=date_modified:asc&limit={limit}{from}"),
        }
    }
}

fn moved(time: Timestamp, by: TimeDelta) -> Timestamp {
    time.checked_add_signed(by).unwrap_or(time)
}

/// To the second, as the store's stamps are.
fn whole_second(time: Timestamp) -> Timestamp {
    chrono::DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}

/// An entry of the list, as far as the paging looks at it.
struct Entry<'a> {
    raw: &'a str,
    id: Option<u64>,
    updated: Option<Timestamp>,
    order: Result<Order<'a>, String>,
}

impl<'a> Entry<'a> {
    fn of(raw: Raw<'a>) -> Self {
        let raw = raw.get();
        let order: Result<Order<'a>, String> = rest::read(raw.as_bytes());
        let (id, updated) = match &order {
            Ok(order) => (Some(order.id), picture::time("date_modified", &order.date_modified).ok()),
            Err(_) => {
                let value: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
                let stamp = value["date_modified"].as_str();
                (value["id"].as_u64(), stamp.and_then(|text| picture::time("date_modified", text).ok()))
            }
        };
        Self { raw, id, updated, order }
    }
}

/// One page of changed orders.
pub(crate) async fn pull(pull: &Pull<'_>, request: &PullRequest) -> Result<OrderPage> {
    let ask = Ask::read("orders", Priority::Pull);
    let mark = match &request.page {
        None => Mark { anchor: request.since.map(whole_second), ..Mark::default() },
        Some(page) => Mark::read(page).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, ask.name, "the mark of the next page is not one of ours")
        })?,
    };
    if let (None, Some(anchor)) = (&request.page, mark.anchor) {
        pull.known.forget_before(moved(anchor, TimeDelta::seconds(-1)));
    }
    let before = pull.clock.now();
    let response = pull.rest.get(ask, &mark.path(pull.page_size)).await.map_err(|mut error| {
        if error.kind == ErrorKind::NotFound {
            error.kind = ErrorKind::Unauthorized;
            "there is no store at this address (404): see `store_hash`".clone_into(&mut error.message);
        }
        error
    })?;
    let asked = asked(server_time(response.headers()), before, pull.clock.now());
    let raws: Vec<Raw<'_>> = rest::list(&response)
        .map_err(|why| Error::new(ErrorKind::Malformed, ask.name, format!("the list of orders: {why}")))?;
    let entries: Vec<Entry<'_>> = raws.into_iter().map(Entry::of).collect();
    let full = entries.len() >= SURELY_FULL.min(pull.page_size as usize);
    let began = mark.began.unwrap_or(asked);
    let (next, covers) = step(&Mark { began: Some(began), ..mark }, &entries, full, asked)
        .map_err(|why| Error::new(ErrorKind::Malformed, ask.name, why))?;
    let orders = read(pull, &entries, asked).await?;
    Ok(OrderPage { orders, next: next.map(|next| next.write()), covers, receipt: None })
}

/// When the list was surely not read yet, by the store's clock: its time in the answer, less what the answer took.
fn asked(told: Option<Timestamp>, before: Timestamp, after: Timestamp) -> Timestamp {
    let took = (after - before).max(TimeDelta::zero());
    let answered = told.unwrap_or_else(|| moved(after, -UNTOLD));
    whole_second(moved(answered, -took))
}

/// From one page to the next, and what both cover.
fn step(
    mark: &Mark,
    entries: &[Entry<'_>],
    full: bool,
    asked: Timestamp,
) -> Result<(Option<Mark>, Option<Timestamp>), String> {
    let second = TimeDelta::seconds(1);
    let began = mark.began.unwrap_or(asked);
    // What changed before the anchor was read, unless that was after the pull began.
    let behind = |anchor: Timestamp| moved(anchor, -second).min(moved(began, -second));
    let so_far = mark.anchor.map(behind);
    if let (Some(from), Some(anchor)) = (mark.drain, mark.anchor) {
        if full {
            let last = entries.iter().filter_map(|entry| entry.id).max();
            let last = last.ok_or("no order of a whole page has an id")?;
            // A page that ends where it was told to begin holds that id alone: the bound is inclusive, go past it.
            let from = if last > from { last } else { from.saturating_add(1) };
            return Ok((Some(Mark { drain: Some(from), ..*mark }), so_far));
        }
        let anchor = moved(anchor, second * 2);
        return Ok((Some(Mark { anchor: Some(anchor), drain: None, ..*mark }), Some(behind(anchor))));
    }
    if !full {
        return Ok((None, Some(moved(began, -second))));
    }
    let settled: Vec<Timestamp> =
        entries.iter().filter_map(|entry| entry.updated).filter(|updated| *updated < asked).collect();
    if !settled.is_sorted() {
        return Err("the store does not list orders by their last change".to_owned());
    }
    match (settled.last(), mark.anchor) {
        (Some(last), anchor) if anchor.is_none_or(|anchor| *last > anchor) => {
            Ok((Some(Mark { anchor: Some(*last), ..*mark }), Some(behind(*last))))
        }
        (Some(_), Some(_)) => Ok((Some(Mark { drain: Some(0), ..*mark }), so_far)),
        _ if entries.iter().all(|entry| entry.updated.is_none()) => {
            Err("no order of a whole page has a readable `date_modified`".to_owned())
        }
        // All of the page changed after it was asked for, and whatever changed before stands before that.
        _ => Ok((None, Some(moved(began, -second)))),
    }
}

/// The page's orders, in its order.
async fn read(pull: &Pull<'_>, entries: &[Entry<'_>], asked: Timestamp) -> Result<Vec<Pulled>> {
    let reads: Vec<_> = entries.iter().map(|entry| Box::pin(one(pull, entry, asked))).collect();
    let mut reads = stream::iter(reads).buffered(AT_ONCE);
    let mut orders = Vec::with_capacity(entries.len());
    while let Some(order) = reads.next().await {
        orders.extend(order?);
    }
    Ok(orders)
}

/// One order of a page; `None` for one that is no order yet.
async fn one(pull: &Pull<'_>, entry: &Entry<'_>, asked: Timestamp) -> Result<Option<Pulled>> {
    let (id, order) = match (entry.id, &entry.order) {
        (Some(id), Ok(order)) => (id, order),
        (id, Err(reason)) => return Ok(Some(unnamed(id, reason.clone(), entry.raw))),
        (None, Ok(_)) => return Ok(Some(unnamed(None, "`id` cannot be read".to_owned(), entry.raw))),
    };
    // Its customer stopped at the payment page: the store itself does not show it among its orders.
    if order.status_id == statuses::INCOMPLETE && !pull.known.has(id) {
        return Ok(None);
    }
    if let Some(order) = pull.known.unchanged(id, entry.raw) {
        return Ok(Some(Pulled::Order(Box::new(order))));
    }
    let pulled = whole::of_entry(pull.rest, id, entry.raw).await?;
    if let Pulled::Order(order) = &pulled {
        // A stamp other than the entry's: it changed meanwhile, and its next entry is another.
        if order.updated_at == entry.updated {
            pull.known.remember(id, entry.raw, order, asked);
        }
    }
    Ok(Some(pulled))
}

fn unnamed(id: Option<u64>, reason: String, raw: &str) -> Pulled {
    match id {
        Some(id) => whole::unreadable(id, reason, raw.as_bytes()),
        None => Pulled::Unreadable(Unreadable {
            id: RemoteId(format!("unnamed-{:016x}", stable_hash(raw))),
            reason,
            raw: raw.to_owned(),
        }),
    }
}
