//! What a plugin said, as JSON, version 1: what `run --json` prints and `expected/` files hold. Pure; knows nothing
//! of files.

use crate::decision::{self, HttpRequest};
use crate::fault::{self, Fault};
use crate::sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of every JSON shape that the author's commands print.
pub const SHAPE_VERSION: u32 = 1;

/// An answer. A wrong key in an `expected/` file is an error: it is written by people, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It decided, perhaps nothing.
    Decisions(Vec<Decision>),
    /// Its own "no".
    Refusal(Refusal),
    /// The host's word about it.
    Fault(FaultSaid),
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is what the contract calls so: wit/v1/plugin.wit explains it")]
pub enum Decision {
    Http(Http),
    Emit {
        kind: String,
        subject: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        body: Bytes,
    },
    Wake {
        after_ms: u64,
        tag: String,
        body: Bytes,
    },
    Remember(Option<Bytes>),
    Note(String),
    Other {
        kind: String,
        body: Bytes,
    },
}

/// An HTTP request that a plugin wants made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is what the contract calls so: wit/v1/plugin.wit explains it")]
pub struct Http {
    pub method: String,
    pub url: String,
    /// Name and value, in the plugin's order.
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_tag: Option<String>,
}

/// Bytes: as text when they are UTF-8, else in base64. Exact either way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bytes {
    /// They are UTF-8.
    Text(String),
    /// They are not (RFC 4648, with padding).
    Base64(String),
}

/// The plugin's own "no".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what the contract calls so: wit/v1/plugin.wit explains it")]
pub enum Refusal {
    Skip,
    RetryAfterMs(u64),
    Park(String),
    Other(String),
}

/// A fault, by the name that `tidegate plugin explain` knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSaid {
    /// Its name.
    pub name: String,
    /// What happened, for people.
    pub text: String,
    /// The plugin's functions it happened in, innermost first; empty when it happened in none or they are not known.
    pub functions: Vec<String>,
}

impl Said {
    /// The JSON of an `expected/` file: for people, with a line break at its end.
    #[must_use]
    pub fn to_pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers have a JSON form") + "\n"
    }
}

impl From<&sandbox::Answer> for Said {
    fn from(answer: &sandbox::Answer) -> Self {
        match answer {
            Ok(Ok(decisions)) => Self::Decisions(decisions.iter().map(Decision::from).collect()),
            Ok(Err(refusal)) => Self::Refusal(refusal.into()),
            Err(fault) => Self::Fault(fault.into()),
        }
    }
}

impl From<&decision::Decision> for Decision {
    fn from(decision: &decision::Decision) -> Self {
        match decision {
            decision::Decision::Http(request) => Self::Http(request.into()),
            decision::Decision::Emit { kind, subject, content_type, body } => Self::Emit {
                kind: kind.clone(),
                subject: subject.clone(),
                content_type: content_type.clone(),
                body: Bytes::of(body),
            },
            decision::Decision::Wake { after_ms, tag, body } => {
                Self::Wake { after_ms: *after_ms, tag: tag.clone(), body: Bytes::of(body) }
            }
            decision::Decision::Remember(memory) => Self::Remember(memory.as_deref().map(Bytes::of)),
            decision::Decision::Note(text) => Self::Note(text.clone()),
            decision::Decision::Other { kind, body } => {
                Self::Other { kind: kind.clone(), body: Bytes::of(body) }
            }
        }
    }
}

impl From<&HttpRequest> for Http {
    fn from(request: &HttpRequest) -> Self {
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.as_deref().map(Bytes::of),
            timeout_ms: request.timeout_ms,
            reply_tag: request.reply_tag.clone(),
        }
    }
}

impl Bytes {
    /// These bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl From<&decision::Refusal> for Refusal {
    fn from(refusal: &decision::Refusal) -> Self {
        match refusal {
            decision::Refusal::Skip => Self::Skip,
            decision::Refusal::RetryAfterMs(ms) => Self::RetryAfterMs(*ms),
            decision::Refusal::Park(why) => Self::Park(why.clone()),
            decision::Refusal::Other(why) => Self::Other(why.clone()),
        }
    }
}

impl FaultSaid {
    /// The function it happened in, as far as that is the author's own.
    #[must_use]
    pub fn own_function(&self) -> Option<&str> {
        fault::own_function(self.functions.iter().map(String::as_str))
    }
}

impl From<&Fault> for FaultSaid {
    fn from(fault: &Fault) -> Self {
        Self {
            name: fault.name().to_owned(),
            text: fault.to_string().lines().next().unwrap_or_default().to_owned(),
            functions: fault.functions().map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_documented_one_and_reads_back() {
        let answer = Ok(Ok(vec![
            decision::Decision::Http(HttpRequest {
                method: "POST".into(),
                url: "https://a/".into(),
                headers: vec![("x".into(), "y".into())],
                body: Some(b"\xff".to_vec()),
                timeout_ms: None,
                reply_tag: None,
            }),
            decision::Decision::Remember(None),
            decision::Decision::Note("n".into()),
        ]));
        let said = Said::from(&answer);
        let json = serde_json::to_string(&said).expect("has a JSON form");
        assert_eq!(
            json,
            r#"{"decisions":[{"http":{"method":"POST","url":"https://a/","headers":[["x","y"]],"body":{"base64":"/w=="}}},{"remember":null},{"note":"n"}]}"#
        );
        assert_eq!(serde_json::from_str::<Said>(&said.to_pretty()).expect("reads"), said);
        let refusal = Said::from(&Ok(Err(decision::Refusal::Skip)));
        assert_eq!(serde_json::to_string(&refusal).expect("has a JSON form"), r#"{"refusal":"skip"}"#);
    }

    #[test]
    fn a_wrong_key_in_an_expected_file_is_an_error() {
        let text = r#"{"decisions":[{"http":{"method":"GET","url":"","headers":[],"boddy":null}}]}"#;
        assert!(serde_json::from_str::<Said>(text).expect_err("a typo").to_string().contains("boddy"));
    }
}
