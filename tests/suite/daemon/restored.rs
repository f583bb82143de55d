//! The daemon over a restored store: nothing is written before every open order was read back, on paused time.

use std::{sync::Arc, time::Duration};

use portald::{
    plan::restored,
    record::{Record, RecordId, Restored},
    store::{Changes, Query, Store, memory::MemoryStore},
};
use sdk::ErrorKind;

use super::{World, pass, shop, start, wiring};
use crate::daemon::shop::Shop;

/// Marks a store as a restore does.
async fn restore(store: &MemoryStore) {
    let mark = Restored { taken: start(), at: start() - Duration::from_secs(1) };
    let mut records = store.list(Query { limit: 100, ..Query::default() }).await.unwrap().records;
    for record in &mut records {
        restored::mark(record, mark, 500_000);
    }
    let channels = store.channels().await.unwrap().into_iter().map(|((merchant, channel), mut state)| {
        state.restored = Some(mark);
        (merchant, channel, state)
    });
    let channels = channels.collect();
    store.commit(Changes { records, channels, ..Changes::default() }).await.unwrap();
}

/// A shop with three orders, and the store as it was when the first two had parcels that were not sent yet.
async fn backup() -> (Arc<Shop>, MemoryStore) {
    let shop = shop("bluefin");
    for id in ["1", "2", "3"] {
        shop.place(id, start() - Duration::from_secs(3600));
    }
    let world = World::start(vec![wiring(&shop, 1)]);
    pass(1).await;
    shop.state().fail_pushes = Some(ErrorKind::Unavailable);
    world.ship("bluefin.shop.1", "1Z1").await;
    world.ship("bluefin.shop.2", "1Z2").await;
    pass(2).await;
    let store = world.store.clone();
    let copy = store.copy();
    // After the backup: the first is sent, and a parcel is recorded that the backup does not have.
    shop.state().fail_pushes = None;
    world.ship("bluefin.shop.3", "1Z3").await;
    pass(120).await;
    let sent: Vec<usize> = shop.state().orders.values().map(|order| order.fulfillments.len()).collect();
    assert_eq!(sent, [1, 1, 1]);
    shop.state().pushes.clear();
    world.end().await;
    (shop, copy)
}

async fn record(world: &World, id: &str) -> Record {
    world.ledger.record(&RecordId(id.to_owned())).await.unwrap().unwrap()
}

async fn mark(world: &World) -> Option<Restored> {
    world.store.channel("bluefin", "shop").await.unwrap().unwrap().restored
}

fn unread(world: &World) -> Option<u64> {
    world.board.get("bluefin", "shop").unread
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_found_and_what_is_new_waits_for_a_person() {
    let (shop, store) = backup().await;
    restore(&store).await;
    let world = World::over(Arc::new(store), vec![wiring(&shop, 1)]);
    pass(300).await;
    assert_eq!(shop.state().pushes.len(), 0, "nothing was sent again");
    assert_eq!((mark(&world).await, unread(&world)), (None, None), "it is read back");
    for id in ["bluefin.shop.1", "bluefin.shop.2"] {
        let record = record(&world, id).await;
        assert!(record.writes.iter().all(|write| !write.state.is_owed() && !write.state.is_parked()), "{id}");
    }
    let third = record(&world, "bluefin.shop.3").await;
    assert!(third.alerts.iter().any(|alert| alert.text.contains("1Z3")), "{:?}", third.alerts);
    assert_eq!(third.lines[0].elsewhere_after, 2, "nobody ships it again");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_until_the_last_open_order_was_read_back_also_over_a_crash() {
    let (shop, store) = backup().await;
    restore(&store).await;
    // The first was not sent after all; the shop does not tell of one order for now.
    {
        let mut state = shop.state();
        // No pull brings them: they have to be asked for.
        state.orders.values_mut().for_each(|order| order.updated_at = Some(order.placed_at));
        let order = state.orders.get_mut(&"1".into()).unwrap();
        order.fulfillments.clear();
        order.lines[0].fulfillable = 2;
    }
    shop.state().silent.insert("3".into());
    let mut world = World::over(Arc::new(store), vec![wiring(&shop, 1)]);
    for _ in 0..3 {
        pass(200).await;
        assert_eq!(shop.state().pushes.len(), 0, "nothing is written");
        assert!(mark(&world).await.is_some());
        assert_eq!(unread(&world), Some(1), "the others were read back, and stay so");
        let store = Arc::new(world.store.kill());
        world.daemon.abort();
        world = World::over(store, vec![wiring(&shop, 1)]);
    }
    shop.state().silent.clear();
    pass(200).await;
    assert_eq!(mark(&world).await, None);
    let pushes = shop.state().pushes.clone();
    assert_eq!(pushes.len(), 1, "what was not there is sent, once: {pushes:?}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_cannot_be_read_leaves_its_order_to_a_person_and_the_rest_goes_on() {
    let (shop, store) = backup().await;
    restore(&store).await;
    shop.state().unreadable.insert("1".into());
    let world = World::over(Arc::new(store), vec![wiring(&shop, 1)]);
    pass(300).await;
    assert_eq!(mark(&world).await, None);
    let first = record(&world, "bluefin.shop.1").await;
    assert!(first.writes.iter().all(|write| write.state.is_parked()), "{:?}", first.writes);
    assert!(first.writes[0].error.as_deref().unwrap().contains("the channel's answer cannot be read"));
    assert_eq!(shop.state().pushes.len(), 0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_at_rest_is_read_back_when_something_is_to_be_written_for_it() {
    let shop = shop("bluefin");
    shop.place("1", start() - Duration::from_secs(3600));
    let world = World::start(vec![wiring(&shop, 1)]);
    pass(1).await;
    world.ship("bluefin.shop.1", "1Z1").await;
    pass(60).await;
    let store = Arc::new(world.store.copy());
    world.end().await;
    restore(&store).await;
    let world = World::over(store, vec![wiring(&shop, 1)]);
    pass(100).await;
    assert_eq!(mark(&world).await, None, "nothing is open");
    let looked = shop.state().lookups;
    let before = record(&world, "bluefin.shop.1").await;
    if before.restored.is_some() {
        let void =
            portald::plan::command::Command::Void { shipment: "p1".to_owned(), reason: "back".to_owned() };
        let ask = portald::plan::command::Ask { command: void, key: None, if_match: None };
        world.ledger.command("bluefin.shop.1", ask).await.unwrap();
        pass(100).await;
        assert!(shop.state().lookups > looked, "it was asked for");
    }
    assert_eq!(record(&world, "bluefin.shop.1").await.restored, None);
    world.end().await;
}
