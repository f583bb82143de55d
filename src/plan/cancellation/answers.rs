//! Answers to a channel's own cancellation requests.

use sdk::{RemoteId, Timestamp};

use crate::{
    outbox::{CancelAnswer, Write, WriteKind, WriteState},
    plan::mirror,
    policy::Policy,
    record::{AccountLine, Level, Owner, Record, RecordId},
};

/// The answers owed to the channel's own requests: once nothing of one waits for the supplier, it is accepted when all
/// of its units are cancelled here, and rejected otherwise. Answers whether something changed.
pub(in crate::plan) fn answers(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    let mut changed = withdraw(record, now);
    // A request is seen only where it can be answered, also while the files do not name the merchant: owed, the answer goes
    // when they do.
    if !(policy.capabilities.answers_cancellations || policy.is_suspended())
        || (policy.shadow && !record.shadow)
    {
        return changed;
    }
    for at in 0..record.seen.cancellation_requests.len() {
        let request = record.seen.cancellation_requests[at].clone();
        // One that was withdrawn before it was answered may come again.
        if record.writes.iter().any(|write| write.answers(&request.id) && !write.is_superseded()) {
            continue;
        }
        let ours: Vec<_> = request.lines.iter().filter_map(|line| record.line(&line.line)).collect();
        let all_ours = ours.len() == request.lines.len()
            && ours.iter().all(|line| matches!(line.owner, Owner::Supplier { .. }) && line.excluded == 0);
        if !all_ours {
            let text = format!(
                "the cancellation request {} is also about lines that are not ours: answer it in the shop",
                request.id
            );
            if record.alert(now, "cancellation-by-hand", text.clone()) {
                record.note(now, "cancel.by_hand", None, Level::Error, text);
                changed = true;
            }
            continue;
        }
        if ours.iter().any(|line| line.cancel_requested > 0 || is_leaving(record, &line.id)) {
            continue;
        }
        // What the channel was told of since it was last looked at is no part of its request any more.
        let settled = |line: &AccountLine| line.all_cancelled().saturating_add(told_unseen(record, &line.id));
        let accept = ours.iter().all(|line| settled(line) >= line.to_cancel())
            && ours.iter().any(|line| line.all_cancelled() > 0);
        let reason = if ours.iter().any(|line| line.cancel_rejected > 0) {
            record.cancel_rejection.clone()
        } else {
            Some("the units have left already".to_owned())
        };
        let message = reason.filter(|_| !accept);
        let before =
            record.writes.iter().filter(|write| write.answers(&request.id)).map(|write| write.revision);
        let revision = before.max().unwrap_or(0).max(record.revisions_after(0)) + 1;
        let mut write = mirror::blank(record, WriteKind::Answer, 1, 0, revision, policy, now);
        write.key = format!("{}/{}/answer/{revision}", record.id, RecordId::key_part(&request.id));
        write.targets = vec![request.id];
        write.answer = Some(CancelAnswer { accept, message });
        record.writes.push(write);
        changed = true;
    }
    changed
}

/// Whether a parcel with units of this line is on its way to the channel.
fn is_leaving(record: &Record, id: &RemoteId) -> bool {
    creates(record).any(|create| create.state.is_owed() && create.lines.iter().any(|line| line.line == *id))
}

/// Units of a line that the channel was told of and does not show yet.
fn told_unseen(record: &Record, id: &RemoteId) -> u32 {
    creates(record)
        .flat_map(|create| &create.made)
        .filter(|made| record.seen.fulfillments.iter().all(|seen| seen.id != made.id))
        .flat_map(|made| &made.lines)
        .filter(|line| line.line == *id)
        .fold(0, |sum, line| sum.saturating_add(line.quantity))
}

fn creates(record: &Record) -> impl Iterator<Item = &Write> {
    let is_create = |write: &&Write| write.kind == WriteKind::Create;
    record.writes.iter().filter(is_create).filter(|create| !mirror::is_taken_back(record, create))
}

/// Answers to requests that the channel no longer shows are not owed any more.
fn withdraw(record: &mut Record, now: Timestamp) -> bool {
    let mut changed = false;
    let open = &record.seen.cancellation_requests;
    for write in record.writes.iter_mut().filter(|write| write.kind == WriteKind::Answer) {
        let shown = open.iter().any(|request| write.targets.contains(&request.id));
        let waits = write.state == WriteState::Pending || write.state.is_parked();
        if waits && !shown {
            write.state = WriteState::Dropped { at: now };
            changed = true;
        }
    }
    changed
}
