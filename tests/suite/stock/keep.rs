//! Stock in every store.

use portald::{
    stock::{
        Answer, Cause, Change, Entry, Feed, FeedRow, Flagged, Listing, Movement, ProductFlag, Run, RunPart,
        RunReason, SCHEMA, Shown, StockState, level::KEPT_MOVES,
    },
    store::{Changes, StockChanges, Store, StoreError},
};

use super::core::{now, variant};
use crate::store::{Bench, both};

fn movement(sku: &str, warehouse: &str, change: Change, cause: Cause, secs: i64) -> Movement {
    Movement {
        sku: sku.to_owned(),
        warehouse: warehouse.to_owned(),
        change,
        at: now() + chrono::TimeDelta::seconds(secs),
        cause,
    }
}

async fn commit(store: &dyn Store, stock: StockChanges) -> Result<(), StoreError> {
    store.commit(Changes { stock, ..Changes::default() }).await
}

async fn move_all(store: &dyn Store, movements: Vec<Movement>) {
    commit(store, StockChanges { movements, ..StockChanges::default() }).await.unwrap();
}

#[tokio::test]
async fn figures_move_by_set_and_by_addition_and_remember_how() {
    for Bench { store, name, .. } in both() {
        let parcel = || Cause::Parcel("m.shop.1/p1".to_owned());
        move_all(
            &*store,
            vec![
                movement("A1", "main", Change::Set(10), Cause::Operator, 0),
                movement("A1", "annex", Change::Set(3), Cause::Operator, 0),
                movement("A1", "main", Change::Add(-4), parcel(), 1),
                movement("A10", "main", Change::Set(7), Cause::Operator, 2),
            ],
        )
        .await;
        move_all(
            &*store,
            vec![
                movement("A1", "main", Change::Add(-9), parcel(), 3),
                movement("A1", "annex", Change::Set(3), Cause::Import("i".to_owned()), 9),
            ],
        )
        .await;
        let levels =
            store.levels_of(vec!["A1".to_owned(), "A1\0main".to_owned(), "B".to_owned()]).await.unwrap();
        let told: Vec<_> =
            levels.iter().map(|level| (level.warehouse.as_str(), level.on_hand, level.moves)).collect();
        assert_eq!(told, [("annex", 3, 1), ("main", -3, 3)], "{name}: A10 is another SKU");
        assert_eq!(levels[0].told_at, now() + chrono::TimeDelta::seconds(9), "{name}: told again, the same");
        assert_eq!(levels[1].told_at, now(), "{name}: a parcel tells nothing");
        let moves = store.moves_of("A1").await.unwrap();
        let told: Vec<_> = moves.iter().map(|(house, moved)| (house.as_str(), moved.on_hand)).collect();
        assert_eq!(told, [("annex", 3), ("main", 10), ("main", 6), ("main", -3)], "{name}");
        let page = store.levels(None, 2).await.unwrap();
        let after = page.last().map(|level| (level.sku.clone(), level.warehouse.clone()));
        let rest = store.levels(after, 9).await.unwrap();
        assert_eq!((page.len(), rest.len(), rest[0].sku.as_str()), (2, 1, "A10"), "{name}");
    }
}

