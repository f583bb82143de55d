//! Rare orders of events, each of which once lost, doubled or misplaced something.

use portald::{
    outbox::WriteState,
    plan::{
        self,
        command::{self, Ask, Book, Command, LineAmount, Parcel, Setting, TrackingChange},
    },
    policy::{Policies, Policy},
    record::Record,
};
use sdk::{Error, ErrorKind, LineQuantity, RemoteId, Timestamp};

use super::model::{Fault, Remote, at, command, deliver, import, policy};

fn settled(lines: &[(&str, u32)]) -> (Remote, Record, Policy, Timestamp) {
    let (remote, policy, now) = (Remote::new(lines), policy(), at(0));
    let record = import(&remote, &policy, now);
    (remote, record, policy, now)
}

fn amounts(lines: &[(&str, u32)]) -> Vec<LineAmount> {
    lines.iter().map(|(id, quantity)| LineAmount { id: (*id).to_owned(), quantity: *quantity }).collect()
}

fn ship(number: &str, lines: &[(&str, u32)], after_cancel: bool) -> Command {
    let tracking = Some(number.to_owned());
    Command::Ship(Parcel {
        carrier: Some("UPS".to_owned()),
        tracking,
        after_cancel,
        lines: amounts(lines),
        ..Parcel::default()
    })
}

fn track(number: &str) -> Command {
    let change = TrackingChange { tracking: Some(number.to_owned()), ..TrackingChange::default() };
    Command::Track { shipment: "p1".to_owned(), change }
}

fn void() -> Command {
    Command::Void { shipment: "p1".to_owned(), reason: "wrong box".to_owned() }
}

fn want(remote: &mut Remote, record: &mut Record, units: u32, policy: &Policy, now: Timestamp) {
    remote.lines[0].wanted = units;
    remote.touch();
    plan::absorb(record, remote.order(), policy, now);
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

#[test]
fn a_number_that_was_tried_in_vain_and_replaced_is_told_when_it_comes_back() {
    for fault in [Fault::Refused, Fault::LostBefore] {
        let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
        command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
        let now = quiet(&mut remote, &mut record, &policy, now);
        command(&mut record, 1, track("T2"), &policy, now).expect("corrected");
        deliver(&mut record, &mut remote, &policy, now, fault);
        command(&mut record, 1, track("T3"), &policy, now).expect("corrected");
        command(&mut record, 1, track("T2"), &policy, now).expect("corrected back");
        quiet(&mut remote, &mut record, &policy, now);
        assert_eq!(remote.fulfillments[0].tracking[0].number.as_deref(), Some("T2"), "{fault:?}");
    }
}

#[test]
fn a_parcel_voided_while_its_refused_request_was_out_is_never_told() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    plan::delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("leaves");
    command(&mut record, 1, void(), &policy, now).expect("voided meanwhile");
    let refused = Error::new(ErrorKind::Unavailable, "push", "no connection");
    let outcome = plan::delivery::Outcome::Failed(refused);
    plan::delivery::finish(&mut record, &key, &outcome, &policy, now, 0.5);
    quiet(&mut remote, &mut record, &policy, now);
    assert!(remote.fulfillments.is_empty(), "the customer was told of a parcel that was taken back");
}

#[test]
fn a_parcel_over_two_locations_is_told_to_the_customer_once() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2), ("A8", 1)]);
    remote.lines_a_call = 1;
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let told = |record: &mut Record, remote: &mut Remote, now| {
        let mut told = Vec::new();
        while let Some(peek) = plan::delivery::peek(record, &policy, now) {
            let present = peek.look.then(|| remote.fulfillments.clone());
            let step = plan::delivery::start(record, &peek.key, present.as_deref(), &policy, now);
            let Some(step) = step else { continue };
            match &step {
                plan::delivery::Step::Push(request) => told.push(request.notify),
                plan::delivery::Step::Track(updates) => told.extend(updates.iter().map(|one| one.notify)),
                other => panic!("{other:?}"),
            }
            let outcome = remote.perform(&step);
            plan::delivery::finish(record, &peek.key, &outcome, &policy, now, 0.5);
        }
        told
    };
    assert_eq!(told(&mut record, &mut remote, now), [true, false]);
    command(&mut record, 1, track("T2"), &policy, now).expect("corrected");
    assert_eq!(told(&mut record, &mut remote, now), [true, false]);
    assert_eq!(remote.fulfillments.len(), 2);
}

