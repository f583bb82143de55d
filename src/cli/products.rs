//! `portald products …`.

use clap::{ArgGroup, Subcommand};
use serde_json::json;

use super::{
    Failure,
    client::{Answer, Client, query},
    output::{self, Table},
};
use crate::{api::stock_document::Products, record::Part};

/// Verbs on the channels' products.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The products of the catalogues, with who fulfils them and why.
    List {
        /// Only this merchant's.
        #[arg(long)]
        merchant: Option<String>,
        /// Only what looks like ours and is not auto-dropship; and order lines that went by because of it.
        #[arg(long)]
        unflagged: bool,
    },
    /// Set a product's flag at run time: it goes before the merchant's file.
    #[command(group(ArgGroup::new("flag").required(true).args(["on", "off", "clear"])))]
    Set {
        /// The merchant's SKU, to the letter.
        sku: String,
        /// Merchant id.
        #[arg(long)]
        merchant: String,
        /// Channel id; the only one, without.
        #[arg(long)]
        channel: Option<String>,
        /// It is ours.
        #[arg(long)]
        on: bool,
        /// It is not ours, whatever the file says.
        #[arg(long)]
        off: bool,
        /// The file decides again.
        #[arg(long)]
        clear: bool,
        /// What one unit is made of: OUR-SKU=2, once a part. Without: the file's recipe, or the SKU itself.
        #[arg(long = "part", value_name = "SKU=UNITS", requires = "on", value_parser = recipe_part)]
        parts: Vec<Part>,
    },
}

fn recipe_part(text: &str) -> Result<Part, String> {
    let (sku, units) = text.rsplit_once('=').ok_or("write it as OUR-SKU=2")?;
    let per_unit =
        units.parse().ok().filter(|units| *units > 0).ok_or("the units are a whole number from 1")?;
    if sku.trim().is_empty() {
        return Err("the SKU is missing".to_owned());
    }
    Ok(Part { sku: sku.trim().to_owned(), per_unit })
}

/// Does one.
pub async fn run(client: &Client, verb: Verb) -> Result<(), Failure> {
    let answer = match verb {
        Verb::List { merchant, unflagged } => {
            let filter =
                query(&[("merchant", merchant), ("unflagged", unflagged.then(|| "true".to_owned()))]);
            client.get::<Products>(&format!("/v1/products{filter}")).await?
        }
        Verb::Set { sku, merchant, channel, on, off, clear: _, parts } => {
            let flag = match (on, off) {
                (true, _) => "on",
                (_, true) => "off",
                _ => "none",
            };
            let body = json!({
                "merchant": merchant, "channel": channel, "sku": sku, "flag": flag, "parts": parts,
            });
            client.put::<_, Products>("/v1/products", &body).await?
        }
    };
    let Answer { document, text, .. } = answer;
    if client.json {
        return Ok(output::say(&text)?);
    }
    let mut table = Table::new(&["MERCHANT", "CHANNEL", "SKU", "TITLE", "OURS", "BY", "AS", "FLAG", "STOCK"]);
    for product in document.products {
        let parts: Vec<String> =
            product.parts.iter().map(|part| format!("{} × {}", part.per_unit, part.sku)).collect();
        table.row([
            product.merchant,
            product.channel,
            product.sku.unwrap_or_default(),
            product.title,
            if product.auto_dropship { "yes" } else { "no" }.to_owned(),
            product.rule,
            parts.join(", "),
            product.flag.unwrap_or_default(),
            match (product.variant, product.writable) {
                (None, _) => "not in the catalogue".to_owned(),
                (Some(_), None) => String::new(),
                (Some(_), Some(why)) => why,
            },
        ]);
    }
    table.print("No products.")?;
    if !document.lines.is_empty() {
        output::say("")?;
        let mut lines = Table::new(&["MERCHANT", "CHANNEL", "SKU", "LINES", "UNITS", "LAST ORDER"]);
        for line in document.lines {
            lines.row([
                line.merchant,
                line.channel,
                line.sku,
                line.lines.to_string(),
                line.units.to_string(),
                line.order,
            ]);
        }
        lines.print("")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::recipe_part;

    #[test]
    fn a_part_is_a_sku_and_a_number() {
        let part = recipe_part("ACME=1001=2").unwrap();
        assert_eq!((part.sku.as_str(), part.per_unit), ("ACME=1001", 2));
        for wrong in ["ACME", "ACME=", "ACME=0", "=2", "ACME=-1", "ACME=x"] {
            assert!(recipe_part(wrong).is_err(), "{wrong}");
        }
    }
}
