//! The attacks that ordinary programs make, from real toolchains: each ends in the fault that names it, and leaves
//! nothing for the next call.

use crate::guest::{Bench, built, event, root};
use std::path::PathBuf;
use tidegate::decision::Refusal;
use tidegate::fault::Fault;
use tidegate::limits::{Limits, STACK_BYTES_MAX};
use tidegate::sandbox::{Answer, Prepared};
use tidegate_toolchain::language::may_be_missing;

/// A guest of `tests/guests`, in a sandbox whose compiled code outlives the test.
struct Arena {
    bench: Bench,
    guest: Prepared,
}

impl Arena {
    /// `None` when the guest is not there, and need not be.
    fn new(folder: &str) -> Option<Self> {
        let path = format!("tests/guests/{folder}/guest.wasm");
        if may_be_missing() && !root().join(&path).exists() {
            eprintln!("passed over: no {path}; type: cargo xtask plugins");
            return None;
        }
        let compiled = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let bench = Bench::with(|config| {
            config.cache_dir = compiled;
            // One place on one engine: each call is made in what the last one left.
            config.engines = 1;
            config.instances_max = 1;
        });
        let guest = bench.prepare(&built(&path));
        Some(Self { bench, guest })
    }

    fn ask(&self, kind: &str, limits: &Limits) -> Answer {
        let answer = self.bench.ask(&self.guest, &event(kind), limits);
        let calm = self.bench.ask(&self.guest, &event("calm"), &Limits::default());
        assert_eq!(calm, Ok(Ok(vec![])), "the call after {kind} finds nothing of it");
        answer
    }

    /// The fault that an attack ends in, with time enough to end in it.
    fn fault(&self, kind: &str) -> Fault {
        let limits = Limits { wall_time_ms: 20_000, ..Limits::default() };
        self.ask(kind, &limits).expect_err("the attack is a fault")
    }

    fn assert_spins(&self, kind: &str) {
        let answer = self.ask(kind, &Limits { wall_time_ms: 200, ..Limits::default() });
        assert_eq!(answer, Err(Fault::WallTime { limit_ms: 200 }), "{kind}");
    }

    fn assert_hoards(&self, kind: &str) {
        let fault = self.fault(kind);
        assert!(matches!(fault, Fault::Memory { limit_bytes: 67_108_864, .. }), "{kind}: {fault:?}");
    }

    fn assert_overflows(&self, kind: &str) {
        let fault = self.fault(kind);
        assert!(matches!(fault, Fault::Stack { limit_bytes: STACK_BYTES_MAX, .. }), "{kind}: {fault:?}");
    }

    fn assert_traps(&self, kind: &str) {
        let fault = self.fault(kind);
        assert!(matches!(fault, Fault::Trap { .. }), "{kind}: {fault:?}");
    }

    fn assert_floods(&self, kind: &str) {
        let fault = self.fault(kind);
        assert!(matches!(fault, Fault::ResultBytes { limit_bytes: 1_048_576, .. }), "{kind}: {fault:?}");
    }
}

#[test]
fn a_python_program_that_breaks_a_limit_ends_in_the_fault_that_names_it() {
    let Some(arena) = Arena::new("hostile-python") else {
        return;
    };
    arena.assert_spins("spin");
    arena.assert_hoards("allocate");
    arena.assert_floods("flood-result");
    // An exception that nobody catches, and what needs WASI: there is nowhere to print to.
    for kind in ["recurse", "raise", "print", "answer-nonsense"] {
        arena.assert_traps(kind);
    }
    let deep = arena.ask("recurse-and-get-on", &Limits::default());
    assert_eq!(deep, Ok(Err(Refusal::Other("too deep".to_owned()))), "Python counts its own calls");
}

#[test]
fn a_javascript_program_that_breaks_a_limit_ends_in_the_fault_that_names_it() {
    let Some(arena) = Arena::new("hostile-javascript") else {
        return;
    };
    arena.assert_spins("spin");
    arena.assert_hoards("allocate");
    arena.assert_overflows("recurse");
    arena.assert_floods("flood-result");
    for kind in ["throw", "clock", "answer-nonsense"] {
        arena.assert_traps(kind);
    }
}

#[test]
fn a_lua_program_that_breaks_a_limit_ends_in_the_fault_that_names_it() {
    let Some(arena) = Arena::new("hostile-lua") else {
        return;
    };
    arena.assert_spins("spin");
    // Lua's errors are exceptions, which the host keeps for it.
    arena.assert_spins("raise-for-ever");
    for kind in ["allocate", "keep-every-error"] {
        arena.assert_hoards(kind);
    }
    arena.assert_floods("flood-result");
    for kind in ["recurse", "raise", "answer-nonsense", "answer-a-number"] {
        arena.assert_traps(kind);
    }
    let said = |kind: &str| arena.ask(kind, &Limits { wall_time_ms: 20_000, ..Limits::default() });
    let refusal = |words: &str| Ok(Err(Refusal::Other(words.to_owned())));
    assert_eq!(said("recurse-and-get-on"), refusal("stack overflow"), "Lua counts its own calls");
    assert_eq!(said("allocate-and-get-on"), refusal("false: not enough memory"));
}

#[test]
fn a_go_program_that_breaks_a_limit_ends_in_the_fault_that_names_it() {
    let Some(arena) = Arena::new("hostile-go") else {
        return;
    };
    arena.assert_spins("spin");
    // A goroutine has a stack in memory, so a storm of them is a hoard.
    for kind in ["allocate", "goroutines-that-wait", "goroutines-that-spin"] {
        arena.assert_hoards(kind);
    }
    arena.assert_overflows("recurse");
    arena.assert_floods("flood-result");
    for kind in ["panic", "deadlock"] {
        arena.assert_traps(kind);
    }
    // Nothing waits.
    assert_eq!(arena.ask("sleep", &Limits::default()), Ok(Ok(vec![])));
}
