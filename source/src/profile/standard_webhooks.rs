//! Senders that follow Standard Webhooks: `<id>.<time>.<body>`, signed with HMAC-SHA256 (`v1`) or ed25519 (`v1a`)
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>). Its own libraries
//! have no `v1a`, and take no body that is not text; here any bytes are signed like any others.

use super::{Judgement, Profile, Punishment, Request, Verifier};
use crate::settings::{Settings, SettingsError, check_secret};
use crate::signature::{Algorithm, MacKeys, SIGNATURES_MAX, TOLERANCE_USUAL_S, check_time};
use crate::strength;
use crate::topic::{self, Topic};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

const ID: &str = "webhook-id";
const TIME: &str = "webhook-timestamp";
const SIGNATURES: &str = "webhook-signature";

/// What a shared secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// What a public key begins with.
const PUBLIC_PREFIX: &str = "whpk_";
/// What a private key begins with: the sender's alone.
const PRIVATE_PREFIX: &str = "whsk_";

pub(super) struct StandardWebhooks;

impl Profile for StandardWebhooks {
    fn name(&self) -> &'static str {
        "standard-webhooks"
    }

    fn about(&self) -> &'static str {
        "a sender that follows Standard Webhooks: `v1` with `whsec_...` secrets, `v1a` with `whpk_...` public keys"
    }

    /// The id stays the same when a delivery is tried again.
    fn headers_kept(&self) -> &'static [&'static str] {
        &[ID, TIME]
    }

    fn punishment(&self) -> Punishment {
        Punishment::Other("tries again for days; it may disable an endpoint that goes on failing")
    }

    fn resume_steps(&self) -> &'static [&'static str] {
        &[
            "In the sender's settings, look whether the endpoint of this source is disabled, and enable it.",
            "Check that its signing secret or public key is one of this source's.",
            "Where the sender offers it, have it send again what failed.",
        ]
    }

    fn settings_keys(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    fn verifier(&self, settings: &Settings) -> Result<Option<Box<dyn Verifier>>, SettingsError> {
        settings.count_secrets()?;
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for (number, secret) in (1..).zip(&settings.secrets) {
            if let Some(key) = secret.strip_prefix(PUBLIC_PREFIX) {
                public.push(public_key(number, key)?);
            } else {
                shared.push(shared_key(number, secret)?);
            }
        }
        let shared = MacKeys::new(Algorithm::Sha256, shared.iter().map(Vec::as_slice))?;
        Ok(Some(Box::new(Signed { shared, public })))
    }

    /// The body's type, as the specification recommends it.
    fn topic(&self, _headers: &[(&str, &str)], body: &[u8]) -> Topic {
        let [kind, subject] = topic::texts(body, [&["type"], &["data", "id"]]);
        Topic::new(kind, subject)
    }
}

fn shared_key(number: usize, secret: &str) -> Result<Vec<u8>, SettingsError> {
    if secret.starts_with(PRIVATE_PREFIX) {
        return Err(SettingsError(format!(
            "secret {number} is a private key, which is the sender's alone: give its public key, {PUBLIC_PREFIX}..."
        )));
    }
    let text = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
    let key = STANDARD.decode(text).map_err(|_| {
        SettingsError(format!(
            "secret {number} is neither {SECRET_PREFIX} nor {PUBLIC_PREFIX} with base64 after it: copy all of it"
        ))
    })?;
    check_secret(number, secret, strength::bits_of_bytes(&key))?;
    Ok(key)
}

fn public_key(number: usize, text: &str) -> Result<VerifyingKey, SettingsError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    // A key of small order would take one signature for many messages.
    key.filter(|key| !key.is_weak()).ok_or_else(|| {
        SettingsError(format!(
            "secret {number} is no ed25519 public key: {PUBLIC_PREFIX} and base64 of its 32 bytes; copy all of it"
        ))
    })
}

struct Signed {
    shared: MacKeys,
    public: Vec<VerifyingKey>,
}

impl Signed {
    fn check(&self, request: &Request<'_>) -> Result<(), &'static str> {
        let header = |name, missing| request.header(name).filter(|text| !text.is_empty()).ok_or(missing);
        let id = header(ID, "the header webhook-id is missing")?;
        let time = header(TIME, "the header webhook-timestamp is missing")?;
        let list = header(SIGNATURES, "the header webhook-signature is missing")?;
        check_time(time, request.now_s, TOLERANCE_USUAL_S)?;
        let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", request.body];
        let symmetric = self.shared.signed(&parts, &of_version(list, "v1"));
        let asymmetric = self.signed_by_private_key(&parts, &of_version(list, "v1a"));
        if symmetric | asymmetric {
            Ok(())
        } else {
            Err("no signature is of this source's secrets, this id, this time and this body")
        }
    }

    /// The key is public: how long this takes tells nothing that is secret.
    fn signed_by_private_key(&self, parts: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
        if self.public.is_empty() || signatures.is_empty() {
            return false;
        }
        let message = parts.concat();
        let signatures = signatures.iter().filter_map(|bytes| Signature::from_slice(bytes).ok());
        signatures
            .into_iter()
            .any(|signature| self.public.iter().any(|key| key.verify_strict(&message, &signature).is_ok()))
    }
}

/// The signatures of one version in a list of `<version>,<base64>` with spaces between them; what is not written so is
/// passed over.
fn of_version(list: &str, version: &str) -> Vec<Vec<u8>> {
    let written = list.split(' ').filter_map(|entry| entry.split_once(','));
    let written = written.filter(|(known, _)| *known == version).take(SIGNATURES_MAX);
    written.filter_map(|(_, text)| STANDARD.decode(text).ok()).collect()
}

impl Verifier for Signed {
    fn headers(&self) -> Vec<String> {
        [ID, TIME, SIGNATURES].map(str::to_owned).into()
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&self, request: &Request<'_>) -> Judgement {
        self.check(request).map_or_else(Judgement::Forged, |()| Judgement::Event)
    }
}
