//! The contract between portald and the code for one kind of sales channel.
//!
//! # What a connector is
//! A crate that turns one remote's words into ours and back. It depends on this crate alone: not on
//! tokio, reqwest or sled, and Cargo keeps it so. It speaks [`http::Request`] → [`http::Response`] through
//! the one-method [`Http`] trait (or reads files through [`Files`]), so that the code under test is the
//! code that ships, with a *model of the remote* below it.
//!
//! # What it must keep
//! * **No decisions.** A connector reports facts ([`Order`], [`RemoteFulfillment`]) and performs one write a
//!   call. What is ours, what is held, what is owed: the daemon's `plan` decides.
//! * **Unknown is unknown.** A status it does not know becomes `Unknown(text)`, never a guess; an order it
//!   cannot read becomes [`Pulled::Unreadable`], never a gap.
//! * **Errors say what to do next** ([`ErrorKind`]). On a write, only a failed connect, a 429 or the remote's
//!   own "throttled" mean that nothing was applied. All else unknown is [`ErrorKind::Indeterminate`].
//! * **One unsafe write a call.** [`Channel::push_fulfillment`] makes at most one remote fulfillment and says
//!   what is left, so that progress is durable between two writes.
//! * **Capabilities are a literal** one can read: what the channel cannot tell is said, not guessed.
//!
//! # The map
//! [`model`] [`stock`] what is exchanged · [`channel`] the two traits · [`capabilities`] what a channel can tell and take ·
//! [`error`] · [`client`] the layered HTTP client (trace ▸ retry ▸ throttle ▸ timeout ▸ http) · [`throttle`] one
//! budget for all work on an account · [`carriers`] the one table of carriers · [`settings`] reading a connector's
//! own keys with file and line · [`files`] [`clock`] the seams · `testkit` (feature) parts of fakes.

pub mod capabilities;
pub mod carriers;
pub mod channel;
pub mod client;
pub mod clock;
pub mod error;
pub mod files;
pub mod model;
pub mod settings;
pub mod stock;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod throttle;

pub use async_trait::async_trait;
pub use capabilities::Capabilities;
pub use channel::{
    CancellationAnswer, Channel, CheckReport, Configured, Connector, Context, FulfillmentRequest, OrderPage,
    PullRequest, Pulled, Pushed, SplitMirror, Tokens, TrackingUpdate, Unreadable,
};
pub use client::{Client, Effect, Http, Priority, TransportError};
pub use clock::{Clock, Rng};
pub use error::{Error, ErrorKind, Result};
pub use files::Files;
pub use model::*;
pub use secrecy::{ExposeSecret, SecretString};
pub use stock::{StockChange, StockLevel, StockOutcome, StockWrite, Variant, VariantPage, Writable};
