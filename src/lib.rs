//! portald: joins a supplier to the sales channels of its merchants.

pub mod agenda;
pub mod board;
pub mod control;
pub mod ledger;
pub mod outbox;
pub mod plan;
pub mod policy;
pub mod record;
pub mod store;
