//! The catalogue: every variant, and whether its stock can be written.
//!
//! * A variant's stock is that of its *inventory item*; an item has figures at each location where it is stocked. Only
//!   the location that the settings name is ever asked about.
//! * What cannot be written is said per variant: a bundle's parent (`requiresComponents`: the mutation would answer
//!   `NON_MUTABLE_INVENTORY_ITEM`, **[schema]**), an item that is not tracked, one that is not stocked there.
//!   **[recorded]** (`inventory-inactive-level-lifecycle-2026-04.json`) where stocking was turned off, the level stays
//!   with its old figures and is shown only on demand, `isActive: false`.
//! * **Price**, by the rule that fits the recorded ones: 46 points for a page of 250. So a page is as large as can be.
//! * Pages follow their cursor (sorted by id, which does not change). No question pages past 25,000 objects
//!   (<https://shopify.dev/docs/api/usage/pagination-graphql>): before that it is asked anew for ids after the last.

use bytes::Bytes;
use http::Response;
use sdk::{Error, ErrorKind, Priority, Result, VariantPage, Writable};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    cancellations::tail,
    config::LARGEST_PAGE,
    error::{TooCostly, has},
    inventory::{lacks_scope, location_gid, whole_answer},
    page_size::PageSize,
    picture,
    wire::{
        Connection, Item, PageInfo, Variant, VariantsData,
        documents::{VARIANTS, VARIANTS_ALONE},
    },
};

/// Points of one variant of a page of 250, in thousandths, until an answer tells.
const GUESSED_PRICE: u32 = 184;

/// Objects of one question, after which the next is anchored at the last id.
const MOST_OBJECTS: u32 = 20_000;

/// The title of the only variant of a product that has no options (recorded everywhere).
const NO_OPTIONS: &str = "Default Title";

/// The page size of variants.
pub(crate) fn page_size() -> PageSize {
    PageSize::new(LARGEST_PAGE, LARGEST_PAGE, GUESSED_PRICE)
}

/// Where the list stands between two pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Ids after this one.
    after: Option<u64>,
    /// Objects of this question so far.
    seen: u32,
    cursor: Option<String>,
}

impl Mark {
    fn write(&self) -> String {
        let after = self.after.map(|id| id.to_string()).unwrap_or_default();
        format!("{after}|{}|{}", self.seen, self.cursor.as_deref().unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '|');
        let (after, seen, cursor) = (parts.next()?, parts.next()?, parts.next()?);
        let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
        let cursor = (!cursor.is_empty()).then(|| cursor.to_owned());
        Some(Self { after, seen: seen.parse().ok()?, cursor })
    }

    /// The mark of the next page, if there is one.
    fn next(self, ask: Ask, found: &Connection<Variant<'_>>) -> Result<Option<Self>> {
        let PageInfo { has_next_page, end_cursor } = &found.page_info;
        if !has_next_page {
            return Ok(None);
        }
        let stuck = || Error::new(ErrorKind::Malformed, ask.name(), "the shop's pages do not go on");
        let seen = self.seen.saturating_add(u32::try_from(found.nodes.len()).unwrap_or(LARGEST_PAGE));
        if seen >= MOST_OBJECTS {
            let last = found.nodes.last().and_then(|variant| tail(&variant.id).parse().ok());
            let last = last.filter(|last| self.after.is_none_or(|after| *last > after)).ok_or_else(stuck)?;
            return Ok(Some(Self { after: Some(last), seen: 0, cursor: None }));
        }
        let cursor = end_cursor.clone().filter(|cursor| self.cursor.as_ref() != Some(cursor));
        Ok(Some(Self { after: self.after, seen, cursor: Some(cursor.ok_or_else(stuck)?) }))
    }
}

/// One page of the catalogue.
pub(crate) async fn page(
    admin: &Admin,
    size: &PageSize,
    location: Option<&str>,
    page: Option<&str>,
) -> Result<VariantPage> {
    let mark = match page {
        None => Mark::default(),
        Some(page) => Mark::read(page).ok_or_else(|| {
            Error::new(ErrorKind::Rejected, VARIANTS.name, "the mark of the next page is not one of ours")
        })?,
    };
    let (ask, first, response) = ask_page(admin, size, location, &mark).await.map_err(lacks_scope)?;
    let decoded = admin.decode::<VariantsData<'_>>(ask, response.body()).map_err(lacks_scope)?;
    // A level that could not be read must not pass for one that is not there.
    whole_answer(ask, &decoded.errors)?;
    let Some(found) = decoded.data.product_variants else {
        return Err(Error::new(ErrorKind::Malformed, ask.name(), "the answer has no variants"));
    };
    if let Some(cost) = &decoded.cost {
        size.learn(first, cost);
    }
    let variants = found.nodes.iter().map(|variant| read(variant, location)).collect::<Result<_, String>>();
    let variants = variants.map_err(|why| Error::new(ErrorKind::Malformed, ask.name(), why))?;
    let next = mark.next(ask, &found)?.map(|mark| mark.write());
    Ok(VariantPage { variants, next })
}

/// Asks, with smaller pages while they are too dear: also the size that was answered.
async fn ask_page(
    admin: &Admin,
    size: &PageSize,
    location: Option<&str>,
    mark: &Mark,
) -> Result<(Ask, u32, Response<Bytes>)> {
    let document = if location.is_some() { VARIANTS } else { VARIANTS_ALONE };
    loop {
        let first = size.get();
        let ask = Ask::read(document, Priority::Pull, size.points());
        let mut variables = json!({
            "first": first,
            "after": mark.cursor,
            "query": mark.after.map(|id| format!("id:>{id}")),
        });
        if let Some(location) = location {
            variables["location"] = json!(location_gid(location));
        }
        match admin.send(ask, &variables).await {
            Ok(response) => return Ok((ask, first, response)),
            Err(error) if has::<TooCostly>(&error) && size.shrink(first) => {}
            Err(error) => return Err(error),
        }
    }
}

fn read(variant: &Variant<'_>, location: Option<&str>) -> Result<sdk::Variant, String> {
    let title = match &*variant.title {
        NO_OPTIONS | "" => variant.product.title.to_string(),
        options => format!("{} - {options}", &*variant.product.title),
    };
    let sku = variant.sku.as_ref().filter(|sku| !sku.trim().is_empty()).map(|sku| sku.to_string());
    Ok(sdk::Variant {
        id: picture::number(&variant.id)?,
        item: picture::number(&variant.inventory_item.id)?,
        sku,
        title,
        writable: writable(variant.requires_components, &variant.inventory_item, location),
        updated_at: picture::time("updatedAt", &variant.updated_at).ok(),
    })
}

fn writable(bundle: bool, item: &Item<'_>, location: Option<&str>) -> Writable {
    let Some(location) = location else {
        return Writable::No("the channel's settings name no `location`".to_owned());
    };
    let why = match &item.inventory_level {
        _ if bundle => "it is a bundle: its stock is that of its parts".to_owned(),
        _ if !item.tracked => "the shop does not track its stock".to_owned(),
        None => format!("it is not stocked at the location {location}"),
        Some(level) if !level.is_active => format!("it is no longer stocked at the location {location}"),
        Some(_) => return Writable::Yes,
    };
    Writable::No(why)
}
