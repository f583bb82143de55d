//! A look through everything that is stored: whether each value is whole and reads, whether it stands where it should,
//! and whether what belongs together agrees. It reads a key at a time, so that it can go on beside commits: what does
//! not agree is looked at again before it counts, since a commit may have come between two reads.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Aside, ChannelState, StoreError, envelope, layout, questions, space::Space};
use crate::{
    record::{Event, Record, RecordId},
    stock::{
        Change, Feed, FeedRow, Level, Listing, Moved, ProductFlag, Run, RunPart, Shown, StockState, level,
    },
};

/// So many findings are told one by one; the rest is counted.
const TOLD: usize = 1000;

/// How often what does not agree is looked at again before it counts.
const LOOKS: usize = 3;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many there are of each kind of thing, by its name.
    pub counted: BTreeMap<String, u64>,
    /// What is wrong. Expected: nothing.
    pub findings: Vec<Finding>,
    /// Further findings that are not told.
    #[serde(default)]
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The key, as people read it.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// A stored value, read.
pub(super) enum Value {
    Record(Box<Record>),
    Events(Vec<Event>),
    Channel(ChannelState),
    Tokens,
    Aside(Aside),
    Level(Level),
    Moved(Moved),
    Listing(Box<Listing>),
    Shown(Box<Shown>),
    Stock(StockState),
    Run(Run),
    Part(RunPart),
    Flag(ProductFlag),
    Feed(Feed),
    Rows,
}

/// Checks a value's sum and reads it by its kind.
pub(super) fn value<S: Space>(space: &S, key: &[u8], first: S::Bytes) -> Result<Value, StoreError> {
    let json = questions::open(space, key, first)?;
    fn of<T: DeserializeOwned>(key: &[u8], json: &[u8]) -> Result<T, StoreError> {
        envelope::decode(key, json)
    }
    Ok(match key.first().copied().unwrap_or_default() {
        layout::RECORD => Value::Record(Box::new(record(key, &json)?)),
        layout::EVENTS => Value::Events(of(key, &json)?),
        layout::CHANNEL => Value::Channel(of(key, &json)?),
        layout::TOKENS => {
            of::<String>(key, &json)?;
            Value::Tokens
        }
        layout::ASIDE => Value::Aside(of(key, &json)?),
        layout::LEVEL => Value::Level(of(key, &json)?),
        layout::MOVED => Value::Moved(of(key, &json)?),
        layout::LISTING => Value::Listing(of(key, &json)?),
        layout::SHOWN => Value::Shown(of(key, &json)?),
        layout::STOCK => Value::Stock(of(key, &json)?),
        layout::RUN => Value::Run(of(key, &json)?),
        layout::RUN_PART => Value::Part(of(key, &json)?),
        layout::FLAG => Value::Flag(of(key, &json)?),
        layout::FEED => Value::Feed(of(key, &json)?),
        layout::FEED_PART => {
            of::<Vec<FeedRow>>(key, &json)?;
            Value::Rows
        }
        _ => return Err(envelope::corrupt(key, "no such kind of value is known")),
    })
}

fn record(key: &[u8], json: &[u8]) -> Result<Record, StoreError> {
    let record = questions::decode_record(key, json)?;
    if layout::record(&record.id) == key {
        Ok(record)
    } else {
        Err(envelope::corrupt(key, "it is another order's record"))
    }
}

/// Looks through everything.
///
/// # Errors
/// Only where the space itself cannot be read.
pub(super) fn verify<S: Space>(space: &S) -> Result<Report, StoreError> {
    let mut look = Look { space, accounts: HashMap::new() };
    let mut report = Report::default();
    for entry in space.scan(&[], None) {
        let (key, first) = entry?;
        let key = key.as_ref();
        *report.counted.entry(name(key).to_owned()).or_default() += 1;
        let mut wrong = look.judge(key, first)?;
        for _ in 0..LOOKS {
            if wrong.is_empty() {
                break;
            }
            let again = match space.get(key)? {
                Some(first) => look.judge(key, first)?,
                None => Vec::new(),
            };
            wrong.retain(|finding| again.contains(finding));
        }
        for finding in wrong {
            if report.findings.len() < TOLD {
                report.findings.push(finding);
            } else {
                report.more += 1;
            }
        }
    }
    if space.get(layout::LAYOUT)?.is_some_and(|name| name.as_ref() != layout::CURRENT.as_bytes()) {
        report.findings.push(Finding {
            key: layout::shown(layout::LAYOUT),
            what: "the store has another release's layout".to_owned(),
            advice: "use the release that wrote it".to_owned(),
        });
    }
    Ok(report)
}

