//! What happens to the model's orders, as recorded from real shops.

use std::collections::{BTreeMap, BTreeSet};

use sdk::Timestamp;

use super::catalogue::Catalogue;
use super::records::{FakeFo, FakeFoLine, FakeFulfillment, FakeLine, FakeOrder, NewOrder};

/// What the shop holds.
#[derive(Debug, Default)]
pub(super) struct Shop {
    pub(super) orders: BTreeMap<u64, FakeOrder>,
    /// What it sells, and what is available of it.
    pub(super) catalogue: Catalogue,
    /// Locations that fulfillment services manage.
    pub(super) services: BTreeSet<u64>,
    /// Leaves the request status as it was while a cancellation is asked for, as recorded.
    pub(super) asks_silently: bool,
    /// Leaves the order's stamp alone when only a fulfillment order changes.
    pub(super) keeps_stamps: bool,
    /// What changed after this is not in lists yet.
    pub(super) indexed_until: Option<Timestamp>,
    ids: u64,
}

/// Lines of one fulfillment order that a mutation names: id and units; `None`: all that remains.
pub(super) struct Asked {
    pub(super) fo: u64,
    pub(super) lines: Option<Vec<(u64, i64)>>,
}

/// Tracking as a mutation gives it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) company: Option<String>,
    pub(super) numbers: Vec<String>,
    pub(super) urls: Vec<String>,
    pub(super) notify: bool,
}

/// A refusal: the field's path and the text.
pub(super) type Refusal = (Vec<String>, String);

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err((vec!["fulfillment".to_owned()], text.to_owned()))
}

impl Shop {
    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn place(&mut self, new: NewOrder, now: Timestamp) -> u64 {
        let id = 5_000_000_000 + self.id();
        let mut lines = Vec::new();
        let mut fos: Vec<FakeFo> = Vec::new();
        for line in new.lines {
            self.catalogue.commit(line.sku.as_deref(), line.location, line.quantity);
            let line_id = 14_000_000_000 + self.id();
            let at = fos.iter().position(|fo| fo.location == line.location && fo.method == line.method);
            let at = at.unwrap_or_else(|| {
                let mut fo = FakeFo::open(6_000_000_000 + self.id(), line.location, &line.method, now);
                if new.scheduled.is_some() {
                    "SCHEDULED".clone_into(&mut fo.status);
                    fo.fulfill_at = new.scheduled;
                }
                fos.push(fo);
                fos.len() - 1
            });
            let id = 16_000_000_000 + self.id();
            fos[at].lines.push(FakeFoLine {
                id,
                line: line_id,
                total: line.quantity,
                remaining: line.quantity,
            });
            lines.push(FakeLine::of(line_id, line));
        }
        let name = format!("#{}", 1001 + self.orders.len());
        let order = FakeOrder {
            id,
            name,
            created: now,
            updated: now,
            cancelled: None,
            note: new.note,
            lines,
            fulfillment_orders: fos,
            fulfillments: Vec::new(),
            reason: None,
            financial: new.financial,
            test: new.test,
            email: new.email,
            address: new.address,
            tags: 0,
            edited: false,
            risk: "NONE".to_owned(),
            disputes: Vec::new(),
        };
        self.orders.insert(id, order);
        id
    }

    /// Recorded: the fulfillment order becomes `CLOSED`, not `CANCELLED`, with nothing in it. What was open goes back to
    /// stock, as is the choice that the admin offers first.
    pub(super) fn cancel(&mut self, id: u64, reason: &str, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.cancelled = Some(now);
        order.reason = Some(reason.to_owned());
        for fo in &mut order.fulfillment_orders {
            let open = fo.status != "CLOSED";
            "CLOSED".clone_into(&mut fo.status);
            for line in &mut fo.lines {
                let sku =
                    order.lines.iter().find(|item| item.id == line.line).and_then(|it| it.sku.as_deref());
                if open {
                    self.catalogue.commit(sku, fo.location, -line.remaining);
                }
                (line.total, line.remaining) = (0, 0);
            }
        }
    }

