//! The last line before a request: what may not be written is taken out here, whatever was planned.

use std::collections::BTreeMap;

use sdk::{RemoteId, StockWrite, Variant, Writable};

use super::Planned;
use crate::{policy::Policy, record::Owner};

/// A batch that may leave. It can only be made by [`permit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    write: StockWrite,
    planned: Vec<Planned>,
}

impl Permitted {
    /// The request.
    pub fn write(&self) -> &StockWrite {
        &self.write
    }

    /// The writes in it, in their order, with their reasons.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }
}

/// Asks of each write once more whether it may leave, by the rules in force and the catalogue as it is stored *now*.
/// Answers the batch, and what was taken out of it with the reason.
pub fn permit(
    planned: Vec<Planned>,
    policy: &Policy,
    listed: &BTreeMap<RemoteId, Variant>,
    key: String,
) -> (Permitted, Vec<(Planned, String)>) {
    let mut denied = Vec::new();
    let mut allowed: Vec<Planned> = Vec::with_capacity(planned.len());
    for write in planned {
        match forbids(&write, policy, listed) {
            Some(why) => denied.push((write, why)),
            None if allowed.iter().any(|other| other.change.item == write.change.item) => {
                denied.push((write, "its item is in the batch already".to_owned()));
            }
            None => allowed.push(write),
        }
    }
    let changes = allowed.iter().map(|write| write.change.clone()).collect();
    (Permitted { write: StockWrite { key, changes }, planned: allowed }, denied)
}

/// Why a write may not leave, if so.
fn forbids(write: &Planned, policy: &Policy, listed: &BTreeMap<RemoteId, Variant>) -> Option<String> {
    if policy.is_suspended() || !policy.stock.sync {
        return Some("inventory sync is off for this merchant".to_owned());
    }
    if policy.shadow {
        return Some("the merchant is in shadow mode".to_owned());
    }
    let change = &write.change;
    let Some(variant) = listed.get(&change.variant) else {
        return Some("the channel's catalogue has no such variant".to_owned());
    };
    if variant.item != change.item || variant.sku != change.sku {
        return Some("the channel's catalogue shows the variant otherwise".to_owned());
    }
    if let Writable::No(why) = &variant.writable {
        return Some(why.clone());
    }
    match policy.catalogue.product(variant.sku.as_deref()) {
        Owner::Supplier { .. } => None,
        Owner::Merchant(_) => Some("it is the merchant's own".to_owned()),
    }
}
