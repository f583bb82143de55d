//! What must hold, by the shops' own figures, what people did, and what the API says. Nothing here calls the core.

mod stock;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::{Method, StatusCode};
use sdk::Clock;
use serde_json::Value;

use crate::{
    fate,
    logs::Log,
    network::{Fault, Network},
    operators::{Deed, Diary, Outcome, ask, get},
    people,
    shops::{Parcel, Placed, Remote, SENTINELS, Shop, is_ours},
    world::World,
};

/// Time enough for every wait to run out, every late request to arrive, every order to be looked at again.
pub(crate) async fn settle(world: &World) {
    for shop in &world.shops {
        people::tidy(shop);
    }
    stock::count(world).await;
    let reloaded = world.reload().await;
    world.journal.check("a good file is taken", matches!(reloaded, Some(Ok(_))), || format!("{reloaded:?}"));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Slowly from here on: hours of nothing are to cost little.
    fate::rewrite(world, |setup| {
        "0 5 * * * *".clone_into(&mut setup.orders);
        "0 15 */2 * * *".clone_into(&mut setup.inventory);
        "0 25 */6 * * *".clone_into(&mut setup.products);
        "0 35 */8 * * *".clone_into(&mut setup.sweep);
        "0 */10 * * * *".clone_into(&mut setup.deliver);
    });
    let reloaded = world.reload().await;
    world.journal.check("a good file is taken", matches!(reloaded, Some(Ok(_))), || format!("{reloaded:?}"));
    // All figures of stock are compared once a day; what the breaker stops waits for a person.
    for _ in 0..if world.is_long() { 9 } else { 2 } {
        stock::release(world).await;
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    }
    // What was set aside is asked for again by a sweep.
    let life = world.running().await;
    let kinds = [("content-type", "application/json")];
    let said = ask(&life, Method::POST, "/v1/sweep", &kinds, "{}".to_owned()).await;
    world.journal.check(
        "a sweep can be asked for",
        said.is_some_and(|said| said.0.is_success()),
        String::new,
    );
    tokio::time::sleep(Duration::from_secs(900)).await;
    drop_unnamed(world).await;
    // What it put right changes the stock that there is, and that is told by the next push.
    stock::release(world).await;
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
}

/// What came without an id cannot be asked for again: a person looks at it and drops it.
async fn drop_unnamed(world: &World) {
    let aside = get(world, "/v1/set-aside").await;
    for entry in aside["set_aside"].as_array().into_iter().flatten() {
        if !text(&entry["id"]).starts_with("unnamed-") {
            continue;
        }
        let body = serde_json::json!({
            "merchant": entry["merchant"], "channel": entry["channel"], "id": entry["id"], "reason": "seen to",
        });
        let life = world.running().await;
        let kinds = [("content-type", "application/json")];
        let said = ask(&life, Method::POST, "/v1/set-aside/drop", &kinds, body.to_string()).await;
        world.journal.note(format!("set aside: {} is dropped: {said:?}", entry["id"]));
    }
}

/// What the API says of everything, as it stands at the end.
struct Books {
    /// Supplier orders by id.
    orders: BTreeMap<String, Value>,
    outbox: Vec<Value>,
    status: Value,
}

