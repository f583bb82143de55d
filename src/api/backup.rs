//! Backups of the running daemon's store, and a look through it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use hyper::body::Frame;
use tokio::sync::{mpsc, oneshot};

use super::{Api, problem::Problem};
use crate::store::{
    backup::{BackupError, Copied, Header},
    verify::Report,
};

/// Parts of a backup that wait to be taken.
const WAITING: usize = 16;

/// `GET /v1/backup`: the whole store, as it is at the end of the answer. It holds customers' addresses and credentials.
pub async fn backup(State(api): State<Api>) -> Response {
    let ledger = api.ledger().clone();
    let (sink, parts) = mpsc::channel(WAITING);
    let (done, ended) = oneshot::channel();
    let header = Header::new(ledger.clock().now());
    tokio::spawn(async move {
        let copied = ledger.store().backup(header, sink).await;
        match &copied {
            Ok(Copied { entries, bytes }) => {
                tracing::info!(event = "store.backed_up", entries, bytes, "a backup was taken");
            }
            Err(error) => {
                tracing::warn!(event = "store.backup_failed", %error, "a backup did not go to its end");
            }
        }
        // Whoever asked may be gone.
        let _ = done.send(copied);
    });
    let body = Body::new(Parts { parts, ended });
    ([(header::CONTENT_TYPE, "application/vnd.portald.backup")], body).into_response()
}

/// `GET /v1/verify`.
pub async fn verify(State(api): State<Api>) -> Result<Json<Report>, Problem> {
    let report = api.ledger().store().verify().await?;
    let findings = report.findings.len() as u64 + report.more;
    if findings > 0 {
        tracing::error!(event = "store.findings", findings, "a look through the store found what is wrong");
    }
    Ok(Json(report))
}

/// A backup as a body. One that fails breaks off, so that it is not taken for a whole one.
struct Parts {
    parts: mpsc::Receiver<Bytes>,
    ended: oneshot::Receiver<Result<Copied, BackupError>>,
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.parts.poll_recv(context) {
            Poll::Ready(Some(part)) => Poll::Ready(Some(Ok(Frame::data(part)))),
            Poll::Ready(None) => match Pin::new(&mut self.ended).poll(context) {
                Poll::Ready(Ok(Ok(_))) => Poll::Ready(None),
                Poll::Ready(Ok(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error.to_string())))),
                Poll::Ready(Err(_)) => Poll::Ready(Some(Err(io::Error::other("the backup broke off")))),
                Poll::Pending => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}
