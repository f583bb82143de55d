//! What the benches share: the machine's facts, a process's own figures, tables in Markdown.
#![allow(dead_code, reason = "each bench uses its own part")]
#![allow(unreachable_pub, reason = "a module of several programs")]

use std::{fs, time::Duration};

/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// Processor time of this process so far, its threads included: (user, system), in seconds.
pub fn cpu() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The second field is a name in brackets, which may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap() / TICKS;
    (ticks(11), ticks(12))
}

/// A line of `/proc/self/status` in megabytes: `VmHWM` is the peak of resident memory, `VmRSS` what it is now.
pub fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().unwrap() / 1024.0
}

/// One line on where this was measured: processors, kernel, the file system of the working folder.
pub fn machine(folder: &std::path::Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let model = model.trim_matches(|c: char| c == ':' || c.is_whitespace());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let mounts = read("/proc/mounts");
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (place, kind) = (fields.next()?, fields.next()?);
            folder.starts_with(place).then_some((place.len(), kind))
        })
        .max()
        .map_or("unknown", |(_, kind)| kind);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores of {model}, Linux {}, {kind}, load average {load} at the end", kernel.trim())
}

/// The value below which this share of the sorted values lies.
pub fn at(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// In milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Whole thousands with a comma: `25,000`.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints a table as Markdown; the first row is its head. All columns but the first are to the right.
#[allow(clippy::print_stdout, reason = "a table for people")]
pub fn table(rows: &[Vec<String>]) {
    for (n, row) in rows.iter().enumerate() {
        println!("| {} |", row.join(" | "));
        if n == 0 {
            println!("|---{}|", "|---:".repeat(row.len() - 1));
        }
    }
}
