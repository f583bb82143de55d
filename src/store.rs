//! Where records are kept: questions, and ONE write, [`Store::commit`]: atomic, durable, compare-and-set.
//!
//! Two stores stand behind it: `store::sled` (the one that ships) and `store::memory` (tests and the simulation).
//! Both pass the same suite (`tests/suite/store.rs`).
//!
//! A commit has two halves. On the caller's side `prepare` encodes and checks (`layout` names the keys, `envelope`
//! the values). On the writer's side `group` compares versions and makes one batch of several commits. `questions`
//! answers everything else (`stock` has these three of stock), [`mod@verify`] looks through all of it, [`backup`] is its copy
//! in a file. Only what lies below, an ordered `space` of keys and values, differs between the stores.
//!
//! # Values that cannot be read
//! One bad value must not stop the rest. A question for it by name fails with [`StoreError::Corrupt`]; lists leave it
//! out and say so in the log, once a process in the store that ships, which also counts it in its health. Channel
//! states are the exception: [`Store::channels`] fails, since a channel that seems new would be given a new cut-over.

pub mod backup;
mod envelope;
mod group;
mod layout;
pub mod memory;
mod prepare;
mod questions;
pub mod sled;
mod space;
mod stock;
pub mod verify;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use sdk::{RemoteId, SecretString, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::stock::StockChanges;
use crate::{
    record::{Event, Record, RecordId, Restored},
    stock::{Feed, FeedRow, Level, Listing, Moved, ProductFlag, Run, RunPart, Shown, StockState},
};

/// What the tasks ask and write.
#[async_trait]
pub trait Store: Send + Sync {
    /// One record.
    async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError>;

    /// Many records at once, in the order asked. One that cannot be read fails the question: ask one by one then.
    async fn records(&self, ids: Vec<RecordId>) -> Result<Vec<Option<Record>>, StoreError>;

    /// Records by id order, a page at a time.
    async fn list(&self, query: Query) -> Result<Page, StoreError>;

    /// Events moved out of a record's head, oldest first.
    async fn old_events(&self, id: &RecordId) -> Result<Vec<Event>, StoreError>;

    /// Every active record with when it next wants attention: what the daemon starts from.
    async fn agenda(&self) -> Result<Vec<(RecordId, Option<Timestamp>)>, StoreError>;

    /// The state of every channel ever connected, by (merchant, channel).
    async fn channels(&self) -> Result<BTreeMap<(String, String), ChannelState>, StoreError>;

    /// One channel's state.
    async fn channel(&self, merchant: &str, channel: &str) -> Result<Option<ChannelState>, StoreError>;

    /// What was set aside, of one merchant or of all.
    async fn set_aside(&self, merchant: Option<&str>) -> Result<Vec<Aside>, StoreError>;

    /// A channel's rotated credentials.
    async fn tokens(&self, merchant: &str, channel: &str) -> Result<Option<SecretString>, StoreError>;

    /// Levels of stock by SKU and warehouse, at most `limit`, after this one.
    async fn levels(&self, after: Option<(String, String)>, limit: usize) -> Result<Vec<Level>, StoreError>;

    /// The levels of these SKUs, in all warehouses.
    async fn levels_of(&self, skus: Vec<String>) -> Result<Vec<Level>, StoreError>;

    /// The last movements of a SKU with their warehouses, oldest first.
    async fn moves_of(&self, sku: &str) -> Result<Vec<(String, Moved)>, StoreError>;

    /// A channel's catalogue, by variant.
    async fn listings(&self, merchant: &str, channel: &str) -> Result<Vec<Listing>, StoreError>;

    /// Of these variants, those that a channel's catalogue has.
    async fn listings_of(
        &self,
        merchant: &str,
        channel: &str,
        variants: Vec<RemoteId>,
    ) -> Result<Vec<Listing>, StoreError>;

    /// What a channel shows of its items, by item.
    async fn shown(&self, merchant: &str, channel: &str) -> Result<Vec<Shown>, StoreError>;

    /// Where a channel's stock stands. One that cannot be read fails the question: nothing is written then.
    async fn stock_state(&self, merchant: &str, channel: &str) -> Result<Option<StockState>, StoreError>;

    /// A run by its number on a channel.
    async fn run(&self, merchant: &str, channel: &str, n: u32) -> Result<Option<Run>, StoreError>;

    /// A run's writes, in their order.
    async fn run_parts(&self, merchant: &str, channel: &str, n: u32) -> Result<Vec<RunPart>, StoreError>;

    /// Every flag of a product. One that cannot be read fails the question: a product flagged off would be ours again.
    async fn flags(&self) -> Result<Vec<ProductFlag>, StoreError>;

