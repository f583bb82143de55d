//! The configuration through its public seam: whole files in, a typed value or every mistake out.
#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as a test may")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use portald::{
    config::{self, Config, Environment, LogFormat, Problems},
    record::Part,
    store::ChannelState,
};
use proptest::prelude::*;
use sdk::{
    Capabilities, Configured, Connector, Context, ExposeSecret, SecretString, Timestamp, clock::stable_hash,
    settings::Section,
};
use tempfile::TempDir;

/// A stand-in for the folder connector: its keys, nothing else.
#[derive(Debug)]
struct Folder;

/// A stand-in for a connector with secrets.
#[derive(Debug)]
struct Shop;

struct Settings {
    account: String,
    secret: Option<SecretString>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings")
    }
}

impl Configured for Settings {
    fn account(&self) -> String {
        self.account.clone()
    }
    fn fingerprint(&self) -> u64 {
        stable_hash(self.secret.as_ref().map_or("", |secret| secret.expose_secret()))
            ^ stable_hash(&self.account)
    }
    fn connect(&self, _: Context) -> Arc<dyn sdk::Channel> {
        unreachable!("the configuration never connects")
    }
}

impl Connector for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>> {
        let path = section.required_string("path", "path = \"data/demo\"");
        section.string("seed");
        section.integer("quiet_secs", 0..=86_400);
        let path = section.base().expect("the configuration has a folder").join(path?);
        Some(Box::new(Settings { account: format!("folder:{}", path.display()), secret: None }))
    }
}

impl Connector for Shop {
    fn name(&self) -> &'static str {
        "shopify"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { split_mirror: true, ..Capabilities::default() }
    }
    fn configure(&self, section: &mut Section<'_>) -> Option<Box<dyn Configured>> {
        let shop = section.required_string("shop", "shop = \"bluefin.myshopify.com\"");
        let secret = section.secret("access_token");
        let known = section.has("access_token");
        section.string("client_id");
        section.secret("client_secret");
        section.secret("refresh_token");
        for key in ["location", "api_version", "base_url"] {
            section.string(key);
        }
        section.bool("mirror_splits");
        section.integer("page_size", 1..=250);
        let shop = shop?;
        (!known || secret.is_some())
            .then(|| Box::new(Settings { account: format!("shopify:{shop}"), secret }) as Box<dyn Configured>)
    }
}

const CONNECTORS: &[&dyn Connector] = &[&Folder, &Shop];

const SUPPLIER: &str = "[supplier]\nname = \"Acme\"\n";
const CHANNEL: &str = "[[channel]]\nid = \"shop\"\nconnector = \"folder\"\npath = \"in\"\n";

/// A folder with a configuration in it.
struct Place(TempDir);

impl Place {
    fn new(top: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("portald.toml", top);
        place
    }

    /// With a merchants' folder and one file in it.
    fn merchant(stem: &str, text: &str) -> Self {
        Self::new(&format!("merchants = \"merchants.d\"\n{SUPPLIER}")).with(stem, text)
    }

