//! The store that ships: one sled tree, one writer thread.
//!
//! sled 0.34 is used for what it does well, and kept from what it does not (measured on 0.34.7):
//! - `flush_async` collapses from 7 callers and hangs from 16. One thread of our own writes and flushes.
//! - `flush` does not end in `fsync`: it is safe against `kill -9`, not against a loss of power. So every flush is
//!   followed by `sync_data` on a handle of our own (<https://github.com/spacejam/sled/issues/1452>).
//! - It may panic or hang in its own threads, and open well but fail when a bad page is read. Panics are caught and
//!   break the store; a hang shows in [`SledStore::health`]; after an unclean end everything is read once.
//! - Its lock may outlive the handle a little: opening tries again for a while.

mod copy;
mod recovery;
pub mod restore;
mod writer;

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    ops::Bound,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use ::sled::{Db, IVec};
use async_trait::async_trait;
use bytes::Bytes;
use sdk::{RemoteId, SecretString, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{
    copy::Tee,
    writer::{Request, Status},
};
use super::{
    Aside, Changes, ChannelState, Page, Query, Store, StoreError,
    backup::{BackupError, Copied, Header},
    layout,
    prepare::Prepared,
    questions::{self, Skipped},
    space::{Batch, Space},
    stock,
    verify::{self, Report},
};
use crate::{
    record::{Event, Record, RecordId},
    stock::{Feed, FeedRow, Level, Listing, Moved, ProductFlag, Run, RunPart, Shown, StockState},
};

/// The folder inside the store's path: the path itself may hold other things, such as the API's socket.
const FOLDER: &str = "sled";

/// So many SKUs are looked up on the caller's thread: a parcel's, not a catalogue's.
const SHORT: usize = 32;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for cached pages, in bytes. sled's page table comes on top: some 100 bytes an order.
    pub cache_bytes: u64,
    /// Commits that may wait in the queue before further callers wait to be queued.
    pub queue: usize,
    /// Most values that are written in one batch, unless a single commit holds more.
    pub group_records: usize,
    /// Most commits in one batch.
    pub group_requests: usize,
    /// How long to wait for the lock of a store that was just closed.
    pub lock_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * 1024 * 1024,
            queue: 256,
            group_records: 250,
            group_requests: 256,
            lock_wait: Duration::from_secs(2),
        }
    }
}

/// How a store does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How long the oldest commit that is not yet answered has been waiting. A writer that hangs lets this grow.
    pub oldest_wait: Option<Duration>,
    /// Commits that wait.
    pub waiting: usize,
    /// Why the store failed for good: the process must end and be restarted.
    pub broken: Option<String>,
    /// The keys of values that cannot be read, as far as known.
    pub corrupt: Vec<String>,
    /// The last end was not a good one: everything was read and the index made anew.
    pub recovered: bool,
    /// Commits acknowledged since the opening.
    pub commits: u64,
    /// Records and channel states in them.
    pub records: u64,
}

/// The store that ships. Dropping it waits until what is queued is written, and ends it well; [`SledStore::close`]
/// does so without blocking the runtime.
pub struct SledStore {
    disk: Arc<Disk>,
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    recovered: bool,
    /// One backup at a time.
    copying: tokio::sync::Mutex<()>,
}

