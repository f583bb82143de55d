//! The store without its daemon.

use std::path::{Path, PathBuf};

use super::{Failure, client};
use crate::store::{StoreError, sled::SledStore};

/// Finds `[store] path` in a configuration, whatever else is in it.
pub fn store_of(config: &Path) -> Result<PathBuf, Failure> {
    client::path_of(config, "store", "path", "data", "name the configuration with --config")
}

/// Refuses a folder without a store: it would be made.
pub fn must_be_there(path: &Path) -> Result<(), Failure> {
    if SledStore::is_at(path) {
        return Ok(());
    }
    Err(Failure::Failed(format!("there is no store in {}, and no daemon runs", path.display())))
}

/// Why the store could not be opened, for a person.
pub fn failed(error: StoreError) -> Failure {
    Failure::Failed(match error {
        StoreError::InUse(path) => format!(
            "the store at {path} is in use, and no daemon answers on its socket: is another portald running, or one \
             that just starts?"
        ),
        error => error.to_string(),
    })
}
