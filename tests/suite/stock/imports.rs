//! Imports: what a file may say, and that it becomes figures whole or not at all.

use std::sync::Arc;

use portald::{
    plan::command::Refused,
    stock::{Level, feed::PART_ROWS},
    stockroom::{
        Stockroom,
        intake::{Asked, Imported, Intake},
    },
    store::{
        Store,
        memory::{Failure, MemoryStore},
    },
};
use sdk::testkit::ManualClock;

use super::core::now;

fn room(store: &Arc<MemoryStore>) -> Arc<Stockroom> {
    Arc::new(Stockroom::new(store.clone(), Arc::new(ManualClock::new(now()))))
}

fn houses() -> Vec<String> {
    vec!["main".to_owned(), "annex".to_owned()]
}

async fn import(room: &Arc<Stockroom>, asked: Asked, text: &str) -> Result<Imported, Refused> {
    let mut intake = Intake::begin(room.clone(), asked, houses()).await?;
    for part in text.as_bytes().chunks(7) {
        intake.push(part).await?;
    }
    intake.finish().await
}

async fn figures(store: &MemoryStore) -> Vec<(String, String, i64)> {
    let levels = store.levels(None, 100_000).await.unwrap();
    levels.into_iter().map(|Level { sku, warehouse, on_hand, .. }| (sku, warehouse, on_hand)).collect()
}

fn figure(sku: &str, house: &str, units: i64) -> (String, String, i64) {
    (sku.to_owned(), house.to_owned(), units)
}

