//! Printing: tables for people, and failures.

use std::io::{self, Write};

use sdk::Timestamp;

/// Says on standard error why the program fails.
pub fn complain(text: &str) {
    // If standard error is gone, the exit code still tells.
    let _ = writeln!(io::stderr().lock(), "portald: {}", plain(text));
}

/// Prints text and a newline.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Text from a channel, safe for a terminal: control characters, and those that turn or hide text, are shown and not
/// obeyed.
pub fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let bad = (c.is_control() && c != '\n') || is_invisible(c);
            let shown = if bad { Some(c.escape_unicode()) } else { None };
            shown.into_iter().flatten().chain((!bad).then_some(c))
        })
        .collect()
}

/// Turns the direction of what follows, or takes no room: with these an address reads otherwise than it is.
/// (Unicode, "Bidirectional formatting characters" and the zero-width ones of its general punctuation. The joiners
/// U+200C and U+200D stay: names in several scripts need them.)
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A table with aligned columns.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&text| text.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell).replace('\n', " ")).collect());
    }

    /// Whether there is nothing under the headings.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// As text, without a newline at its end.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| {
            self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut text = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                text.push_str(cell);
                let gap = width - cell.chars().count() + 2;
                text.extend(std::iter::repeat_n(' ', gap));
            }
            text.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Prints it, or these words where it is empty.
    pub fn print(&self, when_empty: &str) -> io::Result<()> {
        if self.is_empty() { say(when_empty) } else { say(&self.render()) }
    }
}

/// Bytes for a person: `412 bytes`, `3.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A number with its word: `1 merchant`, `3 merchants`.
pub fn count(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// How long ago, in two figures at most: `4m`, `3h 10m`, `12d`.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    let secs = (now - then).num_seconds().max(0);
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..86_400 => format!("{}h {:02}m", secs / 3600, secs % 3600 / 60),
        86_400..864_000 => format!("{}d {:02}h", secs / 86_400, secs % 86_400 / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}

/// An instant, to the second, in UTC.
pub fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_disarm_control_characters() {
        let mut table = Table::new(&["ID", "NAME"]);
        table.row(["a".to_owned(), "x\u{1b}[2J".to_owned()]);
        table.row(["turned".to_owned(), "gpj\u{202e}.exe".to_owned()]);
        table.row(["long one".to_owned(), "Zoë".to_owned()]);
        assert_eq!(
            table.render(),
            "ID        NAME\na         x\\u{1b}[2J\nturned    gpj\\u{202e}.exe\nlong one  Zoë"
        );
    }

    #[test]
    fn ages_are_short() {
        let then = Timestamp::default();
        let after = |secs| age(then + chrono::TimeDelta::seconds(secs), then);
        assert_eq!(after(5), "5s");
        assert_eq!(after(250), "4m");
        assert_eq!(after(11_400), "3h 10m");
        assert_eq!(after(100_000), "1d 03h");
        assert_eq!(after(-3), "0s", "clocks may differ a little");
    }
}
