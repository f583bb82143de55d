//! What an operator asks of the running daemon: sync, sweep, a look, pause, rename, reload.

use tokio::{sync::oneshot, time::Instant};

use super::{Daemon, DaemonError, Job, Report, supervisor};
use crate::{
    control::Request,
    driver::{ChannelKey, Stream},
    record::RecordId,
    store::ChannelState,
    tasks::look::{self, Look},
};

impl Daemon {
    /// Does what an operator asks of the daemon itself.
    pub(super) async fn answer(&mut self, request: Request) -> Result<(), DaemonError> {
        match request {
            Request::Sync { merchant, done } => {
                let answer = self.mark_all(Some(&merchant), Stream::Orders);
                reply(done, answer);
            }
            Request::Sweep { merchant, done } => {
                let answer = self.mark_all(merchant.as_deref(), Stream::Sweep);
                reply(done, answer);
            }
            Request::Pause { merchant, paused, done } => {
                let answer = self.pause(&merchant, paused).await;
                reply(done, answer);
            }
            Request::Look { record, done } => self.look(record, done),
            Request::Rename { old, new, done } => {
                let renamed = (self.rename)(old.clone(), new.clone()).await;
                let answer = match renamed {
                    Ok(()) => {
                        // What was known under both ids is not true any more.
                        self.ledges.retain(|key, _| *key.merchant != *old && *key.merchant != *new);
                        self.channels.retain(|key, _| *key.merchant != *old && *key.merchant != *new);
                        self.shared.ledger.load_flags().await?;
                        self.reloaded().await?.map(|_| ())
                    }
                    Err(why) => Err(why),
                };
                reply(done, answer);
            }
            Request::Reload { done } => {
                supervisor::reloading();
                let answer = self.reloaded().await?;
                supervisor::ready();
                match &answer {
                    Ok(changes) => {
                        tracing::info!(event = "config.reloaded", %changes, "the configuration was read again");
                    }
                    Err(error) => {
                        let error = one_line(error);
                        tracing::error!(event = "config.refused", %error, "the new configuration is wrong; the old one stays in force");
                    }
                }
                reply(done, answer);
            }
        }
        Ok(())
    }

    /// A look is a task of its own: this loop waits for no channel.
    fn look(&mut self, record: RecordId, done: oneshot::Sender<Look>) {
        let running = self.channel_of(&record).and_then(|key| self.channels.get(&key));
        let Some(running) = running else {
            reply(done, Look::Failed("its channel is not running".to_owned()));
            return;
        };
        let (shared, connection) = (self.shared.clone(), running.connection.clone());
        let task = async move {
            reply(done, look::run(&shared, &connection, &record).await);
            Report::Looked
        };
        let id = self.tasks.spawn(task).id();
        self.jobs.insert(id, Job::Look);
    }

    /// Reads the files again; the inner error leaves all as it was.
    async fn reloaded(&mut self) -> Result<Result<String, String>, DaemonError> {
        // Reading the files blocks this loop for a moment: they are small, and what runs goes on.
        match (self.reload)().await {
            Ok(rewiring) => {
                let changes = self.rewire(rewiring).await?;
                (self.in_force)();
                Ok(Ok(changes))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    /// Makes the streams of a merchant, or of all, due at once.
    fn mark_all(&mut self, merchant: Option<&str>, stream: Stream) -> Result<(), String> {
        let now = Instant::now();
        let mut known = 0;
        let mut marked = 0;
        for (key, running) in &mut self.channels {
            if merchant.is_some_and(|merchant| merchant != &*key.merchant) {
                continue;
            }
            known += 1;
            if running.connection.ledge.is_paused() {
                continue;
            }
            marked += 1;
            if stream == Stream::Orders {
                running.not_before = None;
            }
            self.driver.mark(&(key.clone(), stream), now);
        }
        match (merchant, known, marked) {
            (Some(merchant), 0, _) => Err(format!("no channel of merchant `{merchant}` is running")),
            (Some(merchant), _, 0) => Err(format!("merchant `{merchant}` is paused: resume it first")),
            _ => Ok(()),
        }
    }

    async fn pause(&mut self, merchant: &str, paused: bool) -> Result<(), String> {
        let shared = self.shared.clone();
        let store = &**shared.ledger.store();
        let keys: Vec<ChannelKey> =
            self.channels.keys().filter(|key| *key.merchant == *merchant).cloned().collect();
        if keys.is_empty() {
            return Err(format!("no channel of merchant `{merchant}` is running"));
        }
        for key in keys {
            let Some(running) = self.channels.get(&key) else { continue };
            let ledge = running.connection.ledge.clone();
            let change = |state: &mut ChannelState| {
                let news = state.paused != paused;
                state.paused = paused;
                news
            };
            ledge.change(store, &key, change).await.map_err(|error| format!("{key}: {error}"))?;
            shared.board.update(&key.merchant, &key.channel, |status| status.paused = paused);
            let event = if paused { "channel.paused" } else { "channel.unpaused" };
            tracing::info!(
                event,
                merchant = &*key.merchant,
                channel = &*key.channel,
                "an operator paused or resumed the merchant"
            );
            if paused {
                self.driver.forget(&(key.clone(), Stream::Orders));
                for stream in [Stream::Sweep, Stream::Products, Stream::Inventory] {
                    self.driver.forget(&(key.clone(), stream));
                }
            } else {
                self.driver.mark(&(key.clone(), Stream::Orders), Instant::now());
                if self.channels.get(&key).is_some_and(|running| running.wiring.inventory.is_some()) {
                    self.driver.mark(&(key.clone(), Stream::Inventory), Instant::now());
                }
                shared.ledger.agenda().recall(&key.merchant, &key.channel);
            }
        }
        Ok(())
    }
}

/// An event is one line of the log: several problems stand behind one another.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

fn reply<T>(done: oneshot::Sender<T>, answer: T) {
    // Who asked may have gone.
    _ = done.send(answer);
}
