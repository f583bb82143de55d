//! `portald run`: builds the daemon's parts and runs it.

use std::{path::Path, process::ExitCode};

use super::output;

/// Not wired yet.
pub fn run(config: &Path) -> ExitCode {
    let _ = config;
    output::complain("not wired yet");
    ExitCode::from(1)
}
