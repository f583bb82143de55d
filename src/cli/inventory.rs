//! `portald inventory …`.

use std::{
    io::{IsTerminal, Read, Write},
    path::PathBuf,
};

use clap::{ArgGroup, Subcommand};
use sdk::Timestamp;
use serde_json::json;

use super::{
    Failure,
    client::{Answer, Client, part, query},
    merchants::control,
    output::{self, Table},
};
use crate::api::stock_document::{History, Imported, Levels, Offers, Run, Undone, Write as Wrote};

/// Verbs on stock.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The supplier's figures; with --merchant what its channels may show.
    List {
        /// What this merchant's channels may show, and what they acknowledged.
        #[arg(long, conflicts_with_all = ["sku", "after", "limit"])]
        merchant: Option<String>,
        /// Only what a push would write.
        #[arg(long, requires = "merchant")]
        diff: bool,
        /// Only this SKU.
        #[arg(long)]
        sku: Option<String>,
        /// At most so many (1 to 1000).
        #[arg(long)]
        limit: Option<usize>,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
    },
    /// Tell one figure.
    #[command(group(ArgGroup::new("figure").required(true).args(["on_hand", "add"])))]
    Set {
        /// Our SKU.
        sku: String,
        /// Where; the only warehouse, without.
        #[arg(long)]
        warehouse: Option<String>,
        /// Units from now on.
        #[arg(long, value_name = "UNITS")]
        on_hand: Option<i64>,
        /// Units more, or fewer: --add=-3.
        #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
        add: Option<i64>,
    },
    /// Tell many figures: a CSV with `sku`, `quantity` and, with several warehouses, `warehouse`. Whole or not at all.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Quantities are added, not set.
        #[arg(long)]
        delta: bool,
        /// Say what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// The file names only some SKUs on purpose: it may be short.
        #[arg(long)]
        partial: bool,
        /// The warehouse of all rows.
        #[arg(long)]
        warehouse: Option<String>,
    },
    /// What moved a SKU's figures and what was written of it; or every write of a run.
    History {
        /// Our SKU, or a merchant's.
        #[arg(required_unless_present = "run")]
        sku: Option<String>,
        /// A run instead: MERCHANT.CHANNEL.NUMBER.
        #[arg(long, conflicts_with = "sku")]
        run: Option<String>,
    },
    /// Let a merchant's stock go on after the breaker or an undo: you have looked at it.
    Release {
        /// Merchant id.
        merchant: String,
    },
    /// Write back what the channel showed before a run; publishing then waits for a release.
    Undo {
        /// MERCHANT.CHANNEL.NUMBER, as `inventory history` shows it.
        run: String,
        /// Say what would be written, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does one.
pub async fn run(client: &Client, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { merchant: Some(merchant), diff, .. } => offers(client, &merchant, diff).await,
        Verb::List { sku, limit, after, .. } => {
            let filter =
                query(&[("sku", sku), ("limit", limit.map(|limit| limit.to_string())), ("after", after)]);
            levels(client.get(&format!("/v1/inventory{filter}")).await?, client)
        }
        Verb::Set { sku, warehouse, on_hand, add } => {
            let level = json!({ "sku": sku, "warehouse": warehouse, "on_hand": on_hand, "add": add });
            levels(client.put("/v1/inventory", &json!({ "levels": [level] })).await?, client)
        }
        Verb::Import { file, delta, dry_run, partial, warehouse } => {
            let flag = |on: bool| on.then(|| "true".to_owned());
            let filter = query(&[
                ("delta", flag(delta)),
                ("dry_run", flag(dry_run)),
                ("partial", flag(partial)),
                ("warehouse", warehouse),
            ]);
            import(client, &file, &filter).await
        }
        Verb::History { run: Some(run), .. } => one_run(client, &run).await,
        Verb::History { sku, .. } => history(client, &sku.unwrap_or_default()).await,
        Verb::Release { merchant } => {
            control(client, "/v1/inventory/release", json!({ "merchant": merchant })).await
        }
        Verb::Undo { run, dry_run } => undo(client, &run, dry_run).await,
    }
}

fn levels(answer: Answer<Levels>, client: &Client) -> Result<(), Failure> {
    let Answer { document, text, now } = answer;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table = Table::new(&["SKU", "WAREHOUSE", "ON HAND", "COMMITTED", "AVAILABLE", "TOLD"]);
    for level in document.levels {
        table.row([
            level.sku,
            level.warehouse,
            level.on_hand.to_string(),
            level.committed.to_string(),
            level.available.to_string(),
            ago(now, level.told_at),
        ]);
    }
    table.print("No figures.")?;
    if let Some(next) = document.next {
        output::say(&format!("More: --after {next}"))?;
    }
    Ok(())
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", output::age(now, at))
}

fn shown(figure: Option<i64>) -> String {
    figure.map_or_else(|| "?".to_owned(), |figure| figure.to_string())
}

