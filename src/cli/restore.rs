//! `portald restore`.

use std::path::Path;

use sdk::Clock;
use serde_json::json;

use super::{Failure, client::Client, offline, output};
use crate::{
    clock::SystemClock,
    store::sled::restore::{self, Done},
};

/// Makes the store anew from a backup.
pub async fn restore(client: &Client, config: &Path, file: &Path, force: bool) -> Result<(), Failure> {
    let path = offline::store_of(config)?;
    if client.finds_daemon().await? {
        return Err(Failure::Failed(
            "the daemon is running: stop it first (`systemctl stop portald`), then restore".to_owned(),
        ));
    }
    let Done { header, report, open, aside } = restore::restore(file, &path, SystemClock.now(), force)?;
    if client.json {
        let document = json!({
            "file": file, "taken": header.at, "store": path, "open": open, "aside": aside,
            "counted": report.counted, "findings": report.findings, "more": report.more,
        });
        return Ok(output::say(&document.to_string())?);
    }
    output::say(&format!(
        "The store in {} is that of {} again: {}, {} of them open.",
        path.display(),
        output::instant(header.at),
        output::count(report.counted.get("orders").copied().unwrap_or(0), "order"),
        open
    ))?;
    if let Some(aside) = aside {
        output::say(&format!("The store that was there is in {}.", aside.display()))?;
    }
    for finding in &report.findings {
        output::say(&output::plain(&format!("! {}: {}", finding.key, finding.what)))?;
    }
    Ok(output::say(
        "Start the daemon. It reads every open order back before it writes anything to a channel; `portald status` \
         shows how far it is. What was recorded after the backup and had not reached a channel is lost: the bench \
         enters it again. Stock waits: set or import the figures, then `portald inventory release MERCHANT`.",
    )?)
}
