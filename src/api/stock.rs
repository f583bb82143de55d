//! The supplier's figures, what channels show of them, imports, releases, runs taken back.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    document::Done,
    problem::Problem,
    request::{Body, Path, Query},
    stock_document as document,
};
use crate::{
    plan::{
        command::Refused,
        stock::{self, Kept, Standing},
    },
    stock::{Cause, Change, Movement, RunId, StockState, level::MOST_UNITS},
    stockroom::intake::{Asked, Intake, check_name},
    store::Changes,
};

/// The largest page of figures.
const MAX_LIMIT: usize = 1000;
/// Rows of one `PUT`: more is an import.
const MAX_ROWS: usize = 1000;
/// An import's next bytes must come within this.
const IDLE: std::time::Duration = std::time::Duration::from_secs(30);

/// The query of the figures.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelFilter {
    /// Only this SKU.
    sku: Option<String>,
    /// The cursor.
    after: Option<String>,
    /// 1 to 1000; 250 without.
    limit: Option<usize>,
}

/// `GET /v1/inventory`.
pub async fn levels(
    State(api): State<Api>,
    Query(filter): Query<LevelFilter>,
) -> Result<Json<document::Levels>, Problem> {
    let limit = match filter.limit {
        None => 250,
        Some(limit @ 1..=MAX_LIMIT) => limit,
        Some(other) => {
            return Err(Problem::bad_request("limit", format!("`limit` is {other}: 1 to {MAX_LIMIT}")));
        }
    };
    let ledger = api.ledger();
    let policies = ledger.policies();
    let (skus, last) = match &filter.sku {
        Some(sku) => ([sku.clone()].into(), None),
        None => {
            let after = filter.after.as_deref().map(cursor).transpose()?;
            let page = ledger.store().levels(after.clone(), limit).await?;
            let last = page.last().filter(|_| page.len() == limit);
            let last = last.map(|level| (level.sku.clone(), level.warehouse.clone()));
            let skus: BTreeSet<String> = page.into_iter().map(|level| level.sku).collect();
            let shelf = ledger.stockroom().shelf(skus, &policies.warehouses).await?;
            let within = |place: &(String, String)| {
                after.as_ref().is_none_or(|after| place > after)
                    && last.as_ref().is_none_or(|last| place <= last)
            };
            let levels = document::levels(&shelf, within);
            let next = last.as_ref().map(|(sku, warehouse)| encode(sku, warehouse));
            return Ok(Json(document::Levels { levels, next }));
        }
    };
    let shelf = ledger.stockroom().shelf(skus, &policies.warehouses).await?;
    Ok(Json(document::Levels { levels: document::levels(&shelf, |_| true), next: last }))
}

fn encode(sku: &str, warehouse: &str) -> String {
    format!("{sku}\0{warehouse}").bytes().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

fn cursor(text: &str) -> Result<(String, String), Problem> {
    let read = || {
        if !text.len().is_multiple_of(2)
            || text.len() > 4096
            || !text.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return None;
        }
        let bytes: Option<Vec<u8>> =
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect();
        let plain = String::from_utf8(bytes?).ok()?;
        plain.split_once('\0').map(|(sku, warehouse)| (sku.to_owned(), warehouse.to_owned()))
    };
    read().ok_or_else(|| {
        Problem::bad_request("cursor", "`after` is not a cursor of this list: take `next` of the last page")
    })
}

/// The body of `PUT /v1/inventory`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The figures.
    pub levels: Vec<SetLevel>,
}

/// One figure: `on_hand` sets it, `add` adds to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLevel {
    /// Our SKU.
    pub sku: String,
    /// The warehouse; the only one, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Units from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    /// Units more, or fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<i64>,
}

