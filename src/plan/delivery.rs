//! One write's way to the channel: what to do next, and what its result means.

use sdk::{
    CancellationAnswer, Error, ErrorKind, FulfillmentRequest, LineQuantity, Pushed, RemoteFulfillment,
    RemoteId, SplitMirror, Timestamp, TrackingSet, TrackingUpdate,
};

use super::{cancellation, intake, mirror};
use crate::{
    outbox::{self, Made, Write, WriteKind, WriteState},
    policy::Policy,
    record::{Level, Record},
};

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
    /// Answer a cancellation request of the channel's own.
    Answer(CancellationAnswer),
}

/// What came of a step.
#[derive(Debug)]
pub enum Outcome {
    /// A fulfillment was made.
    Pushed(Pushed),
    /// Done (track, void, split, answer; a create that rewrote a fulfillment).
    Done,
    /// It failed; the kind says what next.
    Failed(Error),
    /// The look before it failed: nothing was sent.
    LookFailed(Error),
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
    if policy.shadow || policy.is_suspended() || record.restored.is_some() {
        return None;
    }
    let write = outbox::next(&record.writes).filter(|write| write.next_at <= now)?;
    Some(Peek { key: write.key.clone(), order: record.seen.id.clone(), look: needs_look(write, policy) })
}

fn needs_look(write: &Write, policy: &Policy) -> bool {
    policy.capabilities.finds_fulfillments
        && write.kind == WriteKind::Create
        && (write.attempts == 0 || write.state.is_uncertain())
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
    if record.shadow || peek(record, policy, now)?.key != key {
        return None;
    }
    let index = record.writes.iter().position(|write| write.key == key)?;
    if needs_look(&record.writes[index], policy) && present.is_none() {
        return None;
    }
    let may_go = match record.writes[index].kind {
        WriteKind::Create => {
            let may_go = start_create(record, index, present, policy, now);
            if may_go {
                rewrite_orphan(record, index, present);
            }
            may_go
        }
        WriteKind::Answer => true,
        WriteKind::Void => takes_back(record, index, policy, now) && aim(record, index, now),
        WriteKind::Track => aim(record, index, now),
        WriteKind::Split => start_split(record, index, now),
    };
    if !may_go {
        // What is ours on the channel is known better now: what else it shows may be a duplicate.
        intake::take_in(record, policy, now);
        super::reconcile(record, policy, now);
        return None;
    }
    let write = &mut record.writes[index];
    write.uncertain |= write.state.is_uncertain();
    write.state = WriteState::Attempting { since: now };
    write.attempts += 1;
    write.next_at = later(now, policy.read_back);
    Some(step(record, index))
}

/// Settles a `create` by what the channel shows. Answers whether a request must (still) leave.
fn start_create(
    record: &mut Record,
    index: usize,
    present: Option<&[RemoteFulfillment]>,
    policy: &Policy,
    now: Timestamp,
) -> bool {
    let write = &record.writes[index];
    if !write.uncertain && !write.state.is_uncertain() && mirror::is_taken_back(record, write) {
        // Voided while a request was out that, as is known now, did nothing (more): the rest must not follow.
        record.writes[index].state = WriteState::Dropped { at: now };
        mirror::nothing_by_hand(record, index);
        return false;
    }
    if write.attempts == 0 {
        let seen = present.unwrap_or_default().iter().map(|remote| remote.id.clone()).collect();
        record.writes[index].seen_before = seen;
        return true;
    }
    if !(write.state.is_uncertain() && policy.capabilities.finds_fulfillments) {
        return true;
    }
    let present = present.unwrap_or_default();
    for remote in present {
        adopt(record, index, remote, now);
    }
    // What an older picture still shows and this look does not was taken back meanwhile: it is not to be adopted.
    let there = |id: &RemoteId| present.iter().any(|remote| remote.id == *id && remote.active);
    let gone: Vec<RemoteId> = record
        .seen
        .fulfillments
        .iter()
        .filter(|seen| !there(&seen.id) && !record.writes[index].seen_before.contains(&seen.id))
        .map(|seen| seen.id.clone())
        .collect();
    let write = &mut record.writes[index];
    write.seen_before.extend(gone);
    if write.remaining().is_empty() {
        settle(record, index, now);
        return false;
    }
    // The channel does not show the rest of it.
    write.state = WriteState::Pending;
    write.uncertain = false;
    if mirror::is_taken_back(record, &record.writes[index]) {
        record.writes[index].state = WriteState::Dropped { at: now };
        mirror::nothing_by_hand(record, index);
        return false;
    }
    true
}

