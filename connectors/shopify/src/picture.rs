//! An order in Shopify's words turned into one in ours. The reasons of failures name no customer.

use sdk::{
    Address, Delivery, DeliveryKind, Line, LineKind, LineQuantity, Order, OrderState, Payment,
    RemoteFulfillment, RemoteId, RemoteTracking, Timestamp,
};

use crate::{
    cancellations::{self, is_open, quantity, stands, tail},
    requests,
    wire::{self, Text},
};

/// The key of a line whose open units go two ways at once.
const MIXED: &str = "MIXED";

/// The order as the shop shows it; the error says what cannot be read.
pub(crate) fn order(wire: &wire::Order<'_>) -> Result<Order, String> {
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(1);
    let mut lines = Vec::with_capacity(wire.line_items.nodes.len());
    let units = cancellations::units(wire)?;
    for (item, units) in wire.line_items.nodes.iter().zip(&units) {
        let (key, kind) = delivery(units.method.unwrap_or("SHIPPING"), units.other_method);
        if !deliveries.iter().any(|delivery| delivery.key == key) {
            deliveries.push(self::deliver(wire, key, kind));
        }
        let current = quantity(item.current_quantity, "line", &item.id)?;
        let wanted = units
            .fulfilled
            .checked_add(units.fulfillable)
            .ok_or_else(|| format!("line {} has too many units", tail(&item.id)))?;
        lines.push(Line {
            id: number(&item.id)?,
            sku: item.sku.as_ref().filter(|sku| !sku.is_empty()).map(|sku| sku.to_string()),
            title: item.title.to_string(),
            kind: line_kind(item),
            // A return lowers the current quantity of what was shipped: that is no smaller order.
            quantity: current.max(wanted),
            fulfillable: units.fulfillable,
            refunded: refunded(wire, item),
            delivery: key.to_owned(),
            unit_cost: None,
        });
    }
    if let Some(twice) = repeated(&lines) {
        return Err(format!("line {twice} is there twice"));
    }
    if deliveries.is_empty() {
        deliveries.push(self::deliver(wire, "", DeliveryKind::Shipping));
    }
    Ok(Order {
        id: number(&wire.id)?,
        number: wire.name.to_string(),
        placed_at: time("createdAt", &wire.created_at)?,
        updated_at: Some(time("updatedAt", &wire.updated_at)?),
        test: wire.test,
        payment: payment(wire.display_financial_status.as_deref()),
        state: match &wire.cancelled_at {
            None => OrderState::Open,
            Some(at) => OrderState::Cancelled {
                at: Some(time("cancelledAt", at)?),
                reason: wire.cancel_reason.as_ref().map(|reason| reason.to_lowercase()),
            },
        },
        holds: holds(wire),
        deliveries,
        lines,
        fulfillments: wire.fulfillments.iter().map(fulfillment).collect::<Result<_, _>>()?,
        groups: cancellations::groups(wire)?,
        cancellation_requests: requests::waiting(wire)?,
        email: filled(wire.email.as_ref()),
        customer_note: filled(wire.note.as_ref()),
        bill_to: wire.billing_address.as_ref().map(address),
        extra: serde_json::Value::Null,
    })
}

/// A fulfillment as the shop shows it.
pub(crate) fn fulfillment(wire: &wire::Fulfillment<'_>) -> Result<RemoteFulfillment, String> {
    let mut lines = Vec::new();
    for line in wire.fulfillment_line_items.iter().flat_map(|items| &items.nodes) {
        let quantity = quantity(line.quantity.unwrap_or(0), "fulfillment", &wire.id)?;
        lines.push(LineQuantity { line: number(&line.line_item.id)?, quantity });
    }
    Ok(RemoteFulfillment {
        id: number(&wire.id)?,
        active: stands(&wire.status),
        lines,
        tracking: wire.tracking_info.iter().map(tracking).collect(),
        created_at: Some(time("fulfillments.createdAt", &wire.created_at)?),
    })
}

/// The legacy number behind a global id.
pub(crate) fn number(gid: &str) -> Result<RemoteId, String> {
    let number = tail(gid);
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("an id does not end in a number".to_owned());
    }
    Ok(RemoteId(number.to_owned()))
}

/// An instant of the API: ISO 8601 with an offset.
pub(crate) fn time(field: &str, text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| format!("`{field}` is not a time"))
}

fn payment(status: Option<&str>) -> Payment {
    match status {
        Some("PAID" | "PARTIALLY_REFUNDED") => Payment::Paid,
        Some("AUTHORIZED") => Payment::Authorized,
        Some(word @ ("PENDING" | "PARTIALLY_PAID" | "EXPIRED")) => Payment::Unpaid(word.to_owned()),
        Some(word @ ("REFUNDED" | "VOIDED")) => Payment::Returned(word.to_owned()),
        Some(word) => Payment::Unknown(word.to_owned()),
        None => Payment::Unknown("no financial status".to_owned()),
    }
}

/// The delivery's key, the same in every picture of the order, and how it goes. All shipping has the empty key.
fn delivery<'a>(method: &'a str, other: Option<&str>) -> (&'a str, DeliveryKind) {
    if let Some(other) = other {
        return (MIXED, DeliveryKind::Unknown(format!("{method} and {other}")));
    }
    match method {
        "SHIPPING" => ("", DeliveryKind::Shipping),
        "PICK_UP" | "PICKUP_POINT" | "LOCAL" | "RETAIL" | "NONE" => {
            (method, DeliveryKind::Merchant(method.to_owned()))
        }
        unknown => (unknown, DeliveryKind::Unknown(unknown.to_owned())),
    }
}

