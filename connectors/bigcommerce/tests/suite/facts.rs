//! What an order's picture says: statuses, units, addresses.

use bigcommerce::fake::{FakeAddress, NewLine, NewOrder};
use sdk::{DeliveryKind, ErrorKind, LineKind, OrderState, Payment};
use serde_json::json;

use crate::shop::{PLAIN, bench, fulfillable, order, seconds, unreadable, wanted};

fn one(quantity: u32) -> NewOrder {
    NewOrder::new(vec![NewLine::new("A", quantity)])
}

#[tokio::test(start_paused = true)]
async fn an_order_is_read_whole() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(3).note("ring twice"));
    let order = bench.read(&id).await;
    assert_eq!((order.id.as_str(), order.number.as_str()), (id.as_str(), id.as_str()));
    assert_eq!(order.placed_at, bench.store.order(&id).unwrap().created);
    assert_eq!(order.updated_at, Some(bench.store.order(&id).unwrap().updated));
    assert_eq!(order.email.as_deref(), Some("ada@example.com"));
    assert_eq!(order.customer_note.as_deref(), Some("ring twice"));
    assert_eq!(order.bill_to.as_ref().unwrap().name, "Ada Example");
    let line = &order.lines[0];
    assert_eq!((line.sku.as_deref(), line.title.as_str()), (Some("A"), "Product A"));
    assert_eq!((line.quantity, line.fulfillable, line.refunded), (3, 3, 0));
    let delivery = &order.deliveries[0];
    assert_eq!(delivery.key, bench.store.order(&id).unwrap().addresses[0].0.to_string());
    assert_eq!((line.delivery.as_str(), &delivery.kind), (delivery.key.as_str(), &DeliveryKind::Shipping));
    assert_eq!(delivery.method.as_deref(), Some("Flat Rate"));
    let to = delivery.ship_to.as_ref().unwrap();
    assert_eq!(
        (to.name.as_str(), to.province.as_str(), to.country.as_str()),
        ("Ada Example", "Illinois", "US")
    );
    assert!(order.holds.is_empty() && order.state.is_open() && !order.test);
}

#[tokio::test(start_paused = true)]
async fn every_status_means_what_a_supplier_needs() {
    let bench = bench(PLAIN);
    let unpaid = |word: &str| Payment::Unpaid(word.to_owned());
    for (status, payment, cancelled, held, left) in [
        (0, unpaid("Incomplete"), false, false, 2),
        (1, unpaid("Pending"), false, false, 2),
        (2, Payment::Paid, false, false, 2),
        (3, Payment::Paid, false, false, 2),
        (4, Payment::Returned("Refunded".to_owned()), false, false, 0),
        (5, unpaid("Cancelled"), true, false, 0),
        (6, unpaid("Declined"), true, false, 0),
        (7, unpaid("Awaiting Payment"), false, false, 2),
        (8, unpaid("Awaiting Pickup"), false, false, 2),
        (9, Payment::Paid, false, false, 2),
        (10, Payment::Paid, false, false, 2),
        (11, Payment::Paid, false, false, 2),
        (12, unpaid("Manual Verification Required"), false, true, 2),
        (13, unpaid("Disputed"), false, true, 2),
        (14, Payment::Paid, false, false, 2),
    ] {
        let id = bench.store.place(one(2).status(status));
        let order = bench.read(&id).await;
        assert_eq!(order.payment, payment, "{status}");
        assert_eq!(matches!(order.state, OrderState::Cancelled { .. }), cancelled, "{status}");
        assert!(cancelled || order.state.is_open(), "{status}");
        assert_eq!(!order.holds.is_empty(), held, "{status}");
        assert_eq!(fulfillable(&order), [left], "{status}");
        let fetched = order.deliveries[0].kind == DeliveryKind::Merchant("Awaiting Pickup".to_owned());
        assert_eq!(fetched, status == 8, "{status}");
    }
    let id = bench.store.place(one(2).status(15));
    let order = bench.read(&id).await;
    assert_eq!(order.state, OrderState::Unknown("status 15 (Something New)".to_owned()));
    assert_eq!(fulfillable(&order), [2], "an unknown word cancels nothing");
}

