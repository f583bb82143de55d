//! What a merchant does to an order, and what of it reads as units that are wanted, cancelled or held.

use std::time::Duration;

use sdk::{ErrorKind, Order, OrderState, Payment, RemoteId};
use shopify::fake::{NewLine, NewOrder, Restock};

use crate::shop::{Bench, LASTING, bench};

/// Quantity, fulfillable and fulfilled of each line.
fn units(order: &Order) -> Vec<(u32, u32, u32)> {
    let fulfilled = |id: &RemoteId| {
        let made = order.fulfillments.iter().filter(|made| made.active).flat_map(|made| &made.lines);
        made.filter(|line| line.line == *id).map(|line| line.quantity).sum()
    };
    order.lines.iter().map(|line| (line.quantity, line.fulfillable, fulfilled(&line.id))).collect()
}

/// What it is called, what happens to an order of 5 A and 1 B of one location, and the units and holds after it.
type Fact = (&'static str, fn(&Bench, &RemoteId), &'static [(u32, u32, u32)], &'static [&'static str]);

fn line(bench: &Bench, id: &RemoteId, at: usize) -> u64 {
    bench.shop.order(id).unwrap().lines[at].id
}

#[tokio::test(start_paused = true)]
async fn each_fact_says_what_is_wanted() {
    let table: &[Fact] = &[
        ("nothing", |_, _| {}, &[(5, 5, 0), (1, 1, 0)], &[]),
        ("a full cancel", |bench, id| bench.shop.cancel_order(id, "CUSTOMER"), &[(5, 0, 0), (1, 0, 0)], &[]),
        (
            "an edit down",
            |bench, id| bench.shop.edit_quantity(id, line(bench, id, 0), 2),
            &[(2, 2, 0), (1, 1, 0)],
            &[],
        ),
        (
            "an edit down and up again",
            |bench, id| {
                bench.shop.edit_quantity(id, line(bench, id, 0), 2);
                bench.shop.edit_quantity(id, line(bench, id, 0), 4);
            },
            &[(4, 4, 0), (1, 1, 0)],
            &[],
        ),
        (
            "a removed line",
            |bench, id| bench.shop.edit_quantity(id, line(bench, id, 1), 0),
            &[(5, 5, 0), (0, 0, 0)],
            &[],
        ),
        (
            "an added line",
            |bench, id| {
                bench.shop.add_line(id, NewLine::new("C", 2));
            },
            &[(5, 5, 0), (1, 1, 0), (2, 2, 0)],
            &[],
        ),
        (
            "a refund of unfulfilled units",
            |bench, id| bench.shop.refund(id, line(bench, id, 0), 2, Restock::Cancel),
            &[(3, 3, 0), (1, 1, 0)],
            &[],
        ),
        (
            "money alone given back",
            |bench, id| bench.shop.refund(id, line(bench, id, 0), 2, Restock::Nothing),
            &[(5, 5, 0), (1, 1, 0)],
            &[],
        ),
        (
            "a return of fulfilled units",
            |bench, id| {
                bench.shop.fulfil(id, &bench.units(id, &[(0, 4)])).unwrap();
                bench.shop.refund(id, line(bench, id, 0), 3, Restock::Return);
            },
            &[(5, 1, 4), (1, 1, 0)],
            &[],
        ),
        (
            "the merchant fulfils lines itself",
            |bench, id| {
                bench.shop.fulfil(id, &bench.units(id, &[(0, 2), (1, 1)])).unwrap();
            },
            &[(5, 3, 2), (1, 0, 1)],
            &[],
        ),
        (
            "a part is moved",
            |bench, id| {
                bench
                    .shop
                    .move_fulfillment_order(bench.fo(id, 0), 9, Some(&bench.units(id, &[(0, 2)])))
                    .unwrap();
            },
            &[(5, 5, 0), (1, 1, 0)],
            &[],
        ),
        (
            "what is left after a parcel is moved",
            |bench, id| {
                bench.shop.fulfil(id, &bench.units(id, &[(0, 2)])).unwrap();
                bench.shop.move_fulfillment_order(bench.fo(id, 0), 9, None).unwrap();
            },
            &[(5, 3, 2), (1, 1, 0)],
            &[],
        ),
        (
            "one fulfillment order of two is held",
            |bench, id| {
                let part =
                    bench.shop.split_fulfillment_order(bench.fo(id, 0), &bench.units(id, &[(0, 2)])).unwrap();
                bench.shop.hold_fulfillment_order(part, "Inventory out of stock").unwrap();
            },
            &[(5, 5, 0), (1, 1, 0)],
            &["on hold: Inventory out of stock"],
        ),
        (
            "held and released",
            |bench, id| {
                bench.shop.hold_fulfillment_order(bench.fo(id, 0), "Other").unwrap();
                bench.shop.release_fulfillment_order(bench.fo(id, 0)).unwrap();
            },
            &[(5, 5, 0), (1, 1, 0)],
            &[],
        ),
        (
            "a fulfillment order is cancelled and replaced",
            |bench, id| {
                bench.shop.cancel_fulfillment_order(bench.fo(id, 0)).unwrap();
            },
            &[(5, 5, 0), (1, 1, 0)],
            &[],
        ),
        (
            "an unknown request status",
            |bench, id| bench.shop.set_request_status(bench.fo(id, 0), "PONDERED"),
            &[(5, 5, 0), (1, 1, 0)],
            &["fulfillment order in the unknown request status PONDERED"],
        ),
        (
            "a refused fulfillment request",
            |bench, id| bench.shop.set_request_status(bench.fo(id, 0), "REJECTED"),
            &[(5, 5, 0), (1, 1, 0)],
            &["the fulfillment request was rejected on the shop"],
        ),
        (
            "a high risk",
            |bench, id| bench.shop.set_risk(id, "CANCEL"),
            &[(5, 5, 0), (1, 1, 0)],
            &["the shop's risk analysis recommends to cancel the order"],
        ),
        (
            "a medium risk",
            |bench, id| bench.shop.set_risk(id, "INVESTIGATE"),
            &[(5, 5, 0), (1, 1, 0)],
            &["the shop's risk analysis recommends to investigate the order"],
        ),
        (
            "a risk in unknown words",
            |bench, id| bench.shop.set_risk(id, "PRAY"),
            &[(5, 5, 0), (1, 1, 0)],
            &["the shop's risk analysis has the unknown recommendation PRAY"],
        ),
        ("a low risk", |bench, id| bench.shop.set_risk(id, "ACCEPT"), &[(5, 5, 0), (1, 1, 0)], &[]),
        (
            "a chargeback",
            |bench, id| bench.shop.dispute(id, "CHARGEBACK", "NEEDS_RESPONSE"),
            &[(5, 5, 0), (1, 1, 0)],
            &["the payment is disputed (chargeback, needs response)"],
        ),
        (
            "a dispute that was won",
            |bench, id| bench.shop.dispute(id, "CHARGEBACK", "WON"),
            &[(5, 5, 0), (1, 1, 0)],
            &[],
        ),
    ];
    for (what, act, wanted, holds) in table {
        let bench = bench(LASTING);
        let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 5), NewLine::new("B", 1)]));
        tokio::time::advance(Duration::from_secs(30)).await;
        act(&bench, &id);
        let order = bench.read(&id).await;
        assert_eq!(units(&order), *wanted, "{what}");
        assert_eq!(order.holds, *holds, "{what}");
        assert!(order.cancellation_requests.is_empty(), "{what}");
        let grouped: u32 = order.groups.iter().flat_map(|group| &group.lines).map(|line| line.quantity).sum();
        assert_eq!(
            grouped,
            wanted.iter().map(|units| units.1).sum::<u32>(),
            "{what}: the groups hold all of it"
        );
        assert_eq!(
            crate::shop::order(bench.pull(None).await.remove(0)),
            order,
            "{what}: a page shows the same"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_refund_is_no_cancel_and_says_so_by_the_payment() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    bench.shop.refund(&id, line(&bench, &id, 0), 2, Restock::Nothing);
    bench.shop.set_financial(&id, "REFUNDED");
    let order = bench.read(&id).await;
    assert_eq!(units(&order), [(2, 2, 0)]);
    assert_eq!(order.payment, Payment::Returned("REFUNDED".into()));
    assert_eq!(order.state, OrderState::Open);
}

