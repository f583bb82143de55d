//! What each channel is doing, kept in memory for `status`, the API and the metrics.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sdk::Timestamp;
use serde::{Deserialize, Serialize};

/// One channel's doings since the daemon's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// The last pull that went to its end.
    pub last_pull: Option<Timestamp>,
    /// When the last pull ended, well or not.
    pub last_attempt: Option<Timestamp>,
    /// Orders read by the last pull.
    pub last_orders: u64,
    /// Why the last pull failed.
    pub last_error: Option<String>,
    /// Pulls that failed in a row.
    pub failures: u32,
    /// The last delivery that the channel took.
    pub last_delivery: Option<Timestamp>,
    /// The last sweep that went to its end.
    pub last_sweep: Option<Timestamp>,
    /// Orders that sweeps found changed though no pull had brought it, since the start. Expected: 0.
    pub repaired: u64,
    /// Credentials refused, and why.
    pub suspended: Option<String>,
    /// An operator paused it.
    pub paused: bool,
    /// Whether the files still name it.
    pub configured: bool,
}

/// All channels, by (merchant, channel).
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<(String, String), ChannelStatus>>);

impl Board {
    /// Changes one channel's entry.
    pub fn update(&self, merchant: &str, channel: &str, change: impl FnOnce(&mut ChannelStatus)) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(board.entry((merchant.to_owned(), channel.to_owned())).or_default());
    }

    /// One channel's entry.
    pub fn get(&self, merchant: &str, channel: &str) -> ChannelStatus {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.get(&(merchant.to_owned(), channel.to_owned())).cloned().unwrap_or_default()
    }

    /// Every entry.
    pub fn all(&self) -> BTreeMap<(String, String), ChannelStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
