//! The cases that the design settles by name.

use portald::{
    outbox::{WriteKind, WriteState},
    plan::{
        self,
        command::{
            self, AddedLine, Ask, Book, Command, LineAmount, Parcel, RefusedKind, Setting, TrackingChange,
        },
        delivery::{self, Outcome, Step},
    },
    policy::{Policies, Policy},
    record::{GateName, Record, Status},
};
use sdk::{Error, ErrorKind, LineQuantity, OrderState, Payment, RemoteId, Timestamp};

use super::model::{Fault, Remote, ask, at, command, deliver, import, policy};

fn ups(number: &str, lines: &[(&str, u32)]) -> Command {
    Command::Ship(Parcel {
        carrier: Some("UPS".to_owned()),
        tracking: Some(number.to_owned()),
        lines: amounts(lines),
        ..Parcel::default()
    })
}

fn amounts(lines: &[(&str, u32)]) -> Vec<LineAmount> {
    lines.iter().map(|(id, quantity)| LineAmount { id: (*id).to_owned(), quantity: *quantity }).collect()
}

fn settled(lines: &[(&str, u32)]) -> (Remote, Record, Policy, Timestamp) {
    let (remote, policy, now) = (Remote::new(lines), policy(), at(0));
    let record = import(&remote, &policy, now);
    (remote, record, policy, now)
}

fn quiet(remote: &mut Remote, record: &mut Record, policy: &Policy, mut now: Timestamp) -> Timestamp {
    for _ in 0..50 {
        now += chrono::TimeDelta::hours(2);
        if !deliver(record, remote, policy, now, Fault::None) {
            return now;
        }
    }
    panic!("writes are owed for ever: {:#?}", record.writes);
}

fn kinds(record: &Record) -> Vec<(WriteKind, u32, bool)> {
    record.writes.iter().map(|write| (write.kind, write.revision, write.state.is_owed())).collect()
}

fn status(record: &Record, n: u32) -> Status {
    record.status(record.order(n).expect("the order is there"))
}

#[test]
fn only_our_lines_reach_the_supplier_and_a_kit_by_its_parts() {
    let (_, record, ..) = settled(&[("KIT", 3), ("other", 5), ("ALIAS", 1), ("A7", 2)]);
    let order = record.order(1).expect("ours");
    let lines: Vec<(&str, u32)> = order.lines.iter().map(|line| (line.sku.as_str(), line.routed)).collect();
    assert_eq!(lines, [("A1", 6), ("B2", 3), ("C3", 1), ("A7", 2)]);
    assert_eq!(status(&record, 1), Status::Open);
    assert_eq!(record.lines[1].not_ours, 5);
}

#[test]
fn a_kit_is_told_when_its_last_part_leaves_with_every_parcel_of_it() {
    let (mut remote, mut record, policy, now) = settled(&[("KIT", 1)]);
    command(&mut record, 1, ups("T1", &[("l1", 2)]), &policy, now).expect("two of A1");
    assert!(record.writes.is_empty(), "nothing whole to tell yet");
    assert_eq!(status(&record, 1), Status::PartlyShipped);
    command(&mut record, 1, ups("T2", &[]), &policy, now).expect("the rest");
    quiet(&mut remote, &mut record, &policy, now);
    let [write] = record.writes.as_slice() else { panic!("one write: {:?}", record.writes) };
    assert_eq!(write.lines, [LineQuantity { line: RemoteId::from("100"), quantity: 1 }]);
    assert_eq!(write.tracking.number.as_deref(), Some("T2"));
    assert_eq!(write.tracking.others.iter().map(|other| other.number.as_str()).collect::<Vec<_>>(), ["T1"]);
    assert_eq!(status(&record, 1), Status::Shipped);
}

