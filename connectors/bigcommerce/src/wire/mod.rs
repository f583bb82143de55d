//! BigCommerce's words, borrowed from the answer's bytes: nothing here decides anything.
//!
//! Field by field as in the contract's files; only what is read is named. Texts borrow where JSON has no escapes in
//! them. An `Option<Cow<str>>` would be copied by serde, hence [`Text`].

mod order;
mod shipment;
mod stock;

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use serde_json::value::RawValue;

pub(crate) use order::*;
pub(crate) use shipment::*;
pub(crate) use stock::*;

/// A text, borrowed from the body where that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Units. The contract calls some of them `integer` and some `number`: `2.0` is two, `2.5` is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units(pub(crate) u32);

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnitsVisitor)
    }
}

struct UnitsVisitor;

impl Visitor<'_> for UnitsVisitor {
    type Value = Units;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of units")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Units, E> {
        u32::try_from(value).map(Units).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Units, E> {
        u32::try_from(value).map(Units).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Units, E> {
        if value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value) {
            return Ok(Units(value as u32));
        }
        Err(E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

/// Anything at all, as it came.
pub(crate) type Raw<'a> = &'a RawValue;

/// Where only the id of an entry matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: u64,
}
