//! Records that came back from a backup: what happened in between is found on the channel, or waits for a person.

use std::collections::BTreeMap;

use portald::{
    plan::{
        self,
        command::{Command, Parcel},
        delivery, restored,
    },
    record::{Record, Restored},
};
use sdk::Rng;

use super::bench::{ALL, Bench, Do, Do::*, Units};
use super::model::{self, Fault, at, command};

const THREE: Units = &[("A7", 3)];
/// Where the gap that a restore leaves ends.
const AFTER: u32 = 500_000;

/// A backup is taken after `before`; what follows is lost by its restore.
fn lost_over(mut bench: Bench, before: &[Do], after: &[Do]) -> Bench {
    bench = bench.run(before);
    let backup = bench.record.clone();
    let mut bench = bench.run(after);
    bench.record = backup;
    mark(&mut bench);
    bench
}

fn lost(before: &[Do], after: &[Do]) -> Bench {
    lost_over(Bench::new(THREE), before, after)
}

fn mark(bench: &mut Bench) {
    bench.now += chrono::TimeDelta::minutes(1);
    restored::mark(&mut bench.record, Restored { taken: at(0), at: bench.now }, AFTER);
    assert_eq!(bench.record.audit(), Vec::<String>::new());
}

fn read_back(bench: &mut Bench) {
    assert_eq!(delivery::peek(&bench.record, &bench.policy, bench.now), None, "nothing leaves before");
    let order = bench.remote.order();
    assert!(restored::is_answered(&bench.record, bench.now, &bench.policy));
    restored::read_back(&mut bench.record, order, &bench.policy, bench.now);
    assert_eq!(bench.record.restored, None);
    assert_eq!(bench.record.audit(), Vec::<String>::new());
}

#[test]
fn what_was_sent_after_the_backup_is_not_sent_again() {
    for (what, before, after, told, writes, alerts) in [
        ("sent meanwhile", &[Ship(1, ALL)][..], &[Quiet][..], "T1: 3 × 100", "p1 create done", ""),
        ("not sent", &[Ship(1, ALL)], &[], "T1: 3 × 100", "p1 create done", ""),
        (
            "under way, and it arrived",
            &[Ship(1, ALL), Push(Fault::LostAfter)],
            &[],
            "T1: 3 × 100",
            "p1 create done",
            "",
        ),
        (
            "under way, and it did not",
            &[Ship(1, ALL), Push(Fault::LostBefore)],
            &[],
            "T1: 3 × 100",
            "p1 create done",
            "",
        ),
        (
            "one of two sent meanwhile",
            &[Ship(1, &[("l1", 1)]), Ship(1, &[("l1", 2)])],
            &[Push(Fault::None)],
            "T1: 1 × 100; T2: 2 × 100",
            "p1 create done, p2 create done",
            "",
        ),
        (
            "a correction sent meanwhile",
            &[Ship(1, ALL), Quiet, Track(1, "p1")],
            &[Quiet],
            "T2: 3 × 100",
            "p1 create done, p1 track done",
            "",
        ),
        (
            "a correction not sent",
            &[Ship(1, ALL), Quiet, Track(1, "p1")],
            &[],
            "T2: 3 × 100",
            "p1 create done, p1 track done",
            "",
        ),
        (
            "a correction that was corrected again meanwhile",
            &[Ship(1, ALL), Quiet, Track(1, "p1")],
            &[Quiet, Track(1, "p1"), Quiet],
            "T3: 3 × 100",
            "p1 create done, p1 track parked",
            "restored-parcel",
        ),
        (
            "a void done meanwhile",
            &[Ship(1, ALL), Quiet, Void(1, "p1")],
            &[Quiet],
            "",
            "p1 create done, p1 void done",
            "",
        ),
        (
            "a void not sent",
            &[Ship(1, ALL), Quiet, Void(1, "p1")],
            &[],
            "",
            "p1 create done, p1 void done",
            "",
        ),
        (
            "sent and taken back meanwhile",
            &[Ship(1, ALL)],
            &[Quiet, Void(1, "p1"), Quiet],
            "",
            "p1 create parked",
            "",
        ),
        (
            "taken back and sent with another number meanwhile",
            &[Ship(1, ALL)],
            &[Quiet, Void(1, "p1"), Quiet, Ship(1, ALL), Quiet],
            "T2: 3 × 100",
            "p1 create parked",
            "restored-parcel",
        ),
    ] {
        let mut bench = lost(before, after);
        let calls = bench.remote.changes;
        read_back(&mut bench);
        let bench = bench.run(&[Quiet]);
        assert_eq!(bench.told(), told, "{what}");
        assert_eq!(bench.writes(), writes, "{what}");
        assert_eq!(bench.alerts(), alerts, "{what}");
        if !after.is_empty() && what.contains("meanwhile") && !what.contains("one of two") {
            assert_eq!(bench.remote.changes, calls, "{what}: nothing was written");
        }
    }
}