#[test]
fn each_gate_holds_with_its_reason_and_opens() {
    let gate = |change: &dyn Fn(&mut Remote, &mut Policy)| {
        let (mut remote, mut policy) = (Remote::new(&[("A7", 1)]), policy());
        change(&mut remote, &mut policy);
        let record = import(&remote, &policy, at(0));
        let status = record.orders.first().map(|order| record.status(order));
        (status, record.gates.iter().map(|gate| gate.name).collect::<Vec<_>>(), record)
    };
    let held = Some(Status::Held);
    let (status, gates, _) = gate(&|remote, _| remote.payment = Payment::Unpaid("PENDING".to_owned()));
    assert_eq!((status, gates), (held, vec![GateName::Payment]));
    let (status, gates, record) = gate(&|remote, _| remote.payment = Payment::Unknown("MOON".to_owned()));
    assert_eq!((status, gates), (held, vec![GateName::UnknownPayment]));
    assert!(record.gates[0].why.contains("MOON"));
    let (status, gates, _) = gate(&|remote, _| remote.holds.push("fraud".to_owned()));
    assert_eq!((status, gates), (held, vec![GateName::ChannelHold]));
    let (status, gates, record) = gate(&|_, policy| policy.settle = std::time::Duration::from_secs(900));
    assert_eq!((status, gates), (held, vec![GateName::Settle]));
    assert_eq!(record.next_wake(), Some(at(300)), "placed ten minutes ago, settles for fifteen");
    let (status, gates, record) = gate(&|_, policy| policy.since = at(0));
    assert_eq!((status, gates.len()), (None, 0), "before the cut-over nothing is routed");
    assert!(record.excluded.is_some());
    assert_eq!(record.lines[0].excluded, 1);
}

#[test]
fn an_overridden_gate_stays_open_and_a_plain_release_lifts_only_our_hold() {
    let (mut remote, _, policy, now) = settled(&[("A7", 1)]);
    remote.payment = Payment::Unpaid("PENDING".to_owned());
    let mut record = import(&remote, &policy, now);
    let refused = command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect_err("not paid");
    assert_eq!((refused.kind, refused.code), (RefusedKind::Conflict, "gated"));
    assert!(refused.message.contains("--override payment"), "{refused}");
    assert!(command(&mut record, 1, Command::Release { overrides: vec![] }, &policy, now).is_err());
    let overrides = vec![GateName::Payment];
    command(&mut record, 1, Command::Release { overrides }, &policy, now).expect("overridden");
    assert_eq!(status(&record, 1), Status::Open);
    command(&mut record, 1, Command::Hold { reason: "no stock".to_owned() }, &policy, now).expect("held");
    assert_eq!(status(&record, 1), Status::Held);
    command(&mut record, 1, Command::Release { overrides: vec![] }, &policy, now).expect("released");
    assert_eq!(status(&record, 1), Status::Open);
}

#[test]
fn a_void_before_it_was_sent_drops_both_and_after_it_takes_back() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    let void = |n: &str| Command::Void { shipment: n.to_owned(), reason: "wrong box".to_owned() };
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    command(&mut record, 1, void("p1"), &policy, now).expect("voided");
    assert_eq!(kinds(&record), [(WriteKind::Create, 1, false)]);
    command(&mut record, 1, ups("T2", &[]), &policy, now).expect("shipped again");
    let now = quiet(&mut remote, &mut record, &policy, now);
    command(&mut record, 1, void("p2"), &policy, now).expect("voided");
    quiet(&mut remote, &mut record, &policy, now);
    assert!(remote.fulfillments.iter().all(|made| !made.active));
    assert_eq!(remote.fulfillments.len(), 1, "the first parcel never reached the channel");
    assert_eq!(status(&record, 1), Status::InWork);
}

