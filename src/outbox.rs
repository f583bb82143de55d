//! A write owed to a channel: its derived key, its state, its next attempt. Pure.
//!
//! Entries live in the record of their order ([`crate::record::Record::writes`]), so the state that justifies a
//! write and the write itself are one commit. Writes of one order go one at a time, in their order.

use std::time::Duration;

use sdk::{LineQuantity, RemoteId, Timestamp, TrackingSet, skip_false, skip_zero};
use serde::{Deserialize, Serialize};

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// `{channel order}/{parcel or split}/{kind}/{revision}`: derived, never generated, never reused.
    pub key: String,
    /// What it does.
    pub kind: WriteKind,
    /// The supplier order's number.
    pub order: u32,
    /// The parcel's number within the order; 0 for a split and an answer.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub parcel: u32,
    /// 1, 2, … per parcel and kind.
    pub revision: u32,
    /// Lines in the channel's units (create, split).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineQuantity>,
    /// Tracking to tell (create, track).
    #[serde(default)]
    pub tracking: TrackingSet,
    /// When the parcel left.
    pub shipped_at: Timestamp,
    /// Whether the channel should tell the customer.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub notify: bool,
    /// What the channel's own request is answered (answer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<CancelAnswer>,
    /// The remote fulfillment that it is about (track, void; of a create, one to be rewritten), or the request (answer).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<RemoteId>,
    /// Where it stands.
    pub state: WriteState,
    /// Attempts begun.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub attempts: u32,
    /// Failures since the last success: they set the wait.
    #[serde(default, skip_serializing_if = "skip_zero")]
    pub failures: u32,
    /// A person gave it up: it is not planned again.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub given_up: bool,
    /// Its parcel was voided on a channel that cannot take it back: the next parcel of the same units takes its place.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub orphaned: bool,
    /// An attempt may have been applied, and nothing has settled it since.
    #[serde(default, skip_serializing_if = "skip_false")]
    pub uncertain: bool,
    /// No attempt before this.
    pub next_at: Timestamp,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// The last failure, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Remote fulfillments that were there before the first attempt: never adopted as ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_before: Vec<RemoteId>,
    /// Remote fulfillments that this write made (or that were adopted), with their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
}

/// The supplier's answer to a channel's own cancellation request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAnswer {
    /// None of its units will be shipped.
    pub accept: bool,
    /// Why not, for the merchant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A remote fulfillment that a write made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The channel's id.
    pub id: RemoteId,
    /// Its lines.
    pub lines: Vec<LineQuantity>,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// Tells a parcel.
    Create,
    /// Corrects a told parcel's tracking.
    Track,
    /// Takes a told parcel back.
    Void,
    /// Shows a split on the channel.
    Split,
    /// Accepts or rejects a cancellation request of the channel's own.
    Answer,
}

impl WriteKind {
    /// As keys write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Track => "track",
            Self::Void => "void",
            Self::Split => "split",
            Self::Answer => "answer",
        }
    }
}

/// Where a write stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// To be sent (again) from `next_at` on; nothing of it is under way.
    Pending,
    /// Stored before the request leaves. Found after a crash it means: indeterminate.
    Attempting {
        /// When it left.
        since: Timestamp,
    },
    /// It may have been applied: look first, no sooner than `next_at`.
    Indeterminate {
        /// When the attempt left.
        since: Timestamp,
    },
    /// Confirmed by the channel.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Refused for good: a person decides.
    Parked {
        /// When.
        at: Timestamp,
    },
    /// Not wanted any more before it was sent.
    Dropped {
        /// When.
        at: Timestamp,
    },
    /// Planned in shadow: can never be sent.
    Shadow,
}

impl WriteState {
    /// Whether the daemon still has to do something about it.
    pub fn is_owed(&self) -> bool {
        matches!(self, Self::Pending | Self::Attempting { .. } | Self::Indeterminate { .. })
    }

    /// Whether a person must decide about it.
    pub fn is_parked(&self) -> bool {
        matches!(self, Self::Parked { .. })
    }

    /// Whether it may have reached the channel though that is not confirmed.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Attempting { .. } | Self::Indeterminate { .. })
    }
}

impl Write {
    /// Units of its lines that no remote fulfillment of it holds yet.
    pub fn remaining(&self) -> Vec<LineQuantity> {
        let mut left = self.lines.clone();
        for told in self.made.iter().flat_map(|made| &made.lines) {
            let mut units = told.quantity;
            for line in left.iter_mut().filter(|line| line.line == told.line) {
                let taken = line.quantity.min(units);
                line.quantity -= taken;
                units -= taken;
            }
        }
        left.retain(|line| line.quantity > 0);
        left
    }

    /// Whether the channel may show something of it.
    pub fn may_be_told(&self) -> bool {
        !self.made.is_empty()
            || self.uncertain
            || self.state.is_uncertain()
            || matches!(self.state, WriteState::Done { .. })
    }

    /// Whether it is about this parcel.
    pub fn is_of(&self, order: u32, parcel: u32) -> bool {
        self.order == order
            && self.parcel == parcel
            && !matches!(self.kind, WriteKind::Split | WriteKind::Answer)
    }

    /// Whether it answers this request of the channel's.
    pub fn answers(&self, request: &RemoteId) -> bool {
        self.kind == WriteKind::Answer && self.targets.contains(request)
    }

    /// Whether it was replaced by a later one before it was sent.
    pub fn is_superseded(&self) -> bool {
        matches!(self.state, WriteState::Dropped { .. }) && !self.given_up
    }
}

/// The write that goes next: the first of the order's writes still owed.
pub fn next(writes: &[Write]) -> Option<&Write> {
    writes.iter().find(|write| write.state.is_owed())
}

/// When the next write of the order is due.
pub fn next_due(writes: &[Write]) -> Option<Timestamp> {
    next(writes).map(|write| write.next_at)
}

/// No write waits longer than this between attempts, whatever a channel or a clock says.
pub fn longest_wait(cap: Duration) -> Duration {
    cap.max(Duration::from_secs(3600))
}

/// Draws in writes that are put off for longer than any wait can be: they were planned by a clock that was ahead.
/// Answers whether there was one.
pub fn draw_in(writes: &mut [Write], now: Timestamp, longest: Duration) -> bool {
    let bound = chrono::TimeDelta::from_std(longest).ok().and_then(|longest| now.checked_add_signed(longest));
    let Some(bound) = bound else { return false };
    let mut drawn_in = false;
    for write in writes.iter_mut().filter(|write| write.state.is_owed() && write.next_at > bound) {
        write.next_at = bound;
        drawn_in = true;
    }
    drawn_in
}

/// The wait after so many failures in a row: doubling from two seconds, up to `cap`, with `jitter` in `0.0..1.0`
/// taking off at most a quarter. Without end: what passes is tried until it passes.
pub fn backoff(failures: u32, cap: Duration, jitter: f64) -> Duration {
    use backoff::{ExponentialBackoffBuilder, backoff::Backoff};
    // `backoff` only calculates here: its own jitter cannot be seeded and its elapsed time reads the wall clock.
    let mut schedule = ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_secs(2))
        .with_multiplier(2.0)
        .with_randomization_factor(0.0)
        .with_max_interval(cap.max(Duration::from_secs(2)))
        .with_max_elapsed_time(None)
        .build();
    let mut wait = cap;
    for _ in 0..failures.clamp(1, 32) {
        wait = schedule.next_backoff().unwrap_or(cap);
    }
    wait.min(cap).mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
}
