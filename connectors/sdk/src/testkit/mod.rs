//! Parts that the fakes of all connectors share.

pub mod memory_files;
