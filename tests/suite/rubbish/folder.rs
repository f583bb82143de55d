//! Bytes as what lies in a merchant's folder: orders, or set aside with the reason, and nothing left over.

use std::sync::Arc;

use sdk::{
    PullRequest, Pulled,
    testkit::{Nowhere, memory_files::MemoryFiles},
};

use super::connect::connect;

/// Pulls a file of orders as the daemon does, to its end, and asks for a catalogue of the same bytes. Answers how many
/// orders there were.
pub(crate) async fn pull(bytes: &[u8]) -> usize {
    let now = sdk::Timestamp::from_timestamp(1_793_000_000, 0).unwrap();
    let files = Arc::new(MemoryFiles::at(now));
    files.put("/shop/inbox/a.csv", bytes);
    files.put("/shop/products.csv", bytes);
    let settings = "path = \"/shop\"\nquiet_secs = 0\n";
    let channel = connect(&folder::Folder, settings, Arc::new(Nowhere), files.clone(), files.clone());
    drop(channel.check().await.expect("checked"));
    let mut request = PullRequest::default();
    let mut orders = 0;
    loop {
        let page = channel.pull_orders(&request).await.expect("files in memory can be read");
        for pulled in page.orders {
            match pulled {
                Pulled::Order(order) => {
                    orders += 1;
                    assert!(!order.lines.is_empty() && order.lines.iter().all(|line| line.quantity > 0));
                }
                Pulled::Unreadable(aside) => {
                    assert!(aside.reason.contains("a.csv"), "{}", aside.reason);
                    assert!(aside.reason.len() < 4096 && aside.raw.len() < 64 * 1024, "{}", aside.reason);
                }
            }
        }
        if let Some(receipt) = page.receipt {
            channel.acknowledge(&receipt).await.expect("files in memory can be moved");
        }
        match page.next {
            None => break,
            Some(next) => {
                assert_ne!(request.page.as_ref(), Some(&next), "pages end");
                request.page = Some(next);
            }
        }
    }
    // An empty file is one that is about to be written.
    assert_eq!(files.names("/shop/inbox").is_empty(), !bytes.is_empty());
    let written: usize = files.all().values().map(Vec::len).sum();
    assert!(written <= 64 * 1024 + 300 * bytes.len(), "{written} bytes of {}", bytes.len());
    let mut mark = None;
    while let Ok(page) = channel.products(mark.as_deref()).await {
        assert!(page.variants.iter().all(|variant| !variant.id.as_str().is_empty()));
        mark = page.next;
        if mark.is_none() {
            break;
        }
    }
    orders
}
