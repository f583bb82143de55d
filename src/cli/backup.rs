//! `portald backup`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sdk::Clock;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Failure, client::Client, offline, output};
use crate::{
    clock::SystemClock,
    store::{
        Store,
        backup::{self, BackupError, Header},
        sled::{Options, SledStore},
    },
};

/// Parts that wait to be written.
const WAITING: usize = 16;

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Writes a backup to `file`: of the running daemon's store, or, where none runs, of the store itself.
pub async fn backup(client: &Client, config: &Path, file: &Path, force: bool) -> Result<(), Failure> {
    if file.exists() && !force {
        let name = file.display();
        return Err(Failure::Failed(format!("{name} is there already: name another file, or say --force")));
    }
    let mut target = Target::create(file)?;
    let source = if client.finds_daemon().await? {
        client.download("/v1/backup", &mut |part| target.write(part)).await?;
        "the running daemon".to_owned()
    } else {
        let path = offline::store_of(config)?;
        of_store(&path, &mut target).await?;
        format!("the store in {} (no daemon runs)", path.display())
    };
    let (header, copied) = target.finish(file)?;
    if client.json {
        let document = json!({
            "file": file, "source": source, "at": header.at, "entries": copied.entries, "bytes": copied.bytes,
        });
        return Ok(output::say(&document.to_string())?);
    }
    Ok(output::say(&format!(
        "{}: {} of {source}, {}. It holds customers' addresses and credentials: keep it safe.",
        file.display(),
        output::size(copied.bytes),
        output::count(copied.entries, "value")
    ))?)
}

async fn of_store(path: &Path, target: &mut Target) -> Result<(), Failure> {
    offline::must_be_there(path)?;
    let store = SledStore::open(path, Options::default()).map_err(offline::failed)?;
    let (sink, mut parts) = mpsc::channel::<Bytes>(WAITING);
    let header = Header::new(SystemClock.now());
    let taken = async {
        let mut written = Ok(());
        while let Some(part) = parts.recv().await {
            written = written.and_then(|()| target.write(&part));
        }
        written
    };
    let (copied, written) = tokio::join!(store.backup(header, sink), taken);
    store.close().await;
    copied?;
    written
}

/// The file while it is written, beside its place and for this user alone. It has its name once it is whole.
struct Target {
    path: PathBuf,
    file: File,
    done: bool,
}

impl Target {
    fn create(place: &Path) -> Result<Self, Failure> {
        let name =
            place.file_name().ok_or_else(|| Failure::Usage(format!("{} names no file", place.display())))?;
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.new", std::process::id()));
        let path = place.with_file_name(beside);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| at(&path, &error))?;
        Ok(Self { path, file, done: false })
    }

    fn write(&mut self, part: &[u8]) -> Result<(), Failure> {
        self.file.write_all(part).map_err(|error| at(&self.path, &error))
    }

    /// Reads it once from its beginning to its end, and gives it its name.
    fn finish(mut self, place: &Path) -> Result<(Header, backup::Copied), Failure> {
        self.file.sync_all().map_err(|error| at(&self.path, &error))?;
        let checked = backup::check(&self.path)?;
        fs::rename(&self.path, place).map_err(|error| at(place, &error))?;
        self.done = true;
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))?;
        Ok(checked)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.done {
            // What is left of a backup that failed is of no use to anybody.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}
