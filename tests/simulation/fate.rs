//! What happens to the daemon and around it: crashes, a disk that fails, storms, tokens, reloads.

use std::{sync::Arc, time::Duration};

use portald::store::memory::Failure;

use crate::{
    chance::Dice,
    network::Fault,
    operators::ask,
    shops::{Remote, Shop},
    world::{Crash, World},
};

/// Ends the daemon at any await: some milliseconds, or some turns of the scheduler, after an answer came in.
pub(crate) async fn crashes(world: Arc<World>, pace: f64, mut dice: Dice) {
    while !world.is_healed() {
        let wait = dice.about(pace);
        tokio::time::sleep(wait).await;
        let how = if dice.chance(0.5) { Crash::Kill } else { Crash::Power };
        match dice.below(4) {
            0 => {}
            1 => {
                let answered = world.network.answered.notified();
                let _ = tokio::time::timeout(Duration::from_secs(600), answered).await;
                // Within the commit of what came.
                let wait = dice.millis(0, 12);
                tokio::time::sleep(wait).await;
            }
            2 => {
                let answered = world.network.answered.notified();
                let _ = tokio::time::timeout(Duration::from_secs(600), answered).await;
                for _ in 0..dice.below(40) {
                    tokio::task::yield_now().await;
                }
            }
            _ => {
                let answered = world.network.answered.notified();
                let _ = tokio::time::timeout(Duration::from_secs(600), answered).await;
                // While the next request is on its way.
                let wait = dice.millis(5, 400);
                tokio::time::sleep(wait).await;
            }
        }
        if !world.is_healed() {
            world.crash(how);
        }
    }
}

/// The store's disk fails a commit, or several.
pub(crate) async fn bad_disk(world: Arc<World>, pace: f64, mut dice: Dice) {
    loop {
        let wait = dice.about(pace);
        tokio::time::sleep(wait).await;
        if world.is_healed() {
            return;
        }
        let (failure, name) = match dice.below(3) {
            0 => (Failure::Before, "store: disk full"),
            1 => (Failure::AnswerLost, "store: answer lost"),
            _ => (Failure::NotFlushed, "store: not flushed"),
        };
        let commits = dice.below(3);
        world.journal.note(format!("{name}, after {commits} commits"));
        world.journal.count("fault", name);
        world.store().fail_after(commits, failure);
    }
}

/// Storms, lists that lag, tokens revoked and replaced.
pub(crate) async fn weather(world: Arc<World>, pace: f64, mut dice: Dice) {
    loop {
        let wait = dice.about(pace);
        tokio::time::sleep(wait).await;
        if world.is_healed() {
            return;
        }
        let online: Vec<Arc<Shop>> = world.shops.iter().filter(|shop| !shop.is_folder()).cloned().collect();
        let Some(shop) = dice.pick(&online).cloned() else { return };
        match dice.below(4) {
            0 | 1 => {
                let kinds = [
                    Fault::TooMany,
                    Fault::TooManyBare,
                    Fault::Down,
                    Fault::DownAfter,
                    Fault::LostAfter,
                    Fault::Refused,
                    Fault::Throttled,
                    Fault::Slow,
                ];
                let fault = kinds[dice.below(kinds.len())];
                let lasts = Duration::from_secs(dice.within(20, 900));
                world.network.storm(&shop, fault, lasts);
                world.journal.count("fault", "storms");
            }
            2 => {
                let secs = dice.within(1, 240) as u32;
                lag(&shop, secs);
                world.journal.note(format!("{}: lists lag by {secs} s", shop.merchant));
                world.journal.count("fault", "lists lag");
            }
            _ => {
                let new = format!("tok_{}_{}", shop.merchant, dice.below(1_000_000));
                world.journal.note(format!("{}: the token is revoked", shop.merchant));
                world.journal.count("fault", "token revoked");
                accept(&shop, &new);
                let wait = dice.about(1_500.0);
                tokio::time::sleep(wait).await;
                *shop.token.lock().expect("nobody panics with it") = new;
                let said = world.reload().await;
                world.journal.note(format!("{}: a new token is written: {said:?}", shop.merchant));
            }
        }
    }
}

fn lag(shop: &Shop, secs: u32) {
    match &shop.remote {
        Remote::Shopify(remote) => remote.lag_index(secs),
        Remote::BigCommerce(remote) => remote.lag_index(secs),
        Remote::Folder(_) => {}
    }
}

