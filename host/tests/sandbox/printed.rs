//! What programs print reaches the plugin's log: by WASI's first preview, in every language whose library does it so, and
//! by the log that takes numbers.

use crate::guest::{Bench, built, event, root, wat};
use std::path::PathBuf;
use tidegate::decision::Decision;
use tidegate::fault::Fault;
use tidegate::limits::Limits;
use tidegate::log::{Level, Log};
use tidegate::sandbox::{Call, Question};
use tidegate_toolchain::language::may_be_missing;

/// Asks a guest of `tests/guests` once; `None` when it is not there, and need not be.
fn call(folder: &str, kind: &str, settings: &[(String, String)]) -> Option<Call> {
    let path = format!("tests/guests/{folder}/guest.wasm");
    if may_be_missing() && !root().join(&path).exists() {
        eprintln!("passed over: no {path}; type: cargo xtask plugins");
        return None;
    }
    let compiled = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let bench = Bench::with(|config| config.cache_dir = compiled);
    let guest = bench.prepare(&built(&path));
    let limits = Limits { wall_time_ms: 20_000, ..Limits::default() };
    Some(bench.sandbox.call(
        &guest,
        &Question { event: &event(kind), attempt: 1, settings, memory: None },
        &limits,
    ))
}

fn at(log: &Log, level: Level) -> Vec<&str> {
    log.lines.iter().filter(|line| line.level == level).map(|line| line.text.as_str()).collect()
}

#[test]
fn what_a_program_prints_is_its_log_whole_and_in_order() {
    let mut expected = vec!["told of asset.update".to_owned()];
    expected.extend((0..100).map(|line| format!("{line:099}")));
    for folder in ["chatty-c", "chatty-cpp", "chatty-go", "chatty-lua", "chatty-zig"] {
        let Some(Call { answer, log, .. }) = call(folder, "asset.update", &[]) else {
            continue;
        };
        assert_eq!(answer, Ok(Ok(vec![Decision::Note("printed".to_owned())])), "{folder}");
        assert_eq!(at(&log, Level::Info), expected, "{folder}");
        assert_eq!(at(&log, Level::Error), ["and that is all"], "{folder}");
        assert_eq!(log.left_out_bytes, 0, "{folder}");
    }
}

#[test]
fn a_log_of_numbers_is_text_up_to_its_limit_and_the_rest_is_counted() {
    let bench = Bench::new();
    let guest = bench.prepare(&wat("floods-the-log"));
    let limits = Limits { log_bytes: 1_000, ..Limits::default() };
    let question = Question { event: &event("asset.update"), attempt: 1, settings: &[], memory: None };
    let Call { answer, log, .. } = bench.sandbox.call(&guest, &question, &limits);
    assert_eq!(answer, Ok(Ok(vec![])));
    assert_eq!(at(&log, Level::Error), ["broken"]);
    assert_eq!(at(&log, Level::Info)[..2], ["abflooded", "flooded"]);
    assert_eq!(log.left_out_bytes, 7 + 2 + 8 * 1_000 - 1_000);
}

#[test]
fn a_rust_programs_last_words_are_in_its_log() {
    let steps = [("do".to_owned(), "trap".to_owned())];
    let Call { answer, log, .. } = call("actor", "asset.update", &steps).expect("it is built everywhere");
    assert!(matches!(answer, Err(Fault::Trap { .. })), "{answer:?}");
    let words = at(&log, Level::Error);
    assert!(words[0].starts_with("panicked at src/main.rs:") && words[1] == "told to", "{words:?}");
}

#[test]
fn a_go_programs_last_words_are_in_its_log() {
    let Some(Call { answer, log, .. }) = call("hostile-go", "panic", &[]) else {
        return;
    };
    assert!(matches!(answer, Err(Fault::Trap { .. })), "{answer:?}");
    let words = at(&log, Level::Error);
    assert_eq!(words.first(), Some(&"panic: nobody recovers from this"), "{words:?}");
    assert!(words.iter().any(|line| line.contains("hostile.Handle")), "and where: {words:?}");
}

#[test]
fn a_mistake_in_lua_is_in_the_log_with_its_file_its_line_and_what_led_there() {
    for (kind, mistake) in [
        ("raise", "guest.lua:10: nobody handles this"),
        ("recurse", "guest.lua:8: stack overflow"),
        ("answer-nonsense", "handle returned not a list of decisions, which is no list of decisions"),
        ("answer-a-number", "decision 1: `url` is a number, not text"),
    ] {
        let Some(Call { answer, log, .. }) = call("hostile-lua", kind, &[]) else {
            return;
        };
        assert!(matches!(answer, Err(Fault::Trap { .. })), "{kind}: {answer:?}");
        let words = at(&log, Level::Error);
        assert!(words.first().is_some_and(|first| first.starts_with(mistake)), "{kind}: {words:?}");
        let is_traced = words.iter().any(|line| line.contains("guest.lua:") && line.contains("function"));
        assert!(is_traced || kind.starts_with("answer"), "{kind}: {words:?}");
    }
}
