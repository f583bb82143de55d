//! The power fails: what the disk had by then is what was synced, and of everything since then each page, and each
//! file's length, may be the old or the new one. Commits that were acknowledged must be there, whole.
#![allow(clippy::unwrap_used, reason = "the fixtures of tests may panic")]
#![allow(clippy::print_stdout, reason = "its figures are what it is run for")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use portald::{
    record::{Record, RecordId},
    store::{
        Changes, Store,
        sled::{Options, SledStore},
    },
};
use sdk::Rng;

use crate::store::{active, id, open, time, write};

const PAGE: usize = 4096;

/// A folder's files.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// How the disk came to be as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// Nothing since the last sync.
    All,
    /// The end of each file.
    Tail,
    /// Any pages.
    Pages,
    /// Any pages, and the end.
    PagesAndTail,
}

/// What may be on the disk when `old` was synced and `new` was written after it.
fn image(old: &Files, new: &Files, loss: Loss, rng: &mut Rng) -> Files {
    let none = Vec::new();
    let mut image = Files::new();
    for (path, new) in new {
        let old = old.get(path).unwrap_or(&none);
        if old.is_empty() && (loss == Loss::All || rng.below(2) == 0) {
            // The name of a new file is not there yet.
            continue;
        }
        let mut bytes = if loss == Loss::All { old.clone() } else { new.clone() };
        if matches!(loss, Loss::Pages | Loss::PagesAndTail) {
            for page in 0..bytes.len().div_ceil(PAGE) {
                let range = page * PAGE..bytes.len().min((page + 1) * PAGE);
                if rng.below(2) == 0 {
                    for at in range {
                        // A page that was never written reads as nothing.
                        bytes[at] = old.get(at).copied().unwrap_or(0);
                    }
                }
            }
        }
        if matches!(loss, Loss::Tail | Loss::PagesAndTail) && new.len() > old.len() {
            let kept = rng.below((new.len() - old.len()) as u64 + 1) as usize;
            bytes.truncate(old.len() + if rng.below(2) == 0 { kept / PAGE * PAGE } else { kept });
        }
        image.insert(path.clone(), bytes);
    }
    for (path, old) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        if rng.below(2) == 0 {
            image.insert(path.clone(), old.clone());
        }
    }
    image
}

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// All that was acknowledged is there, and all of it agrees.
    Whole,
    /// It says that it cannot be opened, and what to do.
    Refused,
    /// Something that was acknowledged is gone, or older.
    Lost,
    /// Something in it does not read, or does not agree.
    Torn,
}

async fn judge(image: &Files, from: &Path, acknowledged: &BTreeMap<RecordId, Record>) -> (Came, String) {
    let place = tempfile::tempdir().unwrap();
    for (path, bytes) in image {
        let path = place.path().join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let store = match SledStore::open(place.path(), Options { cache_bytes: 4 << 20, ..Options::default() }) {
        Ok(store) => store,
        Err(error) => {
            assert!(error.to_string().contains("portald restore"), "it says what to do: {error}");
            return (Came::Refused, error.to_string());
        }
    };
    let report = match store.verify().await {
        Ok(report) => report,
        Err(error) => return (Came::Torn, error.to_string()),
    };
    // The fixture has no channels.
    let torn =
        report.findings.iter().find(|finding| !finding.what.contains("nothing is known of its channel"));
    if let Some(finding) = torn {
        return (Came::Torn, format!("{}: {}", finding.key, finding.what));
    }
    for (id, record) in acknowledged {
        match store.record(id).await {
            // A commit that was under way may be there as well.
            Ok(Some(there)) if there == *record || there.version > record.version => {}
            Ok(Some(_)) => return (Came::Lost, format!("{id} is older than acknowledged")),
            Ok(None) => return (Came::Lost, format!("{id} is not there")),
            Err(error) => return (Came::Torn, error.to_string()),
        }
    }
    // And it can be worked with.
    if let Err(error) = store.commit(write(vec![active("bluefin", "shop", "after", 1, None)])).await {
        return (Came::Torn, error.to_string());
    }
    (Came::Whole, String::new())
}

/// Random commits: new orders, old ones anew, long ones and short ones.
async fn work(store: &SledStore, rng: &mut Rng, known: &mut BTreeMap<RecordId, Record>) {
    let mut changes = Vec::new();
    for _ in 0..=rng.below(6) {
        let remote = format!("{:03}", rng.below(120));
        if changes.iter().any(|record: &Record| record.id == id(&remote)) {
            continue;
        }
        let lines = [1, 3, 40, 70][rng.below(4) as usize];
        let version = known.get(&id(&remote)).map_or(0, |record| record.version);
        let wake = Some(time(rng.below(100) as i64));
        changes.push(Record { version, ..active("bluefin", "shop", &remote, lines, wake) });
    }
    store.commit(Changes { records: changes.clone(), ..Changes::default() }).await.unwrap();
    for record in changes {
        known.insert(record.id.clone(), Record { version: record.version + 1, ..record });
    }
}

/// How many commits lie between the last sync and the power cut: one in truth, since each is synced; more as torture.
async fn cuts(images: u64, seed: u64, since: u64) -> BTreeMap<(Loss, Came), u64> {
    let mut outcomes = BTreeMap::new();
    let mut told = 0;
    let mut rng = Rng::from_seed(seed).child("power");
    let mut made = 0;
    while made < images {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut known = BTreeMap::new();
        // A store at some age: young, or with segments that were used before.
        for _ in 0..5 + rng.below(120) {
            work(&store, &mut rng, &mut known).await;
        }
        for _ in 0..4 {
            let synced = files(folder.path());
            let acknowledged = known.clone();
            for _ in 0..since {
                work(&store, &mut rng, &mut known).await;
            }
            let live = files(folder.path());
            for loss in [Loss::All, Loss::Tail, Loss::Pages, Loss::PagesAndTail] {
                let image = image(&synced, &live, loss, &mut rng);
                let (came, why) = judge(&image, folder.path(), &acknowledged).await;
                *outcomes.entry((loss, came)).or_default() += 1;
                made += 1;
                if came != Came::Whole && told < 5 {
                    told += 1;
                    println!("seed {seed}, image {made}: {loss:?}: {came:?}: {why}");
                }
            }
        }
    }
    outcomes
}

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn print(what: &str, outcomes: &BTreeMap<(Loss, Came), u64>) {
    println!("{what}: {} images", outcomes.values().sum::<u64>());
    for ((loss, came), count) in outcomes {
        println!("  {loss:?}: {came:?} {count}");
    }
}

/// `PORTALD_IMAGES=2000 PORTALD_SEED=7 cargo test --test suite power:: -- --nocapture` looks further.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_cut() {
    let (images, seed) = (asked("PORTALD_IMAGES", 48), asked("PORTALD_SEED", 1));
    let outcomes = cuts(images, seed, 1).await;
    print("one commit since the last sync", &outcomes);
    let bad = outcomes.keys().any(|(_, came)| *came != Came::Whole);
    assert!(!bad, "{outcomes:?}");
}

/// Without our own sync so much may be on its way: what sled alone would cost. It is counted, not asserted, but for one
/// thing: nothing panics, and what cannot be opened says so.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_sync_it_would_be_another_matter() {
    let (images, seed) = (asked("PORTALD_IMAGES", 48), asked("PORTALD_SEED", 1));
    let outcomes = cuts(images, seed, 12).await;
    print("twelve commits since the last sync", &outcomes);
}
