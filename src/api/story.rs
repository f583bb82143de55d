//! An order's story in whole sentences, for a reader who knows nothing of it. Pure.

use sdk::Timestamp;

use super::{document::Push, view};
use crate::{
    outbox::WriteKind,
    plan::address,
    record::{AccountLine, Event, Owner, Record, Shipment, Status, SupplierOrder},
};

/// What changed an order's course: told in the story, in its order, at the time that it happened on the channel.
const TURNS: &[&str] = &[
    "order.cancelled",
    "order.reinstated",
    "cancel.requested",
    "cancel.withdrawn",
    "cancel.accepted",
    "cancel.rejected",
    "order.fulfilled_elsewhere",
    "order.split_on_channel",
    "order.address_changed",
    "order.address_confirmed",
    "order.channel_hold",
    "order.channel_release",
    "order.shipped_after_cancel",
    "fulfillment.reduced",
    "order.vanished",
    "order.returned",
    "order.edited",
];

/// The story, one sentence or two an entry: what was ordered, what changed it, where each unit is, what left, what is
/// still to do. `timeline` is the whole of it, oldest first.
pub fn tell(record: &Record, timeline: &[Event]) -> Vec<String> {
    let mut story = vec![placed(record)];
    let turns = timeline.iter().filter(|event| TURNS.contains(&event.event.as_str()));
    story.extend(
        turns.map(|event| format!("{}: {}.", stamp(event.channel_at.unwrap_or(event.at)), event.text)),
    );
    if let Some(why) = &record.excluded {
        story.push(format!("It is {why}, so nothing of it is the supplier's."));
    }
    story.extend(ours(record).map(|line| units(record, line)));
    story.extend(
        record.orders.iter().filter(|order| order.split_of.is_some()).map(|order| split(record, order)),
    );
    story.extend(record.shipments.iter().map(|parcel| left(record, parcel)));
    story.extend(to_do(record));
    story
}

fn ours(record: &Record) -> impl Iterator<Item = &AccountLine> {
    record.lines.iter().filter(|line| matches!(line.owner, Owner::Supplier { .. }))
}

fn placed(record: &Record) -> String {
    let others = record.lines.len() - ours(record).count();
    let whose = match (ours(record).count(), others) {
        (0, _) => "none of its lines is the supplier's".to_owned(),
        (1, 0) => "its one line is the supplier's".to_owned(),
        (mine, 0) => format!("all of its {mine} lines are the supplier's"),
        (mine, others) => {
            format!("of its {} lines the supplier's are {mine}, the merchant's own {others}", mine + others)
        }
    };
    format!(
        "{} was placed {} in {}'s channel {} and first seen here {}; {whose}.",
        record.seen.number,
        stamp(record.seen.placed_at),
        record.merchant,
        record.channel,
        stamp(record.imported_at)
    )
}

/// Where the units of a line are.
fn units(record: &Record, line: &AccountLine) -> String {
    let parts: Vec<String> = [
        (line.excluded, "excluded by the cut-over"),
        (line.held, "held by a gate"),
        (record.open_units(line), "open"),
        (record.shipped_units(line), "shipped"),
        (line.all_cancelled(), "cancelled"),
        (line.elsewhere_before + line.elsewhere_after, "fulfilled by someone else"),
    ]
    .into_iter()
    .filter(|(units, _)| *units > 0)
    .map(|(units, word)| format!("{units} {word}"))
    .collect();
    let mut text = format!("Now, of {} × {} ordered at most: {}.", line.ordered, line.name(), joined(&parts));
    if line.by_hand > 0 {
        text.push_str(&format!(
            " {} of them were cancelled by a person here; the channel does not show that.",
            line.by_hand
        ));
    }
    if line.cancel_rejected > 0 {
        text.push_str(&format!(
            " The channel does not want {} of them; the supplier rejected that.",
            line.cancel_rejected
        ));
    }
    text
}

fn split(record: &Record, order: &SupplierOrder) -> String {
    let lines: Vec<String> =
        order.lines.iter().map(|line| format!("{} × {}", line.quantity(), line.sku)).collect();
    format!(
        "{} is a part of it, apart from {}: {}; it is {}.",
        record.id.order(order.n),
        record.id.order(order.split_of.unwrap_or(1)),
        joined(&lines),
        word(record.status(order))
    )
}

