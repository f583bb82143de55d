//! A file's bytes as rows: the delimiter, the header, the cells, and where each row stands.
//!
//! The `csv` crate reads on silently over a quote that is never closed, and the rows that it swallows so would be
//! lost. So quoting is checked first, by [`misquoted`].

use std::{collections::BTreeMap, ops::Range};

/// Every column that is read: its name, and whether a file must have it. The README says what each means.
pub(crate) const COLUMNS: &[(&str, bool)] = &[
    ("order_number", true),
    ("placed_at", true),
    ("payment", true),
    ("sku", true),
    ("quantity", true),
    ("title", false),
    ("line_id", false),
    ("kind", false),
    ("unit_cost", false),
    ("currency", false),
    ("status", false),
    ("hold", false),
    ("test", false),
    ("delivery", false),
    ("method", false),
    ("ship_name", false),
    ("ship_company", false),
    ("ship_address1", false),
    ("ship_address2", false),
    ("ship_city", false),
    ("ship_province", false),
    ("ship_zip", false),
    ("ship_country", false),
    ("ship_phone", false),
    ("email", false),
    ("customer_note", false),
    ("bill_name", false),
    ("bill_company", false),
    ("bill_address1", false),
    ("bill_address2", false),
    ("bill_city", false),
    ("bill_province", false),
    ("bill_zip", false),
    ("bill_country", false),
    ("bill_phone", false),
];

/// The columns that a file of rejected rows has besides its own. A corrected one may come back with them.
pub(crate) const ASIDE_COLUMNS: [&str; 3] = ["file", "line", "reason"];

/// Most rows of a file: what is made of a row is far larger than the row, and a file is read in one go. A file of the
/// largest size with a line's worth in each row has fewer.
pub(crate) const MOST_ROWS: usize = 250_000;
/// Most cells of a row. A file of rejected rows has as many in each of them as the longest has.
pub(crate) const MOST_CELLS: usize = 256;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A file's rows.
#[derive(Debug)]
pub(crate) struct Table {
    /// What parts the cells.
    pub delimiter: u8,
    /// The header's cells as they came.
    pub header: Vec<Vec<u8>>,
    /// Known column → its place.
    pub columns: BTreeMap<&'static str, usize>,
    /// Columns that nobody knows, as they came. Nothing reads them.
    pub unknown: Vec<String>,
    /// The rows in the file's order, without blank ones.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// Its cells as they came.
    pub cells: Vec<Vec<u8>>,
    /// Why it cannot be trusted, whatever its cells say.
    pub fault: Option<String>,
}

impl Table {
    /// Reads a whole file. The error says why nothing of it can be used.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            return Err("line 1: this is UTF-16: save the file as UTF-8".to_owned());
        }
        let skipped = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let body = &bytes[skipped..];
        let delimiter = delimiter(body);
        let faults = misquoted(body, delimiter)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(body);
        let mut records = Vec::new();
        let mut record = csv::ByteRecord::new();
        let unreadable = |error: csv::Error| format!("it cannot be read as CSV: {error}");
        while reader.read_byte_record(&mut record).map_err(unreadable)? {
            let (start, line) =
                record.position().map_or((0, 1), |position| (position.byte() as usize, position.line()));
            if record.len() > MOST_CELLS {
                let cells = record.len();
                return Err(format!("line {line}: the row has {cells} cells, more than {MOST_CELLS}"));
            }
            // The header is one of them.
            if records.len() > MOST_ROWS {
                return Err(format!(
                    "line {line}: the file has more than {MOST_ROWS} rows: send it in parts"
                ));
            }
            records.push((start..reader.position().byte() as usize, cells(&record)));
        }
        let mut lines = Lines { body, at: 0, line: 1 };
        let mut rows = records.into_iter().map(|(span, cells)| {
            let blank = body[span.clone()].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let start = span.start + blank;
            let line = lines.to(start);
            let last = lines.to(span.start + body[span.clone()].trim_ascii_end().len().max(blank));
            // The faults are in the order of the lines: each is looked up, not looked for.
            let fault = faults.get(faults.partition_point(|fault| *fault < line));
            let fault = fault
                .filter(|fault| **fault <= last)
                .map(|line| format!("line {line}: text stands after a closing quote"));
            Row { line, span: start + skipped..span.end + skipped, cells, fault }
        });
        let header = rows.next().ok_or("the file has no header")?;
        let rows = rows.filter(|row| row.cells.iter().any(|cell| !cell.trim_ascii().is_empty())).collect();
        let (columns, unknown) = columns(&header)?;
        Ok(Self { delimiter, header: header.cells, columns, unknown, rows })
    }
}

