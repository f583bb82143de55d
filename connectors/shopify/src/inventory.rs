//! Stock: what is available at one location, read and set.
//!
//! # What is known of `inventorySetQuantities`, and from where
//! * **[recorded]** (`inventory-quantity-contracts-2026-04.json`) `@idempotent(key:)` on the field is mandatory
//!   (`BAD_REQUEST` without it) and `changeFromQuantity` must be given, if only as null (`INVALID_FIELD_ARGUMENTS`). Both
//!   leave the field null, beside an error.
//! * **[recorded]** a refused item is named by its place: `["input", "quantities", "0", "inventoryItemId"]`, with a code,
//!   and each refusal seen has no `inventoryAdjustmentGroup`. An answer without refusals is a success, whether or not it
//!   has a group: its sister that adjusts has none where no figure changes (`inventory-adjust-zero-delta-noop.json`).
//! * **[schema]** with a figure that is not the expected one "the mutation fails" with `CHANGE_FROM_QUANTITY_STALE`. Not
//!   recorded: how that names its item, and whether the rest of the batch is set. See the next section.
//! * **[docs]** (<https://shopify.dev/changelog/adding-idempotency-for-inventory-adjustments-and-refund-mutations>) the same
//!   key and the same input: the result of the first again, and a UUID is the best key. **[schema]** the words of the codes:
//!   `IDEMPOTENCY_CONCURRENT_REQUEST` is still under way, after `IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED` a new key is needed.
//!   Whether a refusal counts as such a failure or is told again is not: both are read right.
//!
//! # When some of a batch are refused
//! The whole is taken as not set: what was named has its outcome, and the rest goes again in the same call, under a key of
//! its own and against the same expected figures. Should a shop have set the rest after all, then it compares unequal now,
//! is told as [`StockOutcome::Stale`], and reading it shows the wanted figure. A stale answer that names nobody makes all
//! that was sent stale. What is still without an outcome after [`ROUNDS`] is stale as well: read, decided anew.
//!
//! # Keys
//! Each request's key is derived from the batch's key, the round and all that the request says, so that repeating the
//! call repeats its requests, and a key never stands for two inputs, not even after the settings name another location.

use std::collections::BTreeSet;

use sdk::{
    Effect, Error, ErrorKind, Priority, RemoteId, Result, StockChange, StockLevel, StockOutcome, StockWrite,
    clock::stable_hash,
};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    error::{self, LacksScope, has},
    picture,
    wire::{
        GraphError, Item, QuantityError, QuantityInput, SetQuantitiesData, SetQuantitiesInput, StockData,
        documents::{SET_STOCK, STOCK},
    },
};

/// Most items of one call (<https://shopify.dev/docs/api/usage/limits>: 250 in any list of an input).
pub(crate) const MOST_ITEMS: usize = 250;

/// Requests of one write: the batch, what was left of it, and again.
const ROUNDS: u32 = 4;

/// Both the figure that is set and the one that is compared.
const AVAILABLE: &str = "available";

/// Recorded: among the valid reasons; what the shop's own examples of a synchronisation say.
const REASON: &str = "correction";

/// The shop's bound, either way. (Recorded: `INVALID_QUANTITY_TOO_HIGH` past it.)
const MOST_UNITS: i64 = 1_000_000_000;

/// The location's global id.
pub(crate) fn location_gid(location: &str) -> String {
    format!("gid://shopify/Location/{location}")
}

/// The item's global id; `None` for what is no id of the shop's. Two names of one item are never both ids.
fn item_gid(item: &RemoteId) -> Option<String> {
    let id = item.as_str();
    let good = !id.is_empty() && !id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| format!("gid://shopify/InventoryItem/{id}"))
}

/// A scope that lacks stops stock, and nothing else of the channel; it is no fault of the batch either.
pub(crate) fn lacks_scope(mut error: Error) -> Error {
    if has::<LacksScope>(&error) {
        error.kind = ErrorKind::Unsupported;
        error.message = format!(
            "{} (stock needs the scopes read_products, read_inventory and write_inventory)",
            error.message
        );
    }
    error
}

