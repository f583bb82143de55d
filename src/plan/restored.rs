//! A record that came back from a backup. It does not know what happened on its channel after the backup, so nothing
//! is written for it until the channel was asked for its order since the restore. What is owed by then may have been
//! sent long ago: each owed write is taken for one of unknown outcome, and is looked for before it goes. What the
//! channel shows and the record does not know waits for a person.
//!
//! # Numbers
//! Numbers that were given after the backup (parcels, splits, lines, revisions of writes) are not in it, and would be
//! given a second time: to the bench they would name two things, and a channel that remembers keys would answer a new
//! write with the memory of another. So a restore leaves a gap that no number of before can lie in
//! ([`Record::numbers_after`]).

use std::collections::BTreeSet;

use sdk::{Order, RemoteFulfillment, RemoteId, Timestamp};

use super::{Absorbed, delivery, intake};
use crate::{
    outbox::{WriteKind, WriteState},
    policy::Policy,
    record::{Level, Owner, Record, Restored},
};

/// The alert of a parcel that the channel has and the restored record did not know. `orders release` takes it away.
pub const UNKNOWN_PARCEL: &str = "restored-parcel";

/// Marks a record as restored.
pub fn mark(record: &mut Record, restored: Restored, numbers_after: u32) {
    record.numbers_after = record.numbers_after.max(numbers_after);
    record.last_order = record.last_order.max(numbers_after);
    record.last_line = record.last_line.max(numbers_after);
    for order in &mut record.orders {
        order.last_parcel = order.last_parcel.max(numbers_after);
    }
    record.restored = Some(restored);
    if record.is_active() {
        let text = format!(
            "restored from the backup of {}: nothing is written for it until its channel was asked for it",
            stamp(restored.taken)
        );
        record.note(restored.at, "order.restored", None, Level::Warn, text);
    }
}

/// Whether a picture that was asked for at `asked` reads a restored record back.
pub fn is_answered(record: &Record, asked: Timestamp, policy: &Policy) -> bool {
    // A channel that cannot be asked for an order shows what was put there, and never what became of it.
    policy.capabilities.order_by_id && record.restored.is_some_and(|restored| asked >= restored.at)
}

/// Takes in the first picture of the channel that was asked for after the restore.
pub fn read_back(record: &mut Record, seen: Order, policy: &Policy, now: Timestamp) -> Absorbed {
    let Some(restored) = record.restored.take() else { return super::absorb(record, seen, policy, now) };
    let known: BTreeSet<RemoteId> = record.seen.fulfillments.iter().map(|known| known.id.clone()).collect();
    doubt(record, restored, policy, now);
    if let Absorbed::Conflict(why) = super::absorb(record, seen, policy, now) {
        record.restored = Some(restored);
        return Absorbed::Conflict(why);
    }
    // Once more, for the picture may be the same as before: what is owed is held against it all the same.
    intake::take_in(record, policy, now);
    told_already(record, restored, now);
    other_numbers(record, restored, now);
    sent_and_taken_back(record, &known, restored, now);
    unknown_parcels(record, &known, restored, now);
    record.note(now, "order.read_back", None, Level::Info, "read back from its channel after a restore");
    super::reconcile(record, policy, now);
    Absorbed::Changed
}

/// An order that no record knew, first seen while its channel is read back: parcels of ours may be on it already.
pub fn imported(record: &mut Record, restored: Restored, now: Timestamp) {
    unknown_parcels(record, &BTreeSet::new(), restored, now);
}

/// The channel cannot tell of this order, and `why`: what is owed waits for a person.
pub fn untold(record: &mut Record, why: &str, policy: &Policy, now: Timestamp) {
    let Some(restored) = record.restored.take() else { return };
    for index in 0..record.writes.len() {
        if record.writes[index].state.is_owed() {
            record.writes[index].uncertain = true;
            delivery::park(record, index, owed(restored, why), now);
        }
    }
    super::reconcile(record, policy, now);
}

fn owed(restored: Restored, why: &str) -> String {
    format!(
        "restored from the backup of {}, and {why}: look whether the channel has it, since it may have been sent after \
         the backup",
        stamp(restored.taken)
    )
}

