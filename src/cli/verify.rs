//! `portald verify`.

use std::path::Path;

use serde_json::json;

use super::{
    Failure,
    client::{Answer, Client},
    offline,
    output::{self, Table},
};
use crate::store::{
    sled::{self, SledStore},
    verify::Report,
};

/// Looks through a backup, the running daemon's store, or, where none runs, the store itself.
pub async fn verify(client: &Client, config: &Path, file: Option<&Path>) -> Result<(), Failure> {
    let (source, report) = match file {
        Some(file) => {
            let (header, report) = sled::restore::trial(file)?;
            let at = output::instant(header.at);
            (format!("the backup {}, taken {at} by portald {}", file.display(), header.version), report)
        }
        None if client.finds_daemon().await? => {
            let Answer { document, .. } = client.get_at_length::<Report>("/v1/verify").await?;
            ("the running daemon's store".to_owned(), document)
        }
        None => {
            let path = offline::store_of(config)?;
            offline::must_be_there(&path)?;
            let report = SledStore::verify_at(&path).map_err(offline::failed)?;
            (format!("the store in {} (no daemon runs)", path.display()), report)
        }
    };
    let findings = report.findings.len() as u64 + report.more;
    if client.json {
        let Report { counted, findings, more } = &report;
        let document = json!({ "source": source, "counted": counted, "findings": findings, "more": more });
        output::say(&document.to_string())?;
    } else {
        output::say(&format!("Looked through {source}."))?;
        print(&report)?;
    }
    if findings > 0 {
        return Err(Failure::Failed(format!("{} in {source}", output::count(findings, "finding"))));
    }
    Ok(())
}

fn print(report: &Report) -> Result<(), Failure> {
    let mut counted = Table::new(&["COUNTED", ""]);
    for (name, number) in &report.counted {
        counted.row([name.clone(), number.to_string()]);
    }
    counted.print("It is empty.")?;
    if report.is_well() {
        return Ok(output::say("All of it reads, and agrees.")?);
    }
    let mut findings = Table::new(&["KEY", "WHAT IS WRONG", "WHAT TO DO"]);
    for finding in &report.findings {
        findings.row([finding.key.clone(), finding.what.clone(), finding.advice.clone()]);
    }
    output::say("")?;
    findings.print("")?;
    if report.more > 0 {
        output::say(&format!("… and {} more", report.more))?;
    }
    Ok(())
}
