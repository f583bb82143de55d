//! The cases of the pure core that the design settles by name.

use std::collections::BTreeMap;

use portald::{
    plan::stock::{self, Kept, Offer, Shelf, Standing, breaker, likeness::Likeness, offer, undo},
    policy::{StockRules, WhenStale},
    stock::{Answer, Entry, RunId, Shown, run::Blast},
};
use sdk::StockChange;

use super::core::{level, now, policy, variant};

fn shelf(levels: &[(&str, &str, i64)], committed: u64) -> Shelf {
    let levels = levels.iter().map(|(sku, house, units)| level(sku, house, *units, 1)).collect();
    Shelf::new(
        levels,
        |sku| if sku == "A1" { committed } else { 0 },
        &["main".to_owned(), "annex".to_owned()],
    )
}

fn offered(sku: &str, rules: StockRules, shelf: &Shelf) -> Offer {
    match stock::standing(&variant("1", Some(sku), true), &policy(rules), shelf, now()) {
        Standing::Offered(offer) => offer,
        Standing::Kept(kept) => panic!("{sku} is left alone: {kept:?}"),
    }
}

#[test]
fn share_reserve_and_cap_in_that_order() {
    let rules =
        |share_percent, reserve, max| StockRules { share_percent, reserve, max, ..StockRules::default() };
    assert_eq!(offer::units(11, &rules(50, 2, 500)), 3, "floor(5.5) - 2");
    assert_eq!(offer::units(1, &rules(100, 2, 500)), 0, "never negative");
    assert_eq!(offer::units(9000, &rules(100, 10, 500)), 500, "the cap comes last");
    assert_eq!(offer::units(u32::MAX, &rules(100, 0, u32::MAX)), u32::MAX);
    assert_eq!(offer::units(40, &rules(0, 0, 500)), 0);
    let text = offered("A1", rules(50, 2, 500), &shelf(&[("A1", "main", 11)], 0)).why(&rules(50, 2, 500));
    assert_eq!(text, "11 available, 50 % of it, 2 kept back");
}

#[test]
fn a_kit_is_as_many_as_its_scarcest_part_makes() {
    let shelf = shelf(&[("A1", "main", 9), ("A2", "annex", 3)], 2);
    assert_eq!(offered("KIT", StockRules::default(), &shelf).units, 3, "two of A1 each: floor(7 / 2)");
    let missing =
        stock::standing(&variant("1", Some("ALIAS"), true), &policy(StockRules::default()), &shelf, now());
    assert_eq!(missing, Standing::Kept(Kept::Untold("A3".to_owned())), "an unknown figure is not zero");
}

#[test]
fn committed_fills_the_warehouses_in_their_order() {
    let shelf = shelf(&[("A1", "annex", 10), ("A1", "main", 4)], 7);
    let places = shelf.places("A1");
    assert_eq!((places[0].warehouse.as_str(), places[0].available()), ("main", 0));
    assert_eq!((places[1].warehouse.as_str(), places[1].available()), ("annex", 7));
    let of = |houses: &[&str]| StockRules {
        warehouses: houses.iter().map(|name| (*name).to_owned()).collect(),
        ..StockRules::default()
    };
    assert_eq!(offered("A1", of(&["main"]), &shelf).units, 0);
    assert_eq!(offered("A1", of(&["annex"]), &shelf).units, 7);
    assert_eq!(offered("A1", of(&[]), &shelf).units, 7);
}

#[test]
fn more_held_than_there_is_shows_below_zero_and_publishes_nothing() {
    let shelf = shelf(&[("A1", "main", 4), ("A1", "annex", -2)], 9);
    assert_eq!(shelf.places("A1").iter().map(stock::Place::available).collect::<Vec<_>>(), [-5, -2]);
    assert_eq!(offered("A1", StockRules::default(), &shelf).units, 0);
}

#[test]
fn a_stale_figure_is_left_alone_or_counts_as_nothing() {
    let limit = Some(std::time::Duration::from_secs(24 * 3600));
    let levels = || vec![level("A1", "main", 5, 25), level("A1", "annex", 3, 2)];
    let shelf = Shelf::new(levels(), |_| 0, &[]);
    let skip = policy(StockRules { stale_after: limit, ..StockRules::default() });
    let standing = stock::standing(&variant("1", Some("A1"), true), &skip, &shelf, now());
    assert!(matches!(standing, Standing::Kept(Kept::Stale { .. })), "{standing:?}");
    let zero = StockRules { stale_after: limit, when_stale: WhenStale::Zero, ..StockRules::default() };
    assert_eq!(offered("A1", zero.clone(), &shelf).units, 3);
    let held = Shelf::new(levels(), |_| 4, &[]);
    assert_eq!(offered("A1", zero, &held).units, 0, "four are held, and no more than three are certain");
}

