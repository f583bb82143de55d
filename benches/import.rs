//! How long `portald inventory import` of 100,000 rows takes, and what memory: `cargo bench --bench import`.
//!
//! The real binary runs on a folder of its own; the command line sends it a CSV of 100,000 SKUs in one warehouse, as a
//! supplier would. Four times: a dry run, all figures told for the first time, all of them changed, and all of them
//! told again. Timed from the start of the command's process to its end, when every figure is on the disk. Memory is
//! the peak of each process as the kernel counts it.
#![allow(clippy::print_stdout, reason = "a table for people")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may stop")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::Instant;

const ROWS: usize = 100_000;
const PORTALD: &str = env!("CARGO_BIN_EXE_portald");
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path());
    let daemon = Daemon::start(&config);
    let until = Instant::now() + PATIENCE;
    while !portald(&config, &["status"]).status().unwrap().success() {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let idle = peak(daemon.0.id()).unwrap();

    let head = ["import of 100,000 rows", "s", "rows/s", "daemon's peak, MB", "command's peak, MB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, seed, more) in [
        ("dry run", 1, &["--dry-run"][..]),
        ("all new", 1, &[]),
        ("all changed", 2, &[]),
        ("all told again", 2, &[]),
    ] {
        let file = folder.path().join("stock.csv");
        fs::write(&file, csv(seed)).unwrap();
        let begun = Instant::now();
        let mut command = portald(&config, &["inventory", "import"]);
        let mut child = command.arg(&file).args(more).spawn().unwrap();
        let mut own: f64 = 0.0;
        let status = loop {
            own = own.max(peak(child.id()).unwrap_or_default());
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let took = begun.elapsed().as_secs_f64();
        assert!(status.success());
        rows.push(vec![
            name.to_owned(),
            format!("{took:.2}"),
            support::grouped(ROWS as f64 / took),
            format!("{:.0}", peak(daemon.0.id()).unwrap()),
            format!("{own:.0}"),
        ]);
    }
    daemon.end();
    support::table(&rows);
    println!(
        "\nThe daemon's peak before the first import: {idle:.0} MB. The file: {:.1} MB.",
        csv(1).len() as f64 / 1e6
    );
    println!("{}.", support::machine(&std::env::temp_dir()));
}

fn csv(seed: usize) -> String {
    let mut text = "sku,warehouse,quantity\n".to_owned();
    for n in 0..ROWS {
        writeln!(text, "ACME-{n:06},main,{}", 1 + (n * 7 + seed * 13) % 900).unwrap();
    }
    text
}

/// The peak of a process's resident memory, in megabytes; `None` once it is gone.
fn peak(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

fn portald(config: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(PORTALD);
    command.args(words).arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn configure(folder: &Path) -> PathBuf {
    let file = folder.join("portald.toml");
    let text = r#"
[supplier]
name = "Acme Supply"
[api]
socket = "api.sock"
[log]
level = "warn"
[[merchant]]
id = "bluefin"
[merchant.dropship]
skus = ["ACME-*"]
[[merchant.channel]]
id = "shop"
connector = "folder"
path = "shop"
"#;
    fs::write(&file, text).unwrap();
    file
}

/// The running daemon.
struct Daemon(Child);

impl Daemon {
    fn start(config: &Path) -> Self {
        Self(Command::new(PORTALD).arg("run").arg("--config").arg(config).spawn().unwrap())
    }

    fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone, unless the bench failed.
        let _ = self.0.kill();
    }
}
