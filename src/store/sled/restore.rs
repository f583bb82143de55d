//! A store made of a backup: on trial, or in place of the one that is there.
//!
//! A restore is all or nothing. The new store is built in a folder beside the old one, marked (see
//! [`crate::plan::restored`]), looked through and synced; then the old one is moved aside, and the new one into its
//! place. Between these two moves there is no store: [`super::SledStore::open`] knows that by the folder that waits, and
//! does not make an empty one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use fs2::FileExt;
use sdk::Timestamp;

use super::{Disk, FOLDER, Options, at, guard, open_disk};
use crate::{
    plan::restored,
    record::Restored,
    stock::StockState,
    store::{
        StoreError,
        backup::{BackupError, Header, Reader},
        envelope,
        group::Group,
        layout,
        space::{Batch, Space},
        verify::{self, Report, Value},
    },
};

/// What the folder of a store that is being built is called, before the time.
const BUILDING: &str = "sled.restoring-";
/// What the folder of a store that gave way is called, before the time.
const ASIDE: &str = "sled.before-";

/// Entries that are written at once.
const BATCH: usize = 1000;

/// Reads a backup into a store of its own, beside the file, looks through that, and takes it away again. Blocks.
///
/// # Errors
/// Where the file is not whole, or its folder cannot be written.
pub fn trial(file: &Path) -> Result<(Header, Report), BackupError> {
    crate::store::backup::check(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = Scratch(file.with_file_name(format!(".{name}.{}.trial", std::process::id())));
    let (disk, header) = build(file, &folder.0)?;
    let report = guard(None, || verify::verify(&disk))?;
    Ok((header, report))
}

/// A folder that is taken away again.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(event = "store.left_behind", %error, "a folder of a trial cannot be removed");
        }
    }
}

/// Makes a store of a backup in a folder that is not there yet. Nothing of it is on the disk for sure before it is
/// synced.
fn build(file: &Path, folder: &Path) -> Result<(Disk, Header), BackupError> {
    DirBuilder::new().mode(0o700).create(folder).map_err(|error| BackupError::at(folder, &error))?;
    let mut reader = Reader::open(file)?;
    let disk = guard(None, || open_disk(folder, &Options::default()))?;
    let mut batch: Batch = Vec::with_capacity(BATCH);
    while let Some((key, value)) = reader.next()? {
        if key != layout::CLEAN {
            batch.push((key, value));
        }
        if batch.len() == BATCH {
            guard(None, || disk.write(std::mem::take(&mut batch)))?;
        }
    }
    guard(None, || disk.write(batch))?;
    Ok((disk, reader.header.clone()))
}

/// What a restore did.
#[derive(Debug)]
pub struct Done {
    /// The backup.
    pub header: Header,
    /// What is in the new store.
    pub report: Report,
    /// Open orders that are to be read back.
    pub open: u64,
    /// Where the old store is now, if there was one.
    pub aside: Option<PathBuf>,
}

/// Restores a backup as the store in `path`. Blocks.
///
/// # Errors
/// With nothing changed: where the file is not whole, where a daemon has the store open, and where there is a store and
/// `force` is not said.
pub fn restore(file: &Path, path: &Path, now: Timestamp, force: bool) -> Result<Done, BackupError> {
    crate::store::backup::check(file)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| BackupError::at(path, &error))?;
    let place = path.join(FOLDER);
    let lock = lock(&place)?;
    if lock.is_some() && !force {
        return Err(BackupError::Refused(format!(
            "there is a store in {}: `--force` moves it aside, it is not deleted",
            place.display()
        )));
    }
    let stamp = now.format("%Y%m%dT%H%M%SZ");
    let building = path.join(format!("{BUILDING}{stamp}"));
    let built = make(file, &building, now);
    let (header, report, open) = match built {
        Ok(built) => built,
        Err(error) => {
            // Made by this very call, and of no use to anybody.
            let _ = fs::remove_dir_all(&building);
            return Err(error);
        }
    };
    let aside = lock.is_some().then(|| path.join(format!("{ASIDE}{stamp}")));
    if let Some(aside) = &aside {
        fs::rename(&place, aside).map_err(|error| BackupError::at(aside, &error))?;
    }
    fs::rename(&building, &place).map_err(|error| BackupError::at(&place, &error))?;
    sync(path)?;
    Ok(Done { header, report, open, aside })
}

