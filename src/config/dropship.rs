//! `[dropship]`: which of a merchant's products are ours, and what they are made of.

use std::collections::BTreeMap;

use sdk::settings::Section;
use toml::de::DeValue;

use crate::{
    plan::routing::{Recipe, parse_glob},
    record::Part,
};

/// `[dropship]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropship {
    /// Globs of merchant SKUs.
    pub skus: Vec<String>,
    /// Merchant SKU → what it is made of.
    pub map: BTreeMap<String, Recipe>,
}

/// Reads the table.
pub(super) fn read(section: &mut Section<'_>) -> Dropship {
    let mut skus = Vec::new();
    for pattern in section.strings("skus").unwrap_or_default() {
        let span = pattern.span();
        let text = pattern.into_inner();
        if let Err(why) = check_sku(&text) {
            section.problem(span, format!("a SKU of `dropship.skus` {why}"), None);
        } else if let Err(why) = parse_glob(&text) {
            let hint =
                "* any letters, ? one, [ab] one of these, {a,b} either; \\ takes a sign as itself".to_owned();
            section.problem(span, why, hint);
        } else {
            skus.push(text);
        }
    }
    let map = section.section("map", read_map).unwrap_or_default();
    Dropship { skus, map }
}

fn read_map(section: &mut Section<'_>) -> BTreeMap<String, Recipe> {
    const SHAPE: &str =
        "\"BF-1001\" = \"ACME-1001\", or for a kit \"BF-KIT\" = [{ sku = \"ACME-1001\", quantity = 2 }]";
    let mut map = BTreeMap::new();
    for (key, span) in section.keys() {
        if let Err(why) = check_sku(&key) {
            section.problem(span, format!("a SKU of `dropship.map` {why}"), SHAPE.to_owned());
        }
        let Some(value) = section.take(&key) else { continue };
        let recipe = match value.get_ref() {
            DeValue::String(sku) => match check_sku(sku) {
                Ok(()) => vec![Part { sku: sku.to_string(), per_unit: 1 }],
                Err(why) => {
                    section.problem(value.span(), format!("our SKU for `{key}` {why}"), SHAPE.to_owned());
                    continue;
                }
            },
            DeValue::Array(parts) => {
                if parts.is_empty() {
                    section.problem(value.span(), format!("the kit `{key}` is empty"), SHAPE.to_owned());
                }
                read_kit(section, &key)
            }
            _ => {
                let message = format!("`{}` must be our SKU or a kit", section.name(&key));
                section.problem(value.span(), message, SHAPE.to_owned());
                continue;
            }
        };
        map.insert(key, recipe);
    }
    map
}

fn read_kit(section: &mut Section<'_>, key: &str) -> Recipe {
    let mut recipe: Recipe = Vec::new();
    let parts = section.sections(key, |part| {
        let sku = part.required_string("sku", "{ sku = \"ACME-1001\", quantity = 2 }");
        let quantity = if part.has("quantity") {
            part.integer("quantity", 1..=10_000)
        } else {
            part.take("quantity");
            Some(1)
        };
        if let Some(Err(why)) = sku.as_deref().map(check_sku) {
            part.problem_at("sku", format!("our SKU {why}"), None);
        }
        (sku, quantity, part.span())
    });
    for (sku, quantity, span) in parts {
        let (Some(sku), Some(quantity)) = (sku, quantity) else { continue };
        if recipe.iter().any(|part| part.sku == sku) {
            let message = format!("the kit `{key}` names `{sku}` twice");
            section.problem(span, message, "name it once, with the sum as its quantity".to_owned());
            continue;
        }
        recipe.push(Part { sku, per_unit: quantity.unsigned_abs() as u32 });
    }
    recipe
}

fn check_sku(sku: &str) -> Result<(), &'static str> {
    if sku.trim().is_empty() {
        Err("is empty")
    } else if sku.trim() != sku {
        Err("has blanks around it")
    } else if sku.chars().any(char::is_control) {
        Err("holds control characters")
    } else {
        Ok(())
    }
}
