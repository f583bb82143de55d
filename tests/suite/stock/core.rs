//! Properties of the pure core.

use std::collections::BTreeMap;

use portald::{
    plan::{
        routing::Catalogue,
        stock::{self, Offer, Shelf, breaker, diff},
    },
    policy::{Policy, StockRules, WhenStale},
    record::{Owner, Part},
    stock::{Level, Shown, run::Blast},
};
use proptest::prelude::*;
use sdk::{Capabilities, RemoteId, StockOutcome, Timestamp, Variant, Writable};

pub(super) fn now() -> Timestamp {
    Timestamp::from_timestamp(1_795_000_000, 0).unwrap()
}

pub(super) fn level(sku: &str, warehouse: &str, on_hand: i64, age_hours: i64) -> Level {
    Level {
        schema: portald::stock::SCHEMA,
        sku: sku.to_owned(),
        warehouse: warehouse.to_owned(),
        on_hand,
        told_at: now() - chrono::TimeDelta::hours(age_hours),
        flow: 0,
        moves: 1,
    }
}

pub(super) fn policy(stock: StockRules) -> Policy {
    let part = |sku: &str, per_unit| Part { sku: sku.to_owned(), per_unit };
    let map = BTreeMap::from([
        ("KIT".to_owned(), vec![part("A1", 2), part("A2", 1)]),
        ("ALIAS".to_owned(), vec![part("A3", 1)]),
    ]);
    Policy {
        since: now() - chrono::TimeDelta::days(30),
        catalogue: Catalogue::new(&["A*".to_owned()], map, BTreeMap::new()).unwrap(),
        capabilities: Capabilities { stock_writes: true, stock_batch: 3, ..Capabilities::default() },
        warehouses: vec!["main".to_owned(), "annex".to_owned()],
        stock: StockRules { sync: true, ..stock },
        ..Policy::suspended("m", "shop")
    }
}

pub(super) fn variant(id: &str, sku: Option<&str>, writable: bool) -> Variant {
    Variant {
        id: id.into(),
        item: format!("i{id}").into(),
        sku: sku.map(str::to_owned),
        title: id.to_owned(),
        writable: if writable { Writable::Yes } else { Writable::No("tracking is off".to_owned()) },
        updated_at: None,
    }
}

const SKUS: [&str; 7] = ["A1", "A2", "A3", "KIT", "ALIAS", "THEIRS", "A9"];

fn rules() -> impl Strategy<Value = StockRules> {
    let houses = prop::sample::select(vec![vec![], vec!["main"], vec!["annex"], vec!["main", "annex"]]);
    (0..6_u32, 0..=100_u32, 0..40_u32, houses, 0..3_u64, any::<bool>()).prop_map(
        |(reserve, share_percent, max, houses, stale, zero)| StockRules {
            sync: true,
            reserve,
            share_percent,
            max,
            warehouses: houses.into_iter().map(str::to_owned).collect(),
            breaker_percent: 25,
            stale_after: (stale > 0).then(|| std::time::Duration::from_secs(stale * 7200)),
            when_stale: if zero { WhenStale::Zero } else { WhenStale::Skip },
        },
    )
}

fn levels() -> impl Strategy<Value = Vec<Level>> {
    let sku = prop::sample::select(vec!["A1", "A2", "A3"]);
    let house = prop::sample::select(vec!["main", "annex", "gone"]);
    prop::collection::btree_map((sku, house), (-5..60_i64, 0..8_i64), 0..9).prop_map(|rows| {
        rows.into_iter().map(|((sku, house), (units, age))| level(sku, house, units, age)).collect()
    })
}

fn committed() -> impl Strategy<Value = BTreeMap<&'static str, u64>> {
    prop::collection::btree_map(prop::sample::select(vec!["A1", "A2", "A3"]), 0..70_u64, 0..4)
}