/// Failures beside data: a null may then be anything.
pub(crate) fn whole_answer(ask: Ask, errors: &[GraphError]) -> Result<()> {
    if errors.is_empty() { Ok(()) } else { Err(lacks_scope(error::failure(ask.name(), errors, None))) }
}

/// This batch is not taken.
fn rejected(ask: Ask, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Rejected, ask.name(), what)
}

/// No batch is taken with these settings.
fn unsupported(ask: Ask, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, ask.name(), what)
}

/// The last line before a request: one known location, no more than a batch.
fn guard(ask: Ask, location: Option<&str>, items: usize) -> Result<&str> {
    let location = location.ok_or_else(|| unsupported(ask, "the channel's settings name no `location`"))?;
    if items > MOST_ITEMS {
        return Err(rejected(ask, format!("{items} items are more than one call takes ({MOST_ITEMS})")));
    }
    Ok(location)
}

/// What the shop shows of some items at the location. Those that it does not know are left out.
///
/// Price (recorded for other nodes): that of one item, however many are named.
pub(crate) async fn read(
    admin: &Admin,
    location: Option<&str>,
    items: &[RemoteId],
) -> Result<Vec<StockLevel>> {
    let ask = Ask::read(STOCK, Priority::Pull, 4.0);
    let location = guard(ask, location, items.len())?;
    let asked: BTreeSet<&RemoteId> = items.iter().collect();
    let ids: Vec<String> = asked.iter().filter_map(|item| item_gid(item)).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let variables = json!({ "ids": ids, "location": location_gid(location) });
    let response = admin.send(ask, &variables).await.map_err(lacks_scope)?;
    let decoded = admin.decode::<StockData<'_>>(ask, response.body()).map_err(lacks_scope)?;
    whole_answer(ask, &decoded.errors)?;
    let malformed = |why: String| Error::new(ErrorKind::Malformed, ask.name(), why);
    let nodes = decoded.data.nodes.ok_or_else(|| malformed("the answer has no items".to_owned()))?;
    let mut levels = Vec::with_capacity(nodes.len());
    for item in nodes.iter().flatten() {
        let id = picture::number(&item.id).map_err(malformed)?;
        if asked.contains(&id) {
            levels.push(StockLevel { item: id, available: available(item) });
        }
    }
    Ok(levels)
}

/// The figure that a customer is held to: none where stock is not tracked, or the item is not stocked there.
fn available(item: &Item<'_>) -> Option<i64> {
    let level = item.inventory_level.as_ref().filter(|level| item.tracked && level.is_active)?;
    level.quantities.iter().find(|quantity| *quantity.name == *AVAILABLE).map(|quantity| quantity.quantity)
}

/// Sets what is available of a batch of items at the location.
pub(crate) async fn push(
    admin: &Admin,
    location: Option<&str>,
    write: &StockWrite,
) -> Result<Vec<StockOutcome>> {
    // Sending it twice does what sending it once does: it carries a key.
    let ask = Ask::write(SET_STOCK, Effect::Idempotent);
    let location = guard(ask, location, write.changes.len())?;
    let mut items = BTreeSet::new();
    if let Some(twice) = write.changes.iter().find(|change| !items.insert(&change.item)) {
        return Err(rejected(ask, format!("the item {} is in the batch twice", twice.item)));
    }
    let mut batch = Batch::new(location, write);
    for round in 0..ROUNDS {
        let (places, quantities) = batch.open();
        if places.is_empty() {
            break;
        }
        let errors = send(admin, ask, write, round, &quantities).await?;
        batch.settle(&places, verdict(ask, location, &errors, places.len())?);
    }
    Ok(batch.outcomes())
}

