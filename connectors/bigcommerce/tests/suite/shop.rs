//! A connected store to test with.

use std::{path::Path, sync::Arc};

use bigcommerce::fake::FakeStore;
use sdk::{
    Channel, Clock, Configured, Context, Files, FulfillmentRequest, Http, LineQuantity, Order, OrderPage,
    PullRequest, Pulled, RemoteId, Timestamp, TrackingSet, Unreadable,
    settings::Problem,
    testkit::{self, MemoryTokens, TokioClock},
};

/// Reads a `[[channel]]` table.
pub(crate) fn configure(text: &str) -> (Option<Box<dyn Configured>>, Vec<Problem>) {
    testkit::configure(&bigcommerce::BigCommerce, text)
}

pub(crate) const PLAIN: &str = "store_hash = \"a1b2c3d4e5\"\naccess_token = { env = \"bc_fake_token\" }\n";

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

/// The store, its clock, and the channel that is connected to it.
pub(crate) struct Bench {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) fn start() -> Timestamp {
    chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(crate) fn connect(settings: &str, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Arc<dyn Channel> {
    let (configured, problems) = configure(settings);
    assert_eq!(problems, []);
    configured.unwrap().connect(Context {
        label: "bluefin/shop".to_owned(),
        http,
        files: Arc::new(NoFiles),
        clock,
        tokens: Arc::new(MemoryTokens::default()),
        seed: 7,
    })
}

/// A store whose clock goes with tokio's: the tests pause it.
pub(crate) fn bench(settings: &str) -> Bench {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
    let store = FakeStore::new(Arc::clone(&clock));
    let channel = connect(settings, store.clone(), Arc::clone(&clock));
    Bench { store, channel, clock }
}

/// Lets time pass.
pub(crate) async fn seconds(figure: u64) {
    tokio::time::advance(std::time::Duration::from_secs(figure)).await;
}

impl Bench {
    pub(crate) async fn page(&self, request: &PullRequest) -> OrderPage {
        self.channel.pull_orders(request).await.unwrap()
    }

    /// All pages of one pull, and what the last one covers.
    pub(crate) async fn pull_to(&self, since: Option<Timestamp>) -> (Vec<Pulled>, Option<Timestamp>) {
        let mut request = PullRequest { since, page: None };
        let mut all = Vec::new();
        let mut marks = std::collections::BTreeSet::new();
        loop {
            let page = self.page(&request).await;
            all.extend(page.orders);
            match page.next {
                Some(next) => {
                    assert!(marks.insert(next.clone()), "the mark {next} came again");
                    request.page = Some(next);
                }
                None => return (all, page.covers),
            }
        }
    }

    /// All pages of one pull.
    pub(crate) async fn pull(&self, since: Option<Timestamp>) -> Vec<Pulled> {
        self.pull_to(since).await.0
    }

    /// One order as the channel reads it.
    pub(crate) async fn read(&self, id: &RemoteId) -> Order {
        order(self.channel.order(id).await.unwrap())
    }

    /// The order's `at`th line's number.
    pub(crate) fn number(&self, id: &RemoteId, at: usize) -> u64 {
        self.store.order(id).unwrap().lines[at].id
    }

    /// A parcel of these lines, by their places.
    pub(crate) fn parcel(&self, id: &RemoteId, lines: &[(usize, u32)]) -> FulfillmentRequest {
        FulfillmentRequest {
            key: "key-1".to_owned(),
            order: id.clone(),
            number: id.to_string(),
            lines: lines
                .iter()
                .map(|(at, quantity)| LineQuantity {
                    line: RemoteId(self.number(id, *at).to_string()),
                    quantity: *quantity,
                })
                .collect(),
            tracking: TrackingSet {
                carrier: "Royal Mail".to_owned(),
                number: Some("RM-1".to_owned()),
                url: Some("https://track.example/RM-1".to_owned()),
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

pub(crate) fn unreadable(pulled: Pulled) -> Unreadable {
    match pulled {
        Pulled::Unreadable(unreadable) => unreadable,
        Pulled::Order(order) => panic!("{} was read", order.id),
    }
}

/// Fulfillable units, line by line.
pub(crate) fn fulfillable(order: &Order) -> Vec<u32> {
    order.lines.iter().map(|line| line.fulfillable).collect()
}

/// What the daemon makes of it: fulfillable and in active fulfillments, line by line.
pub(crate) fn wanted(order: &Order) -> Vec<u32> {
    let made = |id: &RemoteId| -> u32 {
        let made = order.fulfillments.iter().filter(|made| made.active).flat_map(|made| &made.lines);
        made.filter(|line| line.line == *id).map(|line| line.quantity).sum()
    };
    order.lines.iter().map(|line| line.fulfillable + made(&line.id)).collect()
}
