//! Every version's golden files open in every later one: an envelope outlives the edge that wrote it.

use std::path::Path;
use tidegate_envelope::{Body, Digest, Envelope, EnvelopeError, Receipt, SourceName, Unsealed, VaultBody};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim_end_matches('\n').to_owned()
}

struct Case {
    file: &'static str,
    method: &'static str,
    headers: &'static [(&'static str, &'static str)],
    content_type: Option<&'static str>,
    body: &'static [u8],
}

const V1: [Case; 3] = [
    Case {
        file: "v1-text.json",
        method: "POST",
        headers: &[("user-agent", "AssetSonar/1.0 \"quoted\""), ("cf-connecting-ip", "2001:db8::7")],
        content_type: Some("application/json"),
        body: "{\"id\":9007199254740993,\"name\":\"Spare-02 \u{fc}\\n\"}\r\n".as_bytes(),
    },
    Case {
        file: "v1-base64.json",
        method: "PUT",
        headers: &[],
        content_type: Some("application/octet-stream"),
        body: b"\xff\xfe\x00not UTF-8\x80",
    },
    Case { file: "v1-empty.json", method: "HEAD", headers: &[], content_type: None, body: b"" },
];

fn receipt() -> Receipt {
    Receipt::new(1_795_000_000_123, 0x1234_5678_9abc_def0_1234)
}

#[test]
fn version_1_is_written_as_it_always_was() {
    let source = SourceName::new("amj").expect("a name");
    for case in &V1 {
        let unsealed = Unsealed {
            receipt: receipt(),
            source: &source,
            method: case.method,
            headers: case.headers,
            profile: None,
            content_type: case.content_type,
        };
        assert_eq!(unsealed.seal(case.body).expect("it fits"), golden(case.file), "{}", case.file);
    }
}

#[test]
fn a_profile_is_written_and_read() {
    let source = SourceName::new("repository").expect("a name");
    let unsealed = Unsealed {
        receipt: receipt(),
        source: &source,
        profile: Some("github"),
        method: "POST",
        headers: &[("x-github-event", "push")],
        content_type: Some("application/json"),
    };
    assert_eq!(unsealed.seal(b"{}").expect("it fits"), golden("v1-profile.json"));
    let envelope = Envelope::open(&golden("v1-profile.json")).expect("golden");
    assert_eq!(envelope.profile.as_deref(), Some("github"));
}

#[test]
fn version_2_says_where_the_body_is() {
    let source = SourceName::new("amj").expect("a name");
    let unsealed = Unsealed {
        receipt: receipt(),
        source: &source,
        profile: Some("amj"),
        method: "POST",
        headers: &[],
        content_type: Some("application/json"),
    };
    for (file, vault) in [
        ("v2-whole.json", VaultBody { bytes: 200_000, total_bytes: Some(200_000), truncated: false }),
        (
            "v2-truncated.json",
            VaultBody { bytes: 33_554_432, total_bytes: Some(60_000_000), truncated: true },
        ),
        ("v2-endless.json", VaultBody { bytes: 33_554_432, total_bytes: None, truncated: true }),
    ] {
        let sha256 = Digest::of(b"the bytes kept");
        assert_eq!(unsealed.seal_reference(vault, sha256).expect("it fits"), golden(file), "{file}");
        let envelope = Envelope::open(&golden(file)).expect("golden");
        assert_eq!((envelope.sha256, envelope.body), (sha256, Body::Vault(vault)), "{file}");
    }
}

#[test]
fn version_1_is_read_as_it_always_was() {
    for case in &V1 {
        let envelope = Envelope::open(&golden(case.file)).expect(case.file);
        assert_eq!(envelope.receipt, receipt());
        assert_eq!(envelope.source.as_str(), "amj");
        assert_eq!(envelope.received_at_ms, 1_795_000_000_123);
        assert_eq!(envelope.method, case.method);
        assert_eq!(envelope.content_type.as_deref(), case.content_type);
        assert_eq!(envelope.body, Body::Inline(case.body.to_vec()), "{}", case.file);
    }
    let kept: Vec<_> = Envelope::open(&golden("v1-text.json"))
        .expect("golden")
        .headers
        .into_iter()
        .map(|h| (h.0, h.1))
        .collect();
    let expected = [("user-agent", "AssetSonar/1.0 \"quoted\""), ("cf-connecting-ip", "2001:db8::7")];
    assert_eq!(kept, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_field_that_version_1_gains_does_not_stop_an_older_reader() {
    let text = golden("v1-text.json").replacen('{', r#"{"later":{"deep":[1]},"#, 1);
    assert!(Envelope::open(&text).is_ok());
}

#[test]
fn a_newer_version_says_to_update_the_host_whatever_its_shape() {
    for text in [
        golden("v1-text.json").replacen(r#""v":1"#, r#""v":3"#, 1),
        r#"{"v":3,"everything":"else is new"}"#.to_owned(),
    ] {
        let error = Envelope::open(&text).expect_err("version 3 is not known yet");
        assert!(matches!(error, EnvelopeError::UnknownVersion(3)), "{error:?}");
        assert!(error.to_string().contains("update the host"), "{error}");
    }
}

#[test]
fn a_damaged_body_is_noticed() {
    for (file, from, to) in [
        ("v1-text.json", "Spare-02", "Spare-03"),
        ("v1-base64.json", r#""body":"//"#, r#""body":"/+"#),
        ("v1-base64.json", r#""body":"//"#, r#""body":"@/"#),
        ("v1-empty.json", r#""body":"""#, r#""body":" ""#),
        ("v1-text.json", r#""encoding":"text""#, r#""encoding":"base64""#),
    ] {
        let whole = golden(file);
        let damaged = whole.replacen(from, to, 1);
        assert_ne!(damaged, whole, "{file} has no {from}");
        let error = Envelope::open(&damaged).expect_err(to);
        assert!(matches!(error, EnvelopeError::Damaged(of) if of == receipt()), "{to}: {error:?}");
    }
}

#[test]
fn what_is_no_envelope_is_called_malformed() {
    let text = golden("v1-text.json");
    for broken in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}x"),
        text.replacen("\"amj\"", "\"A/B\"", 1),
        text.replacen("\"receipt\":\"0", "\"receipt\":\"O", 1),
        text.replacen("\"v\":1", "\"v\":-1", 1),
        text.replacen("\"encoding\":\"text\"", "\"encoding\":\"gzip\"", 1),
    ] {
        assert_ne!(broken, text);
        let error = Envelope::open(&broken).expect_err(&broken);
        assert!(matches!(error, EnvelopeError::Malformed(_)), "{broken:.80}: {error:?}");
    }
}
