//! `check --online`: the token, its scopes, the store, the location.

use sdk::{CheckReport, ErrorKind, Priority, Result};
use serde::Deserialize;

use crate::{
    rest::{self, Ask, Rest},
    wire::{Named, Text},
};

/// As much of `GET /store` as is said (`StoreInformation` in `store_information.v2.yml`).
#[derive(Deserialize)]
struct Store<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

/// Asks what we may do there. Nothing is written.
pub(crate) async fn check(rest: &Rest, store_hash: &str, location: u32) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    // Made for it: "useful for validating API authentication details" (`GET /time`).
    if let Err(error) = rest.get(ask("time"), "/v2/time").await {
        if error.kind != ErrorKind::NotFound {
            return Err(error);
        }
        report
            .problems
            .push(format!("there is no store {store_hash} at this address (404): see `store_hash`"));
        return Ok(report);
    }
    report.proved.push(format!("token accepted by the store {store_hash}"));
    store(rest, store_hash, &mut report).await?;
    if let Some(order) = orders(rest, &mut report).await? {
        shipments(rest, order, &mut report).await?;
    }
    stock(rest, location, &mut report).await?;
    for (what, scope) in [("shipments", "Orders: modify"), ("stock", "Store Inventory: modify")] {
        report.warnings.push(format!(
            "whether the token may write {what} cannot be asked without writing: it needs the scope {scope}"
        ));
    }
    Ok(report)
}

fn ask(name: &'static str) -> Ask {
    Ask::read(name, Priority::Deliver)
}

async fn store(rest: &Rest, store_hash: &str, report: &mut CheckReport) -> Result<()> {
    match rest.get(ask("store"), "/v2/store").await {
        Ok(response) => match rest::read::<Store<'_>>(response.body()) {
            Ok(store) => {
                let name = store.name.as_deref().unwrap_or_default();
                match store.id.as_deref() {
                    Some(id) if id.eq_ignore_ascii_case(store_hash) => {
                        report.proved.push(format!("the store {id} is {name}"));
                    }
                    Some(id) => report.warnings.push(format!(
                        "`store_hash` is {store_hash}, but the store calls itself {id} ({name}): name that one, or \
                         two channels may share it unseen"
                    )),
                    None => report.warnings.push("the store does not tell its hash".to_owned()),
                }
            }
            Err(why) => report.warnings.push(format!("the store's own description cannot be read: {why}")),
        },
        Err(error) if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NotFound) => {
            // Nothing that is done here needs it.
            report.proved.push("no scope Information & settings: not needed".to_owned());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// One order, if there is any.
async fn orders(rest: &Rest, report: &mut CheckReport) -> Result<Option<u64>> {
    match rest.get(ask("orders"), "/v2/orders?sort=date_modified:desc&limit=1").await {
        Ok(response) => match rest::list::<Named>(&response) {
            Ok(orders) => {
                report.proved.push("scope Orders: orders can be read".to_owned());
                Ok(orders.first().map(|order| order.id))
            }
            Err(why) => {
                report.problems.push(format!("the list of orders cannot be read: {why}"));
                Ok(None)
            }
        },
        Err(error) if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NotFound) => {
            report.problems.push(format!(
                "orders cannot be read: {}; the token needs the scope Orders: modify",
                error.message
            ));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn shipments(rest: &Rest, order: u64, report: &mut CheckReport) -> Result<()> {
    let path = format!("/v2/orders/{order}/shipments?limit=1");
    match rest.get(ask("order_shipments"), &path).await {
        Ok(_) => report.proved.push("shipments can be read".to_owned()),
        Err(error) if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NotFound) => {
            report.problems.push(format!(
                "shipments cannot be read: {}; the token needs the scope Orders: modify",
                error.message
            ));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What stock needs. It is an option of each merchant, so that what is missing warns.
async fn stock(rest: &Rest, location: u32, report: &mut CheckReport) -> Result<()> {
    const CATALOGUE: &str = "Products: read-only";
    const INVENTORY: &str = "Store Inventory: modify";
    for (name, path, what, scope) in [
        (
            "products",
            "/v3/catalog/products?include_fields=name,inventory_tracking&limit=1".to_owned(),
            "products".to_owned(),
            CATALOGUE,
        ),
        (
            "location",
            format!("/v3/inventory/locations/{location}/items?limit=1"),
            format!("the inventory location {location}"),
            INVENTORY,
        ),
        (
            "read_stock",
            format!("/v3/inventory/items?location_id:in={location}&limit=1"),
            "stock".to_owned(),
            INVENTORY,
        ),
    ] {
        match rest.get(ask(name), &path).await {
            Ok(_) => report.proved.push(format!("{what} can be read")),
            Err(error) if error.kind == ErrorKind::NotFound && name == "location" => {
                report
                    .warnings
                    .push(format!("the store has no inventory location {location}: see `location`"));
            }
            Err(error) => match error.kind {
                ErrorKind::Unauthorized | ErrorKind::Rejected | ErrorKind::NotFound => {
                    report.warnings.push(format!(
                        "{what} cannot be read: {}; to publish stock the token needs the scope {scope}",
                        error.message
                    ));
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
}
