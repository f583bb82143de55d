//! One connected shop: each method hands over to the file of its subject.

use std::sync::Arc;

use sdk::{
    CancellationAnswer, Capabilities, Channel, CheckReport, Client, Clock, Context, Error,
    FulfillmentRequest, OrderPage, Priority, PullRequest, Pulled, Pushed, RemoteFulfillment, RemoteId,
    Result, SplitMirror, StockLevel, StockOutcome, StockWrite, TrackingUpdate, VariantPage, async_trait,
    client::Limits, throttle::Throttle,
};

use crate::{
    admin::Admin, auth::Auth, changes::Changes, check, config::Settings, error::Answers, fulfillments,
    inventory, orders, page_size::PageSize, products, requests, splits, whole,
};

/// What the budget is taken for until the first answer tells: a standard shop's bucket and its refill a second
/// (<https://shopify.dev/docs/api/usage/limits#graphql-admin-api-rate-limits>).
const BUDGET: (f64, f64) = (2000.0, 100.0);

/// A connected shop.
pub(crate) struct ShopifyChannel {
    settings: Settings,
    admin: Admin,
    page_size: PageSize,
    variants_page: PageSize,
    changes: Changes,
    clock: Arc<dyn Clock>,
}

impl ShopifyChannel {
    pub(crate) fn new(settings: Settings, context: Context) -> Self {
        let rng = context.rng();
        let throttle = Arc::new(Throttle::new(BUDGET.0, BUDGET.1));
        let client = Client::new(context.http, Box::new(Answers), throttle, Limits::default(), rng);
        let auth = Auth::new(
            settings.credentials.clone(),
            &settings.base_url,
            Arc::clone(&context.clock),
            context.tokens,
        );
        let admin = Admin::new(client, auth, &settings.base_url, &settings.api_version, context.label);
        Self {
            page_size: orders::page_size(settings.page_size),
            variants_page: products::page_size(),
            settings,
            admin,
            changes: Changes::default(),
            clock: context.clock,
        }
    }
}

#[async_trait]
impl Channel for ShopifyChannel {
    fn capabilities(&self) -> Capabilities {
        self.settings.capabilities()
    }

    fn stock_place(&self) -> String {
        self.settings.location.clone().unwrap_or_default()
    }

    async fn check(&self) -> Result<CheckReport> {
        check::check(&self.admin, &self.settings, self.clock.now()).await
    }

    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage> {
        orders::pull(&self.admin, &self.page_size, &self.changes, request).await
    }

    async fn order(&self, id: &RemoteId) -> Result<Pulled> {
        let gid = fulfillments::order_gid("order", id)?;
        let whole = whole::read(&self.admin, &gid, Priority::Deliver).await?;
        Ok(orders::from_whole(&gid, &whole))
    }

    async fn push_fulfillment(&self, request: &FulfillmentRequest) -> Result<Pushed> {
        fulfillments::push(&self.admin, request).await
    }

    async fn find(&self, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
        fulfillments::find(&self.admin, order).await
    }

    async fn update_tracking(&self, update: &TrackingUpdate) -> Result<()> {
        fulfillments::update_tracking(&self.admin, update).await
    }

    async fn void_fulfillment(&self, _order: &RemoteId, fulfillment: &RemoteId, _key: &str) -> Result<()> {
        fulfillments::void(&self.admin, fulfillment).await
    }

    async fn answer_cancellation(&self, answer: &CancellationAnswer) -> Result<()> {
        requests::answer(&self.admin, answer).await
    }

    async fn products(&self, page: Option<&str>) -> Result<VariantPage> {
        products::page(&self.admin, &self.variants_page, self.settings.location.as_deref(), page).await
    }

    async fn read_stock(&self, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
        inventory::read(&self.admin, self.settings.location.as_deref(), items).await
    }

    async fn push_stock(&self, write: &StockWrite) -> Result<Vec<StockOutcome>> {
        inventory::push(&self.admin, self.settings.location.as_deref(), write).await
    }

    async fn mirror_split(&self, split: &SplitMirror) -> Result<()> {
        if !self.settings.mirror_splits {
            return Err(Error::unsupported("mirror_split"));
        }
        splits::mirror(&self.admin, split).await
    }
}
