//! An ordered space of keys and values: all that the questions and the writer need of a store.

use super::StoreError;

/// Reads of one key space.
pub(super) trait Space {
    /// A key or a value as the space hands it out.
    type Bytes: AsRef<[u8]>;

    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Self::Bytes>, StoreError>;

    /// The keys that begin with `prefix`, in order, after `after` where it is given.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(Self::Bytes, Self::Bytes), StoreError>>;

    /// The last key that begins with `prefix`.
    fn last(&self, prefix: &[u8]) -> Result<Option<Self::Bytes>, StoreError>;
}

/// What one batch does to the space: a value to put, or a key to take away.
pub(super) type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;
