#![doc = include_str!("../README.md")]

mod config;
mod error;
mod fulfillments;
mod inbox;
mod orders;
mod stock;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdk::{
    Capabilities, Channel, CheckReport, Configured, Connector, Context, FulfillmentRequest, OrderPage,
    PullRequest, Pushed, RemoteId, Result, StockLevel, StockOutcome, StockWrite, TrackingUpdate, VariantPage,
    async_trait, settings::Section,
};

use crate::{config::Settings, inbox::Inbox};

/// `connector = "folder"`.
#[derive(Clone, Copy, Debug)]
pub struct Folder;

/// A folder tells an order once, and takes whatever is written there.
const CAPABILITIES: Capabilities = Capabilities {
    sees_cancellations: false,
    sees_partial_cancellations: false,
    answers_cancellations: false,
    sees_holds: false,
    sees_edits: false,
    order_by_id: false,
    partial_fulfillments: true,
    tracking_updates: true,
    // A row `action=void` is written, but whether someone acts on it is not known: a person is told.
    voids: false,
    void_notices: true,
    split_mirror: false,
    stock_writes: true,
    stock_batch: stock::BATCH,
    // The quantities are ours alone: nobody else writes the file.
    compare_and_set_stock: false,
    // A write is one file under its key, the same at every attempt: safe to repeat.
    finds_fulfillments: false,
    test_orders: true,
};

impl Connector for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>> {
        Some(Box::new(Settings::read(section)?))
    }
}

/// One merchant's folder.
struct FolderChannel {
    context: Context,
    /// One call at a time: taking files and archiving them look before they move.
    inbox: Mutex<Inbox>,
}

impl FolderChannel {
    fn connect(settings: Settings, context: Context) -> Arc<dyn Channel> {
        let inbox = Inbox::new(settings, context.files.clone(), context.clock.clone(), context.label.clone());
        Arc::new(Self { context, inbox: Mutex::new(inbox) })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, operation: &'static str, key: &str, bytes: &[u8]) -> Result<()> {
        let mut inbox = self.inbox();
        inbox.prepare(operation)?;
        let path = inbox.settings().outbox().join(fulfillments::file_name(key));
        fulfillments::write(&*self.context.files, operation, &path, bytes)
    }
}

#[async_trait]
impl Channel for FolderChannel {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn check(&self) -> Result<CheckReport> {
        let mut inbox = self.inbox();
        let mut report = inbox.check()?;
        match stock::check(&*self.context.files, inbox.settings(), &self.context.label) {
            Some(Ok(proved)) => report.proved.push(proved),
            Some(Err(warning)) => report.warnings.push(warning),
            None => {}
        }
        Ok(report)
    }

    async fn pull_orders(&self, request: &PullRequest) -> Result<OrderPage> {
        self.inbox().pull(request.page.as_deref())
    }

    async fn acknowledge(&self, receipt: &str) -> Result<()> {
        self.inbox().acknowledge(receipt)
    }

    async fn push_fulfillment(&self, request: &FulfillmentRequest) -> Result<Pushed> {
        self.write("push_fulfillment", &request.key, &fulfillments::shipped(request))?;
        Ok(Pushed { fulfillment: fulfillments::made(request), left: Vec::new() })
    }

    async fn update_tracking(&self, update: &TrackingUpdate) -> Result<()> {
        // A correction of a parcel of several fulfillments is several writes under one key.
        let key = format!("{}/{}", update.key, update.fulfillment);
        self.write("update_tracking", &key, &fulfillments::corrected(update))
    }

    async fn void_fulfillment(&self, order: &RemoteId, fulfillment: &RemoteId, key: &str) -> Result<()> {
        let name = format!("{key}/{fulfillment}");
        self.write("void_fulfillment", &name, &fulfillments::voided(order, fulfillment, key))
    }

    async fn products(&self, page: Option<&str>) -> Result<VariantPage> {
        let inbox = self.inbox();
        stock::products(&*self.context.files, inbox.settings(), page, &self.context.label)
    }

    async fn read_stock(&self, items: &[RemoteId]) -> Result<Vec<StockLevel>> {
        let inbox = self.inbox();
        stock::read(&*self.context.files, inbox.settings(), items)
    }

    async fn push_stock(&self, write: &StockWrite) -> Result<Vec<StockOutcome>> {
        let mut inbox = self.inbox();
        inbox.prepare("push_stock")?;
        let now = self.context.clock.now();
        stock::push(&*self.context.files, inbox.settings(), write, now)
    }
}
