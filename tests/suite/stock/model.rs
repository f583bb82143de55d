//! A model of a channel with a catalogue, stock and orders, under the shipped tasks; and the world around it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use portald::{
    board::Board,
    driver::ChannelKey,
    ledger::Ledger,
    plan::routing::Catalogue,
    policy::{Policies, Policy, StockRules},
    record::{Owner, Part},
    stock::{Cause, Change, Movement, StockState},
    store::{Changes, ChannelState, Query, Store, memory::MemoryStore},
    tasks::{Connection, Shared, Verdict, connection::Ledge, products, stock},
};
use sdk::{
    Capabilities, Channel, CheckReport, Clock, Error, ErrorKind, Order, OrderPage, PullRequest, Pulled,
    RemoteId, Result, Rng, StockLevel, StockOutcome, StockWrite, Variant, VariantPage, Writable, async_trait,
    testkit::TokioClock,
};
use tokio_util::sync::CancellationToken;

use super::core::now;
use crate::plan::model::{Remote, policy};

/// What becomes of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// Nothing arrived, and that is known.
    Unavailable,
    /// Nothing arrived, and nobody knows.
    LostBefore,
    /// All of it was set, and nobody knows.
    LostAfter,
    /// The first half was set, and nobody knows.
    Half,
    Unauthorized,
    /// The answer is too short.
    ShortAnswer,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) variants: BTreeMap<RemoteId, Variant>,
    pub(super) figures: BTreeMap<RemoteId, i64>,
    pub(super) orders: Vec<Order>,
    pub(super) fates: VecDeque<Fate>,
    /// Items that are refused one by one.
    pub(super) refused: BTreeSet<RemoteId>,
    /// Items for which the whole batch is refused.
    pub(super) poison: BTreeSet<RemoteId>,
    /// Writes are applied so many seconds after they were taken.
    pub(super) slow: Option<i64>,
    waiting: Option<(sdk::Timestamp, Vec<(RemoteId, u32)>)>,
    /// Where stock is kept.
    pub(super) place: String,
    pub(super) fail_reads: Option<ErrorKind>,
    pub(super) fail_pulls: Option<ErrorKind>,
    /// Before the next write is looked at, so many of this item are sold.
    pub(super) sale: Option<(String, u32)>,
    pub(super) calls: Vec<&'static str>,
    /// Every change that ever arrived.
    pub(super) written: Vec<(RemoteId, u32)>,
    /// What went against the promises.
    pub(super) broken: Vec<String>,
    next_order: u32,
    in_flight: bool,
}

/// The channel.
pub(super) struct Model {
    pub(super) can: Capabilities,
    pub(super) clock: Arc<TokioClock>,
    state: Mutex<State>,
    /// The daemon that writes here, to hold its writes against.
    ledger: Mutex<Option<Arc<Ledger>>>,
}

impl Model {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn list(&self, id: &str, sku: &str, figure: i64) {
        let mut state = self.state();
        let variant = super::core::variant(id, Some(sku), true);
        state.figures.insert(variant.item.clone(), figure);
        state.variants.insert(variant.id.clone(), variant);
    }

    pub(super) fn figure(&self, id: &str) -> i64 {
        self.state().figures[&RemoteId(format!("i{id}"))]
    }

    /// A customer buys: the shop takes it from its own figure.
    pub(super) fn sell(&self, sku: &str, units: u32) {
        let at = self.clock.now();
        self.state().sell(sku, units, at);
    }

    /// What was accepted and is due by now comes to pass.
    pub(super) fn settle(&self) {
        let now = self.clock.now();
        self.state().come_to_pass(now);
    }

    /// Its writes are held against this daemon from now on.
    pub(super) fn serve(&self, ledger: &Arc<Ledger>) {
        *self.ledger.lock().unwrap() = Some(ledger.clone());
    }

    pub(super) fn calls(&self, name: &str) -> usize {
        self.state().calls.iter().filter(|call| **call == name).count()
    }

