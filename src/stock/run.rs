//! One push of stock to a channel, with every write; and where a channel's pushes stand.

use std::fmt;

use sdk::{RemoteId, Timestamp, skip_false, skip_zero};
use serde::{Deserialize, Serialize};

/// Writes in one stored part of a run: far below what a value may hold.
pub const PART: usize = 200;

/// Runs kept of each channel; the oldest goes when a new one begins.
pub const KEPT_RUNS: u32 = 500;

/// `{merchant}.{channel}.{n}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// 1, 2, … on this channel, never reused.
    pub n: u32,
}

impl RunId {
    /// Reads an id. `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (merchant, channel, n) = (parts.next()?, parts.next()?, parts.next()?);
        let n: u32 = n.parse().ok().filter(|number: &u32| *number > 0 && n == number.to_string())?;
        let whole = parts.next().is_none() && !merchant.is_empty() && !channel.is_empty();
        whole.then(|| Self { merchant: merchant.to_owned(), channel: channel.to_owned(), n })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.merchant, self.channel, self.n)
    }
}

/// Where a channel's stock stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockState {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// Counts commits; 0 is "not stored yet". Guards every write.
    pub version: u64,
    /// The last catalogue that was read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue_at: Option<Timestamp>,
    /// The last comparison of all items with the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<Timestamp>,
    /// The last run that went to its end, also one that had nothing to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// The channel's place (its location) that all of this is about; `None`: nothing was pushed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Runs up to this one wrote at another place: they cannot be taken back here.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub moved_after: u32,
    /// Highest number given to a run.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub last_run: u32,
    /// A batch whose outcome is not known: its items are read before anything else is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    /// The breaker stopped a run: nothing is written until a person releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// A person released this run that the breaker had stopped: what it would have done passes, and no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<u32>,
    /// A run to be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<u32>,
    /// A person took a run back, or the store was restored: nothing is published until it is released.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub held: bool,
    /// Restored from a backup of this time, and not released since: the figures are as old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Timestamp>,
}

impl StockState {
    /// Why nothing may be written until a person releases it, if so.
    pub fn waits(&self) -> Option<String> {
        if let Some(stopped) = &self.stopped {
            return Some(stopped.why.clone());
        }
        if let Some(taken) = self.restored {
            let taken = taken.format("%Y-%m-%dT%H:%M:%SZ");
            return Some(format!(
                "the stock figures are of the backup of {taken}: set or import them, then `inventory release` the merchant"
            ));
        }
        self.held.then(|| "a run was taken back".to_owned())
    }

    /// Marks it as restored: what was pushed after the backup is not known, so all is compared, after a person has seen
    /// to the figures. Run numbers, and the keys that a channel remembers by them, are not given twice.
    pub fn mark_restored(&mut self, taken: Timestamp, runs_after: u32) {
        self.last_run = self.last_run.max(runs_after);
        (self.restored, self.held) = (Some(taken), true);
        (self.compared_at, self.undo, self.released) = (None, None, None);
    }

    /// A person released it.
    pub fn release(&mut self) {
        if let Some(stopped) = self.stopped.take() {
            self.released = Some(stopped.run);
        }
        (self.held, self.restored) = (false, None);
    }
}

/// A batch that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The run.
    pub run: u32,
    /// The first part of its ledger with the batch.
    pub part: u32,
    /// How many parts hold it.
    pub parts: u32,
    /// When it left.
    pub since: Timestamp,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The run that was stopped; what it would have written is planned in its ledger.
    pub run: u32,
    /// When.
    pub at: Timestamp,
    /// In words.
    pub why: String,
    /// What it would have done.
    pub blast: Blast,
}

/// How much a run would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blast {
    /// Products that are published on the channel.
    pub products: usize,
    /// Of these, products that would go to zero.
    pub zeroed: usize,
    /// Of these, products once written by us that would change by more than half.
    pub halved: usize,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// Its number on this channel.
    pub n: u32,
    /// When it began.
    pub at: Timestamp,
    /// Why, and by whom.
    pub reason: RunReason,
    /// The merchant is in shadow: planned, never sent.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub shadow: bool,
    /// How it ended; `None`: under way, or cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// Parts of its ledger.
    pub parts: u32,
    /// Writes that the channel has.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub set: u32,
    /// Writes that it refused.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub refused: u32,
}

impl Run {
    /// Its id.
    pub fn id(&self) -> RunId {
        RunId { merchant: self.merchant.clone(), channel: self.channel.clone(), n: self.n }
    }
}

/// Why a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunReason {
    /// Its time had come.
    Schedule,
    /// A person took this run back.
    Undo(u32),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Every write was answered.
    Done,
    /// The breaker stopped it before the writes that would have changed so much.
    Stopped(String),
    /// The channel or the store failed: the next run goes on.
    Broken(String),
}

/// Some of a run's writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPart {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// The run.
    pub run: u32,
    /// 0, 1, … within it.
    pub n: u32,
    /// The writes.
    pub writes: Vec<Entry>,
}

/// One write of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The channel's item.
    pub item: RemoteId,
    /// The channel's variant.
    pub variant: RemoteId,
    /// The merchant's SKU.
    pub sku: String,
    /// What the channel showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// What it was to show.
    pub after: u32,
    /// Why.
    pub why: String,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Planned in shadow, or stopped by the breaker: never sent.
    Planned,
    /// It left, and no answer is known.
    Sent,
    /// The channel has it.
    Set,
    /// The channel showed another figure than expected: nothing was set.
    Stale,
    /// The channel refuses it.
    Refused(String),
    /// It was not applied: the request failed, or the channel showed this figure when it was read back.
    NotApplied(Option<i64>),
}

impl Answer {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Planned => "planned, not sent".to_owned(),
            Self::Sent => "sent, no answer known".to_owned(),
            Self::Set => "set".to_owned(),
            Self::Stale => "the channel showed another figure: nothing was set".to_owned(),
            Self::Refused(why) => format!("refused: {why}"),
            Self::NotApplied(None) => "not applied".to_owned(),
            Self::NotApplied(Some(shown)) => format!("not applied: the channel shows {shown}"),
        }
    }
}
