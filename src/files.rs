//! The one place that touches a folder channel's files.
