//! Where things are in the key space: one prefix a kind, so that one atomic batch can write all of them.
//!
//! | prefix | what | value |
//! |---|---|---|
//! | `r` | records, by id | envelope |
//! | `a` | index of the active records, by id: derived from `r` | due time, or nothing |
//! | `e` | events moved out of a record: id, NUL, number | envelope |
//! | `s` | channel states: merchant, NUL, channel | envelope |
//! | `t` | rotated credentials: merchant, NUL, channel | envelope |
//! | `x` | set aside: merchant, NUL, channel, NUL, id | envelope |
//! | `l` | levels of stock: SKU, NUL, warehouse | envelope |
//! | `j` | their last movements: SKU, NUL, warehouse, NUL, one byte that goes round | envelope |
//! | `v` | the variants of a channel: merchant, NUL, channel, NUL, variant | envelope |
//! | `k` | what it shows of their items: merchant, NUL, channel, NUL, item | envelope |
//! | `q` | where its stock stands: merchant, NUL, channel | envelope |
//! | `u` | runs of stock: merchant, NUL, channel, NUL, number | envelope |
//! | `w` | their writes, in parts: as the run's, and the part's number | envelope |
//! | `f` | flags of products: merchant, NUL, channel, NUL, SKU | envelope |
//! | `i` | imports that are staged or being applied, by id | envelope |
//! | `p` | their rows, in parts: id, NUL, number | envelope |
//! | `c` | the further pieces of a long value: length of its key, its key, number | raw bytes |
//! | `m` | the store's own marks | raw bytes |

use sdk::Timestamp;

use crate::{record::RecordId, store::StoreError};

pub(super) const RECORD: u8 = b'r';
pub(super) const ACTIVE: u8 = b'a';
pub(super) const EVENTS: u8 = b'e';
pub(super) const CHANNEL: u8 = b's';
pub(super) const TOKENS: u8 = b't';
pub(super) const ASIDE: u8 = b'x';
pub(super) const LEVEL: u8 = b'l';
pub(super) const MOVED: u8 = b'j';
pub(super) const LISTING: u8 = b'v';
pub(super) const SHOWN: u8 = b'k';
pub(super) const STOCK: u8 = b'q';
pub(super) const RUN: u8 = b'u';
pub(super) const RUN_PART: u8 = b'w';
pub(super) const FLAG: u8 = b'f';
pub(super) const FEED: u8 = b'i';
pub(super) const FEED_PART: u8 = b'p';
pub(super) const PIECE: u8 = b'c';
pub(super) const MARK: u8 = b'm';

/// Every kind of value that stands in an envelope.
pub(super) const KINDS: [u8; 15] = [
    RECORD, EVENTS, CHANNEL, TOKENS, ASIDE, LEVEL, MOVED, LISTING, SHOWN, STOCK, RUN, RUN_PART, FLAG, FEED,
    FEED_PART,
];

/// What this layout is called. A store or a backup of another one is refused.
pub(super) const CURRENT: &str = "1";
/// Where the layout's name stands.
pub(super) const LAYOUT: &[u8] = b"m/layout";
/// There only while the store is closed and was closed well.
pub(super) const CLEAN: &[u8] = b"m/clean";

/// Keys carry ids that a channel chose: longer ones are refused. It also bounds a leaf of sled's tree (see
/// [`super::envelope::PIECE`]).
const LONGEST: usize = 1024;

pub(super) fn record(id: &RecordId) -> Vec<u8> {
    join(RECORD, &[&id.0])
}

pub(super) fn active(id: &RecordId) -> Vec<u8> {
    join(ACTIVE, &[&id.0])
}

/// The prefix of a record's moved events; [`event_part`] adds the number.
pub(super) fn events(id: &RecordId) -> Vec<u8> {
    let mut key = join(EVENTS, &[&id.0]);
    key.push(0);
    key
}

pub(super) fn event_part(prefix: &[u8], n: u32) -> Vec<u8> {
    [prefix, &n.to_be_bytes()].concat()
}

/// The number of a part of moved events.
pub(super) fn event_number(prefix: &[u8], key: &[u8]) -> Option<u32> {
    key.strip_prefix(prefix)?.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn channel(merchant: &str, channel: &str) -> Vec<u8> {
    join(CHANNEL, &[merchant, channel])
}

/// (merchant, channel) of a channel state's key.
pub(super) fn channel_of(key: &[u8]) -> Option<(String, String)> {
    let (merchant, channel) = std::str::from_utf8(key.get(1..)?).ok()?.split_once('\0')?;
    Some((merchant.to_owned(), channel.to_owned()))
}

pub(super) fn tokens(merchant: &str, channel: &str) -> Vec<u8> {
    join(TOKENS, &[merchant, channel])
}

pub(super) fn aside(merchant: &str, channel: &str, id: &str) -> Vec<u8> {
    join(ASIDE, &[merchant, channel, id])
}

/// The prefix of everything set aside, of one merchant or of all.
pub(super) fn asides(merchant: Option<&str>) -> Vec<u8> {
    match merchant {
        Some(merchant) => {
            let mut key = join(ASIDE, &[merchant]);
            key.push(0);
            key
        }
        None => vec![ASIDE],
    }
}

pub(super) fn level(sku: &str, warehouse: &str) -> Vec<u8> {
    join(LEVEL, &[sku, warehouse])
}

/// The place of a figure's `n`th movement: the oldest kept one gives way.
pub(super) fn moved(sku: &str, warehouse: &str, n: u64) -> Vec<u8> {
    let mut key = join(MOVED, &[sku, warehouse]);
    key.extend_from_slice(&[0, (n % crate::stock::level::KEPT_MOVES) as u8]);
    key
}

/// The warehouse of a movement's key under [`of`] its SKU.
pub(super) fn moved_in<'k>(prefix: &[u8], key: &'k [u8]) -> Option<&'k str> {
    let [warehouse @ .., 0, _] = key.strip_prefix(prefix)? else { return None };
    std::str::from_utf8(warehouse).ok()
}

