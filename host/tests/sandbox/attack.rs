//! Each limit and each rule of the contract against a guest that breaks it. After every attack the host and the
//! other plugins still work.

use crate::guest::{Bench, assemble, built, component, event, notice, prelude, wat};
use std::time::{Duration, Instant};
use tidegate::decision::Refusal;
use tidegate::event::{Asset, Reference};
use tidegate::fault::Fault;
use tidegate::limits::{Limits, STACK_BYTES_MAX};
use tidegate::sandbox::{AdmissionError, Answer, Prepared};

/// The export of a guest that is never asked.
const ANSWERS: &str =
    r#"(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32) (unreachable))"#;

/// A sandbox with a well-behaved plugin beside the one that attacks.
struct Arena {
    bench: Bench,
    neighbour: Prepared,
}

impl Arena {
    fn new() -> Self {
        // One place on one engine: the neighbour is asked in what the attacker left.
        Self::with_places(1)
    }

    fn with_places(instances_max: u32) -> Self {
        let bench = Bench::with(|config| {
            config.engines = 1;
            config.instances_max = instances_max;
        });
        let neighbour = bench.prepare(&built("plugins/rust/plugin.wasm"));
        Self { bench, neighbour }
    }

    /// Asks the attacker, then its neighbour, which must not have noticed; twice, as a fault must not depend on
    /// what was there before.
    fn attack(&self, attacker: &[u8], kind: &str, limits: Limits) -> Answer {
        let attacker = self.bench.sandbox.prepare_for(attacker, &limits).expect("an admissible component");
        let answer = self.bench.ask(&attacker, &event(kind), &limits);
        self.neighbour_is_well();
        let again = self.bench.ask(&attacker, &event(kind), &limits);
        assert_eq!(answer, again, "the same attack ends the same way");
        self.neighbour_is_well();
        answer
    }

    fn neighbour_is_well(&self) {
        let mut told = event("asset.update");
        let loanee = Reference { id: None, name: Some("John Do".into()) };
        told.asset = Some(Asset { loanee: Some(loanee), ..Asset::default() });
        let expected = notice(
            r#"{"text":"An asset is on loan to John Do","asset":"675","receipt":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
        );
        assert_eq!(self.bench.ask(&self.neighbour, &told, &Limits::default()), Ok(Ok(expected)));
    }
}

fn hostile() -> Vec<u8> {
    built("tests/guests/hostile/guest.wasm")
}

fn attack_wat(name: &str, limits: Limits) -> Fault {
    Arena::new().attack(&wat(name), "any", limits).expect_err("the attack is a fault")
}

fn attack_rust(kind: &str, limits: Limits) -> Fault {
    Arena::new().attack(&hostile(), kind, limits).expect_err("the attack is a fault")
}

fn short() -> Limits {
    Limits { wall_time_ms: 30, ..Limits::default() }
}

#[test]
fn a_plugin_that_spins_is_stopped() {
    let began = Instant::now();
    assert_eq!(attack_wat("spins", short()), Fault::WallTime { limit_ms: 30 });
    assert!(began.elapsed() >= Duration::from_millis(60), "each of two calls had all of its time");
    assert_eq!(attack_rust("spin", short()), Fault::WallTime { limit_ms: 30 });
}

#[test]
fn a_plugin_that_spins_before_it_is_asked_is_stopped() {
    assert_eq!(attack_wat("spins-at-start", short()), Fault::WallTime { limit_ms: 30 });
    assert_eq!(attack_wat("spins-when-given-room", short()), Fault::WallTime { limit_ms: 30 });
}

#[test]
fn a_plugin_that_takes_memory_without_end_is_denied_it() {
    let limits = Limits { memory_bytes: 10 << 20, ..Limits::default() };
    let fault = attack_wat("grows-memory", limits);
    // The limit is 160 pages: 2 and nine times 16 are under it, ten times 16 are not.
    assert_eq!(fault, Fault::Memory { wanted_bytes: (2 + 10 * 16) * 65_536, limit_bytes: 10 << 20 });
    assert!(matches!(attack_rust("allocate", limits), Fault::Memory { limit_bytes: 10_485_760, .. }));
}

#[test]
fn a_plugin_that_gets_on_without_the_memory_it_was_denied_is_at_no_fault() {
    let answer = Arena::new().attack(&hostile(), "allocate-and-get-on", Limits::default());
    assert_eq!(answer, Ok(Err(Refusal::Other("no more memory".to_owned()))));
}

