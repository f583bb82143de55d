//! One merchant: in a file of its own or inline.

use std::{collections::BTreeMap, fmt, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use sdk::{
    Configured, Connector, Timestamp,
    settings::{Problem, Section, closest},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Dropship, Problems, Schedules, dropship,
    environment::Places,
    inventory,
    problems::Source,
    supplier::{seconds, word},
};
use crate::{
    plan::routing::Catalogue,
    policy::{Fields, StockRules},
};

/// A merchant of the supplier.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// The file's stem, or `id` where it stands inline.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Plan, record and log every write; send none.
    pub shadow: bool,
    /// The cut-over, by the time placed; `None`: first contact.
    pub since: Option<Timestamp>,
    /// Which of its products are ours, as written.
    pub dropship: Dropship,
    /// The same, ready to decide.
    pub catalogue: Catalogue,
    /// How its orders are taken in.
    pub orders: Orders,
    /// What of the supplier's stock its channels may show.
    pub inventory: StockRules,
    /// Its shops; at least one.
    pub channels: Vec<Channel>,
    /// Where it stands.
    pub place: Place,
}

/// `[orders]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// An order younger than this waits.
    pub settle: Duration,
    /// Only paid orders are released.
    pub require_paid: bool,
    /// Authorized counts as paid.
    pub accept_authorized: bool,
    /// What is passed on beyond what shipping needs.
    pub fields: Fields,
    /// Cancellations before hand-off: at once, or always as a request.
    pub cancel_at_once: bool,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(120),
            require_paid: true,
            accept_authorized: false,
            fields: Fields::default(),
            cancel_at_once: true,
        }
    }
}

/// One connected shop of a merchant.
#[derive(Clone)]
pub struct Channel {
    /// Unique within its merchant.
    pub id: String,
    /// The kind of channel.
    pub connector: &'static dyn Connector,
    /// Its own settings, checked.
    pub configured: Arc<dyn Configured>,
    /// When its streams are due.
    pub schedules: Schedules,
    /// Show splits on the channel too.
    pub mirror_splits: bool,
    /// Where it stands.
    pub place: Place,
}

impl Channel {
    /// Why stock cannot be written to it, if so.
    pub fn stock_gap(&self) -> Option<String> {
        let can = self.connector.capabilities();
        if !can.stock_writes || can.stock_batch == 0 {
            return Some(format!("the connector `{}` cannot write stock", self.connector.name()));
        }
        self.configured.stock_gap()
    }
}

impl fmt::Debug for Channel {
    // Not the connector's settings: they hold secrets, and only their author knows where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id)
            .field("connector", &self.connector.name())
            .field("account", &self.configured.account())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A place in a file; prints as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A merchant as found, with the places that the checks over all files need.
pub(super) struct Found {
    /// Which of the sources.
    source: usize,
    id: Option<(String, Range<usize>)>,
    channels: Vec<FoundChannel>,
    /// Whole, where all of it could be read.
    pub(super) merchant: Option<Merchant>,
}

struct FoundChannel {
    id: Option<(String, Range<usize>)>,
    account: Option<String>,
    span: Range<usize>,
    channel: Option<Channel>,
}

/// Reads merchants of one file.
pub(super) struct Reader<'r> {
    /// The file's number among the sources.
    pub(super) source: usize,
    pub(super) text: &'r Source,
    pub(super) places: &'r Places<'r>,
    pub(super) connectors: &'r [&'static dyn Connector],
    pub(super) schedules: &'r Schedules,
    pub(super) warehouses: &'r Option<Vec<String>>,
}

