//! The model's fulfillment services: requests of the merchant and their answers, as recorded in
//! `fulfillment-order-request-lifecycle.json` and `fulfillment-order-close-state.json`.

use sdk::Timestamp;

use super::{
    model::{Refusal, Shop},
    records::{FakeFo, FakeFoLine, FakeOrder, FakeRequest},
};

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err((Vec::new(), text.to_owned()))
}

/// The shop's words for a request in a wrong state are recorded for other mutations of its kind alone.
const WRONG_STATE: &str = "Cannot change the request of a fulfillment order in this state.";

impl Shop {
    /// The order that a fulfillment order is of.
    pub(super) fn owner_of_fo(&self, fo: u64) -> Option<u64> {
        let has = |order: &&FakeOrder| order.fulfillment_orders.iter().any(|it| it.id == fo);
        self.orders.values().find(has).map(|order| order.id)
    }

    /// Changes a fulfillment order, and mostly the order's stamp with it: whether that moves is not recorded.
    pub(super) fn on_fo<T>(
        &mut self,
        fo: u64,
        now: Timestamp,
        change: impl FnOnce(&mut FakeFo) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let owner = self.owner_of_fo(fo).and_then(|owner| self.orders.get_mut(&owner));
        let Some(owner) = owner else { return refuse("Fulfillment order does not exist.") };
        if !self.keeps_stamps {
            owner.updated = now;
        }
        match owner.fo_mut(fo) {
            Some(fo) => {
                fo.updated = now;
                change(fo)
            }
            None => refuse("Fulfillment order does not exist."),
        }
    }

    /// Units of a fulfillment order put into a new one that is open and not submitted.
    pub(super) fn replace(&mut self, fo: u64, lines: &[FakeFoLine], now: Timestamp) -> Option<u64> {
        let id = 6_000_000_000 + self.id();
        let lines: Vec<FakeFoLine> = lines
            .iter()
            .filter(|line| line.remaining > 0)
            .map(|line| FakeFoLine {
                id: 16_000_000_000 + self.id(),
                line: line.line,
                total: line.remaining,
                remaining: line.remaining,
            })
            .collect();
        if lines.is_empty() {
            return None;
        }
        let owner = self.owner_of_fo(fo).and_then(|owner| self.orders.get_mut(&owner))?;
        let old = owner.fo_mut(fo)?;
        let mut new = FakeFo::open(id, old.location, &old.method, now);
        new.lines = lines;
        owner.fulfillment_orders.push(new);
        Some(id)
    }

    /// `fulfillmentOrderSubmitFulfillmentRequest`. Recorded: what is not asked for goes to a new fulfillment order.
    pub(super) fn submit(
        &mut self,
        fo: u64,
        lines: Option<&[(u64, i64)]>,
        message: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let services = self.services.clone();
        let id = 9_000_000_000 + self.id();
        let rest = self.on_fo(fo, now, |fo| {
            let fresh = matches!(fo.request_status.as_str(), "UNSUBMITTED" | "REJECTED" | "CLOSED");
            let open = matches!(fo.status.as_str(), "OPEN" | "INCOMPLETE");
            if !services.contains(&fo.location) || !fresh || !open {
                return refuse(WRONG_STATE);
            }
            let mut rest = Vec::new();
            if let Some(lines) = lines {
                for entry in &mut fo.lines {
                    let asked = lines
                        .iter()
                        .filter(|(line, _)| *line == entry.line)
                        .map(|(_, units)| units)
                        .sum::<i64>();
                    let left = entry.remaining - asked;
                    if left < 0 {
                        return refuse("Invalid fulfillment order line item quantity requested.");
                    }
                    rest.push(FakeFoLine { remaining: left, total: left, ..entry.clone() });
                    entry.total -= left;
                    entry.remaining = asked;
                }
            }
            fo.requests.push(FakeRequest {
                id,
                kind: "FULFILLMENT_REQUEST".to_owned(),
                message: message.map(str::to_owned),
                at: now,
            });
            "OPEN".clone_into(&mut fo.status);
            "SUBMITTED".clone_into(&mut fo.request_status);
            Ok(rest)
        })?;
        self.replace(fo, &rest, now);
        Ok(())
    }

