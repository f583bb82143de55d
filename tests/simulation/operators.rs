//! The supplier's people at work, two at once, by the API that ships. What they were told is kept for the checker.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    chance::Dice,
    world::{Life, World},
};

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// 2xx, with the document.
    Done(Value),
    /// Refused: the status and the problem's code.
    Refused(u16, String),
    /// No answer, or one that says that it is not known.
    Unknown,
}

/// A command that somebody gave.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) verb: &'static str,
    pub(crate) order: String,
    pub(crate) outcome: Outcome,
    /// Of a parcel.
    pub(crate) tracking: Option<String>,
}

/// All that was done.
#[derive(Debug, Default)]
pub(crate) struct Diary(Mutex<Vec<Deed>>);

impl Diary {
    fn write(&self, deed: Deed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(deed);
    }

    pub(crate) fn all(&self) -> Vec<Deed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request to the daemon. `None`: it was gone before it answered.
pub(crate) async fn ask(
    life: &Life,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Option<(StatusCode, Value)> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(axum::body::Body::from(body)).expect("a good request");
    let answered = async {
        let response = life.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        (parts.status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    };
    tokio::select! {
        biased;
        () = life.gone.cancelled() => None,
        answered = answered => Some(answered),
    }
}

/// A document, once the daemon answers with one.
pub(crate) async fn get(world: &World, path: &str) -> Value {
    loop {
        let life = world.running().await;
        if let Some((StatusCode::OK, document)) = ask(&life, Method::GET, path, &[], String::new()).await {
            return document;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// One operator.
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    pub(crate) world: Arc<World>,
    pub(crate) diary: Arc<Diary>,
    pub(crate) dice: Dice,
    pub(crate) commands: u64,
}

const KINDS: &[(&str, &str)] = &[("content-type", "application/json")];

impl Operator {
    /// Works until the world is healed.
    pub(crate) async fn work(mut self, pace: f64) {
        while !self.world.is_healed() {
            let wait = self.dice.about(pace);
            tokio::time::sleep(wait).await;
            if !self.world.is_healed() {
                self.step().await;
            }
        }
    }

    async fn step(&mut self) {
        if self.dice.chance(0.15) {
            return self.count_stock().await;
        }
        let Some(life) = self.world.life() else { return };
        let merchant =
            self.dice.pick(&self.world.shops).map(|shop| shop.merchant.clone()).unwrap_or_default();
        let path = format!("/v1/orders?limit=200&merchant={merchant}");
        let Some((StatusCode::OK, list)) = ask(&life, Method::GET, &path, &[], String::new()).await else {
            return;
        };
        let orders = list["orders"].as_array().cloned().unwrap_or_default();
        let alive: Vec<&Value> = orders.iter().filter(|order| order["status"] != "cancelled").collect();
        let Some(order) = self.dice.pick(&alive).copied() else { return };
        self.decide(order, &orders).await;
    }

    async fn decide(&mut self, order: &Value, others: &[Value]) {
        let id = order["id"].as_str().unwrap_or_default().to_owned();
        let version = order["version"].as_u64();
        let open: Vec<(String, u64)> = units(&order["lines"], "open");
        if order["cancel_request"].is_object() && self.dice.chance(0.6) {
            if self.dice.chance(0.6) {
                self.command(&id, "accept-cancel", json!({}), version).await;
            } else {
                self.command(&id, "reject-cancel", json!({ "reason": "it is packed" }), version).await;
            }
            return;
        }
        if order["address_change"].is_object() && self.dice.chance(0.5) {
            let keep_old = self.dice.chance(0.4);
            self.command(&id, "confirm-address", json!({ "keep_old": keep_old }), version).await;
            return;
        }
        let own_hold = order["holds"].as_array().is_some_and(|holds| {
            holds.iter().any(|hold| hold.as_str().is_some_and(|hold| hold.contains("supplier")))
        });
        if own_hold && self.dice.chance(0.5) {
            self.command(&id, "release", json!({}), version).await;
            return;
        }
        let shipments = order["shipments"].as_array().cloned().unwrap_or_default();
        let parcel = self.dice.pick(&shipments).filter(|parcel| parcel["voided"] == false).cloned();
        if let Some(parcel) = parcel
            && self.dice.chance(0.25)
        {
            let path = parcel["id"].as_str().unwrap_or_default();
            if self.dice.chance(0.7) {
                let tracking = self.tracking();
                let verb = format!("shipments/{path}");
                self.tell(&id, "track", &verb, json!({ "tracking": tracking }), version, Some(tracking))
                    .await;
            } else {
                let verb = format!("shipments/{path}/void");
                self.tell(&id, "void", &verb, json!({ "reason": "damaged" }), version, None).await;
            }
            return;
        }
        if open.is_empty() {
            return;
        }
        match self.dice.below(100) {
            0..20 => self.command(&id, "ack", json!({}), version).await,
            20..35 => self.ship(&id, &[], version).await,
            35..45 => self.race(&id, &open).await,
            45..70 => {
                let part = self.part(&open);
                self.ship(&id, &part, version).await;
            }
            70..80 => {
                let part = self.part(&open);
                self.command(&id, "split", json!({ "lines": lines(&part) }), version).await;
            }
            80..86 => self.command(&id, "hold", json!({ "reason": "out of lanterns" }), version).await,
            86..90 => {
                let by = if self.dice.chance(0.5) { "merchant" } else { "supplier" };
                let part = self.part(&open);
                let body = json!({ "by": by, "reason": "cannot", "lines": lines(&part) });
                self.command(&id, "cancel", body, version).await;
            }
            90..94 => {
                let alike = others.iter().find(|other| {
                    other["merchant"] == order["merchant"]
                        && other["id"] != order["id"]
                        && other["status"] != "cancelled"
                        && other["ship_to"] == order["ship_to"]
                });
                if let Some(other) = alike {
                    let body = json!({ "orders": [id, other["id"]] });
                    self.command("merge", "merge", body, None).await;
                }
            }
            94..97 => self.command(&id, "unmerge", json!({}), version).await,
            _ => {
                let part = self.part(&open);
                let body = json!({ "lines": lines(&part), "add": [{ "sku": "ACME-5", "quantity": 1 }] });
                self.command(&id, "edit", body, version).await;
            }
        }
    }

    /// Some of what is open.
    fn part(&mut self, open: &[(String, u64)]) -> Vec<(String, u64)> {
        let mut part = Vec::new();
        for (line, units) in open {
            if part.is_empty() || self.dice.chance(0.5) {
                part.push((line.clone(), self.dice.within(1, *units)));
            }
        }
        part
    }

    fn tracking(&mut self) -> String {
        self.commands += 1;
        format!("1Z{}{:05}", self.name, self.commands)
    }

    async fn ship(&mut self, id: &str, part: &[(String, u64)], version: Option<u64>) {
        let tracking = self.tracking();
        let mut body = json!({ "carrier": "UPS", "tracking": tracking });
        if !part.is_empty() {
            body["lines"] = lines(part);
        }
        self.tell(id, "ship", "ship", body, version, Some(tracking)).await;
    }

    /// Two people ship the same units in the same instant.
    async fn race(&mut self, id: &str, open: &[(String, u64)]) {
        let name = if self.name == "ANA" { "EVE" } else { "FAY" };
        let mut twin = Operator {
            name,
            world: self.world.clone(),
            diary: self.diary.clone(),
            dice: self.dice.child(&format!("twin {}", self.commands)),
            commands: self.commands,
        };
        let (one, two) = (self.part(open), twin.part(open));
        tokio::join!(self.ship(id, &one, None), twin.ship(id, &two, None));
    }

    async fn command(&mut self, id: &str, verb: &'static str, body: Value, version: Option<u64>) {
        self.tell(id, verb, verb, body, version, None).await;
    }

    /// Gives a command, again under the same key while its outcome is not known, and now and then once more though it is.
    async fn tell(
        &mut self,
        id: &str,
        verb: &'static str,
        path: &str,
        body: Value,
        version: Option<u64>,
        tracking: Option<String>,
    ) {
        self.commands += 1;
        let key = format!("{}-{}", self.name, self.commands);
        let guard = version.filter(|_| self.dice.chance(0.3)).map(|version| format!("\"{version}\""));
        let path =
            if verb == "merge" { "/v1/orders/merge".to_owned() } else { format!("/v1/orders/{id}/{path}") };
        let mut headers = KINDS.to_vec();
        headers.push(("idempotency-key", &key));
        if let Some(guard) = &guard {
            headers.push(("if-match", guard));
        }
        let mut outcome = Outcome::Unknown;
        for attempt in 0..6 {
            if attempt > 0 {
                if self.dice.chance(0.1) {
                    break;
                }
                let wait = self.dice.millis(500, 20_000);
                tokio::time::sleep(wait).await;
            }
            let life = self.world.running().await;
            let answered = ask(&life, Method::POST, &path, &headers, body.to_string()).await;
            outcome = read(answered);
            let said = match &outcome {
                Outcome::Done(_) => "done".to_owned(),
                Outcome::Refused(status, code) => format!("{status} {code}"),
                Outcome::Unknown => "no answer".to_owned(),
            };
            self.world.journal.note(format!("{} {verb} {id} {body} [{key}]: {said}", self.name));
            if outcome != Outcome::Unknown {
                break;
            }
        }
        self.world.journal.count("done", &format!("command {verb}"));
        if matches!(outcome, Outcome::Done(_)) && self.dice.chance(0.15) {
            self.repeat(&path, &headers, &body, verb).await;
        }
        self.diary.write(Deed { verb, order: id.to_owned(), outcome, tracking });
    }

    /// The same command under the same key: the same answer, and nothing is done.
    async fn repeat(&mut self, path: &str, headers: &[(&str, &str)], body: &Value, verb: &str) {
        let Some(life) = self.world.life() else { return };
        let again = read(ask(&life, Method::POST, path, headers, body.to_string()).await);
        self.world.journal.note(format!("{} repeats {verb} {path}", self.name));
        self.world.journal.check(
            "a repeated command is answered alike",
            matches!(again, Outcome::Done(_) | Outcome::Unknown),
            || format!("{path}: {again:?}"),
        );
    }

    async fn count_stock(&mut self) {
        let Some(life) = self.world.life() else { return };
        if self.dice.chance(0.2) {
            let merchant = self.dice.pick(&self.world.shops).map(|shop| shop.merchant.clone());
            let body = json!({ "merchant": merchant }).to_string();
            let said = ask(&life, Method::POST, "/v1/inventory/release", KINDS, body).await;
            self.world.journal.note(format!(
                "{} releases {merchant:?}: {:?}",
                self.name,
                said.map(|it| it.0)
            ));
            return;
        }
        let sku = format!("ACME-{}", self.dice.within(1, 5));
        let level = if self.dice.chance(0.5) {
            json!({ "sku": sku, "on_hand": self.dice.below(60) })
        } else {
            json!({ "sku": sku, "add": self.dice.within(1, 20) })
        };
        let body = json!({ "levels": [level] }).to_string();
        let said = ask(&life, Method::PUT, "/v1/inventory", KINDS, body.clone()).await;
        let said = said.map(|(status, _)| status.as_u16());
        self.world.journal.note(format!("{} sets stock {body}: {said:?}", self.name));
        self.world.journal.count("done", "stock figures set");
    }
}

fn units(lines: &Value, of: &str) -> Vec<(String, u64)> {
    let lines = lines.as_array().into_iter().flatten();
    let units = lines.filter_map(|line| Some((line["id"].as_str()?.to_owned(), line[of].as_u64()?)));
    units.filter(|(_, units)| *units > 0).collect()
}

fn lines(part: &[(String, u64)]) -> Value {
    part.iter().map(|(id, units)| json!({ "id": id, "quantity": units })).collect()
}

fn read(answered: Option<(StatusCode, Value)>) -> Outcome {
    match answered {
        Some((status, document)) if status.is_success() => Outcome::Done(document),
        Some((status, problem)) if status.is_client_error() => {
            Outcome::Refused(status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
        }
        _ => Outcome::Unknown,
    }
}