    fn with(self, stem: &str, text: &str) -> Self {
        self.write(&format!("merchants.d/{stem}.toml"), text);
        self
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load_in(&self, environment: &Environment) -> Result<Config, Problems> {
        config::load(&self.0.path().join("portald.toml"), environment, CONNECTORS)
    }

    fn load(&self) -> Result<Config, Problems> {
        self.load_in(&Environment::of([("TOKEN", "t0ps3cret")]))
    }

    fn problems(&self) -> Problems {
        self.load().expect_err("the configuration is wrong")
    }
}

/// The one mistake of a configuration: `file:line: message`, and what is printed of it.
fn only(problems: &Problems) -> (String, String) {
    assert_eq!(problems.len(), 1, "{problems}");
    let problem = problems.iter().next().unwrap();
    let file = problem.file.file_name().unwrap().to_string_lossy();
    let line = problem.at.map_or(String::new(), |(line, _)| format!(":{line}"));
    (format!("{file}{line}: {}", problem.message), problem.to_string())
}

/// A merchant's file with one mistake.
fn mistake(text: &str) -> (String, String) {
    only(&Place::merchant("m", text).problems())
}

/// A top file with one mistake.
fn top_mistake(text: &str) -> (String, String) {
    only(&Place::new(&format!("{SUPPLIER}{text}")).problems())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_least_configuration_has_the_defaults() {
    let place = Place::merchant("bluefin", CHANNEL);
    let config = place.load().unwrap();
    assert_eq!(config.supplier.timezone, chrono_tz::Tz::UTC);
    assert_eq!(config.supplier.warehouses, ["main"]);
    assert_eq!(config.store_path, place.0.path().join("data"));
    assert_eq!(config.api.socket, place.0.path().join("data/portald.sock"));
    assert_eq!(config.api.socket_mode, 0o660);
    assert!(config.api.listen.is_none() && config.api.token.is_none());
    assert_eq!((config.log.format, config.log.level), (LogFormat::Text, tracing::Level::INFO));
    assert_eq!((config.pull.overlap.as_secs(), config.pull.concurrency), (300, 16));
    assert_eq!((config.delivery.read_back.as_secs(), config.delivery.retry_cap.as_secs()), (60, 3600));
    let merchant = config.merchant("bluefin").unwrap();
    assert_eq!((merchant.name.as_str(), merchant.shadow, merchant.since), ("bluefin", false, None));
    assert_eq!(merchant.orders.settle, Duration::from_secs(120));
    assert_eq!(merchant.channels[0].schedules.orders.text(), "0 */5 * * * *");
    assert!(merchant.channels[0].place.to_string().ends_with("bluefin.toml:1"));
}

#[test]
fn the_example_runs_as_it_is() {
    let config =
        config::load(&root().join("config.example.toml"), &Environment::of([("A", "b")]), CONNECTORS)
            .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.supplier.timezone, chrono_tz::America::Chicago);
    let merchant = config.merchant("bluefin").unwrap();
    assert_eq!(merchant.since, Some(time("2026-11-01T00:00:00Z")));
    assert_eq!(merchant.orders.settle, Duration::ZERO);
    let part = |sku: &str, per_unit| Part { sku: sku.to_owned(), per_unit };
    assert_eq!(merchant.dropship.map["BF-CAMP-KIT"], [part("ACME-1001", 2), part("ACME-2002", 1)]);
    assert_eq!(merchant.channels[0].schedules.deliver.text(), "*/2 * * * * *");
    assert_eq!(merchant.channels[0].schedules.sweep.text(), "0 30 3 * * *");

    let policy = config.policy(merchant, &merchant.channels[0], time("2026-12-01T00:00:00Z"));
    assert_eq!(policy.since, time("2026-11-01T00:00:00Z"), "the file's cut-over wins over first contact");
    assert!(policy.fields.email && policy.fields.unit_cost && policy.cancel_at_once);
    let policies = config.policies(|_, _| time("2026-12-01T00:00:00Z"));
    assert_eq!(policies.get("bluefin", "shop").settle, Duration::ZERO);
    assert_eq!(policies.get("gone", "shop").since, Timestamp::MAX_UTC);
}

/// Every commented option of the example is one, and has its right form.
#[test]
fn the_examples_other_options_are_options() {
    let text = std::fs::read_to_string(root().join("config.example.toml")).unwrap();
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| {
            let option = line.trim_start_matches('#');
            let is_option = line.starts_with('#') && option.starts_with(|first: char| first != ' ');
            if is_option { option } else { line }
        })
        .collect();
    let uncommented = uncommented.join("\n");
    assert!(uncommented.lines().any(|line| line.starts_with("refresh_token")));
    let place = Place::new(&uncommented);
    for name in
        ["merchants.d/.keep", "api-token", "secrets/pinecrest-client", "credentials/pinecrest-refresh"]
    {
        private(&place.write(name, "s3cret\n"));
    }
    let credentials = place.0.path().join("credentials").into_os_string();
    let environment = Environment::of([
        ("CREDENTIALS_DIRECTORY", credentials),
        ("PINECREST_SHOPIFY_TOKEN", "shpat".into()),
        ("LAKESIDE_BIGCOMMERCE_TOKEN", "token".into()),
    ]);
    // The stand-in takes all three kinds of credentials at once; BigCommerce has one.
    let connectors: &[&dyn Connector] = &[&Folder, &Shop, &bigcommerce::BigCommerce];
    let config = config::load(&place.0.path().join("portald.toml"), &environment, connectors);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.merchants.len(), 3);
    assert_eq!(config.api.token.unwrap().expose_secret(), "s3cret", "the last line end is not part of it");
}

fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn eight_mistakes_are_told_in_one_run() {
    let place = Place::new(
        r#"merchants = "merchants.d"

[supplier]
name = "Acme"
timezone = "America/Chicgo"

[schedule]
orders = "*/5 * * * *"

[log]
levle = "info"
"#,
    )
    .with(
        "bluefin",
        r#"since = "1 November"
[dropship]
skus = ["ACME-[*"]
map = { "BF-1" = "" }

[[channel]]
id = "shop"
connector = "shopify"
shop = "bluefin.myshopify.com"
access_token = "shpat_0123456789"
"#,
    )
    .with(
        "pinecrest",
        "[orders]\nsettle_secs = \"2\"\n[[channel]]\nid = \"shop\"\nconnector = \"folder\"\npath = \"p\"\n",
    );
    let problems = place.problems();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let file = problem.file.file_name().unwrap().to_string_lossy();
            format!("{file}:{} {}", problem.at.unwrap().0, problem.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "portald.toml:5 `America/Chicgo` is no known time zone",
            "portald.toml:8 `schedule.orders` is no schedule: has 5 fields: the seconds are missing",
            "portald.toml:11 unknown key `log.levle`",
            "bluefin.toml:1 `since` is not a time with an offset: \"1 November\" (premature end of input)",
            "bluefin.toml:3 `ACME-[*` is not a glob: unclosed character class; missing ']'",
            "bluefin.toml:4 our SKU for `BF-1` is empty",
            "bluefin.toml:10 `channel.access_token` must be a reference, never the secret itself",
            "pinecrest.toml:2 `orders.settle_secs` must be a whole number, not text",
        ]
    );
    let printed = problems.to_string();
    assert!(printed.ends_with("\n8 problems"), "{printed}");
    assert!(!printed.contains("shpat_"), "{printed}");
    assert!(
        printed.contains("  5 | timezone = \"America/Chicgo\"\n    |            ^^^^^^^^^^^^^^^^\n"),
        "{printed}"
    );
    assert!(printed.contains("hint: did you mean `America/Chicago`?"), "{printed}");
    assert!(printed.contains("hint: did you mean `level`?"), "{printed}");
}

#[test]
fn each_mistake_of_a_merchant_is_refused_in_its_place() {
    for (text, wanted, hint) in [
        ("mode = \"dry\"\n", "m.toml:1: `mode` cannot be \"dry\"", "\"live\", \"shadow\""),
        ("id = \"x\"\n", "m.toml:1: `id` does not belong here", "file's name"),
        ("since = 2026-11-01\n", "m.toml:1: `since` is not a time with an offset", "2026-11-01T00:00:00Z"),
        ("[dropship]\nskuz = []\n", "m.toml:2: unknown key `dropship.skuz`", "`skus`"),
        ("[dropship]\nskus = [\" A\"]\n", "m.toml:2: a SKU of `dropship.skus` has blanks", ""),
        ("[dropship.map]\n\"\" = \"A\"\n", "m.toml:2: a SKU of `dropship.map` is empty", "ACME-1001"),
        ("[dropship.map]\nK = 3\n", "m.toml:2: `dropship.map.K` must be our SKU or a kit", "kit"),
        ("[dropship.map]\nK = []\n", "m.toml:2: the kit `K` is empty", "quantity = 2"),
        (
            "[dropship.map]\nK = [{ sku = \"A\", quantity = 0 }]\n",
            "m.toml:2: `dropship.map.K.quantity` must be between 1 and",
            "",
        ),
        ("[dropship.map]\nK = [{ sku = \"\" }]\n", "m.toml:2: `dropship.map.K.sku` is empty", "ACME-1001"),
        (
            "[dropship.map]\nK = [{ sku = \"A\" }, { sku = \"A\" }]\n",
            "m.toml:2: the kit `K` names `A` twice",
            "sum",
        ),
        ("[orders]\nfields = [\"emial\"]\n", "m.toml:2: unknown field `emial`", "did you mean `email`?"),
        ("[orders]\nfields = [\"phone\"]\n", "m.toml:2: unknown field `phone`", "known: email"),
        ("[orders]\nsettle_secs = -1\n", "m.toml:2: `orders.settle_secs` must be between 0 and", ""),
        (
            "[orders]\ncancellations = \"never\"\n",
            "m.toml:2: `orders.cancellations` cannot be",
            "\"request\"",
        ),
        ("[inventory]\nsync = 1\n", "m.toml:2: `inventory.sync` must be true or false", ""),
        ("[inventory]\nwhen_stale = \"guess\"\n", "m.toml:2: `inventory.when_stale` cannot be", "\"zero\""),
        ("[inventory]\nwarehouses = [\"moon\"]\n", "m.toml:2: unknown warehouse `moon`", "supplier"),
        ("[inventory]\nshare_percent = 200\n", "m.toml:2: `inventory.share_percent` must be between", ""),
        ("[schedule]\norders = 5\n", "m.toml:2: `schedule.orders` must be text in quotes", ""),
        (
            "[schedule]\norders = \"0 61 * * * *\"\n",
            "m.toml:2: `schedule.orders` is no schedule",
            "six fields",
        ),
    ] {
        let (told, printed) = mistake(&format!("{text}{CHANNEL}"));
        assert!(told.starts_with(wanted), "{text:?} gave {told:?}");
        assert!(hint.is_empty() || printed.contains("hint: ") && printed.contains(hint), "{printed}");
    }
}

