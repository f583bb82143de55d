//! The core over random histories, and the cases that the design settles by name.

mod bench;
mod cancellation;
mod cases;
mod histories;
mod ledger;
pub(crate) mod model;
mod rare;
mod restored;
