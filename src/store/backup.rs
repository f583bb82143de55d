//! What a backup is: the file's format, writing it and reading it.
//!
//! ```text
//! "PORTALDB" | format 2 | length 4 | header, JSON
//! 1 | length of key 4 | length of value 4 | key | value      a value to put
//! 2 | length of key 4 | key                                  a key to take away
//! 0 | entries 8 | crc32 4                                    the end
//! ```
//! Numbers are big-endian. The checksum covers everything before it, so that a file that was cut short or damaged is
//! refused as a whole.
//!
//! The entries are a history: done one after the other over an empty space they make the picture as of the end. While
//! the space is read, a part at a time, what is committed meanwhile goes into the file between two parts, in the order
//! in which it happened. So no commit waits for a backup, and none is in it by half.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use bytes::Bytes;
use sdk::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{StoreError, layout, space::Batch};

const MAGIC: &[u8; 8] = b"PORTALDB";
/// The format that this release writes and reads.
const FORMAT: u16 = 1;
const END: u8 = 0;
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// A part of the space is read at once up to about so many bytes: what a commit may have to wait for.
pub(super) const PART: usize = 64 * 1024;

/// Longer keys and values than these are in no store: lengths beyond are damage.
const LONGEST_KEY: usize = 8 * 1024;
const LONGEST_VALUE: usize = 1024 * 1024;
const LONGEST_HEADER: usize = 64 * 1024;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The store's layout.
    pub layout: String,
    /// The release that wrote it.
    pub version: String,
    /// When it was begun.
    pub at: Timestamp,
}

impl Header {
    /// Of a backup that this release begins now.
    pub fn new(at: Timestamp) -> Self {
        Self { layout: layout::CURRENT.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), at }
    }
}

/// Why a backup was not written, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever was to take it is gone, or too slow.
    #[error("the backup was given up: {0}")]
    GivenUp(&'static str),
    /// The file is not a backup, or not a whole one.
    #[error("{0}")]
    Unusable(String),
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// It is not allowed as things stand; says what to do.
    #[error("{0}")]
    Refused(String),
}

impl BackupError {
    pub(super) fn at(path: &Path, error: &io::Error) -> Self {
        Self::Io(format!("{}: {error}", path.display()))
    }
}

/// Adds a value to a history.
pub(super) fn put(history: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    history.push(PUT);
    history.extend_from_slice(&(key.len() as u32).to_be_bytes());
    history.extend_from_slice(&(value.len() as u32).to_be_bytes());
    history.extend_from_slice(key);
    history.extend_from_slice(value);
}

/// Adds a batch to a history; answers its entries.
pub(super) fn batch(history: &mut Vec<u8>, batch: &Batch) -> u64 {
    for (key, value) in batch {
        match value {
            Some(value) => put(history, key, value),
            None => {
                history.push(DELETE);
                history.extend_from_slice(&(key.len() as u32).to_be_bytes());
                history.extend_from_slice(key);
            }
        }
    }
    batch.len() as u64
}

/// Sends a backup as it is made, a part at a time. Waits where the receiver is slow.
pub(super) struct Sender {
    sink: mpsc::Sender<Bytes>,
    sum: crc32fast::Hasher,
    entries: u64,
    bytes: u64,
}

impl Sender {
    /// Blocks, like all that it does.
    pub(super) fn begin(sink: mpsc::Sender<Bytes>, header: &Header) -> Result<Self, BackupError> {
        let header = serde_json::to_vec(header)
            .map_err(|error| BackupError::Io(format!("the header cannot be written: {error}")))?;
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&FORMAT.to_be_bytes());
        head.extend_from_slice(&(header.len() as u32).to_be_bytes());
        head.extend_from_slice(&header);
        let mut sender = Self { sink, sum: crc32fast::Hasher::new(), entries: 0, bytes: 0 };
        sender.send(head, 0)?;
        Ok(sender)
    }

    /// Sends a part of the history with so many entries.
    pub(super) fn send(&mut self, part: Vec<u8>, entries: u64) -> Result<(), BackupError> {
        self.sum.update(&part);
        self.entries += entries;
        self.bytes += part.len() as u64;
        self.sink.blocking_send(part.into()).map_err(|_| BackupError::GivenUp("nobody takes it any more"))
    }

    pub(super) fn end(mut self) -> Result<Copied, BackupError> {
        let mut end = vec![END];
        end.extend_from_slice(&self.entries.to_be_bytes());
        self.sum.update(&end);
        end.extend_from_slice(&self.sum.clone().finalize().to_be_bytes());
        self.bytes += end.len() as u64;
        self.sink.blocking_send(end.into()).map_err(|_| BackupError::GivenUp("nobody takes it any more"))?;
        Ok(Copied { entries: self.entries, bytes: self.bytes })
    }
}

