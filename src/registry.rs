//! The connectors that are compiled in, one line each.
