//! How many units of each line the shop still wants fulfilled: the facts that tell a cancellation.
//!
//! Recorded from real shops, and the reason for each rule here:
//! * an edit or a refund with restock lowers the fulfillment order's remaining quantity, not `LineItem.quantity`;
//! * a cancelled order's fulfillment order is `CLOSED`, and may keep its remaining quantity;
//! * a taken back fulfillment leaves its old fulfillment order `CLOSED` with its quantity risen again, beside a new
//!   `OPEN` one. So remaining quantities count over open fulfillment orders alone;
//! * an `INCOMPLETE` one (given back by a fulfillment service) keeps its quantity and can be fulfilled: it is open.

use crate::wire;

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
            let counts = open && line.remaining_quantity != 0;
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
