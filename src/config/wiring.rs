//! From a configuration to what the daemon runs.

use std::collections::BTreeMap;

use sdk::{Clock, Timestamp};

use super::{Channel, Config, Merchant, guard};
use crate::{
    daemon::{ChannelWiring, Rewiring},
    store::Store,
};

/// Sweeps read so many days of each channel again.
const SWEEP_DAYS: u32 = 3;

/// What a configuration wires, held against what the store knows. The error is in words.
pub async fn rewiring(config: &Config, store: &dyn Store, clock: &dyn Clock) -> Result<Rewiring, String> {
    let states = store.channels().await.map_err(|error| error.to_string())?;
    let now = clock.now();
    let refused = guard(config, &states, now);
    if !refused.is_empty() {
        return Err(refused.join("\n"));
    }
    let first: BTreeMap<(&str, &str), Timestamp> = states
        .iter()
        .filter_map(|((merchant, channel), state)| {
            Some(((merchant.as_str(), channel.as_str()), state.first_contact?))
        })
        .collect();
    let first_contact =
        |merchant: &str, channel: &str| first.get(&(merchant, channel)).copied().unwrap_or(now);
    for (merchant, channel) in config.channels().filter(|(merchant, _)| merchant.inventory.sync) {
        if let Some(why) = channel.stock_gap() {
            tracing::warn!(
                event = "stock.off",
                merchant = merchant.id,
                channel = channel.id,
                error = why,
                "inventory sync is on and cannot be done for a channel: nothing is written there"
            );
        }
    }
    let channels = config
        .channels()
        .map(|(merchant, channel)| ChannelWiring {
            merchant: merchant.id.clone(),
            channel: channel.id.clone(),
            configured: channel.configured.clone(),
            orders: (&channel.schedules.orders).into(),
            deliver: (&channel.schedules.deliver).into(),
            sweep: (&channel.schedules.sweep).into(),
            products: stocked(merchant, channel).then(|| (&channel.schedules.products).into()),
            inventory: stocked(merchant, channel).then(|| (&channel.schedules.inventory).into()),
            overlap: config.pull.overlap,
            sweep_days: SWEEP_DAYS,
            first_contact: first_contact(&merchant.id, &channel.id),
        })
        .collect();
    Ok(Rewiring { channels, policies: config.policies(first_contact) })
}

/// Whether stock is kept for a channel: asked for, and possible. Where it is not possible the log and `check` say why.
fn stocked(merchant: &Merchant, channel: &Channel) -> bool {
    merchant.inventory.sync && channel.stock_gap().is_none()
}
