//! What an answer's status and headers mean, for connectors' `classify`.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, Response, StatusCode, header};

use crate::{Error, ErrorKind, Result, Timestamp};

/// The most characters of an answer that an error shows.
const EXCERPT: usize = 200;

/// How long `Retry-After` asks to wait, in seconds (whole or not) or as a date seen from `now`, which had better
/// be the server's own ([`server_time`]). A date in the past is no wait at all; what cannot be read is `None`.
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>)
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    seconds(headers).or_else(|| {
        let until = date(headers, header::RETRY_AFTER)?;
        Some((until - now).to_std().unwrap_or_default())
    })
}

/// The server's own time, from `Date`. (<https://www.rfc-editor.org/rfc/rfc9110#field.date>)
pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    date(headers, header::DATE)
}

/// What a status alone says: 2xx is `Ok`; 401 and 403 `Unauthorized`; 404 `NotFound`; 408, 425 and 5xx
/// `Unavailable`; 429 `RateLimited`; other 4xx `Rejected`; anything else `Malformed`. A wait that the answer asks
/// for is in the error.
pub fn classify_status(operation: &'static str, response: &Response<Bytes>) -> Result<()> {
    let status = response.status();
    let kind = match status.as_u16() {
        200..=299 => return Ok(()),
        300..=399 => return Err(redirected(operation, response)),
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::NotFound,
        408 | 425 | 500..=599 => ErrorKind::Unavailable,
        429 => ErrorKind::RateLimited,
        400..=499 => ErrorKind::Rejected,
        _ => ErrorKind::Malformed,
    };
    let headers = response.headers();
    // A date means nothing without the server's own time beside it.
    let wait = seconds(headers).or_else(|| retry_after(headers, server_time(headers)?));
    let message = match excerpt(response.body()) {
        text if text.is_empty() => format!("the remote answered {}", name(status)),
        text => format!("the remote answered {}: {text}", name(status)),
    };
    Err(Error::new(kind, operation, message).after(wait))
}

/// A short, one-line, printable piece of an error's body, for messages: an HTML page only by its title, words
/// that hold an `@` left out. Not for bodies of a success, which may hold customers' data.
pub fn excerpt(body: &[u8]) -> String {
    // Enough to find a title in; the rest is not even looked at.
    let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    let lower = text.to_ascii_lowercase();
    let start = lower.trim_start();
    let text = if start.starts_with("<!doctype html") || start.starts_with("<html") {
        title(&text, &lower)
            .map_or_else(|| "an HTML page".to_owned(), |title| format!("an HTML page: {title}"))
    } else {
        text.into_owned()
    };
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> =
        printable.split_whitespace().map(|word| if word.contains('@') { "[…@…]" } else { word }).collect();
    let line = words.join(" ");
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// An error for a redirect, which is never followed: it would take the credentials elsewhere. Names the host only,
/// since the rest of the address may hold a secret.
pub(super) fn redirected(operation: &'static str, response: &Response<Bytes>) -> Error {
    let target = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let uri = target.and_then(|target| target.parse::<http::Uri>().ok());
    let place = match uri.as_ref().map(http::Uri::host) {
        Some(Some(host)) => host.to_owned(),
        Some(None) => "the same host".to_owned(),
        None => "an unreadable address".to_owned(),
    };
    let status = name(response.status());
    let message = format!(
        "the remote answered {status} and points to {place}; redirects are not followed: correct the address in the \
         configuration"
    );
    Error::new(ErrorKind::Rejected, operation, message)
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn date(headers: &HeaderMap, field: header::HeaderName) -> Option<Timestamp> {
    let text = headers.get(field)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|time| time.to_utc())
}

fn name(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} ({reason})", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// `lower` is `text` in ASCII lower case: the same length, so that places in one are places in the other.
fn title<'t>(text: &'t str, lower: &str) -> Option<&'t str> {
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(text[start..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn each_status_says_what_to_do() {
        use ErrorKind::{Malformed, NotFound, RateLimited, Rejected, Unauthorized, Unavailable};
        for (status, kind) in [
            (401, Unauthorized),
            (403, Unauthorized),
            (404, NotFound),
            (408, Unavailable),
            (425, Unavailable),
            (500, Unavailable),
            (503, Unavailable),
            (599, Unavailable),
            (429, RateLimited),
            (400, Rejected),
            (409, Rejected),
            (422, Rejected),
            (302, Rejected),
            (100, Malformed),
            (999, Malformed),
        ] {
            let error = classify_status("test", &answer(status, &[], "")).unwrap_err();
            assert_eq!(error.kind, kind, "{status}");
        }
        assert!(classify_status("test", &answer(204, &[], "")).is_ok());
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_date_by_the_servers_own_clock() {
        let wait = |headers: &[(&str, &str)]| {
            classify_status("test", &answer(429, headers, "")).unwrap_err().retry_after
        };
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(&[("retry-after", "2.0")]), Some(Duration::from_secs(2)));
        assert_eq!(
            wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None);
        for unreadable in ["soon", "-3", "NaN", "1e300", ""] {
            assert_eq!(wait(&[("retry-after", unreadable), date]), None, "{unreadable}");
        }
        let time = server_time(answer(200, &[date], "").headers()).unwrap();
        assert_eq!(time.to_rfc3339(), "1994-11-06T08:49:37+00:00");
    }

    #[test]
    fn a_redirect_names_the_other_host_and_nothing_of_the_address() {
        let location = ("location", "https://login.example/path?token=hush");
        let error = classify_status("test", &answer(302, &[location], "hush")).unwrap_err();
        assert!(error.message.contains("login.example"), "{error}");
        assert!(!error.message.contains("hush") && !error.message.contains("path"), "{error}");
    }

    #[test]
    fn an_excerpt_is_short_printable_and_without_addresses() {
        let page = b"<!DOCTYPE html><html><HEAD><Title a=b>\n Not\x1b[31m here </TITLE></head>body";
        assert_eq!(excerpt(page), "an HTML page: Not [31m here");
        assert_eq!(excerpt(b" <html><body>secret"), "an HTML page");
        assert_eq!(excerpt(b"{\n \"error\":\t\"bad jane@example.com\" }"), "{ \"error\": \"bad […@…] }");
        assert_eq!(excerpt(&"é".repeat(5000).into_bytes()).chars().count(), EXCERPT + 1);
        assert_eq!(excerpt(b""), "");
        excerpt(&[0xff; 100]);
        excerpt("<html><title>İ</title>".as_bytes());
    }
}
