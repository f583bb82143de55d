//! What is wrong with the configuration, shown as a person wants to read it: the place, the line, what to do.

use std::{
    collections::BTreeSet,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use sdk::settings::Problem;

/// Every mistake of one run over all files, in their order.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    found: Vec<Located>,
    /// Files of which no more is told.
    full: BTreeSet<PathBuf>,
}

/// One mistake at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1; `None` where the file itself is what is wrong.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

/// The line, with what is not to be shown masked, and where the caret goes (in letters).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    start: usize,
    width: usize,
}

/// The most that is told of one file: one that is something else altogether has a mistake on each of its lines.
const MOST: usize = 200;
/// The longest line that is shown whole.
const LONGEST_LINE: usize = 160;

impl Problems {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Located> {
        self.found.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Something wrong with a whole file or folder.
    pub(super) fn whole(&mut self, file: &Path, message: impl Into<String>, hint: Option<&str>) {
        self.found.push(Located {
            file: file.to_owned(),
            at: None,
            message: message.into(),
            hint: hint.map(str::to_owned),
            excerpt: None,
        });
    }

    /// A problem at a place in a file's text.
    pub(super) fn at(&mut self, source: &Source, problem: Problem, syntax: bool) {
        if self.full.contains(&source.file) {
            return;
        }
        let located = source.locate(problem, syntax);
        // Two readers may look at one key.
        if self.found.contains(&located) {
            return;
        }
        if self.found.iter().filter(|known| known.file == source.file).count() < MOST {
            self.found.push(located);
        } else {
            self.full.insert(source.file.clone());
            self.whole(
                &source.file,
                format!("there are more mistakes in it than the {MOST} that are told"),
                Some("mend these first"),
            );
        }
    }

    /// In the order of the files as first met, then of the lines.
    pub(super) fn sort(&mut self) {
        let mut order: Vec<PathBuf> = Vec::new();
        for problem in &self.found {
            if !order.contains(&problem.file) {
                order.push(problem.file.clone());
            }
        }
        self.found.sort_by_key(|problem| (order.iter().position(|file| *file == problem.file), problem.at));
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Located;
    type IntoIter = std::slice::Iter<'p, Located>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.found {
            writeln!(f, "{problem}")?;
        }
        match self.found.len() {
            1 => write!(f, "1 problem"),
            count => write!(f, "{count} problems"),
        }
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        writeln!(f, ": {}", self.message)?;
        if let (Some(excerpt), Some((number, _))) = (&self.excerpt, self.at) {
            let number = number.to_string();
            writeln!(f, "  {number} | {}", excerpt.line)?;
            let (gutter, indent) = (" ".repeat(number.len()), " ".repeat(excerpt.start));
            writeln!(f, "  {gutter} | {indent}{}", "^".repeat(excerpt.width))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A file's text, for places in it.
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) text: String,
    /// Where each line begins: thousands of merchants may stand in one file.
    lines: Vec<usize>,
}

impl Source {
    pub(super) fn new(file: PathBuf, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        Self { file, text, lines }
    }

    /// Line and column of a byte, from 1; the column counts letters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        (line, self.text[self.lines[line - 1]..offset].chars().count() + 1)
    }

    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    fn locate(&self, problem: Problem, syntax: bool) -> Located {
        let start = self.floor(problem.span.start);
        let end = self.floor(problem.span.end).max(start);
        Located {
            file: self.file.clone(),
            at: Some(self.position(start)),
            excerpt: Some(self.excerpt(start..end, &problem.message, syntax)),
            message: problem.message,
            hint: problem.hint,
        }
    }

    /// The line of `span`'s start. What may be a secret is masked: the operator pastes this into tickets.
    fn excerpt(&self, span: Range<usize>, message: &str, syntax: bool) -> Excerpt {
        let from = self.text[..span.start].rfind('\n').map_or(0, |end| end + 1);
        let to = self.text[span.start..].find('\n').map_or(self.text.len(), |end| span.start + end);
        let stop = span.end.clamp(span.start, to);
        let line = &self.text[from..to];

        let sensitive = tells_a_secret(line) || message.contains("secret") || message.contains("exactly one");
        let inside = ["\"\"\"", "'''"].iter().any(|quote| self.text[..from].matches(quote).count() % 2 == 1);
        let (mut before, mut marked, mut after);
        if inside || (sensitive && syntax) {
            let shown = if inside { "" } else { line.split_once('=').map_or("", |(key, _)| key) };
            before = if shown.is_empty() { String::new() } else { format!("{shown}= ") };
            (marked, after) = ("…".to_owned(), String::new());
        } else {
            let mut quote = None;
            let mask_all = sensitive || syntax;
            before = mask(&self.text[from..span.start], &mut quote, mask_all);
            marked = mask(&self.text[span.start..stop], &mut quote, mask_all);
            after = mask(&self.text[stop..to], &mut quote, mask_all || message.starts_with("unknown key"));
        }
        for part in [&mut before, &mut marked, &mut after] {
            *part = part.replace(char::is_control, " ");
        }
        let after = after.trim_end();
        let mut start = before.chars().count();
        let width = marked.trim_end().chars().count();
        let mut line: Vec<char> = format!("{before}{marked}{after}").chars().collect();
        if line.len() > LONGEST_LINE {
            let cut = start.saturating_sub(LONGEST_LINE / 2).min(line.len() - LONGEST_LINE);
            line.drain(..cut);
            line.truncate(LONGEST_LINE);
            start -= cut;
        }
        let width = width.clamp(1, (line.len() + 1).saturating_sub(start).max(1));
        Excerpt { line: line.into_iter().collect::<String>().trim_end().to_owned(), start, width }
    }
}

fn tells_a_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    ["token", "secret", "passw", "credential", "api_key", "apikey", "private_key"]
        .iter()
        .any(|word| line.contains(word))
}

/// `text` with what stands in quotes replaced; `quote` is the quote still open before and after it.
fn mask(text: &str, quote: &mut Option<char>, hide: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    if quote.is_some() && hide && !text.is_empty() {
        shown.push('…');
    }
    let mut escaped = false;
    for letter in text.chars() {
        match *quote {
            None => {
                shown.push(letter);
                if letter == '"' || letter == '\'' {
                    *quote = Some(letter);
                    if hide {
                        shown.push('…');
                    }
                } else if letter == '#' {
                    // A comment may quote as it likes; it may hold an old secret too.
                    if hide {
                        shown.push('…');
                        break;
                    }
                }
            }
            Some(open) if letter == open && !escaped => {
                *quote = None;
                shown.push(letter);
            }
            Some(open) => {
                escaped = open == '"' && letter == '\\' && !escaped;
                if !hide {
                    shown.push(letter);
                }
            }
        }
    }
    shown
}
