//! Every operation of a channel, once.

use crate::{
    CancellationAnswer, Channel, FulfillmentRequest, LineQuantity, OrderPage, PullRequest, Pulled, RemoteId,
    StockChange, StockWrite, Timestamp, TrackingSet, TrackingUpdate,
};

/// A pull that does not end by itself ends here.
const PAGES: usize = 50;

/// Asks for everything and writes everything, about these orders and whatever the answers name. Answers the pages
/// that were read; every other answer, and every error, is for the caller's other means to judge.
pub async fn exercise(channel: &dyn Channel, orders: &[RemoteId], now: Timestamp) -> Vec<OrderPage> {
    drop(channel.check().await);
    let mut pages = Vec::new();
    let mut request = PullRequest::default();
    while pages.len() < PAGES {
        let Ok(page) = channel.pull_orders(&request).await else { break };
        request.page.clone_from(&page.next);
        pages.push(page);
        if request.page.is_none() {
            break;
        }
    }
    for id in orders {
        drop(channel.find(id).await);
        let Ok(Pulled::Order(order)) = channel.order(id).await else { continue };
        let tracking = TrackingSet {
            carrier: "UPS".to_owned(),
            number: Some("1Z1".to_owned()),
            ..TrackingSet::default()
        };
        let lines = order.lines.iter().filter(|line| line.fulfillable > 0);
        let lines: Vec<_> = lines.map(|line| LineQuantity { line: line.id.clone(), quantity: 1 }).collect();
        let parcel = FulfillmentRequest {
            key: format!("{id}/p1/create/1"),
            order: id.clone(),
            number: order.number.clone(),
            lines: lines.clone(),
            tracking: tracking.clone(),
            shipped_at: now,
            notify: false,
        };
        if let Ok(pushed) = channel.push_fulfillment(&parcel).await {
            let fulfillment = pushed.fulfillment.id;
            let update = TrackingUpdate {
                key: format!("{id}/p1/track/1"),
                order: id.clone(),
                number: order.number.clone(),
                fulfillment: fulfillment.clone(),
                tracking,
                notify: false,
            };
            drop(channel.update_tracking(&update).await);
            drop(channel.void_fulfillment(id, &fulfillment, "void").await);
        }
        for request in &order.cancellation_requests {
            let answer = CancellationAnswer {
                key: format!("{id}/answer"),
                order: id.clone(),
                request: request.id.clone(),
                accept: true,
                message: None,
            };
            drop(channel.answer_cancellation(&answer).await);
        }
    }
    let mut mark = None;
    for _ in 0..PAGES {
        let Ok(page) = channel.products(mark.as_deref()).await else { break };
        let items: Vec<_> = page.variants.iter().map(|variant| variant.item.clone()).collect();
        let changes = page.variants.iter().map(|variant| StockChange {
            item: variant.item.clone(),
            variant: variant.id.clone(),
            sku: variant.sku.clone(),
            from: Some(1),
            to: 2,
        });
        let write = StockWrite { key: "run".to_owned(), changes: changes.collect() };
        let batch = channel.capabilities().stock_batch;
        if items.len() <= batch {
            drop(channel.read_stock(&items).await);
            drop(channel.push_stock(&write).await);
        }
        mark = page.next;
        if mark.is_none() {
            break;
        }
    }
    pages
}
