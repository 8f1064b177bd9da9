//! What programs see that ask WASI for all they can think of: the event, and nothing of the machine.

use crate::guest::{Bench, built, event, root};
use std::path::PathBuf;
use tidegate::decision::Decision;
use tidegate::event::Event;
use tidegate::fault::Fault;
use tidegate::limits::Limits;
use tidegate::log::{Level, Log};
use tidegate::sandbox::{Answer, Call, Prepared, Question};
use tidegate_toolchain::language::{OPTIONAL, may_be_missing};

/// The guests, in one place on one engine: each call is made in what the last one left.
struct Arena {
    bench: Bench,
    rust: Prepared,
    javascript: Prepared,
    /// `None` where it is not there, and need not be.
    python: Option<Prepared>,
}

impl Arena {
    fn new() -> Self {
        let compiled = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let bench = Bench::with(|config| {
            config.cache_dir = compiled;
            config.engines = 1;
            config.instances_max = 1;
        });
        let rust = bench.prepare(&built("tests/guests/nosy/guest.wasm"));
        let javascript = bench.prepare(&built("tests/guests/nosy-javascript/guest.wasm"));
        let path = "tests/guests/nosy-python/guest.wasm";
        let is_missing = may_be_missing() && !root().join(path).exists();
        if is_missing {
            eprintln!("passed over: no {path}, and {OPTIONAL} is set");
        }
        let python = (!is_missing).then(|| bench.prepare(&built(path)));
        Self { bench, rust, javascript, python }
    }

    fn call(&self, guest: &Prepared, event: &Event, limits: &Limits) -> Call {
        self.bench.sandbox.call(guest, &Question { event, attempt: 1, settings: &[], memory: None }, limits)
    }

    /// What a guest sees of the event of this kind: asked twice, with another event before each, it sees the same.
    fn seen(&self, guest: &Prepared, kind: &str) -> Vec<String> {
        let [one, two] = [(); 2].map(|()| {
            let _ = self.call(guest, &another("output"), &enough());
            let Call { answer, log, .. } = self.call(guest, &event(kind), &enough());
            (notes(answer), log)
        });
        assert_eq!(one, two, "{kind}: the same event gives the same");
        one.0
    }

    fn fault(&self, guest: &Prepared, kind: &str, limits: &Limits) -> (Fault, Log) {
        let Call { answer, log, .. } = self.call(guest, &event(kind), limits);
        let calm = self.call(guest, &event("calm"), &enough());
        assert_eq!((calm.answer, calm.log), (Ok(Ok(vec![])), Log::default()), "nothing is left of {kind}");
        (answer.expect_err("a fault"), log)
    }

    /// Asserts that an attack traps with this cause.
    fn assert_ends(&self, guest: &Prepared, kind: &str, cause: &str) {
        match self.fault(guest, kind, &enough()).0 {
            Fault::Trap { cause: actual, .. } => assert_eq!(actual, cause, "{kind}"),
            fault => panic!("{kind}: {fault:?}"),
        }
    }

    fn assert_runs_out_of_time(&self, guest: &Prepared, kind: &str) {
        let limits = Limits { wall_time_ms: 100, ..Limits::default() };
        assert_eq!(self.fault(guest, kind, &limits).0, Fault::WallTime { limit_ms: 100 }, "{kind}");
    }
}

/// Time enough to end in another way.
fn enough() -> Limits {
    Limits { wall_time_ms: 20_000, ..Limits::default() }
}

/// An event that is another one in all that WASI is made of.
fn another(kind: &str) -> Event {
    let receipt = "01BX5ZZKBKACTAV9WEVGEMMVRZ".parse().expect("a receipt");
    Event { receipt, received_at_ms: 1_700_000_000_000, ..event(kind) }
}

fn notes(answer: Answer) -> Vec<String> {
    let decisions = answer.expect("no fault").expect("no refusal");
    let text = |decision| match decision {
        Decision::Note(text) => text,
        other => panic!("not a note: {other:?}"),
    };
    decisions.into_iter().map(text).collect()
}

