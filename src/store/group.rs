//! The writer's half: compares versions and makes one batch of several commits. A commit that does not pass leaves
//! no trace in the batch.

use std::collections::{BTreeMap, HashMap};

use super::{
    StoreError,
    envelope::{self, Head, Sealed},
    layout,
    prepare::Prepared,
    questions,
    space::{Batch, Space},
};
use crate::stock::{Level, Movement};

/// What movements of stock make.
struct Moved {
    levels: Vec<(Vec<u8>, Level, Sealed)>,
    entries: Vec<(Vec<u8>, Sealed)>,
}

/// Commits that go into one batch.
pub(super) struct Group<'s, S> {
    space: &'s S,
    batch: Batch,
    /// Heads as they will be after the batch: what the next commit of the group is compared with.
    heads: HashMap<Vec<u8>, Option<Head>>,
    /// Index entries as they will be.
    index: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// The next free number of each list that is appended to.
    numbers: HashMap<Vec<u8>, u32>,
    /// Levels of stock as they will be.
    levels: HashMap<Vec<u8>, Option<Level>>,
}

impl<'s, S: Space> Group<'s, S> {
    pub(super) fn new(space: &'s S) -> Self {
        let (heads, index, numbers, levels) = Default::default();
        Self { space, batch: Batch::new(), heads, index, numbers, levels }
    }

    /// Adds a commit, wholly or (with an error) not at all.
    pub(super) fn add(&mut self, commit: Prepared) -> Result<(), StoreError> {
        // Everything that can fail is read first. Reads that are remembered do no harm if the commit fails.
        for guarded in &commit.guarded {
            let stored = self.head(&guarded.key)?.map_or(0, |head| head.version);
            if stored != guarded.expected {
                return Err(StoreError::Conflict(guarded.name.clone()));
            }
            if let Some((key, _)) = &guarded.index {
                self.entry(key, guarded.expected == 0)?;
            }
        }
        for key in commit.removed.iter().chain(commit.plain.iter().map(|(key, _)| key)) {
            self.head(key)?;
        }
        for appended in &commit.appended {
            self.number(&appended.prefix)?;
        }
        let moved = self.moved(&commit.movements)?;

        for (key, level, sealed) in moved.levels {
            self.levels.insert(key.clone(), Some(level));
            self.put(key, sealed);
        }
        for (key, sealed) in moved.entries {
            self.put(key, sealed);
        }
        for guarded in commit.guarded {
            self.put(guarded.key, guarded.value);
            if let Some((key, due)) = guarded.index
                && self.index.get(&key) != Some(&due)
            {
                self.batch.push((key.clone(), due.clone()));
                self.index.insert(key, due);
            }
        }
        for key in commit.removed {
            self.remove(key);
        }
        for (key, value) in commit.plain {
            self.put(key, value);
        }
        for appended in commit.appended {
            let key = layout::event_part(&appended.prefix, self.numbers[&appended.prefix]);
            *self.numbers.entry(appended.prefix).or_default() += 1;
            self.put(key, appended.value);
        }
        Ok(())
    }

    /// Writes a value whatever version is there.
    pub(super) fn replace(&mut self, key: Vec<u8>, value: Sealed) -> Result<(), StoreError> {
        self.head(&key)?;
        self.put(key, value);
        Ok(())
    }

    /// The batch, in order of writing: of several entries of one key the last holds.
    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    fn head(&mut self, key: &[u8]) -> Result<Option<Head>, StoreError> {
        if let Some(known) = self.heads.get(key) {
            return Ok(*known);
        }
        let head = self.space.get(key)?.map(|value| envelope::head(key, value.as_ref())).transpose()?;
        self.heads.insert(key.to_vec(), head);
        Ok(head)
    }

    /// Reads an index entry; one of a record that does not exist is not looked for.
    fn entry(&mut self, key: &[u8], is_new: bool) -> Result<(), StoreError> {
        if !self.index.contains_key(key) {
            let stored =
                if is_new { None } else { self.space.get(key)?.map(|value| value.as_ref().to_vec()) };
            self.index.insert(key.to_vec(), stored);
        }
        Ok(())
    }

    /// What movements make of the levels, without keeping it: the commit may still fail.
    fn moved(&mut self, movements: &[Movement]) -> Result<Moved, StoreError> {
        let mut levels: BTreeMap<Vec<u8>, Level> = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for movement in movements {
            let key = layout::level(&movement.sku, &movement.warehouse);
            if !levels.contains_key(&key) && !self.levels.contains_key(&key) {
                match self.level(&key) {
                    Ok(level) => _ = self.levels.insert(key.clone(), level),
                    // A figure that cannot be read must not stop a parcel: it is counted anew when it is next told.
                    Err(error @ StoreError::Corrupt { .. }) => {
                        super::report(error);
                        self.heads.insert(key.clone(), None);
                        if !movement.cause.tells() {
                            continue;
                        }
                        self.levels.insert(key.clone(), None);
                    }
                    Err(error) => return Err(error),
                }
            }
            let before = levels.get(&key).or_else(|| self.levels.get(&key).and_then(Option::as_ref));
            let (after, entry) = Level::moved(before, movement);
            if let Some(entry) = entry {
                let key = layout::moved(&movement.sku, &movement.warehouse, entry.n);
                let sealed = envelope::seal(&key, 0, &entry)?;
                entries.insert(key, sealed);
            }
            levels.insert(key, after);
        }
        let levels = levels.into_iter().map(|(key, level)| {
            let sealed = envelope::seal(&key, level.moves, &level)?;
            Ok((key, level, sealed))
        });
        Ok(Moved {
            levels: levels.collect::<Result<_, StoreError>>()?,
            entries: entries.into_iter().collect(),
        })
    }

    fn level(&mut self, key: &[u8]) -> Result<Option<Level>, StoreError> {
        let value = self.space.get(key)?;
        if !self.heads.contains_key(key) {
            let head = value.as_ref().map(|value| envelope::head(key, value.as_ref())).transpose()?;
            self.heads.insert(key.to_vec(), head);
        }
        value.map(|value| envelope::decode(key, &questions::open(self.space, key, value)?)).transpose()
    }

    fn number(&mut self, prefix: &[u8]) -> Result<(), StoreError> {
        if !self.numbers.contains_key(prefix) {
            let last = self.space.last(prefix)?;
            let next = last.and_then(|key| layout::event_number(prefix, key.as_ref())).map_or(0, |n| n + 1);
            self.numbers.insert(prefix.to_vec(), next);
        }
        Ok(())
    }

    fn put(&mut self, key: Vec<u8>, value: Sealed) {
        let had = self.heads.get(&key).copied().flatten().map_or(0, |head| head.pieces);
        for n in value.head.pieces..had {
            self.batch.push((layout::piece(&key, n), None));
        }
        for (n, piece) in value.rest.into_iter().enumerate() {
            self.batch.push((layout::piece(&key, n as u16), Some(piece)));
        }
        self.heads.insert(key.clone(), Some(value.head));
        self.batch.push((key, Some(value.first)));
    }

    fn remove(&mut self, key: Vec<u8>) {
        let Some(head) = self.heads.get(&key).copied().flatten() else { return };
        for n in 0..head.pieces {
            self.batch.push((layout::piece(&key, n), None));
        }
        self.heads.insert(key.clone(), None);
        self.batch.push((key, None));
    }
}
