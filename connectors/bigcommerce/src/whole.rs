//! One order with its sub-resources, which are answers of their own: products, addresses, shipments.
//!
//! They must tell of one state: parts of two would add up to cancellations that never were. Three things would show
//! it, and have all of it read again: a list that moved between its pages, products and shipments that do not tell of
//! the same parcels, and an address that a line names and the order does not have.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::try_join;
use http::Response;
use sdk::{Error, ErrorKind, Priority, Pulled, RemoteId, Result, Unreadable};

use crate::{
    cancellations, picture,
    rest::{self, Ask, Rest},
    wire::{Address, Named, Order, Product, Shipment},
};

/// Entries of one page of a sub-resource, asked for.
const PAGE: usize = 250;

/// A page of fewer entries than this is the last, whatever page size the store really gives: it is its default.
const SURELY_FULL: usize = 50;

/// Most pages of one sub-resource.
const MOST_PAGES: usize = 400;

/// Times that an order which does not fit together is begun again.
const ROUNDS: u32 = 3;

/// One order by its id; `NotFound` when the store has none.
pub(crate) async fn read(rest: &Rest, id: u64, priority: Priority) -> Result<Pulled> {
    let header = header(rest, id, priority).await?;
    rounds(rest, id, header, priority, true).await
}

/// One order that a list just showed.
pub(crate) async fn of_entry(rest: &Rest, id: u64, entry: &str) -> Result<Pulled> {
    rounds(rest, id, Bytes::copy_from_slice(entry.as_bytes()), Priority::Pull, false).await
}

async fn header(rest: &Rest, id: u64, priority: Priority) -> Result<Bytes> {
    let ask = Ask::read("order", priority);
    Ok(rest.get(ask, &format!("/v2/orders/{id}")).await?.into_body())
}

/// `alone`: asked for by its id, so that what fails is the caller's to hear. In a list it is set aside instead.
async fn rounds(rest: &Rest, id: u64, mut header: Bytes, priority: Priority, alone: bool) -> Result<Pulled> {
    let mut doubts = Doubts::default();
    let mut gone = None;
    for round in 0..ROUNDS {
        if round > 0 {
            header = match self::header(rest, id, priority).await {
                Ok(header) => header,
                Err(error) if error.kind == ErrorKind::NotFound && !alone => {
                    return Ok(unreadable(id, "the store no longer has the order (404)".to_owned(), &header));
                }
                Err(error) => return Err(error),
            };
        }
        let order: Order<'_> = match rest::read(&header) {
            Ok(order) => order,
            Err(reason) => return Ok(unreadable(id, reason, &header)),
        };
        if order.id != id {
            return Ok(unreadable(id, "`id` is another than was asked for".to_owned(), &header));
        }
        match parts(rest, &order, priority, &mut doubts).await {
            Ok(order) => return Ok(Pulled::Order(Box::new(order))),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Unreadable(reason)) => return Ok(unreadable(id, reason, &header)),
            Err(Stop::Gone(what)) => gone = Some(what),
            Err(Stop::Torn) => gone = None,
        }
    }
    match gone {
        Some(what) => {
            Ok(unreadable(id, format!("the store has the order and not its {what} (404)"), &header))
        }
        None if alone => {
            Err(Error::new(ErrorKind::Unavailable, "order", "the order kept changing while it was read"))
        }
        None => Ok(unreadable(id, "the order kept changing while it was read".to_owned(), &header)),
    }
}

/// Why a round did not come to an order.
enum Stop {
    /// The store could not be asked.
    Failed(Error),
    /// Something in the answers cannot be read.
    Unreadable(String),
    /// This sub-resource is not there.
    Gone(&'static str),
    /// What was read is of two states.
    Torn,
}

/// A sub-resource's name in paths, and its step's name.
#[derive(Clone, Copy)]
struct Part(&'static str, &'static str);

const PRODUCTS: Part = Part("products", "order_products");
const ADDRESSES: Part = Part("shipping_addresses", "order_addresses");
const SHIPMENTS: Part = Part("shipments", "order_shipments");

/// What does not fit together. Twice the same is how the order is, and no tear.
#[derive(Debug, Default, PartialEq, Eq)]
struct Doubts {
    /// Lines whose shipped units are not those in shipments.
    units: Vec<(u64, u32, u32)>,
    /// Addresses that lines name and the order does not have.
    addresses: Vec<u64>,
}

/// One round. `doubts`: those of the round before.
async fn parts(
    rest: &Rest,
    order: &Order<'_>,
    priority: Priority,
    doubts: &mut Doubts,
) -> Result<sdk::Order, Stop> {
    let (products, addresses) =
        try_join(pages(rest, order.id, PRODUCTS, priority), pages(rest, order.id, ADDRESSES, priority))
            .await?;
    let lines: Vec<Product<'_>> = entries(PRODUCTS, &products)?;
    let places: Vec<Address<'_>> = entries(ADDRESSES, &addresses)?;
    let shipments = if lines.iter().any(|line| line.quantity_shipped.0 > 0) {
        pages(rest, order.id, SHIPMENTS, priority).await?
    } else {
        Vec::new() // there are none, and it saves a request
    };
    let parcels: Vec<Shipment<'_>> = entries(SHIPMENTS, &shipments)?;
    let known = |id: &u64| *id == 0 || places.iter().any(|place| place.id == Some(*id));
    let missing = lines.iter().filter_map(|line| line.order_address_id).filter(|id| !known(id));
    let found = Doubts { units: cancellations::odds(&lines, &parcels), addresses: missing.collect() };
    if found != Doubts::default() && found != *doubts {
        *doubts = found;
        return Err(Stop::Torn);
    }
    // Between two pages of one list the order may have changed.
    if products.len() > 1 || addresses.len() > 1 || shipments.len() > 1 {
        let again = header(rest, order.id, priority).await.map_err(|error| match error.kind {
            ErrorKind::NotFound => Stop::Torn,
            _ => Stop::Failed(error),
        })?;
        let same = rest::read::<Order<'_>>(&again).is_ok_and(|again| {
            *again.date_modified == *order.date_modified && again.status_id == order.status_id
        });
        if !same {
            return Err(Stop::Torn);
        }
    }
    picture::order(order, &lines, &places, &parcels).map_err(Stop::Unreadable)
}

