//! Parcels: places, tracking, lost answers, splits.

use sdk::{ErrorKind, LineQuantity, OtherParcel, SplitMirror, TrackingUpdate};
use shopify::fake::{Fault, NewLine, NewOrder};

use crate::shop::{LASTING, bench};

fn units(lines: &[LineQuantity]) -> Vec<u32> {
    lines.iter().map(|line| line.quantity).collect()
}

#[tokio::test(start_paused = true)]
async fn a_parcel_over_two_locations_is_two_fulfillments_of_one_tracking() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![
        NewLine::new("A", 2),
        NewLine::new("B", 3).at(42),
        NewLine::new("C", 1).at(42),
    ]));
    let mut request = bench.parcel(&id, &[(0, 2), (1, 2), (2, 1)]);
    let first = bench.channel.push_fulfillment(&request).await.unwrap();
    assert_eq!(units(&first.fulfillment.lines), [2, 1], "the place that gives the most goes first");
    assert_eq!(units(&first.left), [2]);
    request.lines = first.left;
    let second = bench.channel.push_fulfillment(&request).await.unwrap();
    assert!(second.left.is_empty());
    let made = bench.shop.fulfillments(&id);
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|made| made.numbers == ["BB-1"] && made.mails == 1));
    assert_ne!(made[0].location, made[1].location);
    let order = bench.read(&id).await;
    assert_eq!(order.lines.iter().map(|line| line.fulfillable).collect::<Vec<_>>(), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn more_than_is_open_is_refused_before_anything_is_written() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2), NewLine::new("B", 1)]));
    let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(1, 1), (0, 3)])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("3 in the parcel, 2 can be fulfilled"), "{error}");
    bench.shop.hold(&id, "Other");
    let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap_err();
    assert!(error.message.contains("ON_HOLD"), "{error}");
    assert!(!bench.shop.counts().contains_key("PortaldFulfillmentCreate"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_words_is_looked_at_once_more_and_then_parked() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    let refusal = r#"{"data":{"fulfillmentCreate":{"fulfillment":null,"userErrors":[{"field":["fulfillment"],
        "message":"Invalid fulfillment order line item quantity requested."}]}}}"#;
    bench.shop.on_request(move |operation| match operation {
        "PortaldFulfillmentCreate" => Fault::Body(refusal.into()),
        _ => Fault::None,
    });
    let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("Invalid fulfillment order line item quantity requested."));
    assert_eq!(bench.shop.counts()["PortaldFulfillmentCreate"], 1, "nothing had changed: no second try");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_indeterminate_and_found_by_looking() {
    for (fault, applied) in [
        (Fault::LoseAfterApplied, true),
        (Fault::BodyAfterApplied(b"<html>".to_vec()), true),
        (Fault::BodyAfterApplied(b"{\"data\":{\"fulfill".to_vec()), true),
        (Fault::BodyAfterApplied(Vec::new()), true),
        (Fault::LoseBefore, false),
        (Fault::Status(502), false),
        (Fault::Body(br#"{"errors":[{"message":"Internal error.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_vec()), false),
    ] {
        let bench = bench(LASTING);
        let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
        let what = format!("{fault:?}");
        bench.shop.on_request(move |operation| match operation {
            "PortaldFulfillmentCreate" => fault.clone(),
            _ => Fault::None,
        });
        let request = bench.parcel(&id, &[(0, 1)]);
        let error = bench.channel.push_fulfillment(&request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Indeterminate, "{what}");
        assert_eq!(bench.shop.counts()["PortaldFulfillmentCreate"], 1, "{what}: sent twice");
        bench.shop.on_request(|_| Fault::None);
        let found = bench.channel.find(&id).await.unwrap();
        assert_eq!(found.len(), usize::from(applied), "{what}");
        for found in found {
            assert_eq!(found.lines, request.lines);
            assert_eq!(found.tracking[0].number.as_deref(), Some("BB-1"));
            assert!(found.active);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_surely_was_not_applied_is_said_to_be_so() {
    for (fault, kind) in [
        (Fault::Refuse, ErrorKind::Unavailable),
        (Fault::Throttled, ErrorKind::RateLimited),
        (Fault::Status(429), ErrorKind::RateLimited),
        (Fault::Status(401), ErrorKind::Unauthorized),
        (Fault::Status(422), ErrorKind::Rejected),
    ] {
        let bench = bench(LASTING);
        let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
        let what = format!("{fault:?}");
        bench.shop.on_request(move |operation| match operation {
            "PortaldFulfillmentCreate" => fault.clone(),
            _ => Fault::None,
        });
        let error = bench.channel.push_fulfillment(&bench.parcel(&id, &[(0, 1)])).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
        assert!(bench.shop.fulfillments(&id).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn tracking_is_corrected_and_several_numbers_go_together() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    let mut request = bench.parcel(&id, &[(0, 2)]);
    request.tracking.others =
        vec![OtherParcel { carrier: "Bring Bring Parcel".into(), number: "BB-0".into(), url: None }];
    let pushed = bench.channel.push_fulfillment(&request).await.unwrap();
    let made = bench.shop.fulfillments(&id).remove(0);
    assert_eq!(made.numbers, ["BB-1", "BB-0"]);
    assert!(made.urls.is_empty(), "links go for all numbers or none");
    let mut update = TrackingUpdate {
        key: "key-2".into(),
        order: id.clone(),
        number: "#1001".into(),
        fulfillment: pushed.fulfillment.id.clone(),
        tracking: bench.parcel(&id, &[]).tracking,
        notify: false,
    };
    update.tracking.number = Some("BB-9".into());
    bench.channel.update_tracking(&update).await.unwrap();
    let made = bench.shop.fulfillments(&id);
    assert_eq!((made.len(), made[0].numbers.as_slice(), made[0].mails), (1, &["BB-9".to_owned()][..], 1));
    update.fulfillment = "1".into();
    assert_eq!(bench.channel.update_tracking(&update).await.unwrap_err().kind, ErrorKind::NotFound);
    let error = bench.channel.void_fulfillment(&id, &"1".into(), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_split_is_shown_once_and_only_where_asked_for() {
    let plain = bench(LASTING);
    let split = |order: &sdk::RemoteId, line: sdk::RemoteId, quantity| SplitMirror {
        key: "key".into(),
        order: order.clone(),
        lines: vec![LineQuantity { line, quantity }],
    };
    let id = plain.shop.place(NewOrder::new(vec![NewLine::new("A", 3)]));
    let error = plain.channel.mirror_split(&split(&id, plain.line(&id, 0), 1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(!plain.channel.capabilities().split_mirror);

    let bench = bench(&format!("{LASTING}mirror_splits = true\n"));
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 3)]));
    let split = split(&id, bench.line(&id, 0), 1);
    bench.shop.on_request(|operation| match operation {
        "PortaldFulfillmentOrderSplit" => Fault::LoseAfterApplied,
        _ => Fault::None,
    });
    let error = bench.channel.mirror_split(&split).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Indeterminate);
    bench.channel.mirror_split(&split).await.unwrap();
    let fos = bench.shop.order(&id).unwrap().fulfillment_orders;
    assert_eq!(fos.iter().map(|fo| fo.lines[0].remaining).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(bench.read(&id).await.lines[0].fulfillable, 3);
}