impl Reader<'_> {
    /// A file of its own: its stem is the id.
    pub(super) fn file(&self, table: &Spanned<DeTable<'_>>, problems: &mut Problems) -> Found {
        let id = self.check_stem(problems).map(|id| (id, 0..0));
        let mut mistakes: Vec<Problem> = Vec::new();
        let mut section = Section::new("", table, &mut mistakes, self.places);
        if section.has("id") {
            section.take("id");
            section.problem_at(
                "id",
                "`id` does not belong here",
                Some("the file's name is the merchant's id"),
            );
        }
        let found = self.read(&mut section, id);
        section.finish();
        for mistake in mistakes {
            problems.at(self.text, mistake, false);
        }
        found
    }

    /// The id that the file's name gives.
    pub(super) fn check_stem(&self, problems: &mut Problems) -> Option<String> {
        let file = &self.text.file;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match check_id(&stem) {
            Ok(()) => Some(stem),
            Err(why) => {
                let message = format!("the file's name gives the merchant's id, and `{stem}` is none: {why}");
                problems.whole(file, message, Some("rename the file, as to bluefin.toml"));
                None
            }
        }
    }

    /// A `[[merchant]]` of the top file.
    pub(super) fn inline(&self, section: &mut Section<'_>) -> Found {
        let id = read_id(section, "id = \"bluefin\"");
        self.read(section, id)
    }

    fn read(&self, section: &mut Section<'_>, id: Option<(String, Range<usize>)>) -> Found {
        let name = if section.has("name") {
            section.required_string("name", "name = \"Bluefin Outdoors\"")
        } else {
            section.take("name");
            id.as_ref().map(|(id, _)| id.clone())
        };
        let shadow = word(section, "mode", &[("live", false), ("shadow", true)]).unwrap_or(false);
        let since = section.time("since");
        let dropship = section.section("dropship", dropship::read).unwrap_or_default();
        let orders = section.section("orders", read_orders).unwrap_or_default();
        let inventory = section
            .section("inventory", |inventory| inventory::read(inventory, self.warehouses.as_deref()))
            .unwrap_or_default();
        let schedules = section
            .section("schedule", |schedule| self.schedules.clone().overridden(schedule))
            .unwrap_or_else(|| self.schedules.clone());
        let channels = section.sections("channel", |channel| self.channel(channel, &schedules));
        if channels.is_empty() && !matches!(section.take("channel"), Some(value) if !is_list(value.get_ref()))
        {
            section.problem(
                section.span().start..section.span().start,
                "the merchant has no channel",
                "write [[channel]] with id and connector".to_owned(),
            );
        }
        let place = self.place(&id.as_ref().map_or(section.span(), |(_, span)| span.clone()));
        // A glob that is none was reported in its place.
        let catalogue = Catalogue::new(&dropship.skus, dropship.map.clone(), BTreeMap::new()).ok();
        let whole = channels.iter().map(|found| found.channel.clone()).collect::<Option<Vec<_>>>();
        let merchant = match (&id, name, catalogue, whole) {
            (Some((id, _)), Some(name), Some(catalogue), Some(channels)) => Some(Merchant {
                id: id.clone(),
                name,
                shadow,
                since,
                dropship,
                catalogue,
                orders,
                inventory,
                channels,
                place,
            }),
            _ => None,
        };
        Found { source: self.source, id, channels, merchant }
    }

    fn channel(&self, section: &mut Section<'_>, schedules: &Schedules) -> FoundChannel {
        let id = read_id(section, "id = \"shop\"");
        let schedules = section
            .section("schedule", |schedule| schedules.clone().overridden(schedule))
            .unwrap_or_else(|| schedules.clone());
        let connector = self.connector(section);
        let span = section.span();
        let Some(connector) = connector else {
            // Which other keys there may be is for the connector to say.
            for (key, _) in section.keys() {
                section.take(&key);
            }
            return FoundChannel { id, account: None, span, channel: None };
        };
        let configured: Option<Arc<dyn Configured>> = connector.configure(section).map(Arc::from);
        let mirror_splits =
            connector.capabilities().split_mirror && section.bool("mirror_splits").unwrap_or(false);
        let account = configured.as_ref().map(|configured| configured.account());
        let channel = match (&id, configured) {
            (Some((id, _)), Some(configured)) => Some(Channel {
                id: id.clone(),
                connector,
                configured,
                schedules,
                mirror_splits,
                place: self.place(&span),
            }),
            _ => None,
        };
        FoundChannel { id, account, span, channel }
    }

    fn connector(&self, section: &mut Section<'_>) -> Option<&'static dyn Connector> {
        let known: Vec<&str> = self.connectors.iter().map(|connector| connector.name()).collect();
        let list = known.join(", ");
        let name = section.required_string("connector", &format!("known: {list}"))?;
        let found = self.connectors.iter().find(|connector| connector.name() == name).copied();
        if found.is_none() {
            let hint = closest(&name, &known).map_or_else(
                || format!("known: {list}"),
                |near| format!("did you mean `{near}`? known: {list}"),
            );
            section.problem_at("connector", format!("unknown connector `{name}`"), Some(&hint));
        }
        found
    }

    fn place(&self, span: &Range<usize>) -> Place {
        Place { file: self.text.file.clone(), line: self.text.position(span.start).0 }
    }
}

