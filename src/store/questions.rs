//! The questions of [`super::Store`], answered from any [`Space`].

use std::collections::BTreeMap;

use sdk::{SecretString, Timestamp};
use serde::de::DeserializeOwned;

use super::{Aside, ChannelState, Page, Query, StoreError, envelope, layout, space::Space};
use crate::record::{Event, Record, RecordId, SCHEMA};

/// Told of values that a list leaves out because they cannot be read.
pub(super) type Skipped<'f> = &'f mut dyn FnMut(StoreError);

pub(super) fn record<S: Space>(space: &S, id: &RecordId) -> Result<Option<Record>, StoreError> {
    let key = layout::record(id);
    get_json(space, &key)?.map(|json| decode_record(&key, &json)).transpose()
}

pub(super) fn records<S: Space>(space: &S, ids: &[RecordId]) -> Result<Vec<Option<Record>>, StoreError> {
    ids.iter().map(|id| record(space, id)).collect()
}

pub(super) fn list<S: Space>(space: &S, query: &Query, skipped: Skipped<'_>) -> Result<Page, StoreError> {
    if query.limit == 0 {
        return Ok(Page::default());
    }
    let kind = if query.active { layout::ACTIVE } else { layout::RECORD };
    let mut prefix = vec![kind];
    if let Some(merchant) = &query.merchant {
        prefix.extend_from_slice(format!("{merchant}.").as_bytes());
        if let Some(channel) = &query.channel {
            prefix.extend_from_slice(format!("{channel}.").as_bytes());
        }
    }
    let after = query.after.as_ref().map(|id| [&[kind], id.0.as_bytes()].concat());
    let sieve = query.text.as_deref().map(Sieve::new);
    let mut page = Page::default();
    for entry in space.scan(&prefix, after.as_deref()) {
        let (entry, value) = entry?;
        let Some(id) = layout::id_of(entry.as_ref()) else {
            skipped(envelope::corrupt(entry.as_ref(), "its key is not text"));
            continue;
        };
        let key = layout::record(&id);
        // The index answers with the id alone; the record may be gone to rest meanwhile.
        let json = if query.active { get_json(space, &key) } else { open(space, &key, value).map(Some) };
        let json = match json {
            Ok(Some(json)) => json,
            Ok(None) => continue,
            Err(error @ StoreError::Corrupt { .. }) => {
                skipped(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if sieve.as_ref().is_some_and(|sieve| !sieve.passes(&json)) {
            continue;
        }
        let record = match decode_record(&key, &json) {
            Ok(record) => record,
            Err(error) => {
                skipped(error);
                continue;
            }
        };
        if query.merchant.as_ref().is_some_and(|merchant| record.merchant != *merchant)
            || query.channel.as_ref().is_some_and(|channel| record.channel != *channel)
            || query.active && !record.is_active()
        {
            continue;
        }
        if page.records.len() == query.limit {
            page.next = page.records.last().map(|last| last.id.clone());
            break;
        }
        page.records.push(record);
    }
    Ok(page)
}

pub(super) fn old_events<S: Space>(space: &S, id: &RecordId) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for entry in space.scan(&layout::events(id), None) {
        let (key, value) = entry?;
        let json = open(space, key.as_ref(), value)?;
        events.extend(envelope::decode::<Vec<Event>>(key.as_ref(), &json)?);
    }
    Ok(events)
}

pub(super) fn agenda<S: Space>(
    space: &S,
    skipped: Skipped<'_>,
) -> Result<Vec<(RecordId, Option<Timestamp>)>, StoreError> {
    let mut agenda = Vec::new();
    for entry in space.scan(&[layout::ACTIVE], None) {
        let (key, value) = entry?;
        let Some(id) = layout::id_of(key.as_ref()) else {
            skipped(envelope::corrupt(key.as_ref(), "its key is not text"));
            continue;
        };
        if let Ok(due) = layout::due_of(value.as_ref()) {
            agenda.push((id, due));
            continue;
        }
        // The index is derived: where an entry is broken the record itself knows.
        match record(space, &id) {
            Ok(Some(record)) if record.is_active() => agenda.push((id, record.next_wake())),
            Ok(_) => {}
            Err(error @ StoreError::Corrupt { .. }) => skipped(error),
            Err(error) => return Err(error),
        }
    }
    Ok(agenda)
}

/// All channel states. One that cannot be read fails the question: a channel that seems new would be bound anew and
/// given a new cut-over.
pub(super) fn channels<S: Space>(space: &S) -> Result<BTreeMap<(String, String), ChannelState>, StoreError> {
    let mut channels = BTreeMap::new();
    for entry in space.scan(&[layout::CHANNEL], None) {
        let (key, value) = entry?;
        let key = key.as_ref();
        let name =
            layout::channel_of(key).ok_or_else(|| envelope::corrupt(key, "its key is not a channel's"))?;
        let json = open(space, key, value)?;
        channels.insert(name, envelope::decode(key, &json)?);
    }
    Ok(channels)
}

pub(super) fn channel<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
) -> Result<Option<ChannelState>, StoreError> {
    get(space, &layout::channel(merchant, channel))
}

pub(super) fn set_aside<S: Space>(
    space: &S,
    merchant: Option<&str>,
    skipped: Skipped<'_>,
) -> Result<Vec<Aside>, StoreError> {
    let mut asides = Vec::new();
    for entry in space.scan(&layout::asides(merchant), None) {
        let (key, value) = entry?;
        let key = key.as_ref();
        match open(space, key, value).and_then(|json| envelope::decode(key, &json)) {
            Ok(aside) => asides.push(aside),
            Err(error @ StoreError::Corrupt { .. }) => skipped(error),
            Err(error) => return Err(error),
        }
    }
    Ok(asides)
}

pub(super) fn tokens<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
) -> Result<Option<SecretString>, StoreError> {
    let value: Option<String> = get(space, &layout::tokens(merchant, channel))?;
    Ok(value.map(SecretString::from))
}