#[test]
fn each_mistake_of_a_channel_is_refused_in_its_place() {
    for (text, wanted, hint) in [
        ("name = \"M\"\n", "m.toml:1: the merchant has no channel", "[[channel]]"),
        ("channel = 3\n", "m.toml:1: `channel` must be tables", ""),
        ("[[channel]]\nconnector = \"folder\"\npath = \"p\"\n", "m.toml:1: `channel.id` is missing", "id = "),
        ("[[channel]]\nid = \"a.b\"\nconnector = \"folder\"\npath = \"p\"\n", "m.toml:2: `a.b` is no id", ""),
        ("[[channel]]\nid = \"a\"\n", "m.toml:1: `channel.connector` is missing", "known: folder, shopify"),
        (
            "[[channel]]\nid = \"a\"\nconnector = \"shopfy\"\nshop = \"s\"\n",
            "m.toml:3: unknown connector `shopfy`",
            "did you mean `shopify`? known: folder, shopify",
        ),
        (
            "[[channel]]\nid = \"a\"\nconnector = \"folder\"\n",
            "m.toml:1: `channel.path` is missing",
            "data/demo",
        ),
        (
            "[[channel]]\nid = \"a\"\nconnector = \"folder\"\npath = \"p\"\nmirror_splits = true\n",
            "m.toml:5: unknown key `channel.mirror_splits`",
            "known here",
        ),
        (
            "[[channel]]\nid = \"a\"\nconnector = \"shopify\"\nshop = \"s\"\nmirror_splits = 1\n",
            "m.toml:5: `channel.mirror_splits` must be true or false",
            "",
        ),
        (
            "[[channel]]\nid = \"a\"\nconnector = \"folder\"\npath = \"p\"\n[channel.schedule]\norder = \"\"\n",
            "m.toml:6: unknown key `channel.schedule.order`",
            "`orders`",
        ),
    ] {
        let (told, printed) = mistake(text);
        assert!(told.starts_with(wanted), "{text:?} gave {told:?}");
        assert!(hint.is_empty() || printed.contains("hint: ") && printed.contains(hint), "{printed}");
    }
}

