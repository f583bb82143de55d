//! What a merchant does in the shop's admin, as tests drive it. A refusal is the shop's text.

use sdk::{LineQuantity, RemoteId};

use super::{
    FakeShop, NewLine,
    model::{Asked, Refusal, Told},
    records::{FakeFo, FakeFoLine, FakeLine},
};

/// What becomes of refunded units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restock {
    /// Not fulfilled, and no longer to be: `CANCEL`.
    Cancel,
    /// Fulfilled, and sent back: `RETURN`.
    Return,
    /// Money alone: `NO_RESTOCK`. What is left to fulfil stays
    /// (<https://shopify.dev/docs/api/admin-rest/latest/resources/refund>).
    Nothing,
}

fn said<T>(result: Result<T, Refusal>) -> Result<T, String> {
    result.map_err(|(_, text)| text)
}

fn units(lines: &[LineQuantity]) -> Vec<(u64, i64)> {
    let number = |id: &RemoteId| id.as_str().parse().unwrap_or(0);
    lines.iter().map(|line| (number(&line.line), i64::from(line.quantity))).collect()
}

/// Fulfillment orders are named by their numbers, as [`FakeShop::order`] shows them; lines by their line items.
impl FakeShop {
    /// Makes a location one that a fulfillment service manages.
    pub fn manage_by_service(&self, location: u64) {
        self.state().shop.services.insert(location);
    }

    /// Leaves the request status as it was while a cancellation is asked for (as one recording shows it), in place of
    /// `CANCELLATION_REQUESTED` (as the reference has it).
    pub fn ask_silently(&self) {
        self.state().shop.asks_silently = true;
    }

    /// Leaves an order's stamp alone from now on when only its fulfillment orders change.
    pub fn keep_stamps(&self) {
        self.state().shop.keeps_stamps = true;
    }

    /// Asks the service to fulfil: all, or these units.
    pub fn submit_fulfillment_request(
        &self,
        fo: u64,
        lines: Option<&[LineQuantity]>,
        message: Option<&str>,
    ) -> Result<(), String> {
        let now = self.now();
        let lines = lines.map(units);
        said(self.state().shop.submit(fo, lines.as_deref(), message, now))
    }