    /// No write may name what is not ours, nor more than is available by the records as they stand.
    async fn judge(&self, write: &StockWrite) {
        let ledger = self.ledger.lock().unwrap().clone().unwrap();
        let policy = ledger.policy("m", "shop");
        let store = ledger.store();
        let mut broken = Vec::new();
        for change in &write.changes {
            let listed = self.state().variants.get(&change.variant).cloned();
            let parts = match policy.catalogue.product(change.sku.as_deref()) {
                Owner::Supplier { parts, .. } => parts,
                Owner::Merchant(_) => {
                    broken.push(format!("{change:?} is the merchant's"));
                    continue;
                }
            };
            if !policy.stock.sync || policy.shadow {
                broken.push(format!("{change:?} though it is off"));
            }
            if listed.is_none_or(|listed| listed.item != change.item) {
                broken.push(format!("{change:?} is of no variant here"));
            }
            if change.to > policy.stock.max {
                broken.push(format!("{change:?} is past the cap"));
            }
            for part in &parts {
                let levels = store.levels_of(vec![part.sku.clone()]).await.unwrap();
                let on_hand: i64 = levels.iter().map(|level| level.on_hand).sum();
                let query = Query { active: true, limit: 10_000, ..Query::default() };
                let records = store.list(query).await.unwrap().records;
                let lines =
                    records.iter().filter(|record| !record.seen.test).flat_map(|record| &record.orders);
                let held: i64 = lines
                    .flat_map(|order| &order.lines)
                    .filter(|line| line.sku == part.sku)
                    .map(|line| i64::from(line.open()))
                    .sum();
                let most = (on_hand - held).max(0) * i64::from(policy.stock.share_percent) / 100;
                if i64::from(change.to) * i64::from(part.per_unit) > most {
                    broken.push(format!("{change:?}: {} of {most} available", part.sku));
                }
            }
        }
        let mut items = BTreeSet::new();
        if !write.changes.iter().all(|change| items.insert(&change.item)) {
            broken.push(format!("an item twice in {}", write.key));
        }
        if write.changes.is_empty() || write.changes.len() > self.can.stock_batch {
            broken.push(format!("{} items in one batch", write.changes.len()));
        }
        self.state().broken.extend(broken);
    }
}

impl State {
    fn sell(&mut self, sku: &str, units: u32, at: sdk::Timestamp) {
        self.next_order += 1;
        let id = format!("o{}", self.next_order);
        let order = Remote::new(&[(sku, units)]).order();
        self.orders.push(Order { id: id.as_str().into(), updated_at: Some(at), placed_at: at, ..order });
        let items: Vec<RemoteId> = self
            .variants
            .values()
            .filter(|variant| variant.sku.as_deref() == Some(sku))
            .map(|variant| variant.item.clone())
            .collect();
        if let Some(figure) = items.first().and_then(|item| self.figures.get_mut(item)) {
            *figure -= i64::from(units);
        }
    }

    fn come_to_pass(&mut self, now: sdk::Timestamp) {
        if let Some((_, changes)) = self.waiting.take_if(|(at, _)| *at <= now) {
            self.apply(&changes);
        }
    }

    fn apply(&mut self, changes: &[(RemoteId, u32)]) {
        for (item, to) in changes {
            self.figures.insert(item.clone(), i64::from(*to));
        }
    }
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "model", "the model was told to fail")
}

#[async_trait]
impl Channel for Model {
    fn capabilities(&self) -> Capabilities {
        self.can
    }

    fn stock_place(&self) -> String {
        self.state().place.clone()
    }

    async fn check(&self) -> Result<CheckReport> {
        Ok(CheckReport::default())
    }

    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage> {
        let covers = self.clock.now();
        let mut state = self.state();
        state.calls.push("pull_orders");
        if let Some(kind) = state.fail_pulls {
            return Err(failed(kind));
        }
        let since = |order: &&Order| request.since.is_none_or(|since| order.updated_at.unwrap() >= since);
        let orders = state.orders.iter().filter(since).cloned();
        let orders = orders.map(|order| Pulled::Order(Box::new(order))).collect();
        Ok(OrderPage { orders, covers: Some(covers), next: None, receipt: None })
    }

    async fn products(&self, page: Option<&str>) -> Result<VariantPage> {
        let mut state = self.state();
        state.calls.push("products");
        if let Some(kind) = state.fail_reads {
            return Err(failed(kind));
        }
        let from: usize = page.map_or(0, |page| page.parse().unwrap());
        let variants: Vec<Variant> = state.variants.values().skip(from).take(4).cloned().collect();
        let next = (from + 4 < state.variants.len()).then(|| (from + 4).to_string());
        Ok(VariantPage { variants, next })
    }

