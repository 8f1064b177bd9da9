//! A signature of the body, alone or with a time, that stands in a header of its own: what most senders have.

use super::{Encoding, MacKeys, check_time};
use crate::profile::{Judgement, Request, Verifier};
use crate::settings::SettingsError;

const TIMESTAMP: &str = "{timestamp}";
const BODY: &str = "{body}";

/// Checks a keyed hash in a header.
pub(crate) struct HeaderSignature {
    /// Name of the header, lower case.
    pub(crate) header: String,
    /// What its value has before the signature.
    pub(crate) prefix: String,
    /// How the signature is written.
    pub(crate) encoding: Encoding,
    /// What may have signed.
    pub(crate) keys: MacKeys,
    /// The time that was signed with the body; `None` when the body was signed alone.
    pub(crate) time: Option<SignedTime>,
}

/// The time that a sender signs with the body.
pub(crate) struct SignedTime {
    /// Name of its header, lower case.
    pub(crate) header: String,
    /// Seconds that it may be off, either way.
    pub(crate) tolerance_s: u64,
    /// How time and body stand in what is signed.
    pub(crate) template: Template,
}

/// What is signed, as a text with `{timestamp}` and `{body}` in it, each once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The texts before, between and after the two.
    literals: [String; 3],
    body_first: bool,
}

impl Template {
    /// Reads `{timestamp}.{body}` and the like.
    ///
    /// # Errors
    /// When one of the two is not there, or there twice.
    pub(crate) fn new(text: &str) -> Result<Self, SettingsError> {
        let wrong = || {
            SettingsError(format!(
                "`signing.timestamp.template` has to have {TIMESTAMP} and {BODY} in it, each once, \
                 like {TIMESTAMP}.{BODY}"
            ))
        };
        let once = |word| text.matches(word).count() == 1;
        if !once(TIMESTAMP) || !once(BODY) {
            return Err(wrong());
        }
        let body_first = text.find(BODY) < text.find(TIMESTAMP);
        let (first, second) = if body_first { (BODY, TIMESTAMP) } else { (TIMESTAMP, BODY) };
        let (before, rest) = text.split_once(first).ok_or_else(wrong)?;
        let (between, after) = rest.split_once(second).ok_or_else(wrong)?;
        Ok(Self { literals: [before, between, after].map(str::to_owned), body_first })
    }

    fn fill<'a>(&'a self, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
        let [before, between, after] = self.literals.each_ref().map(String::as_bytes);
        if self.body_first {
            [before, body, between, timestamp.as_bytes(), after]
        } else {
            [before, timestamp.as_bytes(), between, body, after]
        }
    }
}

impl HeaderSignature {
    /// # Errors
    /// Why the request is not the sender's.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<(), &'static str> {
        let value = request.header(&self.header).ok_or("the header with the signature is missing")?;
        let text = value.strip_prefix(&self.prefix).ok_or("the signature's prefix is missing")?;
        let signature = self.encoding.decode(text).ok_or("the signature is not written as it should be")?;
        let signed = match &self.time {
            None => self.keys.signed(&[request.body], &[signature]),
            Some(time) => {
                let timestamp = request.header(&time.header).ok_or("the header with the time is missing")?;
                check_time(timestamp, request.now_s, time.tolerance_s)?;
                self.keys.signed(&time.template.fill(timestamp, request.body), &[signature])
            }
        };
        if signed { Ok(()) } else { Err("the signature is of another secret or another body") }
    }
}

impl Verifier for HeaderSignature {
    fn headers(&self) -> Vec<String> {
        let time = self.time.as_ref().map(|time| time.header.clone());
        std::iter::once(self.header.clone()).chain(time).collect()
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&self, request: &Request<'_>) -> Judgement {
        self.check(request).map_or_else(Judgement::Forged, |()| Judgement::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_holds_time_and_body_once_each() {
        for (text, filled) in [
            ("{timestamp}.{body}", Some("12.ab")),
            ("v0:{timestamp}:{body}", Some("v0:12:ab")),
            ("{body}{timestamp}", Some("ab12")),
            ("<{body}|{timestamp}>", Some("<ab|12>")),
            ("{body}", None),
            ("{timestamp}", None),
            ("{timestamp}{timestamp}{body}", None),
            ("{body}{timestamp}{body}", None),
            ("", None),
        ] {
            let template = Template::new(text);
            let filled_in = template.as_ref().ok().map(|template| template.fill("12", b"ab").concat());
            assert_eq!(filled_in.as_deref(), filled.map(str::as_bytes), "{text}");
        }
    }
}
