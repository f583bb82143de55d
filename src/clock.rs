//! The one place that reads the world's clock.
