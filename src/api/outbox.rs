//! The writes still owed to channels, and what was set aside.

use axum::{Json, extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    commands::{Reason, answered, do_command},
    document::{Done, Outbox, OutboxEntry, SetAside, SetAsideEntry},
    paging::{self, Cursor},
    problem::Problem,
    request::{Body, Guards, Path, Query},
    view,
};
use crate::{
    plan::command::Command,
    record::{Record, RecordId},
    store::{self, Store},
};

/// The query of the outbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only this merchant's.
    pub merchant: Option<String>,
    /// Only in this state.
    pub state: Option<EntryState>,
    /// The cursor.
    pub after: Option<String>,
    /// 1 to 250; 50 without.
    pub limit: Option<usize>,
}

/// The states that the outbox shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// To be sent.
    Pending,
    /// Under way.
    Attempting,
    /// It may have been applied.
    Indeterminate,
    /// A person decides.
    Parked,
}

impl EntryState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Attempting => "attempting",
            Self::Indeterminate => "indeterminate",
            Self::Parked => "parked",
        }
    }
}

/// `GET /v1/outbox`.
pub async fn list(State(api): State<Api>, Query(filter): Query<Filter>) -> Result<Json<Outbox>, Problem> {
    let limit = paging::limit(filter.limit)?;
    let mut after = filter.after.as_deref().map(Cursor::decode).transpose()?.map(|cursor| cursor.record);
    let mut entries = Vec::new();
    loop {
        let page = api.ledger().store().list(active(filter.merchant.as_deref(), after.take())).await?;
        for (at, record) in page.records.iter().enumerate() {
            entries.extend(
                record
                    .writes
                    .iter()
                    .filter(|write| write.state.is_owed() || write.state.is_parked())
                    .map(|write| OutboxEntry {
                        waits: unread(&api, record).filter(|_| write.state.is_owed()),
                        ..view::outbox_entry(record, write)
                    })
                    .filter(|entry| filter.state.is_none_or(|state| entry.state == state.as_str())),
            );
            // A record's writes stay together: a page may be a little longer than its limit.
            let more = at + 1 < page.records.len() || page.next.is_some();
            if entries.len() >= limit && more {
                return Ok(Json(Outbox { entries, next: Some(Cursor::past(&record.id).encode()) }));
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(Json(Outbox { entries, next: None })),
        }
    }
}

/// Why nothing is written for a record after a restore, if so.
pub(super) fn unread(api: &Api, record: &Record) -> Option<String> {
    let (merchant, channel) = (record.merchant.as_str(), record.channel.as_str());
    let whole = api.ledger().restored(merchant, channel);
    let restored = whole.or(record.restored)?;
    let taken = restored.taken.format("%Y-%m-%dT%H:%M:%SZ");
    Some(match api.0.board.get(merchant, channel).unread.filter(|_| whole.is_some()) {
        Some(left) => {
            format!("restored from the backup of {taken}: {left} open orders are still to be read back")
        }
        None if whole.is_some() => {
            format!(
                "restored from the backup of {taken}: its channel's open orders are still to be read back"
            )
        }
        None => format!("restored from the backup of {taken}: it is still to be read back"),
    })
}

fn active(merchant: Option<&str>, after: Option<RecordId>) -> store::Query {
    store::Query {
        merchant: merchant.map(str::to_owned),
        active: true,
        after,
        limit: paging::MAX_LIMIT,
        ..store::Query::default()
    }
}

/// `POST /v1/outbox/{key}/retry` and `…/drop`.
pub async fn decide(
    State(api): State<Api>,
    Path(path): Path<String>,
    guards: Guards,
    Body(body): Body<Decision>,
) -> Result<Response, Problem> {
    let Some((key, verb)) = path.rsplit_once('/') else {
        return Err(Problem::not_found("an entry of the outbox takes `…/retry` or `…/drop`"));
    };
    let command = match (verb, body.reason) {
        ("retry", None) => Command::RetryWrite { key: key.to_owned() },
        ("retry", Some(_)) => {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body", "`retry` takes no `reason`"));
        }
        ("drop", reason) => Command::DropWrite {
            key: key.to_owned(),
            reason: Reason { reason: reason.unwrap_or_default() }.check()?,
        },
        _ => return Err(Problem::not_found("an entry of the outbox takes `…/retry` or `…/drop`")),
    };
    let (record, order) = find(api.ledger().store().as_ref(), key).await?;
    let answer = do_command(&api, record.id.order(order), guards, command).await?;
    Ok(answered(&api, &answer))
}

/// The body of `retry` (empty) and `drop`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    /// Of `drop`: why, for people.
    pub reason: Option<String>,
}

