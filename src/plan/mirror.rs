//! Hop 1, the merchant account, and the writes of hop 2: what is wanted against what is there.
//!
//! Level-triggered. Of each parcel the channel should show exactly one live `create` with the parcel's channel units
//! and its present tracking, or nothing when it was voided. What is there already is the parcel's last `create`
//! that was neither replaced nor taken back. A `void` carries the revision of the `create` that it takes back.

use sdk::{LineQuantity, OtherParcel, RemoteId, Timestamp, TrackingSet};

use crate::{
    outbox::{Write, WriteKind, WriteState},
    policy::Policy,
    record::{AccountParcel, AccountSplit, Level, Owner, Record, Shipment, SupplierOrder},
};

/// Brings the account and the outbox in line with the supplier's splits and parcels. Answers whether something changed.
pub fn apply(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    let account = account(record, now);
    if policy.shadow && !record.shadow {
        // What was promised before the merchant went into shadow waits as it is: a write that replaced it now could
        // never be sent, and the parcel would stay untold when the merchant is live again.
        return account;
    }
    let splits = split_writes(record, policy, now);
    let mut parcels = false;
    for index in 0..record.shipments.len() {
        parcels |= parcel(record, index, policy, now);
    }
    account || splits || parcels
}

/// Hop 1.
fn account(record: &mut Record, now: Timestamp) -> bool {
    let mut changed = false;
    for index in 0..record.orders.len() {
        let order = &record.orders[index];
        if order.split_of.is_none() || record.account.splits.iter().any(|split| split.order == order.n) {
            continue;
        }
        let (n, lines) = (order.n, whole_units(record, order));
        record.account.splits.push(AccountSplit { order: n, lines, at: now });
        let text = format!("the merchant account shows the split {}", record.number(n));
        record.note(now, "split.mirrored", Some(n), Level::Info, text);
        changed = true;
    }
    for index in 0..record.shipments.len() {
        let shipment = &record.shipments[index];
        let (order, n, voided) = (shipment.order, shipment.n, shipment.voided_at.is_some());
        let known = record.account.parcels.iter_mut().find(|parcel| parcel.order == order && parcel.n == n);
        let text = match known {
            Some(parcel) if parcel.tracking == shipment.tracking && parcel.voided == voided => continue,
            Some(parcel) => {
                parcel.tracking.clone_from(&shipment.tracking);
                parcel.voided = voided;
                parcel.at = now;
                if voided { "voided" } else { "corrected" }
            }
            None => {
                let tracking = shipment.tracking.clone();
                record.account.parcels.push(AccountParcel { order, n, tracking, voided, at: now });
                "recorded"
            }
        };
        let text = format!("the merchant account shows parcel p{n}: {text}");
        record.note(now, "tracking.recorded", Some(order), Level::Info, text);
        changed = true;
    }
    changed
}

/// The whole channel units that a supplier order holds, by channel line.
fn whole_units(record: &Record, order: &SupplierOrder) -> Vec<LineQuantity> {
    let mut lines = Vec::new();
    for line in &record.lines {
        let Owner::Supplier { parts, .. } = &line.owner else { continue };
        let of_part = |sku: &str| -> u32 {
            let own = order
                .lines
                .iter()
                .filter(|own| own.channel_line.as_ref() == Some(&line.id) && own.sku == sku);
            own.map(|own| own.routed).fold(0, u32::saturating_add)
        };
        let units = parts.iter().map(|part| of_part(&part.sku) / part.per_unit.max(1)).min().unwrap_or(0);
        if units > 0 {
            lines.push(LineQuantity { line: line.id.clone(), quantity: units });
        }
    }
    lines
}

fn split_writes(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    if !(policy.mirror_splits && policy.capabilities.split_mirror) {
        return false;
    }
    let owed: Vec<AccountSplit> = record
        .account
        .splits
        .iter()
        .filter(|split| !split.lines.is_empty())
        .filter(|split| {
            !record.writes.iter().any(|write| write.kind == WriteKind::Split && write.order == split.order)
        })
        .cloned()
        .collect();
    for split in &owed {
        let mut write = blank(record, WriteKind::Split, split.order, 0, 1, policy, now);
        write.lines.clone_from(&split.lines);
        record.writes.push(write);
    }
    !owed.is_empty()
}

