//! Reading a request: its body, its guards, its query. Whatever is wrong is said with its place.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The largest request body, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The longest `Idempotency-Key`, in characters.
pub const KEY_LIMIT: usize = 200;

/// A JSON body. An empty one reads as `{}`: for commands without obligatory members.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("").to_ascii_lowercase());
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
            return Err(too_large());
        }
        let bytes = axum::body::to_bytes(request.into_body(), BODY_LIMIT).await.map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            if source.contains("length limit") {
                too_large()
            } else {
                Problem::bad_request("body", "the body ended before it was complete")
            }
        })?;
        if bytes.is_empty() {
            return parse(&Bytes::from_static(b"{}")).map(Body);
        }
        match content_type.as_deref().map(|text| text.split(';').next().unwrap_or("").trim()) {
            Some("application/json") => parse(&bytes).map(Body),
            Some(other) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                format!("the body is {other:?}: send application/json"),
            )),
            None => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                "the body has no content type: send application/json",
            )),
        }
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        format!("the body is larger than {BODY_LIMIT} bytes"),
    )
}

fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Problem> {
    // serde would read `["UPS"]` as an object's members by their order: nobody means that.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "body",
            "the body is a list: send an object",
        ));
    }
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let status = if inner.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        let code = if inner.is_data() { "body" } else { "json" };
        let mut problem = Problem::new(status, code, format!("the body cannot be read: {inner}"));
        problem.at = (path != ".").then(|| path.into());
        problem
    })?;
    reader
        .end()
        .map_err(|error| Problem::bad_request("json", format!("the body cannot be read: {error}")))?;
    Ok(value)
}

/// What guards a command: `Idempotency-Key` and `If-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// `Idempotency-Key`: 1 to 200 visible ASCII characters.
    pub key: Option<String>,
    /// `If-Match`: the version in quotes; `*` is none.
    pub if_match: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Guards {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self { key: idempotency_key(&parts.headers)?, if_match: if_match(&parts.headers)? })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if values.next().is_some() || bytes.is_empty() || bytes.len() > KEY_LIMIT || !visible {
        return Err(Problem::bad_request(
            "idempotency-key",
            format!("`Idempotency-Key` must be given once, as 1 to {KEY_LIMIT} visible ASCII characters"),
        ));
    }
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" && values.next().is_none() {
        return Ok(None);
    }
    let version =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    match (version, values.next()) {
        (Some(version), None) => Ok(Some(version)),
        _ => Err(Problem::bad_request(
            "if-match",
            "`If-Match` must be the order's version in quotes, as its `ETag` gives it: \"7\"",
        )),
    }
}

/// The query, unknown names refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(query)| Self(query)).map_err(
            |error| {
                let why =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Problem::bad_request("query", format!("the query cannot be read: {why}"))
            },
        )
    }
}

/// The path's parts, percent-decoded.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| Problem::bad_request("path", error.body_text()))
    }
}