    /// Imports that are staged or being applied.
    async fn feeds(&self) -> Result<Vec<Feed>, StoreError>;

    /// The rows of a part of an import; `None`: it was applied or dropped.
    async fn feed_part(&self, id: &str, n: u32) -> Result<Option<Vec<FeedRow>>, StoreError>;

    /// Looks through everything: what is counted, and what is wrong. Goes on beside commits.
    async fn verify(&self) -> Result<verify::Report, StoreError>;

    /// Sends a backup, a part at a time: a picture of everything as of its end. Goes on beside commits.
    async fn backup(
        &self,
        header: backup::Header,
        sink: mpsc::Sender<Bytes>,
    ) -> Result<backup::Copied, backup::BackupError>;

    /// Writes all of it or nothing, durably, if every expected version holds. Answers once it is on disk.
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// Answers once everything that could be read before the call is on disk. A reader may see a commit before that,
    /// and see one whose flush then fails: what is only read is no ground for a promise.
    async fn flushed(&self) -> Result<(), StoreError>;
}

/// One atomic write.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Records to write. Each one's `version` is the one that it was read with (0: must not exist); it is stored
    /// with the next higher one.
    pub records: Vec<Record>,
    /// Channel states to write, likewise by version.
    pub channels: Vec<(String, String, ChannelState)>,
    /// To be set aside (replaces an entry of the same merchant, channel and id).
    pub set_aside: Vec<Aside>,
    /// No longer set aside: (merchant, channel, id).
    pub cleared: Vec<(String, String, String)>,
    /// Events that left a record's head: appended to its parts after those already there.
    pub old_events: Vec<(RecordId, Vec<Event>)>,
    /// Rotated credentials: (merchant, channel, value).
    pub tokens: Vec<(String, String, SecretString)>,
    /// What it changes of stock.
    pub stock: StockChanges,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.channels.is_empty()
            && self.set_aside.is_empty()
            && self.cleared.is_empty()
            && self.old_events.is_empty()
            && self.tokens.is_empty()
            && self.stock.is_empty()
    }
}

/// A question for a list of records.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only this merchant's.
    pub merchant: Option<String>,
    /// Only this channel's (with `merchant`).
    pub channel: Option<String>,
    /// Only active ones ([`Record::is_active`]): answered from the index.
    pub active: bool,
    /// Text that the stored record must contain somewhere, without case: a cheap first sieve, the caller checks the field.
    pub text: Option<String>,
    /// After this id.
    pub after: Option<RecordId>,
    /// At most so many; 0 asks for nothing.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// Ask again after this id for more.
    pub next: Option<RecordId>,
}

/// What the daemon knows of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    /// Counts commits; 0 is "not stored yet".
    pub version: u64,
    /// The remote account that this channel is bound to.
    pub account: String,
    /// First contact, by our clock: the cut-over where the file names none.
    pub first_contact: Option<Timestamp>,
    /// Every change up to here is stored, by the channel's clock.
    #[serde(default)]
    pub cursor: Option<Timestamp>,
    /// The last sweep that went to its end.
    #[serde(default)]
    pub swept_at: Option<Timestamp>,
    /// The last moment that the merchant was seen in shadow.
    #[serde(default)]
    pub shadow_at: Option<Timestamp>,
    /// An operator paused it.
    #[serde(default)]
    pub paused: bool,
    /// Credentials refused: since when and why.
    #[serde(default)]
    pub suspended: Option<(Timestamp, String)>,
    /// Restored from a backup, and not every open order has been read back since: nothing is written to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
}

/// A record that could not be read or that contradicts what is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The order's remote id, or the place it came from.
    pub id: String,
    /// Why.
    pub reason: String,
    /// The payload as it came, cut to a bounded length.
    pub raw: String,
    /// First seen.
    pub at: Timestamp,
    /// How often it was seen so.
    pub seen: u32,
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote this record or channel first: read again and decide again.
    #[error("{0} was changed meanwhile")]
    Conflict(String),
    /// A stored value cannot be read; names its key.
    #[error("the stored value at {key} cannot be read: {why}")]
    Corrupt {
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value past the store's bound; names its key and size in bytes.
    #[error("the value at {key} is too large ({bytes} bytes)")]
    TooLarge {
        /// Its key.
        key: String,
        /// Its size.
        bytes: usize,
    },
    /// Another process has the store open.
    #[error("the store at {0} is in use by another portald")]
    InUse(String),
    /// The store is broken or gone: the process must end and be restarted.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Says that a value cannot be read.
fn report(error: StoreError) {
    tracing::error!(event = "store.corrupt", %error, "A stored value cannot be read.");
}
