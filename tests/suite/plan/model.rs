//! A model of a channel's order, and the rules that it is routed by.

use std::{collections::BTreeMap, time::Duration};

use portald::{
    plan::{
        self,
        command::{self, Answer, Ask, Book, Command, Refused, Setting},
        delivery::{self, Outcome, Step},
        routing::Catalogue,
    },
    policy::{Fields, Policies, Policy, StockRules},
    record::{Part, Record},
};
use sdk::{
    Address, CancellationAnswer, CancellationRequest, Capabilities, Delivery, DeliveryKind, Error, ErrorKind,
    FulfillmentRequest, Group, Line, LineKind, LineQuantity, Order, OrderState, Payment, Pushed,
    RemoteFulfillment, RemoteId, RemoteTracking, Timestamp,
};

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_timestamp(1_793_000_000 + secs, 0).expect("in range")
}

pub(crate) const CAN_ALL: Capabilities = Capabilities {
    sees_cancellations: true,
    sees_partial_cancellations: true,
    answers_cancellations: true,
    sees_holds: true,
    sees_edits: true,
    order_by_id: true,
    partial_fulfillments: true,
    tracking_updates: true,
    voids: true,
    void_notices: false,
    split_mirror: true,
    stock_writes: false,
    stock_batch: 0,
    compare_and_set_stock: false,
    finds_fulfillments: true,
    test_orders: true,
};

pub(crate) fn part(sku: &str, per_unit: u32) -> Part {
    Part { sku: sku.to_owned(), per_unit }
}

/// `A*` is ours; `KIT` is two of A1 and one of B2; `ALIAS` is C3.
pub(crate) fn policy() -> Policy {
    let map = BTreeMap::from([
        ("KIT".to_owned(), vec![part("A1", 2), part("B2", 1)]),
        ("ALIAS".to_owned(), vec![part("C3", 1)]),
    ]);
    Policy {
        merchant: "m".to_owned(),
        channel: "shop".to_owned(),
        shadow: false,
        since: at(-1_000_000),
        catalogue: Catalogue::new(&["A*".to_owned()], map, BTreeMap::new()).expect("good globs"),
        settle: Duration::from_secs(120),
        require_paid: true,
        accept_authorized: false,
        fields: Fields::default(),
        cancel_at_once: true,
        capabilities: CAN_ALL,
        mirror_splits: false,
        read_back: Duration::from_secs(60),
        retry_cap: Duration::from_secs(3600),
        warehouses: vec!["main".to_owned()],
        stock: StockRules::default(),
    }
}

/// The channel's own truth about one order.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) lines: Vec<RemoteLine>,
    pub(crate) fulfillments: Vec<RemoteFulfillment>,
    /// Cancellations that the merchant asks for and waits to have answered.
    pub(crate) requests: Vec<CancellationRequest>,
    asked: u32,
    pub(crate) payment: Payment,
    pub(crate) holds: Vec<String>,
    pub(crate) city: String,
    pub(crate) cancelled: bool,
    pub(crate) cancelled_at: Option<Timestamp>,
    /// Its stamps are whole minutes, as those of a channel that counts in seconds are when much happens at once.
    pub(crate) coarse: bool,
    /// It groups what is open, as fulfillment orders do.
    pub(crate) grouped: bool,
    /// Units that stand in a group of their own, oldest first; what is left of a line stands in the first group.
    apart: Vec<(u32, LineQuantity)>,
    groups_made: u32,
    /// Each request makes at most this many lines' fulfillment, as two locations would.
    pub(crate) lines_a_call: usize,
    /// It knows a request by its key and applies it once, as a folder does.
    pub(crate) keyed: bool,
    /// Requests that are still on their way though their connection is lost.
    pub(crate) late: Vec<Step>,
    applied: BTreeMap<String, Pushed>,
    next: u32,
    pub(crate) changes: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct RemoteLine {
    pub(crate) id: RemoteId,
    pub(crate) sku: String,
    pub(crate) wanted: u32,
    /// Units that were sent back after they were fulfilled: the channel counts them off, their fulfillment stays.
    pub(crate) returned: u32,
    /// Shown as refunded.
    pub(crate) refunded: u32,
    /// Taken off the order: the channel shows no such line.
    pub(crate) gone: bool,
}

impl RemoteLine {
    fn new(index: usize, sku: &str, wanted: u32) -> Self {
        let id = RemoteId(format!("{}", 100 + index));
        Self { id, sku: sku.to_owned(), wanted, returned: 0, refunded: 0, gone: false }
    }
}

