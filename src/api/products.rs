//! The products of channels, and their flags.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use sdk::Writable;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    problem::Problem,
    request::{Body, Query},
    stock_document::{MissedLine, Product, Products},
    view,
};
use crate::{
    plan::{command::Refused, stock::likeness::Likeness},
    policy::Policy,
    record::{NotOurs, Owner, Part},
    stock::{Flagged, Listing, ProductFlag, SCHEMA},
    stockroom::intake::check_name,
    store,
};

/// Records that one look for missed lines reads at most.
const SCANNED: usize = 20_000;
/// The most parts of a kit, and of one part in it.
const MOST_PARTS: usize = 100;
const MOST_OF_A_PART: u32 = 10_000;

/// The query of the products.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Only this merchant's.
    merchant: Option<String>,
    /// Only what looks like the supplier's and is not auto-dropship.
    unflagged: bool,
}

/// `GET /v1/products`.
pub async fn list(State(api): State<Api>, Query(filter): Query<Filter>) -> Result<Json<Products>, Problem> {
    if let Some(merchant) = &filter.merchant {
        super::merchants::known(&api, merchant).await?;
    }
    let ledger = api.ledger();
    let policies = ledger.policies();
    let told = ledger.stockroom().likeness().await?;
    let recipes = policies.channels.values().flat_map(|policy| policy.catalogue.recipes());
    let written = Likeness::of(recipes.flat_map(|(_, parts)| parts).map(|part| &part.sku));
    let mut answer = Products::default();
    for ((merchant, channel), policy) in &policies.channels {
        if filter.merchant.as_ref().is_some_and(|only| only != merchant) {
            continue;
        }
        let flags: BTreeMap<String, ProductFlag> =
            ledger.flags_of(merchant, channel).into_iter().map(|flag| (flag.sku.clone(), flag)).collect();
        let listings = ledger.store().listings(merchant, channel).await?;
        let mut unlisted: BTreeSet<&String> = flags.keys().collect();
        for listing in &listings {
            let sku = listing.variant.sku.as_ref();
            if let Some(sku) = sku {
                unlisted.remove(sku);
            }
            let flag = sku.and_then(|sku| flags.get(sku));
            let missed =
                crate::tasks::products::unflagged(&listing.variant, &policy.catalogue, &[&told, &written]);
            if !filter.unflagged || missed.is_some() {
                answer.products.push(product(policy, sku.map(String::as_str), Some(listing), flag));
            }
        }
        for sku in unlisted.into_iter().filter(|_| !filter.unflagged) {
            answer.products.push(product(policy, Some(sku), None, flags.get(sku)));
        }
    }
    if filter.unflagged {
        answer.lines = missed_lines(&api, filter.merchant.as_deref(), &[&told, &written]).await?;
    }
    Ok(Json(answer))
}

fn product(
    policy: &Policy,
    sku: Option<&str>,
    listing: Option<&Listing>,
    flag: Option<&ProductFlag>,
) -> Product {
    let owner = policy.catalogue.product(sku);
    let (auto_dropship, parts) = match &owner {
        Owner::Supplier { parts, .. } => (true, parts.clone()),
        Owner::Merchant(_) => (false, Vec::new()),
    };
    Product {
        merchant: policy.merchant.clone(),
        channel: policy.channel.clone(),
        variant: listing.map(|listing| listing.variant.id.0.clone()),
        sku: sku.map(str::to_owned),
        title: listing.map(|listing| listing.variant.title.clone()).unwrap_or_default(),
        auto_dropship,
        rule: view::rule(&owner),
        parts,
        flag: flag.map(|flag| if flag.flag == Flagged::Off { "off" } else { "on" }.to_owned()),
        writable: listing.and_then(|listing| match &listing.variant.writable {
            Writable::Yes => None,
            Writable::No(why) => Some(why.clone()),
        }),
    }
}

