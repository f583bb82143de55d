//! The configuration: `portald.toml` and one file a merchant, typed and checked.
