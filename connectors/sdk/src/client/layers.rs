//! The layers, outermost first. Each does one thing and hands on.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::{Call, Classify, Effect, Http, Limits, TransportError, answers};
use crate::{Error, ErrorKind, Result, Rng, throttle::Throttle};

/// One step of the stack. `attempt` counts from 1.
pub(super) trait Layer: Send + Sync {
    fn send(&self, call: &Call, attempt: u32) -> impl Future<Output = Result<Response<Bytes>>> + Send;
}

impl Call {
    fn is_write(&self) -> bool {
        self.effect != Effect::Safe
    }

    /// The kind of a failure after which a write may have been applied.
    fn unknown(&self, read: ErrorKind) -> ErrorKind {
        if self.is_write() { ErrorKind::Indeterminate } else { read }
    }
}

/// A span for the whole call. No URL, no header and no body: they hold secrets and customers' data.
pub(super) struct Trace<L> {
    pub(super) inner: L,
}

impl<L: Layer> Layer for Trace<L> {
    async fn send(&self, call: &Call, attempt: u32) -> Result<Response<Bytes>> {
        let span = tracing::debug_span!("http.call", operation = call.operation);
        self.inner.send(call, attempt).instrument(span).await
    }
}

/// Sends again what may be sent again.
pub(super) struct Retry<L> {
    pub(super) limits: Limits,
    pub(super) rng: Mutex<Rng>,
    pub(super) inner: L,
}

impl<L: Layer> Layer for Retry<L> {
    async fn send(&self, call: &Call, first: u32) -> Result<Response<Bytes>> {
        let mut attempt = first;
        let mut may_be_applied = false;
        loop {
            let mut error = match self.inner.send(call, attempt).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            may_be_applied |= error.kind == ErrorKind::Indeterminate;
            match self.wait_after(call, attempt, &error) {
                Some(wait) => sleep(wait).await,
                None => {
                    if may_be_applied {
                        error.kind = ErrorKind::Indeterminate;
                    }
                    return Err(error);
                }
            }
            attempt += 1;
        }
    }
}

impl<L> Retry<L> {
    /// How long to wait before the next attempt; `None`: there is none.
    fn wait_after(&self, call: &Call, attempt: u32, error: &Error) -> Option<Duration> {
        let passing = match error.kind {
            ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Indeterminate => true,
            ErrorKind::Unauthorized
            | ErrorKind::Rejected
            | ErrorKind::NotFound
            | ErrorKind::Malformed
            | ErrorKind::Unsupported => false,
        };
        let asked = error.retry_after.unwrap_or_default();
        if call.effect == Effect::Unsafe
            || !passing
            || attempt >= self.limits.attempts
            || asked > self.limits.longest_wait
        {
            return None;
        }
        if error.kind == ErrorKind::RateLimited {
            // The throttle is paused for as long: waiting there keeps our place in the queue.
            return Some(Duration::ZERO);
        }
        let chance = self.rng.lock().unwrap_or_else(PoisonError::into_inner).unit();
        let wait = doubled(self.limits.first_wait, attempt).mul_f64(0.5 + 0.5 * chance);
        Some(wait.max(asked).min(self.limits.longest_wait))
    }
}

/// The first wait, doubled with each attempt after the first.
fn doubled(first: Duration, attempt: u32) -> Duration {
    first.saturating_mul(1 << attempt.saturating_sub(1).min(16))
}

/// Pays for each attempt, and stops everyone on the account when the remote says so.
pub(super) struct Throttled<L> {
    pub(super) limits: Limits,
    pub(super) throttle: Arc<Throttle>,
    pub(super) inner: L,
}

impl<L: Layer> Layer for Throttled<L> {
    async fn send(&self, call: &Call, attempt: u32) -> Result<Response<Bytes>> {
        let longest = self.limits.longest_wait;
        if let Err(wait) = self.throttle.acquire_within(call.cost, call.priority, longest).await {
            let message = "not sent: the account's budget is used up for now";
            return Err(Error::new(ErrorKind::RateLimited, call.operation, message).after(Some(wait)));
        }
        let result = self.inner.send(call, attempt).await;
        if let Err(error) = &result
            && error.kind == ErrorKind::RateLimited
        {
            self.throttle.pause(error.retry_after.unwrap_or(doubled(self.limits.first_wait, attempt)));
        }
        result
    }
}

/// Bounds one attempt.
pub(super) struct Timed<L> {
    pub(super) timeout: Duration,
    pub(super) inner: L,
}

impl<L: Layer> Layer for Timed<L> {
    async fn send(&self, call: &Call, attempt: u32) -> Result<Response<Bytes>> {
        timeout(self.timeout, self.inner.send(call, attempt)).await.unwrap_or_else(|_| {
            let message = format!("no answer within {:?}", self.timeout);
            tracing::debug!(
                event = "http.attempt",
                operation = call.operation,
                attempt,
                ms = self.timeout.as_millis() as u64,
                "timed out"
            );
            Err(Error::new(call.unknown(ErrorKind::Unavailable), call.operation, message))
        })
    }
}

/// Sends once and says what the answer, or its absence, means.
pub(super) struct Wire {
    pub(super) http: Arc<dyn Http>,
    pub(super) classify: Box<dyn Classify>,
    pub(super) throttle: Arc<Throttle>,
}

impl Layer for Wire {
    async fn send(&self, call: &Call, attempt: u32) -> Result<Response<Bytes>> {
        let start = Instant::now();
        let flight = self.throttle.in_flight(call.cost);
        let answer = self.http.send(call.request.clone()).await;
        // Before the answer is read: the budget that it shows knows this call.
        drop(flight);
        let ms = start.elapsed().as_millis() as u64;
        let operation = call.operation;
        match answer {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(event = "http.attempt", operation, attempt, status, ms, "answered");
                self.judge(call, &response).map(|()| response)
            }
            Err(error) => {
                tracing::debug!(event = "http.attempt", operation, attempt, ms, %error, "no answer");
                Err(self.no_answer(call, error))
            }
        }
    }
}

impl Wire {
    fn judge(&self, call: &Call, response: &Response<Bytes>) -> Result<()> {
        let status = response.status();
        if status.is_redirection() {
            let mut error = answers::redirected(call.operation, response);
            // A 302 or 303 is how some answer a write that they did.
            error.kind = call.unknown(error.kind);
            return Err(error);
        }
        self.classify.classify(call.operation, response, &self.throttle).map_err(|mut error| {
            let unclear = matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Malformed);
            if status.is_server_error() || unclear {
                error.kind = call.unknown(error.kind);
            }
            error
        })
    }

    fn no_answer(&self, call: &Call, error: TransportError) -> Error {
        let kind = match &error {
            TransportError::Connect(_) => {
                self.throttle.refund(call.cost);
                ErrorKind::Unavailable
            }
            TransportError::Interrupted(_) => call.unknown(ErrorKind::Unavailable),
            TransportError::TooLarge(_) => call.unknown(ErrorKind::Malformed),
        };
        Error::new(kind, call.operation, error.to_string()).with_source(error)
    }
}