#[test]
fn a_parcel_that_only_the_channel_knows_counts_as_shipped_and_waits_for_a_person() {
    // All of it left after the backup.
    let mut bench = lost(&[Ack(1)], &[Ship(1, ALL), Quiet]);
    read_back(&mut bench);
    assert_eq!((bench.lines().as_str(), bench.orders().as_str()), ("A7: 3 elsewhere", "1 shipped"));
    assert_eq!(
        bench.alert("restored-parcel"),
        "the channel has fulfillment f1 (T1) of 3 × A7, which the backup of 2026-10-26T07:33:20Z does not know: it \
         counts as shipped. Compare it with the bench, then `orders release m.shop.5001`"
    );
    assert_eq!(bench.refused(Ship(1, ALL)), "nothing-open", "nobody ships it again");
    bench.step(Release(1)).expect("a person has seen to it");
    assert_eq!(bench.alerts(), "fulfilled-elsewhere");

    // A part of it did: the rest is held.
    let mut bench = lost(&[], &[Ship(1, &[("l1", 1)]), Quiet]);
    read_back(&mut bench);
    assert_eq!((bench.lines().as_str(), bench.orders().as_str()), ("A7: 2 open, 1 elsewhere", "1 held"));
    assert_eq!(bench.refused(Ack(1)), "held");
    assert_eq!(bench.refused(AckForce(1)), "held");
    bench.step(Release(1)).expect("a person has seen to it");
    assert_eq!((bench.orders().as_str(), bench.alert("restored-parcel")), ("1 open", ""));
    let bench = bench.run(&[Ship(1, ALL), Quiet]);
    assert_eq!(bench.told(), "T1: 1 × 100; T2: 2 × 100");
    assert_eq!(bench.lines(), "A7: 2 shipped, 1 elsewhere");
}

#[test]
fn an_order_that_came_after_the_backup_is_imported_with_what_is_on_it() {
    let bench = Bench::new(THREE).run(&[Ship(1, &[("l1", 1)]), Quiet]);
    let mut fresh = model::import(&bench.remote, &bench.policy, bench.now);
    restored::imported(&mut fresh, Restored { taken: at(0), at: at(1) }, bench.now);
    let codes: Vec<&str> = fresh.alerts.iter().map(|alert| alert.code.as_str()).collect();
    assert_eq!(codes, ["restored-parcel"]);
    assert!(fresh.orders[0].hold.is_some() && fresh.orders[0].lines[0].open() == 2);
    // What nobody has shipped is an order like any other.
    let bench = Bench::new(THREE);
    let mut fresh = model::import(&bench.remote, &bench.policy, bench.now);
    restored::imported(&mut fresh, Restored { taken: at(0), at: at(1) }, bench.now);
    assert!(fresh.alerts.is_empty() && fresh.orders[0].hold.is_none());
}

#[test]
fn a_correction_that_only_the_channel_knows_is_shown_and_not_undone() {
    let mut bench = lost(&[Ship(1, ALL), Quiet], &[Track(1, "p1"), Quiet]);
    read_back(&mut bench);
    assert_eq!(
        bench.alert("restored-parcel"),
        "the channel shows parcel p1 of m.shop.5001 with the number T2, which the backup of 2026-10-26T07:33:20Z does \
         not know: `orders track` it here as well"
    );
    let bench = bench.run(&[Quiet]);
    assert_eq!((bench.told().as_str(), bench.writes().as_str()), ("T2: 3 × 100", "p1 create done"));
}