fn accept(shop: &Shop, token: &str) {
    match &shop.remote {
        Remote::Shopify(remote) => remote.accept_token(token),
        Remote::BigCommerce(remote) => remote.accept_token(token),
        Remote::Folder(_) => {}
    }
}

/// The supplier's people change the files, and start the daemon anew in good order.
pub(crate) async fn reloads(world: Arc<World>, pace: f64, mut dice: Dice) {
    loop {
        let wait = dice.about(pace);
        tokio::time::sleep(wait).await;
        if world.is_healed() {
            return;
        }
        let merchant = dice.pick(&world.shops).map(|shop| shop.merchant.clone()).unwrap_or_default();
        let what = match dice.below(6) {
            0 => {
                let minutes = [2, 5, 7][dice.below(3)];
                rewrite(&world, |setup| setup.orders = format!("0 */{minutes} * * * *"));
                "other schedules"
            }
            1 => {
                let (share, max, page) =
                    ([100, 70][dice.below(2)], [500, 9][dice.below(2)], 2 + dice.below(5));
                rewrite(&world, |setup| {
                    if let Some(rules) = setup.rules.get_mut(&merchant) {
                        (rules.share_percent, rules.max, rules.page_size) = (share, max, page as u32);
                    }
                });
                "other rules"
            }
            2 => {
                let path = world.folder.path().join("portald.toml");
                std::fs::write(path, "[supplier\nname = ").expect("a disk of the machine's own");
                let said = world.reload().await;
                world
                    .journal
                    .check("a broken file is refused", !matches!(said, Some(Ok(_))), || format!("{said:?}"));
                let wait = dice.about(30.0);
                tokio::time::sleep(wait).await;
                rewrite(&world, |_| {});
                "a broken file"
            }
            3 => {
                rewrite(&world, |setup| absent(setup, &merchant, true));
                let said = world.reload().await;
                world.journal.note(format!("{merchant} is taken out of the files: {said:?}"));
                let wait = dice.about(900.0);
                tokio::time::sleep(wait).await;
                rewrite(&world, |setup| absent(setup, &merchant, false));
                "a merchant gone and back"
            }
            4 => {
                pause(&world, &merchant, true).await;
                let wait = dice.about(900.0);
                tokio::time::sleep(wait).await;
                pause(&world, &merchant, false).await;
                "a merchant paused"
            }
            _ => {
                if let Some(life) = world.life() {
                    life.shutdown.cancel();
                }
                "a restart in good order"
            }
        };
        let said = world.reload().await.map(|said| said.map_err(|_| "refused"));
        world.journal.note(format!("{what}, and a reload: {said:?}"));
        world.journal.count("reload", what);
    }
}

fn absent(setup: &mut crate::setup::Setup, merchant: &str, absent: bool) {
    if let Some(rules) = setup.rules.get_mut(merchant) {
        rules.absent = absent;
    }
}

pub(crate) fn rewrite(world: &World, change: impl FnOnce(&mut crate::setup::Setup)) {
    let mut setup = world.setup.lock().expect("nobody panics with it");
    change(&mut setup);
    setup.write(world.folder.path(), &world.shops);
}

/// Pauses a merchant, or lets it go on: asked until it is answered.
pub(crate) async fn pause(world: &World, merchant: &str, paused: bool) {
    let verb = if paused { "pause" } else { "resume" };
    for _ in 0..20 {
        let life = world.running().await;
        let path = format!("/v1/merchants/{merchant}/{verb}");
        let kinds = [("content-type", "application/json")];
        let answered = ask(&life, http::Method::POST, &path, &kinds, "{}".to_owned()).await;
        let said = answered.map(|(status, _)| status.as_u16());
        world.journal.note(format!("{verb} {merchant}: {said:?}"));
        if said.is_some_and(|status| status < 500) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// All that fate does ends, and what it left behind is put right.
pub(crate) async fn heal(world: &World) {
    world.healed.store(true, std::sync::atomic::Ordering::SeqCst);
    world.network.heal();
    world.disk.heal();
    for shop in &world.shops {
        lag(shop, 0);
        let token = format!("healed_{}", shop.merchant);
        accept(shop, &token);
        *shop.token.lock().expect("nobody panics with it") = token;
    }
    rewrite(world, |setup| {
        for rules in setup.rules.values_mut() {
            rules.absent = false;
        }
    });
    // A commit that was still to fail fails now, and not under the checker's eyes.
    world.crash(Crash::Kill);
    world.running().await;
    for shop in &world.shops {
        pause(world, &shop.merchant, false).await;
    }
}
