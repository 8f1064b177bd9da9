//! The two plugins that ship do the same, byte for byte, and do it again when asked again.

use crate::guest::{Bench, NOTICE_URL, built, event, notice, root};
use std::fs;
use tidegate::decision::{Decision, Refusal};
use tidegate::event::{Asset, Event, Reference};
use tidegate::limits::Limits;
use tidegate::read;
use tidegate::sandbox::Question;
use tidegate_envelope::{Body, Digest, Envelope};

const PLUGINS: [&str; 2] = ["plugins/rust/plugin.wasm", "plugins/javascript/plugin.wasm"];

type Expected = Result<Vec<Decision>, Refusal>;

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

fn notice_of(text: &str) -> Expected {
    Ok(notice(&format!(r#"{{"text":"{text}","asset":"675","receipt":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}}"#)))
}

/// What each event gives, with the setting in place.
fn cases() -> Vec<(String, Expected)> {
    let sample = fs::read_to_string(root().join("tests/samples/asset-update.json")).expect("the sample");
    let nothing = || Ok(vec![]);
    let update = |rest: &str| format!(r#"{{"event_type":"asset.update","id":675{rest}}}"#);
    let named = |name: &str| update(&format!(r#","name":{name},"loanee":{{"id":142,"name":"John Do"}}"#));
    vec![
        (sample.clone(), notice_of("Spare-02 (2 in 3 Laptop) is on loan to John Do")),
        (sample.replace("asset.update", "asset.create"), nothing()),
        (sample.replace("asset.update", "asset.delete"), nothing()),
        (update(""), nothing()),
        (update(r#","loanee":null"#), nothing()),
        (update(r#","loanee":{}"#), nothing()),
        (update(r#","loanee":"John""#), nothing()),
        (update(r#","loanee":{"id":142,"name":""}"#), notice_of("An asset is on loan to person 142")),
        (update(r#","loanee":{"id":142},"name":null"#), notice_of("An asset is on loan to person 142")),
        (named(r#""A \"quoted\" \\ name""#), notice_of(r#"A \"quoted\" \\ name is on loan to John Do"#)),
        (
            named(r#""two\nlines\tand\u0001\u001f\u007f""#),
            notice_of("two\\nlines\\tand\\u0001\\u001f\u{7f} is on loan to John Do"),
        ),
        (named(r#""Grüße, 世界 🛠""#), notice_of("Grüße, 世界 🛠 is on loan to John Do")),
        (
            named(r#""\ud83d\udee0 \u2028\u2029 </script>""#),
            notice_of("🛠 \u{2028}\u{2029} </script> is on loan to John Do"),
        ),
        (named(r#""\b\f\r/""#), notice_of(r"\b\f\r/ is on loan to John Do")),
        ("not JSON".to_owned(), nothing()),
        ("[]".to_owned(), nothing()),
        (String::new(), nothing()),
    ]
}

#[test]
fn both_plugins_decide_the_same_bytes_for_every_case() {
    let bench = Bench::new();
    for path in PLUGINS {
        let plugin = bench.prepare(&built(path));
        for (body, expected) in cases() {
            let answer = bench.ask(&plugin, &told(body.as_bytes()), &Limits::default());
            assert_eq!(answer, Ok(expected), "{path} on {body}");
        }
    }
}

#[test]
fn both_plugins_park_what_they_have_no_url_for() {
    let bench = Bench::new();
    let event = told(cases()[0].0.as_bytes());
    let park = Refusal::Park("the setting `notice_url` is missing: say where notices go".to_owned());
    let empty = [("notice_url".to_owned(), String::new()), ("other".to_owned(), NOTICE_URL.to_owned())];
    for path in PLUGINS {
        let plugin = bench.prepare(&built(path));
        for settings in [&empty[..], &[]] {
            let question = Question { event: &event, attempt: 1, settings };
            assert_eq!(
                bench.sandbox.ask(&plugin, &question, &Limits::default()),
                Ok(Err(park.clone())),
                "{path}"
            );
        }
    }
}

#[test]
fn the_same_event_gives_the_same_bytes_every_time_and_in_every_sandbox() {
    let mut large = told(cases()[0].0.as_bytes());
    large.asset = Some(Asset {
        name: Some("n".repeat(50_000)),
        loanee: Some(Reference { id: None, name: Some("世".repeat(10_000)) }),
        ..Asset::default()
    });
    for path in PLUGINS {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let bench = Bench::new();
            let plugin = bench.prepare(&built(path));
            answers.extend((0..20).map(|_| bench.ask(&plugin, &large, &Limits::default())));
        }
        assert!(matches!(&answers[0], Ok(Ok(decisions)) if decisions.len() == 1), "{path}: {:?}", answers[0]);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path}");
    }
}
