//! Cancellations in every phase of an order's life, on both kinds of shop, with answers lost: what was cancelled in
//! time is never told as shipped, no tracking is lost, and every unit is accounted for.

use std::time::Duration;

use sdk::{RemoteId, Rng};
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, until},
    shops::{Shop, TwoShops, two_shops},
};

/// Orders of each kind on each shop.
const EACH: usize = 4;

/// When the cancellation comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The channel holds the order: it was never released.
    BeforeRelease,
    /// All of it, while nobody works on it.
    BeforeHandOff,
    /// Two of three units, while nobody works on it.
    PartlyBeforeHandOff,
    /// Units of a split and of the rest.
    OverSplits,
    /// It is in work, and the supplier agrees.
    Accepted,
    /// It is in work, the supplier refuses and ships.
    Rejected,
    /// One parcel left, the rest is cancelled.
    DuringPartShipment,
    /// Everything left; then the merchant refunds a unit.
    ReturnedAfterwards,
    /// The parcel is on its way to the channel.
    Crossing,
    /// The merchant sends a unit itself while the order is in work.
    FulfilledElsewhere,
    /// The channel holds it while it is in work, and lets it go.
    HeldInWork,
}

const PHASES: [Phase; 11] = [
    Phase::BeforeRelease,
    Phase::BeforeHandOff,
    Phase::PartlyBeforeHandOff,
    Phase::OverSplits,
    Phase::Accepted,
    Phase::Rejected,
    Phase::DuringPartShipment,
    Phase::ReturnedAfterwards,
    Phase::Crossing,
    Phase::FulfilledElsewhere,
    Phase::HeldInWork,
];

/// One order's part in the play.
struct Part<'p> {
    daemon: &'p Daemon,
    shop: &'p Shop,
    order: RemoteId,
    supplier: String,
}

