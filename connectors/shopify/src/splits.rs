//! A supplier's split shown in the shop's admin, where the merchant wants that: `mirror_splits`.

use std::collections::BTreeMap;

use sdk::{Effect, Error, ErrorKind, Priority, Result, SplitMirror};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    cancellations::{GivenUp, tail},
    error,
    fulfillments::{order_gid, takes_fulfillments},
    whole,
    wire::{
        FulfillmentOrder, FulfillmentOrderLineInput, FulfillmentOrderLinesInput, Order, SplitData,
        documents::FULFILLMENT_ORDER_SPLIT,
    },
};

/// Moves the split's units into fulfillment orders of their own. When that is how they stand, it is done already:
/// so a repeat after a lost answer splits nothing again.
pub(crate) async fn mirror(admin: &Admin, split: &SplitMirror) -> Result<()> {
    let ask = Ask::write(FULFILLMENT_ORDER_SPLIT, Effect::Unsafe);
    let gid = order_gid(ask.name(), &split.order)?;
    let whole = whole::read(admin, &gid, Priority::Deliver).await?;
    let wire = whole.wire().map_err(|why| Error::new(ErrorKind::Malformed, ask.name(), why))?;
    let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
    for line in split.lines.iter().filter(|line| line.quantity > 0) {
        *wanted.entry(line.line.as_str()).or_default() += line.quantity;
    }
    if wanted.is_empty() || stands_apart(&wire, &wanted) {
        return Ok(());
    }
    let groups = choose(&wire, wanted)?;
    if groups.is_empty() {
        return Ok(());
    }
    let pick = |data: SplitData| data.fulfillment_order_split;
    let payload = admin.write(ask, &json!({ "splits": groups }), pick).await?;
    error::refused(ask.name(), &payload.user_errors)
}

fn remaining<'a>(fo: &'a FulfillmentOrder<'_>) -> BTreeMap<&'a str, u32> {
    let mut units = BTreeMap::new();
    for line in &fo.line_items.nodes {
        let quantity = u32::try_from(line.remaining_quantity).unwrap_or(0);
        if quantity > 0 {
            *units.entry(tail(&line.line_item.id)).or_default() += quantity;
        }
    }
    units
}

/// Whether one fulfillment order, or all of them together, holds just these units.
fn stands_apart(order: &Order<'_>, wanted: &BTreeMap<&str, u32>) -> bool {
    order
        .fulfillment_orders
        .nodes
        .iter()
        .filter(|fo| takes_fulfillments(fo))
        .any(|fo| remaining(fo) == *wanted)
}

fn choose(order: &Order<'_>, mut wanted: BTreeMap<&str, u32>) -> Result<Vec<FulfillmentOrderLinesInput>> {
    let given_up = GivenUp::of(order);
    let mut groups = Vec::new();
    for fo in order.fulfillment_orders.nodes.iter().filter(|fo| takes_fulfillments(fo)) {
        let mut lines = Vec::new();
        let mut whole = true;
        for line in &fo.line_items.nodes {
            let given_up = given_up.holds(fo, &line.line_item.id);
            let open = if given_up { 0 } else { u32::try_from(line.remaining_quantity).unwrap_or(0) };
            let wanted = wanted.get_mut(tail(&line.line_item.id));
            let quantity = wanted.as_ref().map_or(0, |wanted| open.min(**wanted));
            whole &= quantity == open;
            if let Some(wanted) = wanted.filter(|_| quantity > 0) {
                *wanted -= quantity;
                lines.push(FulfillmentOrderLineInput { id: line.id.to_string(), quantity });
            }
        }
        // One that goes to the split as a whole needs no splitting.
        if !lines.is_empty() && !whole {
            let fulfillment_order_id = fo.id.to_string();
            groups.push(FulfillmentOrderLinesInput {
                fulfillment_order_id,
                fulfillment_order_line_items: lines,
            });
        }
    }
    if let Some((line, short)) = wanted.iter().find(|(_, open)| **open > 0) {
        let what = format!("line {line}: {short} of the split's units are not open on the shop");
        return Err(Error::new(ErrorKind::Rejected, FULFILLMENT_ORDER_SPLIT.name, what));
    }
    Ok(groups)
}
