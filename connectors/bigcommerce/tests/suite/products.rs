//! The catalogue: every variant, once, whatever happens meanwhile.

use std::collections::BTreeSet;

use bigcommerce::fake::{Fault, NewProduct, Tracking};
use sdk::{ErrorKind, RemoteId, Writable};

use crate::shop::{PLAIN, bench};

const PRODUCTS: &str = "GET /v3/catalog/products";
const VARIANTS: &str = "GET /v3/catalog/variants";

#[tokio::test(start_paused = true)]
async fn a_variant_is_told_with_what_stock_calls_name() {
    let bench = bench(PLAIN);
    let simple = bench.store.add(NewProduct::new("A").named("Rod")).remove(0);
    let off = bench.store.add_product("B", false, 0);
    let kinds = bench.store.add(NewProduct::of(&[("C-1", "Red"), ("", "Blue")]).named("Reel"));
    let whole =
        bench.store.add(NewProduct::of(&[("D-1", "Red"), ("D-2", "Blue")]).tracked(Tracking::Product));
    let one = bench.store.add(NewProduct::of(&[("E-1", "Red")]).tracked(Tracking::Product)).remove(0);
    let odd = bench.store.add(NewProduct::new("F").tracked(Tracking::Other("galaxy".into()))).remove(0);
    let variants = bench.catalogue().await;
    let of = |id: &RemoteId| variants.iter().find(|variant| variant.id == *id).unwrap();
    let why = |id: &RemoteId| match &of(id).writable {
        Writable::No(why) => why.clone(),
        Writable::Yes => panic!("{id} can be written"),
    };
    assert_eq!((of(&simple).title.as_str(), of(&simple).sku.as_deref()), ("Rod", Some("A")));
    assert_eq!(of(&simple).writable, Writable::Yes);
    assert!(of(&simple).item.as_str().starts_with("product:"), "tracked as a whole, and alone");
    assert_eq!(of(&kinds[0]).title, "Reel (Red)");
    assert_eq!((&of(&kinds[0]).item, &of(&kinds[0]).writable), (&kinds[0], &Writable::Yes));
    assert_eq!(of(&kinds[1]).sku, None);
    assert!(of(&one).item.as_str().starts_with("product:"));
    assert!(why(&off).contains("not tracked"));
    assert!(whole.iter().all(|id| why(id).contains("several variants")));
    assert!(why(&odd).contains("galaxy"), "an unknown word is never guessed");
    assert_eq!(variants.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn an_empty_shop_has_no_variants() {
    let bench = bench(PLAIN);
    assert!(bench.catalogue().await.is_empty());
    assert_eq!(bench.store.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_thousand_simple_products_are_forty_requests() {
    let bench = bench(PLAIN);
    for at in 0..5_000 {
        bench.store.add_product(&format!("S-{at}"), true, 1);
    }
    let variants = bench.catalogue().await;
    assert_eq!(variants.iter().map(|variant| &variant.id).collect::<BTreeSet<_>>().len(), 5_000);
    assert_eq!(bench.store.requests(), 40);
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_told_once_whatever_changes_between_the_pages() {
    for cap in [None, Some(60)] {
        let bench = bench(PLAIN);
        if let Some(cap) = cap {
            bench.store.cap_pages(cap);
        }
        let mut ids = Vec::new();
        for at in 0..1_200 {
            let (red, blue, green) = (format!("R-{at}"), format!("B-{at}"), format!("G-{at}"));
            let product = match at % 3 {
                0 => NewProduct::new(&red),
                1 => NewProduct::of(&[(&red, "Red"), (&blue, "Blue"), (&green, "Green")]),
                _ => NewProduct::of(&[(&red, "Red")]),
            };
            ids.extend(bench.store.add(product));
        }
        // Before each request: one of those that were listed already goes, one comes at the end.
        let store = bench.store.clone();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        bench.store.on_request(move |_| {
            sender.send(()).unwrap();
            Fault::None
        });
        let mut stays: BTreeSet<RemoteId> = ids.iter().cloned().collect();
        let mut told = Vec::new();
        let mut page = None;
        let mut turn = 0;
        loop {
            let read = bench.channel.products(page.as_deref()).await.unwrap();
            told.extend(read.variants);
            store.remove_variant(&ids[turn]);
            stays.remove(&ids[turn]);
            store.add_product(&format!("N-{turn}"), true, 1);
            turn += 1;
            match read.next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        assert!(receiver.try_iter().count() >= 10 && turn >= 5, "{turn} pages");
        let once: BTreeSet<&RemoteId> = told.iter().map(|variant| &variant.id).collect();
        assert_eq!(once.len(), told.len(), "none twice");
        assert!(stays.iter().all(|id| once.contains(id)), "none left out");
    }
}

#[tokio::test(start_paused = true)]
async fn a_product_of_more_variants_than_a_page_is_read_whole_or_not_at_all() {
    let bench = bench(PLAIN);
    let many: Vec<String> = (0..600).map(|at| format!("K-{at}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|sku| (sku.as_str(), sku.as_str())).collect();
    bench.store.add_product("A", true, 1);
    let ids = bench.store.add(NewProduct::of(&many));
    bench.store.add_product("Z", true, 1);
    assert_eq!(bench.catalogue().await.len(), 602);

    // One goes between two of its pages, once: read again.
    let (store, gone) = (bench.store.clone(), ids[3].clone());
    let http = Paged::new(bench.store.clone(), 1, move || store.remove_variant(&gone));
    let channel = crate::shop::connect(PLAIN, std::sync::Arc::new(http), bench.clock.clone());
    let page = channel.products(None).await.unwrap();
    assert_eq!(page.variants.len(), 601);
    assert!(page.variants.iter().all(|variant| variant.id != ids[3]));

    // One goes each time: no answer is better than half of one.
    let (store, mut left) = (bench.store.clone(), ids.into_iter().skip(10));
    let http = Paged::new(bench.store.clone(), 99, move || store.remove_variant(&left.next().unwrap()));
    let channel = crate::shop::connect(PLAIN, std::sync::Arc::new(http), bench.clock.clone());
    assert_eq!(channel.products(None).await.unwrap_err().kind, ErrorKind::Unavailable);
}

/// Does something before second pages of variants, so many times.
struct Paged {
    inner: std::sync::Arc<dyn sdk::Http>,
    act: std::sync::Mutex<(u32, Box<dyn FnMut() + Send>)>,
}

impl Paged {
    fn new(inner: std::sync::Arc<dyn sdk::Http>, times: u32, act: impl FnMut() + Send + 'static) -> Self {
        Self { inner, act: std::sync::Mutex::new((times, Box::new(act))) }
    }
}

#[sdk::async_trait]
impl sdk::Http for Paged {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, sdk::TransportError> {
        let uri = request.uri();
        if uri.path().ends_with("/variants") && uri.query().is_some_and(|query| query.contains("&page=2&")) {
            let mut act = self.act.lock().unwrap();
            if act.0 > 0 {
                act.0 -= 1;
                (act.1)();
            }
        }
        self.inner.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_is_an_error_of_its_kind() {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    for (at, fault, kind) in [
        (PRODUCTS, body("<html>"), ErrorKind::Malformed),
        (PRODUCTS, body("{}"), ErrorKind::Malformed),
        (PRODUCTS, body("{\"data\": [{\"name\": \"A\"}]}"), ErrorKind::Malformed),
        // Out of order, or not after where we are: the next page would leave products out.
        (PRODUCTS, body("{\"data\": [{\"id\": 9}, {\"id\": 8}]}"), ErrorKind::Malformed),
        (PRODUCTS, body("{\"data\": [{\"id\": 9}, {\"id\": 9}]}"), ErrorKind::Malformed),
        (PRODUCTS, body("{\"data\": [{\"id\": 0}]}"), ErrorKind::Malformed),
        (PRODUCTS, Fault::Status(503), ErrorKind::Unavailable),
        (PRODUCTS, Fault::Status(403), ErrorKind::Unauthorized),
        (VARIANTS, body("[]"), ErrorKind::Malformed),
        (VARIANTS, body("{\"data\": [{\"id\": 1}]}"), ErrorKind::Malformed),
        // Another product's: the filter was not heeded.
        (VARIANTS, body("{\"data\": [{\"id\": 1, \"product_id\": 4711}]}"), ErrorKind::Malformed),
        (
            VARIANTS,
            body("{\"data\": [{\"id\": 1, \"product_id\": 1001}, {\"id\": 1, \"product_id\": 1001}]}"),
            ErrorKind::Malformed,
        ),
        (VARIANTS, Fault::Status(500), ErrorKind::Unavailable),
        (VARIANTS, Fault::Status(400), ErrorKind::Rejected),
    ] {
        let bench = bench(PLAIN);
        bench.store.add_product("A", true, 1);
        let what = format!("{fault:?}");
        bench.store.on_request(move |name| if name == at { fault.clone() } else { Fault::None });
        let error = bench.channel.products(None).await.unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
    let bench = bench(PLAIN);
    assert_eq!(bench.channel.products(Some("x")).await.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(bench.store.requests(), 0);
}
