//! The one path by which a record changes: read, decide (`plan`), commit under compare-and-set, tell.

use std::sync::Arc;

use sdk::Clock;

use crate::{
    plan::command::{Answer, Ask, Refused},
    record::{Record, RecordId},
    store::{Store, StoreError},
};

/// The ledger of all orders.
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// The store, for questions.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// One record.
    pub async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.store.record(id).await
    }

    /// Does a command on the supplier order `id`, durably.
    pub async fn command(&self, id: &str, ask: Ask) -> Result<Answer, Refused> {
        let _ = (id, ask);
        Err(Refused::not_found("not built"))
    }

    /// Makes a ship-together group of supplier orders, the first being the lead; one commit writes all.
    pub async fn merge(
        &self,
        ids: &[String],
        key: Option<String>,
        if_match: Option<u64>,
    ) -> Result<Answer, Refused> {
        let _ = (ids, key, if_match);
        Err(Refused::not_found("not built"))
    }
}
