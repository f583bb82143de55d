//! Builds everything, runs it, reloads it, drains it.
