//! Stock as it is read: at one location, and at no other.

use std::collections::BTreeMap;

use bigcommerce::fake::{Fault, NewProduct, Tracking};
use sdk::{ErrorKind, RemoteId, Variant};

use crate::shop::{Bench, PLAIN, bench};

const ITEMS: &str = "GET /v3/inventory/items";

impl Bench {
    /// The whole catalogue.
    pub(crate) async fn catalogue(&self) -> Vec<Variant> {
        let mut all = Vec::new();
        let mut page = None;
        loop {
            let read = self.channel.products(page.as_deref()).await.unwrap();
            all.extend(read.variants);
            match read.next {
                Some(next) => page = Some(next),
                None => return all,
            }
        }
    }

    /// What the channel shows, by item.
    pub(crate) async fn levels(&self, items: &[RemoteId]) -> BTreeMap<String, Option<i64>> {
        let levels = self.channel.read_stock(items).await.unwrap();
        levels.into_iter().map(|level| (level.item.to_string(), level.available)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_hand_at_the_location_is_read_and_no_other() {
    let bench = bench(PLAIN);
    let simple = bench.store.add_product("A", true, 5);
    let untracked = bench.store.add_product("B", false, 0);
    let kinds = bench.store.add(NewProduct::of(&[("C-1", "Red"), ("C-2", "Blue")]).available(3));
    bench.store.set_available_at(&simple, 2, 99);
    bench.store.set_available_at(&kinds[0], 2, 98);
    bench.store.set_available(&kinds[1], -2);
    bench.store.set_safety_stock(&simple, 2);
    let variants = bench.catalogue().await;
    let mut items: Vec<RemoteId> = variants.iter().map(|variant| variant.item.clone()).collect();
    items.push("4711".into());
    items.push("product:4711".into());
    let levels = bench.levels(&items).await;
    let item = |id: &RemoteId| variants.iter().find(|variant| variant.id == *id).unwrap().item.to_string();
    assert_eq!(
        levels,
        BTreeMap::from([(item(&simple), Some(5)), (item(&kinds[0]), Some(3)), (item(&kinds[1]), Some(-2)),]),
        "what is not tracked and what is not there is left out; on hand, not less the merchant's safety stock"
    );
    assert!(!levels.contains_key(untracked.as_str()));
    assert_eq!(bench.store.counts()[ITEMS], 2, "variants, and products");
    assert!(bench.levels(&[]).await.is_empty());
    assert_eq!(bench.store.counts()[ITEMS], 2, "nothing is asked for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_product_that_is_tracked_by_variant_by_now_is_no_item() {
    let bench = bench(PLAIN);
    let id = bench.store.add_product("A", true, 5);
    let item = bench.catalogue().await[0].item.clone();
    bench.store.add_variant(&id, "A-2", "Blue");
    assert_eq!(bench.levels(std::slice::from_ref(&item)).await.len(), 1);
    bench.store.set_tracking(&id, Tracking::Variant);
    assert!(bench.levels(&[item]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_location_without_the_item_has_no_figure() {
    let bench = bench(&format!("{PLAIN}location = 9\n"));
    assert_eq!(bench.channel.stock_place(), "9");
    bench.store.add_product("A", true, 5);
    let item = bench.catalogue().await[0].item.clone();
    assert_eq!(bench.levels(std::slice::from_ref(&item)).await, BTreeMap::from([(item.to_string(), None)]));
}

#[tokio::test(start_paused = true)]
async fn two_thousand_items_are_read_in_a_few_questions_whatever_a_page_holds() {
    for (cap, most) in [(None, 4), (Some(250), 20), (Some(60), 70)] {
        let bench = bench(PLAIN);
        let ids: Vec<RemoteId> = (0..2_000)
            .map(|at| {
                let product = NewProduct::new(&format!("S-{at}")).tracked(Tracking::Variant);
                bench.store.add(product.available(at)).remove(0)
            })
            .collect();
        if let Some(cap) = cap {
            bench.store.cap_pages(cap);
        }
        let levels = bench.levels(&ids).await;
        assert_eq!(levels.len(), 2_000);
        assert!(ids.iter().enumerate().all(|(at, id)| levels[id.as_str()] == Some(at as i64)));
        let asked = bench.store.counts()[ITEMS];
        assert!(asked <= most, "{asked} questions where a page holds {cap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_do_not_tell_their_length_are_read_whole_too() {
    let bench = bench(PLAIN);
    bench.store.leave_totals_out();
    let many: Vec<String> = (0..120).map(|at| format!("K-{at}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|sku| (sku.as_str(), sku.as_str())).collect();
    let ids = bench.store.add(NewProduct::of(&many).available(4));
    bench.store.add_product("A", true, 5);
    assert_eq!(bench.catalogue().await.len(), 121);
    assert_eq!(bench.levels(&ids).await.len(), 120);
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_to_a_read_is_an_error_of_its_kind() {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    for (fault, kind) in [
        (body("<html>"), ErrorKind::Malformed),
        (body(""), ErrorKind::Malformed),
        (body("[]"), ErrorKind::Malformed),
        (body("{\"meta\": {}}"), ErrorKind::Malformed),
        (body("{\"data\": [{\"locations\": []}]}"), ErrorKind::Malformed),
        // Another item than was asked for: the filter was not heeded.
        (body("{\"data\": [{\"identity\": {\"variant_id\": 2}, \"locations\": []}]}"), ErrorKind::Malformed),
        (
            body(
                "{\"data\": [{\"identity\": {\"variant_id\": 7}, \"locations\": \
                 [{\"location_id\": 1, \"total_inventory_onhand\": 1}, {\"location_id\": 1}]}]}",
            ),
            ErrorKind::Malformed,
        ),
        (
            body(
                "{\"data\": [{\"identity\": {\"variant_id\": 7}, \"locations\": []}, \
                 {\"identity\": {\"variant_id\": 7}, \"locations\": []}]}",
            ),
            ErrorKind::Malformed,
        ),
        (
            body(
                "{\"data\": [{\"identity\": {\"variant_id\": 7}, \"locations\": \
                 [{\"location_id\": 1, \"total_inventory_onhand\": 1.5}]}]}",
            ),
            ErrorKind::Malformed,
        ),
        // Fewer than there are, for ever.
        (body("{\"data\": [], \"meta\": {\"pagination\": {\"total\": 4}}}"), ErrorKind::Unavailable),
        (Fault::Status(500), ErrorKind::Unavailable),
        (Fault::Status(403), ErrorKind::Unauthorized),
        (Fault::Status(404), ErrorKind::NotFound),
        (Fault::Status(422), ErrorKind::Rejected),
        (Fault::LoseAfterApplied, ErrorKind::Unavailable),
    ] {
        let bench = bench(PLAIN);
        let what = format!("{fault:?}");
        bench.store.on_request(move |_| fault.clone());
        let error = bench.channel.read_stock(&["7".into()]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
    // What does not name our location, or has no figure, is no figure.
    for told in [
        "[]",
        "[{\"location_id\": 2, \"total_inventory_onhand\": 9}]",
        "[{\"location_id\": 1, \"available_to_sell\": 9}]",
        "[{\"location_id\": 1, \"total_inventory_onhand\": null}]",
    ] {
        let bench = bench(PLAIN);
        let answer =
            format!("{{\"data\": [{{\"identity\": {{\"variant_id\": 7}}, \"locations\": {told}}}]}}");
        bench.store.on_request(move |_| Fault::Body(answer.clone().into_bytes()));
        assert_eq!(bench.levels(&["7".into()]).await, BTreeMap::from([("7".to_owned(), None)]), "{told}");
    }
}