#[tokio::test(start_paused = true)]
async fn where_the_status_does_not_tell_the_payment_its_own_word_does() {
    let bench = bench(PLAIN);
    for (word, payment) in [
        ("captured", Payment::Paid),
        ("paid", Payment::Paid),
        ("partially refunded", Payment::Paid),
        ("authorized", Payment::Authorized),
        ("refunded", Payment::Returned("refunded".to_owned())),
        ("void", Payment::Returned("void".to_owned())),
        ("held for review", Payment::Unpaid("held for review".to_owned())),
        ("a new word", Payment::Unknown("a new word".to_owned())),
    ] {
        let id = bench.store.place(one(1).status(12).payment_status(word));
        assert_eq!(bench.read(&id).await.payment, payment, "{word}");
        let id = bench.store.place(one(1).status(11).payment_status(word));
        assert_eq!(bench.read(&id).await.payment, Payment::Paid, "{word}: the status counts");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_none_yet_is_left_out_of_pages_and_read_by_its_id() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(1).status(0));
    assert!(bench.pull(None).await.is_empty());
    assert_eq!(bench.read(&id).await.payment, Payment::Unpaid("Incomplete".to_owned()));
    bench.store.set_status(&id, 11);
    seconds(60).await;
    assert_eq!(bench.pull(None).await.len(), 1);
    // One that was shown before is shown on.
    bench.store.set_status(&id, 0);
    assert_eq!(order(bench.pull(None).await.remove(0)).payment, Payment::Unpaid("Incomplete".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_archived_order_is_held_and_a_deleted_one_is_gone() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(1));
    bench.store.archive(&id);
    assert_eq!(bench.read(&id).await.holds, ["the order is archived (deleted) in the shop"]);
    assert!(bench.pull(None).await.is_empty(), "the store does not list it");
    bench.store.list_archived(true);
    let pulled = order(bench.pull(None).await.remove(0));
    assert_eq!((pulled.holds.len(), fulfillable(&pulled)), (1, vec![1]), "it waits, and is not cancelled");
    bench.store.unarchive(&id);
    assert!(bench.read(&id).await.holds.is_empty());
    bench.store.delete(&id);
    assert_eq!(bench.channel.order(&id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(bench.channel.order(&"x7".into()).await.unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn edits_and_cancellations_change_what_is_wanted() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 5), NewLine::new("B", 2)]));
    bench.store.edit_quantity(&id, bench.number(&id, 0), 3);
    let read = bench.read(&id).await;
    assert_eq!((wanted(&read), read.lines[0].quantity), (vec![3, 2], 3));
    bench.store.remove_line(&id, bench.number(&id, 1));
    assert_eq!(wanted(&bench.read(&id).await), [3], "a removed line is not listed");
    let added = bench.store.add_line(&id, NewLine::new("C", 4)).unwrap();
    let read = bench.read(&id).await;
    assert_eq!((wanted(&read), read.lines[1].id.as_str()), (vec![3, 4], added.to_string().as_str()));
    bench.store.cancel_order(&id);
    assert_eq!(wanted(&bench.read(&id).await), [0, 0]);
    bench.store.set_status(&id, 11);
    assert_eq!(wanted(&bench.read(&id).await), [3, 4], "reinstated");
}

