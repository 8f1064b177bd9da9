//! Signs what is sent, as Standard Webhooks has it
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//! Pure: knows nothing of alerts or HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use tidegate_source::strength::{BITS_MIN, bits_of_bytes};

/// What alerts are signed with.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin with `whsec_`.
    #[error("it must be `whsec_` and base64; make one: echo whsec_$(head -c 24 /dev/urandom | base64)")]
    Prefix,
    /// What follows is not base64.
    #[error("what follows `whsec_` is not base64; make one: echo whsec_$(head -c 24 /dev/urandom | base64)")]
    Base64,
    /// It can be guessed.
    #[error(
        "it has {0} bits of the {BITS_MIN} that a secret must have; make one: echo whsec_$(head -c 24 /dev/urandom | base64)"
    )]
    Weak(usize),
}

impl Secret {
    /// Reads `whsec_<base64>`.
    ///
    /// # Errors
    /// When it is not that, or holds fewer than 128 bits.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(SecretError::Prefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?;
        let bits = bits_of_bytes(&bytes);
        if bits < BITS_MIN { Err(SecretError::Weak(bits)) } else { Ok(Self(bytes)) }
    }

    /// The value of `webhook-signature` for this message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the libraries that the specification links to.
    #[test]
    fn the_published_vectors_come_out() {
        for (secret, id, timestamp_s, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secret = Secret::parse(secret).expect("a valid secret");
            assert_eq!(secret.sign(id, timestamp_s, body), signature);
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for (text, error) in [
            ("", SecretError::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretError::Prefix),
            ("whsec_", SecretError::Weak(0)),
            ("whsec_not base64", SecretError::Base64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8I", SecretError::Weak(120)),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SecretError::Weak(8)),
        ] {
            let found = Secret::parse(text).expect_err(text);
            assert_eq!(found, error, "{text}");
            assert!(found.to_string().contains("make one"));
        }
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a valid secret");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }
}