/// Where a voided parcel could not be taken back, the channel still shows it: a parcel of the same units takes its
/// place there by a correction, since a second fulfillment would be refused or told twice.
fn rewrite_orphan(record: &mut Record, index: usize, present: Option<&[RemoteFulfillment]>) {
    let write = &record.writes[index];
    let targets = if write.made.is_empty() {
        let there = |id: &RemoteId| {
            present.is_none_or(|present| present.iter().any(|remote| remote.id == *id && remote.active))
        };
        orphan_of(record, write).filter(|orphan| orphan.made.iter().all(|made| there(&made.id)))
    } else {
        None
    };
    let targets = targets.iter().flat_map(|orphan| &orphan.made).map(|made| made.id.clone()).collect();
    record.writes[index].targets = targets;
}

/// A `create` left behind with just the units of this one.
fn orphan_of<'r>(record: &'r Record, write: &Write) -> Option<&'r Write> {
    let sorted = |lines: &[LineQuantity]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    let lines = sorted(&write.lines);
    record.writes.iter().find(|orphan| {
        orphan.orphaned
            && !orphan.made.is_empty()
            && orphan.remaining().is_empty()
            && sorted(&orphan.lines) == lines
    })
}

/// Takes a remote fulfillment for what an attempt of unknown outcome made, if it can be nothing else.
fn adopt(record: &mut Record, index: usize, remote: &RemoteFulfillment, now: Timestamp) {
    let claimed = record.writes.iter().flat_map(|write| &write.made).any(|made| made.id == remote.id);
    let write = &record.writes[index];
    if !remote.active
        || claimed
        || write.seen_before.contains(&remote.id)
        || !alike(&write.tracking, &write.remaining(), remote)
    {
        return;
    }
    let (order, label) = (write.order, write.parcel);
    record.writes[index].made.push(Made { id: remote.id.clone(), lines: remote.lines.clone() });
    let text = format!("parcel p{label}: the channel already shows it as {}, taken as told", remote.id);
    record.note(now, "fulfillment.adopted", Some(order), Level::Warn, text);
}

/// What a pull shows of parcels that are not known to be told: made by a request that came late, or by a person in
/// place of a write that was refused or given up. A request that is under way is left alone: its answer says more.
pub(super) fn adopt_seen(record: &mut Record, now: Timestamp) {
    for index in 0..record.writes.len() {
        let write = &record.writes[index];
        let tried = write.attempts > 0
            && (write.state.is_parked()
                || matches!(write.state, WriteState::Pending | WriteState::Indeterminate { .. }));
        if write.kind != WriteKind::Create || !(tried || write.given_up) {
            continue;
        }
        let known = write.made.len();
        for at in 0..record.seen.fulfillments.len() {
            let remote = record.seen.fulfillments[at].clone();
            adopt(record, index, &remote, now);
        }
        let write = &mut record.writes[index];
        if write.made.len() > known && write.remaining().is_empty() {
            write.given_up = false;
            settle(record, index, now);
        }
    }
}

