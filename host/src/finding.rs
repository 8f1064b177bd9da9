//! What is odd about a request that was kept all the same. Pure; knows nothing of what follows from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use tidegate_envelope::{Body, Envelope, VaultBody};

/// One odd thing about an event. The edge refuses nothing of a source that signs nothing, so what would have been a
/// 4xx elsewhere stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which: one of the codes below. Readers take unknown ones as they are.
    pub code: Cow<'static, str>,
    /// What was found, for people.
    pub detail: String,
}

/// Not a POST: the sender sends nothing else, so this may be a probe.
pub const METHOD: &str = "method";
/// The content type is not JSON's.
pub const CONTENT_TYPE: &str = "content-type";
/// No body at all.
pub const EMPTY: &str = "empty";
/// The body is not UTF-8; it is read with U+FFFD in the place of what is no text.
pub const NOT_UTF8: &str = "not-utf8";
/// The body is not JSON.
pub const NOT_JSON: &str = "not-json";
/// A byte order mark stands before the JSON; it is read without.
pub const BOM: &str = "bom";
/// Something stands after the JSON value; it is read without.
pub const TRAILING: &str = "trailing";
/// A key stands twice in one object; the last one counts.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// An integer, or any number beyond a float's range, that not every reader keeps exact; this one does.
pub const BIG_INTEGER: &str = "big-integer";
/// JSON nested so deep that some readers refuse it; this one reads it, and does not look for oddities down there.
pub const TOO_DEEP: &str = "too-deep";
/// An escape of half a character; it is read as U+FFFD.
pub const LONE_SURROGATE: &str = "lone-surrogate";
/// The event stands inside an object with one key; it is read from there.
pub const WRAPPED: &str = "wrapped";
/// The body is JSON, but not an object.
pub const NOT_AN_OBJECT: &str = "not-an-object";
/// The kind or the id is so long that it is none; the event is read without it.
pub const TOO_LONG: &str = "too-long";
/// The kind is one of the host's own; the event is read without it.
pub const RESERVED_KIND: &str = "reserved-kind";
/// The body is gone: it named a person who was to be forgotten.
pub const ERASED: &str = "erased";
/// Only the first part of the body was kept.
pub const TRUNCATED: &str = "truncated";

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// What is odd about a request, one after the other; `in_body` is what its body was found to have. Only the sender of asset events is known to send nothing but
/// JSON by POST; of others only what was lost is odd.
#[must_use]
pub fn of(envelope: &Envelope, body: &[u8], in_body: Vec<Finding>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Body::Vault(VaultBody { bytes, total_bytes, truncated: true }) = envelope.body {
        let total = total_bytes.map_or_else(|| "more".to_owned(), |total| total.to_string());
        findings.push(Finding::new(TRUNCATED, format!("the first {bytes} bytes of {total} were kept")));
    }
    if envelope.profile.as_deref().is_some_and(|profile| profile != "amj") {
        return findings;
    }
    if envelope.method != "POST" {
        findings.push(Finding::new(METHOD, envelope.method.as_str()));
    }
    let content_type = envelope.content_type.as_deref();
    if !content_type.is_some_and(is_json) {
        findings.push(Finding::new(CONTENT_TYPE, content_type.unwrap_or("none")));
    }
    if body.is_empty() {
        findings.push(Finding::new(EMPTY, "no body"));
    } else {
        findings.extend(in_body);
    }
    findings
}

/// Whether a content type is JSON's, whatever its parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_envelope::{Digest, Receipt, SourceName};

    fn codes(method: &str, content_type: Option<&str>, profile: &str, body: &[u8]) -> Vec<String> {
        let envelope = Envelope {
            receipt: Receipt::new(1, 7),
            source: SourceName::new("amj").expect("a valid name"),
            received_at_ms: 1,
            method: method.into(),
            profile: Some(profile.into()),
            headers: vec![],
            content_type: content_type.map(str::to_owned),
            sha256: Digest::of(body),
            body: Body::Inline(body.to_vec()),
        };
        let found = crate::read::read_fetched(envelope, body.to_vec()).findings;
        found.into_iter().map(|finding| finding.code.into_owned()).collect()
    }

    #[test]
    fn what_is_odd_is_found_and_refused_nowhere() {
        let json = Some("application/json; charset=utf-8");
        let deep = "[".repeat(10_000);
        for (method, content_type, body, expected) in [
            ("POST", json, &b"{}"[..], &[][..]),
            ("POST", Some("Application/Problem+JSON"), b"{}", &[]),
            ("GET", None, b"", &["method", "content-type", "empty"]),
            ("POST", Some("text/plain"), b"{}", &["content-type"]),
            ("POST", json, b"\xff", &["not-utf8", "not-json"]),
            ("POST", json, b"{", &["not-json"]),
            ("POST", json, deep.as_bytes(), &["not-json"]),
            ("POST", json, b"[]", &["not-an-object"]),
        ] {
            let found = codes(method, content_type, "amj", body);
            assert_eq!(found, expected, "{method} {content_type:?} {:.20}", String::from_utf8_lossy(body));
        }
        assert!(codes("GET", None, "generic", b"\xff").is_empty(), "any sender may send anything");
    }

    #[test]
    fn a_truncated_body_says_how_much_there_was() {
        for (total_bytes, detail) in
            [(Some(9), "the first 2 bytes of 9"), (None, "the first 2 bytes of more")]
        {
            let envelope = Envelope {
                receipt: Receipt::new(1, 7),
                source: SourceName::new("any").expect("a valid name"),
                received_at_ms: 1,
                method: "POST".into(),
                profile: Some("generic".into()),
                headers: vec![],
                content_type: None,
                sha256: Digest::of(b"{}"),
                body: Body::Vault(VaultBody { bytes: 2, total_bytes, truncated: true }),
            };
            let findings = of(&envelope, b"{}", Vec::new());
            assert_eq!(findings.len(), 1);
            assert!(findings[0].detail.starts_with(detail), "{findings:?}");
        }
    }
}
