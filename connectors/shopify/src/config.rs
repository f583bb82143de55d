//! A Shopify channel's own keys in its `[[channel]]` table.

use std::{fmt, sync::Arc};

use chrono::{Datelike, NaiveDate};
use sdk::{
    Capabilities, Channel, Configured, Context, ExposeSecret, Timestamp, clock::stable_hash,
    settings::Section,
};

use crate::{auth::Credentials, channel::ShopifyChannel};

/// The version that is spoken unless the file names another.
pub(crate) const API_VERSION: &str = "2026-10";

/// Shopify keeps a version for at least this long
/// (<https://shopify.dev/docs/api/usage/versioning#release-schedule>).
const VERSION_LIVES_MONTHS: u32 = 12;

/// A warning comes this many days before that.
const WARN_DAYS: i64 = 60;

/// Most orders of one page (<https://shopify.dev/docs/api/usage/pagination-graphql>).
pub(crate) const LARGEST_PAGE: u32 = 250;

/// A checked `[[channel]]` table.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) shop: String,
    pub(crate) credentials: Credentials,
    pub(crate) location: Option<String>,
    pub(crate) api_version: String,
    /// Scheme, host and path prefix, without a slash at the end.
    pub(crate) base_url: String,
    pub(crate) mirror_splits: bool,
    pub(crate) page_size: Option<u32>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// Reads the table; every problem goes to the section.
pub(crate) fn read(section: &mut Section<'_>) -> Option<Settings> {
    let shop = shop(section);
    let credentials = credentials(section);
    let location = location(section);
    let api_version = version(section);
    let base_url = base_url(section);
    let mirror_splits = if section.has("mirror_splits") {
        section.bool("mirror_splits")
    } else {
        section.take("mirror_splits");
        Some(false)
    };
    let page_size = if section.has("page_size") {
        section.integer("page_size", 1..=i64::from(LARGEST_PAGE)).map(|size| Some(size as u32))
    } else {
        section.take("page_size");
        Some(None)
    };
    let shop = shop?;
    let base_url = base_url?.unwrap_or_else(|| format!("https://{shop}"));
    Some(Settings {
        credentials: credentials?,
        location: location?,
        api_version: api_version?,
        base_url,
        mirror_splits: mirror_splits?,
        page_size: page_size?,
        shop,
    })
}

fn shop(section: &mut Section<'_>) -> Option<String> {
    const HINT: &str = "write shop = \"bluefin.myshopify.com\"";
    let shop = section.required_string("shop", HINT)?.trim().to_ascii_lowercase();
    let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !shop.contains('.') || !shop.chars().all(host) {
        let message = format!("`{}` must be the shop's host name, not {shop:?}", section.name("shop"));
        section.problem_at("shop", message, Some(HINT));
        return None;
    }
    Some(shop)
}

fn credentials(section: &mut Section<'_>) -> Option<Credentials> {
    const HINT: &str =
        "give access_token, or client_id and client_secret (and refresh_token for expiring tokens)";
    let lasting = section.has("access_token");
    let app = ["client_id", "client_secret", "refresh_token"].iter().any(|key| section.has(key));
    let token = section.secret("access_token");
    let id = section.string("client_id");
    let secret = section.secret("client_secret");
    let refresh = section.secret("refresh_token");
    if lasting && app {
        let message = format!(
            "`{}` and an app's credentials (client_id, client_secret, refresh_token) exclude each other",
            section.name("access_token")
        );
        section.problem_at("access_token", message, Some(HINT));
        return None;
    }
    if lasting {
        return token.map(Credentials::Lasting);
    }
    if !app {
        let message = "no credentials for the shop".to_owned();
        section.problem(section.span(), message, Some(HINT.to_owned()));
        return None;
    }
    for key in ["client_id", "client_secret"] {
        if !section.has(key) {
            let message = format!("`{}` is missing", section.name(key));
            section.problem(section.span(), message, Some(HINT.to_owned()));
        }
    }
    let rotating = section.has("refresh_token");
    match (id?, secret?, refresh) {
        (id, secret, None) if !rotating => Some(Credentials::Grant { id, secret }),
        (id, secret, Some(seed)) => Some(Credentials::Rotating { id, secret, seed }),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "no key, a wrong key and a good one are three things")]