#[test]
fn a_plugin_that_needs_more_memory_to_start_than_it_may_have_is_at_fault() {
    let limits = Limits { memory_bytes: 64 << 10, ..Limits::default() };
    let expected = Fault::Memory { wanted_bytes: 128 << 10, limit_bytes: 64 << 10 };
    assert_eq!(attack_wat("unreachable", limits), expected);
}

#[test]
fn a_plugin_that_grows_its_table_without_end_is_denied_it() {
    let limits = Limits { table_elements: 5_000, ..Limits::default() };
    assert_eq!(attack_wat("grows-table", limits), Fault::Table { wanted: 5_001, limit: 5_000 });
}

#[test]
fn a_plugin_that_throws_without_end_is_stopped_and_its_exceptions_take_no_more_memory_than_it_may_have() {
    let limits = Limits { memory_bytes: 1 << 20, ..short() };
    // What nobody holds is collected when there is no more room.
    assert_eq!(attack_wat("throws-for-ever", limits), Fault::WallTime { limit_ms: 30 });
}

#[test]
fn a_plugin_that_keeps_every_exception_it_caught_is_denied_the_memory_for_them() {
    for memory_bytes in [1 << 20, 64 << 20] {
        let limits = Limits { memory_bytes, wall_time_ms: 10_000, ..Limits::default() };
        let fault = attack_wat("keeps-exceptions", limits);
        assert!(
            matches!(fault, Fault::Memory { limit_bytes, .. } if limit_bytes == memory_bytes),
            "{fault:?}"
        );
    }
}

