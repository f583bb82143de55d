//! Reading a TOML table key by key, with every problem collected and each one placed.
//!
//! serde stops at the first error; an operator wants all of them in one run. So tables are walked by hand over
//! `toml`'s spanned tree: take what is known, then [`Section::finish`] reports what is left as unknown.

use std::{collections::BTreeSet, ops::Range, path::PathBuf};

use secrecy::SecretString;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::Timestamp;

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the offending text in its file.
    pub span: Range<usize>,
    /// What is wrong, naming the key.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Where secrets are looked up: `{ env = … }`, `{ file = … }`, `{ credential = … }`.
pub trait Secrets {
    /// The environment variable's value; the error says what is missing.
    fn env(&self, name: &str) -> Result<SecretString, String>;
    /// The file's text without its last line end, the path relative to the configuration file.
    fn file(&self, path: &str) -> Result<SecretString, String>;
    /// systemd's credential.
    fn credential(&self, name: &str) -> Result<SecretString, String>;
    /// The absolute folder that relative paths of the configuration are relative to; `None` where there is no
    /// file (a configuration made in a test).
    fn base(&self) -> Option<PathBuf> {
        None
    }
}

/// One table being read.
pub struct Section<'a> {
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    seen: BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
    secrets: &'a dyn Secrets,
}

impl<'a> Section<'a> {
    /// A reader of `table`, named `path` in messages (`channel`, `supplier`; empty for the top).
    pub fn new(
        path: impl Into<String>,
        table: &'a Spanned<DeTable<'a>>,
        problems: &'a mut Vec<Problem>,
        secrets: &'a dyn Secrets,
    ) -> Self {
        Self {
            path: path.into(),
            span: table.span(),
            table: table.get_ref(),
            seen: BTreeSet::new(),
            problems,
            secrets,
        }
    }

    /// The whole table's place, for problems of no single key.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The absolute folder that relative paths here are relative to, if there is one.
    pub fn base(&self) -> Option<PathBuf> {
        self.secrets.base()
    }

    /// The key's full name for messages.
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The raw value under a key, marked as known.
    pub fn take(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.seen.insert(key.to_owned());
        self.table.get(key)
    }

    /// Whether the key is there (without marking it as known).
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records a problem at a place.
    pub fn problem(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.problems.push(Problem { span, message: message.into(), hint: hint.into() });
    }

