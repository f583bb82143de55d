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
    let channel_at = event.channel_at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = event.event.as_str(),
                merchant = record.merchant.as_str(),
                channel = record.channel.as_str(),
                order = order.as_str(),
                channel_at,
                detail = event.text.as_str(),
                "{}",
                sentence(&event.event)
            )
        };
    }
    match event.level {
        crate::record::Level::Info => line!(info),
        crate::record::Level::Warn => line!(warn),
        crate::record::Level::Error => line!(error),
    }
}

/// What an event of an order's timeline means: its log line's message, the same at every time.
pub fn sentence(event: &str) -> &'static str {
    match event {
        "order.imported" => "an order was imported",
        "order.set_aside_dropped" => "a person dropped what was set aside",
        "order.excluded" => "an order is older than the cut-over: it is never routed",
        "order.routed" => "an order was released to the supplier",
        "order.held" => "an order is held",
        "order.changed" => "an order changed on its channel",
        "order.address_changed" => "an order's address changed after it was taken into work",
        "order.cancelled" => "units of an order were cancelled",
        "order.reinstated" => "cancelled units of an order are wanted again",
        "order.fulfilled_elsewhere" => "units of an order were fulfilled by someone else",
        "order.address_confirmed" => "the supplier decided on an order's changed address",
        "order.channel_hold" => "the channel holds an order",
        "order.channel_release" => "the channel holds an order no longer",
        "order.split_on_channel" => "the merchant split an order on its channel",
        "order.restored" => {
            "an order was restored from a backup: it is read back before anything is written for it"
        }
        "order.read_back" => "a restored order was read back from its channel",
        "order.restored_parcel" => "the channel has a parcel that the restored store did not know",
        "order.restored_parcel_settled" => "a person saw to a parcel that the restored store did not know",
        "order.returned" => "an order that had vanished is on its channel again",
        "order.vanished" => "an open order is no longer on its channel",
        "order.acked" => "an order was taken into work",
        "order.hold" => "the supplier holds an order",
        "order.release" => "the supplier lifted its hold",
        "order.gate_overridden" => "a person overrode a gate",
        "order.edited" => "the supplier edited its order",
        "order.reimported" => "a person had an order decided anew",
        "order.split" => "the supplier split an order",
        "order.merged" => "an order joined a ship-together group",
        "order.unmerged" => "an order left its ship-together group",
        "order.shipped" => "a parcel was recorded",
        "order.shipped_after_cancel" => "cancelled units were shipped all the same",
        "cancel.requested" => "the channel asks to cancel units that are in work",
        "cancel.accepted" => "the supplier accepted a cancellation",
        "cancel.rejected" => "the supplier rejected a cancellation",
        "cancel.withdrawn" => "a cancellation that waited for an answer is not wanted any more",
        "cancel.answered" => "the channel has the answer to its cancellation request",
        "cancel.by_hand" => "a cancellation request must be answered on the channel by hand",
        "tracking.recorded" => "the merchant account shows a parcel",
        "tracking.corrected" => "a parcel's tracking was corrected",
        "tracking.pushed" => "the channel has a parcel's corrected tracking",
        "shipment.voided" => "a parcel was voided",
        "split.mirrored" => "the merchant account shows a split",
        "split.pushed" => "the channel shows a split",
        "fulfillment.pushed" => "the channel has a parcel",
        "fulfillment.adopted" => "a write of unknown outcome had reached the channel",
        "fulfillment.reduced" => "the channel takes a part of a parcel only",
        "fulfillment.voided" => "the channel took a parcel back",
        "fulfillment.void_by_hand" => "a parcel must be taken back on the channel by hand",
        "fulfillment.taken_back" => "a parcel that the channel had is gone from it",
        "fulfillment.overlaid" => "the channel shows an earlier tracking number",
        "fulfillment.duplicate" => "the channel has a parcel twice",
        "outbox.retry" => "a write to a channel failed and will be tried again",
        "outbox.parked" => "a write to a channel was refused and waits for a person",
        "outbox.nothing_to_do" => "nothing is left of a write to a channel",
        "outbox.retried" => "a person asked for a write to be sent now",
        "stock.negative" => "a parcel took more of a SKU than was on hand",
        "outbox.dropped" => "a person gave up a write to a channel",
        _ => "something happened to an order",
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

    /// Gauge by `merchant`, `channel`: open orders still to be read back after a restore; nothing is written until 0.
    pub const UNREAD: &str = "portald_restore_unread";

    /// Counter by `merchant`, `channel`, `answer` (`set`, `refused`, `stale`, `not_applied`): writes of stock.
    pub const STOCK_WRITES: &str = "portald_stock_writes_total";
    /// Counter by `merchant`, `channel`: figures that the daily comparison found otherwise. Expected: 0.
    pub const STOCK_DRIFT: &str = "portald_stock_drift_total";
    /// Gauge by `merchant`, `channel`: 1 while a push of stock waits for a person.
    pub const STOCK_STOPPED: &str = "portald_stock_stopped";
    /// Gauge by `merchant`, `channel`: the last whole push of stock, in seconds since 1970.
    pub const LAST_STOCK: &str = "portald_last_stock_timestamp_seconds";
    /// Gauge by `merchant`, `channel`: products that look like ours and are not auto-dropship.
    pub const UNFLAGGED: &str = "portald_products_unflagged";

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
        describe_gauge!(UNREAD, "Open orders still to be read back after a restore. Expected: 0.");
        describe_counter!(STOCK_WRITES, "Writes of stock by what came of them, since the start.");
        describe_counter!(
            STOCK_DRIFT,
            "Figures that channels showed otherwise than acknowledged. Expected: 0."
        );
        describe_gauge!(STOCK_STOPPED, "1 while a push of stock waits for a person.");
        describe_gauge!(LAST_STOCK, "The last whole push of stock, in seconds since 1970.");
        describe_gauge!(UNFLAGGED, "Products that look like ours and are not auto-dropship.");
    }
}
