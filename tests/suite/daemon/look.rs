//! The last look: one order asked for again through the running daemon, on paused time.

use std::{sync::Arc, time::Duration};

use portald::{
    control::Request,
    plan::command::{Ask, Command},
    record::{Record, RecordId, Status},
    tasks::look::Look,
};
use sdk::{ErrorKind, Order, OrderState};
use tokio::time::Instant;

use super::{DELIVER, ORDERS, World, pass, shop, start, wiring};
use crate::daemon::shop::Shop;

const ID: &str = "bluefin.shop.1";

/// A shop with an order of two anvils that was pulled.
async fn known() -> (Arc<Shop>, World) {
    let shop = shop("bluefin");
    shop.place("1", start() - Duration::from_secs(3600));
    let world = World::start(vec![wiring(&shop, 1)]);
    pass(1).await;
    assert!(world.has(ID).await);
    (shop, world)
}

fn change(shop: &Shop, change: impl FnOnce(&mut Order)) {
    let mut state = shop.state();
    let order = state.orders.get_mut(&"1".into()).unwrap();
    order.updated_at = order.updated_at.map(|at| at + Duration::from_secs(1));
    change(order);
}

fn cancel(order: &mut Order) {
    order.state = OrderState::Cancelled { at: None, reason: None };
    order.lines[0].fulfillable = 0;
}

async fn look(world: &World) -> Look {
    world.ask(|done| Request::Look { record: RecordId(ID.to_owned()), done }).await
}

async fn record(world: &World) -> Record {
    world.ledger.record(&RecordId(ID.to_owned())).await.unwrap().unwrap()
}

async fn status(world: &World) -> Status {
    let record = record(world).await;
    record.status(&record.orders[0])
}

