//! See `fuzz/src/envelope_seal.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_fuzz::envelope_seal::check(bytes));
