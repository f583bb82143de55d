//! What a reload changes, and what the store forbids. Pure.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{ExposeSecret, Timestamp};

use super::{Channel, Config, Merchant};
use crate::store::ChannelState;

/// (merchant, channel).
type Key = (String, String);

/// The difference of two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// New channels: to be connected.
    pub added: Vec<(String, String)>,
    /// Channels no longer named: to be suspended.
    pub removed: Vec<(String, String)>,
    /// Channels that go on otherwise.
    pub changed: Vec<Change>,
    /// Settings that take effect only after a restart, in words.
    pub restart: Vec<String>,
}

/// What changed of a channel. At least one of the flags is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Merchant id.
    pub merchant: String,
    /// Channel id.
    pub channel: String,
    /// Its own settings (secrets included): to be connected anew.
    pub reconnect: bool,
    /// When its streams are due.
    pub schedules: bool,
    /// The rules for its orders.
    pub rules: bool,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What `new` changes over `old`.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let (before, after) = (by_key(old), by_key(new));
    let mut diff = Diff { restart: needs_restart(old, new), ..Diff::default() };
    diff.removed.extend(before.keys().filter(|key| !after.contains_key(*key)).cloned());
    for (key, (merchant, channel)) in &after {
        let Some((old_merchant, old_channel)) = before.get(key) else {
            diff.added.push(key.clone());
            continue;
        };
        let change = Change {
            merchant: key.0.clone(),
            channel: key.1.clone(),
            reconnect: !same_connection(old_channel, channel),
            schedules: old_channel.schedules != channel.schedules,
            rules: !same_rules((old, old_merchant, old_channel), (new, merchant, channel)),
        };
        if change.reconnect || change.schedules || change.rules {
            diff.changed.push(change);
        }
    }
    diff
}

fn by_key(config: &Config) -> BTreeMap<Key, (&Merchant, &Channel)> {
    config
        .channels()
        .map(|(merchant, channel)| ((merchant.id.clone(), channel.id.clone()), (merchant, channel)))
        .collect()
}

fn same_connection(old: &Channel, new: &Channel) -> bool {
    old.connector.name() == new.connector.name()
        && old.configured.account() == new.configured.account()
        && old.configured.fingerprint() == new.configured.fingerprint()
}

type Ruled<'c> = (&'c Config, &'c Merchant, &'c Channel);

/// Everything that [`Config::policy`] is made of.
fn same_rules(old: Ruled<'_>, new: Ruled<'_>) -> bool {
    let rules = |(config, merchant, channel): Ruled<'_>| {
        (
            (merchant.shadow, merchant.since, channel.mirror_splits, channel.connector.capabilities()),
            (config.delivery.read_back, config.delivery.retry_cap),
        )
    };
    rules(old) == rules(new)
        && old.1.dropship == new.1.dropship
        && old.1.orders == new.1.orders
        && old.1.inventory == new.1.inventory
        && old.0.supplier.warehouses == new.0.supplier.warehouses
}

fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let token = |config: &Config| config.api.token.as_ref().map(|token| token.expose_secret().to_owned());
    [
        (old.store_path != new.store_path, "the store's path (`store.path`)"),
        (old.api.socket != new.api.socket, "the API's socket (`api.socket`)"),
        (old.api.socket_mode != new.api.socket_mode, "the socket's mode (`api.socket_mode`)"),
        (old.api.listen != new.api.listen, "the API's address (`api.listen`)"),
        (token(old) != token(new), "the API's token (`api.token`)"),
        (old.log != new.log, "the log's format or level (`[log]`)"),
        (old.supplier.timezone != new.supplier.timezone, "the time zone (`supplier.timezone`)"),
        (old.pull != new.pull, "how orders are read (`[pull]`)"),
        (
            old.delivery.concurrency != new.delivery.concurrency,
            "how many writes go at once (`delivery.concurrency`)",
        ),
    ]
    .into_iter()
    .filter(|(changed, _)| *changed)
    .map(|(_, what)| what.to_owned())
    .collect()
}

/// What the store forbids of a configuration: an account that moved to another merchant or channel, a channel
/// that moved to another account, and a merchant that leaves shadow without a cut-over. Each with its place.
pub fn guard(
    config: &Config,
    states: &BTreeMap<(String, String), ChannelState>,
    now: Timestamp,
) -> Vec<String> {
    let mut refused = Vec::new();
    let owners: BTreeMap<&str, &Key> = states
        .iter()
        .filter(|(_, state)| !state.account.is_empty())
        .map(|(key, state)| (state.account.as_str(), key))
        .collect();
    let mut left_shadow: BTreeSet<&str> = BTreeSet::new();
    for (merchant, channel) in config.channels() {
        let key = (merchant.id.clone(), channel.id.clone());
        let account = channel.configured.account();
        let (place, shown) = (&channel.place, format!("{}/{}", key.0, key.1));
        let state = states.get(&key);

        if let Some(bound) =
            state.map(|state| &state.account).filter(|bound| !bound.is_empty() && **bound != account)
        {
            refused.push(format!(
                "{place}: {shown} is bound to the account {bound}, and cannot become {account}: give the new \
                 account a channel id of its own; where it is another merchant's, `portald merchants rename OLD NEW` \
                 moves the old binding first"
            ));
        }
        match owners.get(account.as_str()) {
            _ if state.is_some_and(|state| state.account == account) => {}
            Some((old, _)) if *old != key.0 => refused.push(format!(
                "{place}: the account {account} is bound to the merchant {old}, not to {shown}: if the merchant has \
                 a new id, run `portald merchants rename {old} {}`",
                key.0
            )),
            Some((_, old)) => refused.push(format!(
                "{place}: the account {account} is bound to {}/{old}, not to {shown}: give the channel its id \
                 `{old}` back (`portald merchants rename OLD NEW` moves whole merchants)",
                key.0
            )),
            None => {}
        }

        let shadow_at = state.and_then(|state| state.shadow_at).filter(|_| !merchant.shadow);
        let Some(shadow_at) = shadow_at.filter(|at| merchant.since.is_none_or(|since| since < *at)) else {
            continue;
        };
        if left_shadow.insert(&merchant.id) {
            let example = shadow_at.max(now).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            refused.push(format!(
                "{}: {} leaves shadow, where it was last seen at {}: that needs a `since` no older than that, or \
                 orders of the shadow would go out; write since = \"{example}\"",
                merchant.place,
                merchant.id,
                shadow_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            ));
        }
    }
    refused
}
