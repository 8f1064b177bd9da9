//! Stripe. Signs `<time>.<body>` with HMAC-SHA256 and names time and signatures in one header; tries again for three
//! days (<https://docs.stripe.com/webhooks>).

use super::{Judgement, Profile, Punishment, Request, Verifier};
use crate::settings::{Settings, SettingsError};
use crate::signature::{Algorithm, Encoding, MacKeys, SIGNATURES_MAX, TOLERANCE_USUAL_S, check_time};
use crate::topic::{self, Topic};

const HEADER: &str = "stripe-signature";

/// What Stripe puts before what it drew at random.
const SECRET_PREFIX: &str = "whsec_";

pub(super) struct Stripe;

impl Profile for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn about(&self) -> &'static str {
        "Stripe: HMAC-SHA256 of time and body in `stripe-signature`, any of its `v1`; the secret is the endpoint's `whsec_...`"
    }

    fn accepted(&self) -> u16 {
        200
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other(
            "tries each event again for three days; an endpoint that goes on failing may be disabled, which an e-mail says",
        )
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In Stripe's Dashboard, open Developers > Webhooks, and the endpoint of this source.",
            "Check the URL and the signing secret; if it is disabled, enable it.",
            "Resend what failed; events older than three days are not tried again by themselves.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    /// The secret is used as it is written, prefix and all.
    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        settings.check_secrets(|secret| secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret))?;
        let secrets = settings.secrets.iter().map(String::as_bytes);
        Ok(Some(Box::new(TimeAndSignatures(MacKeys::new(Algorithm::Sha256, secrets)?))))
    }

    fn topic(&self, _headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [kind, subject] = topic::texts(body, [&["type"], &["data", "object", "id"]]);
        Topic::new(kind, subject)
    }
}

/// Checks `t=<time>,v1=<signature>,v1=<signature>,...`; other schemes are passed over.
struct TimeAndSignatures(MacKeys);

impl TimeAndSignatures {
    fn check(&self, request: &Request<'_>) -> Result<(), &'static str> {
        let value = request.header(HEADER).ok_or("the header with the signature is missing")?;
        let fields = || value.split(',').filter_map(|field| field.trim().split_once('='));
        let (_, time) = fields().find(|(scheme, _)| *scheme == "t").ok_or("the signature has no time")?;
        check_time(time, request.now_s, TOLERANCE_USUAL_S)?;
        let written = fields().filter(|(scheme, _)| *scheme == "v1").take(SIGNATURES_MAX);
        let signatures: Vec<_> = written.filter_map(|(_, text)| Encoding::Hex.decode(text)).collect();
        if signatures.is_empty() {
            return Err("there is no v1 signature");
        }
        if self.0.signed(&[time.as_bytes(), b".", request.body], &signatures) {
            Ok(())
        } else {
            Err("the signature is of another secret or another body")
        }
    }
}

impl Verifier for TimeAndSignatures {
    fn headers(&self) -> Vec<String> {
        vec![HEADER.into()]
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&self, request: &Request<'_>) -> Judgement {
        self.check(request).map_or_else(Judgement::Forged, |()| Judgement::Event)
    }
}