/// The changes, and what is known of each.
struct Batch<'w> {
    location: String,
    changes: &'w [StockChange],
    outcomes: Vec<Option<StockOutcome>>,
}

impl<'w> Batch<'w> {
    fn new(location: &str, write: &'w StockWrite) -> Self {
        let outcomes = write.changes.iter().map(unsendable).collect();
        Self { location: location_gid(location), changes: &write.changes, outcomes }
    }

    /// What is without an outcome: places in the batch, and what is sent of them.
    fn open(&self) -> (Vec<usize>, Vec<QuantityInput>) {
        let open = self.outcomes.iter().zip(self.changes).enumerate();
        let open = open.filter(|(_, (outcome, _))| outcome.is_none());
        let open = open.filter_map(|(place, (_, change))| Some((place, self.quantity(change)?)));
        open.unzip()
    }

    fn quantity(&self, change: &StockChange) -> Option<QuantityInput> {
        Some(QuantityInput {
            inventory_item_id: item_gid(&change.item)?,
            location_id: self.location.clone(),
            quantity: change.to,
            change_from_quantity: change.from,
        })
    }

    fn settle(&mut self, places: &[usize], verdict: Verdict) {
        let mut set = |place: &usize, outcome: StockOutcome| {
            if let Some(known) = self.outcomes.get_mut(*place) {
                *known = Some(outcome);
            }
        };
        match verdict {
            Verdict::Set => places.iter().for_each(|place| set(place, StockOutcome::Set)),
            Verdict::UsedUp => {}
            Verdict::Named(named) => {
                for (place, outcome) in places.iter().zip(named) {
                    if let Some(outcome) = outcome {
                        set(place, outcome);
                    }
                }
            }
        }
    }

    fn outcomes(self) -> Vec<StockOutcome> {
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or(StockOutcome::Stale)).collect()
    }
}

/// What need not be sent, so that it does not hold up the others: the shop would refuse the whole batch for it.
fn unsendable(change: &StockChange) -> Option<StockOutcome> {
    if item_gid(&change.item).is_none() {
        return Some(StockOutcome::Refused(format!("{:?} is not an id of this shop", change.item.as_str())));
    }
    if i64::from(change.to) > MOST_UNITS {
        return Some(StockOutcome::Refused(format!("the shop takes at most {MOST_UNITS} units")));
    }
    // No figure of the shop's: it cannot be the one that is there.
    change.from.filter(|from| from.unsigned_abs() > MOST_UNITS.unsigned_abs()).map(|_| StockOutcome::Stale)
}

/// What one answer says of what was sent.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// All of it is set.
    Set,
    /// Nothing is set, and the key is used up.
    UsedUp,
    /// Nothing is set; these outcomes are known.
    Named(Vec<Option<StockOutcome>>),
}

/// Reads the refusals. An error where it is the request that is refused, and no item of it.
fn verdict(ask: Ask, location: &str, errors: &[QuantityError], sent: usize) -> Result<Verdict> {
    if errors.is_empty() {
        return Ok(Verdict::Set);
    }
    let has = |word: &str| errors.iter().any(|error| error.code.as_deref() == Some(word));
    if has("IDEMPOTENCY_CONCURRENT_REQUEST") {
        // What came of it is not known yet: the same key would tell later, and so does reading.
        let what = "the same write is still under way on the shop";
        return Err(Error::new(ErrorKind::Indeterminate, ask.name(), what));
    }
    if has("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED") {
        return Ok(Verdict::UsedUp);
    }
    let nowhere = |error: &QuantityError| error.code.as_deref() == Some("INVALID_LOCATION");
    if errors.iter().all(nowhere) && errors.len() >= sent {
        return Err(unsupported(ask, format!("the shop has no location {location}: see `location`")));
    }
    let mut named: Vec<Option<StockOutcome>> = vec![None; sent];
    let mut somebody_is_stale = false;
    for error in errors {
        let stale =
            matches!(error.code.as_deref(), Some("CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE"));
        let known = place(error).and_then(|place| named.get_mut(place));
        match known {
            // Refused for good outweighs stale.
            Some(known) if stale => *known = known.take().or(Some(StockOutcome::Stale)),
            Some(known) => *known = Some(StockOutcome::Refused(error::shorten(&error.message))),
            None if stale => somebody_is_stale = true,
            None => {
                let code = error.code.as_deref().unwrap_or("no code");
                let text = error::shorten(&error.message);
                return Err(rejected(ask, format!("the shop refuses the batch: {text} ({code})")));
            }
        }
    }
    if somebody_is_stale {
        named = named.into_iter().map(|known| known.or(Some(StockOutcome::Stale))).collect();
    }
    Ok(Verdict::Named(named))
}

