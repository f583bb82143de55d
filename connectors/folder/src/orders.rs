//! Rows of a file → orders, as the channel shows them.
//!
//! All rows of one order number form the order. Where one of them is bad the whole order is set aside: half an order
//! must not ship.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use sdk::{
    Address, Delivery, DeliveryKind, Line, LineKind, Money, Order, OrderState, Payment, Pulled, RemoteId,
    Timestamp, Unreadable,
};

use crate::wire::{Row, Table};

/// Most units of one line.
pub(crate) const MOST_UNITS: u32 = 1_000_000;
/// Most rows of one order.
pub(crate) const MOST_LINES: usize = 1_000;
/// Longest order number and line id, in bytes: they become part of keys.
pub(crate) const LONGEST_ID: usize = 100;
/// Longest cell, in bytes.
pub(crate) const LONGEST_CELL: usize = 1_000;
/// Longest customer's note, in bytes.
pub(crate) const LONGEST_NOTE: usize = 10_000;
/// Most bytes of rows that are kept with an order that was set aside; the rest is in the folder `aside`.
pub(crate) const MOST_RAW: usize = 16_384;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Orders, and those that cannot be read, by their first row.
    pub pulled: Vec<Pulled>,
    /// Rows that did not become orders: place in [`Table::rows`] → reason.
    pub rejected: BTreeMap<usize, String>,
}

/// Reads the orders out of a table. `name` is the file's, for reasons.
pub(crate) fn read(name: &str, bytes: &[u8], table: &Table) -> Reading {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    // The group of the row before.
    let mut above: Option<usize> = None;
    for (place, row) in table.rows.iter().enumerate() {
        let cells = Cells { table, row };
        match cells.id("order_number") {
            Ok(Some(number)) => {
                let group = *known.entry(number.clone()).or_insert_with(|| {
                    groups.push(Group { number: Some(number), ..Group::default() });
                    groups.len() - 1
                });
                groups[group].rows.push(place);
                above = Some(group);
            }
            unreadable => {
                let why = unreadable.err().unwrap_or_else(|| "`order_number` is blank".to_owned());
                // The row may go on the order above it: that one must not ship without it.
                if let Some(above) = above.map(|group| &mut groups[group]) {
                    let line = row.line;
                    above.spoiled.get_or_insert(format!(
                        "line {line} has no readable order number and may belong to this order"
                    ));
                }
                above = Some(groups.len());
                groups.push(Group { rows: vec![place], spoiled: Some(why), ..Group::default() });
            }
        }
    }
    let mut reading = Reading::default();
    for group in groups {
        group.read(name, bytes, table, &mut reading);
    }
    reading
}

/// The rows of one order, or one row of none.
#[derive(Debug, Default)]
struct Group {
    number: Option<String>,
    rows: Vec<usize>,
    spoiled: Option<String>,
}

impl Group {
    fn read(self, name: &str, bytes: &[u8], table: &Table, reading: &mut Reading) {
        let mut faults: BTreeMap<usize, String> = BTreeMap::new();
        let first = self.rows[0];
        let order = match (&self.number, self.spoiled) {
            (Some(number), None) => order(number, &self.rows, table, &mut faults),
            (_, spoiled) => {
                faults.extend(spoiled.map(|why| (first, why)));
                None
            }
        };
        if let Some(order) = order {
            reading.pulled.push(Pulled::Order(Box::new(order)));
            return;
        }
        let worst = faults.iter().map(|(place, why)| (table.rows[*place].line, why.clone())).next();
        let (line, why) = worst.unwrap_or((table.rows[first].line, "it cannot be read".to_owned()));
        let more = faults.len().saturating_sub(1);
        let more = if more > 0 { format!(" (and {more} more rows are bad)") } else { String::new() };
        let reason = format!("{name}, line {line}: {why}{more}");
        for place in &self.rows {
            let own = faults.get(place).cloned();
            let own = own.unwrap_or_else(|| format!("its order is set aside: line {line}: {why}"));
            reading.rejected.insert(*place, own);
        }
        let id = self.number.unwrap_or_else(|| format!("{name}:{}", table.rows[first].line));
        let raw = raw(self.rows.iter().map(|place| &table.rows[*place]), bytes);
        reading.pulled.push(Pulled::Unreadable(Unreadable { id: RemoteId(id), reason, raw }));
    }
}

