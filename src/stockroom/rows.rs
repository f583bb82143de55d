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

/// The reader: a row is a line. A quote that is not closed on its line would swallow those after it, and is refused.
#[derive(Default)]
pub struct Rows {
    /// Chosen by the first line that is not blank.
    reader: Option<Reader>,
    /// The line that has not ended yet.
    pending: Vec<u8>,
    /// Lines that have.
    lines: u64,
}

impl Rows {
    /// Takes in bytes; each whole row goes to `found`.
    ///
    /// # Errors
    /// Where a row cannot be read: nothing after it can be trusted.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Row>) -> Result<(), Unreadable> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.pending);
                self.line(&line, found)?;
            } else if self.pending.len() > LONGEST {
                return Err(self.fails(format!("it is longer than {LONGEST} bytes")));
            }
        }
        Ok(())
    }

    /// The end of the bytes: the last row, where no line end follows it.
    ///
    /// # Errors
    /// As for [`Rows::push`].
    pub fn finish(&mut self, found: &mut Vec<Row>) -> Result<(), Unreadable> {
        let line = std::mem::take(&mut self.pending);
        if line.is_empty() { Ok(()) } else { self.line(&line, found) }
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<Row>) -> Result<(), Unreadable> {
        let mut line = line;
        if self.lines == 0 {
            if line.starts_with(b"\xFF\xFE") || line.starts_with(b"\xFE\xFF") {
                return Err(self.fails("this is UTF-16: save the file as UTF-8"));
            }
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if !line.trim_ascii().is_empty() {
            let row = self.row(line)?;
            if row.cells.iter().any(|cell| !cell.is_empty()) {
                found.push(row);
            }
        }
        self.lines += 1;
        Ok(())
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, Unreadable> {
        let body = line.trim_ascii_end();
        if body.len() > LONGEST {
            return Err(self.fails(format!("it is longer than {LONGEST} bytes")));
        }
        let number = self.lines + 1;
        let reader = self.reader.get_or_insert_with(|| {
            let count = |wanted: u8| body.split(|byte| *byte == wanted).count();
            let delimiter = [b';', b'\t']
                .into_iter()
                .fold(b',', |best, other| if count(other) > count(best) { other } else { best });
            ReaderBuilder::new().delimiter(delimiter).build()
        });
        reader.reset();
        // A tab at the end parts a last, empty cell: the line goes to the reader as it is.
        let whole = [without_end(line), b"\n"].concat();
        let mut cells = vec![0; whole.len() + 1];
        let mut ends = [0; CELLS];
        let (result, _, _, count) = reader.read_record(&whole, &mut cells, &mut ends);
        match result {
            ReadRecordResult::Record => {}
            ReadRecordResult::OutputEndsFull => {
                return Err(self.fails(format!("it has more than {CELLS} cells")));
            }
            _ => return Err(self.fails("a quote is opened there and not closed on its line")),
        }
        let mut row = Row { line: number, cells: Vec::with_capacity(count) };
        let mut start = 0;
        for end in &ends[..count] {
            let Ok(cell) = std::str::from_utf8(&cells[start..*end]) else {
                return Err(self.fails("it is not UTF-8"));
            };
            row.cells.push(cell.trim().to_owned());
            start = *end;
        }
        Ok(row)
    }

    fn fails(&self, why: impl Into<String>) -> Unreadable {
        Unreadable { line: self.lines + 1, why: why.into() }
    }
}

/// A line without its end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
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
        assert!(read(&vec![b'a'; 40_000], 1000).unwrap_err().why.contains("longer"));
        assert_eq!(read(b"", 1).unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_alike(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1..40_usize) {
            prop_assert_eq!(read(&bytes, step), read(&bytes, 1000));
        }
    }
}