impl Part<'_> {
    async fn shown(&self) -> Value {
        self.daemon.get(&format!("/v1/orders/{}", self.supplier)).await
    }

    async fn post(&self, verb: &str, body: Value) -> Value {
        let key = format!("{}-{verb}-{:x}", self.supplier, sdk::clock::stable_hash(&body.to_string()));
        self.daemon.command(&format!("/v1/orders/{}/{verb}", self.supplier), &key, &body).await
    }

    /// A command that is refused, with its code.
    async fn refused(&self, verb: &str, body: Value) -> String {
        let path = format!("/v1/orders/{}/{verb}", self.supplier);
        let (status, answer) = self.daemon.answered("POST", &path, &body.to_string()).await;
        assert_eq!(status, 409, "{} {verb}: {answer}", self.supplier);
        answer["code"].as_str().expect("a code").to_owned()
    }

    fn number(&self, mark: &str) -> String {
        format!("1Z{}{}{mark}", self.shop.merchant().to_uppercase(), self.order)
    }

    fn parcel(&self, mark: &str, lines: Value) -> Value {
        json!({ "carrier": "UPS", "tracking": self.number(mark), "lines": lines })
    }

    async fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{}: {what}", self.supplier);
        until(&what, async || {
            let order = self.daemon.find(&self.supplier).await?;
            is(&order).then_some(order)
        })
        .await
    }

    /// The channel shows a parcel of this number.
    async fn told(&self, mark: &str) {
        let what = format!("{}: parcel {mark} on the channel", self.supplier);
        until(&what, async || self.shop.shown(&self.order).contains_key(&self.number(mark)).then_some(()))
            .await;
    }

    async fn play(&self, phase: Phase, chance: &mut Rng) {
        match phase {
            Phase::BeforeRelease => {
                self.wait("held", |order| order["status"] == "held").await;
                self.shop.cancel(&self.order);
                self.wait("cancelled", |order| order["status"] == "cancelled").await;
                assert_eq!(self.refused("ack", json!({})).await, "nothing-open");
            }
            Phase::BeforeHandOff => {
                self.wait("here", |order| order["status"] == "open").await;
                self.shop.cancel(&self.order);
                // Whatever the last look finds, or a pull before it: it is not handed off.
                let code = self.refused("ack", json!({})).await;
                assert!(["changed", "nothing-open"].contains(&&*code), "{code}");
                self.wait("cancelled", |order| order["status"] == "cancelled").await;
            }
            Phase::PartlyBeforeHandOff => {
                self.wait("here", |order| order["status"] == "open").await;
                self.shop.edit(&self.order, 1);
                self.wait("one is left", |order| order["lines"][0]["open"] == 1).await;
                self.post("ack", json!({})).await;
                self.post("ship", self.parcel("a", json!([]))).await;
                self.told("a").await;
            }
            Phase::OverSplits => {
                self.wait("here", |order| order["status"] == "open").await;
                let part = json!({ "lines": [{ "id": "l1", "quantity": 1 }] });
                let split = self.post("split", part).await["id"].as_str().expect("an id").to_owned();
                self.shop.edit(&self.order, 1);
                let split_is = async || {
                    let order = self.daemon.find(&split).await?;
                    (order["status"] == "cancelled").then_some(())
                };
                until("the split is cancelled first", split_is).await;
                self.wait("one is left", |order| order["lines"][0]["open"] == 1).await;
                self.post("ship", self.parcel("a", json!([]))).await;
                self.told("a").await;
            }
            Phase::Accepted => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ack", json!({})).await;
                self.shop.cancel(&self.order);
                let asked = self.wait("asked", |order| !order["cancel_request"].is_null()).await;
                assert_eq!(asked["cancel_request"]["lines"][0]["quantity"], 3);
                assert_eq!(self.refused("ship", self.parcel("a", json!([]))).await, "cancel-requested");
                self.post("accept-cancel", json!({})).await;
                self.wait("cancelled", |order| order["status"] == "cancelled").await;
            }
            Phase::Rejected => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ack", json!({})).await;
                self.shop.edit(&self.order, 1);
                self.wait("asked", |order| !order["cancel_request"].is_null()).await;
                self.post("reject-cancel", json!({ "reason": "it is packed" })).await;
                self.wait("answered", |order| order["cancel_request"].is_null()).await;
                self.post("ship", self.parcel("a", json!([]))).await;
                // The channel takes what it still wants of it.
                self.told("a").await;
            }
            Phase::DuringPartShipment => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ship", self.parcel("a", json!([{ "id": "l1", "quantity": 1 }]))).await;
                self.told("a").await;
                self.shop.edit(&self.order, 1);
                self.wait("asked", |order| order["cancel_request"]["lines"][0]["quantity"] == 2).await;
                assert_eq!(self.refused("ship", self.parcel("b", json!([]))).await, "cancel-requested");
                self.post("accept-cancel", json!({})).await;
                self.wait("shipped", |order| order["status"] == "shipped").await;
            }
            Phase::ReturnedAfterwards => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ship", self.parcel("a", json!([]))).await;
                self.told("a").await;
                self.shop.refund(&self.order, 1, true);
            }
            Phase::Crossing => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ack", json!({})).await;
                let cancel = async {
                    tokio::time::sleep(Duration::from_millis(chance.below(30))).await;
                    self.shop.cancel(&self.order);
                };
                let parcel = json!({
                    "carrier": "UPS",
                    "tracking": self.number("a"),
                    // The box left, whatever is known here by now.
                    "lines": [{ "id": "l1", "quantity": 3 }],
                });
                tokio::join!(self.post("ship", parcel), cancel);
            }
            Phase::FulfilledElsewhere => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ack", json!({})).await;
                self.shop.fulfil(&self.order, 2);
                let left = self.wait("one is left", |order| order["lines"][0]["open"] == 1).await;
                assert!(left["alerts"].to_string().contains("someone else"), "{left}");
                self.post("ship", self.parcel("a", json!([]))).await;
                self.told("a").await;
            }
            Phase::HeldInWork => {
                self.wait("here", |order| order["status"] == "open").await;
                self.post("ack", json!({})).await;
                self.shop.hold(&self.order);
                let held = |order: &Value| order["alerts"].to_string().contains("held on the channel");
                self.wait("an alert", held).await;
                self.shop.release(&self.order);
                self.wait("no alert", |order| !held(order)).await;
                self.post("ship", self.parcel("a", json!([]))).await;
                self.told("a").await;
            }
        }
    }

    /// What holds at the end, whatever happened.
    async fn judge(&self, phase: Phase) {
        let account = format!("/v1/merchants/{}/orders/shop/{}", self.shop.merchant(), self.order);
        let account = self.daemon.get(&account).await;
        for line in account["lines"].as_array().expect("lines") {
            let term = |name: &str| line[name].as_u64().expect("a number");
            let all = ["not_ours", "excluded", "elsewhere_before", "held", "routed", "cancelled"];
            assert_eq!(term("ordered"), all.iter().map(|name| term(name)).sum::<u64>(), "{phase:?} {line}");
            let routed = ["open", "shipped", "cancelled_after", "elsewhere_after"];
            assert_eq!(term("routed"), routed.iter().map(|name| term(name)).sum::<u64>(), "{phase:?} {line}");
        }
        let shown = self.shop.shown(&self.order);
        let ours = |number: &str| shown.get(&self.number(number)).map(|lines| lines.values().sum::<i64>());
        let order = self.shown().await;
        let context = format!("{phase:?} {order}\n{shown:?}");
        match phase {
            Phase::BeforeRelease | Phase::BeforeHandOff | Phase::Accepted => {
                assert!(shown.is_empty(), "it was cancelled in time: {context}");
            }
            Phase::PartlyBeforeHandOff | Phase::OverSplits | Phase::DuringPartShipment => {
                assert_eq!((ours("a"), shown.len()), (Some(1), 1), "{context}");
            }
            Phase::HeldInWork => assert_eq!(ours("a"), Some(3), "{context}"),
            Phase::ReturnedAfterwards => {
                assert_eq!(ours("a"), Some(3), "a return un-ships nothing: {context}");
                assert_eq!(order["status"], "shipped", "{context}");
                assert!(order["cancel_request"].is_null(), "{context}");
            }
            Phase::FulfilledElsewhere => {
                assert_eq!((ours("a"), shown.len()), (Some(1), 2), "no unit is sent twice: {context}");
            }
            Phase::Rejected => {
                assert_eq!(order["shipments"][0]["tracking"], self.number("a"), "{context}");
                assert!(ours("a") == Some(1) || ours("a") == Some(3), "{context}");
                assert_eq!(order["shipments"][0]["after_cancel"], true, "{context}");
            }
            Phase::Crossing => {
                let parcel = &order["shipments"][0];
                assert_eq!(parcel["tracking"], self.number("a"), "the tracking is kept: {context}");
                assert_eq!(order["lines"][0]["shipped"], 3, "{context}");
                match parcel["push"].as_str() {
                    Some("done") => assert_eq!(ours("a"), Some(3), "{context}"),
                    Some("parked") => {
                        assert_eq!(parcel["after_cancel"], true, "{context}");
                        let why = parcel["push_error"].as_str().unwrap_or_default();
                        assert!(why.contains("cancel"), "{context}");
                        assert!(parcel["cancelled_at"].is_string(), "both times are kept: {context}");
                    }
                    other => panic!("{other:?}: {context}"),
                }
            }
        }
    }
}

