//! Hop 1, the merchant account, and the writes of hop 2: what is wanted against what is there.

use sdk::Timestamp;

use crate::{policy::Policy, record::Record};

/// Brings the account and the outbox in line with the supplier's splits and parcels. Answers whether something changed.
pub fn apply(record: &mut Record, policy: &Policy, now: Timestamp) -> bool {
    let _ = (record, policy, now);
    false
}