#[test]
fn each_mistake_of_the_supplier_is_refused_in_its_place() {
    for (text, wanted, hint) in [
        ("timezone = 6\n", "portald.toml:3: `supplier.timezone` must be text", ""),
        ("warehouses = []\n", "portald.toml:3: `supplier.warehouses` is empty", "main"),
        ("warehouses = [\"a\", \"a\"]\n", "portald.toml:3: the warehouse `a` is named twice", ""),
        ("[api]\nlisten = \"127.0.0.1:7070\"\n", "portald.toml:4: `api.listen` needs `api.token`", "token ="),
        (
            "[api]\nlisten = \"7070\"\ntoken = { env = \"TOKEN\" }\n",
            "portald.toml:4: `7070` is no address",
            "",
        ),
        ("[api]\nsocket_mode = \"0666\"\n", "portald.toml:4: `0666` is no mode", "0660"),
        ("[store]\npath = \"\"\n", "portald.toml:4: `store.path` is empty", "data"),
        ("[log]\nformat = \"xml\"\n", "portald.toml:4: `log.format` cannot be \"xml\"", "\"json\""),
        ("[pull]\nconcurrency = 0\n", "portald.toml:4: `pull.concurrency` must be between 1", ""),
        ("[delivery]\nread_back = 3\n", "portald.toml:4: unknown key `delivery.read_back`", "known here"),
        ("[shedule]\n", "portald.toml:3: unknown key `shedule`", "did you mean `schedule`?"),
        (
            "[[merchant]]\nname = \"M\"\n[[merchant.channel]]\nid = \"a\"\nconnector = \"folder\"\npath = \"p\"\n",
            "portald.toml:3: `merchant.id` is missing",
            "id =",
        ),
        ("supplier.name = \"again\"\n", "portald.toml:3: ", ""),
        ("[api\n", "portald.toml:3: not TOML: ", ""),
    ] {
        let (told, printed) = top_mistake(text);
        assert!(told.starts_with(wanted), "{text:?} gave {told:?}");
        assert!(hint.is_empty() || printed.contains("hint: ") && printed.contains(hint), "{printed}");
    }
    let (told, _) = only(&Place::new("merchants = \"nowhere\"\n[supplier]\nname = \"A\"\n").problems());
    assert!(told.starts_with("nowhere: the folder of the merchants cannot be read"), "{told}");
    let (told, _) = only(&Place::new("").problems());
    assert_eq!(told, "portald.toml:1: the table [supplier] is missing");
}

#[test]
fn ids_and_accounts_are_unique() {
    let inline = |id: &str, path: &str| {
        format!(
            "[[merchant]]\nid = \"{id}\"\n[[merchant.channel]]\nid = \"shop\"\nconnector = \"folder\"\npath = \"{path}\"\n"
        )
    };
    // Inline twice.
    let (told, _) = top_mistake(&format!("{}{}", inline("a", "x"), inline("a", "y")));
    assert!(told.starts_with("portald.toml:10: the merchant `a` is also in "), "{told}");
    assert!(told.ends_with("portald.toml:4"), "{told}");
    // Inline, and a file.
    let place = Place::new(&format!("merchants = \"merchants.d\"\n{SUPPLIER}{}", inline("m", "x")))
        .with("m", CHANNEL);
    let (told, _) = only(&place.problems());
    assert!(told.starts_with("m.toml:1: the merchant `m` is also in "), "{told}");
    // A channel's id twice in one merchant.
    let (told, _) = mistake(&format!("{CHANNEL}{}", CHANNEL.replace("\"in\"", "\"in2\"")));
    assert!(told.starts_with("m.toml:6: the channel `shop` of `m` is also in "), "{told}");
    // One account twice, over two files.
    let place = Place::merchant("a", CHANNEL).with("b", CHANNEL);
    let (told, printed) = only(&place.problems());
    assert!(told.starts_with("b.toml:1: the account folder:"), "{told}");
    assert!(told.contains("already belongs to a/shop ("), "{told}");
    assert!(printed.contains("its orders would come twice"), "{printed}");
}

#[test]
fn a_files_name_is_checked_as_an_id() {
    for stem in ["Blue", "blue.fin", "-blue", "blue fin", &"b".repeat(65)] {
        let (told, _) = only(&Place::merchant(stem, CHANNEL).problems());
        assert!(told.contains("the file's name gives the merchant's id"), "{told}");
    }
    let place = Place::merchant("a_1-b", CHANNEL);
    place.write("merchants.d/.hidden.toml", "not = [toml");
    place.write("merchants.d/notes.txt", "not toml");
    assert_eq!(place.load().unwrap().merchants.len(), 1);
}

