//! The caller's half of a commit: everything is checked and encoded before it meets the one writer.

use std::collections::BTreeSet;

use sdk::ExposeSecret;

use super::{
    Changes, StoreError,
    envelope::{self, Sealed},
    layout,
};
use crate::stock::Movement;

/// A commit that only has to be compared and written.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Values guarded by a version.
    pub(super) guarded: Vec<Guarded>,
    /// Values that replace what is there.
    pub(super) plain: Vec<(Vec<u8>, Sealed)>,
    /// Values to take away.
    pub(super) removed: Vec<Vec<u8>>,
    /// Values to append under a prefix, each with the next number.
    pub(super) appended: Vec<Appended>,
    /// Movements of stock: worked out over the levels as they are when they are written.
    pub(super) movements: Vec<Movement>,
}

/// A value that may be written only over a certain version.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) key: Vec<u8>,
    /// 0: must not exist.
    pub(super) expected: u64,
    pub(super) value: Sealed,
    /// The name that a conflict gives.
    pub(super) name: String,
    /// For a record: its index entry's key, and its value where it is active.
    pub(super) index: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A value to append.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) prefix: Vec<u8>,
    pub(super) value: Sealed,
}

impl Prepared {
    /// Encodes changes. Fails with `TooLarge`, or with `Conflict` where two of them write the same thing.
    pub(super) fn new(changes: Changes) -> Result<Self, StoreError> {
        let Changes { records, channels, set_aside, cleared, old_events, tokens, stock } = changes;
        let mut guarded = Vec::with_capacity(records.len() + channels.len());
        for mut record in records {
            let key = layout::record(&record.id);
            layout::check(&key)?;
            let expected = record.version;
            record.version += 1;
            let value = envelope::seal(&key, record.version, &record)?;
            let due = record.is_active().then(|| layout::due(record.next_wake()));
            let index = Some((layout::active(&record.id), due));
            guarded.push(Guarded { key, expected, value, name: format!("order {}", record.id), index });
        }
        for (merchant, channel, mut state) in channels {
            let key = layout::channel(&merchant, &channel);
            layout::check(&key)?;
            let expected = state.version;
            state.version += 1;
            let value = envelope::seal(&key, state.version, &state)?;
            let name = format!("the state of channel {merchant}.{channel}");
            guarded.push(Guarded { key, expected, value, name, index: None });
        }
        let mut plain = Vec::with_capacity(set_aside.len() + tokens.len());
        let mut removed: Vec<Vec<u8>> =
            cleared.iter().map(|(merchant, channel, id)| layout::aside(merchant, channel, id)).collect();
        let movements = stock.prepare(&mut guarded, &mut plain, &mut removed)?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = guarded.iter().find(|guarded| !seen.insert(&guarded.key)) {
            return Err(StoreError::Conflict(twice.name.clone()));
        }

        for aside in set_aside {
            plain.push(seal_plain(layout::aside(&aside.merchant, &aside.channel, &aside.id), &aside)?);
        }
        for (merchant, channel, value) in tokens {
            plain.push(seal_plain(layout::tokens(&merchant, &channel), &value.expose_secret())?);
        }

        let mut appended = Vec::with_capacity(old_events.len());
        for (id, events) in old_events {
            if events.is_empty() {
                continue;
            }
            let prefix = layout::events(&id);
            layout::check(&prefix)?;
            let value = envelope::seal(&prefix, 0, &events)?;
            appended.push(Appended { prefix, value });
        }
        Ok(Self { guarded, plain, removed, appended, movements })
    }

    /// How many values it writes, about: what a batch is measured by.
    pub(super) fn weight(&self) -> usize {
        self.guarded.len()
            + self.plain.len()
            + self.removed.len()
            + self.appended.len()
            + 2 * self.movements.len()
    }
}

pub(super) fn seal_plain(
    key: Vec<u8>,
    value: &impl serde::Serialize,
) -> Result<(Vec<u8>, Sealed), StoreError> {
    layout::check(&key)?;
    let sealed = envelope::seal(&key, 0, value)?;
    Ok((key, sealed))
}
