//! Stock in the store: what a commit may change of it, and the questions.

use sdk::RemoteId;
use serde::de::DeserializeOwned;

use super::{
    StoreError,
    envelope::{self, Sealed},
    layout,
    prepare::{Guarded, seal_plain},
    questions::{Skipped, open},
    space::Space,
};
use crate::stock::{
    Feed, FeedRow, Level, Listing, Moved, Movement, ProductFlag, Run, RunPart, SCHEMA, Shown, StockState,
};

/// What a commit changes of stock.
#[derive(Clone, Debug, Default)]
pub struct StockChanges {
    /// Movements of figures, in their order. They never conflict: each is worked out over the figure as it then is.
    pub movements: Vec<Movement>,
    /// Where channels' stock stands: (merchant, channel, state), by version like [`super::Changes::channels`].
    pub states: Vec<(String, String, StockState)>,
    /// Variants of a channel's catalogue: (merchant, channel, listing).
    pub listings: Vec<(String, String, Listing)>,
    /// Variants that a catalogue no longer has: (merchant, channel, variant).
    pub delisted: Vec<(String, String, RemoteId)>,
    /// What a channel shows of items: (merchant, channel, shown).
    pub shown: Vec<(String, String, Shown)>,
    /// Runs.
    pub runs: Vec<Run>,
    /// Writes of runs: (merchant, channel, part).
    pub parts: Vec<(String, String, RunPart)>,
    /// A run that is forgotten, with so many parts: (merchant, channel, number, parts).
    pub forgotten: Vec<(String, String, u32, u32)>,
    /// Flags of products.
    pub flags: Vec<ProductFlag>,
    /// Flags that are taken away: (merchant, channel, SKU).
    pub unflagged: Vec<(String, String, String)>,
    /// Imports.
    pub feeds: Vec<Feed>,
    /// Rows of an import: (id, part, rows).
    pub feed_parts: Vec<(String, u32, Vec<FeedRow>)>,
    /// Parts of an import that are applied or dropped: (id, part).
    pub feed_parts_done: Vec<(String, u32)>,
    /// Imports that are wholly applied or dropped.
    pub feeds_done: Vec<String>,
}

impl StockChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.movements.is_empty()
            && self.states.is_empty()
            && self.listings.is_empty()
            && self.delisted.is_empty()
            && self.shown.is_empty()
            && self.runs.is_empty()
            && self.parts.is_empty()
            && self.forgotten.is_empty()
            && self.flags.is_empty()
            && self.unflagged.is_empty()
            && self.feeds.is_empty()
            && self.feed_parts.is_empty()
            && self.feed_parts_done.is_empty()
            && self.feeds_done.is_empty()
    }

    /// Encodes and checks it; answers the movements, which only the writer can work out.
    pub(super) fn prepare(
        self,
        guarded: &mut Vec<Guarded>,
        plain: &mut Vec<(Vec<u8>, Sealed)>,
        removed: &mut Vec<Vec<u8>>,
    ) -> Result<Vec<Movement>, StoreError> {
        for (merchant, channel, mut state) in self.states {
            let key = layout::stock(&merchant, &channel);
            layout::check(&key)?;
            let expected = state.version;
            (state.schema, state.version) = (SCHEMA, state.version + 1);
            let value = envelope::seal(&key, state.version, &state)?;
            let name = format!("the stock of channel {merchant}.{channel}");
            guarded.push(Guarded { key, expected, value, name, index: None });
        }
        for (merchant, channel, listing) in &self.listings {
            let key = layout::in_channel(layout::LISTING, merchant, channel, listing.variant.id.as_str());
            plain.push(seal_plain(key, listing)?);
        }
        for (merchant, channel, shown) in &self.shown {
            let key = layout::in_channel(layout::SHOWN, merchant, channel, shown.item.as_str());
            plain.push(seal_plain(key, shown)?);
        }
        for run in &self.runs {
            plain.push(seal_plain(layout::run(&run.merchant, &run.channel, run.n), run)?);
        }
        for (merchant, channel, part) in &self.parts {
            plain.push(seal_plain(layout::run_part(merchant, channel, part.run, part.n), part)?);
        }
        for flag in &self.flags {
            let key = layout::in_channel(layout::FLAG, &flag.merchant, &flag.channel, &flag.sku);
            plain.push(seal_plain(key, flag)?);
        }
        for feed in &self.feeds {
            plain.push(seal_plain(layout::feed(&feed.id), feed)?);
        }
        for (id, n, rows) in &self.feed_parts {
            plain.push(seal_plain(layout::feed_part(id, *n), rows)?);
        }
        for (merchant, channel, variant) in &self.delisted {
            removed.push(layout::in_channel(layout::LISTING, merchant, channel, variant.as_str()));
        }
        for (merchant, channel, n, parts) in &self.forgotten {
            removed.push(layout::run(merchant, channel, *n));
            removed.extend((0..*parts).map(|part| layout::run_part(merchant, channel, *n, part)));
        }
        for (merchant, channel, sku) in &self.unflagged {
            removed.push(layout::in_channel(layout::FLAG, merchant, channel, sku));
        }
        removed.extend(self.feed_parts_done.iter().map(|(id, n)| layout::feed_part(id, *n)));
        removed.extend(self.feeds_done.iter().map(|id| layout::feed(id)));
        for movement in &self.movements {
            layout::check(&layout::moved(&movement.sku, &movement.warehouse, 0))?;
        }
        Ok(self.movements)
    }
}

