//! The connectors that are compiled in, one line each.

/// Every kind of channel that a merchant's file may name, by `connector = "…"`.
pub const CONNECTORS: &[&dyn sdk::Connector] = &[
    #[cfg(feature = "folder")]
    &folder::Folder,
    #[cfg(feature = "shopify")]
    &shopify::Shopify,
    #[cfg(feature = "bigcommerce")]
    &bigcommerce::BigCommerce,
];
