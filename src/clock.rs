//! The world's clock: the only place that reads it.

use sdk::{Clock, Timestamp};

/// The machine's own time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the world's time comes in")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}
