//! What changes an order. Every command goes through the ledger, with its guards.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    Api, look,
    orders::{self, tagged},
    problem::Problem,
    request::{Body, Guards, Path},
    view,
};
use crate::{
    plan::{
        cancellation::By,
        command::{AddedLine, Answer, Ask, Command, LineAmount, Parcel, Refused, TrackingChange},
    },
    record::{GateName, RecordId},
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

/// The body of `ack`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ack {
    /// In spite of what the channel says: a hold, a change seen just now, a cancellation that waits.
    pub force: bool,
}

/// The body of `cancel`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Whose word it is: `merchant` or `supplier`.
    pub by: By,
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// Which; empty: all that is open.
    #[serde(default)]
    pub lines: Vec<LineAmount>,
}

/// The body of `accept-cancel`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptCancel {
    /// Which; empty: all that is asked for.
    pub lines: Vec<LineAmount>,
}

/// The body of `reject-cancel`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectCancel {
    /// Why; told to the merchant where the channel asks for an answer.
    pub reason: String,
    /// Which; empty: all that is asked for.
    #[serde(default)]
    pub lines: Vec<LineAmount>,
}

/// The body of `confirm-address`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfirmAddress {
    /// The parcel goes to the old address all the same.
    pub keep_old: bool,
}

/// `POST …/ack`. The channel is asked for the order once more: what it changed refuses the hand-off, once.
pub async fn ack(
    State(api): State<Api>,
    Path(id): Path<String>,
    guards: Guards,
    Body(Ack { force }): Body<Ack>,
) -> Result<Response, Problem> {
    let (record, n) = orders::find(&api, &id).await?;
    let mut warnings = Vec::new();
    if record.order(n).is_some_and(|order| order.acked_at.is_none()) {
        let found = look::ask(&api, &record.id).await;
        if let Some(refused) = look::refusal(&found, &id, n).filter(|_| !force) {
            return Err(refused.into());
        }
        warnings = look::warnings(&found, n);
    }
    let mut answer = do_command(&api, id, guards, Command::Ack { force }).await?;
    answer.warnings.extend(warnings);
    Ok(answered(&api, &answer))
}

/// `POST …/ship`. An empty body never ships a whole order. With an order's first parcel its channel is asked once more,
/// after the parcel was recorded.
pub async fn ship(
    State(api): State<Api>,
    Path(id): Path<String>,
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
    let (before, n) = orders::find(&api, &id).await?;
    let first = look::is_first_parcel(&before, n);
    let mut answer = do_command(&api, id, guards, Command::Ship(parcel)).await?;
    let mut members: Vec<(RecordId, u32)> = vec![(answer.record.id.clone(), n)];
    let merged = answer.record.order(n).map(|order| order.merged.clone()).unwrap_or_default();
    members.extend(merged.iter().filter_map(|id| RecordId::parse_order(id)));
    for (record, n) in members.into_iter().filter(|_| first) {
        let found = look::ask(&api, &record).await;
        answer.warnings.extend(look::warnings(&found, n));
    }
    if first && let Some(record) = api.ledger().record(&answer.record.id).await? {
        answer.record = record;
    }
    Ok(answered(&api, &answer))
}

/// `POST …/cancel`.
pub async fn cancel(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(cancel): Body<Cancel>,
) -> Result<Response, Problem> {
    let Cancel { by, reason, lines } = cancel;
    ask(state, id, guards, Command::Cancel { by, reason, lines }).await
}

/// `POST …/accept-cancel`.
pub async fn accept_cancel(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(accept): Body<AcceptCancel>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::AcceptCancel { lines: accept.lines }).await
}

/// `POST …/reject-cancel`.
pub async fn reject_cancel(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(reject): Body<RejectCancel>,
) -> Result<Response, Problem> {
    let RejectCancel { reason, lines } = reject;
    ask(state, id, guards, Command::RejectCancel { reason, lines }).await
}

/// `POST …/confirm-address`.
pub async fn confirm_address(
    state: State<Api>,
    id: Path<String>,
    guards: Guards,
    Body(confirm): Body<ConfirmAddress>,
) -> Result<Response, Problem> {
    ask(state, id, guards, Command::ConfirmAddress { keep_old: confirm.keep_old }).await
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
