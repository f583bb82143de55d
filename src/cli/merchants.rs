//! `portald merchants …` and `portald sweep`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Failure,
    client::{Answer, Client, part, query},
    output::{self, Table},
    status,
};
use crate::{
    api::document::{AccountList, AccountOrder, Done, Merchant, MerchantList},
    record::RecordId,
};

/// Verbs on merchants.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// All merchants.
    List,
    /// One merchant and its channels.
    Show {
        /// Merchant id.
        id: String,
    },
    /// The merchant account: all its orders, or one with every line's owner.
    Orders {
        /// Merchant id, or an order's id.
        id: String,
        /// `channel/order`, or an order's id: only this one.
        order: Option<String>,
        /// Only this channel's.
        #[arg(long)]
        channel: Option<String>,
        /// Text in number, ids, SKUs, tracking or name.
        #[arg(long, short)]
        q: Option<String>,
        /// At most so many (1 to 250).
        #[arg(long)]
        limit: Option<usize>,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
    },
    /// Pull now.
    Sync {
        /// Merchant id.
        id: String,
    },
    /// Stop reading and writing its channels.
    Pause {
        /// Merchant id.
        id: String,
    },
    /// Go on.
    Resume {
        /// Merchant id.
        id: String,
    },
    /// What is stored of OLD is NEW's from now on: after its file was renamed.
    Rename {
        /// The id in the store.
        old: String,
        /// The id in the files.
        new: String,
    },
}

/// Does one.
pub async fn run(client: &Client, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List => {
            let Answer { document, text, .. } = client.get::<MerchantList>("/v1/merchants").await?;
            if client.json {
                return Ok(output::say(&text)?);
            }
            status::merchants(&document.merchants)
        }
        Verb::Show { id } => show(client, &id).await,
        Verb::Orders { id, order, channel, q, limit, after } => {
            let one = match order {
                Some(order) => Some(place(&id, &order)?),
                // A merchant's id has no dot; an order's id has two.
                None if id.contains('.') => Some(place("", &id)?),
                None => None,
            };
            match one {
                Some(path) => account(client, &path).await,
                None => {
                    let filter = query(&[
                        ("channel", channel),
                        ("q", q),
                        ("limit", limit.map(|limit| limit.to_string())),
                        ("after", after),
                    ]);
                    accounts(client, &format!("/v1/merchants/{}/orders{filter}", part(&id))).await
                }
            }
        }
        Verb::Sync { id } => control(client, &format!("/v1/merchants/{}/sync", part(&id)), json!({})).await,
        Verb::Pause { id } => control(client, &format!("/v1/merchants/{}/pause", part(&id)), json!({})).await,
        Verb::Resume { id } => {
            control(client, &format!("/v1/merchants/{}/resume", part(&id)), json!({})).await
        }
        Verb::Rename { old, new } => {
            control(client, &format!("/v1/merchants/{}/rename", part(&old)), json!({ "to": new })).await
        }
    }
}

/// `portald sweep`.
pub async fn sweep(client: &Client, merchant: Option<String>) -> Result<(), Failure> {
    control(client, "/v1/sweep", json!({ "merchant": merchant })).await
}

/// Asks for something that is answered in words.
pub(super) async fn control(client: &Client, path: &str, body: Value) -> Result<(), Failure> {
    let Answer { document, text, .. } = client.post::<_, Done>(path, &body, None).await?;
    Ok(output::say(if client.json { &text } else { &document.done })?)
}

/// The address of one order of a merchant account, from `channel/order` or an order's id.
fn place(merchant: &str, order: &str) -> Result<String, Failure> {
    if let Some((channel, remote)) = order.split_once('/').filter(|_| !merchant.is_empty()) {
        return Ok(format!("/v1/merchants/{}/orders/{}/{}", part(merchant), part(channel), part(remote)));
    }
    let parts = RecordId::parse_order(order).and_then(|(id, _)| {
        let (merchant, rest) = id.0.split_once('.')?;
        let (channel, _) = rest.split_once('.')?;
        Some((merchant.to_owned(), channel.to_owned()))
    });
    let (owner, channel) =
        parts.filter(|(owner, _)| merchant.is_empty() || owner == merchant).ok_or_else(|| {
            Failure::Usage(format!("{order:?} is neither `channel/order` nor an order's id of this merchant"))
        })?;
    Ok(format!("/v1/merchants/{}/orders/{}/{}", part(&owner), part(&channel), part(order)))
}

