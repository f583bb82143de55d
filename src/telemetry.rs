//! Logs and metrics: what operators read.

use crate::record::{Event, Record};

/// One line for an event of an order.
pub fn log_event(record: &Record, event: &Event) {
    let _ = (record, event);
}