impl Remote {
    pub(crate) fn new(lines: &[(&str, u32)]) -> Self {
        Self {
            lines: lines
                .iter()
                .enumerate()
                .map(|(index, (sku, wanted))| RemoteLine::new(index, sku, *wanted))
                .collect(),
            fulfillments: Vec::new(),
            requests: Vec::new(),
            asked: 0,
            payment: Payment::Paid,
            holds: Vec::new(),
            city: "Duluth".to_owned(),
            cancelled: false,
            cancelled_at: None,
            coarse: false,
            grouped: false,
            apart: Vec::new(),
            groups_made: 1,
            lines_a_call: usize::MAX,
            keyed: false,
            late: Vec::new(),
            applied: BTreeMap::new(),
            next: 1,
            changes: 0,
        }
    }

    pub(crate) fn fulfilled(&self, id: &RemoteId) -> u32 {
        let active = self.fulfillments.iter().filter(|made| made.active).flat_map(|made| &made.lines);
        active.filter(|line| line.line == *id).map(|line| line.quantity).sum()
    }

    pub(crate) fn fulfillable(&self, line: &RemoteLine) -> u32 {
        if self.cancelled || line.gone { 0 } else { line.wanted.saturating_sub(self.fulfilled(&line.id)) }
    }

    pub(crate) fn touch(&mut self) {
        self.changes += 1;
    }

    pub(crate) fn add_line(&mut self, sku: &str, wanted: u32) {
        self.lines.push(RemoteLine::new(self.lines.len(), sku, wanted));
        self.touch();
    }

    /// Units that can still be fulfilled are given up for money.
    pub(crate) fn refund(&mut self, line: usize, units: u32) {
        let units = self.fulfillable(&self.lines[line]).min(units);
        self.lines[line].wanted -= units;
        self.lines[line].refunded += units;
        self.touch();
    }

    /// Fulfilled units come back.
    pub(crate) fn send_back(&mut self, line: usize, units: u32) {
        let fulfilled = self.fulfilled(&self.lines[line].id);
        let line = &mut self.lines[line];
        let units = fulfilled.saturating_sub(line.returned).min(units);
        line.returned += units;
        line.refunded += units;
        self.touch();
    }

    /// Somebody deletes a fulfillment there.
    pub(crate) fn delete(&mut self, id: &RemoteId) {
        self.fulfillments.retain(|made| made.id != *id);
        self.touch();
    }

    /// Units go to a group of their own: the merchant's split, or what a cancelled fulfillment leaves.
    pub(crate) fn regroup(&mut self, line: LineQuantity) {
        self.groups_made += 1;
        self.apart.push((self.groups_made, line));
        self.touch();
    }

    /// All groups go to another location: the same units under new ids.
    pub(crate) fn relocate(&mut self) {
        for (id, _) in &mut self.apart {
            *id += 1000;
        }
        self.groups_made += 1000;
        self.touch();
    }

    fn groups(&self) -> Vec<Group> {
        let mut left: Vec<LineQuantity> = self
            .lines
            .iter()
            .map(|line| LineQuantity { line: line.id.clone(), quantity: self.fulfillable(line) })
            .collect();
        let mut groups: Vec<Group> = Vec::new();
        for (id, apart) in &self.apart {
            for open in left.iter_mut().filter(|open| open.line == apart.line) {
                let quantity = open.quantity.min(apart.quantity);
                open.quantity -= quantity;
                if quantity > 0 {
                    let lines = vec![LineQuantity { line: open.line.clone(), quantity }];
                    groups.push(Group { id: RemoteId(format!("g{id}")), lines });
                }
            }
        }
        left.retain(|open| open.quantity > 0);
        if !left.is_empty() {
            let first = RemoteId(format!("g{}", self.groups_made / 1000 * 1000 + 1));
            groups.push(Group { id: first, lines: left });
        }
        groups
    }

