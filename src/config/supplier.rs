//! `portald.toml`: the supplier's side.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sdk::{
    Connector,
    settings::{Problem, Section, closest},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Api, Config, Delivery, Log, LogFormat, Problems, Pull, Schedules, Supplier,
    environment::Places,
    merchant::{self, Found},
    problems::Source,
};
use crate::schedule::Cron;

/// Reads the top file.
pub(super) struct Reader<'r> {
    pub(super) base: &'r Path,
    pub(super) places: &'r Places<'r>,
    pub(super) connectors: &'r [&'static dyn Connector],
    pub(super) source: &'r Source,
}

/// What the top file gave; as much as the merchants' files need even where it is wrong.
pub(super) struct Top {
    /// Without merchants. `None` where something was wrong.
    pub(super) settings: Option<Config>,
    pub(super) merchants_folder: Option<PathBuf>,
    pub(super) schedules: Schedules,
    /// `None`: unknown, so not to be compared with.
    pub(super) warehouses: Option<Vec<String>>,
}

impl Reader<'_> {
    /// Reads it all; the merchants that stand inline go to `found`.
    pub(super) fn read(
        &self,
        table: &Spanned<DeTable<'_>>,
        sound: bool,
        problems: &mut Problems,
        found: &mut Vec<Found>,
    ) -> Top {
        if !sound {
            // The other files are still checked: they need to be found.
            let folder = table.get_ref().get("merchants").and_then(|value| value.get_ref().as_str());
            return Top {
                settings: None,
                merchants_folder: folder.map(|folder| self.base.join(folder)),
                schedules: Schedules::default(),
                warehouses: None,
            };
        }
        let mut mistakes: Vec<Problem> = Vec::new();
        let mut top = Section::new("", table, &mut mistakes, self.places);

        let merchants_folder = if top.has("merchants") {
            top.required_string("merchants", "merchants = \"merchants.d\"")
                .map(|folder| self.base.join(folder))
        } else {
            top.take("merchants");
            None
        };
        let supplier = if top.has("supplier") {
            top.section("supplier", read_supplier).flatten()
        } else {
            top.take("supplier");
            top.problem(
                0..0,
                "the table [supplier] is missing",
                "write [supplier] with name = \"…\"".to_owned(),
            );
            None
        };
        let store_path = top
            .section("store", |store| path(store, "path", "data", self.base))
            .unwrap_or_else(|| self.base.join("data"));
        let api =
            top.section("api", |api| read_api(api, self.base)).unwrap_or_else(|| default_api(self.base));
        let log = top.section("log", read_log).unwrap_or_else(default_log);
        let pull = top.section("pull", read_pull).unwrap_or_else(default_pull);
        let delivery = top.section("delivery", read_delivery).unwrap_or_else(default_delivery);
        let schedules =
            top.section("schedule", |section| Schedules::default().overridden(section)).unwrap_or_default();

        let warehouses = supplier.as_ref().map(|supplier| supplier.warehouses.clone());
        let reader = merchant::Reader {
            source: 0,
            text: self.source,
            places: self.places,
            connectors: self.connectors,
            schedules: &schedules,
            warehouses: &warehouses,
        };
        found.extend(top.sections("merchant", |section| reader.inline(section)));
        top.finish();

        let clean = mistakes.is_empty();
        for mistake in mistakes {
            problems.at(self.source, mistake, false);
        }
        let settings = supplier.filter(|_| clean).map(|supplier| Config {
            supplier,
            store_path,
            api,
            log,
            pull,
            delivery,
            merchants: Vec::new(),
        });
        Top { settings, merchants_folder, schedules, warehouses }
    }
}

fn read_supplier(section: &mut Section<'_>) -> Option<Supplier> {
    let name = section.required_string("name", "name = \"Acme Supply\"");
    let timezone = if section.has("timezone") {
        section.string("timezone").and_then(|text| {
            let zone = text.parse::<chrono_tz::Tz>().ok();
            if zone.is_none() {
                let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
                let hint = closest(&text, &names).map_or_else(
                    || "name it as in the IANA list: timezone = \"America/Chicago\"".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                section.problem_at("timezone", format!("`{text}` is no known time zone"), Some(&hint));
            }
            zone
        })
    } else {
        section.take("timezone");
        Some(chrono_tz::Tz::UTC)
    };
    let warehouses = match section.strings("warehouses") {
        None if section.has("warehouses") => None,
        None => Some(vec!["main".to_owned()]),
        Some(named) => {
            if named.is_empty() {
                section.problem_at(
                    "warehouses",
                    "`supplier.warehouses` is empty",
                    Some("warehouses = [\"main\"]"),
                );
            }
            let mut warehouses: Vec<String> = Vec::new();
            for name in named {
                if name.get_ref().trim().is_empty() {
                    section.problem(name.span(), "a warehouse without a name", None);
                } else if warehouses.contains(name.get_ref()) {
                    let message = format!("the warehouse `{}` is named twice", name.get_ref());
                    section.problem(name.span(), message, None);
                } else {
                    warehouses.push(name.into_inner());
                }
            }
            Some(warehouses)
        }
    };
    Some(Supplier { name: name?, timezone: timezone?, warehouses: warehouses? })
}

/// A path relative to the file, made absolute.
fn path(section: &mut Section<'_>, key: &str, default: &str, base: &Path) -> PathBuf {
    let named = if section.has(key) {
        section.required_string(key, &format!("{key} = \"{default}\""))
    } else {
        section.take(key);
        None
    };
    base.join(named.as_deref().unwrap_or(default))
}

fn default_api(base: &Path) -> Api {
    Api { socket: base.join("data/portald.sock"), socket_mode: 0o660, listen: None, token: None }
}

fn read_api(section: &mut Section<'_>, base: &Path) -> Api {
    let mut api = default_api(base);
    api.socket = path(section, "socket", "data/portald.sock", base);
    if let Some(text) = section.string("socket_mode") {
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode & !0o770 == 0 && mode & 0o600 == 0o600 => api.socket_mode = mode,
            _ => section.problem_at(
                "socket_mode",
                format!(
                    "`{text}` is no mode for the socket: the owner reads and writes, others have nothing"
                ),
                Some("socket_mode = \"0660\""),
            ),
        }
    }
    if let Some(text) = section.string("listen") {
        match text.parse() {
            Ok(address) => api.listen = Some(address),
            Err(_) => section.problem_at(
                "listen",
                format!("`{text}` is no address with a port"),
                Some("listen = \"127.0.0.1:7070\""),
            ),
        }
        if !section.has("token") {
            section.problem_at(
                "listen",
                "`api.listen` needs `api.token`: anyone who reaches the port could ship orders",
                Some("token = { file = \"api-token\" }"),
            );
        }
    }
    api.token = section.secret("token");
    api
}

