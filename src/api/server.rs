//! The sockets: a Unix socket guarded by its file mode, and TCP guarded by a bearer token.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use sdk::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::problem::Problem;

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// A request's head must have come within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests under way get this long once the daemon stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A bound Unix socket.
#[derive(Debug)]
pub struct UnixServer {
    listener: UnixListener,
    path: PathBuf,
}

/// A bound TCP address.
#[derive(Debug)]
pub struct TcpServer {
    listener: TcpListener,
}

/// Binds a Unix socket with this file mode. Makes the folder it lies in. A socket that nobody answers on is
/// replaced; where one answers, or something else lies there, it is refused.
pub fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixServer> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is not a socket: it is left alone", path.display()),
            ));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("another daemon answers on {}", path.display()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Made beside it, given its mode, then moved into place: at no time does the name answer with a wider mode.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
    fs::rename(&beside, path)?;
    Ok(UnixServer { listener, path: path.to_owned() })
}

/// Binds a TCP address.
pub async fn bind_tcp(address: SocketAddr) -> io::Result<TcpServer> {
    Ok(TcpServer { listener: TcpListener::bind(address).await? })
}

impl UnixServer {
    /// Serves until `shutdown`, then lets what is under way end; the socket's file is removed.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) {
        let Self { listener, path } = self;
        serve(router, shutdown, || async { listener.accept().await.map(|(stream, _)| stream) }).await;
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(%error, "The socket's file is left behind.");
        }
    }
}

impl TcpServer {
    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`, then lets what is under way end. All but `/healthz` needs the token.
    pub async fn serve(self, router: Router, token: SecretString, shutdown: CancellationToken) {
        let token = Arc::new(token);
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let token = token.clone();
            async move { guarded(&token, request, next).await }
        }));
        serve(router, shutdown, || async { self.listener.accept().await.map(|(stream, _)| stream) }).await;
    }
}

async fn guarded(token: &SecretString, request: Request, next: Next) -> Response {
    if request.uri().path() == "/healthz" || is_bearer(&request, token) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "token", "the bearer token is missing or wrong").into_response()
}

fn is_bearer(request: &Request, token: &SecretString) -> bool {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some((scheme, given)) = value.as_bytes().split_at_checked(7) else { return false };
    let token = token.expose_secret().as_bytes();
    // The length may be told by the time it takes; the content may not. An empty token lets nobody in.
    scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() && bool::from(given.ct_eq(token))
}

async fn serve<S, F>(router: Router, shutdown: CancellationToken, mut accept: impl FnMut() -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>>,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept() => accepted,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: waiting gives some back, looping at once would not.
                tracing::warn!(event = "api.accept", %error, "A connection could not be accepted.");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (router, shutdown, cut) = (router.clone(), shutdown.clone(), cut.clone());
        connections.spawn(async move {
            let _place = place;
            connection(router, stream, shutdown, cut).await;
        });
    }
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

async fn connection<S>(router: Router, stream: S, shutdown: CancellationToken, cut: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let mut asked_to_end = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "A connection of the API broke.");
                }
                return;
            }
            () = shutdown.cancelled(), if !asked_to_end => {
                asked_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => return,
        }
    }
}