/// Whether the channel takes parcels back, or is at least told. The parcel may have been taken back while the files did
/// not name the merchant, and nobody knew.
fn takes_back(record: &mut Record, index: usize, policy: &Policy, now: Timestamp) -> bool {
    if policy.capabilities.voids {
        return true;
    }
    let told = policy.capabilities.void_notices;
    if let Some(create) = voided(record, index) {
        record.writes[create].orphaned |= !told;
        if record.writes[create].uncertain || !record.writes[create].made.is_empty() {
            mirror::ask_by_hand(record, create, now);
        }
    }
    if !told {
        record.writes[index].state = WriteState::Dropped { at: now };
    }
    told
}

/// The `create`s of a write's parcel that were planned before it.
fn creates_before(record: &Record, index: usize) -> impl DoubleEndedIterator<Item = usize> {
    let write = &record.writes[index];
    (0..index).filter(move |at| {
        let create = &record.writes[*at];
        create.kind == WriteKind::Create && create.is_of(write.order, write.parcel)
    })
}

/// The `create` that a `void` takes back.
fn voided(record: &Record, index: usize) -> Option<usize> {
    let revision = record.writes[index].revision;
    creates_before(record, index).rfind(|at| record.writes[*at].revision == revision)
}

/// Finds the fulfillments that a correction or a void is about. Answers whether there is something to send.
fn aim(record: &mut Record, index: usize, now: Timestamp) -> bool {
    let write = &record.writes[index];
    let (order, kind) = (write.order, write.kind);
    let about = match kind {
        WriteKind::Void => voided(record, index),
        _ => creates_before(record, index).rfind(|at| !record.writes[*at].made.is_empty()),
    };
    let about = about.map(|at| &record.writes[at]);
    let targets: Vec<_> = about.iter().flat_map(|create| &create.made).map(|made| made.id.clone()).collect();
    let unsettled = about.is_some_and(|create| create.uncertain);
    let write = &mut record.writes[index];
    if !targets.is_empty() {
        write.targets = targets;
        return true;
    }
    if kind == WriteKind::Void && unsettled {
        let why =
            "whether the channel has this parcel is unknown: look there, take it back by hand if it has";
        park(record, index, why.to_owned(), now);
        return false;
    }
    write.state =
        if kind == WriteKind::Void { WriteState::Done { at: now } } else { WriteState::Dropped { at: now } };
    let text = format!("{}: the channel has nothing of this parcel", kind.as_str());
    record.note(now, "outbox.nothing_to_do", Some(order), Level::Info, text);
    false
}

/// A split is the one write that cannot be looked for: an unknown outcome is a person's to settle.
fn start_split(record: &mut Record, index: usize, now: Timestamp) -> bool {
    if !record.writes[index].state.is_uncertain() {
        return true;
    }
    record.writes[index].uncertain = true;
    let why = "whether the channel shows this split is unknown: look there, then retry or drop it";
    park(record, index, why.to_owned(), now);
    false
}

fn step(record: &Record, index: usize) -> Step {
    let write = &record.writes[index];
    let (key, order) = (write.key.clone(), record.seen.id.clone());
    match write.kind {
        WriteKind::Create if !write.targets.is_empty() => Step::Track(corrections(record, write)),
        WriteKind::Create => Step::Push(FulfillmentRequest {
            key,
            order,
            number: record.seen.number.clone(),
            lines: write.remaining(),
            tracking: write.tracking.clone(),
            shipped_at: write.shipped_at,
            // A parcel over two locations is two fulfillments, and one message.
            notify: write.notify && write.made.is_empty(),
        }),
        WriteKind::Track => Step::Track(corrections(record, write)),
        WriteKind::Void => Step::Void { key, order, fulfillments: write.targets.clone() },
        WriteKind::Split => Step::Split(SplitMirror { key, order, lines: write.lines.clone() }),
        WriteKind::Answer => {
            let answer = write.answer.clone();
            Step::Answer(CancellationAnswer {
                key,
                order,
                request: write.targets.first().cloned().unwrap_or_default(),
                accept: answer.as_ref().is_some_and(|answer| answer.accept),
                message: answer.and_then(|answer| answer.message),
            })
        }
    }
}

