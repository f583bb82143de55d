//! Customers who buy and change their minds, and merchants who look after their own shops.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    chance::Dice,
    shops::{Remote, Shop, is_ours},
    world::World,
};

/// What is sold, ours and not.
pub(crate) const OURS: [&str; 7] = ["ACME-1", "ACME-2", "ACME-3", "ACME-4", "ACME-5", "KIT-A", "ALIAS-3"];
pub(crate) const THEIRS: [&str; 3] = ["MUG-1", "HAT-2", "ACMEISH"];

/// Fills a shop's shelves before anything begins.
pub(crate) fn stock_shelves(shop: &Shop, dice: &mut Dice) {
    let skus = OURS.iter().chain(&THEIRS);
    match &shop.remote {
        Remote::Shopify(remote) => {
            for sku in skus {
                remote.add_product(sku, !dice.chance(0.1), dice.within(0, 30) as i64);
            }
        }
        Remote::BigCommerce(remote) => {
            remote.apply_after(dice.below(4) as u32);
            for sku in skus {
                remote.add_product(sku, !dice.chance(0.1), dice.within(0, 30) as i64);
            }
        }
        Remote::Folder(files) => {
            let mut text = "sku,title,tracked\n".to_owned();
            for sku in skus {
                text.push_str(&format!(
                    "{sku},Product {sku},{}\n",
                    if dice.chance(0.1) { "no" } else { "yes" }
                ));
            }
            files.put(shop.folder().join("products.csv"), text);
            for folder in ["inbox", "outbox", "archive", "aside"] {
                files.put_folder(shop.folder().join(folder));
            }
        }
    }
}

fn cart(dice: &mut Dice) -> Vec<(String, u32)> {
    let mut cart: Vec<(String, u32)> = Vec::new();
    for _ in 0..=dice.below(3) {
        let skus: &[&str] = if dice.chance(0.75) { &OURS } else { &THEIRS };
        let Some(sku) = dice.pick(skus) else { continue };
        if cart.iter().all(|(known, _)| known != sku) {
            cart.push(((*sku).to_owned(), dice.within(1, 4) as u32));
        }
    }
    cart
}

/// One shop's customers and staff, until the world is healed.
pub(crate) async fn live(world: Arc<World>, shop: Arc<Shop>, orders: usize, pace: f64, mut dice: Dice) {
    let left = AtomicUsize::new(orders);
    while !world.is_healed() {
        let wait = dice.about(pace);
        tokio::time::sleep(wait).await;
        if world.is_healed() {
            return;
        }
        if left.load(Ordering::SeqCst) > 0 && dice.chance(0.45) {
            // Several in one second, now and then: their stamps are equal.
            let burst = if dice.chance(0.15) { dice.within(2, 5) as usize } else { 1 };
            for _ in 0..burst.min(left.load(Ordering::SeqCst)) {
                left.fetch_sub(1, Ordering::SeqCst);
                let lines = cart(&mut dice);
                let paid = shop.is_folder() || dice.chance(0.85);
                let number = 1_000 + shop.placed().len();
                let id = shop.place(&lines, paid, number);
                world.journal.note(format!("{} {id} is placed: {lines:?}, paid {paid}", shop.merchant));
                world.journal.count("done", "orders placed");
            }
        } else {
            change(&world, &shop, &mut dice);
        }
    }
}

#[derive(Clone, Copy)]
enum Deed {
    Cancel,
    Edit,
    Refund,
    Hold,
    Release,
    Pay,
    Move,
    Touch,
    FulfilOwn,
    FulfilOurs,
}

fn change(world: &World, shop: &Shop, dice: &mut Dice) {
    let placed = shop.placed();
    let Some(order) = dice.pick(&placed) else { return };
    if shop.is_folder() {
        return;
    }
    let open = shop.open(&order.id);
    let left = |line: &str| open.get(line).copied().unwrap_or(0);
    let Some(line) = dice.pick(&order.lines) else { return };
    let deed = dice.weighted(&[
        (Deed::Cancel, 3),
        (Deed::Edit, 5),
        (Deed::Refund, 4),
        (Deed::Hold, 3),
        (Deed::Release, 4),
        (Deed::Pay, 6),
        (Deed::Move, 2),
        (Deed::Touch, 4),
        (Deed::FulfilOwn, 5),
        (Deed::FulfilOurs, 1),
    ]);
    let (id, units) = (&order.id, left(&line.line));
    let some = dice.within(1, units.max(1) as u64) as u32;
    let done = match deed {
        Some(Deed::Cancel) if !order.cancelled && !order.held => {
            shop.cancel(id);
            "cancelled"
        }
        Some(Deed::Edit) if !order.cancelled && units > 0 => {
            // Down to what is left of it, or up.
            let now = current(shop, id, &line.line);
            let new = if dice.chance(0.6) { now - i64::from(some) } else { now + i64::from(some) };
            shop.edit(id, &line.line, new.max(0) as u32);
            "edited"
        }
        Some(Deed::Refund) if !order.cancelled && units > 0 => {
            shop.refund(id, &line.line, some);
            "refunded"
        }
        Some(Deed::Hold) if !order.cancelled && !order.held && order.paid && !open.is_empty() => {
            shop.hold(id);
            "held"
        }
        Some(Deed::Release) if order.held => {
            shop.release(id);
            "released"
        }
        Some(Deed::Pay) if !order.paid && !order.cancelled && !order.held => {
            shop.pay(id);
            "paid"
        }
        Some(Deed::Move) if !order.cancelled => {
            shop.move_house(id, dice.below(999));
            "moved"
        }
        Some(Deed::Touch) => {
            shop.touch(id);
            "touched"
        }
        Some(Deed::FulfilOwn) if !order.held && !order.cancelled && units > 0 && !is_ours(&line.sku) => {
            if !shop.fulfil(id, &line.line, some) {
                return;
            }
            "fulfilled by the merchant: its own"
        }
        Some(Deed::FulfilOurs) if !order.held && !order.cancelled && units > 0 && is_ours(&line.sku) => {
            if !shop.fulfil(id, &line.line, some) {
                return;
            }
            "fulfilled by the merchant: ours"
        }
        _ => return,
    };
    world.journal.count("done", &format!("orders {done}"));
    world.journal.note(format!("{} {id} is {done}: line {} ({})", shop.merchant, line.line, line.sku));
}

/// Units of a line as the shop shows it.
fn current(shop: &Shop, order: &sdk::RemoteId, line: &str) -> i64 {
    match &shop.remote {
        Remote::Shopify(remote) => remote.order(order).map_or(0, |order| {
            order.lines.iter().find(|known| known.id.to_string() == line).map_or(0, |known| known.current)
        }),
        Remote::BigCommerce(remote) => remote.order(order).map_or(0, |order| {
            let found = order.lines.iter().find(|known| known.id.to_string() == line);
            found.map_or(0, |known| i64::from(known.quantity))
        }),
        Remote::Folder(_) => 0,
    }
}

/// The merchant puts its shop in order before the end: what was held goes on, what is not cancelled is paid.
pub(crate) fn tidy(shop: &Shop) {
    for order in shop.placed() {
        if order.held {
            shop.release(&order.id);
        }
        if !order.paid && !order.cancelled {
            shop.pay(&order.id);
        }
    }
}