/// `PUT /v1/inventory`: all of it or nothing.
pub async fn set(
    State(api): State<Api>,
    Body(Set { levels }): Body<Set>,
) -> Result<Json<document::Levels>, Problem> {
    let ledger = api.ledger();
    let policies = ledger.policies();
    if levels.is_empty() || levels.len() > MAX_ROWS {
        return Err(Refused::invalid(
            "levels",
            format!("`levels` has {} figures: 1 to {MAX_ROWS}; for more there is the import", levels.len()),
        )
        .into());
    }
    let at = ledger.clock().now();
    let mut movements = Vec::with_capacity(levels.len());
    for level in &levels {
        let invalid = |why: String| Problem::from(Refused::invalid("level", why));
        let sku = check_name("sku", &level.sku).map_err(invalid)?;
        let warehouse = warehouse(level.warehouse.as_deref(), &policies.warehouses)?;
        let change = match (level.on_hand, level.add) {
            (Some(units), None) if (0..=MOST_UNITS).contains(&units) => Change::Set(units),
            (None, Some(units)) if units != 0 && units.abs() <= MOST_UNITS => Change::Add(units),
            (Some(units), None) => {
                return Err(invalid(format!("{sku}: `on_hand` is {units}: 0 to {MOST_UNITS}")));
            }
            (None, Some(units)) => return Err(invalid(format!("{sku}: `add` is {units}"))),
            _ => return Err(invalid(format!("{sku}: give either `on_hand` or `add`"))),
        };
        movements.push(Movement { sku: sku.to_owned(), warehouse, change, at, cause: Cause::Operator });
    }
    let skus: BTreeSet<String> = movements.iter().map(|movement| movement.sku.clone()).collect();
    ledger.stockroom().move_figures(movements).await?;
    tracing::info!(event = "stock.told", figures = levels.len(), "an operator told figures of stock");
    let shelf = ledger.stockroom().shelf(skus, &policies.warehouses).await?;
    Ok(Json(document::Levels { levels: document::levels(&shelf, |_| true), next: None }))
}

fn warehouse(named: Option<&str>, known: &[String]) -> Result<String, Problem> {
    match (named, known) {
        (Some(name), known) if known.is_empty() || known.iter().any(|known| known == name) => {
            Ok(name.to_owned())
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Ok("main".to_owned()),
        (None, several) => {
            Err(Refused::invalid("warehouse", format!("name the warehouse: {}", several.join(", "))).into())
        }
        (Some(name), known) => Err(Refused::invalid(
            "warehouse",
            format!("there is no warehouse `{name}`; known: {}", known.join(", ")),
        )
        .into()),
    }
}

/// The query of an import.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportQuery {
    /// Quantities are added, not set.
    delta: bool,
    /// Say what would change, and change nothing.
    dry_run: bool,
    /// The file names only some SKUs on purpose.
    partial: bool,
    /// Where the file has no column for it.
    warehouse: Option<String>,
}

/// `PUT /v1/inventory/import`: a CSV, read as it arrives, whole or not at all.
pub async fn import(
    State(api): State<Api>,
    Query(query): Query<ImportQuery>,
    request: axum::extract::Request,
) -> Result<Json<document::Imported>, Problem> {
    is_csv(request.headers())?;
    let ledger = api.ledger();
    let asked = Asked {
        delta: query.delta,
        dry_run: query.dry_run,
        partial: query.partial,
        warehouse: query.warehouse,
    };
    let warehouses = match ledger.policies().warehouses.as_slice() {
        [] => vec!["main".to_owned()],
        known => known.to_vec(),
    };
    let mut intake = Intake::begin(ledger.stockroom().clone(), asked, warehouses).await?;
    let mut body = request.into_body();
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame())
            .await
            .map_err(|_| Problem::bad_request("body", "the file stopped arriving: nothing was imported"))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| {
            Problem::bad_request("body", "the file ended before it was complete: nothing was imported")
        })?;
        if let Ok(bytes) = frame.into_data() {
            intake.push(&bytes).await?;
        }
    }
    // To its end, also when the client goes away.
    let done = tokio::spawn(intake.finish()).await.map_err(|error| {
        tracing::error!(event = "api.failed", %error, "an import ended in a fault of the daemon");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "a fault of the daemon: see its log")
    })??;
    Ok(Json(document::imported(done, query.dry_run)))
}

fn is_csv(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("none");
    if kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv") {
        return Ok(());
    }
    let why = format!("the body is {kind:?}: send text/csv");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", why))
}

/// The query of what a merchant's channels show.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfferFilter {
    /// Only what a push would write.
    diff: bool,
}