#[test]
fn a_broken_file_does_not_hide_the_others() {
    let place = Place::new("merchants = \"merchants.d\"\n[supplier\nname = \"Acme\"\n")
        .with("a", "name = \"unclosed\n")
        .with("b", &format!("mode = \"dry\"\n{CHANNEL}"))
        .with("c", &CHANNEL.replace("\"in\"", "\"in2\""));
    place.write("merchants.d/d.toml", b"name = \"x\"\n# \xff\n");
    let problems = place.problems();
    let files: Vec<_> = problems
        .iter()
        .map(|problem| problem.file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for file in ["portald.toml", "a.toml", "b.toml", "d.toml"] {
        assert!(files.iter().any(|found| found == file), "{file} is missing:\n{problems}");
    }
    assert!(!files.iter().any(|found| found == "c.toml"), "{problems}");
    assert!(problems.to_string().contains("d.toml: line 2 is not UTF-8"), "{problems}");
}

/// Each mistake was compared with all before it, and the file read from its beginning for each: a file of another kind
/// within the size that is read took hours, in a running daemon's reload too.
#[test]
fn a_file_that_is_wrong_on_each_line_is_told_in_part() {
    let lines = |line: &dyn Fn(usize) -> String| (0..10_000).map(line).collect::<Vec<_>>().concat();
    for text in [
        lines(&|_| "a = 1\n".to_owned()),
        lines(&|n| format!("k{n} = 1\n")),
        lines(&|n| format!("]{n}\n")),
        lines(&|_| "[[merchant]]\n".to_owned()),
    ] {
        let problems = Place::new(&text).problems();
        assert_eq!(problems.len(), 201, "{}", &text[..20]);
        let told = problems.to_string();
        assert!(told.contains("there are more mistakes in it than the 200 that are told"), "{told}");
    }
}

#[test]
fn a_missing_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let problems =
        config::load(&folder.path().join("no.toml"), &Environment::process(), CONNECTORS).unwrap_err();
    assert!(only(&problems).0.starts_with("no.toml: cannot be read: "), "{problems}");
}

fn shop(token: &str) -> String {
    format!("[[channel]]\nid = \"shop\"\nconnector = \"shopify\"\nshop = \"s\"\n{token}\n")
}

#[test]
fn secrets_are_found_or_refused_with_the_reason() {
    let place = Place::merchant("m", &shop("access_token = { env = \"TOKEN\" }"));
    assert!(place.load().is_ok());
    assert!(!format!("{:?}", place.load()).contains("t0ps3cret"));

    let why = |token: &str| mistake(&shop(token)).0;
    assert!(why("access_token = { env = \"NONE\" }").contains("the environment variable `NONE` is not set"));
    assert!(why("access_token = { file = \"none\" }").contains("none cannot be read"));
    assert!(why("access_token = { credential = \"c\" }").contains("$CREDENTIALS_DIRECTORY is not set"));
    assert!(why("access_token = { credential = \"../c\" }").contains("is no name of a credential"));
    assert!(why("access_token = { vault = \"c\" }").contains("unknown source `vault`"));

    for (content, wanted) in [
        (&b""[..], "is empty"),
        (&b"\n"[..], "is empty"),
        (&b"\xff\xfe"[..], "is not UTF-8"),
        (&b"two\r\nX-Evil: 1\n"[..], "a secret is one line"),
        (&b"fine\r\n"[..], ""),
    ] {
        let place = Place::merchant("m", &shop("access_token = { file = \"token\" }"));
        private(&place.write("token", content));
        match place.load() {
            Ok(_) => assert!(wanted.is_empty()),
            Err(problems) => assert!(only(&problems).0.ends_with(wanted) && !wanted.is_empty(), "{problems}"),
        }
    }
    let environment = Environment::of([("TOKEN", "")]);
    let problems = place.load_in(&environment).unwrap_err();
    assert!(only(&problems).0.ends_with("the environment variable `TOKEN` is empty"), "{problems}");
}

#[cfg(unix)]
#[test]
fn a_secret_that_everyone_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::merchant("m", &shop("access_token = { file = \"token\" }"));
    let path = place.write("token", "s3cret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (told, _) = only(&place.problems());
    assert!(told.contains("can be read by everyone (mode 0644); run: chmod o-rwx"), "{told}");
}