fn events(look: &Look) -> Vec<&str> {
    match look {
        Look::Changed(events) => events.iter().map(|event| event.event.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_between_the_pull_and_the_hand_off_is_seen_and_stored() {
    let (shop, world) = known().await;
    assert_eq!(look(&world).await, Look::Same);
    change(&shop, cancel);
    let found = look(&world).await;
    assert_eq!(events(&found), ["order.changed", "order.cancelled"]);
    assert_eq!(status(&world).await, Status::Cancelled);
    assert_eq!(look(&world).await, Look::Same, "told once");
    let ask = Ask { command: Command::Ack { force: true }, key: None, if_match: None };
    assert_eq!(world.ledger.command(ID, ask).await.unwrap_err().code, "nothing-open");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_parcel_that_crossed_is_known_before_its_push() {
    let (shop, world) = known().await;
    shop.state().fail_pushes = Some(ErrorKind::Unavailable);
    world.ship(ID, "1Z1").await;
    change(&shop, cancel);
    let found = look(&world).await;
    assert!(events(&found).contains(&"order.shipped_after_cancel"), "{found:?}");
    shop.state().fail_pushes = Some(ErrorKind::Rejected);
    pass(60).await;
    let record = record(&world).await;
    assert!(record.shipments[0].after_cancel);
    assert!(record.writes[0].state.is_parked(), "{:?}", record.writes[0].state);
    assert!(record.writes[0].error.as_deref().unwrap().contains("after a cancellation"), "{record:?}");
    world.end().await;
}

/// The refusal itself makes the daemon look again, so that the rest of the parcel is told without waiting for a pull.
#[tokio::test(start_paused = true)]
async fn a_refused_parcel_is_looked_at_and_its_rest_is_told() {
    let (shop, world) = known().await;
    shop.state().fail_pushes = Some(ErrorKind::Rejected);
    change(&shop, |order| (order.lines[0].quantity, order.lines[0].fulfillable) = (1, 1));
    let pulls = shop.state().pulls;
    world.ship(ID, "1Z1").await;
    pass(1).await;
    assert_eq!(shop.state().pulls, pulls);
    assert!(shop.state().lookups >= 1);
    let reduced = record(&world).await;
    assert_eq!(reduced.shipments[0].untold.len(), 1, "{:?}", reduced.shipments);
    shop.state().fail_pushes = None;
    let key = reduced.writes.last().unwrap().key.clone();
    let retry = Ask { command: Command::RetryWrite { key }, key: None, if_match: None };
    let _ = world.ledger.command(ID, retry).await;
    world.tick(DELIVER).await;
    pass(60).await;
    let made = shop.state().orders[&"1".into()].fulfillments.clone();
    assert_eq!((made.len(), made[0].lines[0].quantity), (1, 1), "one unit of the two");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_shop_is_waited_for_only_so_long_and_holds_up_nothing() {
    let (shop, world) = known().await;
    change(&shop, cancel);
    shop.state().order_delay = Duration::from_secs(2);
    let asked = Instant::now();
    assert_eq!(events(&look(&world).await), ["order.changed", "order.cancelled"], "within the budget");
    assert!(asked.elapsed() >= Duration::from_secs(2));
    shop.state().order_delay = Duration::from_secs(30);
    let asked = Instant::now();
    let (done, answer) = tokio::sync::oneshot::channel();
    world.control.send(Request::Look { record: RecordId(ID.to_owned()), done }).await.unwrap();
    // Meanwhile the daemon pulls and answers others.
    let pulls = shop.state().pulls;
    world.ask(|done| Request::Sync { merchant: "bluefin".to_owned(), done }).await.unwrap();
    pass(1).await;
    assert_eq!(shop.state().pulls, pulls + 1);
    let found = answer.await.unwrap();
    assert!(matches!(&found, Look::Failed(why) if why.contains("3 seconds")), "{found:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_cannot_be_asked_is_said_so() {
    let (shop, world) = known().await;
    for kind in
        [ErrorKind::Unavailable, ErrorKind::RateLimited, ErrorKind::Malformed, ErrorKind::Unauthorized]
    {
        shop.state().fail_orders = Some(kind);
        let found = look(&world).await;
        assert!(matches!(&found, Look::Failed(why) if why.contains("told to fail")), "{kind:?}: {found:?}");
    }
    shop.state().fail_orders = None;
    shop.state().unreadable.insert("1".into());
    let found = look(&world).await;
    assert!(matches!(&found, Look::Failed(why) if why.contains("no number")), "{found:?}");
    assert_eq!(status(&world).await, Status::Open, "as it was last seen");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_or_suspended_channel_is_not_asked() {
    let (shop, world) = known().await;
    let pause = |paused| move |done| Request::Pause { merchant: "bluefin".to_owned(), paused, done };
    world.ask(pause(true)).await.unwrap();
    let lookups = shop.state().lookups;
    let found = look(&world).await;
    assert!(matches!(&found, Look::Failed(why) if why.contains("paused")), "{found:?}");
    world.ask(pause(false)).await.unwrap();
    assert_eq!(look(&world).await, Look::Same);
    shop.state().fail_pulls = Some(ErrorKind::Unauthorized);
    world.tick(ORDERS).await;
    pass(20).await;
    assert!(world.board.get("bluefin", "shop").suspended.is_some());
    let found = look(&world).await;
    assert!(matches!(&found, Look::Failed(why) if why.contains("suspended")), "{found:?}");
    assert_eq!(shop.state().lookups, lookups + 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_gone_is_held_and_comes_back() {
    let (shop, world) = known().await;
    let order = shop.state().orders.remove(&"1".into()).unwrap();
    assert_eq!(events(&look(&world).await), ["order.vanished"]);
    assert_eq!(status(&world).await, Status::Held);
    assert_eq!(look(&world).await, Look::Same, "told once");
    shop.state().orders.insert("1".into(), order);
    assert_eq!(events(&look(&world).await), ["order.returned"]);
    assert_eq!(status(&world).await, Status::Open);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_or_a_channel_that_is_not_known_is_no_harm() {
    let (_shop, world) = known().await;
    for (id, failed) in [("bluefin.shop.77", false), ("nobody.shop.1", true), ("", true), ("..", true)] {
        let found = world.ask(|done| Request::Look { record: RecordId(id.to_owned()), done }).await;
        assert_eq!(matches!(found, Look::Failed(_)), failed, "{id:?}: {found:?}");
    }
    world.end().await;
}

/// The page of a pull was read before the change and is stored after the look: it must not undo it.
#[tokio::test(start_paused = true)]
async fn a_page_pulled_at_the_same_time_undoes_nothing() {
    let (shop, world) = known().await;
    shop.state().delay = Duration::from_secs(2);
    world.tick(ORDERS).await;
    pass(1).await;
    change(&shop, cancel);
    let found = look(&world).await;
    assert!(events(&found).contains(&"order.cancelled"), "{found:?}");
    let known = record(&world).await;
    pass(30).await;
    assert_eq!(status(&world).await, Status::Cancelled);
    let after = record(&world).await;
    assert_eq!(after.timeline.len(), known.timeline.len(), "and tells nothing twice");
    world.end().await;
}
