//! The process's signals: SIGTERM and SIGINT drain, SIGHUP reloads.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use crate::control::{Control, Request};

/// Hands signals on until the first that ends the daemon. The error: a signal cannot be listened to.
pub async fn listen(control: Control, shutdown: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = shutdown.cancelled() => return Ok(()),
            _ = hangup.recv() => {
                // The daemon logs what came of it; nobody waits for the answer here.
                let (done, _) = oneshot::channel();
                if control.send(Request::Reload { done }).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    tracing::info!(event = "daemon.asked_to_end", "a signal asks the daemon to end");
    shutdown.cancel();
    Ok(())
}