/// sled's own lock on a store that is there: held until it is dropped, it keeps a daemon from starting meanwhile.
fn lock(place: &Path) -> Result<Option<File>, BackupError> {
    let db = place.join("db");
    let file = match OpenOptions::new().read(true).write(true).open(&db) {
        Ok(file) => file,
        // A folder without a database: nothing of it is a store, and it stays where it is.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !place.exists() => return Ok(None),
        Err(error) => return Err(BackupError::at(&db, &error)),
    };
    match file.try_lock_exclusive() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(BackupError::Refused(format!(
            "the store at {} is in use: stop the daemon first (`systemctl stop portald`), then restore",
            place.display()
        ))),
    }
}

fn make(file: &Path, folder: &Path, now: Timestamp) -> Result<(Header, Report, u64), BackupError> {
    let (disk, header) = build(file, folder)?;
    let restored = Restored { taken: header.at, at: now };
    let open = guard(None, || mark(&disk, restored))?;
    let report = guard(None, || verify::verify(&disk))?;
    guard(None, || disk.sync())?;
    drop(disk);
    // sled may write more as it closes.
    for entry in fs::read_dir(folder).map_err(|error| BackupError::at(folder, &error))? {
        let path = entry.map_err(|error| BackupError::at(folder, &error))?.path();
        sync(&path)?;
    }
    sync(folder)?;
    Ok((header, report, open))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| BackupError::at(path, &error))
}

/// The number after which numbers are given from now on: the minutes since 2026 began. It grows from restore to restore,
/// and is far above any number that was ever given one by one; so nothing that was given after a backup, or after an
/// earlier restore of it, is given again.
fn numbers_after(now: Timestamp) -> u32 {
    const BEGAN: i64 = 1_767_225_600;
    /// A clock that stands before that must still leave a gap.
    const LEAST: u32 = 100_000;
    u32::try_from((now.timestamp() - BEGAN) / 60).unwrap_or(0).max(LEAST)
}

/// Marks everything that must not be taken for the present. Answers the open orders.
fn mark(disk: &Disk, restored: Restored) -> Result<u64, StoreError> {
    let after = numbers_after(restored.at);
    let mut open = 0;
    let mut marked = Marked { disk, group: Group::new(disk), values: 0 };
    for entry in disk.scan(&[layout::RECORD], None) {
        let (key, first) = entry?;
        match verify::value(disk, &key, first) {
            Ok(Value::Record(mut record)) => {
                restored::mark(&mut record, restored, after);
                open += u64::from(record.is_active());
                // Nor is a version: what an operator saw after the backup is not what is stored now.
                record.version += u64::from(after);
                marked.put(&key, record.version, &*record)?;
            }
            // One that cannot be read stays as it was, and is told as a finding.
            Ok(_) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let figures = disk.scan(&[layout::LEVEL], None).next().transpose()?.is_some();
    for entry in disk.scan(&[layout::CHANNEL], None) {
        let (key, first) = entry?;
        match verify::value(disk, &key, first) {
            Ok(Value::Channel(mut state)) => {
                state.restored = Some(restored);
                state.version += 1;
                marked.put(&key, state.version, &state)?;
            }
            Ok(_) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        let Some((merchant, channel)) = layout::channel_of(&key) else { continue };
        let key = layout::stock(&merchant, &channel);
        let stock = disk.get(&key)?.map(|first| verify::value(disk, &key, first)).transpose();
        let mut state = match stock {
            Ok(Some(Value::Stock(state))) => state,
            Ok(_) if figures => StockState { schema: crate::stock::SCHEMA, ..StockState::default() },
            Ok(_) | Err(StoreError::Corrupt { .. }) => continue,
            Err(error) => return Err(error),
        };
        state.mark_restored(restored.taken, after);
        state.version += 1;
        marked.put(&key, state.version, &state)?;
    }
    marked.flush()?;
    Ok(open)
}

/// Values that are written anew, some at a time.
struct Marked<'d> {
    disk: &'d Disk,
    group: Group<'d, Disk>,
    values: usize,
}

impl Marked<'_> {
    fn put(&mut self, key: &[u8], version: u64, value: &impl serde::Serialize) -> Result<(), StoreError> {
        let sealed = envelope::seal(key, version, value)?;
        self.group.replace(key.to_vec(), sealed)?;
        self.values += 1;
        if self.values == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.values = 0;
        let group = std::mem::replace(&mut self.group, Group::new(self.disk));
        self.disk.write(group.into_batch())
    }
}

/// Refuses to make a new store where a restore was cut off between its two moves.
pub(super) fn check_cut_off(path: &Path) -> Result<(), StoreError> {
    if path.join(FOLDER).exists() || !path.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|error| at(path, &error))? {
        let name = entry.map_err(|error| at(path, &error))?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(BUILDING) || name.starts_with(ASIDE) {
            return Err(StoreError::Failed(format!(
                "{} holds {name} and no store: a restore was cut off. Run `portald restore` again",
                path.display()
            )));
        }
    }
    Ok(())
}