fn is_list(value: &DeValue<'_>) -> bool {
    matches!(value, DeValue::Array(_))
}

/// An `id` that is there and well-formed, with its place.
fn read_id(section: &mut Section<'_>, example: &str) -> Option<(String, Range<usize>)> {
    let id = section.required_string("id", example)?;
    let span = section.take("id")?.span();
    if let Err(why) = check_id(&id) {
        section.problem(span, format!("`{id}` is no id: {why}"), example.to_owned());
        return None;
    }
    Some((id, span))
}

/// Ids are parts of the supplier orders' ids, between dots, and of URLs.
fn check_id(id: &str) -> Result<(), String> {
    if id.len() > 64 {
        return Err(format!("it has {} letters, at most 64 are allowed", id.len()));
    }
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if id.starts_with(plain) && id.chars().all(|letter| plain(letter) || letter == '_' || letter == '-') {
        return Ok(());
    }
    Err("small letters a-z, digits, - and _ are allowed, a letter or digit first".to_owned())
}

fn read_orders(section: &mut Section<'_>) -> Orders {
    let default = Orders::default();
    let mut fields = Fields::default();
    for field in section.strings("fields").unwrap_or_default() {
        match field.get_ref().as_str() {
            "email" => fields.email = true,
            "customer_note" => fields.customer_note = true,
            "bill_to" => fields.bill_to = true,
            "unit_cost" => fields.unit_cost = true,
            other => {
                let known = ["email", "customer_note", "bill_to", "unit_cost"];
                let hint = closest(other, &known).map_or_else(
                    || format!("known: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                section.problem(field.span(), format!("unknown field `{other}` in `orders.fields`"), hint);
            }
        }
    }
    Orders {
        settle: seconds(section, "settle_secs", 0..=604_800).unwrap_or(default.settle),
        require_paid: section.bool("require_paid").unwrap_or(default.require_paid),
        accept_authorized: section.bool("accept_authorized").unwrap_or(default.accept_authorized),
        fields,
        cancel_at_once: word(section, "cancellations", &[("auto", true), ("request", false)])
            .unwrap_or(default.cancel_at_once),
    }
}

/// What no single file can see: one id twice, one account twice.
pub(super) fn check_together(found: &[Found], sources: &[Source], problems: &mut Problems) {
    let mut ids: BTreeMap<&str, Place> = BTreeMap::new();
    let mut accounts: BTreeMap<&str, String> = BTreeMap::new();
    for merchant in found {
        let source = &sources[merchant.source];
        let place =
            |span: &Range<usize>| Place { file: source.file.clone(), line: source.position(span.start).0 };
        let merchant_id = merchant.id.as_ref().map_or("?", |(id, _)| id);
        if let Some((id, span)) = &merchant.id {
            if let Some(first) = ids.get(id.as_str()) {
                let message = format!("the merchant `{id}` is also in {first}");
                let hint = Some("every merchant has an id of its own".to_owned());
                problems.at(source, Problem { span: span.clone(), message, hint }, false);
            } else {
                ids.insert(id, place(span));
            }
        }
        let mut channels: BTreeMap<&str, Place> = BTreeMap::new();
        for channel in &merchant.channels {
            if let Some((id, span)) = &channel.id {
                if let Some(first) = channels.get(id.as_str()) {
                    let message = format!("the channel `{id}` of `{merchant_id}` is also in {first}");
                    let hint = Some("every channel of a merchant has an id of its own".to_owned());
                    problems.at(source, Problem { span: span.clone(), message, hint }, false);
                } else {
                    channels.insert(id, place(span));
                }
            }
            let Some(account) = &channel.account else { continue };
            let channel_id = channel.id.as_ref().map_or("?", |(id, _)| id);
            if let Some(first) = accounts.get(account.as_str()) {
                let message = format!("the account {account} already belongs to {first}");
                let hint = Some("one account has one channel: its orders would come twice".to_owned());
                problems.at(source, Problem { span: channel.span.clone(), message, hint }, false);
            } else {
                accounts.insert(account, format!("{merchant_id}/{channel_id} ({})", place(&channel.span)));
            }
        }
    }
}
