//! Rotated credentials, kept in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, ErrorKind, ExposeSecret, Result, SecretString, Tokens, async_trait};

/// Keeps every saved value, so that a test can see the order of saves, and can refuse to save.
#[derive(Debug, Default)]
pub struct MemoryTokens(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    saved: Vec<String>,
    refuse: bool,
}

impl MemoryTokens {
    /// Tokens that hold `value` from an earlier run.
    pub fn holding(value: impl Into<String>) -> Self {
        Self(Mutex::new(Kept { saved: vec![value.into()], refuse: false }))
    }

    /// All that was ever saved, oldest first.
    pub fn saved(&self) -> Vec<String> {
        self.lock().saved.clone()
    }

    /// Whether saving fails from now on.
    pub fn refuse_saves(&self, refuse: bool) {
        self.lock().refuse = refuse;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tokens for MemoryTokens {
    async fn load(&self) -> Result<Option<SecretString>> {
        Ok(self.lock().saved.last().cloned().map(SecretString::from))
    }

    async fn save(&self, value: SecretString) -> Result<()> {
        let mut kept = self.lock();
        if kept.refuse {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "tokens.save",
                "the store refuses, as the test asked",
            ));
        }
        kept.saved.push(value.expose_secret().to_owned());
        Ok(())
    }
}
