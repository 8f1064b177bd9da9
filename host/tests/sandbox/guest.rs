//! Finds and makes the guests of these tests, and the events they are asked about.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate::decision::{Decision, HttpRequest};
use tidegate::event::{Arrival, Event};
use tidegate::limits::Limits;
use tidegate::sandbox::{Answer, Prepared, Question, Sandbox, SandboxConfig};
use tidegate_envelope::{Digest, SourceName};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// What each `.wat` guest starts with, unless it is a whole module: two pages of memory, and room for the event
/// from address 4096 on.
const PRELUDE: &str = r#"
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $bytes i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $bytes)))
      (local.get $at))
"#;

pub(crate) const NOTICE_URL: &str = "http://127.0.0.1:8790/notices";

/// A sandbox with a cache of its own.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) cache_dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        let cache_dir = tempfile::tempdir().expect("a temporary folder");
        let mut config = SandboxConfig::new(cache_dir.path().to_owned());
        change(&mut config);
        Self { sandbox: Sandbox::new(config).expect("a sandbox"), cache_dir }
    }

    pub(crate) fn prepare(&self, component: &[u8]) -> Prepared {
        self.sandbox.prepare(component).expect("an admissible component")
    }

    pub(crate) fn ask(&self, plugin: &Prepared, event: &Event, limits: &Limits) -> Answer {
        let settings = [("notice_url".to_owned(), NOTICE_URL.to_owned())];
        self.sandbox.ask(plugin, &Question { event, attempt: 1, settings: &settings, memory: None }, limits)
    }
}

pub(crate) const fn prelude() -> &'static str {
    PRELUDE
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A component that `cargo xtask plugins` builds.
pub(crate) fn built(path: &str) -> Vec<u8> {
    let file = root().join(path);
    fs::read(&file).unwrap_or_else(|error| panic!("{path}: {error}. Type: cargo xtask plugins"))
}

/// The component of `tests/guests/<name>.wat`, a core module in text.
pub(crate) fn wat(name: &str) -> Vec<u8> {
    component(&module(name))
}

pub(crate) fn module(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(root().join("tests/guests").join(format!("{name}.wat")))
        .expect("the guest's text");
    if text.contains("(module") { assemble(&text) } else { assemble(&format!("(module {PRELUDE} {text})")) }
}

pub(crate) fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The component of a core module that has the exports of the world `plugin`, and may import the log.
pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root().join("wit/v1")).expect("the contract parses");
    let world = resolve.select_world(&[package], Some("plugin-with-log")).expect("it has the world");
    let mut module = module.to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("the contract fits in");
    let made = ComponentEncoder::default().module(&module).and_then(|encoder| encoder.encode());
    made.unwrap_or_else(|error| panic!("{error:#}"))
}

/// An event of this kind that says nothing else.
pub(crate) fn event(kind: &str) -> Event {
    let body = b"{}".to_vec();
    Event {
        receipt: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("a receipt"),
        source: SourceName::new("amj").expect("a source"),
        kind: kind.to_owned(),
        subject: "675".to_owned(),
        received_at_ms: 1_668_143_107_500,
        occurred_at_us: Some(1_668_143_107_302_773),
        arrival: Arrival::First,
        content_type: Some("application/json".to_owned()),
        sha256: Digest::of(&body),
        body,
        asset: None,
        findings: Vec::new(),
        json: None,
        previous: None,
        changed: Vec::new(),
        attributes: Vec::new(),
        cause: None,
        trace: None,
    }
}

/// The notice that every plugin posts, given its JSON.
pub(crate) fn notice(json: &str) -> Vec<Decision> {
    vec![Decision::Http(HttpRequest {
        method: "POST".to_owned(),
        url: NOTICE_URL.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Some(json.as_bytes().to_vec()),
        timeout_ms: None,
        reply_tag: None,
    })]
}