#[test]
fn the_breaker_asks_about_many_zeros_and_many_halves() {
    let write = |n: usize, from: i64, to: u32| stock::Planned {
        change: StockChange {
            item: n.to_string().as_str().into(),
            variant: "v".into(),
            sku: None,
            from: Some(from),
            to,
        },
        why: String::new(),
    };
    let ours = |n: usize| {
        let item: sdk::RemoteId = n.to_string().as_str().into();
        (item.clone(), Shown { written: true, ..Shown::unknown(item, now()) })
    };
    let shown: BTreeMap<_, _> = (0..10).map(ours).collect();
    let zeros: Vec<_> = (0..3).map(|n| write(n, 8, 0)).collect();
    let blast = |writes: &[stock::Planned], shown: &BTreeMap<_, _>, seen: &breaker::Seen| {
        let mut reach = breaker::Reach::default();
        reach.add(writes, shown, seen);
        // The same again, as in the next round, is no more.
        reach.add(writes, shown, seen);
        reach.blast(10)
    };
    let none = breaker::Seen::default();
    let count = blast(&zeros, &shown, &none);
    assert_eq!((count.zeroed, count.halved), (3, 3));
    assert_eq!(breaker::trips(count, 25).unwrap(), "3 of 10 products would go to zero, more than 25 %");
    assert_eq!(breaker::trips(count, 30), None);
    // What a person saw of an item passes, and no more than that.
    let entries: Vec<Entry> = [(0, 0), (1, 0), (2, 4)]
        .map(|(n, to)| stock::settle::entry(&write(n, 8, to), Answer::Planned))
        .to_vec();
    assert_eq!(blast(&zeros, &shown, &breaker::Seen::of(&entries)).zeroed, 1);
    let sent: Vec<Entry> = zeros.iter().map(|write| stock::settle::entry(write, Answer::Sent)).collect();
    assert_eq!(blast(&zeros, &shown, &breaker::Seen::of(&sent)).zeroed, 3, "only what was planned");
    let halves: Vec<_> = (0..6).map(|n| write(n, 10, 4)).collect();
    assert!(breaker::trips(blast(&halves, &shown, &none), 25).is_some());
    assert_eq!(blast(&halves, &BTreeMap::new(), &none).halved, 0, "the merchant's own figures say nothing");
    let rising: Vec<_> = (0..6).map(|n| write(n, 10, 16)).collect();
    assert_eq!(blast(&rising, &shown, &none).halved, 6);
    let nothing: Vec<_> = (0..6).map(|n| write(n, 0, 0)).collect();
    assert_eq!(blast(&nothing, &shown, &none), Blast { products: 10, ..Blast::default() });
}

#[test]
fn a_run_taken_back_goes_to_before_its_first_write() {
    let run = RunId::parse("m.shop.4").unwrap();
    let entry = |item: &str, before, after, answer| Entry {
        item: item.into(),
        variant: "v".into(),
        sku: "A1".to_owned(),
        before,
        after,
        why: String::new(),
        answer,
    };
    let entries = [
        entry("1", Some(9), 0, Answer::Set),
        entry("1", Some(5), 3, Answer::Set),
        entry("2", Some(-4), 7, Answer::Set),
        entry("3", None, 7, Answer::Set),
        entry("4", Some(2), 7, Answer::Refused("no".to_owned())),
        entry("5", Some(2), 7, Answer::Set),
    ];
    let shows = |item: &str, figure| {
        (item.into(), Shown { figure: Some(figure), ..Shown::unknown(item.into(), now()) })
    };
    let shown = BTreeMap::from([shows("1", 3), shows("2", 7), shows("5", 2)]);
    let writes = undo::undo(&entries, &shown, &run);
    let told: Vec<_> = writes
        .iter()
        .map(|write| (write.change.item.0.as_str(), write.change.from, write.change.to))
        .collect();
    assert_eq!(told, [("1", Some(3), 9), ("2", Some(7), 0)]);
    assert_eq!(writes[0].why, "run m.shop.4 taken back");
}

#[test]
fn run_ids_are_read_to_the_letter() {
    assert_eq!(RunId::parse("m.shop.12").unwrap().to_string(), "m.shop.12");
    for wrong in ["", "m.shop", "m.shop.0", "m.shop.012", "m.shop.1.2", ".shop.1", "m.shop.x", "m.shop.+1"] {
        assert_eq!(RunId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_sku_written_otherwise_looks_like_ours() {
    let ours = Likeness::of(["ACME-1001", "X1"]);
    for like in ["acme1001", " ACME 1001", "Acme_1001"] {
        assert!(ours.has(like), "{like}");
    }
    for other in ["ACME-1002", "", "--", "X1"] {
        assert!(!ours.has(other), "{other}");
    }
}
