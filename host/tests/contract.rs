//! The contract as each language's `mirror` reads it (`tests/contract/<language>`): every field of the event comes
//! back in its answer, and every case of the answer is given. Needs `cargo xtask plugins`. What they were when the
//! contract was frozen is in `tests/fixtures/v1`.

#[path = "contract/case.rs"]
mod case;
#[path = "contract/component.rs"]
mod component;
#[path = "contract/mirror.rs"]
mod mirror;

use component::Mirror;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tidegate::limits::Limits;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate_toolchain::language::{self, OPTIONAL};

/// The contract's types, those of `wit/v1` alone: the host's own words are not in between.
pub(crate) mod wit {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin",
        additional_derives: [PartialEq],
    });
    pub(crate) use exports::tidegate::plugin::handler::*;
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a language's mirror is now; `None` when it was not made.
fn made(language: &str) -> Option<Vec<u8>> {
    fs::read(root().join("tests/contract").join(language).join("mirror.wasm")).ok()
}

/// What it was when the contract was frozen.
fn first(language: &str) -> Vec<u8> {
    let path = root().join("tests/fixtures/v1").join(language).with_extension("wasm.xz");
    let file = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut component = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(file), &mut component).expect("the fixture is whole");
    component
}

/// Asks a mirror about every case.
fn assert_reflects(language: &str, component: &[u8]) {
    let mirror = Mirror::new(component).unwrap_or_else(|error| panic!("{language}: {error:#}"));
    for case in &case::all() {
        let answer = mirror.ask(&case.event);
        let answer = answer.unwrap_or_else(|error| panic!("{language}: {}: {error:#}", case.name));
        let expected = mirror::reflect(&case.event);
        if answer != expected {
            panic!("{language}: {}: {}", case.name, mirror::difference(&answer, &expected));
        }
    }
}

#[test]
fn every_language_reads_every_field_and_gives_every_case_byte_for_byte() {
    let mut missing = Vec::new();
    for language in &language::ALL {
        match made(language.name) {
            Some(component) => assert_reflects(language.name, &component),
            None => missing.push(language.name),
        }
    }
    let line =
        format!("no mirror in {}; type: cargo xtask plugins {}", missing.join(", "), missing.join(" "));
    let may_be_missing = language::may_be_missing();
    if !missing.is_empty() && may_be_missing {
        eprintln!("passed over: {line}");
    }
    assert!(missing.is_empty() || may_be_missing, "{line} (or set {OPTIONAL}=1 to pass them over)");
}

/// The promise of `wit/README.md`: what was compiled first goes on working, in the host's own sandbox, too.
#[test]
fn what_was_compiled_first_for_the_contract_still_reads_and_gives_all_of_it() {
    let cache = tempfile::tempdir().expect("a folder");
    let sandbox = Sandbox::new(SandboxConfig::new(cache.path().to_owned())).expect("a sandbox");
    for language in &language::ALL {
        let component = first(language.name);
        assert_reflects(language.name, &component);
        let plugin = sandbox.prepare(&component).unwrap_or_else(|error| panic!("{}: {error}", language.name));
        assert!(
            sandbox.at_rest(&plugin, &Limits::default()).is_ok(),
            "{} starts in the sandbox",
            language.name
        );
    }
}