/// Each owed write may have been sent after the backup.
fn doubt(record: &mut Record, restored: Restored, policy: &Policy, now: Timestamp) {
    for index in 0..record.writes.len() {
        let write = &mut record.writes[index];
        if !write.state.is_owed() {
            continue;
        }
        write.next_at = now;
        match write.kind {
            WriteKind::Create if policy.capabilities.finds_fulfillments => {
                write.state = WriteState::Indeterminate { since: restored.at };
                write.attempts = write.attempts.max(1);
                write.uncertain = true;
            }
            WriteKind::Create => {
                write.uncertain = true;
                delivery::park(record, index, owed(restored, "it cannot be asked for its parcels"), now);
            }
            // A split cannot be looked for: that it is of unknown outcome parks it when its turn comes.
            WriteKind::Split => write.state = WriteState::Indeterminate { since: restored.at },
            // Held against the channel's picture, and safe to repeat where that does not show it.
            WriteKind::Track | WriteKind::Void | WriteKind::Answer => write.state = WriteState::Pending,
        }
    }
}

/// Corrections and voids that the channel shows as done.
fn told_already(record: &mut Record, restored: Restored, now: Timestamp) {
    for index in 0..record.writes.len() {
        let write = &record.writes[index];
        if !write.state.is_owed() || !matches!(write.kind, WriteKind::Track | WriteKind::Void) {
            continue;
        }
        let about = |create: &&crate::outbox::Write| {
            create.kind == WriteKind::Create
                && create.is_of(write.order, write.parcel)
                && (write.kind == WriteKind::Track || create.revision == write.revision)
        };
        let creates: Vec<_> = record.writes[..index].iter().filter(about).collect();
        let renumbered = creates.iter().all(|create| create.tracking.number != write.tracking.number);
        let made: Vec<_> = creates.iter().flat_map(|create| &create.made).collect();
        let shown = |id: &RemoteId| {
            record.seen.fulfillments.iter().find(|seen| seen.id == *id).filter(|seen| seen.active)
        };
        let done = !made.is_empty()
            && made.iter().all(|made| match (write.kind, shown(&made.id)) {
                // Of another number the channel shows whether it has it; a new carrier's word is told once more.
                (WriteKind::Track, Some(seen)) => {
                    renumbered
                        && seen.tracking.first().is_some_and(|told| told.number == write.tracking.number)
                }
                (WriteKind::Void, seen) => seen.is_none(),
                _ => false,
            });
        // Neither what was told before nor what is owed: it was corrected once more after the backup.
        let known = |number: Option<&str>| {
            let told = record.writes[..=index].iter().filter(|told| {
                matches!(told.kind, WriteKind::Create | WriteKind::Track)
                    && told.is_of(write.order, write.parcel)
            });
            told.map(|told| told.tracking.number.as_deref()).any(|told| told == number)
        };
        let other = made.iter().filter_map(|made| shown(&made.id)).find_map(|seen| {
            let number = seen.tracking.first().and_then(|told| told.number.as_deref());
            number.filter(|_| write.kind == WriteKind::Track && !known(number)).map(str::to_owned)
        });
        if let Some(other) = other {
            let why = format!("the channel shows the number {other} by now");
            delivery::park(record, index, owed(restored, &why), now);
            continue;
        }
        if done {
            let targets = made.iter().map(|made| made.id.clone()).collect();
            record.writes[index].targets = targets;
            delivery::settle(record, index, now);
        }
    }
}

/// Parcels of ours that the channel shows with another number than they were told with: corrected after the backup.
fn other_numbers(record: &mut Record, restored: Restored, now: Timestamp) {
    let mut found = Vec::new();
    for create in record.writes.iter().filter(|write| write.kind == WriteKind::Create) {
        if super::mirror::is_taken_back(record, create) {
            continue;
        }
        // A correction that is still owed will say it anew.
        let tracks = record.writes.iter().filter(|write| {
            write.kind == WriteKind::Track
                && write.is_of(create.order, create.parcel)
                && !write.is_superseded()
        });
        let told: Vec<&crate::outbox::Write> = std::iter::once(create).chain(tracks).collect();
        if told.iter().any(|write| write.state.is_owed()) {
            continue;
        }
        let numbers: Vec<_> = told.iter().map(|write| write.tracking.number.as_deref()).collect();
        for made in &create.made {
            let seen = record.seen.fulfillments.iter().find(|seen| seen.id == made.id && seen.active);
            let number = seen.and_then(|seen| seen.tracking.first()).and_then(|told| told.number.as_deref());
            if number.is_some() && !numbers.contains(&number) {
                let (name, label) = (record.id.order(create.order), create.parcel);
                found.push(format!(
                    "the channel shows parcel p{label} of {name} with the number {}, which the backup of {} does not \
                     know: `orders track` it here as well",
                    number.unwrap_or_default(),
                    stamp(restored.taken)
                ));
            }
        }
    }
    for text in found {
        if record.alert(now, UNKNOWN_PARCEL, text.clone()) {
            record.note(now, "order.restored_parcel", None, Level::Error, text);
        }
    }
}