/// The rows as they came, within [`MOST_RAW`].
fn raw<'r>(rows: impl Iterator<Item = &'r Row>, bytes: &[u8]) -> String {
    let mut raw = String::new();
    for row in rows {
        raw.push_str(String::from_utf8_lossy(&bytes[row.span.clone()]).trim());
        raw.push('\n');
        if raw.len() > MOST_RAW {
            let end = (0..=MOST_RAW).rev().find(|end| raw.is_char_boundary(*end));
            raw.truncate(end.unwrap_or(0));
            raw.push_str("… (the rest is in the folder `aside`)");
            break;
        }
    }
    raw
}

fn order(number: &str, rows: &[usize], table: &Table, faults: &mut BTreeMap<usize, String>) -> Option<Order> {
    if rows.len() > MOST_LINES {
        faults.insert(rows[0], format!("the order has {} rows, more than {MOST_LINES}", rows.len()));
        return None;
    }
    let mut head = Head::default();
    let mut lines: Vec<(Line, Option<String>)> = Vec::new();
    let mut ids = BTreeSet::new();
    for (ordinal, place) in rows.iter().enumerate() {
        let cells = Cells { table, row: &table.rows[*place] };
        let read = cells.whole().and_then(|()| {
            head.take(&cells)?;
            let line = line(&cells, ordinal + 1)?;
            if !ids.insert(line.0.id.clone()) {
                return Err("`line_id` is the same on two rows of the order".to_owned());
            }
            Ok(line)
        });
        match read {
            Ok(line) => lines.push(line),
            Err(why) => {
                faults.insert(*place, why);
            }
        }
    }
    if !faults.is_empty() {
        return None;
    }
    head.order(number, lines).map_err(|why| faults.insert(rows[0], why)).ok()
}

/// What the rows of an order say of the order: each column once, blank elsewhere, or everywhere the same.
#[derive(Debug, Default)]
struct Head {
    said: BTreeMap<&'static str, (String, u64)>,
}

const HEAD: [&str; 26] = [
    "placed_at",
    "payment",
    "status",
    "hold",
    "test",
    "method",
    "email",
    "customer_note",
    "ship_name",
    "ship_company",
    "ship_address1",
    "ship_address2",
    "ship_city",
    "ship_province",
    "ship_zip",
    "ship_country",
    "ship_phone",
    "bill_name",
    "bill_company",
    "bill_address1",
    "bill_address2",
    "bill_city",
    "bill_province",
    "bill_zip",
    "bill_country",
    "bill_phone",
];

impl Head {
    fn take(&mut self, cells: &Cells<'_>) -> Result<(), String> {
        for column in HEAD {
            let Some(text) = cells.text(column)? else { continue };
            let (said, line) = self.said.entry(column).or_insert_with(|| (text.to_owned(), cells.row.line));
            if *said != text {
                return Err(format!("`{column}` says something else than line {line} of the same order"));
            }
        }
        Ok(())
    }

    fn get(&self, column: &str) -> Option<&str> {
        self.said.get(column).map(|(text, _)| text.as_str())
    }

