//! Lists of orders, one order, and why it is as it is.

use axum::{Json, extract::State, response::Response};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::{
    Api,
    document::{AccountList, Finding, OrderList, Why},
    paging::{self, Cursor, SCAN_LIMIT},
    problem::Problem,
    request::{Path, Query},
    view, why,
};
use crate::{
    record::{Record, RecordId, Status, SupplierOrder},
    store,
};

/// The query of a list of orders.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only this merchant's.
    pub merchant: Option<String>,
    /// Only this channel's (with `merchant`).
    pub channel: Option<String>,
    /// Only with this status.
    pub status: Option<Status>,
    /// Text in number, ids, SKUs, tracking or the recipient's name, without case.
    pub q: Option<String>,
    /// `true`: only test orders. Without it, none.
    pub test: Option<bool>,
    /// The cursor.
    pub after: Option<String>,
    /// 1 to 250; 50 without.
    pub limit: Option<usize>,
}

impl Filter {
    fn needle(&self) -> Option<String> {
        let text = self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
        Some(text.to_lowercase())
    }

    fn check(&self) -> Result<(), Problem> {
        if self.channel.is_some() && self.merchant.is_none() {
            return Err(Problem::bad_request(
                "channel",
                "`channel` needs `merchant`: ids are a merchant's own",
            ));
        }
        Ok(())
    }
}