    /// The service agrees to fulfil.
    pub fn accept_fulfillment_request(&self, fo: u64) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.answer_request(fo, true, now))
    }

    /// The service refuses to fulfil.
    pub fn reject_fulfillment_request(&self, fo: u64) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.answer_request(fo, false, now))
    }

    /// The service gives back what it had agreed to fulfil.
    pub fn close_fulfillment_order(&self, fo: u64) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.give_back(fo, now))
    }

    /// Asks the service to cancel: the request's number.
    pub fn submit_cancellation_request(&self, fo: u64, message: Option<&str>) -> Result<u64, String> {
        let now = self.now();
        said(self.state().shop.ask_to_cancel(fo, message, now))
    }

    /// The service answers by other hands than the connector's.
    pub fn answer_cancellation_request(&self, fo: u64, accept: bool) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.answer_cancellation(fo, accept, now))
    }

    /// Closes a fulfillment order; its units come back in another, whose number it says.
    pub fn cancel_fulfillment_order(&self, fo: u64) -> Result<Option<u64>, String> {
        let now = self.now();
        said(self.state().shop.cancel_fo(fo, now))
    }

    /// Moves units into a fulfillment order of their own: its number.
    pub fn split_fulfillment_order(&self, fo: u64, lines: &[LineQuantity]) -> Result<u64, String> {
        let now = self.now();
        let mut state = self.state();
        let lines = said(state.shop.on_fo(fo, now, |fo| {
            let entry = |line| fo.lines.iter().find(|entry| entry.line == line).map_or(0, |entry| entry.id);
            Ok(units(lines).into_iter().map(|(line, units)| (entry(line), units)).collect::<Vec<_>>())
        }))?;
        said(state.shop.split(fo, &lines, now))
    }

    /// Moves a fulfillment order, or these units of it, to another location: the number of the one that is there then.
    /// Recorded: whole, it keeps its number; a part makes a new one; one that was submitted stays where it is.
    pub fn move_fulfillment_order(
        &self,
        fo: u64,
        location: u64,
        lines: Option<&[LineQuantity]>,
    ) -> Result<u64, String> {
        let now = self.now();
        let stays = said(self.state().shop.on_fo(fo, now, |fo| {
            let submitted = ["SUBMITTED", "ACCEPTED", "CANCELLATION_REQUESTED", "CANCELLATION_REJECTED"];
            if submitted.contains(&fo.request_status.as_str()) {
                let text = "Cannot move submitted fulfillment order that is at a 3PL fulfillment service.";
                return Err((Vec::new(), text.to_owned()));
            }
            if matches!(fo.status.as_str(), "CLOSED" | "CANCELLED") {
                return Err((Vec::new(), "Cannot change location.".to_owned()));
            }
            Ok(lines.is_some() || fo.lines.iter().any(|line| line.remaining < line.total))
        }))?;
        let moved = if stays {
            let all: Vec<LineQuantity> = match lines {
                Some(lines) => lines.to_vec(),
                None => self.left_in(fo),
            };
            self.split_fulfillment_order(fo, &all)?
        } else {
            fo
        };
        said(self.state().shop.on_fo(moved, now, |fo| {
            fo.location = location;
            Ok(())
        }))?;
        Ok(moved)
    }

    fn left_in(&self, fo: u64) -> Vec<LineQuantity> {
        let state = self.state();
        let found =
            state.shop.orders.values().flat_map(|order| &order.fulfillment_orders).find(|it| it.id == fo);
        let lines = found.into_iter().flat_map(|fo| &fo.lines).filter(|line| line.remaining > 0);
        lines
            .map(|line| LineQuantity {
                line: RemoteId(line.line.to_string()),
                quantity: u32::try_from(line.remaining).unwrap_or(0),
            })
            .collect()
    }

    /// Holds one fulfillment order, with the reason that the shop displays.
    pub fn hold_fulfillment_order(&self, fo: u64, reason: &str) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.on_fo(fo, now, |fo| {
            "ON_HOLD".clone_into(&mut fo.status);
            fo.holds.push((reason.to_owned(), None));
            Ok(())
        }))
    }

    /// Lifts the holds of one fulfillment order.
    pub fn release_fulfillment_order(&self, fo: u64) -> Result<(), String> {
        let now = self.now();
        said(self.state().shop.on_fo(fo, now, |fo| {
            "OPEN".clone_into(&mut fo.status);
            fo.holds.clear();
            Ok(())
        }))
    }

    /// Gives money back for units of a line.
    pub fn refund(&self, order: &RemoteId, line: u64, quantity: u32, restock: Restock) {
        if restock != Restock::Nothing
            && let Some(found) = self.order(order)
        {
            let item = found.lines.iter().find(|item| item.id == line);
            let fo = found.fulfillment_orders.iter().find(|fo| fo.lines.iter().any(|it| it.line == line));
            let sku = item.and_then(|item| item.sku.as_deref());
            let location = fo.map_or(super::LOCATION, |fo| fo.location);
            self.state().shop.catalogue.commit(sku, location, -i64::from(quantity));
        }
        self.change(order, |order| {
            let mut left = i64::from(quantity);
            for item in order.lines.iter_mut().filter(|item| item.id == line) {
                item.current -= left;
                item.refunded += left;
            }
            if restock != Restock::Cancel {
                return;
            }
            for fo in order.fulfillment_orders.iter_mut().filter(|fo| fo.status != "CLOSED") {
                for entry in fo.lines.iter_mut().filter(|entry| entry.line == line) {
                    let taken = entry.remaining.min(left);
                    entry.total -= taken;
                    entry.remaining -= taken;
                    left -= taken;
                }
                fo.close_if_done();
            }
        });
    }

    /// Adds a line by an order edit: its line item's number. It comes in a fulfillment order of its own.
    pub fn add_line(&self, order: &RemoteId, line: NewLine) -> u64 {
        let now = self.now();
        let (id, fo, entry) = {
            let shop = &mut self.state().shop;
            shop.catalogue.commit(line.sku.as_deref(), line.location, line.quantity);
            (14_000_000_000 + shop.id(), 6_000_000_000 + shop.id(), 16_000_000_000 + shop.id())
        };
        self.change(order, |order| {
            let mut fo = FakeFo::open(fo, line.location, &line.method, now);
            fo.lines =
                vec![FakeFoLine { id: entry, line: id, total: line.quantity, remaining: line.quantity }];
            order.fulfillment_orders.push(fo);
            order.lines.push(FakeLine::of(id, line));
            order.edited = true;
        });
        id
    }

    /// The merchant fulfils units without us: the fulfillment's number.
    pub fn fulfil(&self, order: &RemoteId, lines: &[LineQuantity]) -> Result<u64, String> {
        let now = self.now();
        let mut asked: Vec<Asked> = Vec::new();
        for (line, mut wanted) in units(lines) {
            let fos = self.order(order).map(|order| order.fulfillment_orders).unwrap_or_default();
            let open = |fo: &&FakeFo| matches!(fo.status.as_str(), "OPEN" | "IN_PROGRESS" | "INCOMPLETE");
            for fo in fos.iter().filter(open) {
                for entry in fo.lines.iter().filter(|entry| entry.line == line) {
                    let taken = entry.remaining.min(wanted);
                    wanted -= taken;
                    if taken == 0 {
                        continue;
                    }
                    match asked.iter_mut().find(|it| it.fo == fo.id) {
                        Some(group) => group.lines.get_or_insert_default().push((entry.id, taken)),
                        None => asked.push(Asked { fo: fo.id, lines: Some(vec![(entry.id, taken)]) }),
                    }
                }
            }
            if wanted > 0 {
                return Err("Invalid fulfillment order line item quantity requested.".to_owned());
            }
        }
        said(self.state().shop.fulfil(&asked, &Told::default(), now)).map(|made| made.id)
    }

    /// Sets what the risk analysis recommends: `NONE`, `ACCEPT`, `INVESTIGATE`, `CANCEL`.
    pub fn set_risk(&self, order: &RemoteId, recommendation: &str) {
        self.change(order, |order| recommendation.clone_into(&mut order.risk));
    }

    /// The customer disputes the payment: `CHARGEBACK` or `INQUIRY`, and how it stands.
    pub fn dispute(&self, order: &RemoteId, initiated_as: &str, status: &str) {
        self.change(order, |order| order.disputes = vec![(initiated_as.to_owned(), status.to_owned())]);
    }

    /// Sets a fulfillment order's request status, known or not.
    pub fn set_request_status(&self, fo: u64, status: &str) {
        let now = self.now();
        let _ = self.state().shop.on_fo(fo, now, |fo| {
            status.clone_into(&mut fo.request_status);
            Ok(())
        });
    }

    /// Deletes the order.
    pub fn delete_order(&self, order: &RemoteId) {
        if let Ok(id) = order.as_str().parse() {
            self.state().shop.orders.remove(&id);
        }
    }
}