async fn play(seed: u64, kills: u32) {
    let TwoShops { shops, daemon, .. } = &two_shops(seed).await;
    let mut parts = Vec::new();
    for shop in shops {
        for phase in PHASES {
            for _ in 0..EACH {
                let order = shop.place(&[("ACME-1", 3), ("OTHER", 2)]);
                if phase == Phase::BeforeRelease {
                    shop.hold(&order);
                }
                let supplier = shop.supplier(&order);
                parts.push((phase, Part { daemon, shop, order, supplier }));
            }
        }
    }
    let killing = async {
        let mut chance = Rng::from_seed(seed).child("kills");
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(500 + chance.below(1500))).await;
            daemon.kill_and_restart().await;
        }
    };
    let playing = async {
        let all = parts.iter().enumerate().map(|(index, (phase, part))| async move {
            let mut chance = Rng::from_seed(seed).child(&format!("part {index}"));
            tokio::time::sleep(Duration::from_millis(chance.below(2000))).await;
            part.play(*phase, &mut chance).await;
        });
        futures_all(all).await;
    };
    tokio::join!(killing, playing);
    until("nothing is owed", async || {
        let owed = daemon.get("/v1/outbox").await;
        let entries = owed["entries"].as_array().expect("a list");
        entries.iter().all(|entry| entry["state"] == "parked").then_some(())
    })
    .await;
    // What both channels show now is here too.
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<sdk::Timestamp>().ok());
    let since = time(&daemon.get("/v1/status").await["now"]).expect("a time");
    until("another pull of both shops", async || {
        let status = daemon.get("/v1/status").await;
        let merchants = status["merchants"].as_array().expect("a list");
        merchants.iter().all(|merchant| time(&merchant["last_pull"]) > Some(since)).then_some(())
    })
    .await;
    for (phase, part) in &parts {
        part.judge(*phase).await;
    }
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    for event in ["cancel.requested", "cancel.accepted", "cancel.rejected", "order.cancelled"] {
        assert!(log.contains(event), "{event} is not in the log");
    }
}