fn lines(log: &Log) -> Vec<(Level, &str)> {
    log.lines.iter().map(|line| (line.level, line.text.as_str())).collect()
}

#[test]
fn a_rust_program_sees_nothing_of_the_machine() {
    let arena = Arena::new();
    let none = |places: &[&str], kind: &str| -> Vec<String> {
        places.iter().map(|place| format!("{place}: no ({kind})")).collect()
    };
    let environment = ["variables []", "HOME None", "arguments []", "directory false"];
    assert_eq!(arena.seen(&arena.rust, "environment"), environment);
    let mut files = none(&["read", "write", "list", "list here", "make", "remove"], "NotFound");
    files.extend(["standard input: 0", "all of it: 0"].map(str::to_owned));
    assert_eq!(arena.seen(&arena.rust, "files"), files);
    let network = none(&["connect", "listen", "datagrams", "look up"], "PermissionDenied");
    assert_eq!(arena.seen(&arena.rust, "network"), network);
    let clocks = [
        "Some(1668143107500) and 0 ns later",
        "Some(1668143109000) and 1500000000 ns later",
        "Some(1668146709000) and 3601500000000 ns later",
    ];
    assert_eq!(arena.seen(&arena.rust, "clocks"), clocks);
    assert_eq!(arena.seen(&arena.rust, "chance"), ["[3, 4, 0, 1, 9, 5, 8, 2, 7, 10, 11, 6]"]);
    let other = arena.call(&arena.rust, &another("chance"), &enough());
    assert_ne!(notes(other.answer), arena.seen(&arena.rust, "chance"), "another event, other numbers");
}

#[test]
fn a_python_program_sees_nothing_of_the_machine() {
    let arena = Arena::new();
    let Some(python) = &arena.python else {
        return;
    };
    assert_eq!(arena.seen(python, "environment"), ["variables {}", "HOME: no (KeyError)", "arguments []"]);
    let mut files: Vec<_> = ["read", "write", "list", "list here", "make"]
        .map(|place| format!("{place}: no (FileNotFoundError)"))
        .into();
    files.push("standard input: ''".to_owned());
    assert_eq!(arena.seen(python, "files"), files);
    let network =
        ["connect: no (PermissionError)", "datagrams: no (PermissionError)", "look up: no (LookupError)"];
    assert_eq!(arena.seen(python, "network"), network);
    let clocks = ["1668143107500 2022-11-11T05:05:07.500000+00:00", "1668143109000 1500 ms later"];
    assert_eq!(arena.seen(python, "clocks"), clocks);
    let chance =
        ["ad8ddb3d7d5de671", "0.19105042435563024", "972b1c7b-3586-48ae-81dd-2f3ff216a02c", "1ea7e024"];
    assert_eq!(arena.seen(python, "chance"), chance);
    let other = notes(arena.call(python, &another("chance"), &enough()).answer);
    assert!(other.iter().zip(chance).all(|(other, one)| other != one), "another event, other numbers");
}

#[test]
fn a_javascript_program_sees_nothing_of_the_machine() {
    let arena = Arena::new();
    let guest = &arena.javascript;
    assert_eq!(arena.seen(guest, "clocks"), ["1668143107500 2022-11-11T05:05:07.500Z 0"]);
    let machine = ["process", "std", "os", "fetch", "require", "scriptArgs"];
    assert_eq!(arena.seen(guest, "machine"), machine.map(|name| format!("{name}: undefined")));
    assert_eq!(arena.seen(guest, "chance").len(), 1);
}

