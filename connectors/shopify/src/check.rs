//! `check --online`: credentials, scopes, location, API version.

use sdk::{CheckReport, Error, ErrorKind, Priority, Result, Timestamp};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    config::{Settings, version_warning},
    error::{self, LacksScope, has},
    inventory::location_gid,
    wire::{
        CheckData, LocationData,
        documents::{CHECK, LOCATION},
    },
};

/// Asks who we are there and what we may do.
pub(crate) async fn check(admin: &Admin, settings: &Settings, now: Timestamp) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let ask = Ask::read(CHECK, Priority::Deliver, 10.0);
    let response = admin.send(ask, &json!({})).await?;
    let decoded = admin.decode::<CheckData>(ask, response.body())?;
    let Some(shop) = decoded.data.shop else {
        if decoded.errors.is_empty() {
            return Err(Error::new(ErrorKind::Malformed, ask.name(), "the answer names no shop"));
        }
        return Err(error::failure(ask.name(), &decoded.errors, None));
    };
    report.proved.push(format!("token accepted by {} ({})", shop.myshopify_domain, shop.name));
    if !shop.myshopify_domain.eq_ignore_ascii_case(&settings.shop) {
        report.warnings.push(format!(
            "`shop` is {}, but the token belongs to {}: name that one, or two channels may share it unseen",
            settings.shop, shop.myshopify_domain
        ));
    }
    let scopes: Vec<String> = decoded
        .data
        .current_app_installation
        .map(|app| app.access_scopes.into_iter().map(|scope| scope.handle).collect())
        .unwrap_or_default();
    check_scopes(&scopes, &mut report);
    if settings.location.is_some() {
        check_stock_scopes(&scopes, &mut report);
    }
    check_version(admin, settings, decoded.data.public_api_versions.as_deref(), now, &mut report);
    if let Some(location) = &settings.location {
        check_location(admin, location, &mut report).await?;
    }
    Ok(report)
}

/// Scopes: <https://shopify.dev/docs/api/usage/access-scopes>. A `write_` scope holds its `read_` one.
fn check_scopes(scopes: &[String], report: &mut CheckReport) {
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    let reads = |name: &str| has(&format!("read_{name}")) || has(&format!("write_{name}"));
    let mut need = |good: bool, name: &str, why: &str| {
        if good {
            report.proved.push(format!("scope {name}"));
        } else {
            report.problems.push(format!("the app lacks the scope {name}: {why}"));
        }
    };
    need(reads("orders"), "read_orders", "orders cannot be read");
    need(
        reads("merchant_managed_fulfillment_orders"),
        "read_merchant_managed_fulfillment_orders",
        "what is left to fulfil cannot be read",
    );
    need(
        has("write_merchant_managed_fulfillment_orders"),
        "write_merchant_managed_fulfillment_orders",
        "parcels cannot be told",
    );
    for (good, name, why) in [
        (has("read_all_orders"), "read_all_orders", "orders older than 60 days cannot be read"),
        (
            has("write_third_party_fulfillment_orders"),
            "write_third_party_fulfillment_orders",
            "orders at locations of fulfillment services stay out of sight",
        ),
        (
            has("write_assigned_fulfillment_orders"),
            "write_assigned_fulfillment_orders",
            "where the app is a fulfillment service, its orders stay out of sight and cancellation requests unanswered",
        ),
        (reads("products"), "read_products", "lines without a SKU cannot be told from custom ones"),
    ] {
        if good {
            report.proved.push(format!("scope {name}"));
        } else {
            report.warnings.push(format!("the app lacks the scope {name}: {why}"));
        }
    }
}

/// What stock needs, where a location is named for it. Whether the merchant has stock written is not ours to know, so that
/// what lacks stops nothing.
fn check_stock_scopes(scopes: &[String], report: &mut CheckReport) {
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    for (good, name, why) in [
        (has("write_inventory"), "write_inventory", "stock cannot be written"),
        (has("read_inventory") || has("write_inventory"), "read_inventory", "stock cannot be read"),
        (has("read_locations"), "read_locations", "the location cannot be looked at"),
    ] {
        if good {
            report.proved.push(format!("scope {name}"));
        } else {
            report.warnings.push(format!("the app lacks the scope {name}: {why}"));
        }
    }
}

fn check_version(
    admin: &Admin,
    settings: &Settings,
    known: Option<&[crate::wire::ApiVersion]>,
    now: Timestamp,
    report: &mut CheckReport,
) {
    let version = &settings.api_version;
    if let Some(other) = admin.other_version() {
        report.warnings.push(format!(
            "the shop answers with Admin API {other} in place of {version}: set `api_version` to a supported one"
        ));
    } else {
        report.proved.push(format!("Admin API {version}"));
    }
    let unsupported = known.is_some_and(|known| {
        !known.is_empty() && !known.iter().any(|it| it.handle == *version && it.supported)
    });
    if unsupported {
        report.warnings.push(format!("Admin API {version} is not among the versions that the shop supports"));
    }
    report.warnings.extend(version_warning(version, now));
}

async fn check_location(admin: &Admin, location: &str, report: &mut CheckReport) -> Result<()> {
    let ask = Ask::read(LOCATION, Priority::Deliver, 5.0);
    let response = admin.send(ask, &json!({ "id": location_gid(location) })).await?;
    let why = match admin.decode::<LocationData>(ask, response.body()) {
        Ok(decoded) => match decoded.data.location {
            Some(found) if found.is_active => {
                report.proved.push(format!("location {location} ({})", found.name));
                return Ok(());
            }
            Some(found) => {
                report.problems.push(format!("the location {location} ({}) is not active", found.name));
                return Ok(());
            }
            None if decoded.errors.is_empty() => {
                report.problems.push(format!("the shop has no location {location}"));
                return Ok(());
            }
            None => error::failure(ask.name(), &decoded.errors, None),
        },
        Err(error) if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NotFound) => error,
        Err(error) => return Err(error),
    };
    let told = if has::<LacksScope>(&why) { &mut report.warnings } else { &mut report.problems };
    told.push(format!("the location {location} cannot be read: {}", why.message));
    Ok(())
}
