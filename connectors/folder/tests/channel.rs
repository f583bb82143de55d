//! The folder through the connector's public seams, over files in memory.

use std::{collections::BTreeMap, fmt::Write as _, io::ErrorKind as Io, path::PathBuf, sync::Arc};

use proptest::prelude::*;
use sdk::{
    Channel, Connector, Context, DeliveryKind, ErrorKind, Files, FulfillmentRequest, LineKind, LineQuantity,
    Order, OrderState, OtherParcel, Payment, PullRequest, Pulled, RemoteId, Result, Timestamp, Tokens,
    TrackingSet, TrackingUpdate, Unreadable,
    settings::{Problem, Secrets, Section},
    testkit::{
        Nowhere,
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

impl Secrets for Nothing {
    fn env(&self, _: &str) -> std::result::Result<sdk::SecretString, String> {
        Err("none".to_owned())
    }
    fn file(&self, _: &str) -> std::result::Result<sdk::SecretString, String> {
        Err("none".to_owned())
    }
    fn credential(&self, _: &str) -> std::result::Result<sdk::SecretString, String> {
        Err("none".to_owned())
    }
    fn base(&self) -> Option<PathBuf> {
        Some("/etc/portald".into())
    }
}

fn configure(text: &str) -> (Option<Box<dyn sdk::Configured>>, Vec<Problem>) {
    let table = toml::de::DeTable::parse(text).expect("TOML");
    let mut problems = Vec::new();
    let mut section = Section::new("channel", &table, &mut problems, &Nothing);
    let configured = folder::Folder.configure(&mut section);
    section.finish();
    (configured, problems)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn files() -> Arc<MemoryFiles> {
    Arc::new(MemoryFiles::at(at("2026-11-21T00:00:00Z")))
}

fn connect_with(files: &Arc<MemoryFiles>, more: &str) -> Arc<dyn Channel> {
    let (configured, problems) = configure(&format!("path = \"/shop\"\n{more}"));
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

fn connect(files: &Arc<MemoryFiles>) -> Arc<dyn Channel> {
    connect_with(files, "quiet_secs = 0")
}

/// Pulls to the end as the daemon does: what was committed, each page acknowledged, until something fails.
async fn pull(channel: &dyn Channel, committed: &mut Vec<Pulled>) -> Result<()> {
    let mut request = PullRequest::default();
    loop {
        let page = channel.pull_orders(&request).await?;
        committed.extend(page.orders);
        if let Some(receipt) = page.receipt {
            channel.acknowledge(&receipt).await?;
        }
        match page.next {
            None => return Ok(()),
            Some(next) => {
                assert_ne!(request.page.as_ref(), Some(&next), "pages end");
                request.page = Some(next);
            }
        }
    }
}

async fn pulled(files: &Arc<MemoryFiles>) -> Vec<Pulled> {
    let mut committed = Vec::new();
    pull(&*connect(files), &mut committed).await.expect("pulled");
    committed
}

fn sorted(pulled: Vec<Pulled>) -> (Vec<Order>, Vec<Unreadable>) {
    let (mut orders, mut aside) = (Vec::new(), Vec::new());
    for one in pulled {
        match one {
            Pulled::Order(order) => orders.push(*order),
            Pulled::Unreadable(unreadable) => aside.push(unreadable),
        }
    }
    (orders, aside)
}

async fn one(header: &str, rows: &[&str]) -> (Vec<Order>, Vec<Unreadable>) {
    let files = files();
    files.put("/shop/inbox/a.csv", format!("{header}\n{}\n", rows.join("\n")));
    sorted(pulled(&files).await)
}

/// Each operation's first calls: whether each of the four folders is there.
const LOOKS: u64 = 4;
const HEADER: &str = "order_number,placed_at,payment,sku,quantity";

#[test]
fn settings_are_checked_and_relative_to_their_file() {
    let (good, problems) = configure("path = \"data/../data/demo\"");
    assert_eq!(problems, []);
    assert_eq!(good.expect("settings").account(), "folder:/etc/portald/data/demo");
    let (bad, problems) = configure("paht = \"x\"\nquiet_secs = -1\nseed = \"\"");
    assert!(bad.is_none());
    let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    let (one, _) = configure("path = \"/a\"");
    let (two, _) = configure("path = \"/a\"\nquiet_secs = 6");
    assert_ne!(one.map(|one| one.fingerprint()), two.map(|two| two.fingerprint()));
}

#[tokio::test]
async fn the_demo_is_a_shop_of_every_sort() {
    let files = files();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/inbox")).expect("the demo") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        files.put(PathBuf::from("/seed/inbox").join(name), std::fs::read(&path).expect("read"));
    }
    let channel = connect_with(&files, "quiet_secs = 0\nseed = \"/seed\"");
    let mut committed = Vec::new();
    pull(&*channel, &mut committed).await.expect("pulled");
    let (orders, aside) = sorted(committed);
    assert_eq!((orders.len(), aside.len()), (24, 1));
    assert_eq!(aside[0].id.as_str(), "5017");
    let why =
        "bluefin-2026-11-13.csv, line 14: `quantity` must be a whole number from 1 to 1000000, not `two`";
    assert_eq!(aside[0].reason, why);
    assert!(aside[0].raw.contains("BF-MUG") && aside[0].raw.contains(",two,"));
    let order = |number: &str| orders.iter().find(|order| order.number == number).expect("there");
    assert_eq!(order("5006").payment, Payment::Unpaid("pending".to_owned()));
    assert_eq!(order("5007").payment, Payment::Authorized);
    assert_eq!(order("5008").holds, ["fraud review"]);
    assert_eq!(order("5009").deliveries[0].ship_to, None);
    assert_eq!(order("5010").payment, Payment::Unknown("awaiting_bank".to_owned()));
    assert!(order("5011").test);
    let kinds: Vec<_> = order("5012").lines.iter().map(|line| line.kind.clone()).collect();
    assert_eq!(kinds, [LineKind::Goods, LineKind::Digital, LineKind::GiftCard]);
    let pickup = order("5013");
    assert_eq!(pickup.deliveries[1].kind, DeliveryKind::Merchant("pickup".to_owned()));
    assert_eq!((pickup.lines[1].delivery.as_str(), &pickup.deliveries[1].ship_to), ("pickup", &None));
    assert_eq!(order("5014").lines[0].sku, None);
    assert_eq!(order("5018").payment, Payment::Paid);
    assert_eq!(order("5019").payment, Payment::Returned("refunded".to_owned()));
    assert_eq!(order("5020").customer_note.as_deref(), Some("Two boxes are fine.\nRing at the dock."));
    assert_eq!(order("5021").lines[1].id.as_str(), "2");
    assert!(matches!(order("5022").state, OrderState::Cancelled { .. }));
    assert_eq!(order("5023").deliveries[0].kind, DeliveryKind::Unknown("drone".to_owned()));
    assert!(files.names("/shop/inbox").is_empty());
    assert_eq!(files.names("/shop/archive").len(), 3);
    assert_eq!(files.names("/shop/aside").len(), 1);
}

#[tokio::test]
async fn half_an_order_is_never_imported() {
    let rows = ["1,2026-11-20T00:00:00Z,paid,A,1", "2,2026-11-20T00:00:00Z,paid,A,1", "1,,,B,0", "2,,,B,1"];
    let (orders, aside) = one(HEADER, &rows).await;
    assert_eq!(orders.iter().map(|order| order.id.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(orders[0].lines.len(), 2);
    assert_eq!((aside.len(), aside[0].id.as_str()), (1, "1"));
    assert!(aside[0].reason.starts_with("a.csv, line 4: `quantity`"), "{}", aside[0].reason);
    // A row without a number may be the end of the order above.
    let rows = ["1,2026-11-20T00:00:00Z,paid,A,1", ",,,B,1", "2,2026-11-20T00:00:00Z,paid,A,1"];
    let (orders, aside) = one(HEADER, &rows).await;
    assert_eq!(orders.len(), 1);
    assert_eq!(aside.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1", "a.csv:3"]);
}

#[tokio::test]
async fn every_bad_cell_is_told_and_no_address_is() {
    let header = format!("{HEADER},kind,unit_cost,currency,test,line_id,ship_address1");
    let cases = [
        ("1,2026-11-20T00:00:00,paid,A,1,,,,,,", "`placed_at`"),
        ("1,,paid,A,1,,,,,,", "`placed_at` is blank"),
        ("1,2026-11-20T00:00:00Z,,A,1,,,,,,", "`payment` is blank"),
        ("1,2026-11-20T00:00:00Z,paid,A,1.5,,,,,,", "not `1.5`"),
        ("1,2026-11-20T00:00:00Z,paid,A,-1,,,,,,", "not `-1`"),
        ("1,2026-11-20T00:00:00Z,paid,A,+1,,,,,,", "`quantity`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1000001,,,,,,", "from 1 to 1000000"),
        ("1,2026-11-20T00:00:00Z,paid,A,99999999999999999999,,,,,,", "`quantity`"),
        ("1,2026-11-20T00:00:00Z,paid,A,7 Secret Lane,,,,,,", "`quantity`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1,alien,,,,,", "`kind`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1,,-2,USD,,,", "`unit_cost`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1,,2,,,,", "`currency`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1,,,,maybe,,", "`test`"),
        ("1,2026-11-20T00:00:00Z,paid,A,1,,,,,x,7 Secret Lane\n1,,,A,1,,,,,x,", "the same on two rows"),
        (
            "1,2026-11-20T00:00:00Z,paid,A,1,,,,,,7 Secret Lane\n1,,,A,1,,,,,,8 Secret Lane",
            "line 2 of the same",
        ),
        ("1,2026-11-20T00:00:00Z,paid,A,1,,,,,,7 Secret Lane, Rear", "12 cells, the header 11"),
        ("1,2026-11-20T00:00:00Z,paid,A", "4 cells"),
    ];
    for (row, why) in cases {
        let (orders, aside) = one(&header, &[row]).await;
        assert!(orders.is_empty() && aside.len() == 1, "{row}");
        assert!(aside[0].reason.contains(why), "{row}: {}", aside[0].reason);
        assert!(!aside[0].reason.contains("Secret"), "{}", aside[0].reason);
    }
}

#[tokio::test]
async fn an_unknown_status_is_said_unless_it_is_no_word() {
    let rows = [
        "1,2026-11-20T00:00:00Z,on credit,A,1",
        "2,2026-11-20T00:00:00Z,7 Secret Lane,A,1",
        "3,2026-11-20T00:00:00Z,Partially-Paid,A,1",
    ];
    let (orders, _) = one(HEADER, &rows).await;
    let told: Vec<Payment> = orders.into_iter().map(|order| order.payment).collect();
    let unknown = |word: &str| Payment::Unknown(word.to_owned());
    assert_eq!(
        told,
        [unknown("on credit"), unknown("(no word)"), Payment::Unpaid("partially_paid".to_owned())]
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_spoil_their_order_alone() {
    let files = files();
    let mut bytes = format!("{HEADER},title\n1,2026-11-20T00:00:00Z,paid,A,1,").into_bytes();
    bytes.extend(b"caf\xe9\r\n2,2026-11-20T00:00:00Z,paid,A,1,caf\xc3\xa9\r\n");
    files.put("/shop/inbox/a.csv", &bytes);
    let (orders, aside) = sorted(pulled(&files).await);
    assert_eq!(orders[0].lines[0].title, "café");
    assert!(aside[0].reason.contains("line 2: cell 6 is not UTF-8"), "{}", aside[0].reason);
    let kept = files.names("/shop/aside");
    let kept = files.bytes(format!("/shop/aside/{}", kept[0])).expect("kept");
    assert!(kept.windows(4).any(|part| part == b"caf\xe9"), "as they came");
}

#[tokio::test]
async fn a_corrected_rejection_comes_back_in() {
    let files = files();
    files.put("/shop/inbox/a.csv", format!("{HEADER}\n1,2026-11-20T00:00:00Z,paid,A,two\n1,,,B,1\n"));
    assert!(sorted(pulled(&files).await).0.is_empty());
    let kept = files.names("/shop/aside").remove(0);
    let text = files.text(format!("/shop/aside/{kept}"));
    assert!(text.starts_with(&format!("{HEADER},file,line,reason\n")), "{text}");
    assert!(text.contains("its order is set aside: line 2"), "{text}");
    files.put("/shop/inbox/b.csv", text.replace(",two,", ",2,"));
    let (orders, aside) = sorted(pulled(&files).await);
    assert_eq!((orders.len(), aside.len()), (1, 0));
    assert_eq!(orders[0].lines[0].quantity, 2);
}

#[tokio::test]
async fn a_useless_file_goes_aside_whole_and_the_others_go_on() {
    let files = files();
    files.put("/shop/inbox/a.csv", "who,what\n1,2\n");
    files.put("/shop/inbox/b.csv", vec![b'x'; (8 << 20) + 1]);
    files.put("/shop/inbox/c.csv", format!("{HEADER}\n1,2026-11-20T00:00:00Z,paid,A,1\n"));
    let (orders, aside) = sorted(pulled(&files).await);
    assert_eq!((orders.len(), aside.len()), (1, 2));
    assert!(aside[0].reason.contains("the header lacks order_number"), "{}", aside[0].reason);
    assert!(files.names("/shop/inbox").is_empty());
    assert_eq!(files.names("/shop/aside").len(), 4);
    assert_eq!(files.names("/shop/archive"), ["c.csv"]);
}

/// Within the file's limit, what is made of its rows would have been gigabytes, for the rejected ones terabytes, and
/// its quotes and its rows without a number minutes of work.
#[tokio::test]
async fn a_hostile_file_costs_no_more_than_a_large_one() {
    let largest = 8 << 20;
    let of = |row: &str, bytes: usize| format!("{HEADER}\n{}", row.repeat(bytes / row.len()));
    let wide = format!("{}\n{}", ",".repeat(100_000), "x,y\n".repeat(200_000));
    for (text, why) in [
        (of("x\n", largest - 100), "line 250002: the file has more than 250000 rows: send it in parts"),
        (of(&wide, largest / 2), "line 2: the row has 100001 cells, more than 256"),
        (format!("a{}", ",a".repeat(largest / 2 - 10)), "line 1: the row has 4194295 cells, more than 256"),
    ] {
        let files = files();
        files.put("/shop/inbox/a.csv", text);
        let (orders, aside) = sorted(pulled(&files).await);
        assert_eq!((orders.len(), aside.len()), (0, 1));
        assert!(aside[0].reason.contains(why), "{}", aside[0].reason);
        assert_eq!(files.names("/shop/aside").len(), 2, "the file, and why");
    }
    // Each row looked for its fault among all of them, and for the row above it among all orders.
    for (row, told) in [("\"a\"b,x\n", 1), (",x\n", 100_000)] {
        let files = files();
        let begun = tokio::time::Instant::now();
        files.put("/shop/inbox/a.csv", of(row, 100_000 * row.len()));
        let (orders, aside) = sorted(pulled(&files).await);
        assert_eq!((orders.len(), aside.len()), (0, told));
        assert!(begun.elapsed().as_secs() < 60, "{row:?} took {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_file_is_taken_when_it_is_complete() {
    let files = files();
    let text = format!("{HEADER}\n1,2026-11-20T00:00:00Z,paid,A,1\n");
    for name in ["a.csv", ".hidden.csv", "b.csv.part", "c.csv.tmp", "d.txt"] {
        files.put(format!("/shop/inbox/{name}"), &text);
    }
    files.put("/shop/inbox/empty.csv", "");
    let channel = connect_with(&files, "");
    let mut committed = Vec::new();
    files.set_now(at("2026-11-21T00:00:04Z"));
    pull(&*channel, &mut committed).await.expect("pulled");
    assert!(committed.is_empty());
    files.set_now(at("2026-11-21T00:00:05Z"));
    pull(&*channel, &mut committed).await.expect("pulled");
    assert_eq!(committed.len(), 1);
    assert_eq!(files.names("/shop/inbox").len(), 5);
    // A clock that runs ahead: what counts is that the file stays as it is.
    files.set_now(at("2027-01-01T00:00:00Z"));
    files.put("/shop/inbox/z.csv", &text);
    files.set_now(at("2026-11-22T00:00:00Z"));
    pull(&*channel, &mut committed).await.expect("pulled");
    files.set_now(at("2026-11-22T00:00:05Z"));
    assert_eq!(committed.len(), 1);
    pull(&*channel, &mut committed).await.expect("pulled");
    assert_eq!(committed.len(), 2);
}

#[tokio::test]
async fn a_file_that_changes_after_it_was_read_is_not_archived() {
    let files = files();
    let row = |number: u32| format!("{number},2026-11-20T00:00:00Z,paid,A,1\n");
    files.put("/shop/inbox/a.csv", format!("{HEADER}\n{}", row(1)));
    let channel = connect(&files);
    let page = channel.pull_orders(&PullRequest::default()).await.expect("a page");
    files.put("/shop/inbox/a.csv", format!("{HEADER}\n{}{}", row(1), row(2)));
    channel.acknowledge(&page.receipt.expect("a receipt")).await.expect("told");
    assert_eq!(files.names("/shop/inbox"), ["a.csv"]);
    assert_eq!(sorted(pulled(&files).await).0.len(), 2);
}

#[tokio::test]
async fn the_archive_keeps_what_it_has() {
    let files = files();
    for number in 1..=3 {
        files.put("/shop/inbox/a.csv", format!("{HEADER}\n{number},2026-11-20T00:00:00Z,paid,A,1\n"));
        pulled(&files).await;
    }
    let names = files.names("/shop/archive");
    assert_eq!(names, ["a.20261121T000000Z-2.csv", "a.20261121T000000Z.csv", "a.csv"]);
}

#[tokio::test]
async fn a_large_file_is_told_in_pages_and_archived_after_the_last() {
    let files = files();
    let mut text = HEADER.to_owned();
    for number in 0..601 {
        write!(text, "\n{number},2026-11-20T00:00:00Z,paid,A,1").expect("text");
    }
    files.put("/shop/inbox/a.csv", text);
    files.put("/shop/inbox/b.csv", format!("{HEADER}\nlast,2026-11-20T00:00:00Z,paid,A,1\n"));
    let channel = connect(&files);
    let first = channel.pull_orders(&PullRequest::default()).await.expect("a page");
    assert_eq!((first.orders.len(), first.receipt), (250, None));
    // The same page again, as after a failed commit, and by another channel, as after a restart.
    let request = PullRequest { page: first.next, ..PullRequest::default() };
    for channel in [&channel, &channel, &connect(&files)] {
        let (orders, _) = sorted(channel.pull_orders(&request).await.expect("a page").orders);
        assert_eq!((orders.len(), orders[0].id.as_str()), (250, "250"));
    }
    let (orders, _) = sorted(pulled(&files).await);
    let ids: std::collections::BTreeSet<_> = orders.iter().map(|order| order.id.clone()).collect();
    assert_eq!((orders.len(), ids.len()), (602, 602));
    assert_eq!(files.names("/shop/archive"), ["a.csv", "b.csv"]);
}

#[tokio::test]
async fn an_unreadable_file_holds_up_no_other_and_is_told() {
    let files = files();
    for name in ["a", "b"] {
        files.put(
            format!("/shop/inbox/{name}.csv"),
            format!("{HEADER}\n{name},2026-11-20T00:00:00Z,paid,A,1\n"),
        );
    }
    let channel = connect(&files);
    channel.pull_orders(&PullRequest::default()).await.expect("first contact");
    // The list, then the read of a.csv.
    files.fail(files.calls() + LOOKS + 1, Fault::Before(Io::PermissionDenied));
    let mut committed = Vec::new();
    let error = pull(&*channel, &mut committed).await.expect_err("told");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("inbox/a.csv"), "{error}");
    assert_eq!(committed.len(), 1);
    assert_eq!(files.names("/shop/inbox"), ["a.csv"]);
}

fn request(key: &str) -> FulfillmentRequest {
    FulfillmentRequest {
        key: key.to_owned(),
        order: "=1001".into(),
        number: "=1001".to_owned(),
        lines: vec![
            LineQuantity { line: "1".into(), quantity: 2 },
            LineQuantity { line: "2".into(), quantity: 1 },
        ],
        tracking: TrackingSet {
            carrier: "UPS".to_owned(),
            service: Some("@Ground".to_owned()),
            number: Some("1Z, 9".to_owned()),
            url: None,
            others: vec![OtherParcel { carrier: "UPS".to_owned(), number: "1Z8".to_owned(), url: None }],
        },
        shipped_at: at("2026-11-20T18:00:00Z"),
        notify: true,
    }
}

/// One of each write.
async fn write_all(channel: &dyn Channel) -> Result<()> {
    let request = request("1001/p1/create/1");
    let made = channel.push_fulfillment(&request).await?;
    assert!(made.left.is_empty());
    assert_eq!(made.fulfillment.id.as_str(), "1001/p1/create/1");
    channel
        .update_tracking(&TrackingUpdate {
            key: "1001/p1/track/2".to_owned(),
            order: request.order.clone(),
            number: request.number.clone(),
            fulfillment: made.fulfillment.id.clone(),
            tracking: TrackingSet { carrier: "DHL".to_owned(), ..TrackingSet::default() },
            notify: true,
        })
        .await?;
    channel.void_fulfillment(&RemoteId::from("=1001"), &made.fulfillment.id, "1001/p1/void/3").await
}

#[tokio::test]
async fn shipments_go_out_and_again_is_the_same_file() {
    let files = files();
    let channel = connect(&files);
    write_all(&*channel).await.expect("written");
    let outbox = files.all();
    let text = files.text("/shop/outbox/1001_p1_create_1.csv");
    let expected = "action,key,fulfillment,order_number,line_id,quantity,carrier,service,tracking,tracking_url,\
        other_tracking,shipped_at\r\n\
        ship,1001/p1/create/1,1001/p1/create/1,=1001,1,2,UPS,'@Ground,\"1Z, 9\",,UPS 1Z8,2026-11-20T18:00:00Z\r\n\
        ship,1001/p1/create/1,1001/p1/create/1,=1001,2,1,UPS,'@Ground,\"1Z, 9\",,UPS 1Z8,2026-11-20T18:00:00Z\r\n";
    assert_eq!(text, expected);
    let text = files.text("/shop/outbox/1001_p1_track_2_1001_p1_create_1.csv");
    assert!(text.ends_with("\r\nupdate,1001/p1/track/2,1001/p1/create/1,=1001,,,DHL,,,,,\r\n"), "{text}");
    let text = files.text("/shop/outbox/1001_p1_void_3_1001_p1_create_1.csv");
    assert!(text.ends_with("\r\nvoid,1001/p1/void/3,1001/p1/create/1,=1001,,,,,,,,\r\n"), "{text}");
    write_all(&*channel).await.expect("again");
    assert_eq!(files.all(), outbox);
}

#[tokio::test]
async fn a_folder_taken_away_is_made_anew_but_never_all_of_them() {
    let files = files();
    let channel = connect(&files);
    pull(&*channel, &mut Vec::new()).await.expect("first contact");
    for folder in ["/shop/inbox", "/shop/archive"] {
        files.remove_folder(folder);
    }
    pull(&*channel, &mut Vec::new()).await.expect("without an inbox");
    files.put("/shop/inbox/a.csv", format!("{HEADER}\n1,2026-11-20T00:00:00Z,paid,A,1\n"));
    pull(&*channel, &mut Vec::new()).await.expect("pulled");
    assert_eq!(files.names("/shop/archive"), ["a.csv"]);
    files.remove_folder("/shop/outbox");
    channel.push_fulfillment(&request("k")).await.expect("written");

    // A share that is not mounted: nothing is written where nobody looks.
    files.remove_folder("/shop");
    files.put_folder("/shop");
    for error in [
        channel.pull_orders(&PullRequest::default()).await.expect_err("gone"),
        channel.push_fulfillment(&request("k2")).await.expect_err("gone"),
    ] {
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.to_string().contains("mount it"), "{error}");
    }
    assert!(files.all().is_empty());
    files.put_folder("/shop/inbox");
    channel.push_fulfillment(&request("k2")).await.expect("written");
    assert_eq!(files.names("/shop/outbox").len(), 1);
}

#[tokio::test]
async fn a_failed_write_says_whether_it_may_be_there() {
    let files = files();
    let channel = connect(&files);
    channel.pull_orders(&PullRequest::default()).await.expect("first contact");
    for (fault, kind) in [
        (Fault::Before(Io::StorageFull), ErrorKind::Unavailable),
        (Fault::Tear(10), ErrorKind::Unavailable),
        (Fault::After(Io::Other), ErrorKind::Indeterminate),
    ] {
        files.fail(files.calls() + LOOKS, fault);
        let error = channel.push_fulfillment(&request("k")).await.expect_err("failed");
        assert_eq!(error.kind, kind, "{fault:?}");
    }
    files.fail(files.calls() + LOOKS, Fault::Kill);
    let error = channel.push_fulfillment(&request("k2")).await.expect_err("failed");
    assert_eq!(error.kind, ErrorKind::Indeterminate, "it cannot be read back");
}

/// What must be the same however often something failed.
#[derive(Debug, PartialEq)]
struct End {
    orders: BTreeMap<RemoteId, Order>,
    aside: BTreeMap<RemoteId, Unreadable>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// First contact from a seed, two files, writes; everything is tried again until it works. A kill loses the channel.
async fn scenario(files: &Arc<MemoryFiles>) -> End {
    files.put("/seed/inbox/a.csv", format!("{HEADER}\n1,2026-11-20T00:00:00Z,paid,A,1\n2,x,paid,A,1\n"));
    files.put("/seed/inbox/b.csv", "what\n1\n");
    files.put("/seed/inbox/c.csv", format!("{HEADER}\n3,2026-11-20T00:00:00Z,paid,A,1\n"));
    let open = || connect_with(files, "quiet_secs = 0\nseed = \"/seed\"");
    let (mut channel, mut committed) = (open(), Vec::new());
    for attempt in 0.. {
        assert!(attempt < 10, "it never works");
        let done = match pull(&*channel, &mut committed).await {
            Ok(()) => write_all(&*channel).await,
            Err(error) => Err(error),
        };
        if done.is_ok() {
            break;
        }
        files.revive();
        channel = open();
    }
    let mut end = End { orders: BTreeMap::new(), aside: BTreeMap::new(), files: files.all() };
    // A torn temporary file may stay behind: hidden, never read.
    end.files.retain(|path, _| path.extension().is_none_or(|end| end != "tmp"));
    for one in committed {
        match one {
            Pulled::Order(order) => {
                let id = order.id.clone();
                let before = end.orders.insert(id, (*order).clone());
                assert!(before.is_none_or(|before| before == *order), "again is the same");
            }
            Pulled::Unreadable(aside) => {
                end.aside.insert(aside.id.clone(), aside);
            }
        }
    }
    end
}

#[tokio::test]
async fn whichever_call_fails_the_end_is_the_same() {
    let calm = files();
    let wanted = scenario(&calm).await;
    assert_eq!((wanted.orders.len(), wanted.aside.len()), (2, 2));
    assert_eq!(calm.names("/shop/archive"), ["a.csv", "c.csv"]);
    let faults = [Fault::Before(Io::Other), Fault::After(Io::Other), Fault::Tear(3), Fault::Kill];
    for call in 0..calm.calls() {
        for fault in faults {
            let files = files();
            files.fail(call, fault);
            assert_eq!(scenario(&files).await, wanted, "call {call}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn check_proves_and_warns_and_makes_nothing() {
    let files = files();
    let report = connect(&files).check().await.expect("checked");
    assert!(report.proved.is_empty() && report.warnings.len() == 1 && files.all().is_empty());
    files.put("/shop/inbox/a.csv", format!("{HEADER},colour\n1,2026-11-20T00:00:00Z,paid,A,two,red\n"));
    let report = connect(&files).check().await.expect("checked");
    assert_eq!(report.problems, Vec::<String>::new());
    let warnings = ["inbox/a.csv: 1 rows will be set aside", "inbox/a.csv: nothing reads the columns colour"];
    assert_eq!(report.warnings, warnings);
    assert_eq!(files.names("/shop/inbox"), ["a.csv"]);
    let files: Arc<dyn Files> = files;
    assert!(files.exists("/shop/outbox".as_ref()).is_ok_and(|there| !there));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the bytes are: no panic, and each row is told as an order's or set aside.
    #[test]
    fn any_bytes_end_well(tail in proptest::collection::vec(any::<u8>(), 0..300), rows in "([0-3],|[\",;a\n]|2026-11-20T00:00:00Z,paid,A,1\n){0,60}") {
        let files = files();
        let mut bytes = format!("{HEADER}\n{rows}").into_bytes();
        bytes.extend(&tail);
        files.put("/shop/inbox/a.csv", &bytes);
        files.put("/shop/inbox/b.csv", &tail);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (orders, _) = sorted(pulled(&files).await);
            assert!(orders.iter().all(|order| order.lines.iter().all(|line| line.quantity > 0)));
        });
        let left = files.names("/shop/inbox");
        prop_assert!(left.is_empty() || (tail.is_empty() && left == ["b.csv"]), "{:?}", left);
    }
}