impl SledStore {
    /// Opens the store in a folder, which is made (for this user alone) where it is missing. Blocks; after an
    /// unclean end for some 3 seconds a million records.
    ///
    /// Fails with `InUse` where another process has it, and with `Failed` where it cannot be opened.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        restore::check_cut_off(path)?;
        let folder = path.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| at(&folder, &error))?;
        let disk = Arc::new(guard(None, || open_disk(&folder, &options)).map_err(unusable)?);
        let recovered = guard(Some(&disk.status), || recovery::prepare(&disk)).map_err(unusable)?;
        close_to_others(&folder)?;

        let (queue, requests) = mpsc::channel(options.queue.max(1));
        let theirs = Arc::clone(&disk);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run(&theirs, &options, requests))
            .map_err(|error| StoreError::Failed(format!("its writer could not be started: {error}")))?;
        Ok(Self {
            disk,
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            recovered,
            copying: tokio::sync::Mutex::new(()),
        })
    }

    /// Whether there is a store in a folder.
    pub fn is_at(path: &Path) -> bool {
        path.join(FOLDER).join("db").exists()
    }

    /// Looks through a store that no daemon has open, as it is: nothing of it is mended first. Blocks.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn verify_at(path: &Path) -> Result<Report, StoreError> {
        let folder = path.join(FOLDER);
        let options = Options { lock_wait: Duration::ZERO, ..Options::default() };
        let disk = guard(None, || open_disk(&folder, &options))?;
        let report = guard(Some(&disk.status), || verify::verify(&disk))?;
        if !report.is_well() {
            // The next start then looks at everything, and makes the index anew.
            guard(Some(&disk.status), || disk.apply(vec![(layout::CLEAN.to_vec(), None)]))?;
        }
        Ok(report)
    }

    /// How the store does at `now`.
    pub fn health(&self, now: Instant) -> Health {
        let (oldest_wait, waiting) = self.disk.status.waits(now);
        let (commits, records) = self.disk.status.counted();
        Health {
            oldest_wait,
            waiting,
            broken: self.disk.status.broken(),
            corrupt: self.disk.status.corrupt(),
            recovered: self.recovered,
            commits,
            records,
        }
    }

    /// Whether the process must end: the store failed, or a commit has waited longer than `limit`.
    pub fn is_stuck(&self, now: Instant, limit: Duration) -> bool {
        self.disk.status.broken().is_some() || self.disk.status.waits(now).0.is_some_and(|wait| wait > limit)
    }

    /// Writes what is queued and marks the store as closed well. Later commits fail; questions are still answered.
    /// The lock is released when the store is dropped.
    pub async fn close(&self) {
        let Some(writer) = self.end_queue() else { return };
        #[allow(clippy::disallowed_methods, reason = "waits for the writer's thread, once, at the end")]
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(event = "store.failed", "The store's writer ended badly.");
        }
    }

    fn end_queue(&self) -> Option<JoinHandle<()>> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Hands a commit to the writer, and waits for its answer.
    async fn enqueue(&self, commit: Prepared) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queue = queue.ok_or_else(|| StoreError::Failed("it is closed".to_owned()))?;
        let (done, answer) = oneshot::channel();
        let request = Request { commit, done, waiting: self.disk.status.wait() };
        let gone =
            || StoreError::Failed("its writer is gone; whether this was written is not known".to_owned());
        queue.send(request).await.map_err(|_| gone())?;
        drop(queue);
        answer.await.map_err(|_| gone())?
    }

    /// A short read, on the caller's thread.
    fn read<T>(&self, question: impl FnOnce(&Disk) -> Result<T, StoreError>) -> Result<T, StoreError> {
        guard(Some(&self.disk.status), || question(&self.disk))
    }

    /// A read that may go through everything.
    async fn scan<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Disk, Skipped<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let disk = Arc::clone(&self.disk);
        #[allow(clippy::disallowed_methods, reason = "sled blocks, and a scan may take seconds")]
        let scan = tokio::task::spawn_blocking(move || {
            guard(Some(&disk.status), || question(&disk, &mut |error| disk.status.skip(error)))
        });
        scan.await.map_err(|error| StoreError::Failed(format!("a question was cut short: {error}")))?
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if let Some(writer) = self.end_queue() {
            // A writer that ended badly has said so, and there is nobody left to tell.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for SledStore {
    async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.read(|disk| questions::record(disk, id))
    }

    async fn records(&self, ids: Vec<RecordId>) -> Result<Vec<Option<Record>>, StoreError> {
        self.scan(move |disk, _| questions::records(disk, &ids)).await
    }

    async fn list(&self, query: Query) -> Result<Page, StoreError> {
        self.scan(move |disk, skipped| questions::list(disk, &query, skipped)).await
    }

    async fn old_events(&self, id: &RecordId) -> Result<Vec<Event>, StoreError> {
        self.read(|disk| questions::old_events(disk, id))
    }

    async fn agenda(&self) -> Result<Vec<(RecordId, Option<Timestamp>)>, StoreError> {
        self.scan(questions::agenda).await
    }

    async fn channels(&self) -> Result<BTreeMap<(String, String), ChannelState>, StoreError> {
        self.scan(|disk, _| questions::channels(disk)).await
    }

    async fn channel(&self, merchant: &str, channel: &str) -> Result<Option<ChannelState>, StoreError> {
        self.read(|disk| questions::channel(disk, merchant, channel))
    }

    async fn set_aside(&self, merchant: Option<&str>) -> Result<Vec<Aside>, StoreError> {
        let merchant = merchant.map(str::to_owned);
        self.scan(move |disk, skipped| questions::set_aside(disk, merchant.as_deref(), skipped)).await
    }

    async fn tokens(&self, merchant: &str, channel: &str) -> Result<Option<SecretString>, StoreError> {
        self.read(|disk| questions::tokens(disk, merchant, channel))
    }

    async fn levels(&self, after: Option<(String, String)>, limit: usize) -> Result<Vec<Level>, StoreError> {
        self.scan(move |disk, skipped| stock::levels(disk, after.as_ref(), limit, skipped)).await
    }

    async fn levels_of(&self, skus: Vec<String>) -> Result<Vec<Level>, StoreError> {
        if skus.len() <= SHORT {
            let status = Arc::clone(&self.disk.status);
            return self.read(|disk| stock::levels_of(disk, &skus, &mut |error| status.skip(error)));
        }
        self.scan(move |disk, skipped| stock::levels_of(disk, &skus, skipped)).await
    }

    async fn moves_of(&self, sku: &str) -> Result<Vec<(String, Moved)>, StoreError> {
        let sku = sku.to_owned();
        self.scan(move |disk, skipped| stock::moves_of(disk, &sku, skipped)).await
    }

    async fn listings(&self, merchant: &str, channel: &str) -> Result<Vec<Listing>, StoreError> {
        let (merchant, channel) = (merchant.to_owned(), channel.to_owned());
        self.scan(move |disk, skipped| stock::listings(disk, &merchant, &channel, skipped)).await
    }

    async fn listings_of(
        &self,
        merchant: &str,
        channel: &str,
        variants: Vec<RemoteId>,
    ) -> Result<Vec<Listing>, StoreError> {
        let (merchant, channel) = (merchant.to_owned(), channel.to_owned());
        self.scan(move |disk, skipped| stock::listings_of(disk, &merchant, &channel, &variants, skipped))
            .await
    }

    async fn shown(&self, merchant: &str, channel: &str) -> Result<Vec<Shown>, StoreError> {
        let (merchant, channel) = (merchant.to_owned(), channel.to_owned());
        self.scan(move |disk, skipped| stock::shown(disk, &merchant, &channel, skipped)).await
    }

    async fn stock_state(&self, merchant: &str, channel: &str) -> Result<Option<StockState>, StoreError> {
        self.read(|disk| stock::state(disk, merchant, channel))
    }

    async fn run(&self, merchant: &str, channel: &str, n: u32) -> Result<Option<Run>, StoreError> {
        self.read(|disk| stock::run(disk, merchant, channel, n))
    }

    async fn run_parts(&self, merchant: &str, channel: &str, n: u32) -> Result<Vec<RunPart>, StoreError> {
        let (merchant, channel) = (merchant.to_owned(), channel.to_owned());
        self.scan(move |disk, skipped| stock::run_parts(disk, &merchant, &channel, n, skipped)).await
    }

    async fn flags(&self) -> Result<Vec<ProductFlag>, StoreError> {
        self.scan(|disk, _| stock::flags(disk)).await
    }

    async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.scan(stock::feeds).await
    }

    async fn feed_part(&self, id: &str, n: u32) -> Result<Option<Vec<FeedRow>>, StoreError> {
        self.read(|disk| stock::feed_part(disk, id, n))
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.scan(|disk, _| verify::verify(disk)).await
    }

    async fn backup(&self, header: Header, sink: mpsc::Sender<Bytes>) -> Result<Copied, BackupError> {
        let _turn = self.copying.lock().await;
        let disk = Arc::clone(&self.disk);
        #[allow(clippy::disallowed_methods, reason = "sled blocks, and a backup takes its time")]
        let copy = tokio::task::spawn_blocking(move || {
            let mut copied = Err(BackupError::GivenUp("it did not begin"));
            let read = guard(Some(&disk.status), || {
                copied = copy::copy(&disk, &header, sink);
                match &copied {
                    // What sled says of itself breaks the store, here as in any question.
                    Err(BackupError::Store(StoreError::Failed(why))) => Err(StoreError::Failed(why.clone())),
                    _ => Ok(()),
                }
            });
            read.map_err(BackupError::Store).and(copied)
        });
        copy.await.map_err(|error| StoreError::Failed(format!("a backup was cut short: {error}")))?
    }

    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.enqueue(Prepared::new(changes)?).await
    }

    async fn flushed(&self) -> Result<(), StoreError> {
        // The writer takes it up when it has flushed what it had written before, and refuses it where that failed.
        self.enqueue(Prepared::new(Changes::default())?).await
    }
}

