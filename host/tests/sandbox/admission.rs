//! What is let in, what is not, and what is said about it.

use crate::guest::{Bench, assemble, built, component, event, module, wat};
use std::fs;
use std::path::PathBuf;
use tidegate::limits::Limits;
use tidegate::sandbox::AdmissionError;
use tidegate_envelope::Digest;

fn refused(bytes: &[u8]) -> AdmissionError {
    Bench::new().sandbox.prepare(bytes).expect_err("not admissible")
}

#[test]
fn bytes_that_are_not_wasm_are_refused() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", &[0xff; 100]] {
        assert_eq!(refused(bytes), AdmissionError::NotWasm { bytes: bytes.len() });
    }
}

#[test]
fn a_core_module_is_refused_with_what_to_run() {
    let error = refused(&module("spins"));
    assert_eq!(error, AdmissionError::CoreModule);
    assert!(error.to_string().contains("wasm-tools component new"), "{error}");
}

#[test]
fn a_damaged_component_is_refused() {
    let whole = wat("spins");
    assert!(matches!(refused(&whole[..whole.len() / 2]), AdmissionError::Invalid(_)));
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xee);
    // Whatever was hit, it is an error or a component that can be asked, never a panic.
    let bench = Bench::new();
    if let Ok(plugin) = bench.sandbox.prepare(&damaged) {
        let _ = bench.ask(&plugin, &event("any"), &Limits { wall_time_ms: 10, ..Limits::default() });
    }
}

#[test]
fn a_component_without_the_handler_is_told_what_would_have_been_accepted() {
    let error = refused(&assemble(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
             (func (export "run") (canon lift (core func $i "f"))))"#,
    ));
    assert_eq!(
        error.to_string(),
        "the component exports `run`; accepted is `tidegate:plugin/handler@1.0.0`: build it for the world `plugin` \
         of the contract, which `tidegate plugin new` writes as wit/plugin.wit"
    );
    let error = refused(&assemble(
        r#"(component (instance $i) (export "tidegate:plugin/handler@0.9.0" (instance $i)))"#,
    ));
    assert!(error.to_string().contains("another version of the contract"), "{error}");
    let error = refused(&assemble("(component)"));
    assert!(error.to_string().starts_with("the component exports nothing; accepted is"), "{error}");
}

#[test]
fn a_component_that_imports_more_than_wasi_0_2_is_told_so() {
    for name in ["wasi:clocks/monotonic-clock@0.3.0", "tidegate:plugin/clock@1.0.0", "log"] {
        let error = refused(&assemble(&format!(
            r#"(component (import "wasi:clocks/monotonic-clock@0.2.9" (instance (export "now" (func (result u64)))))
                          (import "{name}" (instance (export "now" (func (result u64))))))"#
        )));
        assert_eq!(error, AdmissionError::Imports(vec![name.to_owned()]));
        assert!(error.to_string().contains("interfaces of WASI 0.2"), "{error}");
    }
}

#[test]
fn a_component_that_imports_something_else_by_a_name_of_wasi_is_refused() {
    let error = refused(&assemble(
        r#"(component
             (import "wasi:clocks/monotonic-clock@0.2.9" (instance (export "now" (func (result string)))))
             (instance $handler)
             (export "tidegate:plugin/handler@1.0.0" (instance $handler)))"#,
    ));
    let AdmissionError::WrongImports(cause) = error else {
        panic!("{error:?}");
    };
    assert!(cause.contains("monotonic-clock"), "{cause}");
}

#[test]
fn a_handler_with_other_types_is_refused() {
    let error = refused(&assemble(
        r#"(component
             (core module $m (func (export "f") (param i32) (result i32) (i32.const 0)))
             (core instance $i (instantiate $m))
             (func $handle (param "event" u32) (result u32) (canon lift (core func $i "f")))
             (instance $handler (export "handle" (func $handle)))
             (export "tidegate:plugin/handler@1.0.0" (instance $handler)))"#,
    ));
    let AdmissionError::WrongHandler { name, cause } = error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "tidegate:plugin/handler@1.0.0");
    assert!(cause.contains("expected `record`"), "{cause}");
}

