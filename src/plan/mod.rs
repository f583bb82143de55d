//! The core: every decision, as pure functions. No I/O, no clock, no randomness, no async.

pub mod command;
pub mod routing;
