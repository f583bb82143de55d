//! The adapter of tokio-cron-scheduler: one job a distinct schedule, which only marks streams due.
