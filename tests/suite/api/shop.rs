//! A small shop in the memory store, and the API over it.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use http::{HeaderMap, Method, Request, StatusCode};
use portald::{
    api::{Api, ChannelInfo, Info, MerchantInfo, router},
    board::Board,
    control::Request as Control,
    ledger::Ledger,
    plan::routing::Catalogue,
    policy::{Fields, Policies, Policy, StockRules},
    record::Part,
    store::{Aside, Changes, ChannelState, Store, memory::MemoryStore},
    tasks::look::Look,
};
use sdk::{
    Address, Capabilities, Clock, Delivery, DeliveryKind, Line, LineKind, Order, OrderState, Payment, Pulled,
    Timestamp,
};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_timestamp(1_793_000_000, 0).expect("in range")
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// What a look at the channel finds; where nothing is said, [`Look::Same`].
pub(crate) enum Found {
    /// This answer, whatever the record says.
    Answer(Look),
    /// The channel shows this order now: it is taken in, as the daemon does.
    Order(Box<Order>),
    /// Nobody answers.
    Silence,
}

/// Orders `#1` (three of A1), `#2` (a kit), `#3` (unpaid, to Zoë), `#4` (the merchant's), `#5` (a test order).
pub(crate) struct Shop {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) board: Arc<Board>,
    pub(crate) api: Api,
    ledger: Arc<Ledger>,
    heard: Arc<Mutex<Vec<String>>>,
    looks: Arc<Mutex<VecDeque<Found>>>,
    looked: Arc<AtomicUsize>,
    main_loop: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        let shop = Self::empty().await;
        shop.put(order_with("1", |_| {})).await;
        shop.put(order_with("2", |order| {
            order.lines[0].sku = Some("KIT".to_owned());
            order.lines[0].quantity = 1;
            order.lines[0].fulfillable = 1;
        }))
        .await;
        shop.put(order_with("3", |order| {
            order.payment = Payment::Unpaid("pending".to_owned());
            order.deliveries[0].ship_to = Some(address("Zoë"));
        }))
        .await;
        shop.put(order_with("4", |order| order.lines[0].sku = Some("THEIRS".to_owned()))).await;
        shop.put(order_with("5", |order| order.test = true)).await;
        shop
    }

    pub(crate) async fn empty() -> Self {
        let shop = Self::starting().await;
        shop.start();
        shop
    }

    /// The rules come into force.
    pub(crate) fn start(&self) {
        let channels = BTreeMap::from([(("m".to_owned(), "shop".to_owned()), Arc::new(policy()))]);
        self.ledger.set_policies(Policies {
            zone: chrono_tz::Tz::America__Chicago,
            channels,
            ..Policies::default()
        });
    }

    /// Of a daemon whose rules are not in force yet.
    pub(crate) async fn starting() -> Self {
        let store = Arc::new(MemoryStore::new());
        let ledger = Arc::new(Ledger::new(store.clone(), Arc::new(Fixed)));
        let board = Arc::new(Board::default());
        let (control, mut requests) = tokio::sync::mpsc::channel(4);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = heard.clone();
        let looks: Arc<Mutex<VecDeque<Found>>> = Arc::default();
        let looked = Arc::new(AtomicUsize::new(0));
        let (found, eyes, counted) = (looks.clone(), ledger.clone(), looked.clone());
        let main_loop = tokio::spawn(async move {
            let mut unanswered = Vec::new();
            while let Some(request) = requests.recv().await {
                let request = match request {
                    Control::Look { record, done } => {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let look = found.lock().unwrap().pop_front();
                        let answer = match look {
                            None => Look::Same,
                            Some(Found::Answer(look)) => look,
                            Some(Found::Order(order)) => look_at(&eyes, &record, *order).await,
                            Some(Found::Silence) => {
                                unanswered.push(done);
                                continue;
                            }
                        };
                        let _ = done.send(answer);
                        continue;
                    }
                    request => request,
                };
                let (words, done) = told(request);
                let refused = words.ends_with("refuse").then(|| "the files name no refuse".to_owned());
                ears.lock().unwrap().push(words);
                let _ = done.send(refused.map_or(Ok(()), Err));
            }
        });
        let api = Api::new(ledger.clone(), board.clone(), control, info(), None);
        Self { store, board, api, ledger, heard, looks, looked, main_loop: Mutex::new(Some(main_loop)) }
    }

    /// The channel shows this order.
    pub(crate) async fn put(&self, order: Order) {
        let page = vec![Pulled::Order(Box::new(order))];
        self.ledger.absorb_page("m", "shop", page, now(), None).await.unwrap();
    }

    pub(crate) fn router(&self) -> Router {
        router(self.api.clone())
    }

    /// What the next look finds.
    pub(crate) fn finds(&self, found: Found) {
        self.looks.lock().unwrap().push_back(found);
    }

    /// How many looks were asked for.
    pub(crate) fn looks(&self) -> usize {
        self.looked.load(Ordering::SeqCst)
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) async fn stop_loop(&self) {
        let main_loop = self.main_loop.lock().unwrap().take().unwrap();
        main_loop.abort();
        let _ = main_loop.await;
    }

    pub(crate) fn forget_merchant(&self) {
        self.api.set_info(Info { merchants: Vec::new(), ..info() });
    }

    pub(crate) async fn bind_channel(&self) {
        let state = ChannelState { account: "test:m".to_owned(), ..ChannelState::default() };
        let channels = vec![("m".to_owned(), "shop".to_owned(), state)];
        self.store.commit(Changes { channels, ..Changes::default() }).await.unwrap();
    }

    pub(crate) async fn set_aside(&self) {
        let aside = Aside {
            merchant: "m".to_owned(),
            channel: "shop".to_owned(),
            id: "7".to_owned(),
            reason: "no lines".to_owned(),
            raw: "{}".to_owned(),
            at: now(),
            seen: 1,
        };
        self.store.commit(Changes { set_aside: vec![aside], ..Changes::default() }).await.unwrap();
    }
}