#[test]
fn a_parked_parcel_that_a_late_request_made_is_taken_as_told() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    deliver(&mut record, &mut remote, &policy, now, Fault::LostBefore);
    let now = now + chrono::TimeDelta::minutes(2);
    let peek = plan::delivery::peek(&record, &policy, now).expect("due");
    let step = plan::delivery::start(&mut record, &peek.key, Some(&[]), &policy, now).expect("goes again");
    // The first request arrives now; the second finds nothing left to fulfil.
    remote.fulfill(vec![LineQuantity { line: RemoteId::from("100"), quantity: 2 }], Some("T1"));
    let outcome = remote.perform(&step);
    plan::delivery::finish(&mut record, &peek.key, &outcome, &policy, now, 0.5);
    assert!(record.writes[0].state.is_parked());
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert!(matches!(record.writes[0].state, WriteState::Done { .. }), "{:?}", record.writes[0].state);
    let duplicate = record.alerts.iter().any(|alert| alert.code == "duplicate-fulfillment");
    assert!(!duplicate, "it is there once: taking it back would lose it");
}

#[test]
fn what_a_person_told_by_hand_after_giving_a_write_up_is_no_duplicate() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ship("T1", &[("l1", 1)], false), &policy, now).expect("shipped");
    remote.lines[0].wanted = 0;
    deliver(&mut record, &mut remote, &policy, now, Fault::None);
    let key = record.writes[0].key.clone();
    let drop = Command::DropWrite { key, reason: "done by hand".to_owned() };
    command(&mut record, 1, drop, &policy, now).expect("given up");
    remote.lines[0].wanted = 2;
    remote.fulfill(vec![LineQuantity { line: RemoteId::from("100"), quantity: 1 }], Some("T1"));
    plan::absorb(&mut record, remote.order(), &policy, now);
    assert!(!record.alerts.iter().any(|alert| alert.code == "duplicate-fulfillment"), "{:?}", record.alerts);
    assert_eq!(record.lines[0].elsewhere_after, 0, "it is our parcel");
    assert_eq!(record.open_units(&record.lines[0]), 1);
}

#[test]
fn a_unit_reinstated_in_a_new_order_cannot_be_shipped_in_the_old_one_too() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 3)]);
    want(&mut remote, &mut record, 2, &policy, now);
    command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect("in work");
    want(&mut remote, &mut record, 3, &policy, now);
    assert_eq!(record.order(2).expect("new work").lines[0].routed, 1);
    let refused = command(&mut record, 1, ship("T1", &[("l1", 3)], true), &policy, now);
    assert_eq!(refused.expect_err("only two are left there").code, "quantity");
    assert_eq!(record.check(), Ok(()));
}

#[test]
fn a_cancelled_kit_unit_that_left_brings_no_second_one_back() {
    let (mut remote, mut record, policy, now) = settled(&[("KIT", 3)]);
    want(&mut remote, &mut record, 1, &policy, now);
    assert_eq!(record.lines[0].cancelled_after, 2);
    command(&mut record, 1, ship("T1", &[("l1", 4), ("l2", 2)], true), &policy, now).expect("two left");
    assert_eq!(record.lines[0].cancelled_after, 1, "one of the cancelled units left, not two");
}

#[test]
fn a_voided_parcels_units_are_under_the_request_again() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 3)]);
    command(&mut record, 1, Command::Ack { force: false }, &policy, now).expect("in work");
    want(&mut remote, &mut record, 2, &policy, now);
    command(&mut record, 1, ship("T1", &[("l1", 3)], false), &policy, now).expect("a fact");
    remote.city = "Ely".to_owned();
    want(&mut remote, &mut record, 2, &policy, now);
    assert_eq!(record.lines[0].cancel_requested, 0, "it has left");
    command(&mut record, 1, void(), &policy, now).expect("voided");
    command(&mut record, 1, ship("T2", &[], false), &policy, now).expect("all but what is asked back");
    assert_eq!(record.shipments[1].lines[0].quantity, 2);
}