#[tokio::test(start_paused = true)]
async fn refunded_units_are_told_where_no_edit_blurs_them() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 5), NewLine::new("B", 1)]));
    let refunded = |order: &Order| order.lines.iter().map(|line| line.refunded).collect::<Vec<_>>();
    assert_eq!(refunded(&bench.read(&id).await), [0, 0]);
    bench.shop.refund(&id, line(&bench, &id, 0), 2, Restock::Cancel);
    assert_eq!(refunded(&bench.read(&id).await), [2, 0]);
    bench.shop.edit_quantity(&id, line(&bench, &id, 1), 0);
    assert_eq!(refunded(&bench.read(&id).await), [0, 0], "one of them was removed: nothing is guessed");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_order_is_not_found() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    bench.shop.delete_order(&id);
    assert_eq!(bench.channel.order(&id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(bench.pull(None).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_does_not_tell_the_risk_breaks_no_order() {
    let bench = bench(LASTING);
    let id = bench.shop.place(NewOrder::new(vec![NewLine::new("A", 2)]));
    bench.read(&id).await;
    let mut answer: serde_json::Value = serde_json::from_slice(&bench.answer_again().await).unwrap();
    answer["data"]["order"]["risk"] = serde_json::Value::Null;
    answer["data"]["order"].as_object_mut().unwrap().remove("disputes");
    answer["errors"] = serde_json::json!([{
        "message": "Access denied for risk field.", "path": ["order", "risk"],
        "extensions": { "code": "ACCESS_DENIED" },
    }]);
    let body = answer.to_string().into_bytes();
    bench.shop.on_request(move |_| shopify::fake::Fault::Body(body.clone()));
    let order = bench.read(&id).await;
    assert!(order.holds.is_empty() && order.lines[0].fulfillable == 2);
}
