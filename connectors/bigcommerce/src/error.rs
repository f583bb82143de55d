//! What BigCommerce's answers mean for us: the budget in their headers, and statuses.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use sdk::{
    Error, ErrorKind, Result,
    client::{Classify, excerpt, retry_after, server_time},
    throttle::Throttle,
};
use serde::Deserialize;
use serde_json::Value;

/// The share of the quota that nobody here touches: the store's other apps live on it too. (Pulls leave more, see
/// [`sdk::throttle::LEFT_BY_PULLS`].)
const LEFT_FOR_OTHERS: f64 = 0.05;

/// How long a 429 without a word of its own waits.
const UNTOLD_WAIT: Duration = Duration::from_secs(5);

/// Reads an answer as far as the client needs it.
#[derive(Debug)]
pub(crate) struct Answers;

impl Classify for Answers {
    fn classify(
        &self,
        operation: &'static str,
        response: &Response<Bytes>,
        throttle: &Throttle,
    ) -> Result<()> {
        let budget = Budget::of(response.headers());
        if let Some(budget) = &budget {
            budget.tell(throttle);
        }
        status(operation, response, budget.as_ref())
    }
}

/// The store's budget as an answer tells it: requests in a window, shared by all apps of the store
/// (`rate_limited` in `strict/orders.v2.strict.yml`).
#[derive(Clone, Copy, Debug)]
struct Budget {
    left: f64,
    quota: f64,
    window: Duration,
    reset: Duration,
}

impl Budget {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let millis = |name| number(headers, name).map(Duration::from_millis);
        let figure = |name| number(headers, name).map(|number| number as f64);
        let window = millis("x-rate-limit-time-window-ms").filter(|window| !window.is_zero())?;
        Some(Self {
            left: figure("x-rate-limit-requests-left")?,
            quota: figure("x-rate-limit-requests-quota").filter(|quota| *quota > 0.0)?,
            window,
            // More than a window is no time until its end.
            reset: millis("x-rate-limit-time-reset-ms")?.min(window),
        })
    }

    /// A window does not refill before its end, as a bucket does: near its bottom everyone waits for the end.
    fn tell(&self, throttle: &Throttle) {
        throttle.observe(self.left, self.quota, self.quota / self.window.as_secs_f64());
        if self.left <= self.quota * LEFT_FOR_OTHERS {
            throttle.pause(self.reset);
        }
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// One entry of an error's body: V2 answers a list of them, V3 one (`404_Resp`, `ErrorResponse`).
#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    #[serde(default)]
    invalid_reason: Option<String>,
}

/// The store's words about a refusal, without the values that it refuses.
fn words(body: &[u8]) -> String {
    let told = serde_json::from_slice::<Vec<Told>>(body)
        .or_else(|_| serde_json::from_slice::<Told>(body).map(|told| vec![told]))
        .unwrap_or_default();
    let texts: Vec<String> = told
        .into_iter()
        .flat_map(|told| {
            [told.message.or(told.title), told.details.and_then(|details| details.invalid_reason)]
        })
        .flatten()
        .collect();
    match excerpt(texts.join("; ").as_bytes()) {
        text if text.is_empty() => String::new(),
        text => format!(": {text}"),
    }
}

/// Every text of a 422's body, for those who know what it may name. Not for people: [`words`] are.
#[derive(Debug, thiserror::Error)]
#[error("the store's own words")]
pub(crate) struct Unprocessable {
    pub(crate) texts: Vec<String>,
}

impl Unprocessable {
    /// `ErrorResponse` of V3: `title` is "Human readable error message", `errors` a "Detailed summary".
    fn of(body: &[u8]) -> Self {
        let mut texts = Vec::new();
        if let Ok(Value::Object(told)) = serde_json::from_slice(body) {
            told.into_iter().filter(|(field, _)| field == "title" || field == "errors").for_each(
                |(_, told)| {
                    gather(told, &mut texts);
                },
            );
        }
        Self { texts }
    }
}

fn gather(told: Value, texts: &mut Vec<String>) {
    match told {
        Value::String(text) => texts.push(text),
        Value::Array(parts) => parts.into_iter().for_each(|part| gather(part, texts)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, field)| gather(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn status(operation: &'static str, response: &Response<Bytes>, budget: Option<&Budget>) -> Result<()> {
    let status = response.status();
    let headers = response.headers();
    let error = |kind, what: String| Err(Error::new(kind, operation, what));
    match status.as_u16() {
        200..=299 => Ok(()),
        401 => error(ErrorKind::Unauthorized, "the access token is refused (401)".to_owned()),
        402 => error(ErrorKind::Unauthorized, "the store is closed for an unpaid bill (402)".to_owned()),
        403 => {
            error(ErrorKind::Unauthorized, "access is refused (403): the token may lack a scope".to_owned())
        }
        404 => error(ErrorKind::NotFound, "the store has no such thing (404)".to_owned()),
        429 => {
            let asked = asked(headers).or(budget.map(|budget| budget.reset));
            Err(Error::new(ErrorKind::RateLimited, operation, "too many requests (429)")
                .after(Some(asked.unwrap_or(UNTOLD_WAIT))))
        }
        408 | 425 | 500..=599 => {
            Err(Error::new(ErrorKind::Unavailable, operation, format!("the store answers {status}"))
                .after(asked(headers)))
        }
        400..=499 => {
            let what =
                format!("the store refuses the request ({}){}", status.as_u16(), words(response.body()));
            let refused = Error::new(ErrorKind::Rejected, operation, what);
            Err(match status.as_u16() {
                422 => refused.with_source(Unprocessable::of(response.body())),
                _ => refused,
            })
        }
        _ => error(ErrorKind::Malformed, format!("an unexpected {status}")),
    }
}

/// `X-Retry-After` in seconds, else the usual header.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-retry-after").map(Duration::from_secs).or_else(|| {
        // A date means nothing without the server's own time beside it.
        retry_after(headers, server_time(headers).unwrap_or(sdk::Timestamp::MAX_UTC))
    })
}
