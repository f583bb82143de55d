//! Alerts that follow from what is: they appear with their cause and go with it. (Others are set where something
//! happened, and stay.)

use sdk::Timestamp;

use super::address;
use crate::record::{Alert, Record};

/// The codes of the alerts that are kept here.
const CODES: &[&str] = &["cancel-requested", "channel-hold", "address-changed", "vanished"];

/// Brings these alerts in line with the record. Answers whether something changed.
pub(super) fn apply(record: &mut Record, now: Timestamp) -> bool {
    let asked: u64 = record.lines.iter().map(|line| u64::from(line.cancel_requested)).sum();
    let since = (asked > 0).then(|| record.cancel_requested_at.unwrap_or(now));
    let mut changed = record.cancel_requested_at != since;
    record.cancel_requested_at = since;

    let mut wanted = wanted(record);
    for alert in &mut wanted {
        let known = record.alerts.iter().find(|known| known.code == alert.code && known.order == alert.order);
        alert.at = known.map_or(now, |known| known.at);
    }
    let kept = |alert: &&Alert| CODES.contains(&alert.code.as_str());
    if !record.alerts.iter().filter(kept).eq(wanted.iter()) {
        record.alerts.retain(|alert| !kept(&alert));
        record.alerts.extend(wanted);
        changed = true;
    }
    changed
}

fn wanted(record: &Record) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut add = |code: &str, order: Option<u32>, text: String| {
        alerts.push(Alert { code: code.to_owned(), text, order, at: Timestamp::MIN_UTC });
    };
    let asked: Vec<String> = record
        .lines
        .iter()
        .filter(|line| line.cancel_requested > 0)
        .map(|line| format!("{} × {}", line.cancel_requested, line.name()))
        .collect();
    if !asked.is_empty() {
        let text = format!(
            "STOP: {} cancelled while in work: `orders accept-cancel` or `orders reject-cancel` answers it",
            asked.join(", ")
        );
        add("cancel-requested", None, text);
    }
    let open = |order: &&crate::record::SupplierOrder| order.lines.iter().any(|line| line.open() > 0);
    if record.vanished_at.is_some() && record.orders.iter().any(|order| open(&order)) {
        add("vanished", None, crate::record::VANISHED.to_owned());
    }
    for order in record.orders.iter().filter(|order| order.acked_at.is_some()).filter(open) {
        if !record.seen.holds.is_empty() {
            let holds = record.seen.holds.join(", ");
            let text = format!("{} is in work, and held on the channel: {holds}", record.id.order(order.n));
            add("channel-hold", Some(order.n), text);
        }
        if address::change(record, order).is_some() {
            let text = format!(
                "the ship-to of {0} changed on the channel after hand-off: `orders confirm-address {0}` follows it, \
                 `--keep-old` does not",
                record.id.order(order.n)
            );
            add("address-changed", Some(order.n), text);
        }
    }
    alerts
}