/// Units ordered, shipped, refunded before and after the parcel; what is wanted then.
#[tokio::test(start_paused = true)]
async fn refunds_before_and_after_a_parcel() {
    for (ordered, before, shipped, after, want) in [
        (3, 1, 0, 0, 2),
        (3, 1, 2, 0, 2),
        (3, 0, 3, 1, 3), // all shipped: surely a return
        (3, 0, 2, 2, 2), // one of them is surely a return
        (3, 0, 1, 1, 2), // nothing tells: taken as a cancellation of an open unit
        (3, 0, 3, 3, 3),
        (1, 0, 1, 1, 1),
        (2, 1, 1, 1, 1),
    ] {
        let bench = bench(PLAIN);
        let id = bench.store.place(one(ordered));
        let line = bench.number(&id, 0);
        if before > 0 {
            bench.store.refund(&id, line, before);
        }
        if shipped > 0 {
            bench.store.ship_elsewhere(&id, line, shipped, "T1").unwrap();
        }
        if after > 0 {
            bench.store.refund(&id, line, after);
        }
        let read = bench.read(&id).await;
        let case = (ordered, before, shipped, after);
        assert_eq!(wanted(&read), [want], "{case:?}");
        assert_eq!(read.lines[0].refunded, before + after, "{case:?}");
        assert_eq!(read.lines[0].quantity, ordered, "{case:?}: a refund is no edit");
    }
}

#[tokio::test(start_paused = true)]
async fn units_marked_as_shipped_without_a_shipment_are_someone_elses() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(3));
    bench.store.ship_elsewhere(&id, bench.number(&id, 0), 1, "T1").unwrap();
    bench.store.mark_shipped(&id);
    let read = bench.read(&id).await;
    assert_eq!((fulfillable(&read), wanted(&read)), (vec![0], vec![3]), "none is cancelled");
    assert_eq!(read.fulfillments[1].lines[0].quantity, 2);
    assert_eq!(bench.channel.find(&id).await.unwrap().len(), 1, "it is no shipment");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_shipment_opens_its_units_again() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(2));
    let made = bench.store.ship_elsewhere(&id, bench.number(&id, 0), 2, "T1").unwrap();
    bench.store.delete_shipment(&id, made);
    let read = bench.read(&id).await;
    assert_eq!(bench.store.order(&id).unwrap().status, 2, "it stays Shipped");
    assert_eq!((fulfillable(&read), read.payment), (vec![2], Payment::Paid));
}