#[test]
fn no_mistake_shows_a_secret() {
    const PLANTED: &str = "shpat_9f8e7d6c";
    for line in [
        format!("access_token = \"{PLANTED}\""),
        format!("access_token = '{PLANTED}' # was {PLANTED}"),
        format!("access_token = \"\"\"{PLANTED}\"\"\""),
        format!("access_token = \"\"\"\n{PLANTED}\\q\n\"\"\""),
        format!("access_token = \"{PLANTED}"),
        format!("access_token = {PLANTED}"),
        format!("access_token = {{ env = \"TOKEN\", value = \"{PLANTED}\" }}"),
        format!("access_token = {{ value = \"{PLANTED}\" }}"),
        format!("access_token = {{ value = {PLANTED} }}"),
        format!("access_token = [\"{PLANTED}\"]"),
        format!("acess_tokn = \"{PLANTED}\""),
        format!("acces = \"{PLANTED}\" \"more"),
        format!("refresh_token = \"{PLANTED}\"\naccess_token = \"{PLANTED}\\\"{PLANTED}\""),
    ] {
        let printed = Place::merchant("m", &shop(&line)).problems().to_string();
        assert!(!printed.contains("9f8e7d6c"), "{line} gave\n{printed}");
        assert!(printed.contains("m.toml:"), "{printed}");
    }
}

#[test]
fn schedules_are_overridden_key_by_key() {
    let config = Place::merchant(
        "m",
        &format!(
            "[schedule]\norders = \"0 * * * * *\"\nsweep = \"0 0 4 * * *\"\n{CHANNEL}[channel.schedule]\nsweep = \"0 0 5 * * *\"\n"
        ),
    )
    .load()
    .unwrap();
    let schedules = &config.merchants[0].channels[0].schedules;
    assert_eq!(schedules.orders.to_string(), "0 * * * * *");
    assert_eq!(schedules.sweep.to_string(), "0 0 5 * * *");
    assert_eq!(schedules.deliver.to_string(), "*/10 * * * * *");
}

#[test]
fn a_reload_knows_what_changed() {
    let base = format!("name = \"M\"\n{}", shop("access_token = { env = \"TOKEN\" }"));
    let load = |text: &str, token: &str, top: &str| {
        let place = Place::new(&format!("merchants = \"merchants.d\"\n{SUPPLIER}{top}")).with("m", text);
        let mut config = place.load_in(&Environment::of([("TOKEN", token)])).unwrap();
        // The folder is another one each time; that is not what is asked.
        (config.store_path, config.api.socket) = ("data".into(), "sock".into());
        config
    };
    let old = load(&base, "one", "");
    assert!(config::diff(&old, &load(&base, "one", "")).is_empty());

    let one = |new: &Config| {
        let diff = config::diff(&old, new);
        assert!(diff.added.is_empty() && diff.removed.is_empty(), "{diff:?}");
        let change = diff.changed.first().expect("a change").clone();
        (change.reconnect, change.schedules, change.rules)
    };
    assert_eq!(one(&load(&base, "two", "")), (true, false, false), "a secret's text counts");
    assert_eq!(one(&load(&base, "one", "[schedule]\norders = \"1 * * * * *\"\n")), (false, true, false));
    assert_eq!(one(&load(&format!("mode = \"shadow\"\n{base}"), "one", "")), (false, false, true));
    assert_eq!(one(&load(&format!("{base}[dropship]\nskus = [\"A\"]\n"), "one", "")), (false, false, true));
    assert_eq!(one(&load(&base, "one", "[delivery]\nretry_cap_secs = 60\n")), (false, false, true));

    let moved = config::diff(&old, &load(&base.replace("\"shop\"", "\"web\""), "one", ""));
    assert_eq!(moved.added, [("m".to_owned(), "web".to_owned())]);
    assert_eq!(moved.removed, [("m".to_owned(), "shop".to_owned())]);

    let restart = config::diff(
        &old,
        &load(&base, "one", "timezone = \"America/Chicago\"\n[api]\nsocket_mode = \"0600\"\n"),
    );
    assert_eq!(
        restart.restart,
        ["the socket's mode (`api.socket_mode`)", "the time zone (`supplier.timezone`)"]
    );
}

