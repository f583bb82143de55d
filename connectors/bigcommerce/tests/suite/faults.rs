//! Answers that are none, orders that change under our hands, and a budget that is used up.

use std::{sync::Arc, time::Duration};

use bigcommerce::fake::{Fault, NewLine, NewOrder};
use sdk::{
    ErrorKind, Http, PullRequest, Pulled,
    testkit::{Fault as Loss, Faulty},
};
use tokio::time::Instant;

use crate::shop::{PLAIN, bench, connect, fulfillable, order, seconds, unreadable, wanted};

fn one() -> NewOrder {
    NewOrder::new(vec![NewLine::new("A", 2)])
}

const PRODUCTS: &str = "GET /v2/orders/{}/products";

#[tokio::test(start_paused = true)]
async fn every_bad_answer_to_the_list_is_an_error_of_its_kind() {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    for (fault, kind) in [
        (body("<!DOCTYPE html><title>Maintenance</title>"), ErrorKind::Malformed),
        (body(""), ErrorKind::Malformed),
        (body("{}"), ErrorKind::Malformed),
        (body("[{\"id\": 1"), ErrorKind::Malformed),
        (Fault::Body(b"[\"\xff\"]".to_vec()), ErrorKind::Malformed),
        (Fault::Status(500), ErrorKind::Unavailable),
        (Fault::Status(503), ErrorKind::Unavailable),
        (Fault::Status(400), ErrorKind::Rejected),
        (Fault::Status(403), ErrorKind::Unauthorized),
        (Fault::Status(302), ErrorKind::Rejected),
        (Fault::Refuse, ErrorKind::Unavailable),
        (Fault::LoseBefore, ErrorKind::Unavailable),
    ] {
        let bench = bench(PLAIN);
        bench.store.place(one());
        let what = format!("{fault:?}");
        bench.store.on_request(move |_| fault.clone());
        let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_to_one_orders_parts_sets_that_one_aside() {
    for (fault, told) in [
        (Fault::Body(b"<html>".to_vec()), "HTML"),
        (Fault::Body(Vec::new()), "empty"),
        (Fault::Body(b"[{\"id\": 7".to_vec()), "EOF"),
        (Fault::Body(b"7".to_vec()), "sequence"),
        (Fault::Status(400), "400"),
    ] {
        let bench = bench(PLAIN);
        let ids: Vec<_> = (0..3).map(|_| bench.store.place(one())).collect();
        seconds(60).await;
        let mut asked = 0;
        let what = format!("{fault:?}");
        bench.store.on_request(move |name| {
            asked += u32::from(name == PRODUCTS);
            if name == PRODUCTS && asked == 2 { fault.clone() } else { Fault::None }
        });
        let (read, aside): (Vec<_>, Vec<_>) =
            bench.pull(None).await.into_iter().partition(|pulled| matches!(pulled, Pulled::Order(_)));
        assert_eq!((read.len(), aside.len()), (2, 1), "{what}");
        for aside in aside {
            let aside = unreadable(aside);
            assert!(
                aside.reason.contains("products") && aside.reason.contains(told),
                "{what}: {}",
                aside.reason
            );
            assert!(ids.contains(&aside.id));
        }
        assert_eq!(bench.pull(None).await.into_iter().map(order).count(), 3, "{what}: read the next time");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_what_was_read_is_not_read_again() {
    let bench = bench(PLAIN);
    for _ in 0..10 {
        bench.store.place(one());
    }
    seconds(60).await;
    let mut asked = 0;
    bench.store.on_request(move |name| {
        asked += u32::from(name == PRODUCTS);
        if (6..=8).contains(&asked) && name == PRODUCTS { Fault::Status(503) } else { Fault::None }
    });
    let first = bench.channel.pull_orders(&PullRequest::default()).await;
    if let Err(error) = first {
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }
    let pulled = bench.pull(None).await;
    assert_eq!(pulled.into_iter().map(order).count(), 10);
    let reads = bench.store.counts()[PRODUCTS];
    assert!(reads <= 10 + 3 + 6, "{reads} reads of ten orders");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_gone_when_its_parts_are_asked_for_is_set_aside() {
    let bench = bench(PLAIN);
    let (gone, stays) = (bench.store.place(one()), bench.store.place(one()));
    let (store, order) = (bench.store.clone(), gone.clone());
    bench.store.on_request(|_| Fault::None);
    // Between the list and its parts.
    let http = Arc::new(Between::new(bench.store.clone(), "/products", move || store.delete(&order)));
    let channel = connect(PLAIN, http, bench.clock.clone());
    let page = channel.pull_orders(&PullRequest::default()).await.unwrap();
    assert_eq!(page.orders.len(), 2);
    for pulled in page.orders {
        match pulled {
            Pulled::Order(order) => assert_eq!(order.id, stays),
            Pulled::Unreadable(aside) => {
                assert_eq!(aside.id, gone);
                assert!(aside.reason.contains("404"), "{}", aside.reason);
            }
        }
    }
}

/// Does something once, just before the first request whose path ends so.
struct Between {
    inner: Arc<dyn Http>,
    before: &'static str,
    act: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Between {
    fn new(inner: Arc<dyn Http>, before: &'static str, act: impl FnOnce() + Send + 'static) -> Self {
        Self { inner, before, act: std::sync::Mutex::new(Some(Box::new(act))) }
    }
}

#[sdk::async_trait]
impl Http for Between {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        if request.uri().path().ends_with(self.before)
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
        self.inner.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_parcel_made_between_two_answers_is_counted_once() {
    for before in ["/shipments", "/shipping_addresses", "/products"] {
        let bench = bench(PLAIN);
        let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 5)]));
        let line = bench.number(&id, 0);
        bench.store.ship_elsewhere(&id, line, 1, "T1").unwrap();
        let (store, order_id) = (bench.store.clone(), id.clone());
        let http = Arc::new(Between::new(bench.store.clone(), before, move || {
            store.ship_elsewhere(&order_id, line, 2, "T2").unwrap();
        }));
        let channel = connect(PLAIN, http, bench.clock.clone());
        let read = order(channel.pull_orders(&PullRequest::default()).await.unwrap().orders.remove(0));
        assert_eq!((fulfillable(&read), wanted(&read)), (vec![2], vec![5]), "before {before}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shipment_deleted_between_two_answers_is_no_ones() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 5)]));
    let line = bench.number(&id, 0);
    bench.store.ship_elsewhere(&id, line, 1, "T1").unwrap();
    let second = bench.store.ship_elsewhere(&id, line, 2, "T2").unwrap();
    let (store, order_id) = (bench.store.clone(), id.clone());
    let act = move || store.delete_shipment(&order_id, second);
    let http = Arc::new(Between::new(bench.store.clone(), "/shipments", act));
    let channel = connect(PLAIN, http, bench.clock.clone());
    let read = order(channel.pull_orders(&PullRequest::default()).await.unwrap().orders.remove(0));
    assert_eq!((fulfillable(&read), read.fulfillments.len()), (vec![4], 1), "read again, both of one state");
}

/// Gives the first page whatever is asked for.
struct FirstPage(Arc<dyn Http>);

#[sdk::async_trait]
impl Http for FirstPage {
    async fn send(
        &self,
        mut request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        *request.uri_mut() = request.uri().to_string().replace("page=2", "page=1").parse().unwrap();
        self.0.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_go_on_is_no_order() {
    let bench = bench(PLAIN);
    let lines = (0..60).map(|at| NewLine::new(&format!("L-{at}"), 1)).collect();
    let id = bench.store.place(NewOrder::new(lines));
    let channel = connect(PLAIN, Arc::new(FirstPage(bench.store.clone())), bench.clock.clone());
    assert_eq!(channel.order(&id).await.unwrap_err().kind, ErrorKind::Unavailable);
    let aside = unreadable(channel.pull_orders(&PullRequest::default()).await.unwrap().orders.remove(0));
    assert!(aside.reason.contains("kept changing"), "{}", aside.reason);
}

#[tokio::test(start_paused = true)]
async fn a_long_order_edited_between_its_pages_is_read_again() {
    let bench = bench(PLAIN);
    bench.store.cap_pages(50);
    let lines = (0..120).map(|at| NewLine::new(&format!("L-{at}"), 1)).collect();
    let id = bench.store.place(NewOrder::new(lines));
    seconds(60).await;
    let mut asked = 0;
    let (store, order_id) = (bench.store.clone(), id.clone());
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let first = bench.number(&id, 0);
    bench.store.on_request(move |name| {
        asked += u32::from(name == PRODUCTS);
        if name == PRODUCTS && asked == 2 {
            sender.send(()).unwrap();
        }
        Fault::None
    });
    // A line of the first page is removed before the second is asked for: the others move up by one.
    let http = Arc::new(Second {
        inner: bench.store.clone(),
        asked: std::sync::Mutex::new(0),
        act: Box::new(move || {
            store.remove_line(&order_id, first);
        }),
    });
    let channel = connect(PLAIN, http, bench.clock.clone());
    let read = order(channel.order(&id).await.unwrap());
    assert!(receiver.try_recv().is_ok());
    let truth = bench.store.order(&id).unwrap();
    assert_eq!(read.lines.len(), 119);
    assert!(
        read.lines.iter().zip(&truth.lines).all(|(read, truth)| read.id.as_str() == truth.id.to_string())
    );
}

/// Does something before the second page of products.
struct Second {
    inner: Arc<dyn Http>,
    asked: std::sync::Mutex<u32>,
    act: Box<dyn Fn() + Send + Sync>,
}

#[sdk::async_trait]
impl Http for Second {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        if request.uri().path().ends_with("/products") {
            let asked = {
                let mut asked = self.asked.lock().unwrap();
                *asked += 1;
                *asked
            };
            if asked == 2 {
                (self.act)();
            }
        }
        self.inner.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn losses_on_the_way_lose_nothing() {
    let bench = bench(PLAIN);
    for _ in 0..5 {
        bench.store.place(one());
    }
    let losses =
        [Loss::LostBefore, Loss::LostAfter, Loss::Refused, Loss::DelayAfter(Duration::from_secs(40))];
    let faulty = Arc::new(Faulty::scripted(bench.store.clone(), losses));
    let channel = connect(PLAIN, faulty, bench.clock.clone());
    let mut tries = 0;
    let page = loop {
        match channel.pull_orders(&PullRequest::default()).await {
            Ok(page) => break page,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable),
        }
        tries += 1;
        assert!(tries < 4);
    };
    assert_eq!(page.orders.into_iter().map(order).count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_429_waits_as_long_as_it_asks_for() {
    for (told, waits) in [
        (vec![("x-retry-after", "7".to_owned())], 7),
        (vec![("retry-after", "9".to_owned())], 9),
        (
            vec![
                ("x-rate-limit-time-window-ms", "30000".to_owned()),
                ("x-rate-limit-time-reset-ms", "15000".to_owned()),
                ("x-rate-limit-requests-quota", "150".to_owned()),
                ("x-rate-limit-requests-left", "0".to_owned()),
            ],
            15,
        ),
        (vec![], 5),
        (vec![("x-retry-after", "soon".to_owned())], 5),
    ] {
        let bench = bench(PLAIN);
        bench.store.place(one());
        let mut refusals = 1;
        let headers = told.clone();
        bench.store.on_request(move |_| {
            if refusals > 0 {
                refusals -= 1;
                return Fault::Throttled(headers.clone());
            }
            Fault::None
        });
        let start = Instant::now();
        assert_eq!(bench.pull(None).await.len(), 1);
        let took = start.elapsed().as_secs();
        assert!((waits..waits + 8).contains(&took), "{told:?}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_goes_back_to_the_caller() {
    let bench = bench(PLAIN);
    bench.store.on_request(|_| Fault::Throttled(vec![("x-retry-after", "600".to_owned())]));
    let error = bench.channel.pull_orders(&PullRequest::default()).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(600))));
    assert_eq!(bench.store.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_is_kept_and_some_of_it_left_for_others() {
    let bench = bench(PLAIN);
    bench.store.set_budget(150, 30_000);
    for _ in 0..200 {
        bench.store.place(one());
        seconds(1).await;
    }
    let least = Arc::new(std::sync::Mutex::new(u64::MAX));
    let channel = connect(
        PLAIN,
        Arc::new(Watch { inner: bench.store.clone(), least: least.clone() }),
        bench.clock.clone(),
    );
    let start = Instant::now();
    let mut request = PullRequest::default();
    let mut read = 0;
    loop {
        let page = channel.pull_orders(&request).await.unwrap();
        read += page.orders.into_iter().map(order).count();
        let Some(next) = page.next else { break };
        request.page = Some(next);
    }
    assert!(read >= 200);
    let least = *least.lock().unwrap();
    assert!(least >= 5, "only {least} of 150 were left");
    let took = start.elapsed().as_secs();
    assert!((60..200).contains(&took), "405 requests at 5 a second took {took} s");
}

#[tokio::test(start_paused = true)]
async fn what_goes_before_pulls_leaves_some_too() {
    let bench = bench(PLAIN);
    bench.store.set_budget(150, 30_000);
    let id = bench.store.place(one());
    let least = Arc::new(std::sync::Mutex::new(u64::MAX));
    let watch = Arc::new(Watch { inner: bench.store.clone(), least: least.clone() });
    let channel = connect(PLAIN, watch, bench.clock.clone());
    for _ in 0..120 {
        channel.order(&id).await.unwrap();
    }
    let least = *least.lock().unwrap();
    assert!(least >= 7, "only {least} of 150 were left");
}

/// Notes the least that was left, and that nothing was refused.
struct Watch {
    inner: Arc<dyn Http>,
    least: Arc<std::sync::Mutex<u64>>,
}

#[sdk::async_trait]
impl Http for Watch {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        let response = self.inner.send(request).await?;
        assert_ne!(response.status(), 429);
        let left: u64 = response.headers()["x-rate-limit-requests-left"].to_str().unwrap().parse().unwrap();
        let mut least = self.least.lock().unwrap();
        *least = left.min(*least);
        Ok(response)
    }
}
