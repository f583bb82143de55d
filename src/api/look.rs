//! What a last look at the channel means for a command: it may refuse `ack` alone; of a parcel that was recorded it
//! can only warn.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Api;
use crate::{
    control::Request,
    plan::command::Refused,
    record::{Event, Record, RecordId},
    tasks::look::{BUDGET, Look},
};

/// Whoever waits for a look waits this much longer than the look itself may take.
const SLACK: Duration = Duration::from_secs(1);

/// What changes the work at the bench. Other news (a payment, a note) are taken in without a word.
const NEWS: &[&str] = &[
    "order.cancelled",
    "order.reinstated",
    "order.routed",
    "order.held",
    "order.channel_hold",
    "order.address_changed",
    "order.fulfilled_elsewhere",
    "order.unmerged",
    "order.vanished",
    "cancel.requested",
    "order.shipped_after_cancel",
];

/// Asks the order's channel for it, as far as that can be done.
pub(super) async fn ask(api: &Api, record: &RecordId) -> Look {
    let (done, looked) = oneshot::channel();
    let request = Request::Look { record: record.clone(), done };
    if api.0.control.send(request).await.is_err() {
        return Look::Failed("the daemon is ending".to_owned());
    }
    match tokio::time::timeout(BUDGET + SLACK, looked).await {
        Ok(Ok(look)) => look,
        _ => Look::Failed("no answer in time".to_owned()),
    }
}

/// What of a look concerns supplier order `n`, in words.
fn news(look: &Look, n: u32) -> Vec<&str> {
    let Look::Changed(events) = look else { return Vec::new() };
    let concerns =
        |event: &&Event| NEWS.contains(&event.event.as_str()) && event.order.is_none_or(|order| order == n);
    events.iter().filter(concerns).map(|event| event.text.as_str()).collect()
}

/// Why a hand-off is refused after a look, if so.
pub(super) fn refusal(look: &Look, id: &str, n: u32) -> Option<Refused> {
    let news = news(look, n);
    (!news.is_empty()).then(|| {
        Refused::conflict(
            "changed",
            format!(
                "the channel changed {id} just now: {}. Look at it again, then `orders ack` (or `--force`)",
                news.join("; ")
            ),
        )
    })
}

/// What to say of a look after the fact.
pub(super) fn warnings(look: &Look, n: u32) -> Vec<String> {
    match look {
        Look::Failed(why) => {
            vec![format!("the channel could not be asked for the order again ({why}): as it was last seen")]
        }
        _ => {
            news(look, n).into_iter().map(|text| format!("changed on the channel just now: {text}")).collect()
        }
    }
}

/// Whether nothing of the order was shipped or handed off before, so that a look is due.
pub(super) fn is_first_parcel(record: &Record, n: u32) -> bool {
    record.shipments.iter().all(|shipment| shipment.order != n)
}