#[test]
fn a_follower_ships_alone_once_its_leads_address_changed() {
    let policy = policy();
    let mut first = Remote::new(&[("A7", 1)]);
    let mut second = Remote::new(&[("A9", 2)]).order();
    second.id = RemoteId::from("5002");
    second.lines[0].id = RemoteId::from("200");
    let mut book = Book::new();
    for record in [import(&first, &policy, at(0)), plan::import(second, &policy, at(0))] {
        book.insert(record.id.clone(), record);
    }
    let mut policies = Policies::default();
    let key = ("m".to_owned(), "shop".to_owned());
    policies.channels.insert(key, std::sync::Arc::new(policy.clone()));
    let setting = Setting { policies: &policies, now: at(1) };
    let ids = ["m.shop.5001".to_owned(), "m.shop.5002".to_owned()];
    command::merge(&mut book, &ids, None, None, setting).expect("one place");
    let (lead, follower) =
        (portald::record::RecordId(ids[0].clone()), portald::record::RecordId(ids[1].clone()));
    first.city = "Ely".to_owned();
    first.touch();
    plan::absorb(book.get_mut(&lead).expect("there"), first.order(), &policy, at(1));
    let asked = Ask { command: ship("T1", &[], false), key: None, if_match: None };
    // The book that the ledger would bring.
    let mut reached = Book::from([(follower.clone(), book[&follower].clone())]);
    for id in command::reach(&book[&follower], 1, &asked.command) {
        reached.insert(id.clone(), book[&id].clone());
    }
    command::apply(&mut reached, &follower, 1, &asked, setting).expect("the group is no more");
    assert_eq!(reached[&follower].orders[0].merged_into, None);
    assert_eq!(reached[&follower].shipments.len(), 1);
}

