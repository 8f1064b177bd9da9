//! Slack's Events API. Signs `v0:<time>:<body>`, waits three seconds, tries three times more at once, after one and
//! after five minutes, and switches an app's events off when fewer than 5 % are answered in an hour
//! (<https://docs.slack.dev/apis/events-api>). Before the first event it asks the URL to repeat a challenge
//! (<https://docs.slack.dev/reference/events/url_verification>).

use super::{Handshake, Judgement, Profile, Punishment, Request, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::signature::{
    Algorithm, Encoding, HeaderSignature, MacKeys, SignedTime, TOLERANCE_USUAL_S, Template,
};
use crate::topic::{self, Topic};

/// Characters in the longest challenge that is repeated; Slack's have about fifty.
const CHALLENGE_CHARS_MAX: usize = 256;

pub(super) struct Slack;

impl Profile for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn about(&self) -> &'static str {
        "Slack's Events API: `v0=` HMAC-SHA256 of time and body in `x-slack-signature`, then the challenge is answered"
    }

    fn headers_kept(&self) -> &'static [&'static str] {
        &["x-slack-retry-num", "x-slack-retry-reason"]
    }

    fn accepted(&self) -> u16 {
        200
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other(
            "switches the app's events off when fewer than 5 % of an hour's events are answered 2xx within 3 s",
        )
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "Open your app's settings at Slack > Event Subscriptions.",
            "Check the request URL, and that Slack says Verified beside it; if not, choose Retry.",
            "Switch Enable Events on and save.",
            "Events of the meantime are gone: read what you need from Slack's API.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(Some(Box::new(Challenged(HeaderSignature {
            header: "x-slack-signature".into(),
            prefix: "v0=".into(),
            encoding: Encoding::Hex,
            keys: MacKeys::of_texts(Algorithm::Sha256, settings)?,
            time: Some(SignedTime {
                header: "x-slack-request-timestamp".into(),
                tolerance_s: TOLERANCE_USUAL_S,
                template: Template::new("v0:{timestamp}:{body}")?,
            }),
        }))))
    }

    /// The inner event's type, about its channel; of a notice without one, its own type.
    fn topic(&self, _headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [outer, inner, channel, channel_id, item_channel] = topic::texts(
            body,
            [
                &["type"],
                &["event", "type"],
                &["event", "channel"],
                &["event", "channel", "id"],
                &["event", "item", "channel"],
            ],
        );
        Topic::new(inner.or(outer), channel.or(channel_id).or(item_channel))
    }
}

/// Checks the signature first: whoever does not know the secret learns nothing of what stands behind the URL.
struct Challenged(HeaderSignature);

impl Verifier for Challenged {
    fn headers(&self) -> Vec<String> {
        self.0.headers()
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&self, request: &Request<'_>) -> Judgement {
        match self.0.check(request) {
            Err(why) => Judgement::Forged(why),
            Ok(()) => challenge(request.body).map_or(Judgement::Event, Judgement::Handshake),
        }
    }
}

/// The answer to a challenge; `None` when the body is none.
fn challenge(body: &[u8]) -> Option<Handshake> {
    let [kind, challenge] = topic::texts(body, [&["type"], &["challenge"]]);
    let usable = |text: &String| {
        (1..=CHALLENGE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let body = challenge.filter(usable).filter(|_| kind.as_deref() == Some("url_verification"))?;
    Some(Handshake { content_type: "text/plain", headers: Vec::new(), body })
}
