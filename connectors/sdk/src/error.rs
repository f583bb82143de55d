//! Errors that say what to do next.

use std::time::Duration;

/// What the caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Nothing was applied: again later.
    Unavailable,
    /// Nothing was applied: again no sooner than `retry_after`.
    RateLimited,
    /// It may have been applied: look first, then perhaps again.
    Indeterminate,
    /// The credentials are refused: suspend this channel, tell a person, probe slowly.
    Unauthorized,
    /// The remote understood and refuses: park it, tell a person.
    Rejected,
    /// What was named is not there: park it, tell a person.
    NotFound,
    /// The answer cannot be read: park it, tell a person. (On a write: `Indeterminate` instead.)
    Malformed,
    /// This channel does not do that.
    Unsupported,
}

/// A channel's failure: what to do (`kind`), at which step (`operation`), and why in words.
/// The message never holds a secret or a customer's address.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// The step that failed, as the connector names it.
    pub operation: &'static str,
    /// Why, for a person.
    pub message: String,
    /// How long the remote asks to wait.
    pub retry_after: Option<Duration>,
    /// What lies below, if anything.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A channel's answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with no cause below it.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self { kind, operation, message: message.into(), retry_after: None, source: None }
    }

    /// The same, with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with the wait that the remote asked for.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// `Unsupported`: the default answer of every optional ability.
    pub fn unsupported(operation: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, operation, "this kind of channel does not do that")
    }
}
