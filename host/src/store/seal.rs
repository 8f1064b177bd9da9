//! Encryption at rest. What people wrote or plugins decided is sealed on its way into a table and opened on its way out. The
//! column and the row's key are bound to the value, so that no value can be moved to another place. Without a key nothing is
//! copied on the way in; what is not sealed comes out as it is. Knows nothing of the tables.

use super::sql::database::Cell;
use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What a sealed value begins with: no text in UTF-8 does.
const MARK: [u8; 3] = [0xf5, b't', b'g'];
/// The byte after the mark: bytes that are not sealed and happened to begin with the mark; sealed bytes; sealed text.
const PLAIN: u8 = 0;
const BYTES: u8 = 1;
const TEXT: u8 = 2;
/// Random, so that no counter can be set back by a restored file: 192 bits never repeat.
const NONCE_BYTES: usize = 24;
/// Keys that were in use before, at most.
const OLDER_MAX: usize = 16;

/// The keys that the store is read and written with. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StoreKeys(Arc<[Key]>);

/// A key of 256 bits. Never shown.
struct Key {
    cipher: XChaCha20Poly1305,
    fingerprint: [u8; 8],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", hex::encode(self.fingerprint))
    }
}

impl Key {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let bytes: [u8; 32] = STANDARD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .context("it is not 32 bytes in base64: `tidegate store key` prints a fresh one")?;
        let digest = Sha256::new().chain_update(b"tidegate store key").chain_update(bytes).finalize();
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&digest[..8]);
        Ok(Self { cipher: XChaCha20Poly1305::new(&bytes.into()), fingerprint })
    }

    const fn id(&self) -> u8 {
        self.fingerprint[0]
    }

    fn seal(&self, form: u8, plain: &[u8], place: &[u8]) -> anyhow::Result<Vec<u8>> {
        let nonce = random::<NONCE_BYTES>()?;
        let mut sealed = Vec::with_capacity(plain.len() + 16);
        sealed.extend_from_slice(plain);
        let done = self.cipher.encrypt_in_place(&XNonce::from(nonce), place, &mut sealed);
        done.ok().context("seal a value: it is too long")?;
        Ok([&MARK, &[form, self.id()][..], &nonce, &sealed].concat())
    }
}

impl StoreKeys {
    /// The key that is written with, and those that are only read with, separated by commas: 32 bytes each, in base64.
    ///
    /// # Errors
    /// When one of them is no key, or there are older ones and none to write with. They are never shown.
    pub fn parse(current: Option<&str>, older: Option<&str>) -> anyhow::Result<Self> {
        let Some(current) = current else {
            ensure!(older.is_none(), "TIDEGATE_STORE_KEY_OLD is set without TIDEGATE_STORE_KEY: set both");
            return Ok(Self::default());
        };
        let mut keys = vec![Key::parse(current).context("read TIDEGATE_STORE_KEY")?];
        for older in older.into_iter().flat_map(|list| list.split(',')).filter(|it| !it.trim().is_empty()) {
            keys.push(Key::parse(older).context("read TIDEGATE_STORE_KEY_OLD")?);
        }
        ensure!(keys.len() <= OLDER_MAX, "TIDEGATE_STORE_KEY_OLD has more than {OLDER_MAX} keys");
        Ok(Self(keys.into()))
    }

    /// A fresh key, as the environment has it.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn fresh() -> anyhow::Result<String> {
        Ok(STANDARD.encode(random::<32>()?))
    }

    /// The value as it is to be stored in this column of the row with this key. Without a key that is the value itself.
    pub(super) fn seal<'v>(
        &self,
        column: &str,
        row: &[Cell<'_>],
        value: Cell<'v>,
    ) -> anyhow::Result<Cell<'v>> {
        let (form, plain) = match &value {
            Cell::Text(text) => (TEXT, text.as_bytes()),
            Cell::Bytes(bytes) => (BYTES, bytes.as_ref()),
            _ => return Ok(value),
        };
        let stored = match self.0.first() {
            Some(key) => key.seal(form, plain, &place(column, row))?,
            // So that what is not sealed is never taken for sealed.
            None if form == BYTES && plain.starts_with(&MARK) => [&MARK, &[PLAIN][..], plain].concat(),
            None => return Ok(value),
        };
        Ok(Cell::Bytes(Cow::Owned(stored)))
    }

    /// Whether this was sealed.
    pub(super) fn is_sealed(stored: &[u8]) -> bool {
        stored.starts_with(&MARK)
    }

    /// What was stored in this column of the row with this key.
    pub(super) fn unseal<'v>(
        &self,
        column: &str,
        row: &[Cell<'_>],
        stored: Cell<'v>,
    ) -> anyhow::Result<Cell<'v>> {
        match &stored {
            Cell::Bytes(bytes) if Self::is_sealed(bytes) => self.open(bytes, &place(column, row)),
            _ => Ok(stored),
        }
    }

    fn open(&self, stored: &[u8], place: &[u8]) -> anyhow::Result<Cell<'static>> {
        let (form, rest) = stored[MARK.len()..].split_first().context("a sealed value is cut off")?;
        if *form == PLAIN {
            return Ok(Cell::Bytes(Cow::Owned(rest.to_vec())));
        }
        ensure!(*form == BYTES || *form == TEXT, "a value is sealed in a way that a newer Tidegate knows");
        let (id, rest) = rest.split_first().context("a sealed value is cut off")?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).context("a sealed value is cut off")?;
        let nonce = XNonce::try_from(nonce).expect("so many bytes");
        for key in self.0.iter().filter(|key| key.id() == *id) {
            let mut plain = sealed.to_vec();
            if key.cipher.decrypt_in_place(&nonce, place, &mut plain).is_ok() {
                return Ok(if *form == BYTES {
                    Cell::Bytes(Cow::Owned(plain))
                } else {
                    Cell::Text(Cow::Owned(String::from_utf8(plain).context("a sealed text is none")?))
                });
            }
        }
        bail!("a sealed value cannot be opened: another key sealed it, or the store was tampered with")
    }

    /// Refuses a store that needs a key which is not here; `needed` are the fingerprints of all that it needs.
    pub(super) fn fit(&self, needed: &[Vec<u8>]) -> anyhow::Result<()> {
        match needed.iter().find(|needed| !self.0.iter().any(|key| key.fingerprint == needed[..])) {
            None => Ok(()),
            Some(missing) => bail!(
                "it is encrypted with the key {} and that was not given: set TIDEGATE_STORE_KEY to it, or \
                 TIDEGATE_STORE_KEY_OLD when another has taken its place",
                hex::encode(missing)
            ),
        }
    }

    /// The fingerprint of the key that is written with, if there is one: the store needs it from now on.
    pub(super) fn written_with(&self) -> Option<&[u8]> {
        self.0.first().map(|key| &key.fingerprint[..])
    }
}

/// The column and the row's key: what is bound to a value. Each part has its length before it, so that no two places give
/// the same bytes.
fn place(column: &str, row: &[Cell<'_>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&part.len().to_be_bytes());
        bytes.extend_from_slice(part);
    };
    part(column.as_bytes());
    for cell in row {
        match cell {
            Cell::Text(text) => part(text.as_bytes()),
            Cell::Bytes(bytes) => part(bytes),
            Cell::Id(bytes) => part(bytes),
            Cell::Int(number) => part(&number.to_be_bytes()),
            Cell::Null | Cell::List(_) => part(&[]),
        }
    }
    bytes
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("draw random bytes: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
