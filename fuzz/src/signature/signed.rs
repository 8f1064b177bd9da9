//! The signed requests among the vectors of the profiles (`source/tests/vectors`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tidegate_source::Sources;

const VECTORS: [&str; 7] = [
    include_str!("../../../source/tests/vectors/github.json"),
    include_str!("../../../source/tests/vectors/hmac.json"),
    include_str!("../../../source/tests/vectors/jira.json"),
    include_str!("../../../source/tests/vectors/shopify.json"),
    include_str!("../../../source/tests/vectors/slack.json"),
    include_str!("../../../source/tests/vectors/standard-webhooks.json"),
    include_str!("../../../source/tests/vectors/stripe.json"),
];

/// A request and the source that takes it, because its sender signed it.
pub(super) struct Signed {
    pub(super) profile: String,
    pub(super) name: String,
    /// One, with the secret that the request is signed with.
    pub(super) sources: Sources,
    pub(super) request: Request,
}

/// What a source is asked to judge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Those that the source reads, and no other.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) now_s: u64,
}

#[derive(Deserialize)]
struct Vectors {
    profile: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    settings: Value,
    method: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    now_s: u64,
    judgement: Value,
}

/// All of them, in the vectors' order: made once.
pub(super) fn signed() -> &'static [Signed] {
    static SIGNED: OnceLock<Vec<Signed>> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let vectors = VECTORS.iter().map(|text| serde_json::from_str(text).expect("vectors"));
        vectors.flat_map(of).collect()
    })
}

fn of(vectors: Vectors) -> Vec<Signed> {
    let Vectors { profile, cases } = vectors;
    let events = cases.into_iter().filter(|case| case.judgement == "event");
    events.filter_map(|case| case.signed(&profile)).collect()
}

impl Case {
    /// `None` where the source checks no signature.
    fn signed(self, profile: &str) -> Option<Signed> {
        let mut entry = json!({ "profile": profile, "tokens": ["0f1e2d3c4b5a69788796a5b4c3d2e1f0"] });
        if !self.settings.is_null() {
            entry["signing"] = self.settings;
        }
        let sources = Sources::parse(&json!({ "s": entry }).to_string()).expect("a vector's source");
        let source = sources.iter().next().filter(|source| source.reads_body())?;
        let read = source.headers_read();
        let headers = self.headers.into_iter().filter(|(name, _)| read.contains(name)).collect();
        let body = match (self.body, self.body_base64) {
            (Some(text), _) => text.into_bytes(),
            (None, text) => STANDARD.decode(text.unwrap_or_default()).expect("base64"),
        };
        let method = self.method.unwrap_or_else(|| "POST".into());
        let request = Request { method, headers, body, now_s: self.now_s };
        Some(Signed { profile: profile.to_owned(), name: self.name, sources, request })
    }
}