    /// Recorded: `quantity` stays; `currentQuantity` and the fulfillment order's quantities change. Units that an
    /// edit adds come in a second fulfillment order.
    pub(super) fn edit(&mut self, id: u64, line: u64, quantity: i64, now: Timestamp) {
        let (fo_id, fo_line_id) = (6_000_000_000 + self.id(), 16_000_000_000 + self.id());
        let Some(order) = self.orders.get_mut(&id) else { return };
        let Some(item) = order.lines.iter_mut().find(|item| item.id == line) else { return };
        let mut change = quantity - item.current;
        item.current = quantity;
        order.edited = true;
        let at = order.fulfillment_orders.iter().find(|fo| fo.lines.iter().any(|it| it.line == line));
        let location = at.map_or(super::LOCATION, |fo| fo.location);
        self.catalogue.commit(item.sku.as_deref(), location, change);
        let open = order.fulfillment_orders.iter_mut().filter(|fo| fo.status != "CLOSED");
        for fo in open {
            for entry in fo.lines.iter_mut().filter(|entry| entry.line == line) {
                let taken = entry.remaining.min(-change).max(0);
                entry.total -= taken;
                entry.remaining -= taken;
                change += taken;
            }
            fo.close_if_done();
        }
        if change > 0 {
            let like = order.fulfillment_orders.iter().find(|fo| fo.lines.iter().any(|it| it.line == line));
            let (location, method) =
                like.map_or((super::LOCATION, "SHIPPING".to_owned()), |fo| (fo.location, fo.method.clone()));
            let mut fo = FakeFo::open(fo_id, location, &method, now);
            fo.lines = vec![FakeFoLine { id: fo_line_id, line, total: change, remaining: change }];
            order.fulfillment_orders.push(fo);
        }
    }

    /// `fulfillmentCreate`, with the refusals in their recorded words and order.
    pub(super) fn fulfil(
        &mut self,
        asked: &[Asked],
        told: &Told,
        now: Timestamp,
    ) -> Result<FakeFulfillment, Refusal> {
        let mut owners = Vec::new();
        let mut places = Vec::new();
        for group in asked {
            let found = self.orders.values().find_map(|order| {
                order.fulfillment_orders.iter().find(|fo| fo.id == group.fo).map(|fo| (order.id, fo))
            });
            let Some((owner, fo)) = found else { return refuse("Fulfillment order does not exist.") };
            if !owners.contains(&owner) {
                owners.push(owner);
            }
            if !places.contains(&fo.location) {
                places.push(fo.location);
            }
        }
        if owners.len() > 1 {
            return refuse(&format!(
                "All fulfillment orders must belong to the same order. Multiple orders with ids {owners:?} were found."
            ));
        }
        if places.len() > 1 {
            return refuse(&format!(
                "All fulfillment orders must be assigned to a single location. \
                 Multiple locations with ids {places:?} were found."
            ));
        }
        let id = 4_000_000_000 + self.id();
        let Some(order) = owners.first().and_then(|id| self.orders.get_mut(id)) else {
            return refuse("Fulfillment order does not exist.");
        };
        let mut from = Vec::new();
        for (at, group) in asked.iter().enumerate() {
            let Some(fo) = order.fulfillment_orders.iter().find(|fo| fo.id == group.fo) else { continue };
            if !matches!(fo.status.as_str(), "OPEN" | "IN_PROGRESS" | "INCOMPLETE") {
                let status = fo.status.to_lowercase();
                return refuse(&format!(
                    "Fulfillment order {} has an unfulfillable status= {status}.",
                    fo.id
                ));
            }
            let all =
                || fo.lines.iter().filter(|it| it.remaining > 0).map(|it| (it.id, it.remaining)).collect();
            for (nth, (line, quantity)) in group.lines.clone().unwrap_or_else(all).into_iter().enumerate() {
                if quantity <= 0 {
                    let (at, nth) = (at.to_string(), nth.to_string());
                    let path = [
                        "fulfillment",
                        "lineItemsByFulfillmentOrder",
                        &at,
                        "fulfillmentOrderLineItems",
                        &nth,
                    ];
                    let path =
                        path.iter().map(|part| (*part).to_owned()).chain(["quantity".to_owned()]).collect();
                    return Err((path, "Quantity must be greater than 0".to_owned()));
                }
                let Some(entry) = fo.lines.iter().find(|entry| entry.id == line) else {
                    return refuse("Fulfillment order line item does not exist.");
                };
                let taken: i64 =
                    from.iter().filter(|(_, it, _)| *it == line).map(|(_, _, taken)| taken).sum();
                if quantity + taken > entry.remaining {
                    return refuse("Invalid fulfillment order line item quantity requested.");
                }
                from.push((fo.id, line, quantity));
            }
        }
        let mut lines: Vec<(u64, i64)> = Vec::new();
        for (fo, line, quantity) in &from {
            let Some(fo) = order.fo_mut(*fo) else { continue };
            for entry in fo.lines.iter_mut().filter(|entry| entry.id == *line) {
                entry.remaining -= quantity;
                match lines.iter_mut().find(|(id, _)| *id == entry.line) {
                    Some((_, sum)) => *sum += quantity,
                    None => lines.push((entry.line, *quantity)),
                }
            }
            let done = fo.lines.iter().all(|entry| entry.remaining == 0);
            if done { "CLOSED" } else { "IN_PROGRESS" }.clone_into(&mut fo.status);
        }
        let fulfillment = FakeFulfillment {
            id,
            status: "SUCCESS".to_owned(),
            location: places.first().copied().unwrap_or(super::LOCATION),
            lines,
            company: told.company.clone(),
            numbers: told.numbers.clone(),
            urls: told.urls.clone(),
            mails: u32::from(told.notify),
            created: now,
            from,
        };
        order.updated = now;
        order.fulfillments.push(fulfillment.clone());
        Ok(fulfillment)
    }

