//! A file's life: taken when it is complete, read, archived once its orders are committed.
//!
//! Reading moves nothing. What moves files is [`Inbox::acknowledge`] alone, after the commit; each of its steps may be
//! repeated after a crash, and ends the same.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sdk::{
    CheckReport, Clock, Error, ErrorKind, Files, OrderPage, Pulled, RemoteId, Result, Timestamp, Unreadable,
    files::FileInfo,
};
use serde::{Deserialize, Serialize};

use crate::{
    config::Settings,
    error::{failed, unavailable},
    orders::{self, Reading},
    wire::{ASIDE_COLUMNS, Table, column_name, digest},
};

/// Largest file that is read, in bytes: some thirty thousand rows, which are read in one go.
const LARGEST: u64 = 8 << 20;
/// Most orders of one page: one commit of the daemon.
const PAGE: usize = 250;
/// Stands in the folder while the seed is being copied.
const SEEDING: &str = ".seeding";

/// The folder's side that orders come in by.
pub(crate) struct Inbox {
    settings: Settings,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    label: String,
    prepared: bool,
    /// Files whose time of change is yet to come (another machine's clock), since when they look like this.
    early: BTreeMap<PathBuf, (FileInfo, Timestamp)>,
    kept: Option<Kept>,
}

/// The mark of the next page.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// The last file that was read.
    after: String,
    /// Orders of that file that are already told, when it has more, of the content with this digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<(String, usize)>,
    /// The first file that could not be read: said at the end, so that the others go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// A file of several pages between two of them, so that it is read once. It is only a shortcut: without it (after
/// a restart, or when a page is asked for again) the file is read anew.
struct Kept {
    file: FileInfo,
    digest: String,
    /// Orders told by the pages so far.
    told: usize,
    rest: std::vec::IntoIter<Pulled>,
}

/// A file's content, as far as it can be used.
struct Content {
    digest: String,
    bytes: Vec<u8>,
    table: std::result::Result<Table, String>,
}

