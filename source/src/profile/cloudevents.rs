//! Senders of CloudEvents over HTTP. Nothing is signed; before the first event the sender may ask, by OPTIONS, whether
//! it is welcome (<https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md>).

use super::{Handshake, Judgement, Profile, Punishment, Request, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::topic::{self, Topic};
use percent_encoding::percent_decode_str;

/// Who asks to be allowed.
const ORIGIN: &str = "webhook-request-origin";

/// Characters in the longest DNS name.
const ORIGIN_CHARS_MAX: usize = 253;

pub(super) struct CloudEvents;

impl Profile for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }

    fn about(&self) -> &'static str {
        "a sender of CloudEvents, binary or structured: the token is the only secret; OPTIONS is answered with consent"
    }

    fn headers_kept(&self) -> &'static [&'static str] {
        &[
            "ce-specversion",
            "ce-id",
            "ce-source",
            "ce-type",
            "ce-subject",
            "ce-time",
            "ce-dataschema",
            "ce-sequence",
        ]
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other(
            "it differs from sender to sender; after a 410 it stops for good, which is never answered",
        )
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In the sender's settings, look whether the subscription of this source is there and enabled.",
            "If it is gone, make it again: the sender then asks by OPTIONS, which is answered.",
        ]
    }

    fn verifier(&self, _settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(Some(Box::new(Consent)))
    }

    /// Binary mode has it in headers, structured mode in the body, which then says `specversion`.
    fn topic(&self, headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let attribute = |name| topic::header(headers, name).map(decoded);
        if let Some(kind) = attribute("ce-type") {
            return Topic::new(Some(kind), attribute("ce-subject"));
        }
        let [version, kind, subject] = topic::texts(body, [&["specversion"], &["type"], &["subject"]]);
        if version.is_some() { Topic::new(kind, subject) } else { Topic::default() }
    }
}

/// An attribute as it was before it became a header
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values>).
fn decoded(value: &str) -> String {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let text = match quoted {
        None => value.to_owned(),
        Some(inner) => {
            let mut text = String::with_capacity(inner.len());
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                text.extend(if character == '\\' { characters.next() } else { Some(character) });
            }
            text
        }
    };
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Answers the question whether a sender is welcome: whoever knows the token is. Any other request is an event.
struct Consent;

impl Verifier for Consent {
    fn headers(&self) -> Vec<String> {
        vec![ORIGIN.into()]
    }

    fn reads_body(&self) -> bool {
        false
    }

    fn judge(&self, request: &Request<'_>) -> Judgement {
        if request.method != "OPTIONS" {
            return Judgement::Event;
        }
        let mut headers = vec![("allow", "POST".to_owned())];
        if let Some(origin) = request.header(ORIGIN) {
            let name = (1..=ORIGIN_CHARS_MAX).contains(&origin.len())
                && origin.bytes().all(|byte| byte.is_ascii_graphic());
            // The other answer that the specification has: any origin.
            let allowed = if name { origin } else { "*" };
            headers.push(("webhook-allowed-origin", allowed.to_owned()));
            headers.push(("webhook-allowed-rate", "*".to_owned()));
        }
        Judgement::Handshake(Handshake { content_type: "text/plain", headers, body: String::new() })
    }
}
