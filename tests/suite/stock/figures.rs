//! What orders do to the figures, through the ledger: exactly once, over repeats, conflicts and crashes.

use std::{collections::BTreeMap, sync::Arc};

use portald::{
    ledger::Ledger,
    plan::{
        command::{Ask, Command, LineAmount, Parcel},
        routing::Catalogue,
    },
    policy::{Policies, Policy, StockRules},
    record::{Part, Record, RecordId},
    stock::{Cause, Change, Movement},
    store::{
        Store,
        memory::{Failure, MemoryStore},
    },
};
use proptest::prelude::*;
use sdk::{Pulled, RemoteId, testkit::ManualClock};

use crate::plan::model::{Remote, at, policy};

pub(super) fn ledger(store: &Arc<MemoryStore>) -> Arc<Ledger> {
    let ledger = Ledger::new(store.clone(), Arc::new(ManualClock::new(at(0))));
    let warehouses = vec!["main".to_owned(), "annex".to_owned()];
    let mut policies = Policies { warehouses: warehouses.clone(), ..Policies::default() };
    let map = BTreeMap::from([(
        "KIT".to_owned(),
        vec![Part { sku: "A1".to_owned(), per_unit: 2 }, Part { sku: "B2".to_owned(), per_unit: 1 }],
    )]);
    let policy = Policy {
        warehouses,
        catalogue: Catalogue::new(&["A*".to_owned()], map, BTreeMap::new()).unwrap(),
        settle: std::time::Duration::ZERO,
        stock: StockRules { sync: true, ..StockRules::default() },
        ..policy()
    };
    policies.channels.insert(("m".to_owned(), "shop".to_owned()), Arc::new(policy));
    ledger.set_policies(policies);
    Arc::new(ledger)
}

async fn tell(ledger: &Ledger, figures: &[(&str, &str, i64)]) {
    let movements = figures.iter().map(|(sku, house, units)| Movement {
        sku: (*sku).to_owned(),
        warehouse: (*house).to_owned(),
        change: Change::Set(*units),
        at: at(0),
        cause: Cause::Operator,
    });
    ledger.stockroom().move_figures(movements.collect()).await.unwrap();
}

async fn order(ledger: &Ledger, id: &str, lines: &[(&str, u32)], change: impl FnOnce(&mut sdk::Order)) {
    let mut order = sdk::Order { id: RemoteId::from(id), ..Remote::new(lines).order() };
    change(&mut order);
    ledger.absorb_page("m", "shop", vec![Pulled::Order(Box::new(order))], at(0), None).await.unwrap();
}

async fn on_hand(ledger: &Ledger, sku: &str) -> Vec<(String, i64, i64)> {
    let houses = ["main".to_owned(), "annex".to_owned()];
    let shelf = ledger.stockroom().shelf([sku.to_owned()].into(), &houses).await.unwrap();
    shelf.places(sku).iter().map(|place| (place.warehouse.clone(), place.on_hand, place.committed)).collect()
}

fn ship(tracking: &str, warehouse: Option<&str>, units: Option<u32>) -> Command {
    Command::Ship(Parcel {
        carrier: Some("UPS".to_owned()),
        tracking: Some(tracking.to_owned()),
        warehouse: warehouse.map(str::to_owned),
        lines: units.map(|quantity| LineAmount { id: "l1".to_owned(), quantity }).into_iter().collect(),
        ..Parcel::default()
    })
}

fn ask(command: Command, key: &str) -> Ask {
    Ask { command, key: Some(key.to_owned()), if_match: None }
}

fn void() -> Command {
    Command::Void { shipment: "p1".to_owned(), reason: "damaged".to_owned() }
}

fn place(house: &str, on_hand: i64, committed: i64) -> (String, i64, i64) {
    (house.to_owned(), on_hand, committed)
}

