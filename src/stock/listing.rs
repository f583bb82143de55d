//! A variant of a channel's catalogue, and what the channel last acknowledged of its stock.

use sdk::{RemoteId, Timestamp, Variant, skip_false};
use serde::{Deserialize, Serialize};

use super::run::Answer;

/// How many of an item's last writes are kept with it; the run ledger has the rest.
pub const KEPT_WRITES: usize = 16;

/// One variant as the channel's catalogue last showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// As the channel shows it.
    pub variant: Variant,
    /// First seen, by our clock.
    pub first_seen: Timestamp,
}

/// What is known of the figure that a channel shows for one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// The channel's item.
    pub item: RemoteId,
    /// What it last acknowledged, or showed when it was read. `None`: not known, to be read first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<i64>,
    /// It was read, and the channel has no figure of it: it is written without a comparison.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub blank: bool,
    /// When that was.
    pub at: Timestamp,
    /// Whether a write of ours was ever acknowledged.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub written: bool,
    /// A write that was accepted then had not come to pass when it was read back for the last time, on a channel that
    /// compares nothing: it may yet do so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Timestamp>,
    /// The channel refuses this item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// In shadow: what would have been written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<u32>,
    /// The last writes, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Wrote>,
}

/// A write that the channel refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The figure that it did not take.
    pub to: u32,
    /// Why, in its words.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// One write of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrote {
    /// The run, by its number on this channel.
    pub run: u32,
    /// When it was answered.
    pub at: Timestamp,
    /// The figure before.
    pub before: Option<i64>,
    /// The figure asked for.
    pub after: u32,
    /// Why.
    pub why: String,
    /// What came of it.
    pub answer: Answer,
}

impl Shown {
    /// An item of which nothing is known.
    pub fn unknown(item: RemoteId, at: Timestamp) -> Self {
        Self {
            schema: super::SCHEMA,
            item,
            figure: None,
            blank: false,
            at,
            written: false,
            late: None,
            refused: None,
            planned: None,
            recent: Vec::new(),
        }
    }

    /// Adds a write to the last ones.
    pub fn note(&mut self, wrote: Wrote) {
        self.recent.push(wrote);
        let surplus = self.recent.len().saturating_sub(KEPT_WRITES);
        self.recent.drain(..surplus);
    }
}
