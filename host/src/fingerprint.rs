//! Tells two answers apart in 16 bytes, so that what a plugin once decided can be compared with what another version decides
//! without being kept twice. Pure.

use crate::decision::{Decision, HttpRequest, Refusal};
use sha2::{Digest as _, Sha256};

/// The first half of a SHA-256 over everything that a plugin answered: the same answer, the same bytes; on every machine and
/// in every later Tidegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::BYTES]);

impl Fingerprint {
    /// How long it is.
    pub const BYTES: usize = 16;

    /// The fingerprint of an answer.
    #[must_use]
    pub fn of(answer: &Result<Vec<Decision>, Refusal>) -> Self {
        let mut fields = Fields(Sha256::new());
        match answer {
            Ok(decisions) => {
                fields.tag(b'd');
                decisions.iter().for_each(|decision| fields.decision(decision));
            }
            Err(refusal) => fields.refusal(refusal),
        }
        let digest: [u8; 32] = fields.0.finalize().into();
        let mut half = [0; Self::BYTES];
        half.copy_from_slice(&digest[..Self::BYTES]);
        Self(half)
    }

    /// As it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// As it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// Each field is preceded by its length, each choice by a letter: no two answers give the same bytes.
struct Fields(Sha256);

impl Fields {
    fn tag(&mut self, tag: u8) {
        self.0.update([tag]);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.update(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.tag(0),
            Some(bytes) => {
                self.tag(1);
                self.bytes(bytes);
            }
        }
    }

    fn decision(&mut self, decision: &Decision) {
        match decision {
            Decision::Http(request) => self.http(request),
            Decision::Emit { kind, subject, content_type, body } => {
                self.tag(b'e');
                self.bytes(kind.as_bytes());
                self.bytes(subject.as_bytes());
                self.optional(content_type.as_ref().map(String::as_bytes));
                self.bytes(body);
            }
            Decision::Wake { after_ms, tag, body } => {
                self.tag(b'w');
                self.number(*after_ms);
                self.bytes(tag.as_bytes());
                self.bytes(body);
            }
            Decision::Remember(memory) => {
                self.tag(b'm');
                self.optional(memory.as_deref());
            }
            Decision::Note(text) => {
                self.tag(b'n');
                self.bytes(text.as_bytes());
            }
            Decision::Other { kind, body } => {
                self.tag(b'o');
                self.bytes(kind.as_bytes());
                self.bytes(body);
            }
        }
    }

    fn http(&mut self, request: &HttpRequest) {
        self.tag(b'h');
        self.bytes(request.method.as_bytes());
        self.bytes(request.url.as_bytes());
        self.number(u64::try_from(request.headers.len()).unwrap_or(u64::MAX));
        for (name, value) in &request.headers {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
        self.optional(request.body.as_deref());
        self.optional(request.timeout_ms.map(u32::to_be_bytes).as_ref().map(|ms| &ms[..]));
        self.optional(request.reply_tag.as_ref().map(String::as_bytes));
    }

    fn refusal(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::Skip => self.tag(b's'),
            Refusal::RetryAfterMs(ms) => {
                self.tag(b'r');
                self.number(*ms);
            }
            Refusal::Park(why) => {
                self.tag(b'p');
                self.bytes(why.as_bytes());
            }
            Refusal::Other(why) => {
                self.tag(b'x');
                self.bytes(why.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn http(change: impl Fn(&mut HttpRequest)) -> Decision {
        let mut request = HttpRequest {
            method: "POST".into(),
            url: "https://a.example/".into(),
            headers: vec![("a".into(), "bc".into())],
            body: None,
            timeout_ms: None,
            reply_tag: None,
        };
        change(&mut request);
        Decision::Http(request)
    }

    #[test]
    fn no_two_different_answers_have_the_same() {
        let wake = |after_ms, tag: &str, body: &[u8]| Decision::Wake {
            after_ms,
            tag: tag.into(),
            body: body.into(),
        };
        let emit = |content_type: Option<&str>| Decision::Emit {
            kind: "k".into(),
            subject: "s".into(),
            content_type: content_type.map(str::to_owned),
            body: vec![],
        };
        let answers = [
            Ok(vec![]),
            Ok(vec![http(|_| {})]),
            Ok(vec![http(|_| {}), http(|_| {})]),
            Ok(vec![http(|request| request.method = "PUT".into())]),
            Ok(vec![http(|request| request.headers = vec![("ab".into(), "c".into())])]),
            Ok(vec![http(|request| request.body = Some(vec![]))]),
            Ok(vec![http(|request| request.timeout_ms = Some(0))]),
            Ok(vec![http(|request| request.reply_tag = Some(String::new()))]),
            Ok(vec![wake(1, "a", b"")]),
            Ok(vec![wake(1, "", b"a")]),
            Ok(vec![emit(None)]),
            Ok(vec![emit(Some(""))]),
            Ok(vec![Decision::Remember(None)]),
            Ok(vec![Decision::Remember(Some(vec![]))]),
            Ok(vec![Decision::Note("x".into())]),
            Ok(vec![Decision::Other { kind: "x".into(), body: vec![] }]),
            Err(Refusal::Skip),
            Err(Refusal::RetryAfterMs(0)),
            Err(Refusal::Park("x".into())),
            Err(Refusal::Other("x".into())),
        ];
        let prints: HashSet<_> = answers.iter().map(Fingerprint::of).collect();
        assert_eq!(prints.len(), answers.len());
        assert_eq!(Fingerprint::of(&answers[1]), Fingerprint::of(&answers[1].clone()));
    }

    #[test]
    fn it_is_the_same_in_every_later_tidegate() {
        let answer = Ok(vec![http(|_| {}), Decision::Note("a line".into())]);
        assert_eq!(hex::encode(Fingerprint::of(&answer).as_bytes()), "20b8e3c42ed10fcf1dbf434751231a9c");
    }
}
