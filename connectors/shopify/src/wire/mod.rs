//! Shopify's words, borrowed from the answer's bytes: nothing here decides anything.
//!
//! Texts borrow where JSON has no escapes in them. An `Option<Cow<str>>` would be copied by serde, hence [`Text`].

pub mod documents;
mod inventory;
mod order;
mod write;

use std::{borrow::Cow, ops::Deref};

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use inventory::*;
pub(crate) use order::*;
pub(crate) use write::*;

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

/// What every answer looks like: <https://shopify.dev/docs/api/admin-graphql#status_and_error_codes>.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "D: Deserialize<'de>"))]
pub(crate) struct Answer<D> {
    /// `None` when the whole question failed.
    #[serde(default = "none")]
    pub(crate) data: Option<D>,
    /// Failures, perhaps beside valid data.
    #[serde(default)]
    pub(crate) errors: Errors,
    /// The price.
    #[serde(default)]
    pub(crate) extensions: Option<Extensions>,
}

fn none<D>() -> Option<D> {
    None
}

/// The `errors` of an answer. A refused token is answered with `"errors": "text"` in place of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(crate) enum Errors {
    /// The usual list.
    List(Vec<GraphError>),
    /// One text.
    Word(String),
    /// No failure.
    #[default]
    None,
}

impl Errors {
    /// The list, whatever the form.
    pub(crate) fn into_list(self) -> Vec<GraphError> {
        match self {
            Self::List(list) => list,
            Self::Word(message) => vec![GraphError { message, extensions: ErrorExtensions::default() }],
            Self::None => Vec::new(),
        }
    }
}

/// One failure.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct GraphError {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) extensions: ErrorExtensions,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ErrorExtensions {
    #[serde(default)]
    pub(crate) code: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Extensions {
    #[serde(default)]
    pub(crate) cost: Option<Cost>,
}

/// Points: <https://shopify.dev/docs/api/usage/limits#graphql-admin-api-rate-limits>.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    #[serde(default)]
    pub(crate) requested_query_cost: f64,
    #[serde(default)]
    pub(crate) throttle_status: Option<ThrottleStatus>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThrottleStatus {
    pub(crate) maximum_available: f64,
    pub(crate) currently_available: f64,
    pub(crate) restore_rate: f64,
}

/// A page of anything.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "N: Deserialize<'de>"))]
pub(crate) struct Connection<N> {
    pub(crate) nodes: Vec<N>,
    pub(crate) page_info: PageInfo,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageInfo {
    pub(crate) has_next_page: bool,
    pub(crate) end_cursor: Option<String>,
}

impl PageInfo {
    /// The cursor of the next page, if there is one.
    pub(crate) fn next(&self) -> Option<&str> {
        if self.has_next_page { self.end_cursor.as_deref() } else { None }
    }
}

/// Anything at all, as it came.
pub(crate) type Raw<'a> = &'a RawValue;
