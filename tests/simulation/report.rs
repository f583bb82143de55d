//! The one table at the end.

use std::{fmt::Write as _, time::Duration};

use crate::journal::Counts;

/// Sums over all runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) seeds: u64,
    pub(crate) virtual_time: Duration,
    pub(crate) counts: Counts,
    pub(crate) violations: u64,
    pub(crate) failed: Vec<u64>,
}

/// The groups, and what the table calls them.
const GROUPS: [(&str, &str); 6] = [
    ("done", "done by people"),
    ("fault", "faults"),
    ("crash", "crashes"),
    ("reload", "reloads"),
    ("traffic", "traffic"),
    ("checked", "checked"),
];

impl Report {
    pub(crate) fn take(&mut self, seed: u64, lasted: Duration, counts: &Counts, violations: &[String]) {
        self.seeds += 1;
        self.virtual_time += lasted;
        for (group, of) in counts {
            let into = self.counts.entry(group).or_default();
            for (name, count) in of {
                *into.entry(name.clone()).or_default() += count;
            }
        }
        self.violations += violations.len() as u64;
        if !violations.is_empty() {
            self.failed.push(seed);
        }
    }

    pub(crate) fn table(&self, first: u64, wall: Duration) -> String {
        let mut text = String::new();
        let days = self.virtual_time.as_secs_f64() / 86_400.0;
        let mut row = |name: &str, value: &str, detail: &str| {
            let _ = writeln!(text, "| {name:<15} | {value:>10} | {detail}");
        };
        row("simulation", "count", "");
        row("---------------", "---------:", "---");
        let seeds = format!("from seed {first}, in {:.0} s", wall.as_secs_f64());
        row("seeds", &self.seeds.to_string(), &seeds);
        row("virtual days", &format!("{days:.0}"), "");
        for (group, title) in GROUPS {
            let Some(of) = self.counts.get(group) else { continue };
            let sum: u64 = of.values().sum();
            row(title, &sum.to_string(), "");
            for (name, count) in of {
                row("", &count.to_string(), name);
            }
        }
        row(
            "violations",
            &self.violations.to_string(),
            &match &self.failed[..] {
                [] => String::new(),
                failed => format!("at seeds {failed:?}"),
            },
        );
        text
    }
}