/// How large a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Entries of its history.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One entry of a backup's history: a key and its value from then on, `None`: it is gone.
pub(super) type Entry = (Vec<u8>, Option<Vec<u8>>);

/// A backup that is read from its beginning to its end.
pub(super) struct Reader {
    from: BufReader<File>,
    sum: crc32fast::Hasher,
    entries: u64,
    name: String,
    pub(super) header: Header,
}

impl Reader {
    /// Opens a file and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(|error| BackupError::at(path, &error))?;
        let name = path.display().to_string();
        let header = Header { layout: String::new(), version: String::new(), at: Timestamp::MIN_UTC };
        let mut reader = Self {
            from: BufReader::with_capacity(PART, file),
            sum: Default::default(),
            entries: 0,
            name,
            header,
        };
        let magic: [u8; 8] = reader.take()?;
        if magic != *MAGIC {
            return Err(BackupError::Unusable(format!("{} is not a backup of portald", reader.name)));
        }
        let format = u16::from_be_bytes(reader.take()?);
        if format != FORMAT {
            return Err(BackupError::Unusable(format!(
                "{} has the format {format}, this release reads {FORMAT}: use the release that wrote it",
                reader.name
            )));
        }
        let length = u32::from_be_bytes(reader.take()?) as usize;
        let header = reader.bytes(length, LONGEST_HEADER)?;
        reader.header = serde_json::from_slice(&header).map_err(|_| reader.damaged("its header is none"))?;
        if reader.header.layout != layout::CURRENT {
            return Err(BackupError::Unusable(format!(
                "{} holds a store of layout {}, this release reads {}: use portald {}, which wrote it",
                reader.name,
                reader.header.layout,
                layout::CURRENT,
                reader.header.version
            )));
        }
        Ok(reader)
    }

    /// The next entry; `None`: the end was reached, and all of the file is as it was written.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, BackupError> {
        let [tag] = self.take()?;
        match tag {
            PUT => {
                let key = u32::from_be_bytes(self.take()?) as usize;
                let value = u32::from_be_bytes(self.take()?) as usize;
                let key = self.bytes(key, LONGEST_KEY)?;
                let value = self.bytes(value, LONGEST_VALUE)?;
                self.entries += 1;
                Ok(Some((key, Some(value))))
            }
            DELETE => {
                let key = u32::from_be_bytes(self.take()?) as usize;
                let key = self.bytes(key, LONGEST_KEY)?;
                self.entries += 1;
                Ok(Some((key, None)))
            }
            END => {
                let entries = u64::from_be_bytes(self.take()?);
                let own = self.sum.clone().finalize();
                let sum = u32::from_be_bytes(self.take()?);
                if entries != self.entries || sum != own {
                    return Err(self.damaged("its checksum does not match"));
                }
                let mut more = [0];
                match self.from.read(&mut more) {
                    Ok(0) => Ok(None),
                    Ok(_) => Err(self.damaged("something follows its end")),
                    Err(error) => Err(BackupError::Io(format!("{}: {error}", self.name))),
                }
            }
            _ => Err(self.damaged("an entry of it is none")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: usize, longest: usize) -> Result<Vec<u8>, BackupError> {
        if length > longest {
            return Err(self.damaged("a length in it cannot be"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        match self.from.read_exact(bytes) {
            Ok(()) => {
                self.sum.update(bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("it ends too soon"))
            }
            Err(error) => Err(BackupError::Io(format!("{}: {error}", self.name))),
        }
    }

    fn damaged(&self, why: &str) -> BackupError {
        BackupError::Unusable(format!(
            "{} is damaged: {why}. Nothing of it is used; take another backup",
            self.name
        ))
    }
}

/// Reads a backup from its beginning to its end: whether it is whole. Blocks.
///
/// # Errors
/// [`BackupError::Unusable`] where it is not.
pub fn check(path: &Path) -> Result<(Header, Copied), BackupError> {
    let mut reader = Reader::open(path)?;
    while reader.next()?.is_some() {}
    let bytes = std::fs::metadata(path).map_err(|error| BackupError::at(path, &error))?.len();
    Ok((reader.header, Copied { entries: reader.entries, bytes }))
}
