//! What merchants, their staff and their customers do with orders.

use sdk::{RemoteId, Timestamp};
use serde_json::Value;

use super::{
    FakeAddress, FakeOrder, FakeShipment, FakeStore, NewLine, NewOrder,
    model::{Store, Told},
};

impl FakeStore {
    fn change<T>(&self, order: &RemoteId, change: impl FnOnce(&mut FakeOrder) -> T) -> Option<T> {
        let now = self.now();
        let mut state = self.state();
        let order = state.store.orders.get_mut(&order.as_str().parse().ok()?)?;
        order.updated = now;
        Some(change(order))
    }

    fn with_store<T>(
        &self,
        order: &RemoteId,
        act: impl FnOnce(&mut Store, u64, Timestamp) -> T,
    ) -> Option<T> {
        let now = self.now();
        Some(act(&mut self.state().store, order.as_str().parse().ok()?, now))
    }

    /// Places an order.
    pub fn place(&self, order: NewOrder) -> RemoteId {
        let now = self.now();
        RemoteId(self.state().store.place(order, now).to_string())
    }

    /// Changes the customer's message.
    pub fn set_note(&self, order: &RemoteId, note: &str) {
        self.change(order, |order| note.clone_into(&mut order.note));
    }

    /// Changes the first address; its id stays.
    pub fn set_address(&self, order: &RemoteId, address: FakeAddress) {
        self.change(order, |order| {
            if let Some((_, first)) = order.addresses.first_mut() {
                *first = address;
            }
        });
    }

    /// Sets the status, known or not.
    pub fn set_status(&self, order: &RemoteId, status: i64) {
        self.change(order, |order| order.status = status);
    }

    /// Changes the staff's notes: a change that nothing reads.
    pub fn touch(&self, order: &RemoteId) {
        self.change(order, |order| order.staff_notes += 1);
    }

    /// Cancels the whole order.
    pub fn cancel_order(&self, order: &RemoteId) {
        self.set_status(order, 5);
    }

    /// Requires manual verification.
    pub fn hold(&self, order: &RemoteId) {
        self.wait_in(order, 12);
    }

    /// A dispute of the payment begins.
    pub fn dispute(&self, order: &RemoteId) {
        self.wait_in(order, 13);
    }

    fn wait_in(&self, order: &RemoteId, status: i64) {
        self.change(order, |order| {
            order.before.get_or_insert(order.status);
            order.status = status;
        });
    }

    /// Ends a hold or a dispute: the order is where it was before.
    pub fn release(&self, order: &RemoteId) {
        self.change(order, |order| {
            if let Some(before) = order.before.take() {
                order.status = before;
            }
        });
    }

    /// Edits a line to this many units; 0 removes it.
    pub fn edit_quantity(&self, order: &RemoteId, line: u64, quantity: u32) {
        self.with_store(order, |store, order, now| store.edit(order, line, quantity, now));
    }

    /// Removes a line.
    pub fn remove_line(&self, order: &RemoteId, line: u64) {
        self.edit_quantity(order, line, 0);
    }

    /// Adds a line; its id.
    pub fn add_line(&self, order: &RemoteId, line: NewLine) -> Option<u64> {
        self.with_store(order, |store, order, now| store.add_line(order, line, now)).flatten()
    }

    /// Refunds units of a line, shipped or not.
    pub fn refund(&self, order: &RemoteId, line: u64, units: u32) {
        self.with_store(order, |store, order, now| store.refund(order, line, units, now));
    }

    /// The merchant ships units of one line; the shipment's id, if it was taken.
    pub fn ship_elsewhere(&self, order: &RemoteId, line: u64, units: u32, number: &str) -> Option<u64> {
        let address = self.order(order)?.lines.iter().find(|known| known.id == line)?.address;
        let told = Told { number: Some(number.to_owned()), ..Told::default() };
        let made = self
            .with_store(order, |store, order, now| store.ship(order, address, &[(line, units)], told, now))?;
        Some(made.ok()??.id)
    }

    /// The merchant deletes a shipment.
    pub fn delete_shipment(&self, order: &RemoteId, shipment: u64) {
        self.with_store(order, |store, order, now| store.delete_shipment(order, shipment, now));
    }

    /// The merchant sets the status to Shipped without a shipment, and the lines count as shipped.
    pub fn mark_shipped(&self, order: &RemoteId) {
        self.change(order, |order| {
            order.status = 2;
            for line in &mut order.lines {
                line.shipped = line.quantity;
            }
        });
    }

    /// Archives the order, which the API calls deleting.
    pub fn archive(&self, order: &RemoteId) {
        self.change(order, |order| order.archived = true);
    }

    /// Takes it out of the archive.
    pub fn unarchive(&self, order: &RemoteId) {
        self.change(order, |order| order.archived = false);
    }

    /// The order is gone for good: a 404 from now on.
    pub fn delete(&self, order: &RemoteId) {
        self.with_store(order, |store, order, _| store.orders.remove(&order));
    }

    /// Shows another value in place of the true one: in `order`, `products`, `shipping_addresses` or `shipments`, at a
    /// JSON pointer. `"(missing)"` leaves the field out.
    pub fn spoil(&self, order: &RemoteId, resource: &str, pointer: &str, value: Value) {
        let mut state = self.state();
        let order = order.as_str().parse().ok().and_then(|id: u64| state.store.orders.get_mut(&id));
        if let Some(order) = order {
            order.spoiled.push((resource.to_owned(), pointer.to_owned(), value));
        }
    }

    /// All orders, as they stand.
    pub fn orders(&self) -> Vec<FakeOrder> {
        self.state().store.orders.values().cloned().collect()
    }

    /// One order, as it stands.
    pub fn order(&self, order: &RemoteId) -> Option<FakeOrder> {
        self.state().store.orders.get(&order.as_str().parse().ok()?).cloned()
    }

    /// An order's shipments.
    pub fn shipments(&self, order: &RemoteId) -> Vec<FakeShipment> {
        self.order(order).map(|order| order.shipments).unwrap_or_default()
    }
}
