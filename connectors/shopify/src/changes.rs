//! Orders that change by their fulfillment orders alone.
//!
//! A hold, a move, or a merchant's request to a fulfillment service changes a fulfillment order. Whether the order's own
//! `updatedAt` moves with it is told nowhere (released holds were seen to move it; for requests nothing is known), and
//! the list of changed orders goes by that stamp. So the first question of each pull asks as well whose fulfillment
//! orders changed since, for 16 points; an order whose own stamp is older than the pull's beginning is read by itself.
//! Where stamps do move, there is none.

use std::sync::atomic::{AtomicBool, Ordering};

use sdk::{Error, ErrorKind, Priority, Pulled, Result, Timestamp};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    error::{self, KeptChanging, LacksScope, TooCostly, has},
    orders::{from_whole, stamp},
    picture, whole,
    wire::{Changed, ChangesData, Connection, documents::CHANGES},
};

/// Whether the shop lets us ask. A refusal is remembered until the channel connects again, and costs no order.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    refused: AtomicBool,
}

impl Changes {
    pub(crate) fn are_told(&self) -> bool {
        !self.refused.load(Ordering::Relaxed)
    }

    /// Whether an error of the whole question may be owed to the part that asks for changes.
    pub(crate) fn may_be_refused(error: &Error) -> bool {
        has::<LacksScope>(error) || (error.kind == ErrorKind::Rejected && !has::<TooCostly>(error))
    }

    pub(crate) fn refuse(&self, admin: &Admin, error: &Error) {
        self.refused.store(true, Ordering::Relaxed);
        tracing::warn!(
            event = "shopify.changes",
            channel = %admin.label(),
            error = %error,
            "the shop does not tell whose fulfillment orders changed: what leaves the order's stamp alone waits for the sweep"
        );
    }
}

/// The orders of changed fulfillment orders that the list of changed orders does not have.
pub(crate) async fn read(
    admin: &Admin,
    since: Timestamp,
    mut page: Connection<Changed>,
) -> Result<Vec<Pulled>> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        for changed in page.nodes {
            let order = changed.order;
            // An unreadable stamp is no reason to miss a change.
            let listed = picture::time("updatedAt", &order.updated_at).is_ok_and(|at| at >= since);
            if !listed && !ids.contains(&order.id) {
                ids.push(order.id);
            }
        }
        let Some(after) = page.page_info.next() else { break };
        let ask = Ask::read(CHANGES, Priority::Pull, 25.0);
        let variables = json!({ "query": query(since), "after": after });
        let body = admin.send(ask, &variables).await?.into_body();
        let decoded = admin.decode::<ChangesData>(ask, &body)?;
        let next = decoded
            .data
            .fulfillment_orders
            .ok_or_else(|| error::failure(ask.name(), &decoded.errors, None))?;
        if next.page_info.next() == Some(after) {
            return Err(Error::new(ErrorKind::Malformed, ask.name(), "the shop's pages do not go on"));
        }
        page = next;
    }
    let mut orders = Vec::with_capacity(ids.len());
    for id in ids {
        match whole::read(admin, &id, Priority::Pull).await {
            Ok(whole) => orders.push(from_whole(&id, &whole)),
            // Deleted, or changing right now: then its stamp moves, and the next pull has it.
            Err(error) if error.kind == ErrorKind::NotFound || has::<KeptChanging>(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(orders)
}

/// Orders and fulfillment orders are searched alike.
pub(crate) fn query(since: Timestamp) -> String {
    format!("updated_at:>='{}'", stamp(since))
}
