//! Imports that cross parcels, and each other.

use portald::{
    policy::StockRules,
    stock::{Cause, Change, Movement, feed::PART_ROWS},
    stockroom::intake::{Asked, Intake},
    store::{Store, memory::Failure},
};

use super::{
    core::now,
    model::{CAN, World, rules},
};

fn row(n: usize, units: i64) -> String {
    format!("A{n},{units}\n")
}

/// A parcel takes, or a void gives back.
async fn parcel(world: &World, sku: &str, units: i64) {
    let cause = if units < 0 { Cause::Parcel("o/p1".to_owned()) } else { Cause::Void("o/p1".to_owned()) };
    let movement = Movement {
        sku: sku.to_owned(),
        warehouse: "main".to_owned(),
        change: Change::Add(units),
        at: now(),
        cause,
    };
    world.ledger.stockroom().move_figures(vec![movement]).await.unwrap();
}

async fn on_hand(world: &World, sku: &str) -> i64 {
    world.store.levels_of(vec![sku.to_owned()]).await.unwrap()[0].on_hand
}

#[tokio::test]
async fn a_parcel_that_leaves_while_a_file_is_taken_in_is_not_overwritten_by_it() {
    let world = World::new(CAN, rules(StockRules::default())).await;
    let count = PART_ROWS + 3;
    let skus: Vec<String> = (0..count).map(|n| format!("A{n}")).collect();
    world.tell(&skus.iter().map(|sku| (sku.as_str(), 20)).collect::<Vec<_>>()).await;
    parcel(&world, "A1", -2).await;
    let houses = vec!["main".to_owned()];
    for (delta, wanted) in [(false, [25, 25]), (true, [50, 50])] {
        let asked = Asked { delta, ..Asked::default() };
        let mut intake =
            Intake::begin(world.ledger.stockroom().clone(), asked, houses.clone()).await.unwrap();
        let text: String = (0..count).map(|n| row(n, 25)).collect();
        intake.push(format!("sku,quantity\n{text}").as_bytes()).await.unwrap();
        parcel(&world, "A1", -5).await;
        parcel(&world, "A1", 1).await;
        intake.finish().await.unwrap();
        let [first, second] = wanted;
        assert_eq!(on_hand(&world, "A0").await, first);
        let before = if delta { -4 } else { 0 };
        assert_eq!(on_hand(&world, "A1").await, second - 4 + before, "delta: {delta}");
    }
}

#[tokio::test]
async fn an_import_that_failed_half_way_is_ended_before_the_next_one_begins() {
    let world = World::new(CAN, rules(StockRules::default())).await;
    let houses = vec!["main".to_owned()];
    let count = 2 * PART_ROWS;
    let import = async |units: i64, failing: Option<usize>| {
        let room = world.ledger.stockroom().clone();
        let mut intake = Intake::begin(room, Asked::default(), houses.clone()).await?;
        let text: String = (0..count).map(|n| row(n, units)).collect();
        intake.push(format!("sku,quantity\n{text}").as_bytes()).await?;
        if let Some(nth) = failing {
            world.store.fail_after(nth, Failure::Before);
        }
        intake.finish().await
    };
    // The acceptance, the first part, and then it fails.
    assert!(import(7, Some(2)).await.is_err());
    import(9, None).await.unwrap();
    world.ledger.stockroom().recover().await.unwrap();
    for n in [0, count - 1] {
        assert_eq!(on_hand(&world, &format!("A{n}")).await, 9, "A{n}: the newer file holds");
    }
}
