//! Every profile against its vectors: `tests/vectors/<profile>.json`. A profile without such a file fails.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tidegate_source::{Judgement, Request, Source, Sources, profile};

/// A secret that no vector's request is signed with, in every form that a profile takes.
const STRANGER: &str = "whsec_c3RyYW5nZXIgdGhhbiBmaWN0aW9uLCBieSBmYXI=";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    profile: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Where it is from.
    from: String,
    #[serde(default)]
    settings: Value,
    method: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    now_s: u64,
    judgement: Expected,
    topic: Option<Topic>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Expected {
    Event,
    Forged(String),
    Handshake(Handshake),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    content_type: String,
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    kind: Option<String>,
    subject: Option<String>,
}

impl Vectors {
    fn of(profile: &str) -> anyhow::Result<Self> {
        let path = folder().join(format!("{profile}.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("`{profile}` has no vectors"))?;
        let vectors: Self = serde_json::from_str(&text).with_context(|| format!("read {profile}.json"))?;
        ensure!(vectors.profile == profile, "{profile}.json is of `{}`", vectors.profile);
        Ok(vectors)
    }
}

impl Case {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).expect("base64"),
            _ => panic!("{}: a body as text or as base64", self.name),
        }
    }

    fn source(&self, profile: &str) -> Sources {
        live(profile, &self.settings)
    }

    /// What the source says to this case, with one part of it changed.
    fn judged(&self, source: &Source, without: Option<&str>, body: &[u8], now_s: u64) -> Judgement {
        let read = source.headers_read();
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| read.iter().any(|read| read == name) && Some(*name) != without)
            .collect();
        let body = if source.reads_body() { body } else { &[] };
        let method = self.method.as_deref().unwrap_or("POST");
        source.judge(&Request { method, headers: &headers, body, now_s })
    }
}

/// One live source with these settings.
fn live(profile: &str, settings: &Value) -> Sources {
    let mut entry = json!({ "profile": profile, "tokens": ["0f1e2d3c4b5a69788796a5b4c3d2e1f0"] });
    if !settings.is_null() {
        entry["signing"] = settings.clone();
    }
    let sources = Sources::parse(&json!({ "s": entry }).to_string());
    sources.unwrap_or_else(|error| panic!("{profile}: {settings}: {error}"))
}

fn first(sources: &Sources) -> &Source {
    sources.iter().next().expect("a source")
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"))
}

fn forged(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Forged(_))
}

#[test]
fn every_vector_is_judged_as_it_says() -> anyhow::Result<()> {
    for profile in profile::all() {
        for case in Vectors::of(profile.name())?.cases {
            let place = format!("{}: {}", profile.name(), case.name);
            ensure!(!case.from.is_empty(), "{place}: where is it from?");
            let sources = case.source(profile.name());
            let judgement = case.judged(first(&sources), None, &case.body(), case.now_s);
            match (&case.judgement, judgement) {
                (Expected::Event, Judgement::Event) => {}
                (Expected::Forged(why), Judgement::Forged(said)) if why == said => {}
                (Expected::Handshake(expected), Judgement::Handshake(given)) => {
                    let headers: BTreeMap<_, _> =
                        given.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                    ensure!(headers == expected.headers, "{place}: {headers:?}");
                    ensure!(given.body == expected.body, "{place}: {}", given.body);
                    ensure!(given.content_type == expected.content_type, "{place}: {}", given.content_type);
                }
                (_, judgement) => anyhow::bail!("{place}: {judgement:?}"),
            }
        }
    }
    Ok(())
}

#[test]
fn every_topic_is_read_from_the_headers_that_are_kept_and_the_body() -> anyhow::Result<()> {
    for profile in profile::all() {
        let cases = Vectors::of(profile.name())?.cases;
        for case in &cases {
            let Some(expected) = &case.topic else { continue };
            let kept = profile.headers_kept();
            let headers: Vec<_> = case
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .filter(|(name, _)| kept.contains(name))
                .collect();
            let topic = profile.topic(&headers, &case.body());
            let place = format!("{}: {}", profile.name(), case.name);
            ensure!(
                (&topic.kind, &topic.subject) == (&expected.kind, &expected.subject),
                "{place}: {topic:?}"
            );
        }
        let silent = ["amj", "generic", "hmac"];
        let has_topics = cases.iter().any(|case| case.topic.is_some());
        ensure!(has_topics != silent.contains(&profile.name()), "{}: vectors of its topic", profile.name());
    }
    Ok(())
}

#[test]
fn what_is_signed_is_forged_once_any_part_of_it_is_changed() -> anyhow::Result<()> {
    let mut changed = 0;
    for profile in profile::all() {
        for case in Vectors::of(profile.name())?.cases {
            let (sources, body) = (case.source(profile.name()), case.body());
            let source = first(&sources);
            if !matches!(case.judgement, Expected::Event) || !source.reads_body() {
                continue;
            }
            let place = format!("{}: {}", profile.name(), case.name);
            let mut bodies = vec![[&body[..], b" "].concat(), [b" ", &body[..]].concat()];
            if let Some((last, rest)) = body.split_last() {
                bodies.extend([rest.to_vec(), [rest, &[last ^ 1]].concat()]);
            }
            for body in bodies {
                ensure!(forged(&case.judged(source, None, &body, case.now_s)), "{place}: another body");
            }
            for header in source.headers_read() {
                ensure!(forged(&case.judged(source, Some(&header), &body, case.now_s)), "{place}: {header}");
            }
            let mut settings = case.settings.clone();
            settings["secrets"] = json!([STRANGER]);
            let stranger = live(profile.name(), &settings);
            ensure!(forged(&case.judged(first(&stranger), None, &body, case.now_s)), "{place}: a stranger");
            changed += 1;
        }
    }
    ensure!(changed > 50, "{changed}");
    Ok(())
}

#[test]
fn every_signed_profile_has_vectors_of_each_way_to_be_wrong() -> anyhow::Result<()> {
    for profile in profile::all().filter(|profile| !profile.settings_keys().is_empty()) {
        let cases = Vectors::of(profile.name())?.cases;
        for name in ["another secret", "another body", "a cut signature"] {
            let case = cases.iter().find(|case| case.name == name);
            let case = case.with_context(|| format!("{}: no vector `{name}`", profile.name()))?;
            ensure!(matches!(case.judgement, Expected::Forged(_)), "{}: {name}", profile.name());
        }
    }
    Ok(())
}

#[test]
fn every_file_of_vectors_is_of_a_profile() -> anyhow::Result<()> {
    let files: BTreeSet<_> = fs::read_dir(folder())?
        .map(|entry| anyhow::Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()?;
    let expected: BTreeSet<_> = profile::all().map(|profile| format!("{}.json", profile.name())).collect();
    ensure!(files == expected, "{files:?}");
    Ok(())
}
