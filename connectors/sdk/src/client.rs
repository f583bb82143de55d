//! The HTTP client of every connector: layers around one method.
//!
//! `trace ▸ retry ▸ throttle ▸ timeout ▸ http`. Timeout is inside retry, so each attempt has its own; throttle
//! is inside retry, so attempts pay too; waiting for the budget is not a timeout.
//!
//! # What is known after a failure
//! A read failed, and that is all. A *write* ([`Effect::Idempotent`], [`Effect::Unsafe`]) is another matter: only
//! a failed connect, a 429 or the connector's own [`RateLimited`](crate::ErrorKind::RateLimited) mean that nothing
//! was applied. A 5xx, a redirect, a timeout, a reset, an answer that is unreadable or too large is
//! [`Indeterminate`](crate::ErrorKind::Indeterminate); and once one attempt was, no later failure of the same call
//! makes it less so.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Result, Rng, throttle::Throttle};

mod answers;
mod layers;

pub use answers::{classify_status, excerpt, retry_after, server_time};
use layers::{Layer, Retry, Throttled, Timed, Trace, Wire};

/// The transport: one request, one answer, nothing else. Redirects are never followed and bodies are bounded.
#[async_trait]
pub trait Http: Send + Sync {
    /// Sends one request.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError>;
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection was made: nothing reached the remote.
    #[error("no connection: {0}")]
    Connect(String),
    /// The request may have reached the remote: reset, cut short, timed out.
    #[error("connection lost: {0}")]
    Interrupted(String),
    /// The answer is larger than the limit, in bytes. The request was applied as far as one can know.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

/// What sending a request a second time would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads: may be sent again.
    Safe,
    /// It sets, or carries a key that the remote honours: may be sent again.
    Idempotent,
    /// It may act twice: never sent again in process.
    Unsafe,
}

/// Whose turn it is when the budget is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Pulls, sweeps.
    Pull,
    /// Deliveries: before pulls.
    Deliver,
}

/// One call and what is known of it.
#[derive(Debug)]
pub struct Call {
    /// The step, for errors and spans.
    pub operation: &'static str,
    /// What sending it twice would do.
    pub effect: Effect,
    /// Its turn.
    pub priority: Priority,
    /// What it is expected to cost, in the throttle's unit (a request, or query points).
    pub cost: f64,
    /// The request; cloned for each attempt.
    pub request: http::Request<Bytes>,
}

/// What the connector knows of its remote's answers.
pub trait Classify: Send + Sync {
    /// `Ok` when the answer is a success (200 with errors inside is not), and in any case what the answer tells
    /// of the budget goes to the throttle. For a write the client itself turns `Unavailable`, `Malformed` and any
    /// 5xx into `Indeterminate`: classify as if it were safe. Redirects never come here.
    fn classify(
        &self,
        operation: &'static str,
        response: &http::Response<Bytes>,
        throttle: &Throttle,
    ) -> Result<()>;
}

/// How the client behaves; the same for all channels but for tests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one attempt, from send to the last byte.
    pub timeout: Duration,
    /// Attempts of a safe or idempotent call, the first included.
    pub attempts: u32,
    /// First wait between attempts; doubled each time, with jitter.
    pub first_wait: Duration,
    /// Longest wait that is sat out in process; a longer one goes back to the caller.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempts: 3,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
        }
    }
}

/// The layered client. One per channel.
pub struct Client {
    throttle: Arc<Throttle>,
    stack: Trace<Retry<Throttled<Timed<Wire>>>>,
}

impl Client {
    /// Builds the stack.
    pub fn new(
        http: Arc<dyn Http>,
        classify: Box<dyn Classify>,
        throttle: Arc<Throttle>,
        limits: Limits,
        rng: Rng,
    ) -> Self {
        let stack = Trace {
            inner: Retry {
                limits,
                rng: Mutex::new(rng),
                inner: Throttled {
                    limits,
                    throttle: Arc::clone(&throttle),
                    inner: Timed {
                        timeout: limits.timeout,
                        inner: Wire { http, classify, throttle: Arc::clone(&throttle) },
                    },
                },
            },
        };
        Self { throttle, stack }
    }

    /// The budget that all calls here share.
    pub fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// Sends a call through all layers. The error's kind says what is known of the remote (see the module).
    pub async fn send(&self, call: Call) -> Result<http::Response<Bytes>> {
        self.stack.send(&call, 1).await
    }
}
