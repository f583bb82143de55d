//! `portald outbox …` and `portald set-aside`.

use clap::Subcommand;
use serde_json::json;

use super::{
    Failure,
    client::{Answer, Client, part, query},
    orders,
    output::{self, Table},
};
use crate::api::document::{Outbox, SetAside};

/// Verbs on writes owed.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Writes owed, uncertain or parked.
    List {
        /// Only this merchant's.
        #[arg(long)]
        merchant: Option<String>,
        /// Only in this state: pending, attempting, indeterminate, parked.
        #[arg(long)]
        state: Option<String>,
        /// At most so many (1 to 250).
        #[arg(long)]
        limit: Option<usize>,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
    },
    /// Send a parked write again (or a waiting one now).
    Retry {
        /// Its key.
        write: String,
    },
    /// Give up a write that is owed or parked.
    Drop {
        /// Its key.
        write: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
    },
}

/// Does one.
pub async fn run(client: &Client, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { merchant, state, limit, after } => {
            let filter = query(&[
                ("merchant", merchant),
                ("state", state),
                ("limit", limit.map(|limit| limit.to_string())),
                ("after", after),
            ]);
            list(client, &filter).await
        }
        Verb::Retry { write } => {
            let path = format!("/v1/outbox/{}/retry", part(&write));
            orders::command(client, &path, &json!({}), None).await
        }
        Verb::Drop { write, reason } => {
            let path = format!("/v1/outbox/{}/drop", part(&write));
            orders::command(client, &path, &json!({ "reason": reason }), None).await
        }
    }
}

async fn list(client: &Client, filter: &str) -> Result<(), Failure> {
    let Answer { document, text, now } = client.get::<Outbox>(&format!("/v1/outbox{filter}")).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table = Table::new(&["KEY", "NUMBER", "STATE", "AGE", "TRIES", "NEXT", "LAST FAILURE"]);
    for entry in document.entries {
        let next = if entry.state == "parked" {
            "a person decides".to_owned()
        } else if entry.next_at <= now {
            "due".to_owned()
        } else {
            format!("in {}", output::age(entry.next_at, now))
        };
        table.row([
            entry.key,
            entry.number,
            entry.state,
            output::age(now, entry.planned_at),
            entry.attempts.to_string(),
            next,
            entry.waits.or(entry.error).unwrap_or_default(),
        ]);
    }
    table.print("Nothing is owed to any channel.")?;
    if let Some(next) = document.next {
        output::say(&format!("More: --after {next}"))?;
    }
    Ok(())
}

/// `portald set-aside`.
pub async fn set_aside(client: &Client, merchant: Option<String>, raw: bool) -> Result<(), Failure> {
    let filter = query(&[("merchant", merchant), ("raw", raw.then(|| "true".to_owned()))]);
    let Answer { document, text, now } = client.get::<SetAside>(&format!("/v1/set-aside{filter}")).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table = Table::new(&["MERCHANT", "CHANNEL", "ORDER", "AGE", "SEEN", "WHY", "PAYLOAD"]);
    for entry in document.set_aside {
        table.row([
            entry.merchant,
            entry.channel,
            entry.id,
            output::age(now, entry.at),
            entry.seen.to_string(),
            entry.reason,
            entry.raw.unwrap_or_default(),
        ]);
    }
    Ok(table.print("Nothing is set aside.")?)
}
