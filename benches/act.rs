//! How soon a ship command leaves for the channel: `cargo bench --bench act`.
//!
//! The real binary runs on a folder of its own; the model of a Shopify shop is served on loopback by this process.
//! 200 orders, shipped one after another on a daemon that is otherwise idle: through the API's Unix socket on one
//! connection, and some by a CLI process each. Measured from just before the command is sent (the process is
//! started) until the first request for the order arrives at the shop, until the fulfillment itself does, and until
//! the command is answered. A command is answered once it is on the disk.
#![allow(clippy::print_stdout, reason = "a table for people")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may stop")]

mod support;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use portald::clock::SystemClock;
use sdk::testkit::serve;
use serde_json::Value;
use shopify::fake::{FakeShop, Fault, NewLine, NewOrder};
use tokio::{net::UnixStream, sync::mpsc, time::Instant};

const BY_API: usize = 200;
const BY_CLI: usize = 20;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const PORTALD: &str = env!("CARGO_BIN_EXE_portald");

/// A request that arrived at the shop: its operation, and when.
type Arrival = (String, Instant);

#[tokio::main]
async fn main() {
    let shop = FakeShop::new(Arc::new(SystemClock));
    for n in 0..BY_API + BY_CLI {
        let line = |sku: &str| NewLine::new(sku, 1 + (n % 3) as u32);
        shop.place(NewOrder::new(vec![line("ACME-1001"), line("BF-2002"), line("ACME-1003")]));
    }
    let (told, mut arrivals) = mpsc::unbounded_channel();
    shop.on_request(move |operation| {
        told.send((operation.to_owned(), Instant::now())).unwrap();
        Fault::None
    });
    let served = serve(shop.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &served.base_url());
    let daemon = Daemon::start(&config);
    let mut api = Api { socket: folder.path().join("api.sock"), sender: None };
    let orders = api.all_orders().await;
    assert_eq!(orders.len(), BY_API + BY_CLI);
    let (by_api, by_cli) = orders.split_at(BY_API);

    // The daemon is to be idle: what the start set going has ended.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut ways = Vec::new();
    let mut times = Times::default();
    for order in by_api {
        drain(&mut arrivals);
        let sent = Instant::now();
        api.ship(order).await;
        times.answered.push(sent.elapsed());
        times.follow(sent, &mut arrivals).await;
        api.pushed(order).await;
    }
    ways.push(("API, Unix socket", times));
    let mut times = Times::default();
    for order in by_cli {
        drain(&mut arrivals);
        let (sent, config, order) = (Instant::now(), config.clone(), order.clone());
        let id = order.clone();
        let command = tokio::process::Command::new(PORTALD)
            .args(["orders", "ship", &id, "--carrier", "UPS", "--tracking", &tracking(&id), "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .status();
        assert!(command.await.unwrap().success());
        times.answered.push(sent.elapsed());
        times.follow(sent, &mut arrivals).await;
        api.pushed(&order).await;
    }
    ways.push(("CLI, a process each", times));
    daemon.end();
    for order in shop.orders() {
        assert_eq!(order.fulfillments.len(), 1, "every parcel is told once");
    }

    let head = ["`orders ship` by", "until", "n", "p50 ms", "p99 ms", "max ms"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (way, times) in ways {
        for (until, mut taken) in [
            ("the first request reaches the shop", times.first),
            ("`fulfillmentCreate` reaches the shop", times.created),
            ("the command is answered", times.answered),
        ] {
            taken.sort_unstable();
            let shown = |share| format!("{:.1}", support::ms(support::at(&taken, share)));
            let n = taken.len().to_string();
            rows.push(vec![way.to_owned(), until.to_owned(), n, shown(0.5), shown(0.99), shown(1.0)]);
        }
    }
    support::table(&rows);
    println!("\n{}.", support::machine(&std::env::temp_dir()));
}

/// How long it took, command by command.
#[derive(Default)]
struct Times {
    first: Vec<Duration>,
    created: Vec<Duration>,
    answered: Vec<Duration>,
}

impl Times {
    /// Takes note of the requests that a command led to.
    async fn follow(&mut self, sent: Instant, arrivals: &mut mpsc::UnboundedReceiver<Arrival>) {
        let mut first = None;
        loop {
            let (operation, at) = tokio::time::timeout(PATIENCE, arrivals.recv()).await.unwrap().unwrap();
            if operation == "PortaldOrders" {
                continue;
            }
            let first = *first.get_or_insert(at);
            if operation == "PortaldFulfillmentCreate" {
                self.first.push(first - sent);
                self.created.push(at - sent);
                return;
            }
        }
    }
}

fn drain(arrivals: &mut mpsc::UnboundedReceiver<Arrival>) {
    while arrivals.try_recv().is_ok() {}
}

fn tracking(order: &str) -> String {
    format!("1Z{:0>16}", order.rsplit('.').next().unwrap())
}

fn configure(folder: &Path, shop: &str) -> PathBuf {
    let file = folder.join("portald.toml");
    let text = format!(
        r#"
[supplier]
name = "Acme Supply"
[api]
socket = "api.sock"
[log]
level = "warn"
[[merchant]]
id = "bluefin"
since = "2026-01-01T00:00:00Z"
[merchant.dropship]
skus = ["ACME-*"]
[merchant.orders]
settle_secs = 0
[[merchant.channel]]
id = "shop"
connector = "shopify"
shop = "bluefin.myshopify.com"
access_token = {{ env = "BENCH_TOKEN" }}
base_url = "{shop}"
"#
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// The running daemon.
struct Daemon(Child);

impl Daemon {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(PORTALD);
        command.arg("run").arg("--config").arg(config).env("BENCH_TOKEN", shopify::fake::TOKEN);
        Self(command.spawn().unwrap())
    }

    fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone, unless the bench failed.
        let _ = self.0.kill();
    }
}

/// A client of the API on one connection.
struct Api {
    socket: PathBuf,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Api {
    async fn connect(&mut self) {
        let until = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&self.socket).await {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        self.sender = Some(sender);
    }

    async fn ask(&mut self, request: http::request::Builder, body: String) -> Value {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.connect().await;
        }
        let request = request.header("host", "portald").header("content-type", "application/json");
        let sender = self.sender.as_mut().unwrap();
        sender.ready().await.unwrap();
        let answer = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    async fn get(&mut self, path: &str) -> Value {
        self.ask(Request::get(path), String::new()).await
    }

    /// The ids of all orders, once all are there.
    async fn all_orders(&mut self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (mut ids, mut after) = (Vec::new(), String::new());
            loop {
                let page = self.get(&format!("/v1/orders?status=open{after}")).await;
                let orders = page["orders"].as_array().unwrap();
                ids.extend(orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
                let Some(next) = page["next"].as_str() else { break };
                after = format!("&after={next}");
            }
            if ids.len() == BY_API + BY_CLI {
                return ids;
            }
            assert!(Instant::now() < until, "only {} orders came in", ids.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ship(&mut self, order: &str) {
        let body = serde_json::json!({ "carrier": "UPS", "tracking": tracking(order) }).to_string();
        let request = Request::post(format!("/v1/orders/{order}/ship"));
        self.ask(request.header("idempotency-key", format!("bench-{order}")), body).await;
    }

    /// Waits until the shop's answer is recorded.
    async fn pushed(&mut self, order: &str) {
        let until = Instant::now() + PATIENCE;
        while self.get(&format!("/v1/orders/{order}")).await["shipments"][0]["push"] != "done" {
            assert!(Instant::now() < until, "{order} is not told");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
