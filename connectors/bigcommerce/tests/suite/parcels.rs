//! Parcels: addresses, tracking, lost answers.

use bigcommerce::fake::{FakeAddress, Fault, NewLine, NewOrder};
use sdk::{ErrorKind, LineQuantity, OtherParcel, TrackingUpdate};

use crate::shop::{Bench, PLAIN, bench, fulfillable};

const CREATE: &str = "POST /v2/orders/{}/shipments";

fn units(lines: &[LineQuantity]) -> Vec<u32> {
    lines.iter().map(|line| line.quantity).collect()
}

fn writes(bench: &Bench) -> u32 {
    bench.store.counts().get(CREATE).copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_parcel_is_a_shipment_and_the_status_follows() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2), NewLine::new("B", 1)]));
    let pushed = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap();
    assert!(pushed.left.is_empty());
    assert_eq!(bench.store.order(&id).unwrap().status, 3);
    let made = bench.store.shipments(&id).remove(0);
    assert_eq!(pushed.fulfillment.id.as_str(), made.id.to_string());
    assert_eq!((made.number.as_str(), made.provider.as_str(), made.mails), ("RM-1", "royalmail", 1));
    assert_eq!((made.link.as_str(), made.comments.as_str()), ("https://track.example/RM-1", ""));
    bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1), (1, 1)])).await.unwrap();
    assert_eq!(bench.store.order(&id).unwrap().status, 2);
    let found = bench.channel.find(&id).await.unwrap();
    assert_eq!(found.iter().map(|made| units(&made.lines)).collect::<Vec<_>>(), [vec![1], vec![1, 1]]);
    assert_eq!(found[0], pushed.fulfillment);
    let read = bench.read(&id).await;
    assert_eq!((fulfillable(&read), &read.fulfillments), (vec![0, 0], &found));
}