#[tokio::test]
async fn shipping_takes_from_the_first_that_holds_it_and_voiding_gives_back() {
    let ledger = ledger(&Arc::new(MemoryStore::new()));
    tell(&ledger, &[("A1", "main", 3), ("A1", "annex", 9), ("B2", "main", 1)]).await;
    order(&ledger, "1", &[("KIT", 2)], |_| {}).await;
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 3, 3), place("annex", 9, 1)]);
    let shipped = ledger.command("m.shop.1", ask(ship("T1", None, None), "k1")).await.unwrap();
    assert_eq!(
        on_hand(&ledger, "A1").await,
        [place("main", 3, 0), place("annex", 5, 0)],
        "all four are there"
    );
    assert_eq!(on_hand(&ledger, "B2").await, [place("main", -1, 0)], "two kits, one piece was counted");
    let alerts: Vec<_> = shipped.record.alerts.iter().map(|alert| alert.code.as_str()).collect();
    assert_eq!(alerts, ["stock-negative"]);
    assert!(
        shipped.record.alerts[0].text.contains("B2 in main is at -1"),
        "{}",
        shipped.record.alerts[0].text
    );
    assert_eq!(shipped.record.shipments[0].taken.len(), 2, "the answer shows what it took");
    // The same again, word for word: nothing moves.
    ledger.command("m.shop.1", ask(ship("T1", None, None), "k1")).await.unwrap();
    assert_eq!(on_hand(&ledger, "A1").await[1].1, 5);
    for key in ["v1", "v1", "v2"] {
        ledger.command("m.shop.1", ask(void(), key)).await.unwrap();
        assert_eq!(
            on_hand(&ledger, "A1").await,
            [place("main", 3, 3), place("annex", 9, 1)],
            "given back once"
        );
        assert_eq!(on_hand(&ledger, "B2").await, [place("main", 1, 2)]);
    }
}

#[tokio::test]
async fn a_named_warehouse_counts_and_what_was_never_told_does_not() {
    let ledger = ledger(&Arc::new(MemoryStore::new()));
    tell(&ledger, &[("A1", "main", 10)]).await;
    order(&ledger, "1", &[("A1", 4)], |_| {}).await;
    order(&ledger, "2", &[("A7", 4)], |_| {}).await;
    ledger.command("m.shop.1", ask(ship("T1", Some("annex"), Some(1)), "k1")).await.unwrap();
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 10, 3), place("annex", -1, 0)]);
    let other = ledger.command("m.shop.2", ask(ship("T2", None, None), "k2")).await.unwrap();
    assert!(other.record.alerts.is_empty() && other.record.shipments[0].taken.is_empty());
    assert!(on_hand(&ledger, "A7").await.is_empty(), "a supplier without stock keeping is left in peace");
}

#[tokio::test]
async fn held_orders_count_and_test_and_cancelled_ones_do_not() {
    let store = Arc::new(MemoryStore::new());
    let ledger = ledger(&store);
    tell(&ledger, &[("A1", "main", 50)]).await;
    order(&ledger, "1", &[("A1", 4)], |order| order.payment = sdk::Payment::Unpaid("pending".to_owned()))
        .await;
    order(&ledger, "2", &[("A1", 5)], |order| order.test = true).await;
    order(&ledger, "3", &[("A1", 6)], |_| {}).await;
    order(&ledger, "4", &[("A1", 7)], |order| order.placed_at = at(-2_000_000)).await;
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 50, 10)]);
    order(&ledger, "3", &[("A1", 6)], |order| {
        (order.state, order.updated_at) =
            (sdk::OrderState::Cancelled { at: None, reason: None }, Some(at(9)));
        order.lines[0].fulfillable = 0;
    })
    .await;
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 50, 4)]);
    ledger.command("m.shop.2", ask(ship("T", None, None), "k")).await.unwrap();
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 50, 4)], "a test parcel takes nothing");
    // A daemon that starts anew counts the same.
    let again = self::ledger(&Arc::new(store.kill()));
    assert_eq!(on_hand(&again, "A1").await, [place("main", 50, 4)]);
}

