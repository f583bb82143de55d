//! Ship-together groups: a cancellation is its own order's alone.

use std::sync::Arc;

use portald::{
    plan::{
        self,
        command::{self, Ask, Book, Command, Parcel, Setting},
    },
    policy::Policies,
    record::{Record, RecordId},
};
use sdk::{Order, RemoteId};

use super::super::model::{Remote, at, import, policy};

struct Group {
    book: Book,
    policies: Policies,
    second: Remote,
}

fn order(second: &Remote) -> Order {
    Order { id: RemoteId::from("5002"), ..second.order() }
}

/// An order of one `A7`, and one of three `A9` that ships with it.
fn group() -> Group {
    let policy = policy();
    let mut second = Remote::new(&[("A9", 3)]);
    second.lines[0].id = RemoteId::from("200");
    let records =
        [import(&Remote::new(&[("A7", 1)]), &policy, at(0)), plan::import(order(&second), &policy, at(0))];
    let book = records.into_iter().map(|record| (record.id.clone(), record)).collect();
    let mut policies = Policies::default();
    policies.channels.insert(("m".to_owned(), "shop".to_owned()), Arc::new(policy));
    let mut group = Group { book, policies, second };
    let ids = ["m.shop.5001".to_owned(), "m.shop.5002".to_owned()];
    let setting = Setting { policies: &group.policies, now: at(0) };
    command::merge(&mut group.book, &ids, None, None, setting).expect("one place");
    group
}

impl Group {
    fn record(&self, id: &str) -> &Record {
        &self.book[&RecordId(format!("m.shop.{id}"))]
    }

    fn pull(&mut self) {
        let policy = policy();
        let record = self.book.get_mut(&RecordId("m.shop.5002".to_owned())).expect("there");
        plan::absorb(record, order(&self.second), &policy, at(1));
    }

    fn tell(&mut self, id: &str, command: Command) -> Result<Vec<String>, command::Refused> {
        let ask = Ask { command, key: None, if_match: None };
        let id = RecordId(format!("m.shop.{id}"));
        let setting = Setting { policies: &self.policies, now: at(2) };
        let mut book = self.book.clone();
        let answer = command::apply(&mut book, &id, 1, &ask, setting)?;
        self.book = book;
        Ok(answer.warnings)
    }
}

fn parcel(after_cancel: bool) -> Command {
    Command::Ship(Parcel { tracking: Some("T1".to_owned()), after_cancel, ..Parcel::default() })
}

#[test]
fn the_lead_ships_without_the_cancelled_follower() {
    let mut group = group();
    group.second.cancelled = true;
    group.second.touch();
    group.pull();
    assert_eq!(group.record("5001").shipments.len(), 0);
    let warnings = group.tell("5001", parcel(false)).expect("the lead's own");
    assert!(
        warnings.iter().any(|warning| warning.contains("m.shop.5002 is not in this parcel")),
        "{warnings:?}"
    );
    assert_eq!((group.record("5001").shipments.len(), group.record("5002").shipments.len()), (1, 0));
    assert_eq!(group.record("5002").lines[0].cancelled_after, 3);
}

#[test]
fn a_cancelled_unit_of_a_follower_stays_out_of_the_groups_parcel() {
    let mut group = group();
    group.second.lines[0].wanted = 1;
    group.second.touch();
    group.pull();
    group.tell("5001", parcel(false)).expect("both");
    assert_eq!(group.record("5002").shipments[0].lines[0].quantity, 1);
    assert_eq!(group.record("5002").lines[0].cancelled_after, 2);
}

#[test]
fn a_request_on_a_follower_in_work_stays_out_too() {
    let mut group = group();
    group.tell("5002", Command::Ack { force: false }).expect("in work");
    group.second.lines[0].wanted = 2;
    group.second.touch();
    group.pull();
    assert_eq!(group.record("5002").lines[0].cancel_requested, 1);
    group.tell("5001", parcel(false)).expect("both");
    assert_eq!(group.record("5002").shipments[0].lines[0].quantity, 2);
    group.tell("5002", Command::AcceptCancel { lines: Vec::new() }).expect("by itself");
    assert_eq!(group.record("5002").lines[0].cancelled_after, 1);
}

#[test]
fn a_cancelled_lead_leads_still() {
    let mut group = group();
    let by = portald::plan::cancellation::By::Supplier;
    group.tell("5001", Command::Cancel { by, reason: None, lines: Vec::new() }).expect("cannot fulfil");
    let warnings = group.tell("5001", parcel(false)).expect("the follower's parcel");
    assert!(
        warnings.iter().any(|warning| warning.contains("m.shop.5001 is not in this parcel")),
        "{warnings:?}"
    );
    assert_eq!((group.record("5001").shipments.len(), group.record("5002").shipments.len()), (0, 1));
    assert_eq!(group.record("5001").lines[0].by_hand, 1);
}

#[test]
fn a_word_about_the_whole_parcel_ships_no_cancelled_follower() {
    let mut group = group();
    group.second.cancelled = true;
    group.second.touch();
    group.pull();
    let warnings = group.tell("5001", parcel(true)).expect("the lead's own");
    assert!(
        warnings.iter().any(|warning| warning.contains("m.shop.5002 is not in this parcel")),
        "{warnings:?}"
    );
    assert!(
        group.record("5002").shipments.is_empty(),
        "its units are cancelled: they are named, or not meant"
    );
}
