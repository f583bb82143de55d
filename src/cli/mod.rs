//! The command line: parse, ask the running daemon, print, exit code. One file a subject.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 usage, 78 bad configuration.

pub mod backup;
pub mod check;
pub mod client;
pub mod inventory;
pub mod merchants;
pub mod offline;
pub mod orders;
pub mod outbox;
pub mod output;
pub mod products;
pub mod restore;
pub mod run;
pub mod status;
pub mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use self::client::Client;

/// The exit code of a bad configuration (`EX_CONFIG` of sysexits).
pub const BAD_CONFIG: u8 = 78;

/// Joins a supplier to the sales channels of its dropshipping merchants.
#[derive(Debug, Parser)]
#[command(name = "portald", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct Global {
    /// The configuration file.
    #[arg(long, global = true, value_name = "PATH", default_value = "/etc/portald/portald.toml")]
    config: PathBuf,
    /// Print the API's JSON documents.
    #[arg(long, global = true)]
    json: bool,
    /// The running daemon's socket; without it, `[api] socket` of the configuration.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The Idempotency-Key of a command: the same key again changes nothing.
    #[arg(long, global = true, value_name = "KEY")]
    key: Option<String>,
    /// Do a command only if the order's version is still this.
    #[arg(long, global = true, value_name = "VERSION")]
    if_version: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon.
    Run,
    /// Check the configuration; all problems in one run.
    Check {
        /// Also ask each channel a harmless question.
        #[arg(long)]
        online: bool,
    },
    /// What the running daemon is doing.
    Status,
    /// The merchants and their accounts.
    #[command(subcommand)]
    Merchants(merchants::Verb),
    /// The supplier's orders.
    #[command(subcommand)]
    Orders(orders::Verb),
    /// The products of the merchants' channels, and which are ours.
    #[command(subcommand)]
    Products(products::Verb),
    /// The supplier's stock, and what channels show of it.
    #[command(subcommand)]
    Inventory(inventory::Verb),
    /// The writes still owed to channels.
    #[command(subcommand)]
    Outbox(outbox::Verb),
    /// What could not be read, or contradicts what is known.
    SetAside {
        /// Only this merchant's.
        #[arg(long)]
        merchant: Option<String>,
        /// With the payload as it came (it may hold an address).
        #[arg(long)]
        raw: bool,
        /// Drop this one: a person has seen to it.
        #[arg(long, value_name = "ORDER", requires_all = ["merchant", "channel", "reason"], conflicts_with = "raw")]
        drop: Option<String>,
        /// The channel of what is dropped.
        #[arg(long, requires = "drop")]
        channel: Option<String>,
        /// Why it is dropped.
        #[arg(long, requires = "drop")]
        reason: Option<String>,
    },
    /// Look for changes that no pull has brought.
    Sweep {
        /// One merchant; all without.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// Copy the store to a file, also while the daemon runs.
    Backup {
        /// The file; it holds customers' addresses and credentials.
        file: PathBuf,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Make the store anew from a backup, while the daemon is stopped. Nothing is written to a channel until its open
    /// orders were read back.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Move a store that is there aside.
        #[arg(long)]
        force: bool,
    },
    /// Look through the store, or through a backup: 1 where something is wrong.
    Verify {
        /// A backup, which is restored on trial beside it; without, the store.
        file: Option<PathBuf>,
    },
}

/// Why a command ends with another exit code than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused or failed: 1.
    #[error("{0}")]
    Failed(String),
    /// Not what the verb takes: 2.
    #[error("{0}")]
    Usage(String),
    /// The configuration does not tell the socket: 78.
    #[error("{0}")]
    Config(String),
    /// Whoever read the output is gone: no words, 0.
    #[error("the output was closed")]
    Closed,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Failed(format!("the output cannot be written: {error}"))
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.verb {
        Verb::Run => return run::run(&cli.global.config),
        Verb::Check { online } => return check::check(&cli.global.config, *online),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(ask(cli)),
        Err(error) => Err(Failure::Failed(format!("no runtime: {error}"))),
    };
    let (code, failure) = match result {
        Ok(()) | Err(Failure::Closed) => return ExitCode::SUCCESS,
        Err(failure @ Failure::Failed(_)) => (1, failure),
        Err(failure @ Failure::Usage(_)) => (2, failure),
        Err(failure @ Failure::Config(_)) => (BAD_CONFIG, failure),
    };
    output::complain(&failure.to_string());
    ExitCode::from(code)
}

async fn ask(cli: Cli) -> Result<(), Failure> {
    let Global { config, json, socket, key, if_version } = cli.global;
    let socket = match socket {
        Some(socket) => socket,
        None => client::socket_of(&config)?,
    };
    let client = Client::new(socket, json, key, if_version);
    match cli.verb {
        Verb::Run | Verb::Check { .. } => Err(Failure::Failed("this verb asks no daemon".to_owned())),
        Verb::Status => status::status(&client).await,
        Verb::Merchants(verb) => merchants::run(&client, verb).await,
        Verb::Orders(verb) => orders::run(&client, verb).await,
        Verb::Products(verb) => products::run(&client, verb).await,
        Verb::Inventory(verb) => inventory::run(&client, verb).await,
        Verb::Outbox(verb) => outbox::run(&client, verb).await,
        Verb::SetAside { merchant, drop: Some(order), channel, reason, .. } => {
            let body = json!({ "merchant": merchant, "channel": channel, "id": order, "reason": reason });
            merchants::control(&client, "/v1/set-aside/drop", body).await
        }
        Verb::SetAside { merchant, raw, .. } => outbox::set_aside(&client, merchant, raw).await,
        Verb::Backup { file, force } => backup::backup(&client, &config, &file, force).await,
        Verb::Restore { file, force } => restore::restore(&client, &config, &file, force).await,
        Verb::Verify { file } => verify::verify(&client, &config, file.as_deref()).await,
        Verb::Sweep { merchant } => merchants::sweep(&client, merchant).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        for line in [
            "portald --config a.toml --json orders list",
            "portald orders list --json --config a.toml",
            "portald orders --config a.toml list --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.config.to_str(), Some("a.toml"));
        }
    }
}