    /// The order that a fulfillment is of.
    pub(super) fn owner_of(&self, fulfillment: u64) -> Option<u64> {
        let has = |order: &&FakeOrder| order.fulfillments.iter().any(|made| made.id == fulfillment);
        self.orders.values().find(has).map(|order| order.id)
    }

    /// `fulfillmentCancel`. Recorded: a closed fulfillment order stays `CLOSED` while its remaining quantity rises,
    /// and a new `OPEN` one appears; a second cancel answers like the first.
    pub(super) fn take_back(&mut self, id: u64, now: Timestamp) -> bool {
        let fresh: Vec<u64> = (0..64).map(|_| self.id()).collect();
        let mut fresh = fresh.into_iter();
        let Some(order) = self.owner_of(id).and_then(|owner| self.orders.get_mut(&owner)) else {
            return false;
        };
        let Some(made) = order.fulfillments.iter_mut().find(|made| made.id == id) else { return false };
        if made.status == "CANCELLED" {
            return true;
        }
        "CANCELLED".clone_into(&mut made.status);
        order.updated = now;
        let mut reopened: Vec<FakeFo> = Vec::new();
        for (fo, line, quantity) in made.from.clone() {
            let Some(fo) = order.fulfillment_orders.iter_mut().find(|it| it.id == fo) else { continue };
            let closed = fo.status == "CLOSED";
            let Some(entry) = fo.lines.iter_mut().find(|entry| entry.id == line) else { continue };
            entry.remaining += quantity;
            let item = entry.line;
            if closed && order.cancelled.is_none() {
                let at = reopened.iter().position(|it| it.location == fo.location && it.method == fo.method);
                let at = at.unwrap_or_else(|| {
                    let id = 6_000_000_000 + fresh.next().unwrap_or(u64::MAX / 2);
                    reopened.push(FakeFo::open(id, fo.location, &fo.method, now));
                    reopened.len() - 1
                });
                let id = 16_000_000_000 + fresh.next().unwrap_or(u64::MAX / 4);
                reopened[at].lines.push(FakeFoLine { id, line: item, total: quantity, remaining: quantity });
            }
        }
        order.fulfillment_orders.extend(reopened);
        true
    }

    /// `fulfillmentOrderSplit`: the named units move to a fulfillment order of their own.
    pub(super) fn split(&mut self, fo: u64, lines: &[(u64, i64)], now: Timestamp) -> Result<u64, Refusal> {
        let none = |text: &str| Err((Vec::new(), text.to_owned()));
        let (new, first) = (6_000_000_000 + self.id(), self.ids + 1);
        self.ids += lines.len() as u64;
        let owner =
            self.orders.values_mut().find(|order| order.fulfillment_orders.iter().any(|it| it.id == fo));
        let Some(owner) = owner else { return none("Fulfillment order does not exist.") };
        let Some(old) = owner.fo_mut(fo) else { return none("Fulfillment order does not exist.") };
        let mut moved = Vec::new();
        for (at, (line, quantity)) in lines.iter().enumerate() {
            let Some(entry) = old.lines.iter_mut().find(|entry| entry.id == *line) else {
                return none("Fulfillment order line item does not exist.");
            };
            if *quantity > entry.remaining {
                return none("Invalid fulfillment order line item quantity requested.");
            }
            entry.total -= quantity;
            entry.remaining -= quantity;
            let id = 16_000_000_000 + first + at as u64;
            moved.push(FakeFoLine { id, line: entry.line, total: *quantity, remaining: *quantity });
        }
        let split = FakeFo { id: new, lines: moved, created: now, updated: now, ..old.clone() };
        owner.fulfillment_orders.push(split);
        Ok(new)
    }
}
