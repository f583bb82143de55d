//! What stock calls name.
//!
//! "All product variants whose inventories are tracked by variant are inventory items", named by `variant_id`; "if a
//! product has no variants, use `product_id`" (`inventory.v3.yml`, Items). The store refuses the one where the other is
//! meant ("Item with variant_id 106 is tracked by product, please update stock by product id"), so an item's id says
//! which it is: `78` is a variant, `product:111` a product. SKUs are never sent: two variants may have the same.

use std::fmt;

use sdk::{Error, ErrorKind, RemoteId, Result};

use crate::rest;

/// Before a product's id.
const PRODUCT: &str = "product:";

/// One item of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// Tracked for itself.
    Variant(u64),
    /// A product's stock, its only variant's.
    Product(u64),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variant(id) => write!(f, "{id}"),
            Self::Product(id) => write!(f, "{PRODUCT}{id}"),
        }
    }
}

impl Item {
    /// As [`sdk::Variant::item`] has it.
    pub(crate) fn id(self) -> RemoteId {
        RemoteId(self.to_string())
    }

    /// Back from there.
    pub(crate) fn of(operation: &'static str, id: &RemoteId) -> Result<Self> {
        let item = match id.as_str().strip_prefix(PRODUCT) {
            Some(product) => Self::Product(rest::id(operation, &product.into())?),
            None => Self::Variant(rest::id(operation, id)?),
        };
        if matches!(item, Self::Variant(0) | Self::Product(0)) {
            return Err(Error::new(ErrorKind::Rejected, operation, "0 is no item of this store"));
        }
        Ok(item)
    }

    /// The items that a refusal names: `variant_id 106`, `product_id 113`. Numbers alone may be anything, a location's
    /// too, and name nothing.
    pub(crate) fn named(texts: &[String]) -> Vec<Self> {
        let mut items = Vec::new();
        for text in texts {
            for (word, item) in [
                ("variant_id", Self::Variant as fn(u64) -> Self),
                ("product_id", Self::Product as fn(u64) -> Self),
            ] {
                items.extend(text.split(word).skip(1).filter_map(number).map(item));
            }
        }
        items
    }
}

/// The number that a text begins with.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', ':', '=', '"', '#']);
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let whole = !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    digits.parse().ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_what_its_id_says_and_nothing_else() {
        for item in [Item::Variant(78), Item::Product(111)] {
            assert_eq!(Item::of("test", &item.id()).unwrap(), item);
        }
        for bad in
            ["", "0", "078", "+78", "7.0", "product:", "product:0", "product:x", "Product:1", "sku:A", "78 "]
        {
            assert_eq!(Item::of("test", &bad.into()).unwrap_err().kind, ErrorKind::Rejected, "{bad}");
        }
    }

    #[test]
    fn a_refusal_names_items_by_word_and_number() {
        use Item::{Product, Variant};
        for (text, named) in [
            (
                "[Item with variant_id 106 is tracked by product, please update stock by product id]",
                vec![Variant(106)],
            ),
            ("Items with identity: [product_id 113] requires absolute adjustment", vec![Product(113)]),
            (
                "[variant_id 1, product_id 2, variant_id: 3, variant_id=4]",
                vec![Variant(1), Variant(3), Variant(4), Product(2)],
            ),
            ("Location not found, identities: [3,2]", vec![]),
            ("Items with identity: [sku 106] …", vec![]),
            ("variant_id", vec![]),
            ("variant_id 10x, product_id x10, variant_id 99999999999999999999999", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(Item::named(&[text.to_owned()]), named, "{text}");
        }
    }
}
