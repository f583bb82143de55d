//! What the supplier can ask of an order, and how it is refused.

use std::{collections::BTreeMap, sync::Arc};

use chrono::NaiveDate;
use sdk::{Money, Timestamp, clock::stable_hash};
use serde::{Deserialize, Serialize};

use super::{
    address,
    cancellation::{self, By},
    intake, orders, shipping, splits,
};
use crate::{
    policy::{Policies, Policy},
    record::{CommandDone, GateName, Record, RecordId, SupplierOrder},
};

/// One command on one supplier order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take it into work (hand-off).
    Ack {
        /// Although the channel holds it, no longer has it, or asks to cancel units of it.
        #[serde(default)]
        force: bool,
    },
    /// Cancel open units by a person's word; nothing of it is written to the channel.
    Cancel {
        /// Whose word it is.
        by: By,
        /// Why, for people.
        reason: Option<String>,
        /// Which; empty: all that is open.
        lines: Vec<LineAmount>,
    },
    /// Agree to the cancellation that the channel asks for.
    AcceptCancel {
        /// Which; empty: all that is asked for.
        lines: Vec<LineAmount>,
    },
    /// Refuse the cancellation that the channel asks for.
    RejectCancel {
        /// Why, for people; told to the merchant where the channel asks for an answer.
        reason: String,
        /// Which; empty: all that is asked for.
        lines: Vec<LineAmount>,
    },
    /// Decide on an address that changed after the hand-off.
    ConfirmAddress {
        /// The parcel goes to the old one all the same.
        keep_old: bool,
    },
    /// Keep it from being worked on.
    Hold {
        /// Why, for people.
        reason: String,
    },
    /// Lift the supplier's own hold, and the named gates.
    Release {
        /// Gates to override, for good.
        overrides: Vec<GateName>,
    },
    /// Move units to a new order.
    Split {
        /// What goes to the new order.
        lines: Vec<LineAmount>,
    },
    /// Change the supplier's own numbers; never flows to the merchant.
    Edit {
        /// New numbers of existing lines.
        lines: Vec<LineAmount>,
        /// Lines of the supplier's own.
        add: Vec<AddedLine>,
    },
    /// Record a parcel.
    Ship(Parcel),
    /// Correct a parcel's tracking.
    Track {
        /// `p1`.
        shipment: String,
        /// What changes; `None` keeps what is there.
        #[serde(flatten)]
        change: TrackingChange,
    },
    /// Take a parcel back.
    Void {
        /// `p1`.
        shipment: String,
        /// Why, for people.
        reason: String,
    },
    /// Leave the ship-together group (on the lead: dissolve it).
    Unmerge,
    /// Decide the order's lines anew that are the merchant's or excluded so far.
    Reimport,
    /// Send a parked write again (or a waiting one now).
    RetryWrite {
        /// Its key.
        key: String,
    },
    /// Give up a write that is owed or parked.
    DropWrite {
        /// Its key.
        key: String,
        /// Why, for people.
        reason: String,
    },
}

/// Units of a supplier line, by its label (`l1`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineAmount {
    /// `l1`.
    pub id: String,
    /// Units, the supplier's.
    pub quantity: u32,
}

/// A line that the supplier adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedLine {
    /// Our SKU.
    pub sku: String,
    /// Units.
    pub quantity: u32,
}

/// A parcel as the supplier tells it: the body of `ship`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parcel {
    /// Carrier, any spelling that the table knows, or any other word.
    pub carrier: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Tracking number.
    pub tracking: Option<String>,
    /// Link, where it is not the carrier's usual one.
    pub tracking_url: Option<String>,
    /// When it left: an instant, or a date (noon of the supplier's zone). Now, where missing.
    pub shipped_at: Option<String>,
    /// Where from; one of `[supplier] warehouses`.
    pub warehouse: Option<String>,
    /// What the label cost.
    pub label_cost: Option<Money>,
    /// Units that were cancelled are in it: recorded all the same.
    pub after_cancel: bool,
    /// What is in it; empty: all that is open.
    pub lines: Vec<LineAmount>,
}

/// A correction of a parcel's tracking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackingChange {
    /// New carrier.
    pub carrier: Option<String>,
    /// New service.
    pub service: Option<String>,
    /// New number.
    pub tracking: Option<String>,
    /// New link.
    pub tracking_url: Option<String>,
}

/// A command with what guards it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What to do.
    pub command: Command,
    /// `Idempotency-Key`: the same key and command again gives the same answer and changes nothing.
    pub key: Option<String>,
    /// `If-Match`: the record's version that the operator saw.
    pub if_match: Option<u64>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The record after it.
    pub record: Record,
    /// The supplier order that the answer shows (of a split: the new one).
    pub order: u32,
    /// What the operator should know though it was done.
    pub warnings: Vec<String>,
}

/// Why a command was not done. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Which kind, for the exit code and the HTTP status.
    pub kind: RefusedKind,
    /// Stable name: `quantity`, `not-found`, `version`, …
    pub code: &'static str,
    /// Why and what to do.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// What was named is not there (404).
    NotFound,
    /// It contradicts the order's state (409).
    Conflict,
    /// It makes no sense by itself (422).
    Invalid,
    /// `If-Match` does not hold (412).
    Stale,
    /// The store failed (503): nothing is known to be changed.
    Unavailable,
}

