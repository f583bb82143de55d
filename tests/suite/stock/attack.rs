//! What went wrong once, or could: each by the shipped tasks over the model channel.

use std::{sync::Arc, time::Duration};

use portald::{
    policy::{Policies, StockRules},
    stock::{Answer, Flagged, ProductFlag, SCHEMA, StockState},
    store::{Changes, ChannelState, StockChanges, Store, memory::MemoryStore},
};
use sdk::Capabilities;

use super::{
    core::now,
    model::{CAN, Fate, World, rules, spoil},
};

/// Products `A0`, `A1`, … with ten of each on the supplier's shelf, all of them published.
async fn shop(can: Capabilities, count: usize) -> World {
    let world = World::new(can, rules(StockRules::default())).await;
    for n in 0..count {
        world.model.list(&n.to_string(), &format!("A{n}"), 1);
    }
    tell(&world, 0..count, 10).await;
    assert!(world.push().await.well);
    world
}

async fn tell(world: &World, which: std::ops::Range<usize>, units: i64) {
    let skus: Vec<String> = which.map(|n| format!("A{n}")).collect();
    world.tell(&skus.iter().map(|sku| (sku.as_str(), units)).collect::<Vec<_>>()).await;
}

fn figures(world: &World, count: usize) -> Vec<i64> {
    (0..count).map(|n| world.model.figure(&n.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bad_feed_that_comes_in_the_middle_of_a_run_meets_the_breaker() {
    let world = shop(CAN, 3).await;
    tell(&world, 0..1, 12).await;
    // The first write of the run is stale, so that all is worked out anew, and by then the feed is there.
    world.model.state().sale = Some(("A0".to_owned(), 1));
    let feed = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tell(&world, 0..3, 0).await;
    };
    tokio::join!(world.push(), feed);
    assert_eq!(figures(&world, 3), [9, 10, 10]);
    assert!(world.state().await.stopped.is_some());
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_release_lets_through_what_was_seen_and_nothing_else() {
    let world = shop(CAN, 8).await;
    tell(&world, 0..3, 0).await;
    world.push().await;
    assert!(world.state().await.stopped.is_some());
    // As many, but others than the person saw.
    tell(&world, 0..3, 10).await;
    tell(&world, 5..8, 0).await;
    world.release().await;
    world.push().await;
    assert_eq!(figures(&world, 8), [10; 8]);
    let stopped = world.state().await.stopped.expect("it is asked anew");
    let parts = world.store.run_parts("m", "shop", stopped.run).await.unwrap();
    let told: Vec<_> = parts.iter().flat_map(|part| &part.writes).map(|entry| entry.sku.as_str()).collect();
    assert_eq!(told, ["A5", "A6", "A7"]);
    world.release().await;
    world.push().await;
    assert_eq!(figures(&world, 8), [10, 10, 10, 10, 10, 0, 0, 0]);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_during_a_long_push_is_counted_in_the_rest_of_it() {
    for compares in [true, false] {
        let world = shop(Capabilities { compare_and_set_stock: compares, ..CAN }, 6).await;
        tell(&world, 0..6, 14).await;
        let order = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            world.model.sell("A5", 3);
            assert!(portald::tasks::pull::run(&world.shared, &world.connection).await.well);
        };
        tokio::join!(world.push(), order);
        assert_eq!(figures(&world, 6), [14, 14, 14, 14, 14, 11]);
        world.kept_its_promises();
        let run = world.store.run("m", "shop", 2).await.unwrap().unwrap();
        let parts = world.store.run_parts("m", "shop", 2).await.unwrap();
        let writes = parts.iter().flat_map(|part| &part.writes);
        assert!(writes.clone().all(|entry| entry.answer == Answer::Set), "{run:?}");
        assert!(writes.clone().filter(|entry| entry.sku == "A5").all(|entry| entry.after == 11));
    }
}

#[tokio::test(start_paused = true)]
async fn what_shares_its_stock_with_a_product_of_the_merchants_is_left_alone() {
    let world = shop(CAN, 2).await;
    let shared = world.model.state().variants[&"0".into()].item.clone();
    world.model.list("9", "THEIRS", 5);
    world.model.state().variants.get_mut(&"9".into()).unwrap().item = shared;
    assert!(world.products().await.well);
    tell(&world, 0..2, 13).await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 2), [10, 13]);
}

/// A person takes a run back.
async fn undo(world: &World, run: u32) {
    let room = world.ledger.stockroom();
    room.change_state("m", "shop", Changes::default(), |state| (state.undo, state.held) = (Some(run), true))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_known_of_one_location_is_not_believed_of_another() {
    for compares in [true, false] {
        let world = shop(Capabilities { compare_and_set_stock: compares, ..CAN }, 4).await;
        // A batch of unknown outcome at the old place, and the settings name another one.
        tell(&world, 0..1, 12).await;
        world.model.state().fates.push_back(Fate::LostBefore);
        assert!(world.push().await.again_after.is_some());
        {
            let mut state = world.model.state();
            state.place = "annex".to_owned();
            for n in 0..4 {
                state.figures.insert(format!("i{n}").as_str().into(), 300 + n);
            }
            state.variants.get_mut(&"3".into()).map(spoil).unwrap();
        }
        assert!(world.push().await.well);
        assert_eq!(figures(&world, 4), [12, 10, 10, 303], "all are read, and the catalogue with them");
        assert_eq!(world.board.get("m", "shop").drifted, 0, "nobody meddled");
        let state = world.state().await;
        assert_eq!((state.place.as_deref(), state.moved_after, state.in_flight), (Some("annex"), 2, None));
        world.kept_its_promises();
    }
}

#[tokio::test(start_paused = true)]
async fn a_location_that_is_changed_in_the_middle_of_a_run_gets_no_further_write() {
    let world = shop(CAN, 6).await;
    tell(&world, 0..6, 14).await;
    let reload = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.connection.ledge.set_stock_place("annex".to_owned());
    };
    tokio::join!(world.push(), reload);
    assert_eq!(figures(&world, 6), [14, 14, 14, 10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_taken_back_where_the_channel_does_not_show_the_item() {
    let world = shop(CAN, 3).await;
    // It was sold, so that it is read again, and its figure is gone there.
    world.model.sell("A0", 1);
    assert!(portald::tasks::pull::run(&world.shared, &world.connection).await.well);
    world.model.state().figures.remove(&"i0".into());
    undo(&world, 1).await;
    assert!(world.push().await.well);
    assert_eq!((world.model.figure("1"), world.model.figure("2")), (1, 1));
    assert!(
        !world.model.state().figures.contains_key(&"i0".into()),
        "nothing was compared: nothing is written"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_not_taken_back_in_shadow_is_not_forgotten() {
    let mut world = shop(CAN, 2).await;
    undo(&world, 1).await;
    world.rule(|policy| policy.shadow = true);
    assert!(world.push().await.well);
    assert_eq!((figures(&world, 2), world.state().await.undo), (vec![10, 10], Some(1)));
    world.rule(|policy| policy.shadow = false);
    assert!(world.push().await.well);
    assert_eq!((figures(&world, 2), world.state().await.undo), (vec![1, 1], None));
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_is_turned_off_in_the_middle_is_not_forgotten() {
    let mut world = shop(CAN, 6).await;
    undo(&world, 1).await;
    let on = world.ledger.policies();
    let reload = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.ledger.set_policies(Policies { warehouses: on.warehouses.clone(), ..Policies::default() });
    };
    tokio::join!(world.push(), reload);
    assert_eq!((figures(&world, 6), world.state().await.undo), (vec![1, 1, 1, 10, 10, 10], Some(1)));
    world.rule(|_| {});
    assert!(world.push().await.well);
    assert_eq!((figures(&world, 6), world.state().await.undo), (vec![1; 6], None));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_comes_to_pass_too_late_is_found_within_hours_not_a_day() {
    let world = shop(Capabilities { compare_and_set_stock: false, ..CAN }, 2).await;
    tell(&world, 0..1, 14).await;
    world.model.state().slow = Some(600);
    assert!(world.push().await.again_after.is_some());
    tokio::time::sleep(Duration::from_secs(61)).await;
    world.model.state().slow = None;
    assert!(world.push().await.well, "given up, and written anew");
    tell(&world, 0..1, 8).await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 2), [8, 10]);
    // Now the first write arrives, over the last one.
    tokio::time::sleep(Duration::from_secs(900)).await;
    world.model.settle();
    assert_eq!(figures(&world, 2), [14, 10]);
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 2), [8, 10]);
}

#[tokio::test]
async fn a_renamed_merchant_keeps_what_a_person_decided() {
    let store = Arc::new(MemoryStore::new());
    let flag = ProductFlag {
        schema: SCHEMA,
        merchant: "old".to_owned(),
        channel: "shop".to_owned(),
        sku: "A1".to_owned(),
        flag: Flagged::Off,
        at: now(),
    };
    let channel = ChannelState { account: "model:m".to_owned(), ..ChannelState::default() };
    let state = StockState { held: true, ..StockState::default() };
    let stock = StockChanges {
        flags: vec![flag],
        states: vec![("old".to_owned(), "shop".to_owned(), state)],
        ..StockChanges::default()
    };
    let channels = vec![("old".to_owned(), "shop".to_owned(), channel)];
    store.commit(Changes { stock, channels, ..Changes::default() }).await.unwrap();
    portald::daemon::rename::over(store.clone())("old".to_owned(), "new".to_owned()).await.unwrap();
    let flags = store.flags().await.unwrap();
    let told: Vec<_> = flags.iter().map(|flag| (flag.merchant.as_str(), &flag.flag)).collect();
    assert_eq!(told, [("new", &Flagged::Off)]);
    assert!(store.stock_state("new", "shop").await.unwrap().unwrap().held);
}

#[tokio::test(start_paused = true)]
async fn what_is_sold_while_publishing_waits_is_read_when_it_goes_on() {
    let world = shop(Capabilities { compare_and_set_stock: false, ..CAN }, 8).await;
    tell(&world, 0..4, 0).await;
    world.push().await;
    assert!(world.state().await.stopped.is_some());
    // Three are sold and three come in: by what the channel acknowledged there is nothing to write.
    world.model.sell("A7", 3);
    tell(&world, 7..8, 13).await;
    tell(&world, 0..4, 10).await;
    assert!(world.push().await.well);
    world.release().await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 8), [10; 8]);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn what_was_sold_before_a_crash_is_read_after_it() {
    let world = shop(Capabilities { compare_and_set_stock: false, ..CAN }, 4).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    world.model.sell("A2", 3);
    assert!(portald::tasks::pull::run(&world.shared, &world.connection).await.well);
    let world = world.restart().await;
    // By what the channel acknowledged there is nothing to write.
    tell(&world, 2..3, 13).await;
    world.model.state().calls.clear();
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 4), [10; 4]);
    assert_eq!((world.model.calls("read_stock"), world.model.calls("push_stock")), (1, 1));
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn what_was_sold_since_a_run_is_not_given_back_with_it() {
    let world = shop(CAN, 3).await;
    tell(&world, 0..1, 50).await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 3), [50, 10, 10]);
    world.model.sell("A0", 3);
    world.model.sell("A1", 2);
    undo(&world, 2).await;
    // A customer comes in between, so that it takes a second round.
    world.model.state().sale = Some(("A0".to_owned(), 1));
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 3), [6, 8, 10]);
    // Asked for again, nothing comes back twice.
    world.model.sell("A0", 1);
    undo(&world, 2).await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 3), [5, 8, 10]);
    // And that run taken back shows what was there, less what was sold.
    undo(&world, 3).await;
    assert!(world.push().await.well);
    assert_eq!(figures(&world, 3)[1..], [8, 10]);
}