/// SKU and warehouse of a movement's key.
pub(super) fn moved_names(key: &[u8]) -> Option<(&str, &str)> {
    let [names @ .., 0, _] = key.get(1..)? else { return None };
    std::str::from_utf8(names).ok()?.split_once('\0')
}

/// (merchant, channel) of the key of a part of a run.
pub(super) fn run_channel(key: &[u8]) -> Option<(&str, &str)> {
    let [names @ .., 0, _, _, _, _, _, _, _, _] = key.get(1..)? else { return None };
    std::str::from_utf8(names).ok()?.split_once('\0')
}

/// The prefix of all that stands under these parts: of a SKU, a channel, an import.
pub(super) fn of(prefix: u8, parts: &[&str]) -> Vec<u8> {
    let mut key = join(prefix, parts);
    key.push(0);
    key
}

/// A thing of a channel by its own id.
pub(super) fn in_channel(prefix: u8, merchant: &str, channel: &str, id: &str) -> Vec<u8> {
    join(prefix, &[merchant, channel, id])
}

pub(super) fn stock(merchant: &str, channel: &str) -> Vec<u8> {
    join(STOCK, &[merchant, channel])
}

pub(super) fn run(merchant: &str, channel: &str, n: u32) -> Vec<u8> {
    [of(RUN, &[merchant, channel]).as_slice(), &n.to_be_bytes()].concat()
}

pub(super) fn run_part(merchant: &str, channel: &str, run: u32, n: u32) -> Vec<u8> {
    [of(RUN_PART, &[merchant, channel]).as_slice(), &run.to_be_bytes(), &n.to_be_bytes()].concat()
}

pub(super) fn feed(id: &str) -> Vec<u8> {
    join(FEED, &[id])
}

pub(super) fn feed_part(id: &str, n: u32) -> Vec<u8> {
    [of(FEED_PART, &[id]).as_slice(), &n.to_be_bytes()].concat()
}

/// The key of a long value's `n`th further piece. The length in front keeps one key's pieces from being another's.
pub(super) fn piece(key: &[u8], n: u16) -> Vec<u8> {
    let mut piece = Vec::with_capacity(key.len() + 5);
    piece.push(PIECE);
    piece.extend_from_slice(&(key.len() as u16).to_be_bytes());
    piece.extend_from_slice(key);
    piece.extend_from_slice(&n.to_be_bytes());
    piece
}

/// The key that a piece belongs to, and the piece's number.
pub(super) fn piece_of(piece: &[u8]) -> Option<(&[u8], u16)> {
    let (length, rest) = piece.get(1..)?.split_first_chunk::<2>()?;
    let (key, n) = rest.split_last_chunk::<2>()?;
    (key.len() == usize::from(u16::from_be_bytes(*length))).then(|| (key, u16::from_be_bytes(*n)))
}

/// Refuses a key that is too long.
pub(super) fn check(key: &[u8]) -> Result<(), StoreError> {
    if key.len() > LONGEST {
        let start: String = shown(key).chars().take(120).collect();
        return Err(StoreError::TooLarge { key: format!("{start}…"), bytes: key.len() });
    }
    Ok(())
}

/// A key as people read it: `r bluefin.shop.1001`.
pub(super) fn shown(key: &[u8]) -> String {
    let Some((kind, rest)) = key.split_first() else { return String::new() };
    let number = (*kind == EVENTS).then(|| rest.split_last_chunk::<5>()).flatten();
    match number {
        Some((id, [0, n @ ..])) => {
            format!("e {} {}", String::from_utf8_lossy(id), u32::from_be_bytes(*n))
        }
        _ => format!("{} {}", char::from(*kind), String::from_utf8_lossy(rest).replace('\0', " ")),
    }
}

/// A record's id from its key or from its index entry's.
pub(super) fn id_of(key: &[u8]) -> Option<RecordId> {
    std::str::from_utf8(key.get(1..)?).ok().map(|id| RecordId(id.to_owned()))
}

/// An index entry's value.
pub(super) fn due(at: Option<Timestamp>) -> Vec<u8> {
    let Some(at) = at else { return Vec::new() };
    [&at.timestamp().to_be_bytes()[..], &at.timestamp_subsec_nanos().to_be_bytes()[..]].concat()
}

/// Reads an index entry's value; `Err` where it is none.
pub(super) fn due_of(value: &[u8]) -> Result<Option<Timestamp>, ()> {
    if value.is_empty() {
        return Ok(None);
    }
    let (secs, nanos) = value.split_first_chunk::<8>().ok_or(())?;
    let nanos: [u8; 4] = nanos.try_into().map_err(|_| ())?;
    Timestamp::from_timestamp(i64::from_be_bytes(*secs), u32::from_be_bytes(nanos)).map(Some).ok_or(())
}

fn join(prefix: u8, parts: &[&str]) -> Vec<u8> {
    let mut key = vec![prefix];
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            key.push(0);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key
}
