//! The catalogue and the quantities through the connector's public seams, over files in memory.

use std::sync::Arc;

use proptest::prelude::*;
use sdk::{
    Channel, Context, ErrorKind, RemoteId, Result, StockChange, StockOutcome, StockWrite, Tokens, Variant,
    Writable,
    testkit::{
        Nowhere, configure,
        memory_files::{Fault, MemoryFiles},
    },
};

struct Nothing;

#[sdk::async_trait]
impl Tokens for Nothing {
    async fn load(&self) -> Result<Option<sdk::SecretString>> {
        Ok(None)
    }
    async fn save(&self, _: sdk::SecretString) -> Result<()> {
        Ok(())
    }
}

fn files() -> Arc<MemoryFiles> {
    Arc::new(MemoryFiles::at("2026-11-21T00:00:00Z".parse().expect("a time")))
}

fn connect(files: &Arc<MemoryFiles>) -> Arc<dyn Channel> {
    let (configured, problems) = configure(&folder::Folder, "path = \"/shop\"\nquiet_secs = 0");
    assert_eq!(problems, []);
    configured.expect("settings").connect(Context {
        label: "bluefin/files".to_owned(),
        http: Arc::new(Nowhere),
        files: files.clone(),
        clock: files.clone(),
        tokens: Arc::new(Nothing),
        seed: 1,
    })
}

fn put(files: &MemoryFiles, text: &str) {
    files.put("/shop/products.csv", text);
}

async fn all(channel: &dyn Channel) -> Result<Vec<Variant>> {
    let (mut variants, mut page) = (Vec::new(), None);
    loop {
        let got = channel.products(page.as_deref()).await?;
        variants.extend(got.variants);
        match got.next {
            Some(next) => page = Some(next),
            None => return Ok(variants),
        }
    }
}

fn change(id: &str, to: u32) -> StockChange {
    StockChange { item: id.into(), variant: id.into(), sku: Some(format!("S-{id}")), from: None, to }
}

fn write(changes: &[(&str, u32)]) -> StockWrite {
    StockWrite { key: "k".to_owned(), changes: changes.iter().map(|(id, to)| change(id, *to)).collect() }
}

fn text(files: &MemoryFiles, path: &str) -> String {
    files.text(path)
}

#[tokio::test]
async fn the_catalogue_is_read_by_its_columns_in_pages() {
    let files = files();
    let channel = connect(&files);
    assert_eq!(channel.products(None).await.expect_err("none").kind, ErrorKind::NotFound);
    put(
        &files,
        "\u{feff}Title;SKU;Variant ID;tracked;colour\nLantern;A-1;7;;red\nMug;B-1;;no;\nMap;;9;maybe;\n;;;;\nTwin;A-1;7;;\n",
    );
    let variants = all(&*channel).await.expect("read");
    let told: Vec<_> = variants
        .iter()
        .map(|variant| (variant.id.as_str(), variant.sku.as_deref(), variant.writable == Writable::Yes))
        .collect();
    assert_eq!(told, [("7", Some("A-1"), true), ("B-1", Some("B-1"), false), ("9", None, false)]);
    assert!(variants.iter().all(|variant| variant.item == variant.id));
    let rows = (0..1234).map(|n| format!("A-{n}\n")).collect::<Vec<_>>().concat();
    put(&files, &format!("sku\n{rows}"));
    assert_eq!(all(&*channel).await.expect("read").len(), 1234);
    let endless = format!("sku\n{}", "a\n".repeat(250_001));
    for (broken, why) in [
        ("title\nx\n", "lacks `sku`"),
        ("sku,SKU\na,b\n", "twice"),
        ("sku\na,b\n", "as CSV"),
        (&endless, "line 250002: it has more than 250000 rows"),
    ] {
        put(&files, broken);
        let error = channel.products(None).await.expect_err("broken");
        assert!(error.kind == ErrorKind::Malformed && error.message.contains(why), "{error}");
    }
}

#[tokio::test]
async fn quantities_are_one_whole_file_that_may_be_taken_away() {
    let files = files();
    let channel = connect(&files);
    let read = channel.read_stock(&["1".into()]).await.expect("read");
    assert_eq!((read.len(), read[0].available), (1, None), "nothing was ever written");
    assert_eq!(
        channel.push_stock(&write(&[("1", 5), ("2", 0)])).await.expect("set"),
        vec![StockOutcome::Set; 2]
    );
    let first = "sku,variant_id,quantity,changed_at\r\nS-1,1,5,2026-11-21T00:00:00Z\r\nS-2,2,0,2026-11-21T00:00:00Z\r\n";
    assert_eq!(text(&files, "/shop/outbox/stock.csv"), first);
    files.remove("/shop/outbox/stock.csv");
    channel.push_stock(&write(&[("2", 7)])).await.expect("set");
    let whole = text(&files, "/shop/outbox/stock.csv");
    assert!(whole.contains("S-1,1,5,") && whole.contains("S-2,2,7,"), "{whole}");
    let again = connect(&files);
    let read = again.read_stock(&["2".into(), "1".into(), "3".into()]).await.expect("read");
    assert_eq!(read.iter().map(|level| level.available).collect::<Vec<_>>(), [Some(7), Some(5), None]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_failed_write_is_whole_or_not_there_and_the_same_again_mends_it(
        writes in prop::collection::vec((prop::collection::vec((0..4_u32, 0..9_u32), 1..4), prop::option::of((0..12_u64, 0..3_usize))), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let files = files();
            let channel = connect(&files);
            let mut wanted = std::collections::BTreeMap::new();
            for (changes, fault) in writes {
                let changes: std::collections::BTreeMap<String, u32> =
                    changes.into_iter().map(|(id, to)| (id.to_string(), to)).collect();
                let write = StockWrite { key: "k".to_owned(), changes: changes.iter().map(|(id, to)| change(id, *to)).collect() };
                if let Some((call, kind)) = fault {
                    let broken = std::io::ErrorKind::Other;
                    let fault = [Fault::Before(broken), Fault::After(broken), Fault::Tear(9)][kind];
                    files.fail(files.calls() + call, fault);
                }
                while let Err(error) = channel.push_stock(&write).await {
                    assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Indeterminate), "{error}");
                }
                wanted.extend(changes);
                let items: Vec<RemoteId> = wanted.keys().map(|id| RemoteId(id.clone())).collect();
                let read = match channel.read_stock(&items).await {
                    Ok(read) => read,
                    // The failure was put on this call.
                    Err(_) => channel.read_stock(&items).await.expect("read"),
                };
                let shown: Vec<_> = read.iter().map(|level| level.available).collect();
                assert_eq!(shown, wanted.values().map(|to| Some(i64::from(*to))).collect::<Vec<_>>());
                assert_eq!(text(&files, "/shop/outbox/stock.csv"), text(&files, "/shop/.stock.csv"));
            }
        });
    }
}