async fn offers(client: &Client, merchant: &str, diff: bool) -> Result<(), Failure> {
    let filter = if diff { "?diff=true" } else { "" };
    let path = format!("/v1/inventory/merchants/{}{filter}", part(merchant));
    let Answer { document, text, now } = client.get::<Offers>(&path).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    for channel in &document.channels {
        let state = match (&channel.stopped, channel.sync, channel.shadow) {
            (_, false, _) => "inventory sync is off".to_owned(),
            (Some(why), ..) => format!(
                "STOPPED: {why}{}; `portald inventory release {merchant}`",
                channel.stopped_run.as_ref().map_or_else(String::new, |run| format!(" (run {run})"))
            ),
            (None, true, true) => "shadow: nothing is sent".to_owned(),
            (None, true, false) => match (&channel.last_run, channel.pushed_at) {
                (Some(run), Some(at)) => format!("last written {} (run {run})", ago(now, at)),
                _ => "nothing written yet".to_owned(),
            },
        };
        let catalogue = channel
            .catalogue_at
            .map_or_else(|| "not read yet".to_owned(), |at| format!("read {}", ago(now, at)));
        let line = format!("{merchant}/{}: {state}; catalogue {catalogue}", channel.channel);
        output::say(&output::plain(&line))?;
    }
    let mut table = Table::new(&["CHANNEL", "SKU", "VARIANT", "AVAILABLE", "TO SHOW", "SHOWS", "WHY"]);
    for offer in document.products {
        let number = |figure: Option<u32>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        table.row([
            offer.channel,
            offer.sku.unwrap_or_default(),
            offer.variant,
            number(offer.available),
            number(offer.published),
            shown(offer.acknowledged),
            offer.note.unwrap_or_default(),
        ]);
    }
    Ok(table.print(if diff { "Nothing would be written." } else { "No products of ours are listed." })?)
}

async fn import(client: &Client, file: &PathBuf, filter: &str) -> Result<(), Failure> {
    let (source, length): (Box<dyn Read + Send>, Option<u64>) = if file.as_os_str() == "-" {
        (Box::new(std::io::stdin()), None)
    } else {
        let cannot = |error| Failure::Failed(format!("{} cannot be read: {error}", file.display()));
        let opened = std::fs::File::open(file).map_err(cannot)?;
        let length = opened.metadata().map_err(cannot)?.len();
        (Box::new(opened), Some(length))
    };
    let told = std::io::stderr().is_terminal();
    let progress = Progress { source, length, sent: 0, shown: 0, told };
    let path = format!("/v1/inventory/import{filter}");
    let answer = client.put_file::<Imported>(&path, Box::new(progress)).await;
    if told {
        // The line of the progress is over.
        let _ = write!(std::io::stderr(), "\r{:60}\r", "");
    }
    let Answer { document, text, .. } = answer?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let Imported { rows, new, changed, unchanged, zeroed, .. } = document;
    let done = match document.import {
        Some(id) => format!("import {id}"),
        None => "dry run, nothing was changed".to_owned(),
    };
    output::say(&format!(
        "{done}: {}; {new} new, {changed} changed ({zeroed} to zero), {unchanged} as they were",
        output::count(rows, "row")
    ))?;
    for warning in document.warnings {
        output::say(&format!("! {}", output::plain(&warning)))?;
    }
    Ok(())
}

/// A file on its way, that says how far it is.
struct Progress {
    source: Box<dyn Read + Send>,
    length: Option<u64>,
    sent: u64,
    shown: u64,
    told: bool,
}

/// Between two words on how far it is, in bytes.
const STEP: u64 = 256 * 1024;

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.sent += read as u64;
        if self.told && self.sent >= self.shown + STEP {
            self.shown = self.sent;
            let of = self.length.map_or_else(String::new, |length| format!(" of {:.1}", megabytes(length)));
            // Where it cannot be said, the work goes on.
            let _ = write!(std::io::stderr(), "\rsent {:.1}{of} MB", megabytes(self.sent));
        }
        Ok(read)
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

async fn history(client: &Client, sku: &str) -> Result<(), Failure> {
    let Answer { document, text, .. } =
        client.get::<History>(&format!("/v1/inventory/history/{}", part(sku))).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut moves = Table::new(&["WHEN", "WAREHOUSE", "CHANGE", "ON HAND", "WHY"]);
    for moved in document.moves {
        moves.row([
            output::instant(moved.at),
            moved.warehouse,
            moved.change,
            moved.on_hand.to_string(),
            moved.why,
        ]);
    }
    moves.print("No figure of it was ever told.")?;
    output::say("")?;
    writes(document.writes)
}

fn writes(written: Vec<Wrote>) -> Result<(), Failure> {
    let mut table = Table::new(&["WHEN", "RUN", "SKU", "BEFORE", "AFTER", "WHY", "ANSWER"]);
    for write in written {
        table.row([
            output::instant(write.at),
            write.run,
            write.sku,
            shown(write.before),
            write.after.to_string(),
            write.why,
            write.answer,
        ]);
    }
    Ok(table.print("Nothing was written.")?)
}

async fn one_run(client: &Client, run: &str) -> Result<(), Failure> {
    let Answer { document, text, .. } =
        client.get::<Run>(&format!("/v1/inventory/runs/{}", part(run))).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let end = document.end.unwrap_or_else(|| "under way, or cut off".to_owned());
    let shadow = if document.shadow { " · shadow: never sent" } else { "" };
    output::say(&output::plain(&format!(
        "{} · {} · {}{shadow} · {end}",
        document.run,
        output::instant(document.at),
        document.reason
    )))?;
    writes(document.writes)
}

async fn undo(client: &Client, run: &str, dry_run: bool) -> Result<(), Failure> {
    let body = json!({ "run": run, "dry_run": dry_run });
    let Answer { document, text, .. } = client.post::<_, Undone>("/v1/inventory/undo", &body, None).await?;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let count = output::count(document.writes.len() as u64, "write");
    let mut table = Table::new(&["SKU", "SHOWS", "GOES BACK TO"]);
    for write in document.writes {
        table.row([write.sku.unwrap_or_default(), shown(write.from), write.to.to_string()]);
    }
    table.print("Nothing is to be taken back.")?;
    output::say(&if dry_run {
        format!("{count} would take {run} back; none is made")
    } else {
        let merchant = run.split('.').next().unwrap_or_default();
        format!(
            "{run} is being taken back ({count}); publishing waits for `portald inventory release {merchant}`"
        )
    })?;
    Ok(())
}