async fn look_at(ledger: &Ledger, id: &portald::record::RecordId, order: Order) -> Look {
    let before = ledger.record(id).await.unwrap().unwrap();
    ledger.absorb_page("m", "shop", vec![Pulled::Order(Box::new(order))], now(), None).await.unwrap();
    let after = ledger.record(id).await.unwrap().unwrap();
    let new = after.timeline[before.timeline.len()..].to_vec();
    if new.is_empty() { Look::Same } else { Look::Changed(new) }
}

fn told(request: Control) -> (String, tokio::sync::oneshot::Sender<Result<(), String>>) {
    match request {
        Control::Sync { merchant, done } => (format!("sync {merchant}"), done),
        Control::Sweep { merchant, done } => {
            (format!("sweep {}", merchant.unwrap_or_else(|| "all".to_owned())), done)
        }
        Control::Pause { merchant, paused, done } => {
            (format!("{} {merchant}", if paused { "pause" } else { "resume" }), done)
        }
        Control::Rename { old, new, done } => (format!("rename {old} {new}"), done),
        Control::Look { .. } | Control::Reload { .. } => {
            panic!("the API asks for no reload, and looks are answered")
        }
    }
}

fn info() -> Info {
    Info {
        version: "0.1.0".to_owned(),
        started_at: now(),
        supplier: "Acme Supply".to_owned(),
        zone: chrono_tz::Tz::America__Chicago,
        merchants: vec![MerchantInfo {
            id: "m".to_owned(),
            name: "Merchant".to_owned(),
            shadow: false,
            channels: vec![ChannelInfo {
                id: "shop".to_owned(),
                connector: "test".to_owned(),
                gaps: vec!["holds are not told".to_owned()],
            }],
        }],
    }
}

fn policy() -> Policy {
    let part = |sku: &str, per_unit| Part { sku: sku.to_owned(), per_unit };
    let map = BTreeMap::from([("KIT".to_owned(), vec![part("A1", 2), part("B2", 1)])]);
    Policy {
        merchant: "m".to_owned(),
        channel: "shop".to_owned(),
        shadow: false,
        since: now() - chrono::TimeDelta::days(30),
        catalogue: Catalogue::new(&["A*".to_owned()], map, BTreeMap::new()).expect("good globs"),
        settle: Duration::ZERO,
        require_paid: true,
        accept_authorized: false,
        fields: Fields::default(),
        cancel_at_once: true,
        capabilities: Capabilities {
            sees_edits: true,
            partial_fulfillments: true,
            tracking_updates: true,
            voids: true,
            finds_fulfillments: true,
            ..Capabilities::default()
        },
        mirror_splits: false,
        read_back: Duration::from_secs(60),
        retry_cap: Duration::from_secs(3600),
        warehouses: vec!["main".to_owned()],
        stock: StockRules::default(),
    }
}

pub(crate) fn address(name: &str) -> Address {
    Address {
        name: name.to_owned(),
        address1: "1 Main St".to_owned(),
        city: "Springfield".to_owned(),
        zip: "62701".to_owned(),
        country: "US".to_owned(),
        ..Address::default()
    }
}

/// A paid order of three A1, placed an hour ago, changed by `change`.
pub(crate) fn order_with(id: &str, change: impl FnOnce(&mut Order)) -> Order {
    let mut order = Order {
        id: id.into(),
        number: format!("#{id}"),
        placed_at: now() - chrono::TimeDelta::hours(1),
        updated_at: None,
        test: false,
        payment: Payment::Paid,
        state: OrderState::Open,
        holds: Vec::new(),
        deliveries: vec![Delivery {
            key: String::new(),
            kind: DeliveryKind::Shipping,
            ship_to: Some(address(&format!("Ada {id}"))),
            method: Some("Ground".to_owned()),
        }],
        lines: vec![Line {
            id: format!("{id}a").into(),
            sku: Some("A1".to_owned()),
            title: "A thing".to_owned(),
            kind: LineKind::Goods,
            quantity: 3,
            fulfillable: 3,
            refunded: 0,
            delivery: String::new(),
            unit_cost: None,
        }],
        fulfillments: Vec::new(),
        groups: Vec::new(),
        cancellation_requests: Vec::new(),
        email: None,
        customer_note: None,
        bill_to: None,
        extra: Value::Null,
    };
    change(&mut order);
    order
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body.clone()
    }

    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let said = (self.status.as_u16(), self.body["code"].as_str(), self.header("content-type"));
        assert_eq!(said, (status, Some(code), "application/problem+json".to_owned()), "{}", self.body);
        assert_eq!(self.body["status"], status);
        assert!(self.body["type"].is_string() && self.body["title"].is_string());
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
        self.body.clone()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

pub(crate) fn body(answer: &Answer) -> &Value {
    &answer.body
}

pub(crate) async fn send(
    shop: &Shop,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(axum::body::Body::from(body)).unwrap();
    let response = shop.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) async fn get(shop: &Shop, path: &str) -> Answer {
    send(shop, Method::GET, path, &[], String::new()).await
}

pub(crate) async fn post(shop: &Shop, path: &str, body: Value) -> Answer {
    send(shop, Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
}
