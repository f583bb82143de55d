//! The folder's files: they know the world's time, fail now and then, and end with the daemon that held them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sdk::{
    Clock, Files,
    files::FileInfo,
    testkit::memory_files::{Fault as FileFault, MemoryFiles},
};

use crate::{chance::Dice, clock::Wall, journal::Journal};

/// The disk under the folders.
pub(crate) struct Disk {
    pub(crate) files: Arc<MemoryFiles>,
    pub(crate) wall: Arc<Wall>,
    pub(crate) journal: Arc<Journal>,
    /// How often a call goes wrong, from 0 to 1; by whose chance.
    pub(crate) trouble: Mutex<(f64, Dice)>,
}

impl Disk {
    pub(crate) fn heal(&self) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).0 = 0.0;
    }

    fn before(&self) {
        self.files.set_now(self.wall.now());
        let (often, dice) = &mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if !dice.chance(*often) {
            return;
        }
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied, io::ErrorKind::Other];
        let kind = kinds[dice.below(kinds.len())];
        let (fault, name) = match dice.below(3) {
            0 => (FileFault::Before(kind), "file error before"),
            1 => (FileFault::After(kind), "file error after"),
            _ => (FileFault::Tear(dice.below(200)), "file torn"),
        };
        self.journal.count("fault", name);
        self.journal.note(format!("{name}: {kind}"));
        self.files.fail(self.files.calls(), fault);
    }
}

/// One daemon's hold on the disk.
pub(crate) struct Held {
    pub(crate) disk: Arc<Disk>,
    pub(crate) alive: AtomicBool,
}

impl Held {
    fn with<T>(&self, act: impl FnOnce(&MemoryFiles) -> io::Result<T>) -> io::Result<T> {
        if !self.alive.load(Ordering::SeqCst) {
            return Err(io::Error::other("the daemon that asks is gone"));
        }
        self.disk.before();
        act(&self.disk.files)
    }
}

impl Files for Held {
    fn list(&self, folder: &Path) -> io::Result<Vec<FileInfo>> {
        self.with(|files| files.list(folder))
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.with(|files| files.read(path, limit))
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.with(|files| files.exists(path))
    }
    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.with(|files| files.create_dir_all(folder))
    }
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.with(|files| files.write_atomic(path, bytes))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|files| files.rename(from, to))
    }
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.with(|files| files.canonicalize(path))
    }
}
