//! A failure of the file system, as a channel's error.

use std::{io, path::Path};

use sdk::{Error, ErrorKind};

/// Nothing was applied, or what was applied may be done again.
pub(crate) fn unavailable(operation: &'static str, path: &Path, error: io::Error) -> Error {
    failed(ErrorKind::Unavailable, operation, path, error)
}

/// An error of this kind that names the path and the cause.
pub(crate) fn failed(kind: ErrorKind, operation: &'static str, path: &Path, error: io::Error) -> Error {
    Error::new(kind, operation, format!("{}: {error}", path.display())).with_source(error)
}
