//! The compiler in a process of its own: what it compiles is as good as what is compiled here, and what it chokes on
//! harms nobody.

use crate::guest::{Bench, assemble, built, component, event, prelude, root, wat};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate::fault::Trouble;
use tidegate::limits::Limits;
use tidegate::sandbox::compiler::Compiler;
use tidegate::sandbox::{AdmissionError, SandboxConfig};

/// The program whose compiler is tried.
const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

/// Steps of the function that takes long to compile: tens of seconds' worth.
const STEPS: usize = 100_000;

fn with_a_child(change: impl FnOnce(&mut SandboxConfig)) -> Bench {
    Bench::with(|config| {
        config.engines = 2;
        config.compiler = Compiler::Child(PathBuf::from(TIDEGATE));
        change(config);
    })
}

/// `tests/guests/compiles-slowly.wat`, with as many steps as that.
fn slow(steps: usize) -> Vec<u8> {
    let path = root().join("tests/guests/compiles-slowly.wat");
    let text = fs::read_to_string(path).expect("the guest's text");
    let (before, step) = text.split_once(";; repeat\n").expect("it says what to repeat");
    let (step, after) = step.split_once('\n').expect("a line");
    component(&assemble(&format!(
        "(module {} {before}{}{after})",
        prelude(),
        format!("{step}\n").repeat(steps)
    )))
}

fn refused(bench: &Bench, component: &[u8]) -> AdmissionError {
    bench.sandbox.prepare(component).expect_err("not compiled")
}

/// Nothing of a component that was not compiled stays, and the next one is.
fn goes_on(bench: &Bench) {
    let files = fs::read_dir(bench.cache_dir.path()).expect("the cache is a folder");
    assert_eq!(files.count(), 0, "nothing was kept of it");
    let plugin = bench.prepare(&built("plugins/rust/plugin.wasm"));
    assert_eq!(bench.ask(&plugin, &event("asset.create"), &Limits::default()), Ok(Ok(vec![])));
}

#[test]
fn what_another_process_compiled_is_what_this_one_would_have_compiled() {
    let (here, there) = (Bench::with(|config| config.engines = 2), with_a_child(|_| ()));
    let metered = Limits { fuel: 1_000_000_000, ..Limits::default() };
    for limits in [Limits::default(), metered] {
        for bench in [&here, &there] {
            let component = built("plugins/rust/plugin.wasm");
            let plugin = bench.sandbox.prepare_for(&component, &limits).expect("it compiles");
            assert_eq!(bench.ask(&plugin, &event("asset.create"), &limits), Ok(Ok(vec![])));
        }
    }
    let kept = |bench: &Bench| {
        let files = fs::read_dir(bench.cache_dir.path()).expect("the cache is a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| (file.file_name().map(ToOwned::to_owned), fs::read(file).expect("readable")))
            .collect::<Vec<_>>()
    };
    assert!(kept(&here) == kept(&there), "the same files, byte for byte");
    assert_eq!(kept(&here).len(), 4, "code and seal of each kind of engine");
}

#[test]
fn a_component_that_compiles_slowly_is_given_up_and_events_are_decided_meanwhile() {
    let limit_ms = 1_000;
    let bench = with_a_child(|config| config.compile_time_ms_max = limit_ms);
    let neighbour = bench.prepare(&built("plugins/rust/plugin.wasm"));
    let attacker = slow(STEPS);
    let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let decided = std::thread::scope(|scope| {
        let compiling = scope.spawn(|| {
            begun.store(true, Ordering::SeqCst);
            let refused = refused(&bench, &attacker);
            over.store(true, Ordering::SeqCst);
            refused
        });
        let mut decided = 0;
        while !over.load(Ordering::SeqCst) {
            let during = begun.load(Ordering::SeqCst);
            let answer = bench.ask(&neighbour, &event("asset.create"), &Limits::default());
            assert_eq!(answer, Ok(Ok(vec![])));
            decided += u64::from(during);
        }
        let error = compiling.join().expect("it is refused, not a panic");
        assert_eq!(error, AdmissionError::CompileTime { limit_ms });
        assert_eq!(error.trouble(), Trouble::CompileTimeMs);
        assert!(error.to_string().contains("sandbox.compile_time_ms_max"), "{error}");
        decided
    });
    println!(
        "{decided} events decided while {} bytes were compiled, until {limit_ms} ms of processor time were used",
        attacker.len()
    );
    assert!(decided > 1_000, "{decided} events were decided meanwhile");
}

#[test]
fn a_component_whose_compiler_takes_too_much_memory_is_given_up() {
    let limit_bytes = 150 << 20;
    let bench = with_a_child(|config| config.compile_memory_bytes_max = limit_bytes);
    let error = refused(&bench, &slow(STEPS));
    assert_eq!(error, AdmissionError::CompileMemory { limit_bytes });
    assert!(error.to_string().contains("sandbox.compile_memory_bytes_max"), "{error}");
    goes_on(&bench);
}

#[test]
fn a_compiler_that_crashes_or_cannot_be_started_is_an_error_and_not_the_end() {
    let bench = with_a_child(|config| config.compiler = Compiler::Child(PathBuf::from("false")));
    let error = refused(&bench, &wat("spins"));
    assert!(matches!(error, AdmissionError::CompilerCrash(_)), "{error:?}");
    let bench = with_a_child(|config| config.compiler = Compiler::Child(PathBuf::from("no-such-program")));
    let error = refused(&bench, &wat("spins"));
    assert!(matches!(&error, AdmissionError::Host(why) if why.contains("no-such-program")), "{error:?}");
}

#[test]
fn a_damaged_component_is_refused_with_the_compilers_words() {
    let bench = with_a_child(|_| ());
    let whole = wat("spins");
    let damaged = &whole[..whole.len() / 2];
    assert_eq!(refused(&bench, damaged), refused(&Bench::new(), damaged));
    goes_on(&bench);
}

#[test]
fn two_components_at_once_are_compiled_one_after_the_other_and_the_same_one_once() {
    let bench = with_a_child(|_| ());
    let (rust, spins) = (built("plugins/rust/plugin.wasm"), wat("spins"));
    std::thread::scope(|scope| {
        for component in [&rust, &spins, &rust, &spins] {
            scope.spawn(|| bench.prepare(component));
        }
    });
    let files = fs::read_dir(bench.cache_dir.path()).expect("the cache is a folder");
    assert_eq!(files.count(), 4, "code and seal of two components, and no draft");
}