/// Reads a record, and refuses one that a newer release wrote: writing it back would lose what this one does not
/// know.
pub(super) fn decode_record(key: &[u8], json: &[u8]) -> Result<Record, StoreError> {
    let record: Record = envelope::decode(key, json)?;
    if record.schema > SCHEMA {
        let why = format!("its layout is {}, this release knows up to {SCHEMA}", record.schema);
        return Err(envelope::corrupt(key, &why));
    }
    Ok(record)
}

/// Checks a value just read, with its pieces, and gives its JSON.
///
/// Pieces are read after the first value, and a commit may come between: so a value that does not match is read
/// again, until it matches or has stayed the same.
pub(super) fn open<S: Space>(space: &S, key: &[u8], first: S::Bytes) -> Result<Vec<u8>, StoreError> {
    let mut first = first;
    loop {
        let read = envelope::open(key, first.as_ref(), |n| {
            Ok(space.get(&layout::piece(key, n))?.map(|bytes| bytes.as_ref().to_vec()))
        });
        let Err(error @ StoreError::Corrupt { .. }) = read else { return read };
        match space.get(key)? {
            Some(again) if again.as_ref() != first.as_ref() => first = again,
            _ => return Err(error),
        }
    }
}

fn get_json<S: Space>(space: &S, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    space.get(key)?.map(|first| open(space, key, first)).transpose()
}

fn get<S: Space, T: DeserializeOwned>(space: &S, key: &[u8]) -> Result<Option<T>, StoreError> {
    get_json(space, key)?.map(|json| envelope::decode(key, &json)).transpose()
}

/// Looks for a text in stored JSON, without case.
struct Sieve {
    needle: String,
}

impl Sieve {
    fn new(text: &str) -> Self {
        // As JSON writes it: `"` is stored as `\"`.
        let json = serde_json::Value::from(text).to_string();
        Self { needle: json[1..json.len() - 1].to_lowercase() }
    }

    fn passes(&self, json: &[u8]) -> bool {
        let needle = self.needle.as_bytes();
        let Some(first) = needle.first() else { return true };
        if self.needle.is_ascii() {
            return json.windows(needle.len()).any(|part| {
                part[0].eq_ignore_ascii_case(first) && part[1..].eq_ignore_ascii_case(&needle[1..])
            });
        }
        String::from_utf8_lossy(json).to_lowercase().contains(&self.needle)
    }
}
