//! A CSV as it arrives: bytes in, rows with their line numbers out. Little is kept: one row, and what came of the next.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The longest row, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most cells of a row.
const CELLS: usize = 64;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line on which it stands, from 1.
    pub line: u64,
    /// Its cells, without blanks around them.
    pub cells: Vec<String>,
}

/// Why rows cannot be read, and from which line on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// The reader.
pub struct Rows {
    reader: Option<Reader>,
    /// What came before the header's end is known: its delimiter is chosen by it.
    head: Vec<u8>,
    cells: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
    ended: usize,
    line: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            reader: None,
            head: Vec::new(),
            cells: vec![0; LONGEST],
            ends: vec![0; CELLS],
            written: 0,
            ended: 0,
            line: 1,
        }
    }
}

impl Rows {
    /// Takes in bytes; each whole row goes to `found`.
    ///
    /// # Errors
    /// Where a row cannot be read: nothing after it can be trusted.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Row>) -> Result<(), Unreadable> {
        if self.reader.is_some() {
            return self.read(bytes, found);
        }
        self.head.extend_from_slice(bytes);
        if !self.head.contains(&b'\n') && self.head.len() < LONGEST {
            return Ok(());
        }
        self.begin(found)
    }

    /// The end of the bytes: the last row, where no line end follows it.
    ///
    /// # Errors
    /// As for [`Rows::push`].
    pub fn finish(&mut self, found: &mut Vec<Row>) -> Result<(), Unreadable> {
        if self.reader.is_none() {
            self.begin(found)?;
        }
        self.read(&[], found)
    }

    fn begin(&mut self, found: &mut Vec<Row>) -> Result<(), Unreadable> {
        let head = std::mem::take(&mut self.head);
        if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
            return Err(self.fails("this is UTF-16: save the file as UTF-8"));
        }
        let body = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
        let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
        let delimiter = [b';', b'\t']
            .into_iter()
            .fold(b',', |best, other| if count(other) > count(best) { other } else { best });
        self.reader = Some(ReaderBuilder::new().delimiter(delimiter).build());
        let body = body.to_vec();
        self.read(&body, found)
    }

    fn read(&mut self, bytes: &[u8], found: &mut Vec<Row>) -> Result<(), Unreadable> {
        let mut rest = bytes;
        loop {
            let Some(reader) = &mut self.reader else { return Ok(()) };
            let (result, read, written, ended) =
                reader.read_record(rest, &mut self.cells[self.written..], &mut self.ends[self.ended..]);
            rest = &rest[read..];
            // The reader counts lines as it eats them, of a row's own line end too.
            let reached = reader.line();
            self.written += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty => return Ok(()),
                ReadRecordResult::OutputFull => {
                    return Err(self.fails(format!("it is longer than {LONGEST} bytes")));
                }
                ReadRecordResult::OutputEndsFull => {
                    return Err(self.fails(format!("it has more than {CELLS} cells")));
                }
                ReadRecordResult::End => return Ok(()),
                ReadRecordResult::Record => {
                    let row = self.row(reached)?;
                    (self.written, self.ended) = (0, 0);
                    self.line = reached;
                    if row.cells.iter().any(|cell| !cell.is_empty()) {
                        found.push(row);
                    }
                }
            }
        }
    }

    fn row(&self, reached: u64) -> Result<Row, Unreadable> {
        let mut cells = Vec::with_capacity(self.ended);
        let mut start = 0;
        for end in &self.ends[..self.ended] {
            let Ok(cell) = std::str::from_utf8(&self.cells[start..*end]) else {
                return Err(self.fails("it is not UTF-8"));
            };
            // A quote that is not closed swallows the lines after it.
            if cell.contains('\n') {
                return Err(self.fails("a quote is opened there and not closed on its line"));
            }
            cells.push(cell.trim().to_owned());
            start = *end;
        }
        // Blank lines before a row are not its line.
        let line = if reached > self.line { reached - 1 } else { reached };
        Ok(Row { line, cells })
    }

    fn fails(&self, why: impl Into<String>) -> Unreadable {
        Unreadable { line: self.line, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8], step: usize) -> Result<Vec<Row>, Unreadable> {
        let (mut rows, mut found) = (Rows::default(), Vec::new());
        for part in text.chunks(step.max(1)) {
            rows.push(part, &mut found)?;
        }
        rows.finish(&mut found)?;
        Ok(found)
    }

    #[test]
    fn rows_know_their_lines_however_they_arrive() {
        let text = "\u{feff}sku;quantity\r\nA1;5\r\n\r\n\"A;2\"; 7 \r\nA3;1";
        for step in 1..text.len() {
            let rows = read(text.as_bytes(), step).unwrap();
            let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, [1, 2, 4, 5], "in steps of {step}");
            assert_eq!(rows[2].cells, ["A;2", "7"]);
            assert_eq!(rows[3].cells, ["A3", "1"]);
        }
    }

    #[test]
    fn what_cannot_be_trusted_is_refused_with_its_line() {
        let open = read(b"sku,quantity\nA1,5\nA2,\"6\nA3,7\n", 4).unwrap_err();
        assert_eq!((open.line, open.why.contains("quote")), (3, true));
        assert_eq!(read(b"sku,quantity\nA\xff,5\n", 9).unwrap_err().line, 2);
        assert!(read(b"\xFF\xFEs\0", 2).unwrap_err().why.contains("UTF-8"));
        assert!(read(&[b'a'; 40_000], 1000).unwrap_err().why.contains("longer"));
        assert_eq!(read(b"", 1).unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_alike(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1..40_usize) {
            prop_assert_eq!(read(&bytes, step), read(&bytes, 1000));
        }
    }
}
