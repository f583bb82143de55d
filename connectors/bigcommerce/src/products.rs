//! The catalogue: every variant, with what may be done to its stock.
//!
//! `GET /v3/catalog/variants` lists all variants and can be neither sorted nor begun after an id: page numbers alone, which
//! shift. Products can (`sort=id`, `id:greater`), and are asked for anyway: how stock is tracked is theirs to say. So a
//! page is the products after an id, and then their variants. Nothing that stays in the catalogue is left out or comes
//! twice, whatever is added or removed meanwhile.
//!
//! The catalogue does not know bundles: a product that is sold out of others' stock looks like any other.

use std::collections::BTreeMap;

use sdk::{ErrorKind, Priority, RemoteId, Result, Variant, VariantPage, Writable};

use crate::{
    items::Item,
    lists::{self, Entry, Of},
    rest::{self, Ask, Rest},
    wire::{CatalogProduct, CatalogVariant, List},
};

/// Products of one page (`LimitParam` of `products_catalog.v3.yml`: at most 250), and variants of one answer: for them no
/// bound is written down.
const PAGE: usize = 250;

/// The products after `page`, which is the last id of the page before.
pub(crate) async fn page(rest: &Rest, page: Option<&str>) -> Result<VariantPage> {
    let ask = Ask::read("products", Priority::Pull);
    let after = page.map_or(Ok(0), |mark| rest::id(ask.name, &mark.into()))?;
    let path = format!(
        "/v3/catalog/products?include_fields=name,inventory_tracking&sort=id&direction=asc&id:greater={after}&limit={PAGE}"
    );
    let answer = rest.get(ask, &path).await?;
    let list: List<CatalogProduct> =
        rest::read(answer.body()).map_err(|why| ask.error(ErrorKind::Malformed, why))?;
    let mut last = after;
    for product in &list.data {
        // The next page begins after the last: without their order products would be left out.
        if product.id <= last {
            return Err(
                ask.error(ErrorKind::Malformed, "the products are not in the order that was asked for")
            );
        }
        last = product.id;
    }
    let total = list.meta.and_then(|meta| meta.pagination).and_then(|pagination| pagination.total);
    let end = list.data.is_empty() || total.is_some_and(|total| total <= list.data.len() as u64);
    let variants = variants(rest, &list.data).await?;
    Ok(VariantPage { variants, next: (!end).then(|| last.to_string()) })
}

impl Entry for CatalogVariant {
    fn of(&self, _: &Of<'_>) -> Option<u64> {
        Some(self.product_id)
    }

    fn key(&self) -> (u64, u64) {
        (self.product_id, self.id)
    }
}

/// All variants of these products, in the order of their ids.
async fn variants(rest: &Rest, products: &[CatalogProduct]) -> Result<Vec<Variant>> {
    let question = Of {
        ask: Ask::read("variants", Priority::Pull),
        path: "/v3/catalog/variants?include_fields=product_id,sku,option_values",
        filter: "product_id:in",
        page: PAGE,
    };
    let ids: Vec<u64> = products.iter().map(|product| product.id).collect();
    let mut found: Vec<CatalogVariant> = lists::of(rest, &question, &ids).await?;
    found.sort_by_key(Entry::key);
    if found.windows(2).any(|pair| pair[0].key() == pair[1].key()) {
        return Err(question.ask.error(ErrorKind::Malformed, "a variant comes twice in one answer"));
    }
    let mut siblings: BTreeMap<u64, usize> = BTreeMap::new();
    for variant in &found {
        *siblings.entry(variant.product_id).or_default() += 1;
    }
    let products: BTreeMap<u64, &CatalogProduct> =
        products.iter().map(|product| (product.id, product)).collect();
    let made = found.into_iter().filter_map(|variant| {
        let product = products.get(&variant.product_id)?;
        let sole = siblings.get(&variant.product_id) == Some(&1);
        Some(picture(product, variant, sole))
    });
    Ok(made.collect())
}

/// A variant as portald knows it. `sole`: its product has no other.
fn picture(product: &CatalogProduct, variant: CatalogVariant, sole: bool) -> Variant {
    let (item, writable) = match product.inventory_tracking.as_deref() {
        Some("variant") => (Item::Variant(variant.id), Writable::Yes),
        Some("product") if sole => (Item::Product(product.id), Writable::Yes),
        Some("product") => {
            let why = "its stock is tracked for the product as a whole, which has several variants";
            (Item::Variant(variant.id), Writable::No(why.to_owned()))
        }
        Some("none") => {
            (Item::Variant(variant.id), Writable::No("its stock is not tracked in the shop".to_owned()))
        }
        Some(word) => {
            let why = format!("how its stock is tracked is not known here: {word:?}");
            (Item::Variant(variant.id), Writable::No(why))
        }
        None => {
            let why = "the shop does not tell how its stock is tracked".to_owned();
            (Item::Variant(variant.id), Writable::No(why))
        }
    };
    let labels: Vec<&str> =
        variant.option_values.iter().flatten().filter_map(|value| value.label.as_deref()).collect();
    let name = product.name.as_deref().unwrap_or_default();
    let title = if labels.is_empty() { name.to_owned() } else { format!("{name} ({})", labels.join(", ")) };
    Variant {
        id: RemoteId(variant.id.to_string()),
        item: item.id(),
        sku: variant.sku.filter(|sku| !sku.is_empty()),
        title,
        writable,
        // A variant has no stamp of its own, and its product's moves with much that is no change here.
        updated_at: None,
    }
}