#[test]
fn a_correction_during_an_unknown_outcome_follows_it_and_the_customer_hears_once() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    deliver(&mut record, &mut remote, &policy, now, Fault::LostAfter);
    let change = TrackingChange { tracking: Some("T9".to_owned()), ..TrackingChange::default() };
    command(&mut record, 1, Command::Track { shipment: "p1".to_owned(), change }, &policy, now)
        .expect("corrected");
    assert!(!deliver(&mut record, &mut remote, &policy, now, Fault::None), "not before the wait is over");
    quiet(&mut remote, &mut record, &policy, now);
    assert_eq!(remote.fulfillments.len(), 1);
    assert_eq!(remote.fulfillments[0].tracking[0].number.as_deref(), Some("T9"));
    let told: Vec<bool> = record.writes.iter().map(|write| write.notify).collect();
    assert_eq!(told, [true, true], "the parcel once, and its new number once");
}

#[test]
fn a_request_that_comes_late_is_found_and_not_copied() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    deliver(&mut record, &mut remote, &policy, now, Fault::LostBefore);
    let now = quiet(&mut remote, &mut record, &policy, now);
    // The channel oversells its own order: the lost request is applied after all.
    remote.lines[0].wanted = 4;
    remote.fulfill(vec![LineQuantity { line: RemoteId::from("100"), quantity: 2 }], Some("T1"));
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert!(record.alerts.iter().any(|alert| alert.code == "duplicate-fulfillment"), "{:?}", record.alerts);
    assert_eq!(record.lines[0].elsewhere_after, 0);
}

#[test]
fn a_key_repeats_its_answer_and_a_version_guards() {
    let (_, mut record, policy, now) = settled(&[("A7", 3)]);
    let first = Ask { command: ups("T1", &[("l1", 1)]), key: Some("k".to_owned()), if_match: None };
    let answer = ask(&mut record, 1, first.clone(), &policy, now).expect("shipped");
    let again =
        ask(&mut record, 1, first.clone(), &policy, now + chrono::TimeDelta::days(9)).expect("the same");
    assert_eq!(answer.warnings, again.warnings);
    assert_eq!(record.shipments.len(), 1);
    let other = Ask { command: ups("T2", &[("l1", 1)]), ..first };
    assert_eq!(ask(&mut record, 1, other, &policy, now).expect_err("other command").code, "idempotency-key");
    let stale = Ask { command: Command::Ack { force: false }, key: None, if_match: Some(record.version + 1) };
    assert_eq!(ask(&mut record, 1, stale, &policy, now).expect_err("stale").kind, RefusedKind::Stale);
}

#[test]
fn an_impossible_amount_is_refused_with_the_figures() {
    let (_, mut record, policy, now) = settled(&[("A7", 3)]);
    let before = record.clone();
    for (command_, code) in [
        (ups("T1", &[("l1", 4)]), "quantity"),
        (ups("T1", &[("l1", 2), ("l1", 2)]), "quantity"),
        (ups("T1", &[("l1", 0)]), "quantity"),
        (ups("T1", &[("l9", 1)]), "not-found"),
        (ups("T\u{7}1", &[]), "control-character"),
        (Command::Split { lines: amounts(&[("l1", 4)]) }, "quantity"),
        (Command::Split { lines: amounts(&[("l1", 3)]) }, "empty"),
        (Command::Void { shipment: "p1".to_owned(), reason: "x".to_owned() }, "not-found"),
        (Command::Ship(Parcel { warehouse: Some("moon".to_owned()), ..Parcel::default() }), "warehouse"),
        (Command::Ship(Parcel { shipped_at: Some("soon".to_owned()), ..Parcel::default() }), "shipped-at"),
        (
            Command::Ship(Parcel { tracking_url: Some("javascript:x".to_owned()), ..Parcel::default() }),
            "tracking-url",
        ),
        (
            Command::Edit { lines: vec![], add: vec![AddedLine { sku: " ".to_owned(), quantity: 1 }] },
            "missing",
        ),
        (Command::Unmerge, "not-merged"),
    ] {
        let refused = command(&mut record, 1, command_.clone(), &policy, now).expect_err("impossible");
        assert_eq!(refused.code, code, "{command_:?}: {refused}");
    }
    assert_eq!(record, before);
}

