#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(rubbish::bigcommerce_answer(bytes)));