#[test]
fn a_component_that_needs_more_than_any_may_have_is_refused() {
    let needs = [
        (r#"(memory (export "memory") 5000)"#, "327680000"),
        (r#"(memory (export "memory") 1) (memory 1) (memory 1) (memory 1) (memory 1)"#, "memor"),
        (r#"(memory (export "memory") 1) (table 30000 funcref)"#, "30000"),
    ];
    for (needed, said) in needs {
        let text = format!(
            r#"(module {needed} (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
               (func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32) unreachable))"#
        );
        let error = refused(&component(&assemble(&text)));
        assert!(matches!(error, AdmissionError::NeedsTooMuch(_)), "{needed}: {error:?}");
        assert!(error.to_string().contains(said), "{needed}: {error}");
    }
}

#[test]
fn a_component_over_the_size_limit_is_refused_before_it_is_looked_at() {
    let bench = Bench::with(|config| config.component_bytes_max = 100);
    let component = wat("spins");
    let error = bench.sandbox.prepare(&component).expect_err("too large");
    assert_eq!(error, AdmissionError::TooLarge { bytes: component.len(), limit_bytes: 100 });
}

#[test]
fn an_export_that_is_not_the_handler_is_left_alone() {
    // QuickJS exports `init` beside the handler.
    let bench = Bench::new();
    let plugin = bench.prepare(&built("plugins/javascript/plugin.wasm"));
    assert_eq!(bench.ask(&plugin, &event("asset.create"), &Limits::default()), Ok(Ok(vec![])));
}

fn cached(bench: &Bench, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(bench.cache_dir.path()).expect("the cache is a folder");
    let paths = files.map(|file| file.expect("a readable folder").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn compiled_code_is_kept_and_used_again() {
    let bench = Bench::new();
    let component = wat("spins");
    let first = bench.prepare(&component);
    assert_eq!(*first.digest(), Digest::of(&component));
    let files = cached(&bench, "cwasm");
    assert_eq!(files.len(), 1);
    let written = fs::metadata(&files[0]).and_then(|file| file.modified()).expect("a time");
    bench.prepare(&component);
    assert_eq!(fs::metadata(&files[0]).and_then(|file| file.modified()).expect("a time"), written);
}

#[test]
fn damaged_compiled_code_is_compiled_again() {
    let component = built("plugins/rust/plugin.wasm");
    let damages: [fn(&mut Vec<u8>); 4] = [
        |code| code.truncate(code.len() / 2),
        |code| code.clear(),
        |code| {
            let middle = code.len() / 2;
            code[middle] ^= 1;
        },
        |code| code.extend_from_slice(b"more"),
    ];
    for damage in damages {
        let bench = Bench::new();
        bench.prepare(&component);
        let file = cached(&bench, "cwasm").pop().expect("a file of code");
        let whole = fs::read(&file).expect("readable code");
        let mut code = whole.clone();
        damage(&mut code);
        // A new file, as the old one may still be mapped.
        fs::remove_file(&file).expect("the file can go");
        fs::write(&file, code).expect("writable cache");
        let plugin = bench.prepare(&component);
        assert_eq!(bench.ask(&plugin, &event("asset.create"), &Limits::default()), Ok(Ok(vec![])));
        assert!(fs::read(&file).expect("readable code") == whole, "the cache is whole again");
    }
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_anything() {
    let bench = Bench::new();
    fs::remove_dir_all(bench.cache_dir.path()).expect("the folder can go");
    let plugin = bench.prepare(&built("plugins/rust/plugin.wasm"));
    assert_eq!(bench.ask(&plugin, &event("asset.create"), &Limits::default()), Ok(Ok(vec![])));
}
