//! What an order on the shop means in ours.

use std::time::Duration;

use sdk::{DeliveryKind, LineKind, OrderState, Payment, Pulled};
use shopify::fake::{FakeAddress, NewLine, NewOrder};

use crate::shop::{LASTING, bench, start};

#[tokio::test(start_paused = true)]
async fn payment_words() {
    let bench = bench(LASTING);
    for (word, meaning) in [
        ("PAID", Payment::Paid),
        ("PARTIALLY_REFUNDED", Payment::Paid),
        ("AUTHORIZED", Payment::Authorized),
        ("PENDING", Payment::Unpaid("PENDING".into())),
        ("PARTIALLY_PAID", Payment::Unpaid("PARTIALLY_PAID".into())),
        ("EXPIRED", Payment::Unpaid("EXPIRED".into())),
        ("REFUNDED", Payment::Returned("REFUNDED".into())),
        ("VOIDED", Payment::Returned("VOIDED".into())),
        ("GILDED", Payment::Unknown("GILDED".into())),
    ] {
        let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 1)]).financial(word));
        assert_eq!(bench.read(&id).await.payment, meaning);
    }
}

#[tokio::test(start_paused = true)]
async fn kinds_of_lines_and_ways_to_go() {
    let bench = bench(LASTING);
    let id = bench.shop.place(
        NewOrder::new(vec![
            NewLine::new("A", 2),
            NewLine::new("", 1).custom(),
            NewLine::new("E", 1).digital(),
            NewLine::new("G", 1).gift_card(),
            NewLine::new("P", 1).by("PICK_UP"),
            NewLine::new("D", 1).by("DRONE"),
        ])
        .test()
        .note("Leave it \"at\" the door\u{7} — ✓"),
    );
    let order = bench.read(&id).await;
    let kinds: Vec<LineKind> = order.lines.iter().map(|line| line.kind.clone()).collect();
    use LineKind::{Custom, Digital, GiftCard, Goods};
    assert_eq!(kinds, [Goods, Custom, Digital, GiftCard, Goods, Goods]);
    let way = |at: usize| {
        let key = &order.lines[at].delivery;
        order.deliveries.iter().find(|delivery| delivery.key == *key).unwrap().kind.clone()
    };
    assert_eq!(way(0), DeliveryKind::Shipping);
    assert_eq!(way(4), DeliveryKind::Merchant("PICK_UP".into()));
    assert_eq!(way(5), DeliveryKind::Unknown("DRONE".into()));
    assert!(order.test);
    assert_eq!(order.customer_note.as_deref(), Some("Leave it \"at\" the door\u{7} — ✓"));
    let ship_to = order.deliveries[0].ship_to.clone().unwrap();
    assert_eq!((ship_to.name.as_str(), ship_to.province.as_str()), ("Ada Example", "IL"));
    assert_eq!(order.deliveries[0].method.as_deref(), Some("Standard"));
    assert!(order.email.is_some() && order.bill_to.is_some());
}

#[tokio::test(start_paused = true)]
async fn no_address_and_no_lines() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(Vec::new()).address(None));
    let order = bench.read(&id).await;
    assert!(order.lines.is_empty() && order.deliveries[0].ship_to.is_none());
    bench.shop.set_address(&id, FakeAddress::sample());
    assert!(bench.read(&id).await.deliveries[0].ship_to.is_some());
}

#[tokio::test(start_paused = true)]
async fn cancelled_units_fall_and_come_back() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 5), NewLine::new("B", 1)]));
    let line = bench.shop.order(&id).unwrap().lines[0].id;
    bench.shop.edit_quantity(&id, line, 2);
    let units = |order: &sdk::Order| (order.lines[0].quantity, order.lines[0].fulfillable);
    assert_eq!(units(&bench.read(&id).await), (2, 2));
    bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 2)])).await.unwrap();
    assert_eq!(units(&bench.read(&id).await), (2, 0));
    bench.shop.edit_quantity(&id, line, 3);
    assert_eq!(units(&bench.read(&id).await), (3, 1));
    bench.shop.cancel_order(&id, "CUSTOMER");
    let order = bench.read(&id).await;
    assert_eq!(units(&order), (3, 0));
    assert!(
        matches!(&order.state, OrderState::Cancelled { at: Some(_), reason: Some(why) } if why == "customer")
    );
}

