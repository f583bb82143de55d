//! Runs a stream when it is due: one activation at a time, a bounded number in all.