#[test]
fn what_a_program_writes_is_its_log() {
    let arena = Arena::new();
    let log = arena.call(&arena.rust, &event("output"), &enough()).log;
    let expected = [
        (Level::Info, "a line"),
        (Level::Error, "an error"),
        (Level::Info, "in two parts"),
        (Level::Info, "odd: \u{fffd} \\u{1b}[2J"),
        (Level::Info, ""),
        (Level::Info, "without an end"),
    ];
    assert_eq!((lines(&log), log.left_out_bytes), (expected.to_vec(), 0));
    let Some(python) = &arena.python else {
        return;
    };
    let log = arena.call(python, &event("output"), &enough()).log;
    let expected = [
        (Level::Info, "a line"),
        (Level::Error, "an error"),
        (Level::Error, "Traceback (most recent call last):"),
        (Level::Error, "  File \"/0/guest.py\", line 84, in output"),
        (Level::Error, "ValueError: handled"),
        (Level::Info, "without an end"),
    ];
    assert_eq!(lines(&log), expected);
}

#[test]
fn what_a_program_wrote_before_it_failed_is_there_too() {
    let arena = Arena::new();
    let (fault, log) = arena.fault(&arena.rust, "panic", &enough());
    assert!(matches!(&fault, Fault::Trap { .. }), "{fault:?}");
    let said = lines(&log);
    for line in ["no handler for panic", "of 675"] {
        assert!(said.contains(&(Level::Error, line)), "{line}: {said:?}");
    }
    let Some(python) = &arena.python else {
        return;
    };
    let (fault, log) = arena.fault(python, "raise", &enough());
    assert!(matches!(&fault, Fault::Trap { .. }), "{fault:?}");
    let said = lines(&log);
    assert!(said.contains(&(Level::Error, "ValueError: nobody handles this")), "{said:?}");
    assert!(said.iter().any(|(_, line)| line.ends_with("in fail")), "{said:?}");
}

#[test]
fn a_log_without_end_is_cut_and_the_plugin_is_not() {
    let arena = Arena::new();
    let guests = [(Some(&arena.rust), 1_088_890), (arena.python.as_ref(), 208_890)];
    for (guest, written) in guests.into_iter().filter_map(|(guest, written)| Some((guest?, written))) {
        let limits = Limits { log_bytes: 1_000, ..enough() };
        let Call { answer, log, .. } = arena.call(guest, &event("flood-log"), &limits);
        assert_eq!(notes(answer), ["all was taken"]);
        assert_eq!(log.left_out_bytes, written - 1_000);
        assert_eq!(lines(&log)[..2], [(Level::Info, "line 0"), (Level::Info, "line 1")]);
        assert_eq!(
            log.lines.iter().map(|line| line.text.len() + 1).sum::<usize>(),
            1_001,
            "the last has no end"
        );
    }
}

#[test]
fn four_gigabytes_of_chance_handles_without_end_and_too_much_at_once_are_refused() {
    let arena = Arena::new();
    for (kind, cause) in [
        ("hoard-chance", "asked for 4294967296 random bytes at once, 65536 are the most"),
        ("hoard-pollables", "held more than 256 handles of WASI at once"),
        ("exit", "exited with failure instead of answering"),
        ("quit", "exited with success instead of answering"),
    ] {
        arena.assert_ends(&arena.rust, kind, cause);
    }
    let flood = arena.fault(&arena.rust, "flood-at-once", &enough()).0;
    assert!(matches!(flood, Fault::HostcallBytes { limit_bytes: 1_048_576, .. }), "{flood:?}");
    if let Some(python) = &arena.python {
        arena.assert_ends(python, "exit", "exited with failure instead of answering");
    }
}

#[test]
fn a_program_that_sleeps_for_ever_or_waits_for_a_clock_runs_out_of_time() {
    let arena = Arena::new();
    arena.assert_runs_out_of_time(&arena.rust, "sleep-for-ever");
    arena.assert_runs_out_of_time(&arena.rust, "wait-for-the-clock");
    if let Some(python) = &arena.python {
        arena.assert_runs_out_of_time(python, "sleep-for-ever");
    }
}
