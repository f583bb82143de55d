//! Random histories of one order: whatever happens, in whatever order, the quantities balance, and once all is
//! quiet the channel shows every parcel exactly once.

use portald::{
    outbox::{WriteKind, WriteState},
    plan::{
        self,
        cancellation::By,
        command::{Command, LineAmount, Parcel, TrackingChange},
    },
    policy::Policy,
    record::{GateName, Owner, Record},
};
use proptest::prelude::*;
use sdk::{LineQuantity, Payment, Timestamp};

use super::model::{Fault, Remote, at, command, deliver, import, policy};

#[derive(Clone, Debug)]
enum Op {
    EditTo(usize, u32),
    CancelAll(bool),
    Foreign(usize, u32),
    Unforeign,
    Pay(bool),
    ChannelHold(bool),
    Move(u8),
    Pull,
    Advance(u16),
    Ship(usize),
    ShipSome(usize, usize, u32, bool),
    Split(usize, usize, u32),
    Void(usize),
    Track(usize),
    TrackAgain(usize, u8),
    Shadow(bool),
    Since(bool),
    AtOnce(bool),
    Reimport,
    Arrive,
    Ack(usize),
    Hold(usize),
    Release(usize, bool),
    Edit(usize, usize, u32),
    Drop(usize),
    Retry(usize),
    Ask(usize, u32),
    Withdraw,
    Accept(usize, Option<usize>, u32),
    Reject(usize, Option<usize>, u32),
    Cancel(usize, Option<usize>, u32, By),
    ConfirmAddress(usize, bool),
    Vanish,
    Refund(usize, u32),
    SendBack(usize, u32),
    /// One of our fulfillments is deleted there (or cancelled), not by us.
    Tamper(usize, bool),
    SplitThere(usize, u32),
    Relocate,
    /// What was pulled is told again, and a page that was read before it comes late.
    Replay,
    Deliver(Fault),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Refused),
        1 => Just(Fault::LostBefore),
        2 => Just(Fault::LostAfter),
        1 => any::<bool>().prop_map(|applied| Fault::Crash { applied }),
        1 => Just(Fault::LookFails),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let small = 0..4usize;
    prop_oneof![
        2 => (small.clone(), 0..6u32).prop_map(|(line, to)| Op::EditTo(line, to)),
        1 => any::<bool>().prop_map(Op::CancelAll),
        1 => (small.clone(), 1..3u32).prop_map(|(line, units)| Op::Foreign(line, units)),
        1 => Just(Op::Unforeign),
        1 => any::<bool>().prop_map(Op::Pay),
        1 => any::<bool>().prop_map(Op::ChannelHold),
        1 => any::<u8>().prop_map(Op::Move),
        6 => Just(Op::Pull),
        4 => (0..4000u16).prop_map(Op::Advance),
        2 => small.clone().prop_map(Op::Ship),
        5 => (small.clone(), small.clone(), 1..5u32, any::<bool>())
            .prop_map(|(order, line, units, after)| Op::ShipSome(order, line, units, after)),
        2 => (small.clone(), small.clone(), 1..4u32).prop_map(|(order, line, units)| Op::Split(order, line, units)),
        2 => small.clone().prop_map(Op::Void),
        2 => small.clone().prop_map(Op::Track),
        2 => (small.clone(), 0..2u8).prop_map(|(parcel, number)| Op::TrackAgain(parcel, number)),
        1 => any::<bool>().prop_map(Op::Shadow),
        1 => any::<bool>().prop_map(Op::Since),
        2 => (small.clone(), 1..4u32).prop_map(|(line, units)| Op::Ask(line, units)),
        1 => Just(Op::Withdraw),
        3 => (small.clone(), proptest::option::of(small.clone()), 1..4u32)
            .prop_map(|(order, line, units)| Op::Accept(order, line, units)),
        2 => (small.clone(), proptest::option::of(small.clone()), 1..4u32)
            .prop_map(|(order, line, units)| Op::Reject(order, line, units)),
        2 => (small.clone(), proptest::option::of(small.clone()), 1..4u32, any::<bool>()).prop_map(
            |(order, line, units, merchant)| {
                let by = if merchant { By::Merchant } else { By::Supplier };
                Op::Cancel(order, line, units, by)
            }
        ),
        1 => (small.clone(), any::<bool>()).prop_map(|(order, keep)| Op::ConfirmAddress(order, keep)),
        1 => Just(Op::Vanish),
        1 => (small.clone(), 1..3u32).prop_map(|(line, units)| Op::Refund(line, units)),
        1 => (small.clone(), 1..3u32).prop_map(|(line, units)| Op::SendBack(line, units)),
        1 => (small.clone(), any::<bool>()).prop_map(|(made, deleted)| Op::Tamper(made, deleted)),
        1 => (small.clone(), 1..3u32).prop_map(|(line, units)| Op::SplitThere(line, units)),
        1 => Just(Op::Relocate),
        2 => Just(Op::Replay),
        1 => any::<bool>().prop_map(Op::AtOnce),
        1 => Just(Op::Reimport),
        2 => Just(Op::Arrive),
        1 => small.clone().prop_map(Op::Ack),
        1 => small.clone().prop_map(Op::Hold),
        2 => (small.clone(), any::<bool>()).prop_map(|(order, gates)| Op::Release(order, gates)),
        1 => (small.clone(), small.clone(), 0..6u32).prop_map(|(order, line, to)| Op::Edit(order, line, to)),
        1 => small.clone().prop_map(Op::Drop),
        1 => small.prop_map(Op::Retry),
        8 => fault().prop_map(Op::Deliver),
    ]
}

