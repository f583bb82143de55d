//! One connected channel with what is stored of it, shared by all that works on it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sdk::{Channel, Timestamp};

use super::Shared;
use crate::{
    driver::ChannelKey,
    record::Restored,
    store::{Changes, ChannelState, Store, StoreError},
};

/// How often a write that lost its race is tried again before it is given up as a conflict.
const RACES: usize = 8;

/// A connected channel.
pub struct Connection {
    /// Whose.
    pub key: ChannelKey,
    /// The channel.
    pub remote: Arc<dyn Channel>,
    /// How far each pull looks back behind the cursor.
    pub overlap: chrono::TimeDelta,
    /// How far back a sweep reads all orders again.
    pub sweep_window: chrono::TimeDelta,
    /// What is stored of it. Outlives a reconnection.
    pub ledge: Arc<Ledge>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is known of a channel: its stored state, and a cursor that memory may hold ahead of it.
///
/// An idle shop's cursor moves at every poll. Storing each move would make 10,000 quiet channels the store's
/// busiest writers, so a move that stores no order and is small stays in memory: after a crash the channel is read
/// again from the stored cursor, which is never ahead of what is stored.
#[derive(Debug)]
pub struct Ledge {
    known: Mutex<Known>,
    /// One writer of the state at a time, so that our own tasks do not race each other.
    turn: tokio::sync::Mutex<()>,
    /// One pull at a time: a push of stock pulls for itself.
    pulls: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    state: ChannelState,
    cursor: Option<Timestamp>,
    /// A delivery was refused for its credentials since the last one that went well: a good pull proves nothing.
    write_denied: bool,
    /// Where stock is written by the settings in force; `None`: not told.
    stock_place: Option<String>,
}

impl Ledge {
    /// What is stored now.
    pub fn new(state: ChannelState) -> Self {
        let cursor = state.cursor;
        Self {
            known: Mutex::new(Known { state, cursor, write_denied: false, stock_place: None }),
            turn: tokio::sync::Mutex::new(()),
            pulls: tokio::sync::Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored state.
    pub fn state(&self) -> ChannelState {
        self.lock().state.clone()
    }

    /// Every change up to here is stored; perhaps later than the stored cursor.
    pub fn cursor(&self) -> Option<Timestamp> {
        self.lock().cursor
    }

    /// Moves the cursor in memory: all up to `to` is stored.
    pub fn advance(&self, to: Option<Timestamp>) {
        let mut known = self.lock();
        known.cursor = known.cursor.max(to);
    }

    /// Whether it is neither paused nor suspended.
    pub fn is_open(&self) -> bool {
        let known = self.lock();
        !known.state.paused && known.state.suspended.is_none()
    }

    /// Whether writes may leave: not while a restored channel is read back.
    pub fn may_write(&self) -> bool {
        self.is_open() && self.restored().is_none()
    }

    /// The restore after which it is still read back.
    pub fn restored(&self) -> Option<Restored> {
        self.lock().state.restored
    }

    /// Whether an operator paused it.
    pub fn is_paused(&self) -> bool {
        self.lock().state.paused
    }

    /// Whether its credentials were refused.
    pub fn is_suspended(&self) -> bool {
        self.lock().state.suspended.is_some()
    }

    /// Takes note of how a delivery's credentials fared.
    pub fn note_write(&self, denied: bool) {
        self.lock().write_denied = denied;
    }

    /// Whether the last delivery was refused for its credentials.
    pub fn write_denied(&self) -> bool {
        self.lock().write_denied
    }

    /// The settings in force say that stock is written there.
    pub fn set_stock_place(&self, place: String) {
        self.lock().stock_place = Some(place);
    }

    /// Whether stock may still be written there: a connection goes on for a while after a reload replaced it.
    pub fn is_stock_place(&self, place: &str) -> bool {
        self.lock().stock_place.as_deref().is_none_or(|known| known == place)
    }

    /// The right to write the state; held while a commit with it is under way.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The right to pull.
    pub async fn pull_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.pulls.lock().await
    }

    /// A commit with this state was acknowledged.
    pub fn committed(&self, mut state: ChannelState) {
        state.version += 1;
        let mut known = self.lock();
        known.cursor = known.cursor.max(state.cursor);
        known.state = state;
    }

    /// Reads the stored state again after somebody else wrote it.
    pub async fn reread(&self, store: &dyn Store, key: &ChannelKey) -> Result<(), StoreError> {
        let state = store.channel(&key.merchant, &key.channel).await?.unwrap_or_default();
        self.lock().state = state;
        Ok(())
    }

    /// Changes the stored state, durably. `change` answers whether there is something to store.
    pub async fn change(
        &self,
        store: &dyn Store,
        key: &ChannelKey,
        change: impl Fn(&mut ChannelState) -> bool,
    ) -> Result<bool, StoreError> {
        let _turn = self.turn().await;
        for _ in 0..RACES {
            let mut state = self.state();
            if !change(&mut state) {
                // Done before: but what was read of it may not be on disk yet, or never be.
                store.flushed().await?;
                return Ok(false);
            }
            let entry = (key.merchant.to_string(), key.channel.to_string(), state.clone());
            match store.commit(Changes { channels: vec![entry], ..Changes::default() }).await {
                Ok(()) => {
                    self.committed(state);
                    return Ok(true);
                }
                Err(StoreError::Conflict(_)) => self.reread(store, key).await?,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict(format!("the state of {key}")))
    }
}

impl Connection {
    /// Suspends the channel: its credentials are refused. Durable; a person is told once.
    pub async fn suspend(&self, shared: &Shared, why: &sdk::Error) -> Result<(), StoreError> {
        let now = shared.ledger.clock().now();
        let reason = why.to_string();
        let fresh = self
            .ledge
            .change(&**shared.ledger.store(), &self.key, |state| {
                let fresh = state.suspended.is_none();
                if fresh {
                    state.suspended = Some((now, reason.clone()));
                }
                fresh
            })
            .await?;
        shared.board.update(&self.key.merchant, &self.key.channel, |status| {
            status.suspended = Some(reason.clone());
        });
        if fresh {
            tracing::error!(
                event = "channel.suspended",
                merchant = &*self.key.merchant,
                channel = &*self.key.channel,
                error = %why,
                "a channel refuses our credentials: renew them; it is asked again slowly until then"
            );
        }
        Ok(())
    }

    /// Ends a suspension: the channel answered.
    pub async fn resume(&self, shared: &Shared) -> Result<(), StoreError> {
        if !self.ledge.is_suspended() {
            return Ok(());
        }
        self.ledge
            .change(&**shared.ledger.store(), &self.key, |state| state.suspended.take().is_some())
            .await?;
        shared.board.update(&self.key.merchant, &self.key.channel, |status| status.suspended = None);
        tracing::info!(
            event = "channel.resumed",
            merchant = &*self.key.merchant,
            channel = &*self.key.channel,
            "a suspended channel answers again"
        );
        shared.ledger.agenda().recall(&self.key.merchant, &self.key.channel);
        Ok(())
    }
}
