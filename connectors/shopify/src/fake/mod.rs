//! A model of a Shopify shop behind [`sdk::Http`], for tests and benchmarks: never in the daemon.
//!
//! Built from the schema and from recorded answers of real shops, not from scripted replies: it has orders,
//! fulfillment orders with remaining quantities, a catalogue with stock, a query budget, and the refusals in the shop's own words. It is
//! deterministic: time is its clock's, ids count up.

mod answers;
mod catalogue;
mod merchant;
mod model;
mod records;
mod service;
mod stock;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use sdk::{Clock, Http, RemoteId, Timestamp, TransportError, async_trait};
use serde_json::{Value, json};

pub use catalogue::{FakeLevel, FakeStockWrite, FakeVariant, NewProduct};
pub use merchant::Restock;
use model::Shop;
pub use records::{
    FakeAddress, FakeFo, FakeFoLine, FakeFulfillment, FakeLine, FakeOrder, FakeRequest, NewLine, NewOrder,
};

/// The location that lines ship from unless said otherwise.
pub const LOCATION: u64 = 655_441_491;

/// The token that is accepted unless said otherwise.
pub const TOKEN: &str = "shpat_fake";

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// No connection.
    Refuse,
    /// The connection breaks before the shop acts.
    LoseBefore,
    /// The shop acts, its answer is lost.
    LoseAfterApplied,
    /// Another status, without acting.
    Status(u16),
    /// Another body with a 200, without acting.
    Body(Vec<u8>),
    /// The shop acts, another body comes with a 200.
    BodyAfterApplied(Vec<u8>),
    /// The budget is said to be used up.
    Throttled,
}

type Hook = Box<dyn FnMut(&str) -> Fault + Send>;

/// A budget of query points.
#[derive(Clone, Copy, Debug)]
struct Budget {
    capacity: f64,
    per_second: f64,
    left: f64,
    at: Timestamp,
}

struct State {
    shop: Shop,
    tokens: Vec<String>,
    refresh: Option<String>,
    issued: u32,
    lifetime: i64,
    counts: BTreeMap<String, u32>,
    hook: Option<Hook>,
    budget: Option<Budget>,
    version: Option<String>,
    scopes: Vec<String>,
    points_an_order: f64,
    index_lag: chrono::TimeDelta,
    asked: Vec<Value>,
}

/// The model of one shop.
pub struct FakeShop {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl fmt::Debug for FakeShop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeShop").finish_non_exhaustive()
    }
}