struct World {
    remote: Remote,
    record: Record,
    policy: Policy,
    now: Timestamp,
    parcels: u32,
    /// The page before the last.
    stale: Option<sdk::Order>,
    /// Somebody else took our fulfillments back.
    tampered: bool,
    /// The merchant split something there.
    split_there: bool,
}

impl World {
    fn new(lines: &[(&str, u32)], lines_a_call: usize) -> Self {
        let mut remote = Remote::new(lines);
        remote.lines_a_call = lines_a_call;
        let policy = policy();
        let now = at(0);
        let record = import(&remote, &policy, now);
        Self { remote, record, policy, now, parcels: 0, stale: None, tampered: false, split_there: false }
    }

    fn ask(&mut self, n: u32, what: Command) {
        // A refusal changes nothing: that is part of what is tested.
        let before = self.record.clone();
        if command(&mut self.record, n, what, &self.policy, self.now).is_err() {
            assert_eq!(before, self.record);
        }
    }

    fn order(&self, index: usize) -> Option<u32> {
        let orders = &self.record.orders;
        (!orders.is_empty()).then(|| orders[index % orders.len()].n)
    }

    fn line(&self, n: u32, index: usize) -> Option<String> {
        let lines = &self.record.order(n)?.lines;
        (!lines.is_empty()).then(|| lines[index % lines.len()].label())
    }

    fn parcel(&mut self) -> Parcel {
        self.parcels += 1;
        let tracking = Some(format!("T{}", self.parcels));
        Parcel { carrier: Some("UPS".to_owned()), tracking, ..Parcel::default() }
    }

