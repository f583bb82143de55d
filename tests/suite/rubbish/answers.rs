//! Bytes as an answer of a shop: one of all that a channel's whole work is answered with, or each of them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bigcommerce::fake::FakeStore;
use bytes::Bytes;
use sdk::{
    Clock, Connector, Http, LineQuantity, RemoteId, Timestamp, TransportError,
    testkit::{TokioClock, exercise, memory_files::MemoryFiles},
};
use shopify::fake::FakeShop;

use super::connect::connect;

/// What the bytes come with: the second of them chooses.
const STATUSES: [u16; 12] = [200, 200, 200, 200, 201, 202, 204, 302, 400, 404, 429, 500];

/// A model of a shop, one answer of which is another's. The first byte says which; past the last, all of them.
struct Instead {
    shop: Arc<dyn Http>,
    bytes: Bytes,
    asked: AtomicUsize,
    answers: Mutex<Vec<Bytes>>,
}

#[sdk::async_trait]
impl Http for Instead {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let which = self.bytes.first().copied().unwrap_or_default();
        if which == u8::MAX || usize::from(which) == asked {
            let status =
                STATUSES[usize::from(self.bytes.get(1).copied().unwrap_or_default()) % STATUSES.len()];
            let body = self.bytes.slice(self.bytes.len().min(2)..);
            return Ok(http::Response::builder().status(status).body(body).unwrap());
        }
        let answer = self.shop.send(request).await?;
        self.answers.lock().unwrap().push(answer.body().clone());
        Ok(answer)
    }
}

/// A Shopify shop whose answer is these bytes. What it answered otherwise is given back.
pub(crate) async fn shopify(bytes: &[u8]) -> Vec<Bytes> {
    let clock = clock();
    let shop = FakeShop::new(clock.clone());
    shop.add_product("ACME-1", true, 5);
    shop.add_product("ACME-2", false, 0);
    let two = || {
        let lines = vec![shopify::fake::NewLine::new("ACME-1", 2), shopify::fake::NewLine::new("THEIRS", 1)];
        shopify::fake::NewOrder::new(lines)
    };
    let held = shop.place(two());
    shop.hold(&held, "INCORRECT_ADDRESS");
    let shipped = shop.place(two().note("to the back door"));
    let line = RemoteId(shop.order(&shipped).unwrap().lines[0].id.to_string());
    shop.fulfil(&shipped, &[LineQuantity { line, quantity: 1 }]).unwrap();
    let ids = [held, shipped];
    let settings = "shop = \"bluefin.myshopify.com\"\naccess_token = { env = \"shpat_fake\" }\n\
         location = \"655441491\"\n";
    all(&shopify::Shopify, settings, shop, &ids, clock, bytes).await
}

/// A BigCommerce store, likewise.
pub(crate) async fn bigcommerce(bytes: &[u8]) -> Vec<Bytes> {
    let clock = clock();
    let store = FakeStore::new(clock.clone());
    store.add_product("ACME-1", true, 5);
    store.add_product("ACME-2", false, 0);
    let two = || {
        let lines =
            vec![bigcommerce::fake::NewLine::new("ACME-1", 2), bigcommerce::fake::NewLine::new("THEIRS", 1)];
        bigcommerce::fake::NewOrder::new(lines)
    };
    let held = store.place(two());
    store.hold(&held);
    let shipped = store.place(two().note("to the back door"));
    let line = store.order(&shipped).unwrap().lines[0].id;
    store.ship_elsewhere(&shipped, line, 1, "1Z").unwrap();
    let ids = [held, shipped];
    let settings = "store_hash = \"a1b2c3d4e5\"\naccess_token = { env = \"bc_fake_token\" }\nlocation = 1\n";
    all(&bigcommerce::BigCommerce, settings, store, &ids, clock, bytes).await
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::new(Timestamp::from_timestamp(1_790_000_000, 0).unwrap()))
}

async fn all(
    connector: &dyn Connector,
    settings: &str,
    shop: Arc<dyn Http>,
    orders: &[RemoteId],
    clock: Arc<dyn Clock>,
    bytes: &[u8],
) -> Vec<Bytes> {
    let bytes = Bytes::copy_from_slice(bytes);
    let instead = Arc::new(Instead { shop, bytes, asked: AtomicUsize::default(), answers: Mutex::default() });
    let files = Arc::new(MemoryFiles::at(clock.now()));
    let channel = connect(connector, settings, instead.clone(), files, clock.clone());
    for page in exercise(&*channel, orders, clock.now()).await {
        assert!(page.covers.is_none_or(|covers| covers <= clock.now()), "the cursor would pass the present");
    }
    let answers = instead.answers.lock().unwrap();
    answers.clone()
}