/// One parcel's writes.
fn parcel(record: &mut Record, index: usize, policy: &Policy, now: Timestamp) -> bool {
    let shipment = &record.shipments[index];
    let (order, n) = (shipment.order, shipment.n);
    let lines = shipment.to_tell();
    let wanted = shipment.voided_at.is_none() && !lines.is_empty();
    let mut tracking = shipment.tracking.clone();
    tracking.others = others(record, shipment);
    let shipped_at = shipment.shipped_at;

    let mut changed = false;
    if let Some(at) = live_create_at(record, order, n) {
        let create = &record.writes[at];
        if create.given_up && create.made.is_empty() {
            return false;
        }
        let differs = create.lines != lines || !wanted;
        if !create.may_be_told() {
            if !differs && create.tracking == tracking {
                return false;
            }
            record.writes[at].state = WriteState::Dropped { at: now };
            changed = true;
        } else if differs {
            if !create.uncertain && (create.state == WriteState::Pending || create.state.is_parked()) {
                // Told in part: what is made is taken back, the rest is not sent.
                record.writes[at].state = WriteState::Dropped { at: now };
            }
            drop_unsent_tracks(record, order, n, now);
            // Of a merchant that the files do not name now it is not known: when they do, the write finds out.
            if policy.capabilities.voids || policy.capabilities.void_notices || policy.is_suspended() {
                let revision = record.writes[at].revision;
                let targets = record.writes[at].made.iter().map(|made| made.id.clone()).collect();
                let mut void = blank(record, WriteKind::Void, order, n, revision, policy, now);
                void.targets = targets;
                record.writes.push(void);
            } else {
                record.writes[at].orphaned = true;
            }
            if !policy.capabilities.voids && !policy.is_suspended() {
                ask_by_hand(record, at, now);
            }
            changed = true;
        } else {
            return tracks(record, at, &tracking, policy, now);
        }
    }
    if wanted {
        let creates =
            || record.writes.iter().filter(|write| write.is_of(order, n) && write.kind == WriteKind::Create);
        let revision = next_revision(record, WriteKind::Create, order, n);
        // The customer hears of a parcel once.
        let notify = !creates().any(Write::may_be_told);
        let mut create = blank(record, WriteKind::Create, order, n, revision, policy, now);
        create.lines = lines;
        create.tracking = tracking;
        create.shipped_at = shipped_at;
        create.notify = notify;
        record.writes.push(create);
        changed = true;
    }
    changed
}

/// The channel shows nothing (more) of an orphaned `create`: there is nothing to take back there by hand, unless another
/// of the same parcel was left behind too.
pub(super) fn nothing_by_hand(record: &mut Record, at: usize) {
    let create = &record.writes[at];
    let left =
        |write: &Write| write.is_of(create.order, create.parcel) && write.orphaned && !write.made.is_empty();
    if create.orphaned && !record.writes.iter().any(left) {
        let done = format!("{},", to_take_back(record, create));
        record.alerts.retain(|alert| alert.code != "void-by-hand" || !alert.text.starts_with(&done));
    }
}

/// A person is to take back what the `create` made, or may have made.
pub(super) fn ask_by_hand(record: &mut Record, at: usize, now: Timestamp) {
    let (order, text) = (record.writes[at].order, by_hand(record, at));
    if record.alert(now, "void-by-hand", text.clone()) {
        record.note(now, "fulfillment.void_by_hand", Some(order), Level::Error, text);
    }
}

/// What a person is to do about a parcel that was taken back where the channel takes nothing back. It names what to
/// look for there: the tracking number that was told last.
fn by_hand(record: &Record, at: usize) -> String {
    let create = &record.writes[at];
    let number = told_last(record, at).tracking.number.as_deref();
    let number = number.map_or_else(|| "without a number".to_owned(), |number| format!("tracking {number}"));
    format!(
        "{}, {number}, was taken back: this channel cannot take it back by itself, do it there by hand",
        to_take_back(record, create)
    )
}

fn to_take_back(record: &Record, create: &Write) -> String {
    format!("parcel p{} of {}", create.parcel, record.id.order(create.order))
}