/// The files.
struct Disk {
    db: Db,
    /// Our own handle on sled's `db` file: `fsync` is per file, not per handle.
    file: File,
    status: Arc<Status>,
    /// A backup that is under way. Held while a batch is applied, and while a part is read.
    tee: Mutex<Option<Tee>>,
}

impl Disk {
    /// Applies a batch; durable on return. A backup under way is told of it before anything else is read or written.
    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tee = self.tee();
        if let Some(tee) = tee.as_mut() {
            tee.take(&batch);
        }
        self.write(batch)?;
        self.sync()
    }

    /// Writes a batch, without waiting for the disk.
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writes = ::sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        self.db.apply_batch(writes).map_err(failed)
    }

    /// What was written is on the disk on return.
    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed)?;
        self.file
            .sync_data()
            .map_err(|error| StoreError::Failed(format!("its file cannot be synced: {error}")))
    }

    fn tee(&self) -> MutexGuard<'_, Option<Tee>> {
        // A batch is in it whole or not at all, whatever became of the write.
        self.tee.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space for Disk {
    type Bytes = IVec;

    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.db.get(key).map_err(failed)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = self.db.range::<&[u8], _>((start, Bound::Unbounded));
        range
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)))
            .map(|entry| entry.map_err(failed))
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.db.scan_prefix(prefix).keys().next_back().transpose().map_err(failed)
    }
}

