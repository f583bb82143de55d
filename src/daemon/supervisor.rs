//! What systemd is told: ready, reloading, stopping, and that we are alive while the store is well.

use std::time::Duration;

use sd_notify::NotifyState;

use super::HealthHook;

/// Without a watchdog, how often the store's health is looked at all the same.
const USUAL: Duration = Duration::from_secs(10);

/// The line to systemd.
pub(super) struct Supervisor {
    health: HealthHook,
    watched: Option<Duration>,
    well: bool,
}

impl Supervisor {
    /// A line for a store with this health.
    pub(super) fn new(health: HealthHook) -> Self {
        Self { health, watched: sd_notify::watchdog_enabled(), well: true }
    }

    /// Between two signs of life: a third of what systemd allows.
    pub(super) fn interval(&self) -> Duration {
        self.watched.map_or(USUAL, |limit| limit / 3).max(Duration::from_millis(100))
    }

    /// A sign of life, if the store is well; without one systemd starts us again.
    pub(super) fn beat(&mut self) {
        match (self.health)() {
            Ok(()) => {
                self.well = true;
                if self.watched.is_some() {
                    tell(&[NotifyState::Watchdog]);
                }
            }
            Err(error) => {
                if std::mem::take(&mut self.well) {
                    tracing::error!(event = "store.unwell", %error, "the store is not well: the watchdog is not fed until it is");
                }
            }
        }
    }
}

/// All channels are connected, or a reload is over.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(stamp) => tell(&[NotifyState::Reloading, stamp]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The drain begins.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(event = "systemd.unreachable", %error, "systemd could not be told");
    }
}
