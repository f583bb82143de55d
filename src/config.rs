//! The configuration: `portald.toml` and one file a merchant, typed and checked.
//!
//! [`load`] reads every file to its end and gives either all of it or *all* its mistakes, each with its place, its
//! line and what to do. Nothing wrong is skipped, nothing unknown gets a default, and no secret's text is shown.
//! [`diff`] says what a reload changes, [`guard`] what the store forbids; both are pure.

mod changes;
mod dropship;
mod environment;
mod inventory;
mod merchant;
mod problems;
mod supplier;
mod wiring;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sdk::{Connector, SecretString, Timestamp, settings::Problem};
use toml::de::DeTable;

pub use self::{
    changes::{Change, Diff, diff, guard},
    dropship::Dropship,
    environment::Environment,
    inventory::stock_warnings,
    merchant::{Channel, Merchant, Orders, Place},
    problems::{Located, Problems},
    wiring::rewiring,
};
use self::{environment::Places, merchant::Reader, problems::Source};
use crate::{
    policy::{Policies, Policy},
    schedule::Cron,
};

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Everything that the files say.
#[derive(Clone, Debug)]
pub struct Config {
    /// The supplier.
    pub supplier: Supplier,
    /// The store's folder, absolute.
    pub store_path: PathBuf,
    /// Where the API listens.
    pub api: Api,
    /// How events are written.
    pub log: Log,
    /// How orders are read.
    pub pull: Pull,
    /// How writes are sent.
    pub delivery: Delivery,
    /// The merchants, by id.
    pub merchants: Vec<Merchant>,
}

/// `[supplier]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplier {
    /// Shown to people.
    pub name: String,
    /// What cron and the command line speak.
    pub timezone: chrono_tz::Tz,
    /// In the order in which stock is committed; at least one.
    pub warehouses: Vec<String>,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// The Unix socket, absolute.
    pub socket: PathBuf,
    /// Its file mode.
    pub socket_mode: u32,
    /// TCP as well. Never without a token.
    pub listen: Option<SocketAddr>,
    /// The bearer token asked for over TCP.
    pub token: Option<SecretString>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Text or JSON.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: tracing::Level,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[pull]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// What is read again before the cursor.
    pub overlap: Duration,
    /// Pulls at once, over all channels.
    pub concurrency: usize,
}

/// `[delivery]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Wait before looking after an unknown outcome.
    pub read_back: Duration,
    /// Longest wait between attempts.
    pub retry_cap: Duration,
    /// Writes at once, over all orders.
    pub concurrency: usize,
}

/// `[schedule]`: the supplier's, overridden key by key by a merchant and then by a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedules {
    /// Pulls of orders.
    pub orders: Cron,
    /// Deliveries (beside those at once).
    pub deliver: Cron,
    /// Stock.
    pub inventory: Cron,
    /// Products.
    pub products: Cron,
    /// The full sweep.
    pub sweep: Cron,
}

impl Config {
    /// A merchant by its id.
    pub fn merchant(&self, id: &str) -> Option<&Merchant> {
        self.merchants.iter().find(|merchant| merchant.id == id)
    }

    /// Every channel with its merchant.
    pub fn channels(&self) -> impl Iterator<Item = (&Merchant, &Channel)> {
        self.merchants
            .iter()
            .flat_map(|merchant| merchant.channels.iter().map(move |channel| (merchant, channel)))
    }

    /// The rules of one channel, as the plan reads them. `first_contact` is the cut-over where the merchant's
    /// file names none.
    pub fn policy(&self, merchant: &Merchant, channel: &Channel, first_contact: Timestamp) -> Policy {
        Policy {
            merchant: merchant.id.clone(),
            channel: channel.id.clone(),
            shadow: merchant.shadow,
            since: merchant.since.unwrap_or(first_contact),
            catalogue: merchant.catalogue.clone(),
            settle: merchant.orders.settle,
            require_paid: merchant.orders.require_paid,
            accept_authorized: merchant.orders.accept_authorized,
            fields: merchant.orders.fields,
            cancel_at_once: merchant.orders.cancel_at_once,
            capabilities: channel.connector.capabilities(),
            mirror_splits: channel.mirror_splits,
            read_back: self.delivery.read_back,
            retry_cap: self.delivery.retry_cap,
            warehouses: self.supplier.warehouses.clone(),
            stock: merchant.inventory.clone(),
        }
    }

