//! An import: rows are checked and staged as they arrive, and become figures only when all of them are well.
//!
//! A file with one bad row, without rows, or with far fewer rows than there are figures changes nothing. A SKU that a
//! file does not name keeps its figure: it does not become zero. Memory holds one part of the rows, and eight bytes a
//! row to find what is named twice.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sdk::clock::stable_hash;
use tokio::sync::OwnedMutexGuard;

use super::{
    Stockroom,
    rows::{Row, Rows},
};
use crate::{
    plan::command::{Refused, RefusedKind},
    stock::{Cause, Change, Feed, FeedRow, Level, Movement, SCHEMA, feed::PART_ROWS, level::MOST_UNITS},
    store::{Changes, StockChanges, StoreError},
};

/// So many bad rows are told with their lines; the others are counted.
const TOLD: usize = 20;
/// So many characters of a cell are told.
const SHOWN: usize = 60;
/// The most rows of one import.
const MOST_ROWS: u64 = 2_000_000;
/// The longest SKU and warehouse, in characters.
const LONGEST: usize = 255;
/// Fewer figures than this say nothing of how many rows a whole file has.
const FEW: u64 = 10;
/// Levels read at once when the known ones are counted.
const LEVELS: usize = 2000;

/// What an import is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Quantities are added, not set.
    pub delta: bool,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// The file names only some SKUs on purpose.
    pub partial: bool,
    /// Where the file has no column for it.
    pub warehouse: Option<String>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Its id in the figures' history; `None`: nothing was changed.
    pub id: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Figures told for the first time.
    pub fresh: u64,
    /// Figures that change.
    pub changed: u64,
    /// Figures that are as they were.
    pub unchanged: u64,
    /// Of the changed ones, those that go to zero.
    pub zeroed: u64,
    /// Columns that nothing reads.
    pub unknown_columns: Vec<String>,
}

/// Where a file's cells are.
struct Columns {
    sku: usize,
    warehouse: Option<usize>,
    quantity: usize,
    count: usize,
}

/// An import under way. Dropped before its end it has changed nothing.
pub struct Intake {
    room: Arc<Stockroom>,
    /// One import at a time.
    _turn: OwnedMutexGuard<()>,
    asked: Asked,
    warehouses: Vec<String>,
    columns: Option<Columns>,
    rows: Rows,
    feed: Feed,
    batch: Vec<FeedRow>,
    seen: HashSet<u64>,
    named: BTreeSet<String>,
    done: Imported,
    faults: Vec<String>,
    faulty: u64,
    /// Nothing after it can be read.
    broken: bool,
}

impl Intake {
    /// Begins an import; `warehouses` are the supplier's.
    ///
    /// # Errors
    /// Where another is under way, the warehouse is not known, or the store fails.
    pub async fn begin(room: Arc<Stockroom>, asked: Asked, warehouses: Vec<String>) -> Result<Self, Refused> {
        if let Some(name) = asked.warehouse.as_ref().filter(|name| !warehouses.contains(name)) {
            return Err(Refused::invalid(
                "warehouse",
                format!("there is no warehouse `{name}`; known: {}", warehouses.join(", ")),
            ));
        }
        let turn = room.importing.clone().try_lock_owned().map_err(|_| {
            Refused::conflict("importing", "another import is under way: try again when it has ended")
        })?;
        // One that was accepted and could not be applied to its end is older than this one.
        room.recover().await.map_err(failed)?;
        let at = room.clock.now();
        let feed = Feed {
            schema: SCHEMA,
            id: at.format("%Y%m%dT%H%M%S%3fZ").to_string(),
            at,
            delta: asked.delta,
            accepted: false,
            parts: 0,
        };
        if !asked.dry_run {
            room.keep(&feed).await.map_err(failed)?;
        }
        Ok(Self {
            room,
            _turn: turn,
            asked,
            warehouses,
            columns: None,
            rows: Rows::default(),
            feed,
            batch: Vec::with_capacity(PART_ROWS),
            seen: HashSet::new(),
            named: BTreeSet::new(),
            done: Imported::default(),
            faults: Vec::new(),
            faulty: 0,
            broken: false,
        })
    }

