//! portald.
