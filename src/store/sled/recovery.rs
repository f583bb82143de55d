//! What happens to a store at its opening: the layout's number, the mark of a good end, and without that mark a look
//! at everything and a new index.

use std::collections::BTreeMap;

use super::Disk;
use crate::store::{
    StoreError,
    layout::{self, CURRENT},
    space::Space,
    verify::{self, Value},
};

/// How many index entries are repaired in one batch.
const REPAIRS: usize = 1000;

/// Makes a store ready for work. Answers whether it had to be looked through, which is so after every end but a good
/// one.
pub(super) fn prepare(disk: &Disk) -> Result<bool, StoreError> {
    let is_new = match disk.get(layout::LAYOUT)? {
        Some(layout) if layout.as_ref() != CURRENT.as_bytes() => {
            let other = String::from_utf8_lossy(&layout).into_owned();
            return Err(StoreError::Failed(format!(
                "it has layout {other}, written by another release of portald; this one reads layout {CURRENT}"
            )));
        }
        Some(_) => false,
        None => true,
    };
    if is_new {
        if disk.scan(&[], None).next().transpose()?.is_some() {
            return Err(StoreError::Failed("there is a sled database that is not portald's".to_owned()));
        }
        disk.apply(vec![(layout::LAYOUT.to_vec(), Some(CURRENT.as_bytes().to_vec()))])?;
        return Ok(false);
    }
    let was_clean = disk.get(layout::CLEAN)?.is_some();
    if !was_clean {
        look_through(disk)?;
    }
    // Gone before the first commit: from now on only a good end counts.
    disk.apply(vec![(layout::CLEAN.to_vec(), None)])?;
    Ok(!was_clean)
}

/// Reads every value, takes note of those that cannot be read, and makes the index what the records say. A record
/// that cannot be read has no entry.
fn look_through(disk: &Disk) -> Result<(), StoreError> {
    let mut wanted = BTreeMap::new();
    let mut records = 0_u64;
    for kind in layout::KINDS {
        for entry in disk.scan(&[kind], None) {
            let (key, value) = entry?;
            records += u64::from(kind == layout::RECORD);
            match verify::value(disk, &key, value) {
                Ok(Value::Record(record)) if record.is_active() => {
                    wanted.insert(layout::active(&record.id), layout::due(record.next_wake()));
                }
                Ok(_) => {}
                Err(error @ StoreError::Corrupt { .. }) => disk.status.skip(error),
                Err(error) => return Err(error),
            }
        }
    }
    let mut repairs = Vec::new();
    for entry in disk.scan(&[layout::ACTIVE], None) {
        let (key, value) = entry?;
        match wanted.remove(key.as_ref()) {
            Some(due) if due == value.as_ref() => {}
            due => repairs.push((key.to_vec(), due)),
        }
    }
    repairs.extend(wanted.into_iter().map(|(key, due)| (key, Some(due))));
    for batch in repairs.chunks(REPAIRS) {
        disk.apply(batch.to_vec())?;
    }
    tracing::info!(
        event = "store.recovered",
        records,
        repaired = repairs.len(),
        corrupt = disk.status.corrupt().len(),
        "The store was not closed well; everything was read and the index made anew."
    );
    Ok(())
}
