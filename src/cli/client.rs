//! Asking the running daemon over its Unix socket.

use std::{
    hash::{BuildHasher, Hasher},
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use sdk::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use super::{Failure, output};
use crate::api::problem::Problem;

/// The largest answer that is read: far above any page.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// The daemon answers within 30 s; a little more for the way.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A client of the daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    /// Print documents instead of tables.
    pub json: bool,
    key: Option<String>,
    if_version: Option<u64>,
}

/// A document, and when it was given by the daemon's clock.
#[derive(Debug)]
pub struct Answer<T> {
    /// As read.
    pub document: T,
    /// As it came.
    pub text: String,
    /// The answer's `Date`.
    pub now: Timestamp,
}

/// Finds `[api] socket` in a configuration, whatever else is in it.
pub fn socket_of(config: &Path) -> Result<PathBuf, Failure> {
    let hint = "name the daemon's socket with --socket, or its configuration with --config";
    path_of(config, "api", "socket", "data/portald.sock", hint)
}

/// Finds a path in a configuration, whatever else is in it.
pub(super) fn path_of(
    config: &Path,
    section: &str,
    key: &str,
    default: &str,
    hint: &str,
) -> Result<PathBuf, Failure> {
    let text = std::fs::read_to_string(config)
        .map_err(|error| Failure::Config(format!("{} cannot be read: {error}; {hint}", config.display())))?;
    // The error's own words quote the line, which may hold a secret.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::Config(format!(
            "{} is not TOML: {}; `portald check` says where; {hint}",
            config.display(),
            error.message()
        ))
    })?;
    let path = match table.get(section).and_then(|section| section.get(key)) {
        None => default,
        Some(toml::Value::String(path)) => path,
        Some(_) => {
            let config = config.display();
            return Err(Failure::Config(format!("{config}: [{section}] {key} is not a text; {hint}")));
        }
    };
    Ok(config.parent().unwrap_or(Path::new("")).join(path))
}

/// Percent-encodes one part of a path.
pub fn part(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// A query from what is given.
pub fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given: Vec<_> = pairs
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", part(value))))
        .collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

impl Client {
    /// A client for a socket; `key` and `if_version` guard its commands.
    pub fn new(socket: PathBuf, json: bool, key: Option<String>, if_version: Option<u64>) -> Self {
        Self { socket, json, key, if_version }
    }

    /// Reads a document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failure> {
        self.send(Method::GET, path, None, None, false).await
    }

    /// Reads a document that takes its time.
    pub async fn get_at_length<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failure> {
        self.exchange(bare(path)?, false).await
    }

    /// Whether a daemon answers. A socket that may not be used is an error: there is one, behind it.
    pub async fn finds_daemon(&self) -> Result<bool, Failure> {
        match UnixStream::connect(&self.socket).await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.no_daemon(&error)),
        }
    }

    /// Reads a long answer, a part at a time.
    pub async fn download(
        &self,
        path: &str,
        take: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        let (status, mut body) = self.ask(bare(path)?).await?;
        if !status.is_success() {
            let told = Limited::new(body, ANSWER_LIMIT).collect().await;
            let told = told.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(Failure::Failed(match serde_json::from_slice::<Problem>(&told) {
                Ok(problem) => problem.detail,
                Err(_) => format!("the daemon answered {status}"),
            }));
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Failure::Failed(format!(
                    "the daemon broke off: {error}; its log says why (`store.backup_failed`)"
                ))
            })?;
            if let Ok(part) = frame.into_data() {
                take(&part)?;
            }
        }
        Ok(())
    }

    async fn ask<B>(&self, request: Request<B>) -> Result<(StatusCode, Incoming), Failure>
    where
        B: Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.no_daemon(&error))?;
        let broken = |error: hyper::Error| Failure::Failed(format!("the daemon broke off: {error}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok((response.status(), response.into_body()))
    }

    /// Does a command. `key` is the one that the command derives; without it a fresh one.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: Option<String>,
    ) -> Result<Answer<T>, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::Failed(format!("the request cannot be written: {error}")))?;
        let derived = self.key.is_none() && key.is_some();
        let key = self.key.clone().or(key).unwrap_or_else(fresh_key);
        self.send(Method::POST, path, Some(body), Some(key), derived).await
    }

    /// Sets what stands at an address.
    pub async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<Answer<T>, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::Failed(format!("the request cannot be written: {error}")))?;
        self.send(Method::PUT, path, Some(body), None, false).await
    }

    /// Sends a CSV as it is read.
    pub async fn put_file<T: DeserializeOwned>(
        &self,
        path: &str,
        source: Box<dyn std::io::Read + Send>,
    ) -> Result<Answer<T>, Failure> {
        let request = Request::put(path)
            .header(header::HOST, "portald")
            .header(header::CONTENT_TYPE, "text/csv")
            .body(Upload { source, ended: false })
            .map_err(|error| Failure::Usage(format!("this cannot be asked: {error}")))?;
        self.exchange(request, false).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        key: Option<String>,
        derived: bool,
    ) -> Result<Answer<T>, Failure> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "portald");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
            if let Some(version) = self.if_version {
                request = request.header(header::IF_MATCH, format!("\"{version}\""));
            }
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Full::new(bytes::Bytes::from(body.unwrap_or_default())))
            .map_err(|error| Failure::Usage(format!("this cannot be asked: {error}")))?;
        match tokio::time::timeout(TIMEOUT, self.exchange(request, derived)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Failed(
                "the daemon does not answer in time; whether a command was done is not known: look before you repeat it"
                    .to_owned(),
            )),
        }
    }

    async fn exchange<T, B>(&self, request: Request<B>, derived: bool) -> Result<Answer<T>, Failure>
    where
        T: DeserializeOwned,
        B: Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.no_daemon(&error))?;
        let broken = |error: &dyn std::fmt::Display| {
            Failure::Failed(format!(
                "the daemon broke off: {error}; whether a command was done is not known: look before you repeat it"
            ))
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let now = response
            .headers()
            .get(header::DATE)
            .and_then(|date| chrono::DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
            .map(|date| date.to_utc())
            .unwrap_or_default();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| broken(&error))?
            .to_bytes();
        if !status.is_success() {
            if self.json {
                output::say(&String::from_utf8_lossy(&body))?;
            }
            let words = match serde_json::from_slice::<Problem>(&body) {
                Ok(Problem { code, .. }) if code == "idempotency-key" && derived => {
                    "this parcel (order, carrier, number, lines) was told before with other details: correct it with \
                     `orders track`, or, if it is another one, repeat with a --key of your own"
                        .to_owned()
                }
                Ok(Problem { detail, at: Some(at), .. }) => format!("{detail} (at {at})"),
                Ok(problem) => problem.detail,
                Err(_) => format!("the daemon answered {status}"),
            };
            return Err(Failure::Failed(words));
        }
        let document = serde_json::from_slice(&body).map_err(|error| {
            Failure::Failed(format!("the daemon's answer cannot be read (another version?): {error}"))
        })?;
        Ok(Answer { document, text: String::from_utf8_lossy(&body).into_owned(), now })
    }

    fn no_daemon(&self, error: &std::io::Error) -> Failure {
        let socket = self.socket.display();
        Failure::Failed(match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("no daemon: there is no socket {socket}; is `portald run` running?")
            }
            std::io::ErrorKind::ConnectionRefused => {
                format!("no daemon answers on {socket}; is `portald run` running?")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("{socket} may not be used by this user: its owner and group may")
            }
            _ => format!("{socket} cannot be reached: {error}"),
        })
    }
}

