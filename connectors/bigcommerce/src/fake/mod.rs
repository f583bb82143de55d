//! A model of a BigCommerce store behind [`sdk::Http`], for tests and benchmarks: never in the daemon.
//!
//! Built from the contract, not from scripted replies: it has orders with lines, addresses and shipments, statuses that
//! follow what happens, pages that shift, stamps of whole seconds, 204s for empty lists, a budget of requests and the
//! refusals of too many units; products, and stock by location that is set some time after it was asked for. What the contract leaves open can be read either way (`exclusive_bounds`,
//! `list_archived`, `cap_pages`). It is deterministic: time is its clock's, ids count up.

mod answers;
mod goods;
mod merchant;
mod model;
mod shelves;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sdk::{Clock, Http, Timestamp, TransportError, async_trait};
use serde_json::json;

use answers::{Answer, Readings};
pub use goods::{FakeVariant, NewProduct, Tracking};
use model::Store;
pub use model::{FakeAddress, FakeLine, FakeOrder, FakeShipment, NewLine, NewOrder};
pub use shelves::Names;

/// The hash of the store.
pub const STORE: &str = "a1b2c3d4e5";

/// The token that is accepted unless said otherwise.
pub const TOKEN: &str = "bc_fake_token";

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// No connection.
    Refuse,
    /// The connection breaks before the store acts.
    LoseBefore,
    /// The store acts, its answer is lost.
    LoseAfterApplied,
    /// Another status, without acting.
    Status(u16),
    /// Another status and this body, without acting.
    StatusWith(u16, Vec<u8>),
    /// Another body with a 200, without acting.
    Body(Vec<u8>),
    /// The store acts, another body comes with a 200.
    BodyAfterApplied(Vec<u8>),
    /// A 429 with these headers, without acting.
    Throttled(Vec<(&'static str, String)>),
}

type Hook = Box<dyn FnMut(&str) -> Fault + Send>;

/// Requests in a window.
#[derive(Clone, Copy, Debug)]
struct Budget {
    quota: u64,
    window_ms: u64,
    used: u64,
    since: Timestamp,
}

struct State {
    store: Store,
    readings: Readings,
    token: String,
    counts: BTreeMap<String, u32>,
    hook: Option<Hook>,
    budget: Budget,
    dated: bool,
    index_lag: chrono::TimeDelta,
}

/// The model of one store.
pub struct FakeStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeStore").finish_non_exhaustive()
    }
}