fn cells(record: &csv::ByteRecord) -> Vec<Vec<u8>> {
    record.iter().map(<[u8]>::to_vec).collect()
}

/// Counts lines forward only, so that a file is walked once.
struct Lines<'b> {
    body: &'b [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn to(&mut self, place: usize) -> u64 {
        let place = place.clamp(self.at, self.body.len());
        self.line += newlines(&self.body[self.at..place]);
        self.at = place;
        self.line
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// What parts the header's cells: a comma, unless semicolons or tabs are more.
pub(crate) fn delimiter(body: &[u8]) -> u8 {
    let header = body.trim_ascii_start();
    let header = header.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| header.split(|byte| *byte == wanted).count();
    [b';', b'\t'].into_iter().fold(b',', |best, other| if count(other) > count(best) { other } else { best })
}

/// The lines on which text stands after a closing quote. An error where a quote's extent is in doubt, and with it
/// which rows there are: it is never closed, or is closed badly on another line.
fn misquoted(body: &[u8], delimiter: u8) -> Result<Vec<u64>, String> {
    enum At {
        CellStart,
        Plain,
        Quoted { opened: u64 },
        Closed { opened: u64 },
    }
    let doubt = |line: u64| {
        format!(
            "line {line}: a quote is opened there and not closed as it should be, so where its row ends is unknown"
        )
    };
    let (mut at, mut line, mut faults) = (At::CellStart, 1, Vec::new());
    for &byte in body {
        at = match at {
            At::Quoted { opened } if byte == b'"' => At::Closed { opened },
            At::Quoted { opened } => At::Quoted { opened },
            At::Closed { opened } if byte == b'"' => At::Quoted { opened },
            _ if byte == delimiter || matches!(byte, b'\r' | b'\n') => At::CellStart,
            At::CellStart if byte == b'"' => At::Quoted { opened: line },
            At::CellStart | At::Plain => At::Plain,
            At::Closed { opened } if opened == line => {
                faults.push(line);
                At::Plain
            }
            At::Closed { opened } => return Err(doubt(opened)),
        };
        line += u64::from(byte == b'\n');
    }
    match at {
        At::Quoted { opened } => Err(doubt(opened)),
        _ => Ok(faults),
    }
}

type Columns = (BTreeMap<&'static str, usize>, Vec<String>);

fn columns(header: &Row) -> Result<Columns, String> {
    let (mut columns, mut unknown) = (BTreeMap::new(), Vec::new());
    for (place, cell) in header.cells.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(cell) else {
            return Err(format!("line {}: column {} has a name that is not UTF-8", header.line, place + 1));
        };
        let plain = column_name(name);
        if let Some((column, _)) = COLUMNS.iter().find(|(column, _)| *column == plain) {
            if columns.insert(*column, place).is_some() {
                return Err(format!("line {}: the column `{column}` is there twice", header.line));
            }
        } else if !plain.is_empty() && !ASIDE_COLUMNS.contains(&plain.as_str()) {
            unknown.push(name.trim().to_owned());
        }
    }
    let missing: Vec<&str> = COLUMNS
        .iter()
        .filter(|(name, required)| *required && !columns.contains_key(name))
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok((columns, unknown));
    }
    Err(format!(
        "line {}: the header lacks {}: name its columns as documented",
        header.line,
        missing.join(", ")
    ))
}

