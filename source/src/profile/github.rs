//! GitHub. Signs the body with HMAC-SHA256, waits ten seconds, and does not try again: a failed delivery can be sent
//! again by hand for three days
//! (<https://docs.github.com/webhooks/using-webhooks/handling-failed-webhook-deliveries>).

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::signature::{Algorithm, Encoding, HeaderSignature, MacKeys};
use crate::topic::{self, Topic};

pub(super) struct GitHub;

impl Profile for GitHub {
    fn name(&self) -> &'static str {
        "github"
    }

    fn about(&self) -> &'static str {
        "GitHub: HMAC-SHA256 of the body in `x-hub-signature-256`; a ping is an event like any other"
    }

    /// `x-github-delivery` stays the same when a delivery is sent again
    /// (<https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers>).
    fn headers_kept(&self) -> &'static [&'static str] {
        &[
            "x-github-event",
            "x-github-delivery",
            "x-github-hook-id",
            "x-github-hook-installation-target-type",
            "x-github-hook-installation-target-id",
        ]
    }

    fn punishment(&self) -> Punishment {
        Punishment::None
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "On GitHub, open the repository's or organisation's Settings > Webhooks, and the webhook of this source.",
            "Check the payload URL, the content type application/json, the secret, and that Active is ticked.",
            "Under Recent Deliveries, redeliver what failed: GitHub keeps it for three days and does not try again by itself.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        Ok(Some(Box::new(HeaderSignature {
            header: "x-hub-signature-256".into(),
            prefix: "sha256=".into(),
            encoding: Encoding::Hex,
            keys: MacKeys::of_texts(Algorithm::Sha256, settings)?,
            time: None,
        })))
    }

    /// The header's event, with the body's action where it has one.
    fn topic(&self, headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [action, repository, organization] =
            topic::texts(body, [&["action"], &["repository", "full_name"], &["organization", "login"]]);
        let kind = topic::header(headers, "x-github-event").map(|event| match action {
            Some(action) => format!("{event}.{action}"),
            None => event.to_owned(),
        });
        Topic::new(kind, repository.or(organization))
    }
}
