//! The documents of stock and products, and from what is kept to them: pure.

use sdk::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    plan::stock::{Planned, Shelf, Standing},
    policy::Policy,
    stock::{Change, Listing, Moved, RunEnd, RunId, RunPart, RunReason, Shown, StockState, Wrote},
};

/// `GET /v1/inventory`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Levels {
    /// The figures, by SKU and then in the order of the warehouses.
    pub levels: Vec<Level>,
    /// Ask again with `after=` this for more.
    pub next: Option<String>,
}

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Level {
    /// Our SKU.
    pub sku: String,
    /// The warehouse.
    pub warehouse: String,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of these that open orders hold.
    pub committed: i64,
    /// The rest.
    pub available: i64,
    /// When the supplier last told the figure.
    pub told_at: Timestamp,
}

/// The figures of a shelf, those that are wanted.
pub fn levels(shelf: &Shelf, wanted: impl Fn(&(String, String)) -> bool) -> Vec<Level> {
    let mut levels = Vec::new();
    for (sku, places) in shelf.iter() {
        for place in places.iter().filter(|place| wanted(&(sku.clone(), place.warehouse.clone()))) {
            levels.push(Level {
                sku: sku.clone(),
                warehouse: place.warehouse.clone(),
                on_hand: place.on_hand,
                committed: place.committed,
                available: place.available(),
                told_at: place.told_at,
            });
        }
    }
    levels
}

/// `PUT /v1/inventory/import`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Imported {
    /// Its id; `null` on a dry run.
    pub import: Option<String>,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Rows.
    pub rows: u64,
    /// Figures told for the first time.
    pub new: u64,
    /// Figures that changed.
    pub changed: u64,
    /// Figures that are as they were.
    pub unchanged: u64,
    /// Of the changed ones, those that went to zero.
    pub zeroed: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// An import's answer.
pub fn imported(done: crate::stockroom::intake::Imported, dry_run: bool) -> Imported {
    let mut warnings = Vec::new();
    if !done.unknown_columns.is_empty() {
        warnings.push(format!("nothing reads the columns {}", done.unknown_columns.join(", ")));
    }
    if done.zeroed > 1 && done.zeroed * 4 > done.rows {
        warnings.push(format!("{} of {} figures go to zero", done.zeroed, done.rows));
    }
    Imported {
        import: done.id,
        dry_run,
        rows: done.rows,
        new: done.fresh,
        changed: done.changed,
        unchanged: done.unchanged,
        zeroed: done.zeroed,
        warnings,
    }
}

/// `GET /v1/inventory/merchants/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Offers {
    /// Merchant id.
    pub merchant: String,
    /// Where each channel stands.
    pub channels: Vec<ChannelStock>,
    /// The products that are ours, on all channels.
    pub products: Vec<Offer>,
}

/// Where a channel's stock stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelStock {
    /// Channel id.
    pub channel: String,
    /// Whether inventory sync is on.
    pub sync: bool,
    /// The merchant is in shadow: planned, never sent.
    pub shadow: bool,
    /// Why nothing is written until a person releases it.
    pub stopped: Option<String>,
    /// The run that was stopped.
    pub stopped_run: Option<String>,
    /// The last run.
    pub last_run: Option<String>,
    /// When something was last written.
    pub pushed_at: Option<Timestamp>,
    /// When all figures were last compared with the channel.
    pub compared_at: Option<Timestamp>,
    /// When the catalogue was last read.
    pub catalogue_at: Option<Timestamp>,
}

/// Where a channel's stock stands, for people.
pub fn channel(id: &str, policy: &Policy, state: &StockState) -> ChannelStock {
    let run = |n: u32| RunId { merchant: policy.merchant.clone(), channel: id.to_owned(), n }.to_string();
    ChannelStock {
        channel: id.to_owned(),
        sync: policy.stock.sync,
        shadow: policy.shadow,
        stopped: state.waits(),
        stopped_run: state.stopped.as_ref().map(|stopped| run(stopped.run)),
        last_run: (state.last_run > 0).then(|| run(state.last_run)),
        pushed_at: state.pushed_at,
        compared_at: state.compared_at,
        catalogue_at: state.catalogue_at,
    }
}

/// What a channel may show of one product.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// Channel id.
    pub channel: String,
    /// The merchant's SKU.
    pub sku: Option<String>,
    /// The channel's variant.
    pub variant: String,
    /// For people.
    pub title: String,
    /// Whole units that the merchant's warehouses have free; `null` where it is left alone.
    pub available: Option<u32>,
    /// What is to be shown; `null` where it is left alone.
    pub published: Option<u32>,
    /// What the channel last acknowledged; `null`: not known.
    pub acknowledged: Option<i64>,
    /// Why it is left alone, or what the channel refused.
    pub note: Option<String>,
}

/// A product of a channel, with how it stands.
pub fn offer(
    channel: &str,
    listing: &Listing,
    standing: &Standing,
    shown: Option<&Shown>,
    policy: &Policy,
) -> Offer {
    let variant = &listing.variant;
    let (available, published, note) = match standing {
        Standing::Offered(offer) => {
            let refused = shown.and_then(|shown| shown.refused.as_ref());
            let note = refused.map(|refused| format!("refused: {}", refused.why));
            (Some(offer.available), Some(offer.units), note.or_else(|| Some(offer.why(&policy.stock))))
        }
        Standing::Kept(kept) => (None, None, Some(kept.text())),
    };
    Offer {
        channel: channel.to_owned(),
        sku: variant.sku.clone(),
        variant: variant.id.0.clone(),
        title: variant.title.clone(),
        available,
        published,
        acknowledged: shown.and_then(|shown| shown.figure),
        note,
    }
}

