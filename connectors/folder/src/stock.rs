//! The shop's catalogue, which it writes, and the quantities, which we write.
//!
//! `products.csv` in the merchant's folder lists what the shop sells. `outbox/stock.csv` has the quantity of each product
//! that was ever set: all of them each time, so that the last file is all that a reader needs. It is kept a second
//! time as `.stock.csv`, for the merchant may take the one in the outbox away.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use sdk::{
    Error, ErrorKind, Files, RemoteId, Result, StockLevel, StockOutcome, StockWrite, Timestamp, Variant,
    VariantPage, Writable,
};

use crate::{
    config::Settings,
    error::{failed, unavailable},
    fulfillments,
    wire::{self, column_name},
};

/// The catalogue's columns: its name, and whether a file must have it.
pub(crate) const PRODUCT_COLUMNS: [(&str, bool); 4] =
    [("sku", true), ("variant_id", false), ("title", false), ("tracked", false)];

/// The columns of `outbox/stock.csv`.
pub(crate) const STOCK_COLUMNS: [&str; 4] = ["sku", "variant_id", "quantity", "changed_at"];

/// Most items of one call.
pub(crate) const BATCH: usize = 1000;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 32 << 20;
/// Rows of a catalogue that are passed over, told one by one.
const MOST_TOLD: usize = 20;
/// Variants of one page.
const PAGE: usize = 500;

/// One quantity as it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quantity {
    sku: String,
    units: i64,
    changed_at: String,
}

/// One page of the catalogue; the mark is how many variants were told.
pub(crate) fn products(
    files: &dyn Files,
    settings: &Settings,
    page: Option<&str>,
    label: &str,
) -> Result<VariantPage> {
    const OPERATION: &str = "products";
    let told = match page {
        None => 0,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Error::new(ErrorKind::Malformed, OPERATION, "the page's mark is not ours"))?,
    };
    let path = settings.path.join("products.csv");
    let bytes = files.read(&path, LARGEST).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let why = io::Error::other("it is not there: it lists what the shop sells");
            failed(ErrorKind::NotFound, OPERATION, &path, why)
        }
        _ => unavailable(OPERATION, &path, error),
    })?;
    let mut all = read_products(&bytes, label, told == 0)
        .map_err(|why| Error::new(ErrorKind::Malformed, OPERATION, format!("{}: {why}", path.display())))?;
    let count = all.len();
    let variants: Vec<Variant> = all.drain(told.min(count)..(told + PAGE).min(count)).collect();
    let reached = told + variants.len();
    Ok(VariantPage { variants, next: (reached < count).then(|| reached.to_string()) })
}

fn read_products(bytes: &[u8], label: &str, first: bool) -> std::result::Result<Vec<Variant>, String> {
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(wire::delimiter(body)).trim(csv::Trim::All).from_reader(body);
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let headers = reader.headers().map_err(|error| format!("its header cannot be read: {error}"))?;
    for (place, cell) in headers.iter().enumerate() {
        let plain = column_name(cell);
        if let Some((name, _)) = PRODUCT_COLUMNS.iter().find(|(name, _)| *name == plain)
            && places.insert(name, place).is_some()
        {
            return Err(format!("the column `{name}` is there twice"));
        }
    }
    if let Some((name, _)) =
        PRODUCT_COLUMNS.iter().find(|(name, needed)| *needed && !places.contains_key(name))
    {
        return Err(format!("the header lacks `{name}`"));
    }
    let mut variants = Vec::new();
    let mut seen = BTreeSet::new();
    let mut skipped = 0_usize;
    for (before, row) in reader.records().enumerate() {
        let row = row.map_err(|error| format!("it cannot be read as CSV: {error}"))?;
        let line = row.position().map_or(0, csv::Position::line);
        if before == wire::MOST_ROWS {
            return Err(format!("line {line}: it has more than {} rows", wire::MOST_ROWS));
        }
        let cell = |name: &str| places.get(name).and_then(|place| row.get(*place)).unwrap_or_default();
        let sku = cell("sku");
        let id = if cell("variant_id").is_empty() { sku } else { cell("variant_id") };
        let fault = if id.is_empty() {
            Some("it has neither `sku` nor `variant_id`".to_owned())
        } else if !seen.insert(id.to_owned()) {
            Some(format!("`{id}` is there for the second time"))
        } else {
            None
        };
        if let Some(fault) = fault {
            skipped += 1;
            // Told once a reading, not once a page, and not a quarter of a million times.
            if first && skipped <= MOST_TOLD {
                tracing::warn!(
                    event = "folder.product_skipped",
                    channel = label,
                    line,
                    error = fault,
                    "A row of products.csv is passed over"
                );
            }
            continue;
        }
        let writable = match cell("tracked").to_lowercase().as_str() {
            "" | "yes" => Writable::Yes,
            "no" => Writable::No("its stock is not tracked".to_owned()),
            other => Writable::No(format!("`tracked` is `{other}`, neither yes nor no")),
        };
        variants.push(Variant {
            id: id.into(),
            item: id.into(),
            sku: Some(sku.to_owned()).filter(|sku| !sku.is_empty()),
            title: cell("title").to_owned(),
            writable,
            updated_at: None,
        });
    }
    if first && skipped > MOST_TOLD {
        tracing::warn!(
            event = "folder.product_skipped",
            channel = label,
            rows = skipped,
            "More rows of products.csv are passed over than are told one by one"
        );
    }
    Ok(variants)
}

