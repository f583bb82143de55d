//! Rotated credentials, kept in the store.

use std::sync::Arc;

use sdk::{Error, ErrorKind, SecretString, async_trait};

use crate::store::{Changes, Store, StoreError};

/// One channel's rotated credentials.
pub struct Tokens {
    store: Arc<dyn Store>,
    merchant: String,
    channel: String,
}

impl Tokens {
    /// Those of this channel.
    pub fn new(store: Arc<dyn Store>, merchant: &str, channel: &str) -> Self {
        Self { store, merchant: merchant.to_owned(), channel: channel.to_owned() }
    }
}

/// Nothing was sent: again later.
fn unavailable(operation: &'static str) -> impl FnOnce(StoreError) -> Error {
    move |error| Error::new(ErrorKind::Unavailable, operation, "the store did not answer").with_source(error)
}

#[async_trait]
impl sdk::Tokens for Tokens {
    async fn load(&self) -> sdk::Result<Option<SecretString>> {
        self.store.tokens(&self.merchant, &self.channel).await.map_err(unavailable("load_token"))
    }

    async fn save(&self, value: SecretString) -> sdk::Result<()> {
        let tokens = vec![(self.merchant.clone(), self.channel.clone(), value)];
        self.store.commit(Changes { tokens, ..Changes::default() }).await.map_err(unavailable("save_token"))
    }
}
