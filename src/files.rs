//! The world's files, for folder channels: every write is whole or not there, and on the disk when it returns.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use sdk::{Files, files::FileInfo};

/// Files hold customers' names and what was sent to them: the group may read them, others may not.
const MODE: u32 = 0o640;
/// The same for folders.
const FOLDER_MODE: u32 = 0o750;

/// The machine's own files.
#[derive(Debug, Default)]
pub struct Disk {
    /// Makes temporary names differ, so that two writers in one process never share one.
    written: AtomicU64,
}

impl Files for Disk {
    fn list(&self, folder: &Path) -> io::Result<Vec<FileInfo>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Does not follow links: a link is no plain file.
            if !entry.file_type()?.is_file() {
                continue;
            }
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Taken away between the listing and the look: it is not there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            files.push(FileInfo {
                path: entry.path(),
                len: metadata.len(),
                modified: metadata.modified()?.into(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // Bounded by what is read, not by the size that was told: a file may grow while it is read.
        File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let message = format!("{} is larger than {limit} bytes", path.display());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        // The highest folder that was there keeps the entry of the first new one: sync from there down.
        let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        for made in missing.iter().rev() {
            sync_folder(parent(made))?;
        }
        Ok(())
    }

    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.file_name().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", path.display()))
        })?;
        let temporary = parent(path).join(self.temporary_name(name));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        })();
        if let Err(error) = written {
            // The first error is the one to tell; what is left behind is hidden and harmless.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        sync_folder(parent(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        // The new name first: a crash between the two shows the file twice rather than not at all.
        sync_folder(parent(to))?;
        if parent(from) == parent(to) { Ok(()) } else { sync_folder(parent(from)) }
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}

impl Disk {
    /// Hidden, and unlike any name in use: the process's id guards against another process's leftovers.
    fn temporary_name(&self, name: &std::ffi::OsStr) -> OsString {
        let count = self.written.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{count}.tmp", std::process::id()));
        temporary
    }
}

/// The folder that holds `path`; of a bare name the current one.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes names in a folder durable: a synced file whose name is lost is lost.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        Disk::default()
            .list(folder)
            .unwrap()
            .iter()
            .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn what_is_written_is_read_replaced_and_listed_by_name() {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let path = folder.path().join("b.csv");
        disk.write_atomic(&path, b"one").unwrap();
        disk.write_atomic(&path, b"two").unwrap();
        disk.write_atomic(&folder.path().join("a.csv"), b"").unwrap();
        assert_eq!(disk.read(&path, 3).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.csv", "b.csv"], "no temporary file is left");
        assert_eq!(disk.list(folder.path()).unwrap()[1].len, 3);
        assert_eq!(disk.list(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn others_read_nothing_of_it() {
        use std::os::unix::fs::PermissionsExt;
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let outbox = folder.path().join("outbox/new");
        disk.create_dir_all(&outbox).unwrap();
        let path = outbox.join("a.csv");
        disk.write_atomic(&path, b"").unwrap();
        // The umask may take more away.
        for path in [&outbox, outbox.parent().unwrap(), &path] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o027, 0, "{}: {mode:o}", path.display());
        }
    }

    #[test]
    fn a_file_past_the_limit_is_an_error_that_names_it() {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let path = folder.path().join("big.csv");
        disk.write_atomic(&path, b"1234").unwrap();
        let error = disk.read(&path, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("big.csv"), "{error}");
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"").unwrap();
        assert!(disk.write_atomic(&path, b"x").is_err());
        assert!(names(folder.path()).is_empty());
        assert!(disk.write_atomic(&folder.path().join("none/x"), b"x").is_err());
    }

    #[test]
    fn a_file_moves_between_folders_and_replaces() {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let archive = folder.path().join("archive/2026");
        disk.create_dir_all(&archive).unwrap();
        disk.create_dir_all(&archive).unwrap();
        let (from, to) = (folder.path().join("x"), archive.join("x"));
        disk.write_atomic(&from, b"new").unwrap();
        disk.write_atomic(&to, b"old").unwrap();
        disk.rename(&from, &to).unwrap();
        assert!(!disk.exists(&from).unwrap());
        assert_eq!(disk.read(&to, 9).unwrap(), b"new");
    }

    #[test]
    fn links_are_left_out_of_lists_and_resolved_in_identities() {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
        let real = folder.path().join("real");
        disk.create_dir_all(&real).unwrap();
        disk.write_atomic(&real.join("a.csv"), b"").unwrap();
        std::os::unix::fs::symlink(real.join("a.csv"), real.join("b.csv")).unwrap();
        let alias = folder.path().join("alias");
        std::os::unix::fs::symlink(&real, &alias).unwrap();
        assert_eq!(names(&alias), ["a.csv"]);
        let resolved = disk.canonicalize(&alias.join("..").join("real/.")).unwrap();
        assert_eq!(resolved, disk.canonicalize(&real).unwrap());
    }
}