async fn show(client: &Client, id: &str) -> Result<(), Failure> {
    let Answer { document, text, now } =
        client.get::<Merchant>(&format!("/v1/merchants/{}", part(id))).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    output::say(&format!("{} · {}", document.id, output::plain(&document.name)))?;
    let channels = document.channels.clone();
    status::merchants(&[document])?;
    output::say("")?;
    let mut table =
        Table::new(&["CHANNEL", "CONNECTOR", "LAST PULL", "ORDERS", "LAST DELIVERY", "IT CANNOT"]);
    let ago = |at: Option<sdk::Timestamp>| {
        at.map_or_else(|| "none yet".to_owned(), |at| format!("{} ago", output::age(now, at)))
    };
    for channel in channels {
        table.row([
            channel.id,
            channel.connector,
            ago(channel.status.last_pull),
            channel.status.last_orders.to_string(),
            ago(channel.status.last_delivery),
            channel.gaps.join("; "),
        ]);
    }
    Ok(table.print("No channels.")?)
}

async fn accounts(client: &Client, path: &str) -> Result<(), Failure> {
    let Answer { document, text, now } = client.get::<AccountList>(path).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table =
        Table::new(&["NUMBER", "CHANNEL", "ORDER", "AGE", "OURS", "NOT OURS", "SUPPLIER ORDERS", "NOTE"]);
    for order in document.orders {
        let ours = order.lines.iter().filter(|line| line.owner == "supplier").count();
        let not_ours = order.lines.len() - ours;
        let supplier_orders: Vec<_> = order
            .supplier_orders
            .iter()
            .map(|order| format!("{} {}", order.id, order.status.as_str()))
            .collect();
        let mut notes: Vec<String> = order.excluded.into_iter().collect();
        if order.test {
            notes.push("test".to_owned());
        }
        if order.shadow {
            notes.push("shadow".to_owned());
        }
        notes.extend(order.gates);
        table.row([
            order.number,
            order.channel,
            order.channel_order,
            output::age(now, order.placed_at),
            ours.to_string(),
            not_ours.to_string(),
            supplier_orders.join(", "),
            notes.join("; "),
        ]);
    }
    table.print("No orders.")?;
    if let Some(next) = document.next {
        output::say(&format!("More: --after {next}"))?;
    }
    Ok(())
}

async fn account(client: &Client, path: &str) -> Result<(), Failure> {
    let Answer { document: order, text, .. } = client.get::<AccountOrder>(path).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    output::say(&output::plain(&format!(
        "{} · {} · {}/{} · placed {}",
        order.number,
        order.id,
        order.merchant,
        order.channel,
        output::instant(order.placed_at)
    )))?;
    if let Some(why) = &order.excluded {
        output::say(&output::plain(&format!("excluded: {why}")))?;
    }
    for gate in order.gates.iter().chain(&order.holds) {
        output::say(&output::plain(&format!("held: {gate}")))?;
    }
    let mut lines =
        Table::new(&["LINE", "SKU", "OWNER", "BY", "ORDERED", "HELD", "OPEN", "SHIPPED", "CANCELLED"]);
    for line in order.lines {
        lines.row([
            line.id,
            line.sku.unwrap_or_default(),
            line.owner,
            line.rule,
            line.ordered.to_string(),
            line.held.to_string(),
            line.open.to_string(),
            line.shipped.to_string(),
            (line.cancelled + line.cancelled_after).to_string(),
        ]);
    }
    lines.print("No lines.")?;
    for split in order.splits {
        let lines: Vec<_> =
            split.lines.iter().map(|line| format!("{} × {}", line.line, line.quantity)).collect();
        output::say(&output::plain(&format!("split {}: {}", split.order, lines.join(", "))))?;
    }
    for parcel in order.parcels {
        output::say(&output::plain(&format!(
            "parcel {} {}: {} {}{} · on the channel: {}",
            parcel.order,
            parcel.id,
            parcel.tracking.carrier,
            parcel.tracking.number.as_deref().unwrap_or("without a number"),
            if parcel.voided { " (voided)" } else { "" },
            parcel.push.as_str()
        )))?;
    }
    for alert in order.alerts {
        output::say(&output::plain(&format!("! {alert}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn an_account_order_is_named_three_ways() {
        assert_eq!(place("bluefin", "shop/#1001").unwrap(), "/v1/merchants/bluefin/orders/shop/%231001");
        let by_id = "/v1/merchants/bluefin/orders/shop/bluefin.shop.1001-2";
        assert_eq!(place("bluefin", "bluefin.shop.1001-2").unwrap(), by_id);
        assert_eq!(place("", "bluefin.shop.1001-2").unwrap(), by_id);
        assert!(place("other", "bluefin.shop.1001").is_err());
        assert!(place("bluefin", "1001").is_err());
    }
}