fn left(record: &Record, parcel: &Shipment) -> String {
    let of_line = |line: &crate::record::ShippedLine| {
        let own = record.orders.iter().flat_map(|order| &order.lines).find(|own| own.id == line.line);
        format!("{} × {}", line.quantity, own.map_or("a line that is gone", |own| own.sku.as_str()))
    };
    let lines: Vec<String> = parcel.lines.iter().map(of_line).collect();
    let by = match (&*parcel.tracking.carrier, &parcel.tracking.number) {
        ("", None) => "without a number".to_owned(),
        ("", Some(number)) => format!("as {number}"),
        (carrier, None) => format!("by {carrier}, without a number"),
        (carrier, Some(number)) => format!("by {carrier} as {number}"),
    };
    let mut text = format!(
        "Parcel {} of {} left {} {by} with {}",
        parcel.label(),
        record.id.order(parcel.order),
        stamp(parcel.shipped_at),
        joined(&lines)
    );
    if let Some(at) = parcel.voided_at {
        text.push_str(&format!("; the supplier took it back {}", stamp(at)));
    }
    text.push_str(match view::push(record, parcel) {
        Push::Pending => "; the channel is to hear of it",
        Push::Waiting => "; the channel hears of it with the parcel that completes a kit",
        Push::Indeterminate => "; whether the channel heard of it is being looked up",
        Push::Done => "; the channel knows it",
        Push::Parked => "; the channel refuses it, a person must decide",
        Push::NotPushed => "; the channel hears nothing of it",
    });
    if let Some(at) = parcel.cancelled_at {
        text.push_str(&format!(", though units of it had been cancelled {}", stamp(at)));
    } else if parcel.after_cancel {
        text.push_str(", though units of it had been cancelled");
    }
    if !parcel.untold.is_empty() {
        text.push_str(" and are not told");
    }
    text.push('.');
    text
}

/// What is still to be done, and by whom.
fn to_do(record: &Record) -> Vec<String> {
    let mut todo = Vec::new();
    if let Some(since) = record.cancel_requested_at {
        let asked: Vec<String> = ours(record)
            .filter(|line| line.cancel_requested > 0)
            .map(|line| format!("{} × {}", line.cancel_requested, line.name()))
            .collect();
        todo.push(format!(
            "To do: the cancellation of {} waits for the supplier's answer since {} (`orders accept-cancel` or \
             `orders reject-cancel`).",
            joined(&asked),
            stamp(since)
        ));
    }
    for order in &record.orders {
        let id = record.id.order(order.n);
        if address::change(record, order).is_some() {
            todo.push(format!(
                "To do: the address of {id} changed; `orders confirm-address {id}` decides on it."
            ));
        }
        match record.status(order) {
            Status::Open => todo.push(format!("To do: {id} waits for the supplier to take it into work.")),
            Status::InWork | Status::PartlyShipped => {
                todo.push(format!("To do: {id} is in work and has units to ship."));
            }
            Status::Held => todo.push(format!("{id} is held and must not be worked on.")),
            Status::Shipped | Status::Cancelled => {}
        }
    }
    for write in record.writes.iter().filter(|write| write.state.is_parked()) {
        let what = match write.kind {
            WriteKind::Create => "tell a parcel",
            WriteKind::Track => "correct a parcel's tracking",
            WriteKind::Void => "take a parcel back",
            WriteKind::Split => "show a split",
            WriteKind::Answer => "answer a cancellation request",
        };
        todo.push(format!(
            "To do: the channel refused to {what} ({}); `outbox retry {1}` or `outbox drop {1}` decides it.",
            write.error.as_deref().unwrap_or("no reason is known"),
            write.key
        ));
    }
    if todo.is_empty() {
        todo.push(if record.writes.iter().any(|write| write.state.is_owed()) {
            "Nothing is left to do but to tell the channel, which goes by itself.".to_owned()
        } else {
            "Nothing is left to do.".to_owned()
        });
    }
    todo
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Held => "held",
        Status::Open => "open",
        Status::InWork => "in work",
        Status::PartlyShipped => "partly shipped",
        Status::Shipped => "shipped",
        Status::Cancelled => "cancelled",
    }
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn stamp(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