/// `GET /v1/inventory/merchants/{id}`: every product of its channels, with what is published, what the channel
/// acknowledged, and why one is left alone.
pub async fn merchant(
    State(api): State<Api>,
    Path(merchant): Path<String>,
    Query(OfferFilter { diff }): Query<OfferFilter>,
) -> Result<Json<document::Offers>, Problem> {
    super::merchants::known(&api, &merchant).await?;
    let ledger = api.ledger();
    let store = ledger.store();
    let policies = ledger.policies();
    let now = ledger.clock().now();
    let mut answer = document::Offers { merchant: merchant.clone(), ..document::Offers::default() };
    for ((_, channel), policy) in policies.channels.iter().filter(|((id, _), _)| *id == merchant) {
        let state = store.stock_state(&merchant, channel).await?.unwrap_or_default();
        answer.channels.push(document::channel(channel, policy, &state));
        let listings = store.listings(&merchant, channel).await?;
        let shown: BTreeMap<_, _> = store
            .shown(&merchant, channel)
            .await?
            .into_iter()
            .map(|shown| (shown.item.clone(), shown))
            .collect();
        let variants = listings.iter().map(|listing| &listing.variant);
        let skus = crate::tasks::stock::parts(variants, &policy.catalogue);
        let shelf = ledger.stockroom().shelf(skus, &policy.warehouses).await?;
        for listing in &listings {
            let standing = stock::standing(&listing.variant, policy, &shelf, now);
            let offer =
                document::offer(channel, listing, &standing, shown.get(&listing.variant.item), policy);
            let wanted = match &standing {
                Standing::Offered(_) => {
                    !diff || offer.published != offer.acknowledged.and_then(|n| u32::try_from(n).ok())
                }
                // What is the merchant's own is no difference, and no news either.
                Standing::Kept(Kept::NotOurs(_)) => false,
                Standing::Kept(_) => !diff,
            };
            if wanted {
                answer.products.push(offer);
            }
        }
    }
    Ok(Json(answer))
}

/// `GET /v1/inventory/history/{sku}`: what moved a SKU's figures, and what was written of it.
pub async fn history(
    State(api): State<Api>,
    Path(sku): Path<String>,
) -> Result<Json<document::History>, Problem> {
    let ledger = api.ledger();
    let store = ledger.store();
    let moves = if sku.contains('\0') { Vec::new() } else { store.moves_of(&sku).await? };
    let mut history = document::History {
        moves: moves.into_iter().map(|(warehouse, moved)| document::moved(&warehouse, &moved)).collect(),
        writes: Vec::new(),
        sku: sku.clone(),
    };
    for ((merchant, channel), policy) in &ledger.policies().channels {
        if !policy.stock.sync {
            continue;
        }
        let listings = store.listings(merchant, channel).await?;
        let concerned = listings.iter().filter(|listing| {
            let own = listing.variant.sku.as_deref();
            own == Some(sku.as_str())
                || crate::tasks::stock::parts([&listing.variant].into_iter(), &policy.catalogue)
                    .contains(&sku)
        });
        let concerned: BTreeMap<_, _> =
            concerned.map(|listing| (&listing.variant.item, listing.variant.sku.as_deref())).collect();
        if concerned.is_empty() {
            continue;
        }
        for shown in store.shown(merchant, channel).await? {
            let Some(own) = concerned.get(&shown.item) else { continue };
            for wrote in &shown.recent {
                history.writes.push(document::wrote(merchant, channel, own.unwrap_or_default(), wrote));
            }
        }
    }
    if history.moves.is_empty() && history.writes.is_empty() {
        return Err(Problem::not_found(format!("nothing is known of the SKU {sku:?}")));
    }
    history.writes.sort_by_key(|write| write.at);
    Ok(Json(history))
}

/// The body of `release`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Merchant id.
    pub merchant: String,
}

/// `POST /v1/inventory/release`: a person has looked. The next push may do what the stopped one would have done.
pub async fn release(
    State(api): State<Api>,
    Body(Release { merchant }): Body<Release>,
) -> Result<Json<Done>, Problem> {
    super::merchants::known(&api, &merchant).await?;
    let ledger = api.ledger();
    let room = ledger.stockroom();
    let mut released = Vec::new();
    for (_, channel) in ledger.policies().channels.keys().filter(|(id, _)| *id == merchant) {
        let state = ledger.store().stock_state(&merchant, channel).await?.unwrap_or_default();
        if state.stopped.is_none() && !state.held {
            continue;
        }
        room.change_state(&merchant, channel, Changes::default(), StockState::release).await?;
        tracing::info!(event = "stock.released", merchant, channel, "a person released a channel's stock");
        released.push(channel.clone());
    }
    if released.is_empty() {
        return Err(
            Refused::conflict("not-stopped", format!("nothing of {merchant} waits for a release")).into()
        );
    }
    room.wake(&merchant);
    Ok(Json(Done { done: format!("{merchant}: stock goes on at {}", released.join(", ")) }))
}

