//! One connected store: each method hands over to the file of its subject.

use std::{sync::Arc, time::Duration};

use sdk::{
    Capabilities, Channel, CheckReport, Client, Clock, Context, FulfillmentRequest, OrderPage, Priority,
    PullRequest, Pulled, Pushed, RemoteFulfillment, RemoteId, Result, StockLevel, StockOutcome, StockWrite,
    TrackingUpdate, VariantPage, async_trait, client::Limits, throttle::Throttle,
};

use crate::{
    check,
    config::Settings,
    error::Answers,
    fulfillments, inventory,
    known::Known,
    orders::{self, Pull},
    products,
    rest::{self, Rest},
    whole,
};

/// What the budget is taken for until the first answer tells: the smallest plan's requests, and their refill a
/// second (150 in 30 s: `X-Rate-Limit-Requests-Quota` and `-Time-Window-Ms` in `strict/orders.v2.strict.yml`).
const BUDGET: (f64, f64) = (150.0, 5.0);

/// A window of the budget lasts 30 seconds: sitting it out in process is cheaper than reading a page again.
const LONGEST_WAIT: Duration = Duration::from_secs(35);

/// A connected store.
pub(crate) struct BigCommerceChannel {
    rest: Rest,
    known: Known,
    page_size: u32,
    location: u32,
    store_hash: String,
    clock: Arc<dyn Clock>,
}

impl BigCommerceChannel {
    pub(crate) fn new(settings: &Settings, context: Context) -> Self {
        let rng = context.rng();
        let throttle = Arc::new(Throttle::new(BUDGET.0, BUDGET.1));
        let limits = Limits { longest_wait: LONGEST_WAIT, ..Limits::default() };
        let client = Client::new(context.http, Box::new(Answers), throttle, limits, rng);
        Self {
            rest: Rest::new(client, settings),
            known: Known::default(),
            page_size: settings.page_size,
            location: settings.location,
            store_hash: settings.store_hash.clone(),
            clock: context.clock,
        }
    }
}

#[async_trait]
impl Channel for BigCommerceChannel {
    fn capabilities(&self) -> Capabilities {
        crate::CAPABILITIES
    }

    fn stock_place(&self) -> String {
        self.location.to_string()
    }

    async fn check(&self) -> Result<CheckReport> {
        check::check(&self.rest, &self.store_hash, self.location).await
    }

    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage> {
        let pull =
            Pull { rest: &self.rest, known: &self.known, clock: &*self.clock, page_size: self.page_size };
        orders::pull(&pull, request).await
    }

    async fn order(&self, id: &RemoteId) -> Result<Pulled> {
        let number = rest::id("order", id)?;
        // A change that does not move the order's stamp may be seen here first: the list must not show what it
        // remembers from before.
        self.known.forget(number);
        whole::read(&self.rest, number, Priority::Deliver).await
    }

    async fn push_fulfillment(&self, request: &FulfillmentRequest) -> Result<Pushed> {
        let pushed = fulfillments::push(&self.rest, request).await;
        self.forget(&request.order);
        pushed
    }

    async fn find(&self, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
        fulfillments::find(&self.rest, order).await
    }

    async fn update_tracking(&self, update: &TrackingUpdate) -> Result<()> {
        let updated = fulfillments::update_tracking(&self.rest, update).await;
        self.forget(&update.order);
        updated
    }

    async fn products(&self, page: Option<&str>) -> Result<VariantPage> {
        products::page(&self.rest, page).await
    }

    async fn read_stock(&self, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
        inventory::read(&self.rest, self.location, items).await
    }

    async fn push_stock(&self, write: &StockWrite) -> Result<Vec<StockOutcome>> {
        inventory::push(&self.rest, self.location, write).await
    }
}

impl BigCommerceChannel {
    /// After a write, whatever became of it.
    fn forget(&self, order: &RemoteId) {
        if let Ok(number) = rest::id("order", order) {
            self.known.forget(number);
        }
    }
}
