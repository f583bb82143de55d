//! Tests through the public seams, in one binary.

mod api;
mod config;
mod daemon;
mod mutation;
mod plan;
mod readme;
mod security;
mod stock;
mod store;
