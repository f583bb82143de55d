//! Counting what is active, for `status` and the metrics.

use std::collections::BTreeMap;

use super::view;
use crate::{
    record::{Record, RecordId, Status},
    store::{Query, Store, StoreError},
};

/// One merchant's counts. Test orders are left out, but for parked writes, which somebody must decide about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Supplier orders to be worked on.
    pub open: u64,
    /// Supplier orders held.
    pub held: u64,
    /// Supplier orders with a cancellation to be answered.
    pub cancel_requests: u64,
    /// Writes owed.
    pub owed: u64,
    /// Writes parked.
    pub parked: u64,
}

impl Counts {
    fn add(&mut self, record: &Record) {
        for write in &record.writes {
            self.owed += u64::from(write.state.is_owed());
            self.parked += u64::from(write.state.is_parked());
        }
        if record.seen.test {
            return;
        }
        for order in &record.orders {
            match record.status(order) {
                Status::Held => self.held += 1,
                Status::Open | Status::InWork | Status::PartlyShipped => self.open += 1,
                Status::Shipped | Status::Cancelled => {}
            }
            self.cancel_requests += u64::from(view::cancel_request(record, order).is_some());
        }
    }
}

/// Counts the active records, by merchant.
pub async fn take(store: &dyn Store, merchant: Option<&str>) -> Result<BTreeMap<String, Counts>, StoreError> {
    let mut census: BTreeMap<String, Counts> = BTreeMap::new();
    let mut after: Option<RecordId> = None;
    loop {
        let query = Query {
            merchant: merchant.map(str::to_owned),
            active: true,
            after: after.take(),
            limit: 500,
            ..Query::default()
        };
        let page = store.list(query).await?;
        for record in &page.records {
            census.entry(record.merchant.clone()).or_default().add(record);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(census),
        }
    }
}