fn catalogue() -> impl Strategy<Value = Vec<Variant>> {
    let one = (prop::option::of(prop::sample::select(SKUS.to_vec())), prop::bool::weighted(0.8));
    prop::collection::vec(one, 0..14).prop_map(|rows| {
        rows.into_iter().enumerate().map(|(n, (sku, well))| variant(&n.to_string(), sku, well)).collect()
    })
}

fn offers(catalogue: &[Variant], policy: &Policy, shelf: &Shelf) -> Vec<Offer> {
    stock::offers(catalogue.iter(), policy, shelf, now())
}

proptest! {
    #[test]
    fn published_is_never_more_than_available_nor_past_share_and_cap(
        rules in rules(), levels in levels(), committed in committed(), catalogue in catalogue(),
    ) {
        let policy = policy(rules.clone());
        let held = |sku: &str| committed.get(sku).copied().unwrap_or(0);
        let shelf = Shelf::new(levels.clone(), held, &policy.warehouses);
        let kept_out = |house: &str| house == "gone" || !rules.warehouses.is_empty() && !rules.warehouses.iter().any(|name| name == house);
        for offer in offers(&catalogue, &policy, &shelf) {
            let variant = catalogue.iter().find(|variant| variant.id == offer.variant).unwrap();
            prop_assert!(variant.writable == Writable::Yes);
            let ours = matches!(policy.catalogue.product(variant.sku.as_deref()), Owner::Supplier { .. });
            prop_assert!(ours, "{:?}", variant.sku);
            for part in &offer.parts {
                let on_hand: i64 = levels
                    .iter()
                    .filter(|level| level.sku == part.sku && !kept_out(&level.warehouse))
                    .map(|level| level.on_hand)
                    .sum();
                prop_assert!(i64::from(offer.available) * i64::from(part.per_unit) <= on_hand.max(0), "{offer:?}");
                // Over all warehouses no more than what open orders leave.
                let all: i64 = levels.iter().filter(|level| level.sku == part.sku && level.warehouse != "gone").map(|level| level.on_hand.max(0)).sum();
                let free = (all - i64::try_from(held(&part.sku)).unwrap()).max(0);
                prop_assert!(i64::from(offer.units) * i64::from(part.per_unit) <= free, "{offer:?} {free}");
            }
            prop_assert!(offer.units <= rules.max && offer.units <= offer.available);
            prop_assert!((offer.units + rules.reserve) * 100 <= offer.available * rules.share_percent || offer.units == 0);
        }
    }

    #[test]
    fn committed_is_assigned_whole_and_in_order(levels in levels(), committed in committed()) {
        let houses = ["main".to_owned(), "annex".to_owned()];
        let shelf = Shelf::new(levels, |sku| committed.get(sku).copied().unwrap_or(0), &houses);
        for (sku, places) in shelf.iter() {
            let wanted = i64::try_from(committed.get(sku.as_str()).copied().unwrap_or(0)).unwrap();
            prop_assert_eq!(places.iter().map(|place| place.committed).sum::<i64>(), wanted);
            for pair in places.windows(2).filter(|pair| pair[1].named) {
                let full = pair[0].committed >= pair[0].on_hand.max(0);
                prop_assert!(pair[1].committed == 0 || full, "{places:?}");
            }
        }
    }

    #[test]
    fn a_diff_applied_is_what_was_wanted_and_again_is_nothing(
        rules in rules(), levels in levels(), committed in committed(), catalogue in catalogue(),
        known in prop::collection::vec(prop::option::of(-3..60_i64), 14),
    ) {
        let policy = policy(rules);
        let shelf = Shelf::new(levels, |sku| committed.get(sku).copied().unwrap_or(0), &policy.warehouses);
        let offers = offers(&catalogue, &policy, &shelf);
        let mut shown: BTreeMap<RemoteId, Shown> = catalogue
            .iter()
            .zip(known)
            .map(|(variant, figure)| {
                (variant.item.clone(), Shown { figure, ..Shown::unknown(variant.item.clone(), now()) })
            })
            .collect();
        let mut plan = diff::diff(&offers, &shown, &policy.stock, false, now());
        for item in &plan.unknown {
            shown.insert(item.clone(), stock::settle::read(None, item.clone(), Some(7), now()));
        }
        plan = diff::diff(&offers, &shown, &policy.stock, false, now());
        prop_assert!(plan.unknown.is_empty());
        for write in plan.writes {
            prop_assert_eq!(write.change.from, shown[&write.change.item].figure);
            let (after, _) = stock::settle::answered(shown.get(&write.change.item), &write, &StockOutcome::Set, 1, now());
            shown.insert(write.change.item, after);
        }
        for offer in &offers {
            prop_assert_eq!(shown[&offer.item].figure, Some(i64::from(offer.units)));
        }
        let again = diff::diff(&offers, &shown, &policy.stock, false, now());
        prop_assert_eq!((again.writes.len(), again.unknown.len(), again.same), (0, 0, offers.len()));
    }

    #[test]
    fn the_last_line_lets_only_our_listed_writable_variants_pass(
        catalogue in catalogue(), wild in prop::collection::vec((0..20_usize, 0..20_usize, 0..9_u32), 0..30), sync in any::<bool>(), shadow in any::<bool>(),
    ) {
        let mut policy = policy(StockRules::default());
        (policy.stock.sync, policy.shadow) = (sync, shadow);
        let listed: BTreeMap<RemoteId, Variant> = catalogue.iter().map(|variant| (variant.id.clone(), variant.clone())).collect();
        let planned: Vec<_> = wild.into_iter().map(|(variant, item, to)| stock::Planned {
            change: sdk::StockChange {
                item: format!("i{item}").as_str().into(),
                variant: variant.to_string().as_str().into(),
                sku: catalogue.get(variant).and_then(|variant| variant.sku.clone()),
                from: None,
                to,
            },
            why: String::new(),
        }).collect();
        let all = planned.len();
        let stock::Sieved { permitted: passed, denied, .. } = stock::permit(planned, &policy, &listed, None, "k".to_owned());
        prop_assert_eq!(passed.write().changes.len() + denied.len(), all);
        prop_assert!(passed.is_empty() || sync && !shadow);
        let mut items = std::collections::BTreeSet::new();
        for change in &passed.write().changes {
            let variant = &listed[&change.variant];
            prop_assert_eq!(&variant.item, &change.item);
            prop_assert_eq!(&variant.writable, &Writable::Yes);
            prop_assert_ne!(variant.sku.as_deref(), Some("THEIRS"));
            prop_assert!(variant.sku.is_some() && items.insert(&change.item));
        }
    }

    #[test]
    fn batches_hold_every_write_once_and_no_more_than_they_take(count in 0..40_usize, most in 0..9_usize) {
        let writes: Vec<_> = (0..count).map(|n| stock::Planned {
            change: sdk::StockChange { item: format!("{}", n % 30).as_str().into(), variant: "v".into(), sku: None, from: None, to: 1 },
            why: String::new(),
        }).collect();
        let batches = diff::batches(writes, most);
        prop_assert!(batches.iter().all(|batch| !batch.is_empty() && batch.len() <= most.max(1)));
        prop_assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), count.min(30));
        prop_assert!(batches.iter().rev().skip(1).all(|batch| batch.len() == most.max(1)), "none is half full");
    }

    #[test]
    fn the_breaker_forgives_one_product(products in 1..200_usize, zeroed in 0..200_usize, percent in 0..=100_u32) {
        let zeroed = zeroed.min(products);
        let blast = Blast { products, zeroed, halved: 0 };
        let trips = breaker::trips(blast, percent).is_some();
        prop_assert_eq!(trips, zeroed > 1 && zeroed * 100 > products * percent as usize);
        prop_assert!(percent < 100 || !trips);
    }
}
