//! The last line before a request: what may not be written is taken out here, whatever was planned.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{RemoteId, StockWrite, Variant, Writable};

use super::{Offer, Planned, diff::least};
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

/// What is left of a batch at the last line, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sieved {
    /// May leave.
    pub permitted: Permitted,
    /// May not be written at all, with the reason.
    pub denied: Vec<(Planned, String)>,
    /// Another figure is due by now: to be worked out anew.
    pub outdated: Vec<Planned>,
}

/// Asks of each write once more whether it may leave, by the rules in force and the catalogue as it is stored *now*.
/// `offers` are what the batch's items may show now; without them a figure is written as a person asked for it.
pub fn permit(
    planned: Vec<Planned>,
    policy: &Policy,
    listed: &BTreeMap<RemoteId, Variant>,
    offers: Option<&[Offer]>,
    key: String,
) -> Sieved {
    let due = offers.map(least);
    let (mut denied, mut outdated) = (Vec::new(), Vec::new());
    let mut items = BTreeSet::new();
    let mut allowed: Vec<Planned> = Vec::with_capacity(planned.len());
    for write in planned {
        let is_due = |due: &BTreeMap<&RemoteId, &Offer>| {
            due.get(&write.change.item).is_some_and(|offer| offer.units == write.change.to)
        };
        if let Some(why) = forbids(&write, policy, listed) {
            denied.push((write, why));
        } else if due.as_ref().is_some_and(|due| !is_due(due)) {
            outdated.push(write);
        } else if !items.insert(write.change.item.clone()) {
            denied.push((write, "its item is in the batch already".to_owned()));
        } else {
            allowed.push(write);
        }
    }
    let changes = allowed.iter().map(|write| write.change.clone()).collect();
    let permitted = Permitted { write: StockWrite { key, changes }, planned: allowed };
    Sieved { permitted, denied, outdated }
}

/// Why nothing at all is written to the channel's stock by these rules, if so.
pub fn off(policy: &Policy) -> Option<&'static str> {
    if policy.is_suspended() || !policy.stock.sync {
        return Some("inventory sync is off for this merchant");
    }
    policy.shadow.then_some("the merchant is in shadow mode")
}

/// Why a write may not leave, if so.
fn forbids(write: &Planned, policy: &Policy, listed: &BTreeMap<RemoteId, Variant>) -> Option<String> {
    if let Some(why) = off(policy) {
        return Some(why.to_owned());
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