#[test]
fn an_edit_never_flows_and_what_is_missing_is_shown() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 3)]);
    let add = vec![AddedLine { sku: "GIFT".to_owned(), quantity: 1 }];
    let answer = command(&mut record, 1, Command::Edit { lines: amounts(&[("l1", 2)]), add }, &policy, now);
    assert!(answer.expect("edited").warnings[0].contains("still expects 1 unit more"));
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("all by our number");
    quiet(&mut remote, &mut record, &policy, now);
    let [made] = remote.fulfillments.as_slice() else { panic!("one parcel") };
    assert_eq!(made.lines, [LineQuantity { line: RemoteId::from("100"), quantity: 2 }]);
    assert_eq!(status(&record, 1), Status::PartlyShipped, "one is still owed");
}

#[test]
fn cancelled_units_ship_only_by_name_and_are_told() {
    let (mut remote, mut record, policy, now) = settled(&[("KIT", 2)]);
    remote.lines[0].wanted = 1;
    remote.touch();
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert_eq!((record.lines[0].routed, record.lines[0].cancelled_after), (2, 1));
    let refused =
        command(&mut record, 1, ups("T1", &[("l1", 4), ("l2", 2)]), &policy, now).expect_err("cancelled");
    assert_eq!(refused.code, "cancelled");
    let parcel = Parcel { lines: amounts(&[("l1", 4), ("l2", 2)]), after_cancel: true, ..Parcel::default() };
    command(&mut record, 1, Command::Ship(parcel), &policy, now).expect("it left");
    assert_eq!(record.lines[0].cancelled_after, 0);
    assert!(record.shipments[0].after_cancel);
    assert!(record.alerts.iter().any(|alert| alert.code == "shipped-after-cancel"));
    assert_eq!(record.check(), Ok(()));
    let void = Command::Void { shipment: "p1".to_owned(), reason: "found it".to_owned() };
    command(&mut record, 1, void, &policy, now).expect("back");
    assert_eq!(record.lines[0].cancelled_after, 1, "what was cancelled is cancelled again");
}

#[test]
fn a_cancellation_after_hand_off_is_a_request_that_shipping_all_leaves_out() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 3)]);
    command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect("in work");
    remote.lines[0].wanted = 2;
    remote.touch();
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert_eq!(record.lines[0].cancel_requested, 1);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("the rest");
    assert_eq!(record.shipments[0].lines[0].quantity, 2);
    remote.cancelled = true;
    remote.touch();
    let (_, mut fresh, ..) = settled(&[("A7", 3)]);
    plan::absorb(&mut fresh, remote.order(), &policy, now);
    assert_eq!(status(&fresh, 1), Status::Cancelled, "before hand-off at once");
    assert!(matches!(fresh.seen.state, OrderState::Cancelled { .. }));
}

#[test]
fn nothing_planned_in_shadow_is_ever_sent() {
    let (mut remote, _, mut policy, now) = settled(&[("A7", 3)]);
    policy.shadow = true;
    policy.mirror_splits = true;
    let mut record = import(&remote, &policy, now);
    assert_eq!(
        command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect_err("shadow").code,
        "shadow"
    );
    assert_eq!(command(&mut record, 1, ups("T1", &[]), &policy, now).expect_err("shadow").code, "shadow");
    command(&mut record, 1, Command::Split { lines: amounts(&[("l1", 1)]) }, &policy, now).expect("planned");
    assert_eq!(record.writes[0].state, WriteState::Shadow);
    policy.shadow = false;
    plan::reconcile(&mut record, &policy, now);
    let key = record.writes[0].key.clone();
    assert!(!deliver(&mut record, &mut remote, &policy, now, Fault::None));
    let retry = command(&mut record, 1, Command::RetryWrite { key }, &policy, now);
    assert_eq!(retry.expect_err("never").code, "shadow");
    assert_eq!(
        command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect_err("still").code,
        "shadow"
    );
}