#[test]
fn the_store_guards_accounts_and_the_way_out_of_shadow() {
    let now = time("2026-11-20T12:00:00Z");
    let config = |text: &str| Place::merchant("m", &format!("{text}{}", shop(""))).load().unwrap();
    let state = |account: &str, shadow_at: Option<&str>| ChannelState {
        version: 1,
        account: account.to_owned(),
        shadow_at: shadow_at.map(time),
        ..ChannelState::default()
    };
    let guard = |config: &Config, merchant: &str, channel: &str, state: ChannelState| {
        config::guard(config, &BTreeMap::from([((merchant.to_owned(), channel.to_owned()), state)]), now)
    };
    let live = config("");
    assert!(config::guard(&live, &BTreeMap::new(), now).is_empty());
    assert!(guard(&live, "m", "shop", state("shopify:s", None)).is_empty());
    assert!(guard(&live, "m", "shop", state("", None)).is_empty(), "not bound yet");

    let refused = guard(&live, "old", "shop", state("shopify:s", None));
    assert!(
        refused[0].contains("m.toml:1: the account shopify:s is bound to the merchant old"),
        "{refused:?}"
    );
    assert!(refused[0].contains("portald merchants rename old m"), "{refused:?}");
    let refused = guard(&live, "m", "web", state("shopify:s", None));
    assert!(refused[0].contains("bound to m/web, not to m/shop"), "{refused:?}");
    let refused = guard(&live, "m", "shop", state("shopify:other", None));
    assert!(refused[0].contains("m/shop is bound to the account shopify:other"), "{refused:?}");

    let was_shadow = || state("shopify:s", Some("2026-11-20T10:00:00Z"));
    let refused = guard(&live, "m", "shop", was_shadow());
    assert!(refused[0].contains("write since = \"2026-11-20T12:00:00Z\""), "{refused:?}");
    assert_eq!(guard(&config("since = \"2026-11-20T09:59:59Z\"\n"), "m", "shop", was_shadow()).len(), 1);
    assert!(guard(&config("since = \"2026-11-20T10:00:00Z\"\n"), "m", "shop", was_shadow()).is_empty());
    assert!(guard(&config("mode = \"shadow\"\n"), "m", "shop", was_shadow()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Arbitrary bytes: a configuration or problems that print, never a panic.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let place = Place::merchant("m", "");
        place.write("merchants.d/m.toml", &bytes);
        place.write("portald.toml", &bytes);
        let problems = place.problems();
        prop_assert!(!problems.to_string().is_empty());
    }

    /// A sound file with a piece cut out or put in: likewise, and nothing planted is shown.
    #[test]
    fn damaged_files_never_panic(at in 0_usize..400, cut in 0_usize..30, put in "[\\PC\\n\"'\\[\\]{}=#]{0,6}") {
        let text = shop("access_token = { env = \"TOKEN\" }\nmirror_splits = false")
            + "[dropship.map]\n\"Ä-1\" = [{ sku = \"ACME-1001\", quantity = 2 }]\n[schedule]\norders = \"0 * * * * *\"\n";
        let letters: Vec<char> = text.chars().collect();
        let at = at % letters.len();
        let damaged: String = letters[..at]
            .iter()
            .copied()
            .chain(put.chars())
            .chain(letters[(at + cut).min(letters.len())..].iter().copied())
            .collect();
        let place = Place::merchant("m", &damaged);
        let printed = match place.load() {
            Ok(config) => format!("{config:?}"),
            Err(problems) => problems.to_string(),
        };
        prop_assert!(!printed.contains("t0ps3cret"));
    }
}

#[test]
fn stock_that_cannot_be_written_or_is_shown_twice_is_warned_of() {
    let file = |path: &str, share: u32| {
        format!(
            "[dropship]\nskus = [\"ACME-*\", \"X-1\"]\n[dropship.map]\n\"K\" = \"ACME-7\"\n[inventory]\nsync = true\n\
             share_percent = {share}\n[[channel]]\nid = \"shop\"\nconnector = \"folder\"\npath = \"{path}\"\n"
        )
    };
    let told = |first: u32, second: u32| {
        let place = Place::merchant("one", &file("a", first)).with("two", &file("b", second));
        config::stock_warnings(&place.load().unwrap())
    };
    let cannot = |id: &str| {
        format!(
            "{id}/shop: inventory sync is on and writes nothing there: the connector `folder` cannot write stock"
        )
    };
    assert_eq!(told(60, 40), [cannot("one"), cannot("two")]);
    let twice = "ACME-*, ACME-7, X-1: one 60 % + two 41 % = 101 % of what is available is shown; two merchants can \
                 sell the same unit";
    assert_eq!(told(60, 41), [cannot("one"), cannot("two"), twice.to_owned()]);
}
