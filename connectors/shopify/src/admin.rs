//! One question to the Admin API: the token, the request, what came back.

use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderValue, Response};
use sdk::{Client, Effect, Error, ErrorKind, ExposeSecret, Priority, Result, SecretString, client::Call};
use serde::{Deserialize, Serialize};

use crate::{
    auth::Auth,
    error::{self, TokenRefused},
    wire::{Answer, Cost, GraphError, documents::Document},
};

/// What is asked, and what asking twice would do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) document: Document,
    pub(crate) effect: Effect,
    pub(crate) priority: Priority,
    /// Points that it is expected to cost.
    pub(crate) cost: f64,
}

impl Ask {
    /// A question that changes nothing.
    pub(crate) fn read(document: Document, priority: Priority, cost: f64) -> Self {
        Self { document, effect: Effect::Safe, priority, cost }
    }

    /// A mutation. Each is priced at 10 points, whatever it answers.
    pub(crate) fn write(document: Document, effect: Effect) -> Self {
        Self { document, effect, priority: Priority::Deliver, cost: 11.0 }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.document.name
    }
}

/// An answer's data, and the failures beside it.
#[derive(Debug)]
pub(crate) struct Decoded<D> {
    pub(crate) data: D,
    pub(crate) errors: Vec<GraphError>,
    pub(crate) cost: Option<Cost>,
}

/// The Admin API of one shop.
pub(crate) struct Admin {
    pub(crate) client: Client,
    pub(crate) auth: Auth,
    url: String,
    version: String,
    label: String,
    /// The version that answered in place of ours, when that was last told.
    spoken: Mutex<Option<String>>,
}

#[derive(Serialize)]
struct Body<'a, V> {
    query: &'a str,
    #[serde(rename = "operationName")]
    operation: &'a str,
    variables: &'a V,
}

impl Admin {
    pub(crate) fn new(client: Client, auth: Auth, base: &str, version: &str, label: String) -> Self {
        let url = format!("{base}/admin/api/{version}/graphql.json");
        Self { client, auth, url, version: version.to_owned(), label, spoken: Mutex::default() }
    }