#[test]
fn no_wait_that_a_channel_asks_for_is_longer_than_the_cap() {
    let (_, mut record, policy, now) = settled(&[("A7", 1)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    plan::delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("leaves");
    let years = std::time::Duration::from_secs(1_000_000_000);
    let error = Error::new(ErrorKind::RateLimited, "push", "later").after(Some(years));
    let outcome = plan::delivery::Outcome::Failed(error);
    plan::delivery::finish(&mut record, &key, &outcome, &policy, now, 0.5);
    assert!(record.writes[0].next_at <= now + chrono::TimeDelta::hours(1), "{}", record.writes[0].next_at);
}

#[test]
fn a_clock_that_was_ahead_does_not_put_a_write_off_for_years() {
    let (_, mut record, policy, now) = settled(&[("A7", 1)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now + chrono::TimeDelta::days(400))
        .expect("shipped");
    plan::reconcile(&mut record, &policy, now);
    assert!(record.writes[0].next_at <= now + chrono::TimeDelta::hours(1), "{}", record.writes[0].next_at);
}

#[test]
fn what_the_channel_was_told_is_not_changed_in_shadow_where_it_could_not_be_told() {
    let (mut remote, mut record, mut policy, now) = settled(&[("A7", 1)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let now = quiet(&mut remote, &mut record, &policy, now);
    policy.shadow = true;
    for what in [void(), track("T2")] {
        assert_eq!(command(&mut record, 1, what, &policy, now).expect_err("never told").code, "shadow");
    }
}

#[test]
fn a_correction_of_a_parcel_that_nobody_knows_of_waits_for_a_person() {
    let (_, mut record, policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    plan::delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("leaves, and the daemon dies");
    command(&mut record, 1, track("T2"), &policy, now).expect("corrected");
    let gone = plan::delivery::Outcome::LookFailed(Error::new(ErrorKind::NotFound, "find", "no such order"));
    plan::delivery::finish(&mut record, &key, &gone, &policy, now, 0.5);
    assert!(record.writes[0].state.is_parked());
    for _ in 0..5 {
        let Some(peek) = plan::delivery::peek(&record, &policy, now) else { break };
        plan::delivery::start(&mut record, &peek.key, Some(&[]), &policy, now);
    }
    assert_eq!(plan::delivery::peek(&record, &policy, now), None, "it comes to rest");
    assert!(record.writes.len() <= 2, "the record grows: {:#?}", record.writes);
}

#[test]
fn a_correction_reaches_the_location_that_was_told_after_it() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2), ("A8", 1)]);
    remote.lines_a_call = 1;
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    deliver(&mut record, &mut remote, &policy, now, Fault::None);
    let key = record.writes[0].key.clone();
    let drop = Command::DropWrite { key: key.clone(), reason: "wait".to_owned() };
    command(&mut record, 1, drop, &policy, now).expect("its second half is given up");
    command(&mut record, 1, track("T2"), &policy, now).expect("corrected");
    let now = quiet(&mut remote, &mut record, &policy, now);
    command(&mut record, 1, Command::RetryWrite { key }, &policy, now).expect("after all");
    quiet(&mut remote, &mut record, &policy, now);
    assert_eq!(remote.fulfillments.len(), 2);
    assert!(remote.fulfillments.iter().all(|made| made.tracking[0].number.as_deref() == Some("T2")));
}

#[test]
fn an_edit_does_not_carry_a_held_unit_past_its_gate() {
    let (mut remote, mut record, policy, now) = settled(&[("A7", 2)]);
    remote.payment = sdk::Payment::Unpaid("PENDING".to_owned());
    want(&mut remote, &mut record, 3, &policy, now);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("the two that are routed");
    let edit = Command::Edit { lines: amounts(&[("l2", 2)]), add: Vec::new() };
    command(&mut record, 2, edit, &policy, now).expect("the supplier's own number");
    let refused = command(&mut record, 2, ship("T2", &[], false), &policy, now).expect_err("not paid");
    assert_eq!(refused.code, "gated");
    assert_eq!(record.check(), Ok(()));
}

#[test]
fn a_parcel_of_live_times_is_told_after_a_time_in_shadow() {
    let (mut remote, mut record, mut policy, now) = settled(&[("A7", 2)]);
    command(&mut record, 1, ship("T1", &[], false), &policy, now).expect("shipped");
    let key = record.writes[0].key.clone();
    plan::delivery::start(&mut record, &key, Some(&[]), &policy, now).expect("leaves");
    command(&mut record, 1, track("T2"), &policy, now).expect("corrected meanwhile");
    policy.shadow = true;
    let refused = Error::new(ErrorKind::Unavailable, "push", "no connection");
    let outcome = plan::delivery::Outcome::Failed(refused);
    plan::delivery::finish(&mut record, &key, &outcome, &policy, now, 0.5);
    policy.shadow = false;
    plan::reconcile(&mut record, &policy, now);
    quiet(&mut remote, &mut record, &policy, now);
    assert_eq!(remote.fulfillments[0].tracking[0].number.as_deref(), Some("T2"));
}

/// Found by the simulation (seed 1058): a correction that came late lay over a newer one, and the customer kept the old
/// number.
#[test]
fn a_late_correction_that_lies_over_the_present_one_is_told_over() {
    let (mut remote, policy, mut now) = (Remote::new(&[("A1", 2)]), policy(), at(0));
    let mut record = import(&remote, &policy, now);
    command(&mut record, 1, ship("1Z1", &[], false), &policy, now).expect("shipped");
    now = quiet(&mut remote, &mut record, &policy, now);
    for number in ["1Z2", "1Z3"] {
        command(&mut record, 1, track(number), &policy, now).expect("corrected");
        now = quiet(&mut remote, &mut record, &policy, now);
    }
    let look = |remote: &mut Remote, record: &mut Record, now| {
        remote.touch();
        plan::absorb(record, remote.order(), &policy, now);
        plan::retell(record, now, &policy, now);
    };
    let shown = |remote: &Remote| remote.fulfillments[0].tracking[0].number.clone();
    let lay = |remote: &mut Remote, number: &str| {
        remote.fulfillments[0].tracking[0].number = Some(number.to_owned());
    };
    for round in 1..=4 {
        lay(&mut remote, "1Z2");
        now += chrono::TimeDelta::minutes(5);
        look(&mut remote, &mut record, now);
        now = quiet(&mut remote, &mut record, &policy, now);
        // After three times it is a person's.
        let expected = if round < 4 { "1Z3" } else { "1Z2" };
        assert_eq!(shown(&remote).as_deref(), Some(expected), "round {round}");
    }
    assert!(record.alerts.iter().any(|alert| alert.code == "tracking-kept"), "{:?}", record.alerts);

    // A number that we never told is the merchant's own word, and stays.
    let mut other = import(&remote, &policy, now);
    lay(&mut remote, "MERCHANT");
    look(&mut remote, &mut other, now);
    assert!(!deliver(&mut other, &mut remote, &policy, now, Fault::None));
}