/// What was last written of these items: that is what the folder shows.
pub(crate) fn read(files: &dyn Files, settings: &Settings, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
    let known = quantities(files, settings, "read_stock")?;
    let level = |item: &RemoteId| StockLevel {
        item: item.clone(),
        available: known.get(item.as_str()).map(|quantity| quantity.units),
    };
    Ok(items.iter().map(level).collect())
}

/// Writes all quantities with these changes. The same again is the same file.
pub(crate) fn push(
    files: &dyn Files,
    settings: &Settings,
    write: &StockWrite,
    now: Timestamp,
) -> Result<Vec<StockOutcome>> {
    const OPERATION: &str = "push_stock";
    let mut known = quantities(files, settings, OPERATION)?;
    for change in &write.changes {
        let units = i64::from(change.to);
        let sku = change.sku.clone().unwrap_or_default();
        let same = known.get(change.item.as_str()).filter(|known| known.units == units && known.sku == sku);
        let changed_at = match same {
            Some(same) => same.changed_at.clone(),
            None => now.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        known.insert(change.item.as_str().to_owned(), Quantity { sku, units, changed_at });
    }
    let bytes = file(&known);
    fulfillments::write(files, OPERATION, &settings.outbox().join("stock.csv"), &bytes)?;
    // The outbox has it: from here on a failure leaves it unknown, and all of it is written again.
    let path = kept(settings);
    files
        .write_atomic(&path, &bytes)
        .map_err(|error| failed(ErrorKind::Indeterminate, OPERATION, &path, error))?;
    Ok(vec![StockOutcome::Set; write.changes.len()])
}

fn kept(settings: &Settings) -> std::path::PathBuf {
    settings.path.join(".stock.csv")
}

fn quantities(
    files: &dyn Files,
    settings: &Settings,
    operation: &'static str,
) -> Result<BTreeMap<String, Quantity>> {
    let path = kept(settings);
    let bytes = match files.read(&path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unavailable(operation, &path, error)),
    };
    parse(&bytes).map_err(|why| unavailable(operation, &path, io::Error::other(why)))
}

fn parse(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Quantity>, String> {
    let mut known = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(bytes);
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let units = cell(2).parse().map_err(|_| format!("`{}` is no quantity", cell(2)))?;
        let quantity = Quantity { sku: cell(0).to_owned(), units, changed_at: cell(3).to_owned() };
        known.insert(cell(1).to_owned(), quantity);
    }
    Ok(known)
}

fn file(known: &BTreeMap<String, Quantity>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        writer.write_record(STOCK_COLUMNS)?;
        known.iter().try_for_each(|(id, quantity)| {
            // SKUs and ids are the merchant's own words: they go back to the letter.
            let units = quantity.units.to_string();
            writer.write_record([quantity.sku.as_str(), id, units.as_str(), quantity.changed_at.as_str()])
        })
    };
    write().expect("every row has the header's length, and memory takes all bytes");
    writer.into_inner().expect("memory takes all bytes")
}

/// What `check --online` says of the catalogue; nothing where there is none.
pub(crate) fn check(
    files: &dyn Files,
    settings: &Settings,
    label: &str,
) -> Option<std::result::Result<String, String>> {
    let path = settings.path.join("products.csv");
    match files.exists(&path) {
        Ok(true) => Some(match products(files, settings, None, label) {
            Ok(_) => Ok("products.csv can be read".to_owned()),
            Err(error) => Err(error.message),
        }),
        Ok(false) => None,
        Err(error) => Some(Err(format!("{}: {error}", path.display()))),
    }
}
