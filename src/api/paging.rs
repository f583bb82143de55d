//! Opaque cursors and page sizes.

use super::problem::Problem;
use crate::record::RecordId;

/// The default page.
pub const DEFAULT_LIMIT: usize = 50;
/// The largest page.
pub const MAX_LIMIT: usize = 250;
/// How many records one request looks at before it answers with what it has and a cursor.
pub const SCAN_LIMIT: usize = 20_000;

/// Where a list goes on: after the `n`th item of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The record.
    pub record: RecordId,
    /// The last item of it that was given; `u32::MAX`: all of them.
    pub n: u32,
}

impl Cursor {
    /// After all of a record.
    pub fn past(record: &RecordId) -> Self {
        Self { record: record.clone(), n: u32::MAX }
    }

    /// As readers see it: opaque.
    pub fn encode(&self) -> String {
        format!("{}:{}", self.n, self.record).bytes().fold(String::new(), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })
    }

    /// Reads it back.
    pub fn decode(text: &str) -> Result<Self, Problem> {
        let read = || {
            if !text.len().is_multiple_of(2) || text.len() > 4096 || !text.is_ascii() {
                return None;
            }
            let bytes: Option<Vec<u8>> = (0..text.len())
                .step_by(2)
                .map(|at| {
                    let pair = &text[at..at + 2];
                    // `from_str_radix` takes a sign; a cursor has none.
                    (!pair.starts_with('+')).then(|| u8::from_str_radix(pair, 16).ok()).flatten()
                })
                .collect();
            let plain = String::from_utf8(bytes?).ok()?;
            let (n, record) = plain.split_once(':')?;
            Some(Self { record: RecordId(record.to_owned()), n: n.parse().ok()? })
        };
        read().ok_or_else(|| {
            Problem::bad_request(
                "cursor",
                "`after` is not a cursor of this list: take `next` of the last page",
            )
        })
    }
}

/// Checks a page size.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
        Some(other) => Err(Problem::bad_request("limit", format!("`limit` is {other}: 1 to {MAX_LIMIT}"))),
    }
}