    /// `fulfillmentOrderAcceptFulfillmentRequest` and `…RejectFulfillmentRequest`.
    pub(super) fn answer_request(&mut self, fo: u64, accept: bool, now: Timestamp) -> Result<(), Refusal> {
        self.on_fo(fo, now, |fo| {
            if fo.request_status != "SUBMITTED" {
                return refuse(WRONG_STATE);
            }
            let (status, request) = if accept { ("IN_PROGRESS", "ACCEPTED") } else { ("OPEN", "REJECTED") };
            status.clone_into(&mut fo.status);
            request.clone_into(&mut fo.request_status);
            Ok(())
        })
    }

    /// `fulfillmentOrderClose`: the service gives it back.
    pub(super) fn give_back(&mut self, fo: u64, now: Timestamp) -> Result<(), Refusal> {
        self.on_fo(fo, now, |fo| {
            if fo.status != "IN_PROGRESS" || fo.request_status == "UNSUBMITTED" {
                return refuse(WRONG_STATE);
            }
            "INCOMPLETE".clone_into(&mut fo.status);
            "CLOSED".clone_into(&mut fo.request_status);
            Ok(())
        })
    }

    /// `fulfillmentOrderSubmitCancellationRequest`: the request's number.
    pub(super) fn ask_to_cancel(
        &mut self,
        fo: u64,
        message: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let id = 9_000_000_000 + self.id();
        let silent = self.asks_silently;
        self.on_fo(fo, now, |fo| {
            let waits = waits(fo);
            if fo.status != "IN_PROGRESS"
                || waits
                || !matches!(fo.request_status.as_str(), "ACCEPTED" | "CANCELLATION_REJECTED")
            {
                return refuse(WRONG_STATE);
            }
            fo.requests.push(FakeRequest {
                id,
                kind: "CANCELLATION_REQUEST".to_owned(),
                message: message.map(str::to_owned),
                at: now,
            });
            // Recorded in the answer to the mutation itself: the status stays ACCEPTED. The reference has a word of its own.
            if !(silent && fo.request_status == "ACCEPTED") {
                "CANCELLATION_REQUESTED".clone_into(&mut fo.request_status);
            }
            Ok(id)
        })
    }

    /// `fulfillmentOrderAcceptCancellationRequest` and `…RejectCancellationRequest`. Recorded: an accepted one is closed
    /// with nothing in it. That its units come back in a new one is what the shop's help says, and what it does for
    /// `fulfillmentOrderCancel`.
    pub(super) fn answer_cancellation(
        &mut self,
        fo: u64,
        accept: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let lines = self.on_fo(fo, now, |fo| {
            if !waits(fo) {
                return refuse(WRONG_STATE);
            }
            if !accept {
                "CANCELLATION_REJECTED".clone_into(&mut fo.request_status);
                return Ok(Vec::new());
            }
            "CANCELLATION_ACCEPTED".clone_into(&mut fo.request_status);
            Ok(empty(fo))
        })?;
        self.replace(fo, &lines, now);
        Ok(())
    }

    /// `fulfillmentOrderCancel`, by the merchant: closed and empty, with a replacement; refused in the recorded words.
    pub(super) fn cancel_fo(&mut self, fo: u64, now: Timestamp) -> Result<Option<u64>, Refusal> {
        let lines = self.on_fo(fo, now, |fo| {
            let open = matches!(fo.status.as_str(), "OPEN" | "SCHEDULED" | "ON_HOLD");
            if !open && !waits(fo) {
                return refuse("Fulfillment order is not in cancelable request state and can't be canceled.");
            }
            Ok(empty(fo))
        })?;
        Ok(self.replace(fo, &lines, now))
    }
}

/// Closes a fulfillment order and takes what is left out of it.
fn empty(fo: &mut FakeFo) -> Vec<FakeFoLine> {
    let lines = fo.lines.clone();
    "CLOSED".clone_into(&mut fo.status);
    for line in &mut fo.lines {
        line.total -= line.remaining;
        line.remaining = 0;
    }
    lines
}

/// Whether a cancellation request waits for an answer.
fn waits(fo: &FakeFo) -> bool {
    let newest = fo.requests.last().is_some_and(|request| request.kind == "CANCELLATION_REQUEST");
    fo.request_status == "CANCELLATION_REQUESTED" || (fo.request_status == "ACCEPTED" && newest)
}
