//! What Shopify's answers mean for us: statuses, and errors inside a 200.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use sdk::{
    Error, ErrorKind, Result,
    client::{Classify, retry_after, server_time},
    throttle::Throttle,
};

use crate::wire::{Answer, Cost, GraphError, UserError};

/// Bodies up to this size are read for errors before the answer itself is: an answer that failed is small, and
/// a page of orders should not be read twice.
const SMALL: usize = 16 * 1024;

/// Marks a refused token, as cause of an error: another token may be had.
#[derive(Debug, thiserror::Error)]
#[error("the access token is refused")]
pub(crate) struct TokenRefused;

/// Marks a question that the app lacks a scope for, as cause of an error: others may still be answered.
#[derive(Debug, thiserror::Error)]
#[error("the app lacks a scope")]
pub(crate) struct LacksScope;

/// Marks a query that costs too much, as cause of an error: a smaller page may do.
#[derive(Debug, thiserror::Error)]
#[error("the query costs too much")]
pub(crate) struct TooCostly;

/// Marks an order that changed between its parts, as cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("the order changed between its parts")]
pub(crate) struct KeptChanging;

/// Whether an error bears one of the marks above.
pub(crate) fn has<M: std::error::Error + 'static>(error: &Error) -> bool {
    error.source.as_ref().is_some_and(|source| source.is::<M>())
}

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
        status(operation, response.status(), response.headers(), response.body())?;
        if response.body().len() > SMALL {
            return Ok(());
        }
        let Ok(answer) = serde_json::from_slice::<Answer<serde::de::IgnoredAny>>(response.body()) else {
            return Ok(()); // whoever asked knows what should have come, and says so
        };
        let cost = answer.extensions.and_then(|extensions| extensions.cost);
        observe(cost.as_ref(), throttle);
        for error in answer.errors.into_list() {
            let code = error.extensions.code.as_deref().unwrap_or_default();
            if matches!(code, "THROTTLED" | "MAX_COST_EXCEEDED" | "INTERNAL_SERVER_ERROR" | "TIMEOUT") {
                return Err(failure(operation, &[error], cost.as_ref()));
            }
        }
        Ok(())
    }
}

/// What the answer says of the shop's budget goes to all who share it.
pub(crate) fn observe(cost: Option<&Cost>, throttle: &Throttle) {
    if let Some(budget) = cost.and_then(|cost| cost.throttle_status) {
        throttle.observe(budget.currently_available, budget.maximum_available, budget.restore_rate);
    }
}

/// Statuses: <https://shopify.dev/docs/api/admin-graphql#status_and_error_codes>.
pub(crate) fn status(
    operation: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<()> {
    if status == StatusCode::OK {
        return Ok(());
    }
    let error = |kind, what: String| Err(Error::new(kind, operation, what));
    match status.as_u16() {
        401 => Err(Error::new(ErrorKind::Unauthorized, operation, "the access token is refused (401)")
            .with_source(TokenRefused)),
        402 => error(ErrorKind::Unauthorized, "the shop is frozen for an unpaid bill (402)".to_owned()),
        403 => error(ErrorKind::Unauthorized, "access is refused (403): the app may lack a scope".to_owned()),
        404 => error(
            ErrorKind::Unauthorized,
            "no shop or API version at this address (404): see `shop`".to_owned(),
        ),
        423 => error(ErrorKind::Unauthorized, "the shop is locked (423)".to_owned()),
        300..=399 => error(
            ErrorKind::Unauthorized,
            format!("the shop redirects elsewhere ({status}), which is not followed"),
        ),
        429 => Err(Error::new(ErrorKind::RateLimited, operation, "too many requests (429)")
            .after(wait_asked(headers))),
        408 | 500..=599 => {
            Err(Error::new(ErrorKind::Unavailable, operation, format!("the shop answers {status}"))
                .after(wait_asked(headers)))
        }
        200..=299 => error(ErrorKind::Malformed, format!("an unexpected {status} of {} bytes", body.len())),
        _ => error(ErrorKind::Rejected, format!("the shop refuses the request ({status})")),
    }
}

/// What the answer asks to wait; a date only where the shop tells its own clock.
fn wait_asked(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers, server_time(headers).unwrap_or(sdk::Timestamp::MAX_UTC))
}

/// Errors inside a 200 that leave nothing to work with.
pub(crate) fn failure(operation: &'static str, errors: &[GraphError], cost: Option<&Cost>) -> Error {
    let has = |wanted: &str| errors.iter().any(|error| error.extensions.code.as_deref() == Some(wanted));
    let texts: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let text = shorten(&texts.join("; "));
    let error = |kind, what: String| Error::new(kind, operation, what);
    if has("THROTTLED") {
        return error(ErrorKind::RateLimited, "the shop's query budget is used up (THROTTLED)".to_owned())
            .after(Some(wait(cost)));
    }
    if has("MAX_COST_EXCEEDED") {
        return error(ErrorKind::Rejected, format!("the query costs too much: {text}"))
            .with_source(TooCostly);
    }
    if has("INTERNAL_SERVER_ERROR") || has("TIMEOUT") {
        return error(ErrorKind::Unavailable, format!("the shop failed inside: {text}"));
    }
    if has("SHOP_INACTIVE") {
        return error(ErrorKind::Unauthorized, format!("access is denied: {text}"));
    }
    if has("ACCESS_DENIED") {
        return error(ErrorKind::Unauthorized, format!("access is denied: {text}")).with_source(LacksScope);
    }
    if has("RESOURCE_NOT_FOUND") {
        return error(ErrorKind::NotFound, text);
    }
    if text.starts_with("[API] Invalid API key or access token") {
        return error(ErrorKind::Unauthorized, text).with_source(TokenRefused);
    }
    error(ErrorKind::Rejected, format!("the shop refuses the query: {text}"))
}

/// How long until the query can be paid, by the server's own figures; a second where it does not say.
fn wait(cost: Option<&Cost>) -> Duration {
    let seconds = cost
        .and_then(|cost| Some((cost.requested_query_cost, cost.throttle_status?)))
        .filter(|(_, budget)| budget.restore_rate > 0.0)
        .map_or(1.0, |(wanted, budget)| (wanted - budget.currently_available) / budget.restore_rate);
    Duration::try_from_secs_f64(seconds.clamp(0.1, 60.0)).unwrap_or(Duration::from_secs(1))
}

/// `userErrors` of a mutation: nothing was applied, and it says why.
pub(crate) fn refused(operation: &'static str, errors: &[UserError]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = errors
        .iter()
        .map(|error| match &error.field {
            Some(field) if field.len() > 1 => format!("{} ({})", error.message, field.join(".")),
            _ => error.message.clone(),
        })
        .collect();
    // Recorded texts: "Fulfillment not found.", "Fulfillment does not exist.". There is no code.
    let gone = errors.iter().all(|error| {
        matches!(error.message.as_str(), "Fulfillment not found." | "Fulfillment does not exist.")
    });
    let kind = if gone { ErrorKind::NotFound } else { ErrorKind::Rejected };
    Err(Error::new(kind, operation, shorten(&texts.join("; "))))
}

/// Long texts help nobody in a log.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 500;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
