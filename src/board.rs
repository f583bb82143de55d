//! What each channel is doing, kept in memory for `status`, the API and the metrics.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sdk::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::Restored;

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
    /// The last catalogue that was read to its end.
    #[serde(default)]
    pub last_products: Option<Timestamp>,
    /// Products that look like ours and are not auto-dropship, as of then.
    #[serde(default)]
    pub unflagged: u64,
    /// The last push of stock that went to its end, also one that had nothing to write.
    #[serde(default)]
    pub last_stock: Option<Timestamp>,
    /// Why the last push of stock, or the last look at the catalogue, failed.
    #[serde(default)]
    pub stock_error: Option<String>,
    /// Why no stock is written until a person releases it.
    #[serde(default)]
    pub stock_stopped: Option<String>,
    /// Figures that the daily comparison found otherwise than acknowledged, since the start. Expected: 0.
    #[serde(default)]
    pub drifted: u64,
    /// The restore after which it is still read back: nothing is written to it until then.
    #[serde(default)]
    pub restored: Option<Restored>,
    /// Open orders that are still to be read back, once that is known.
    #[serde(default)]
    pub unread: Option<u64>,
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
