//! Connecting the configured channels: each one's binding to its remote account is checked and stored first.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sdk::Context;
use tokio::time::Instant;

use super::{
    ChannelWiring, Daemon, DaemonError, Rewiring, Running, START_SPREAD, START_STEP, reload, tokens,
};
use crate::{
    driver::{ChannelKey, Stream},
    ledger::Ledger,
    store::{Changes, ChannelState, Store, StoreError},
    tasks::{Connection, connection::Ledge},
};

/// Channel states written at once at a first start with thousands of channels.
const BATCH: usize = 200;

/// What is stored of the configured channels.
#[derive(Debug, Default)]
pub struct Bindings {
    /// The state of each channel that may start.
    pub states: BTreeMap<ChannelKey, ChannelState>,
    /// Those that may not, and why.
    pub refused: BTreeMap<ChannelKey, String>,
}

/// Holds the configured channels against the accounts that the store has them bound to, and binds those seen for
/// the first time, durably. A channel that is bound to another account is refused; nothing else stops for it.
///
/// # Errors
/// Only the store's.
pub async fn check_bindings(ledger: &Ledger, channels: &[ChannelWiring]) -> Result<Bindings, StoreError> {
    let store = ledger.store();
    let stored = store.channels().await?;
    let mut owners: BTreeMap<&str, ChannelKey> = stored
        .iter()
        .filter(|(_, state)| !state.account.is_empty())
        .map(|((merchant, channel), state)| (state.account.as_str(), ChannelKey::new(merchant, channel)))
        .collect();
    let accounts: Vec<String> = channels.iter().map(|wiring| wiring.configured.account()).collect();
    let mut bindings = Bindings::default();
    let mut fresh = Vec::new();
    for (wiring, account) in channels.iter().zip(&accounts) {
        let key = ChannelKey::new(&wiring.merchant, &wiring.channel);
        let known = stored.get(&(wiring.merchant.clone(), wiring.channel.clone()));
        if let Some(state) = known
            && !state.account.is_empty()
        {
            if state.account == *account {
                bindings.states.insert(key, state.clone());
            } else {
                let why = format!(
                    "it is bound to {}, not to {account}: give the new account a channel id of its own",
                    state.account
                );
                bindings.refused.insert(key, why);
            }
            continue;
        }
        if let Some(owner) = owners.get(account.as_str())
            && *owner != key
        {
            let why = format!(
                "the account {account} is bound to {owner}: `merchants rename {} {}` moves it",
                owner.merchant, wiring.merchant
            );
            bindings.refused.insert(key, why);
            continue;
        }
        owners.insert(account, key.clone());
        let mut state = known.cloned().unwrap_or_default();
        state.account.clone_from(account);
        state.first_contact = state.first_contact.or(Some(wiring.first_contact));
        if ledger.policy(&wiring.merchant, &wiring.channel).shadow {
            state.shadow_at = Some(ledger.clock().now());
        }
        fresh.push((key, state));
    }
    for batch in fresh.chunks(BATCH) {
        bind(&**store, batch).await?;
    }
    bindings.states.extend(fresh.into_iter().map(|(key, mut state)| {
        state.version += 1;
        (key, state)
    }));
    Ok(bindings)
}

async fn bind(store: &dyn Store, batch: &[(ChannelKey, ChannelState)]) -> Result<(), StoreError> {
    let channels = batch
        .iter()
        .map(|(key, state)| (key.merchant.to_string(), key.channel.to_string(), state.clone()))
        .collect();
    store.commit(Changes { channels, ..Changes::default() }).await
}

impl Daemon {
    /// Brings what runs in line with the configuration; answers what changed. An unchanged channel keeps its
    /// running connection.
    pub(super) async fn rewire(&mut self, rewiring: Rewiring) -> Result<String, DaemonError> {
        let Rewiring { channels, policies } = rewiring;
        let zone = policies.zone;
        let reload = self.shared.ledger.is_ruled();
        self.shared.ledger.set_policies(policies);
        let bindings = check_bindings(&self.shared.ledger, &channels).await?;
        let wanted: BTreeMap<ChannelKey, ChannelWiring> = channels
            .into_iter()
            .map(|wiring| (ChannelKey::new(&wiring.merchant, &wiring.channel), wiring))
            .filter(|(key, _)| !bindings.refused.contains_key(key))
            .collect();
        for (key, why) in &bindings.refused {
            self.shared.board.update(&key.merchant, &key.channel, |status| {
                (status.configured, status.suspended) = (true, Some(why.clone()));
            });
            tracing::error!(
                event = "channel.refused",
                merchant = &*key.merchant,
                channel = &*key.channel,
                error = %why,
                "a channel is not started; the others are"
            );
        }
        let now =
            self.channels.iter().map(|(key, running)| (key.clone(), reload::Facts::of(&running.wiring)));
        let then = wanted.iter().map(|(key, wiring)| (key.clone(), reload::Facts::of(wiring)));
        let diff = reload::diff(&now.collect(), &then.collect());
        for key in &diff.removed {
            self.disconnect(key, bindings.refused.contains_key(key));
        }
        let starting = diff.added.len() + diff.changed.len();
        let mut started = 0;
        for (key, wiring) in wanted {
            if diff.added.contains(&key) || diff.changed.contains(&key) {
                let state = bindings.states.get(&key).cloned().unwrap_or_default();
                self.connect(&key, wiring, state);
                let step =
                    (START_SPREAD / u32::try_from(starting).unwrap_or(u32::MAX).max(1)).min(START_STEP);
                let due = Instant::now() + step * started;
                started += 1;
                self.driver.mark(&(key.clone(), Stream::Orders), due);
                self.mark_stock(&key, due);
            } else if diff.rescheduled.contains(&key) {
                self.reschedule(&key, wiring);
                self.mark_stock(&key, Instant::now());
            }
            if reload && diff.added.contains(&key) {
                // What people said while the files did not name the merchant was noted, and is decided now.
                let agenda = self.shared.ledger.agenda();
                let at = self.shared.ledger.clock().now();
                for id in agenda.active_of(&key.merchant, &key.channel) {
                    agenda.set(&id, Some(at));
                }
            }
            // Rules may have changed for any channel: what waited may go now.
            self.shared.ledger.agenda().recall(&key.merchant, &key.channel);
        }
        self.index(zone);
        Ok(diff.to_string())
    }

