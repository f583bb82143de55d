//! The daemon's loop with a channel whose stock is kept.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use portald::{
    board::Board,
    daemon::{Bounds, ChannelWiring, Daemon, Rewiring, Schedule, Wiring},
    ledger::Ledger,
    policy::{Policies, StockRules},
    scheduler::{Schedules, Tick},
    stock::{Feed, FeedRow, SCHEMA},
    store::{Changes, StockChanges, Store, memory::MemoryStore},
};
use sdk::{Channel, Configured, Context, testkit::memory_files::MemoryFiles};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::model::{CAN, Model, World, rules};

struct Settings(Arc<Model>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings")
    }
}

impl Configured for Settings {
    fn account(&self) -> String {
        "model:m".to_owned()
    }
    fn fingerprint(&self) -> u64 {
        1
    }
    fn connect(&self, _: Context) -> Arc<dyn Channel> {
        self.0.clone()
    }
}

struct Nothing;

#[sdk::async_trait]
impl sdk::Http for Nothing {
    async fn send(
        &self,
        _: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        Err(sdk::TransportError::Connect("the model needs no network".to_owned()))
    }
}

const INVENTORY: &str = "0 */15 * * * *";

#[tokio::test(start_paused = true)]
async fn stock_is_pushed_at_the_start_on_schedule_and_when_a_person_asks() {
    let world = World::new(CAN, rules(StockRules::default())).await;
    for (id, sku) in [("1", "A1"), ("2", "A2"), ("3", "A3")] {
        world.model.list(id, sku, 9);
    }
    world.tell(&[("A1", 20), ("A2", 8), ("A3", 4)]).await;
    let store: Arc<MemoryStore> = world.store.clone();
    // An import that a crash cut off is applied before anything is pushed.
    let feed = Feed {
        schema: SCHEMA,
        id: "f".to_owned(),
        at: super::core::now(),
        delta: false,
        accepted: true,
        parts: 1,
    };
    let rows = vec![FeedRow("A1".to_owned(), "main".to_owned(), 33, 0)];
    let stock = StockChanges {
        feeds: vec![feed],
        feed_parts: vec![("f".to_owned(), 0, rows)],
        ..StockChanges::default()
    };
    store.commit(Changes { stock, ..Changes::default() }).await.unwrap();

    let ledger = Arc::new(Ledger::new(store.clone(), world.model.clock.clone()));
    world.model.serve(&ledger);
    let schedule = |text: &str, secs| Schedule { text: text.into(), period: Duration::from_secs(secs) };
    let wiring = ChannelWiring {
        merchant: "m".to_owned(),
        channel: "shop".to_owned(),
        configured: Arc::new(Settings(world.model.clone())),
        orders: schedule("0 */5 * * * *", 300),
        deliver: schedule("*/2 * * * * *", 2),
        sweep: schedule("0 0 3 * * *", 86_400),
        products: Some(schedule("0 0 * * * *", 3600)),
        inventory: Some(schedule(INVENTORY, 900)),
        overlap: Duration::from_secs(300),
        sweep_days: 0,
        first_contact: super::core::now(),
    };
    let channels =
        BTreeMap::from([(("m".to_owned(), "shop".to_owned()), Arc::new(rules(StockRules::default())))]);
    let policies = Policies { warehouses: vec!["main".to_owned()], channels, ..Policies::default() };
    let start = Rewiring { channels: vec![wiring], policies };
    let (ticker, ticks) = mpsc::channel(16);
    let (_control, requests) = mpsc::channel(4);
    let (schedules, told) = watch::channel(Schedules::default());
    let shutdown = CancellationToken::new();
    let board = Arc::new(Board::default());
    let wiring = Wiring {
        ledger: ledger.clone(),
        board: board.clone(),
        http: Arc::new(Nothing),
        files: Arc::new(MemoryFiles::at(super::core::now())),
        start,
        schedules,
        reload: Box::new(|| Box::pin(async { Err("not here".to_owned()) })),
        in_force: Box::new(|| {}),
        rename: Box::new(|_, _| Box::pin(async { Err("not here".to_owned()) })),
        health: Box::new(|| Ok(())),
        seed: 7,
        bounds: Bounds { pulls: 4, deliveries: 4, per_merchant: 2 },
    };
    let daemon = tokio::spawn(Daemon::run(wiring, ticks, requests, shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(["1", "2", "3"].map(|id| world.model.figure(id)), [33, 8, 4], "at the start");
    assert_eq!(told.borrow().texts.len(), 5, "its schedules are ticked for");
    world.model.sell("A2", 3);
    ticker.send(Tick { text: INVENTORY.into(), at: super::core::now() }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(world.model.figure("2"), 5, "sold, counted, and nothing to write");
    let room = ledger.stockroom();
    room.change_state("m", "shop", Changes::default(), |state| (state.undo, state.held) = (Some(1), true))
        .await
        .unwrap();
    room.wake("m");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.model.figure("1"), 9, "as before the first run, without a tick");
    assert!(board.get("m", "shop").stock_stopped.is_some());
    shutdown.cancel();
    daemon.await.unwrap().unwrap();
    world.kept_its_promises_but_for_undo();
}
