//! `portald status`.

use super::{
    Failure,
    client::{Answer, Client},
    output::{self, Table},
};
use crate::api::document::{DaemonStatus, Merchant};

/// Prints what the daemon is doing.
pub async fn status(client: &Client) -> Result<(), Failure> {
    let Answer { document, text, .. } = client.get::<DaemonStatus>("/v1/status").await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    output::say(&format!(
        "{} · portald {} · up {} · {}{}",
        output::plain(&document.supplier),
        document.version,
        output::age(document.now, document.started_at),
        output::count(document.merchants.len() as u64, "merchant"),
        if document.set_aside > 0 {
            format!(" · {} set aside (`portald set-aside`)", document.set_aside)
        } else {
            String::new()
        }
    ))?;
    merchants(&document.merchants)
}

/// Prints merchants and, below, what needs a person.
pub fn merchants(merchants: &[Merchant]) -> Result<(), Failure> {
    let head = ["MERCHANT", "STATE", "LAST PULL", "OPEN", "HELD", "OWED", "PARKED", "CANCELS", "ASIDE"];
    let mut table = Table::new(&head);
    let mut troubles = Vec::new();
    for merchant in merchants {
        let state = if !merchant.configured {
            "not configured".to_owned()
        } else if merchant.suspended {
            "SUSPENDED".to_owned()
        } else if merchant.paused {
            "paused".to_owned()
        } else {
            merchant.mode.clone()
        };
        let pull = merchant.lag_secs.map_or_else(
            || "none yet".to_owned(),
            |secs| {
                format!(
                    "{} ago",
                    output::age(
                        sdk::Timestamp::default() + chrono::TimeDelta::seconds(secs),
                        sdk::Timestamp::default()
                    )
                )
            },
        );
        let counts = [
            merchant.open,
            merchant.held,
            merchant.owed,
            merchant.parked,
            merchant.cancel_requests,
            merchant.set_aside,
        ];
        table
            .row([merchant.id.clone(), state, pull].into_iter().chain(counts.map(|count| count.to_string())));
        for channel in &merchant.channels {
            let name = format!("{}/{}", merchant.id, channel.id);
            if let Some(why) = &channel.status.suspended {
                troubles.push(format!("{name}: suspended: {why}"));
            } else if let Some(error) = &channel.status.last_error {
                troubles.push(format!(
                    "{name}: {} failed in a row: {error}",
                    output::count(u64::from(channel.status.failures), "pull")
                ));
            }
            if let Some(restored) = channel.status.restored {
                let left = match channel.status.unread {
                    Some(left) => format!("{} still to be read back", output::count(left, "order")),
                    None => "its open orders are still to be read back".to_owned(),
                };
                troubles.push(format!(
                    "{name}: restored from the backup of {}: {left}; nothing is written to it until then",
                    output::instant(restored.taken)
                ));
            }
            if channel.status.repaired > 0 {
                troubles.push(format!(
                    "{name}: sweeps repaired {}",
                    output::count(channel.status.repaired, "order")
                ));
            }
        }
    }
    table.print("No merchants.")?;
    for trouble in troubles {
        output::say(&format!("! {}", output::plain(&trouble)))?;
    }
    Ok(())
}
