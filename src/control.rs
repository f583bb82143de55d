//! What an operator can ask of the running daemon itself, apart from orders.

use tokio::sync::{mpsc, oneshot};

use crate::{record::RecordId, tasks::look::Look};

/// A request to the daemon's main loop.
#[derive(Debug)]
pub enum Request {
    /// Pull this merchant's channels now.
    Sync {
        /// Merchant id.
        merchant: String,
        /// Answered when the pulls were started.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Sweep now: one merchant or all.
    Sweep {
        /// Merchant id.
        merchant: Option<String>,
        /// Answered when the sweeps were started.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Pause or resume a merchant's channels, durably.
    Pause {
        /// Merchant id.
        merchant: String,
        /// False: resume.
        paused: bool,
        /// Answered when it is stored.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Move the records' binding of a merchant to a new id.
    Rename {
        /// The id in the store.
        old: String,
        /// The id in the files.
        new: String,
        /// Answered when it is stored.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Ask an order's channel for it once more.
    Look {
        /// The order's record.
        record: RecordId,
        /// Answered with what was found.
        done: oneshot::Sender<Look>,
    },
    /// Check and reload the configuration.
    Reload {
        /// Answered with what changed, or why the old one stays.
        done: oneshot::Sender<Result<String, String>>,
    },
}

/// The API's handle on the daemon.
pub type Control = mpsc::Sender<Request>;