async fn read(world: &World) -> Books {
    let mut orders = BTreeMap::new();
    let mut path = "/v1/orders?limit=100".to_owned();
    loop {
        let page = get(world, &path).await;
        for order in page["orders"].as_array().into_iter().flatten() {
            orders.insert(text(&order["id"]), order.clone());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/orders?limit=100&after={next}");
    }
    let outbox = get(world, "/v1/outbox").await["entries"].as_array().cloned().unwrap_or_default();
    Books { orders, outbox, status: get(world, "/v1/status").await }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// Looks at everything.
pub(crate) async fn look(world: &World, diary: &Diary, log: &Log) {
    let books = read(world).await;
    let deeds = diary.all();
    logs(world, log);
    at_rest(world, &books).await;
    for shop in &world.shops {
        for placed in shop.placed() {
            let account = account(world, shop, &placed).await;
            let Some(account) = account else { continue };
            routed(world, shop, &placed, &account, &books);
            conserved(world, &shop.record(&placed.id), &account);
            as_the_channel(world, shop, &placed, &account, &books);
            parcels(world, shop, &placed, &account, &deeds, &books);
        }
    }
    stock::shown(world, &books).await;
    nothing_invented(world, &books, &deeds);
    acknowledged(world, &books, &deeds, true);
    stories(world, &books).await;
}

/// What the daemon itself has to say of the orders that a broken promise names.
async fn stories(world: &World, books: &Books) {
    let broken = world.journal.violations().join("\n");
    for id in books
        .orders
        .keys()
        .filter(|id| broken.contains(&format!("{id}\"")) || broken.contains(&format!("{id}:")))
    {
        let why = get(world, &format!("/v1/orders/{id}/why")).await;
        for line in why["timeline"].as_array().into_iter().flatten() {
            world.journal.note(format!("story of {id}: {line}"));
        }
    }
}

/// No secret, no address, no panic.
fn logs(world: &World, log: &Log) {
    let log = log.text();
    let mut secrets: Vec<String> = SENTINELS.iter().map(|&word| word.to_owned()).collect();
    for shop in &world.shops {
        secrets.extend([
            format!("first_{}", shop.merchant),
            format!("tok_{}", shop.merchant),
            format!("healed_{}", shop.merchant),
        ]);
    }
    for secret in secrets {
        world.journal.check("no secret and no address is logged", !log.contains(&secret), || {
            log.lines().find(|line| line.contains(&secret)).unwrap_or_default().to_owned()
        });
    }
    // Where every answer was true when it was given, the pulls bring everything: lists lag by less than the overlap.
    for shop in &world.shops {
        if world.journal.counted("lies of", &shop.merchant) > 0 {
            continue;
        }
        let of_shop = format!("merchant=\"{}\"", shop.merchant);
        let repaired = log
            .lines()
            .find(|line| line.contains("sweep.repaired") && line.contains(&of_shop))
            .unwrap_or_default();
        world.journal.check("a sweep has nothing to repair", repaired.is_empty(), || repaired.to_owned());
    }
    let broken = log.lines().find(|line| line.contains("task.panicked") || line.contains("api.failed"));
    world.journal.check("nothing panics", broken.is_none(), || broken.unwrap_or_default().to_owned());
}

/// Nothing is due, nothing waits without a reason, every channel is read.
async fn at_rest(world: &World, books: &Books) {
    let journal = &world.journal;
    for entry in &books.outbox {
        let settled = entry["state"] == "parked" && entry["error"].is_string();
        journal.check("every write left waits for a person, with its reason", settled, || entry.to_string());
    }
    for merchant in books.status["merchants"].as_array().into_iter().flatten() {
        let well = merchant["suspended"] == false
            && merchant["paused"] == false
            && merchant["lag_secs"].as_i64().is_some_and(|lag| lag < 2 * 3600);
        journal.check("every merchant is read", well, || merchant.to_string());
        let parked = books.outbox.iter().filter(|entry| entry["merchant"] == merchant["id"]).count();
        journal.check("status counts what is parked", number(&merchant["parked"]) == parked as i64, || {
            format!("{parked} are parked: {merchant}")
        });
    }
    let aside = get(world, "/v1/set-aside").await;
    let none = aside["set_aside"].as_array().is_some_and(Vec::is_empty);
    journal.check("nothing is set aside for good", none, || aside.to_string());
    let now = world.wall.now();
    let due = world.running().await.ledger.agenda().next();
    journal.check("nothing is due", due.is_none_or(|due| due > now), || format!("due at {due:?}, now {now}"));
}

/// After each start, while the chaos goes on: what was acknowledged is there, and the units are in balance.
pub(crate) async fn watch(world: std::sync::Arc<World>, diary: std::sync::Arc<Diary>) {
    while !world.is_healed() {
        world.started.notified().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let deeds = diary.all();
        let Some(life) = world.life() else { continue };
        let page = ask(&life, Method::GET, "/v1/orders?limit=200", &[], String::new()).await;
        let Some((StatusCode::OK, page)) = page else { continue };
        let orders = page["orders"].as_array().into_iter().flatten();
        let orders = orders.map(|order| (text(&order["id"]), order.clone())).collect();
        let books = Books { orders, outbox: Vec::new(), status: Value::Null };
        acknowledged(&world, &books, &deeds, false);
        for shop in &world.shops {
            let path = format!("/v1/merchants/{}/orders?limit=200", shop.merchant);
            if let Some((StatusCode::OK, list)) = ask(&life, Method::GET, &path, &[], String::new()).await {
                for account in list["orders"].as_array().into_iter().flatten() {
                    conserved(&world, &text(&account["id"]), account);
                }
            }
        }
    }
}

/// The merchant account's order. There is one of every order that was placed.
async fn account(world: &World, shop: &Shop, placed: &Placed) -> Option<Value> {
    let life = world.running().await;
    let path = format!("/v1/merchants/{}/orders/shop/{}", shop.merchant, placed.id);
    let answered = ask(&life, Method::GET, &path, &[], String::new()).await;
    let found = match answered {
        Some((StatusCode::OK, document)) => Some(document),
        _ => None,
    };
    world.journal.check("every order placed is in the merchant's account", found.is_some(), || path);
    found
}

/// Our lines are routed, once; no other line ever is.
fn routed(world: &World, shop: &Shop, placed: &Placed, account: &Value, books: &Books) {
    let journal = &world.journal;
    let record = shop.record(&placed.id);
    let mut wanted = 0;
    for line in account["lines"].as_array().into_iter().flatten() {
        let bought = placed.lines.iter().find(|bought| line["id"] == bought.line.as_str());
        let Some(bought) = bought else { continue };
        let owner = if is_ours(&bought.sku) { "supplier" } else { "merchant" };
        journal.check("each line has its owner", line["owner"] == owner, || format!("{record}: {line}"));
        if owner == "supplier" {
            wanted += number(&line["held"]) + number(&line["routed"]);
        } else {
            let units = ["held", "routed", "open", "shipped", "cancelled", "cancelled_after"];
            let none = units.iter().all(|field| number(&line[*field]) == 0);
            journal.check("what is not ours is never routed", none, || format!("{record}: {line}"));
        }
    }
    let made: Vec<&Value> = books
        .orders
        .values()
        .filter(|order| {
            order["merchant"] == shop.merchant.as_str() && order["channel_order"] == placed.id.as_str()
        })
        .collect();
    let first = made.iter().filter(|order| order["split_of"].is_null()).count();
    // A line told with an unknown word is of no known delivery, and has an order of its own until it is told better.
    let lied = journal.counted("fault", Fault::Unknown.name()) > 0;
    let left = |order: &&&Value| {
        let mut lines = order["lines"].as_array().into_iter().flatten();
        order["ship_to"].is_null() && lines.all(|line| line["cancelled"] == line["routed"])
    };
    let left = made.iter().filter(|order| lied && order["split_of"].is_null()).filter(left).count();
    // Of what was cancelled before it was first seen there may be none.
    let once = |first: usize| first == usize::from(wanted > 0) || (wanted == 0 && first == 1);
    let once = once(first) || once(first - left);
    journal.check("an order is routed exactly once", once, || {
        format!("{record}: {wanted} units of ours, {first} supplier orders: {made:?}")
    });
    let theirs = made.iter().flat_map(|order| order["lines"].as_array().into_iter().flatten()).find(|line| {
        let bought = placed.lines.iter().find(|bought| line["channel_line"] == bought.line.as_str());
        bought.is_some_and(|bought| !is_ours(&bought.sku))
    });
    journal.check("what is not ours is never routed", theirs.is_none(), || format!("{record}: {theirs:?}"));
}

/// Promise 5, by the figures that the API shows.
fn conserved(world: &World, record: &str, account: &Value) {
    for line in account["lines"].as_array().into_iter().flatten() {
        let sum = |fields: &[&str]| fields.iter().map(|field| number(&line[*field])).sum::<i64>();
        let all = sum(&["not_ours", "excluded", "elsewhere_before", "held", "routed", "cancelled"]);
        let of_routed = sum(&["open", "shipped", "cancelled_after", "elsewhere_after"]);
        let held = number(&line["ordered"]) == all && number(&line["routed"]) == of_routed;
        world.journal.check("units are conserved", held, || format!("{record}: {line}"));
    }
}

/// What is still open here is what the shop still wants.
fn as_the_channel(world: &World, shop: &Shop, placed: &Placed, account: &Value, books: &Books) {
    if shop.is_folder() {
        return;
    }
    let record = shop.record(&placed.id);
    let parked = books.outbox.iter().any(|entry| text(&entry["key"]).starts_with(&format!("{record}/")));
    if parked {
        return;
    }
    let alerted = account["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
    let open = shop.open(&placed.id);
    let told = shop.parcels(&placed.id);
    for line in account["lines"].as_array().into_iter().flatten().filter(|line| line["owner"] == "supplier") {
        let id = text(&line["id"]);
        let remote = open.get(&id).copied().unwrap_or(0);
        let on_channel: i64 = told.iter().filter_map(|parcel| parcel.lines.get(&id)).sum();
        let untold = number(&line["shipped"]) - on_channel;
        // Of the refused ones, those that are still to be shipped.
        let asked = number(&line["cancel_requested"]);
        let refused = number(&line["cancel_rejected"]).min(number(&line["open"]) - asked);
        // Where more is told than was shipped, what the shop cancelled may be what it has as shipped.
        let here = (number(&line["open"]) + number(&line["held"]) - asked - refused + untold).max(0);
        // What people cancelled here by hand the shop may still want; of what left all the same it wants nothing.
        let gone = number(&line["cancelled"]) + number(&line["cancelled_after"]) + asked + refused;
        let by_hand = number(&line["by_hand"]).min(gone);
        // Units that left before their cancellation was seen: the channel does not take them, and a person is told.
        // Of a kit whose parts left in part, likewise.
        let begun = begun(books, &record, &id) - number(&line["shipped"]);
        let too_late = remote < here && here - remote <= untold + begun && (alerted || begun > 0);
        let wanted = (here..=here + by_hand).contains(&remote);
        world.journal.check("what is open here is what the shop wants", wanted || too_late, || {
            format!("{record}: the shop wants {remote}, {untold} were not told: {line}")
        });
        let known = alerted && (doubled(&world.network, shop, placed) || voided(books, &record));
        world.journal.check("no more is told than was shipped", untold >= 0 || known, || {
            format!("{record}: {on_channel} are on the channel: {line}")
        });
    }
}

/// The supplier orders of a record.
fn orders_of<'b>(books: &'b Books, record: &str) -> impl Iterator<Item = &'b Value> {
    let (whole, split) = (record.to_owned(), format!("{record}-"));
    let found = books.orders.iter().filter(move |(id, _)| **id == whole || id.starts_with(&split));
    found.map(|(_, order)| order)
}

/// Channel units of a line of which some part left.
fn begun(books: &Books, record: &str, line: &str) -> i64 {
    let mut shipped: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let lines = orders_of(books, record).flat_map(|order| order["lines"].as_array().into_iter().flatten());
    for own in lines.filter(|own| own["channel_line"] == line) {
        let part = shipped.entry(text(&own["sku"])).or_insert((0, 1));
        *part = (part.0 + number(&own["shipped"]), number(&own["per_unit"]).max(1));
    }
    shipped.values().map(|(units, per)| (units + per - 1) / per).max().unwrap_or(0)
}

/// Whether a parcel of it was taken back here.
fn voided(books: &Books, record: &str) -> bool {
    let mut parcels =
        orders_of(books, record).flat_map(|order| order["shipments"].as_array().into_iter().flatten());
    parcels.any(|parcel| parcel["voided"] == true)
}

/// What stands on the channel was shipped by somebody, of our lines alone, and once.
fn parcels(world: &World, shop: &Shop, placed: &Placed, account: &Value, deeds: &[Deed], books: &Books) {
    let journal = &world.journal;
    let record = shop.record(&placed.id);
    let told: BTreeSet<&str> = deeds.iter().filter_map(|deed| deed.tracking.as_deref()).collect();
    let mut seen: BTreeMap<(String, String), Vec<Parcel>> = BTreeMap::new();
    for parcel in shop.parcels(&placed.id) {
        journal.check("nothing is shipped that nobody shipped", told.contains(&*parcel.tracking), || {
            format!("{record}: {parcel:?}")
        });
        let theirs = parcel.lines.keys().find(|line| {
            let bought = placed.lines.iter().find(|bought| bought.line == **line);
            bought.is_some_and(|bought| !is_ours(&bought.sku))
        });
        journal.check("only our lines are fulfilled", theirs.is_none(), || format!("{record}: {parcel:?}"));
        seen.entry((parcel.tracking.clone(), parcel.place.clone())).or_default().push(parcel);
    }
    for ((tracking, _), parcels) in &seen {
        // Orders of one channel order that ship together have a parcel each, under one number.
        let made = orders_of(books, &record)
            .flat_map(|order| order["shipments"].as_array().into_iter().flatten())
            .filter(|made| made["tracking"].as_str() == Some(tracking));
        if parcels.len() <= made.count().max(1) {
            journal.check("a parcel is on the channel once", true, String::new);
            continue;
        }
        let shown = account["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        let fault = doubled(&world.network, shop, placed);
        let left_behind = left_behind(shop, &record, tracking, parcels, account, books);
        journal.check("a parcel is on the channel once", shown && fault || left_behind, || {
            format!("{record}: {parcels:?}; by the network's fault {fault}, alerts {}", account["alerts"])
        });
    }
}

/// Whether all but one are what a parcel was before: of other units, on a channel that takes nothing back by itself,
/// and a person is told to take them back there.
fn left_behind(
    shop: &Shop,
    record: &str,
    tracking: &str,
    parcels: &[Parcel],
    account: &Value,
    books: &Books,
) -> bool {
    let alike = |one: &Parcel| parcels.iter().filter(|other| other.lines == one.lines).count() > 1;
    if !matches!(shop.remote, Remote::BigCommerce(_)) || parcels.iter().any(alike) {
        return false;
    }
    let told = |order: &Value, parcel: &Value| {
        let begins =
            format!("parcel {} of {}, tracking {tracking},", text(&parcel["id"]), text(&order["id"]));
        let asked = |alert: &str| alert.starts_with(&begins) && alert.contains("taken back");
        let mut alerts = account["alerts"].as_array().into_iter().flatten();
        alerts.any(|alert| alert.as_str().is_some_and(asked))
    };
    orders_of(books, record).any(|order| {
        let mut shipments = order["shipments"].as_array().into_iter().flatten();
        shipments.any(|parcel| parcel["tracking"] == tracking && told(order, parcel))
    })
}

/// Whether a write of this order may have come twice without the daemon's doing.
fn doubled(network: &Network, shop: &Shop, placed: &Placed) -> bool {
    match &shop.remote {
        Remote::Shopify(remote) => {
            let fos = remote.order(&placed.id).map(|order| order.fulfillment_orders).unwrap_or_default();
            network.may_be_doubled(shop, |about| fos.iter().any(|fo| about.contains(&fo.id.to_string())))
        }
        _ => network.may_be_doubled(shop, |about| about.contains(&format!("/orders/{}/", placed.id))),
    }
}

/// Every parcel in the books was told by somebody.
fn nothing_invented(world: &World, books: &Books, deeds: &[Deed]) {
    let told: BTreeSet<&str> = deeds.iter().filter_map(|deed| deed.tracking.as_deref()).collect();
    for order in books.orders.values() {
        for shipment in order["shipments"].as_array().into_iter().flatten() {
            let known = shipment["tracking"].as_str().is_some_and(|number| told.contains(number));
            world.journal.check("no parcel is invented", known, || format!("{}: {shipment}", order["id"]));
        }
    }
}

/// What was answered with 2xx is there, over all crashes, and once.
fn acknowledged(world: &World, books: &Books, deeds: &[Deed], at_rest: bool) {
    let journal = &world.journal;
    for deed in deeds {
        let Outcome::Done(answer) = &deed.outcome else { continue };
        let id = text(&answer["id"]);
        let now = books.orders.get(&id);
        journal.check("what was acknowledged is there", now.is_some(), || format!("{deed:?}"));
        let Some(now) = now else { continue };
        match deed.verb {
            "ship" => shipped(world, deed, deeds, answer, books, at_rest),
            "ack" => {
                let held = now["handed_off"] == true;
                journal.check("what was acknowledged is there", held, || format!("{deed:?}: {now}"));
            }
            "split" => {
                let held = now["split_of"].is_string();
                journal.check("what was acknowledged is there", held, || format!("{deed:?}: {now}"));
            }
            _ => {}
        }
    }
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for order in books.orders.values() {
        for shipment in order["shipments"].as_array().into_iter().flatten() {
            *numbers.entry(shipment["tracking"].as_str().unwrap_or_default()).or_default() += 1;
        }
    }
    for deed in deeds.iter().filter(|deed| deed.verb == "ship") {
        let tracking = deed.tracking.as_deref().unwrap_or_default();
        let members = books.orders.get(&deed.order).map_or(0, |order| {
            books.orders.values().filter(|other| other["merged_into"] == order["id"]).count()
        });
        // A group that was dissolved since has its parcels still: the answer names the members of then.
        let of_then = match &deed.outcome {
            Outcome::Done(answer) => answer["merged"].as_array().map_or(0, Vec::len),
            _ => 0,
        };
        let members = members.max(of_then);
        let times = numbers.get(tracking).copied().unwrap_or(0);
        journal.check("a command is done once", times <= 1 + members, || format!("{times} times: {deed:?}"));
    }
}

/// A parcel that was acknowledged is in the books as it was, and on the channel where it must be.
fn shipped(world: &World, deed: &Deed, deeds: &[Deed], answer: &Value, books: &Books, at_rest: bool) {
    let journal = &world.journal;
    let Some(now) = books.orders.get(&text(&answer["id"])) else { return };
    let mut made = answer["shipments"].as_array().into_iter().flatten();
    let made = made.rfind(|made| made["tracking"].as_str() == deed.tracking.as_deref());
    // The channel is asked before the answer is given: a colleague may have corrected the number by then. Of a group
    // that ships together, all that can go may be of a member.
    let of_members = answer["merged"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let orders: BTreeSet<&str> = of_members.chain([&*deed.order]).collect();
    let corrections = deeds.iter().filter(|it| it.verb == "track" && orders.contains(&*it.order));
    let numbers: BTreeSet<&str> = corrections.chain([deed]).filter_map(|it| it.tracking.as_deref()).collect();
    let members = orders.iter().filter(|id| **id != deed.order).filter_map(|id| books.orders.get(*id));
    let mut parcels = members.chain([answer]).flat_map(|it| it["shipments"].as_array().into_iter().flatten());
    let known = parcels.any(|parcel| parcel["tracking"].as_str().is_some_and(|it| numbers.contains(it)));
    // A colleague's own answer may still be on its way.
    journal.check("the answer shows the parcel", made.is_some() || known || !at_rest, || format!("{deed:?}"));
    let Some(made) = made else { return };
    let kept = now["shipments"].as_array().into_iter().flatten().find(|kept| kept["id"] == made["id"]);
    journal.check(
        "what was acknowledged is there",
        kept.is_some_and(|kept| kept["lines"] == made["lines"]),
        || format!("{deed:?}: {kept:?}"),
    );
    let Some(kept) = kept.filter(|kept| kept["voided"] == false) else { return };
    let push = text(&kept["push"]);
    let quiet = ["done", "parked", "waiting", "not_pushed"].contains(&&*push);
    if at_rest {
        journal.check("no parcel is left on its way", quiet, || format!("{}: {kept}", now["id"]));
    }
    // Before, a request that came late may have laid an older number over it: the next pull sees that.
    if push != "done" || !at_rest {
        return;
    }
    let Some(shop) = world.shops.iter().find(|shop| now["merchant"] == shop.merchant.as_str()) else {
        return;
    };
    let order = sdk::RemoteId(text(&now["channel_order"]));
    let there: Vec<Parcel> = shop
        .parcels(&order)
        .into_iter()
        .filter(|parcel| kept["tracking"].as_str().is_some_and(|number| parcel.numbers.contains(number)))
        .collect();
    journal.check("a parcel that is done is on the channel", !there.is_empty(), || {
        format!("{}: {kept}; the shop has {:?}", now["id"], shop.parcels(&order))
    });
}
