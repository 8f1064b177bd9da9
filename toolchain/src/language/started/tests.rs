//! Modules in text, started here; what they are afterwards is seen by starting them once more.

use super::{Started, start};
use crate::language::stand_in;

/// A module that keeps what WASI told it while it started, at address 8 and in a global.
const ASKS: &str = r#"
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $starts (mut i32) (i32.const 0))
    (data (i32.const 100) "before")"#;

fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {ASKS} {text})")).unwrap_or_else(|error| panic!("{error}"))
}

fn started(text: &str) -> Option<Started> {
    start(&assemble(text), &stand_in().expect("the stand-in")).expect("a module")
}

/// What is in a module's memory when it has just been made, and whether it would start once more.
fn memory(module: &[u8]) -> (Vec<u8>, bool) {
    let engine = wasmi::Engine::default();
    let mut store = wasmi::Store::new(&engine, None);
    let instance = super::instantiate_module(&mut store, module).expect("a module that is whole");
    let memory = instance.get_memory(&store, "memory").expect("its memory");
    (memory.data(&store).to_vec(), instance.get_func(&store, super::START).is_some())
}

const START: &str = r#"(func (export "_initialize")
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 8)))
    (drop (call $random (i32.const 16) (i32.const 8)))
    (drop (memory.grow (i32.const 1)))
    (i32.store8 (i32.const 131071) (i32.const 7))
    (global.set $starts (i32.add (global.get $starts) (i32.const 1)))
    (i32.store (i32.const 24) (global.get $starts)))"#;

#[test]
fn what_a_start_left_in_memory_is_there_at_once_and_it_is_not_started_again() {
    let started = started(START).expect("it starts");
    let (bytes, starts) = memory(&started.module);
    assert!(!starts);
    assert_eq!(bytes.len(), 2 << 16, "it grew");
    assert_eq!((&bytes[100..106], bytes[131_071], bytes[24]), (&b"before"[..], 7, 1));
    wasmparser::Validator::new().validate_all(&started.module).expect("valid");
    wasmparser::Validator::new().validate_all(&started.stand_in).expect("valid");
}

#[test]
fn nothing_of_this_machine_is_in_it() {
    let (one, two) = (started(START).expect("it starts"), started(START).expect("it starts"));
    assert!(one.module == two.module && one.stand_in == two.stand_in, "two starts give the same bytes");
    let (bytes, _) = memory(&one.module);
    // The clock of `null-wasi.wat`, a microsecond after its first moment.
    assert_eq!(bytes[8..16], 1_000_000_000_000_001_000_u64.to_le_bytes());
}

#[test]
fn clock_and_chance_go_on_where_they_stopped() {
    let first = started(START).expect("it starts");
    let again = start(&assemble(START), &first.stand_in).expect("a module").expect("it starts");
    let ((before, _), (after, _)) = (memory(&first.module), memory(&again.module));
    assert_eq!(after[8..16], 1_000_000_000_000_002_000_u64.to_le_bytes());
    assert_ne!(before[16..24], after[16..24]);
}

#[test]
fn a_global_begins_with_what_the_start_left_in_it() {
    let text = format!("{START} (func (export \"starts\") (result i32) (global.get $starts))");
    let module = started(&text).expect("it starts").module;
    let mut store = wasmi::Store::new(&wasmi::Engine::default(), None);
    let instance = super::instantiate_module(&mut store, &module).expect("a module that is whole");
    let starts = instance.get_typed_func::<(), i32>(&store, "starts").expect("it is exported");
    assert_eq!(starts.call(&mut store, ()).expect("it answers"), 1);
}

#[test]
fn what_cannot_be_done_once_for_all_is_left_to_each_instance() {
    for (why, text) in [
        ("there is no start", ""),
        (
            "it writes",
            r#"(func (export "_initialize")
            (i32.store (i32.const 4) (i32.const 6))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#,
        ),
        ("it traps", r#"(func (export "_initialize") (unreachable))"#),
        ("it never ends", r#"(func (export "_initialize") (loop $again (br $again)))"#),
        (
            "it changes a table",
            r#"(table 1 funcref) (func (export "_initialize") (table.set (i32.const 0) (ref.null func)))"#,
        ),
        (
            "its data are read later",
            r#"(data $later "x") (func (export "_initialize") (memory.init $later (i32.const 0) (i32.const 0) (i32.const 1)))"#,
        ),
    ] {
        assert!(started(text).is_none(), "{why}");
    }
}
