//! See `fuzz/src/envelope_open.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_fuzz::envelope_open::check(bytes));