    fn address(&self, side: &str) -> Option<Address> {
        let part = |name: &str| self.get(&format!("{side}_{name}")).unwrap_or_default().to_owned();
        let country = part("country");
        let code = country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_alphabetic());
        let address = Address {
            name: part("name"),
            company: part("company"),
            address1: part("address1"),
            address2: part("address2"),
            city: part("city"),
            province: part("province"),
            zip: part("zip"),
            country: if code { country.to_ascii_uppercase() } else { country },
            phone: part("phone"),
        };
        (address != Address::default()).then_some(address)
    }

    fn order(&self, number: &str, read: Vec<(Line, Option<String>)>) -> Result<Order, String> {
        let placed_at = self.get("placed_at").ok_or("`placed_at` is blank")?;
        let payment = self.get("payment").ok_or("`payment` is blank")?;
        let mut words: Vec<String> = Vec::new();
        for (_, delivery) in &read {
            let word = delivery.clone().unwrap_or_else(|| "shipping".to_owned());
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let key = |word: &str| if words.len() == 1 { String::new() } else { word.to_owned() };
        let deliveries = words
            .iter()
            .map(|word| {
                let kind = delivery_kind(word);
                let ship_to =
                    if matches!(kind, DeliveryKind::Merchant(_)) { None } else { self.address("ship") };
                Delivery { key: key(word), kind, ship_to, method: self.get("method").map(str::to_owned) }
            })
            .collect();
        let lines = read.into_iter().map(|(line, delivery)| {
            let delivery = key(delivery.as_deref().unwrap_or("shipping"));
            Line { delivery, ..line }
        });
        Ok(Order {
            id: number.into(),
            number: number.to_owned(),
            placed_at: time("placed_at", placed_at)?,
            updated_at: None,
            test: self.get("test").map_or(Ok(false), |text| truth("test", text))?,
            payment: payment_of(payment),
            state: self.get("status").map_or(OrderState::Open, state),
            holds: self.get("hold").and_then(hold).into_iter().collect(),
            lines: lines.collect(),
            deliveries,
            fulfillments: Vec::new(),
            groups: Vec::new(),
            cancellation_requests: Vec::new(),
            email: self.get("email").map(str::to_owned),
            customer_note: self.get("customer_note").map(str::to_owned),
            bill_to: self.address("bill"),
            extra: serde_json::Value::Null,
        })
    }
}

/// One row's line, and the word of its delivery.
fn line(cells: &Cells<'_>, ordinal: usize) -> Result<(Line, Option<String>), String> {
    let quantity = quantity(cells.text("quantity")?.ok_or("`quantity` is blank")?)?;
    let kind = match cells.text("kind")?.map(word).as_deref() {
        None | Some("goods") => LineKind::Goods,
        Some("custom") => LineKind::Custom,
        Some("digital") => LineKind::Digital,
        Some("gift_card") => LineKind::GiftCard,
        Some(other) => {
            return Err(format!("`kind` must be goods, custom, digital or gift_card{}", quoted(other)));
        }
    };
    let line = Line {
        id: cells.id("line_id")?.unwrap_or_else(|| ordinal.to_string()).into(),
        sku: cells.text("sku")?.map(str::to_owned),
        title: cells.text("title")?.unwrap_or_default().to_owned(),
        kind,
        quantity,
        fulfillable: quantity,
        refunded: 0,
        delivery: String::new(),
        unit_cost: unit_cost(cells.text("unit_cost")?, cells.text("currency")?)?,
    };
    let delivery = cells.text("delivery")?.map(word);
    if delivery.as_ref().is_some_and(|word| word.len() > LONGEST_ID) {
        return Err(format!("`delivery` is longer than {LONGEST_ID} bytes"));
    }
    Ok((line, delivery))
}

fn quantity(text: &str) -> Result<u32, String> {
    let whole = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(quantity @ 1..=MOST_UNITS) if whole => Ok(quantity),
        _ => Err(format!("`quantity` must be a whole number from 1 to {MOST_UNITS}{}", quoted(text))),
    }
}

fn unit_cost(amount: Option<&str>, currency: Option<&str>) -> Result<Option<Money>, String> {
    let Some(text) = amount else { return Ok(None) };
    let amount = Decimal::from_str_exact(text)
        .ok()
        .filter(|amount| !amount.is_sign_negative())
        .ok_or_else(|| format!("`unit_cost` must be an amount such as 12.50{}", quoted(text)))?;
    let currency = currency.ok_or("`unit_cost` needs a `currency` beside it")?;
    if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        return Err(format!("`currency` must be three letters such as USD{}", quoted(currency)));
    }
    Ok(Some(Money { amount, currency: currency.to_ascii_uppercase() }))
}

fn payment_of(text: &str) -> Payment {
    match word(text).as_str() {
        "paid" | "partially_refunded" => Payment::Paid,
        "authorized" => Payment::Authorized,
        known @ ("unpaid" | "pending" | "partially_paid") => Payment::Unpaid(known.to_owned()),
        known @ ("refunded" | "voided") => Payment::Returned(known.to_owned()),
        _ => Payment::Unknown(unknown_word(text)),
    }
}

