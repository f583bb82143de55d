//! The one path by which a record changes: read, decide (`plan`), commit under compare-and-set, tell.
//!
//! "Tell" is the log (each new event of the timeline, under its name), the agenda (when the record next wants
//! attention), and a wake of the deliverer. Nobody else commits records.

use std::sync::Arc;

use arc_swap::ArcSwap;
use sdk::{Clock, Pulled, RemoteFulfillment, RemoteId};

use crate::{
    agenda::Agenda,
    plan::{
        command::{Answer, Ask, Refused},
        delivery::{Outcome, Peek, Step},
    },
    policy::{Policies, Policy},
    record::{Record, RecordId},
    store::{ChannelState, Store, StoreError},
};

/// The ledger of all orders.
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policies: ArcSwap<Policies>,
    agenda: Agenda,
}

/// What a page did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageOutcome {
    /// Orders seen for the first time.
    pub imported: usize,
    /// Orders that were known and changed.
    pub changed: usize,
    /// Orders that said nothing new.
    pub unchanged: usize,
    /// Records set aside.
    pub set_aside: usize,
}

impl Ledger {
    /// A ledger over a store. Rules come by [`Ledger::set_policies`].
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, policies: ArcSwap::from_pointee(Policies::default()), agenda: Agenda::default() }
    }

    /// The store, for questions.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// When records next want attention.
    pub fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// The rules in force.
    pub fn policy(&self, merchant: &str, channel: &str) -> Arc<Policy> {
        self.policies.load().get(merchant, channel)
    }

    /// Puts new rules in force.
    pub fn set_policies(&self, policies: Policies) {
        self.policies.store(Arc::new(policies));
    }

    /// Fills the agenda from the store: once, at the start.
    pub async fn load_agenda(&self) -> Result<usize, StoreError> {
        let entries = self.store.agenda().await?;
        for (id, due) in &entries {
            self.agenda.set(id, *due);
        }
        Ok(entries.len())
    }

    /// One record.
    pub async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.store.record(id).await
    }

    /// Takes in one page of a channel, in one commit with the channel's state (its cursor). A record that was
    /// changed meanwhile is read and decided again.
    pub async fn absorb_page(
        &self,
        merchant: &str,
        channel: &str,
        page: Vec<Pulled>,
        state: Option<ChannelState>,
    ) -> Result<PageOutcome, StoreError> {
        let _ = (merchant, channel, page, state);
        Ok(PageOutcome::default())
    }

    /// The channel no longer has this order (asked by id): alerts, and holds what is not handed off.
    pub async fn vanished(&self, id: &RecordId) -> Result<(), StoreError> {
        let _ = id;
        Ok(())
    }

    /// Time passed: gates by time alone. Answers whether a write is due now.
    pub async fn tick(&self, id: &RecordId) -> Result<bool, StoreError> {
        let _ = id;
        Ok(false)
    }

    /// What the order's next write wants now.
    pub async fn peek(&self, id: &RecordId) -> Result<Option<Peek>, StoreError> {
        let _ = id;
        Ok(None)
    }

    /// Begins a write, durably: only then may the step leave.
    pub async fn start(
        &self,
        id: &RecordId,
        key: &str,
        present: Option<&[RemoteFulfillment]>,
    ) -> Result<Option<Step>, StoreError> {
        let _ = (id, key, present);
        Ok(None)
    }

    /// Records what came of a step, durably. `jitter` in `0.0..1.0`.
    pub async fn finish(
        &self,
        id: &RecordId,
        key: &str,
        outcome: Outcome,
        jitter: f64,
    ) -> Result<(), StoreError> {
        let _ = (id, key, outcome, jitter);
        Ok(())
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
        let _ = (ids, key, if_match, RemoteId::default());
        Err(Refused::not_found("not built"))
    }
}