    pub(crate) fn order(&self) -> Order {
        Order {
            id: RemoteId::from("5001"),
            number: "#1001".to_owned(),
            placed_at: at(-600),
            updated_at: Some(at(if self.coarse { self.changes / 60 * 60 } else { self.changes })),
            test: false,
            payment: self.payment.clone(),
            state: if self.cancelled {
                OrderState::Cancelled { at: self.cancelled_at, reason: None }
            } else {
                OrderState::Open
            },
            holds: self.holds.clone(),
            deliveries: vec![Delivery {
                key: String::new(),
                kind: DeliveryKind::Shipping,
                ship_to: Some(Address {
                    name: "P. Person".to_owned(),
                    address1: "1 Lake Street".to_owned(),
                    city: self.city.clone(),
                    zip: "55801".to_owned(),
                    country: "US".to_owned(),
                    ..Address::default()
                }),
                method: Some("Standard".to_owned()),
            }],
            lines: self
                .lines
                .iter()
                .filter(|line| !line.gone)
                .map(|line| Line {
                    id: line.id.clone(),
                    sku: Some(line.sku.clone()),
                    title: line.sku.clone(),
                    kind: LineKind::Goods,
                    quantity: line.wanted.max(self.fulfilled(&line.id)).saturating_sub(line.returned),
                    fulfillable: self.fulfillable(line),
                    refunded: line.refunded,
                    delivery: String::new(),
                    unit_cost: None,
                })
                .collect(),
            fulfillments: self.fulfillments.clone(),
            groups: if self.grouped { self.groups() } else { Vec::new() },
            cancellation_requests: self.requests.clone(),
            email: None,
            customer_note: None,
            bill_to: None,
            extra: serde_json::Value::Null,
        }
    }

    pub(crate) fn fulfill(&mut self, lines: Vec<LineQuantity>, number: Option<&str>) -> RemoteFulfillment {
        let made = RemoteFulfillment {
            id: RemoteId(format!("f{}", self.next)),
            active: true,
            lines,
            tracking: number
                .map(|number| RemoteTracking { company: None, number: Some(number.to_owned()), url: None })
                .into_iter()
                .collect(),
            created_at: None,
        };
        self.next += 1;
        self.fulfillments.push(made.clone());
        self.touch();
        made
    }

    pub(crate) fn push(&mut self, request: &FulfillmentRequest) -> Result<Pushed, Error> {
        if let Some(pushed) = self.applied.get(&request.key).filter(|_| self.keyed) {
            return Ok(pushed.clone());
        }
        for asked in &request.lines {
            let line = self.lines.iter().find(|line| line.id == asked.line);
            if line.is_none_or(|line| self.fulfillable(line) < asked.quantity) {
                let why = "Invalid fulfillment order line item quantity requested.";
                return Err(Error::new(ErrorKind::Rejected, "push", why));
            }
        }
        let (now, left): (Vec<_>, Vec<_>) =
            request.lines.iter().cloned().enumerate().partition(|(index, _)| *index < self.lines_a_call);
        let now = now.into_iter().map(|(_, line)| line).collect();
        let left = left.into_iter().map(|(_, line)| line).collect();
        let pushed = Pushed { fulfillment: self.fulfill(now, request.tracking.number.as_deref()), left };
        self.applied.insert(request.key.clone(), pushed.clone());
        Ok(pushed)
    }

    /// The merchant asks to cancel units that can still be fulfilled.
    pub(crate) fn ask(&mut self, line: usize, units: u32) {
        let line = &self.lines[line];
        let asked: u32 = self
            .requests
            .iter()
            .flat_map(|request| &request.lines)
            .filter(|asked| asked.line == line.id)
            .map(|asked| asked.quantity)
            .sum();
        let quantity = self.fulfillable(line).saturating_sub(asked).min(units);
        if quantity == 0 {
            return;
        }
        let line = line.id.clone();
        self.ask_for(vec![LineQuantity { line, quantity }]);
    }

    /// The merchant asks to cancel these units.
    pub(crate) fn ask_for(&mut self, lines: Vec<LineQuantity>) {
        self.asked += 1;
        self.requests.push(CancellationRequest {
            id: RemoteId(format!("r{}", self.asked)),
            lines,
            message: Some("the customer changed their mind".to_owned()),
            at: None,
        });
        self.touch();
    }

    /// The merchant takes its oldest request back.
    pub(crate) fn withdraw(&mut self) {
        if !self.requests.is_empty() {
            self.requests.remove(0);
            self.touch();
        }
    }

    /// As a fulfillment service answers; what is answered so already is done.
    fn answer(&mut self, answer: &CancellationAnswer) -> Result<(), Error> {
        let Some(at) = self.requests.iter().position(|request| request.id == answer.request) else {
            return Err(Error::new(ErrorKind::Rejected, "answer", "there is no such request"));
        };
        let request = self.requests.remove(at);
        for asked in request.lines.iter().filter(|_| answer.accept) {
            if let Some(at) = self.lines.iter().position(|line| line.id == asked.line) {
                let open = self.fulfillable(&self.lines[at]);
                self.lines[at].wanted -= asked.quantity.min(open);
            }
        }
        self.touch();
        Ok(())
    }