fn state(text: &str) -> OrderState {
    match word(text).as_str() {
        "open" => OrderState::Open,
        "cancelled" | "canceled" => OrderState::Cancelled { at: None, reason: None },
        _ => OrderState::Unknown(unknown_word(text)),
    }
}

fn hold(text: &str) -> Option<String> {
    match truth("hold", text) {
        Ok(false) => None,
        Ok(true) => Some("on hold".to_owned()),
        Err(_) => Some(text.to_owned()),
    }
}

fn delivery_kind(word: &str) -> DeliveryKind {
    match word {
        "shipping" => DeliveryKind::Shipping,
        "pickup" | "local_delivery" => DeliveryKind::Merchant(word.to_owned()),
        _ => DeliveryKind::Unknown(unknown_word(word)),
    }
}

fn truth(column: &str, text: &str) -> Result<bool, String> {
    match word(text).as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(format!("`{column}` must be yes or no{}", quoted(text))),
    }
}

fn time(column: &str, text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text)
        .or_else(|_| chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z"))
        .map(|time| time.to_utc())
        .map_err(|_| {
            format!("`{column}` must be a time with an offset such as 2026-11-20T14:05:00Z{}", quoted(text))
        })
}

/// A word as it is compared: `Gift card` is `gift_card`.
fn word(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

/// A status word that nobody knows, where it may be one: it reaches logs, so what has digits, an `@` or is long (an
/// address or e-mail in the wrong column) is not said.
fn unknown_word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphabetic() || " _-".contains(letter);
    if text.chars().count() <= 40 && text.chars().all(plain) {
        text.to_owned()
    } else {
        "(no word)".to_owned()
    }
}

/// The offending text for a reason, where it is one short word. Anything else might be a customer's address that
/// slipped into another column, and reasons reach logs.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".,:+-_/".contains(letter);
    if !text.is_empty() && text.len() <= 25 && text.chars().all(plain) {
        format!(", not `{text}`")
    } else {
        String::new()
    }
}

/// One row's cells by their column.
struct Cells<'t> {
    table: &'t Table,
    row: &'t Row,
}

impl Cells<'_> {
    /// Whether the row is well formed as a whole.
    fn whole(&self) -> Result<(), String> {
        if let Some(fault) = &self.row.fault {
            return Err(fault.clone());
        }
        let (have, want) = (self.row.cells.len(), self.table.header.len());
        // Spreadsheets leave blank cells out at the end, or add some.
        let blank = |cells: &[Vec<u8>]| cells.iter().all(|cell| cell.trim_ascii().is_empty());
        if have > want && !blank(&self.row.cells[want..]) || have < want {
            return Err(format!(
                "the row has {have} cells, the header {want}: quote text that holds the delimiter"
            ));
        }
        for (place, cell) in self.row.cells.iter().enumerate() {
            if std::str::from_utf8(cell).is_err() {
                return Err(format!("cell {} is not UTF-8: save the file as UTF-8", place + 1));
            }
        }
        Ok(())
    }

    /// A cell's text, trimmed; `None` where it is blank or the column is not there.
    fn text(&self, column: &'static str) -> Result<Option<&str>, String> {
        let cell = self.table.columns.get(column).and_then(|place| self.row.cells.get(*place));
        let Some(cell) = cell else { return Ok(None) };
        let text = std::str::from_utf8(cell).map_err(|_| format!("`{column}` is not UTF-8"))?.trim();
        let longest = if column == "customer_note" { LONGEST_NOTE } else { LONGEST_CELL };
        if text.len() > longest {
            return Err(format!("`{column}` is {} bytes long, more than {longest}", text.len()));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// A cell that becomes part of keys.
    fn id(&self, column: &'static str) -> Result<Option<String>, String> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        if text.len() > LONGEST_ID {
            return Err(format!("`{column}` is {} bytes long, more than {LONGEST_ID}", text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("`{column}` holds a control character"));
        }
        Ok(Some(text.to_owned()))
    }
}
