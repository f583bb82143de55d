//! The recorded life of a fulfillment service's requests, step by step, as the connector reads it.

use std::sync::Arc;

use sdk::{CancellationRequest, Order, Pulled, testkit::MemoryTokens};
use serde_json::{Value, json};

use crate::{
    contract::{Canned, completed, contracts},
    shop::{LASTING, bench, connect},
};

/// The fulfillment orders of one recorded file, by number, as they stand after the steps that were taken so far.
struct Shop {
    file: Value,
    fos: Vec<Value>,
}

impl Shop {
    fn new(file: Value) -> Self {
        let calls = file["upstreamCalls"].as_array().unwrap();
        let fos = calls
            .iter()
            .map(|call| {
                let mut fo = call["response"]["body"]["data"]["fulfillmentOrder"].clone();
                number_requests(&mut fo);
                fo
            })
            .collect();
        Self { file, fos }
    }

    /// Takes over what a recorded answer shows of a fulfillment order.
    fn step(&mut self, step: &str) -> usize {
        let operation = self.file[step]["operationName"].as_str().unwrap();
        let payload = &self.file[step]["response"]["data"][operation];
        assert_eq!(payload["userErrors"], json!([]), "{step}");
        let shown =
            payload.get("fulfillmentOrder").or_else(|| payload.get("originalFulfillmentOrder")).unwrap();
        let at = self.fos.iter().position(|fo| fo["id"] == shown["id"]).unwrap();
        for (key, value) in shown.as_object().unwrap() {
            if key == "lineItems" {
                let lines = self.fos[at]["lineItems"]["nodes"].as_array_mut().unwrap();
                for (line, shown) in lines.iter_mut().zip(value["nodes"].as_array().unwrap()) {
                    for quantity in ["totalQuantity", "remainingQuantity"] {
                        line[quantity] = shown[quantity].clone();
                    }
                }
            } else {
                self.fos[at][key] = value.clone();
            }
        }
        number_requests(&mut self.fos[at]);
        at
    }

    /// What the connector makes of an order with these fulfillment orders.
    async fn read(&self, fos: &[Value]) -> Order {
        let order = json!({ "id": self.fos[0]["order"]["id"], "fulfillmentOrders": { "nodes": fos } });
        let bench = bench(LASTING);
        let shop = Arc::new(Canned(completed(order)));
        let channel = connect(LASTING, shop, bench.clock.clone(), Arc::new(MemoryTokens::default()));
        match channel.order(&"1".into()).await.unwrap() {
            Pulled::Order(order) => *order,
            Pulled::Unreadable(why) => panic!("{}", why.reason),
        }
    }
}

/// The recordings ask for no ids and times of the requests: they count up.
fn number_requests(fo: &mut Value) {
    for (at, request) in fo["merchantRequests"]["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
        request["id"] = json!(format!("gid://shopify/FulfillmentOrderMerchantRequest/{}", 41 + at));
        request["sentAt"] = json!(format!("2026-05-06T22:2{}:00Z", 3 + at));
        request["responseData"] = request.get("responseData").cloned().unwrap_or_default();
    }
}

#[tokio::test(start_paused = true)]
async fn the_recorded_life_of_a_request_is_read_right() {
    let Some(folder) = contracts() else { return };
    let file = folder
        .join("recorded/harry-test-heelo.myshopify.com/2026-04/shipping-fulfillments")
        .join("fulfillment-order-request-lifecycle.json");
    let mut shop = Shop::new(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap());
    let units = |order: &Order| order.lines.iter().map(|line| line.fulfillable).sum::<u32>();

    // One unit of two is asked for; the other one stands in a fulfillment order of its own from then on.
    let at = shop.step("partialSubmit");
    let fo = shop.fos[at]["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for step in ["partialSubmit", "acceptFulfillmentRequest"] {
        shop.step(step);
        let order = shop.read(&shop.fos[at..=at]).await;
        assert_eq!((units(&order), order.cancellation_requests.len()), (1, 0), "{step}");
        assert!(order.holds.is_empty(), "{step}");
    }
    shop.step("submitCancellationRequest");
    assert_eq!(shop.fos[at]["requestStatus"], "ACCEPTED", "as recorded: the status does not tell it");
    let order = shop.read(&shop.fos[at..=at]).await;
    let asked = CancellationRequest {
        id: format!("{fo}-42").into(),
        lines: vec![sdk::LineQuantity { line: order.lines[0].id.clone(), quantity: 1 }],
        message: Some("Hermes cancel requested".into()),
        at: Some("2026-05-06T22:24:00Z".parse().unwrap()),
    };
    assert_eq!(order.cancellation_requests, std::slice::from_ref(&asked));
    assert_eq!((units(&order), order.groups.len()), (1, 1));
    // The reference has a word for it, which says the same.
    let mut told = shop.fos[at].clone();
    told["requestStatus"] = json!("CANCELLATION_REQUESTED");
    assert_eq!(shop.read(&[told]).await.cancellation_requests, [asked]);
    // Answered, should the shop ever say so there.
    let mut told = shop.fos[at].clone();
    told["merchantRequests"]["nodes"][1]["responseData"] = json!({ "message": "No" });
    assert!(shop.read(&[told]).await.cancellation_requests.is_empty());

    shop.step("acceptCancellationRequest");
    let order = shop.read(&shop.fos[at..=at]).await;
    assert_eq!((units(&order), order.cancellation_requests.len(), order.groups.len()), (0, 0, 0));

    let at = shop.step("rejectFulfillmentRequest");
    let order = shop.read(&shop.fos[at..=at]).await;
    assert_eq!(units(&order), 1);
    assert_eq!(order.holds, ["the fulfillment request was rejected on the shop"]);

    let at = shop.step("rejectCancellationRequest");
    assert_eq!(shop.fos[at]["merchantRequests"]["nodes"][1]["kind"], "CANCELLATION_REQUEST");
    let order = shop.read(&shop.fos[at..=at]).await;
    assert_eq!((units(&order), order.cancellation_requests.len()), (1, 0));
    assert!(order.holds.is_empty());
}
