//! The daemon's HTTP API: JSON under `/v1`, the same verbs as the commands.
//!
//! Reading is from the store, at once; every change of an order goes through the [`Ledger`]; what concerns the daemon
//! itself goes to its main loop by [`Control`]. A command runs to its end even when the client goes away: what was
//! half told (the log, the agenda) after a commit would be lost otherwise.
//!
//! [`document`] what is answered · [`view`] [`why`] [`story`] from a record to that, pure · [`orders`] lists and one
//! order · [`stock`] [`products`] [`stock_document`] the supplier's figures and the channels' products ·
//! [`commands`] what changes an order, `look` the last look before it · [`merchants`] status and the daemon's verbs ·
//! [`outbox`] writes owed, and what
//! is set aside · [`backup`] the whole store · [`probes`] health and metrics · [`request`] [`paging`] [`problem`] reading, paging, refusing ·
//! [`server`] the sockets.

pub mod backup;
pub mod census;
pub mod commands;
pub mod document;
mod look;
pub mod merchants;
pub mod orders;
pub mod outbox;
pub mod paging;
pub mod probes;
pub mod problem;
pub mod products;
pub mod request;
pub mod server;
pub mod stock;
pub mod stock_document;
pub mod story;
pub mod view;
pub mod why;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post, put},
};
use http::{StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use sdk::Timestamp;

use self::problem::Problem;
pub use self::server::{TcpServer, UnixServer, bind_tcp, bind_unix};
use crate::{
    board::Board,
    config::{self, Config},
    control::Control,
    ledger::Ledger,
};

/// The longest that a request may take; a command goes on to its end all the same.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a CSV of figures is sent to.
const IMPORT: &str = "/v1/inventory/import";
/// Where the whole store is read from.
const BACKUP: &str = "/v1/backup";
/// Where it is looked through.
const VERIFY: &str = "/v1/verify";

/// What the configuration says, as far as the API shows it. A reload sets it anew.
#[derive(Clone, Debug)]
pub struct Info {
    /// The daemon's version.
    pub version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// The supplier's name.
    pub supplier: String,
    /// The supplier's time zone.
    pub zone: chrono_tz::Tz,
    /// The merchants that the files name.
    pub merchants: Vec<MerchantInfo>,
}

/// A merchant as the files name it.
#[derive(Clone, Debug)]
pub struct MerchantInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Plans only.
    pub shadow: bool,
    /// Its channels.
    pub channels: Vec<ChannelInfo>,
}

/// A channel as the files name it.
#[derive(Clone, Debug)]
pub struct ChannelInfo {
    /// Its id.
    pub id: String,
    /// Its connector's name.
    pub connector: String,
    /// What it cannot tell or take: [`sdk::Capabilities::gaps`].
    pub gaps: Vec<String>,
}

impl Info {
    /// What a configuration says.
    pub fn of(config: &Config, started_at: Timestamp) -> Self {
        let channel = |channel: &config::Channel| ChannelInfo {
            id: channel.id.clone(),
            connector: channel.connector.name().to_owned(),
            gaps: channel.connector.capabilities().gaps().into_iter().map(str::to_owned).collect(),
        };
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            supplier: config.supplier.name.clone(),
            zone: config.supplier.timezone,
            merchants: config
                .merchants
                .iter()
                .map(|merchant| MerchantInfo {
                    id: merchant.id.clone(),
                    name: merchant.name.clone(),
                    shadow: merchant.shadow,
                    channels: merchant.channels.iter().map(channel).collect(),
                })
                .collect(),
        }
    }

    /// A merchant that the files name.
    pub fn merchant(&self, id: &str) -> Option<&MerchantInfo> {
        self.merchants.iter().find(|merchant| merchant.id == id)
    }

    /// A channel's gaps; none are known of a channel that the files do not name.
    fn gaps(&self, merchant: &str, channel: &str) -> &[String] {
        self.merchant(merchant)
            .and_then(|merchant| merchant.channels.iter().find(|known| known.id == channel))
            .map_or(&[], |channel| &channel.gaps)
    }
}

/// The API's parts. Cloning shares them.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    ledger: Arc<Ledger>,
    board: Arc<Board>,
    control: Control,
    info: ArcSwap<Info>,
    prometheus: Option<PrometheusHandle>,
    gauges: tokio::sync::Mutex<Option<tokio::time::Instant>>,
}

impl Api {
    /// An API over the daemon's parts. Without a `prometheus` handle `/metrics` answers 404.
    pub fn new(
        ledger: Arc<Ledger>,
        board: Arc<Board>,
        control: Control,
        info: Info,
        prometheus: Option<PrometheusHandle>,
    ) -> Self {
        Self(Arc::new(Parts {
            ledger,
            board,
            control,
            info: ArcSwap::from_pointee(info),
            prometheus,
            gauges: tokio::sync::Mutex::new(None),
        }))
    }

    /// Puts a reloaded configuration's picture in force.
    pub fn set_info(&self, info: Info) {
        self.0.info.store(Arc::new(info));
    }

    fn info(&self) -> Arc<Info> {
        self.0.info.load_full()
    }

