//! portald: joins a supplier to the sales channels of its merchants.

pub mod agenda;
pub mod api;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod driver;
pub mod files;
pub mod http;
pub mod ledger;
pub mod outbox;
pub mod plan;
pub mod policy;
pub mod record;
pub mod registry;
pub mod schedule;
pub mod scheduler;
pub mod store;
pub mod tasks;
pub mod telemetry;