#[tokio::test]
async fn a_file_sets_a_delta_adds_and_a_dry_run_changes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let room = room(&store);
    let file = "SKU,Warehouse,On hand,Note\nA1,main,5,x\nA1,annex,2,\n\n\"A2\",main,0,\n";
    let dry = Asked { dry_run: true, ..Asked::default() };
    let told = import(&room, dry.clone(), file).await.unwrap();
    assert_eq!((told.id.clone(), told.rows, told.fresh), (None, 3, 3));
    assert_eq!(told.unknown_columns, ["Note"]);
    assert!(figures(&store).await.is_empty());
    let told = import(&room, Asked::default(), file).await.unwrap();
    assert!(told.id.is_some());
    assert_eq!(
        figures(&store).await,
        [figure("A1", "annex", 2), figure("A1", "main", 5), figure("A2", "main", 0)]
    );
    let delta = Asked { delta: true, warehouse: Some("main".to_owned()), ..Asked::default() };
    let told = import(&room, delta, "sku;quantity\nA1;-5\nA2;4\nA1;1\nA9;3\n").await.unwrap();
    assert_eq!((told.rows, told.fresh), (4, 1));
    let after =
        [figure("A1", "annex", 2), figure("A1", "main", 1), figure("A2", "main", 4), figure("A9", "main", 3)];
    assert_eq!(figures(&store).await, after);
    let again =
        import(&room, Asked::default(), "sku,warehouse,quantity\nA1,main,1\nA9,main,0").await.unwrap();
    assert_eq!((again.unchanged, again.changed, again.zeroed), (1, 1, 1));
    assert_eq!(figures(&store).await.len(), 4, "what a file does not name keeps its figure");
    assert!(store.feeds().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_bad_row_refuses_all_and_each_is_told_with_its_line() {
    let store = Arc::new(MemoryStore::new());
    let room = room(&store);
    for (file, code, wanted) in [
        ("", "empty", "the file has no rows"),
        ("\nsku\n", "rows", "line 2: the header lacks `quantity`"),
        ("sku,warehouse,quantity\n", "empty", "the file has no rows"),
        ("sku,quantity\nA1,5\n", "rows", "line 1: the header lacks `warehouse`"),
        ("sku,warehouse,quantity,SKU\n", "rows", "line 1: the column `sku` is there twice"),
        (
            "sku,warehouse,quantity\nA1,main,five\nA2,moon,1\n,main,2\nA4,main\nA5,main,-1\nA6,main,1\nA6,main,2\n",
            "rows",
            "line 2: `quantity` must be a whole number, not `five`; line 3: there is no warehouse `moon`; known: main, \
             annex; line 4: `sku` is empty; line 5: it has 2 cells, the header has 3; line 6: `quantity` is -1: a shelf \
             cannot hold less than nothing; line 8: A6 in main is named for the second time",
        ),
        ("sku,warehouse,quantity\nA1,main,1\nA2,\"main,2\nA3,main,1\n", "rows", "line 3: a quote is opened"),
        ("sku,warehouse,quantity\nA1,main,1.5\n", "rows", "not `1.5`"),
        ("sku,warehouse,quantity\nA1,main,99999999999\n", "rows", "more than 1000000000"),
        ("sku,warehouse,quantity\nA1,main,\n", "rows", "not ``"),
    ] {
        let refused = import(&room, Asked::default(), file).await.unwrap_err();
        assert_eq!(refused.code, code, "{file:?}: {refused}");
        assert!(refused.message.contains(wanted), "{file:?}: {refused}");
        assert!(refused.message.starts_with("nothing was imported"), "{refused}");
    }
    let many = (0..900).map(|n| format!("A{n},main,x\n")).collect::<Vec<_>>().concat();
    let refused =
        import(&room, Asked::default(), &format!("sku,warehouse,quantity\n{many}")).await.unwrap_err();
    assert!(refused.message.ends_with("and 880 more"), "{refused}");
    assert!(figures(&store).await.is_empty() && store.feeds().await.unwrap().is_empty());
}

/// Each row was remembered for as long as rows came, and each cell at fault was told whole.
#[tokio::test]
async fn a_file_without_end_is_not_remembered_without_end_and_a_long_cell_is_told_in_short() {
    let store = Arc::new(MemoryStore::new());
    let room = room(&store);
    let mut intake = Intake::begin(room.clone(), Asked::default(), houses()).await.unwrap();
    // The first is at fault, so that none is staged: the others are read all the same.
    let long = "9".repeat(16_000);
    intake.push(format!("sku,warehouse,quantity\nA,main,{long}\n").as_bytes()).await.unwrap();
    for thousand in 0..2_200 {
        let rows = (0..1000).map(|n| format!("{thousand}.{n},main,1\n")).collect::<Vec<_>>().concat();
        intake.push(rows.as_bytes()).await.unwrap();
    }
    let refused = intake.finish().await.err().unwrap();
    assert!(
        refused.message.ends_with("line 2000003: more than 2000000 rows: import it in parts"),
        "{refused}"
    );
    assert!(refused.message.len() < 300, "{} bytes are told", refused.message.len());
}

#[tokio::test]
async fn a_short_file_is_an_error_unless_it_is_said_to_be_partial() {
    let store = Arc::new(MemoryStore::new());
    let room = room(&store);
    let file = |count: usize| -> String {
        let rows = (0..count).map(|n| format!("A{n:04},main,7\n")).collect::<Vec<_>>().concat();
        format!("sku,warehouse,quantity\n{rows}")
    };
    import(&room, Asked::default(), &file(1300)).await.unwrap();
    let refused = import(&room, Asked::default(), &file(600)).await.unwrap_err();
    assert_eq!(refused.code, "short");
    assert!(refused.message.contains("600 rows where 1300 figures"), "{refused}");
    import(&room, Asked { partial: true, ..Asked::default() }, &file(600)).await.unwrap();
    import(&room, Asked::default(), &file(700)).await.unwrap();
}

#[tokio::test]
async fn an_import_that_is_cut_off_is_applied_to_its_end_or_leaves_no_trace() {
    let count = PART_ROWS + 100;
    let rows = (0..count).map(|n| format!("A{n:04},main,7\n")).collect::<Vec<_>>().concat();
    let file = format!("sku,warehouse,quantity\n{rows}");
    let (mut whole, mut none) = (0, 0);
    // One commit after another is the one that fails: the beginning, two parts, the acceptance, two applied, the end.
    for nth in 0..8 {
        for failure in [Failure::Before, Failure::AnswerLost, Failure::NotFlushed] {
            let store = Arc::new(MemoryStore::new());
            store.fail_after(nth, failure);
            let outcome = import(&room(&store), Asked::default(), &file).await;
            let store = Arc::new(if nth % 2 == 0 { store.crash() } else { store.kill() });
            self::room(&store).recover().await.unwrap();
            match figures(&store).await.len() {
                0 => none += 1,
                all if all == count => whole += 1,
                some => panic!("{some} figures after {failure:?} at {nth}"),
            }
            assert!(outcome.is_err() || figures(&store).await.len() == count);
            assert!(store.feeds().await.unwrap().is_empty());
        }
    }
    assert!(whole > 0 && none > 0, "{whole} {none}");
}

#[tokio::test]
async fn a_delta_that_is_cut_off_is_added_once() {
    let count = PART_ROWS + 100;
    let rows = (0..count).map(|n| format!("A{n:04},main,3\n")).collect::<Vec<_>>().concat();
    let file = format!("sku,warehouse,quantity\n{rows}");
    let asked = Asked { delta: true, ..Asked::default() };
    // The last part, the acceptance, two parts applied, the end.
    for failing in 0..6 {
        for failure in [Failure::Before, Failure::AnswerLost, Failure::NotFlushed] {
            let store = Arc::new(MemoryStore::new());
            let room = room(&store);
            let mut intake = Intake::begin(room, asked.clone(), houses()).await.unwrap();
            intake.push(file.as_bytes()).await.unwrap();
            store.fail_after(failing, failure);
            let _ = intake.finish().await;
            let store = Arc::new(store.kill());
            self::room(&store).recover().await.unwrap();
            let figures = figures(&store).await;
            assert!(figures.iter().all(|(_, _, units)| *units == 3), "{failure:?}");
            assert!(figures.is_empty() || figures.len() == count);
        }
    }
}

#[tokio::test]
async fn one_import_at_a_time_and_one_given_up_is_cleared_away() {
    let store = Arc::new(MemoryStore::new());
    let room = room(&store);
    let mut first = Intake::begin(room.clone(), Asked::default(), houses()).await.unwrap();
    let refused = Intake::begin(room.clone(), Asked::default(), houses()).await.err().unwrap();
    assert_eq!(refused.code, "importing");
    let rows = (0..PART_ROWS + 9).map(|n| format!("A{n:04},main,3\n")).collect::<Vec<_>>().concat();
    first.push(format!("sku,warehouse,quantity\n{rows}").as_bytes()).await.unwrap();
    drop(first);
    let told = import(&room, Asked::default(), "sku,warehouse,quantity\nA1,main,1\n").await.unwrap();
    assert_eq!(told.rows, 1);
    assert_eq!(figures(&store).await, [figure("A1", "main", 1)]);
    assert!(store.feeds().await.unwrap().is_empty());
}
