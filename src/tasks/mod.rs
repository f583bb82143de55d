//! The thin I/O around the core: [`pull`], [`sweep`], [`look`], [`readback`] and [`products`] read channels, [`deliver`] writes orders to
//! them, [`stock`] what they may show of the supplier's stock.
//!
//! A task is one activation: it is started by the daemon's loop, asks, hands what it got to the ledger, and ends
//! with a [`Verdict`] on when it may run again. Between two steps it looks whether the daemon is draining.

pub mod connection;
pub mod deliver;
pub mod look;
pub mod products;
pub mod pull;
pub mod readback;
pub mod stock;
pub mod sweep;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sdk::{Error, ErrorKind, Rng};
use tokio_util::sync::CancellationToken;

use crate::{board::Board, ledger::Ledger, store::StoreError};

pub use connection::Connection;

/// What every task works with.
pub struct Shared {
    /// All orders.
    pub ledger: Arc<Ledger>,
    /// What each channel is doing.
    pub board: Arc<Board>,
    /// No new step once this is cancelled.
    pub draining: CancellationToken,
    chance: Mutex<Rng>,
}

impl Shared {
    /// The tasks' surroundings; chance comes from `rng`.
    pub fn new(ledger: Arc<Ledger>, board: Arc<Board>, draining: CancellationToken, rng: Rng) -> Self {
        Self { ledger, board, draining, chance: Mutex::new(rng) }
    }

    /// A number in `0.0..1.0`.
    pub fn chance(&self) -> f64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).unit()
    }
}

/// Why an activation failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The channel's answer.
    #[error(transparent)]
    Channel(#[from] Error),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an activation means for the next one.
#[derive(Debug, Default)]
pub struct Verdict {
    /// It went to its end (or was asked to stop).
    pub well: bool,
    /// The credentials were refused.
    pub denied: bool,
    /// The channel asked for this wait.
    pub retry_after: Option<Duration>,
    /// It is to run again after this, without waiting for its schedule.
    pub again_after: Option<Duration>,
    /// The store is broken: the process must end.
    pub fatal: Option<StoreError>,
}

impl Verdict {
    /// All is well.
    pub fn well() -> Self {
        Self { well: true, ..Self::default() }
    }

    /// What a channel's error means.
    pub fn of_channel(error: &Error) -> Self {
        Self {
            denied: error.kind == ErrorKind::Unauthorized,
            retry_after: error.retry_after,
            ..Self::default()
        }
    }

    /// What a failure means.
    pub fn of(failure: Failure) -> Self {
        match failure {
            Failure::Channel(error) => Self::of_channel(&error),
            Failure::Store(error @ (StoreError::Failed(_) | StoreError::InUse(_))) => {
                Self { fatal: Some(error), ..Self::default() }
            }
            Failure::Store(_) => Self::default(),
        }
    }
}

/// The longest that one call to a channel may take, waiting for the budget included: a connector that never comes
/// back must not keep its place for ever. Its own timeouts are far shorter.
const CALL_LIMIT: Duration = Duration::from_secs(600);

/// One call to a channel, bounded; `late` is what a call without an end means.
async fn bounded<T>(
    operation: &'static str,
    late: ErrorKind,
    call: impl Future<Output = sdk::Result<T>>,
) -> sdk::Result<T> {
    tokio::time::timeout(CALL_LIMIT, call).await.unwrap_or_else(|_| {
        Err(Error::new(late, operation, format!("no answer within {} seconds", CALL_LIMIT.as_secs())))
    })
}
