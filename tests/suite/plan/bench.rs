//! A bench for tables: what happens, as a list of steps, and what is to be seen afterwards, as text that one can read.

use portald::{
    outbox::WriteState,
    plan::{
        self,
        cancellation::By,
        command::{Command, LineAmount, Parcel, Refused, TrackingChange},
        delivery::{self, Outcome, Step},
    },
    policy::Policy,
    record::Record,
};
use sdk::{Error, ErrorKind, LineQuantity, Order, RemoteId, Timestamp};

use super::model::{Fault, Remote, at, command, deliver, import, policy};

/// Units of a supplier line, by its label.
pub(crate) type Units = &'static [(&'static str, u32)];
/// All of it.
pub(crate) const ALL: Units = &[];

/// One thing that happens. The channel's own are not seen before a [`Do::Pull`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    // On the channel.
    Want(usize, u32),
    AddLine(&'static str, u32),
    RemoveLine(usize),
    Refund(usize, u32),
    SendBack(usize, u32),
    CancelOrder,
    Reinstate,
    Foreign(usize, u32),
    Unforeign,
    Delete(usize),
    TakeBack(usize),
    HoldThere(&'static str),
    LetGo,
    Pay(bool),
    Move(&'static str),
    SplitThere(usize, u32),
    Relocate,
    Ask(usize, u32),
    AskAll(Units2),
    Withdraw,
    // Between us and it.
    Pull,
    Vanish,
    Push(Fault),
    Depart,
    Arrive(Came),
    Quiet,
    Later,
    // The supplier's.
    Ack(u32),
    AckForce(u32),
    Ship(u32, Units),
    ShipAfter(u32, Units),
    Void(u32, &'static str),
    Track(u32, &'static str),
    Split(u32, Units),
    Edit(u32, Units),
    Accept(u32, Units),
    Reject(u32, Units),
    ByMerchant(u32, Units),
    BySupplier(u32, Units),
    Confirm(u32),
    KeepOld(u32),
    Release(u32),
    Retry,
    Drop,
    // The files.
    /// The merchant is taken out of them.
    Leave,
    /// It is back.
    Return,
}
use Do::*;

/// Units of channel lines, by place.
pub(crate) type Units2 = &'static [(usize, u32)];

/// What became of a request that was under way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Came {
    /// The channel does as it is asked, or says why not.
    Through,
    /// It did, and the answer is lost.
    AnswerLost,
    /// It never came there, and nobody knows.
    Lost,
}

/// One order, its channel, and the rules.
pub(crate) struct Bench {
    pub(crate) remote: Remote,
    pub(crate) record: Record,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    parcels: u32,
    flying: Option<(String, Step)>,
    seen: usize,
    /// The rules of a merchant that is not in the files now.
    away: Option<Policy>,
}

impl Bench {
    /// An order that was imported and released.
    pub(crate) fn new(lines: &[(&str, u32)]) -> Self {
        Self::over(Remote::new(lines), policy())
    }

    pub(crate) fn over(remote: Remote, policy: Policy) -> Self {
        let now = at(0);
        let record = import(&remote, &policy, now);
        let seen = record.timeline.len();
        Self { remote, record, policy, now, parcels: 0, flying: None, seen, away: None }
    }

    /// Does these things one after the other; after each the record must hold together.
    pub(crate) fn run(mut self, steps: &[Do]) -> Self {
        for step in steps {
            if let Err(refused) = self.step(*step) {
                panic!("{step:?} of {steps:?}: {refused}");
            }
        }
        self
    }

    /// Does one thing. Of a refused command nothing stays.
    pub(crate) fn step(&mut self, step: Do) -> Result<Vec<String>, Refused> {
        let before = self.record.clone();
        let done = self.act(step);
        if done.is_err() {
            assert_eq!(before, self.record, "{step:?} was refused");
        }
        self.holds_together(&format!("{step:?}"));
        done
    }

    /// The code that a command is refused with.
    pub(crate) fn refused(&mut self, step: Do) -> &'static str {
        self.step(step).expect_err("it is to be refused").code
    }

    fn holds_together(&self, after: &str) {
        assert_eq!(self.record.check(), Ok(()), "after {after}");
        assert_eq!(self.record.audit(), Vec::<String>::new(), "after {after}");
        let mut again = self.record.clone();
        assert!(!plan::reconcile(&mut again, &self.policy, self.now), "after {after}: no fixpoint");
        plan::intake::take_in(&mut again, &self.policy, self.now);
        plan::reconcile(&mut again, &self.policy, self.now);
        assert_eq!(again, self.record, "after {after}: the same picture again changes something");
    }

    fn act(&mut self, step: Do) -> Result<Vec<String>, Refused> {
        let remote = &mut self.remote;
        match step {
            Want(line, to) => {
                remote.lines[line].wanted = to.max(remote.fulfilled(&remote.lines[line].id));
                remote.touch();
            }
            Leave => {
                let gone = Policy::suspended(&self.policy.merchant, &self.policy.channel);
                self.away = Some(std::mem::replace(&mut self.policy, gone));
            }
            Return => {
                self.policy = self.away.take().expect("it is away");
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            AddLine(sku, units) => remote.add_line(sku, units),
            RemoveLine(line) => {
                remote.lines[line].gone = true;
                remote.touch();
            }
            Refund(line, units) => remote.refund(line, units),
            SendBack(line, units) => remote.send_back(line, units),
            CancelOrder | Reinstate => {
                remote.cancelled = matches!(step, CancelOrder);
                remote.touch();
            }
            Foreign(line, quantity) => {
                let line = remote.lines[line].clone();
                assert!(remote.fulfillable(&line) >= quantity, "{step:?}");
                remote.fulfill(vec![LineQuantity { line: line.id, quantity }], Some("FOREIGN"));
            }
            Unforeign => {
                let number = |made: &sdk::RemoteFulfillment| made.tracking[0].number.clone();
                let foreign = |made: &&mut sdk::RemoteFulfillment| number(made).as_deref() == Some("FOREIGN");
                remote.fulfillments.iter_mut().filter(foreign).for_each(|made| made.active = false);
                remote.touch();
            }
            Delete(at) => {
                let id = remote.fulfillments[at].id.clone();
                remote.delete(&id);
            }
            TakeBack(at) => {
                remote.fulfillments[at].active = false;
                remote.touch();
            }
            HoldThere(why) => {
                remote.holds = vec![why.to_owned()];
                remote.touch();
            }
            LetGo => {
                remote.holds.clear();
                remote.touch();
            }
            Pay(paid) => {
                let unpaid = sdk::Payment::Unpaid("PENDING".to_owned());
                remote.payment = if paid { sdk::Payment::Paid } else { unpaid };
                remote.touch();
            }
            Move(city) => {
                city.clone_into(&mut remote.city);
                remote.touch();
            }
            SplitThere(line, quantity) => {
                let line = remote.lines[line].id.clone();
                remote.regroup(LineQuantity { line, quantity });
            }
            Relocate => remote.relocate(),
            Do::Ask(line, units) => remote.ask(line, units),
            AskAll(lines) => {
                let lines = lines.iter().map(|(line, quantity)| LineQuantity {
                    line: remote.lines[*line].id.clone(),
                    quantity: *quantity,
                });
                let lines = lines.collect();
                remote.ask_for(lines);
            }
            Withdraw => remote.withdraw(),
            Pull => {
                let order = self.remote.order();
                self.absorb(order);
            }
            Vanish => {
                plan::intake::vanished(&mut self.record, self.now);
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            Push(fault) => {
                let (record, remote) = (&mut self.record, &mut self.remote);
                assert!(deliver(record, remote, &self.policy, self.now, fault), "nothing is due");
            }
            Depart => self.depart(),
            Arrive(came) => self.arrive(came),
            Quiet => self.quiet(),
            Later => {
                self.now += chrono::TimeDelta::hours(1);
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            _ => return self.command(step),
        }
        Ok(Vec::new())
    }

    pub(crate) fn absorb(&mut self, order: Order) -> plan::Absorbed {
        if plan::restored::is_answered(&self.record, self.now, &self.policy) {
            return plan::restored::read_back(&mut self.record, order, &self.policy, self.now);
        }
        plan::absorb(&mut self.record, order, &self.policy, self.now)
    }

    fn command(&mut self, step: Do) -> Result<Vec<String>, Refused> {
        let reason = || "as told by telephone".to_owned();
        let key = |record: &Record| record.writes.last().expect("a write").key.clone();
        let shipment = |label: &str| label.to_owned();
        let (n, what) = match step {
            Ack(n) => (n, Command::Ack { force: false }),
            AckForce(n) => (n, Command::Ack { force: true }),
            Ship(n, lines) | ShipAfter(n, lines) => {
                self.parcels += 1;
                let parcel = Parcel {
                    carrier: Some("UPS".to_owned()),
                    tracking: Some(format!("T{}", self.parcels)),
                    lines: amounts(lines),
                    after_cancel: matches!(step, ShipAfter(..)),
                    ..Parcel::default()
                };
                (n, Command::Ship(parcel))
            }
            Void(n, label) => (n, Command::Void { shipment: shipment(label), reason: reason() }),
            Track(n, label) => {
                self.parcels += 1;
                let tracking = Some(format!("T{}", self.parcels));
                let change = TrackingChange { tracking, ..TrackingChange::default() };
                (n, Command::Track { shipment: shipment(label), change })
            }
            Split(n, lines) => (n, Command::Split { lines: amounts(lines) }),
            Edit(n, lines) => (n, Command::Edit { lines: amounts(lines), add: Vec::new() }),
            Accept(n, lines) => (n, Command::AcceptCancel { lines: amounts(lines) }),
            Reject(n, lines) => {
                (n, Command::RejectCancel { reason: "packed".to_owned(), lines: amounts(lines) })
            }
            ByMerchant(n, lines) => {
                (n, Command::Cancel { by: By::Merchant, reason: Some(reason()), lines: amounts(lines) })
            }
            BySupplier(n, lines) => {
                (n, Command::Cancel { by: By::Supplier, reason: None, lines: amounts(lines) })
            }
            Confirm(n) => (n, Command::ConfirmAddress { keep_old: false }),
            KeepOld(n) => (n, Command::ConfirmAddress { keep_old: true }),
            Release(n) => (n, Command::Release { overrides: Vec::new() }),
            Retry => (1, Command::RetryWrite { key: key(&self.record) }),
            Drop => (1, Command::DropWrite { key: key(&self.record), reason: reason() }),
            other => panic!("{other:?} is no command"),
        };
        command(&mut self.record, n, what, &self.policy, self.now).map(|answer| answer.warnings)
    }

    /// The next write leaves; what becomes of it is said by [`Do::Arrive`].
    fn depart(&mut self) {
        assert!(self.flying.is_none(), "one at a time");
        while let Some(peek) = delivery::peek(&self.record, &self.policy, self.now) {
            let present = peek.look.then(|| self.remote.fulfillments.clone());
            let present = present.as_deref();
            let step = delivery::start(&mut self.record, &peek.key, present, &self.policy, self.now);
            if let Some(step) = step {
                self.flying = Some((peek.key, step));
                return;
            }
        }
        panic!("nothing is due: {:#?}", self.record.writes);
    }

    fn arrive(&mut self, came: Came) {
        let (key, step) = self.flying.take().expect("something is under way");
        let lost = || Outcome::Failed(Error::new(ErrorKind::Indeterminate, "push", "connection lost"));
        let outcome = match came {
            Came::Through => self.remote.perform(&step),
            Came::Lost => lost(),
            Came::AnswerLost => match self.remote.perform(&step) {
                Outcome::Failed(error) => Outcome::Failed(error),
                _ => lost(),
            },
        };
        let refused = matches!(&outcome, Outcome::Failed(error) if error.kind == ErrorKind::Rejected);
        delivery::finish(&mut self.record, &key, &outcome, &self.policy, self.now, 0.5);
        if refused {
            // As the deliver task does.
            let order = self.remote.order();
            self.absorb(order);
        }
    }

    /// Time passes, all that is owed is sent, and a pull sees it.
    fn quiet(&mut self) {
        for _ in 0..50 {
            self.now += chrono::TimeDelta::hours(2);
            plan::reconcile(&mut self.record, &self.policy, self.now);
            let order = self.remote.order();
            if !deliver(&mut self.record, &mut self.remote, &self.policy, self.now, Fault::None) {
                self.absorb(order);
                if self.record.writes.iter().all(|write| !write.state.is_owed()) {
                    return;
                }
                continue;
            }
            let order = self.remote.order();
            self.absorb(order);
        }
        panic!("writes are owed for ever: {:#?}", self.record.writes);
    }

    /// Where the units of each of our lines are: `A7: 2 open, 1 shipped`.
    pub(crate) fn lines(&self) -> String {
        let ours = self.record.lines.iter().filter(|line| line.not_ours == 0);
        let told = ours.map(|line| {
            let terms = [
                (line.held, "held"),
                (self.record.open_units(line), "open"),
                (self.record.shipped_units(line), "shipped"),
                (line.all_cancelled(), "cancelled"),
                (line.elsewhere_before + line.elsewhere_after, "elsewhere"),
                (line.cancel_requested, "asked"),
                (line.cancel_rejected, "rejected"),
            ];
            let terms = terms.into_iter().filter(|(units, _)| *units > 0);
            let terms: Vec<_> = terms.map(|(units, word)| format!("{units} {word}")).collect();
            format!("{}: {}", line.name(), terms.join(", "))
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// The supplier orders' statuses: `1 open, 2 held`.
    pub(crate) fn orders(&self) -> String {
        let orders = self.record.orders.iter();
        let told = orders.map(|order| format!("{} {}", order.n, self.record.status(order).as_str()));
        told.collect::<Vec<_>>().join(", ")
    }

    /// What each supplier line has open: `1/l1 2, 2/l2 1`.
    pub(crate) fn open(&self) -> String {
        let orders = self.record.orders.iter();
        let lines = orders.flat_map(|order| order.lines.iter().map(move |line| (order.n, line)));
        let told = lines.filter(|(_, line)| line.open() > 0);
        told.map(|(n, line)| format!("{n}/{} {}", line.label(), line.open())).collect::<Vec<_>>().join(", ")
    }

    /// The alerts' codes.
    pub(crate) fn alerts(&self) -> String {
        let mut codes: Vec<&str> = self.record.alerts.iter().map(|alert| alert.code.as_str()).collect();
        codes.sort_unstable();
        codes.join(", ")
    }

    /// The writes: `p1 create done`.
    pub(crate) fn writes(&self) -> String {
        let told = self.record.writes.iter().map(|write| {
            let state = match write.state {
                WriteState::Pending => "pending",
                WriteState::Attempting { .. } => "attempting",
                WriteState::Indeterminate { .. } => "indeterminate",
                WriteState::Done { .. } => "done",
                WriteState::Parked { .. } => "parked",
                WriteState::Dropped { .. } => "dropped",
                WriteState::Shadow => "shadow",
            };
            let kind = match &write.answer {
                Some(answer) if answer.accept => "accept",
                Some(_) => "reject",
                None => write.kind.as_str(),
            };
            let parcel = if write.parcel == 0 { String::new() } else { format!("p{} ", write.parcel) };
            format!("{parcel}{kind} {state}")
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// The events since the import, or since this was asked last.
    pub(crate) fn events(&mut self) -> String {
        let told: Vec<_> =
            self.record.timeline[self.seen..].iter().map(|event| event.event.as_str()).collect();
        let told = told.join(", ");
        self.seen = self.record.timeline.len();
        told
    }

    /// The channel's active fulfillments: `T1: 2 × 100`.
    pub(crate) fn told(&self) -> String {
        let made = self.remote.fulfillments.iter().filter(|made| made.active);
        let told = made.map(|made| {
            let number = made.tracking.first().and_then(|tracking| tracking.number.as_deref());
            let lines: Vec<_> =
                made.lines.iter().map(|line| format!("{} × {}", line.quantity, line.line)).collect();
            format!("{}: {}", number.unwrap_or("-"), lines.join(" + "))
        });
        told.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn alert(&self, code: &str) -> &str {
        let found = self.record.alerts.iter().find(|alert| alert.code == code);
        found.map_or("", |alert| alert.text.as_str())
    }

    /// The text of the last event of this name.
    pub(crate) fn said(&self, event: &str) -> &str {
        let found = self.record.timeline.iter().rfind(|entry| entry.event == event);
        found.map_or("", |entry| entry.text.as_str())
    }

    pub(crate) fn line(&self, index: usize) -> &portald::record::AccountLine {
        let id: &RemoteId = &self.remote.lines[index].id;
        self.record.line(id).expect("it is known")
    }
}

pub(crate) fn amounts(lines: &[(&str, u32)]) -> Vec<LineAmount> {
    lines.iter().map(|(id, quantity)| LineAmount { id: (*id).to_owned(), quantity: *quantity }).collect()
}

/// One row of a table: of an order of these lines, after these steps, this is to be seen. An empty text says nothing of
/// its column; `-` says that there is none.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) order: Units,
    pub(crate) steps: &'static [Do],
    pub(crate) lines: &'static str,
    pub(crate) orders: &'static str,
    pub(crate) alerts: &'static str,
    pub(crate) events: &'static str,
}

/// Runs a table; every row that fails is shown, not only the first.
#[track_caller]
pub(crate) fn table(rows: &[Row]) {
    table_by(rows, Bench::new);
}

#[track_caller]
pub(crate) fn table_by(rows: &[Row], bench: impl Fn(Units) -> Bench) {
    let mut wrong = Vec::new();
    for row in rows {
        let mut bench = bench(row.order).run(row.steps);
        let events = bench.events();
        let seen = [bench.lines(), bench.orders(), bench.alerts(), events];
        let wanted = [row.lines, row.orders, row.alerts, row.events];
        for ((column, seen), wanted) in ["lines", "orders", "alerts", "events"].iter().zip(seen).zip(wanted) {
            let seen = if seen.is_empty() { "-".to_owned() } else { seen };
            if !wanted.is_empty() && wanted != seen {
                wrong.push(format!("{}\n  {column} wanted: {wanted}\n  {column} seen:   {seen}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
