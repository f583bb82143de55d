//! The core: every decision, as pure functions. No I/O, no clock, no randomness, no async.
//!
//! A record changes by four inputs: what the channel shows ([`import`], [`absorb`]), a command of the supplier
//! ([`command::apply`]), a write's result ([`delivery`]), and time passing. After each, [`reconcile`] brings the
//! record to rest: it is level-triggered (it looks at what is, not at what happened) and a fixpoint.
//!
//! [`routing`] whose line is it · [`intake`] the channel's picture against our quantities · [`cancellation`] what of
//! them is not wanted any more · [`address`] where they go · [`release`] the gates · `attention` alerts that follow ·
//! [`units`] moving units between terms · [`orders`] ack, hold, release, edit, reimport · [`splits`] split, merge ·
//! [`shipping`] ship, track, void · [`mirror`] hop 1, and the writes of hop 2 · [`delivery`] one write's way · [`restored`] what
//! came back from a backup · [`stock`]
//! what each channel may show of the supplier's stock.

pub mod address;
mod attention;
pub mod cancellation;
pub mod command;
pub mod delivery;
pub mod intake;
pub mod mirror;
pub mod orders;
pub mod release;
pub mod restored;
pub mod routing;
pub mod shipping;
pub mod splits;
pub mod stock;
pub mod units;

use sdk::{Order, Timestamp};

use crate::{
    outbox,
    policy::Policy,
    record::{Account, Level, Record, RecordId, SCHEMA},
};

/// What a look at the channel's order did to its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// Nothing new: nothing to write.
    Unchanged,
    /// The record was changed: commit it.
    Changed,
    /// The channel cannot revise orders, yet this one says otherwise: set it aside with this reason.
    Conflict(String),
}

/// The record of an order seen for the first time, routed and reconciled.
pub fn import(mut seen: Order, policy: &Policy, now: Timestamp) -> Record {
    intake::strip(&mut seen, policy.fields);
    let excluded = (seen.placed_at < policy.since).then(|| {
        let cut_over = policy.since.format("%Y-%m-%dT%H:%M:%SZ");
        format!("placed {} before the cut-over {cut_over}", seen.placed_at.format("%Y-%m-%dT%H:%M:%SZ"))
    });
    let mut record = Record {
        schema: SCHEMA,
        id: RecordId::new(&policy.merchant, &policy.channel, &seen.id),
        version: 0,
        merchant: policy.merchant.clone(),
        channel: policy.channel.clone(),
        imported_at: now,
        shadow: policy.shadow,
        seen,
        seen_asked: None,
        lines: Vec::new(),
        excluded,
        gates: Vec::new(),
        overrides: Vec::new(),
        wake_at: None,
        orders: Vec::new(),
        shipments: Vec::new(),
        account: Account::default(),
        writes: Vec::new(),
        alerts: Vec::new(),
        cancel_requested_at: None,
        cancel_rejection: None,
        vanished_at: None,
        former_addresses: Vec::new(),
        commands: std::collections::BTreeMap::new(),
        timeline: Vec::new(),
        timeline_moved: 0,
        last_order: 0,
        last_line: 0,
        restored: None,
        numbers_after: 0,
    };
    record.note(now, "order.imported", None, Level::Info, "first seen on the channel");
    if let Some(why) = record.excluded.clone() {
        record.note(now, "order.excluded", None, Level::Info, why);
    }
    intake::take_in(&mut record, policy, now);
    reconcile(&mut record, policy, now);
    record
}

/// Whether a picture that was asked for at `asked` is older than the one that is known: two readers (a slow pull beside
/// a look) may store theirs in the other order, and a channel's stamps of whole seconds do not tell them apart.
pub fn is_overtaken(record: &Record, seen: &Order, asked: Timestamp) -> bool {
    /// No picture is on its way for longer: one that seems so was asked for after our clock was set back.
    const LONGEST: chrono::TimeDelta = chrono::TimeDelta::minutes(15);
    let newer = match (record.seen.updated_at, seen.updated_at) {
        (Some(known), Some(told)) => told > known,
        _ => false,
    };
    !newer && record.seen_asked.is_some_and(|known| asked < known && known - asked < LONGEST)
}

/// Takes in what the channel shows now.
pub fn absorb(record: &mut Record, mut seen: Order, policy: &Policy, now: Timestamp) -> Absorbed {
    intake::strip(&mut seen, policy.fields);
    if record.seen == seen {
        return if returned(record, now) {
            reconcile(record, policy, now);
            Absorbed::Changed
        } else {
            Absorbed::Unchanged
        };
    }
    // A page that was read before a newer one was stored (a slow pull beside a sweep) must not undo it.
    if let (Some(known), Some(told)) = (record.seen.updated_at, seen.updated_at)
        && told < known
    {
        return Absorbed::Unchanged;
    }
    if !policy.capabilities.sees_edits {
        return Absorbed::Conflict(intake::difference(&record.seen, &seen));
    }
    returned(record, now);
    intake::note_changes(record, &seen, now);
    record.seen = seen;
    intake::take_in(record, policy, now);
    reconcile(record, policy, now);
    Absorbed::Changed
}

/// Tells tracking again that the channel lost to an older request, by the known picture, which was asked for at `asked`.
/// Answers whether something changed.
pub fn retell(record: &mut Record, asked: Timestamp, policy: &Policy, now: Timestamp) -> bool {
    let changed = !policy.shadow && !record.shadow && mirror::retell(record, asked, policy, now);
    if changed {
        reconcile(record, policy, now);
    }
    changed
}

/// An order that had vanished is there again. Answers whether it is one.
fn returned(record: &mut Record, now: Timestamp) -> bool {
    let returned = record.vanished_at.take().is_some();
    if returned {
        record.note(now, "order.returned", None, Level::Info, "the channel has the order again");
    }
    returned
}

/// A number of units, in words for a person.
pub(crate) fn counted(units: u64) -> String {
    if units == 1 { "1 unit".to_owned() } else { format!("{units} units") }
}

/// Brings the record to rest at `now`: gates, hop 1, the writes owed. A fixpoint: again changes nothing.
/// Answers whether something changed.
pub fn reconcile(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    // Nothing new is routed for a merchant that the files no longer name.
    let released = !policy.is_suspended() && release::apply(record, policy, now);
    let mirrored = mirror::apply(record, policy, now);
    let answered = cancellation::answers(record, policy, now);
    let alerted = attention::apply(record, now);
    let longest = outbox::longest_wait(policy.retry_cap).max(policy.read_back);
    let drawn_in = outbox::draw_in(&mut record.writes, now, longest);
    debug_assert_eq!(record.check(), Ok(()), "{}", record.id);
    released || mirrored || answered || alerted || drawn_in
}