impl Inbox {
    pub(crate) fn new(
        settings: Settings,
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
        label: String,
    ) -> Self {
        Self { settings, files, clock, label, prepared: false, early: BTreeMap::new(), kept: None }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// First contact: makes the folders, and fills a new one from the seed. Repeated after a failure it goes on.
    /// Later: makes what someone took away.
    pub(crate) fn prepare(&mut self, operation: &'static str) -> Result<()> {
        if self.prepared {
            return self.restore(operation);
        }
        let seeding = self.settings.path.join(SEEDING);
        if let Some(seed) = self.settings.seed.clone()
            && (self.there(operation, &seeding)? || self.is_new(operation)?)
        {
            let from = seed.join("inbox");
            let listed = self.files.list(&from).map_err(|error| {
                let kind = ErrorKind::NotFound;
                if error.kind() == io::ErrorKind::NotFound {
                    failed(kind, operation, &from, io::Error::other("the seed has no such folder"))
                } else {
                    unavailable(operation, &from, error)
                }
            })?;
            self.make(operation, &self.settings.path)?;
            // Marked before anything else is there: a copy that was cut short is seen and done again.
            self.put(operation, &seeding, b"")?;
            self.make(operation, &self.settings.inbox())?;
            for file in listed {
                let bytes = self
                    .files
                    .read(&file.path, LARGEST)
                    .map_err(|error| unavailable(operation, &file.path, error))?;
                self.put(operation, &self.settings.inbox().join(name(&file.path)), &bytes)?;
            }
            let catalogue = seed.join("products.csv");
            match self.files.read(&catalogue, LARGEST) {
                Ok(bytes) => self.put(operation, &self.settings.path.join("products.csv"), &bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unavailable(operation, &catalogue, error)),
            }
            let done = self.settings.path.join(".seeded");
            self.rename(operation, &seeding, &done)?;
        }
        for folder in self.folders() {
            self.make(operation, &folder)?;
        }
        self.prepared = true;
        Ok(())
    }

    /// Makes anew what was taken away while the daemon runs. Not where all is gone: that is how a share looks that is
    /// not mounted, and a shipment written under its mount point would reach nobody.
    fn restore(&self, operation: &'static str) -> Result<()> {
        let mut gone = Vec::new();
        for folder in self.folders() {
            if !self.there(operation, &folder)? {
                gone.push(folder);
            }
        }
        if gone.len() == self.folders().len() {
            let message = format!(
                "{}: all its folders are gone: where it is a share, mount it; else make its folder `inbox`",
                self.settings.path.display()
            );
            return Err(Error::new(ErrorKind::Unavailable, operation, message));
        }
        for folder in gone {
            self.make(operation, &folder)?;
            tracing::warn!(event = "folder.made_anew", channel = %self.label, folder = %folder.display(),
                "A folder was taken away and is made anew");
        }
        Ok(())
    }

    fn folders(&self) -> [PathBuf; 4] {
        let settings = &self.settings;
        [settings.inbox(), settings.outbox(), settings.archive(), settings.aside()]
    }

    /// Whether nothing of ours is there yet.
    fn is_new(&self, operation: &'static str) -> Result<bool> {
        for folder in self.folders() {
            if self.there(operation, &folder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One page: a file's orders, or the next part of them.
    pub(crate) fn pull(&mut self, page: Option<&str>) -> Result<OrderPage> {
        const OPERATION: &str = "pull_orders";
        self.prepare(OPERATION)?;
        let mut mark: Mark = match page {
            None => Mark::default(),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::new(ErrorKind::Malformed, OPERATION, "the page's mark is not ours").with_source(error)
            })?,
        };
        let files = self.complete(OPERATION)?;
        for (place, file) in files.iter().enumerate() {
            let name = name(&file.path);
            let again = mark.part.is_some() && name == mark.after;
            if name < mark.after || (name == mark.after && !again) {
                continue;
            }
            let started = mark.part.as_ref().filter(|_| again);
            let mut kept = match self.kept.take() {
                Some(kept) if started == Some(&(kept.digest.clone(), kept.told)) && kept.file == *file => {
                    kept
                }
                _ => match self.read(file) {
                    Ok(Some(content)) => {
                        let told = started.filter(|(digest, _)| *digest == content.digest);
                        let told = told.map_or(0, |(_, told)| *told);
                        let mut rest = Self::orders(&name, &content).pulled.into_iter();
                        rest.by_ref().take(told).for_each(drop);
                        Kept { file: file.clone(), digest: content.digest, told, rest }
                    }
                    Ok(None) => continue,
                    Err(error) => {
                        mark.failed.get_or_insert(format!("inbox/{name}: {error}"));
                        continue;
                    }
                },
            };
            let orders: Vec<Pulled> = kept.rest.by_ref().take(PAGE).collect();
            kept.told += orders.len();
            let whole = kept.rest.len() == 0;
            let part = (!whole).then(|| (kept.digest.clone(), kept.told));
            let receipt = whole.then(|| format!("{} {name}", kept.digest));
            self.kept = (!whole).then_some(kept);
            let more = !whole || place + 1 < files.len() || mark.failed.is_some();
            let next = Mark { after: name.clone(), part, failed: mark.failed };
            return Ok(OrderPage {
                orders,
                next: more.then(|| serde_json::to_string(&next).expect("a mark is text and numbers")),
                covers: None,
                receipt,
            });
        }
        match mark.failed {
            Some(failed) => Err(Error::new(ErrorKind::Unavailable, OPERATION, failed)),
            None => Ok(OrderPage::default()),
        }
    }

    /// The page with this receipt is committed: rejected rows go aside, the file to the archive.
    pub(crate) fn acknowledge(&mut self, receipt: &str) -> Result<()> {
        const OPERATION: &str = "acknowledge";
        let (was, name) = receipt
            .split_once(' ')
            .ok_or_else(|| Error::new(ErrorKind::Malformed, OPERATION, "the receipt is not ours"))?;
        self.prepare(OPERATION)?;
        let path = self.settings.inbox().join(name);
        let listed = self.list(OPERATION, &self.settings.inbox())?;
        // Not there any more: an earlier call that failed had already moved it.
        let Some(file) = listed.into_iter().find(|file| file.path == path) else { return Ok(()) };
        let content = self.read(&file).map_err(|error| unavailable(OPERATION, &path, error))?;
        let Some(content) = content else { return Ok(()) };
        if content.digest != was {
            tracing::warn!(event = "folder.file_changed", channel = %self.label, file = name,
                "A file changed after it was read; it is read again");
            return Ok(());
        }
        let aside = self.settings.aside();
        match &content.table {
            Err(reason) => {
                let (stem, end) = split(name);
                let kept = format!("{stem}.{}{end}", content.digest);
                let reason = format!("{name}: {reason}\n");
                self.put(OPERATION, &aside.join(format!("{kept}.reason.txt")), reason.as_bytes())?;
                tracing::warn!(event = "folder.file_refused", channel = %self.label, file = name,
                    "A file cannot be used and was moved aside");
                self.rename(OPERATION, &path, &aside.join(kept))
            }
            Ok(table) => {
                let reading = Self::orders(name, &content);
                if !reading.rejected.is_empty() {
                    let (stem, end) = split(name);
                    let kept = aside.join(format!("{stem}.{}{end}", content.digest));
                    self.put(OPERATION, &kept, &rejected(name, table, &reading))?;
                    tracing::warn!(event = "folder.rows_rejected", channel = %self.label, file = name,
                        rows = reading.rejected.len(), "Rows of a file were set aside");
                }
                if !table.unknown.is_empty() {
                    tracing::warn!(event = "folder.unknown_columns", channel = %self.label, file = name,
                        columns = %columns(table), "A file has columns that nothing reads");
                }
                let to = self.free(OPERATION, name)?;
                self.rename(OPERATION, &path, &to)
            }
        }
    }

    /// What `check --online` asks. Nothing is made but one hidden file, and that only in a folder that is there.
    pub(crate) fn check(&mut self) -> Result<CheckReport> {
        const OPERATION: &str = "check";
        let mut report = CheckReport::default();
        let path = self.settings.path.clone();
        if let Some(seed) = &self.settings.seed
            && !self.there(OPERATION, &seed.join("inbox"))?
        {
            report.problems.push(format!("{}: the seed has no folder `inbox`", seed.display()));
        }
        if !self.there(OPERATION, &path)? {
            report.warnings.push(format!("{}: not there yet; it is made at the first pull", path.display()));
            return Ok(report);
        }
        match self.files.write_atomic(&path.join(".portald-check"), b"") {
            Ok(()) => report.proved.push(format!("{} can be written", path.display())),
            Err(error) => report.problems.push(format!("{} cannot be written: {error}", path.display())),
        }
        if !self.there(OPERATION, &self.settings.inbox())? {
            report.warnings.push("there is no folder `inbox` yet; it is made at the first pull".to_owned());
            return Ok(report);
        }
        let files = match self.complete(OPERATION) {
            Ok(files) => files,
            Err(error) => {
                report.problems.push(error.to_string());
                return Ok(report);
            }
        };
        report.proved.push(format!("inbox can be listed: {} files wait", files.len()));
        for file in files.iter().take(20) {
            let name = name(&file.path);
            match self.read(file) {
                Ok(None) => {}
                Err(error) => report.problems.push(format!("inbox/{name} cannot be read: {error}")),
                Ok(Some(content)) => match &content.table {
                    Err(reason) => report.warnings.push(format!("inbox/{name}: {reason}")),
                    Ok(table) => {
                        let bad = Self::orders(&name, &content).rejected.len();
                        if bad > 0 {
                            report.warnings.push(format!("inbox/{name}: {bad} rows will be set aside"));
                        }
                        if !table.unknown.is_empty() {
                            let columns = columns(table);
                            report
                                .warnings
                                .push(format!("inbox/{name}: nothing reads the columns {columns}"));
                        }
                    }
                },
            }
        }
        Ok(report)
    }

    /// The files that may be taken now, by name.
    fn complete(&mut self, operation: &'static str) -> Result<Vec<FileInfo>> {
        let now = self.clock.now();
        let quiet = chrono::TimeDelta::from_std(self.settings.quiet).unwrap_or_default();
        let mut early = BTreeMap::new();
        let mut files = self.list(operation, &self.settings.inbox())?;
        files.retain(|file| {
            let csv = file.path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
            // An empty file is one that is about to be written.
            if !csv || name(&file.path).starts_with('.') || file.len == 0 {
                return false;
            }
            if file.path.to_str().is_none() {
                tracing::warn!(event = "folder.file_misnamed", channel = %self.label, file = %file.path.display(),
                    "A file is not taken: rename it, its name is not UTF-8");
                return false;
            }
            if quiet.is_zero() || now.signed_duration_since(file.modified) >= quiet {
                return true;
            }
            if file.modified <= now {
                return false;
            }
            let since = match self.early.get(&file.path) {
                Some((same, since)) if same == file => *since,
                _ => now,
            };
            early.insert(file.path.clone(), (file.clone(), since));
            now.signed_duration_since(since) >= quiet
        });
        self.early = early;
        Ok(files)
    }

    /// A file's content; `None` when it is gone.
    fn read(&self, file: &FileInfo) -> io::Result<Option<Content>> {
        let bytes = match self.files.read(&file.path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let digest = format!("{:x}-{:x}", file.len, file.modified.timestamp_micros());
                let reason = format!("it is larger than {LARGEST} bytes: send it in parts");
                return Ok(Some(Content { digest, bytes: Vec::new(), table: Err(reason) }));
            }
            Err(error) => return Err(error),
        };
        let table = Table::read(&bytes);
        Ok(Some(Content { digest: digest(&bytes), bytes, table }))
    }

    fn orders(name: &str, content: &Content) -> Reading {
        match &content.table {
            Ok(table) => orders::read(name, &content.bytes, table),
            Err(reason) => {
                let refused = Unreadable {
                    id: RemoteId(name.to_owned()),
                    reason: format!("{name}: {reason}; nothing of the file was taken"),
                    raw: String::from_utf8_lossy(&content.bytes[..content.bytes.len().min(orders::MOST_RAW)])
                        .into_owned(),
                };
                Reading { pulled: vec![Pulled::Unreadable(refused)], rejected: BTreeMap::new() }
            }
        }
    }

    /// A name in the archive that is not taken.
    fn free(&self, operation: &'static str, name: &str) -> Result<PathBuf> {
        let archive = self.settings.archive();
        let (stem, end) = split(name);
        let at = self.clock.now().format("%Y%m%dT%H%M%SZ");
        let mut to = archive.join(name);
        let mut tried = 0;
        while self.there(operation, &to)? {
            tried += 1;
            let more = if tried == 1 { String::new() } else { format!("-{tried}") };
            to = archive.join(format!("{stem}.{at}{more}{end}"));
        }
        Ok(to)
    }

    fn list(&self, operation: &'static str, folder: &Path) -> Result<Vec<FileInfo>> {
        self.files.list(folder).map_err(|error| unavailable(operation, folder, error))
    }

    fn there(&self, operation: &'static str, path: &Path) -> Result<bool> {
        self.files.exists(path).map_err(|error| unavailable(operation, path, error))
    }

    fn make(&self, operation: &'static str, folder: &Path) -> Result<()> {
        self.files.create_dir_all(folder).map_err(|error| unavailable(operation, folder, error))
    }

    fn put(&self, operation: &'static str, path: &Path, bytes: &[u8]) -> Result<()> {
        self.files.write_atomic(path, bytes).map_err(|error| unavailable(operation, path, error))
    }

    fn rename(&self, operation: &'static str, from: &Path, to: &Path) -> Result<()> {
        self.files.rename(from, to).map_err(|error| unavailable(operation, from, error))
    }
}

/// The rejected rows as they came, with file, line and reason: corrected, the file may come in again as it is.
fn rejected(name: &str, table: &Table, reading: &Reading) -> Vec<u8> {
    let rows: Vec<_> = reading.rejected.iter().map(|(place, reason)| (&table.rows[*place], reason)).collect();
    let width = rows.iter().map(|(row, _)| row.cells.len()).max().unwrap_or(0).max(table.header.len());
    // Columns of an earlier rejection are replaced.
    let ours = |place: usize| {
        let header = table.header.get(place);
        header
            .is_some_and(|cell| ASIDE_COLUMNS.contains(&column_name(&String::from_utf8_lossy(cell)).as_str()))
    };
    let kept: Vec<usize> = (0..width).filter(|place| !ours(*place)).collect();
    let pick = |cells: &[Vec<u8>]| -> Vec<Vec<u8>> {
        kept.iter().map(|place| cells.get(*place).cloned().unwrap_or_default()).collect()
    };
    let mut writer = csv::WriterBuilder::new().delimiter(table.delimiter).from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        let mut header = pick(&table.header);
        header.extend(ASIDE_COLUMNS.map(|column| column.as_bytes().to_vec()));
        writer.write_record(header)?;
        rows.iter().try_for_each(|(row, reason)| {
            let mut cells = pick(&row.cells);
            cells.extend([name, &row.line.to_string(), reason].map(|text| text.as_bytes().to_vec()));
            writer.write_record(cells)
        })
    };
    write().expect("every row has the header's length, and memory takes all bytes");
    writer.into_inner().expect("memory takes all bytes")
}

fn columns(table: &Table) -> String {
    table.unknown.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A listed file's name, as far as it is text.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name before and from its last dot.
fn split(name: &str) -> (&str, &str) {
    name.rfind('.').map_or((name, ""), |dot| name.split_at(dot))
}