#[tokio::test]
async fn movements_of_many_commits_never_conflict_and_add_up() {
    for Bench { store, name, .. } in both() {
        move_all(&*store, vec![movement("A1", "main", Change::Set(1000), Cause::Operator, 0)]).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..150 {
            let store = store.clone();
            tasks.spawn(async move {
                let cause = Cause::Parcel(format!("m.shop.{n}/p1"));
                move_all(&*store, vec![movement("A1", "main", Change::Add(-(n % 3)), cause, n)]).await;
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let level = store.levels_of(vec!["A1".to_owned()]).await.unwrap().remove(0);
        assert_eq!(level.on_hand, 1000 - 150, "{name}");
        assert_eq!(
            store.moves_of("A1").await.unwrap().len() as u64,
            KEPT_MOVES,
            "{name}: the oldest give way"
        );
    }
}

#[tokio::test]
async fn a_commit_that_conflicts_moves_nothing() {
    for Bench { store, name, .. } in both() {
        let state = StockState { version: 7, ..StockState::default() };
        let stock = StockChanges {
            movements: vec![movement("A1", "main", Change::Set(5), Cause::Operator, 0)],
            states: vec![("m".to_owned(), "shop".to_owned(), state)],
            ..StockChanges::default()
        };
        let error = commit(&*store, stock).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)), "{name}: {error}");
        assert!(store.levels(None, 9).await.unwrap().is_empty(), "{name}");
        assert_eq!(store.stock_state("m", "shop").await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn catalogues_runs_flags_and_feeds_come_back_and_go() {
    for Bench { store, name, .. } in both() {
        let (merchant, channel) = ("m".to_owned(), "shop".to_owned());
        let listing =
            |id: &str| Listing { schema: SCHEMA, variant: variant(id, Some("A1"), true), first_seen: now() };
        let place = |listing: Listing| ("m".to_owned(), "shop".to_owned(), listing);
        let part = |n: u32| RunPart {
            schema: SCHEMA,
            run: 1,
            n,
            writes: (0..200)
                .map(|n| Entry {
                    item: format!("i{n}").as_str().into(),
                    variant: "v".into(),
                    sku: "A SKU OF THE USUAL LENGTH".to_owned(),
                    before: Some(3),
                    after: 4,
                    why: "12 available, 50 % of it, 2 kept back".to_owned(),
                    answer: Answer::Set,
                })
                .collect(),
        };
        let run = Run {
            schema: SCHEMA,
            merchant: merchant.clone(),
            channel: channel.clone(),
            n: 1,
            at: now(),
            reason: RunReason::Schedule,
            shadow: false,
            end: None,
            parts: 2,
            set: 0,
            refused: 0,
        };
        let flag = ProductFlag {
            schema: SCHEMA,
            merchant: merchant.clone(),
            channel: channel.clone(),
            sku: "A1".to_owned(),
            flag: Flagged::On(None),
            at: now(),
        };
        let feed =
            Feed { schema: SCHEMA, id: "f".to_owned(), at: now(), delta: false, accepted: false, parts: 0 };
        commit(
            &*store,
            StockChanges {
                listings: vec![place(listing("1")), place(listing("2"))],
                shown: vec![(merchant.clone(), channel.clone(), Shown::unknown("i1".into(), now()))],
                states: vec![(merchant.clone(), channel.clone(), StockState::default())],
                runs: vec![run.clone()],
                parts: vec![
                    (merchant.clone(), channel.clone(), part(0)),
                    (merchant.clone(), channel.clone(), part(1)),
                ],
                flags: vec![flag.clone()],
                feeds: vec![feed.clone()],
                feed_parts: vec![(
                    "f".to_owned(),
                    0,
                    vec![FeedRow("A1".to_owned(), "main".to_owned(), 4, 0)],
                )],
                ..StockChanges::default()
            },
        )
        .await
        .unwrap();
        assert_eq!(store.listings("m", "shop").await.unwrap(), [listing("1"), listing("2")], "{name}");
        assert!(store.listings("m", "sho").await.unwrap().is_empty(), "{name}");
        let wanted = vec!["2".into(), "9".into()];
        assert_eq!(store.listings_of("m", "shop", wanted).await.unwrap(), [listing("2")], "{name}");
        assert_eq!(store.shown("m", "shop").await.unwrap().len(), 1, "{name}");
        assert_eq!(store.stock_state("m", "shop").await.unwrap().unwrap().version, 1, "{name}");
        assert_eq!(store.run("m", "shop", 1).await.unwrap(), Some(run), "{name}");
        assert_eq!(store.run_parts("m", "shop", 1).await.unwrap(), [part(0), part(1)], "{name}");
        assert_eq!(store.flags().await.unwrap(), [flag], "{name}");
        assert_eq!(store.feeds().await.unwrap(), [feed], "{name}");
        assert_eq!(store.feed_part("f", 0).await.unwrap().unwrap().len(), 1, "{name}");
        commit(
            &*store,
            StockChanges {
                delisted: vec![(merchant.clone(), channel.clone(), "1".into())],
                forgotten: vec![(merchant.clone(), channel.clone(), 1, 2)],
                unflagged: vec![(merchant, channel, "A1".to_owned())],
                feed_parts_done: vec![("f".to_owned(), 0)],
                feeds_done: vec!["f".to_owned()],
                ..StockChanges::default()
            },
        )
        .await
        .unwrap();
        assert_eq!(store.listings("m", "shop").await.unwrap(), [listing("2")], "{name}");
        assert_eq!(store.run("m", "shop", 1).await.unwrap(), None, "{name}");
        assert!(store.run_parts("m", "shop", 1).await.unwrap().is_empty(), "{name}");
        assert!(store.flags().await.unwrap().is_empty() && store.feeds().await.unwrap().is_empty(), "{name}");
        assert_eq!(store.feed_part("f", 0).await.unwrap(), None, "{name}");
    }
}
