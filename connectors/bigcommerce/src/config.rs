//! A BigCommerce channel's own keys in its `[[channel]]` table.

use std::{fmt, sync::Arc};

use sdk::{Channel, Configured, Context, ExposeSecret, SecretString, clock::stable_hash, settings::Section};

use crate::channel::BigCommerceChannel;

/// Where stores are, unless `base_url` says otherwise (`servers` of every contract file).
const BASE_URL: &str = "https://api.bigcommerce.com";

/// The inventory location that every store has.
const LOCATION: u32 = 1;

/// Orders of one page unless the file says otherwise. Each order that changed costs requests of its own, and a page
/// is stored whole: a small page makes progress that lasts, and pages are cheap.
const PAGE_SIZE: u32 = 50;

/// Most orders of one page (`limit` in `strict/orders.v2.strict.yml`).
const LARGEST_PAGE: u32 = 250;

/// A checked `[[channel]]` table.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) store_hash: String,
    pub(crate) access_token: SecretString,
    pub(crate) location: u32,
    /// Scheme, host and path prefix, without a slash at the end.
    pub(crate) base_url: String,
    pub(crate) page_size: u32,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("store_hash", &self.store_hash).finish_non_exhaustive()
    }
}

/// Reads the table; every problem goes to the section.
pub(crate) fn read(section: &mut Section<'_>) -> Option<Settings> {
    let store_hash = store_hash(section);
    let access_token = access_token(section);
    let location = number(section, "location", 1..=i64::from(u32::MAX), LOCATION);
    let base_url = base_url(section);
    // A page of one could never tell whether the bound of ids is inclusive.
    let page_size = number(section, "page_size", 2..=i64::from(LARGEST_PAGE), PAGE_SIZE);
    Some(Settings {
        store_hash: store_hash?,
        access_token: access_token?,
        location: location?,
        base_url: base_url?,
        page_size: page_size?,
    })
}

fn store_hash(section: &mut Section<'_>) -> Option<String> {
    const HINT: &str =
        "write store_hash = \"a1b2c3d4e5\", as in the API path https://api.bigcommerce.com/stores/a1b2c3d4e5";
    let hash = section.required_string("store_hash", HINT)?.trim().to_ascii_lowercase();
    if !hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message =
            format!("`{}` must be the store's hash alone, not {hash:?}", section.name("store_hash"));
        section.problem_at("store_hash", message, Some(HINT));
        return None;
    }
    Some(hash)
}

fn access_token(section: &mut Section<'_>) -> Option<SecretString> {
    if !section.has("access_token") {
        section.take("access_token");
        let message = format!("`{}` is missing", section.name("access_token"));
        let hint =
            "write access_token = { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" }";
        section.problem(section.span(), message, Some(hint.to_owned()));
        return None;
    }
    section.secret("access_token")
}

fn number(
    section: &mut Section<'_>,
    key: &str,
    bounds: std::ops::RangeInclusive<i64>,
    default: u32,
) -> Option<u32> {
    if !section.has(key) {
        section.take(key);
        return Some(default);
    }
    section.integer(key, bounds).and_then(|number| u32::try_from(number).ok())
}

fn base_url(section: &mut Section<'_>) -> Option<String> {
    if !section.has("base_url") {
        section.take("base_url");
        return Some(BASE_URL.to_owned());
    }
    let text = section.string("base_url")?;
    let url = text.trim_end_matches('/');
    let good = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    if !good {
        let message =
            format!("`{}` must be an http or https address, not {text:?}", section.name("base_url"));
        section.problem_at("base_url", message, Some("write base_url = \"http://127.0.0.1:9000/x\""));
        return None;
    }
    Some(url.to_owned())
}

impl Configured for Settings {
    fn account(&self) -> String {
        format!("bigcommerce:{}", self.store_hash)
    }

    fn fingerprint(&self) -> u64 {
        stable_hash(&format!(
            "{}\0{}\0{}\0{}\0{}",
            self.store_hash,
            self.access_token.expose_secret(),
            self.location,
            self.base_url,
            self.page_size
        ))
    }

    fn connect(&self, context: Context) -> Arc<dyn Channel> {
        Arc::new(BigCommerceChannel::new(self, context))
    }
}
