//! One run: a world is made of a seed, lives through its chaos, is healed, and is looked at.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bigcommerce::fake::FakeStore;
use chrono::TimeDelta;
use sdk::{Timestamp, testkit::memory_files::MemoryFiles};
use shopify::fake::FakeShop;
use tokio::time::Instant;

use crate::{
    chance::Dice,
    checker,
    clock::{Skewed, Wall},
    fate,
    files::Disk,
    journal::{Counts, Journal},
    logs::Log,
    network::Network,
    operators::{Diary, Operator},
    people,
    setup::Setup,
    shops::{Remote, Shop},
    world::World,
};

/// What came of a run.
pub(crate) struct Run {
    pub(crate) trace: Vec<String>,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<String>,
    /// In virtual time.
    pub(crate) lasted: Duration,
}

impl Run {
    /// Runs a seed to its end.
    pub(crate) fn of(seed: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let level = if seed.is_multiple_of(16) { tracing::Level::DEBUG } else { tracing::Level::INFO };
        let (log, _listening) = Log::listen(level);
        runtime.block_on(live(seed, &log))
    }
}

/// Where a run begins: now and then on the eve of a night when the clocks of Chicago change.
fn start(dice: &mut Dice, chaos: Duration) -> (Timestamp, bool) {
    let night = match dice.below(6) {
        0 => Some("2026-11-01T07:00:00Z"),
        1 => Some("2027-03-14T08:00:00Z"),
        _ => None,
    };
    let ordinary: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let into = Duration::from_secs(dice.below(chaos.as_secs() as usize) as u64);
    match night {
        Some(night) => (night.parse::<Timestamp>().unwrap() - into, true),
        None => (ordinary + into, false),
    }
}

async fn live(seed: u64, log: &Log) -> Run {
    let began = Instant::now();
    let root = Dice::new(seed);
    let mut dice = root.child("world");
    let journal = Arc::new(Journal::new());
    let chaos = Duration::from_secs(dice.within(2, 7) * 1800);
    let (start, dst) = start(&mut dice, chaos);
    let wall = Arc::new(Wall::from(start));
    let files = Arc::new(MemoryFiles::at(start));
    let shops = shops(&wall, &files, &mut dice);
    for shop in &shops {
        people::stock_shelves(shop, &mut dice);
    }
    let network = Network::new(&shops, journal.clone(), root.child("network"));
    let often = if dice.chance(0.5) { dice.between(0.0, 0.03) } else { 0.0 };
    let disk = Arc::new(Disk {
        files,
        wall: wall.clone(),
        journal: journal.clone(),
        trouble: Mutex::new((often, root.child("disk"))),
    });
    let since = (start - TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let setup = Setup::new(&shops, &since, dst, &mut dice);
    journal.note(format!("seed {seed} from {start} for {chaos:?}: {setup:?}"));
    let world = World::new(seed, journal.clone(), wall, shops, network, disk, setup);

    let keeper = tokio::spawn(world.clone().keep_running(root.child("systemd")));
    let diary = Arc::new(Diary::default());
    let mut players = Vec::new();
    for shop in &world.shops {
        let orders = dice.within(4, 10) as usize;
        let pace = chaos.as_secs_f64() / dice.between(30.0, 60.0);
        let dice = root.child(&format!("people of {}", shop.merchant));
        players.push(tokio::spawn(people::live(world.clone(), shop.clone(), orders, pace, dice)));
    }
    let mut operators = Vec::new();
    for name in ["ANA", "BEN"] {
        let pace = chaos.as_secs_f64() / dice.between(25.0, 60.0);
        let operator = Operator {
            name,
            world: world.clone(),
            diary: diary.clone(),
            dice: root.child(name),
            commands: 0,
        };
        operators.push(tokio::spawn(operator.work(pace)));
    }
    let mut often = |least: f64, most: f64| chaos.as_secs_f64() / dice.between(least, most);
    let (crashes, disk, weather, reloads) =
        (often(1.0, 14.0), often(0.3, 4.0), often(1.0, 8.0), often(1.0, 6.0));
    players.push(tokio::spawn(fate::crashes(world.clone(), crashes, root.child("crashes"))));
    players.push(tokio::spawn(fate::bad_disk(world.clone(), disk, root.child("bad disk"))));
    players.push(tokio::spawn(fate::weather(world.clone(), weather, root.child("weather"))));
    players.push(tokio::spawn(fate::reloads(world.clone(), reloads, root.child("reloads"))));

    players.push(tokio::spawn(checker::watch(world.clone(), diary.clone())));

    tokio::time::sleep(chaos).await;
    journal.note("the chaos ends");
    for player in players {
        player.abort();
        let _ = player.await;
    }
    fate::heal(&world).await;
    for operator in operators {
        if let Err(error) = operator.await {
            journal.violation("the simulation itself", error.to_string());
        }
    }
    checker::settle(&world).await;
    checker::look(&world, &diary, log).await;
    keeper.abort();
    let (requests, writes) = world.network.requests();
    journal.add("traffic", "requests", requests);
    journal.add("traffic", "of these writes", writes);
    let (trace, counts, violations) = journal.close();
    Run { trace, counts, violations, lasted: began.elapsed() }
}

fn shops(wall: &Arc<Wall>, files: &Arc<MemoryFiles>, dice: &mut Dice) -> Vec<Arc<Shop>> {
    let mut shops = Vec::new();
    let clock = |dice: &mut Dice| {
        let by = if dice.chance(0.5) { dice.within(0, 1_200) as i64 - 600 } else { 0 };
        Arc::new(Skewed { wall: wall.clone(), by: TimeDelta::seconds(by) })
    };
    let mut names = vec!["bluefin"];
    if dice.chance(0.3) {
        names.push("cormorant");
    }
    for name in names {
        let shop = FakeShop::new(clock(dice));
        let token = format!("first_{name}");
        shop.accept_token(&token);
        shops.push(Arc::new(Shop::new(name, Remote::Shopify(shop), wall.clone(), &token)));
    }
    let store = FakeStore::new(clock(dice));
    store.accept_token("first_pinecrest");
    shops.push(Arc::new(Shop::new("pinecrest", Remote::BigCommerce(store), wall.clone(), "first_pinecrest")));
    if dice.chance(0.8) {
        let folder = Remote::Folder(files.clone());
        shops.push(Arc::new(Shop::new("harbor", folder, wall.clone(), "none")));
    }
    shops
}