/// Lines of orders that look like ours and went by, since no rule named them; of the first records of each merchant.
async fn missed_lines(
    api: &Api,
    merchant: Option<&str>,
    ours: &[&Likeness],
) -> Result<Vec<MissedLine>, Problem> {
    let store = api.ledger().store();
    let mut missed: BTreeMap<(String, String, String), MissedLine> = BTreeMap::new();
    let mut after = None;
    let mut read = 0;
    while read < SCANNED {
        let query = store::Query {
            merchant: merchant.map(str::to_owned),
            after: after.take(),
            limit: 500,
            ..store::Query::default()
        };
        let page = store.list(query).await?;
        read += page.records.len();
        for record in page.records.iter().filter(|record| !record.seen.test) {
            for line in &record.lines {
                let open = matches!(line.owner, Owner::Merchant(NotOurs::NoRule | NotOurs::Ambiguous(_)));
                let Some(sku) = line.sku.as_ref().filter(|_| open) else { continue };
                if !ours.iter().any(|ours| ours.has(sku)) {
                    continue;
                }
                let key = (record.merchant.clone(), record.channel.clone(), sku.clone());
                let entry = missed.entry(key).or_insert_with(|| MissedLine {
                    merchant: record.merchant.clone(),
                    channel: record.channel.clone(),
                    sku: sku.clone(),
                    lines: 0,
                    units: 0,
                    order: String::new(),
                });
                entry.lines += 1;
                entry.units += u64::from(line.not_ours);
                entry.order.clone_from(&record.id.0);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(missed.into_values().collect())
}

/// The body of `PUT /v1/products`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Merchant id.
    pub merchant: String,
    /// Channel id; its only one, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The merchant's SKU, to the letter.
    pub sku: String,
    /// `on`, `off`, or `none`: the file decides again.
    pub flag: Wanted,
    /// With `on`: what one unit is made of; the file's recipe, or the SKU itself, without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// What a flag is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Ours.
    On,
    /// Not ours, whatever the file says.
    Off,
    /// Nothing: the file decides.
    None,
}

/// `PUT /v1/products`: for orders that are not decided yet, and for stock.
pub async fn set(State(api): State<Api>, Body(set): Body<Set>) -> Result<Json<Products>, Problem> {
    let ledger = api.ledger();
    let policies = ledger.policies();
    let channels: Vec<&String> = policies
        .channels
        .keys()
        .filter(|(merchant, channel)| {
            *merchant == set.merchant && set.channel.as_ref().is_none_or(|only| only == channel)
        })
        .map(|(_, channel)| channel)
        .collect();
    let channel = match channels.as_slice() {
        [only] => (*only).clone(),
        [] => {
            return Err(Problem::not_found(format!(
                "the files name no channel {} of a merchant {:?}",
                set.channel.as_deref().unwrap_or("at all"),
                set.merchant
            )));
        }
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            return Err(Refused::invalid("channel", format!("name the channel: {}", names.join(", "))).into());
        }
    };
    let invalid = |why: String| Problem::from(Refused::invalid("product", why));
    let sku = check_name("sku", &set.sku).map_err(invalid)?.to_owned();
    if set.flag != Wanted::On && !set.parts.is_empty() {
        return Err(invalid("`parts` go with the flag `on` alone".to_owned()));
    }
    check_parts(&set.parts).map_err(invalid)?;
    let flag = match set.flag {
        Wanted::On => Some(Flagged::On((!set.parts.is_empty()).then(|| set.parts.clone()))),
        Wanted::Off => Some(Flagged::Off),
        Wanted::None => None,
    };
    let (merchant, at) = (set.merchant.clone(), ledger.clock().now());
    match flag {
        Some(flag) => {
            let flag = ProductFlag {
                schema: SCHEMA,
                merchant: merchant.clone(),
                channel: channel.clone(),
                sku: sku.clone(),
                flag,
                at,
            };
            ledger.set_flags(vec![flag], Vec::new()).await?;
        }
        None => {
            let unset = vec![(merchant.clone(), channel.clone(), sku.clone())];
            ledger.set_flags(Vec::new(), unset).await?;
        }
    }
    tracing::info!(
        event = "products.flagged",
        merchant,
        channel,
        sku,
        flag = ?set.flag,
        "an operator set the flag of a product"
    );
    let policy = ledger.policy(&merchant, &channel);
    let flags = ledger.flags_of(&merchant, &channel);
    let flag = flags.iter().find(|flag| flag.sku == sku);
    let listings = ledger.store().listings(&merchant, &channel).await?;
    let listing = listings.iter().find(|listing| listing.variant.sku.as_deref() == Some(sku.as_str()));
    let products = vec![product(&policy, Some(&sku), listing, flag)];
    Ok(Json(Products { products, lines: Vec::new() }))
}

fn check_parts(parts: &[Part]) -> Result<(), String> {
    if parts.len() > MOST_PARTS {
        return Err(format!("a kit of more than {MOST_PARTS} parts"));
    }
    let mut seen = BTreeSet::new();
    for part in parts {
        check_name("part", &part.sku)?;
        if part.per_unit == 0 || part.per_unit > MOST_OF_A_PART {
            return Err(format!("{}: 1 to {MOST_OF_A_PART} of it make a unit", part.sku));
        }
        if !seen.insert(&part.sku) {
            return Err(format!("{} is named twice: name it once, with the sum", part.sku));
        }
    }
    Ok(())
}
