//! How many units of each line the shop still wants fulfilled: the facts that tell a cancellation.
//!
//! Recorded from real shops, and the reason for each rule here:
//! * an edit or a refund with restock lowers the fulfillment order's remaining quantity, not `LineItem.quantity`;
//! * a cancelled order's fulfillment order is `CLOSED`, and may keep its remaining quantity;
//! * a taken back fulfillment leaves its old fulfillment order `CLOSED` with its quantity risen again, beside a new
//!   `OPEN` one. So remaining quantities count over open fulfillment orders alone;
//! * an `INCOMPLETE` one (given back by a fulfillment service) keeps its quantity and can be fulfilled: it is open.
//!
//! # Given up units
//! When a fulfillment service accepts a cancellation, the fulfillment order closes with nothing in it **[recorded]**, but
//! the order line is not cancelled: the units are "unfulfilled" again and the merchant may move them, edit or refund them,
//! or ask for them anew (<https://help.shopify.com/en/manual/shipping/shopify-fulfillment-network/fulfillment-requests/stopping-fulfilment-requests/canceled-fulfillment-requests>:
//! "the fulfillment status will change to Unfulfilled"; "manually request a new fulfillment"). They come in a new
//! fulfillment order, as every replacement does **[recorded** for `fulfillmentOrderCancel`: the old one `CLOSED` and
//! empty, a new one `OPEN`/`UNSUBMITTED` at the same location**]**. Nobody has asked the supplier for *these*, so:
//!
//! > Units of an open fulfillment order that is `UNSUBMITTED` are given up, and not counted, when the order has another
//! > one in `CANCELLATION_ACCEPTED` that lists their line (or lists nothing any more) and whose cancellation was asked
//! > for before this one was made. Once a request is submitted for them they are `SUBMITTED` and count again.
//!
//! A merchant who does not wait may cancel the fulfillment order under a cancellation request that nobody answered
//! (<https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/fulfillmentOrderCancel>): closed like that it is given
//! up as well.
//!
//! The location plays no part: given up units that the merchant moves to a place of their own are shipped by the merchant.
//! Fulfillment orders that are merchant-managed are always `UNSUBMITTED`; without an accepted cancellation all of them
//! count. The price: units that an edit adds to such a line later, and those of a parcel of that line that is taken back
//! later, do not count before they are asked for either.

use sdk::{Group, LineQuantity};

use crate::{picture, requests, wire};

/// One line's units and how they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units<'a> {
    /// Left to fulfil, now or after a hold.
    pub(crate) fulfillable: u32,
    /// In fulfillments that stand.
    pub(crate) fulfilled: u32,
    /// Delivery method, of open fulfillment orders first.
    pub(crate) method: Option<&'a str>,
    /// A second method, where open fulfillment orders disagree.
    pub(crate) other_method: Option<&'a str>,
    from_open: bool,
}

/// Whether units that remain in a fulfillment order of this status are still wanted. A word that this release does
/// not know counts as wanted: taking it as cancelled could not be undone.
pub(crate) fn is_open(status: &str) -> bool {
    !matches!(status, "CLOSED" | "CANCELLED")
}

/// Fulfillment orders that were given up: their cancellation was accepted, or was asked for when they were closed.
pub(crate) struct GivenUp<'o, 'a>(Vec<&'o wire::FulfillmentOrder<'a>>);

impl<'o, 'a> GivenUp<'o, 'a> {
    pub(crate) fn of(order: &'o wire::Order<'a>) -> Self {
        let given_up = |fo: &&wire::FulfillmentOrder<'_>| {
            *fo.request_status == *ACCEPTED || (!is_open(&fo.status) && requests::is_asked_to_cancel(fo))
        };
        Self(order.fulfillment_orders.nodes.iter().filter(given_up).collect())
    }

    /// Whether the units of this line in this fulfillment order are given up, and not asked for again.
    pub(crate) fn holds(&self, fo: &wire::FulfillmentOrder<'_>, line: &str) -> bool {
        *fo.request_status == *ACCEPTED
            || *fo.request_status == *"UNSUBMITTED"
                && self.0.iter().any(|old| {
                    let lines = &old.line_items.nodes;
                    (lines.is_empty() || lines.iter().any(|it| *it.line_item.id == *line))
                        && is_later(fo, old)
                })
    }
}

/// The request status of one whose cancellation was accepted.
const ACCEPTED: &str = "CANCELLATION_ACCEPTED";

