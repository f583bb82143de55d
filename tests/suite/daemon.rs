//! The daemon over its seams: paused time, a fake channel, the memory store.