    async fn read_stock(&self, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut state = self.state();
        state.calls.push("read_stock");
        assert!(!items.is_empty() && items.len() <= self.can.stock_batch);
        if let Some(kind) = state.fail_reads {
            return Err(failed(kind));
        }
        state.come_to_pass(self.clock.now());
        let level = |item: &RemoteId| {
            Some(StockLevel { item: item.clone(), available: Some(*state.figures.get(item)?) })
        };
        Ok(items.iter().filter_map(level).collect())
    }

    async fn push_stock(&self, write: &StockWrite) -> Result<Vec<StockOutcome>> {
        self.judge(write).await;
        {
            let mut state = self.state();
            state.come_to_pass(self.clock.now());
            // One that is still to come, but changes nothing any more, cannot be told from one that came.
            let pending = state.waiting.iter().flat_map(|(_, changes)| changes);
            let open = pending.clone().any(|(item, to)| state.figures.get(item) != Some(&i64::from(*to)));
            if std::mem::replace(&mut state.in_flight, true) || open {
                state.broken.push("two batches at once".to_owned());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut state = self.state();
        state.in_flight = false;
        state.calls.push("push_stock");
        let at = self.clock.now();
        if let Some((sku, units)) = state.sale.take() {
            state.sell(&sku, units, at);
        }
        state.written.extend(write.changes.iter().map(|change| (change.item.clone(), change.to)));
        let fate = state.fates.pop_front().unwrap_or(Fate::Well);
        match fate {
            Fate::Unavailable => return Err(failed(ErrorKind::Unavailable)),
            Fate::Unauthorized => return Err(failed(ErrorKind::Unauthorized)),
            Fate::LostBefore => return Err(failed(ErrorKind::Indeterminate)),
            _ => {}
        }
        if write.changes.iter().any(|change| state.poison.contains(&change.item)) {
            return Err(failed(ErrorKind::Rejected));
        }
        let mut outcomes = Vec::new();
        let mut applied = Vec::new();
        for change in &write.changes {
            let shows = state.figures.get(&change.item).copied();
            let stale = self.can.compare_and_set_stock && change.from.is_some() && change.from != shows;
            outcomes.push(if state.refused.contains(&change.item) {
                StockOutcome::Refused("the product is archived".to_owned())
            } else if stale {
                StockOutcome::Stale
            } else {
                applied.push((change.item.clone(), change.to));
                if state.slow.is_some() { StockOutcome::Accepted } else { StockOutcome::Set }
            });
        }
        if fate == Fate::Half {
            applied.truncate(applied.len() / 2);
        }
        match state.slow {
            Some(secs) if fate == Fate::Well && !applied.is_empty() => {
                state.waiting = Some((at + chrono::TimeDelta::seconds(secs), applied));
            }
            _ => state.apply(&applied),
        }
        match fate {
            Fate::LostAfter | Fate::Half => Err(failed(ErrorKind::Indeterminate)),
            Fate::ShortAnswer => Ok(Vec::new()),
            _ => Ok(outcomes),
        }
    }
}

/// The daemon's parts around one channel.
pub(super) struct World {
    pub(super) model: Arc<Model>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) board: Arc<Board>,
    pub(super) shared: Shared,
    pub(super) connection: Connection,
    rules: Policy,
}

pub(super) const CAN: Capabilities = Capabilities {
    sees_cancellations: true,
    sees_edits: true,
    stock_writes: true,
    stock_batch: 3,
    compare_and_set_stock: true,
    order_by_id: false,
    ..crate::plan::model::CAN_ALL
};

pub(super) fn rules(stock: StockRules) -> Policy {
    let map = BTreeMap::from([
        (
            "KIT".to_owned(),
            vec![Part { sku: "A1".to_owned(), per_unit: 2 }, Part { sku: "A2".to_owned(), per_unit: 1 }],
        ),
        ("ALIAS".to_owned(), vec![Part { sku: "A3".to_owned(), per_unit: 1 }]),
    ]);
    Policy {
        since: now() - chrono::TimeDelta::days(300),
        catalogue: Catalogue::new(&["A*".to_owned()], map, BTreeMap::new()).unwrap(),
        settle: Duration::ZERO,
        capabilities: CAN,
        warehouses: vec!["main".to_owned()],
        stock: StockRules { sync: true, ..stock },
        ..policy()
    }
}

impl World {
    pub(super) async fn new(can: Capabilities, rules: Policy) -> Self {
        let clock = Arc::new(TokioClock::new(now()));
        let model = Arc::new(Model { can, clock, state: Mutex::default(), ledger: Mutex::default() });
        Self::over(Arc::new(MemoryStore::new()), model, rules).await
    }