/// What a key's kind is called where things are counted.
fn name(key: &[u8]) -> &'static str {
    match key.first().copied().unwrap_or_default() {
        layout::RECORD => "orders",
        layout::ACTIVE => "open orders in the index",
        layout::EVENTS => "parts of timelines",
        layout::CHANNEL => "channels",
        layout::TOKENS => "rotated credentials",
        layout::ASIDE => "set aside",
        layout::LEVEL => "stock figures",
        layout::MOVED => "movements of stock",
        layout::LISTING => "products of channels",
        layout::SHOWN => "items shown by channels",
        layout::STOCK => "channels with stock",
        layout::RUN => "runs of stock",
        layout::RUN_PART => "parts of runs",
        layout::FLAG => "flags of products",
        layout::FEED => "imports under way",
        layout::FEED_PART => "parts of imports",
        layout::PIECE => "pieces of long values",
        layout::MARK => "marks",
        _ => "unknown",
    }
}

const RESTORE: &str =
    "the rest goes on without it; a backup that is older than the damage has it (`portald restore`)";
const INDEX: &str = "the next start of the daemon makes the index anew";
const REPORT: &str = "it does no harm by itself, and no command of portald leaves such a thing: report it";
const LOOK: &str = "compare the order with its channel before anything of it is shipped, and report it";

struct Look<'s, S> {
    space: &'s S,
    /// Remote account → the channel that is bound to it.
    accounts: HashMap<String, String>,
}