impl FakeStore {
    /// An empty store on this clock, with a budget that is never used up.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State {
            store: Store::default(),
            readings: Readings::default(),
            token: TOKEN.to_owned(),
            counts: BTreeMap::new(),
            hook: None,
            budget: Budget { quota: 1_000_000, window_ms: 30_000, used: 0, since: clock.now() },
            dated: true,
            index_lag: chrono::TimeDelta::zero(),
        };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store's stamps have whole seconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        chrono::DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
    }

    /// Requests so far by method and path, ids as `{}`: `GET /v2/orders/{}/products`.
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.state().counts.clone()
    }

    /// All requests so far.
    pub fn requests(&self) -> u32 {
        self.state().counts.values().sum()
    }

    /// Called with each request (named as in [`FakeStore::counts`]) before it is answered; says what goes wrong.
    pub fn on_request(&self, hook: impl FnMut(&str) -> Fault + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// Accepts this token alone.
    pub fn accept_token(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    /// Allows so many requests in a window, from now on.
    pub fn set_budget(&self, quota: u64, window_ms: u64) {
        let since = self.clock.now();
        self.state().budget = Budget { quota, window_ms, used: 0, since };
    }

    /// Reads bounds of times and ids as leaving their own value out.
    pub fn exclusive_bounds(&self, exclusive: bool) {
        self.state().readings.exclusive = exclusive;
    }

    /// Shows archived orders in lists.
    pub fn list_archived(&self, archived: bool) {
        self.state().readings.archived = archived;
    }

    /// Gives no larger pages than this, whatever is asked for.
    pub fn cap_pages(&self, cap: usize) {
        self.state().readings.cap = Some(cap);
    }

    /// Lists of V3 do not tell how many entries there are.
    pub fn leave_totals_out(&self) {
        self.state().readings.untold = true;
    }

    /// What refused adjustments name.
    pub fn name_refused(&self, names: Names) {
        self.state().readings.names = names;
    }

    /// The list of orders shows a change so many seconds after it was made: until then the order is not in it.
    pub fn lag_index(&self, secs: u32) {
        self.state().index_lag = chrono::TimeDelta::seconds(i64::from(secs));
    }

    /// Whether answers tell the store's time.
    pub fn tell_time(&self, dated: bool) {
        self.state().dated = dated;
    }

    fn reply(&self, (status, body): Answer, budget: Option<Budget>) -> Response<Bytes> {
        self.reply_bytes(status, body.map(|body| body.to_string().into()).unwrap_or_default(), budget)
    }

    fn reply_bytes(&self, status: StatusCode, body: Bytes, budget: Option<Budget>) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if self.state().dated {
            headers.push(("date", self.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        }
        if let Some(budget) = budget {
            let gone = (self.clock.now() - budget.since).num_milliseconds().max(0) as u64;
            headers.extend([
                ("x-rate-limit-time-window-ms", budget.window_ms.to_string()),
                ("x-rate-limit-time-reset-ms", budget.window_ms.saturating_sub(gone).to_string()),
                ("x-rate-limit-requests-quota", budget.quota.to_string()),
                ("x-rate-limit-requests-left", budget.quota.saturating_sub(budget.used).to_string()),
            ]);
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }

    /// Takes a request from the budget; false when there is none left.
    fn spend(&self) -> (Budget, bool) {
        let now = self.clock.now();
        let mut state = self.state();
        let budget = &mut state.budget;
        if (now - budget.since).num_milliseconds() >= budget.window_ms as i64 {
            (budget.since, budget.used) = (now, 0);
        }
        let enough = budget.used < budget.quota;
        budget.used += u64::from(enough);
        (*budget, enough)
    }

    fn act(&self, request: &Request<Bytes>, path: &str) -> Answer {
        let now = self.now();
        let query = request.uri().query().unwrap_or_default();
        let mut state = self.state();
        let indexed_until = (!state.index_lag.is_zero()).then_some(now - state.index_lag);
        let readings = Readings { indexed_until, ..state.readings };
        let store = &mut state.store;
        let answer = answers::answer(store, readings, request.method(), path, query, request.body(), now);
        if request.method() == http::Method::GET {
            store.goods.pass();
        }
        answer
    }
}

fn named_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `GET /v2/orders/{}/products`
fn named(request: &Request<Bytes>, path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .map(
            |part| {
                if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) { "{}" } else { part }
            },
        )
        .collect();
    format!("{} {}", request.method(), parts.join("/"))
}

#[async_trait]
impl Http for FakeStore {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path();
        let inside = path.split_once(&format!("/stores/{STORE}")).map(|(_, inside)| inside.to_owned());
        let Some(path) = inside.filter(|inside| inside.starts_with('/')) else {
            return Ok(self.reply((StatusCode::NOT_FOUND, Some(json!({ "status": 404 }))), None));
        };
        let name = named(&request, &path);
        let fault = {
            let mut state = self.state();
            *state.counts.entry(name.clone()).or_default() += 1;
            state.hook.as_mut().map_or(Fault::None, |hook| hook(&name))
        };
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if header("x-auth-token") != Some(&self.state().token) {
            let body = json!({ "status": 401, "title": "You are not authorized." });
            return Ok(self.reply((StatusCode::UNAUTHORIZED, Some(body)), None));
        }
        let (budget, enough) = self.spend();
        if !enough {
            let body = json!({ "status": 429, "title": "Too Many Requests" });
            return Ok(self.reply((StatusCode::TOO_MANY_REQUESTS, Some(body)), Some(budget)));
        }
        // V2 speaks XML to those who do not ask for JSON.
        if header("accept") != Some("application/json") {
            return Ok(self.reply_bytes(StatusCode::OK, "<?xml version=\"1.0\"?>".into(), Some(budget)));
        }
        let lost = || Err(TransportError::Interrupted("connection reset".to_owned()));
        match fault {
            Fault::None => Ok(self.reply(self.act(&request, &path), Some(budget))),
            Fault::Refuse => Err(TransportError::Connect("connection refused".to_owned())),
            Fault::LoseBefore => lost(),
            Fault::LoseAfterApplied => {
                self.act(&request, &path);
                lost()
            }
            Fault::Status(status) => Ok(self.reply_bytes(named_status(status), Bytes::new(), Some(budget))),
            Fault::StatusWith(status, body) => {
                Ok(self.reply_bytes(named_status(status), body.into(), Some(budget)))
            }
            Fault::Body(body) => Ok(self.reply_bytes(StatusCode::OK, body.into(), Some(budget))),
            Fault::BodyAfterApplied(body) => {
                self.act(&request, &path);
                Ok(self.reply_bytes(StatusCode::OK, body.into(), Some(budget)))
            }
            Fault::Throttled(told) => {
                let mut response = self.reply_bytes(StatusCode::TOO_MANY_REQUESTS, Bytes::new(), None);
                for (name, value) in told {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        response.headers_mut().insert(HeaderName::from_static(name), value);
                    }
                }
                Ok(response)
            }
        }
    }
}
