//! A backup of the open store: the space is read a part at a time, and what the writer commits meanwhile goes between
//! two parts, in the order in which it happened. Nobody waits longer than for one part, or for one commit.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Disk;
use crate::store::{
    backup::{self, BackupError, Copied, Header, PART, Sender},
    layout,
    space::{Batch, Space},
};

/// What is committed while a slow receiver lets a part wait is kept in memory up to so many bytes. Past that the
/// backup is given up: commits do not wait for it.
const MOST_KEPT: usize = 64 * 1024 * 1024;

/// What was committed since the last part.
#[derive(Debug, Default)]
pub(super) struct Tee {
    history: Vec<u8>,
    entries: u64,
    overrun: bool,
}

impl Tee {
    /// A batch was committed.
    pub(super) fn take(&mut self, batch: &Batch) {
        if self.overrun {
            return;
        }
        self.entries += backup::batch(&mut self.history, batch);
        if self.history.len() > MOST_KEPT {
            (self.overrun, self.history) = (true, Vec::new());
        }
    }
}

/// Takes the tee away again, however the backup ends.
struct Teed<'d>(&'d Disk);

impl Drop for Teed<'_> {
    fn drop(&mut self) {
        *self.0.tee() = None;
    }
}

/// Copies everything. Blocks; one at a time.
pub(super) fn copy(disk: &Disk, header: &Header, sink: mpsc::Sender<Bytes>) -> Result<Copied, BackupError> {
    *disk.tee() = Some(Tee::default());
    let _teed = Teed(disk);
    let mut sender = Sender::begin(sink, header)?;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let mut slot = disk.tee();
        let tee = slot.as_mut().map(std::mem::take).unwrap_or_default();
        if tee.overrun {
            return Err(BackupError::GivenUp("it was taken too slowly while much was written"));
        }
        let (mut part, mut entries) = (tee.history, tee.entries);
        let (full, mut last) = (part.len() + PART, None);
        for entry in disk.scan(&[], after.as_deref()) {
            let (key, value) = entry?;
            // Whether the store was closed well is no part of what it holds.
            if key.as_ref() != layout::CLEAN {
                backup::put(&mut part, &key, &value);
                entries += 1;
            }
            last = Some(key);
            if part.len() >= full {
                break;
            }
        }
        let ended = last.is_none();
        if ended {
            // With this guard still held: from here on commits are no longer in it.
            *slot = None;
        }
        drop(slot);
        sender.send(part, entries)?;
        if ended {
            return sender.end();
        }
        after = last.map(|key| key.to_vec());
    }
}