    fn act(&mut self, op: &Op) {
        match op {
            Op::EditTo(line, to) => {
                let at = line % self.remote.lines.len();
                let fulfilled = self.remote.fulfilled(&self.remote.lines[at].id);
                self.remote.lines[at].wanted = (*to).max(fulfilled);
                self.remote.touch();
            }
            Op::CancelAll(cancelled) => {
                self.remote.cancelled = *cancelled;
                self.remote.touch();
            }
            Op::Foreign(line, units) => {
                let line = self.remote.lines[line % self.remote.lines.len()].clone();
                if self.remote.fulfillable(&line) >= *units {
                    self.remote
                        .fulfill(vec![LineQuantity { line: line.id, quantity: *units }], Some("FOREIGN"));
                }
            }
            Op::Unforeign => {
                let foreign = |made: &&mut sdk::RemoteFulfillment| is_foreign(made) && made.active;
                if let Some(made) = self.remote.fulfillments.iter_mut().find(foreign) {
                    made.active = false;
                    self.remote.touch();
                }
            }
            Op::Pay(paid) => {
                self.remote.payment =
                    if *paid { Payment::Paid } else { Payment::Unpaid("PENDING".to_owned()) };
                self.remote.touch();
            }
            Op::ChannelHold(on) => {
                self.remote.holds = if *on { vec!["fraud".to_owned()] } else { Vec::new() };
                self.remote.touch();
            }
            Op::Move(to) => {
                self.remote.city = format!("City {to}");
                self.remote.touch();
            }
            Op::Pull => {
                let before = self.record.seen.clone();
                plan::absorb(&mut self.record, self.remote.order(), &self.policy, self.now);
                let news = before != self.record.seen;
                if news {
                    self.stale = Some(before);
                }
                // New rules are for what changes under them.
                self.cancellations_balance(news);
                self.elsewhere_is_not_shipped();
                if news {
                    let mut again = self.record.clone();
                    plan::intake::take_in(&mut again, &self.policy, self.now);
                    plan::reconcile(&mut again, &self.policy, self.now);
                    assert_eq!(again, self.record, "the same picture, taken in again");
                }
            }
            Op::Replay => {
                let stale = self.stale.clone();
                let older = stale.filter(|stale| stale.updated_at < self.record.seen.updated_at);
                self.record.vanished_at = None;
                plan::reconcile(&mut self.record, &self.policy, self.now);
                for page in older.into_iter().chain([self.record.seen.clone()]) {
                    let before = self.record.clone();
                    let told = plan::absorb(&mut self.record, page, &self.policy, self.now);
                    assert_eq!((told, &before), (plan::Absorbed::Unchanged, &self.record));
                }
            }
            Op::Refund(line, units) => self.remote.refund(line % self.remote.lines.len(), *units),
            Op::SendBack(line, units) => self.remote.send_back(line % self.remote.lines.len(), *units),
            Op::Tamper(index, deleted) => {
                let ours = self.remote.fulfillments.iter().filter(|made| made.active && !is_foreign(made));
                let ours: Vec<_> = ours.map(|made| made.id.clone()).collect();
                if ours.is_empty() {
                    return;
                }
                self.tampered = true;
                let id = &ours[index % ours.len()];
                if *deleted {
                    self.remote.delete(id);
                } else if let Some(made) = self.remote.fulfillments.iter_mut().find(|made| made.id == *id) {
                    made.active = false;
                    self.remote.touch();
                }
            }
            Op::SplitThere(line, quantity) => {
                self.split_there = true;
                let line = self.remote.lines[line % self.remote.lines.len()].id.clone();
                self.remote.regroup(LineQuantity { line, quantity: *quantity });
            }
            Op::Relocate => {
                // Seen by itself: together with a split of ours it cannot be told from the merchant's.
                self.act(&Op::Pull);
                self.remote.relocate();
                self.act(&Op::Pull);
            }
            Op::Advance(secs) => {
                self.now += chrono::TimeDelta::seconds(i64::from(*secs));
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            Op::Ship(order) => {
                let Some(n) = self.order(*order) else { return };
                let parcel = self.parcel();
                self.ask(n, Command::Ship(parcel));
            }
            Op::ShipSome(order, line, units, after_cancel) => {
                let Some(n) = self.order(*order) else { return };
                let Some(id) = self.line(n, *line) else { return };
                let lines = vec![LineAmount { id, quantity: *units }];
                let parcel = Parcel { lines, after_cancel: *after_cancel, ..self.parcel() };
                self.ask(n, Command::Ship(parcel));
            }
            Op::Split(order, line, units) => {
                let Some(n) = self.order(*order) else { return };
                let Some(id) = self.line(n, *line) else { return };
                self.ask(n, Command::Split { lines: vec![LineAmount { id, quantity: *units }] });
            }
            Op::Void(index) => {
                let Some((n, shipment)) = self.shipment(*index) else { return };
                self.ask(n, Command::Void { shipment, reason: "wrong box".to_owned() });
            }
            Op::Track(index) => {
                let Some((n, shipment)) = self.shipment(*index) else { return };
                self.parcels += 1;
                let change = TrackingChange {
                    tracking: Some(format!("T{}", self.parcels)),
                    ..TrackingChange::default()
                };
                self.ask(n, Command::Track { shipment, change });
            }
            Op::TrackAgain(index, number) => {
                let Some((n, shipment)) = self.shipment(*index) else { return };
                let tracking = Some(format!("{n}-{shipment}-{number}"));
                let change = TrackingChange { tracking, ..TrackingChange::default() };
                self.ask(n, Command::Track { shipment, change });
            }
            Op::Shadow(on) => {
                self.policy.shadow = *on;
                // Every delivery begins with this.
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            Op::Since(back) => self.policy.since = if *back { at(-1_000_000) } else { at(0) },
            Op::AtOnce(on) => self.policy.cancel_at_once = *on,
            Op::Reimport => self.ask(1, Command::Reimport),
            Op::Arrive => {
                for step in std::mem::take(&mut self.remote.late) {
                    self.remote.perform(&step);
                }
            }
            Op::Ack(order) => {
                let Some(n) = self.order(*order) else { return };
                self.ask(n, Command::Ack { force: false });
            }
            Op::Hold(order) => {
                let Some(n) = self.order(*order) else { return };
                self.ask(n, Command::Hold { reason: "no stock".to_owned() });
            }
            Op::Release(order, gates) => {
                let Some(n) = self.order(*order) else { return };
                let overrides = if *gates { vec![GateName::Payment, GateName::Settle] } else { Vec::new() };
                self.ask(n, Command::Release { overrides });
            }
            Op::Edit(order, line, to) => {
                let Some(n) = self.order(*order) else { return };
                let Some(id) = self.line(n, *line) else { return };
                self.ask(n, Command::Edit { lines: vec![LineAmount { id, quantity: *to }], add: Vec::new() });
            }
            Op::Drop(index) => {
                let Some(key) = self.write(*index) else { return };
                self.ask(1, Command::DropWrite { key, reason: "by hand".to_owned() });
            }
            Op::Retry(index) => {
                let Some(key) = self.write(*index) else { return };
                self.ask(1, Command::RetryWrite { key });
            }
            Op::Ask(line, units) => self.remote.ask(line % self.remote.lines.len(), *units),
            Op::Withdraw => self.remote.withdraw(),
            Op::Accept(order, line, units) => {
                let Some((n, lines)) = self.some_of(*order, *line, *units) else { return };
                self.ask(n, Command::AcceptCancel { lines });
            }
            Op::Reject(order, line, units) => {
                let Some((n, lines)) = self.some_of(*order, *line, *units) else { return };
                self.ask(n, Command::RejectCancel { reason: "packed".to_owned(), lines });
            }
            Op::Cancel(order, line, units, by) => {
                let Some((n, lines)) = self.some_of(*order, *line, *units) else { return };
                self.ask(n, Command::Cancel { by: *by, reason: None, lines });
            }
            Op::ConfirmAddress(order, keep_old) => {
                let Some(n) = self.order(*order) else { return };
                self.ask(n, Command::ConfirmAddress { keep_old: *keep_old });
            }
            Op::Vanish => {
                plan::intake::vanished(&mut self.record, self.now);
                plan::reconcile(&mut self.record, &self.policy, self.now);
            }
            Op::Deliver(fault) => {
                deliver(&mut self.record, &mut self.remote, &self.policy, self.now, *fault);
            }
        }
    }

    /// An order, and either all of it or units of one of its lines.
    fn some_of(&self, order: usize, line: Option<usize>, units: u32) -> Option<(u32, Vec<LineAmount>)> {
        let n = self.order(order)?;
        let Some(line) = line else { return Some((n, Vec::new())) };
        Some((n, vec![LineAmount { id: self.line(n, line)?, quantity: units }]))
    }

    fn shipment(&self, index: usize) -> Option<(u32, String)> {
        let shipments = &self.record.shipments;
        let shipment = shipments.get(index % shipments.len().max(1))?;
        Some((shipment.order, shipment.label()))
    }

    fn write(&self, index: usize) -> Option<String> {
        let writes = &self.record.writes;
        writes.get(index % writes.len().max(1)).map(|write| write.key.clone())
    }

    /// Of each line what ought to be cancelled is cancelled, asked for, rejected, or left before it could be.
    fn cancellations_balance(&self, news: bool) {
        for line in self.record.lines.iter().filter(|line| matches!(line.owner, Owner::Supplier { .. })) {
            let answered = line.all_cancelled() + line.cancel_requested + line.cancel_rejected;
            assert!(
                line.cancel_rejected <= line.to_cancel().saturating_sub(line.all_cancelled()),
                "a refusal outlives what it refused: {line:?}"
            );
            let left = line.to_cancel().saturating_sub(answered);
            let shipped: u32 = self
                .record
                .orders
                .iter()
                .flat_map(|order| &order.lines)
                .filter(|own| own.channel_line.as_ref() == Some(&line.id))
                .map(|own| own.shipped)
                .sum();
            assert!(left <= shipped, "{left} units of {} are neither cancelled nor asked for", line.id);
            let at_once = self.policy.cancel_at_once && news;
            let idle = self.record.orders.iter().filter(|order| order.acked_at.is_none());
            let open: u32 = idle
                .flat_map(|order| &order.lines)
                .filter(|own| own.channel_line.as_ref() == Some(&line.id) && own.per_unit == 1)
                .map(|own| own.routed - own.gone())
                .sum();
            assert!(
                !at_once
                    || line.cancel_requested == 0
                    || open <= line.cancel_rejected
                    || line.sku.as_deref() == Some("KIT"),
                "units that are not in work are cancelled at once: {line:?}"
            );
        }
        let asked = self.record.alerts.iter().any(|alert| alert.code == "cancel-requested");
        assert_eq!(asked, self.record.lines.iter().any(|line| line.cancel_requested > 0));
        assert_eq!(asked, self.record.cancel_requested_at.is_some());
    }

    /// What someone else fulfils has left, as far as there were units to leave.
    fn elsewhere_is_not_shipped(&self) {
        for (index, line) in self.record.lines.iter().enumerate() {
            if !matches!(line.owner, Owner::Supplier { .. }) || line.excluded > 0 {
                continue;
            }
            let foreign = self.remote.fulfillments.iter().filter(|made| made.active && is_foreign(made));
            let foreign: u32 = foreign
                .flat_map(|made| &made.lines)
                .filter(|told| told.line == line.id)
                .map(|told| told.quantity)
                .sum();
            let known = line.elsewhere_before + line.elsewhere_after;
            let free = plan::units::available(&self.record, index, plan::units::Scope::Any);
            assert!(known == foreign || (known < foreign && free == 0), "{foreign} elsewhere: {line:?}");
        }
    }

    fn holds_together(&self) {
        for line in &self.record.lines {
            assert!(line.by_hand <= line.ordered, "{line:?}");
        }
        let split = self.record.alerts.iter().any(|alert| alert.code == "split-on-channel");
        assert!(!split || self.split_there, "our own doings are no split of the merchant's");
        assert_eq!(self.record.check(), Ok(()));
        assert_eq!(self.record.audit(), Vec::<String>::new());
        let mut again = self.record.clone();
        assert!(!plan::reconcile(&mut again, &self.policy, self.now), "reconcile is a fixpoint");
        assert_eq!(again, self.record);
        let written = serde_json::to_string(&self.record).expect("a record can be written");
        let read: Record = serde_json::from_str(&written).expect("a record can be read");
        assert_eq!(read, self.record);
        let mut keys: Vec<&str> = self.record.writes.iter().map(|write| write.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), self.record.writes.len(), "a key was used twice");
    }

    /// Time passes, the channel answers, and nothing else happens any more.
    fn come_to_rest(&mut self) {
        self.policy.shadow = false;
        for _ in 0..400 {
            self.now += chrono::TimeDelta::hours(2);
            plan::reconcile(&mut self.record, &self.policy, self.now);
            plan::absorb(&mut self.record, self.remote.order(), &self.policy, self.now);
            if !deliver(&mut self.record, &mut self.remote, &self.policy, self.now, Fault::None) {
                break;
            }
        }
        plan::absorb(&mut self.record, self.remote.order(), &self.policy, self.now);
        assert!(
            self.record.writes.iter().all(|write| !write.state.is_owed()),
            "something is owed for ever: {:#?}",
            self.record.writes
        );
    }

    /// Every live parcel is on the channel exactly once, with its lines and number; nothing else of ours is.
    fn channel_agrees(&self) {
        let stuck = self
            .record
            .writes
            .iter()
            .any(|write| matches!(write.state, WriteState::Parked { .. }) || write.given_up);
        let mut told: Vec<(Option<String>, Vec<LineQuantity>)> = Vec::new();
        for made in self.remote.fulfillments.iter().filter(|made| made.active && !is_foreign(made)) {
            let number = made.tracking.first().and_then(|tracking| tracking.number.clone());
            match told.iter_mut().find(|(known, _)| *known == number) {
                Some((_, lines)) => lines.extend(made.lines.iter().cloned()),
                None => told.push((number, made.lines.clone())),
            }
        }
        let mut wanted: Vec<(Option<String>, Vec<LineQuantity>)> = self
            .record
            .shipments
            .iter()
            .filter(|parcel| parcel.voided_at.is_none() && !parcel.to_tell().is_empty())
            .map(|parcel| (parcel.tracking.number.clone(), parcel.to_tell()))
            .collect();
        for (_, lines) in told.iter_mut().chain(&mut wanted) {
            lines.sort();
        }
        told.sort();
        wanted.sort();
        if stuck || self.tampered {
            // What a person must decide may be missing or stand there too long, but no unit is told twice.
            for line in &self.remote.lines {
                assert!(self.remote.fulfilled(&line.id) <= line.wanted, "told more than was ordered");
            }
        } else {
            assert_eq!(told, wanted, "{:#?}", self.record.writes);
        }
    }
}

fn is_foreign(made: &sdk::RemoteFulfillment) -> bool {
    made.tracking.first().and_then(|tracking| tracking.number.as_deref()) == Some("FOREIGN")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_history_balances_and_comes_to_rest(
        ops in proptest::collection::vec(op(), 1..60),
        units in proptest::collection::vec(1..5u32, 4),
        kits in any::<bool>(),
        lines_a_call in prop_oneof![Just(usize::MAX), Just(1usize)],
        coarse in any::<bool>(),
        grouped in any::<bool>(),
    ) {
        let skus = if kits { ["KIT", "A7", "other", "KIT"] } else { ["A7", "ALIAS", "other", "A8"] };
        let lines: Vec<(&str, u32)> = skus.into_iter().zip(units).collect();
        let mut world = World::new(&lines, lines_a_call);
        (world.remote.coarse, world.remote.grouped, world.policy.mirror_splits) = (coarse, grouped, grouped);
        world.holds_together();
        for op in &ops {
            world.act(op);
            world.holds_together();
        }
        world.come_to_rest();
        world.holds_together();
        world.channel_agrees();
        prop_assert!(!world.record.alerts.iter().any(|alert| alert.code == "duplicate-fulfillment"));
        world.touches_ours_alone();
    }

    /// Requests whose connection was lost arrive when everybody has given them up. Then a duplicate can be there, or
    /// what was voided: a person is told, and no unit is told twice.
    #[test]
    fn late_requests_double_no_unit_and_are_reported(
        ops in proptest::collection::vec(prop_oneof![5 => op(), 1 => Just(Op::Deliver(Fault::Late))], 1..60),
        units in proptest::collection::vec(1..5u32, 4),
        kits in any::<bool>(),
    ) {
        let skus = if kits { ["KIT", "A7", "other", "KIT"] } else { ["A7", "ALIAS", "other", "A8"] };
        let lines: Vec<(&str, u32)> = skus.into_iter().zip(units).collect();
        let mut world = World::new(&lines, usize::MAX);
        for op in ops.iter().filter(|op| !matches!(op, Op::Tamper(..))) {
            world.act(op);
            world.holds_together();
        }
        world.act(&Op::Arrive);
        world.come_to_rest();
        world.holds_together();
        for line in &world.remote.lines {
            prop_assert!(world.remote.fulfilled(&line.id) <= line.wanted.max(world.record.line(&line.id).map_or(0, |line| line.ordered)));
        }
        let claimed = |id: &sdk::RemoteId| {
            world.record.writes.iter().flat_map(|write| &write.made).any(|made| made.id == *id)
        };
        let stray = world.remote.fulfillments.iter().any(|made| made.active && !is_foreign(made) && !claimed(&made.id));
        let told = world.record.alerts.iter().any(|alert| alert.code == "duplicate-fulfillment");
        prop_assert!(!stray || told, "{:#?}\n{:#?}", world.remote.fulfillments, world.record.writes);
        world.touches_ours_alone();
    }

    /// A channel that can be told and not be asked: it knows a request by its key, and takes nothing back by itself.
    #[test]
    fn a_channel_that_tells_an_order_once_is_told_each_parcel_once(
        ops in proptest::collection::vec(op(), 1..60),
        units in proptest::collection::vec(1..5u32, 3),
    ) {
        let lines: Vec<(&str, u32)> = ["KIT", "A7", "other"].into_iter().zip(units).collect();
        let mut world = World::new(&lines, usize::MAX);
        world.remote.keyed = true;
        let can = &mut world.policy.capabilities;
        (can.finds_fulfillments, can.voids, can.sees_edits, can.order_by_id) = (false, false, false, false);
        (can.void_notices, can.answers_cancellations, can.sees_partial_cancellations) = (true, false, false);
        let alone = |op: &&Op| {
            !matches!(
                op,
                Op::EditTo(..)
                    | Op::CancelAll(_)
                    | Op::Foreign(..)
                    | Op::Unforeign
                    | Op::Ask(..)
                    | Op::Withdraw
                    | Op::Refund(..)
                    | Op::SendBack(..)
                    | Op::Tamper(..)
                    | Op::SplitThere(..)
                    | Op::Replay
            )
        };
        for op in ops.iter().filter(alone) {
            world.act(op);
            world.holds_together();
        }
        world.come_to_rest();
        world.holds_together();
        world.channel_agrees();
        world.touches_ours_alone();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// A channel that can be asked and takes nothing back: a parcel of the same units takes the voided one's place,
    /// and whatever else happens, no unit is told twice and nothing goes on for ever.
    #[test]
    fn a_channel_that_takes_nothing_back_is_told_no_unit_twice(
        ops in proptest::collection::vec(op(), 1..60),
        units in proptest::collection::vec(1..5u32, 3),
        lines_a_call in prop_oneof![Just(usize::MAX), Just(1usize)],
    ) {
        let lines: Vec<(&str, u32)> = ["KIT", "A7", "other"].into_iter().zip(units).collect();
        let mut world = World::new(&lines, lines_a_call);
        (world.policy.capabilities.voids, world.policy.capabilities.answers_cancellations) = (false, false);
        for op in ops.iter().filter(|op| !matches!(op, Op::Ask(..))) {
            world.act(op);
            world.holds_together();
        }
        world.come_to_rest();
        world.holds_together();
        for line in &world.remote.lines {
            prop_assert!(world.remote.fulfilled(&line.id) <= line.wanted, "told more than was ordered");
        }
        prop_assert!(world.record.writes.iter().all(|write| write.kind != WriteKind::Void));
        let shown: Vec<_> = world.record.writes.iter().flat_map(|write| &write.made).map(|made| &made.id).collect();
        let mut once = shown.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), shown.len(), "a fulfillment is claimed twice");
        world.touches_ours_alone();
    }
}

impl World {
    fn touches_ours_alone(&self) {
        let other = &self.remote.lines.iter().find(|line| line.sku == "other").expect("placed").id;
        let mut touched = self.remote.fulfillments.iter().filter(|made| !is_foreign(made));
        assert!(
            touched.all(|made| made.lines.iter().all(|line| line.line != *other)),
            "a line not ours was written"
        );
    }
}

/// `PORTALD_CASES` asks for more than a test run has time for.
fn cases() -> u32 {
    std::env::var("PORTALD_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}