fn location(section: &mut Section<'_>) -> Option<Option<String>> {
    if !section.has("location") {
        section.take("location");
        return Some(None);
    }
    let location = section.string("location")?;
    let number = location.strip_prefix("gid://shopify/Location/").unwrap_or(&location);
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("`{}` must be a location's number, not {location:?}", section.name("location"));
        section.problem_at("location", message, Some("write location = \"655441491\""));
        return None;
    }
    Some(Some(number.to_owned()))
}

fn version(section: &mut Section<'_>) -> Option<String> {
    if !section.has("api_version") {
        section.take("api_version");
        return Some(API_VERSION.to_owned());
    }
    let version = section.string("api_version")?;
    if version_date(&version).is_none() {
        let message =
            format!("`{}` is no version of the Admin API: {version:?}", section.name("api_version"));
        section.problem_at("api_version", message, Some("write api_version = \"2026-10\""));
        return None;
    }
    Some(version)
}

#[expect(clippy::option_option, reason = "no key, a wrong key and a good one are three things")]
fn base_url(section: &mut Section<'_>) -> Option<Option<String>> {
    if !section.has("base_url") {
        section.take("base_url");
        return Some(None);
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
    Some(Some(url.to_owned()))
}

/// The first day of a quarterly version such as `2026-10`.
fn version_date(version: &str) -> Option<NaiveDate> {
    let (year, month) = version.split_once('-')?;
    if year.len() != 4 || !matches!(month, "01" | "04" | "07" | "10") {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

/// What to say of a version's age, if anything.
pub(crate) fn version_warning(version: &str, now: Timestamp) -> Option<String> {
    let ends = version_date(version)?.checked_add_months(chrono::Months::new(VERSION_LIVES_MONTHS))?;
    let left = (ends - now.date_naive()).num_days();
    let until = format!("{}-{:02}-{:02}", ends.year(), ends.month(), ends.day());
    if left <= 0 {
        return Some(format!(
            "Admin API {version} is only kept until {until}: the shop may answer with another version; \
             set `api_version` to a newer one"
        ));
    }
    (left <= WARN_DAYS).then(|| {
        format!(
            "Admin API {version} is only kept until {until}, in {left} days: set `api_version` to a newer one"
        )
    })
}

impl Configured for Settings {
    fn account(&self) -> String {
        format!("shopify:{}", self.shop)
    }

    fn fingerprint(&self) -> u64 {
        let secrets = match &self.credentials {
            Credentials::Lasting(token) => format!("1\0{}", token.expose_secret()),
            Credentials::Grant { id, secret } => format!("2\0{id}\0{}", secret.expose_secret()),
            Credentials::Rotating { id, secret, seed } => {
                format!("3\0{id}\0{}\0{}", secret.expose_secret(), seed.expose_secret())
            }
        };
        stable_hash(&format!(
            "{}\0{secrets}\0{:?}\0{}\0{}\0{}\0{:?}",
            self.shop, self.location, self.api_version, self.base_url, self.mirror_splits, self.page_size
        ))
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        version_warning(&self.api_version, now).into_iter().collect()
    }

    fn stock_gap(&self) -> Option<String> {
        let gap = || "no location is named: write location = \"655441491\"".to_owned();
        self.location.is_none().then(gap)
    }

    fn connect(&self, context: Context) -> Arc<dyn Channel> {
        Arc::new(ShopifyChannel::new(self.clone(), context))
    }
}

impl Settings {
    /// What this channel can tell and take.
    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities { split_mirror: self.mirror_splits, ..crate::CAPABILITIES }
    }
}
