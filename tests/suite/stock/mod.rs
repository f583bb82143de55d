//! Stock: the core over random catalogues, levels and orders, and the shipped tasks over a model of a channel.
#![allow(clippy::unwrap_used, reason = "a test's own steps must go well")]

mod api;
mod attack;
mod cases;
mod core;
mod crossings;
mod figures;
mod imports;
mod keep;
mod model;
mod pushes;
mod running;