/// A column's name as it is compared: `Order Number` is `order_number`.
pub(crate) fn column_name(cell: &str) -> String {
    cell.trim().to_lowercase().replace([' ', '-'], "_")
}

/// A content's digest: its length and FNV-1a in 128 bits. It tells versions of a merchant's own file apart; it
/// guards against nobody.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let start: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let hash = bytes.iter().fold(start, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{:x}-{hash:032x}", bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "order_number,placed_at,payment,sku,quantity";

    #[test]
    fn rows_know_their_lines_with_any_line_end() {
        for end in ["\n", "\r\n"] {
            let text = [HEADER, "1,a,b,\"c", "c\",1", "", "2,a,b,c,2", "3,a,b,c,3"].join(end);
            let table = Table::read(text.as_bytes()).expect("readable");
            let lines: Vec<u64> = table.rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, [2, 5, 6], "{end:?}");
            let raw = |row: &Row| text[row.span.clone()].trim().to_owned();
            assert_eq!(raw(&table.rows[1]), "2,a,b,c,2");
        }
    }

    #[test]
    fn a_mark_and_semicolons_and_spelling_do_not_matter() {
        let text = "\u{feff}\"Order Number\";PLACED_AT;payment;sku;quantity;colour\n1;a;b;c;1\n";
        let table = Table::read(text.as_bytes()).expect("readable");
        assert_eq!(table.columns["order_number"], 0);
        assert_eq!(table.unknown, ["colour"]);
        assert_eq!(&text.as_bytes()[table.rows[0].span.clone()], b"1;a;b;c;1\n");
    }

    #[test]
    fn a_quote_in_doubt_refuses_the_file_and_one_within_a_line_its_row() {
        let open = format!("{HEADER}\n1,a,b,c,\"1\n2,a,b,c,1\n");
        assert!(Table::read(open.as_bytes()).expect_err("open").starts_with("line 2: a quote"));
        let astray = format!("{HEADER}\n1,a,b,\"c\n2,a,b,\"c,1\n");
        assert!(Table::read(astray.as_bytes()).is_err());
        let within = format!("{HEADER}\n1,a,b,\"c\" c,1\n2,a,b,5\" c,1\n");
        let table = Table::read(within.as_bytes()).expect("readable");
        assert!(table.rows[0].fault.is_some() && table.rows[1].fault.is_none());
    }

    #[test]
    fn a_header_is_checked() {
        let missing = Table::read(b"order_number,sku\n1,2\n").expect_err("missing");
        assert_eq!(
            missing,
            "line 1: the header lacks placed_at, payment, quantity: name its columns as documented"
        );
        assert!(Table::read(b"").is_err());
        assert!(Table::read(format!("{HEADER},SKU\n").as_bytes()).expect_err("twice").contains("twice"));
        assert!(Table::read(b"\xFF\xFEo\0").expect_err("UTF-16").contains("UTF-8"));
    }

    #[test]
    fn the_readme_names_every_column() {
        let readme = include_str!("../README.md");
        let out = crate::fulfillments::COLUMNS.into_iter().chain(crate::stock::STOCK_COLUMNS);
        let products = crate::stock::PRODUCT_COLUMNS.iter().map(|(column, _)| *column);
        for column in COLUMNS.iter().map(|(column, _)| *column).chain(out).chain(products) {
            assert!(readme.contains(&format!("`{column}`")), "{column}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Table::read(&bytes);
        }

        #[test]
        fn rows_never_overlap_and_lines_grow(tail in "[\",;a\r\n]{0,80}") {
            let text = format!("{HEADER}\n{tail}");
            if let Ok(table) = Table::read(text.as_bytes()) {
                for pair in table.rows.windows(2) {
                    prop_assert!(pair[0].span.end <= pair[1].span.start);
                    prop_assert!(pair[0].line < pair[1].line || !text.contains('\n') || text.contains('\r'));
                }
            }
        }
    }
}
