//! One write's way to the channel: what to do next, and what its result means.

use sdk::{
    Error, FulfillmentRequest, Pushed, RemoteFulfillment, RemoteId, SplitMirror, Timestamp, TrackingUpdate,
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
