//! What a merchant asks of the fulfillment service, and answering a cancellation.
//!
//! Only a fulfillment order at the location of a fulfillment service has requests. There is no event for them, so each
//! picture of an order brings its newest ones. What is known, and from where:
//! * **[recorded]** (`fulfillment-order-request-lifecycle.json`, 2026-04) right after a cancellation was asked for, the
//!   fulfillment order is still `IN_PROGRESS`/`ACCEPTED`, with a `CANCELLATION_REQUEST` as its newest request. An accepted
//!   one leaves it `CLOSED`/`CANCELLATION_ACCEPTED` with nothing in it, a rejected one
//!   `IN_PROGRESS`/`CANCELLATION_REJECTED`. `responseData` was null on answered requests too.
//! * **[docs]** `CANCELLATION_REQUESTED` is a status of its own
//!   (<https://shopify.dev/docs/api/admin-graphql/2026-10/enums/FulfillmentOrderRequestStatus>), and the REST pages show it
//!   in the answer to the same question
//!   (<https://shopify.dev/docs/api/admin-rest/latest/resources/cancellationrequest>). So both ways are read.
//! * **[docs]** the answers need `write_assigned_fulfillment_orders`: only the service that was asked may answer.

use sdk::{
    CancellationAnswer, CancellationRequest, Effect, Error, ErrorKind, LineQuantity, Priority, RemoteId,
    Result,
};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    cancellations::{is_open, quantity, tail},
    error::{self, LacksScope, has},
    fulfillments::order_gid,
    picture,
    wire::{
        AcceptCancellationData, FulfillmentOrder, MerchantRequest, Order, RejectCancellationData, Requests,
        RequestsData,
        documents::{ACCEPT_CANCELLATION, REJECT_CANCELLATION, REQUESTS},
    },
};

/// Stands for the number of a request that the status tells of and the list does not show.
const UNSHOWN: &str = "0";

/// The requests of an order that wait for an answer, with the units that are left in their fulfillment orders.
pub(crate) fn waiting(order: &Order<'_>) -> Result<Vec<CancellationRequest>, String> {
    let mut waiting = Vec::new();
    for fo in order.fulfillment_orders.nodes.iter().filter(|fo| is_open(&fo.status)) {
        let Some(asked) = unanswered(&fo.request_status, &fo.merchant_requests.nodes) else { continue };
        let mut lines: Vec<LineQuantity> = Vec::new();
        for line in fo.line_items.nodes.iter().filter(|line| line.remaining_quantity != 0) {
            let units = quantity(line.remaining_quantity, "fulfillment order line", &line.id)?;
            lines.push(LineQuantity { line: picture::number(&line.line_item.id)?, quantity: units });
        }
        // One whose units are all fulfilled is closed by the shop itself: there is nothing to ask.
        if lines.is_empty() {
            continue;
        }
        waiting.push(CancellationRequest {
            id: RemoteId(format!("{}-{}", picture::number(&fo.id)?, asked.number)),
            lines,
            message: asked
                .request
                .and_then(|request| request.message.as_ref())
                .filter(|message| !message.trim().is_empty())
                .map(|message| message.to_string()),
            at: asked.request.and_then(|request| picture::time("sentAt", &request.sent_at).ok()),
        });
    }
    Ok(waiting)
}

/// A cancellation that waits for an answer.
#[derive(Clone, Copy)]
struct Unanswered<'r, 'a> {
    number: &'r str,
    /// `None` where the status tells of it and the list does not show it.
    request: Option<&'r MerchantRequest<'a>>,
}

impl<'r, 'a> Unanswered<'r, 'a> {
    fn of(request: Option<&'r MerchantRequest<'a>>) -> Self {
        Self { number: request.map_or(UNSHOWN, |request| tail(&request.id)), request }
    }
}

/// The cancellation that waits for an answer.
///
/// Under `ACCEPTED` only the newest request of all can be one: an older cancellation lies before a later agreement to
/// fulfil. A word that is not known leaves it to the requests.
fn unanswered<'r, 'a>(
    request_status: &str,
    requests: &'r [MerchantRequest<'a>],
) -> Option<Unanswered<'r, 'a>> {
    let open = |request: &&MerchantRequest<'_>| is_cancellation(request) && request.response_data.is_none();
    match request_status {
        "CANCELLATION_REQUESTED" => {
            Some(Unanswered::of(newest(requests.iter().filter(|request| is_cancellation(request)))))
        }
        "UNSUBMITTED"
        | "SUBMITTED"
        | "REJECTED"
        | "CLOSED"
        | "CANCELLATION_ACCEPTED"
        | "CANCELLATION_REJECTED" => None,
        _ => newest(requests.iter()).filter(open).map(|request| Unanswered::of(Some(request))),
    }
}

fn is_cancellation(request: &MerchantRequest<'_>) -> bool {
    *request.kind == *"CANCELLATION_REQUEST"
}

/// The newest of some requests, whatever order they come in.
fn newest<'r, 'a: 'r>(
    requests: impl Iterator<Item = &'r MerchantRequest<'a>>,
) -> Option<&'r MerchantRequest<'a>> {
    requests.max_by_key(|request| {
        (picture::time("sentAt", &request.sent_at).ok(), tail(&request.id).parse::<u64>().ok())
    })
}

/// Whether a cancellation was asked for that has no answer, be the fulfillment order open or not.
pub(crate) fn is_asked_to_cancel(fo: &FulfillmentOrder<'_>) -> bool {
    unanswered(&fo.request_status, &fo.merchant_requests.nodes).is_some()
}