/// A store that does not open does not mend itself: a person is told the way out.
fn unusable(error: StoreError) -> StoreError {
    match error {
        StoreError::Failed(why) => StoreError::Failed(format!(
            "{why}. If it does not open the next time either: `portald restore FILE --force` makes it anew from a \
             backup, and moves this one aside"
        )),
        error => error,
    }
}

fn failed(error: ::sled::Error) -> StoreError {
    StoreError::Failed(format!("sled: {error}"))
}

fn at(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed(format!("{}: {error}", path.display()))
}

/// Runs work that reads from sled, which may panic on a bad page. A panic, or sled's own failure, breaks the store.
fn guard<T>(status: Option<&Status>, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Failed("sled panicked while reading".to_owned())));
    if let (Err(error @ StoreError::Failed(_)), Some(status)) = (&result, status) {
        status.fail(error);
    }
    result
}

fn open_disk(folder: &Path, options: &Options) -> Result<Disk, StoreError> {
    // Our writer flushes: sled's own flusher would only disturb it.
    let config = ::sled::Config::new().path(folder).cache_capacity(options.cache_bytes).flush_every_ms(None);
    let pause = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    let db = loop {
        match config.open() {
            Ok(db) => break db,
            // sled tells a held lock by its words alone.
            Err(::sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if waited >= options.lock_wait {
                    return Err(StoreError::InUse(folder.display().to_string()));
                }
                std::thread::sleep(pause);
                waited += pause;
            }
            Err(error) => {
                return Err(StoreError::Failed(format!("{} cannot be opened: {error}", folder.display())));
            }
        }
    };
    let path = folder.join("db");
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|error| at(&path, &error))?;
    // The names of new files are durable only with their folders.
    for folder in folder.ancestors().take(2) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))?;
    }
    Ok(Disk { db, file, status: Arc::default(), tee: Mutex::default() })
}

/// The records hold customers' addresses: nobody else reads them. Files that sled makes later are behind the folder.
fn close_to_others(folder: &Path) -> Result<(), StoreError> {
    let close = |path: &Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| at(path, &error))
    };
    close(folder, 0o700)?;
    for entry in std::fs::read_dir(folder).map_err(|error| at(folder, &error))? {
        let entry = entry.map_err(|error| at(folder, &error))?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            close(&entry.path(), 0o600)?;
        }
    }
    Ok(())
}