    fn ledger(&self) -> &Arc<Ledger> {
        &self.0.ledger
    }
}

/// All routes, without authentication: a Unix socket is guarded by its file mode, TCP by [`TcpServer`].
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/status", reads(get(merchants::status)))
        .route("/v1/merchants", reads(get(merchants::list)))
        .route("/v1/merchants/{id}", reads(get(merchants::show)))
        .route("/v1/merchants/{id}/orders", reads(get(orders::account_list)))
        .route("/v1/merchants/{id}/orders/{channel}/{order}", reads(get(orders::account_show)))
        .route("/v1/merchants/{id}/sync", writes(post(merchants::sync)))
        .route("/v1/merchants/{id}/pause", writes(post(merchants::pause)))
        .route("/v1/merchants/{id}/resume", writes(post(merchants::resume)))
        .route("/v1/merchants/{id}/rename", writes(post(merchants::rename)))
        .route("/v1/sweep", writes(post(merchants::sweep)))
        .route("/v1/orders", reads(get(orders::list)))
        .route("/v1/orders/merge", writes(post(commands::merge)))
        .route("/v1/orders/{id}", reads(get(orders::show)))
        .route("/v1/orders/{id}/why", reads(get(orders::why)))
        .route("/v1/orders/{id}/ack", writes(post(commands::ack)))
        .route("/v1/orders/{id}/ship", writes(post(commands::ship)))
        .route("/v1/orders/{id}/split", writes(post(commands::split)))
        .route("/v1/orders/{id}/hold", writes(post(commands::hold)))
        .route("/v1/orders/{id}/release", writes(post(commands::release)))
        .route("/v1/orders/{id}/edit", writes(post(commands::edit)))
        .route("/v1/orders/{id}/unmerge", writes(post(commands::unmerge)))
        .route("/v1/orders/{id}/reimport", writes(post(commands::reimport)))
        .route("/v1/orders/{id}/shipments/{shipment}", writes(post(commands::track)))
        .route("/v1/orders/{id}/shipments/{shipment}/void", writes(post(commands::void)))
        .route("/v1/orders/{id}/cancel", writes(post(commands::cancel)))
        .route("/v1/orders/{id}/accept-cancel", writes(post(commands::accept_cancel)))
        .route("/v1/orders/{id}/reject-cancel", writes(post(commands::reject_cancel)))
        .route("/v1/orders/{id}/confirm-address", writes(post(commands::confirm_address)))
        .route("/v1/outbox", reads(get(outbox::list)))
        // A key holds slashes: percent-encoded in one part, or as they are.
        .route("/v1/outbox/{*key_and_verb}", writes(post(outbox::decide)))
        .route("/v1/set-aside", reads(get(outbox::set_aside)))
        .route("/v1/set-aside/drop", writes(post(outbox::drop_aside)))
        .route(
            "/v1/products",
            get(products::list).put(products::set).fallback(|| not_allowed("GET, HEAD, PUT")),
        )
        .route("/v1/inventory", get(stock::levels).put(stock::set).fallback(|| not_allowed("GET, HEAD, PUT")))
        .route(IMPORT, put(stock::import).fallback(|| not_allowed("PUT")))
        .route("/v1/inventory/merchants/{id}", reads(get(stock::merchant)))
        .route("/v1/inventory/history/{sku}", reads(get(stock::history)))
        .route("/v1/inventory/runs/{run}", reads(get(stock::run)))
        .route("/v1/inventory/release", writes(post(stock::release)))
        .route("/v1/inventory/undo", writes(post(stock::undo)))
        .route(BACKUP, reads(get(backup::backup)))
        .route(VERIFY, reads(get(backup::verify)))
        .route("/healthz", reads(get(probes::healthz)))
        .route("/readyz", reads(get(probes::readyz)))
        .route("/metrics", reads(get(probes::metrics)))
        .fallback(|| async { Problem::not_found("no such address: the API is under /v1") })
        .layer(axum::middleware::from_fn_with_state(api.clone(), ruled))
        .layer(axum::middleware::from_fn(bounded))
        .with_state(api)
}

fn reads(route: MethodRouter<Api>) -> MethodRouter<Api> {
    route.fallback(|| not_allowed("GET, HEAD"))
}

fn writes(route: MethodRouter<Api>) -> MethodRouter<Api> {
    route.fallback(|| not_allowed("POST"))
}

async fn not_allowed(methods: &'static str) -> Response {
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", format!("this address takes {methods}"));
    ([(header::ALLOW, methods)], problem).into_response()
}

/// While the daemon starts it answers already, and has no rules yet: what would be decided by them waits for them.
async fn ruled(State(api): State<Api>, request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        api.ledger().ruled().await;
    }
    next.run(request).await
}

async fn bounded(request: Request, next: Next) -> Response {
    if [IMPORT, BACKUP, VERIFY].contains(&request.uri().path()) {
        // A long file, or a large store, takes its time; what stops arriving ends by itself.
        return next.run(request).await;
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable(
            "timeout",
            "no answer in time: whether a command was done is not known; repeat it with the same Idempotency-Key",
        )
        .into_response(),
    }
}