    /// Takes in some of the file.
    ///
    /// # Errors
    /// The store's. Faults of the file are told at its end.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.broken {
            return Ok(());
        }
        let mut found = Vec::new();
        let read = self.rows.push(bytes, &mut found);
        self.take(found, read).await
    }

    /// The file's end: all of it becomes figures, or nothing.
    ///
    /// # Errors
    /// With the lines that are at fault, where the file is empty or short, and the store's.
    pub async fn finish(mut self) -> Result<Imported, Refused> {
        if !self.broken {
            let mut found = Vec::new();
            let read = self.rows.finish(&mut found);
            self.take(found, read).await?;
        }
        if let Err(refused) = self.judge().await {
            self.room.clear_staged().await.map_err(failed)?;
            tracing::warn!(event = "stock.import_refused", rows = self.done.rows, error = %refused, "an import was refused; no figure was changed");
            return Err(refused);
        }
        self.flush().await?;
        if self.asked.dry_run {
            return Ok(self.done);
        }
        self.feed.accepted = true;
        self.room.keep(&self.feed).await.map_err(failed)?;
        self.room.apply(&self.feed).await.map_err(failed)?;
        self.done.id = Some(self.feed.id.clone());
        let Imported { rows, fresh, changed, unchanged, zeroed, .. } = self.done;
        tracing::info!(
            event = "stock.imported",
            import = self.feed.id,
            delta = self.feed.delta,
            rows,
            fresh,
            changed,
            unchanged,
            zeroed,
            "figures of stock were imported"
        );
        Ok(self.done)
    }

    async fn take(
        &mut self,
        found: Vec<Row>,
        read: Result<(), super::rows::Unreadable>,
    ) -> Result<(), Refused> {
        for row in found {
            let read = match &self.columns {
                None => self.head(&row),
                Some(_) => self.row(&row),
            };
            match read {
                Ok(()) => {}
                Err(why) if self.columns.is_none() => {
                    self.fault(row.line, &why);
                    self.broken = true;
                    return Ok(());
                }
                Err(why) => self.fault(row.line, &why),
            }
            if self.done.rows > MOST_ROWS {
                // Each row costs memory to know it again: what goes on without end is not read on.
                self.broken = true;
                return Ok(());
            }
            if self.batch.len() >= PART_ROWS {
                self.flush().await?;
            }
        }
        if let Err(unreadable) = read {
            self.fault(unreadable.line, &unreadable.why);
            self.broken = true;
        }
        Ok(())
    }

    fn fault(&mut self, line: u64, why: &str) {
        self.faulty += 1;
        if self.faults.len() < TOLD {
            self.faults.push(format!("line {line}: {why}"));
        }
    }

    fn head(&mut self, row: &Row) -> Result<(), String> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, cell) in row.cells.iter().enumerate() {
            let plain = cell.to_lowercase().replace([' ', '-'], "_");
            let name = match plain.as_str() {
                "sku" => "sku",
                "warehouse" => "warehouse",
                "quantity" | "on_hand" => "quantity",
                "" => continue,
                _ => {
                    self.done.unknown_columns.push(cell.clone());
                    continue;
                }
            };
            if places.insert(name, place).is_some() {
                return Err(format!("the column `{name}` is there twice"));
            }
        }
        let place =
            |name: &str| places.get(name).copied().ok_or_else(|| format!("the header lacks `{name}`"));
        let columns = Columns {
            sku: place("sku")?,
            quantity: place("quantity")?,
            warehouse: places.get("warehouse").copied(),
            count: row.cells.len(),
        };
        match (columns.warehouse, &self.asked.warehouse) {
            (None, None) if self.warehouses.len() > 1 => {
                return Err(format!(
                    "the header lacks `warehouse`: add the column, or name one of {} for the whole file",
                    self.warehouses.join(", ")
                ));
            }
            (Some(_), Some(_)) => {
                return Err(
                    "the file has a column `warehouse`, and one was named for the whole file".to_owned()
                );
            }
            _ => {}
        }
        self.columns = Some(columns);
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<(), String> {
        let Some(columns) = &self.columns else { return Ok(()) };
        if row.cells.len() != columns.count {
            return Err(format!("it has {} cells, the header has {}", row.cells.len(), columns.count));
        }
        let cell = |place: usize| row.cells.get(place).map_or("", String::as_str);
        let sku = check_name("sku", cell(columns.sku))?;
        let warehouse = match columns.warehouse.map(&cell) {
            Some("") => return Err("`warehouse` is empty".to_owned()),
            Some(name) => name,
            None => self
                .asked
                .warehouse
                .as_deref()
                .or(self.warehouses.first().map(String::as_str))
                .unwrap_or("main"),
        };
        if !self.warehouses.iter().any(|known| known == warehouse) {
            return Err(format!(
                "there is no warehouse `{}`; known: {}",
                shown(warehouse),
                self.warehouses.join(", ")
            ));
        }
        let quantity = quantity(cell(columns.quantity), self.asked.delta)?;
        self.done.rows += 1;
        if self.done.rows > MOST_ROWS {
            return Err(format!("more than {MOST_ROWS} rows: import it in parts"));
        }
        let row = FeedRow(sku.to_owned(), warehouse.to_owned(), quantity, 0);
        if !self.asked.delta && !self.seen.insert(stable_hash(&format!("{}\0{}", row.0, row.1))) {
            return Err(format!("{sku} in {warehouse} is named for the second time"));
        }
        if !self.named.contains(warehouse) {
            self.named.insert(warehouse.to_owned());
        }
        self.batch.push(row);
        Ok(())
    }

    /// Counts what a part's rows change, and stages them.
    async fn flush(&mut self) -> Result<(), Refused> {
        let mut rows = std::mem::replace(&mut self.batch, Vec::with_capacity(PART_ROWS));
        if rows.is_empty() || self.faulty > 0 {
            return Ok(());
        }
        let skus: BTreeSet<String> = rows.iter().map(|row| row.0.clone()).collect();
        let levels = self.room.store.levels_of(skus.into_iter().collect()).await.map_err(failed)?;
        let known: HashMap<(&str, &str), &Level> =
            levels.iter().map(|level| ((level.sku.as_str(), level.warehouse.as_str()), level)).collect();
        for FeedRow(sku, warehouse, quantity, flow) in &mut rows {
            let level = known.get(&(sku.as_str(), warehouse.as_str()));
            let before = level.map(|level| level.on_hand);
            *flow = level.map_or(0, |level| level.flow);
            let after = if self.asked.delta { before.unwrap_or(0) + *quantity } else { *quantity };
            match before {
                None => self.done.fresh += 1,
                Some(before) if before == after => self.done.unchanged += 1,
                Some(before) => {
                    self.done.changed += 1;
                    self.done.zeroed += u64::from(before > 0 && after <= 0);
                }
            }
        }
        if !self.asked.dry_run {
            let part = (self.feed.id.clone(), self.feed.parts, rows);
            let stock = StockChanges { feed_parts: vec![part], ..StockChanges::default() };
            self.room.store.commit(Changes { stock, ..Changes::default() }).await.map_err(failed)?;
            self.feed.parts += 1;
        }
        Ok(())
    }

    /// Whether the whole file may become figures.
    async fn judge(&self) -> Result<(), Refused> {
        if self.faulty > 0 {
            let more = self.faulty.saturating_sub(self.faults.len() as u64);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(Refused::invalid(
                "rows",
                format!("nothing was imported. {}{more}", self.faults.join("; ")),
            ));
        }
        if self.done.rows == 0 {
            return Err(Refused::invalid(
                "empty",
                "nothing was imported: the file has no rows. An empty file does not mean that nothing is left",
            ));
        }
        if self.asked.delta || self.asked.partial {
            return Ok(());
        }
        let mut known: u64 = 0;
        let mut after = None;
        loop {
            let page = self.room.store.levels(after, LEVELS).await.map_err(failed)?;
            known += page.iter().filter(|level| self.named.contains(&level.warehouse)).count() as u64;
            after = match page.last() {
                Some(last) if page.len() == LEVELS => Some((last.sku.clone(), last.warehouse.clone())),
                _ => break,
            };
        }
        if known >= FEW && self.done.rows * 2 < known {
            return Err(Refused::conflict(
                "short",
                format!(
                    "nothing was imported: the file has {} rows where {known} figures are known. If it is not cut \
                     short but names only some SKUs on purpose, say that it is partial",
                    self.done.rows
                ),
            ));
        }
        Ok(())
    }
}