    fn connect(&mut self, key: &ChannelKey, wiring: ChannelWiring, state: ChannelState) {
        let label = format!("{}/{}", key.merchant, key.channel);
        let ledger = &self.shared.ledger;
        let context = Context {
            http: self.http.clone(),
            files: self.files.clone(),
            clock: ledger.clock().clone(),
            tokens: Arc::new(tokens::Tokens::new(ledger.store().clone(), &key.merchant, &key.channel)),
            seed: self.seed ^ sdk::clock::stable_hash(&label),
            label,
        };
        let ledge = self.ledges.entry(key.clone()).or_insert_with(|| Arc::new(Ledge::new(state))).clone();
        let known = ledge.state();
        self.shared.board.update(&key.merchant, &key.channel, |status| {
            (status.configured, status.paused) = (true, known.paused);
            status.suspended = known.suspended.map(|(_, why)| why);
            status.last_sweep = status.last_sweep.max(known.swept_at);
            status.restored = known.restored;
        });
        ledger.note_restored(&key.merchant, &key.channel, known.restored);
        if let Some(restored) = known.restored {
            tracing::warn!(
                event = "restore.reading",
                merchant = &*key.merchant,
                channel = &*key.channel,
                taken = %restored.taken.format("%Y-%m-%dT%H:%M:%SZ"),
                open = ledger.agenda().active_of(&key.merchant, &key.channel).len(),
                "the store was restored: nothing is written to a channel until its open orders were read back"
            );
            self.driver.mark(&(key.clone(), Stream::Sweep), Instant::now());
        }
        for warning in wiring.configured.warnings(ledger.clock().now()) {
            tracing::warn!(
                event = "channel.warning",
                merchant = &*key.merchant,
                channel = &*key.channel,
                warning,
                "a channel's settings want attention"
            );
        }
        let remote = wiring.configured.connect(context);
        ledge.set_stock_place(remote.stock_place());
        let connection = connection(key, &wiring, remote, ledge);
        let running = Running { wiring, connection: Arc::new(connection), failures: 0, not_before: None };
        self.channels.insert(key.clone(), running);
    }

    /// Stock is looked at once after a start, and when it is turned on: a batch may be unsettled.
    fn mark_stock(&mut self, key: &ChannelKey, due: Instant) {
        let stream = (key.clone(), Stream::Inventory);
        if self.channels.get(key).is_some_and(|running| running.wiring.inventory.is_some()) {
            self.driver.mark(&stream, due);
        } else {
            self.driver.forget(&stream);
            self.driver.forget(&(key.clone(), Stream::Products));
        }
    }

    /// Takes new schedules, keeping the connection.
    fn reschedule(&mut self, key: &ChannelKey, wiring: ChannelWiring) {
        let Some(running) = self.channels.get_mut(key) else { return };
        let old = &running.connection;
        let connection = connection(key, &wiring, old.remote.clone(), old.ledge.clone());
        (running.wiring, running.connection) = (wiring, Arc::new(connection));
    }

    fn disconnect(&mut self, key: &ChannelKey, refused: bool) {
        self.channels.remove(key);
        self.driver.forget(&(key.clone(), Stream::Orders));
        for stream in [Stream::Sweep, Stream::Products, Stream::Inventory] {
            self.driver.forget(&(key.clone(), stream));
        }
        if refused {
            return;
        }
        self.shared.board.update(&key.merchant, &key.channel, |status| status.configured = false);
        tracing::warn!(
            event = "channel.removed",
            merchant = &*key.merchant,
            channel = &*key.channel,
            "the files no longer name a channel: it is suspended, and its outbox waits"
        );
    }
}

fn connection(
    key: &ChannelKey,
    wiring: &ChannelWiring,
    remote: Arc<dyn sdk::Channel>,
    ledge: Arc<Ledge>,
) -> Connection {
    // The configuration bounds both far below what a span of time can hold.
    let span = |length: Duration| chrono::TimeDelta::from_std(length).unwrap_or(chrono::TimeDelta::MAX);
    Connection {
        key: key.clone(),
        remote,
        overlap: span(wiring.overlap),
        sweep_window: span(Duration::from_secs(u64::from(wiring.sweep_days) * 86_400)),
        ledge,
    }
}
