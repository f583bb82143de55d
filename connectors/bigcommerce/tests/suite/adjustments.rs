//! Stock as it is set: what was asked for, at one location, and nothing else.

use std::collections::BTreeMap;

use bigcommerce::fake::{Fault, Names, NewLine, NewOrder, NewProduct, Tracking};
use proptest::prelude::*;
use sdk::{ErrorKind, RemoteId, StockChange, StockOutcome, StockWrite, Variant};

use crate::shop::{PLAIN, bench};

const ADJUST: &str = "PUT /v3/inventory/adjustments/absolute";
const ITEMS: &str = "GET /v3/inventory/items";

fn change(variant: &Variant, to: u32) -> StockChange {
    StockChange { item: variant.item.clone(), variant: variant.id.clone(), sku: None, from: Some(1), to }
}

fn write(changes: Vec<StockChange>) -> StockWrite {
    StockWrite { key: "run-1/1".to_owned(), changes }
}

fn refused(outcome: &StockOutcome) -> &str {
    match outcome {
        StockOutcome::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_shows_later_and_is_only_accepted() {
    let bench = bench(PLAIN);
    let ids = [bench.store.add_product("A", true, 5), bench.store.add_product("B", true, 6)];
    let kinds = bench.store.add(NewProduct::of(&[("C-1", "Red"), ("C-2", "Blue")]).available(3));
    bench.store.set_available_at(&kinds[0], 2, 99);
    let variants = bench.catalogue().await;
    let changes = variants.iter().enumerate().map(|(at, variant)| change(variant, 20 + at as u32));
    let outcomes = bench.channel.push_stock(&write(changes.collect())).await.unwrap();
    assert_eq!(outcomes, vec![StockOutcome::Accepted; 4]);
    assert_eq!((bench.store.stock(&ids[0]), bench.store.under_way()), (Some(5), 1));
    bench.store.settle();
    let stock = |id: &RemoteId| bench.store.stock(id);
    assert_eq!(ids.iter().chain(&kinds).map(stock).collect::<Vec<_>>(), [20, 21, 22, 23].map(Some));
    assert_eq!(bench.store.stock_at(&kinds[0], 2), Some(99), "the other location is not ours");
    assert_eq!(bench.store.counts()[ADJUST], 1);
    assert_eq!(bench.channel.push_stock(&write(Vec::new())).await.unwrap(), []);
    assert_eq!(bench.store.counts()[ADJUST], 1, "nothing is sent for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_sku_that_two_variants_have_names_neither() {
    let bench = bench(PLAIN);
    let ours = bench.store.add_product("SAME", true, 5);
    let kinds = bench.store.add(NewProduct::of(&[("SAME", "Red"), ("SAME", "Blue")]).available(6));
    let variants = bench.catalogue().await;
    for (id, to) in [(&ours, 11), (&kinds[1], 12)] {
        let variant = variants.iter().find(|variant| variant.id == *id).unwrap();
        let change = StockChange { sku: Some("SAME".to_owned()), ..change(variant, to) };
        bench.channel.push_stock(&write(vec![change])).await.unwrap();
        bench.store.settle();
    }
    let stock = [&ours, &kinds[0], &kinds[1]].map(|id| bench.store.stock(id));
    assert_eq!(stock, [Some(11), Some(6), Some(12)]);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_figure_shows_after_a_while_and_two_at_once_show_either() {
    let bench = bench(PLAIN);
    let id = bench.store.add_product("A", true, 5);
    let variant = bench.catalogue().await.remove(0);
    let shown = || async { bench.levels(std::slice::from_ref(&variant.item)).await[variant.item.as_str()] };
    bench.channel.push_stock(&write(vec![change(&variant, 8)])).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(shown().await);
    }
    assert_eq!(seen, [Some(5), Some(5), Some(8), Some(8)]);
    for to in [20, 30] {
        bench.channel.push_stock(&write(vec![change(&variant, to)])).await.unwrap();
    }
    bench.store.settle();
    assert_eq!(bench.store.stock(&id), Some(20), "the order of two at once is not promised: one at a time");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_items_are_three_writes_and_ten_questions() {
    let bench = bench(PLAIN);
    let ids: Vec<RemoteId> =
        (0..5_000).map(|at| bench.store.add_product(&format!("S-{at}"), true, 1)).collect();
    let variants = bench.catalogue().await;
    for (at, batch) in variants.chunks(2_000).enumerate() {
        let changes: Vec<StockChange> = batch
            .iter()
            .zip(0..)
            .map(|(variant, units)| change(variant, at as u32 * 2_000 + units))
            .collect();
        let outcomes = bench.channel.push_stock(&write(changes)).await.unwrap();
        assert_eq!(outcomes, vec![StockOutcome::Accepted; batch.len()]);
        bench.store.settle();
        let items: Vec<RemoteId> = batch.iter().map(|variant| variant.item.clone()).collect();
        assert_eq!(bench.levels(&items).await.len(), batch.len());
    }
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(bench.store.stock(id), Some(at as i64));
    }
    let counts = bench.store.counts();
    assert_eq!((counts[ADJUST], counts[ITEMS]), (3, 10));
}

#[tokio::test(start_paused = true)]
async fn an_order_takes_from_stock_and_a_later_figure_goes_over_it() {
    let bench = bench(PLAIN);
    let id = bench.store.add_product("A", true, 5);
    bench.store.place(NewOrder::new(vec![NewLine::new("A", 2), NewLine::new("other", 1)]));
    assert_eq!(bench.store.stock(&id), Some(3));
    let variant = bench.catalogue().await.remove(0);
    bench.channel.push_stock(&write(vec![change(&variant, 10)])).await.unwrap();
    bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    bench.store.settle();
    assert_eq!(bench.store.stock(&id), Some(10), "nothing is compared there: polling cannot promise more");
}

#[tokio::test(start_paused = true)]
async fn named_items_are_refused_and_the_rest_is_sent_again() {
    for (names, puts) in [(Names::All, 2), (Names::First, 3)] {
        let bench = bench(PLAIN);
        bench.store.name_refused(names);
        let ids: Vec<RemoteId> =
            (0..5).map(|at| bench.store.add_product(&format!("S-{at}"), true, 5)).collect();
        let variants = bench.catalogue().await;
        bench.store.set_tracking(&ids[1], Tracking::Variant);
        bench.store.remove_variant(&ids[3]);
        let changes = variants.iter().map(|variant| change(variant, 8)).collect();
        let outcomes = bench.channel.push_stock(&write(changes)).await.unwrap();
        for at in [0, 2, 4] {
            assert_eq!(outcomes[at], StockOutcome::Accepted);
        }
        assert!(refused(&outcomes[1]).contains("tracked by variant"), "{outcomes:?}");
        assert!(refused(&outcomes[3]).contains("not found"), "{outcomes:?}");
        bench.store.settle();
        assert_eq!([0, 2, 4].map(|at| bench.store.stock(&ids[at])), [Some(8); 3]);
        assert_eq!(bench.store.counts()[ADJUST], puts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_every_item_is_refused_is_no_error() {
    let bench = bench(PLAIN);
    let kinds = bench.store.add(NewProduct::of(&[("C-1", "Red"), ("C-2", "Blue")]).available(3));
    let variants = bench.catalogue().await;
    bench.store.set_tracking(&kinds[0], Tracking::Product);
    let changes = variants.iter().map(|variant| change(variant, 8)).collect();
    let outcomes = bench.channel.push_stock(&write(changes)).await.unwrap();
    assert!(outcomes.iter().all(|outcome| refused(outcome).contains("tracked by product")));
    assert_eq!(bench.store.counts()[ADJUST], 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_names_is_the_whole_batchs_and_sets_nothing() {
    let bench = bench(PLAIN);
    bench.store.name_refused(Names::Nothing);
    let ids: Vec<RemoteId> = (0..3).map(|at| bench.store.add_product(&format!("S-{at}"), true, 5)).collect();
    let variants = bench.catalogue().await;
    bench.store.remove_variant(&ids[1]);
    let changes: Vec<StockChange> = variants.iter().map(|variant| change(variant, 8)).collect();
    let error = bench.channel.push_stock(&write(changes.clone())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("Some items are not valid"), "{error}");
    assert_eq!((bench.store.counts()[ADJUST], bench.store.under_way()), (1, 0));
    // A half of it goes.
    assert_eq!(
        bench.channel.push_stock(&write(changes[..1].to_vec())).await.unwrap(),
        [StockOutcome::Accepted]
    );
}

#[tokio::test(start_paused = true)]
async fn a_location_that_is_not_there_names_no_item() {
    let bench = bench(&format!("{PLAIN}location = 2\n"));
    let id = bench.store.add(NewProduct::new("A").tracked(Tracking::Variant)).remove(0);
    assert_eq!(id.as_str(), "2", "an id like the location's");
    let variant = bench.catalogue().await.remove(0);
    let error = bench.channel.push_stock(&write(vec![change(&variant, 8)])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("Location not found"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_leave_does_not() {
    let bench = bench(PLAIN);
    bench.store.add_product("A", true, 5);
    let variants =
        [bench.store.add(NewProduct::of(&[("C-1", "Red")])), bench.store.add(NewProduct::new("D"))];
    let variant = bench.catalogue().await.remove(1);
    let good = change(&variant, 8);
    let named = |item: &str| StockChange { item: item.into(), variant: item.into(), ..good.clone() };
    for (changes, why) in [
        (vec![good.clone(), named("product:1"), good.clone()], "twice"),
        (vec![named("")], "not an id"),
        (vec![good.clone(), named("sku:A")], "not an id"),
        (vec![named("0")], "no item"),
        (vec![StockChange { variant: "4711".into(), ..good.clone() }], "is not the variant"),
        ((1..=2_001).map(|id| named(&id.to_string())).collect(), "2000 at a time"),
    ] {
        let error = bench.channel.push_stock(&write(changes)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.message.contains(why), "{error}");
    }
    let many: Vec<RemoteId> = (1..=2_001).map(|id| RemoteId(format!("{id}"))).collect();
    assert_eq!(bench.channel.read_stock(&many).await.unwrap_err().kind, ErrorKind::Rejected);
    assert!(bench.store.counts().keys().all(|name| name != ADJUST && name != ITEMS));
    // More units than the store keeps: that item alone.
    let outcomes =
        bench.channel.push_stock(&write(vec![change(&variant, u32::MAX), named("product:1001")])).await;
    let outcomes = outcomes.unwrap();
    assert!(refused(&outcomes[0]).contains("2147483647"), "{outcomes:?} {variants:?}");
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_to_a_write_is_an_error_of_its_kind() {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    let after = |text: &str| Fault::BodyAfterApplied(text.as_bytes().to_vec());
    let throttled = Fault::Throttled(vec![("x-retry-after", "600".to_owned())]);
    for (fault, kind, puts, set) in [
        (Fault::Refuse, ErrorKind::Unavailable, 3, false),
        (Fault::LoseBefore, ErrorKind::Indeterminate, 3, false),
        (Fault::LoseAfterApplied, ErrorKind::Indeterminate, 3, true),
        (Fault::Status(500), ErrorKind::Indeterminate, 3, false),
        (Fault::Status(503), ErrorKind::Indeterminate, 3, false),
        (Fault::Status(400), ErrorKind::Rejected, 1, false),
        (Fault::Status(401), ErrorKind::Unauthorized, 1, false),
        (Fault::Status(403), ErrorKind::Unauthorized, 1, false),
        (Fault::Status(404), ErrorKind::NotFound, 1, false),
        (Fault::Status(413), ErrorKind::Rejected, 1, false),
        (Fault::Status(422), ErrorKind::Rejected, 1, false),
        (throttled, ErrorKind::RateLimited, 1, false),
        (body("<!DOCTYPE html><title>Maintenance</title>"), ErrorKind::Indeterminate, 1, false),
        (body(""), ErrorKind::Indeterminate, 1, false),
        (body("[]"), ErrorKind::Indeterminate, 1, false),
        (body("{}"), ErrorKind::Indeterminate, 1, false),
        (after("{\"transaction_id\": 7}"), ErrorKind::Indeterminate, 1, true),
    ] {
        let bench = bench(PLAIN);
        let id = bench.store.add_product("A", true, 5);
        let variant = bench.catalogue().await.remove(0);
        let what = format!("{fault:?}");
        bench.store.on_request(move |name| if name == ADJUST { fault.clone() } else { Fault::None });
        let error = bench.channel.push_stock(&write(vec![change(&variant, 8)])).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
        bench.store.settle();
        assert_eq!(bench.store.stock(&id), Some(if set { 8 } else { 5 }), "{what}");
        assert_eq!(bench.store.counts()[ADJUST], puts, "{what}");
        assert!(!error.to_string().contains("bc_fake_token"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_sent_again_in_the_same_call() {
    for fault in [
        Fault::Refuse,
        Fault::LoseBefore,
        Fault::LoseAfterApplied,
        Fault::Status(502),
        Fault::Throttled(vec![("x-retry-after", "3".to_owned())]),
    ] {
        let bench = bench(PLAIN);
        let id = bench.store.add_product("A", true, 5);
        let variant = bench.catalogue().await.remove(0);
        let mut asked = 0;
        bench.store.on_request(move |name| {
            asked += u32::from(name == ADJUST);
            if asked == 1 && name == ADJUST { fault.clone() } else { Fault::None }
        });
        let outcomes = bench.channel.push_stock(&write(vec![change(&variant, 8)])).await.unwrap();
        assert_eq!(outcomes, [StockOutcome::Accepted]);
        bench.store.settle();
        assert_eq!((bench.store.stock(&id), bench.store.counts()[ADJUST]), (Some(8), 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_unknown_outcome_stays_unknown() {
    let bench = bench(PLAIN);
    bench.store.add_product("A", true, 5);
    let other = bench.store.add_product("B", true, 5);
    let variants = bench.catalogue().await;
    bench.store.remove_variant(&other);
    let mut asked = 0;
    bench.store.on_request(move |name| {
        asked += u32::from(name == ADJUST);
        if asked == 1 && name == ADJUST { Fault::LoseBefore } else { Fault::None }
    });
    let changes = variants.iter().map(|variant| change(variant, 8)).collect();
    let error = bench.channel.push_stock(&write(changes)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Indeterminate, "{error}");
}

/// What the model does with one request.
fn faults() -> impl Strategy<Value = Fault> {
    let title = prop_oneof![
        Just("variant_id 2".to_owned()),
        Just("[product_id 1001, variant_id 1]".to_owned()),
        "[a-z_ \\[\\],]{0,20}(variant_id|product_id)? ?[0-9]{0,4}",
    ];
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Refuse),
        1 => Just(Fault::LoseBefore),
        1 => Just(Fault::LoseAfterApplied),
        1 => (400u16..600).prop_map(Fault::Status),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Fault::Body),
        1 => title.prop_map(|title| Fault::StatusWith(422, format!("{{\"title\": \"{title}\"}}").into_bytes())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is answered: nothing is set but what was asked for, to the figure that was asked for, at the location.
    #[test]
    fn nothing_but_what_was_asked_for_is_ever_changed(
        stock in proptest::collection::vec((0..4u8, 0..50i64), 1..14),
        wanted in proptest::collection::vec((any::<proptest::sample::Index>(), 0..60u32), 1..10),
        answers in proptest::collection::vec(faults(), 0..12),
        (location, names) in (1..3u64, 0..3u8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let bench = bench(&format!("{PLAIN}location = {location}\n"));
            bench.store.name_refused([Names::All, Names::First, Names::Nothing][usize::from(names)]);
            for (at, (kind, units)) in stock.iter().enumerate() {
                let sku = format!("S-{at}");
                let product = match kind {
                    0 => NewProduct::new(&sku),
                    1 => NewProduct::new(&sku).tracked(Tracking::None),
                    2 => NewProduct::of(&[(&sku, "Red"), ("other", "Blue")]),
                    _ => NewProduct::of(&[(&sku, "Red"), ("other", "Blue")]).tracked(Tracking::Product),
                };
                for id in bench.store.add(product.available(*units)) {
                    bench.store.set_available_at(&id, 2, 7);
                }
            }
            let variants = bench.catalogue().await;
            // Not only what may be written: what the daemon would never send is refused, and harms nobody.
            let mut changes: Vec<StockChange> = Vec::new();
            for (index, to) in &wanted {
                let change = change(index.get(&variants), *to);
                if changes.iter().all(|other| other.item != change.item) {
                    changes.push(change);
                }
            }
            let before = bench.store.shelves();
            let mut answers = answers.into_iter();
            bench.store.on_request(move |_| answers.next().unwrap_or(Fault::None));
            let outcomes = bench.channel.push_stock(&write(changes.clone())).await;
            bench.store.settle();
            let after = bench.store.shelves();
            let place = |change: &StockChange| match change.item.as_str().strip_prefix("product:") {
                Some(id) => format!("product {id} at {location}"),
                None => format!("variant {} at {location}", change.item),
            };
            let asked: BTreeMap<String, i64> =
                changes.iter().map(|change| (place(change), i64::from(change.to))).collect();
            for (shelf, units) in &after {
                let was = before.get(shelf);
                prop_assert!(was == Some(units) || asked.get(shelf) == Some(units), "{}: {:?} → {}", shelf, was, units);
            }
            prop_assert_eq!(before.len().max(after.len()), after.len());
            match outcomes {
                Ok(outcomes) => {
                    prop_assert_eq!(outcomes.len(), changes.len());
                    for (change, outcome) in changes.iter().zip(&outcomes) {
                        match outcome {
                            StockOutcome::Accepted => {
                                prop_assert_eq!(after.get(&place(change)).copied(), Some(i64::from(change.to)));
                            }
                            StockOutcome::Refused(why) => prop_assert!(!why.is_empty()),
                            other => prop_assert!(false, "{:?}", other),
                        }
                    }
                }
                // Nothing was set, as they say.
                Err(error) if error.kind != ErrorKind::Indeterminate => prop_assert_eq!(before, after),
                Err(_) => {}
            }
            Ok(())
        })?;
    }
}