impl FakeShop {
    /// An empty shop on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let scopes = [
            "read_orders",
            "read_all_orders",
            "read_products",
            "read_locations",
            "read_inventory",
            "write_inventory",
            "read_merchant_managed_fulfillment_orders",
            "write_merchant_managed_fulfillment_orders",
            "read_third_party_fulfillment_orders",
            "write_third_party_fulfillment_orders",
            "read_assigned_fulfillment_orders",
            "write_assigned_fulfillment_orders",
        ];
        let state = State {
            shop: Shop::default(),
            tokens: vec![TOKEN.to_owned()],
            refresh: None,
            issued: 0,
            lifetime: 3_600,
            counts: BTreeMap::new(),
            hook: None,
            budget: None,
            version: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            points_an_order: 9.0,
            index_lag: chrono::TimeDelta::zero(),
            asked: Vec::new(),
        };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shop's stamps have whole seconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        chrono::DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
    }

    fn change<T>(&self, order: &RemoteId, change: impl FnOnce(&mut FakeOrder) -> T) -> Option<T> {
        let now = self.now();
        let mut state = self.state();
        let order = state.shop.orders.get_mut(&order.as_str().parse().ok()?)?;
        order.updated = now;
        Some(change(order))
    }

    /// Places an order.
    pub fn place(&self, order: NewOrder) -> RemoteId {
        let now = self.now();
        RemoteId(self.state().shop.place(order, now).to_string())
    }

    /// Changes the note.
    pub fn set_note(&self, order: &RemoteId, note: &str) {
        self.change(order, |order| order.note = Some(note.to_owned()));
    }

    /// Changes the shipping address.
    pub fn set_address(&self, order: &RemoteId, address: FakeAddress) {
        self.change(order, |order| order.address = Some(address));
    }

    /// Changes the financial status.
    pub fn set_financial(&self, order: &RemoteId, status: &str) {
        self.change(order, |order| order.financial = Some(status.to_owned()));
    }

    /// Tags the order: a change that nothing reads.
    pub fn touch(&self, order: &RemoteId) {
        self.change(order, |order| order.tags += 1);
    }

    /// Cancels the whole order; the reason in the shop's word, `CUSTOMER`.
    pub fn cancel_order(&self, order: &RemoteId, reason: &str) {
        let now = self.now();
        if let Some(id) = self.change(order, |order| order.id) {
            self.state().shop.cancel(id, reason, now);
        }
    }

    /// Edits a line to this many units.
    pub fn edit_quantity(&self, order: &RemoteId, line: u64, quantity: u32) {
        if let Some(id) = self.change(order, |order| order.id) {
            let now = self.now();
            self.state().shop.edit(id, line, i64::from(quantity), now);
        }
    }

    /// Holds what is open, with the reason that the shop displays.
    pub fn hold(&self, order: &RemoteId, reason: &str) {
        self.change(order, |order| {
            for fo in order.fulfillment_orders.iter_mut().filter(|fo| fo.status != "CLOSED") {
                "ON_HOLD".clone_into(&mut fo.status);
                fo.holds.push((reason.to_owned(), None));
            }
        });
    }

    /// Lifts all holds.
    pub fn release(&self, order: &RemoteId) {
        self.change(order, |order| {
            for fo in order.fulfillment_orders.iter_mut().filter(|fo| fo.status == "ON_HOLD") {
                let begun = fo.lines.iter().any(|line| line.remaining < line.total);
                if begun { "IN_PROGRESS" } else { "OPEN" }.clone_into(&mut fo.status);
                fo.holds.clear();
            }
        });
    }

    /// Sets the status of every fulfillment order that is not closed, known or not.
    pub fn set_fo_status(&self, order: &RemoteId, status: &str) {
        self.change(order, |order| {
            for fo in order.fulfillment_orders.iter_mut().filter(|fo| fo.status != "CLOSED") {
                status.clone_into(&mut fo.status);
            }
        });
    }

    /// All orders, as they stand.
    pub fn orders(&self) -> Vec<FakeOrder> {
        self.state().shop.orders.values().cloned().collect()
    }

    /// One order, as it stands.
    pub fn order(&self, order: &RemoteId) -> Option<FakeOrder> {
        self.state().shop.orders.get(&order.as_str().parse().ok()?).cloned()
    }

    /// An order's fulfillments, those taken back too.
    pub fn fulfillments(&self, order: &RemoteId) -> Vec<FakeFulfillment> {
        self.order(order).map(|order| order.fulfillments).unwrap_or_default()
    }

    /// Requests so far by operation; `token` for those of a token.
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.state().counts.clone()
    }

    /// The bodies of all questions so far, oldest first.
    pub fn asked(&self) -> Vec<Value> {
        self.state().asked.clone()
    }

    /// Called with each operation's name before it is answered; says what goes wrong.
    pub fn on_request(&self, hook: impl FnMut(&str) -> Fault + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// Accepts this token alone.
    pub fn accept_token(&self, token: &str) {
        self.state().tokens = vec![token.to_owned()];
    }

    /// Gives out expiring tokens: against this refresh token first, which then changes with each use.
    pub fn rotate_tokens(&self, refresh: &str) {
        let mut state = self.state();
        state.refresh = Some(refresh.to_owned());
        state.tokens.clear();
    }

    /// Enforces a budget of points from now on. Without it costs are told and never bite.
    pub fn set_budget(&self, capacity: f64, per_second: f64) {
        let at = self.clock.now();
        self.state().budget = Some(Budget { capacity, per_second, left: capacity, at });
    }

    /// What one order of a page is priced at.
    pub fn set_price(&self, points_an_order: f64) {
        self.state().points_an_order = points_an_order;
    }

    /// Lists show a change so many seconds after it was made: until then the order is in none of them.
    pub fn lag_index(&self, secs: u32) {
        self.state().index_lag = chrono::TimeDelta::seconds(i64::from(secs));
    }

    /// Answers with this API version, whatever is asked for.
    pub fn answer_version(&self, version: &str) {
        self.state().version = Some(version.to_owned());
    }

    /// The scopes that the app is shown to have.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.state().scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    fn reply(&self, version: &str, status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let date = self.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = response.headers_mut();
        for (name, value) in [
            ("date", date.as_str()),
            ("x-shopify-api-version", version),
            ("content-type", "application/json"),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        response
    }

    /// The token endpoint.
    fn grant(&self, body: &[u8]) -> (StatusCode, Value) {
        let mut state = self.state();
        *state.counts.entry("token".to_owned()).or_default() += 1;
        let form = String::from_utf8_lossy(body).into_owned();
        let field = |name: &str| {
            form.split('&')
                .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                .map(|(_, it)| it)
        };
        state.issued += 1;
        let (access, next) =
            (format!("shpat_issued_{}", state.issued), format!("shprt_issued_{}", state.issued));
        let answer = match field("grant_type") {
            Some("client_credentials") => {
                json!({ "access_token": access, "scope": "read_orders", "expires_in": 86_399 })
            }
            Some("refresh_token") if field("refresh_token") == state.refresh.as_deref() => {
                state.refresh = Some(next.clone());
                json!({
                    "access_token": access, "scope": "read_orders", "expires_in": state.lifetime,
                    "refresh_token": next, "refresh_token_expires_in": 7_776_000,
                })
            }
            _ => return (StatusCode::BAD_REQUEST, json!({ "error": "invalid_request" })),
        };
        state.tokens = vec![access];
        (StatusCode::OK, answer)
    }

    /// Answers a question; the flag says whether a body without data stands in for it.
    fn graphql(&self, body: &Value) -> Value {
        let now = self.now();
        let clock = self.clock.now();
        let mut state = self.state();
        state.asked.push(body.clone());
        let scopes = state.scopes.clone();
        state.shop.indexed_until = (!state.index_lag.is_zero()).then_some(now - state.index_lag);
        let operation = body["operationName"].as_str().unwrap_or_default().to_owned();
        let variables = &body["variables"];
        let price = match operation.as_str() {
            "PortaldOrders" => 2.0 + state.points_an_order * variables["first"].as_f64().unwrap_or(0.0),
            "PortaldOrder" => 60.0,
            operation => stock::price(operation, variables).unwrap_or(10.0),
        };
        if price > 1000.0 {
            return json!({ "errors": [{
                "message": format!("Query cost is {price}, which exceeds the single query max cost limit (1000)."),
                "extensions": { "code": "MAX_COST_EXCEEDED", "cost": price, "maxCost": 1000 },
            }] });
        }
        let mut status = json!({ "maximumAvailable": 20_000.0, "currentlyAvailable": 20_000.0 - price, "restoreRate": 1000.0 });
        if let Some(budget) = &mut state.budget {
            let gone = (clock - budget.at).as_seconds_f64().max(0.0);
            budget.left = (budget.left + gone * budget.per_second).min(budget.capacity);
            budget.at = clock;
            let enough = budget.left >= price;
            if enough {
                budget.left -= price;
            }
            status = json!({
                "maximumAvailable": budget.capacity, "currentlyAvailable": budget.left, "restoreRate": budget.per_second,
            });
            if !enough {
                return throttled(price, &status);
            }
        }
        if operation == "PortaldSetStock"
            && let Some(order) = state.shop.catalogue.ahead.pop_front()
        {
            state.shop.place(order, now);
        }
        let mut answer = stock::answer(&mut state.shop.catalogue, &scopes, body)
            .unwrap_or_else(|| answers::answer(&mut state.shop, &scopes, &operation, variables, now));
        answer["extensions"] = json!({ "cost": {
            "requestedQueryCost": price, "actualQueryCost": price, "throttleStatus": status,
        } });
        answer
    }
}

