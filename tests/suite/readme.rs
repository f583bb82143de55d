//! What the README says is true: its commands parse, its configuration loads, its map names what is there, and it
//! knows every event and metric of the code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use portald::{
    cli::Cli,
    config::{self, Environment},
    registry::CONNECTORS,
    telemetry,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fenced block: its language, and its text without the indentation of a list.
struct Block {
    language: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for line in document.lines() {
        let indent = line.len() - line.trim_start().len();
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let block = Block { language: language.to_owned(), text: String::new() };
                open = Some((indent, block));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
            (Some((indent, block)), None) => {
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

/// The words of a shell line: quotes keep blanks, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut inside) = (false, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                if !std::mem::replace(&mut inside, true) {
                    words.push(String::new());
                }
            }
            '#' if !quoted && !inside => break,
            blank if blank.is_whitespace() && !quoted => inside = false,
            letter => {
                if !std::mem::replace(&mut inside, true) {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.push(letter);
                }
            }
        }
    }
    words
}

/// The words from `portald` on, where the line runs it: by name, behind `sudo` or `env`, or by cargo.
fn command(line: &str) -> Option<Vec<String>> {
    let words = words(line.trim_start_matches("$ "));
    if words.first().is_some_and(|word| word == "cargo") {
        let at = words.iter().position(|word| word == "--")?;
        let run = words.get(1).is_some_and(|word| word == "run");
        return run.then(|| [&["portald".to_owned()], &words[at + 1..]].concat());
    }
    let at = words.iter().position(|word| word != "sudo" && word != "env" && !word.contains('='))?;
    let program = Path::new(&words[at]).file_name()?;
    (program == "portald").then(|| words[at..].to_vec())
}

fn parses(words: &[String]) {
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("`{}` does not parse: {error}", words.join(" "));
    }
}

#[test]
fn every_command_line_parses() {
    let readme = read("README.md");
    let mut seen = 0;
    for block in blocks(&readme).iter().filter(|block| ["sh", "console"].contains(&&*block.language)) {
        for line in block.text.replace("\\\n", " ").lines() {
            if let Some(words) = command(line) {
                parses(&words);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} commands were found: is this test still looking at the right lines?");
    // Commands in the prose, which may break over a line.
    let prose = readme.split("```").step_by(2).collect::<String>();
    for span in prose.split('`').skip(1).step_by(2) {
        if span.starts_with("portald ") && span.split_whitespace().count() > 1 {
            parses(&words(span));
        }
    }
}

#[test]
fn the_unit_runs_commands_that_parse() {
    for line in read("systemd/portald.service").lines().filter(|line| line.starts_with("Exec")) {
        let line = line.split_once('=').unwrap().1.trim_start_matches('-');
        if let Some(words) = command(line) {
            parses(&words);
        }
    }
}

#[test]
fn the_backup_unit_runs_commands_that_parse() {
    let unit = read("systemd/portald-backup.service");
    let line = unit.lines().find(|line| line.starts_with("ExecStart=")).expect("it runs something");
    let script = line.split('\'').nth(1).expect("a script in quotes");
    let parsed =
        script.split(';').filter_map(|part| command(part.trim())).inspect(|words| parses(words)).count();
    assert_eq!(parsed, 2, "a backup, and a look through it");
}

#[test]
fn its_configuration_is_well() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants.d")).unwrap();
    fs::write(folder.path().join("bluefin-token"), "a-secret\n").unwrap();
    let mut files = 0;
    for block in blocks(&read("README.md")).iter().filter(|block| block.language == "toml") {
        block.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}\n{}", block.text));
        let first = block.text.lines().next().unwrap_or_default();
        if let Some(file) = first.strip_prefix("# /etc/portald/") {
            fs::write(folder.path().join(file), &block.text).unwrap();
            files += 1;
        }
    }
    assert_eq!(files, 2, "the supplier's file and a merchant's");
    let environment = Environment::of([("CREDENTIALS_DIRECTORY", folder.path())]);
    let config = config::load(&folder.path().join("portald.toml"), &environment, CONNECTORS);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.merchants[0].id, "bluefin");
    // The unit's folders are the ones that it says.
    let unit = read("systemd/portald.service");
    assert_eq!(config.store_path, Path::new("/var/lib/portald"));
    assert!(unit.contains("StateDirectory=portald\n"));
    assert_eq!(config.api.socket, Path::new("/run/portald/portald.sock"));
    assert!(unit.contains("RuntimeDirectory=portald\n"));
}