/// What is owed and the channel shows as made and taken back was sent after the backup, and then it was undone: by whom, a
/// person has to find out before it is sent once more.
fn sent_and_taken_back(record: &mut Record, known: &BTreeSet<RemoteId>, restored: Restored, now: Timestamp) {
    for index in 0..record.writes.len() {
        let write = &record.writes[index];
        if write.kind != WriteKind::Create || !write.state.is_owed() {
            continue;
        }
        let undone = record.seen.fulfillments.iter().find(|seen| {
            !seen.active && !known.contains(&seen.id) && delivery::alike(&write.tracking, &write.lines, seen)
        });
        if let Some(undone) = undone {
            let why = format!("the channel had it as fulfillment {}, which was taken back there", undone.id);
            delivery::park(record, index, owed(restored, &why), now);
        }
    }
}

/// Parcels on our lines that the channel has and the record does not know. Their units count as fulfilled elsewhere,
/// as with anybody's parcel; what is still open, and what is still owed on these lines, waits for a person.
fn unknown_parcels(record: &mut Record, known: &BTreeSet<RemoteId>, restored: Restored, now: Timestamp) {
    let claimed: BTreeSet<&RemoteId> =
        record.writes.iter().flat_map(|write| &write.made).map(|made| &made.id).collect();
    let ours = |fulfillment: &RemoteFulfillment| {
        fulfillment.lines.iter().any(|told| {
            record
                .line(&told.line)
                .is_some_and(|line| matches!(line.owner, Owner::Supplier { .. }) && line.excluded == 0)
        })
    };
    let unknown: Vec<RemoteFulfillment> = record
        .seen
        .fulfillments
        .iter()
        .filter(|seen| seen.active && !known.contains(&seen.id) && !claimed.contains(&seen.id) && ours(seen))
        .filter(|seen| !matches!(intake::kinship(record, seen), intake::Kinship::MayBeOurs))
        .cloned()
        .collect();
    if unknown.is_empty() {
        return;
    }
    let names: Vec<String> = unknown.iter().map(|parcel| name(record, parcel)).collect();
    let what = names.join("; ");
    let then = if record.orders.is_empty() {
        "; nothing of it is open here".to_owned()
    } else {
        format!(", then `orders release {}`", record.id)
    };
    let text = format!(
        "the channel has {what}, which the backup of {} does not know: it counts as shipped. Compare it with the \
         bench{then}",
        stamp(restored.taken),
    );
    if record.alert(now, UNKNOWN_PARCEL, text.clone()) {
        record.note(now, "order.restored_parcel", None, Level::Error, text);
    }
    let reason = format!("restored: the channel has {what}, which the backup did not know");
    for order in &mut record.orders {
        if order.lines.iter().any(|line| line.open() > 0) {
            let other = order.hold.take().map(|other| format!("{other}; ")).unwrap_or_default();
            order.hold = Some(format!("{other}{reason}"));
        }
    }
    let touched: BTreeSet<RemoteId> =
        unknown.iter().flat_map(|parcel| &parcel.lines).map(|line| line.line.clone()).collect();
    for index in 0..record.writes.len() {
        let write = &record.writes[index];
        let same = write.lines.iter().any(|line| touched.contains(&line.line));
        if write.kind == WriteKind::Create && write.state.is_owed() && same {
            let why = format!("the channel has {what} on the same lines");
            delivery::park(record, index, owed(restored, &why), now);
        }
    }
}

fn name(record: &Record, parcel: &RemoteFulfillment) -> String {
    let lines = super::cancellation::names(record, &parcel.lines);
    let tracking = parcel.tracking.first();
    let number = tracking.and_then(|tracking| tracking.number.as_deref());
    let company = tracking.and_then(|tracking| tracking.company.as_deref());
    let told: Vec<&str> = company.into_iter().chain(number).collect();
    let told = if told.is_empty() { "no tracking number".to_owned() } else { told.join(" ") };
    format!("fulfillment {} ({told}) of {lines}", parcel.id)
}

fn stamp(at: Timestamp) -> String {
    super::cancellation::stamp(at)
}
