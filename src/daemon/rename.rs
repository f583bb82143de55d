//! `merchants rename`: moves what the store binds to a merchant's id.

use std::sync::Arc;

use super::RenameHook;
use crate::store::{Changes, Query, Store};

/// The hook over a store.
pub fn over(store: Arc<dyn Store>) -> RenameHook {
    Box::new(move |old, new| {
        let store = store.clone();
        Box::pin(async move { rename(&*store, &old, &new).await })
    })
}

/// Moves the bindings, cursors, pauses, flags of products and holds of stock of `old` to `new`; what is known of its
/// catalogue and figures is read anew. Refused once orders were imported: their ids, the
/// supplier's papers and the keys of their writes carry the old one.
async fn rename(store: &dyn Store, old: &str, new: &str) -> Result<(), String> {
    let words = |error: crate::store::StoreError| error.to_string();
    if old == new {
        return Err(format!("`{old}` is its id already"));
    }
    let channels = store.channels().await.map_err(words)?;
    let of = |merchant: &str| -> Vec<_> {
        let states = channels.iter().filter(|((id, _), state)| id == merchant && !state.account.is_empty());
        states.map(|((_, channel), state)| (channel.clone(), state.clone())).collect()
    };
    let moving = of(old);
    if moving.is_empty() {
        return Err(format!("the store knows no channel of a merchant `{old}`"));
    }
    if !of(new).is_empty() {
        return Err(format!("the merchant `{new}` has channels of its own in the store"));
    }
    let query = Query { merchant: Some(old.to_owned()), limit: 1, ..Query::default() };
    if !store.list(query).await.map_err(words)?.records.is_empty() {
        return Err(format!(
            "orders of `{old}` were imported and carry its id: keep the id, and change the merchant's `name` instead"
        ));
    }
    let mut changes = Changes::default();
    // What a person decided stays: products that are not ours, and stock that waits for a release.
    for flag in store.flags().await.map_err(words)?.into_iter().filter(|flag| flag.merchant == old) {
        changes.stock.unflagged.push((old.to_owned(), flag.channel.clone(), flag.sku.clone()));
        changes.stock.flags.push(crate::stock::ProductFlag { merchant: new.to_owned(), ..flag });
    }
    for (channel, _) in &moving {
        let known = store.stock_state(old, channel).await.map_err(words)?.unwrap_or_default();
        if known.held || known.stopped.is_some() {
            let mut state = store.stock_state(new, channel).await.map_err(words)?.unwrap_or_default();
            state.held = true;
            changes.stock.states.push((new.to_owned(), channel.clone(), state));
        }
    }
    for (channel, state) in moving {
        let version = channels.get(&(new.to_owned(), channel.clone())).map_or(0, |known| known.version);
        changes.channels.push((
            new.to_owned(),
            channel.clone(),
            crate::store::ChannelState { version, ..state.clone() },
        ));
        // Nothing is deleted: without an account it binds nothing.
        let freed =
            crate::store::ChannelState { version: state.version, ..crate::store::ChannelState::default() };
        changes.channels.push((old.to_owned(), channel, freed));
    }
    store.commit(changes).await.map_err(words)
}