fn deliver(wire: &wire::Order<'_>, key: &str, kind: DeliveryKind) -> Delivery {
    Delivery {
        key: key.to_owned(),
        kind,
        ship_to: wire.shipping_address.as_ref().map(address),
        method: wire.shipping_line.as_ref().map(|line| line.title.to_string()),
    }
}

fn line_kind(item: &wire::LineItem<'_>) -> LineKind {
    if item.is_gift_card {
        LineKind::GiftCard
    } else if !item.requires_shipping {
        LineKind::Digital
    } else if item.product.is_none() && item.sku.as_ref().is_none_or(|sku| sku.trim().is_empty()) {
        // A product that was deleted since is null as well, but leaves its SKU.
        LineKind::Custom
    } else {
        LineKind::Goods
    }
}

/// Units that money was given back for. `currentQuantity` leaves out refunded and removed units alike, and only an edit
/// removes some: so in an order that was never edited the rest is refunded, and in others nothing is said. (The refunds
/// themselves would make each page a tenth dearer.)
fn refunded(order: &wire::Order<'_>, item: &wire::LineItem<'_>) -> u32 {
    if order.edited || order.cancelled_at.is_some() {
        return 0;
    }
    u32::try_from(item.quantity.saturating_sub(item.current_quantity)).unwrap_or(0)
}

fn holds(wire: &wire::Order<'_>) -> Vec<String> {
    let mut holds: Vec<String> = Vec::new();
    let mut add = |text: String| {
        if !holds.contains(&text) {
            holds.push(text);
        }
    };
    for fo in &wire.fulfillment_orders.nodes {
        match &*fo.status {
            "OPEN" | "IN_PROGRESS" | "INCOMPLETE" => {}
            "ON_HOLD" if fo.fulfillment_holds.is_empty() => add("on hold".to_owned()),
            "ON_HOLD" => {
                for hold in &fo.fulfillment_holds {
                    match hold.reason_notes.as_deref().filter(|notes| !notes.trim().is_empty()) {
                        Some(notes) => add(format!("on hold: {} ({notes})", &*hold.display_reason)),
                        None => add(format!("on hold: {}", &*hold.display_reason)),
                    }
                }
            }
            "SCHEDULED" => match &fo.fulfill_at {
                Some(at) => add(format!("fulfillment scheduled for {}", at.get(..10).unwrap_or(at))),
                None => add("fulfillment scheduled for later".to_owned()),
            },
            status if is_open(status) => add(format!("fulfillment order in the unknown status {status}")),
            _ => {}
        }
        match &*fo.request_status {
            _ if !is_open(&fo.status) => {}
            "UNSUBMITTED"
            | "SUBMITTED"
            | "ACCEPTED"
            | "CANCELLATION_REQUESTED"
            | "CANCELLATION_ACCEPTED"
            | "CANCELLATION_REJECTED"
            | "CLOSED" => {}
            "REJECTED" => add("the fulfillment request was rejected on the shop".to_owned()),
            word => add(format!("fulfillment order in the unknown request status {word}")),
        }
    }
    if let Some(text) = wire.risk.as_ref().and_then(|risk| risk_hold(&risk.recommendation)) {
        add(text);
    }
    for dispute in wire.disputes.iter().flatten() {
        // `PREVENTED` is mostly prevented by giving the money back: only a dispute that was won is none.
        if *dispute.status != *"WON" {
            let kind = dispute.initiated_as.to_lowercase();
            add(format!(
                "the payment is disputed ({kind}, {})",
                dispute.status.to_lowercase().replace('_', " ")
            ));
        }
    }
    holds
}

/// What the shop's risk analysis means for the supplier: whatever is not clearly well waits for a person, who can
/// override the gate. (Nothing in the order tells that the merchant has looked into it.)
fn risk_hold(recommendation: &str) -> Option<String> {
    match recommendation {
        "ACCEPT" | "NONE" => None,
        "CANCEL" => Some("the shop's risk analysis recommends to cancel the order".to_owned()),
        "INVESTIGATE" => Some("the shop's risk analysis recommends to investigate the order".to_owned()),
        word => Some(format!("the shop's risk analysis has the unknown recommendation {word}")),
    }
}

fn tracking(wire: &wire::Tracking<'_>) -> RemoteTracking {
    RemoteTracking {
        company: filled(wire.company.as_ref()),
        number: filled(wire.number.as_ref()),
        url: filled(wire.url.as_ref()),
    }
}

fn filled(text: Option<&Text<'_>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(|text| text.to_string())
}

fn address(wire: &wire::Address<'_>) -> Address {
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.to_string()).unwrap_or_default();
    let either = |first: &Option<Text<'_>>, second: &Option<Text<'_>>| match first {
        Some(first) if !first.is_empty() => first.to_string(),
        _ => text(second),
    };
    let mut name = text(&wire.name);
    if name.is_empty() {
        let joined = [text(&wire.first_name), text(&wire.last_name)].join(" ");
        joined.trim().clone_into(&mut name);
    }
    Address {
        name,
        company: text(&wire.company),
        address1: text(&wire.address1),
        address2: text(&wire.address2),
        city: text(&wire.city),
        province: either(&wire.province_code, &wire.province),
        zip: text(&wire.zip),
        country: either(&wire.country_code_v2, &wire.country),
        phone: text(&wire.phone),
    }
}

fn repeated(lines: &[Line]) -> Option<&RemoteId> {
    lines
        .iter()
        .enumerate()
        .find_map(|(at, line)| lines[..at].iter().any(|earlier| earlier.id == line.id).then_some(&line.id))
}
