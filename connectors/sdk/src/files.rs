//! The files that a folder channel reads and writes, as a seam that tests can tear and fail.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::Timestamp;

/// One file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its whole path.
    pub path: PathBuf,
    /// Bytes.
    pub len: u64,
    /// Last change, by the file system's clock.
    pub modified: Timestamp,
}

/// Files, as little of them as a folder channel needs. Calls are short and block.
pub trait Files: Send + Sync {
    /// The plain files directly in `folder` (symbolic links are left out), sorted by name. A missing folder is an error.
    fn list(&self, folder: &Path) -> io::Result<Vec<FileInfo>>;
    /// A file's bytes; an error of kind `FileTooLarge` past `limit`.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// Whether a file or folder is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes a folder and those above it.
    fn create_dir_all(&self, folder: &Path) -> io::Result<()>;
    /// Writes a whole file: to a temporary name in the same folder, synced, renamed over `path`, the folder synced.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Moves a file within one file system, syncing both folders. Replaces what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// The path with links and dots resolved: the account's identity.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
}
