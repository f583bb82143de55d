//! Settings as a test writes them.

use toml::de::DeTable;

use crate::{
    Configured, Connector, SecretString,
    settings::{Problem, Secrets, Section},
};

/// Environment variables are their own values; nothing else is there.
struct Echo;

impl Secrets for Echo {
    fn env(&self, name: &str) -> Result<SecretString, String> {
        Ok(SecretString::from(name.to_owned()))
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        Err(format!("no file {path}"))
    }

    fn credential(&self, name: &str) -> Result<SecretString, String> {
        Err(format!("no credential {name}"))
    }
}

/// Reads a `[[channel]]` table, in which an environment variable's name is its value.
///
/// # Panics
/// Where the text is no TOML.
pub fn configure(connector: &dyn Connector, text: &str) -> (Option<Box<dyn Configured>>, Vec<Problem>) {
    let table = DeTable::parse(text).expect("TOML");
    let mut problems = Vec::new();
    let mut section = Section::new("channel", &table, &mut problems, &Echo);
    let configured = connector.configure(&mut section);
    section.finish();
    (configured, problems)
}