#[test]
fn a_merchant_that_the_files_no_longer_name_waits() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 1)]);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    let gone = Policy::suspended("m", "shop");
    assert!(!deliver(&mut record, &mut remote, &gone, now, Fault::None));
    remote.payment = Payment::Unpaid("PENDING".to_owned());
    let mut held = import(&remote, &policy, now);
    held.seen.payment = Payment::Paid;
    plan::reconcile(&mut held, &gone, now);
    assert_eq!(held.lines[0].held, 1, "nothing new is routed");
}

#[test]
fn a_write_of_unknown_outcome_is_looked_for_though_the_files_did_not_name_the_merchant_meanwhile() {
    let lost = Outcome::Failed(Error::new(ErrorKind::Indeterminate, "write", "connection lost"));
    let gone = Policy::suspended("m", "shop");
    let told = |record: &Record| matches!(record.writes[0].state, WriteState::Done { .. });
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ups("T1", &[("l1", 1)]), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    let step = delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("sent");
    remote.perform(&step);
    delivery::finish(&mut record, &key, &lost, &gone, now, 0.5);
    quiet(&mut remote, &mut record, &policy, now);
    assert!(remote.fulfillments.len() == 1 && told(&record), "told once, and found");
    // And one that was parked, and is retried then.
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ups("T1", &[("l1", 1)]), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    let step = delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("sent");
    remote.perform(&step);
    let refused = Outcome::Failed(Error::new(ErrorKind::Rejected, "write", "a proxy says no"));
    delivery::finish(&mut record, &key, &refused, &policy, now, 0.5);
    command(&mut record, 1, Command::RetryWrite { key }, &gone, now).expect("retried");
    quiet(&mut remote, &mut record, &policy, now);
    assert!(remote.fulfillments.len() == 1 && told(&record), "told once, and found");
}

#[test]
fn what_was_taken_back_while_the_files_did_not_name_the_merchant_is_when_they_do() {
    // Whether the channel takes parcels back, and hears of it; whether the void is sent; whether a person is asked.
    for (voids, notices, sent, asked) in
        [(true, false, true, false), (false, true, true, true), (false, false, false, true)]
    {
        let (mut remote, mut record, mut policy, now) = settled(&[("A7", 1)]);
        (policy.capabilities.voids, policy.capabilities.void_notices) = (voids, notices);
        command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
        quiet(&mut remote, &mut record, &policy, now);
        let gone = Policy::suspended("m", "shop");
        let void = Command::Void { shipment: "p1".to_owned(), reason: "wrong box".to_owned() };
        command(&mut record, 1, void, &gone, now).expect("voided");
        assert!(!deliver(&mut record, &mut remote, &gone, now, Fault::None));
        assert!(record.alerts.is_empty(), "not known yet: {:?}", record.alerts);
        quiet(&mut remote, &mut record, &policy, now);
        assert_eq!(remote.fulfillments.iter().all(|made| !made.active), sent);
        let by_hand = record.alerts.iter().filter(|alert| alert.code == "void-by-hand").count();
        assert_eq!(by_hand, usize::from(asked));
        command(&mut record, 1, ups("T2", &[]), &policy, now).expect("shipped again");
        quiet(&mut remote, &mut record, &policy, now);
        assert_eq!(
            remote.fulfillments.iter().filter(|made| made.active).count(),
            1,
            "once, whatever it takes"
        );
    }
}

