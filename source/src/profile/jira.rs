//! Jira Cloud's own webhooks. Those that an administrator registers with a secret are signed with HMAC-SHA256; those
//! of apps are not. Only 408, 409, 425, 429, 5xx and timeouts are tried again: after another 4xx the event is lost
//! (<https://developer.atlassian.com/cloud/jira/platform/webhooks/>).

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::signature::{Algorithm, Encoding, HeaderSignature, MacKeys};
use crate::topic::{self, Topic};

pub(super) struct Jira;

impl Profile for Jira {
    fn name(&self) -> &'static str {
        "jira"
    }

    fn about(&self) -> &'static str {
        "Jira Cloud: HMAC-SHA256 of the body in `x-hub-signature`; without secrets the token alone, as webhooks of \
         apps are not signed"
    }

    /// The identifier stays the same when a delivery is tried again.
    fn headers_kept(&self) -> &'static [&'static str] {
        &["x-atlassian-webhook-identifier", "x-atlassian-webhook-retry", "x-atlassian-webhook-flow"]
    }

    fn punishment(&self) -> Punishment {
        Punishment::None
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In Jira, open Settings > System > WebHooks, and the webhook of this source.",
            "Check that it is enabled, that its URL is the one of this source, and that its secret is one of this source's.",
            "Events that were answered with a 4xx are lost: look in Jira for what changed meanwhile.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    /// With secrets every request has to be signed; without, none is checked.
    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        if settings.secrets.is_empty() {
            return Ok(None);
        }
        Ok(Some(Box::new(HeaderSignature {
            header: "x-hub-signature".into(),
            prefix: "sha256=".into(),
            encoding: Encoding::Hex,
            keys: MacKeys::of_texts(Algorithm::Sha256, settings)?,
            time: None,
        })))
    }

    fn topic(&self, _headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [kind, issue, project] =
            topic::texts(body, [&["webhookEvent"], &["issue", "key"], &["project", "key"]]);
        Topic::new(kind, issue.or(project))
    }
}