#[tokio::test(start_paused = true)]
async fn parcels_of_one_sku_do_not_meet_each_other() {
    let store = Arc::new(MemoryStore::new().with_latency(std::time::Duration::from_millis(10)));
    let ledger = ledger(&store);
    tell(&ledger, &[("A1", "main", 100)]).await;
    for n in 0..20 {
        order(&ledger, &n.to_string(), &[("A1", 2)], |_| {}).await;
    }
    let begun = tokio::time::Instant::now();
    let mut ships = tokio::task::JoinSet::new();
    for n in 0..20 {
        let ledger = ledger.clone();
        ships.spawn(async move {
            let command = ship(&format!("T{n}"), None, None);
            ledger.command(&format!("m.shop.{n}"), ask(command, "k")).await.unwrap();
        });
    }
    while let Some(done) = ships.join_next().await {
        done.unwrap();
    }
    assert_eq!(on_hand(&ledger, "A1").await, [place("main", 60, 0)]);
    assert_eq!(store.counters().conflicts, 0, "no parcel waits for another");
    assert!(begun.elapsed() < std::time::Duration::from_millis(25), "{:?}", begun.elapsed());
}

/// One step of a supplier's day.
#[derive(Clone, Debug)]
enum Step {
    Ship(usize, u32),
    Void(usize, u32),
    Count(i64),
}

fn steps() -> impl Strategy<Value = Vec<(Step, u8)>> {
    let step = prop_oneof![
        4 => (0..3_usize, 1..4_u32).prop_map(|(order, units)| Step::Ship(order, units)),
        2 => (0..3_usize, 1..4_u32).prop_map(|(order, parcel)| Step::Void(order, parcel)),
        1 => (0..40_i64).prop_map(Step::Count),
    ];
    // 0 to 2 a fault of the store, then the power goes or the process is killed; else all is well.
    prop::collection::vec((step, 0..8_u8), 1..24)
}

/// What parcels hold of a figure, by the records.
fn in_parcels(records: &[Record]) -> i64 {
    let taken =
        records.iter().flat_map(|record| &record.shipments).filter(|parcel| parcel.voided_at.is_none());
    taken.flat_map(|parcel| &parcel.taken).map(|taken| i64::from(taken.units)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn figures_and_records_agree_whatever_breaks(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut store = Arc::new(MemoryStore::new());
            let mut ledger = ledger(&store);
            tell(&ledger, &[("A1", "main", 20)]).await;
            for n in 0..3 {
                order(&ledger, &n.to_string(), &[("A1", 9)], |_| {}).await;
            }
            // The last count, less what had left by then.
            let mut counted = 20;
            for (n, (step, fault)) in steps.into_iter().enumerate() {
                let failure = match fault {
                    0 => Some(Failure::Before),
                    1 => Some(Failure::AnswerLost),
                    2 => Some(Failure::NotFlushed),
                    _ => None,
                };
                if let Some(failure) = failure.filter(|_| !matches!(step, Step::Count(_))) {
                    store.fail_next(failure);
                }
                let key = format!("k{n}");
                let mut times = 1 + usize::from(fault % 2 == 0);
                while times > 0 {
                    times -= 1;
                    let (order, command) = match &step {
                        Step::Ship(order, units) => (order, ship(&key, None, Some(*units))),
                        Step::Void(order, parcel) => {
                            (order, Command::Void { shipment: format!("p{parcel}"), reason: "x".to_owned() })
                        }
                        Step::Count(units) => {
                            let records = records(&store).await;
                            tell(&ledger, &[("A1", "main", *units)]).await;
                            counted = units + in_parcels(&records);
                            break;
                        }
                    };
                    // Refusals and failures are answers too.
                    let _ = ledger.command(&format!("m.shop.{order}"), ask(command, &key)).await;
                    if failure.is_some() {
                        // Also where nothing was written: what was to fail is forgotten with the process.
                        store = Arc::new(if fault == 2 { store.crash() } else { store.kill() });
                        ledger = self::ledger(&store);
                    }
                }
                let records = records(&store).await;
                let level = store.levels_of(vec!["A1".to_owned()]).await.unwrap().remove(0);
                assert_eq!(level.on_hand, counted - in_parcels(&records), "after step {n}");
            }
        });
    }
}

async fn records(store: &Arc<MemoryStore>) -> Vec<Record> {
    let ids = (0..3).map(|n| RecordId(format!("m.shop.{n}"))).collect();
    store.records(ids).await.unwrap().into_iter().flatten().collect()
}