#[test]
fn numbers_of_before_are_not_given_again() {
    let before = &[Ship(1, &[("l1", 1)]), Quiet];
    let mut bench = lost(before, &[Track(1, "p1"), Split(1, &[("l1", 1)]), Ship(1, ALL), Quiet]);
    let older: Vec<String> = bench.record.writes.iter().map(|write| write.key.clone()).collect();
    read_back(&mut bench);
    bench.step(Release(1)).expect("a person has seen to it");
    let bench = bench.run(&[Track(1, "p1"), Split(1, &[("l1", 1)]), Quiet]);
    assert_eq!(bench.record.orders[1].n, AFTER + 1);
    let new: Vec<&str> = bench
        .record
        .writes
        .iter()
        .map(|write| write.key.as_str())
        .filter(|key| older.iter().all(|older| older != key))
        .collect();
    assert_eq!(new, ["m.shop.5001/m.shop.5001/p1/track/500001"]);

    let mut bench = lost(&[], &[]);
    read_back(&mut bench);
    let bench = bench.run(&[Ship(1, &[("l1", 1)]), Void(1, "p500001"), Ship(1, ALL), Quiet]);
    let keys: Vec<&str> = bench.record.writes.iter().map(|write| write.key.as_str()).collect();
    assert_eq!(
        keys,
        ["m.shop.5001/m.shop.5001/p500001/create/1", "m.shop.5001/m.shop.5001/p500002/create/1"]
    );
}

#[test]
fn a_channel_that_cannot_be_asked_leaves_what_is_owed_to_a_person() {
    let mut bench = Bench::new(THREE);
    bench.policy.capabilities.order_by_id = false;
    bench.policy.capabilities.finds_fulfillments = false;
    let mut bench = lost_over(bench, &[Ship(1, &[("l1", 1)]), Ship(1, &[("l1", 1)])], &[Push(Fault::None)]);
    assert!(
        !restored::is_answered(&bench.record, bench.now, &bench.policy),
        "what it shows tells nothing of it"
    );
    restored::untold(&mut bench.record, "its channel cannot be asked for an order", &bench.policy, bench.now);
    assert_eq!(bench.writes(), "p1 create parked, p2 create parked");
    let why = bench.record.writes[0].error.as_deref();
    assert_eq!(
        why,
        Some(
            "restored from the backup of 2026-10-26T07:33:20Z, and its channel cannot be asked for an order: look \
             whether the channel has it, since it may have been sent after the backup"
        )
    );
    // A person looked: the first is there, the second is not.
    let first = bench.record.writes[0].key.clone();
    let drop = Command::DropWrite { key: first, reason: "it is in the file".to_owned() };
    command(&mut bench.record, 1, drop, &bench.policy, bench.now).expect("a person decides");
    let bench = bench.run(&[Retry, Quiet]);
    assert_eq!(bench.told(), "T1: 1 × 100; T2: 1 × 100");
    assert_eq!(bench.writes(), "p1 create done, p2 create done");
}

#[test]
fn a_parcel_that_the_bench_enters_again_is_found_on_the_channel() {
    let mut bench = lost(&[], &[Ship(1, &[("l1", 2)]), Quiet]);
    // Before the order was read back; the number is the one of before.
    let parcel = Parcel {
        carrier: Some("UPS".to_owned()),
        tracking: Some("T1".to_owned()),
        lines: super::bench::amounts(&[("l1", 2)]),
        ..Parcel::default()
    };
    command(&mut bench.record, 1, Command::Ship(parcel), &bench.policy, bench.now).expect("a fact");
    read_back(&mut bench);
    let bench = bench.run(&[Quiet]);
    assert_eq!((bench.told().as_str(), bench.lines().as_str()), ("T1: 2 × 100", "A7: 1 open, 2 shipped"));
    assert_eq!(bench.alerts(), "");
}