impl Refused {
    /// `If-Match` does not hold.
    pub fn stale(message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Stale, code: "version", message: message.into() }
    }

    /// A refusal of kind `NotFound`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::NotFound, code: "not-found", message: message.into() }
    }

    /// A refusal of kind `Conflict`.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Conflict, code, message: message.into() }
    }

    /// A refusal of kind `Invalid`.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Invalid, code, message: message.into() }
    }
}

/// The records that one command reads and may change, by id: more than one only for ship-together groups.
pub type Book = BTreeMap<RecordId, Record>;

/// What a command is done under.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'s> {
    /// The rules of all channels.
    pub policies: &'s Policies,
    /// Now.
    pub now: Timestamp,
}

impl Setting<'_> {
    pub(super) fn policy(&self, record: &Record) -> Arc<Policy> {
        self.policies.get(&record.merchant, &record.channel)
    }
}

/// The other records that a command on order `n` needs in its book.
pub fn reach(record: &Record, n: u32, command: &Command) -> Vec<RecordId> {
    let Some(order) = record.order(n) else { return Vec::new() };
    let related: Vec<&String> = match command {
        Command::Ship(_) | Command::Unmerge => order.merged.iter().chain(&order.merged_into).collect(),
        _ => Vec::new(),
    };
    let mut ids: Vec<RecordId> =
        related.into_iter().filter_map(|id| RecordId::parse_order(id)).map(|(id, _)| id).collect();
    ids.retain(|id| *id != record.id);
    ids.sort();
    ids.dedup();
    ids
}

/// Does a command on order `n` of the record `id`. On a refusal the book is to be thrown away.
pub fn apply(
    book: &mut Book,
    id: &RecordId,
    n: u32,
    ask: &Ask,
    setting: Setting<'_>,
) -> Result<Answer, Refused> {
    let record = book.get_mut(id).ok_or_else(|| unknown(&id.order(n)))?;
    let digest = digest(&ask.command, n);
    if let Some(answer) = repeated(record, ask.key.as_deref(), digest, ask.if_match)? {
        return Ok(answer);
    }
    if record.order(n).is_none() && !(n == 1 && ask.command == Command::Reimport) {
        return Err(unknown(&id.order(n)));
    }
    let mut done = Done { order: n, warnings: Vec::new() };
    let policy = setting.policy(record);
    let now = setting.now;
    match &ask.command {
        Command::Ack { force } => orders::ack(record, n, *force, &policy, now)?,
        Command::Cancel { by, reason, lines } => {
            done.warnings = cancellation::cancel(record, n, *by, reason.as_deref(), lines, &policy, now)?;
        }
        Command::AcceptCancel { lines } => cancellation::accept(record, n, lines, now)?,
        Command::RejectCancel { reason, lines } => cancellation::reject(record, n, reason, lines, now)?,
        Command::ConfirmAddress { keep_old } => address::confirm(record, n, *keep_old, now)?,
        Command::Hold { reason } => orders::hold(record, n, reason, now)?,
        Command::Release { overrides } => done.warnings = orders::release(record, n, overrides, now)?,
        Command::Edit { lines, add } => done.warnings = orders::edit(record, n, lines, add, now)?,
        Command::Reimport => orders::reimport(record, &policy, now)?,
        Command::RetryWrite { key } => orders::retry_write(record, key, &policy, now)?,
        Command::DropWrite { key, reason } => done.warnings = orders::drop_write(record, key, reason, now)?,
        Command::Split { lines } => done.order = splits::split(record, n, lines, now)?,
        Command::Unmerge => splits::unmerge(book, id, n, now)?,
        Command::Ship(parcel) => done.warnings = shipping::ship(book, id, n, parcel, setting)?,
        Command::Track { shipment, change } => {
            orders::not_shadow(record, &policy)?;
            done.warnings = shipping::track(record, n, shipment, change, now)?;
        }
        Command::Void { shipment, reason } => {
            orders::not_shadow(record, &policy)?;
            shipping::void(record, n, shipment, reason, now)?;
        }
    }
    let moved = matches!(
        ask.command,
        Command::Ship(_)
            | Command::Void { .. }
            | Command::Cancel { .. }
            | Command::AcceptCancel { .. }
            | Command::RejectCancel { .. }
    );
    for record in book.values_mut() {
        let policy = setting.policy(record);
        if moved {
            // What the channel no longer wants is counted against what is open, which just changed.
            intake::take_in(record, &policy, now);
        }
        super::reconcile(record, &policy, now);
    }
    let record = book.get_mut(id).ok_or_else(|| unknown(&id.order(n)))?;
    Ok(remember(record, ask.key.as_deref(), digest, done))
}

