//! Whether a record agrees with itself: what a look through the store asks of each one.

use std::collections::BTreeSet;

use super::{Record, RecordId};
use crate::outbox::{WriteKind, WriteState};

impl Record {
    /// What is wrong with it, in words. Expected: nothing.
    pub fn audit(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.id != RecordId::new(&self.merchant, &self.channel, &self.seen.id) {
            wrong.push("its id is not that of the channel's order in it".to_owned());
        }
        if let Err(why) = self.check() {
            wrong.push(format!("its quantities do not add up: {why}"));
        }
        self.numbers(&mut wrong);
        self.parcels(&mut wrong);
        self.owed(&mut wrong);
        wrong
    }

    /// Numbers are given once, and counted.
    fn numbers(&self, wrong: &mut Vec<String>) {
        let (mut orders, mut lines) = (BTreeSet::new(), BTreeSet::new());
        for order in &self.orders {
            if !orders.insert(order.n) || order.n > self.last_order {
                wrong.push(format!("the number of {} was given twice, or never", self.id.order(order.n)));
            }
            for line in &order.lines {
                if !lines.insert(line.id) || line.id > self.last_line {
                    wrong.push(format!("the number of line {} was given twice, or never", line.label()));
                }
            }
        }
    }

    /// What parcels hold is what their lines count as shipped.
    fn parcels(&self, wrong: &mut Vec<String>) {
        let mut parcels = BTreeSet::new();
        for shipment in &self.shipments {
            let last = self.order(shipment.order).map(|order| order.last_parcel);
            // An order whose lines all left it again is gone; its voided parcels stay.
            let given = last.map_or(shipment.voided_at.is_some(), |last| shipment.n <= last);
            if !parcels.insert((shipment.order, shipment.n)) || !given {
                let name = self.id.order(shipment.order);
                wrong.push(format!("the number of {name} {} was given twice, or never", shipment.label()));
            }
        }
        for line in self.orders.iter().flat_map(|order| &order.lines) {
            let live = self.shipments.iter().filter(|shipment| shipment.voided_at.is_none());
            let told = live.flat_map(|shipment| &shipment.lines).filter(|told| told.line == line.id);
            let sum: u64 = told.map(|told| u64::from(told.quantity)).sum();
            if sum != u64::from(line.shipped) {
                wrong.push(format!(
                    "line {} counts {} shipped, its parcels hold {sum}",
                    line.label(),
                    line.shipped
                ));
            }
        }
    }

    /// The outbox against the parcels: what is wanted has its write, each write has what it is about, and no key is
    /// there twice.
    fn owed(&self, wrong: &mut Vec<String>) {
        let mut keys = BTreeSet::new();
        for write in &self.writes {
            if !keys.insert(&write.key) {
                wrong.push(format!("the write {} is there twice", write.key));
            }
            if !write.key.starts_with(&format!("{}/", self.id)) {
                wrong.push(format!("the write {} is another order's", write.key));
            }
            let of_parcel = matches!(write.kind, WriteKind::Create | WriteKind::Track | WriteKind::Void);
            let parcel = || {
                self.shipments
                    .iter()
                    .any(|shipment| shipment.order == write.order && shipment.n == write.parcel)
            };
            if of_parcel && !parcel() {
                wrong.push(format!("the write {} is about a parcel that is not there", write.key));
            }
            if write.kind == WriteKind::Create
                && matches!(write.state, WriteState::Done { .. })
                && write.made.is_empty()
                && !write.orphaned
            {
                wrong.push(format!("the write {} is done, and made nothing on the channel", write.key));
            }
        }
        let mut made = BTreeSet::new();
        for id in self.writes.iter().flat_map(|write| &write.made).map(|made| &made.id) {
            if !made.insert(id) {
                wrong.push(format!("two writes claim the channel's fulfillment {id}"));
            }
        }
        for shipment in &self.shipments {
            let told = self
                .writes
                .iter()
                .any(|write| write.kind == WriteKind::Create && write.is_of(shipment.order, shipment.n));
            if shipment.voided_at.is_none() && !shipment.to_tell().is_empty() && !told {
                let name = self.id.order(shipment.order);
                wrong.push(format!("no write tells the channel of {name} {}", shipment.label()));
            }
        }
    }
}