/// Something that the supplier, the merchant or the network does.
fn any(rng: &mut Rng) -> Do {
    match rng.below(14) {
        0..4 => Ship(1, &[("l1", 1)]),
        4 => Ship(1, ALL),
        5 => Void(1, "p1"),
        6 => Track(1, "p1"),
        7 => Pull,
        8 => Later,
        9 => Want(0, rng.below(5) as u32),
        10 => Quiet,
        11 => Ack(1),
        _ => Later,
    }
}

/// Does what can be done of it, and sends what is due: sometimes the answer, sometimes the request is lost.
fn live(bench: &mut Bench, rng: &mut Rng, steps: u64, parcels: &mut Parcels) {
    for _ in 0..rng.below(steps) {
        // A refusal is an answer like any other.
        let _ = bench.step(any(rng));
        note(parcels, &bench.record);
        if rng.below(3) > 0 {
            let fault =
                [Fault::None, Fault::None, Fault::LostBefore, Fault::LostAfter][rng.below(4) as usize];
            model::deliver(&mut bench.record, &mut bench.remote, &bench.policy, bench.now, fault);
        }
    }
}

/// Units of each parcel, by its number.
type Parcels = BTreeMap<String, u32>;

/// Notes what the supplier has put into parcels so far.
fn note(parcels: &mut Parcels, record: &Record) {
    for shipment in &record.shipments {
        let units: u32 = shipment.lines.iter().map(|line| line.quantity).sum();
        let number = shipment.tracking.number.clone().unwrap_or_default();
        let known = parcels.entry(number).or_default();
        *known = units.max(*known);
    }
}

/// The channel shows no number with more units than its parcel holds: none was told twice. (A parcel over two locations
/// is two fulfillments there.)
fn once(bench: &Bench, parcels: &Parcels, seed: u64) {
    let mut told = Parcels::new();
    for made in bench.remote.fulfillments.iter().filter(|made| made.active) {
        let number = made.tracking[0].number.clone().unwrap_or_default();
        *told.entry(number).or_default() += made.lines.iter().map(|line| line.quantity).sum::<u32>();
    }
    for (number, units) in told {
        let held = parcels.get(&number).copied().unwrap_or(0);
        let writes = &bench.record.writes;
        assert!(units <= held, "seed {seed}: {units} units of {number} told, it holds {held}: {writes:#?}");
    }
    assert_eq!(bench.record.check(), Ok(()), "seed {seed}");
    assert_eq!(bench.record.audit(), Vec::<String>::new(), "seed {seed}");
}

#[test]
fn whatever_is_lost_by_a_restore_no_parcel_is_told_twice() {
    let (mut found, mut unknown) = (0, 0);
    for seed in 0..3000 {
        let mut rng = Rng::from_seed(seed).child("restored");
        let mut bench = Bench::new(THREE);
        let mut parcels = Parcels::new();
        live(&mut bench, &mut rng, 8, &mut parcels);
        let backup: Record = bench.record.clone();
        live(&mut bench, &mut rng, 8, &mut parcels);
        bench.record = backup;
        mark(&mut bench);
        if rng.below(3) == 0 {
            live(&mut bench, &mut rng, 3, &mut parcels);
        }
        if bench.record.restored.is_some() {
            read_back_or_not(&mut bench);
        }
        let bench = bench.run(&[Quiet]);
        note(&mut parcels, &bench.record);
        once(&bench, &parcels, seed);
        found += u32::from(bench.record.timeline.iter().any(|event| event.event == "fulfillment.adopted"));
        unknown += u32::from(!bench.alert("restored-parcel").is_empty());
    }
    assert!(found > 100 && unknown > 100, "{found} adopted, {unknown} unknown: the histories reach little");
}

fn read_back_or_not(bench: &mut Bench) {
    let order = bench.remote.order();
    restored::read_back(&mut bench.record, order, &bench.policy, bench.now);
    let mut again = bench.record.clone();
    assert!(!plan::reconcile(&mut again, &bench.policy, bench.now), "at rest");
}