pub(super) fn levels<S: Space>(
    space: &S,
    after: Option<&(String, String)>,
    limit: usize,
    skipped: Skipped<'_>,
) -> Result<Vec<Level>, StoreError> {
    let after = after.map(|(sku, warehouse)| layout::level(sku, warehouse));
    let mut levels = Vec::new();
    for entry in space.scan(&[layout::LEVEL], after.as_deref()) {
        if levels.len() >= limit {
            break;
        }
        take(space, entry, &mut levels, skipped)?;
    }
    Ok(levels)
}

pub(super) fn levels_of<S: Space>(
    space: &S,
    skus: &[String],
    skipped: Skipped<'_>,
) -> Result<Vec<Level>, StoreError> {
    let mut levels = Vec::new();
    // A NUL parts a key's names: a SKU that has one is no key of ours.
    for sku in skus.iter().filter(|sku| !sku.contains('\0')) {
        for entry in space.scan(&layout::of(layout::LEVEL, &[sku]), None) {
            take(space, entry, &mut levels, skipped)?;
        }
    }
    Ok(levels)
}

pub(super) fn moves_of<S: Space>(
    space: &S,
    sku: &str,
    skipped: Skipped<'_>,
) -> Result<Vec<(String, Moved)>, StoreError> {
    let prefix = layout::of(layout::MOVED, &[sku]);
    let mut moves: Vec<(String, Moved)> = Vec::new();
    for entry in space.scan(&prefix, None) {
        let (key, value) = entry?;
        let Some(warehouse) = layout::moved_in(&prefix, key.as_ref()) else { continue };
        match read(space, key.as_ref(), value) {
            Ok(moved) => moves.push((warehouse.to_owned(), moved)),
            Err(error @ StoreError::Corrupt { .. }) => skipped(error),
            Err(error) => return Err(error),
        }
    }
    moves.sort_by_key(|(_, moved)| (moved.at, moved.n));
    Ok(moves)
}

pub(super) fn listings<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
    skipped: Skipped<'_>,
) -> Result<Vec<Listing>, StoreError> {
    all(space, &layout::of(layout::LISTING, &[merchant, channel]), skipped)
}

pub(super) fn listings_of<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
    variants: &[RemoteId],
    skipped: Skipped<'_>,
) -> Result<Vec<Listing>, StoreError> {
    let mut listings = Vec::new();
    for variant in variants {
        let key = layout::in_channel(layout::LISTING, merchant, channel, variant.as_str());
        if let Some(value) = space.get(&key)? {
            match read(space, &key, value) {
                Ok(listing) => listings.push(listing),
                Err(error @ StoreError::Corrupt { .. }) => skipped(error),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(listings)
}

pub(super) fn shown<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
    skipped: Skipped<'_>,
) -> Result<Vec<Shown>, StoreError> {
    all(space, &layout::of(layout::SHOWN, &[merchant, channel]), skipped)
}

pub(super) fn state<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
) -> Result<Option<StockState>, StoreError> {
    let state: Option<StockState> = get(space, &layout::stock(merchant, channel))?;
    match state {
        Some(state) if state.schema > SCHEMA => {
            let why = format!("its layout is {}, this release knows up to {SCHEMA}", state.schema);
            Err(envelope::corrupt(&layout::stock(merchant, channel), &why))
        }
        state => Ok(state),
    }
}

pub(super) fn run<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
    n: u32,
) -> Result<Option<Run>, StoreError> {
    get(space, &layout::run(merchant, channel, n))
}

pub(super) fn run_parts<S: Space>(
    space: &S,
    merchant: &str,
    channel: &str,
    n: u32,
    skipped: Skipped<'_>,
) -> Result<Vec<RunPart>, StoreError> {
    let prefix = [layout::of(layout::RUN_PART, &[merchant, channel]).as_slice(), &n.to_be_bytes()].concat();
    all(space, &prefix, skipped)
}

pub(super) fn flags<S: Space>(space: &S) -> Result<Vec<ProductFlag>, StoreError> {
    let mut broken = None;
    let flags = all(space, &[layout::FLAG], &mut |error| broken = Some(error))?;
    broken.map_or(Ok(flags), Err)
}

pub(super) fn feeds<S: Space>(space: &S, skipped: Skipped<'_>) -> Result<Vec<Feed>, StoreError> {
    all(space, &[layout::FEED], skipped)
}

pub(super) fn feed_part<S: Space>(space: &S, id: &str, n: u32) -> Result<Option<Vec<FeedRow>>, StoreError> {
    get(space, &layout::feed_part(id, n))
}

fn read<S: Space, T: DeserializeOwned>(space: &S, key: &[u8], value: S::Bytes) -> Result<T, StoreError> {
    envelope::decode(key, &open(space, key, value)?)
}

fn get<S: Space, T: DeserializeOwned>(space: &S, key: &[u8]) -> Result<Option<T>, StoreError> {
    space.get(key)?.map(|value| read(space, key, value)).transpose()
}

fn all<S: Space, T: DeserializeOwned>(
    space: &S,
    prefix: &[u8],
    skipped: Skipped<'_>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for entry in space.scan(prefix, None) {
        take(space, entry, &mut found, skipped)?;
    }
    Ok(found)
}

fn take<S: Space, T: DeserializeOwned>(
    space: &S,
    entry: Result<(S::Bytes, S::Bytes), StoreError>,
    found: &mut Vec<T>,
    skipped: Skipped<'_>,
) -> Result<(), StoreError> {
    let (key, value) = entry?;
    match read(space, key.as_ref(), value) {
        Ok(value) => found.push(value),
        Err(error @ StoreError::Corrupt { .. }) => skipped(error),
        Err(error) => return Err(error),
    }
    Ok(())
}
