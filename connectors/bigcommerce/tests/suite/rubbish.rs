//! Whatever comes back, nothing panics, no write is taken for done or for refused when nobody can know, and nothing
//! of it is left behind.

use std::sync::Arc;

use bigcommerce::fake::{FakeStore, NewLine, NewOrder};
use bytes::Bytes;
use proptest::prelude::*;
use sdk::{
    Clock, ErrorKind, FulfillmentRequest, Http, LineQuantity, PullRequest, Rng, StockChange, StockOutcome,
    StockWrite, TrackingSet, TransportError,
    testkit::{Mutated, TokioClock, exercise},
};

use crate::shop::{PLAIN, connect, order, start};

/// Answers everything with this.
struct Always(u16, Vec<(String, String)>, Vec<u8>);

#[sdk::async_trait]
impl Http for Always {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut response = http::Response::builder().status(self.0);
        for (name, value) in &self.1 {
            response = response.header(name, value);
        }
        Ok(response.body(Bytes::from(self.2.clone())).unwrap())
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        any::<i64>().prop_map(|it| it.to_string()),
        any::<f32>().prop_filter("a number", |it| it.is_finite()).prop_map(|it| it.to_string()),
        "[a-zA-Z0-9 :,+é]{0,20}".prop_map(|it| format!("{it:?}")),
        Just("\"Wed, 10 Jan 2018 21:05:30 +0000\"".to_owned()),
    ];
    let name = prop::sample::select(vec![
        "id",
        "status_id",
        "date_created",
        "date_modified",
        "is_deleted",
        "quantity",
        "quantity_shipped",
        "quantity_refunded",
        "type",
        "order_address_id",
        "items",
        "order_product_id",
        "billing_address",
        "sku",
        "data",
        "meta",
        "pagination",
        "total",
        "product_id",
        "variant_id",
        "inventory_tracking",
        "identity",
        "locations",
        "location_id",
        "total_inventory_onhand",
        "title",
        "errors",
        "transaction_id",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((name.clone(), inner), 0..12).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        json().prop_map(String::into_bytes),
        json().prop_map(|text| format!("[{text}]").into_bytes()),
        json().prop_map(|text| format!("{{\"data\":[{text}],\"meta\":{text}}}").into_bytes()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop::sample::select(vec![
        "date",
        "retry-after",
        "x-retry-after",
        "x-rate-limit-time-window-ms",
        "x-rate-limit-time-reset-ms",
        "x-rate-limit-requests-quota",
        "x-rate-limit-requests-left",
    ]);
    let value = prop_oneof![
        any::<u64>().prop_map(|it| it.to_string()),
        any::<i64>().prop_map(|it| it.to_string()),
        Just("0".to_owned()),
        Just("Wed, 10 Jan 2018 21:05:30 GMT".to_owned()),
        "[ -~]{0,12}",
    ];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(
        status in prop_oneof![Just(200_u16), Just(204), Just(201), 200..600_u16],
        headers in headers(),
        body in body(),
        page in prop_oneof![Just(None), "[0-9|x]{0,12}".prop_map(Some)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
            let channel = connect(PLAIN, Arc::new(Always(status, headers, body)), clock);
            let order = sdk::RemoteId::from("7");
            let tracking = TrackingSet { carrier: "UPS".to_owned(), ..TrackingSet::default() };
            drop(channel.products(page.as_deref()).await);
            drop(channel.read_stock(&["7".into(), "product:8".into()]).await);
            if let Ok(outcomes) = channel.push_stock(&stock()).await {
                assert_eq!(outcomes.len(), 2);
            }
            drop(channel.pull_orders(&PullRequest { since: Some(start()), page }).await);
            drop(channel.order(&order).await);
            drop(channel.find(&order).await);
            drop(channel.check().await);
            let request = FulfillmentRequest {
                key: "k".to_owned(), order: order.clone(), number: "7".to_owned(),
                lines: vec![LineQuantity { line: "7".into(), quantity: 1 }],
                tracking, shipped_at: start(), notify: false,
            };
            drop(channel.push_fulfillment(&request).await);
        });
    }

    /// The look before it is well; the write's own answer is anything.
    #[test]
    fn a_write_with_an_unclear_answer_is_indeterminate(
        status in prop_oneof![Just(200_u16), Just(201), 500..600_u16, 300..400_u16],
        body in body(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
            let store = FakeStore::new(clock.clone());
            let id = store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
            let line = store.order(&id).unwrap().lines[0].id;
            let channel = connect(PLAIN, Arc::new(Writes(store, Always(status, Vec::new(), body))), clock);
            let request = FulfillmentRequest {
                key: "k".to_owned(), order: id.clone(), number: "7".to_owned(),
                lines: vec![LineQuantity { line: line.to_string().as_str().into(), quantity: 1 }],
                tracking: TrackingSet::default(), shipped_at: start(), notify: false,
            };
            match channel.push_fulfillment(&request).await {
                Ok(pushed) => assert!(status < 300 && !pushed.fulfillment.id.as_str().is_empty()),
                Err(error) => assert_eq!(error.kind, ErrorKind::Indeterminate, "{error}"),
            }
            match channel.push_stock(&stock()).await {
                Ok(outcomes) => assert!(status < 300 && outcomes == [StockOutcome::Accepted, StockOutcome::Accepted]),
                Err(error) => assert_eq!(error.kind, ErrorKind::Indeterminate, "{error}"),
            }
        });
    }
}

