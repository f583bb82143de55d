//! Tests through the public seams, in one binary.

mod api;
mod config;
mod daemon;
mod keep;
mod mutation;
mod plan;
mod power;
mod readme;
mod rubbish;
mod security;
mod stock;
mod store;
