//! `portald check`: every problem of the configuration in one run; with `--online`, what each channel says to it.

use std::{fmt::Write as _, path::Path, process::ExitCode, sync::Arc};

use sdk::{CheckReport, Clock, Context, SecretString, Tokens};

use super::{BAD_CONFIG, output};
use crate::{
    clock::SystemClock,
    config::{self, Config, Environment},
    files::Disk,
    http::{HttpLimits, ReqwestHttp},
    registry::CONNECTORS,
};

/// Checks the configuration; 78 when it is wrong, 1 when a channel refuses.
pub fn check(path: &Path, online: bool) -> ExitCode {
    let config = match config::load(path, &Environment::process(), CONNECTORS) {
        Ok(config) => config,
        Err(problems) => {
            output::complain(&problems.to_string());
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let mut text = summary(&config);
    let mut well = true;
    if online {
        let asked = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map(|runtime| runtime.block_on(ask(&config)));
        match asked {
            Ok(Ok((said, all_well))) => {
                text.push_str(&said);
                well = all_well;
            }
            Ok(Err(error)) => {
                output::complain(&error);
                return ExitCode::FAILURE;
            }
            Err(error) => {
                output::complain(&format!("no runtime: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    if output::say(text.trim_end()).is_err() {
        return ExitCode::FAILURE;
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the files say, and what an operator should know of it.
fn summary(config: &Config) -> String {
    let now = SystemClock.now();
    let mut text = format!(
        "The configuration is well: {}, {}, {}.\n",
        config.supplier.name,
        output::count(config.merchants.len() as u64, "merchant"),
        output::count(config.channels().count() as u64, "channel")
    );
    for (merchant, channel) in config.channels() {
        let mode = if merchant.shadow { " (shadow: nothing is sent)" } else { "" };
        _ = writeln!(text, "  {}/{}: {}{mode}", merchant.id, channel.id, channel.connector.name());
        for gap in channel.connector.capabilities().gaps() {
            _ = writeln!(text, "    this kind of channel: {gap}");
        }
        for warning in channel.configured.warnings(now) {
            _ = writeln!(text, "    WARNING: {warning}");
        }
    }
    for warning in config::stock_warnings(config) {
        _ = writeln!(text, "  WARNING: {warning}");
    }
    output::plain(&text)
}

/// Asks every channel, one after another. Answers what they said, and whether all is well.
async fn ask(config: &Config) -> Result<(String, bool), String> {
    let http: Arc<dyn sdk::Http> = Arc::new(ReqwestHttp::new(HttpLimits::default())?);
    let mut text = String::new();
    let mut well = true;
    for (merchant, channel) in config.channels() {
        let label = format!("{}/{}", merchant.id, channel.id);
        let context = Context {
            label: label.clone(),
            http: http.clone(),
            files: Arc::new(Disk::default()),
            clock: Arc::new(SystemClock),
            tokens: Arc::new(NotKept),
            seed: 0,
        };
        let report = match channel.configured.connect(context).check().await {
            Ok(report) => report,
            Err(error) => CheckReport { problems: vec![error.to_string()], ..CheckReport::default() },
        };
        let verdict = if report.problems.is_empty() { "well" } else { "NOT WELL" };
        well &= report.problems.is_empty();
        _ = writeln!(text, "{label}: {verdict}");
        let said = [("ok", &report.proved), ("WARNING", &report.warnings), ("PROBLEM", &report.problems)];
        for (mark, lines) in said {
            for line in lines {
                _ = writeln!(text, "  {mark}: {line}");
            }
        }
    }
    Ok((output::plain(&text), well))
}

/// A check opens no store: the daemon may be running on it. So credentials that rotate are not rotated here.
struct NotKept;

#[sdk::async_trait]
impl Tokens for NotKept {
    async fn load(&self) -> sdk::Result<Option<SecretString>> {
        Ok(None)
    }

    async fn save(&self, _: SecretString) -> sdk::Result<()> {
        Err(sdk::Error::new(
            sdk::ErrorKind::Unsupported,
            "check",
            "this channel's credentials rotate with each use: a check must not use them up; `portald status` tells how it does",
        ))
    }
}