#[test]
fn a_channel_that_cannot_be_read_gets_the_same_write_again() {
    let (mut remote, mut record, mut policy, now) = settled(&[("A7", 1)]);
    policy.capabilities.finds_fulfillments = false;
    (policy.capabilities.voids, policy.capabilities.void_notices) = (false, true);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    let first = delivery::start(&mut record, &key, None, &policy, now).expect("sent");
    let lost = Outcome::Failed(Error::new(ErrorKind::Indeterminate, "write", "disk full"));
    delivery::finish(&mut record, &first_key(&first), &lost, &policy, now, 0.5);
    let void = Command::Void { shipment: "p1".to_owned(), reason: "wrong box".to_owned() };
    command(&mut record, 1, void, &policy, now).expect("voided");
    assert_eq!(kinds(&record), [(WriteKind::Create, 1, true), (WriteKind::Void, 1, true)]);
    let later = now + chrono::TimeDelta::hours(1);
    let again = delivery::start(&mut record, &key, None, &policy, later).expect("again");
    assert_eq!(first, again, "the same key, the same content");
    let outcome = remote.perform(&again);
    delivery::finish(&mut record, &first_key(&again), &outcome, &policy, later, 0.5);
    quiet(&mut remote, &mut record, &policy, later);
    assert!(remote.fulfillments.iter().all(|made| !made.active));
    let alert = record.alerts.iter().find(|alert| alert.code == "void-by-hand").expect("a person is asked");
    assert!(alert.text.contains(&format!("p1 of {}, tracking T1, was", record.id)), "{}", alert.text);
}

fn first_key(step: &Step) -> String {
    match step {
        Step::Push(request) => request.key.clone(),
        other => panic!("a push was expected: {other:?}"),
    }
}

#[test]
fn a_refusal_for_good_is_parked_and_a_person_decides() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ups("T1", &[]), &policy, now).expect("shipped");
    remote.lines[0].wanted = 1;
    deliver(&mut record, &mut remote, &policy, now, Fault::None);
    assert!(record.writes[0].state.is_parked());
    assert!(record.is_active(), "the sweep still asks for it");
    let key = record.writes[0].key.clone();
    remote.lines[0].wanted = 2;
    command(&mut record, 1, Command::RetryWrite { key: key.clone() }, &policy, now).expect("again");
    quiet(&mut remote, &mut record, &policy, now);
    assert_eq!(remote.fulfillments.len(), 1);
    let drop = Command::DropWrite { key, reason: "by hand".to_owned() };
    assert_eq!(command(&mut record, 1, drop, &policy, now).expect_err("done").code, "done");
}

#[test]
fn lines_of_the_merchant_are_routed_by_reimport_alone() {
    let (remote, mut record, mut policy, now) = settled(&[("other", 2), ("A7", 1)]);
    policy.catalogue = portald::plan::routing::Catalogue::new(
        &["A*".to_owned(), "other".to_owned()],
        std::collections::BTreeMap::new(),
        std::collections::BTreeMap::new(),
    )
    .expect("good");
    let mut order = remote.order();
    order.updated_at = Some(at(50));
    plan::absorb(&mut record, order, &policy, now);
    assert_eq!(record.lines[0].not_ours, 2, "decided is decided");
    command(&mut record, 1, Command::Reimport, &policy, now).expect("decided anew");
    assert_eq!((record.lines[0].not_ours, record.lines[0].routed), (0, 2));
    assert_eq!(record.order(1).expect("ours").lines.len(), 2);
}

#[test]
fn new_units_after_hand_off_are_new_work() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 1)]);
    command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect("in work");
    remote.lines[0].wanted = 3;
    remote.touch();
    plan::absorb(&mut record, remote.order(), &policy, now);
    let second = record.order(2).expect("a new order");
    assert_eq!((second.split_of, second.lines[0].routed), (Some(1), 2));
    assert_eq!(status(&record, 1), Status::InWork);
    assert_eq!(record.number(2), "#1001-2");
    assert_eq!(record.id.order(2), "m.shop.5001-2");
}

fn group() -> (Book, Policies, Remote) {
    let policy = policy();
    let mut second = Remote::new(&[("A9", 2)]);
    second.lines[0].id = RemoteId::from("200");
    let mut order = second.order();
    order.id = RemoteId::from("5002");
    let mut book = Book::new();
    for record in [import(&Remote::new(&[("A7", 1)]), &policy, at(0)), plan::import(order, &policy, at(0))] {
        book.insert(record.id.clone(), record);
    }
    let mut policies = Policies::default();
    policies.channels.insert(("m".to_owned(), "shop".to_owned()), std::sync::Arc::new(policy));
    (book, policies, second)
}

