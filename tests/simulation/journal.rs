//! What happened in one run: the trace, what was counted, what is wrong.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

/// Counts by group and name, as the report shows them.
pub(crate) type Counts = BTreeMap<&'static str, BTreeMap<String, u64>>;

/// One run's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    counts: Counts,
    violations: Vec<String>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event of the trace.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let at = self.began.elapsed().as_millis();
        let line = format!("{:>5}:{:02}.{:03} {}", at / 60_000, at / 1000 % 60, at % 1000, text.as_ref());
        self.lock().lines.push(line);
    }

    /// One more of these.
    pub(crate) fn count(&self, group: &'static str, name: &str) {
        self.add(group, name, 1);
    }

    pub(crate) fn add(&self, group: &'static str, name: &str, more: u64) {
        let mut state = self.lock();
        let of = state.counts.entry(group).or_default();
        match of.get_mut(name) {
            Some(count) => *count += more,
            None => drop(of.insert(name.to_owned(), more)),
        }
    }

    /// How many of these so far.
    pub(crate) fn counted(&self, group: &'static str, name: &str) -> u64 {
        self.lock().counts.get(group).and_then(|of| of.get(name)).copied().unwrap_or(0)
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// A promise was broken.
    pub(crate) fn violation(&self, what: &str, text: impl AsRef<str>) {
        let text = format!("{what}: {}", text.as_ref());
        self.note(format!("VIOLATION {text}"));
        self.lock().violations.push(text);
    }

    /// A promise was looked at: it is counted, and broken where `held` is false.
    pub(crate) fn check(&self, what: &'static str, held: bool, text: impl FnOnce() -> String) -> bool {
        self.count("checked", what);
        if !held {
            self.violation(what, text());
        }
        held
    }

    /// The trace, the counts, and what is wrong.
    pub(crate) fn close(&self) -> (Vec<String>, Counts, Vec<String>) {
        let state = std::mem::take(&mut *self.lock());
        (state.lines, state.counts, state.violations)
    }
}