    async fn over(store: Arc<MemoryStore>, model: Arc<Model>, rules: Policy) -> Self {
        let ledger = Arc::new(Ledger::new(store.clone(), model.clock.clone()));
        ledger.load_agenda().await.unwrap();
        let key = ("m".to_owned(), "shop".to_owned());
        let mut policies = Policies { warehouses: rules.warehouses.clone(), ..Policies::default() };
        policies.channels.insert(key.clone(), Arc::new(rules.clone()));
        ledger.set_policies(policies);
        ledger.stockroom().recover().await.unwrap();
        *model.ledger.lock().unwrap() = Some(ledger.clone());
        let state = match store.channel("m", "shop").await.unwrap() {
            Some(state) => state,
            None => {
                let channels = vec![(key.0, key.1, ChannelState::default())];
                store.commit(Changes { channels, ..Changes::default() }).await.unwrap();
                store.channel("m", "shop").await.unwrap().unwrap()
            }
        };
        let board = Arc::new(Board::default());
        let shared = Shared::new(ledger.clone(), board.clone(), CancellationToken::new(), Rng::from_seed(7));
        let connection = Connection {
            key: ChannelKey::new("m", "shop"),
            remote: model.clone(),
            overlap: chrono::TimeDelta::minutes(5),
            sweep_window: chrono::TimeDelta::zero(),
            ledge: Arc::new(Ledge::new(state)),
        };
        Self { model, store, ledger, board, shared, connection, rules }
    }

    /// The process is killed, and started again.
    pub(super) async fn restart(self) -> Self {
        Self::over(Arc::new(self.store.kill()), self.model, self.rules).await
    }

    /// Other rules come into force.
    pub(super) fn rule(&mut self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.rules);
        let mut policies = Policies { warehouses: self.rules.warehouses.clone(), ..Policies::default() };
        policies.channels.insert(("m".to_owned(), "shop".to_owned()), Arc::new(self.rules.clone()));
        self.ledger.set_policies(policies);
    }

    pub(super) async fn tell(&self, figures: &[(&str, i64)]) {
        let at = self.model.clock.now();
        let movements = figures.iter().map(|(sku, units)| Movement {
            sku: (*sku).to_owned(),
            warehouse: "main".to_owned(),
            change: Change::Set(*units),
            at,
            cause: Cause::Operator,
        });
        self.ledger.stockroom().move_figures(movements.collect()).await.unwrap();
    }

    pub(super) async fn push(&self) -> Verdict {
        stock::run(&self.shared, &self.connection).await
    }

    pub(super) async fn products(&self) -> Verdict {
        products::run(&self.shared, &self.connection).await
    }

    pub(super) async fn state(&self) -> StockState {
        self.store.stock_state("m", "shop").await.unwrap().unwrap_or_default()
    }

    /// A person releases the merchant.
    pub(super) async fn release(&self) {
        let room = self.ledger.stockroom();
        room.change_state("m", "shop", Changes::default(), StockState::release).await.unwrap();
    }

    /// What is written back may be more than there is: that is what a person asked for.
    #[track_caller]
    pub(super) fn kept_its_promises_but_for_undo(&self) {
        let state = self.model.state();
        assert!(state.broken.iter().all(|broken| broken.contains("available")), "{:#?}", state.broken);
    }

    #[track_caller]
    pub(super) fn kept_its_promises(&self) {
        let state = self.model.state();
        assert!(state.broken.is_empty(), "{:#?}", state.broken);
    }
}

/// Makes a variant one that cannot be written.
pub(super) fn spoil(variant: &mut Variant) {
    variant.writable = Writable::No("a bundle's parent".to_owned());
}
