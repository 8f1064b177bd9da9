//! The layering itself: what ARCHITECTURE.md states as absences, looked for in the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that may name adapters: where the parts are put together.
const ASSEMBLY: [&str; 4] =
    ["host/src/assembly.rs", "host/src/assembly/", "host/src/main.rs", "host/src/command/"];

/// Modules that decide and do nothing else.
const PURE: &[&str] = &[
    "envelope/src/",
    "worker/src/accept.rs",
    "worker/src/answer.rs",
    "worker/src/head.rs",
    "worker/src/route.rs",
    "worker/src/setting.rs",
    "worker/src/shard.rs",
    "worker/src/status.rs",
    "source/src/",
    "sender/src/event.rs",
    "sender/src/policy.rs",
    "host/src/access.rs",
    "host/src/admin/veil.rs",
    "host/src/alert.rs",
    "host/src/alert/group.rs",
    "host/src/alert/host.rs",
    "host/src/alert/signature.rs",
    "host/src/arrival.rs",
    "host/src/capacity.rs",
    "host/src/capacity/",
    "host/src/change.rs",
    "host/src/condition.rs",
    "host/src/condition/",
    "host/src/decision.rs",
    "host/src/drift.rs",
    "host/src/drift/",
    "host/src/dryrun/tally.rs",
    "host/src/echo.rs",
    "host/src/effect.rs",
    "host/src/effect/",
    "host/src/event.rs",
    "host/src/executor/verdict.rs",
    "host/src/fault.rs",
    "host/src/fault/",
    "host/src/finding.rs",
    "host/src/group/",
    "host/src/json.rs",
    "host/src/limits.rs",
    "host/src/log.rs",
    "host/src/metric.rs",
    "host/src/metric/catalog.rs",
    "host/src/metric/count.rs",
    "host/src/metric/histogram.rs",
    "host/src/outbox/",
    "host/src/pace.rs",
    "host/src/person.rs",
    "host/src/partition.rs",
    "host/src/plan.rs",
    "host/src/plugin.rs",
    "host/src/plugin/",
    "host/src/poll.rs",
    "host/src/read.rs",
    "host/src/read/",
    "host/src/recent.rs",
    "host/src/registry.rs",
    "host/src/deployment.rs",
    "host/src/fingerprint.rs",
    "host/src/rights.rs",
    "host/src/rollout.rs",
    "host/src/roster.rs",
    "host/src/drift.rs",
    "host/src/drift/",
    "host/src/retention.rs",
    "host/src/retry.rs",
    "host/src/retry/",
    "host/src/rhythm.rs",
    "host/src/sandbox/wasi/chance.rs",
    "host/src/sandbox/wasi/time.rs",
    "host/src/sandbox/wasi/transcript.rs",
    "host/src/oci/document.rs",
    "host/src/oci/reference.rs",
    "host/src/scan.rs",
    "host/src/signature.rs",
    "host/src/target.rs",
    "host/src/target/",
    "host/src/telemetry/wire.rs",
    "host/src/trace.rs",
    "host/src/trace/attribute.rs",
    "host/src/trace/context.rs",
    "host/src/trace/span.rs",
    "host/src/vigil.rs",
    "host/src/vigil/",
    "host/src/workbench/anatomy.rs",
    "host/src/workbench/said.rs",
    "host/src/workbench/template.rs",
    "host/src/workbench/told.rs",
];

/// Words of I/O, clocks and chance.
const IMPURE: [&str; 16] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "std::net::Tcp",
    "std::env",
    "std::process",
    "tokio::",
    "reqwest::",
    "rusqlite",
    "fastrand",
    "getrandom",
    "thread::",
    "println!",
    "async fn",
];

#[derive(Clone)]
struct Source {
    path: String,
    /// The file without its tests and comments.
    code: String,
}

/// The Rust files under these directories.
fn sources(dirs: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for dir in dirs {
        walk(&root().join(dir), &mut found);
    }
    assert!(!found.is_empty(), "there are sources under {dirs:?}");
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn walk(dir: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        // What cargo builds has its mark; a folder of sources may be called `target`, too.
        if path.is_dir() && !path.join("CACHEDIR.TAG").exists() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let name =
                path.strip_prefix(root()).expect("under the repository").to_string_lossy().into_owned();
            found.push(Source { path: name, code: code_of(&text) });
        }
    }
}

/// The text up to its tests, without comments.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn under(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// Asserts that none of the words stands in the sources outside these places.
fn only_in(places: &[&str], words: &[&str], sources: &[Source]) {
    for source in sources.iter().filter(|source| !under(&source.path, places)) {
        for word in words {
            assert!(!source.code.contains(word), "{} names `{word}`; only {places:?} may", source.path);
        }
    }
    for place in places.iter().filter(|place| !ASSEMBLY.contains(place)) {
        let used = sources.iter().filter(|source| under(&source.path, &[place]));
        assert!(
            used.into_iter().any(|source| words.iter().any(|word| source.code.contains(word))),
            "{place} names none of {words:?}: is this rule out of date?"
        );
    }
}

#[test]
fn wasmtime_is_named_in_the_sandbox_alone() {
    only_in(
        &["host/src/sandbox/"],
        &["wasmtime"],
        &sources(&["host/src", "queue/src", "worker/src", "envelope/src"]),
    );
}