/// The text that the stored record must hold for `needle` to match: a split's suffix is not stored, and text that
/// JSON escapes cannot be looked for as it is.
fn sieve(needle: Option<&str>) -> Option<String> {
    let needle = needle?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" .#_-/".contains(&byte);
    let stem = match needle.rsplit_once('-') {
        Some((stem, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => stem,
        _ => needle,
    };
    (!stem.is_empty() && stem.bytes().all(plain)).then(|| stem.to_owned())
}

/// `GET /v1/orders`.
pub async fn list(State(api): State<Api>, Query(filter): Query<Filter>) -> Result<Json<OrderList>, Problem> {
    filter.check()?;
    let needle = filter.needle();
    let info = api.info();
    let active =
        matches!(filter.status, Some(Status::Held | Status::Open | Status::InWork | Status::PartlyShipped));
    let (orders, next) = collect(&api, &filter, active, needle.as_deref(), |record, n| {
        if record.seen.test != filter.test.unwrap_or(false) {
            return Vec::new();
        }
        let mut orders: Vec<&SupplierOrder> = record.orders.iter().filter(|order| order.n > n).collect();
        orders.sort_by_key(|order| order.n);
        orders
            .into_iter()
            .filter(|order| filter.status.is_none_or(|status| record.status(order) == status))
            .filter(|order| needle.as_deref().is_none_or(|needle| order_matches(record, order, needle)))
            .map(|order| (order.n, view::order(record, order, info.gaps(&record.merchant, &record.channel))))
            .collect()
    })
    .await?;
    Ok(Json(OrderList { orders, next }))
}

/// `GET /v1/merchants/{id}/orders`: every order of the merchant account, also those without a supplier order.
pub async fn account_list(
    State(api): State<Api>,
    Path(merchant): Path<String>,
    Query(mut filter): Query<Filter>,
) -> Result<Json<AccountList>, Problem> {
    if filter.merchant.is_some() || filter.status.is_some() {
        return Err(Problem::bad_request(
            "query",
            "a merchant account's list takes `channel`, `q`, `test`, `after` and `limit`",
        ));
    }
    super::merchants::known(&api, &merchant).await?;
    filter.merchant = Some(merchant);
    let needle = filter.needle();
    let (orders, next) = collect(&api, &filter, false, needle.as_deref(), |record, n| {
        let wanted = n == 0
            && filter.test.is_none_or(|test| record.seen.test == test)
            && needle.as_deref().is_none_or(|needle| record_matches(record, needle));
        if wanted { vec![(1, view::account(record))] } else { Vec::new() }
    })
    .await?;
    Ok(Json(AccountList { orders, next }))
}

/// Goes through the records until a page is full. `items` gives a record's items after its `n`th, in order.
async fn collect<T>(
    api: &Api,
    filter: &Filter,
    active: bool,
    needle: Option<&str>,
    items: impl Fn(&Record, u32) -> Vec<(u32, T)>,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let limit = paging::limit(filter.limit)?;
    let mut after = filter.after.as_deref().map(Cursor::decode).transpose()?;
    let store = api.ledger().store();
    let mut found = Vec::new();
    let mut last: Option<Cursor> = None;
    // The record at the cursor may hold more orders than the last page had room for.
    if let Some(cursor) = after.take_if(|cursor| cursor.n != u32::MAX) {
        if let Some(record) = store.record(&cursor.record).await? {
            for (n, item) in items(&record, cursor.n) {
                if found.len() == limit {
                    return Ok((found, last.as_ref().map(Cursor::encode)));
                }
                found.push(item);
                last = Some(Cursor { record: record.id.clone(), n });
            }
        }
        after = Some(Cursor::past(&cursor.record));
    }
    let mut seen = 0;
    loop {
        let page = store
            .list(store::Query {
                merchant: filter.merchant.clone(),
                channel: filter.channel.clone(),
                active,
                text: sieve(needle),
                after: after.as_ref().map(|cursor| cursor.record.clone()),
                limit: paging::MAX_LIMIT,
            })
            .await?;
        seen += page.records.len();
        for record in &page.records {
            for (n, item) in items(record, 0) {
                if found.len() == limit {
                    return Ok((found, last.as_ref().map(Cursor::encode)));
                }
                found.push(item);
                last = Some(Cursor { record: record.id.clone(), n });
            }
        }
        let Some(next) = page.next else { return Ok((found, None)) };
        let next = Cursor::past(&next);
        if seen >= SCAN_LIMIT {
            return Ok((found, Some(next.encode())));
        }
        after = Some(next);
    }
}

fn order_matches(record: &Record, order: &SupplierOrder, needle: &str) -> bool {
    let hit = |text: &str| text.to_lowercase().contains(needle);
    hit(&record.id.order(order.n))
        || hit(&record.number(order.n))
        || hit(record.seen.id.as_str())
        || order.lines.iter().any(|line| {
            let account = line.channel_line.as_ref().and_then(|id| record.line(id));
            hit(&line.sku) || account.and_then(|account| account.sku.as_deref()).is_some_and(hit)
        })
        || record
            .shipments
            .iter()
            .filter(|shipment| shipment.order == order.n)
            .any(|shipment| shipment.tracking.number.as_deref().is_some_and(hit))
        || record.ship_to(order).is_some_and(|to| hit(&to.name))
}

fn record_matches(record: &Record, needle: &str) -> bool {
    let hit = |text: &str| text.to_lowercase().contains(needle);
    hit(&record.id.0)
        || hit(&record.seen.number)
        || hit(record.seen.id.as_str())
        || record.lines.iter().any(|line| line.sku.as_deref().is_some_and(hit))
        || record.seen.deliveries.iter().any(|to| to.ship_to.as_ref().is_some_and(|to| hit(&to.name)))
        || record.orders.iter().any(|order| order_matches(record, order, needle))
}

/// `GET /v1/orders/{id}`.
pub async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (record, n) = find(&api, &id).await?;
    let Some(order) = record.order(n) else {
        return Err(if n == 1 {
            Problem::not_found(format!(
                "{id} has no supplier order; see `orders why {id}`, or the merchant account at \
                 /v1/merchants/{}/orders/{}/{id}",
                record.merchant, record.channel
            ))
        } else {
            unknown(&id)
        });
    };
    let info = api.info();
    let document = view::order(&record, order, info.gaps(&record.merchant, &record.channel));
    Ok(tagged(record.version, &document))
}

/// `GET /v1/orders/{id}/why`: also of an order that is wholly the merchant's, by its record's id.
pub async fn why(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Why>, Problem> {
    let (record, n) = find(&api, &id).await?;
    if n > 1 && record.order(n).is_none() {
        return Err(unknown(&id));
    }
    let old = api.ledger().store().old_events(&record.id).await?;
    let mut why = why::trace(&record, n, old);
    if let Some(text) = super::outbox::unread(&api, &record) {
        let text = format!("{text}; nothing is written until then");
        why.trace.insert(0, Finding { about: "restore".to_owned(), text });
    }
    Ok(Json(why))
}

/// `GET /v1/merchants/{id}/orders/{channel}/{order}`: by the channel's id of the order, or the record's id.
pub async fn account_show(
    State(api): State<Api>,
    Path((merchant, channel, order)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let by_remote = RecordId::new(&merchant, &channel, &order.as_str().into());
    let mut found = api.ledger().record(&by_remote).await?;
    if found.is_none() && order.starts_with(&format!("{merchant}.{channel}.")) {
        let id = RecordId::parse_order(&order).map(|(id, _)| id);
        if let Some(id) = id {
            found = api.ledger().record(&id).await?;
        }
    }
    let record = found.ok_or_else(|| {
        Problem::not_found(format!("no order {order:?} of channel {channel:?} of merchant {merchant:?}"))
    })?;
    Ok(tagged(record.version, &view::account(&record)))
}

/// The record that a supplier order's id names, and which of its orders.
pub async fn find(api: &Api, id: &str) -> Result<(Record, u32), Problem> {
    let (record, n) = RecordId::parse_order(id).ok_or_else(|| unknown(id))?;
    let record = api.ledger().record(&record).await?.ok_or_else(|| unknown(id))?;
    Ok((record, n))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("no order {id:?}; `orders list` shows the ids"))
}

/// A document with its version as `ETag`.
pub fn tagged<T: Serialize>(version: u64, document: &T) -> Response {
    use axum::response::IntoResponse;
    let mut response = Json(document).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::sieve;

    #[test]
    fn the_sieve_never_hides_what_the_fields_would_match() {
        assert_eq!(sieve(Some("#1001-2")).as_deref(), Some("#1001"), "a split's suffix is not stored");
        assert_eq!(sieve(Some("acme-1001")).as_deref(), Some("acme"));
        assert_eq!(sieve(Some("jürgen")), None, "case beyond ASCII is the field's own check");
        assert_eq!(sieve(Some("say \"hi\"")), None, "JSON escapes quotes");
        assert_eq!(sieve(Some("-2")), None);
        assert_eq!(sieve(None), None);
    }
}