#[tokio::test(start_paused = true)]
async fn each_address_is_a_delivery_and_a_pickup_is_the_merchants() {
    let bench = bench(PLAIN);
    let other = FakeAddress { city: "Shelbyville".to_owned(), ..FakeAddress::sample() };
    let id = bench.store.place(
        NewOrder::new(vec![
            NewLine::new("A", 1),
            NewLine::new("B", 1).to(1),
            NewLine::new("C", 1).pickup(4),
            NewLine::new("D", 1).digital(),
            NewLine::new("E", 1).gift_card(),
            NewLine::new("F", 1).typed("hologram"),
            NewLine::new("", 1).custom(),
            NewLine::new("G", 1).to(9),
        ])
        .addresses(vec![FakeAddress::sample(), other]),
    );
    let truth = bench.store.order(&id).unwrap();
    let read = bench.read(&id).await;
    let of = |at: usize| {
        let key = &read.lines[at].delivery;
        read.deliveries.iter().find(|delivery| delivery.key == *key).unwrap()
    };
    assert_eq!(of(0).key, truth.addresses[0].0.to_string());
    assert_eq!(of(1).ship_to.as_ref().unwrap().city, "Shelbyville");
    assert_eq!((of(2).key.as_str(), &of(2).kind), ("pickup-4", &DeliveryKind::Merchant("pickup".to_owned())));
    assert_eq!(of(3).kind, DeliveryKind::Merchant("digital".to_owned()));
    assert_eq!(of(4).kind, DeliveryKind::Merchant("giftcertificate".to_owned()));
    assert!(matches!(of(5).kind, DeliveryKind::Unknown(_)));
    assert_eq!(of(6).key, of(0).key);
    assert!(matches!(of(7).kind, DeliveryKind::Unknown(_)));
    let kinds: Vec<&LineKind> = read.lines.iter().map(|line| &line.kind).collect();
    use LineKind::{Custom, Digital, GiftCard, Goods};
    assert_eq!(kinds, [&Goods, &Goods, &Goods, &Digital, &GiftCard, &Goods, &Custom, &Goods]);
    // The keys are the same in every picture: when the address changes, the status, the lines.
    bench.store.set_address(&id, FakeAddress { city: "Ogdenville".to_owned(), ..FakeAddress::sample() });
    bench.store.remove_line(&id, truth.lines[1].id);
    bench.store.set_status(&id, 8);
    let later = bench.read(&id).await;
    assert_eq!(later.lines[0].delivery, read.lines[0].delivery);
    assert_eq!(later.deliveries[0].ship_to.as_ref().unwrap().city, "Ogdenville");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_there_is_a_gate_and_no_guess() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(1));
    bench.store.spoil(&id, "shipping_addresses", "", json!([]));
    let read = bench.read(&id).await;
    assert_eq!((&read.deliveries[0].kind, &read.deliveries[0].ship_to), (&DeliveryKind::Shipping, &None));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_set_aside_with_its_field_and_the_page_goes_on() {
    for (resource, pointer, value, named) in [
        ("order", "/date_modified", json!(null), "date_modified"),
        ("order", "/date_created", json!("yesterday"), "date_created"),
        ("order", "/status_id", json!("(missing)"), "status_id"),
        ("order", "/status_id", json!("11"), "status_id"),
        ("order", "/billing_address", json!("Ada Example"), "billing_address"),
        ("products", "/0/quantity", json!(-1), "quantity"),
        ("products", "/0/quantity", json!(2.5), "quantity"),
        ("products", "/0/quantity", json!("2"), "quantity"),
        ("products", "/0/quantity", json!(5_000_000_000_u64), "quantity"),
        ("products", "/0/quantity_shipped", json!("(missing)"), "quantity_shipped"),
        ("products", "/0/quantity_refunded", json!(null), "quantity_refunded"),
        ("products", "/0/type", json!(7), "type"),
        ("products", "/0/id", json!("x"), "id"),
        ("products", "", json!({ "status": 500 }), "products"),
        ("shipping_addresses", "/0/city", json!(["Springfield"]), "city"),
        ("shipping_addresses", "/0/zip", json!(62701), "zip"),
        ("shipments", "/0/items", json!(null), "items"),
        ("shipments", "/0/date_created", json!("soon"), "date_created"),
    ] {
        let bench = bench(PLAIN);
        let before = bench.store.place(one(1));
        let id = bench.store.place(one(2).note("secret-note"));
        bench.store.ship_elsewhere(&id, bench.number(&id, 0), 1, "T1").unwrap();
        let after = bench.store.place(one(1));
        bench.store.spoil(&id, resource, pointer, value.clone());
        let case = format!("{resource}{pointer} = {value}");
        let mut seen = Vec::new();
        for pulled in bench.pull(None).await {
            match pulled {
                sdk::Pulled::Order(order) => seen.push(order.id),
                sdk::Pulled::Unreadable(aside) => {
                    assert_eq!(aside.id, id, "{case}");
                    assert!(aside.reason.contains(named), "{case}: {}", aside.reason);
                    for secret in ["secret-note", "Ada", "Springfield", "62701", "yesterday"] {
                        assert!(!aside.reason.contains(secret), "{case}: {}", aside.reason);
                    }
                    assert!(aside.raw.contains("secret-note"), "{case}: the payload as it came");
                }
            }
        }
        seen.sort();
        assert_eq!(seen, [before.clone(), after.clone()], "{case}");
        // By its id it is the same.
        unreadable(bench.channel.order(&id).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn whole_numbers_in_another_notation_are_whole_numbers() {
    let bench = bench(PLAIN);
    let id = bench.store.place(one(2));
    bench.store.spoil(&id, "products", "/0/quantity_refunded", json!(1.0));
    assert_eq!(fulfillable(&bench.read(&id).await), [1]);
}
