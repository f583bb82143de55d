//! The HTTP API over the memory store.