    /// Records a problem at a key's value, or at the table when the key is missing.
    pub fn problem_at(&mut self, key: &str, message: impl Into<String>, hint: Option<&str>) {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.problem(span, message, hint.map(str::to_owned));
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{}` must be {wanted}, not {}", self.name(key), kind(value.get_ref()));
        self.problem(value.span(), message, None);
    }

    fn missing(&mut self, key: &str, hint: &str) {
        let message = format!("`{}` is missing", self.name(key));
        self.problem(self.span.clone(), message, (!hint.is_empty()).then(|| hint.to_owned()));
    }

    /// Text, if the key is there.
    pub fn string(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(key, value, "text in quotes");
                None
            }
        }
    }

    /// Text that must be there and not blank; the hint shows an example.
    pub fn required_string(&mut self, key: &str, hint: &str) -> Option<String> {
        if !self.has(key) {
            self.take(key);
            self.missing(key, hint);
            return None;
        }
        let text = self.string(key)?;
        if text.trim().is_empty() {
            let message = format!("`{}` is empty", self.name(key));
            self.problem_at(key, message, Some(hint));
            return None;
        }
        Some(text)
    }

    /// A truth value, if the key is there.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(key, value, "true or false");
                None
            }
        }
    }

    /// A whole number within bounds, if the key is there.
    pub fn integer(&mut self, key: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if bounds.contains(&number) => Some(number),
            _ => {
                let message = format!(
                    "`{}` must be between {} and {}, not {}",
                    self.name(key),
                    bounds.start(),
                    bounds.end(),
                    number.as_str()
                );
                self.problem(value.span(), message, None);
                None
            }
        }
    }

    /// A list of texts, if the key is there; each with its place.
    pub fn strings(&mut self, key: &str) -> Option<Vec<Spanned<String>>> {
        let value = self.take(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, "a list of texts");
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push(Spanned::new(item.span(), text.to_string())),
                _ => self.wrong_type(key, item, "a list of texts"),
            }
        }
        Some(texts)
    }

    /// An RFC 3339 time, in quotes or as TOML's own date-time with an offset, if the key is there.
    pub fn time(&mut self, key: &str) -> Option<Timestamp> {
        let value = self.take(key)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            _ => {
                self.wrong_type(key, value, "a time such as \"2026-11-01T00:00:00Z\"");
                return None;
            }
        };
        match chrono::DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Some(time.to_utc()),
            Err(error) => {
                let message =
                    format!("`{}` is not a time with an offset: {text:?} ({error})", self.name(key));
                self.problem(value.span(), message, Some("write it as \"2026-11-01T00:00:00Z\"".to_owned()));
                None
            }
        }
    }

    /// A secret by reference, if the key is there. A literal secret is refused.
    pub fn secret(&mut self, key: &str) -> Option<SecretString> {
        let value = self.take(key)?;
        let name = self.name(key);
        let hint = format!(
            "write {key} = {{ env = \"NAME\" }}, {{ file = \"path\" }} or {{ credential = \"name\" }}"
        );
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                value.span(),
                format!("`{name}` must be a reference, never the secret itself"),
                Some(hint),
            );
            return None;
        };
        let mut entries = table.iter();
        let (Some((source, target)), None) = (entries.next(), entries.next()) else {
            self.problem(value.span(), format!("`{name}` must name exactly one place"), Some(hint));
            return None;
        };
        let DeValue::String(place) = target.get_ref() else {
            self.problem(target.span(), format!("`{name}` must name its place as text"), Some(hint));
            return None;
        };
        let found = match source.get_ref().as_ref() {
            "env" => self.secrets.env(place),
            "file" => self.secrets.file(place),
            "credential" => self.secrets.credential(place),
            other => {
                self.problem(source.span(), format!("`{name}` has the unknown source `{other}`"), Some(hint));
                return None;
            }
        };
        found.map_err(|why| self.problem(value.span(), format!("`{name}`: {why}"), None)).ok()
    }

    /// A table inside this one, read by `read`; `None` where the key is missing or no table.
    pub fn section<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> Option<T> {
        let value = self.take(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        let path = self.name(key);
        let mut inner = Section {
            path,
            span: value.span(),
            table,
            seen: BTreeSet::new(),
            problems: self.problems,
            secrets: self.secrets,
        };
        let result = read(&mut inner);
        inner.finish();
        Some(result)
    }

    /// Each table of an array of tables, read by `read`.
    pub fn sections<T>(&mut self, key: &str, mut read: impl FnMut(&mut Section<'_>) -> T) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, &format!("tables, each headed [[{key}]]"));
            return Vec::new();
        };
        let path = self.name(key);
        let mut results = Vec::new();
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong_type(key, item, "a table");
                continue;
            };
            let mut inner = Section {
                path: path.clone(),
                span: item.span(),
                table,
                seen: BTreeSet::new(),
                problems: self.problems,
                secrets: self.secrets,
            };
            results.push(read(&mut inner));
            inner.finish();
        }
        results
    }

    /// The keys that are there, with their places, in the file's order.
    pub fn keys(&self) -> Vec<(String, Range<usize>)> {
        let mut keys: Vec<_> =
            self.table.iter().map(|(key, _)| (key.get_ref().to_string(), key.span())).collect();
        keys.sort_by_key(|(_, span)| span.start);
        keys
    }

    /// Reports every key that nobody took. Called by the reader of the whole table, last.
    pub fn finish(&mut self) {
        for (key, span) in self.keys() {
            if self.seen.contains(&key) {
                continue;
            }
            let message = format!("unknown key `{}`", self.name(&key));
            let known: Vec<&str> = self.seen.iter().map(String::as_str).collect();
            let hint = closest(&key, &known).map_or_else(
                || format!("known here: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.problem(span, message, Some(hint));
        }
        self.seen.extend(self.table.keys().map(|key| key.get_ref().to_string()));
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known word that a mistyped one most likely means: at most two edits, and fewer than half its letters.
pub fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (edits(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && distance * 2 < candidate.chars().count().max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
