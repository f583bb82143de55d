//! Printing orders for people.

use sdk::{Address, Timestamp};

use crate::{
    api::document::{Order, OrderList, Why},
    cli::{
        Failure,
        client::{Answer, Client},
        output::{self, Table},
    },
    record::Level,
};

/// Prints a list.
pub(super) async fn list(client: &Client, filter: &str) -> Result<(), Failure> {
    let Answer { document, text, now } = client.get::<OrderList>(&format!("/v1/orders{filter}")).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table = Table::new(&["ID", "NUMBER", "STATUS", "AGE", "OPEN", "SHIPPED", "WHAT", "NOTE"]);
    for order in document.orders {
        let open: u64 = order.lines.iter().map(|line| u64::from(line.open)).sum();
        let shipped: u64 = order.lines.iter().map(|line| u64::from(line.shipped)).sum();
        let what: Vec<_> =
            order.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
        let what = if what.len() > 3 {
            format!("{}, and {} more", what[..3].join(", "), what.len() - 3)
        } else {
            what.join(", ")
        };
        table.row([
            order.id.clone(),
            order.number.clone(),
            order.status.as_str().to_owned(),
            output::age(now, order.placed_at),
            open.to_string(),
            shipped.to_string(),
            what,
            notes(&order, now).join("; "),
        ]);
    }
    table.print("No orders.")?;
    if let Some(next) = document.next {
        output::say(&format!("More: --after {next}"))?;
    }
    Ok(())
}

/// What a person should know of an order at a glance.
fn notes(order: &Order, now: Timestamp) -> Vec<String> {
    let mut notes = order.reasons.clone();
    // A gate names the channel's holds already.
    let told = |hold: &str| {
        order.reasons.iter().any(|reason| reason.starts_with("channel-hold:") && reason.contains(hold))
    };
    notes.extend(order.holds.iter().filter(|hold| !told(hold)).cloned());
    if let Some(request) = &order.cancel_request {
        let units: Vec<_> =
            request.lines.iter().map(|line| format!("{}={}", line.id, line.quantity)).collect();
        let age = output::age(now, request.at);
        notes.push(format!("STOP: cancellation of {} asked {age} ago", units.join(" ")));
    }
    if let Some(lead) = &order.merged_into {
        notes.push(format!("ships with {lead}"));
    }
    if order.shadow {
        notes.push("shadow".to_owned());
    }
    notes.extend(order.alerts.iter().map(|alert| format!("! {alert}")));
    notes
}

/// Prints one order.
pub(super) fn show(order: &Order, now: Timestamp) -> Result<(), Failure> {
    let say = |text: &str| output::say(&output::plain(text));
    for warning in order.warnings.iter().flatten() {
        say(&format!("warning: {warning}"))?;
    }
    say(&format!(
        "{} · {} · {}{} · placed {} · version {}",
        order.number,
        order.id,
        order.status.as_str(),
        if order.test { " · TEST" } else { "" },
        output::instant(order.placed_at),
        order.version
    ))?;
    for note in notes(order, now) {
        say(&format!("  {note}"))?;
    }
    if !order.channel_gaps.is_empty() {
        say(&format!("  the channel cannot tell everything: {}", order.channel_gaps.join("; ")))?;
    }
    if let Some(to) = &order.ship_to {
        say(&format!("to {}", place(to)))?;
    }
    if let Some(to) = &order.address_change {
        say(&format!("the channel now says: to {}", place(to)))?;
    }
    if let Some(method) = &order.shipping_method {
        say(&format!("by {method}"))?;
    }
    let mut lines =
        Table::new(&["LINE", "SKU", "MERCHANT SKU", "UNITS", "OPEN", "SHIPPED", "CANCELLED", "NOTE"]);
    for line in &order.lines {
        let mut note = Vec::new();
        if line.per_unit > 1 {
            note.push(format!("{} a unit", line.per_unit));
        }
        if line.edited.is_some() {
            note.push(format!("edited from {}", line.routed));
        }
        if line.short > 0 {
            note.push(format!("{} short", line.short));
        }
        if line.elsewhere > 0 {
            note.push(format!("{} fulfilled elsewhere", line.elsewhere));
        }
        if line.channel_line.is_none() {
            note.push("added by us".to_owned());
        }
        lines.row([
            line.id.clone(),
            line.sku.clone(),
            line.merchant_sku.clone().unwrap_or_default(),
            line.quantity.to_string(),
            line.open.to_string(),
            line.shipped.to_string(),
            line.cancelled.to_string(),
            note.join(", "),
        ]);
    }
    lines.print("No lines.")?;
    for parcel in &order.shipments {
        let lines: Vec<_> =
            parcel.lines.iter().map(|line| format!("{}={}", line.id, line.quantity)).collect();
        say(&format!(
            "{}: {} {} · {} · {}{} · on the channel: {}{}",
            parcel.id,
            parcel.carrier,
            parcel.tracking.as_deref().unwrap_or("without a number"),
            lines.join(" "),
            output::instant(parcel.shipped_at),
            match (parcel.voided, parcel.after_cancel) {
                (true, _) => " · VOIDED",
                (false, true) => " · SHIPPED AFTER CANCEL",
                (false, false) => "",
            },
            parcel.push.as_str(),
            parcel.push_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// An address on one line.
fn place(to: &Address) -> String {
    let parts =
        [&to.name, &to.company, &to.address1, &to.address2, &to.city, &to.province, &to.zip, &to.country];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    parts.join(", ").replace('\n', " ")
}

/// Prints an order's story, every decision, and its timeline.
pub(super) async fn why(client: &Client, path: &str) -> Result<(), Failure> {
    let Answer { document, text, .. } = client.get::<Why>(path).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let say = |text: &str| output::say(&output::plain(text));
    say(&format!("{} · {}", document.number, document.id))?;
    say(&document.summary)?;
    output::say("")?;
    for sentence in &document.story {
        say(sentence)?;
    }
    output::say("")?;
    let mut trace = Table::new(&["ABOUT", "WHY"]);
    for finding in document.trace {
        trace.row([finding.about, finding.text]);
    }
    trace.print("Nothing is known of it.")?;
    output::say("")?;
    let mut timeline = Table::new(&["WHEN", "EVENT", "WHAT"]);
    for event in document.timeline {
        let loud = match event.level {
            Level::Info => "",
            Level::Warn => "(warning) ",
            Level::Error => "(act) ",
        };
        let on_channel = event.channel_at.map(|at| format!(" (there at {})", output::instant(at)));
        let what = format!("{loud}{}{}", event.text, on_channel.unwrap_or_default());
        timeline.row([output::instant(event.at), event.event, what]);
    }
    Ok(timeline.print("Nothing happened yet.")?)
}