/// All shipments of an order, and whatever they cannot tell.
pub(crate) async fn shipments(
    rest: &Rest,
    id: u64,
    priority: Priority,
) -> Result<Vec<sdk::RemoteFulfillment>> {
    for _ in 0..ROUNDS {
        let stop = match pages(rest, id, SHIPMENTS, priority).await {
            Ok(pages) => match entries::<Shipment<'_>>(SHIPMENTS, &pages) {
                Ok(shipments) => {
                    let read = shipments.iter().map(picture::fulfillment).collect::<Result<Vec<_>, _>>();
                    return read.map_err(|why| Error::new(ErrorKind::Malformed, SHIPMENTS.1, why));
                }
                Err(stop) => stop,
            },
            Err(stop) => stop,
        };
        if !matches!(stop, Stop::Torn) {
            return Err(stop.into_error(SHIPMENTS));
        }
    }
    Err(Stop::Torn.into_error(SHIPMENTS))
}

/// The answers with an order's products, for [`products_in`].
pub(crate) async fn products(rest: &Rest, id: u64, priority: Priority) -> Result<Vec<Response<Bytes>>> {
    for _ in 0..ROUNDS {
        match pages(rest, id, PRODUCTS, priority).await {
            Ok(pages) => return Ok(pages),
            Err(Stop::Torn) => {}
            Err(stop) => return Err(stop.into_error(PRODUCTS)),
        }
    }
    Err(Stop::Torn.into_error(PRODUCTS))
}

/// The lines in those answers.
pub(crate) fn products_in(pages: &[Response<Bytes>]) -> Result<Vec<Product<'_>>> {
    entries(PRODUCTS, pages).map_err(|stop| stop.into_error(PRODUCTS))
}

impl Stop {
    fn into_error(self, part: Part) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Unreadable(reason) => Error::new(ErrorKind::Malformed, part.1, reason),
            Self::Gone(_) => Error::new(ErrorKind::NotFound, part.1, "the store has no such order (404)"),
            Self::Torn => {
                Error::new(ErrorKind::Unavailable, part.1, "the list kept changing while it was read")
            }
        }
    }
}

/// All pages of one sub-resource.
async fn pages(rest: &Rest, id: u64, part: Part, priority: Priority) -> Result<Vec<Response<Bytes>>, Stop> {
    let ask = Ask::read(part.1, priority);
    let mut pages = Vec::with_capacity(1);
    let mut seen = BTreeSet::new();
    for page in 1..=MOST_PAGES {
        let path = format!("/v2/orders/{id}/{}?page={page}&limit={PAGE}", part.0);
        let response = rest.get(ask, &path).await.map_err(|error| match error.kind {
            ErrorKind::NotFound => Stop::Gone(part.0),
            ErrorKind::Rejected | ErrorKind::Malformed => {
                Stop::Unreadable(format!("`{}`: {}", part.0, error.message))
            }
            _ => Stop::Failed(error),
        })?;
        let ids: Vec<Named> = named(part, &response)?;
        let count = ids.len();
        // An entry that comes twice moved from one page to the next, and another may have moved past us.
        if !ids.iter().all(|entry| seen.insert(entry.id)) {
            return Err(Stop::Torn);
        }
        if count > 0 {
            pages.push(response);
        }
        if count < SURELY_FULL {
            return Ok(pages);
        }
    }
    Err(Stop::Unreadable(format!("`{}`: the pages do not end", part.0)))
}

fn entries<'a, T: serde::Deserialize<'a>>(part: Part, pages: &'a [Response<Bytes>]) -> Result<Vec<T>, Stop> {
    let mut all = Vec::new();
    for page in pages {
        all.extend(named::<T>(part, page)?);
    }
    Ok(all)
}

fn named<'a, T: serde::Deserialize<'a>>(part: Part, page: &'a Response<Bytes>) -> Result<Vec<T>, Stop> {
    rest::list(page).map_err(|why| Stop::Unreadable(format!("`{}`: {why}", part.0)))
}

/// An order that is set aside: why, and its entry as it came.
pub(crate) fn unreadable(id: u64, reason: String, raw: &[u8]) -> Pulled {
    let raw = String::from_utf8_lossy(raw).into_owned();
    Pulled::Unreadable(Unreadable { id: RemoteId(id.to_string()), reason, raw })
}
