//! What must hold of any bytes that reach the daemon from outside, as fuzzing asks for it: one function a target.
//!
//! The checks are those of `tests/suite/rubbish`, which CI runs on stable with proptest. This workspace of its own is
//! for the long run on nightly, with libFuzzer; nothing of the ordinary build needs either.

#![allow(clippy::unwrap_used, reason = "a failure is what is looked for")]

#[path = "../../suite/rubbish/answers.rs"]
mod answers;
mod api;
#[path = "../../suite/rubbish/body.rs"]
mod body;
#[path = "../../suite/rubbish/config.rs"]
mod configuration;
#[path = "../../suite/rubbish/connect.rs"]
mod connect;
#[path = "../../suite/rubbish/figures.rs"]
mod figures;
#[path = "../../suite/rubbish/folder.rs"]
mod files;

use std::future::Future;

use bytes::Bytes;

/// Virtual time: what waits does not wait.
fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Bytes as `portald.toml`, and as a merchant's file.
pub fn config(bytes: &[u8]) {
    configuration::read(bytes);
}

/// Bytes as the CSV of `inventory import`.
pub fn import_csv(bytes: &[u8]) {
    run(figures::import(bytes));
}

/// Bytes as a file of orders, and as a catalogue, in a merchant's folder.
pub fn folder_csv(bytes: &[u8]) {
    run(files::pull(bytes));
}

/// Bytes as an answer of Shopify: which one, its status, its body. Gives back the shop's own answers.
pub fn shopify_answer(bytes: &[u8]) -> Vec<Bytes> {
    run(answers::shopify(bytes))
}

/// Bytes as an answer of BigCommerce, likewise.
pub fn bigcommerce_answer(bytes: &[u8]) -> Vec<Bytes> {
    run(answers::bigcommerce(bytes))
}

/// Bytes as a request's body: to which route, and the body.
pub fn api_body(bytes: &[u8]) {
    run(body::send(bytes));
}