/// Makes a ship-together group of these supplier orders; the first is its lead, and keeps the key.
pub fn merge(
    book: &mut Book,
    ids: &[String],
    key: Option<&str>,
    if_match: Option<u64>,
    setting: Setting<'_>,
) -> Result<Answer, Refused> {
    let lead = ids.first().ok_or_else(|| Refused::invalid("merge", "name at least two orders"))?;
    let (id, n) = RecordId::parse_order(lead).ok_or_else(|| unknown(lead))?;
    let record = book.get_mut(&id).ok_or_else(|| unknown(lead))?;
    let digest = stable_hash(&format!("merge {}", ids.join(" ")));
    if let Some(answer) = repeated(record, key, digest, if_match)? {
        return Ok(answer);
    }
    splits::merge(book, ids, setting.now)?;
    for record in book.values_mut() {
        let policy = setting.policy(record);
        super::reconcile(record, &policy, setting.now);
    }
    let record = book.get_mut(&id).ok_or_else(|| unknown(lead))?;
    Ok(remember(record, key, digest, Done { order: n, warnings: Vec::new() }))
}

struct Done {
    order: u32,
    warnings: Vec<String>,
}

fn digest(command: &Command, n: u32) -> u64 {
    // A command has no map and no float, so it is always written the same way.
    stable_hash(&format!("{n} {}", serde_json::to_string(command).unwrap_or_default()))
}

/// The answer of the same command under the same key; a refusal where the key or the version contradicts.
fn repeated(
    record: &Record,
    key: Option<&str>,
    digest: u64,
    if_match: Option<u64>,
) -> Result<Option<Answer>, Refused> {
    if let Some(done) = key.and_then(|key| record.commands.get(key)) {
        if done.digest != digest {
            return Err(Refused::conflict(
                "idempotency-key",
                "this Idempotency-Key was used for another command: take a fresh one",
            ));
        }
        let answer = Answer { record: record.clone(), order: done.order, warnings: done.warnings.clone() };
        return Ok(Some(answer));
    }
    match if_match {
        Some(version) if version != record.version => Err(Refused::stale(format!(
            "the order was changed meanwhile: it is at version {}, not {version}. Look again, then decide",
            record.version
        ))),
        _ => Ok(None),
    }
}

fn remember(record: &mut Record, key: Option<&str>, digest: u64, done: Done) -> Answer {
    if let Some(key) = key {
        let entry = CommandDone { digest, order: done.order, warnings: done.warnings.clone() };
        record.commands.insert(key.to_owned(), entry);
    }
    Answer { record: record.clone(), order: done.order, warnings: done.warnings }
}

pub(super) fn unknown(order: &str) -> Refused {
    Refused::not_found(format!("there is no order {order}"))
}

pub(super) fn order_mut(record: &mut Record, n: u32) -> Result<&mut SupplierOrder, Refused> {
    let id = record.id.order(n);
    record.order_mut(n).ok_or_else(|| unknown(&id))
}

/// Where in the order the line `l1` is.
pub(super) fn line_at(order: &SupplierOrder, label: &str, order_id: &str) -> Result<usize, Refused> {
    order.lines.iter().position(|line| line.label() == label).ok_or_else(|| {
        let known: Vec<String> = order.lines.iter().map(crate::record::SupplierLine::label).collect();
        Refused::not_found(format!("order {order_id} has no line `{label}`; its lines: {}", known.join(", ")))
    })
}

/// The amounts by line, repeated lines added up; a quantity of zero is refused.
pub(super) fn sum_amounts(lines: &[LineAmount]) -> Result<Vec<(String, u32)>, Refused> {
    let mut sums: Vec<(String, u32)> = Vec::new();
    for line in lines {
        if line.quantity == 0 {
            return Err(Refused::invalid(
                "quantity",
                format!("line {}: a quantity of 0 means nothing", line.id),
            ));
        }
        match sums.iter_mut().find(|(id, _)| *id == line.id) {
            Some((_, sum)) => *sum = sum.saturating_add(line.quantity),
            None => sums.push((line.id.clone(), line.quantity)),
        }
    }
    Ok(sums)
}

/// Text of a person: trimmed, bounded, without control characters. Blank is `None`.
pub(super) fn text(field: &str, value: Option<&str>, longest: usize) -> Result<Option<String>, Refused> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return Ok(None) };
    if value.chars().count() > longest {
        return Err(Refused::invalid("too-long", format!("`{field}` is longer than {longest} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Refused::invalid("control-character", format!("`{field}` holds a control character")));
    }
    Ok(Some(value.to_owned()))
}

/// The same, where something must be said.
pub(super) fn required_text(field: &str, value: &str, longest: usize) -> Result<String, Refused> {
    text(field, Some(value), longest)?
        .ok_or_else(|| Refused::invalid("missing", format!("`{field}` is empty")))
}

/// Reads a ship date: an instant, or a date, which is noon of the supplier's zone.
pub fn parse_shipped_at(text: &str, zone: chrono_tz::Tz) -> Result<Timestamp, Refused> {
    if let Ok(instant) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    let noon = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(12, 0, 0))
        .and_then(|noon| noon.and_local_timezone(zone).earliest());
    noon.map(|noon| noon.to_utc()).ok_or_else(|| {
        Refused::invalid(
            "shipped-at",
            format!("`shipped_at` is neither a time with an offset nor a date: {text:?}"),
        )
    })
}