/// A question without a body.
fn bare(path: &str) -> Result<Request<Full<bytes::Bytes>>, Failure> {
    Request::get(path)
        .header(header::HOST, "portald")
        .body(Full::default())
        .map_err(|error| Failure::Usage(format!("this cannot be asked: {error}")))
}

/// A file as a request's body. Reading blocks: there is nothing else to do meanwhile.
struct Upload {
    source: Box<dyn std::io::Read + Send>,
    ended: bool,
}

/// So much of a file is sent at once, in bytes.
const CHUNK: usize = 64 * 1024;

impl Body for Upload {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, std::io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut chunk = vec![0; CHUNK];
        match self.source.read(&mut chunk) {
            Ok(0) => {
                self.ended = true;
                Poll::Ready(None)
            }
            Ok(read) => {
                chunk.truncate(read);
                Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                Poll::Ready(Some(Ok(Frame::data(bytes::Bytes::new()))))
            }
            Err(error) => {
                self.ended = true;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

/// A key that nobody else has. `RandomState` is the standard library's way to the system's randomness; it is not a
/// part of any decision, so it need not be seeded.
fn fresh_key() -> String {
    let draw = || std::hash::RandomState::new().build_hasher().finish();
    format!("cli-{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_queries_are_encoded() {
        assert_eq!(part("a.b.1/p1/create/1"), "a.b.1%2Fp1%2Fcreate%2F1");
        assert_eq!(query(&[("q", Some("Zoë & co".to_owned())), ("status", None)]), "?q=Zo%C3%AB%20%26%20co");
        assert_eq!(query(&[("q", None)]), "");
    }

    #[test]
    fn the_socket_is_found_beside_the_file_and_the_rest_is_not_judged() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("portald.toml");
        assert!(matches!(socket_of(&config), Err(Failure::Config(_))));
        std::fs::write(&config, "nonsense = 1\n[api]\nsocket = \"run/s.sock\"\n").unwrap();
        assert_eq!(socket_of(&config).unwrap(), folder.path().join("run/s.sock"));
        std::fs::write(&config, "").unwrap();
        assert_eq!(socket_of(&config).unwrap(), folder.path().join("data/portald.sock"));
        std::fs::write(&config, "[api\n").unwrap();
        assert!(matches!(socket_of(&config), Err(Failure::Config(_))));
        std::fs::write(&config, "api.socket = 3\n").unwrap();
        assert!(matches!(socket_of(&config), Err(Failure::Config(_))));
    }
}
