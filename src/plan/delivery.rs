//! One write's way to the channel: what to do next, and what its result means.

use sdk::{
    Error, FulfillmentRequest, LineQuantity, Pushed, RemoteFulfillment, RemoteId, SplitMirror, Timestamp,
    TrackingSet, TrackingUpdate,
};

use crate::{policy::Policy, record::Record};

/// What the next write of an order wants done now.
#[derive(Clone, Debug, PartialEq)]
pub struct Peek {
    /// The write.
    pub key: String,
    /// The channel's order.
    pub order: RemoteId,
    /// The order's fulfillments must be read first, and handed to [`start`].
    pub look: bool,
}

/// The request that may leave, once [`start`]'s record is committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Make a fulfillment.
    Push(FulfillmentRequest),
    /// Correct the tracking of each fulfillment of a parcel.
    Track(Vec<TrackingUpdate>),
    /// Take each fulfillment of a parcel back.
    Void {
        /// The write's key.
        key: String,
        /// The channel's order.
        order: RemoteId,
        /// The fulfillments.
        fulfillments: Vec<RemoteId>,
    },
    /// Show a split.
    Split(SplitMirror),
}

/// What came of a step.
#[derive(Debug)]
pub enum Outcome {
    /// A fulfillment was made.
    Pushed(Pushed),
    /// Done (track, void, split).
    Done,
    /// It failed; the kind says what next.
    Failed(Error),
}

/// Whether a remote fulfillment may be what a write with this tracking and these lines made: the same number, and no
/// line beyond the write's; without a number on both sides, exactly the lines.
pub fn alike(tracking: &TrackingSet, lines: &[LineQuantity], remote: &RemoteFulfillment) -> bool {
    let told = remote.tracking.first().and_then(|tracking| tracking.number.as_deref());
    if tracking.number.as_deref() != told {
        return false;
    }
    let units = |lines: &[LineQuantity], id: &RemoteId| -> u64 {
        lines.iter().filter(|line| line.line == *id).map(|line| u64::from(line.quantity)).sum()
    };
    let within = remote.lines.iter().all(|line| units(&remote.lines, &line.line) <= units(lines, &line.line));
    let whole = lines.iter().all(|line| units(&remote.lines, &line.line) == units(lines, &line.line));
    !remote.lines.is_empty() && within && (told.is_some() || whole)
}

/// What the order's next write wants at `now`, if anything is due and may be sent.
pub fn peek(record: &Record, policy: &Policy, now: Timestamp) -> Option<Peek> {
    let _ = (record, policy, now);
    None
}

/// Begins (or, after a look, settles) the write. `Some`: commit the record, then do the step.
/// `None`: commit the record; nothing is to be sent now.
pub fn start(
    record: &mut Record,
    key: &str,
    present: Option<&[RemoteFulfillment]>,
    policy: &Policy,
    now: Timestamp,
) -> Option<Step> {
    let _ = (record, key, present, policy, now);
    None
}

/// Records what came of a step, and plans what follows. `jitter` in `0.0..1.0`.
pub fn finish(
    record: &mut Record,
    key: &str,
    outcome: Outcome,
    policy: &Policy,
    now: Timestamp,
    jitter: f64,
) {
    let _ = (record, key, outcome, policy, now, jitter);
}
