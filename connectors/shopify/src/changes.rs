//! Orders that change by their fulfillment orders alone.
//!
//! A hold, a move, or a merchant's request to a fulfillment service changes a fulfillment order. Whether the order's own
//! `updatedAt` moves with it is told nowhere (released holds were seen to move it; for requests nothing is known), and
//! the list of changed orders goes by that stamp. So the first question of each pull asks as well whose fulfillment
//! orders changed since, for 16 points; an order whose own stamp is older than the pull's beginning is read by itself.
//! Where stamps do move, there is none. (Not tried on a real shop.)

use std::sync::atomic::{AtomicBool, Ordering};

use sdk::{Error, ErrorKind, OrderPage, Priority, Result, Timestamp};
use serde::{Deserialize, Serialize};
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

/// A page of the pull between its first and its second: the orders that the list does not have. It is a page of its
/// own, so that the first, which is mostly all there is, is stored as soon as it is read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Detour {
    /// Changed at or after this.
    since: String,
    /// Orders found already.
    ids: Vec<String>,
    /// Where the list of changes goes on.
    after: Option<String>,
    /// What the first page and this one cover together.
    covers: Option<String>,
    /// The mark of the second page.
    then: Option<String>,
}

impl Detour {
    /// `None` where the list of changed orders has all of them.
    pub(crate) fn needed(since: Timestamp, page: &Connection<Changed>) -> Option<Self> {
        let mut ids = Vec::new();
        note_unlisted(&mut ids, &page.nodes, since);
        let after = page.page_info.next().map(str::to_owned);
        let detour = Self { since: stamp(since), ids, after, covers: None, then: None };
        (!detour.ids.is_empty() || detour.after.is_some()).then_some(detour)
    }

    /// Goes in before the second page. Until it is stored nothing new is covered.
    pub(crate) fn put_into(mut self, page: &mut OrderPage) -> Result<()> {
        self.then = page.next.take();
        self.covers = page.covers.map(stamp);
        page.covers = picture::time("page", &self.since).ok();
        let mark = serde_json::to_string(&self).map_err(|error| {
            Error::new(ErrorKind::Malformed, CHANGES.name, "the next page cannot be marked")
                .with_source(error)
        })?;
        page.next = Some(mark);
        Ok(())
    }

    pub(crate) fn read(mark: &str) -> Option<Self> {
        serde_json::from_str(mark).ok()
    }

    /// The page itself.
    pub(crate) async fn take(self, admin: &Admin) -> Result<OrderPage> {
        let since = picture::time("page", &self.since)
            .map_err(|why| Error::new(ErrorKind::Rejected, CHANGES.name, why))?;
        let covers = self.covers.as_deref().and_then(|covers| picture::time("page", covers).ok());
        let mut ids = self.ids;
        let mut after = self.after;
        while let Some(cursor) = after.take() {
            let ask = Ask::read(CHANGES, Priority::Pull, 25.0);
            let body = admin.send(ask, &json!({ "query": query(since), "after": cursor })).await?.into_body();
            let decoded = admin.decode::<ChangesData>(ask, &body)?;
            let page = decoded
                .data
                .fulfillment_orders
                .ok_or_else(|| error::failure(ask.name(), &decoded.errors, None))?;
            note_unlisted(&mut ids, &page.nodes, since);
            after = page.page_info.next().map(str::to_owned);
            if after.as_ref() == Some(&cursor) {
                return Err(Error::new(ErrorKind::Malformed, ask.name(), "the shop's pages do not go on"));
            }
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
        Ok(OrderPage { orders, next: self.then, covers, receipt: None })
    }
}

/// Orders whose own stamp is older than the pull's beginning. An unreadable stamp is no reason to miss a change.
fn note_unlisted(ids: &mut Vec<String>, changes: &[Changed], since: Timestamp) {
    for Changed { order } in changes {
        // The search goes by whole seconds.
        let listed =
            picture::time("updatedAt", &order.updated_at).is_ok_and(|at| at.timestamp() >= since.timestamp());
        if !listed && !ids.contains(&order.id) {
            ids.push(order.id.clone());
        }
    }
}

/// Orders and fulfillment orders are searched alike.
pub(crate) fn query(since: Timestamp) -> String {
    format!("updated_at:>='{}'", stamp(since))
}
