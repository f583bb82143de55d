//! Bytes as a CSV of figures: all of them told, or none and why.

use std::sync::Arc;

use portald::{
    stock::level::MOST_UNITS,
    stockroom::{
        Stockroom,
        intake::{Asked, Intake},
    },
    store::{Store, memory::MemoryStore},
};
use sdk::testkit::ManualClock;

/// Imports the bytes, in pieces; the first of them says how it is asked. Answers whether they were taken.
pub(crate) async fn import(bytes: &[u8]) -> bool {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new(sdk::Timestamp::from_timestamp(1_793_000_000, 0).unwrap());
    let room = Arc::new(Stockroom::new(store.clone(), Arc::new(clock)));
    let (asks, bytes) = bytes.split_first().map_or((0, bytes), |(asks, rest)| (*asks, rest));
    let warehouse = (asks & 4 != 0).then(|| "main".to_owned());
    let asked = Asked { delta: asks & 1 != 0, dry_run: asks & 2 != 0, warehouse, ..Asked::default() };
    let dry_run = asked.dry_run;
    let houses = if asks & 8 == 0 { vec!["main"] } else { vec!["main", "annex"] };
    let houses = houses.into_iter().map(str::to_owned).collect();
    let mut intake = Intake::begin(room, asked, houses).await.expect("nothing else is under way");
    for piece in bytes.chunks(7 + usize::from(asks)) {
        intake.push(piece).await.expect("the store is well");
    }
    let done = intake.finish().await;
    let levels = store.levels(None, 1_000_000).await.unwrap();
    assert!(store.feeds().await.unwrap().is_empty(), "nothing stays staged");
    match done {
        Ok(told) => {
            assert!(told.rows > 0 && told.id.is_some() != dry_run);
            assert!(told.rows as usize >= levels.len() && levels.is_empty() == dry_run);
            for level in levels {
                assert!(level.on_hand.abs() <= MOST_UNITS * told.rows as i64);
                assert!(!level.sku.is_empty() && !level.sku.contains(char::is_control));
            }
            true
        }
        Err(refused) => {
            assert!(levels.is_empty(), "{refused}");
            let words = &refused.message;
            assert!(words.starts_with("nothing was imported"), "{words}");
            match refused.code {
                "rows" => assert!(words.contains("line "), "{words}"),
                code => assert_eq!(code, "empty", "{words}"),
            }
            assert!(words.len() < 16 * 1024, "{} bytes are told", words.len());
            false
        }
    }
}
