//! Code that is in memory only while it is used: of more plugins than there is room for, and after the cache was emptied.

use crate::guest::{Bench, event, root};
use std::fs;
use tidegate::limits::Limits;
use tidegate::sandbox::{Code, Question};
use tidegate_envelope::Digest;

/// The Rust plugin, with a custom section that makes it another component.
fn component(number: u8) -> Vec<u8> {
    let mut component = fs::read(root().join("plugins/rust/plugin.wasm")).expect("type: cargo xtask plugins");
    component.extend([0, 3, 2, b'n', b'0' + number]);
    component
}

fn code(bench: &Bench, number: u8) -> Code {
    bench.sandbox.code_of(&component(number), &Limits::default()).expect("an admissible component")
}

fn ask(bench: &Bench, code: &Code) {
    let plugin = bench.sandbox.load(code).expect("the cache has it");
    let event = event("asset.update");
    let question = Question { event: &event, attempt: 1, settings: &[], memory: None };
    bench.sandbox.ask(&plugin, &question, &Limits::default()).expect("no fault").expect("no refusal");
}

#[test]
fn of_more_plugins_than_there_is_room_for_those_asked_last_are_in_memory() {
    let bench = Bench::with(|config| config.loaded_max = 2);
    let codes: Vec<_> = (1..=3).map(|number| code(&bench, number)).collect();
    let loaded = |codes: &[Code]| codes.iter().map(Code::is_loaded).collect::<Vec<_>>();
    // What was compiled is in memory until there is too much.
    let fresh = bench.sandbox.code_at_hand(codes[0].digest(), &Limits::default()).expect("it is there");
    assert!(!fresh.is_loaded(), "found, and not read yet");
    ask(&bench, &codes[1]);
    ask(&bench, &fresh);
    assert!(fresh.is_loaded());
    assert_eq!(loaded(&codes).into_iter().filter(|is_loaded| *is_loaded).count(), 1);
    for code in &codes {
        ask(&bench, code);
        assert!(code.is_loaded());
    }
    assert!(!fresh.is_loaded(), "three others were asked since");
}

#[test]
fn code_that_the_cache_has_lost_is_said_to_be_gone() {
    let bench = Bench::new();
    code(&bench, 1);
    let digest = Digest::of(&component(1));
    let found = bench.sandbox.code_at_hand(&digest, &Limits::default()).expect("it is there");
    for file in fs::read_dir(bench.cache_dir.path()).expect("a folder") {
        fs::remove_file(file.expect("a file").path()).expect("is removed");
    }
    assert!(!bench.sandbox.is_at_hand(&digest, &Limits::default()));
    let error = bench.sandbox.load(&found).expect_err("it is gone").to_string();
    assert!(error.contains("find the compiled code"), "{error}");
}