    /// The rules of all channels. `first_contact_of` answers by (merchant, channel).
    pub fn policies(&self, first_contact_of: impl Fn(&str, &str) -> Timestamp) -> Policies {
        let channels = self
            .channels()
            .map(|(merchant, channel)| {
                let policy = self.policy(merchant, channel, first_contact_of(&merchant.id, &channel.id));
                ((merchant.id.clone(), channel.id.clone()), Arc::new(policy))
            })
            .collect();
        Policies { zone: self.supplier.timezone, warehouses: self.supplier.warehouses.clone(), channels }
    }
}

/// Reads the configuration at `path`, the merchants' files that it names, and the secrets that these refer to.
/// On any mistake: all of them.
pub fn load(
    path: &Path,
    environment: &Environment,
    connectors: &[&'static dyn Connector],
) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let absolute = match std::path::absolute(path) {
        Ok(absolute) => absolute,
        Err(error) => {
            problems.whole(path, format!("no usable path: {error}"), None);
            return Err(problems);
        }
    };
    let base = absolute.parent().unwrap_or(&absolute).to_owned();
    let places = Places { environment, base: base.clone() };
    let Some(source) = read(path, &mut problems) else { return Err(problems) };

    let (table, sound) = parse(&source, &mut problems);
    let mut found = Vec::new();
    let top = supplier::Reader { base: &base, places: &places, connectors, source: &source }.read(
        &table,
        sound,
        &mut problems,
        &mut found,
    );

    let mut sources = vec![source];
    if let Some(folder) = &top.merchants_folder {
        for file in merchant_files(folder, path, &base, &mut problems) {
            let Some(source) = read(&file, &mut problems) else { continue };
            let (table, sound) = parse(&source, &mut problems);
            let reader = Reader {
                source: sources.len(),
                text: &source,
                places: &places,
                connectors,
                schedules: &top.schedules,
                warehouses: &top.warehouses,
            };
            if sound {
                found.push(reader.file(&table, &mut problems));
            } else {
                reader.check_stem(&mut problems);
            }
            drop(table);
            sources.push(source);
        }
    }
    merchant::check_together(&found, &sources, &mut problems);

    let Some(settings) = top.settings.filter(|_| problems.is_empty()) else {
        problems.sort();
        return Err(problems);
    };
    let mut merchants: Vec<Merchant> = found.into_iter().filter_map(|found| found.merchant).collect();
    merchants.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(Config { merchants, ..settings })
}

/// A file's text, or the reason why not among the problems.
fn read(path: &Path, problems: &mut Problems) -> Option<Source> {
    let bytes = fs::metadata(path).map_err(|error| error.to_string()).and_then(|about| {
        if !about.is_file() {
            Err("it is not a plain file".to_owned())
        } else if about.len() > LARGEST_FILE {
            Err(format!("it has {} bytes; at most {LARGEST_FILE} are read", about.len()))
        } else {
            fs::read(path).map_err(|error| error.to_string())
        }
    });
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(why) => {
            problems.whole(path, format!("cannot be read: {why}"), Some("name the file with --config PATH"));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(Source::new(path.to_owned(), text)),
        Err(error) => {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            problems.whole(path, format!("line {line} is not UTF-8"), Some("save the file as UTF-8"));
            None
        }
    }
}

/// The tree of a file, and whether it is sound: of one that is not, only the syntax is reported.
fn parse<'s>(source: &'s Source, problems: &mut Problems) -> (toml::Spanned<DeTable<'s>>, bool) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    // One broken line often gives several errors: the first says it.
    let mut last_line = 0;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let (line, _) = source.position(span.start);
        if line == last_line {
            continue;
        }
        last_line = line;
        let message = format!("not TOML: {}", error.message());
        problems.at(source, Problem { span, message, hint: None }, true);
    }
    (table, errors.is_empty())
}

/// The `*.toml` files of the merchants' folder, sorted by name, shown relative as the configuration was named.
fn merchant_files(folder: &Path, config: &Path, base: &Path, problems: &mut Problems) -> Vec<PathBuf> {
    // Messages name files the way the operator named the configuration.
    let shown = |file: &Path| match (file.strip_prefix(base), config.parent()) {
        (Ok(inside), Some(parent)) => parent.join(inside),
        _ => file.to_owned(),
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.whole(
                &shown(folder),
                format!("the folder of the merchants cannot be read: {error}"),
                Some("make the folder, or take `merchants` out"),
            );
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                let path = entry.path();
                if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
                    files.push(shown(&path));
                }
            }
            Err(error) => {
                problems.whole(
                    &shown(folder),
                    format!("an entry of the folder cannot be read: {error}"),
                    None,
                );
            }
        }
    }
    files.sort();
    files
}
