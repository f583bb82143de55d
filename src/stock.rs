//! What is kept of stock: the supplier's figures, each channel's catalogue and what it shows, and the ledger of writes.
//!
//! [`level`] the figure of a SKU in a warehouse, and what moves it · [`listing`] a variant of a channel, and what the
//! channel last acknowledged of it · [`run`] one push, with every write, its reason and the channel's answer · [`flag`]
//! what an operator set at run time · [`feed`] an import on its way into the figures.
//!
//! A figure is moved, never read and written back: a commit says "two less in main", and the store's one writer works
//! it out. So parcels of different orders never meet each other over the stock of a SKU, and a movement is in the same
//! commit as the record that justifies it: exactly once, over crashes and repeats.

pub mod feed;
pub mod flag;
pub mod level;
pub mod listing;
pub mod run;

pub use feed::{Feed, FeedRow};
pub use flag::{Flagged, ProductFlag};
pub use level::{Cause, Change, Level, Moved, Movement};
pub use listing::{Listing, Refusal, Shown, Wrote};
pub use run::{Answer, Entry, InFlight, Run, RunEnd, RunId, RunPart, RunReason, StockState, Stopped};

/// The layout that this release writes of all of these. Values of a newer one are not read.
pub const SCHEMA: u16 = 1;
