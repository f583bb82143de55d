//! The one path by which a record changes: read, decide (`plan`), commit under compare-and-set, tell.
//!
//! "Tell" is the log (each new event of the timeline, under its name), the agenda (when the record next wants
//! attention), and a wake of the deliverer. Nobody else commits records.

mod effects;
mod flags;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use sdk::{Clock, Order, Pulled, RemoteFulfillment, RemoteId, Timestamp, Unreadable};

use crate::{
    agenda::Agenda,
    plan::{
        self, Absorbed,
        command::{self, Answer, Ask, Book, Refused, RefusedKind, Setting},
        delivery::{self, Outcome, Peek, Step},
    },
    policy::{Policies, Policy},
    record::{Event, Record, RecordId, Restored},
    stockroom::Stockroom,
    store::{Aside, Changes, ChannelState, StockChanges, Store, StoreError},
    telemetry,
};

/// How often one change is decided again when others write the same record: more means that something is wrong.
const MOST_TRIES: usize = 32;

/// So many events stay in a record's head; when there are more, the older half of them moves to a part.
const TIMELINE: usize = 64;

/// The ledger of all orders.
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policies: ArcSwap<Policies>,
    /// Whether rules were ever put in force.
    ruled: tokio::sync::watch::Sender<bool>,
    agenda: Agenda,
    stockroom: Arc<Stockroom>,
    flags: Mutex<flags::Flags>,
    flag_turn: tokio::sync::Mutex<()>,
    /// (merchant, channel, id) of what is set aside.
    aside: Mutex<BTreeSet<(String, String, String)>>,
    /// (merchant, channel) of those that are read back after a restore.
    restored: Mutex<BTreeMap<(String, String), Restored>>,
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
        Self {
            stockroom: Arc::new(Stockroom::new(store.clone(), clock.clone())),
            store,
            clock,
            policies: ArcSwap::from_pointee(Policies::default()),
            ruled: tokio::sync::watch::Sender::new(false),
            agenda: Agenda::default(),
            flags: Mutex::default(),
            flag_turn: tokio::sync::Mutex::default(),
            aside: Mutex::default(),
            restored: Mutex::default(),
        }
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

    /// The supplier's stock.
    pub fn stockroom(&self) -> &Arc<Stockroom> {
        &self.stockroom
    }

    /// Resolves once rules are in force. Until then nothing that a person asks for may be decided: without its rules a
    /// channel seems to be able to do nothing.
    pub async fn ruled(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.ruled.subscribe().wait_for(|ruled| *ruled).await;
    }

    /// Whether rules are in force.
    pub fn is_ruled(&self) -> bool {
        *self.ruled.borrow()
    }

    /// The rules of all channels in force.
    pub fn policies(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    /// The rules in force.
    pub fn policy(&self, merchant: &str, channel: &str) -> Arc<Policy> {
        self.policies.load().get(merchant, channel)
    }

    /// Takes note of a channel's restore while it is read back; `None`: it was.
    pub fn note_restored(&self, merchant: &str, channel: &str, restored: Option<Restored>) {
        let key = (merchant.to_owned(), channel.to_owned());
        let mut all = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        match restored {
            Some(restored) => _ = all.insert(key, restored),
            None => _ = all.remove(&key),
        }
    }

    /// The restore after which a channel is still read back.
    pub fn restored(&self, merchant: &str, channel: &str) -> Option<Restored> {
        let key = (merchant.to_owned(), channel.to_owned());
        self.restored.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// Fills the agenda from the store, and reads the flags of products: once, at the start, before any rules are put
    /// in force.
    pub async fn load_agenda(&self) -> Result<usize, StoreError> {
        self.load_flags().await?;
        let entries = self.store.agenda().await?;
        for (id, due) in &entries {
            self.agenda.set(id, *due);
        }
        let aside = self.store.set_aside(None).await?;
        self.aside().extend(aside.into_iter().map(|aside| (aside.merchant, aside.channel, aside.id)));
        Ok(entries.len())
    }

    /// One record.
    pub async fn record(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.store.record(id).await
    }

    /// Takes in one page of a channel, asked for at `asked`, in one commit with the channel's state (its cursor). A
    /// record that was changed meanwhile is read and decided again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the *channel's state* was changed meanwhile: read it again and come back.
    pub async fn absorb_page(
        &self,
        merchant: &str,
        channel: &str,
        page: Vec<Pulled>,
        asked: Timestamp,
        state: Option<ChannelState>,
    ) -> Result<PageOutcome, StoreError> {
        let policy = self.policy(merchant, channel);
        if policy.is_suspended() && !page.is_empty() {
            // A reload took the merchant away while this was read. Without its rules new lines would be decided as the
            // merchant's own, and that is for good: nothing is stored, and the cursor stays for when it is back.
            return Err(StoreError::Conflict(format!("the rules of channel {merchant}.{channel}")));
        }
        let mut orders = Vec::with_capacity(page.len());
        let mut unreadable = Vec::new();
        for pulled in page {
            match pulled {
                Pulled::Order(order) => match uncountable(&order) {
                    None => orders.push(*order),
                    Some(reason) => {
                        unreadable.push(Unreadable { id: order.id.clone(), reason, raw: raw(&order) });
                    }
                },
                Pulled::Unreadable(entry) => unreadable.push(entry),
            }
        }
        let mut outcome = PageOutcome { set_aside: unreadable.len(), ..PageOutcome::default() };
        let mut aside = self.asides(merchant, channel, unreadable).await?;
        let mut cleared = Vec::new();
        for _ in 0..MOST_TRIES {
            let mut decided = self.decide(&policy, std::mem::take(&mut orders), asked, aside.clone()).await?;
            let outcome_now = decided.outcome;
            // Kept for another round, which sees only the orders that changed something.
            aside.clone_from(&decided.aside);
            cleared.append(&mut decided.cleared);
            cleared.retain(|(_, _, id)| aside.iter().all(|aside| aside.id != *id));
            let mut changes =
                Changes { set_aside: decided.aside, cleared: cleared.clone(), ..Changes::default() };
            if let Some(state) = &state {
                changes.channels.push((merchant.to_owned(), channel.to_owned(), state.clone()));
            }
            let sold = sold(&policy, &decided.changes);
            match self.commit(decided.changes, changes).await {
                Ok(()) => {
                    self.stockroom.note_sold(merchant, channel, sold);
                    outcome.imported += outcome_now.imported;
                    outcome.changed += outcome_now.changed;
                    outcome.unchanged += outcome_now.unchanged;
                    outcome.set_aside += outcome_now.set_aside;
                    return Ok(outcome);
                }
                Err((StoreError::Conflict(what), decided)) => {
                    if let Some(state) = &state {
                        let stored =
                            self.store.channel(merchant, channel).await?.map_or(0, |stored| stored.version);
                        if stored != state.version {
                            return Err(StoreError::Conflict(what));
                        }
                    }
                    // What a record shows as seen is what the channel told: the page again, without a copy of it.
                    orders = decided.into_iter().map(|change| change.record.seen).collect();
                    outcome.unchanged += outcome_now.unchanged;
                    outcome.set_aside += outcome_now.set_aside;
                }
                // One order that cannot be kept must not hold up the channel for ever.
                Err((StoreError::TooLarge { key, bytes }, mut decided)) => {
                    let error = StoreError::TooLarge { key, bytes };
                    let Some(at) = decided.iter().position(|change| change.size() + SLACK >= bytes) else {
                        return Err(error);
                    };
                    let seen = decided.remove(at).record.seen;
                    aside.push(Aside {
                        merchant: merchant.to_owned(),
                        channel: channel.to_owned(),
                        reason: format!("order {}: {error}", seen.number),
                        raw: bounded(raw(&seen)),
                        id: seen.id.0,
                        at: self.clock.now(),
                        seen: 1,
                    });
                    orders = decided.into_iter().map(|change| change.record.seen).collect();
                    outcome.unchanged += outcome_now.unchanged;
                    outcome.set_aside += outcome_now.set_aside + 1;
                }
                Err((error, _)) => return Err(error),
            }
        }
        Err(StoreError::Failed(format!("{merchant}.{channel}: a page met others' writes {MOST_TRIES} times")))
    }

    /// What a page's orders do to their records.
    async fn decide(
        &self,
        policy: &Policy,
        orders: Vec<Order>,
        asked: Timestamp,
        aside: Vec<Aside>,
    ) -> Result<Decided, StoreError> {
        let now = self.clock.now();
        let mut decided = Decided { aside, ..Decided::default() };
        let ids: Vec<RecordId> =
            orders.iter().map(|order| RecordId::new(&policy.merchant, &policy.channel, &order.id)).collect();
        let known = self.stored(&ids, &mut decided, policy, now).await?;
        let restored = self.restored(&policy.merchant, &policy.channel);
        let mut place: HashMap<RecordId, usize> = HashMap::with_capacity(ids.len());
        for ((order, id), stored) in orders.into_iter().zip(ids).zip(known) {
            let Some(stored) = stored else { continue };
            let remote = order.id.clone();
            // Only a channel that cannot revise orders needs its words kept, for the conflict that may follow.
            let told = if policy.capabilities.sees_edits { String::new() } else { raw(&order) };
            if let Some(at) = place.get(&id).copied() {
                // The same order twice in one page: the later picture counts.
                let change = &mut decided.changes[at];
                match plan::absorb(&mut change.record, order, policy, now) {
                    Absorbed::Unchanged | Absorbed::Changed => {}
                    Absorbed::Conflict(why) => {
                        let number = change.record.seen.number.clone();
                        decided.conflict(policy, &(remote, number, told), why, now);
                    }
                }
                continue;
            }
            let mut change = match stored {
                None => {
                    decided.outcome.imported += 1;
                    let mut record = plan::import(order, policy, now);
                    if let Some(restored) = restored {
                        plan::restored::imported(&mut record, restored, now);
                    }
                    Change { record, known: 0 }
                }
                Some(mut record) if plan::restored::is_answered(&record, asked, policy) => {
                    let events = record.timeline.len();
                    match plan::restored::read_back(&mut record, order, policy, now) {
                        Absorbed::Conflict(why) => {
                            let number = record.seen.number;
                            decided.conflict(policy, &(remote, number, told), why, now);
                            continue;
                        }
                        Absorbed::Unchanged | Absorbed::Changed => {
                            decided.outcome.changed += 1;
                            Change { record, known: events }
                        }
                    }
                }
                Some(record) if plan::is_overtaken(&record, &order, asked) => {
                    decided.outcome.unchanged += 1;
                    continue;
                }
                Some(mut record) => {
                    let events = record.timeline.len();
                    let same = order.updated_at == record.seen.updated_at;
                    match plan::absorb(&mut record, order, policy, now) {
                        // The same picture, but of later: what it still shows was not only on its way.
                        Absorbed::Unchanged if same && plan::retell(&mut record, asked, policy, now) => {
                            decided.outcome.changed += 1;
                            Change { record, known: events }
                        }
                        Absorbed::Unchanged => {
                            decided.outcome.unchanged += 1;
                            self.clear(&mut decided, policy, &remote);
                            continue;
                        }
                        Absorbed::Conflict(why) => {
                            let number = record.seen.number;
                            decided.conflict(policy, &(remote, number, told), why, now);
                            continue;
                        }
                        Absorbed::Changed => {
                            decided.outcome.changed += 1;
                            Change { record, known: events }
                        }
                    }
                }
            };
            self.clear(&mut decided, policy, &remote);
            place.insert(id, decided.changes.len());
            change.record.seen_asked = Some(asked);
            plan::retell(&mut change.record, asked, policy, now);
            decided.changes.push(change);
        }
        Ok(decided)
    }

    /// The stored records of a page. One that cannot be read is set aside (the inner `None` means new, the outer one
    /// that), and the rest of the page goes on.
    #[allow(clippy::option_option, reason = "new, known and unreadable are three things")]
    async fn stored(
        &self,
        ids: &[RecordId],
        decided: &mut Decided,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Vec<Option<Option<Record>>>, StoreError> {
        match self.store.records(ids.to_vec()).await {
            Ok(records) => return Ok(records.into_iter().map(Some).collect()),
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut stored = Vec::with_capacity(ids.len());
        for id in ids {
            stored.push(match self.store.record(id).await {
                Ok(record) => Some(record),
                Err(error @ StoreError::Corrupt { .. }) => {
                    decided.outcome.set_aside += 1;
                    decided.aside.push(Aside {
                        merchant: policy.merchant.clone(),
                        channel: policy.channel.clone(),
                        id: id.0.clone(),
                        reason: error.to_string(),
                        raw: String::new(),
                        at: now,
                        seen: 1,
                    });
                    None
                }
                Err(error) => return Err(error),
            });
        }
        Ok(stored)
    }

    /// An order that reads well again is no longer set aside.
    fn clear(&self, decided: &mut Decided, policy: &Policy, id: &RemoteId) {
        let key = (policy.merchant.clone(), policy.channel.clone(), id.0.clone());
        if self.aside().contains(&key) {
            decided.cleared.push(key);
        }
    }

    /// The entries for records that cannot be read, counting on from what is there.
    async fn asides(
        &self,
        merchant: &str,
        channel: &str,
        unreadable: Vec<Unreadable>,
    ) -> Result<Vec<Aside>, StoreError> {
        if unreadable.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.store.set_aside(Some(merchant)).await?;
        let now = self.clock.now();
        Ok(unreadable
            .into_iter()
            .map(|entry| {
                let before = known.iter().find(|aside| aside.channel == channel && aside.id == entry.id.0);
                Aside {
                    merchant: merchant.to_owned(),
                    channel: channel.to_owned(),
                    id: entry.id.0,
                    reason: entry.reason,
                    raw: bounded(entry.raw),
                    at: before.map_or(now, |aside| aside.at),
                    seen: before.map_or(0, |aside| aside.seen).saturating_add(1),
                }
            })
            .collect())
    }

    /// The channel no longer has this order (asked by id): alerts, and holds what is not handed off.
    pub async fn vanished(&self, id: &RecordId) -> Result<(), StoreError> {
        self.change(id, |record, policy, now| {
            let news = plan::intake::vanished(record, now);
            (news | plan::reconcile(record, policy, now), ())
        })
        .await
        .map(|_| ())
    }

    /// The channel cannot tell of a restored order, and why: what is owed for it waits for a person.
    pub async fn untold(&self, id: &RecordId, why: &str) -> Result<(), StoreError> {
        self.change(id, |record, policy, now| {
            let unread = record.restored.is_some();
            plan::restored::untold(record, why, policy, now);
            (unread, ())
        })
        .await
        .map(|_| ())
    }

    /// Time passed: gates by time alone. Answers whether a write is due now.
    pub async fn tick(&self, id: &RecordId) -> Result<bool, StoreError> {
        let due = self
            .change(id, |record, policy, now| {
                let changed = plan::reconcile(record, policy, now);
                (changed, delivery::peek(record, policy, now).is_some())
            })
            .await?;
        Ok(due.unwrap_or(false))
    }

    /// What the order's next write wants now.
    pub async fn peek(&self, id: &RecordId) -> Result<Option<Peek>, StoreError> {
        let Some(record) = self.store.record(id).await? else {
            self.agenda.remove(id);
            return Ok(None);
        };
        Ok(delivery::peek(&record, &self.policy(&record.merchant, &record.channel), self.clock.now()))
    }

    /// Begins a write, durably: only then may the step leave.
    pub async fn start(
        &self,
        id: &RecordId,
        key: &str,
        present: Option<&[RemoteFulfillment]>,
    ) -> Result<Option<Step>, StoreError> {
        let step = self
            .change(id, |record, policy, now| {
                let before = record.clone();
                let step = delivery::start(record, key, present, policy, now);
                (*record != before, step)
            })
            .await?;
        Ok(step.flatten())
    }

    /// Records what came of a step, durably. `jitter` in `0.0..1.0`.
    pub async fn finish(
        &self,
        id: &RecordId,
        key: &str,
        outcome: Outcome,
        jitter: f64,
    ) -> Result<(), StoreError> {
        self.change(id, |record, policy, now| {
            delivery::finish(record, key, &outcome, policy, now, jitter);
            (true, ())
        })
        .await
        .map(|_| ())
    }

    /// Reads, decides, commits; decides again where somebody else wrote first. `None`: there is no such record.
    /// `decide` answers whether it changed the record, and what else the caller wants to know.
    async fn change<T>(
        &self,
        id: &RecordId,
        mut decide: impl FnMut(&mut Record, &Policy, Timestamp) -> (bool, T) + Send,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..MOST_TRIES {
            let Some(mut record) = self.store.record(id).await? else {
                self.agenda.remove(id);
                return Ok(None);
            };
            let known = record.timeline.len();
            let policy = self.policy(&record.merchant, &record.channel);
            let (changed, answer) = decide(&mut record, &policy, self.clock.now());
            if !changed {
                self.agenda.update(&record);
                return Ok(Some(answer));
            }
            match self.commit(vec![Change { record, known }], Changes::default()).await {
                Ok(()) => return Ok(Some(answer)),
                Err((StoreError::Conflict(_), _)) => {}
                Err((error, _)) => return Err(error),
            }
        }
        Err(StoreError::Failed(format!("{id} met others' writes {MOST_TRIES} times")))
    }

    /// Does a command on the supplier order `id`, durably.
    pub async fn command(&self, id: &str, ask: Ask) -> Result<Answer, Refused> {
        let (record, n) = RecordId::parse_order(id).ok_or_else(|| unknown(id))?;
        self.do_command(
            vec![record.clone()],
            |book, setting| command::apply(book, &record, n, &ask, setting),
            |book| {
                book.get(&record).map(|record| command::reach(record, n, &ask.command)).unwrap_or_default()
            },
        )
        .await
    }

    /// Makes a ship-together group of supplier orders, the first being the lead; one commit writes all.
    pub async fn merge(
        &self,
        ids: &[String],
        key: Option<String>,
        if_match: Option<u64>,
    ) -> Result<Answer, Refused> {
        let mut records = Vec::new();
        for id in ids {
            let (record, _) = RecordId::parse_order(id).ok_or_else(|| unknown(id))?;
            if !records.contains(&record) {
                records.push(record);
            }
        }
        let apply = |book: &mut Book, setting: Setting<'_>| {
            command::merge(book, ids, key.as_deref(), if_match, setting)
        };
        self.do_command(records, apply, |_| Vec::new()).await
    }

    async fn do_command(
        &self,
        ids: Vec<RecordId>,
        apply: impl Fn(&mut Book, Setting<'_>) -> Result<Answer, Refused> + Send + Sync,
        reach: impl Fn(&Book) -> Vec<RecordId> + Send + Sync,
    ) -> Result<Answer, Refused> {
        for _ in 0..MOST_TRIES {
            let mut book = self.load(ids.clone()).await?;
            let further = reach(&book);
            if !further.is_empty() {
                book.extend(self.load(further).await?);
            }
            let before = book.clone();
            let policies = self.policies.load_full();
            let mut answer = apply(&mut book, Setting { policies: &policies, now: self.clock.now() })?;
            let effects =
                self.effects(&before, &mut book, &policies).await.map_err(|error| unavailable(&error))?;
            if let Some(record) = book.get(&answer.record.id) {
                // With what a new parcel took.
                answer.record = record.clone();
            }
            let changes: Vec<Change> = book
                .into_iter()
                .filter_map(|(id, record)| {
                    let old = before.get(&id).filter(|old| **old != record)?;
                    Some(Change { known: old.timeline.len(), record })
                })
                .collect();
            if changes.is_empty() && effects.movements.is_empty() {
                // Done before, under the same key: but what was read of it may not be on disk yet, or never be.
                self.store.flushed().await.map_err(|error| unavailable(&error))?;
                return Ok(answer);
            }
            let stored = changes.iter().any(|change| change.record.id == answer.record.id);
            let stock = StockChanges { movements: effects.movements, ..StockChanges::default() };
            let _gate = if effects.gated { Some(self.stockroom.gate().await) } else { None };
            match self.commit(changes, Changes { stock, ..Changes::default() }).await {
                Ok(()) => {
                    answer.record.version += u64::from(stored);
                    return Ok(answer);
                }
                Err((StoreError::Conflict(_), _)) => {}
                Err((error, _)) => return Err(unavailable(&error)),
            }
        }
        Err(unavailable(&StoreError::Failed(format!("the order met others' writes {MOST_TRIES} times"))))
    }

    async fn load(&self, ids: Vec<RecordId>) -> Result<Book, Refused> {
        let records = self.store.records(ids).await.map_err(|error| unavailable(&error))?;
        Ok(records.into_iter().flatten().map(|record| (record.id.clone(), record)).collect())
    }

    /// Commits records and what goes with them; then tells: the log, the agenda, who is set aside. A failed commit
    /// gives the changes back.
    async fn commit(
        &self,
        mut changed: Vec<Change>,
        mut with: Changes,
    ) -> Result<(), (StoreError, Vec<Change>)> {
        if changed.is_empty() && with.is_empty() {
            return Ok(());
        }
        let events: Vec<Vec<Event>> =
            changed.iter().map(|change| change.record.timeline[change.known..].to_vec()).collect();
        for change in &changed {
            let mut record = change.record.clone();
            if record.timeline.len() > TIMELINE {
                let old: Vec<Event> = record.timeline.drain(..record.timeline.len() - TIMELINE / 2).collect();
                record.timeline_moved += old.len() as u32;
                with.old_events.push((record.id.clone(), old));
            }
            with.records.push(record);
        }
        let set_aside = with.set_aside.clone();
        let cleared = with.cleared.clone();
        if let Err(error) = self.store.commit(with).await {
            return Err((error, changed));
        }
        for (change, events) in changed.iter_mut().zip(&events) {
            change.record.version += 1;
            for event in events {
                telemetry::log_event(&change.record, event);
            }
            self.agenda.update(&change.record);
            self.stockroom.commitments().update(&change.record);
        }
        for entry in &set_aside {
            tracing::error!(
                event = "order.set_aside",
                merchant = entry.merchant,
                channel = entry.channel,
                order = entry.id,
                error = entry.reason,
                "an order cannot be taken in: it is set aside until it can"
            );
        }
        let mut aside = self.aside();
        for key in &cleared {
            tracing::info!(
                event = "order.set_aside_cleared",
                merchant = key.0,
                channel = key.1,
                order = key.2,
                "an order that was set aside could be taken in"
            );
            aside.remove(key);
        }
        aside.extend(set_aside.into_iter().map(|entry| (entry.merchant, entry.channel, entry.id)));
        Ok(())
    }

    fn aside(&self) -> MutexGuard<'_, BTreeSet<(String, String, String)>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record to be committed, and how many of its events were stored before.
struct Change {
    record: Record,
    known: usize,
}

/// A stored record may be so many bytes smaller than the one that was decided: its version has another length.
const SLACK: usize = 64;

impl Change {
    /// Its size as the store writes it, in bytes.
    fn size(&self) -> usize {
        serde_json::to_vec(&self.record).map_or(0, |json| json.len())
    }
}

/// What a page's orders came to.
#[derive(Default)]
struct Decided {
    changes: Vec<Change>,
    aside: Vec<Aside>,
    cleared: Vec<(String, String, String)>,
    outcome: PageOutcome,
}

impl Decided {
    fn conflict(&mut self, policy: &Policy, told: &(RemoteId, String, String), why: String, now: Timestamp) {
        self.outcome.set_aside += 1;
        self.aside.push(Aside {
            merchant: policy.merchant.clone(),
            channel: policy.channel.clone(),
            id: told.0.0.clone(),
            reason: format!(
                "order {} is known already, and this channel cannot revise orders; {why}",
                told.1
            ),
            raw: bounded(told.2.clone()),
            at: now,
            seen: 1,
        });
    }
}

/// The SKUs of orders that changed: their channel's own figures moved with them.
fn sold(policy: &Policy, changes: &[Change]) -> BTreeSet<String> {
    if !policy.stock.sync {
        return BTreeSet::new();
    }
    let lines = changes.iter().flat_map(|change| &change.record.seen.lines);
    lines.filter_map(|line| line.sku.clone()).collect()
}

/// The most units of one line that are taken in: with the largest recipe (10,000 of a part) they still can be counted.
const MOST_ORDERED: u32 = 400_000;

/// Why an order's quantities cannot be kept account of, if so.
fn uncountable(order: &Order) -> Option<String> {
    let line = order.lines.iter().find(|line| line.quantity.max(line.fulfillable) > MOST_ORDERED)?;
    let units = line.quantity.max(line.fulfillable);
    Some(format!(
        "order {}: line {} has {units} units, more than the {MOST_ORDERED} that are taken for a quantity",
        order.number, line.id
    ))
}

fn raw(order: &Order) -> String {
    serde_json::to_string(order).unwrap_or_else(|error| format!("cannot be written: {error}"))
}

/// Raw payloads are kept for a person's eye: so many bytes of them.
const MOST_RAW: usize = 64 * 1024;

fn bounded(mut raw: String) -> String {
    if raw.len() > MOST_RAW {
        let mut end = MOST_RAW;
        while !raw.is_char_boundary(end) {
            end -= 1;
        }
        raw.truncate(end);
    }
    raw
}

fn unknown(id: &str) -> Refused {
    Refused::not_found(format!("there is no order {id}"))
}

fn unavailable(error: &StoreError) -> Refused {
    Refused { kind: RefusedKind::Unavailable, code: "store", message: error.to_string() }
}