#[test]
fn a_plugin_that_keeps_exceptions_and_throws_on_is_stopped_in_time_however_much_there_is_to_collect() {
    let began = Instant::now();
    let limits = Limits { memory_bytes: 64 << 20, wall_time_ms: 500, ..Limits::default() };
    assert_eq!(attack_wat("keeps-exceptions-and-throws-on", limits), Fault::WallTime { limit_ms: 500 });
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_plugin_whose_exception_nobody_catches_is_at_fault_with_the_function_that_threw() {
    let fault = attack_wat("throws", Limits::default());
    let Fault::Trap { cause, backtrace } = fault else {
        panic!("{fault:?}");
    };
    assert!(cause.contains("exception"), "{cause}");
    assert!(backtrace.contains("innermost"), "{backtrace}");
}

#[test]
fn what_the_heap_of_exceptions_could_hold_besides_is_not_taken() {
    for (what, text) in [
        ("a struct", "(type $pair (struct (field i32))) (func (drop (struct.new $pair (i32.const 1))))"),
        (
            "a function reference",
            "(type $f (func)) (func $f) (elem declare func $f) (func (call_ref $f (ref.func $f)))",
        ),
    ] {
        let attacker = component(&assemble(&format!("(module {} {ANSWERS} {text})", prelude())));
        let refused = Bench::new().sandbox.prepare(&attacker).expect_err(what);
        assert!(matches!(refused, AdmissionError::Invalid(_)), "{what}: {refused:?}");
    }
}

#[test]
fn a_plugin_that_asks_for_memory_or_a_table_in_small_steps_is_stopped() {
    let few = Limits { memory_growths: 100, ..Limits::default() };
    for attack in ["grows-in-small-steps", "grows-a-table-in-small-steps"] {
        // Both are denied more by the default limits long before they ask 2,000 times, and go on asking.
        assert_eq!(attack_wat(attack, Limits::default()), Fault::MemoryGrowths { limit: 2_000 }, "{attack}");
        assert_eq!(attack_wat(attack, few), Fault::MemoryGrowths { limit: 100 }, "{attack}");
    }
    assert_eq!(attack_rust("grow-in-small-steps", few), Fault::MemoryGrowths { limit: 100 });
}

#[test]
fn a_plugin_that_uses_more_fuel_than_it_may_is_stopped() {
    let limits = Limits { fuel: 1_000_000, ..Limits::default() };
    for attack in ["spins", "spins-at-start", "spins-when-given-room"] {
        let fault = attack_wat(attack, limits);
        assert!(matches!(fault, Fault::Fuel { limit: 1_000_000, .. }), "{attack}: {fault:?}");
    }
    let fault = attack_rust("spin", limits);
    assert!(matches!(&fault, Fault::Fuel { backtrace, .. } if backtrace.contains("spin")), "{fault:?}");
}

#[test]
fn a_plugin_that_recurses_without_end_is_stopped() {
    let fault = attack_wat("recurses", Limits { wall_time_ms: 10_000, ..Limits::default() });
    let Fault::Stack { limit_bytes, backtrace } = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(limit_bytes, STACK_BYTES_MAX);
    assert!(backtrace.contains("call_myself"), "{backtrace}");
    assert!(backtrace.lines().count() <= 20 && backtrace.len() < 5_000, "{backtrace}");
}

#[test]
fn a_plugin_that_recurses_past_the_stack_it_keeps_in_its_own_memory_traps() {
    // Rust keeps large locals there, and puts that stack where its overflow leaves the memory.
    let fault = attack_rust("recurse", Limits { wall_time_ms: 10_000, ..Limits::default() });
    let Fault::Trap { cause, backtrace } = fault else {
        panic!("{fault:?}");
    };
    assert!(cause.contains("out of bounds memory access"), "{cause}");
    assert!(backtrace.contains("recurse") && backtrace.len() < 5_000, "{backtrace}");
}

#[test]
fn a_plugin_that_floods_its_result_is_refused() {
    let expected = Fault::ResultBytes { actual_bytes: (1 << 20) + 1, limit_bytes: 1 << 20 };
    assert_eq!(attack_rust("flood-result", Limits::default()), expected);
    assert_eq!(attack_rust("flood-refusal", Limits::default()), expected);
}

#[test]
fn a_small_plugin_that_returns_the_same_bytes_many_times_over_is_refused() {
    let expected = Fault::ResultBytes { actual_bytes: (1 << 20) + 1, limit_bytes: 1 << 20 };
    assert_eq!(attack_wat("overlaps-result", Limits::default()), expected);
}

#[test]
fn a_plugin_that_returns_too_many_decisions_is_refused() {
    assert_eq!(
        attack_rust("flood-decisions", Limits::default()),
        Fault::Decisions { actual: 1_000, limit: 64 }
    );
}

#[test]
fn a_plugin_that_traps_is_reported_with_its_own_functions() {
    let fault = attack_wat("unreachable", Limits::default());
    let Fault::Trap { cause, backtrace } = fault else {
        panic!("{fault:?}");
    };
    assert!(cause.contains("unreachable"), "{cause}");
    let functions: Vec<_> = backtrace.lines().collect();
    assert!(functions[0].ends_with("innermost") && functions[1].ends_with("middle"), "{backtrace}");
}

#[test]
fn a_rust_plugin_that_panics_is_reported_with_the_function_that_did() {
    let fault = attack_rust("panic", Limits::default());
    assert!(
        matches!(&fault, Fault::Trap { backtrace, .. } if backtrace.contains("panic_deep_inside")),
        "{fault:?}"
    );
}

#[test]
fn a_plugin_that_reads_outside_its_memory_or_divides_by_zero_traps() {
    for (name, said) in
        [("reads-outside", "out of bounds memory access"), ("divides-by-zero", "divide by zero")]
    {
        let fault = attack_wat(name, Limits::default());
        assert!(matches!(&fault, Fault::Trap { cause, .. } if cause.contains(said)), "{name}: {fault:?}");
    }
}

#[test]
fn a_plugin_that_traps_after_answering_is_at_fault_all_the_same() {
    let fault = attack_wat("traps-after-answering", Limits::default());
    assert!(matches!(&fault, Fault::Trap { backtrace, .. } if backtrace.contains("clean_up")), "{fault:?}");
}

#[test]
fn a_plugin_that_lies_in_its_result_breaks_the_contract() {
    let lies = ["text", "case", "length", "result", "alignment", "room"];
    for lie in lies {
        let fault = attack_wat(&format!("lies-about-{lie}"), Limits::default());
        let Fault::Contract(said) = fault else {
            panic!("{lie}: {fault:?}");
        };
        assert!(!said.is_empty() && said.len() < 5_000, "{lie}: {said}");
    }
}

#[test]
fn the_limits_hold_where_there_is_no_room_for_a_pool() {
    // More memories than the address space can hold, so that instances are made on demand.
    let arena = Arena::with_places(4_000_000);
    let limits =
        Limits { memory_bytes: 10 << 20, table_elements: 5_000, wall_time_ms: 30, ..Limits::default() };
    let attack = |name: &str| arena.attack(&wat(name), "any", limits).expect_err("the attack is a fault");
    assert_eq!(attack("spins"), Fault::WallTime { limit_ms: 30 });
    assert!(matches!(attack("grows-memory"), Fault::Memory { limit_bytes: 10_485_760, .. }));
    assert_eq!(attack("grows-table"), Fault::Table { wanted: 5_001, limit: 5_000 });
    assert!(matches!(attack("recurses"), Fault::Stack { .. }));
    assert!(matches!(attack("reads-outside"), Fault::Trap { .. }));
}
