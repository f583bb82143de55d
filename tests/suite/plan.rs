//! The core over random histories.
