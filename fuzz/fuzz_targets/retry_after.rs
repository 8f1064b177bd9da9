//! See `fuzz/src/retry_after.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_fuzz::retry_after::check(bytes));
