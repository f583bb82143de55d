//! The core: every decision, as pure functions. No I/O, no clock, no randomness, no async.

pub mod command;
pub mod delivery;
pub mod routing;

use sdk::{Order, Timestamp};

use crate::{policy::Policy, record::Record};

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
pub fn import(seen: Order, policy: &Policy, now: Timestamp) -> Record {
    let _ = (policy, now);
    unreachable!("{}", seen.id)
}

/// Takes in what the channel shows now.
pub fn absorb(record: &mut Record, seen: Order, policy: &Policy, now: Timestamp) -> Absorbed {
    let _ = (record, seen, policy, now);
    Absorbed::Unchanged
}

/// Brings the record to rest at `now`: gates, hop 1, the writes owed. A fixpoint: again changes nothing.
/// Answers whether something changed.
pub fn reconcile(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    let _ = (record, policy, now);
    false
}
