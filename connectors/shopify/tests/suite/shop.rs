//! A connected shop to test with.

use std::{path::Path, sync::Arc};

use sdk::{
    Channel, Clock, Configured, Context, Files, FulfillmentRequest, Http, LineQuantity, Order, OrderPage,
    PullRequest, Pulled, RemoteId, Timestamp, Tokens, TrackingSet,
    settings::Problem,
    testkit::{self, MemoryTokens, TokioClock},
};
use shopify::fake::FakeShop;

/// Reads a `[[channel]]` table.
pub(crate) fn configure(text: &str) -> (Option<Box<dyn Configured>>, Vec<Problem>) {
    testkit::configure(&shopify::Shopify, text)
}

pub(crate) const LASTING: &str =
    "shop = \"bluefin.myshopify.com\"\naccess_token = { env = \"shpat_fake\" }\n";
/// The same, with a location to write stock at.
pub(crate) const PLACED: &str = "shop = \"bluefin.myshopify.com\"\naccess_token = { env = \"shpat_fake\" }\n\
     location = \"655441491\"\n";
pub(crate) const ROTATING: &str = "shop = \"bluefin.myshopify.com\"\nclient_id = \"app\"\n\
     client_secret = { env = \"shpss\" }\nrefresh_token = { env = \"shprt_seed\" }\n";
pub(crate) const GRANT: &str =
    "shop = \"bluefin.myshopify.com\"\nclient_id = \"app\"\nclient_secret = { env = \"shpss\" }\n";

struct NoFiles;

impl Files for NoFiles {
    fn list(&self, _: &Path) -> std::io::Result<Vec<sdk::files::FileInfo>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn read(&self, _: &Path, _: u64) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn exists(&self, _: &Path) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn create_dir_all(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn write_atomic(&self, _: &Path, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn canonicalize(&self, _: &Path) -> std::io::Result<std::path::PathBuf> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// The shop, its clock, and the channel that is connected to it.
pub(crate) struct Bench {
    pub(crate) shop: Arc<FakeShop>,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Arc<MemoryTokens>,
}

pub(crate) fn start() -> Timestamp {
    chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(crate) fn connect(
    settings: &str,
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn Tokens>,
) -> Arc<dyn Channel> {
    let (configured, problems) = configure(settings);
    assert_eq!(problems, []);
    configured.unwrap().connect(Context {
        label: "bluefin/shop".to_owned(),
        http,
        files: Arc::new(NoFiles),
        clock,
        tokens,
        seed: 7,
    })
}

/// A shop whose clock goes with tokio's: the tests pause it.
pub(crate) fn bench(settings: &str) -> Bench {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
    let shop = FakeShop::new(Arc::clone(&clock));
    let tokens = Arc::new(MemoryTokens::default());
    let channel = connect(settings, shop.clone(), Arc::clone(&clock), tokens.clone());
    Bench { shop, channel, clock, tokens }
}

impl Bench {
    pub(crate) async fn page(&self, request: &PullRequest) -> OrderPage {
        self.channel.pull_orders(request).await.unwrap()
    }

    /// All pages of one pull.
    pub(crate) async fn pull(&self, since: Option<Timestamp>) -> Vec<Pulled> {
        let mut request = PullRequest { since, page: None };
        let mut all = Vec::new();
        loop {
            let page = self.page(&request).await;
            all.extend(page.orders);
            match page.next {
                Some(next) => request.page = Some(next),
                None => return all,
            }
        }
    }

    /// One order as the channel reads it.
    pub(crate) async fn read(&self, id: &RemoteId) -> Order {
        order(self.channel.order(id).await.unwrap())
    }

    /// The shop's answer to the last question, as bytes.
    pub(crate) async fn answer_again(&self) -> Vec<u8> {
        let body = self.shop.asked().pop().unwrap();
        let request = http::Request::post("https://x.test/admin/api/2026-10/graphql.json")
            .header("x-shopify-access-token", shopify::fake::TOKEN)
            .body(body.to_string().into())
            .unwrap();
        self.shop.send(request).await.unwrap().into_body().to_vec()
    }

    /// The order's `at`th line item.
    pub(crate) fn line(&self, id: &RemoteId, at: usize) -> RemoteId {
        RemoteId(self.shop.order(id).unwrap().lines[at].id.to_string())
    }

    /// A parcel of these lines, by their places.
    pub(crate) fn parcel(&self, id: &RemoteId, lines: &[(usize, u32)]) -> FulfillmentRequest {
        FulfillmentRequest {
            key: "key-1".to_owned(),
            order: id.clone(),
            number: "#1001".to_owned(),
            lines: lines
                .iter()
                .map(|(at, quantity)| LineQuantity { line: self.line(id, *at), quantity: *quantity })
                .collect(),
            tracking: TrackingSet {
                carrier: "Bring Bring Parcel".to_owned(),
                number: Some("BB-1".to_owned()),
                url: Some("https://track.example/BB-1".to_owned()),
                ..TrackingSet::default()
            },
            shipped_at: self.clock.now(),
            notify: true,
        }
    }
}

pub(crate) fn order(pulled: Pulled) -> Order {
    match pulled {
        Pulled::Order(order) => *order,
        Pulled::Unreadable(unreadable) => panic!("unreadable: {}", unreadable.reason),
    }
}