/// The `create` that tells a parcel: the last that was neither replaced nor taken back.
pub(super) fn live_create(record: &Record, shipment: usize) -> Option<&Write> {
    let shipment = record.shipments.get(shipment)?;
    live_create_at(record, shipment.order, shipment.n).map(|at| &record.writes[at])
}

fn live_create_at(record: &Record, order: u32, n: u32) -> Option<usize> {
    let last = record.writes.iter().rposition(|write| {
        write.is_of(order, n) && write.kind == WriteKind::Create && !write.is_superseded()
    });
    last.filter(|at| !is_taken_back(record, &record.writes[*at]))
}

/// Whether a `create` is not to stand any more: it has its `void`, or is left behind where there can be none.
pub(super) fn is_taken_back(record: &Record, create: &Write) -> bool {
    create.orphaned || void_of(record, create).is_some()
}

/// The `void` that takes a `create` back, if one was planned.
pub(super) fn void_of<'r>(record: &'r Record, create: &Write) -> Option<&'r Write> {
    record.writes.iter().find(|write| {
        write.is_of(create.order, create.parcel)
            && write.kind == WriteKind::Void
            && write.revision == create.revision
    })
}

/// Tracking of a told parcel: a correction where the channel was told otherwise last.
fn tracks(record: &mut Record, at: usize, tracking: &TrackingSet, policy: &Policy, now: Timestamp) -> bool {
    let (order, n) = (record.writes[at].order, record.writes[at].parcel);
    if record.writes[at].state.is_parked() && record.writes[at].made.is_empty() {
        // There is nothing to correct as long as a person has not said whether the channel has the parcel: each
        // correction would find that, end, and be planned again.
        return drop_unsent_tracks(record, order, n, now);
    }
    // What was replaced after an attempt may be there or not: its word is no reason to say nothing. Nor is that of a
    // correction done before the rest of its parcel was made.
    let made: Vec<RemoteId> = record.writes[at].made.iter().map(|made| made.id.clone()).collect();
    let says = |told: &Write| {
        let complete = told.kind != WriteKind::Track
            || !matches!(told.state, WriteState::Done { .. })
            || made.iter().all(|id| told.targets.contains(id));
        told.tracking == *tracking && !told.is_superseded() && complete
    };
    if says(told_last(record, at)) {
        return false;
    }
    drop_unsent_tracks(record, order, n, now);
    let told = told_last(record, at);
    if says(told) {
        return true;
    }
    let renumbered = told.tracking.number != tracking.number;
    let revision = next_revision(record, WriteKind::Track, order, n);
    let shipped_at = record.writes[at].shipped_at;
    let mut track = blank(record, WriteKind::Track, order, n, revision, policy, now);
    track.tracking = tracking.clone();
    track.shipped_at = shipped_at;
    track.notify = renumbered;
    record.writes.push(track);
    true
}