    /// The version that answered last, where it was not the one asked for.
    pub(crate) fn other_version(&self) -> Option<String> {
        self.spoken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// `merchant/channel`, for logs.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Sends a question. A token that is refused is renewed once, where that can be: nothing was applied then.
    pub(crate) async fn send<V: Serialize + Sync>(&self, ask: Ask, variables: &V) -> Result<Response<Bytes>> {
        let body = Body { query: &ask.document.text(), operation: ask.name(), variables };
        let body = serde_json::to_vec(&body).map_err(|error| {
            Error::new(ErrorKind::Rejected, ask.name(), "the question cannot be written").with_source(error)
        })?;
        let body = Bytes::from(body);
        let token = self.auth.token(&self.client).await?;
        let first = self.attempt(ask, body.clone(), &token).await;
        match first {
            Err(error) if self.auth.renews() && error::has::<TokenRefused>(&error) => {
                self.auth.forget(&token).await;
                let token = self.auth.token(&self.client).await?;
                self.attempt(ask, body, &token).await
            }
            other => other,
        }
    }

    async fn attempt(&self, ask: Ask, body: Bytes, token: &SecretString) -> Result<Response<Bytes>> {
        let mut token = HeaderValue::from_str(token.expose_secret()).map_err(|_| {
            Error::new(
                ErrorKind::Unauthorized,
                ask.name(),
                "the access token has characters that no token has",
            )
        })?;
        token.set_sensitive(true);
        let request = http::Request::post(&self.url)
            .header("X-Shopify-Access-Token", token)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json")
            .body(body)
            .map_err(|error| {
                Error::new(ErrorKind::Rejected, ask.name(), "the shop's address is not a URL")
                    .with_source(error)
            })?;
        let call = Call {
            operation: ask.name(),
            effect: ask.effect,
            priority: ask.priority,
            cost: ask.cost,
            request,
        };
        let response = self.client.send(call).await?;
        self.notice_version(&response);
        Ok(response)
    }

    /// Past its life a version falls forward to the oldest that is left, silently but for this header
    /// (<https://shopify.dev/docs/api/usage/versioning>).
    fn notice_version(&self, response: &Response<Bytes>) {
        let Some(spoken) =
            response.headers().get("x-shopify-api-version").and_then(|value| value.to_str().ok())
        else {
            return;
        };
        let mut told = self.spoken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if spoken == self.version {
            *told = None;
        } else if told.as_deref() != Some(spoken) {
            tracing::warn!(
                event = "shopify.version",
                channel = %self.label,
                asked = %self.version,
                answered = %spoken,
                "the shop answers with another API version"
            );
            *told = Some(spoken.to_owned());
        }
    }

    /// Reads an answer's data, borrowed from the body.
    pub(crate) fn decode<'a, D: Deserialize<'a>>(&self, ask: Ask, body: &'a [u8]) -> Result<Decoded<D>> {
        let answer: Answer<D> = parse(body).map_err(|error| {
            // What fails to read may be an answer that says why.
            if let Ok(answer) = serde_json::from_slice::<Answer<serde::de::IgnoredAny>>(body) {
                let errors = answer.errors.into_list();
                if !errors.is_empty() {
                    return error::failure(ask.name(), &errors, None);
                }
            }
            unreadable(ask, body, &error)
        })?;
        let cost = answer.extensions.and_then(|extensions| extensions.cost);
        error::observe(cost.as_ref(), self.client.throttle());
        let errors = answer.errors.into_list();
        match answer.data {
            Some(data) => Ok(Decoded { data, errors, cost }),
            None if errors.is_empty() => {
                Err(Error::new(ErrorKind::Malformed, ask.name(), "the answer has neither data nor errors"))
            }
            None => Err(error::failure(ask.name(), &errors, cost.as_ref())),
        }
    }

    /// Sends a mutation and reads its payload with `pick`. A payload that cannot be read leaves open whether
    /// the mutation was run.
    pub(crate) async fn write<V, D, T>(&self, ask: Ask, variables: &V, pick: fn(D) -> Option<T>) -> Result<T>
    where
        V: Serialize + Sync,
        D: for<'a> Deserialize<'a>,
    {
        let response = self.send(ask, variables).await?;
        self.payload(ask, response.body(), pick)
    }

    /// The payload of a mutation's answer.
    pub(crate) fn payload<'a, D: Deserialize<'a>, T>(
        &self,
        ask: Ask,
        body: &'a [u8],
        pick: fn(D) -> Option<T>,
    ) -> Result<T> {
        let read = || {
            let decoded = self.decode::<D>(ask, body)?;
            pick(decoded.data).ok_or_else(|| {
                if decoded.errors.is_empty() {
                    Error::new(ErrorKind::Malformed, ask.name(), "the answer has no payload")
                } else {
                    error::failure(ask.name(), &decoded.errors, None)
                }
            })
        };
        read().map_err(|mut error: Error| {
            if ask.effect == Effect::Unsafe
                && matches!(error.kind, ErrorKind::Malformed | ErrorKind::Unavailable)
            {
                error.kind = ErrorKind::Indeterminate;
            }
            error
        })
    }
}

/// Reads JSON whose encoding is checked once for the whole body, which is faster than once for each text in it.
fn parse<'a, D: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<D> {
    match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body), // fails, and says where
    }
}

/// Says what came in place of an answer, without showing any of it: it may hold a customer's address.
fn unreadable(ask: Ask, body: &[u8], error: &serde_json::Error) -> Error {
    let start = body.trim_ascii_start();
    let what = if start.is_empty() {
        "an empty answer".to_owned()
    } else if start.starts_with(b"<") {
        format!("HTML in place of JSON ({} bytes)", body.len())
    } else {
        format!("an answer of {} bytes that cannot be read: {}", body.len(), plain(error))
    };
    Error::new(ErrorKind::Malformed, ask.name(), what)
}

/// serde's words without the value that it quotes.
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &text[..first], &text[last + 1..]),
        _ => text,
    }
}
