//! A sender that signs with a keyed hash in a header: which header, hash and writing, the settings say.

use super::{Profile, Punishment, Verifier};
use crate::settings::{Settings, SettingsError, TimestampSettings};
use crate::signature::{
    Algorithm, Encoding, HeaderSignature, MacKeys, SignedTime, TOLERANCE_USUAL_S, Template,
};

/// What is signed where the settings say nothing: what most senders with a time in a header do.
const TEMPLATE_USUAL: &str = "{timestamp}.{body}";

pub(super) struct Hmac;

impl Profile for Hmac {
    fn name(&self) -> &'static str {
        "hmac"
    }

    fn about(&self) -> &'static str {
        "a sender that signs the body, or a time and the body, with HMAC in a header: which one, the settings say"
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other("it is not known how this sender punishes")
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In the sender's settings, look whether delivery to the request URL is switched off, and enable it.",
            "Check that it signs with one of this source's secrets: a wrong signature is answered 401.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets", "header", "algorithm", "encoding", "prefix", "timestamp"]
    }

    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        let header = settings.header.clone().ok_or_else(|| {
            SettingsError("`signing.header` is missing: name the header that the signature stands in".into())
        })?;
        let algorithm = settings.algorithm.unwrap_or(Algorithm::Sha256);
        Ok(Some(Box::new(HeaderSignature {
            header,
            prefix: settings.prefix.clone().unwrap_or_default(),
            encoding: settings.encoding.unwrap_or(Encoding::Hex),
            keys: MacKeys::of_texts(algorithm, settings)?,
            time: settings.timestamp.as_ref().map(signed_time).transpose()?,
        })))
    }
}

fn signed_time(settings: &TimestampSettings) -> Result<SignedTime, SettingsError> {
    Ok(SignedTime {
        header: settings.header.clone(),
        tolerance_s: settings.tolerance_s.unwrap_or(TOLERANCE_USUAL_S),
        template: Template::new(settings.template.as_deref().unwrap_or(TEMPLATE_USUAL))?,
    })
}
