//! See `fuzz/src/signature.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_fuzz::signature::check(bytes));
