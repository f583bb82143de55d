//! The real binary as a child, and its API over the Unix socket.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
    sync::Mutex,
    time::Instant,
};

/// Whatever is waited for comes sooner than this, on the slowest machine.
const LONGEST: Duration = Duration::from_secs(240);

/// A daemon over a folder of its own, which can be killed and started again.
pub(crate) struct Daemon {
    pub(crate) folder: PathBuf,
    child: Mutex<Child>,
}

impl Daemon {
    pub(crate) fn start(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), child: Mutex::new(spawn(folder)) }
    }

    /// `kill -9`, and a new start at once.
    pub(crate) async fn kill_and_restart(&self) {
        let mut child = self.child.lock().await;
        child.kill().await.expect("it can be killed");
        *child = spawn(&self.folder);
    }

    /// `kill -9`; it stays away.
    pub(crate) async fn kill(&self) {
        self.child.lock().await.kill().await.expect("it can be killed");
    }

    /// A new start after [`Daemon::kill`].
    pub(crate) async fn start_again(&self) {
        *self.child.lock().await = spawn(&self.folder);
    }

    /// SIGTERM; answers its exit code.
    pub(crate) async fn end(&self) -> Option<i32> {
        let mut child = self.child.lock().await;
        signal(&child, "-TERM").await;
        child.wait().await.expect("it ends").code()
    }

    /// SIGHUP.
    pub(crate) async fn reload(&self) {
        signal(&*self.child.lock().await, "-HUP").await;
    }

    /// Another run of the binary over the same folder, to its end: exit code, and what it said.
    pub(crate) async fn other(&self, words: &[&str]) -> (Option<i32>, String) {
        let config = self.folder.join("portald.toml");
        let ran = Command::new(env!("CARGO_BIN_EXE_portald"))
            .args(words)
            .arg("--config")
            .arg(config)
            .env("SHOP_TOKEN", shopify::fake::TOKEN)
            .env("STORE_TOKEN", bigcommerce::fake::TOKEN)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the binary runs");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8(said).expect("text"))
    }

    /// Waits until the log holds these words.
    pub(crate) async fn logs(&self, words: &str) {
        until(&format!("`{words}` in the log"), async || self.log().contains(words).then_some(())).await;
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).expect("it logs")
    }

    /// One request; `None` while the daemon does not answer.
    async fn try_call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> Option<(u16, Value)> {
        let mut stream = UnixStream::connect(self.folder.join("portald.sock")).await.ok()?;
        let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: portald\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{key}\r\n{body}",
            body.len()
        );
        // A body that is too large is answered before it is read to its end, and the rest meets a closed door.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).ok()?))
    }

    /// One request, answered whatever it is.
    pub(crate) async fn once(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.try_call(method, path, None, body).await.expect("an answer")
    }

    /// One request, asked again until it is answered: the daemon may be starting.
    pub(crate) async fn answered(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let what = format!("{method} {path}");
        until(&what, async || {
            self.try_call(method, path, None, body).await.filter(|(status, _)| *status < 500)
        })
        .await
    }

    /// A command that may be refused or go unanswered.
    pub(crate) async fn try_command(&self, path: &str) -> Option<u16> {
        self.try_call("POST", path, None, "{}").await.map(|(status, _)| status)
    }

    /// An order, once it is there.
    pub(crate) async fn find(&self, order: &str) -> Option<Value> {
        let answer = self.try_call("GET", &format!("/v1/orders/{order}"), None, "").await;
        answer.filter(|(status, _)| *status == 200).map(|(_, order)| order)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let what = format!("GET {path}");
        let asked = until(&what, async || {
            self.try_call("GET", path, None, "").await.filter(|(status, _)| *status < 500)
        });
        let (status, body) = asked.await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// A command, again under the same key until it is answered, as a client that lost its answer would.
    pub(crate) async fn command(&self, path: &str, key: &str, body: &Value) -> Value {
        let text = body.to_string();
        let what = format!("POST {path}");
        let asked = until(&what, async || {
            self.try_call("POST", path, Some(key), &text).await.filter(|(status, _)| *status < 500)
        });
        let (status, answer) = asked.await;
        assert!((200..300).contains(&status), "POST {path} {body}: {status} {answer}");
        answer
    }

    /// A command, again under the same key until it is answered or refused: the answer, where it was done.
    pub(crate) async fn attempt(&self, path: &str, key: &str, body: &Value) -> Option<Value> {
        let text = body.to_string();
        let what = format!("POST {path}");
        let asked = until(&what, async || {
            self.try_call("POST", path, Some(key), &text).await.filter(|(status, _)| *status < 500)
        });
        let (status, answer) = asked.await;
        (200..300).contains(&status).then_some(answer)
    }

    /// Every supplier order, page by page.
    pub(crate) async fn orders(&self) -> Vec<Value> {
        let mut orders = Vec::new();
        let mut after = String::new();
        loop {
            let mut page = self.get(&format!("/v1/orders?limit=100{after}")).await;
            orders.append(page["orders"].as_array_mut().expect("a list"));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return orders,
            }
        }
    }
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args([name, &id]).status().await.expect("kill is there");
    assert!(sent.success());
}

fn spawn(folder: &Path) -> Child {
    let log: File = OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
    Command::new(env!("CARGO_BIN_EXE_portald"))
        .args(["run", "--config"])
        .arg(folder.join("portald.toml"))
        .env("SHOP_TOKEN", shopify::fake::TOKEN)
        .env("STORE_TOKEN", bigcommerce::fake::TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts")
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < LONGEST, "waited too long for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