#[test]
fn the_map_names_what_is_there() {
    let readme = read("README.md");
    let (_, map) = readme.split_once("## The map of the code").expect("the section is there");
    let map = &blocks(map)[0].text;
    let mut parent = String::new();
    for line in map.lines() {
        let name = line.split_whitespace().next().unwrap();
        let path = if line.starts_with(' ') { format!("{parent}{name}") } else { name.to_owned() };
        assert!(root().join(&path).exists(), "{path} is in the map and not there");
        if !line.starts_with(' ') {
            name.clone_into(&mut parent);
        }
    }
    // And what is there is in the map.
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "lib.rs" || map.contains(&name), "src/{name} is not in the map");
    }
}

#[test]
fn its_links_lead_somewhere() {
    for document in ["README.md", "connectors/sdk/README.md"] {
        for link in read(document).split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let target = target.split('#').next().unwrap();
            let beside = root().join(document).with_file_name(target);
            assert!(target.is_empty() || target.contains("://") || beside.exists(), "{document}: {target}");
        }
    }
}

/// Every string literal of the shape `family.word` that names an event.
fn events() -> BTreeSet<String> {
    const FAMILIES: [&str; 24] = [
        "order",
        "products",
        "cancel",
        "tracking",
        "split",
        "shipment",
        "fulfillment",
        "outbox",
        "pull",
        "restore",
        "sweep",
        "channel",
        "deliver",
        "stock",
        "config",
        "daemon",
        "store",
        "schedule",
        "systemd",
        "task",
        "api",
        "folder",
        "shopify",
        "bigcommerce",
    ];
    let connectors = ["sdk", "folder", "shopify", "bigcommerce"].map(|name| format!("connectors/{name}/src"));
    let mut folders: Vec<PathBuf> =
        connectors.iter().map(String::as_str).chain(["src"]).map(|folder| root().join(folder)).collect();
    let mut events = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are text");
            for literal in text.split('"') {
                let word = |text: &str| {
                    !text.is_empty()
                        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
                };
                if let Some((family, rest)) = literal.split_once('.')
                    && FAMILIES.contains(&family)
                    && word(rest)
                {
                    events.insert(literal.to_owned());
                }
            }
        }
    }
    events
}

#[test]
fn every_event_is_in_the_table() {
    let readme = read("README.md");
    let events = events();
    assert!(events.len() > 60, "only {} events were found", events.len());
    let missing: Vec<_> = events.iter().filter(|event| !readme.contains(&format!("`{event}`"))).collect();
    assert!(missing.is_empty(), "add these events to the table of the README: {missing:?}");
}

#[test]
fn every_event_of_an_order_has_a_sentence() {
    let unknown = telemetry::sentence("no.such");
    let plan = ["order.", "cancel.", "tracking.", "split.", "shipment.", "fulfillment.", "outbox."];
    // Logged by the ledger itself, with messages of their own.
    let own = ["order.set_aside", "order.set_aside_cleared"];
    for event in events() {
        if plan.iter().any(|family| event.starts_with(family)) && !own.contains(&&*event) {
            assert_ne!(telemetry::sentence(&event), unknown, "{event}");
        }
    }
}

#[test]
fn every_metric_is_in_the_table() {
    let readme = read("README.md");
    for literal in read("src/telemetry.rs").split('"').filter(|literal| literal.starts_with("portald_")) {
        assert!(readme.contains(&format!("`{literal}`")), "{literal} is not in the README");
    }
}

/// The lines between a heading and the next one.
fn section<'d>(document: &'d str, heading: &str) -> Vec<&'d str> {
    let mut lines = document.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    assert!(lines.next().is_some(), "there is no section {heading:?}");
    lines.take_while(|line| !line.starts_with('#')).collect()
}

#[test]
fn what_a_channel_can_is_told_as_its_code_has_it() {
    let mut table = vec![
        format!("| | {} |", CONNECTORS.iter().map(|it| it.name()).collect::<Vec<_>>().join(" | ")),
        format!("|---|{}", "---|".repeat(CONNECTORS.len())),
    ];
    let columns: Vec<_> = CONNECTORS.iter().map(|connector| connector.capabilities().facts()).collect();
    for (row, (words, _)) in columns[0].iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|facts| if facts[row].1 { "yes" } else { "no" }).collect();
        table.push(format!("| {words} | {} |", cells.join(" | ")));
    }
    let table = table.join("\n");
    assert!(read("README.md").contains(&table), "the README should hold this table:\n{table}");

    for connector in CONNECTORS {
        let document = read(format!("connectors/{}/README.md", connector.name()));
        let told: Vec<_> = section(&document, "What it cannot")
            .into_iter()
            .filter_map(|line| line.strip_prefix("* "))
            .collect();
        let mut gaps = connector.capabilities().gaps();
        if gaps.is_empty() {
            gaps.push("nothing of what portald asks for");
        }
        assert_eq!(told, gaps, "connectors/{}/README.md", connector.name());
    }
}