/// `GET /v1/inventory/history/{sku}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// As asked: ours, or a merchant's.
    pub sku: String,
    /// The last movements of its figures, oldest first.
    pub moves: Vec<Move>,
    /// The last writes of what is made of it, oldest first.
    pub writes: Vec<Write>,
}

/// One movement of a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// The warehouse.
    pub warehouse: String,
    /// `=12` or `-3`.
    pub change: String,
    /// The figure after it.
    pub on_hand: i64,
    /// Why.
    pub why: String,
}

/// A movement for people.
pub fn moved(warehouse: &str, moved: &Moved) -> Move {
    Move {
        at: moved.at,
        warehouse: warehouse.to_owned(),
        change: match moved.change {
            Change::Set(units) | Change::SetAt { units, .. } => format!("={units}"),
            Change::Add(units) => format!("{units:+}"),
        },
        on_hand: moved.on_hand,
        why: moved.cause.text(),
    }
}

/// One write to a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Write {
    /// When it was answered.
    pub at: Timestamp,
    /// The run.
    pub run: String,
    /// The merchant's SKU.
    pub sku: String,
    /// What the channel showed.
    pub before: Option<i64>,
    /// What it was to show.
    pub after: u32,
    /// Why.
    pub why: String,
    /// The channel's answer.
    pub answer: String,
}

/// A write for people.
pub fn wrote(merchant: &str, channel: &str, sku: &str, wrote: &Wrote) -> Write {
    let run = RunId { merchant: merchant.to_owned(), channel: channel.to_owned(), n: wrote.run };
    Write {
        at: wrote.at,
        run: run.to_string(),
        sku: sku.to_owned(),
        before: wrote.before,
        after: wrote.after,
        why: wrote.why.clone(),
        answer: wrote.answer.text(),
    }
}

/// `POST /v1/inventory/undo`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Undone {
    /// The run.
    pub run: String,
    /// Nothing is written.
    pub dry_run: bool,
    /// The writes that take it back.
    pub writes: Vec<UndoWrite>,
}

/// One write that takes a run back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UndoWrite {
    /// The merchant's SKU.
    pub sku: Option<String>,
    /// What the channel shows; `null`: not known, it is read first.
    pub from: Option<i64>,
    /// What it goes back to.
    pub to: u32,
}

/// What takes a run back.
pub fn undone(id: &RunId, dry_run: bool, writes: &[Planned]) -> Undone {
    let write = |write: &Planned| UndoWrite {
        sku: write.change.sku.clone(),
        from: write.change.from,
        to: write.change.to,
    };
    Undone { run: id.to_string(), dry_run, writes: writes.iter().map(write).collect() }
}

/// `GET /v1/inventory/runs/{run}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// When it began.
    pub at: Timestamp,
    /// Why, and by whom.
    pub reason: String,
    /// In shadow: never sent.
    pub shadow: bool,
    /// How it ended; `null`: under way, or cut off.
    pub end: Option<String>,
    /// Every write, in their order.
    pub writes: Vec<Write>,
}

/// A run with its writes.
pub fn run(head: &crate::stock::Run, parts: Vec<RunPart>) -> Run {
    let id = head.id().to_string();
    let writes = parts.into_iter().flat_map(|part| part.writes).map(|entry| Write {
        at: head.at,
        run: id.clone(),
        sku: entry.sku,
        before: entry.before,
        after: entry.after,
        why: entry.why,
        answer: entry.answer.text(),
    });
    Run {
        writes: writes.collect(),
        run: id,
        at: head.at,
        reason: match head.reason {
            RunReason::Schedule => "by schedule".to_owned(),
            RunReason::Undo(n) => format!("an operator took run {n} back"),
        },
        shadow: head.shadow,
        end: head.end.as_ref().map(|end| match end {
            RunEnd::Done => "done".to_owned(),
            RunEnd::Stopped(why) => format!("stopped before its first write: {why}"),
            RunEnd::Broken(why) => format!("broken off: {why}"),
        }),
    }
}

/// `GET /v1/products`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Products {
    /// The products.
    pub products: Vec<Product>,
    /// With `unflagged`: lines of orders that went by because no rule named their SKU.
    pub lines: Vec<MissedLine>,
}

/// One product of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Product {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The channel's variant; `null`: only flagged, not in the catalogue.
    pub variant: Option<String>,
    /// The merchant's SKU.
    pub sku: Option<String>,
    /// For people.
    pub title: String,
    /// Whether it is ours.
    pub auto_dropship: bool,
    /// The rule that says so, in words.
    pub rule: String,
    /// What one unit is made of.
    pub parts: Vec<crate::record::Part>,
    /// The run-time flag: `on`, `off`, or none.
    pub flag: Option<String>,
    /// Whether its stock can be written; why not.
    pub writable: Option<String>,
}

/// SKUs in orders that look like ours and were not routed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissedLine {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// The merchant's SKU.
    pub sku: String,
    /// Lines.
    pub lines: u64,
    /// Units.
    pub units: u64,
    /// The last order with one.
    pub order: String,
}
