//! What is around every stored value: a format byte, the version that guards it, a checksum. A long value is cut in
//! pieces, which are written in the same batch.
//!
//! ```text
//! format 1 | version 8 | pieces 2 | length 4 | crc32 4 | the JSON, or its first piece
//! ```
//! Numbers are big-endian. The checksum covers the head before it and the whole JSON.

use serde::{Serialize, de::DeserializeOwned};

use super::{StoreError, layout};

/// JSON.
const FORMAT: u8 = 1;
const HEAD: usize = 19;

/// The longest piece, in bytes. sled 0.34 writes a log message past a quarter of a segment (128 kB) into a file of
/// its own, which it never syncs; and it writes whole leaves of up to 17 values
/// (<https://docs.rs/sled/0.34.7/src/sled/node.rs.html#599>). 17 pieces with their keys stay below that.
pub(super) const PIECE: usize = 6 * 1024;

/// The largest value, in bytes of JSON. An order of 500 lines needs some 300 kB.
pub(super) const LARGEST: usize = 8 * 1024 * 1024;

/// The part of a stored value's head that a writer needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Counts commits; 0 for values without a version.
    pub(super) version: u64,
    /// Further pieces.
    pub(super) pieces: u16,
}

/// A value ready to be written.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) head: Head,
    /// The first value, with the head.
    pub(super) first: Vec<u8>,
    /// The others.
    pub(super) rest: Vec<Vec<u8>>,
}

/// Encodes a value for `key`.
pub(super) fn seal(key: &[u8], version: u64, value: &impl Serialize) -> Result<Sealed, StoreError> {
    // Most values are small, and an import holds thousands of them at once.
    let mut first = Vec::with_capacity(256);
    first.resize(HEAD, 0);
    serde_json::to_writer(&mut first, value).map_err(|error| corrupt(key, &describe(&error)))?;
    let length = first.len() - HEAD;
    if length > LARGEST {
        return Err(StoreError::TooLarge { key: layout::shown(key), bytes: length });
    }
    let tail = first.split_off(first.len().min(HEAD + PIECE));
    let rest: Vec<Vec<u8>> = tail.chunks(PIECE).map(<[u8]>::to_vec).collect();
    let head = Head { version, pieces: rest.len() as u16 };
    first[0] = FORMAT;
    first[1..9].copy_from_slice(&version.to_be_bytes());
    first[9..11].copy_from_slice(&head.pieces.to_be_bytes());
    first[11..15].copy_from_slice(&(length as u32).to_be_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&first[..15]);
    sum.update(&first[HEAD..]);
    sum.update(&tail);
    first[15..HEAD].copy_from_slice(&sum.finalize().to_be_bytes());
    Ok(Sealed { head, first, rest })
}

/// Reads the head alone, without the checksum: what a writer compares and clears away.
pub(super) fn head(key: &[u8], first: &[u8]) -> Result<Head, StoreError> {
    let (head, _, _) = split(key, first)?;
    Ok(head)
}

/// Checks a value's sum and gives its JSON. `piece` reads a further piece.
pub(super) fn open(
    key: &[u8],
    first: &[u8],
    mut piece: impl FnMut(u16) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let (head, length, sum) = split(key, first)?;
    // The length is not yet proven: it only bounds what is set aside for it.
    let mut json = Vec::with_capacity(length.min(LARGEST));
    json.extend_from_slice(&first[HEAD..]);
    for n in 0..head.pieces {
        match piece(n)? {
            Some(bytes) => json.extend_from_slice(&bytes),
            None => return Err(corrupt(key, &format!("piece {} of {} is missing", n + 1, head.pieces))),
        }
    }
    let mut own = crc32fast::Hasher::new();
    own.update(&first[..15]);
    own.update(&json);
    if json.len() != length || own.finalize() != sum {
        return Err(corrupt(key, "its checksum does not match"));
    }
    Ok(json)
}

/// Reads JSON that [`open`] gave.
pub(super) fn decode<T: DeserializeOwned>(key: &[u8], json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(|error| corrupt(key, &describe(&error)))
}

/// An unreadable value at `key`.
pub(super) fn corrupt(key: &[u8], why: &str) -> StoreError {
    StoreError::Corrupt { key: layout::shown(key), why: why.to_owned() }
}

/// Where JSON does not fit. The error's own text may quote the value, which may be an address.
fn describe(error: &serde_json::Error) -> String {
    format!("its JSON does not fit this release's layout at byte {}", error.column())
}

fn split(key: &[u8], first: &[u8]) -> Result<(Head, usize, u32), StoreError> {
    let Some(format) = first.first() else { return Err(corrupt(key, "it is empty")) };
    if *format != FORMAT {
        return Err(corrupt(key, &format!("its format is {format}, this release reads {FORMAT}")));
    }
    let Some(bytes) = first.first_chunk::<HEAD>() else { return Err(corrupt(key, "its head is cut off")) };
    let [_, version @ .., p0, p1, l0, l1, l2, l3, c0, c1, c2, c3] = *bytes;
    let head = Head { version: u64::from_be_bytes(version), pieces: u16::from_be_bytes([p0, p1]) };
    Ok((head, u32::from_be_bytes([l0, l1, l2, l3]) as usize, u32::from_be_bytes([c0, c1, c2, c3])))
}
