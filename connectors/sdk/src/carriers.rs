//! The one table of carriers: canonical name, each channel's spelling, tracking link.

/// One carrier.
#[derive(Clone, Copy, Debug)]
pub struct Carrier {
    /// Our name, shown and stored.
    pub name: &'static str,
    /// Other ways suppliers write it, compared without case, blanks and punctuation.
    pub aliases: &'static [&'static str],
    /// Shopify's spelling, to the letter.
    pub shopify: Option<&'static str>,
    /// BigCommerce's spelling, to the letter.
    pub bigcommerce: Option<&'static str>,
    /// Tracking link with `{}` for the number.
    pub url: Option<&'static str>,
}

impl Carrier {
    /// Where a parcel with this number is followed, if the carrier has such a page.
    pub fn tracking_url(&self, number: &str) -> Option<String> {
        self.url.map(|url| url.replace("{}", number))
    }
}

/// All carriers.
pub const CARRIERS: &[Carrier] = &[];

/// The carrier that a supplier's word means, if the table has it.
pub fn lookup(word: &str) -> Option<&'static Carrier> {
    CARRIERS.iter().find(|carrier| carrier.name.eq_ignore_ascii_case(word))
}
