//! What a V3 list has of some ids.
//!
//! Pages have numbers, and what is removed from one moves the next: an entry could slip through. So ids are asked for
//! in sets that fit on one page, which is one state; a set that does not fit is asked for in parts. Only what one id has
//! alone may take several pages, and is read again when they do not fit together.

use std::collections::BTreeSet;

use sdk::{ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::{
    rest::{self, Ask, Rest},
    wire::List,
};

/// A page of fewer entries than this is whole, whatever page size the store really gives: it is its default (`LimitParam`
/// of the catalogue).
const SURELY_FULL: usize = 50;

/// Most pages of what one id has.
const MOST_PAGES: u64 = 400;

/// Times that pages which do not fit together are read again.
const ROUNDS: u32 = 3;

/// A question for entries of some ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) ask: Ask,
    /// `/v3/catalog/variants?include_fields=sku`
    pub(crate) path: &'a str,
    /// `product_id:in`
    pub(crate) filter: &'a str,
    /// Ids of one request, and entries of one page.
    pub(crate) page: usize,
}

/// An entry of such a list.
pub(crate) trait Entry: DeserializeOwned + Send {
    /// The id that it was asked for by; `None`: it does not say.
    fn of(&self, question: &Of<'_>) -> Option<u64>;
    /// What tells it from every other.
    fn key(&self) -> (u64, u64);
}

/// All entries of these ids, in no order.
pub(crate) async fn of<T: Entry>(rest: &Rest, question: &Of<'_>, ids: &[u64]) -> Result<Vec<T>> {
    let mut all = Vec::new();
    let mut open: Vec<&[u64]> = ids.chunks(question.page.max(1)).rev().collect();
    while let Some(set) = open.pop() {
        let (entries, total) = page::<T>(rest, question, set, 1).await?;
        let count = entries.len();
        let fits = total.map_or(count < SURELY_FULL, |total| total <= count as u64);
        match set {
            _ if fits => all.extend(entries),
            [id] => all.extend(pages(rest, question, *id).await?),
            set => {
                // With some room, so that the parts fit though some ids have more than others.
                let room = total.unwrap_or(0).max(count as u64 * 2) / (count as u64).max(1) + 1;
                let part = set.len().div_ceil(usize::try_from(room).unwrap_or(usize::MAX));
                open.extend(set.chunks(part.max(1)).rev());
            }
        }
    }
    Ok(all)
}

/// What one id has, on more than one page.
async fn pages<T: Entry>(rest: &Rest, question: &Of<'_>, id: u64) -> Result<Vec<T>> {
    for _ in 0..ROUNDS {
        if let Some(all) = together(rest, question, id).await? {
            return Ok(all);
        }
    }
    Err(question.ask.error(ErrorKind::Unavailable, "the list kept changing while it was read"))
}

/// `None`: the pages are of different states.
async fn together<T: Entry>(rest: &Rest, question: &Of<'_>, id: u64) -> Result<Option<Vec<T>>> {
    let mut all: Vec<T> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut told = None;
    for number in 1..=MOST_PAGES {
        let (entries, total) = page::<T>(rest, question, &[id], number).await?;
        let moved = number > 1 && total != told;
        told = total;
        let count = entries.len();
        if moved || !entries.iter().all(|entry| seen.insert(entry.key())) {
            return Ok(None);
        }
        all.extend(entries);
        let found = all.len() as u64;
        match total {
            Some(total) if found == total => return Ok(Some(all)),
            None if count < SURELY_FULL => return Ok(Some(all)),
            Some(total) if found > total || count == 0 => return Ok(None),
            _ => {}
        }
    }
    Err(question.ask.error(ErrorKind::Malformed, "the pages do not end"))
}

/// One page, and how many entries there are on all of them, where it is told.
async fn page<T: Entry>(
    rest: &Rest,
    question: &Of<'_>,
    ids: &[u64],
    number: u64,
) -> Result<(Vec<T>, Option<u64>)> {
    let Of { ask, path, filter, page } = *question;
    let asked: BTreeSet<u64> = ids.iter().copied().collect();
    let list: Vec<String> = ids.iter().map(u64::to_string).collect();
    let path = format!("{path}&{filter}={}&page={number}&limit={page}", list.join(","));
    let answer = rest.get(ask, &path).await?;
    let list: List<T> = rest::read(answer.body()).map_err(|why| ask.error(ErrorKind::Malformed, why))?;
    // A filter that is not heeded would show the whole shop.
    if !list.data.iter().all(|entry| entry.of(question).is_some_and(|id| asked.contains(&id))) {
        return Err(ask.error(ErrorKind::Malformed, "the store answers with more than was asked for"));
    }
    let total = list.meta.and_then(|meta| meta.pagination).and_then(|pagination| pagination.total);
    Ok((list.data, total))
}
