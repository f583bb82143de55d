//! The connector against the model of the remote, through the seams that ship.

#![allow(clippy::unwrap_used, reason = "in tests, the helpers' too")]

mod adjustments;
mod auth;
mod config;
mod contract;
mod economy;
mod facts;
mod faults;
mod openapi;
mod paging;
mod parcels;
mod products;
mod rubbish;
mod shop;
mod stock;
