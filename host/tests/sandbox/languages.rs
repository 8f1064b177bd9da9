//! The same plugin in every language decides the same bytes: each folder of `plugins` against each case of
//! `plugins/cases`. A new case is a new file there, named after what it shows.

use crate::guest::{Bench, NOTICE_URL, event, notice, root};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate::decision::{Decision, HttpRequest, Refusal};
use tidegate::event::{Asset, Event, Reference};
use tidegate::limits::Limits;
use tidegate::plugin::Manifest;
use tidegate::read;
use tidegate::sandbox::{Answer, Prepared, Question};
use tidegate_envelope::{Body, Digest, Envelope};
use tidegate_toolchain::language::{OPTIONAL, may_be_missing};

/// One file of `plugins/cases`: what is sent, and what must be decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// The body as JSON, or
    body: Option<Value>,
    /// the body as text.
    text: Option<String>,
    /// The deployment's settings; when absent there is one, where notices go.
    settings: Option<BTreeMap<String, String>>,
    decisions: Option<Vec<DecisionFile>>,
    refusal: Option<RefusalFile>,
}

/// A decision in the contract's words; bytes are written as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum DecisionFile {
    Http { method: String, url: String, headers: Vec<NameValueFile>, body: Option<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameValueFile {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RefusalFile {
    Park(String),
}

struct Case {
    name: String,
    event: Event,
    settings: Vec<(String, String)>,
    expected: Answer,
}

impl Case {
    fn read(path: &Path) -> Self {
        let name = stem(path);
        let text = fs::read_to_string(path).expect("the case's text");
        let file: CaseFile = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let body = match (file.body, file.text) {
            (Some(body), None) => body.to_string(),
            (None, Some(text)) => text,
            _ => panic!("{name}: a case has either `body` or `text`"),
        };
        let expected = match (file.decisions, file.refusal) {
            (Some(decisions), None) => Ok(decisions.into_iter().map(decision).collect()),
            (None, Some(RefusalFile::Park(reason))) => Err(Refusal::Park(reason)),
            _ => panic!("{name}: a case has either `decisions` or a `refusal`"),
        };
        let settings = file
            .settings
            .unwrap_or_else(|| BTreeMap::from([("notice_url".to_owned(), NOTICE_URL.to_owned())]));
        let settings = settings.into_iter().collect();
        Self { name, event: told(body.as_bytes()), settings, expected: Ok(expected) }
    }

    fn ask(&self, bench: &Bench, plugin: &Prepared) -> Answer {
        let question = Question { event: &self.event, attempt: 1, settings: &self.settings, memory: None };
        bench.sandbox.ask(plugin, &question, &Limits::default())
    }
}

fn decision(file: DecisionFile) -> Decision {
    let DecisionFile::Http { method, url, headers, body } = file;
    Decision::Http(HttpRequest {
        method,
        url,
        headers: headers.into_iter().map(|header| (header.name, header.value)).collect(),
        body: body.map(String::into_bytes),
        timeout_ms: None,
        reply_tag: None,
    })
}

/// The body as the host reads it.
fn told(body: &[u8]) -> Event {
    let like = event("");
    let envelope = Envelope {
        receipt: like.receipt,
        source: like.source,
        received_at_ms: like.received_at_ms,
        method: "POST".to_owned(),
        profile: None,
        headers: vec![],
        content_type: like.content_type,
        sha256: Digest::of(body),
        body: Body::Inline(body.to_vec()),
    };
    read::read_fetched(envelope, body.to_vec())
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

/// What is in a folder of the repository, by name.
fn list(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn cases() -> Vec<Case> {
    list("plugins/cases").iter().map(|path| Case::read(path)).collect()
}

/// The folders of plugins, by the names of their languages.
fn languages() -> Vec<(String, PathBuf)> {
    let folders = list("plugins").into_iter().filter(|path| path.join("plugin.toml").exists());
    folders.map(|path| (stem(&path), path)).collect()
}

/// Calls `check` with each language's component, in a sandbox whose compiled code outlives the test: the larger
/// components take seconds to compile.
fn in_every_language(check: impl Fn(&str, &Bench, &Prepared)) {
    let compiled = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let bench = Bench::with(|config| config.cache_dir = compiled);
    let mut missing = Vec::new();
    for (language, folder) in languages() {
        match fs::read(folder.join("plugin.wasm")) {
            Ok(component) => check(&language, &bench, &bench.prepare(&component)),
            Err(_) => missing.push(language),
        }
    }
    let line =
        format!("no component in {}; type: cargo xtask plugins {}", missing.join(", "), missing.join(" "));
    if !missing.is_empty() && may_be_missing() {
        eprintln!("passed over: {line}");
        missing.clear();
    }
    assert!(missing.is_empty(), "{line} (or set {OPTIONAL}=1 to pass them over)");
}

#[test]
fn every_language_decides_the_same_bytes_for_every_case_in_any_order_and_again() {
    let cases = cases();
    assert!(cases.len() > 30, "the cases are there");
    in_every_language(|language, bench, plugin| {
        for case in cases.iter().chain(cases.iter().rev()).chain(&cases) {
            assert_eq!(case.ask(bench, plugin), case.expected, "{language}: {}", case.name);
        }
        // Here and not in a test of its own, which would compile everything once more.
        a_large_event_is_decided_on_two_threads(language, bench, plugin);
    });
}

fn a_large_event_is_decided_on_two_threads(language: &str, bench: &Bench, plugin: &Prepared) {
    let mut event = told(b"{}");
    event.kind = "asset.update".to_owned();
    event.asset = Some(Asset {
        name: Some("n".repeat(50_000).into()),
        loanee: Some(Reference { id: None, name: Some("世".repeat(10_000).into()) }),
        field_values: Some("[]".repeat(100_000)),
        ..Asset::default()
    });
    let (n, kanji) = ("n".repeat(50_000), "世".repeat(10_000));
    let expected = notice(&format!(
        r#"{{"text":"{n} is on loan to {kanji}","asset":"","receipt":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}}"#
    ));
    let ask = || {
        for _ in 0..10 {
            let answer = bench.ask(plugin, &event, &Limits::default());
            assert!(answer == Ok(Ok(expected.clone())), "{language} on a large event");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(ask);
        ask();
    });
}

#[test]
fn every_languages_manifest_asks_for_no_more_than_the_defaults_give() {
    for (language, folder) in languages() {
        let text = fs::read_to_string(folder.join("plugin.toml")).expect("the manifest");
        let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{language}: {error}"));
        let limits =
            manifest.limits(&Limits::default()).unwrap_or_else(|error| panic!("{language}: {error}"));
        assert_eq!(limits.memory_bytes, Limits::default().memory_bytes, "{language}");
    }
}
