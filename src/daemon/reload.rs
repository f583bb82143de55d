//! What a reload changes, as a pure difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::ChannelWiring;
use crate::driver::ChannelKey;

/// What of a channel's wiring a reload can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    account: String,
    fingerprint: u64,
    timing: (Arc<str>, Arc<str>, Arc<str>, Duration, u32),
    /// Catalogue and stock.
    stock: (Option<Arc<str>>, Option<Arc<str>>),
}

impl Facts {
    /// Those of this wiring.
    pub fn of(wiring: &ChannelWiring) -> Self {
        let ChannelWiring { configured, orders, deliver, sweep, overlap, sweep_days, .. } = wiring;
        let text =
            |schedule: &Option<super::Schedule>| schedule.as_ref().map(|schedule| schedule.text.clone());
        Self {
            account: configured.account(),
            fingerprint: configured.fingerprint(),
            timing: (orders.text.clone(), deliver.text.clone(), sweep.text.clone(), *overlap, *sweep_days),
            stock: (text(&wiring.products), text(&wiring.inventory)),
        }
    }
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// New.
    pub added: BTreeSet<ChannelKey>,
    /// Gone.
    pub removed: BTreeSet<ChannelKey>,
    /// To be connected anew.
    pub changed: BTreeSet<ChannelKey>,
    /// With other schedules over the same connection.
    pub rescheduled: BTreeSet<ChannelKey>,
    /// How many are as they were.
    pub same: usize,
}

/// What leads from `old` to `new`.
pub fn diff(old: &BTreeMap<ChannelKey, Facts>, new: &BTreeMap<ChannelKey, Facts>) -> Diff {
    let mut diff = Diff {
        removed: old.keys().filter(|key| !new.contains_key(key)).cloned().collect(),
        ..Diff::default()
    };
    for (key, facts) in new {
        match old.get(key) {
            None => _ = diff.added.insert(key.clone()),
            Some(known) if (&known.account, known.fingerprint) != (&facts.account, facts.fingerprint) => {
                diff.changed.insert(key.clone());
            }
            Some(known) if (&known.timing, &known.stock) != (&facts.timing, &facts.stock) => {
                diff.rescheduled.insert(key.clone());
            }
            Some(_) => diff.same += 1,
        }
    }
    diff
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "channels: {} added, {} removed, {} connected anew, {} with new schedules, {} as they were",
            self.added.len(),
            self.removed.len(),
            self.changed.len(),
            self.rescheduled.len(),
            self.same
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(fingerprint: u64, orders: &str) -> Facts {
        let every: Arc<str> = "* * * * * *".into();
        let timing = (orders.into(), every.clone(), every, Duration::ZERO, 0);
        Facts { account: "folder:/a".to_owned(), fingerprint, timing, stock: (None, None) }
    }

    #[test]
    fn each_kind_of_change_is_told_apart() {
        let key = |name: &str| ChannelKey::new("m", name);
        let old = [("same", 1, "a"), ("gone", 1, "a"), ("new-token", 1, "a"), ("new-time", 1, "a")];
        let new = [("same", 1, "a"), ("fresh", 1, "a"), ("new-token", 2, "b"), ("new-time", 1, "b")];
        let map = |rows: [(&'static str, u64, &'static str); 4]| {
            rows.into_iter().map(|(name, print, text)| (key(name), facts(print, text))).collect()
        };
        let diff = diff(&map(old), &map(new));
        assert_eq!(diff.added, [key("fresh")].into());
        assert_eq!(diff.removed, [key("gone")].into());
        assert_eq!(diff.changed, [key("new-token")].into());
        assert_eq!(diff.rescheduled, [key("new-time")].into());
        assert_eq!(diff.same, 1);
    }
}
