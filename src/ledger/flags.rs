//! Flags of products, set at run time: kept in the store, and part of the rules beside the merchant's file.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use super::Ledger;
use crate::{
    plan::routing::Flag,
    policy::{Policies, Policy},
    stock::ProductFlag,
    store::{Changes, StockChanges, StoreError},
};

/// (merchant, channel) → SKU → flag.
pub(super) type Flags = BTreeMap<(String, String), BTreeMap<String, ProductFlag>>;

impl Ledger {
    /// Reads the flags: at the start, and after a merchant was renamed. In force with the next rules.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_flags(&self) -> Result<(), StoreError> {
        let mut flags = Flags::new();
        for flag in self.store.flags().await? {
            let channel = (flag.merchant.clone(), flag.channel.clone());
            flags.entry(channel).or_default().insert(flag.sku.clone(), flag);
        }
        *self.flags() = flags;
        Ok(())
    }

    /// Puts new rules of the files in force, with the flags.
    pub fn set_policies(&self, policies: Policies) {
        let flags = self.flags();
        let channels = policies.channels.into_iter().map(|(key, policy)| {
            let flagged = flags.get(&key).map_or(policy.clone(), |flags| with_flags(&policy, flags));
            (key, flagged)
        });
        self.policies.store(Arc::new(Policies { channels: channels.collect(), ..policies }));
        self.ruled.send_replace(true);
    }

    /// A channel's flags, by SKU.
    pub fn flags_of(&self, merchant: &str, channel: &str) -> Vec<ProductFlag> {
        let key = (merchant.to_owned(), channel.to_owned());
        self.flags().get(&key).map(|flags| flags.values().cloned().collect()).unwrap_or_default()
    }

    /// Sets flags, durably and all at once; from then on they are in force for orders that are not yet decided.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_flags(
        &self,
        set: Vec<ProductFlag>,
        unset: Vec<(String, String, String)>,
    ) -> Result<(), StoreError> {
        // One after another: what is in force is what was stored last.
        let _turn = self.flag_turn.lock().await;
        let stock = StockChanges { flags: set.clone(), unflagged: unset.clone(), ..StockChanges::default() };
        self.store.commit(Changes { stock, ..Changes::default() }).await?;
        let mut flags = self.flags();
        let mut touched = std::collections::BTreeSet::new();
        for (merchant, channel, sku) in unset {
            if let Some(known) = flags.get_mut(&(merchant.clone(), channel.clone())) {
                known.remove(&sku);
            }
            touched.insert((merchant, channel));
        }
        for flag in set {
            let channel = (flag.merchant.clone(), flag.channel.clone());
            flags.entry(channel.clone()).or_default().insert(flag.sku.clone(), flag);
            touched.insert(channel);
        }
        let mut policies = (**self.policies.load()).clone();
        for key in touched {
            if let Some(policy) = policies.channels.get_mut(&key) {
                *policy = with_flags(policy, flags.get(&key).unwrap_or(&BTreeMap::new()));
            }
        }
        self.policies.store(Arc::new(policies));
        Ok(())
    }

    fn flags(&self) -> MutexGuard<'_, Flags> {
        // Every change is complete before its guard is dropped.
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_flags(policy: &Policy, flags: &BTreeMap<String, ProductFlag>) -> Arc<Policy> {
    let flags = flags.iter().map(|(sku, flag)| (sku.clone(), Flag::from(&flag.flag))).collect();
    Arc::new(Policy { catalogue: policy.catalogue.with_flags(flags), ..policy.clone() })
}
