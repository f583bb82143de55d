//! The two traits: a kind of channel, and one connected account.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::{
    Capabilities, Clock, Error, Files, Http, LineQuantity, Order, RemoteFulfillment, RemoteId, Result, Rng,
    StockLevel, StockOutcome, StockWrite, Timestamp, TrackingSet, VariantPage, settings::Section,
};

/// A kind of channel, compiled in: no state, one per crate.
pub trait Connector: Send + Sync + fmt::Debug {
    /// `connector = "…"` in a merchant's file.
    fn name(&self) -> &'static str;

    /// What this kind of channel can tell and take.
    fn capabilities(&self) -> Capabilities;

    /// Reads the channel's own keys from its `[[channel]]` table (the common ones — `id`, `connector`,
    /// `schedule` — are already taken). Every problem goes to the section; `None` when there was one.
    /// No I/O.
    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>>;
}

/// A channel's checked settings, ready to connect.
pub trait Configured: Send + Sync + fmt::Debug {
    /// The remote account these settings point at: `shopify:bluefin.myshopify.com`, `folder:/srv/inbox`. Two
    /// channels may not share one. Stable across restarts, free of secrets.
    fn account(&self) -> String;

    /// A digest of everything in the settings, secrets included, so that a reload sees a change.
    fn fingerprint(&self) -> u64;

    /// Things an operator should know though they stop nothing (a version's expiry near, …).
    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let _ = now;
        Vec::new()
    }

    /// Why stock cannot be written with these settings though this kind of channel takes it (no location is named),
    /// and what to do. `None`: it can.
    fn stock_gap(&self) -> Option<String> {
        None
    }

    /// Connects. No I/O here: the first call of the channel does it.
    fn connect(&self, context: Context) -> Arc<dyn Channel>;
}

/// What the daemon lends to a channel.
#[derive(Clone)]
pub struct Context {
    /// `merchant/channel`, for logs.
    pub label: String,
    /// The transport.
    pub http: Arc<dyn Http>,
    /// The files.
    pub files: Arc<dyn Files>,
    /// The daemon's clock.
    pub clock: Arc<dyn Clock>,
    /// Where rotated credentials are kept.
    pub tokens: Arc<dyn Tokens>,
    /// Seed for this channel's own [`Rng`].
    pub seed: u64,
}

impl Context {
    /// This channel's own source of chance.
    pub fn rng(&self) -> Rng {
        Rng::from_seed(self.seed)
    }
}

/// Durable keeping of rotated credentials: saved *before* use.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// What was saved last for this channel.
    async fn load(&self) -> Result<Option<SecretString>>;
    /// Saves durably, in place of what was there.
    async fn save(&self, value: SecretString) -> Result<()>;
}

/// One connected account. Every method may be called again after any failure.
#[async_trait]
pub trait Channel: Send + Sync {
    /// What this channel can tell and take.
    fn capabilities(&self) -> Capabilities;

    /// Asks harmless questions: credentials, scopes, location, API version. For `check --online`.
    async fn check(&self) -> Result<CheckReport>;

    /// One page of the orders changed since `request.since`, oldest change first.
    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage>;

    /// Told after a page was committed, with its receipt. (The folder archives its file now.)
    async fn acknowledge(&self, receipt: &str) -> Result<()> {
        let _ = receipt;
        Ok(())
    }

    /// One order as it stands now. `NotFound` when the channel no longer has it.
    async fn order(&self, id: &RemoteId) -> Result<Pulled> {
        let _ = id;
        Err(Error::unsupported("order"))
    }

    /// Makes *at most one* remote fulfillment of the asked lines and says what is left for a further call.
    async fn push_fulfillment(&self, request: &FulfillmentRequest) -> Result<Pushed> {
        let _ = request;
        Err(Error::unsupported("push_fulfillment"))
    }

    /// Every fulfillment that the order has on the channel, whoever made it. Facts only: what to adopt is
    /// not the connector's to say.
    async fn find(&self, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
        let _ = order;
        Err(Error::unsupported("find"))
    }

    /// Sets the tracking of a made fulfillment. Safe to repeat.
    async fn update_tracking(&self, update: &TrackingUpdate) -> Result<()> {
        let _ = update;
        Err(Error::unsupported("update_tracking"))
    }

    /// Takes a made fulfillment back. Taking back what is already taken back is done, not an error.
    async fn void_fulfillment(&self, order: &RemoteId, fulfillment: &RemoteId, key: &str) -> Result<()> {
        let _ = (order, fulfillment, key);
        Err(Error::unsupported("void_fulfillment"))
    }

    /// Accepts or rejects a cancellation request of the channel's own. Safe to repeat: what stands answered so
    /// already is done. `Rejected` where the request is gone or was answered otherwise.
    async fn answer_cancellation(&self, answer: &CancellationAnswer) -> Result<()> {
        let _ = answer;
        Err(Error::unsupported("answer_cancellation"))
    }

