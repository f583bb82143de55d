//! Thin I/O around the core: pull, sweep, deliver.
