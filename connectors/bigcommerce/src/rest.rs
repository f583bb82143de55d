//! One question to the REST API: the token, the request, and reading what came back.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use sdk::{
    Client, Effect, Error, ErrorKind, ExposeSecret, Priority, RemoteId, Result, SecretString, client::Call,
};
use serde::{Deserialize, Serialize};

use crate::config::Settings;

/// What is asked, and what asking twice would do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    pub(crate) priority: Priority,
}

impl Ask {
    /// A question that changes nothing.
    pub(crate) fn read(name: &'static str, priority: Priority) -> Self {
        Self { name, effect: Effect::Safe, priority }
    }

    /// A write.
    pub(crate) fn write(name: &'static str, effect: Effect) -> Self {
        Self { name, effect, priority: Priority::Deliver }
    }

    /// The same, in another turn.
    pub(crate) fn at(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    pub(crate) fn error(self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, self.name, what)
    }
}

/// The REST API of one store.
pub(crate) struct Rest {
    client: Client,
    token: SecretString,
    /// `https://api.bigcommerce.com/stores/{store_hash}`
    root: String,
}

impl Rest {
    pub(crate) fn new(client: Client, settings: &Settings) -> Self {
        let root = format!("{}/stores/{}", settings.base_url, settings.store_hash);
        Self { client, token: settings.access_token.clone(), root }
    }

    /// Asks for what is at `path`: `/v2/orders?…`.
    pub(crate) async fn get(&self, ask: Ask, path: &str) -> Result<Response<Bytes>> {
        self.send(ask, Method::GET, path, Bytes::new()).await
    }

    /// Sends a body, as JSON.
    pub(crate) async fn put<B: Serialize + Sync>(
        &self,
        ask: Ask,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<Response<Bytes>> {
        let body = serde_json::to_vec(body).map_err(|error| {
            ask.error(ErrorKind::Rejected, "the body cannot be written").with_source(error)
        })?;
        self.send(ask, method, path, body.into()).await
    }

    async fn send(&self, ask: Ask, method: Method, path: &str, body: Bytes) -> Result<Response<Bytes>> {
        let mut token = HeaderValue::from_str(self.token.expose_secret()).map_err(|_| {
            ask.error(ErrorKind::Unauthorized, "the access token has characters that no token has")
        })?;
        token.set_sensitive(true);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.root))
            .header("X-Auth-Token", token)
            .header(http::header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|error| {
            ask.error(ErrorKind::Rejected, "the store's address is not a URL").with_source(error)
        })?;
        let call =
            Call { operation: ask.name, effect: ask.effect, priority: ask.priority, cost: 1.0, request };
        self.client.send(call).await
    }
}

/// A number that the store gave as an id.
pub(crate) fn id(operation: &'static str, id: &RemoteId) -> Result<u64> {
    let text = id.as_str();
    match text.parse::<u64>() {
        // Neither `+7` nor `007` is what the store gave.
        Ok(number) if number.to_string() == text => Ok(number),
        _ => Err(Error::new(ErrorKind::Rejected, operation, format!("{text:?} is not an id of this store"))),
    }
}

/// The entries of a list. An empty list of V2 is a 204 without a body.
pub(crate) fn list<'a, T: Deserialize<'a>>(response: &'a Response<Bytes>) -> Result<Vec<T>, String> {
    if response.status() == StatusCode::NO_CONTENT && response.body().is_empty() {
        return Ok(Vec::new());
    }
    read(response.body())
}

/// Reads JSON, borrowed from the body; the error names the field and never shows a value.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    // The encoding is checked once for the whole body, which is faster than once for each text in it.
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    serde_json::from_str(text).map_err(|error| {
        let start = text.trim_start();
        if start.is_empty() {
            return "it is empty".to_owned();
        }
        if start.starts_with('<') {
            return format!("it is HTML in place of JSON ({} bytes)", text.len());
        }
        named::<T>(text).unwrap_or_else(|| plain(&error))
    })
}

/// The same once more, slowly, to learn which field it is.
fn named<'a, T: Deserialize<'a>>(text: &'a str) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let path = error.path().to_string();
    let why = plain(error.inner());
    Some(if path == "." || path == "?" { why } else { format!("`{path}`: {why}") })
}

/// serde's words without the value that it shows: it may be a customer's.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !text.starts_with("invalid ") {
        return text;
    }
    match text.find(", expected ") {
        Some(at) => format!("another kind of value{}", &text[at..]),
        None => "a value that cannot be read".to_owned(),
    }
}
