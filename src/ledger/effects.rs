//! What commands move of the supplier's stock: in the commit that records them.

use super::Ledger;
use crate::{
    plan::{
        command::Book,
        stock::effects::{self, Floor},
    },
    policy::Policies,
    stock::Movement,
    store::StoreError,
};

/// What a command's commit carries beside its records.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) movements: Vec<Movement>,
    /// Units come back to the shelf and to an order at once: nobody may look in between.
    pub(super) gated: bool,
}

impl Ledger {
    /// What lies between the two books for the supplier's stock. New parcels are told what they took.
    pub(super) async fn effects(
        &self,
        before: &Book,
        after: &mut Book,
        policies: &Policies,
    ) -> Result<Effects, StoreError> {
        let pairs = |after: &Book| -> Vec<crate::record::RecordId> {
            let changed = after.iter().filter(|(id, record)| {
                before.get(*id).is_some_and(|old| {
                    old.shipments.len() != record.shipments.len() || effects::voids(old, record)
                })
            });
            changed.map(|(id, _)| id.clone()).collect()
        };
        let moved = pairs(after);
        if moved.is_empty() {
            return Ok(Effects::default());
        }
        let skus = moved.iter().flat_map(|id| effects::skus(&before[id], &after[id])).collect();
        let mut floor = Floor::from(&self.stockroom.floor(skus, &policies.warehouses).await?);
        let now = self.clock.now();
        let mut effects = Effects::default();
        for id in moved {
            let Some(record) = after.get_mut(&id) else { continue };
            effects.gated |= effects::voids(&before[&id], record);
            effects.movements.extend(effects::effects(&before[&id], record, &mut floor, now));
        }
        Ok(effects)
    }
}
