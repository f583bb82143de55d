//! Health and metrics.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde_json::{Value, json};

use super::{Api, merchants, problem::Problem};
use crate::telemetry::metric;

/// How long the gauges of a scrape are good for: counting reads every active record.
const GAUGES_FRESH: Duration = Duration::from_secs(15);

/// `GET /healthz`: the process answers.
pub async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the store answers and the main loop takes requests.
pub async fn readyz(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    api.ledger().store().channels().await?;
    if api.0.control.is_closed() {
        return Err(Problem::unavailable("stopping", "the daemon is stopping"));
    }
    Ok(Json(json!({ "status": "ready" })))
}

/// `GET /metrics`, in Prometheus' text format. The names stand in [`metric`].
pub async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let Some(prometheus) = api.0.prometheus.clone() else {
        return Err(Problem::not_found("metrics are not on"));
    };
    let mut taken = api.0.gauges.lock().await;
    if taken.is_none_or(|at| at.elapsed() >= GAUGES_FRESH) {
        gauges(&api).await?;
        *taken = Some(tokio::time::Instant::now());
    }
    drop(taken);
    prometheus.run_upkeep();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, prometheus.render()).into_response())
}

async fn gauges(api: &Api) -> Result<(), Problem> {
    for merchant in merchants::picture(api, None).await? {
        let set = |name: &'static str, state: &'static str, count: u64| {
            metrics::gauge!(name, "merchant" => merchant.id.clone(), "state" => state).set(count as f64);
        };
        set(metric::ORDERS, "open", merchant.open);
        set(metric::ORDERS, "held", merchant.held);
        set(metric::ORDERS, "cancel_requested", merchant.cancel_requests);
        set(metric::OUTBOX, "owed", merchant.owed);
        set(metric::OUTBOX, "parked", merchant.parked);
        set(metric::SET_ASIDE, "set_aside", merchant.set_aside);
        for channel in &merchant.channels {
            let labels = [("merchant", merchant.id.clone()), ("channel", channel.id.clone())];
            let status = &channel.status;
            if let Some(at) = status.last_pull {
                metrics::gauge!(metric::LAST_PULL, &labels).set(at.timestamp() as f64);
            }
            metrics::gauge!(metric::FAILURES, &labels).set(f64::from(status.failures));
            metrics::gauge!(metric::REPAIRED, &labels).set(status.repaired as f64);
            // Before they were counted one stands for all of them.
            let unread = status.restored.map_or(0, |_| status.unread.unwrap_or(1).max(1));
            metrics::gauge!(metric::UNREAD, &labels).set(unread as f64);
            metrics::gauge!(metric::SUSPENDED, &labels)
                .set(f64::from(u8::from(status.suspended.is_some() || !status.configured)));
        }
    }
    Ok(())
}
