//! A server on loopback over any model of a remote, so that the real transport can be put before it.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Http, TransportError};

/// A running server. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct Served {
    /// Where it listens (the port that was given, where 0 was asked for).
    pub addr: SocketAddr,
    accepting: tokio::task::AbortHandle,
}

impl Served {
    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves `http` at `addr` (port 0: any free one), HTTP/1.1 with keep-alive. The model sees absolute addresses
/// (`http://HOST/path?query`, by the `Host` header). An error from the model closes the connection unanswered.
pub async fn serve(http: Arc<dyn Http>, addr: SocketAddr) -> io::Result<Served> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        // The connections end with this task: dropping the set aborts them.
        let mut connections = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            while connections.try_join_next().is_some() {}
            let http = Arc::clone(&http);
            connections.spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&http), request));
                // An error here is the model's wish, or the client's: both ends see it already.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    Ok(Served { addr, accepting: accepting.abort_handle() })
}

async fn answer(
    http: Arc<dyn Http>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, TransportError> {
    let (mut parts, body) = request.into_parts();
    let body =
        body.collect().await.map_err(|error| TransportError::Interrupted(error.to_string()))?.to_bytes();
    if let Some(uri) = absolute(&parts) {
        parts.uri = uri;
    }
    Ok(http.send(Request::from_parts(parts, body)).await?.map(Full::new))
}

fn absolute(parts: &http::request::Parts) -> Option<Uri> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    let mut uri = parts.uri.clone().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(host.parse().ok()?);
    Uri::from_parts(uri).ok()
}
