//! One budget for all that we do on one remote account, obeying what the server says of it.

use std::time::Duration;

use crate::Priority;

/// A leaky bucket that the server's own figures correct. Deliveries go before pulls; some is left for others.
#[derive(Debug, Default)]
pub struct Throttle {}

impl Throttle {
    /// A budget of `capacity` that refills by `per_second`.
    pub fn new(capacity: f64, per_second: f64) -> Self {
        let _ = (capacity, per_second);
        Self {}
    }

    /// Waits until `cost` can be paid, deliveries first, and takes it.
    pub async fn acquire(&self, cost: f64, priority: Priority) {
        let _ = (cost, priority);
    }

    /// What the server says is available now, at most, and per second.
    pub fn observe(&self, available: f64, capacity: f64, per_second: f64) {
        let _ = (available, capacity, per_second);
    }

    /// The server said no: nobody sends for that long.
    pub fn pause(&self, wait: Duration) {
        let _ = wait;
    }

    /// Gives back what was taken beyond the true cost.
    pub fn refund(&self, cost: f64) {
        let _ = cost;
    }
}
