#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rubbish::folder_csv(bytes));
