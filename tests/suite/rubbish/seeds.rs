//! Good bytes to begin from: the example, the demo, and what the models of the shops answer.

use std::{collections::BTreeMap, fs, path::Path};

use super::{answers, body, run};

/// By target of `tests/fuzz`.
pub(super) type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

pub(super) fn all() -> Seeds {
    Seeds::from([
        ("config", configurations()),
        ("import_csv", figures()),
        ("folder_csv", orders()),
        ("shopify_answer", answered(run(answers::shopify(&[NONE])))),
        ("bigcommerce_answer", answered(run(answers::bigcommerce(&[NONE])))),
        ("api_body", bodies()),
    ])
}

/// An answer that is never asked for: nothing is put in the place of the shop's own.
const NONE: u8 = u8::MAX - 1;

/// One file a seed, its folder named for its target.
pub(super) fn write(corpus: &Path, all: &Seeds) {
    for (target, seeds) in all {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).unwrap();
        for (n, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:03}")), seed).unwrap();
        }
    }
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The example; each of its shops alone, as the whole configuration and as a merchant's file.
pub(super) fn configurations() -> Vec<Vec<u8>> {
    let example = file("config.example.toml");
    let option = |line: &str| {
        let bare = line.trim_start_matches('#');
        let is_option = line.starts_with('#') && !line.starts_with("##") && !bare.starts_with([' ', '-']);
        if is_option { bare.to_owned() } else { line.to_owned() }
    };
    let parts: Vec<&str> = example.split("\n# ---- ").collect();
    let top = parts[0];
    let mut found = vec![example.clone()];
    for part in &parts[1..] {
        let shop: Vec<String> = part.lines().skip(1).map(option).collect();
        let shop = shop.join("\n");
        found.push(format!("{top}\n{shop}\n"));
        // A merchant's own file has its tables without the `merchant.` and no id.
        let own = shop.replace("[[merchant]]\n", "").replace("[merchant.", "[").replace("[[merchant.", "[[");
        let own: Vec<&str> = own
            .lines()
            .enumerate()
            .filter(|(n, line)| *n != 0 || !line.starts_with("id"))
            .map(|(_, line)| line)
            .collect();
        found.push(own.join("\n"));
    }
    found.into_iter().map(String::into_bytes).collect()
}

/// Their first byte says how it is asked.
pub(super) fn figures() -> Vec<Vec<u8>> {
    let file = |asks: u8, text: &str| [&[asks], text.as_bytes()].concat();
    vec![
        file(0, "sku,quantity\nA1,5\nA2,0\n"),
        file(0, "\u{feff}SKU;On hand;Note\r\nA1;5;\"x;y\"\r\n\r\nA2;1000000000;\r\n"),
        file(1, "sku\tquantity\nA1\t-5\nA1\t7"),
        file(2, "quantity,sku\n1,\"A \"\"1\"\"\"\n"),
        file(12, "sku,quantity\nZoë,1\n"),
        file(8, "sku,warehouse,quantity\nA1,main,5\nA1,annex,2\n"),
    ]
}

/// The demo's files, and its catalogue.
pub(super) fn orders() -> Vec<Vec<u8>> {
    let names =
        ["inbox/bluefin-2026-11-06", "inbox/bluefin-2026-11-13", "inbox/bluefin-2026-11-20", "products"];
    names.iter().map(|name| file(&format!("connectors/folder/demo/{name}.csv")).into_bytes()).collect()
}

/// Each answer in its own place: which one it is, its status, its body.
fn answered(answers: Vec<bytes::Bytes>) -> Vec<Vec<u8>> {
    let place = |n: usize| u8::try_from(n).ok().filter(|n| *n < NONE);
    let answers = answers.into_iter().enumerate();
    answers.filter_map(|(n, answer)| Some([&[place(n)?, 0], &answer[..]].concat())).collect()
}

/// To which route, and the body.
fn bodies() -> Vec<Vec<u8>> {
    let commands = crate::api::rubbish::commands();
    let body = |path: &str| match commands.iter().find(|(_, known, _)| known == path) {
        Some((_, _, body)) => body.to_string(),
        None => "sku,warehouse,quantity\nA1,main,5\n".to_owned(),
    };
    body::ROUTES
        .iter()
        .enumerate()
        .map(|(n, (_, path, _))| [&[n as u8], body(path).as_bytes()].concat())
        .collect()
}