/// All of them at once.
async fn futures_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_in_any_phase_ships_nothing_in_time_and_loses_no_tracking() {
    play(21, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_the_daemon_killed_on_the_way() {
    play(22, 5).await;
}

/// The story of an order that was edited, partly cancelled, split and shipped, as a stranger reads it.
#[tokio::test(flavor = "multi_thread")]
async fn why_tells_the_story_of_an_order() {
    let TwoShops { shops, daemon, .. } = &two_shops(23).await;
    for shop in shops {
        let order = shop.place(&[("ACME-1", 5), ("OTHER", 2)]);
        let part = Part { daemon, shop, supplier: shop.supplier(&order), order };
        part.wait("here", |order| order["status"] == "open").await;
        part.shop.edit(&part.order, 4);
        part.wait("edited", |order| order["lines"][0]["open"] == 4).await;
        part.post("ack", json!({})).await;
        let one = json!({ "lines": [{ "id": "l1", "quantity": 1 }] });
        let split = part.post("split", one).await["id"].as_str().expect("an id").to_owned();
        part.post("ship", part.parcel("a", json!([{ "id": "l1", "quantity": 2 }]))).await;
        part.told("a").await;
        part.shop.refund(&part.order, 1, false);
        let asked = async || {
            let order = daemon.find(&split).await?;
            (!order["cancel_request"].is_null()).then_some(())
        };
        until("the split is asked for", asked).await;
        let (code, text) = daemon.other(&["orders", "accept-cancel", &split]).await;
        assert_eq!(code, Some(0), "{text}");
        part.post("ship", json!({ "carrier": "UPS", "tracking": part.number("b") })).await;
        part.told("b").await;
        part.wait("the channel knows both", |order| {
            order["shipments"].as_array().is_some_and(|parcels| parcels.iter().all(|it| it["push"] == "done"))
        })
        .await;

        let (code, told) = daemon.other(&["orders", "why", &part.supplier]).await;
        assert_eq!(code, Some(0), "{told}");
        for words in [
            "of its 2 lines the supplier's are 1, the merchant's own 1",
            "Now, of 5 × ACME-1 ordered at most: 3 shipped and 2 cancelled.",
            &format!("{split} is a part of it"),
            "by UPS as 1Z",
            "the channel knows it",
            "Nothing is left to do.",
            "the order was edited",
            "STOP: 1 × ACME-1",
            "the supplier accepted the cancellation of 1 × ACME-1",
            "(there at ",
        ] {
            assert!(told.contains(words), "{words:?} is not in\n{told}");
        }
    }
}

/// Shopify's own handshake: the merchant asks a fulfillment service to cancel, and has its answer there, of itself
/// before the hand-off, as the supplier says after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_asks_for_a_cancellation_has_its_answer() {
    const SERVICE: u64 = shopify::fake::LOCATION + 7;
    let TwoShops { shops, daemon, .. } = &two_shops(24).await;
    let Shop::Shopify(remote) = &shops[0] else { panic!("the first is on Shopify") };
    remote.manage_by_service(SERVICE);
    let place = || {
        let lines = vec![shopify::fake::NewLine::new("ACME-1", 3).at(SERVICE)];
        let order = remote.place(shopify::fake::NewOrder::new(lines));
        let fo = remote.order(&order).expect("placed").fulfillment_orders[0].id;
        remote.submit_fulfillment_request(fo, None, None).expect("asked");
        remote.accept_fulfillment_request(fo).expect("taken on");
        (Part { daemon, shop: &shops[0], supplier: shops[0].supplier(&order), order }, fo)
    };
    let answered = async |part: &Part<'_>, fo: u64, status: &str| {
        until(&format!("{}: {status}", part.supplier), async || {
            let order = remote.order(&part.order)?;
            let fo = order.fulfillment_orders.iter().find(|known| known.id == fo)?;
            (fo.request_status == status).then_some(())
        })
        .await;
    };

    let (idle, fo) = place();
    idle.wait("here", |order| order["status"] == "open").await;
    remote.submit_cancellation_request(fo, Some("a duplicate")).expect("asked");
    idle.wait("cancelled", |order| order["status"] == "cancelled").await;
    answered(&idle, fo, "CANCELLATION_ACCEPTED").await;

    for (verb, body, status) in [
        ("accept-cancel", json!({}), "CANCELLATION_ACCEPTED"),
        ("reject-cancel", json!({ "reason": "it is packed" }), "CANCELLATION_REJECTED"),
    ] {
        let (busy, fo) = place();
        busy.wait("here", |order| order["status"] == "open").await;
        busy.post("ack", json!({})).await;
        remote.submit_cancellation_request(fo, Some("changed their mind")).expect("asked");
        let asked = busy.wait("asked", |order| !order["cancel_request"].is_null()).await;
        assert!(asked["alerts"].to_string().contains("STOP"), "{asked}");
        busy.post(verb, body).await;
        answered(&busy, fo, status).await;
        if verb == "accept-cancel" {
            busy.wait("cancelled", |order| order["status"] == "cancelled").await;
        } else {
            busy.wait("open again", |order| order["alerts"].as_array().is_some_and(Vec::is_empty)).await;
            busy.post("ship", busy.parcel("a", json!([]))).await;
            busy.told("a").await;
            assert_eq!(shops[0].shown(&busy.order).len(), 1);
        }
    }
    assert!(shops[0].shown(&idle.order).is_empty(), "what was cancelled never left");
}
