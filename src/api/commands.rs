//! What changes an order. Every command goes through the ledger, with its guards.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    Api,
    orders::tagged,
    problem::Problem,
    request::{Body, Guards, Path},
    view,
};
use crate::{
    plan::command::{AddedLine, Answer, Ask, Command, LineAmount, Parcel, Refused, TrackingChange},
    record::GateName,
};

/// A body without members: whatever stands in it is refused, not ignored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Why, for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words; not empty.
    pub reason: String,
}

impl Reason {
    pub(super) fn check(self) -> Result<String, Problem> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Refused::invalid("reason", "`reason` is empty: say why, for the next reader").into());
        }
        Ok(reason.to_owned())
    }
}

/// The body of `release`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// Gates to override, for good.
    #[serde(rename = "override")]
    pub overrides: Vec<GateName>,
}

/// The body of `split`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What goes to the new order.
    pub lines: Vec<LineAmount>,
}

/// The body of `edit`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// New numbers of existing lines.
    pub lines: Vec<LineAmount>,
    /// Lines of the supplier's own.
    pub add: Vec<AddedLine>,
}

/// The body of `merge`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// Supplier orders' ids, the first being the lead.
    pub orders: Vec<String>,
}

/// `POST …/ack`.
pub async fn ack(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Ack { force: false }).await
}

/// `POST …/ship`. An empty body never ships a whole order.
pub async fn ship(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(parcel): Body<Parcel>,
) -> Result<Response, Problem> {
    if parcel == Parcel::default() {
        return Err(Refused::invalid(
            "parcel",
            "the parcel says nothing: name at least its carrier, its tracking number or its lines",
        )
        .into());
    }
    ask(state, id, guards, Command::Ship(parcel)).await
}

/// `POST …/split`.
pub async fn split(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(split): Body<Split>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Split { lines: split.lines }).await
}

/// `POST …/hold`.
pub async fn hold(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(reason): Body<Reason>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Hold { reason: reason.check()? }).await
}

/// `POST …/release`.
pub async fn release(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(release): Body<Release>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Release { overrides: release.overrides }).await
}

/// `POST …/edit`.
pub async fn edit(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(edit): Body<Edit>,
) -> Result<Response, Problem> {
    if edit.lines.is_empty() && edit.add.is_empty() {
        return Err(Refused::invalid("edit", "nothing to edit: name `lines` or `add`").into());
    }
    ask(state, id, guards, Command::Edit { lines: edit.lines, add: edit.add }).await
}

/// `POST …/unmerge`.
pub async fn unmerge(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Unmerge).await
}

/// `POST …/reimport`.
pub async fn reimport(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::Reimport).await
}

/// `POST …/shipments/{shipment}`.
pub async fn track(
    state: State<Api>,
    Path((id, shipment)): Path<(String, String)>,
    guards: Guards,
    Body(change): Body<TrackingChange>,
) -> Result<Response, Problem> {
    if change == TrackingChange::default() {
        return Err(Refused::invalid(
            "tracking",
            "nothing to correct: name `carrier`, `service`, `tracking` or `tracking_url`",
        )
        .into());
    }
    ask(state, Path(id), guards, Command::Track { shipment, change }).await
}

/// `POST …/shipments/{shipment}/void`.
pub async fn void(
    state: State<Api>,
    Path((id, shipment)): Path<(String, String)>,
    guards: Guards,
    Body(reason): Body<Reason>,
) -> Result<Response, Problem> {
    ask(state, Path(id), guards, Command::Void { shipment, reason: reason.check()? }).await
}

/// `POST /v1/orders/merge`.
pub async fn merge(
    State(api): State<Api>,
    guards: Guards,
    Body(merge): Body<Merge>,
) -> Result<Response, Problem> {
    let distinct: std::collections::BTreeSet<_> = merge.orders.iter().collect();
    if merge.orders.len() < 2 || distinct.len() != merge.orders.len() {
        return Err(Refused::invalid(
            "orders",
            "`orders` must name two or more different orders, the lead first",
        )
        .into());
    }
    let ledger = api.ledger().clone();
    let answer =
        to_the_end(async move { ledger.merge(&merge.orders, guards.key, guards.if_match).await }).await?;
    Ok(answered(&api, &answer))
}

async fn ask(
    State(api): State<Api>,
    Path(id): Path<String>,
    guards: Guards,
    command: Command,
) -> Result<Response, Problem> {
    let answer = do_command(&api, id, guards, command).await?;
    Ok(answered(&api, &answer))
}

/// Does a command through the ledger, to its end.
pub(super) async fn do_command(
    api: &Api,
    id: String,
    guards: Guards,
    command: Command,
) -> Result<Answer, Problem> {
    let ledger = api.ledger().clone();
    let ask = Ask { command, key: guards.key, if_match: guards.if_match };
    to_the_end(async move { ledger.command(&id, ask).await }).await
}

/// Runs a command in a task of its own: a client that goes away must not stop it between its commit and the telling.
async fn to_the_end(
    command: impl Future<Output = Result<Answer, Refused>> + Send + 'static,
) -> Result<Answer, Problem> {
    match tokio::spawn(command).await {
        Ok(result) => result.map_err(Problem::from),
        Err(error) => {
            tracing::error!(event = "api.failed", %error, "A command ended in a fault of the daemon.");
            Err(Problem::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "fault",
                "a fault of the daemon: see its log; look at the order before you ask again",
            ))
        }
    }
}

/// The order after a command, with its warnings; the merchant account's order where there is no supplier order.
pub(super) fn answered(api: &Api, answer: &Answer) -> Response {
    let record = &answer.record;
    match record.order(answer.order) {
        Some(order) => {
            let info = api.info();
            let mut document = view::order(record, order, info.gaps(&record.merchant, &record.channel));
            document.warnings = Some(answer.warnings.clone());
            tagged(record.version, &document)
        }
        None => {
            let mut document = view::account(record);
            document.warnings = Some(answer.warnings.clone());
            tagged(record.version, &document)
        }
    }
}