    /// One page of the catalogue, every variant, `page` being the connector's own mark from the page before.
    async fn products(&self, page: Option<&str>) -> Result<VariantPage> {
        let _ = page;
        Err(Error::unsupported("products"))
    }

    /// The place whose stock is read and set, in the connector's words; empty where the channel has but one. What is
    /// known of figures is known of this place alone.
    fn stock_place(&self) -> String {
        String::new()
    }

    /// What the channel shows of these items at its location, in any order; an item that it does not know is left
    /// out. At most [`Capabilities::stock_batch`] items a call.
    async fn read_stock(&self, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
        let _ = items;
        Err(Error::unsupported("read_stock"))
    }

    /// Sets stock at the channel's location: the outcome of each change, in their order. An error means that nothing
    /// is known of any item: `Indeterminate` is read back, the others set nothing. One batch at a time a channel.
    async fn push_stock(&self, write: &StockWrite) -> Result<Vec<StockOutcome>> {
        let _ = write;
        Err(Error::unsupported("push_stock"))
    }

    /// Shows a split on the channel itself, where that is possible and asked for.
    async fn mirror_split(&self, split: &SplitMirror) -> Result<()> {
        let _ = split;
        Err(Error::unsupported("mirror_split"))
    }
}

/// What `check --online` proved, in words for a person.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// What was asked and is well: "token accepted", "scope read_orders".
    pub proved: Vec<String>,
    /// What will not work or soon will not, and what to do.
    pub warnings: Vec<String>,
    /// What is missing and stops the channel: a scope, a location.
    pub problems: Vec<String>,
}

/// A question for one page of changed orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequest {
    /// Changed at or after this, by the channel's clock, the overlap already taken off. `None`: from the start
    /// (the connector may bound how far back that is).
    pub since: Option<Timestamp>,
    /// The connector's own mark of the next page, from the page before in this same pull.
    pub page: Option<String>,
}

/// One page of changed orders.
#[derive(Debug, Default)]
pub struct OrderPage {
    /// The orders, and those that could not be read.
    pub orders: Vec<Pulled>,
    /// Mark of the next page; `None`: the end was reached.
    pub next: Option<String>,
    /// Every change up to here, by the channel's clock, is in this page or in one before it. Stored in the commit
    /// that stores the page, and never later than the channel's own "now" when the pull began. `None`: this
    /// channel has no such clock (folder).
    pub covers: Option<Timestamp>,
    /// For [`Channel::acknowledge`] once the page is committed.
    pub receipt: Option<String>,
}

/// One record of a page.
#[derive(Debug)]
pub enum Pulled {
    /// An order as the channel shows it now.
    Order(Box<Order>),
    /// Something that cannot be read as an order: set aside, counted, tried again at the next sweep.
    Unreadable(Unreadable),
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The order's id, where that much could be read; else something stable that names the place (file and line).
    pub id: RemoteId,
    /// Why, naming the field or the file and line.
    pub reason: String,
    /// The payload as it came.
    pub raw: String,
}

/// A parcel to be told to the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FulfillmentRequest {
    /// The write's key: the same at every attempt, never used for another write.
    pub key: String,
    /// The channel's order.
    pub order: RemoteId,
    /// The order's display number on the channel.
    pub number: String,
    /// What is in the parcel, in the channel's units, without what earlier calls already made.
    pub lines: Vec<LineQuantity>,
    /// Carrier, number, URL.
    pub tracking: TrackingSet,
    /// When it left.
    pub shipped_at: Timestamp,
    /// Whether the channel should tell the customer.
    pub notify: bool,
}

/// What one call made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The fulfillment as the channel shows it.
    pub fulfillment: RemoteFulfillment,
    /// Lines for a further call (another location of the same parcel): empty when all is told.
    pub left: Vec<LineQuantity>,
}

/// A correction of a told parcel's tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingUpdate {
    /// The write's key.
    pub key: String,
    /// The channel's order.
    pub order: RemoteId,
    /// Its display number.
    pub number: String,
    /// The fulfillment to correct.
    pub fulfillment: RemoteId,
    /// Carrier, number, URL from now on.
    pub tracking: TrackingSet,
    /// Whether the channel should tell the customer.
    pub notify: bool,
}

/// A supplier's split to be shown on the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitMirror {
    /// The write's key.
    pub key: String,
    /// The channel's order.
    pub order: RemoteId,
    /// What went to the new order, in the channel's units.
    pub lines: Vec<LineQuantity>,
}

/// The supplier's answer to a [`crate::CancellationRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancellationAnswer {
    /// The write's key.
    pub key: String,
    /// The channel's order.
    pub order: RemoteId,
    /// The request.
    pub request: RemoteId,
    /// Accepted: none of its units will be shipped. Otherwise rejected.
    pub accept: bool,
    /// Why, for the merchant.
    pub message: Option<String>,
}
