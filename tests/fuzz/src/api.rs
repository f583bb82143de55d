//! The small shop that the suite's tests of the API have.

#[path = "../../suite/api/shop.rs"]
#[allow(dead_code, reason = "the suite uses all of it")]
pub(crate) mod shop;
