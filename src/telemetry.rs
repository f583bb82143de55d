//! Logs and metrics: where they go, and the names of the metrics.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::LogFormat,
    record::{Event, Record},
};

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Some other logger is already in place.
    #[error("logs cannot be set up: {0}")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    /// Some other recorder is already in place.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Reads a level's name: `error`, `warn`, `info`, `debug`, `trace`.
pub fn parse_level(text: &str) -> Option<Level> {
    match text {
        "error" => Some(Level::ERROR),
        "warn" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        _ => None,
    }
}

/// What is let through: everything of ours at `level`, of libraries only what a person should see. Requests of the
/// HTTP crates are never logged below `warn`: their debug lines hold headers.
fn filter(level: Level) -> Targets {
    let quiet = LevelFilter::from_level(level).min(LevelFilter::WARN);
    ["tokio_cron_scheduler", "hyper", "hyper_util", "reqwest", "rustls", "h2", "sled"]
        .into_iter()
        .fold(Targets::new().with_default(level), |filter, target| filter.with_target(target, quiet))
}

/// Sends logs to standard error: once, at the start. Colours only on a terminal, so never under systemd.
pub fn init(format: LogFormat, level: Level) -> Result<(), TelemetryError> {
    let registry = tracing_subscriber::registry().with(filter(level));
    match format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            registry
                .with(fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false))
                .try_init()
        }
        LogFormat::Json => registry
            .with(fmt::layer().with_writer(std::io::stderr).json().flatten_event(true).with_target(false))
            .try_init(),
    }?;
    Ok(())
}

/// Sets up the metrics' recorder: once, at the start. `/metrics` renders the handle.
pub fn init_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    metric::describe();
    Ok(handle)
}

/// Logs one event of an order's timeline: a constant message, the data in fields. Never an address: the texts of
/// events hold none.
pub fn log_event(record: &Record, event: &Event) {
    metrics::counter!(metric::EVENTS, "event" => event.event.clone(), "merchant" => record.merchant.clone())
        .increment(1);
    let order = event.order.map_or_else(|| record.id.0.clone(), |n| record.id.order(n));
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = %event.event,
                merchant = %record.merchant,
                channel = %record.channel,
                order = %order,
                detail = %event.text,
                "Order event."
            )
        };
    }
    match event.level {
        crate::record::Level::Info => line!(info),
        crate::record::Level::Warn => line!(warn),
        crate::record::Level::Error => line!(error),
    }
}

/// Every metric's name.
pub mod metric {
    use metrics::{describe_counter, describe_gauge};

    /// Counter by `event`, `merchant`: events of orders' timelines since the start.
    pub const EVENTS: &str = "portald_order_events_total";
    /// Gauge by `merchant`, `state` (`open`, `held`, `cancel_requested`): supplier orders, without test orders.
    pub const ORDERS: &str = "portald_orders";
    /// Gauge by `merchant`, `state` (`owed`, `parked`): writes to channels.
    pub const OUTBOX: &str = "portald_outbox";
    /// Gauge by `merchant`: what was set aside.
    pub const SET_ASIDE: &str = "portald_set_aside";
    /// Gauge by `merchant`, `channel`: the last whole pull, in seconds since 1970.
    pub const LAST_PULL: &str = "portald_last_pull_timestamp_seconds";
    /// Gauge by `merchant`, `channel`: pulls that failed in a row.
    pub const FAILURES: &str = "portald_pull_failures";
    /// Gauge by `merchant`, `channel`: orders that sweeps found changed, since the start. Expected: 0.
    pub const REPAIRED: &str = "portald_sweep_repaired";
    /// Gauge by `merchant`, `channel`: 1 while nothing is read or written there.
    pub const SUSPENDED: &str = "portald_channel_suspended";

    /// Tells the recorder what they mean.
    pub(super) fn describe() {
        describe_counter!(EVENTS, "Events of orders' timelines since the start.");
        describe_gauge!(ORDERS, "Supplier orders by state, without test orders.");
        describe_gauge!(OUTBOX, "Writes to channels by state.");
        describe_gauge!(SET_ASIDE, "What could not be read, or contradicts what is known.");
        describe_gauge!(LAST_PULL, "The last whole pull, in seconds since 1970.");
        describe_gauge!(FAILURES, "Pulls that failed in a row.");
        describe_gauge!(REPAIRED, "Orders that sweeps found changed, since the start. Expected: 0.");
        describe_gauge!(SUSPENDED, "1 while nothing is read or written there.");
    }
}