#[tokio::test(start_paused = true)]
async fn a_parcel_over_two_addresses_is_two_shipments_of_one_tracking() {
    let bench = bench(PLAIN);
    let order =
        NewOrder::new(vec![NewLine::new("A", 2), NewLine::new("B", 3).to(1), NewLine::new("C", 1).to(1)]);
    let id = bench.store.place(order.addresses(vec![FakeAddress::sample(), FakeAddress::sample()]));
    let mut request = bench.parcel(&id, &[(0, 2), (1, 2), (2, 1)]);
    let first = bench.channel.push_fulfillment(&request).await.unwrap();
    assert_eq!(units(&first.fulfillment.lines), [2, 1], "the address that takes the most goes first");
    assert_eq!(units(&first.left), [2]);
    assert_eq!(writes(&bench), 1, "one write a call");
    request.lines = first.left;
    let second = bench.channel.push_fulfillment(&request).await.unwrap();
    assert!(second.left.is_empty());
    let made = bench.store.shipments(&id);
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|made| made.number == "RM-1"));
    assert_ne!(made[0].address, made[1].address);
    assert_eq!(fulfillable(&bench.read(&id).await), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_shipped_is_refused_before_anything_is_written() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![
        NewLine::new("A", 2),
        NewLine::new("B", 1).pickup(4),
        NewLine::new("C", 1).digital(),
    ]));
    for (lines, told) in [
        (vec![(0, 3)], "3 in the parcel, 2 can be shipped"),
        (vec![(0, 1), (0, 2)], "3 in the parcel, 2 can be shipped"),
        (vec![(1, 1)], "not shipped to an address"),
        (vec![(0, 1), (2, 1)], "not shipped to an address"),
        (vec![(0, 0)], "no lines"),
        (vec![], "no lines"),
    ] {
        let error = bench.channel.push_fulfillment(&bench.parcel(&id, &lines)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected, "{lines:?}");
        assert!(error.message.contains(told), "{lines:?}: {error}");
    }
    let mut request = bench.parcel(&id, &[(0, 1)]);
    request.lines[0].line = "7".into();
    let error = bench.channel.push_fulfillment(&request).await.unwrap_err();
    assert!(error.message.contains("line 7 is no longer in the order"), "{error}");
    let mut request = bench.parcel(&id, &[(0, 1)]);
    request.tracking.number = Some("9".repeat(51));
    let error = bench.channel.push_fulfillment(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("51 characters, BigCommerce takes at most 50"), "{error}");
    request.order = "1".into();
    request.tracking.number = None;
    assert_eq!(bench.channel.push_fulfillment(&request).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(writes(&bench), 0);
    assert!(bench.store.shipments(&id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn units_shipped_by_others_are_not_shipped_again() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    let request = bench.parcel(&id, &[(0, 2)]);
    bench.store.ship_elsewhere(&id, bench.number(&id, 0), 1, "THEIRS").unwrap();
    let error = bench.channel.push_fulfillment(&request).await.unwrap_err();
    assert!(error.message.contains("2 in the parcel, 1 can be shipped"), "{error}");
    assert_eq!(writes(&bench), 0);
}

#[tokio::test(start_paused = true)]
async fn the_stores_own_refusal_is_told_in_its_words() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    let line = bench.number(&id, 0);
    // Somebody else is faster: the products that are looked at are older than the truth.
    bench.store.spoil(&id, "products", "/0/quantity_shipped", serde_json::json!(0));
    bench.store.ship_elsewhere(&id, line, 1, "THEIRS").unwrap();
    let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 2)])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("The field 'quantity' is invalid"), "{error}");
    assert_eq!(bench.store.shipments(&id).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_indeterminate_and_found_by_looking() {
    for (fault, applied) in [
        (Fault::LoseAfterApplied, true),
        (Fault::BodyAfterApplied(b"<html>".to_vec()), true),
        (Fault::BodyAfterApplied(b"{\"id\": 9".to_vec()), true),
        (Fault::BodyAfterApplied(b"{\"id\": 9}".to_vec()), true),
        (Fault::BodyAfterApplied(Vec::new()), true),
        (Fault::LoseBefore, false),
        (Fault::Status(502), false),
        (Fault::Status(500), false),
        (Fault::Status(408), false),
        (Fault::Status(302), false),
    ] {
        let bench = bench(PLAIN);
        let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2)]));
        let what = format!("{fault:?}");
        bench.store.on_request(move |name| if name == CREATE { fault.clone() } else { Fault::None });
        let request = bench.parcel(&id, &[(0, 1)]);
        let error = bench.channel.push_fulfillment(&request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Indeterminate, "{what}");
        assert_eq!(writes(&bench), 1, "{what}: sent twice");
        bench.store.on_request(|_| Fault::None);
        let found = bench.channel.find(&id).await.unwrap();
        assert_eq!(found.len(), usize::from(applied), "{what}");
        for found in found {
            assert_eq!(found.lines, request.lines);
            assert_eq!(found.tracking[0].number.as_deref(), Some("RM-1"));
            assert!(found.active && found.created_at.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_surely_was_not_applied_is_said_to_be_so() {
    for (fault, kind) in [
        (Fault::Refuse, ErrorKind::Unavailable),
        (Fault::Throttled(Vec::new()), ErrorKind::RateLimited),
        (Fault::Status(401), ErrorKind::Unauthorized),
        (Fault::Status(403), ErrorKind::Unauthorized),
        (Fault::Status(404), ErrorKind::NotFound),
        (Fault::Status(400), ErrorKind::Rejected),
        (Fault::Status(422), ErrorKind::Rejected),
    ] {
        let bench = bench(PLAIN);
        let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2)]));
        let what = format!("{fault:?}");
        bench.store.on_request(move |name| if name == CREATE { fault.clone() } else { Fault::None });
        let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
        assert!(bench.store.shipments(&id).is_empty());
        assert_eq!(writes(&bench), 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn tracking_is_corrected_and_other_parcels_are_in_the_comments() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    let mut request = bench.parcel(&id, &[(0, 2)]);
    request.tracking.others =
        vec![OtherParcel { carrier: "united parcel service".into(), number: "1Z0".into(), url: None }];
    let pushed = bench.channel.push_fulfillment(&request).await.unwrap();
    let made = bench.store.shipments(&id).remove(0);
    assert_eq!((made.number.as_str(), made.comments.as_str()), ("RM-1", "Also in parcel UPS 1Z0"));
    let mut update = TrackingUpdate {
        key: "key-2".into(),
        order: id.clone(),
        number: "1".into(),
        fulfillment: pushed.fulfillment.id.clone(),
        tracking: bench.parcel(&id, &[]).tracking,
        notify: false,
    };
    update.tracking.carrier = "Pigeon Post".into();
    update.tracking.service = Some("Express".into());
    update.tracking.number = Some("PP-9".into());
    update.tracking.url = Some(format!("https://track.example/{}", "9".repeat(500)));
    bench.channel.update_tracking(&update).await.unwrap();
    bench.channel.update_tracking(&update).await.unwrap();
    let made = bench.store.shipments(&id);
    assert_eq!((made.len(), made[0].number.as_str(), made[0].mails), (1, "PP-9", 1));
    assert_eq!((made[0].provider.as_str(), made[0].method.as_str()), ("", "Pigeon Post Express"));
    assert_eq!(made[0].link, "");
    assert!(made[0].comments.starts_with("Follow it at https://track.example/999"));
    assert_eq!(bench.channel.find(&id).await.unwrap()[0].tracking[0].number.as_deref(), Some("PP-9"));
    // One without a number leaves none of the old.
    update.tracking.number = None;
    update.tracking.url = None;
    bench.channel.update_tracking(&update).await.unwrap();
    assert!(bench.channel.find(&id).await.unwrap()[0].tracking.is_empty());
    update.fulfillment = "1".into();
    assert_eq!(bench.channel.update_tracking(&update).await.unwrap_err().kind, ErrorKind::NotFound);
    update.fulfillment = "marked-as-shipped".into();
    assert_eq!(bench.channel.update_tracking(&update).await.unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn a_lost_correction_is_sent_again() {
    let bench = bench(PLAIN);
    let id = bench.store.place(NewOrder::new(vec![NewLine::new("A", 1)]));
    let pushed = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap();
    let mut lost = 1;
    bench.store.on_request(move |name| {
        if name.starts_with("PUT") && lost > 0 {
            lost -= 1;
            return Fault::LoseAfterApplied;
        }
        Fault::None
    });
    let update = TrackingUpdate {
        key: "key-2".into(),
        order: id.clone(),
        number: "1".into(),
        fulfillment: pushed.fulfillment.id,
        tracking: bench.parcel(&id, &[]).tracking,
        notify: true,
    };
    bench.channel.update_tracking(&update).await.unwrap();
    assert_eq!(bench.store.counts()["PUT /v2/orders/{}/shipments/{}"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_channel_cannot_do_is_said_to_be_so() {
    let bench = bench(PLAIN);
    let capabilities = bench.channel.capabilities();
    assert_eq!(capabilities, bigcommerce::CAPABILITIES);
    assert!(!capabilities.voids && !capabilities.split_mirror && !capabilities.test_orders);
    let error = bench.channel.void_fulfillment(&"1".into(), &"2".into(), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}
