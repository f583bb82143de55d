//! A model of a channel in memory: orders, fulfillments, and every way to answer badly that these tests need.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use portald::{
    record::RecordId,
    store::{Changes, Store, memory::MemoryStore},
};
use sdk::{
    Capabilities, Channel, CheckReport, Clock, Configured, Context, Delivery, DeliveryKind, Error, ErrorKind,
    FulfillmentRequest, Line, LineKind, Order, OrderPage, OrderState, Payment, PullRequest, Pulled, Pushed,
    RemoteFulfillment, RemoteId, RemoteTracking, Result, Timestamp, Unreadable, async_trait,
};

/// How many calls run now, and the most that ever did.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// What the shop has and how it behaves.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) orders: BTreeMap<RemoteId, Order>,
    pub(super) pulls: usize,
    pub(super) ended: usize,
    pub(super) pushes: Vec<String>,
    pub(super) fail_pulls: Option<ErrorKind>,
    pub(super) fail_pushes: Option<ErrorKind>,
    pub(super) delay: Duration,
    /// Its clock is behind ours by so much.
    pub(super) behind: Duration,
    /// How long one order's answer takes.
    pub(super) order_delay: Duration,
    pub(super) fail_orders: Option<ErrorKind>,
    /// Orders that are not answered for now.
    pub(super) silent: BTreeSet<RemoteId>,
    /// How often one order was asked for.
    pub(super) lookups: usize,
    /// The same next page for ever.
    pub(super) endless: bool,
    pub(super) panics: bool,
    /// Orders whose answer cannot be read.
    pub(super) unreadable: BTreeSet<RemoteId>,
    /// Once, before the second page: somebody else writes the channel's state in this store.
    pub(super) meddle: Option<Arc<MemoryStore>>,
    /// The marks of the pages that were asked for.
    pub(super) asked: Vec<Option<String>>,
    /// Tells every order until it is acknowledged, whatever its time; looks into this store whether it was committed.
    pub(super) witness: Option<Arc<MemoryStore>>,
    /// Acknowledged orders, and whether each was in the store by then.
    pub(super) acknowledged: Vec<(RemoteId, bool)>,
    pub(super) hang_acks: bool,
    pub(super) fail_acks: Option<ErrorKind>,
}

/// One shop; also its checked settings and its connection.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) name: String,
    pub(super) connects: AtomicUsize,
    pub(super) gauge: Arc<Gauge>,
    pub(super) page: usize,
    state: Mutex<State>,
}

impl Shop {
    pub(super) fn new(name: &str, gauge: &Arc<Gauge>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            connects: AtomicUsize::new(0),
            gauge: gauge.clone(),
            page: 2,
            state: Mutex::default(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A customer buys two of one thing.
    pub(super) fn place(&self, id: &str, at: Timestamp) {
        let line = Line {
            id: "1".into(),
            sku: Some("ACME-1".to_owned()),
            title: "Anvil".to_owned(),
            kind: LineKind::Goods,
            quantity: 2,
            fulfillable: 2,
            refunded: 0,
            delivery: String::new(),
            unit_cost: None,
        };
        let ship_to = sdk::Address {
            name: "A. Buyer".to_owned(),
            address1: "1 Main St".to_owned(),
            city: "Austin".to_owned(),
            zip: "78701".to_owned(),
            country: "US".to_owned(),
            ..sdk::Address::default()
        };
        let order = Order {
            id: id.into(),
            number: format!("#{id}"),
            placed_at: at,
            updated_at: Some(at),
            test: false,
            payment: Payment::Paid,
            state: OrderState::Open,
            holds: Vec::new(),
            deliveries: vec![Delivery {
                key: String::new(),
                kind: DeliveryKind::Shipping,
                ship_to: Some(ship_to),
                method: None,
            }],
            lines: vec![line],
            fulfillments: Vec::new(),
            groups: Vec::new(),
            cancellation_requests: Vec::new(),
            email: None,
            customer_note: None,
            bill_to: None,
            extra: serde_json::Value::Null,
        };
        self.state().orders.insert(id.into(), order);
    }
}

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    sees_cancellations: true,
    sees_partial_cancellations: true,
    answers_cancellations: false,
    sees_holds: true,
    sees_edits: true,
    order_by_id: true,
    partial_fulfillments: true,
    tracking_updates: true,
    voids: true,
    void_notices: false,
    split_mirror: false,
    stock_writes: false,
    stock_batch: 0,
    compare_and_set_stock: false,
    finds_fulfillments: true,
    test_orders: true,
};

/// The shop's settings; `secret` is what a reload may change.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) shop: Arc<Shop>,
    pub(super) account: String,
    pub(super) secret: u64,
}

impl Configured for Settings {
    fn account(&self) -> String {
        self.account.clone()
    }

    fn fingerprint(&self) -> u64 {
        self.secret
    }

    fn connect(&self, context: Context) -> Arc<dyn Channel> {
        self.shop.connects.fetch_add(1, Ordering::SeqCst);
        Arc::new(Connected { shop: self.shop.clone(), clock: context.clock })
    }
}

