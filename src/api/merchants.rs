//! Status, merchants, and what an operator asks of the daemon itself.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    Api,
    census::{self, Counts},
    commands::Nothing,
    document::{Channel, DaemonStatus, Done, Merchant, MerchantList},
    problem::Problem,
    request::{Body, Path},
};
use crate::control::Request;

/// `GET /v1/status`.
pub async fn status(State(api): State<Api>) -> Result<Json<DaemonStatus>, Problem> {
    let info = api.info();
    let merchants = picture(&api, None).await?;
    let set_aside = merchants.iter().map(|merchant| merchant.set_aside as usize).sum();
    Ok(Json(DaemonStatus {
        version: info.version.clone(),
        started_at: info.started_at,
        now: api.ledger().clock().now(),
        supplier: info.supplier.clone(),
        timezone: info.zone.name().to_owned(),
        set_aside,
        merchants,
    }))
}

/// `GET /v1/merchants`.
pub async fn list(State(api): State<Api>) -> Result<Json<MerchantList>, Problem> {
    Ok(Json(MerchantList { merchants: picture(&api, None).await? }))
}

/// `GET /v1/merchants/{id}`.
pub async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Merchant>, Problem> {
    let found = picture(&api, Some(&id)).await?.into_iter().next();
    found.map(Json).ok_or_else(|| unknown(&id))
}

