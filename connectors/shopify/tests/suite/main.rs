//! The connector against the model of the remote, through the seams that ship.

#![allow(clippy::unwrap_used, reason = "in tests, the helpers' too")]

mod auth;
mod cancelling;
mod config;
mod contract;
mod facts;
mod faults;
mod paging;
mod parcels;
mod price;
mod products;
mod recorded;
mod requests;
mod rubbish;
mod shop;
mod stock;
