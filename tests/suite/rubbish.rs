//! Bytes from outside that nobody meant: nothing panics, nothing grows without bound, and what is wrong is said with
//! its place. Each check is a function of bytes; `tests/fuzz` runs the same ones for hours.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod answers;
mod body;
mod config;
mod connect;
mod figures;
mod folder;
mod seeds;
mod spoilt;

use std::future::Future;

use proptest::prelude::*;

use self::spoilt::spoilt;

/// Virtual time: what waits does not wait.
fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

/// What separates things in the formats at hand, and little else: it gets far into their readers.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[\\[\\]{}=,;:.#\"'\\\\\n\r\t ]{1,4}",
        2 => "[a-z_]{1,6}",
        1 => "[-+0-9.eE]{1,6}",
        1 => any::<char>().prop_map(String::from),
        1 => Just("\u{feff}".to_owned()),
        1 => Just("\"\"\"".to_owned()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

fn cases(fewer: u32) -> ProptestConfig {
    let cases = ProptestConfig::default().cases / fewer;
    ProptestConfig { cases: cases.max(16), ..ProptestConfig::default() }
}

/// Else the spoilt ones below would be refused at their first line.
#[test]
fn the_good_ones_are_taken() {
    let all = seeds::all();
    for (target, seeds) in &all {
        assert!(!seeds.is_empty(), "{target}");
        for seed in seeds {
            let shown = || format!("{target}: {}", String::from_utf8_lossy(seed));
            match *target {
                "config" => assert!(config::read(seed), "{}", shown()),
                "import_csv" => assert!(run(figures::import(seed)), "{}", shown()),
                "folder_csv" => {
                    assert!(run(folder::pull(seed)) > 0 || seed.starts_with(b"sku"), "{}", shown());
                }
                "api_body" => drop(run(body::send(seed))),
                _ => {}
            }
        }
    }
    let done = all["api_body"].iter().filter(|seed| run(body::send(seed))).count();
    assert!(done >= 7, "{done} commands are done");
    // The seeds of the long run, where they are asked for.
    if let Some(corpus) = std::env::var_os("PORTALD_CORPUS") {
        seeds::write(corpus.as_ref(), &all);
    }
}

#[test]
fn every_command_of_the_api_is_tried() {
    for (method, path, _) in crate::api::rubbish::commands() {
        assert!(body::ROUTES.iter().any(|(known, at, _)| *known == method && *at == path), "{method} {path}");
    }
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn a_configuration_is_read_or_refused_with_places(bytes in bytes(), soup in soup(), seed in any::<u64>()) {
        config::read(&bytes);
        config::read(&soup);
        config::read(&spoilt(&seeds::configurations(), seed));
    }

    #[test]
    fn a_csv_of_figures_is_told_whole_or_not_at_all(asks in any::<u8>(), bytes in bytes(), soup in soup(), seed in any::<u64>()) {
        for text in [&bytes, &soup] {
            run(figures::import(&[&[asks], text.as_slice()].concat()));
        }
        run(figures::import(&spoilt(&seeds::figures(), seed)));
    }

    #[test]
    fn a_file_in_the_folder_becomes_orders_or_is_set_aside(bytes in bytes(), soup in soup(), seed in any::<u64>()) {
        run(folder::pull(&bytes));
        run(folder::pull(&soup));
        run(folder::pull(&spoilt(&seeds::orders(), seed)));
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn any_answer_of_a_shop_does_no_harm(which in prop_oneof![0..24_u8, Just(u8::MAX)], status in any::<u8>(), bytes in bytes(), soup in soup()) {
        for text in [&bytes, &soup] {
            let answer = [&[which, status], text.as_slice()].concat();
            run(answers::shopify(&answer));
            run(answers::bigcommerce(&answer));
        }
    }

    #[test]
    fn any_body_is_refused_in_words_or_done_whole(which in any::<u8>(), bytes in bytes(), soup in soup()) {
        for text in [&bytes, &soup] {
            run(body::send(&[&[which], text.as_slice()].concat()));
        }
    }
}
