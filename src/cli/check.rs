//! `portald check`: reads the configuration, and with `--online` asks each channel a harmless question.

use std::{path::Path, process::ExitCode};

use super::output;

/// Not wired yet.
pub fn check(config: &Path, online: bool) -> ExitCode {
    let _ = (config, online);
    output::complain("not wired yet");
    ExitCode::from(1)
}