/// The body of `undo`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// `{merchant}.{channel}.{n}`.
    pub run: String,
    /// Say what would be written, and write nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// `POST /v1/inventory/undo`: plans, and then writes back what the channel showed before a run. Publishing waits for a
/// release from then on.
pub async fn undo(
    State(api): State<Api>,
    Body(Undo { run, dry_run }): Body<Undo>,
) -> Result<Json<document::Undone>, Problem> {
    let unknown = || Problem::not_found(format!("there is no run {run:?}; `inventory history` names them"));
    let id = RunId::parse(&run).ok_or_else(unknown)?;
    let ledger = api.ledger();
    let store = ledger.store();
    store.run(&id.merchant, &id.channel, id.n).await?.ok_or_else(unknown)?;
    let state = store.stock_state(&id.merchant, &id.channel).await?.unwrap_or_default();
    if let Some(other) = state.undo.filter(|other| *other != id.n) {
        return Err(being_undone(other).into());
    }
    let policy = ledger.policy(&id.merchant, &id.channel);
    if !policy.stock.sync && !dry_run {
        return Err(Refused::conflict(
            "sync-off",
            "inventory sync is off for this merchant: nothing is written",
        )
        .into());
    }
    if policy.shadow && !dry_run {
        return Err(Refused::conflict("shadow", "the merchant is in shadow: nothing is written").into());
    }
    if id.n <= state.moved_after {
        let why = "that run wrote at another location than the settings name now: set its figures by hand";
        return Err(Refused::conflict("moved", why).into());
    }
    let parts = store.run_parts(&id.merchant, &id.channel, id.n).await?;
    let entries: Vec<_> = parts.into_iter().flat_map(|part| part.writes).collect();
    let shown = store.shown(&id.merchant, &id.channel).await?;
    let shown = shown.into_iter().map(|shown| (shown.item.clone(), shown)).collect();
    let writes = stock::undo::undo(&entries, &shown, &id);
    if !dry_run {
        let room = ledger.stockroom();
        let after = room
            .change_state(&id.merchant, &id.channel, Changes::default(), |state| {
                if state.undo.is_none() {
                    (state.undo, state.held) = (Some(id.n), true);
                }
            })
            .await?;
        if let Some(other) = after.undo.filter(|other| *other != id.n) {
            return Err(being_undone(other).into());
        }
        // All channels of a merchant show the same figures: none of them goes on by itself.
        for (_, channel) in ledger.policies().channels.keys().filter(|(other, _)| *other == id.merchant) {
            room.change_state(&id.merchant, channel, Changes::default(), |state| state.held = true).await?;
        }
        tracing::warn!(
            event = "stock.undo",
            merchant = id.merchant,
            channel = id.channel,
            run = id.n,
            writes = writes.len(),
            "a person takes a run of stock back; publishing waits for a release"
        );
        room.wake(&id.merchant);
    }
    Ok(Json(document::undone(&id, dry_run, &writes)))
}

fn being_undone(run: u32) -> Refused {
    Refused::conflict("undo", format!("run {run} is being taken back: wait for its end"))
}

/// `GET /v1/inventory/runs/{run}`: every write of a run.
pub async fn run(State(api): State<Api>, Path(run): Path<String>) -> Result<Json<document::Run>, Problem> {
    let unknown = || Problem::not_found(format!("there is no run {run:?}"));
    let id = RunId::parse(&run).ok_or_else(unknown)?;
    let store = api.ledger().store();
    let head = store.run(&id.merchant, &id.channel, id.n).await?.ok_or_else(unknown)?;
    let parts = store.run_parts(&id.merchant, &id.channel, id.n).await?;
    Ok(Json(document::run(&head, parts)))
}
