//! See `fuzz/src/sources.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_fuzz::sources::check(bytes));
