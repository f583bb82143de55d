//! Cron as the configuration writes it: when a stream is next due, and where its channels spread.
