//! Files in memory that fail where a test wants them to.
//!
//! Every call of the [`Files`] trait has a number, counted from 0; a [`Fault`] is put on a number. So a test can run
//! a scenario once to count its calls, and then again for each call with that one failing. What a test does by the
//! other methods ([`MemoryFiles::put`], …) is not counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Clock, Files, Timestamp, files::FileInfo};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this kind, and nothing was done.
    Before(io::ErrorKind),
    /// It is done, and then fails with this kind (as a failed sync of the folder does).
    After(io::ErrorKind),
    /// A write leaves this many bytes in its temporary file and fails; the target is untouched. Other calls fail
    /// with nothing done.
    Tear(usize),
    /// From this call on everything fails with nothing done, until [`MemoryFiles::revive`]: a kill.
    Kill,
}

/// Files in memory, with their own clock for the time of change.
#[derive(Debug, Default)]
pub struct MemoryFiles {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, (Vec<u8>, Timestamp)>,
    folders: BTreeSet<PathBuf>,
    now: Timestamp,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    dead: bool,
}

impl MemoryFiles {
    /// No files, at this time.
    pub fn at(now: Timestamp) -> Self {
        let files = Self::default();
        files.set_now(now);
        files
    }

    /// Sets the clock: the time of change of every later write.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// Writes a file as someone else would, with the folders above it.
    pub fn put(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let mut state = self.state();
        let now = state.now;
        state.make_folders(path.as_ref().parent().unwrap_or(Path::new("/")));
        state.files.insert(path.as_ref().to_owned(), (bytes.as_ref().to_owned(), now));
    }

    /// Takes a file away, as someone else would.
    pub fn remove(&self, path: impl AsRef<Path>) {
        self.state().files.remove(path.as_ref());
    }

    /// Makes a folder, as someone else would.
    pub fn put_folder(&self, folder: impl AsRef<Path>) {
        self.state().make_folders(folder.as_ref());
    }

    /// Takes a folder away with all that is in it, as someone else would.
    pub fn remove_folder(&self, folder: impl AsRef<Path>) {
        let mut state = self.state();
        state.files.retain(|path, _| !path.starts_with(folder.as_ref()));
        state.folders.retain(|path| !path.starts_with(folder.as_ref()));
    }

    /// A file's bytes.
    pub fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.state().files.get(path.as_ref()).map(|(bytes, _)| bytes.clone())
    }

    /// A file's bytes as text; empty where there is no such file.
    pub fn text(&self, path: impl AsRef<Path>) -> String {
        String::from_utf8_lossy(&self.bytes(path).unwrap_or_default()).into_owned()
    }

    /// The names of the files directly in a folder.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let state = self.state();
        let names = state.files.keys().filter(|path| path.parent() == Some(folder.as_ref()));
        names.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Every file with its bytes.
    pub fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.state().files.iter().map(|(path, (bytes, _))| (path.clone(), bytes.clone())).collect()
    }

    /// How many calls of the trait were made: the number of the next one.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets the call with this number go wrong, once.
    pub fn fail(&self, call: u64, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// Ends a [`Fault::Kill`].
    pub fn revive(&self) {
        self.state().dead = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        tear: impl FnOnce(&mut State, usize),
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        if state.dead {
            return Err(io::Error::other("killed"));
        }
        let number = state.calls;
        state.calls += 1;
        match state.faults.remove(&number) {
            None => act(&mut state),
            Some(Fault::Before(kind)) => Err(kind.into()),
            Some(Fault::After(kind)) => act(&mut state).and_then(|_| Err(kind.into())),
            Some(Fault::Tear(kept)) => {
                tear(&mut state, kept);
                Err(io::Error::other("torn"))
            }
            Some(Fault::Kill) => {
                state.dead = true;
                Err(io::Error::other("killed"))
            }
        }
    }
}

impl State {
    fn make_folders(&mut self, folder: &Path) {
        self.folders.extend(folder.ancestors().map(Path::to_owned));
    }

    fn needs_folder(&self, folder: Option<&Path>) -> io::Result<()> {
        let there = folder.is_some_and(|folder| self.folders.contains(folder));
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// The files' own clock is a clock for others too.
impl Clock for MemoryFiles {
    fn now(&self) -> Timestamp {
        self.state().now
    }
}

impl Files for MemoryFiles {
    fn list(&self, folder: &Path) -> io::Result<Vec<FileInfo>> {
        self.call(
            |_, _| {},
            |state| {
                state.needs_folder(Some(folder))?;
                let files = state.files.iter().filter(|(path, _)| path.parent() == Some(folder));
                Ok(files
                    .map(|(path, (bytes, modified))| FileInfo {
                        path: path.clone(),
                        len: bytes.len() as u64,
                        modified: *modified,
                    })
                    .collect())
            },
        )
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.call(
            |_, _| {},
            |state| match state.files.get(path) {
                None => Err(io::ErrorKind::NotFound.into()),
                Some((bytes, _)) if bytes.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
                Some((bytes, _)) => Ok(bytes.clone()),
            },
        )
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.call(|_, _| {}, |state| Ok(state.files.contains_key(path) || state.folders.contains(path)))
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.call(
            |_, _| {},
            |state| {
                if folder.ancestors().any(|above| state.files.contains_key(above)) {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                state.make_folders(folder);
                Ok(())
            },
        )
    }

    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.call(
            |state, kept| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let torn = bytes[..kept.min(bytes.len())].to_owned();
                let now = state.now;
                state.files.insert(path.with_file_name(format!(".{name}.tmp")), (torn, now));
            },
            |state| {
                state.needs_folder(path.parent())?;
                let now = state.now;
                state.files.insert(path.to_owned(), (bytes.to_owned(), now));
                Ok(())
            },
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(
            |_, _| {},
            |state| {
                state.needs_folder(to.parent())?;
                let file = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
                state.files.insert(to.to_owned(), file);
                Ok(())
            },
        )
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.call(
            |_, _| {},
            |state| {
                let there = state.files.contains_key(path) || state.folders.contains(path);
                if there { Ok(path.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
            },
        )
    }
}