/// Orders in several states and two products.
fn shop(clock: &Arc<dyn Clock>) -> Arc<FakeStore> {
    let store = FakeStore::new(Arc::clone(clock));
    store.add_product("ACME-1", true, 5);
    store.add_product("ACME-2", false, 0);
    let two = || NewOrder::new(vec![NewLine::new("ACME-1", 2), NewLine::new("THEIRS", 1)]);
    store.place(two());
    let held = store.place(two());
    store.hold(&held);
    let shipped = store.place(two().note("to the back door"));
    let line = store.order(&shipped).unwrap().lines[0].id;
    store.ship_elsewhere(&shipped, line, 1, "1Z").unwrap();
    let cancelled = store.place(two());
    store.cancel_order(&cancelled);
    store
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_answers_do_no_harm(seed in any::<u64>(), one_in in 1..4_u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
            let store = shop(&clock);
            let ids: Vec<_> = store.orders().iter().map(|order| order.id.to_string().as_str().into()).collect();
            let spoilt = Arc::new(Mutated::new(store.clone(), Rng::from_seed(seed), one_in));
            let channel = connect(PLAIN, spoilt.clone(), Arc::clone(&clock));
            for page in exercise(&*channel, &ids, clock.now()).await {
                assert!(page.covers.is_none_or(|covers| covers <= clock.now()), "the cursor would pass the present");
            }

            spoilt.heal();
            let clean = connect(PLAIN, store.clone(), Arc::clone(&clock));
            for id in &ids {
                // What was said to be too much is over by then.
                tokio::time::advance(std::time::Duration::from_secs(3600)).await;
                assert_eq!(order(channel.order(id).await.unwrap()), order(clean.order(id).await.unwrap()));
            }
        });
    }
}

/// New figures of a variant and of a product.
fn stock() -> StockWrite {
    let change = |item: &str, variant: &str| StockChange {
        item: item.into(),
        variant: variant.into(),
        sku: None,
        from: None,
        to: 3,
    };
    StockWrite { key: "k".to_owned(), changes: vec![change("7", "7"), change("product:8", "9")] }
}

/// Reads go to the store, writes are answered with the other.
struct Writes(Arc<FakeStore>, Always);

#[sdk::async_trait]
impl Http for Writes {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        if request.method() == http::Method::GET {
            self.0.send(request).await
        } else {
            self.1.send(request).await
        }
    }
}