/// When the cancellation was asked for that a fulfillment order was given up for, where that is shown.
pub(crate) fn asked_at(fo: &FulfillmentOrder<'_>) -> Option<sdk::Timestamp> {
    let asked = newest(fo.merchant_requests.nodes.iter().filter(|request| is_cancellation(request)))?;
    picture::time("sentAt", &asked.sent_at).ok()
}

/// How a request stands with the answer that is to be given.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It waits.
    Waits,
    /// It has that answer.
    Done,
    /// It cannot have that answer any more, and why.
    Past(String),
}

/// Gives the supplier's answer. What stands answered so already is done; a refusal is looked into once, since an earlier
/// attempt may have been applied without our knowing.
pub(crate) async fn answer(admin: &Admin, answer: &CancellationAnswer) -> Result<()> {
    let document = if answer.accept { ACCEPT_CANCELLATION } else { REJECT_CANCELLATION };
    // The shop refuses a second answer: sending it twice does no more than once.
    let ask = Ask::write(document, Effect::Idempotent);
    let rejected = |what: String| Error::new(ErrorKind::Rejected, ask.name(), what);
    let order = order_gid(ask.name(), &answer.order)?;
    let (fo, request) = parts(&answer.request).ok_or_else(|| {
        rejected(format!("{:?} is not a cancellation request of this shop", answer.request.as_str()))
    })?;
    let fo = format!("gid://shopify/FulfillmentOrder/{fo}");
    let mut refusal = None;
    for _ in 0..2 {
        match standing(admin, &order, &fo, request, answer.accept).await? {
            Standing::Done => return Ok(()),
            Standing::Past(why) => return Err(rejected(why)),
            Standing::Waits => {}
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        match write(admin, ask, &fo, answer).await {
            Err(error) if error.kind == ErrorKind::Rejected => refusal = Some(error),
            Err(error) if has::<LacksScope>(&error) => {
                return Err(rejected(
                    "the app may not answer it: it lacks write_assigned_fulfillment_orders, or another \
                     fulfillment service was asked"
                        .to_owned(),
                ));
            }
            other => return other,
        }
    }
    Err(refusal.unwrap_or_else(|| rejected("the shop refuses the answer".to_owned())))
}

/// The fulfillment order's number and the request's.
fn parts(id: &RemoteId) -> Option<(&str, &str)> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    id.as_str().split_once('-').filter(|(fo, request)| number(fo) && number(request))
}

async fn write(admin: &Admin, ask: Ask, fo: &str, answer: &CancellationAnswer) -> Result<()> {
    let variables = json!({ "id": fo, "message": answer.message });
    let answered = if answer.accept {
        let pick = |data: AcceptCancellationData| data.fulfillment_order_accept_cancellation_request;
        admin.write(ask, &variables, pick).await?
    } else {
        let pick = |data: RejectCancellationData| data.fulfillment_order_reject_cancellation_request;
        admin.write(ask, &variables, pick).await?
    };
    error::refused(ask.name(), &answered.user_errors)
}

/// Looks at the fulfillment order. One that is not there, or is not of the order, has no request to answer.
async fn standing(admin: &Admin, order: &str, fo: &str, request: &str, accept: bool) -> Result<Standing> {
    let ask = Ask::read(REQUESTS, Priority::Deliver, 8.0);
    let body = admin.send(ask, &json!({ "id": fo })).await?.into_body();
    let gone =
        || Standing::Past(format!("the shop has no fulfillment order {} of this order any more", tail(fo)));
    let decoded = match admin.decode::<RequestsData<'_>>(ask, &body) {
        Ok(decoded) => decoded,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(gone()),
        Err(error) => return Err(error),
    };
    match decoded.data.fulfillment_order {
        Some(fo) if *fo.order_id == *order => Ok(stands(&fo, request, accept)),
        None if !decoded.errors.is_empty() => {
            let error = error::failure(ask.name(), &decoded.errors, None);
            if error.kind == ErrorKind::NotFound { Ok(gone()) } else { Err(error) }
        }
        _ => Ok(gone()),
    }
}

fn stands(fo: &Requests<'_>, number: &str, accept: bool) -> Standing {
    let requests = &fo.merchant_requests.nodes;
    if is_open(&fo.status)
        && let Some(waits) = unanswered(&fo.request_status, requests)
        && waits.number == number
    {
        return Standing::Waits;
    }
    let cancellations = || requests.iter().filter(|request| is_cancellation(request));
    let last = newest(cancellations()).map_or(UNSHOWN, |request| tail(&request.id));
    let answered = |so: bool, word: &str| {
        if so {
            Standing::Done
        } else {
            Standing::Past(format!("the cancellation request was {word} already"))
        }
    };
    if last != number {
        return if cancellations().any(|request| tail(&request.id) == number) {
            // Had it been accepted, the fulfillment order would be closed and nothing could be asked again.
            answered(!accept, "rejected")
        } else {
            Standing::Past("the fulfillment order has no such cancellation request".to_owned())
        };
    }
    match &*fo.request_status {
        "CANCELLATION_ACCEPTED" => answered(accept, "accepted"),
        "CANCELLATION_REJECTED" => answered(!accept, "rejected"),
        word => Standing::Past(format!(
            "the cancellation request waits for no answer any more: its fulfillment order is {} ({word})",
            &*fo.status
        )),
    }
}