/// `POST …/sync`.
pub async fn sync(
    State(api): State<Api>,
    Path(merchant): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Done>, Problem> {
    configured(&api, &merchant)?;
    let done = format!("the pulls of {merchant} were started");
    ask(&api, done, |done| Request::Sync { merchant, done }).await
}

/// `POST …/pause`.
pub async fn pause(
    State(api): State<Api>,
    Path(merchant): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Done>, Problem> {
    known(&api, &merchant).await?;
    let done = format!("{merchant} is paused");
    ask(&api, done, |done| Request::Pause { merchant, paused: true, done }).await
}

/// `POST …/resume`.
pub async fn resume(
    State(api): State<Api>,
    Path(merchant): Path<String>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Done>, Problem> {
    known(&api, &merchant).await?;
    let done = format!("{merchant} goes on");
    ask(&api, done, |done| Request::Pause { merchant, paused: false, done }).await
}

/// The body of `rename`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The id in the files.
    pub to: String,
}

/// `POST …/rename`.
pub async fn rename(
    State(api): State<Api>,
    Path(old): Path<String>,
    Body(Rename { to }): Body<Rename>,
) -> Result<Json<Done>, Problem> {
    let done = format!("what was stored of {old} is now {to}'s");
    ask(&api, done, |done| Request::Rename { old, new: to, done }).await
}

/// The body of `sweep`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// One merchant; all without.
    pub merchant: Option<String>,
}

/// `POST /v1/sweep`.
pub async fn sweep(
    State(api): State<Api>,
    Body(Sweep { merchant }): Body<Sweep>,
) -> Result<Json<Done>, Problem> {
    if let Some(merchant) = &merchant {
        configured(&api, merchant)?;
    }
    let done = format!("the sweep of {} was started", merchant.as_deref().unwrap_or("all merchants"));
    ask(&api, done, |done| Request::Sweep { merchant, done }).await
}

async fn ask(
    api: &Api,
    done: String,
    request: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Request,
) -> Result<Json<Done>, Problem> {
    let gone = || Problem::unavailable("stopping", "the daemon is stopping: it takes no more requests");
    let (answer, result) = oneshot::channel();
    api.0.control.send(request(answer)).await.map_err(|_| gone())?;
    match result.await {
        Ok(Ok(())) => Ok(Json(Done { done })),
        Ok(Err(why)) => Err(Problem::new(StatusCode::CONFLICT, "refused", why)),
        Err(_) => Err(gone()),
    }
}

fn configured(api: &Api, merchant: &str) -> Result<(), Problem> {
    api.info().merchant(merchant).map(|_| ()).ok_or_else(|| unknown(merchant))
}

/// Refuses a merchant that neither the files nor the store know.
pub(super) async fn known(api: &Api, merchant: &str) -> Result<(), Problem> {
    if configured(api, merchant).is_ok() {
        return Ok(());
    }
    let channels = api.ledger().store().channels().await?;
    if channels.keys().any(|(stored, _)| stored == merchant) { Ok(()) } else { Err(unknown(merchant)) }
}

fn unknown(merchant: &str) -> Problem {
    Problem::not_found(format!("no merchant {merchant:?}; `merchants list` shows the ids"))
}

/// Every merchant that the files or the store know, or the one asked for.
pub(super) async fn picture(api: &Api, only: Option<&str>) -> Result<Vec<Merchant>, Problem> {
    let info = api.info();
    let store = api.ledger().store();
    let states = store.channels().await?;
    let census = census::take(store.as_ref(), only).await?;
    let mut aside: BTreeMap<String, u64> = BTreeMap::new();
    for entry in store.set_aside(only).await? {
        *aside.entry(entry.merchant).or_default() += 1;
    }
    let now = api.ledger().clock().now();
    let mut board = api.0.board.all();
    let mut ids: BTreeSet<String> = info.merchants.iter().map(|merchant| merchant.id.clone()).collect();
    ids.extend(states.keys().map(|(merchant, _)| merchant.clone()));
    ids.retain(|id| only.is_none_or(|only| only == id));
    let merchants = ids.into_iter().map(|id| {
        let from_files = info.merchant(&id);
        let mut channels: BTreeSet<String> = states
            .keys()
            .filter(|(merchant, _)| *merchant == id)
            .map(|(_, channel)| channel.clone())
            .collect();
        channels.extend(from_files.iter().flat_map(|m| &m.channels).map(|channel| channel.id.clone()));
        let channels: Vec<Channel> = channels
            .into_iter()
            .map(|channel| {
                let key = (id.clone(), channel);
                let mut status = board.remove(&key).unwrap_or_default();
                let named = from_files.and_then(|m| m.channels.iter().find(|known| known.id == key.1));
                status.configured = named.is_some();
                if let Some(state) = states.get(&key) {
                    status.paused = state.paused;
                    status.restored = state.restored;
                    let stored = || state.suspended.as_ref().map(|(_, why)| why.clone());
                    status.suspended = status.suspended.or_else(stored);
                }
                Channel {
                    id: key.1,
                    connector: named.map(|channel| channel.connector.clone()).unwrap_or_default(),
                    gaps: named.map(|channel| channel.gaps.clone()).unwrap_or_default(),
                    status,
                }
            })
            .collect();
        let live = || channels.iter().filter(|channel| channel.status.configured);
        let pulls: Option<Vec<_>> = live().map(|channel| channel.status.last_pull).collect();
        let last_pull = pulls.and_then(|pulls| pulls.into_iter().min());
        let counts = census.get(&id).copied().unwrap_or_else(Counts::default);
        Merchant {
            name: from_files.map_or_else(|| id.clone(), |merchant| merchant.name.clone()),
            mode: if from_files.is_some_and(|merchant| merchant.shadow) { "shadow" } else { "live" }
                .to_owned(),
            configured: from_files.is_some(),
            paused: live().count() > 0 && live().all(|channel| channel.status.paused),
            suspended: from_files.is_none() || live().any(|channel| channel.status.suspended.is_some()),
            last_pull,
            lag_secs: last_pull.map(|at| (now - at).num_seconds().max(0)),
            open: counts.open,
            held: counts.held,
            owed: counts.owed,
            parked: counts.parked,
            cancel_requests: counts.cancel_requests,
            set_aside: aside.get(&id).copied().unwrap_or(0),
            channels,
            id,
        }
    });
    Ok(merchants.collect())
}