#[test]
fn a_group_ships_through_its_lead_each_order_with_its_own_parcel() {
    let (mut book, policies, _) = group();
    let setting = Setting { policies: &policies, now: at(0) };
    let ids = ["m.shop.5001".to_owned(), "m.shop.5002".to_owned()];
    command::merge(&mut book, &ids, None, None, setting).expect("one place");
    let (lead, follower) = {
        let mut ids = book.keys().cloned();
        (ids.next().expect("two"), ids.next().expect("two"))
    };
    let ship = Ask { command: ups("T1", &[]), key: None, if_match: None };
    let refused =
        command::apply(&mut book.clone(), &follower, 1, &ship, setting).expect_err("through the lead");
    assert!(refused.message.contains("m.shop.5001"), "{refused}");
    command::apply(&mut book, &lead, 1, &ship, setting).expect("both");
    for record in book.values() {
        assert_eq!(record.shipments.len(), 1);
        assert_eq!(record.shipments[0].tracking.number.as_deref(), Some("T1"));
        assert_eq!(record.writes.len(), 1);
        assert_eq!(status(record, 1), Status::Shipped);
    }
}

#[test]
fn a_group_is_one_merchants_and_one_places_and_dissolves_when_the_address_changes() {
    let (mut book, policies, mut second) = group();
    let setting = Setting { policies: &policies, now: at(0) };
    let ids = ["m.shop.5001".to_owned(), "m.shop.5002".to_owned()];
    let mut apart = book.clone();
    if let Some(record) = apart.values_mut().next_back() {
        record.seen.deliveries[0].ship_to.as_mut().expect("has one").city = "Ely".to_owned();
    }
    assert_eq!(
        command::merge(&mut apart, &ids, None, None, setting).expect_err("two places").code,
        "ship-to"
    );
    command::merge(&mut book, &ids, None, None, setting).expect("one place");
    assert_eq!(
        command::merge(&mut book.clone(), &ids, None, None, setting).expect_err("twice").code,
        "merged"
    );
    let policy = policy();
    second.city = "Ely".to_owned();
    second.touch();
    let mut order = second.order();
    order.id = RemoteId::from("5002");
    let (lead, follower) = (book.keys().next().cloned(), book.keys().next_back().cloned());
    let follower = book.get_mut(&follower.expect("two")).expect("there");
    plan::absorb(follower, order, &policy, at(1));
    assert_eq!(follower.orders[0].merged_into, None);
    let ship = Ask { command: ups("T1", &[]), key: None, if_match: None };
    let lead = lead.expect("two");
    let answer = command::apply(&mut book, &lead, 1, &ship, setting).expect("alone");
    assert!(answer.warnings.iter().any(|warning| warning.contains("left the ship-together group")));
    assert_eq!(book.values().filter(|record| record.shipments.is_empty()).count(), 1);
}

#[test]
fn an_edit_lets_nothing_out_from_behind_a_gate() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect("in work");
    remote.lines[0].wanted = 4;
    remote.holds.push("fraud".to_owned());
    remote.touch();
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert_eq!(record.lines[0].held, 2, "new work, behind the channel's hold");
    command(&mut record, 2, Command::Edit { lines: amounts(&[("l2", 3)]), add: vec![] }, &policy, now)
        .expect("edited");
    assert_eq!(command(&mut record, 2, ups("T1", &[]), &policy, now).expect_err("gated").code, "gated");
    assert_eq!(
        command(&mut record, 2, ups("T1", &[("l2", 1)]), &policy, now).expect_err("gated").code,
        "gated"
    );
    command(&mut record, 1, ups("T2", &[]), &policy, now).expect("what was released");
}