#[test]
fn generated_types_of_the_contract_stay_in_one_file() {
    only_in(&["host/src/sandbox/v1.rs"], &["bindgen!", "exports::tidegate"], &sources(&["host/src"]));
}

#[test]
fn workers_rs_is_named_in_one_file() {
    only_in(
        &["worker/src/edge.rs"],
        &["worker::", "wasm_bindgen", "js_sys"],
        &sources(&["worker/src", "envelope/src", "source/src"]),
    );
}

#[test]
fn sql_is_spoken_in_the_adapters_alone() {
    let sources = sources(&["host/src"]);
    only_in(&["host/src/store/sqlite.rs", "host/src/store/sqlite/"], &["rusqlite"], &sources);
    only_in(&["host/src/store/postgres/"], &["postgres::types", "tokio_postgres"], &sources);
    only_in(
        &[
            "host/src/store/sql/",
            "host/src/store/postgres/",
            "host/src/store/postgres.rs",
            "host/src/store/sqlite/",
        ],
        &["SELECT "],
        &sources,
    );
}

#[test]
fn adapters_are_named_where_the_parts_are_put_together() {
    let sources = sources(&["host/src"]);
    for (adapter, home) in [
        ("SqlStore", "host/src/store/sql.rs"),
        ("RestQueue", "host/src/queue/rest.rs"),
        ("EmbeddedQueue", "host/src/queue/embedded.rs"),
    ] {
        let own = home.replace(".rs", "/");
        only_in(
            &[&ASSEMBLY[..], &[home]].concat(),
            &[adapter],
            &sources.iter().filter(|source| !source.path.starts_with(&own)).cloned().collect::<Vec<_>>(),
        );
    }
}

#[test]
fn effects_are_made_in_one_file() {
    for source in sources(&["host/src"])
        .iter()
        .filter(|source| !under(&source.path, &["host/src/effect.rs", "host/src/effect/"]))
        .filter(|source| !source.path.ends_with("/tests.rs"))
    {
        assert!(
            !source.code.contains("Effect {") || source.code.contains("DueEffect {"),
            "{} makes an Effect by hand",
            source.path
        );
    }
}

#[test]
fn pure_modules_do_no_io_and_know_no_clock_and_no_chance() {
    let sources = sources(&["envelope/src", "source/src", "sender/src", "worker/src", "host/src"]);
    for place in PURE {
        let pure: Vec<_> = sources.iter().filter(|source| under(&source.path, &[place])).collect();
        assert!(!pure.is_empty(), "{place} is gone: is this list out of date?");
        for source in pure {
            for word in IMPURE {
                assert!(!source.code.contains(word), "{} is pure, and names `{word}`", source.path);
            }
        }
    }
}

#[test]
fn the_wall_clock_enters_where_the_parts_are_put_together() {
    // The queue's own clock enters in its engine, as one function that is passed on.
    let places = [&ASSEMBLY[..], &["queue/src/engine.rs"]].concat();
    only_in(
        &places,
        &["SystemTime::now", "Timestamp::now"],
        &sources(&["host/src", "queue/src", "sender/src", "envelope/src"]),
    );
}

#[test]
fn the_worker_has_no_way_to_panic() {
    let root = fs::read_to_string(root().join("worker/src/lib.rs")).expect("the Worker's root");
    for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing", "unreachable"] {
        assert!(root.contains(lint), "worker/src/lib.rs denies clippy::{lint}");
    }
    for source in sources(&["worker/src", "envelope/src", "source/src"]) {
        for word in [".unwrap()", ".expect(", "panic!", "unreachable!", "todo!"] {
            assert!(!source.code.contains(word), "{} can panic: `{word}`", source.path);
        }
    }
}

#[test]
fn no_random_value_is_a_key_of_a_table_that_grows() {
    let schema = ["v1.sql", "v2.sql", "v3.sql", "v4.sql"]
        .map(|name| fs::read_to_string(root().join("host/src/store/sqlite").join(name)).expect("the schema"));
    let schema = schema.concat();
    // Receipts are in order of time; everything else that is indexed is a number that grows, or a bounded set.
    let keyed: Vec<_> = schema
        .lines()
        .filter(|line| ["UNIQUE", "PRIMARY KEY", "CREATE INDEX"].iter().any(|word| line.contains(word)))
        .collect();
    assert_eq!(
        keyed.len(),
        35,
        "a new index: is its key in order of arrival, or its table bounded?\n{}",
        keyed.join("\n")
    );
    let hashed: Vec<_> = keyed.iter().filter(|line| line.contains("sha256")).collect();
    assert_eq!(hashed.len(), 1, "only what is rare, a stray, is found by its hash");
}

#[test]
fn every_file_is_short_enough_to_be_read() {
    for source in sources(&[
        "fuzz",
        "host/src",
        "queue/src",
        "worker/src",
        "envelope/src",
        "source/src",
        "sender/src",
        "sdk/rust/src",
        "toolchain/src",
        "xtask/src",
        "tests/src",
    ]) {
        let lines = fs::read_to_string(root().join(&source.path)).expect("a source file").lines().count();
        assert!(lines <= 400, "{} has {lines} lines", source.path);
    }
}
