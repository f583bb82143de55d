//! How fast orders come in: `cargo bench --bench ingest`.
//!
//! Pages of 250 Shopify orders, from a server on loopback that runs in a process of its own and has them ready,
//! through the parts that ship: transport, connector, routing, store; one durable commit a page. Each stage runs in
//! a fresh process, so that its processor time and its peak of memory are its own; the stages take turns, and the
//! table shows the medians. What counts are the ratios of one run.
//!
//! - *fetch*: the bytes of the pages, by the shipped transport;
//! - *parse*: the connector's `pull_orders`: fetched, parsed, turned into orders;
//! - *bare write*: those orders as JSON into a bare sled tree, a batch a page, flushed and synced, the next page
//!   fetched meanwhile: what an engineer would write by hand, without routing, versions, index or checksums;
//! - *whole*: the shipped pull over the shipped store.
//!
//! `PORTALD_BENCH_ORDERS` (100,000), `PORTALD_BENCH_ROUNDS` (3) and `PORTALD_BENCH_STAGES` (all, by comma) change
//! the run. The disk is that of the folder in `TMPDIR`.
#![allow(clippy::print_stdout, reason = "a table for people")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may stop")]

mod support;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response};
use portald::{
    board::Board,
    clock::SystemClock,
    config::{self, Environment},
    driver::ChannelKey,
    files::Disk,
    http::{HttpLimits, ReqwestHttp},
    ledger::Ledger,
    registry::CONNECTORS,
    store::{
        Store,
        memory::MemoryStore,
        sled::{Options, SledStore},
    },
    tasks::{Connection, Shared, connection::Ledge, pull},
};
use sdk::{
    Channel, Clock, Context, Http, PullRequest, Pulled, Rng, Timestamp, TransportError, async_trait,
    testkit::{MemoryTokens, serve},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PAGE: usize = 250;
const STAGES: [&str; 4] = ["fetch", "parse", "bare", "whole"];
/// The first page's change, in seconds since 1970; each page is a second later.
const FIRST_CHANGE: i64 = 1_793_600_000;

fn main() {
    let role = std::env::var("PORTALD_BENCH_ROLE");
    let Ok(role) = role else { return compare() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match role.as_str() {
        "server" => runtime.block_on(server()),
        stage => runtime.block_on(run(stage)),
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn pages() -> usize {
    setting("PORTALD_BENCH_ORDERS", 100_000).div_ceil(PAGE)
}

/// What a stage's process tells of itself.
struct Figures {
    seconds: f64,
    user: f64,
    system: f64,
    peak: f64,
}

fn compare() {
    let wanted = std::env::var("PORTALD_BENCH_STAGES").ok();
    let stages: Vec<&str> = STAGES
        .into_iter()
        .filter(|stage| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|name| name == *stage)))
        .collect();
    let (mut server, url) = start_server();
    let mut figures: BTreeMap<&str, Vec<Figures>> = BTreeMap::new();
    for _ in 0..setting("PORTALD_BENCH_ROUNDS", 3) {
        for stage in &stages {
            figures.entry(stage).or_default().push(measure(stage, &url));
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();

    let orders = (pages() * PAGE) as f64;
    let middle = |stage: &str, value: fn(&Figures) -> f64| {
        figures.get(stage).map(|all| support::median(&all.iter().map(value).collect::<Vec<_>>()))
    };
    let head = [
        "stage",
        "orders/s",
        "of bare write",
        "CPU s per 1,000 orders",
        "of it user",
        "system",
        "peak memory, MB",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let bare = middle("bare", |figures| figures.seconds);
    for stage in &stages {
        let name = match *stage {
            "fetch" => "fetch",
            "parse" => "fetch + parse",
            "bare" => "fetch + parse + bare sled write",
            _ => "the whole",
        };
        let seconds = middle(stage, |figures| figures.seconds).unwrap();
        let user = middle(stage, |figures| figures.user).unwrap() * 1e3 / orders;
        let system = middle(stage, |figures| figures.system).unwrap() * 1e3 / orders;
        rows.push(vec![
            name.to_owned(),
            support::grouped(orders / seconds),
            bare.map_or_else(String::new, |bare| format!("{:.2}", bare / seconds)),
            format!("{:.4}", user + system),
            format!("{user:.4}"),
            format!("{system:.4}"),
            format!("{:.0}", middle(stage, |figures| figures.peak).unwrap()),
        ]);
    }
    println!();
    support::table(&rows);
    println!(
        "\n{} orders in pages of {PAGE} ({} bytes an order), medians of {} rounds; {}.",
        support::grouped(orders),
        page(0).len() / PAGE,
        figures.values().next().map_or(0, Vec::len),
        support::machine(&std::env::temp_dir())
    );
}

fn start_server() -> (Child, String) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env("PORTALD_BENCH_ROLE", "server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (server, url.trim().to_owned())
}

fn measure(stage: &str, url: &str) -> Figures {
    let output = Command::new(std::env::current_exe().unwrap())
        .env("PORTALD_BENCH_ROLE", stage)
        .env("PORTALD_BENCH_URL", url)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the stage {stage} failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [seconds, user, system, peak] = figures[..] else { panic!("{stage} answers {text}") };
    println!("{stage:<8} {:>8.0} orders/s", (pages() * PAGE) as f64 / seconds);
    Figures { seconds, user, system, peak }
}

/// One stage, in a process of its own.
async fn run(stage: &str) {
    let url = std::env::var("PORTALD_BENCH_URL").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let http: Arc<dyn Http> = Arc::new(ReqwestHttp::new(HttpLimits::default()).unwrap());
    let channel = Parts::new(folder.path(), &url, http.clone());
    let before = (Instant::now(), support::cpu());
    let orders = match stage {
        "fetch" => fetch(&*http, &url).await,
        "parse" => parse(&*channel.remote).await,
        "bare" => bare(channel.remote.clone(), folder.path()).await,
        "whole" => whole(channel, folder.path()).await,
        other => panic!("no stage {other}"),
    };
    let (seconds, (user, system)) = (before.0.elapsed().as_secs_f64(), support::cpu());
    assert_eq!(orders, pages() * PAGE);
    let ((user0, system0), peak) = (before.1, support::memory("VmHWM:"));
    println!("{seconds} {} {} {peak}", user - user0, system - system0);
}

async fn fetch(http: &dyn Http, url: &str) -> usize {
    for n in 0..pages() {
        let stamp = stamp(n as i64 - 1);
        let body = if n == 0 {
            "{\"variables\":{\"query\":null}}".to_owned()
        } else {
            format!("{{\"variables\":{{\"query\":\"updated_at:>='{stamp}'\"}}}}")
        };
        let request = Request::post(format!("{url}/graphql.json")).body(Bytes::from(body)).unwrap();
        let answer = http.send(request).await.unwrap();
        assert!(answer.body().len() > 1000 * PAGE);
    }
    pages() * PAGE
}

async fn parse(remote: &dyn Channel) -> usize {
    let (mut orders, mut request) = (0, PullRequest::default());
    loop {
        let page = remote.pull_orders(&request).await.unwrap();
        orders += page.orders.len();
        let Some(next) = page.next else { return orders };
        request.page = Some(next);
    }
}

async fn bare(remote: Arc<dyn Channel>, folder: &Path) -> usize {
    let config = ::sled::Config::new().path(folder).flush_every_ms(None);
    let db = config.cache_capacity(Options::default().cache_bytes).open().unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.join("db")).unwrap();
    let (queue, pages) = std::sync::mpsc::sync_channel::<Vec<Pulled>>(1);
    let writer = std::thread::spawn(move || {
        let mut written = 0;
        for page in pages {
            let mut batch = ::sled::Batch::default();
            for order in &page {
                let Pulled::Order(order) = order else { panic!("an order that cannot be read") };
                batch.insert(order.id.as_str(), serde_json::to_vec(order).unwrap());
            }
            db.apply_batch(batch).unwrap();
            db.flush().unwrap();
            file.sync_data().unwrap();
            written += page.len();
        }
        written
    });
    let mut request = PullRequest::default();
    loop {
        let page = remote.pull_orders(&request).await.unwrap();
        queue.send(page.orders).unwrap();
        let Some(next) = page.next else { break };
        request.page = Some(next);
    }
    drop(queue);
    writer.join().unwrap()
}

async fn whole(parts: Parts, folder: &Path) -> usize {
    let store: Arc<dyn Store> = if std::env::var_os("PORTALD_BENCH_MEMORY").is_some() {
        Arc::new(MemoryStore::new())
    } else {
        Arc::new(SledStore::open(&folder.join("store"), Options::default()).unwrap())
    };
    let ledger = Arc::new(Ledger::new(store, Arc::new(SystemClock)));
    ledger.set_policies(parts.config.policies(|_, _| placed(0)));
    let board = Arc::new(Board::default());
    let shared = Shared::new(ledger.clone(), board, CancellationToken::new(), Rng::from_seed(7));
    let connection = Connection {
        key: ChannelKey::new("bluefin", "shop"),
        remote: parts.remote,
        overlap: chrono::TimeDelta::from_std(parts.config.pull.overlap).unwrap(),
        sweep_window: chrono::TimeDelta::days(3),
        ledge: Arc::new(Ledge::new(
            ledger.store().channel("bluefin", "shop").await.unwrap().unwrap_or_default(),
        )),
    };
    let verdict = pull::run(&shared, &connection).await;
    assert!(verdict.well, "{verdict:?}");
    usize::try_from(shared.board.get("bluefin", "shop").last_orders).unwrap()
}

/// The connected channel, from files as an operator writes them.
struct Parts {
    config: config::Config,
    remote: Arc<dyn Channel>,
}

impl Parts {
    fn new(folder: &Path, url: &str, http: Arc<dyn Http>) -> Self {
        let file = folder.join("portald.toml");
        std::fs::write(
            &file,
            format!(
                r#"
[supplier]
name = "Acme Supply"
[[merchant]]
id = "bluefin"
name = "Bluefin Outdoors"
since = "2026-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[[merchant.channel]]
id = "shop"
connector = "shopify"
shop = "bluefin.myshopify.com"
access_token = {{ env = "TOKEN" }}
base_url = "{url}"
page_size = 250
"#
            ),
        )
        .unwrap();
        let config = config::load(&file, &Environment::of([("TOKEN", "shpat_bench")]), CONNECTORS)
            .unwrap_or_else(|problems| panic!("{problems}"));
        let (_, channel) = config.channels().next().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let remote = channel.configured.connect(Context {
            label: "bluefin/shop".to_owned(),
            http,
            files: Arc::new(Disk::default()),
            clock,
            tokens: Arc::new(MemoryTokens::default()),
            seed: 7,
        });
        Self { config, remote }
    }
}

/// The server: every page as text, ready before the first question.
async fn server() {
    let pages: Vec<Bytes> = (0..pages()).map(|n| Bytes::from(page(n))).collect();
    let served = serve(Arc::new(Canned { pages }), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    println!("{}", served.base_url());
    // The other end is closed when the bench ends, however it does.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Canned {
    pages: Vec<Bytes>,
}

#[async_trait]
impl Http for Canned {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let text = String::from_utf8_lossy(request.body());
        // The connector asks for what changed at or after the last change that it saw.
        let n = match text.split_once(">='") {
            None => 0,
            Some((_, rest)) => {
                let seen: Timestamp = rest.split('\'').next().unwrap().parse().unwrap();
                usize::try_from(seen.timestamp() - FIRST_CHANGE + 1).unwrap()
            }
        };
        let mut answer = Response::new(self.pages[n].clone());
        let headers = answer.headers_mut();
        headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
        headers.insert("date", "Fri, 27 Nov 2026 10:00:00 GMT".parse().unwrap());
        headers.insert("x-shopify-api-version", "2026-10".parse().unwrap());
        Ok(answer)
    }
}

fn stamp(page: i64) -> String {
    let time = Timestamp::from_timestamp(FIRST_CHANGE + page, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn placed(order: usize) -> Timestamp {
    Timestamp::from_timestamp(FIRST_CHANGE - 86_400 + order as i64 % 80_000, 0).unwrap()
}

/// A page as the shop answers `PortaldOrders`. The budget is told as a large one: the bench is not to wait for it.
fn page(n: usize) -> String {
    let mut text = "{\"data\":{\"orders\":{\"nodes\":[".to_owned();
    for order in n * PAGE..(n + 1) * PAGE {
        if order > n * PAGE {
            text.push(',');
        }
        push_order(&mut text, order, n);
    }
    let more = n + 1 < pages();
    write!(
        text,
        r#"],"pageInfo":{{"hasNextPage":{more},"endCursor":"eyJsYXN0X2lkIjo{n:012}"}}}}}},"extensions":{{"cost":{{"requestedQueryCost":500,"actualQueryCost":412,"throttleStatus":{{"maximumAvailable":1000000.0,"currentlyAvailable":999588,"restoreRate":100000.0}}}}}}}}"#
    )
    .unwrap();
    text
}

const FIRST_NAMES: [&str; 8] = ["Maria", "Jürgen", "Aiko", "Liam", "Zoë", "Pedro", "Nadia", "Tom"];
const LAST_NAMES: [&str; 8] =
    ["van den Berg", "Müller", "Tanaka", "O'Brien", "Novak", "Silva", "Haddad", "Reed"];
const STREETS: [&str; 5] =
    ["West Harbor Street", "Elm Avenue", "Sunset Boulevard", "Old Mill Road", "2nd Street"];
const CITIES: [(&str, &str, &str, &str); 5] = [
    ("Portland", "Oregon", "OR", "97209"),
    ("Austin", "Texas", "TX", "78701"),
    ("Madison", "Wisconsin", "WI", "53703"),
    ("Denver", "Colorado", "CO", "80202"),
    ("Albany", "New York", "NY", "12207"),
];
const PRODUCTS: [&str; 6] = [
    "Trail Lantern, rechargeable, 400 lumen",
    "Merino Base Layer - Women's - Navy / M",
    "Two-Person Tent \\\"Ridge\\\", 2.1 kg",
    "Titanium Mug 450 ml",
    "Down Quilt, 850 fill, regular",
    "Trekking Poles (pair), carbon",
];

/// One order of two or three lines, about half of them ours. The numbers come from a fixed sequence.
fn push_order(text: &mut String, order: usize, page: usize) {
    let mut chance = (order as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pick = move |bound: usize| {
        chance ^= chance >> 29;
        chance = chance.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((chance >> 40) as usize) % bound
    };
    let id = 6_100_000_000_000_u64 + order as u64 * 32_768;
    let lines = 2 + pick(2);
    let (first, last) = (FIRST_NAMES[pick(8)], LAST_NAMES[pick(8)]);
    let (city, province, code, zip) = CITIES[pick(5)];
    let (house, street) = (1 + pick(9_000), STREETS[pick(5)]);
    let address = format!(
        r#"{{"name":"{first} {last}","firstName":"{first}","lastName":"{last}","company":null,"address1":"{house} {street}","address2":"Apartment {}","city":"{city}","province":"{province}","provinceCode":"{code}","zip":"{zip}","countryCodeV2":"US","country":"United States","phone":"+1 503 555 {:04}"}}"#,
        pick(99),
        pick(10_000)
    );
    let placed = placed(order).format("%Y-%m-%dT%H:%M:%SZ");
    write!(
        text,
        r##"{{"id":"gid://shopify/Order/{id}","name":"#{}","createdAt":"{placed}","updatedAt":"{}","cancelledAt":null,"cancelReason":null,"test":false,"note":null,"email":"customer{order}@example.com","displayFinancialStatus":"PAID","shippingAddress":{address},"billingAddress":{address},"shippingLine":{{"title":"Standard Shipping"}},"lineItems":{{"nodes":["##,
        1_000 + order,
        stamp(page as i64)
    )
    .unwrap();
    let mut open = String::new();
    for line in 0..lines as u64 {
        let (line_id, comma) = (id * 2 + line * 32_768, if line > 0 { "," } else { "" });
        let (owner, product, units) = (["ACME", "BF"][pick(2)], pick(6), 1 + pick(3));
        write!(
            text,
            r#"{comma}{{"id":"gid://shopify/LineItem/{line_id}","sku":"{owner}-{}","title":"{}","currentQuantity":{units},"requiresShipping":true,"isGiftCard":false,"product":{{"id":"gid://shopify/Product/{}"}}}}"#,
            1_000 + product * 17 + pick(17),
            PRODUCTS[product],
            7_500_000_000_000_u64 + product as u64,
        )
        .unwrap();
        write!(
            open,
            r#"{comma}{{"id":"gid://shopify/FulfillmentOrderLineItem/{}","remainingQuantity":{units},"lineItem":{{"id":"gid://shopify/LineItem/{line_id}"}}}}"#,
            line_id + 7
        )
        .unwrap();
    }
    let end = r#""pageInfo":{"hasNextPage":false,"endCursor":"eyJsYXN0X2lkIjoxNDQ2Njd9"}"#;
    write!(
        text,
        r#"],{end}}},"fulfillmentOrders":{{"nodes":[{{"id":"gid://shopify/FulfillmentOrder/{}","status":"OPEN","fulfillAt":"{placed}","fulfillmentHolds":[],"assignedLocation":{{"location":{{"id":"gid://shopify/Location/655441491"}}}},"deliveryMethod":{{"methodType":"SHIPPING"}},"lineItems":{{"nodes":[{open}],{end}}}}}],{end}}},"fulfillments":[]}}"#,
        id + 11
    )
    .unwrap();
}
