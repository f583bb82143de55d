//! What is written out: one CSV a write, under a name made of its key, so that the same write again is the same file.

use std::{fmt::Write as _, io, path::Path};

use sdk::{
    Error, ErrorKind, Files, FulfillmentRequest, RemoteFulfillment, RemoteId, RemoteTracking, Result,
    TrackingSet, TrackingUpdate,
};

use crate::{error::failed, wire::digest};

/// The columns of every file in `outbox`.
pub(crate) const COLUMNS: [&str; 12] = [
    "action",
    "key",
    "fulfillment",
    "order_number",
    "line_id",
    "quantity",
    "carrier",
    "service",
    "tracking",
    "tracking_url",
    "other_tracking",
    "shipped_at",
];

/// Longest file name before `.csv`; Linux takes 255 bytes, and the temporary name is longer.
const LONGEST_NAME: usize = 180;

/// A parcel's file: a row a line.
pub(crate) fn shipped(request: &FulfillmentRequest) -> Vec<u8> {
    let at = request.shipped_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let tracking = tracking(&request.tracking);
    let rows = request.lines.iter().map(|line| {
        let ids = [&request.key, &request.key, &request.order.0, &line.line.0];
        row("ship", ids, &line.quantity.to_string(), &tracking, &at)
    });
    file(rows.collect())
}

/// The fulfillment that a parcel's file makes.
pub(crate) fn made(request: &FulfillmentRequest) -> RemoteFulfillment {
    let told = &request.tracking;
    RemoteFulfillment {
        id: RemoteId(request.key.clone()),
        active: true,
        lines: request.lines.clone(),
        tracking: vec![RemoteTracking {
            company: Some(told.carrier.clone()).filter(|carrier| !carrier.is_empty()),
            number: told.number.clone(),
            url: told.url.clone(),
        }],
        created_at: None,
    }
}

/// A correction's file: one row.
pub(crate) fn corrected(update: &TrackingUpdate) -> Vec<u8> {
    let ids = [&update.key, &update.fulfillment.0, &update.order.0, ""];
    file(vec![row("update", ids, "", &tracking(&update.tracking), "")])
}

/// A void's file: one row.
pub(crate) fn voided(order: &RemoteId, fulfillment: &RemoteId, key: &str) -> Vec<u8> {
    file(vec![row("void", [key, &fulfillment.0, &order.0, ""], "", &Default::default(), "")])
}

fn row<S: AsRef<str>>(
    action: &str,
    ids: [S; 4],
    quantity: &str,
    tracking: &[String; 5],
    shipped_at: &str,
) -> Vec<String> {
    let mut row = vec![action.to_owned()];
    // Ids are the merchant's own words: they go back to the letter, or nobody could match them.
    row.extend(ids.iter().map(|id| id.as_ref().to_owned()));
    row.push(quantity.to_owned());
    row.extend(tracking.iter().cloned());
    row.push(shipped_at.to_owned());
    row
}

fn tracking(told: &TrackingSet) -> [String; 5] {
    let others: Vec<String> =
        told.others.iter().map(|other| format!("{} {}", other.carrier, other.number)).collect();
    [
        told.carrier.as_str(),
        told.service.as_deref().unwrap_or_default(),
        told.number.as_deref().unwrap_or_default(),
        told.url.as_deref().unwrap_or_default(),
        &others.join("; "),
    ]
    .map(guarded)
}

/// The supplier's free text without control characters, and made harmless where a spreadsheet would read a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>): no tracking number begins so.
fn guarded(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let text = text.trim();
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() }
}

fn file(rows: Vec<Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        writer.write_record(COLUMNS)?;
        rows.iter().try_for_each(|row| writer.write_record(row))
    };
    write().expect("every row has the header's length, and memory takes all bytes");
    writer.into_inner().expect("memory takes all bytes")
}

/// A file's name for a key: no two keys have one. What is safe in a name stays, `/` becomes `_`, each other byte `~`
/// and its hexadecimal number. A name that would be too long is cut, and ends in its key's digest.
pub(crate) fn file_name(key: &str) -> String {
    let mut name = String::new();
    for (place, byte) in key.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b'.' if place > 0 => name.push('.'),
            b'/' => name.push('_'),
            other => write!(name, "~{other:02x}").expect("a string takes all text"),
        }
    }
    if name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME);
        name.push('~');
        name.push_str(&digest(key.as_bytes()));
    }
    name.push_str(".csv");
    name
}

/// Writes a file whole. After a failure the file is read back: where it has the bytes, the write may or may not
/// outlast a power cut, and must be repeated.
pub(crate) fn write(files: &dyn Files, operation: &'static str, path: &Path, bytes: &[u8]) -> Result<()> {
    let Err(error) = files.write_atomic(path, bytes) else { return Ok(()) };
    let kind = match files.read(path, bytes.len() as u64) {
        Ok(there) if there == bytes => ErrorKind::Indeterminate,
        Ok(_) => ErrorKind::Unavailable,
        Err(absent) if matches!(absent.kind(), io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge) => {
            ErrorKind::Unavailable
        }
        Err(_) => ErrorKind::Indeterminate,
    };
    let error: Error = failed(kind, operation, path, error);
    Err(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_reads_well_and_stays_short() {
        assert_eq!(file_name("1001/p1/create/1"), "1001_p1_create_1.csv");
        assert_eq!(file_name("#10_01/p1"), "~2310~5f01_p1.csv");
        assert_eq!(file_name("../x"), "~2e._x.csv");
        assert!(file_name(&"é".repeat(300)).len() < 240);
    }

    #[test]
    fn a_formula_is_text() {
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(guarded("\t=1\n"), "'=1");
        assert_eq!(guarded("1Z 999"), "1Z 999");
    }

    proptest! {
        #[test]
        fn no_two_keys_have_one_name(left in "[a/_.~%#é]{1,90}", right in "[a/_.~%#é]{1,90}") {
            prop_assert_eq!(left == right, file_name(&left) == file_name(&right));
            prop_assert!(!file_name(&left).contains('/') && !file_name(&left).starts_with('.'));
        }
    }
}