/// The record that holds a write, and its supplier order. Keys begin with the order's id; one that does not is looked
/// for among the active records.
async fn find(store: &dyn Store, key: &str) -> Result<(Record, u32), Problem> {
    let of = |record: &Record| record.writes.iter().find(|write| write.key == key).map(|write| write.order);
    if let Some((id, _)) = key.split('/').next().and_then(RecordId::parse_order)
        && let Some(record) = store.record(&id).await?
        && let Some(order) = of(&record)
    {
        return Ok((record, order));
    }
    let mut after = None;
    let mut found: Option<(Record, u32)> = None;
    loop {
        let page = store.list(active(None, after.take())).await?;
        for record in page.records {
            let Some(order) = of(&record) else { continue };
            if let Some((other, _)) = &found {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "ambiguous",
                    format!("both {} and {} have a write {key:?}", other.id, record.id),
                ));
            }
            found = Some((record, order));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    found.ok_or_else(|| Problem::not_found(format!("no write {key:?}; `outbox list` shows the keys")))
}

/// The query of what was set aside.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsideFilter {
    /// Only this merchant's.
    pub merchant: Option<String>,
    /// With the payload as it came.
    pub raw: Option<bool>,
}

/// `GET /v1/set-aside`.
pub async fn set_aside(
    State(api): State<Api>,
    Query(filter): Query<AsideFilter>,
) -> Result<Json<SetAside>, Problem> {
    let raw = filter.raw.unwrap_or(false);
    let set_aside = api.ledger().store().set_aside(filter.merchant.as_deref()).await?;
    let entry = |aside: store::Aside| SetAsideEntry {
        merchant: aside.merchant,
        channel: aside.channel,
        id: aside.id,
        reason: aside.reason,
        at: aside.at,
        seen: aside.seen,
        raw: raw.then_some(aside.raw),
    };
    Ok(Json(SetAside { set_aside: set_aside.into_iter().map(entry).collect() }))
}

/// The body of `POST /v1/set-aside/drop`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropAside {
    /// Whose.
    pub merchant: String,
    /// From which channel.
    pub channel: String,
    /// The entry's id, as the list shows it.
    pub id: String,
    /// Why, for people.
    pub reason: String,
}

/// `POST /v1/set-aside/drop`: a person has seen to it. A refused file and a row without an order's number have no
/// order that could read well one day and clear them.
pub async fn drop_aside(
    State(api): State<Api>,
    Body(DropAside { merchant, channel, id, reason }): Body<DropAside>,
) -> Result<Json<Done>, Problem> {
    let reason = Reason { reason }.check()?;
    let store = api.ledger().store();
    let known = store.set_aside(Some(&merchant)).await?;
    if !known.iter().any(|aside| aside.channel == channel && aside.id == id) {
        return Err(Problem::not_found(format!(
            "nothing of {merchant}/{channel} is set aside as {id:?}; `set-aside` shows what is"
        )));
    }
    let cleared = vec![(merchant.clone(), channel.clone(), id.clone())];
    store.commit(store::Changes { cleared, ..store::Changes::default() }).await?;
    // The decision's record.
    tracing::warn!(
        event = "order.set_aside_dropped",
        merchant,
        channel,
        order = id,
        reason,
        "a person dropped what was set aside"
    );
    Ok(Json(Done { done: format!("{id} of {merchant}/{channel} is no longer set aside") }))
}