#[tokio::test(start_paused = true)]
async fn a_taken_back_parcel_counts_its_units_once() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 3)]));
    let pushed = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 3)])).await.unwrap();
    bench.channel.void_fulfillment(&id, &pushed.fulfillment.id, "key").await.unwrap();
    let fos = bench.shop.order(&id).unwrap().fulfillment_orders;
    assert_eq!((fos[0].status.as_str(), fos[0].lines[0].remaining), ("CLOSED", 3), "as recorded");
    let order = bench.read(&id).await;
    assert_eq!((order.lines[0].quantity, order.lines[0].fulfillable), (3, 3));
    assert!(!order.fulfillments[0].active);
    bench.channel.void_fulfillment(&id, &pushed.fulfillment.id, "key").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn holds_schedules_and_unknown_states_keep_their_units() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    bench.shop.hold(&id, "High risk of fraud");
    let order = bench.read(&id).await;
    assert_eq!(order.holds, ["on hold: High risk of fraud"]);
    assert_eq!(order.lines[0].fulfillable, 2);
    bench.shop.release(&id);
    assert!(bench.read(&id).await.holds.is_empty());
    bench.shop.set_fo_status(&id, "PONDERING");
    let order = bench.read(&id).await;
    assert_eq!(order.holds, ["fulfillment order in the unknown status PONDERING"]);
    assert_eq!(order.lines[0].fulfillable, 2);
    let later = start() + Duration::from_secs(86_400 * 9);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]).scheduled(later));
    assert_eq!(
        bench.read(&id).await.holds,
        [format!("fulfillment scheduled for {}", later.format("%Y-%m-%d"))]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_shop_does_not_have_is_not_found() {
    let bench = bench(LASTING);
    let error = bench.channel.order(&"77".into()).await.unwrap_err();
    assert_eq!(error.kind, sdk::ErrorKind::NotFound);
    let error = bench.channel.order(&"../77".into()).await.unwrap_err();
    assert_eq!(error.kind, sdk::ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn one_order_that_cannot_be_read_stops_no_other() {
    let bench = bench(LASTING);
    let ids: Vec<_> = (0..3).map(|_| bench.shop.place(NewOrder::new(vec![NewLine::new("A", 4)]))).collect();
    bench.pull(None).await;
    // The shop's own answer with one order bent: a wrong type, then a negative quantity, then a huge one.
    let body = String::from_utf8(bench.answer_again().await).unwrap();
    for (good, bad) in [
        ("\"currentQuantity\":4", "\"currentQuantity\":\"12 Hidden Lane\""),
        ("\"currentQuantity\":4", "\"currentQuantity\":-4"),
        ("\"remainingQuantity\":4", "\"remainingQuantity\":99999999999"),
        ("\"lineItems\":{", "\"lineItemz\":{"),
    ] {
        let bent = body.replacen(good, bad, 1).into_bytes();
        assert_ne!(bent, body.as_bytes());
        bench.shop.on_request(move |_| shopify::fake::Fault::Body(bent.clone()));
        let pulled = bench.pull(None).await;
        assert_eq!(pulled.len(), 3);
        let Pulled::Unreadable(set_aside) = &pulled[0] else { panic!("{bad} was read") };
        assert_eq!(set_aside.id, ids[0]);
        assert!(set_aside.raw.contains(bad), "its own payload is kept");
        assert!(!set_aside.reason.contains("Hidden"), "{}", set_aside.reason);
        assert!(matches!((&pulled[1], &pulled[2]), (Pulled::Order(_), Pulled::Order(_))));
    }
}