/// A correction whose request came late lays an older number over the present one. Where a picture that was asked for
/// after the last correction shows a number that the parcel had before, the present one is told again. A channel that keeps
/// the old one all the same is a person's to look at.
pub(super) fn retell(record: &mut Record, asked: Timestamp, policy: &Policy, now: Timestamp) -> bool {
    /// So often at most.
    const AGAIN: usize = 3;
    if !policy.capabilities.tracking_updates {
        return false;
    }
    let mut changed = false;
    for index in 0..record.shipments.len() {
        let (order, n) = (record.shipments[index].order, record.shipments[index].n);
        let Some(at) = live_create_at(record, order, n) else { continue };
        let last = told_last(record, at);
        let WriteState::Done { at: done } = last.state else { continue };
        if last.kind != WriteKind::Track || asked <= done {
            continue;
        }
        let told =
            |write: &&Write| write.is_of(order, n) && write.kind != WriteKind::Void && write.attempts > 0;
        let now_told = &last.tracking.number;
        let before = |number: Option<&str>| {
            number.is_some()
                && number != now_told.as_deref()
                && record.writes.iter().filter(told).any(|write| write.tracking.number.as_deref() == number)
        };
        let overlaid = record.writes[at].made.iter().any(|made| {
            let seen = record.seen.fulfillments.iter().find(|seen| seen.id == made.id && seen.active);
            let shown = seen.and_then(|seen| seen.tracking.first());
            before(shown.and_then(|shown| shown.number.as_deref()))
        });
        if !overlaid {
            continue;
        }
        let same = |write: &&Write| write.kind == WriteKind::Track && write.tracking.number == *now_told;
        if record.writes.iter().filter(told).filter(same).count() > AGAIN {
            let text = format!(
                "parcel p{n} of {}: the channel shows an earlier tracking number, however often it is told {}: correct it \
                 there by hand",
                record.id.order(order),
                now_told.as_deref().unwrap_or("none")
            );
            if record.alert(now, "tracking-kept", text.clone()) {
                record.note(now, "fulfillment.overlaid", Some(order), Level::Error, text);
                changed = true;
            }
            continue;
        }
        let revision = next_revision(record, WriteKind::Track, order, n);
        let mut track = blank(record, WriteKind::Track, order, n, revision, policy, now);
        track.tracking = last.tracking.clone();
        track.shipped_at = last.shipped_at;
        let text =
            format!("parcel p{n}: an older tracking number lies over the present one, which is told again");
        record.writes.push(track);
        record.note(now, "fulfillment.overlaid", Some(order), Level::Warn, text);
        changed = true;
    }
    changed
}

/// The next revision of a parcel's writes of a kind.
fn next_revision(record: &Record, kind: WriteKind, order: u32, n: u32) -> u32 {
    let known = record.writes.iter().filter(|write| write.is_of(order, n) && write.kind == kind);
    known.map(|write| write.revision).max().unwrap_or(0).max(record.revisions_after(n)) + 1
}

/// The write that told (or is to tell) the parcel's tracking last: a replaced one counts where it may have been applied.
fn told_last(record: &Record, at: usize) -> &Write {
    let create = &record.writes[at];
    let last = record.writes[at + 1..].iter().rfind(|write| {
        write.is_of(create.order, create.parcel)
            && write.kind == WriteKind::Track
            && !(write.is_superseded() && write.attempts == 0)
    });
    last.unwrap_or(create)
}

/// Answers whether there was one.
fn drop_unsent_tracks(record: &mut Record, order: u32, n: u32, now: Timestamp) -> bool {
    let mut dropped = false;
    for write in
        record.writes.iter_mut().filter(|write| write.is_of(order, n) && write.kind == WriteKind::Track)
    {
        if write.state == WriteState::Pending || write.state.is_parked() {
            write.state = WriteState::Dropped { at: now };
            dropped = true;
        }
    }
    dropped
}

fn others(record: &Record, shipment: &Shipment) -> Vec<OtherParcel> {
    shipment
        .contributors
        .iter()
        .filter_map(|(order, n)| record.shipments.iter().find(|other| other.order == *order && other.n == *n))
        .filter_map(|other| {
            let number = other.tracking.number.clone()?;
            Some(OtherParcel {
                carrier: other.tracking.carrier.clone(),
                number,
                url: other.tracking.url.clone(),
            })
        })
        .collect()
}

pub(super) fn blank(
    record: &Record,
    kind: WriteKind,
    order: u32,
    parcel: u32,
    revision: u32,
    policy: &Policy,
    now: Timestamp,
) -> Write {
    let subject = if parcel == 0 { "split".to_owned() } else { format!("p{parcel}") };
    let key = format!("{}/{}/{subject}/{}/{revision}", record.id, record.id.order(order), kind.as_str());
    debug_assert!(record.writes.iter().all(|write| write.key != key), "{key} is used already");
    Write {
        key,
        kind,
        order,
        parcel,
        revision,
        lines: Vec::new(),
        tracking: TrackingSet::default(),
        shipped_at: now,
        notify: false,
        answer: None,
        targets: Vec::new(),
        state: if record.shadow || policy.shadow { WriteState::Shadow } else { WriteState::Pending },
        attempts: 0,
        failures: 0,
        given_up: false,
        orphaned: false,
        uncertain: false,
        next_at: now,
        planned_at: now,
        error: None,
        seen_before: Vec::new(),
        made: Vec::new(),
    }
}