fn corrections(record: &Record, write: &Write) -> Vec<TrackingUpdate> {
    let of_one = |(at, fulfillment): (usize, &RemoteId)| TrackingUpdate {
        key: write.key.clone(),
        order: record.seen.id.clone(),
        number: record.seen.number.clone(),
        fulfillment: fulfillment.clone(),
        tracking: write.tracking.clone(),
        // A parcel over two locations is two fulfillments, and one message.
        notify: write.notify && at == 0,
    };
    write.targets.iter().enumerate().map(of_one).collect()
}

/// Records what came of a step, and plans what follows. `jitter` in `0.0..1.0`.
pub fn finish(
    record: &mut Record,
    key: &str,
    outcome: &Outcome,
    policy: &Policy,
    now: Timestamp,
    jitter: f64,
) {
    let Some(index) = record.writes.iter().position(|write| write.key == key) else { return };
    match outcome {
        Outcome::Pushed(pushed) => {
            let write = &mut record.writes[index];
            if write.made.iter().all(|made| made.id != pushed.fulfillment.id) {
                write.made.push(Made {
                    id: pushed.fulfillment.id.clone(),
                    lines: pushed.fulfillment.lines.clone(),
                });
            }
            if pushed.left.is_empty() {
                settle(record, index, now);
            } else if write.state.is_owed() {
                write.state = WriteState::Pending;
                write.failures = 0;
                write.next_at = now;
            }
        }
        Outcome::Done => {
            take_over(record, index);
            settle(record, index, now);
        }
        Outcome::Failed(_) | Outcome::LookFailed(_) if !record.writes[index].state.is_owed() => {}
        Outcome::Failed(error) => failed(record, index, error, false, policy, now, jitter),
        Outcome::LookFailed(error) => {
            // Found after a crash, an attempt is as good as indeterminate.
            let write = &mut record.writes[index];
            if let WriteState::Attempting { since } = write.state {
                write.state = WriteState::Indeterminate { since };
            }
            failed(record, index, error, true, policy, now, jitter);
        }
    }
    intake::take_in(record, policy, now);
    super::reconcile(record, policy, now);
}

/// A rewritten fulfillment is the new parcel's from now on.
fn take_over(record: &mut Record, index: usize) {
    let write = &record.writes[index];
    if write.kind != WriteKind::Create || write.targets.is_empty() {
        return;
    }
    let targets = write.targets.clone();
    for at in 0..record.writes.len() {
        if at == index || !record.writes[at].orphaned {
            continue;
        }
        let (moved, kept) = std::mem::take(&mut record.writes[at].made)
            .into_iter()
            .partition(|made| targets.contains(&made.id));
        record.writes[at].made = kept;
        let moved: Vec<Made> = moved;
        if !moved.is_empty() {
            // Taken back there by hand now, the new parcel would be lost.
            mirror::nothing_by_hand(record, at);
        }
        record.writes[index].made.extend(moved);
    }
}

/// The channel has all of it.
pub(super) fn settle(record: &mut Record, index: usize, now: Timestamp) {
    let write = &mut record.writes[index];
    write.state = WriteState::Done { at: now };
    write.error = None;
    write.failures = 0;
    write.uncertain = false;
    let (order, parcel, attempts) = (write.order, write.parcel, write.attempts);
    let (event, what) = match write.kind {
        WriteKind::Create => ("fulfillment.pushed", format!("the channel has parcel p{parcel}")),
        WriteKind::Track => {
            ("tracking.pushed", format!("the channel has the corrected tracking of p{parcel}"))
        }
        WriteKind::Void => ("fulfillment.voided", format!("the channel took parcel p{parcel} back")),
        WriteKind::Split => ("split.pushed", "the channel shows the split".to_owned()),
        WriteKind::Answer => {
            let accepted = write.answer.as_ref().is_some_and(|answer| answer.accept);
            let what = if accepted { "accepted" } else { "rejected" };
            ("cancel.answered", format!("the channel's cancellation request was {what} there"))
        }
    };
    let text = if attempts > 1 { format!("{what}, after {attempts} attempts") } else { what };
    record.note(now, event, Some(order), Level::Info, text);
}

