//! Tests through the public seams, in one binary.

mod api;
mod config;
mod daemon;
mod keep;
mod plan;
mod power;
mod readme;
mod stock;
mod store;
