//! The network between the daemon and the shops, and all that goes wrong on it.
//!
//! A request is carried by a task of its own: whoever sent it may give up, or be killed, and it still arrives. What
//! arrives at a shop is looked at here first, so that no write of stock goes by unseen.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use sdk::{Http, TransportError, async_trait};
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    chance::Dice,
    journal::Journal,
    shops::{Remote, Shop},
    wire,
};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// No connection.
    Refused,
    /// Lost on its way.
    LostBefore,
    /// Applied, its answer is lost.
    LostAfter,
    /// Said to be lost at once, and applied long after.
    Late,
    /// Applied at once, answered when nobody waits any more.
    Slow,
    /// It arrives twice.
    Twice,
    /// Applied, the answer's end is missing.
    Truncated,
    /// A 429 that says how long to wait.
    TooMany,
    /// A 429 that says nothing.
    TooManyBare,
    /// A 503, nothing applied.
    Down,
    /// A 502, applied.
    DownAfter,
    /// 200 with an error in it, nothing applied.
    Errors,
    /// 200 and the account's budget is used up.
    Throttled,
    /// An answer of a minute ago.
    Stale,
    /// A word in the answer that nobody ever saw.
    Unknown,
    /// A null where never one was.
    Null,
}

impl Fault {
    pub(crate) const ALL: [Self; 16] = [
        Self::Refused,
        Self::LostBefore,
        Self::LostAfter,
        Self::Late,
        Self::Slow,
        Self::Twice,
        Self::Truncated,
        Self::TooMany,
        Self::TooManyBare,
        Self::Down,
        Self::DownAfter,
        Self::Errors,
        Self::Throttled,
        Self::Stale,
        Self::Unknown,
        Self::Null,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "no connection",
            Self::LostBefore => "request lost before",
            Self::LostAfter => "answer lost after",
            Self::Late => "applied late",
            Self::Slow => "answered too late",
            Self::Twice => "duplicated",
            Self::Truncated => "truncated",
            Self::TooMany => "429 with a wait",
            Self::TooManyBare => "429 without",
            Self::Down => "503 before",
            Self::DownAfter => "502 after",
            Self::Errors => "200 with errors",
            Self::Throttled => "THROTTLED",
            Self::Stale => "stale answer",
            Self::Unknown => "unknown word",
            Self::Null => "null",
        }
    }

    /// Whether the answer looks well and is not the truth.
    fn lies(self) -> bool {
        matches!(self, Self::Stale | Self::Unknown | Self::Null | Self::Truncated)
    }

    /// Whether it may make one write two.
    fn doubles(self) -> bool {
        matches!(self, Self::Late | Self::Twice)
    }
}

/// A stale answer is no older than this: less than the daemon waits before it looks after an unknown outcome.
const STALE: Duration = Duration::from_secs(50);

#[derive(Debug)]
struct State {
    dice: Dice,
    rates: BTreeMap<Fault, f64>,
    /// A host where one thing goes wrong mostly, until then.
    storms: BTreeMap<String, (Fault, Instant)>,
    answers: BTreeMap<String, (Instant, StatusCode, Bytes)>,
    healed: Option<Instant>,
    /// Orders of which a write may have arrived twice by the network's fault: by the shop's host.
    doubled: Vec<(String, String)>,
    /// When a shop's orders were last listed.
    listed: BTreeMap<String, Instant>,
    requests: u64,
    writes: u64,
}

/// The network.
pub(crate) struct Network {
    shops: BTreeMap<String, Arc<Shop>>,
    journal: Arc<Journal>,
    state: Mutex<State>,
    /// Told of each request when it is answered.
    pub(crate) answered: tokio::sync::Notify,
}

