//! Products: one channel's catalogue, every variant, read to its end and stored where it changed.

use std::collections::{BTreeMap, HashSet};

use sdk::{Error, ErrorKind, RemoteId, Variant};

use super::{Connection, Failure, Shared, Verdict, bounded};
use crate::{
    plan::stock::likeness::Likeness,
    record::Owner,
    stock::{Listing, SCHEMA},
    store::{Changes, StockChanges},
};

/// A catalogue of more pages than this is a connector that turns in circles.
const MAX_PAGES: usize = 20_000;
/// Variants written in one commit.
const BATCH: usize = 250;
/// So many SKUs are named in the log.
const NAMED: usize = 10;

/// What a look at a catalogue found.
#[derive(Debug, Default)]
struct Read {
    variants: usize,
    changed: usize,
    gone: usize,
    /// The merchant's SKUs that look like ours and are not.
    unflagged: Vec<String>,
}

/// Reads a channel's catalogue.
pub async fn run(shared: &Shared, connection: &Connection) -> Verdict {
    match refresh(shared, connection).await {
        Ok(()) => Verdict::well(),
        Err(failure) => {
            tracing::warn!(
                event = "products.failed",
                merchant = &*connection.key.merchant,
                channel = &*connection.key.channel,
                error = %failure,
                "a catalogue could not be read to its end; the last one stays in force"
            );
            super::stock::failed(shared, connection, failure).await
        }
    }
}

/// Reads the catalogue to its end. Variants that it no longer has leave the stored one only then.
pub(super) async fn refresh(shared: &Shared, connection: &Connection) -> Result<(), Failure> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let store = shared.ledger.store();
    let mut known: BTreeMap<RemoteId, Listing> = store
        .listings(merchant, channel)
        .await?
        .into_iter()
        .map(|listing| (listing.variant.id.clone(), listing))
        .collect();
    let policy = shared.ledger.policy(merchant, channel);
    let told = shared.ledger.stockroom().likeness().await?;
    let written = policy.catalogue.recipes().flat_map(|(_, parts)| parts).map(|part| &part.sku);
    let written = Likeness::of(written);
    let mut read = Read::default();
    let mut seen: HashSet<RemoteId> = HashSet::new();
    let mut marks = HashSet::new();
    let mut page: Option<String> = None;
    loop {
        if shared.draining.is_cancelled() {
            return Ok(());
        }
        let asked = connection.remote.products(page.as_deref());
        let sdk::VariantPage { variants, next } = bounded("products", ErrorKind::Unavailable, asked).await?;
        read.variants += variants.len();
        let mut changed = Vec::new();
        for variant in variants {
            if let Some(sku) = unflagged(&variant, &policy.catalogue, &[&told, &written]) {
                read.unflagged.push(sku);
            }
            seen.insert(variant.id.clone());
            if known.get(&variant.id).is_none_or(|known| known.variant != variant) {
                let first_seen = known
                    .get(&variant.id)
                    .map_or_else(|| shared.ledger.clock().now(), |known| known.first_seen);
                let listing = Listing { schema: SCHEMA, variant, first_seen };
                known.insert(listing.variant.id.clone(), listing.clone());
                changed.push((merchant.to_owned(), channel.to_owned(), listing));
            }
        }
        read.changed += changed.len();
        for batch in changed.chunks(BATCH) {
            let stock = StockChanges { listings: batch.to_vec(), ..StockChanges::default() };
            store.commit(Changes { stock, ..Changes::default() }).await?;
        }
        let Some(mark) = next else { break };
        if marks.len() >= MAX_PAGES || !marks.insert(sdk::clock::stable_hash(&mark)) {
            let message = "the pages of the catalogue do not end: a page's mark came again";
            return Err(Error::new(ErrorKind::Malformed, "products", message).into());
        }
        page = Some(mark);
    }
    let gone: Vec<_> = known
        .into_keys()
        .filter(|id| !seen.contains(id))
        .map(|id| (merchant.to_owned(), channel.to_owned(), id))
        .collect();
    read.gone = gone.len();
    for batch in gone.chunks(BATCH) {
        let stock = StockChanges { delisted: batch.to_vec(), ..StockChanges::default() };
        store.commit(Changes { stock, ..Changes::default() }).await?;
    }
    let now = shared.ledger.clock().now();
    let room = shared.ledger.stockroom();
    room.change_state(merchant, channel, Changes::default(), |state| state.catalogue_at = Some(now)).await?;
    tell(shared, connection, &read);
    Ok(())
}

/// A variant's SKU, where it looks like ours though no rule names it. One that a person flagged off is decided.
pub fn unflagged(
    variant: &Variant,
    catalogue: &crate::plan::routing::Catalogue,
    ours: &[&Likeness],
) -> Option<String> {
    use crate::record::NotOurs;
    let sku = variant.sku.as_deref()?;
    let open =
        matches!(catalogue.product(Some(sku)), Owner::Merchant(NotOurs::NoRule | NotOurs::Ambiguous(_)));
    (open && ours.iter().any(|ours| ours.has(sku))).then(|| sku.to_owned())
}

fn tell(shared: &Shared, connection: &Connection, read: &Read) {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let now = shared.ledger.clock().now();
    let found = read.unflagged.len() as u64;
    let mut news = false;
    shared.board.update(merchant, channel, |status| {
        news = status.unflagged != found;
        (status.last_products, status.unflagged) = (Some(now), found);
    });
    let labels = [("merchant", merchant.to_owned()), ("channel", channel.to_owned())];
    metrics::gauge!(crate::telemetry::metric::UNFLAGGED, &labels).set(found as f64);
    if news && found > 0 {
        let skus: Vec<&str> = read.unflagged.iter().take(NAMED).map(String::as_str).collect();
        tracing::warn!(
            event = "products.unflagged",
            merchant,
            channel,
            count = found,
            skus = skus.join(", "),
            "products look like the supplier's and are not auto-dropship: their orders are not routed"
        );
    }
    let Read { variants, changed, gone, .. } = *read;
    if changed + gone > 0 {
        tracing::info!(
            event = "products.read",
            merchant,
            channel,
            variants,
            changed,
            gone,
            "a catalogue was read"
        );
    } else {
        tracing::debug!(event = "products.read", merchant, channel, variants, "a catalogue is as it was");
    }
}