fn throttled(price: f64, status: &Value) -> Value {
    json!({
        "errors": [{ "message": "Throttled", "extensions": {
            "code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits",
        } }],
        "extensions": { "cost": {
            "requestedQueryCost": price, "actualQueryCost": null, "throttleStatus": status,
        } },
    })
}

#[async_trait]
impl Http for FakeShop {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        if path.ends_with("/admin/oauth/access_token") {
            let fault = self.state().hook.as_mut().map_or(Fault::None, |hook| hook("token"));
            return self.with_fault("", fault, || {
                let (status, body) = self.grant(request.body());
                (status, body)
            });
        }
        let asked = path.strip_suffix("/graphql.json").and_then(|path| path.rsplit('/').next());
        let Some(asked) = asked.filter(|_| request.method() == http::Method::POST) else {
            return Ok(self.reply("", StatusCode::NOT_FOUND, "{\"errors\":\"Not Found\"}"));
        };
        let version = self.state().version.clone().unwrap_or_else(|| asked.to_owned());
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let operation = body["operationName"].as_str().unwrap_or_default().to_owned();
        let fault = {
            let mut state = self.state();
            *state.counts.entry(operation.clone()).or_default() += 1;
            state.hook.as_mut().map_or(Fault::None, |hook| hook(&operation))
        };
        let token = request.headers().get("x-shopify-access-token").and_then(|token| token.to_str().ok());
        if fault == Fault::None && !self.state().tokens.iter().any(|good| Some(good.as_str()) == token) {
            let body = "{\"errors\":\"[API] Invalid API key or access token (unrecognized login or wrong password)\"}";
            return Ok(self.reply(&version, StatusCode::UNAUTHORIZED, body));
        }
        self.with_fault(&version, fault, || (StatusCode::OK, self.graphql(&body)))
    }
}

impl FakeShop {
    fn with_fault(
        &self,
        version: &str,
        fault: Fault,
        act: impl FnOnce() -> (StatusCode, Value),
    ) -> Result<Response<Bytes>, TransportError> {
        let lost = || Err(TransportError::Interrupted("connection reset".to_owned()));
        match fault {
            Fault::None => {
                let (status, body) = act();
                Ok(self.reply(version, status, body.to_string()))
            }
            Fault::Refuse => Err(TransportError::Connect("connection refused".to_owned())),
            Fault::LoseBefore => lost(),
            Fault::LoseAfterApplied => {
                act();
                lost()
            }
            Fault::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Ok(self.reply(version, status, ""))
            }
            Fault::Body(body) => Ok(self.reply(version, StatusCode::OK, body)),
            Fault::BodyAfterApplied(body) => {
                act();
                Ok(self.reply(version, StatusCode::OK, body))
            }
            Fault::Throttled => {
                let status =
                    json!({ "maximumAvailable": 2000.0, "currentlyAvailable": 0.0, "restoreRate": 100.0 });
                Ok(self.reply(version, StatusCode::OK, throttled(100.0, &status).to_string()))
            }
        }
    }
}
