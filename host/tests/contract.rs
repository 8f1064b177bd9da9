//! The contract as each language's `mirror` reads it (`tests/contract/<language>`): every field of the event comes
//! back in its answer, and every case of the answer is given. Needs `cargo xtask plugins`.

#[path = "contract/case.rs"]
mod case;
#[path = "contract/component.rs"]
mod component;
#[path = "contract/mirror.rs"]
mod mirror;

use component::Mirror;
use std::fs;
use std::path::{Path, PathBuf};

/// The contract's types, those of `wit/v1` alone: the host's own words are not in between.
pub(crate) mod wit {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin",
        additional_derives: [PartialEq],
    });
    pub(crate) use exports::tidegate::plugin::handler::*;
}

/// Where a component that is not there is passed over instead of failing the test: for machines that cannot have
/// the tools of every language.
const OPTIONAL: &str = "TIDEGATE_LANGUAGES_OPTIONAL";

fn mirrors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contract")
}

/// The languages that have a mirror, by the names of its folders.
fn languages() -> Vec<String> {
    let entries = fs::read_dir(mirrors()).expect("the mirrors' folder");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    let folders = folders.filter(|path| path.join("plugin.toml").exists());
    let name = |path: PathBuf| path.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    let mut languages: Vec<_> = folders.map(name).collect();
    languages.sort();
    languages
}

#[test]
fn every_language_reads_every_field_and_gives_every_case_byte_for_byte() {
    let cases = case::all();
    let mut missing = Vec::new();
    let languages = languages();
    assert!(!languages.is_empty(), "there are mirrors");
    for language in languages {
        let Ok(bytes) = fs::read(mirrors().join(&language).join("mirror.wasm")) else {
            missing.push(language);
            continue;
        };
        let mirror = Mirror::new(&bytes).unwrap_or_else(|error| panic!("{language}: {error:#}"));
        for case in &cases {
            let answer = mirror.ask(&case.event);
            let answer = answer.unwrap_or_else(|error| panic!("{language}: {}: {error:#}", case.name));
            let expected = mirror::reflect(&case.event);
            if answer != expected {
                panic!("{language}: {}: {}", case.name, mirror::difference(&answer, &expected));
            }
        }
    }
    let line =
        format!("no mirror in {}; type: cargo xtask plugins {}", missing.join(", "), missing.join(" "));
    let may_be_missing = std::env::var_os(OPTIONAL).is_some_and(|value| value == "1");
    if !missing.is_empty() && may_be_missing {
        eprintln!("passed over: {line}");
    }
    assert!(missing.is_empty() || may_be_missing, "{line} (or set {OPTIONAL}=1 to pass them over)");
}
