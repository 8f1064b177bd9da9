//! Placeholder.

use crate::guest::{Bench, built, event};
use tidegate::limits::Limits;
use tidegate::sandbox::Question;

#[test]
fn look() {
    for guest in ["nosy", "nosy-python"] {
        let bench = Bench::new();
        let plugin = bench.prepare(&built(&format!("tests/guests/{guest}/guest.wasm")));
        for kind in [
            "environment",
            "files",
            "network",
            "clocks",
            "chance",
            "output",
            "panic",
            "raise",
            "exit",
            "quit",
            "flood-log",
            "flood-at-once",
            "hoard-chance",
            "hoard-pollables",
            "sleep-for-ever",
            "wait-for-the-clock",
        ] {
            let event = event(kind);
            let began = std::time::Instant::now();
            let question = Question { event: &event, attempt: 1, settings: &[] };
            let limits = Limits { log_bytes: 1000, ..Limits::default() };
            let call = bench.sandbox.call(&plugin, &question, &limits);
            eprintln!("{guest} {kind} {:?}: {:#?} {:#?}", began.elapsed(), call.answer, call.log);
        }
    }
}