fn failed(
    record: &mut Record,
    index: usize,
    error: &Error,
    looked: bool,
    policy: &Policy,
    now: Timestamp,
    jitter: f64,
) {
    let write = &mut record.writes[index];
    let since = match write.state {
        WriteState::Attempting { since } | WriteState::Indeterminate { since } => since,
        _ => now,
    };
    write.failures = write.failures.saturating_add(1);
    // A channel's `Retry-After` is data: one of years would be an order whose customer never hears of it.
    let wait = outbox::backoff(write.failures, policy.retry_cap, jitter)
        .max(error.retry_after.unwrap_or_default())
        .min(outbox::longest_wait(policy.retry_cap));
    let again = match error.kind {
        ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Unauthorized => true,
        // A look only reads: a page of a proxy in place of an answer is no reason to give up.
        ErrorKind::Indeterminate | ErrorKind::Malformed if looked => true,
        ErrorKind::Indeterminate => {
            write.uncertain = true;
            let finds = policy.may_find_fulfillments() && write.kind == WriteKind::Create;
            let look_first = finds || write.kind == WriteKind::Split;
            if look_first {
                write.state = WriteState::Indeterminate { since };
                write.next_at = later(now, policy.read_back);
            } else {
                // Safe to repeat under its key.
                write.state = WriteState::Pending;
                write.next_at = later(now, wait);
            }
            retry_note(record, index, error, now);
            return;
        }
        ErrorKind::Rejected | ErrorKind::NotFound | ErrorKind::Malformed | ErrorKind::Unsupported => false,
    };
    if !again {
        park(record, index, refusal(record, index, error), now);
        return;
    }
    if !looked {
        write.state = WriteState::Pending;
    }
    write.next_at = later(now, wait);
    retry_note(record, index, error, now);
}

/// Why a write was refused; of a parcel that crossed a cancellation, that.
fn refusal(record: &Record, index: usize, error: &Error) -> String {
    let write = &record.writes[index];
    let crossed = record
        .shipments
        .iter()
        .filter(|shipment| shipment.order == write.order && shipment.n == write.parcel)
        .find_map(|shipment| shipment.cancelled_at.filter(|_| write.kind == WriteKind::Create));
    match crossed {
        Some(at) => cancellation::crossed(at, &error.to_string()),
        None => error.to_string(),
    }
}

/// The first failures one by one, then every tenth: a channel that is down for a day must not fill the record.
fn retry_note(record: &mut Record, index: usize, error: &Error, now: Timestamp) {
    let write = &mut record.writes[index];
    write.error = Some(error.to_string());
    let (order, failures, next) = (write.order, write.failures, write.next_at);
    if failures <= 3 || failures.is_multiple_of(10) {
        let text = format!("failure {failures} ({error}); next try at {}", next.format("%Y-%m-%dT%H:%M:%SZ"));
        record.note(now, "outbox.retry", Some(order), Level::Warn, text);
    }
}

pub(super) fn park(record: &mut Record, index: usize, why: String, now: Timestamp) {
    let write = &mut record.writes[index];
    let text =
        format!("parked: {why}. `outbox retry` sends it again, `outbox drop` gives it up ({})", write.key);
    write.uncertain |= matches!(write.state, WriteState::Indeterminate { .. });
    write.state = WriteState::Parked { at: now };
    write.error = Some(why);
    let order = write.order;
    record.note(now, "outbox.parked", Some(order), Level::Error, text);
}

pub(super) fn later(now: Timestamp, wait: std::time::Duration) -> Timestamp {
    chrono::TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(Timestamp::MAX_UTC)
}
