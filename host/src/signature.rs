//! Whether a version may come in: signed by a key that the operator trusts, its component one of those that the operator
//! pinned. Pure. Knows nothing of where a version comes from.
//!
//! One signature, made by minisign, speaks of both files: it is the component's, and its trusted comment, which is signed
//! with it, has the word `plugin.toml=sha256:DIGEST`. Two signatures would let anybody put an old manifest, or another
//! plugin's, beside a component that was never meant to have those rights.

use minisign_verify::{PublicKey, Signature};
use tidegate_envelope::Digest;

/// Before the manifest's SHA-256 in the trusted comment.
const MANIFEST_WORD: &str = "plugin.toml=sha256:";
/// Where the key's number is in the bytes of a key and of a signature; an algorithm's two letters stand before.
const KEY_ID: std::ops::Range<usize> = 2..10;

/// What the operator lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys whose signatures count.
    pub keys: Vec<TrustedKey>,
    /// Whether a version needs one.
    pub is_required: bool,
    /// The only components that are let in; empty: any.
    pub digests: Vec<Digest>,
}

/// A minisign public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    key: PublicKey,
    id: String,
}

/// What is known of a version beside its component.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The text of `plugin.toml`, as its author wrote it.
    pub manifest: String,
    /// The text of `plugin.wasm.minisig`, where there is one.
    pub signature: Option<String>,
    /// Whether who brings it grants more hosts than the manifest asks for.
    pub adds_hosts: bool,
}

/// Why a version may not come in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The operator named the components that may come in.
    #[error(
        "the component's SHA-256, {0}, is not among those pinned here: add it to plugins.digests in tidegate.toml"
    )]
    NotPinned(Digest),
    /// Nobody signed it.
    #[error(
        "it is not signed, and plugins.signatures_required is set: have one of the trusted keys ({keys}) sign it, with: \
         {line}"
    )]
    Unsigned {
        /// The keys that would do.
        keys: String,
        /// What to type.
        line: String,
    },
    /// There is a text in the signature's place that is none.
    #[error("its signature is not one of minisign's ({0}): sign the component again")]
    NoSignature(String),
    /// A key that the operator does not trust signed it.
    #[error(
        "it is signed by key {by}, which is not one of the trusted ones ({keys}): plugins.trusted_keys in tidegate.toml"
    )]
    UnknownKey {
        /// The key that signed.
        by: String,
        /// The keys that would do.
        keys: String,
    },
    /// The signature is of other bytes.
    #[error(
        "the component is not the one that key {by} signed: it was changed, or the signature is another file's"
    )]
    Tampered {
        /// The key that signed.
        by: String,
    },
    /// The signature speaks of the component alone.
    #[error(
        "its signature by key {by} does not say which plugin.toml belongs to the component: sign it again, with: {line}"
    )]
    ManifestUnsaid {
        /// The key that signed.
        by: String,
        /// What to type.
        line: String,
    },
    /// The signature speaks of another manifest.
    #[error(
        "plugin.toml is not the one that key {by} signed with the component: its SHA-256 is {found}, signed is {signed}"
    )]
    ManifestChanged {
        /// The key that signed.
        by: String,
        /// What is there.
        found: Digest,
        /// What was signed.
        signed: String,
    },
    /// The rights that were signed are not those that are asked for.
    #[error(
        "--host adds to what the signed plugin.toml asks for, and plugins.signatures_required is set: have it signed with these hosts in it"
    )]
    HostsAdded,
}

impl TrustedKey {
    /// Reads a key as minisign prints it, and as the second line of `minisign.pub` has it: `RW...`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = PublicKey::from_base64(text.trim()).ok()?;
        Some(Self { key, id: key_id(text.trim())? })
    }

    /// The key's number, as minisign prints it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Trust {
    fn ids(&self) -> String {
        self.keys.iter().map(TrustedKey::id).collect::<Vec<_>>().join(", ")
    }
}

/// What to type to sign a component with its manifest.
#[must_use]
pub fn line(manifest: &str) -> String {
    format!("minisign -S -m plugin.wasm -t '{MANIFEST_WORD}{}'", Digest::of(manifest.as_bytes()))
}

/// The number of the key whose signature of this version is right; `None` when it needs none and has none that counts. A
/// signature by a trusted key that is wrong is refused even where none is needed.
///
/// # Errors
/// When it may not come in.
pub fn check(trust: &Trust, component: &[u8], evidence: &Evidence) -> Result<Option<String>, Untrusted> {
    if !trust.digests.is_empty() {
        let digest = Digest::of(component);
        if !trust.digests.contains(&digest) {
            return Err(Untrusted::NotPinned(digest));
        }
    }
    let signed_by = match &evidence.signature {
        Some(text) if !trust.keys.is_empty() => signer(trust, component, &evidence.manifest, text)?,
        _ => None,
    };
    if trust.is_required {
        if signed_by.is_none() {
            return Err(Untrusted::Unsigned { keys: trust.ids(), line: line(&evidence.manifest) });
        }
        if evidence.adds_hosts {
            return Err(Untrusted::HostsAdded);
        }
    }
    Ok(signed_by)
}

/// The trusted key that signed both files; `None` when an unknown one did, and none is needed.
fn signer(trust: &Trust, component: &[u8], manifest: &str, text: &str) -> Result<Option<String>, Untrusted> {
    let signature = Signature::decode(text).map_err(|error| Untrusted::NoSignature(error.to_string()))?;
    let by = text.lines().nth(1).and_then(key_id).unwrap_or_default();
    let Some(key) = trust.keys.iter().find(|key| key.id == by) else {
        if trust.is_required {
            return Err(Untrusted::UnknownKey { by, keys: trust.ids() });
        }
        return Ok(None);
    };
    // Signatures of the older form, over the bytes themselves, are as good.
    if key.key.verify(component, &signature, true).is_err() {
        return Err(Untrusted::Tampered { by });
    }
    let said =
        signature.trusted_comment().split_whitespace().find_map(|word| word.strip_prefix(MANIFEST_WORD));
    let found = Digest::of(manifest.as_bytes());
    match said {
        None => Err(Untrusted::ManifestUnsaid { by, line: line(manifest) }),
        Some(signed) if Digest::from_hex(signed) != Some(found) => {
            Err(Untrusted::ManifestChanged { by, found, signed: signed.to_owned() })
        }
        Some(_) => Ok(Some(by)),
    }
}

/// The key's number in a key or a signature, both in base64: minisign prints it as one little-endian number.
fn key_id(base64: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64.trim()).ok()?;
    let id = u64::from_le_bytes(bytes.get(KEY_ID)?.try_into().ok()?);
    Some(format!("{id:016X}"))
}

#[cfg(test)]
mod tests;
