//! Faults put into the code on purpose, and what notices them.
//!
//! That each still has its place in the code is looked at every time. Making them is another matter: each costs a build,
//! in a copy of the project under `target/mutation`. All of them, some forty minutes on two cores:
//!
//! ```sh
//! cargo test --test suite mutation -- --ignored --nocapture
//! ```
//! `PORTALD_FAULTS=look,cursor` makes only those with these words in their names. The table at the end says which test
//! noticed each, for the simulation with its seed. One that nobody notices fails the test.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it cannot go on, and this one is watched by a person"
)]

mod faults;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use faults::{By, FAULTS, Fault};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file with the fault in it; the error says why there is none.
fn broken(fault: &Fault, text: &str) -> Result<String, String> {
    match text.matches(fault.from).count() {
        1 => Ok(text.replacen(fault.from, fault.to, 1)),
        found => Err(format!("`{}`: {} has {found} places for it, not one", fault.name, fault.file)),
    }
}

#[test]
fn every_fault_has_its_place() {
    let mut lost = Vec::new();
    for fault in FAULTS {
        let text = fs::read_to_string(root().join(fault.file)).unwrap_or_default();
        lost.extend(broken(fault, &text).err());
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// A copy of what git keeps, so that nothing here is touched.
fn copy(to: &Path) {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git lists no files here");
    for name in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        let (from, to) = (root().join(name), to.join(name));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let Ok(bytes) = fs::read(from) else { continue };
        // What did not change keeps its time: it need not be built again.
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes).unwrap();
        }
    }
}

/// What a run of tests said.
enum Told {
    Passed,
    Failed(String),
    NotBuilt(String),
}

fn run(tree: &Path, by: &By) -> Told {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(tree).arg("test").args(by.arguments());
    cargo.env("CARGO_TARGET_DIR", root().join("target/mutation/target")).env("PROPTEST_RNG_SEED", "20261126");
    cargo.env("CARGO_TERM_COLOR", "never").env("RUST_BACKTRACE", "0");
    // A failing seed is all that is asked for.
    cargo.env("PORTALD_SEEDS", "24");
    let output = cargo.output().unwrap();
    if output.status.success() {
        return Told::Passed;
    }
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if said.contains("error: could not compile") {
        return Told::NotBuilt(said);
    }
    Told::Failed(noticed(by, &said))
}

/// Which test, and for the simulation at which seed and against what.
fn noticed(by: &By, said: &str) -> String {
    let violation = said.lines().find_map(|line| {
        let (seed, rest) = line.strip_prefix("seed ")?.split_once(": ")?;
        seed.parse::<u64>().ok()?;
        Some(format!("simulation, seed {seed}: {}", rest.split(": ").next().unwrap_or(rest)))
    });
    let failed = || {
        let mut tests =
            said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let first = tests.next().unwrap_or("broke off");
        match tests.count() {
            0 => format!("{}: `{first}`", by.name()),
            more => format!("{}: `{first}` and {more} more", by.name()),
        }
    };
    // Other tests speak of seeds too.
    violation.filter(|_| matches!(by, By::Simulation)).unwrap_or_else(failed)
}

#[test]
#[ignore = "builds the project once for each fault: some forty minutes"]
fn every_fault_is_noticed() {
    let wanted = std::env::var("PORTALD_FAULTS").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|word| !word.is_empty()).collect();
    let tree = root().join("target/mutation/tree");
    let mut rows = vec!["| fault | noticed by |".to_owned(), "|---|---|".to_owned()];
    let mut unnoticed = Vec::new();
    for fault in FAULTS {
        if !wanted.is_empty() && !wanted.iter().any(|word| fault.name.contains(word)) {
            continue;
        }
        copy(&tree);
        let file = tree.join(fault.file);
        let sound = fs::read_to_string(&file).unwrap();
        fs::write(&file, broken(fault, &sound).unwrap()).unwrap();
        let mut by = None;
        for run_by in fault.by {
            match run(&tree, run_by) {
                Told::Passed => {}
                Told::Failed(what) => {
                    by = Some(what);
                    break;
                }
                Told::NotBuilt(why) => panic!("`{}` does not compile:\n{why}", fault.name),
            }
        }
        fs::write(&file, sound).unwrap();
        let row = format!("| {} | {} |", fault.name, by.as_deref().unwrap_or("**nobody**"));
        eprintln!("{row}");
        rows.push(row);
        if by.is_none() {
            unnoticed.push(fault.name);
        }
    }
    eprintln!("\n{}", rows.join("\n"));
    assert!(unnoticed.is_empty(), "nobody noticed {unnoticed:?}");
}