impl Network {
    pub(crate) fn new(shops: &[Arc<Shop>], journal: Arc<Journal>, mut dice: Dice) -> Arc<Self> {
        let mut rates = BTreeMap::new();
        for fault in Fault::ALL {
            let common = !matches!(fault, Fault::Unknown | Fault::Null);
            if dice.chance(0.5) {
                rates.insert(fault, dice.between(0.0, if common { 0.03 } else { 0.01 }));
            }
        }
        Arc::new(Self {
            shops: shops.iter().map(|shop| (shop.host(), shop.clone())).collect(),
            journal,
            state: Mutex::new(State {
                dice,
                rates,
                storms: BTreeMap::new(),
                answers: BTreeMap::new(),
                healed: None,
                doubled: Vec::new(),
                listed: BTreeMap::new(),
                requests: 0,
                writes: 0,
            }),
            answered: tokio::sync::Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing goes wrong from now on. What is on its way still arrives.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        state.healed = Some(Instant::now());
        state.storms.clear();
    }

    /// One thing goes wrong mostly at one shop, for a time.
    pub(crate) fn storm(&self, shop: &Shop, fault: Fault, lasts: Duration) {
        self.journal.note(format!("storm at {}: {} for {lasts:?}", shop.merchant, fault.name()));
        self.state().storms.insert(shop.host(), (fault, Instant::now() + lasts));
    }

    /// Whether a write of this order may have arrived twice by the network's fault.
    pub(crate) fn may_be_doubled(&self, shop: &Shop, about: impl Fn(&str) -> bool) -> bool {
        let host = shop.host();
        self.state().doubled.iter().any(|(at, what)| *at == host && about(what))
    }

    pub(crate) fn requests(&self) -> (u64, u64) {
        let state = self.state();
        (state.requests, state.writes)
    }

    fn fault(&self, host: &str, write: bool) -> Option<Fault> {
        let mut state = self.state();
        state.requests += 1;
        state.writes += u64::from(write);
        let draw = state.dice.between(0.0, 1.0);
        if state.healed.is_some() {
            return None;
        }
        if let Some((fault, until)) = state.storms.get(host).copied() {
            if Instant::now() < until {
                return (draw < 0.8).then_some(fault);
            }
            state.storms.remove(host);
        }
        let mut at = draw;
        for (fault, rate) in &state.rates {
            // What doubles is asked of writes more often: they are few.
            let rate = if write { rate * 4.0 } else { *rate };
            if at < rate {
                return Some(*fault);
            }
            at -= rate;
        }
        None
    }

    fn wait(&self, low: u64, high: u64) -> Duration {
        self.state().dice.millis(low, high)
    }

    async fn carry(self: Arc<Self>, request: Request<Bytes>, answer: oneshot::Sender<Answered>) {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let Some(shop) = self.shops.get(&host).cloned() else {
            let _ = answer.send(Err(TransportError::Connect(format!("no such host: {host}"))));
            return;
        };
        let call = wire::Call::read(&request);
        let fault = self.fault(&host, call.write);
        if let Some(fault) = fault {
            self.journal.count("fault", fault.name());
            if fault.lies() {
                self.journal.count("lies of", &shop.merchant);
            }
            if call.write && fault.doubles() {
                let about = call.about.clone();
                self.state().doubled.push((host.clone(), about));
            }
        }
        let there = self.wait(1, 150);
        let back = self.wait(1, 150);
        let lost = || Err(TransportError::Interrupted("connection reset".to_owned()));
        let plain = |status: u16, body: &'static str| {
            let mut response = Response::new(Bytes::from_static(body.as_bytes()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
            response
        };
        tokio::time::sleep(there).await;
        let graphql = matches!(shop.remote, Remote::Shopify(_));
        let result: Answered = match fault {
            None => self.arrive(&shop, &call, request).await,
            Some(Fault::Refused) => Err(TransportError::Connect("connection refused".to_owned())),
            Some(Fault::LostBefore) => lost(),
            Some(Fault::LostAfter) => {
                let _ = self.arrive(&shop, &call, request).await;
                lost()
            }
            Some(Fault::Late) => {
                let late = self.wait(1_000, 600_000);
                let (network, shop) = (self.clone(), shop.clone());
                self.note(&shop, &call, fault, "lost");
                let _ = answer.send(lost());
                tokio::time::sleep(late).await;
                network.journal.note(format!("{} {} arrives at last", shop.merchant, call.name));
                let _ = network.arrive(&shop, &call, request).await;
                return;
            }
            Some(Fault::Slow) => {
                let answered = self.arrive(&shop, &call, request).await;
                let slow = self.wait(20_000, 90_000);
                tokio::time::sleep(slow).await;
                answered
            }
            Some(Fault::Twice) => {
                let again = clone(&request);
                let answered = self.arrive(&shop, &call, request).await;
                let later = self.wait(0, 3_000);
                let (network, shop, call) = (self.clone(), shop.clone(), call.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    let _ = network.arrive(&shop, &call, again).await;
                });
                answered
            }
            Some(Fault::Truncated) => self.arrive(&shop, &call, request).await.map(|mut response| {
                let body = response.body_mut();
                body.truncate(body.len() / 2);
                response
            }),
            Some(Fault::TooMany) => {
                let secs = self.wait(1, 90).as_millis() as u64;
                let mut response = plain(429, "");
                let headers = response.headers_mut();
                headers.insert(http::header::RETRY_AFTER, HeaderValue::from(secs));
                headers.insert("x-rate-limit-time-reset-ms", HeaderValue::from(secs * 1000));
                Ok(response)
            }
            Some(Fault::TooManyBare) => Ok(plain(429, "slow down")),
            Some(Fault::Down) => Ok(plain(503, "<html>maintenance</html>")),
            Some(Fault::DownAfter) => {
                let _ = self.arrive(&shop, &call, request).await;
                Ok(plain(502, "<html>bad gateway</html>"))
            }
            Some(Fault::Errors) if graphql => Ok(graphql_errors("INTERNAL_SERVER_ERROR")),
            Some(Fault::Errors) => Ok(plain(500, "[{\"status\":500,\"message\":\"internal\"}]")),
            Some(Fault::Throttled) if graphql => Ok(graphql_errors("THROTTLED")),
            Some(Fault::Throttled) => Ok(plain(429, "")),
            Some(Fault::Stale) => match self.known(&call).filter(|_| !call.write) {
                Some(response) => Ok(response),
                None => self.arrive(&shop, &call, request).await,
            },
            Some(fault @ (Fault::Unknown | Fault::Null)) => {
                let answered = self.arrive(&shop, &call, request).await;
                answered.map(|response| self.spoil(response, fault))
            }
        };
        let told = match &result {
            Ok(response) => response.status().as_u16().to_string(),
            Err(_) => "lost".to_owned(),
        };
        self.note(&shop, &call, fault, &told);
        tokio::time::sleep(back).await;
        let _ = answer.send(result);
        self.answered.notify_waiters();
    }

    fn note(&self, shop: &Shop, call: &wire::Call, fault: Option<Fault>, told: &str) {
        let fault = fault.map(|fault| format!(" [{}]", fault.name())).unwrap_or_default();
        self.journal.note(format!("{} {} {}→ {told}{fault}", shop.merchant, call.name, call.detail));
    }

    /// A request comes to a shop.
    async fn arrive(&self, shop: &Shop, call: &wire::Call, request: Request<Bytes>) -> Answered {
        wire::watch(shop, call, &self.journal);
        let now = Instant::now();
        if call.lists_orders() {
            self.state().listed.insert(shop.host(), now);
        }
        if call.is_stock() {
            let (listed, healed) = {
                let state = self.state();
                (state.listed.get(&shop.host()).copied(), state.healed)
            };
            // Storms may put a run's writes off, and late ones still come; an hour after them they follow at once.
            let healed = healed.is_some_and(|at| now - at > Duration::from_secs(3600));
            let fresh = listed.is_some_and(|at| now - at < Duration::from_secs(90));
            self.journal.check("orders are read before stock is written", fresh || !healed, || {
                format!("{}: last listed {:?} ago", shop.merchant, listed.map(|at| now - at))
            });
        }
        let answered = match &shop.remote {
            Remote::Shopify(remote) => remote.send(request).await,
            Remote::BigCommerce(remote) => remote.send(request).await,
            Remote::Folder(_) => Err(TransportError::Connect("a folder has no host".to_owned())),
        };
        if let Ok(response) = &answered
            && !call.write
            && response.status().is_success()
        {
            let known = (Instant::now(), response.status(), response.body().clone());
            self.state().answers.insert(call.same.clone(), known);
        }
        answered
    }

    fn known(&self, call: &wire::Call) -> Option<Response<Bytes>> {
        let state = self.state();
        let (at, status, body) = state.answers.get(&call.same).filter(|(at, ..)| at.elapsed() <= STALE)?;
        let _ = at;
        let mut response = Response::new(body.clone());
        *response.status_mut() = *status;
        Some(response)
    }

    /// Puts something into an answer that was never there.
    fn spoil(&self, mut response: Response<Bytes>, fault: Fault) -> Response<Bytes> {
        let Ok(mut body) = serde_json::from_slice::<Value>(response.body()) else { return response };
        let mut places = Vec::new();
        wire::surprising(&body, fault, "", &mut places);
        let place = self.state().dice.pick(&places).cloned();
        if let Some(value) = place.as_deref().and_then(|place| body.pointer_mut(place)) {
            *value = match (fault, &*value) {
                (Fault::Null, _) => Value::Null,
                (_, Value::Number(_)) => json!(97),
                _ => json!("SOMETHING_NEW"),
            };
            self.journal.note(format!("a surprise at {}", place.unwrap_or_default()));
        }
        *response.body_mut() = body.to_string().into();
        response
    }
}

type Answered = Result<Response<Bytes>, TransportError>;

fn clone(request: &Request<Bytes>) -> Request<Bytes> {
    let mut again = Request::new(request.body().clone());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    again
}

fn graphql_errors(code: &str) -> Response<Bytes> {
    let body = json!({
        "errors": [{ "message": code, "extensions": { "code": code } }],
        "extensions": { "cost": { "requestedQueryCost": 100.0, "actualQueryCost": null, "throttleStatus": {
            "maximumAvailable": 2000.0, "currentlyAvailable": 10.0, "restoreRate": 100.0,
        } } },
    });
    Response::new(body.to_string().into())
}

/// One daemon's line to the network. When the daemon is killed nothing goes over it any more.
pub(crate) struct Line {
    pub(crate) network: Arc<Network>,
    pub(crate) alive: AtomicBool,
}

#[async_trait]
impl Http for Line {
    async fn send(&self, request: Request<Bytes>) -> Answered {
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let (answer, answered) = oneshot::channel();
        tokio::spawn(self.network.clone().carry(request, answer));
        let answered = answered.await;
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        answered.unwrap_or_else(|_| Err(TransportError::Interrupted("connection closed".to_owned())))
    }
}