/// The place of the item that a refusal names: `["input", "quantities", "0", …]`.
fn place(error: &QuantityError) -> Option<usize> {
    match error.field.as_deref()? {
        [input, quantities, place, ..] if input == "input" && quantities == "quantities" => {
            place.parse().ok()
        }
        _ => None,
    }
}

/// Sends one request: its refusals.
async fn send(
    admin: &Admin,
    ask: Ask,
    write: &StockWrite,
    round: u32,
    quantities: &[QuantityInput],
) -> Result<Vec<QuantityError>> {
    let input = SetQuantitiesInput {
        name: AVAILABLE,
        reason: REASON,
        reference_document_uri: &reference(&write.key),
        quantities,
    };
    let variables = json!({ "input": input, "key": key(&write.key, round, quantities) });
    let unknown = |mut error: Error| {
        if matches!(error.kind, ErrorKind::Malformed | ErrorKind::Unavailable) {
            error.kind = ErrorKind::Indeterminate;
        }
        lacks_scope(error)
    };
    let response = admin.send(ask, &variables).await.map_err(lacks_scope)?;
    let decoded = admin.decode::<SetQuantitiesData>(ask, response.body()).map_err(unknown)?;
    if let Some(payload) = decoded.data.inventory_set_quantities {
        if payload.user_errors.is_empty() && !decoded.errors.is_empty() {
            let what = error::failure(ask.name(), &decoded.errors, None).message;
            return Err(Error::new(ErrorKind::Indeterminate, ask.name(), what));
        }
        return Ok(payload.user_errors);
    }
    // The words of keys may come as an error of the whole, as they do for mutations whose refusals have no code.
    let of_keys = |error: &&GraphError| {
        error.extensions.code.as_deref().is_some_and(|code| code.starts_with("IDEMPOTENCY_"))
    };
    if let Some(error) = decoded.errors.iter().find(of_keys) {
        let (message, code) = (error.message.clone(), error.extensions.code.clone());
        return Ok(vec![QuantityError { field: None, message, code }]);
    }
    if decoded.errors.is_empty() {
        return Err(Error::new(ErrorKind::Indeterminate, ask.name(), "the answer has no payload"));
    }
    Err(unknown(error::failure(ask.name(), &decoded.errors, None)))
}

/// The key of one request, in the form of a UUID (which the shop recommends).
fn key(batch: &str, round: u32, quantities: &[QuantityInput]) -> String {
    let mut text = format!("{batch}\0{round}");
    for quantity in quantities {
        let QuantityInput { inventory_item_id, location_id, quantity, change_from_quantity } = quantity;
        text.push_str(&format!("\0{inventory_item_id} {location_id} {quantity} {change_from_quantity:?}"));
    }
    let (high, low) = (stable_hash(&format!("1{text}")), stable_hash(&format!("2{text}")));
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff,
    )
}

/// What the merchant sees as the cause in the history of an item: `gid://portald/StockWrite/{key}`.
fn reference(key: &str) -> String {
    const LONGEST: usize = 100;
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    let key: String = key.chars().map(plain).take(LONGEST).collect();
    format!("gid://portald/StockWrite/{}", if key.is_empty() { "-" } else { &key })
}