/// A SKU or a warehouse as it may be stored.
///
/// # Errors
/// In words.
pub fn check_name<'t>(field: &str, text: &'t str) -> Result<&'t str, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("`{field}` is empty"));
    }
    if text.chars().count() > LONGEST {
        return Err(format!("`{field}` is longer than {LONGEST} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("`{field}` holds a control character"));
    }
    Ok(text)
}

fn quantity(text: &str, delta: bool) -> Result<i64, String> {
    let number: i64 =
        text.parse().map_err(|_| format!("`quantity` must be a whole number, not `{}`", shown(text)))?;
    if !delta && number < 0 {
        return Err(format!("`quantity` is {number}: a shelf cannot hold less than nothing"));
    }
    if number.abs() > MOST_UNITS {
        return Err(format!("`quantity` is {number}: more than {MOST_UNITS}"));
    }
    Ok(number)
}

/// A cell as it is told: its beginning, where it is long.
fn shown(cell: &str) -> String {
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
}

fn failed(error: StoreError) -> Refused {
    Refused { kind: RefusedKind::Unavailable, code: "store", message: error.to_string() }
}

impl Stockroom {
    /// Goes on with imports that a crash cut off: an accepted one is applied to its end, another one is dropped.
    ///
    /// # Errors
    /// The store's.
    pub async fn recover(&self) -> Result<(), StoreError> {
        for feed in self.store.feeds().await?.into_iter().filter(|feed| feed.accepted) {
            tracing::warn!(
                event = "stock.import_resumed",
                import = feed.id,
                "an import that was cut off is applied to its end"
            );
            self.apply(&feed).await?;
        }
        self.clear_staged().await
    }

    async fn keep(&self, feed: &Feed) -> Result<(), StoreError> {
        let stock = StockChanges { feeds: vec![feed.clone()], ..StockChanges::default() };
        self.store.commit(Changes { stock, ..Changes::default() }).await
    }

    /// Applies an accepted import, part by part. Looks at the shelf wait: they see all of it or nothing.
    async fn apply(&self, feed: &Feed) -> Result<(), StoreError> {
        let _gate = self.gate.write().await;
        let at = self.clock.now();
        for n in 0..feed.parts {
            let Some(rows) = self.store.feed_part(&feed.id, n).await? else { continue };
            let movements = rows.into_iter().map(|FeedRow(sku, warehouse, quantity, flow)| Movement {
                sku,
                warehouse,
                // The file is of the moment at which it was staged: a parcel of a later one is not overwritten.
                change: if feed.delta {
                    Change::Add(quantity)
                } else {
                    Change::SetAt { units: quantity, flow }
                },
                at,
                cause: Cause::Import(feed.id.clone()),
            });
            let stock = StockChanges {
                movements: movements.collect(),
                feed_parts_done: vec![(feed.id.clone(), n)],
                ..StockChanges::default()
            };
            self.store.commit(Changes { stock, ..Changes::default() }).await?;
        }
        let stock = StockChanges { feeds_done: vec![feed.id.clone()], ..StockChanges::default() };
        self.store.commit(Changes { stock, ..Changes::default() }).await
    }

    /// Drops what was staged and never accepted.
    async fn clear_staged(&self) -> Result<(), StoreError> {
        for feed in self.store.feeds().await?.into_iter().filter(|feed| !feed.accepted) {
            let mut n = 0;
            while self.store.feed_part(&feed.id, n).await?.is_some() {
                let done = vec![(feed.id.clone(), n)];
                let stock = StockChanges { feed_parts_done: done, ..StockChanges::default() };
                self.store.commit(Changes { stock, ..Changes::default() }).await?;
                n += 1;
            }
            let stock = StockChanges { feeds_done: vec![feed.id], ..StockChanges::default() };
            self.store.commit(Changes { stock, ..Changes::default() }).await?;
        }
        Ok(())
    }
}