/// Whether one was made after the other's cancellation was asked for. Where a time is missing it counts as later:
/// units that nobody asked for must not ship.
fn is_later(fo: &wire::FulfillmentOrder<'_>, given_up: &wire::FulfillmentOrder<'_>) -> bool {
    let made = picture::time("createdAt", &fo.created_at).ok();
    let asked = requests::asked_at(given_up);
    made.zip(asked).is_none_or(|(made, asked)| made >= asked)
}

/// The shop's own grouping of what is left to fulfil: its open fulfillment orders.
pub(crate) fn groups(order: &wire::Order<'_>) -> Result<Vec<Group>, String> {
    let given_up = GivenUp::of(order);
    let mut groups = Vec::new();
    for fo in order.fulfillment_orders.nodes.iter().filter(|fo| is_open(&fo.status)) {
        let mut lines = Vec::new();
        for line in fo.line_items.nodes.iter().filter(|line| line.remaining_quantity != 0) {
            if given_up.holds(fo, &line.line_item.id) {
                continue;
            }
            let units = quantity(line.remaining_quantity, "fulfillment order line", &line.id)?;
            lines.push(LineQuantity { line: picture::number(&line.line_item.id)?, quantity: units });
        }
        if !lines.is_empty() {
            groups.push(Group { id: picture::number(&fo.id)?, lines });
        }
    }
    Ok(groups)
}

/// Whether a fulfillment of this status stands. An unknown word counts as standing, so that nothing ships twice.
pub(crate) fn stands(status: &str) -> bool {
    !matches!(status, "CANCELLED" | "ERROR" | "FAILURE")
}

/// A quantity as the model has it.
pub(crate) fn quantity(value: i64, of: &str, id: &str) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| format!("{of} {} has the impossible quantity {value}", tail(id)))
}

/// The number at the end of a global id.
pub(crate) fn tail(gid: &str) -> &str {
    let last = gid.rsplit('/').next().unwrap_or(gid);
    last.split('?').next().unwrap_or(last)
}

/// The units of each line, in the order of the lines.
pub(crate) fn units<'a>(order: &'a wire::Order<'_>) -> Result<Vec<Units<'a>>, String> {
    let lines = &order.line_items.nodes;
    let mut units = vec![Units::default(); lines.len()];
    // Fulfillment orders mostly list the lines in their order: look on from where the last one was.
    let mut at = 0;
    let mut find = |id: &str| {
        let found = (at..lines.len()).chain(0..at).find(|&i| *lines[i].id == *id)?;
        at = found + 1;
        Some(found)
    };
    let given_up = GivenUp::of(order);
    for fo in &order.fulfillment_orders.nodes {
        let open = is_open(&fo.status);
        let method = fo.delivery_method.as_ref().map_or("SHIPPING", |method| &*method.method_type);
        for line in &fo.line_items.nodes {
            let Some(index) = find(&line.line_item.id) else {
                if open && line.remaining_quantity != 0 {
                    return Err(format!(
                        "fulfillment order {} names line {}, which the order does not have",
                        tail(&fo.id),
                        tail(&line.line_item.id)
                    ));
                }
                continue;
            };
            let unit = &mut units[index];
            let counts = open && line.remaining_quantity != 0 && !given_up.holds(fo, &line.line_item.id);
            if counts {
                let remaining = quantity(line.remaining_quantity, "fulfillment order line", &line.id)?;
                unit.fulfillable = unit
                    .fulfillable
                    .checked_add(remaining)
                    .ok_or_else(|| format!("line {} has too many units", tail(&line.line_item.id)))?;
            }
            if counts && !unit.from_open {
                (unit.method, unit.other_method, unit.from_open) = (Some(method), None, true);
            } else if unit.method.is_none() {
                unit.method = Some(method);
            } else if counts && unit.method != Some(method) {
                unit.other_method = Some(method);
            }
        }
    }
    for fulfillment in order.fulfillments.iter().filter(|fulfillment| stands(&fulfillment.status)) {
        for line in fulfillment.fulfillment_line_items.iter().flat_map(|items| &items.nodes) {
            if let Some(index) = find(&line.line_item.id) {
                let made = quantity(line.quantity.unwrap_or(0), "fulfillment", &fulfillment.id)?;
                units[index].fulfilled = units[index].fulfilled.saturating_add(made);
            }
        }
    }
    Ok(units)
}
