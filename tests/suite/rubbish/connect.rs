//! A shipped connector over what a test gives it.

use std::sync::Arc;

use bytes::Bytes;
use sdk::{
    Channel, Clock, Connector, Context, Files, Http, SecretString, TransportError,
    settings::{Secrets, Section},
    testkit::MemoryTokens,
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

/// No network.
pub(crate) struct Nowhere;

#[sdk::async_trait]
impl Http for Nowhere {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        Err(TransportError::Connect("there is no network here".to_owned()))
    }
}

pub(crate) fn connect(
    connector: &dyn Connector,
    settings: &str,
    http: Arc<dyn Http>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Channel> {
    let table = toml::de::DeTable::parse(settings).unwrap();
    let mut problems = Vec::new();
    let mut section = Section::new("channel", &table, &mut problems, &Echo);
    let configured = connector.configure(&mut section);
    section.finish();
    assert_eq!(problems, []);
    let tokens = Arc::new(MemoryTokens::default());
    configured.unwrap().connect(Context {
        label: "bluefin/shop".to_owned(),
        http,
        files,
        clock,
        tokens,
        seed: 7,
    })
}
