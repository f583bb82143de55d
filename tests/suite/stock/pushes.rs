//! The shipped tasks over the model channel: case by case, and at random.

use std::{collections::BTreeSet, time::Duration};

use portald::{
    policy::StockRules,
    record::Restored,
    stock::{Answer, Entry, RunEnd},
    store::{Changes, Store},
};
use proptest::prelude::*;
use sdk::{Capabilities, Clock, ErrorKind, RemoteId};

use super::model::{CAN, Fate, World, rules, spoil};

async fn shop() -> World {
    let world = World::new(CAN, rules(StockRules::default())).await;
    for (id, sku, figure) in
        [("1", "A1", 3), ("2", "A2", 0), ("3", "KIT", 9), ("4", "THEIRS", 77), ("5", "A5", 12)]
    {
        world.model.list(id, sku, figure);
    }
    world.tell(&[("A1", 20), ("A2", 8), ("A3", 4)]).await;
    world
}

async fn entries(world: &World, run: u32) -> Vec<Entry> {
    let parts = world.store.run_parts("m", "shop", run).await.unwrap();
    parts.into_iter().flat_map(|part| part.writes).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_ours_is_set_and_all_else_is_left_alone() {
    let world = shop().await;
    assert!(world.push().await.well);
    let figures = ["1", "2", "3", "4", "5"].map(|id| world.model.figure(id));
    assert_eq!(
        figures,
        [20, 8, 8, 77, 12],
        "a kit by its parts; the merchant's own, and one never told, stay"
    );
    let calls = world.model.state().calls.clone();
    let wanted = ["pull_orders", "products", "products", "read_stock", "push_stock"];
    assert_eq!(calls, wanted, "orders first, and no call more than it takes");
    let run = world.store.run("m", "shop", 1).await.unwrap().unwrap();
    assert_eq!((run.set, run.end), (3, Some(RunEnd::Done)));
    let told = entries(&world, 1).await;
    assert_eq!((told[0].before, told[0].after, told[0].why.as_str()), (Some(3), 20, "20 available"));
    assert!(told.iter().all(|entry| entry.answer == Answer::Set));
    world.model.state().calls.clear();
    assert!(world.push().await.well);
    assert_eq!(world.model.state().calls, ["pull_orders"], "again there is nothing to do");
    assert_eq!(world.state().await.last_run, 1);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_nothing_is_published_until_the_figures_were_seen_to() {
    let world = shop().await;
    world.push().await;
    // The backup is of now: what follows is not in it.
    let taken = world.model.clock.now();
    world.model.sell("A1", 5);
    let mark = |state: &mut portald::stock::StockState| state.mark_restored(taken, 500_000);
    world.ledger.stockroom().change_state("m", "shop", Changes::default(), mark).await.unwrap();
    let at = Restored { taken, at: taken };
    let reading = |state: &mut portald::store::ChannelState| {
        state.restored = Some(at);
        true
    };
    world.connection.ledge.change(&*world.store, &world.connection.key, reading).await.unwrap();
    world.tell(&[("A1", 50)]).await;
    world.model.state().calls.clear();

    assert!(world.push().await.well);
    assert!(world.model.state().calls.is_empty(), "its orders come first");
    let read = |state: &mut portald::store::ChannelState| state.restored.take().is_some();
    world.connection.ledge.change(&*world.store, &world.connection.key, read).await.unwrap();
    assert!(world.push().await.well);
    assert_eq!(world.model.calls("push_stock"), 0, "a person sees to the figures");
    let stopped = world.board.get("m", "shop").stock_stopped.unwrap();
    assert!(stopped.starts_with("the stock figures are of the backup of"), "{stopped}");

    world.release().await;
    assert!(world.push().await.well);
    let left = 50 - 5;
    assert_eq!(
        (world.model.figure("1"), world.state().await.last_run),
        (left, 500_001),
        "less what was sold"
    );
    assert!(world.state().await.compared_at.is_some_and(|at| at >= taken), "all of it was compared");
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_sale_that_crosses_a_write_is_counted_before_it_is_tried_again() {
    let world = shop().await;
    world.push().await;
    world.tell(&[("A1", 30)]).await;
    world.model.state().sale = Some(("A1".to_owned(), 4));
    assert!(world.push().await.well);
    assert_eq!(world.model.figure("1"), 26, "thirty, less the four that were sold meanwhile");
    assert_eq!(world.model.figure("3"), 8, "A2 is the scarce part of the kit");
    let stale = entries(&world, 2).await;
    assert_eq!(stale[0].answer, Answer::Stale);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn without_a_good_pull_nothing_is_written() {
    let world = shop().await;
    world.model.state().fail_pulls = Some(ErrorKind::Unavailable);
    assert!(!world.push().await.well);
    assert_eq!(world.model.state().calls, ["pull_orders"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_read_back_after_a_while_before_it_is_believed() {
    for (fate, applied) in
        [(Fate::LostBefore, 0), (Fate::LostAfter, 3), (Fate::Half, 1), (Fate::ShortAnswer, 3)]
    {
        let world = shop().await;
        world.model.state().fates.push_back(fate);
        let verdict = world.push().await;
        assert_eq!(verdict.again_after, Some(Duration::from_secs(60)), "{fate:?}");
        assert!(world.state().await.in_flight.is_some());
        let pushes = world.model.calls("push_stock");
        assert!(world.push().await.again_after.is_some(), "too early to look");
        assert_eq!(world.model.calls("push_stock"), pushes);
        // Also a daemon that starts anew looks first.
        let world = world.restart().await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(world.push().await.again_after, None, "{fate:?}");
        assert_eq!(["1", "2", "3", "4"].map(|id| world.model.figure(id)), [20, 8, 8, 77], "{fate:?}");
        let first = entries(&world, 1).await;
        assert_eq!(first.iter().filter(|entry| entry.answer == Answer::Set).count(), applied, "{fate:?}");
        assert_eq!(world.model.calls("push_stock"), if applied == 3 { 1 } else { 2 }, "{fate:?}");
        world.kept_its_promises();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_item_does_not_hold_up_the_others() {
    let world = World::new(Capabilities { stock_batch: 8, ..CAN }, rules(StockRules::default())).await;
    let mut figures = Vec::new();
    for n in 0..16 {
        world.model.list(&format!("{n:02}"), &format!("A{n}"), 1);
        figures.push((format!("A{n}"), 5));
    }
    let figures: Vec<_> = figures.iter().map(|(sku, units)| (sku.as_str(), *units)).collect();
    world.tell(&figures).await;
    // One refused by name, one that takes its whole batch down.
    world.model.state().refused.insert("i03".into());
    world.model.state().poison.insert("i12".into());
    assert!(world.push().await.well);
    let wrong: Vec<_> = (0..16).filter(|n| world.model.figure(&format!("{n:02}")) != 5).collect();
    assert_eq!(wrong, [3, 12]);
    // Of eight: the whole, its halves, and theirs, down to one.
    assert_eq!(world.model.calls("push_stock"), 1 + 1 + 2 + 2 + 2);
    let run = world.store.run("m", "shop", 1).await.unwrap().unwrap();
    assert_eq!((run.set, run.refused, run.end), (14, 2, Some(RunEnd::Done)));
    world.model.state().calls.clear();
    world.push().await;
    assert_eq!(world.model.calls("push_stock"), 0, "they are left alone for a while");
    world.tell(&[("A3", 4)]).await;
    world.model.state().refused.clear();
    world.push().await;
    assert_eq!(world.model.figure("03"), 4, "another figure is tried at once");
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    world.model.state().poison.clear();
    world.push().await;
    assert_eq!(world.model.figure("12"), 5);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_refuses_everything_is_not_asked_about_each_item() {
    let world = World::new(Capabilities { stock_batch: 64, ..CAN }, rules(StockRules::default())).await;
    let skus: Vec<String> = (0..128).map(|n| format!("A{n:03}")).collect();
    for sku in &skus {
        world.model.list(sku, sku, 1);
        world.model.state().poison.insert(format!("i{sku}").as_str().into());
    }
    world.tell(&skus.iter().map(|sku| (sku.as_str(), 5)).collect::<Vec<_>>()).await;
    assert!(!world.push().await.well);
    assert!(world.model.calls("push_stock") < 20, "{}", world.model.calls("push_stock"));
    assert!(world.board.get("m", "shop").stock_error.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_read_until_it_is_there() {
    let can = Capabilities { compare_and_set_stock: false, ..CAN };
    let world = World::new(can, rules(StockRules::default())).await;
    for (id, sku) in [("1", "A1"), ("2", "A2"), ("3", "A3"), ("4", "A4")] {
        world.model.list(id, sku, 1);
    }
    world.tell(&[("A1", 5), ("A2", 6), ("A3", 7), ("A4", 8)]).await;
    world.model.state().slow = Some(5);
    assert!(world.push().await.well);
    assert_eq!(["1", "2", "3", "4"].map(|id| world.model.figure(id)), [5, 6, 7, 8]);
    world.kept_its_promises();
    // One that never comes to pass is not believed.
    world.tell(&[("A1", 9)]).await;
    world.model.state().slow = Some(100_000);
    assert!(world.push().await.again_after.is_some());
    assert!(world.state().await.in_flight.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bad_feed_trips_the_breaker_until_a_person_releases_it() {
    let world = shop().await;
    world.push().await;
    world.model.state().calls.clear();
    world.tell(&[("A1", 0), ("A2", 0)]).await;
    assert!(world.push().await.well);
    assert_eq!(world.model.calls("push_stock"), 0, "not one write");
    let stopped = world.state().await.stopped.unwrap();
    assert_eq!(stopped.why, "3 of 3 products would go to zero, more than 25 %");
    let run = world.store.run("m", "shop", stopped.run).await.unwrap().unwrap();
    assert_eq!(run.end, Some(RunEnd::Stopped(stopped.why.clone())));
    assert!(entries(&world, stopped.run).await.iter().all(|entry| entry.answer == Answer::Planned));
    assert_eq!(world.board.get("m", "shop").stock_stopped, Some(stopped.why));
    // A repaired feed does not release it by itself: a person looks.
    world.tell(&[("A1", 19)]).await;
    world.push().await;
    assert_eq!(world.model.figure("1"), 20);
    world.tell(&[("A1", 0)]).await;
    world.release().await;
    assert!(world.push().await.well);
    assert_eq!(["1", "2", "3", "4"].map(|id| world.model.figure(id)), [0, 0, 0, 77]);
    assert_eq!(world.state().await.released, None, "released once");
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_day_later_drift_is_found_counted_and_repaired() {
    let world = shop().await;
    world.push().await;
    world.model.state().figures.insert("i1".into(), 400);
    world.push().await;
    assert_eq!(world.model.figure("1"), 400, "not looked at yet");
    tokio::time::sleep(Duration::from_secs(24 * 3600 + 60)).await;
    world.model.state().calls.clear();
    assert!(world.push().await.well);
    assert_eq!(world.model.figure("1"), 20);
    assert_eq!(world.board.get("m", "shop").drifted, 1);
    assert_eq!(world.model.state().calls, ["pull_orders", "read_stock", "push_stock"]);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn in_shadow_the_writes_are_shown_once_and_none_is_made() {
    let mut world = shop().await;
    world.rule(|policy| policy.shadow = true);
    world.push().await;
    world.push().await;
    assert_eq!(world.model.calls("push_stock"), 0);
    let run = world.store.run("m", "shop", 1).await.unwrap().unwrap();
    assert!(run.shadow);
    assert_eq!(entries(&world, 1).await.len(), 3);
    assert_eq!(world.state().await.last_run, 1, "the same plan is not told again");
    world.rule(|policy| policy.shadow = false);
    world.push().await;
    assert_eq!(world.model.figure("1"), 20);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_suspends_and_the_next_push_goes_on() {
    let world = shop().await;
    world.model.state().fates.push_back(Fate::Unauthorized);
    assert!(world.push().await.denied);
    assert!(world.connection.ledge.is_suspended());
    assert!(world.state().await.in_flight.is_none(), "nothing was set, and that is known");
    assert!(world.push().await.well, "a good pull ends the suspension");
    assert_eq!(world.model.figure("1"), 20);
    world.kept_its_promises();
}

#[tokio::test(start_paused = true)]
async fn a_run_is_taken_back_and_publishing_waits_for_a_release() {
    let world = shop().await;
    world.push().await;
    let room = world.ledger.stockroom();
    room.change_state("m", "shop", portald::store::Changes::default(), |state| {
        (state.undo, state.held) = (Some(1), true);
    })
    .await
    .unwrap();
    assert!(world.push().await.well);
    assert_eq!(["1", "2", "3", "4"].map(|id| world.model.figure(id)), [3, 0, 9, 77], "as it was before");
    world.push().await;
    assert_eq!(world.model.figure("1"), 3, "held");
    let state = world.state().await;
    assert_eq!((state.undo, state.held, state.last_run), (None, true, 2));
    world.release().await;
    world.push().await;
    assert_eq!(world.model.figure("1"), 20);
}

#[tokio::test(start_paused = true)]
async fn the_catalogue_is_followed() {
    let world = shop().await;
    world.push().await;
    {
        let mut state = world.model.state();
        spoil(state.variants.get_mut(&RemoteId::from("1")).unwrap());
        state.variants.remove(&RemoteId::from("2"));
    }
    world.model.list("6", "A3", 0);
    world.model.list("7", "a-1", 5);
    assert!(world.products().await.well);
    assert_eq!(world.board.get("m", "shop").unflagged, 0, "too short to look like anything");
    world.tell(&[("A1", 5), ("A2", 3), ("LONG-001", 1)]).await;
    world.model.list("8", "long 001", 5);
    tokio::time::sleep(Duration::from_secs(700)).await;
    world.products().await;
    assert_eq!(world.board.get("m", "shop").unflagged, 1);
    world.push().await;
    assert_eq!(["1", "3", "6", "8"].map(|id| world.model.figure(id)), [20, 2, 4, 5]);
    let listed = world.store.listings("m", "shop").await.unwrap();
    let ids: BTreeSet<_> = listed.iter().map(|listing| listing.variant.id.0.as_str()).collect();
    assert_eq!(ids, ["1", "3", "4", "5", "6", "7", "8"].into());
    // A catalogue that breaks off takes nothing away.
    world.model.state().variants.clear();
    world.model.state().fail_reads = Some(ErrorKind::Unavailable);
    assert!(!world.products().await.well);
    assert_eq!(world.store.listings("m", "shop").await.unwrap().len(), 7);
}

/// One step of a shop's life.
#[derive(Clone, Debug)]
enum Step {
    Sell(usize, u32),
    Tell(usize, i64),
    Push(Option<Fate>),
    /// A sale crosses the next write.
    Cross(usize, u32),
    Meddle(usize, i64),
    Spoil(usize),
    Products,
    Wait(u64),
    Restart,
    Flag(usize, bool),
    FailReads,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop::sample::select(vec![
        None,
        None,
        None,
        Some(Fate::Unavailable),
        Some(Fate::LostBefore),
        Some(Fate::LostAfter),
        Some(Fate::Half),
        Some(Fate::ShortAnswer),
        Some(Fate::Unauthorized),
    ]);
    let step = prop_oneof![
        4 => (0..5_usize, 1..4_u32).prop_map(|(sku, units)| Step::Sell(sku, units)),
        3 => (0..4_usize, 0..40_i64).prop_map(|(sku, units)| Step::Tell(sku, units)),
        6 => fate.prop_map(Step::Push),
        1 => (0..5_usize, 1..4_u32).prop_map(|(sku, units)| Step::Cross(sku, units)),
        1 => (0..8_usize, -2..60_i64).prop_map(|(item, units)| Step::Meddle(item, units)),
        1 => (0..8_usize).prop_map(Step::Spoil),
        2 => Just(Step::Products),
        3 => (1..200_000_u64).prop_map(Step::Wait),
        2 => Just(Step::Restart),
        1 => (0..5_usize, any::<bool>()).prop_map(|(sku, on)| Step::Flag(sku, on)),
        1 => Just(Step::FailReads),
    ];
    prop::collection::vec(step, 1..40)
}

const SKUS: [&str; 5] = ["A1", "A2", "A3", "KIT", "ALIAS"];

async fn live(steps: Vec<Step>, compares: bool, slow: Option<i64>) {
    let can = Capabilities { compare_and_set_stock: compares, ..CAN };
    let stock =
        StockRules { share_percent: 80, reserve: 1, max: 25, breaker_percent: 60, ..StockRules::default() };
    let mut world = World::new(can, rules(stock)).await;
    let listed = ["A1", "A2", "A3", "KIT", "ALIAS", "THEIRS", "A1", "THEIRS-2"];
    for (n, sku) in listed.iter().enumerate() {
        world.model.list(&n.to_string(), sku, 10 + n as i64);
    }
    world.model.state().slow = slow;
    world.tell(&[("A1", 30), ("A2", 30), ("A3", 30)]).await;
    let mut foreign = [15, 17];
    for step in steps {
        match step {
            Step::Sell(sku, units) => world.model.sell(SKUS[sku], units),
            Step::Tell(sku, units) => world.tell(&[(["A1", "A2", "A3", "A4"][sku], units)]).await,
            Step::Push(fate) => {
                world.model.state().fates = fate.into_iter().collect();
                let verdict = world.push().await;
                assert!(verdict.fatal.is_none());
                world.model.state().fates.clear();
            }
            Step::Cross(sku, units) => world.model.state().sale = Some((SKUS[sku].to_owned(), units)),
            Step::Meddle(item, units) => {
                world.model.state().figures.insert(format!("i{item}").as_str().into(), units);
                match item {
                    5 => foreign[0] = units,
                    7 => foreign[1] = units,
                    _ => {}
                }
            }
            Step::Spoil(id) => {
                let mut state = world.model.state();
                spoil(state.variants.get_mut(&id.to_string().as_str().into()).unwrap());
            }
            Step::Products => _ = world.products().await,
            Step::Wait(secs) => tokio::time::sleep(Duration::from_secs(secs)).await,
            Step::Restart => world = world.restart().await,
            Step::Flag(sku, on) => {
                let flag = portald::stock::ProductFlag {
                    schema: portald::stock::SCHEMA,
                    merchant: "m".to_owned(),
                    channel: "shop".to_owned(),
                    sku: SKUS[sku].to_owned(),
                    flag: if on { portald::stock::Flagged::On(None) } else { portald::stock::Flagged::Off },
                    at: super::core::now(),
                };
                world.ledger.set_flags(vec![flag], Vec::new()).await.unwrap();
            }
            Step::FailReads => {
                world.model.state().fail_reads = Some(ErrorKind::Unavailable);
                let _ = world.push().await;
                world.model.state().fail_reads = None;
            }
        }
        world.kept_its_promises();
        assert_eq!([world.model.figure("5"), world.model.figure("7")], foreign, "the merchant's own stock");
    }
    // All is well again, and a person has looked.
    world.model.state().sale = None;
    for _ in 0..8 {
        world.release().await;
        assert!(world.products().await.well);
        assert!(world.push().await.well);
        tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    }
    world.kept_its_promises();
    let policy = world.ledger.policy("m", "shop");
    let listed: Vec<_> = world.model.state().variants.values().cloned().collect();
    let skus = portald::tasks::stock::parts(listed.iter(), &policy.catalogue);
    let shelf = world.ledger.stockroom().shelf(skus, &policy.warehouses).await.unwrap();
    let at = sdk::Clock::now(&*world.model.clock);
    for variant in &listed {
        if let portald::plan::stock::Standing::Offered(offer) =
            portald::plan::stock::standing(variant, &policy, &shelf, at)
        {
            assert_eq!(world.model.figure(&variant.id.0), i64::from(offer.units), "{}", variant.id);
        }
    }
    let pushes = world.model.calls("push_stock");
    world.push().await;
    assert_eq!(world.model.calls("push_stock"), pushes, "quiet");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_foreign_stock_stays_and_ours_converges(
        steps in steps(), compares in any::<bool>(), slow in prop::option::weighted(0.2, 0..25_i64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(live(steps, compares, slow));
    }
}