/// A connection to a shop.
struct Connected {
    shop: Arc<Shop>,
    clock: Arc<dyn Clock>,
}

impl Connected {
    fn told(state: &State, id: &RemoteId) -> Option<Pulled> {
        let order = state.orders.get(id)?;
        Some(if state.unreadable.contains(id) {
            Pulled::Unreadable(Unreadable {
                id: id.clone(),
                reason: "its quantity is no number".to_owned(),
                raw: "{}".to_owned(),
            })
        } else {
            Pulled::Order(Box::new(order.clone()))
        })
    }

    async fn meddle(&self) {
        let Some(store) = self.shop.state().meddle.take() else { return };
        let mut state = store.channel(&self.shop.name, "shop").await.unwrap().unwrap();
        state.swept_at = Some(self.clock.now());
        let channels = vec![(self.shop.name.clone(), "shop".to_owned(), state)];
        store.commit(Changes { channels, ..Changes::default() }).await.unwrap();
    }
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "model", "the model was told to fail")
}

#[async_trait]
impl Channel for Connected {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn check(&self) -> Result<CheckReport> {
        Ok(CheckReport::default())
    }

    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage> {
        let shop = &self.shop;
        let covers = self.clock.now() - shop.state().behind;
        shop.gauge.enter();
        let delay = shop.state().delay;
        tokio::time::sleep(delay).await;
        shop.gauge.leave();
        if request.page.is_some() {
            self.meddle().await;
        }
        let mut state = shop.state();
        if request.page.is_none() {
            state.pulls += 1;
        }
        state.asked.push(request.page.clone());
        assert!(!state.panics, "the model was told to panic");
        if let Some(kind) = state.fail_pulls {
            return Err(failed(kind));
        }
        let from: usize = request.page.as_deref().map_or(0, |page| page.parse().unwrap());
        let mut changed: Vec<&Order> = state
            .orders
            .values()
            .filter(|order| {
                if state.witness.is_some() {
                    return !state.acknowledged.iter().any(|(id, _)| *id == order.id);
                }
                request.since.is_none_or(|since| order.updated_at.unwrap() >= since)
            })
            .collect();
        changed.sort_by_key(|order| order.updated_at);
        let orders: Vec<Pulled> = changed
            .iter()
            .skip(from)
            .take(shop.page)
            .filter_map(|order| Self::told(&state, &order.id))
            .collect();
        let receipt = state.witness.is_some().then(|| {
            let ids = changed.iter().skip(from).take(shop.page).map(|order| order.id.0.as_str());
            ids.collect::<Vec<_>>().join(" ")
        });
        let end = from + shop.page >= changed.len();
        let next =
            if state.endless { Some("1".to_owned()) } else { (!end).then(|| (from + shop.page).to_string()) };
        if end {
            state.ended += 1;
        }
        Ok(OrderPage { orders, covers: end.then_some(covers), next, receipt })
    }

    async fn order(&self, id: &RemoteId) -> Result<Pulled> {
        let (delay, failure) = {
            let mut state = self.shop.state();
            state.lookups += 1;
            let silent = state.silent.contains(id).then_some(ErrorKind::Unavailable);
            (state.order_delay, state.fail_orders.or(silent))
        };
        tokio::time::sleep(delay).await;
        if let Some(kind) = failure {
            return Err(failed(kind));
        }
        let state = self.shop.state();
        Self::told(&state, id).ok_or_else(|| failed(ErrorKind::NotFound))
    }

    async fn acknowledge(&self, receipt: &str) -> Result<()> {
        let (hangs, fails, witness) = {
            let state = self.shop.state();
            (state.hang_acks, state.fail_acks, state.witness.clone().unwrap())
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        if let Some(kind) = fails {
            return Err(failed(kind));
        }
        for id in receipt.split_whitespace().map(RemoteId::from) {
            let record = RecordId::new(&self.shop.name, "shop", &id);
            let stored = witness.record(&record).await.unwrap().is_some();
            self.shop.state().acknowledged.push((id, stored));
        }
        Ok(())
    }

    async fn push_fulfillment(&self, request: &FulfillmentRequest) -> Result<Pushed> {
        let mut state = self.shop.state();
        state.pushes.push(request.key.clone());
        if let Some(kind) = state.fail_pushes {
            return Err(failed(kind));
        }
        let order = state.orders.get_mut(&request.order).unwrap();
        let fulfillment = RemoteFulfillment {
            id: format!("f{}", order.fulfillments.len() + 1).into(),
            active: true,
            lines: request.lines.clone(),
            tracking: vec![RemoteTracking {
                company: Some(request.tracking.carrier.clone()),
                number: request.tracking.number.clone(),
                url: None,
            }],
            created_at: Some(self.clock.now()),
        };
        for told in &request.lines {
            for line in order.lines.iter_mut().filter(|line| line.id == told.line) {
                line.fulfillable -= told.quantity;
            }
        }
        order.fulfillments.push(fulfillment.clone());
        order.updated_at = Some(self.clock.now());
        Ok(Pushed { fulfillment, left: Vec::new() })
    }

    async fn find(&self, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
        Ok(self.shop.state().orders[order].fulfillments.clone())
    }
}