fn default_log() -> Log {
    Log { format: LogFormat::Text, level: tracing::Level::INFO }
}

fn read_log(section: &mut Section<'_>) -> Log {
    let format = word(section, "format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    let level = word(
        section,
        "level",
        &[
            ("error", tracing::Level::ERROR),
            ("warn", tracing::Level::WARN),
            ("info", tracing::Level::INFO),
            ("debug", tracing::Level::DEBUG),
            ("trace", tracing::Level::TRACE),
        ],
    );
    let default = default_log();
    Log { format: format.unwrap_or(default.format), level: level.unwrap_or(default.level) }
}

fn default_pull() -> Pull {
    Pull { overlap: Duration::from_secs(300), concurrency: 16 }
}

fn read_pull(section: &mut Section<'_>) -> Pull {
    let default = default_pull();
    Pull {
        overlap: seconds(section, "overlap_secs", 0..=86_400).unwrap_or(default.overlap),
        concurrency: section
            .integer("concurrency", 1..=1024)
            .map_or(default.concurrency, |count| count as usize),
    }
}

fn default_delivery() -> Delivery {
    Delivery { read_back: Duration::from_secs(60), retry_cap: Duration::from_secs(3600), concurrency: 16 }
}

fn read_delivery(section: &mut Section<'_>) -> Delivery {
    let default = default_delivery();
    Delivery {
        read_back: seconds(section, "read_back_secs", 0..=86_400).unwrap_or(default.read_back),
        retry_cap: seconds(section, "retry_cap_secs", 1..=86_400).unwrap_or(default.retry_cap),
        concurrency: section
            .integer("concurrency", 1..=1024)
            .map_or(default.concurrency, |count| count as usize),
    }
}

/// A whole number of seconds.
pub(super) fn seconds(
    section: &mut Section<'_>,
    key: &str,
    bounds: std::ops::RangeInclusive<i64>,
) -> Option<Duration> {
    section.integer(key, bounds).map(|secs| Duration::from_secs(secs.unsigned_abs()))
}

/// One of a few words, if the key is there.
pub(super) fn word<T: Copy>(section: &mut Section<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let text = section.string(key)?;
    let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    if meant.is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let message = format!("`{}` cannot be {text:?}", section.name(key));
        section.problem_at(key, message, Some(&format!("write one of {}", known.join(", "))));
    }
    meant
}

impl Default for Schedules {
    fn default() -> Self {
        let cron = |text| Cron::parse(text).expect("the built-in schedules are checked by a test");
        Self {
            orders: cron("0 */5 * * * *"),
            deliver: cron("*/10 * * * * *"),
            inventory: cron("0 */15 * * * *"),
            products: cron("0 0 * * * *"),
            sweep: cron("0 30 3 * * *"),
        }
    }
}

impl Schedules {
    /// These, with what a `[schedule]` table says in their place.
    pub(super) fn overridden(mut self, section: &mut Section<'_>) -> Self {
        for (key, cron) in [
            ("orders", &mut self.orders),
            ("deliver", &mut self.deliver),
            ("inventory", &mut self.inventory),
            ("products", &mut self.products),
            ("sweep", &mut self.sweep),
        ] {
            let Some(value) = section.take(key) else { continue };
            let span = value.span();
            let name = section.name(key);
            let DeValue::String(text) = value.get_ref() else {
                section.string(key);
                continue;
            };
            match Cron::parse(text) {
                Ok(parsed) => *cron = parsed,
                Err(why) => section.problem(
                    span,
                    format!("`{name}` is no schedule: {why}"),
                    "six fields: second minute hour day month weekday, as in \"0 */5 * * * *\"".to_owned(),
                ),
            }
        }
        self
    }
}