impl<S: Space> Look<'_, S> {
    fn judge(&mut self, key: &[u8], first: S::Bytes) -> Result<Vec<Finding>, StoreError> {
        let mut wrong = Wrong { key: layout::shown(key), findings: Vec::new() };
        match key.first().copied().unwrap_or_default() {
            layout::ACTIVE => self.active(key, first.as_ref(), &mut wrong)?,
            layout::PIECE => self.piece(key, &mut wrong)?,
            layout::MARK => {
                if key != layout::LAYOUT && key != layout::CLEAN {
                    wrong.add("no such mark is known", REPORT);
                }
            }
            kind if layout::KINDS.contains(&kind) => {
                let head = envelope::head(key, first.as_ref());
                match value(self.space, key, first) {
                    Ok(value) => {
                        let version = head.map(|head| head.version).unwrap_or_default();
                        self.value(key, &value, version, &mut wrong)?;
                    }
                    Err(StoreError::Corrupt { why, .. }) => wrong.add(why, RESTORE),
                    Err(error) => return Err(error),
                }
            }
            _ => wrong.add("no such kind of value is known", REPORT),
        }
        Ok(wrong.findings)
    }

    fn value(
        &mut self,
        key: &[u8],
        value: &Value,
        version: u64,
        wrong: &mut Wrong,
    ) -> Result<(), StoreError> {
        let at = |wrong: &mut Wrong, own: Vec<u8>| {
            if own != key {
                wrong.add(format!("it belongs at {}", layout::shown(&own)), RESTORE);
            }
        };
        let parts = names(key);
        let part = |n: usize| parts.get(n).copied().unwrap_or_default();
        match value {
            Value::Record(record) => self.record(record, version, wrong)?,
            Value::Events(events) => {
                if events.is_empty() {
                    wrong.add("a part of a timeline is empty", REPORT);
                }
                let owner = key.len().checked_sub(5).and_then(|end| key.get(1..end));
                let owner = owner.and_then(|id| std::str::from_utf8(id).ok());
                let owner = owner.map(|id| layout::record(&RecordId(id.to_owned())));
                self.head(owner, "its order", wrong)?;
            }
            Value::Channel(state) => {
                versioned(state.version, version, wrong);
                let Some((merchant, channel)) = layout::channel_of(key) else {
                    wrong.add("its key is not a channel's", RESTORE);
                    return Ok(());
                };
                let own = format!("{merchant}.{channel}");
                let owner = self.accounts.entry(state.account.clone()).or_insert_with(|| own.clone());
                if !state.account.is_empty() && *owner != own {
                    wrong.add(
                        format!("it is bound to {}, and so is {owner}", state.account),
                        "name one of the two in the files only, and report it",
                    );
                }
            }
            Value::Aside(aside) => {
                at(wrong, layout::aside(&aside.merchant, &aside.channel, &aside.id));
            }
            Value::Level(level) => {
                at(wrong, layout::level(&level.sku, &level.warehouse));
                self.level(level, wrong)?;
            }
            Value::Moved(moved) => {
                let names = layout::moved_names(key);
                match names {
                    Some((sku, warehouse)) => {
                        at(wrong, layout::moved(sku, warehouse, moved.n));
                        self.head(Some(layout::level(sku, warehouse)), "its figure", wrong)?;
                    }
                    None => wrong.add("its key is not a movement's", RESTORE),
                }
            }
            Value::Listing(listing) => {
                let id = listing.variant.id.as_str();
                at(wrong, layout::in_channel(layout::LISTING, part(0), part(1), id));
            }
            Value::Shown(shown) => {
                at(wrong, layout::in_channel(layout::SHOWN, part(0), part(1), shown.item.as_str()));
            }
            Value::Stock(state) => {
                versioned(state.version, version, wrong);
                if let Some(batch) = &state.in_flight {
                    let run = layout::run(part(0), part(1), batch.run);
                    self.head(Some(run), "the run of its unsettled batch", wrong)?;
                }
            }
            Value::Run(run) => self.run(key, run, wrong)?,
            Value::Part(own) => {
                let channel = layout::run_channel(key);
                let run = channel.map(|(merchant, channel)| {
                    at(wrong, layout::run_part(merchant, channel, own.run, own.n));
                    layout::run(merchant, channel, own.run)
                });
                self.head(run, "its run", wrong)?;
            }
            Value::Flag(flag) => {
                at(wrong, layout::in_channel(layout::FLAG, &flag.merchant, &flag.channel, &flag.sku));
            }
            Value::Feed(feed) => at(wrong, layout::feed(&feed.id)),
            Value::Rows => {
                let id = key.len().checked_sub(5).and_then(|end| key.get(1..end));
                let feed = id.and_then(|id| std::str::from_utf8(id).ok()).map(layout::feed);
                self.head(feed, "its import", wrong)?;
            }
            Value::Tokens => {}
        }
        Ok(())
    }

    /// What a value hangs on must be there.
    fn head(&self, key: Option<Vec<u8>>, what: &str, wrong: &mut Wrong) -> Result<(), StoreError> {
        match key {
            Some(key) if self.space.get(&key)?.is_some() => {}
            Some(key) => wrong.add(format!("{what} ({}) is not there", layout::shown(&key)), REPORT),
            None => wrong.add("its key cannot be read", REPORT),
        }
        Ok(())
    }

    fn record(&self, record: &Record, version: u64, wrong: &mut Wrong) -> Result<(), StoreError> {
        versioned(record.version, version, wrong);
        for what in record.audit() {
            wrong.add(what, LOOK);
        }
        let due = record.is_active().then(|| layout::due(record.next_wake()));
        let stored = self.space.get(&layout::active(&record.id))?.map(|due| due.as_ref().to_vec());
        match (due, stored) {
            (Some(_), None) => wrong.add("the index of open orders lacks it", INDEX),
            (None, Some(_)) => wrong.add("the index of open orders has it, and it is at rest", INDEX),
            (Some(due), Some(stored)) if due != stored => {
                wrong.add("the index of open orders has another due time", INDEX);
            }
            _ => {}
        }
        if self.space.get(&layout::channel(&record.merchant, &record.channel))?.is_none() {
            let what = format!("nothing is known of its channel {}.{}", record.merchant, record.channel);
            wrong.add(what, "it is bound again at the next start with the channel in the files");
        }
        Ok(())
    }

    /// An entry of the index: its record must be there. Whether the two agree, the record's own look tells.
    fn active(&self, key: &[u8], due: &[u8], wrong: &mut Wrong) -> Result<(), StoreError> {
        let Some(id) = layout::id_of(key) else {
            wrong.add("its key is not text", INDEX);
            return Ok(());
        };
        if layout::due_of(due).is_err() {
            wrong.add("its due time cannot be read", INDEX);
        }
        if self.space.get(&layout::record(&id))?.is_none() {
            wrong.add("there is no such order", INDEX);
        }
        Ok(())
    }

    /// A piece must be one of its value's.
    fn piece(&self, key: &[u8], wrong: &mut Wrong) -> Result<(), StoreError> {
        let Some((owner, n)) = layout::piece_of(key) else {
            wrong.add("its key is not a piece's", REPORT);
            return Ok(());
        };
        wrong.key = format!("c {} {n}", layout::shown(owner));
        let pieces = self.space.get(owner)?.map_or(Ok(0), |first| {
            // A value whose head cannot be read is a finding of its own.
            envelope::head(owner, first.as_ref())
                .map_or(Ok(u16::MAX), |head| Ok::<_, StoreError>(head.pieces))
        })?;
        if n >= pieces {
            wrong.add("no value has this piece", REPORT);
        }
        Ok(())
    }

    /// A figure against its kept movements: each follows from the one before, and the last one is the figure.
    fn level(&self, level: &Level, wrong: &mut Wrong) -> Result<(), StoreError> {
        let advice = "count the shelf and tell the figure (`inventory set`)";
        let mut before: Option<Moved> = None;
        let first = level.moves.saturating_sub(level::KEPT_MOVES - 1).max(1);
        for n in first..=level.moves {
            let key = layout::moved(&level.sku, &level.warehouse, n);
            let moved = match self.space.get(&key)?.map(|first| value(self.space, &key, first)) {
                Some(Ok(Value::Moved(moved))) if moved.n == n => moved,
                // One that cannot be read is a finding of its own.
                Some(Err(StoreError::Corrupt { .. })) => {
                    before = None;
                    continue;
                }
                Some(Err(error)) => return Err(error),
                _ => {
                    wrong.add(format!("its movement {n} of {} is not there", level.moves), advice);
                    return Ok(());
                }
            };
            let known = before.as_ref().map(|before| before.on_hand).or((n == 1).then_some(0));
            let follows = match moved.change {
                Change::Set(units) => Some(units),
                Change::Add(units) => known.map(|known| known.saturating_add(units)),
                // What moved between the two is not kept.
                Change::SetAt { .. } => None,
            };
            let follows = follows.map(|units| units.clamp(-level::MOST_UNITS, level::MOST_UNITS));
            if follows.is_some_and(|follows| follows != moved.on_hand) {
                wrong.add(format!("its movement {n} does not follow from the one before"), advice);
            }
            before = Some(moved);
        }
        if before.is_some_and(|last| last.on_hand != level.on_hand) {
            wrong.add("the figure is not what its last movement made it", advice);
        }
        Ok(())
    }

    fn run(&self, key: &[u8], run: &Run, wrong: &mut Wrong) -> Result<(), StoreError> {
        let own = layout::run(&run.merchant, &run.channel, run.n);
        if own != key {
            wrong.add(format!("it belongs at {}", layout::shown(&own)), RESTORE);
            return Ok(());
        }
        for n in 0..run.parts {
            if self.space.get(&layout::run_part(&run.merchant, &run.channel, run.n, n))?.is_none() {
                wrong.add(format!("part {n} of its {} parts is not there", run.parts), REPORT);
            }
        }
        let state = layout::stock(&run.merchant, &run.channel);
        let last = match self.space.get(&state)?.map(|first| value(self.space, &state, first)) {
            Some(Ok(Value::Stock(state))) => state.last_run,
            Some(Err(StoreError::Corrupt { .. })) => return Ok(()),
            Some(Err(error)) => return Err(error),
            _ => 0,
        };
        if run.n > last {
            let what = format!("its number was never given: the channel's last is {last}");
            wrong.add(what, "push no stock on this channel, and report it");
        }
        Ok(())
    }
}

/// The names in a key, after its kind.
fn names(key: &[u8]) -> Vec<&str> {
    let names = key.get(1..).unwrap_or_default().split(|byte| *byte == 0);
    names.map(|name| std::str::from_utf8(name).unwrap_or_default()).collect()
}

fn versioned(own: u64, stored: u64, wrong: &mut Wrong) {
    if own != stored {
        wrong.add(format!("it says version {own}, and is guarded by version {stored}"), RESTORE);
    }
}

struct Wrong {
    key: String,
    findings: Vec<Finding>,
}

impl Wrong {
    fn add(&mut self, what: impl Into<String>, advice: &str) {
        let (key, what, advice) = (self.key.clone(), what.into(), advice.to_owned());
        self.findings.push(Finding { key, what, advice });
    }
}