    /// Does a step, as the shipped tasks do it.
    pub(crate) fn perform(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Push(request) => match self.push(request) {
                Ok(pushed) => Outcome::Pushed(pushed),
                Err(error) => Outcome::Failed(error),
            },
            Step::Track(updates) => {
                for update in updates {
                    let Some(made) = self.fulfillments.iter_mut().find(|made| made.id == update.fulfillment)
                    else {
                        return Outcome::Failed(Error::new(
                            ErrorKind::NotFound,
                            "track",
                            "no such fulfillment",
                        ));
                    };
                    made.tracking = update
                        .tracking
                        .number
                        .iter()
                        .map(|number| RemoteTracking {
                            number: Some(number.clone()),
                            ..RemoteTracking::default()
                        })
                        .collect();
                }
                self.touch();
                Outcome::Done
            }
            Step::Void { fulfillments, .. } => {
                let mut back = Vec::new();
                for made in self.fulfillments.iter_mut().filter(|made| fulfillments.contains(&made.id)) {
                    if std::mem::take(&mut made.active) {
                        back.extend(made.lines.clone());
                    }
                }
                if self.grouped {
                    for line in back {
                        self.regroup(line);
                    }
                }
                self.touch();
                Outcome::Done
            }
            Step::Split(split) => {
                if self.grouped {
                    for line in &split.lines {
                        self.regroup(line.clone());
                    }
                }
                Outcome::Done
            }
            Step::Answer(answer) => match self.answer(answer) {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed(error),
            },
        }
    }
}

/// What goes wrong with one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing reached the channel.
    Refused,
    /// It never arrived, and nobody knows.
    LostBefore,
    /// It was applied, and nobody knows.
    LostAfter,
    /// The daemon died after the attempt was stored; the request went out or not.
    Crash {
        applied: bool,
    },
    /// The look failed.
    LookFails,
    /// Nobody knows, and it arrives later.
    Late,
}

/// One delivery of the record's next write. Answers whether something was due.
pub(crate) fn deliver(
    record: &mut Record,
    remote: &mut Remote,
    policy: &Policy,
    now: Timestamp,
    fault: Fault,
) -> bool {
    let Some(peek) = delivery::peek(record, policy, now) else { return false };
    let present = peek.look.then(|| remote.fulfillments.clone());
    if peek.look && fault == Fault::LookFails {
        let error = Error::new(ErrorKind::Unavailable, "find", "503");
        delivery::finish(record, &peek.key, &Outcome::LookFailed(error), policy, now, 0.5);
        return true;
    }
    let Some(step) = delivery::start(record, &peek.key, present.as_deref(), policy, now) else { return true };
    let lost = || Outcome::Failed(Error::new(ErrorKind::Indeterminate, "push", "connection lost"));
    let outcome = match fault {
        Fault::None | Fault::LookFails => remote.perform(&step),
        Fault::Refused => Outcome::Failed(Error::new(ErrorKind::Unavailable, "push", "no connection")),
        Fault::LostBefore => lost(),
        Fault::Late => {
            remote.late.push(step);
            lost()
        }
        Fault::LostAfter => match remote.perform(&step) {
            Outcome::Failed(error) => Outcome::Failed(error),
            _ => lost(),
        },
        Fault::Crash { applied } => {
            if applied {
                remote.perform(&step);
            }
            return true;
        }
    };
    delivery::finish(record, &peek.key, &outcome, policy, now, 0.5);
    true
}

pub(crate) fn import(remote: &Remote, policy: &Policy, now: Timestamp) -> Record {
    plan::import(remote.order(), policy, now)
}

/// Does a command on one record; the record stays as it is when the command is refused.
pub(crate) fn command(
    record: &mut Record,
    n: u32,
    command: Command,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, Refused> {
    ask(record, n, Ask { command, key: None, if_match: None }, policy, now)
}

pub(crate) fn ask(
    record: &mut Record,
    n: u32,
    ask: Ask,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let mut policies = Policies::default();
    policies
        .channels
        .insert((policy.merchant.clone(), policy.channel.clone()), std::sync::Arc::new(policy.clone()));
    let mut book = Book::from([(record.id.clone(), record.clone())]);
    let id = record.id.clone();
    let answer = command::apply(&mut book, &id, n, &ask, Setting { policies: &policies, now })?;
    *record = book.remove(&id).expect("the book keeps its records");
    Ok(answer)
}
