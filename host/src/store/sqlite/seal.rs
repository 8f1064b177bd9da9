//! Encryption at rest. What people wrote or plugins decided is sealed on its way into a table, by [`Sealing`], and comes out
//! through a function that every connection has: `unseal(value, column, row...)`. The column and the row's key are bound to
//! the value, so that no value can be moved to another place. Without a key nothing is called or copied on the way in;
//! `unseal` gives what is not sealed as it is. Knows nothing of the tables.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Transaction, params};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::Deref;
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
        write!(f, "Key({})", hex(&self.fingerprint))
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
    fn seal<'v>(
        &self,
        column: &str,
        row: &[ValueRef<'_>],
        value: ValueRef<'v>,
    ) -> anyhow::Result<ToSqlOutput<'v>> {
        let (form, plain) = match value {
            ValueRef::Text(text) => (TEXT, text),
            ValueRef::Blob(bytes) => (BYTES, bytes),
            _ => return Ok(ToSqlOutput::Borrowed(value)),
        };
        let stored = match self.0.first() {
            Some(key) => key.seal(form, plain, &place(column, row.iter().copied()))?,
            // So that what is not sealed is never taken for sealed.
            None if form == BYTES && plain.starts_with(&MARK) => [&MARK, &[PLAIN][..], plain].concat(),
            None => return Ok(ToSqlOutput::Borrowed(value)),
        };
        Ok(ToSqlOutput::Owned(Value::Blob(stored)))
    }

    /// What a stored value says; `None` when that is the value itself.
    fn open(&self, stored: &[u8], place: &[u8]) -> anyhow::Result<Option<Value>> {
        let Some((form, rest)) = stored.strip_prefix(&MARK).and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        if *form == PLAIN {
            return Ok(Some(Value::Blob(rest.to_vec())));
        }
        ensure!(*form == BYTES || *form == TEXT, "a value is sealed in a way that a newer Tidegate knows");
        let (id, rest) = rest.split_first().context("a sealed value is cut off")?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).context("a sealed value is cut off")?;
        let nonce = XNonce::try_from(nonce).expect("so many bytes");
        for key in self.0.iter().filter(|key| key.id() == *id) {
            let mut plain = sealed.to_vec();
            if key.cipher.decrypt_in_place(&nonce, place, &mut plain).is_ok() {
                return Ok(Some(if *form == BYTES {
                    Value::Blob(plain)
                } else {
                    Value::Text(String::from_utf8(plain).context("a sealed text is none")?)
                }));
            }
        }
        bail!("a sealed value cannot be opened: another key sealed it, or the file was tampered with")
    }

    /// Gives a connection the function `unseal`.
    pub(super) fn give_to(&self, db: &Connection) -> anyhow::Result<()> {
        let keys = self.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        db.create_scalar_function("unseal", -1, flags, move |context| {
            let ValueRef::Blob(stored) = context.get_raw(0) else { return Ok(ToSqlOutput::Arg(0)) };
            if !stored.starts_with(&MARK) {
                return Ok(ToSqlOutput::Arg(0));
            }
            let column = context.get_raw(1).as_str().map_err(|error| failed(error.into()))?;
            let row = (2..context.len()).map(|index| context.get_raw(index));
            let opened = keys.open(stored, &place(column, row)).map_err(failed)?;
            Ok(opened.map_or(ToSqlOutput::Arg(0), ToSqlOutput::Owned))
        })?;
        Ok(())
    }

    /// Refuses a file that needs a key which is not here.
    pub(super) fn fits(&self, db: &Connection) -> anyhow::Result<()> {
        let mut statement = db.prepare("SELECT fingerprint FROM store_keys")?;
        let needed =
            statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
        for fingerprint in &needed {
            if !self.0.iter().any(|key| key.fingerprint == fingerprint[..]) {
                bail!(
                    "it is encrypted with the key {} and that was not given: set TIDEGATE_STORE_KEY to it, or \
                     TIDEGATE_STORE_KEY_OLD when another has taken its place",
                    hex(fingerprint)
                );
            }
        }
        Ok(())
    }

    /// As [`Self::fits`], and notes in the file that it needs the key that is written with.
    pub(super) fn check(&self, db: &Connection) -> anyhow::Result<()> {
        self.fits(db)?;
        if let Some(key) = self.0.first() {
            db.execute(
                "INSERT OR IGNORE INTO store_keys (fingerprint) VALUES (?1)",
                params![key.fingerprint],
            )?;
        }
        Ok(())
    }
}

/// A transaction whose payloads are sealed on their way into it.
pub(super) struct Sealing<'c> {
    transaction: Transaction<'c>,
    keys: &'c StoreKeys,
}

impl<'c> Sealing<'c> {
    pub(super) fn begin(db: &'c mut Connection, keys: &'c StoreKeys) -> anyhow::Result<Self> {
        Ok(Self { transaction: db.transaction().context("begin a transaction")?, keys })
    }

    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.transaction.commit()
    }

    /// The value as it is to be stored in this column (`table.column`) of the row with this key.
    pub(super) fn seal<'v>(
        &self,
        column: &str,
        row: &[ValueRef<'_>],
        value: impl Into<ValueRef<'v>>,
    ) -> anyhow::Result<ToSqlOutput<'v>> {
        self.keys.seal(column, row, value.into())
    }
}

impl<'c> Deref for Sealing<'c> {
    type Target = Transaction<'c>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

/// The column and the row's key: what is bound to a value. Each part has its length before it, so that no two places give
/// the same bytes.
fn place<'a>(column: &'a str, row: impl Iterator<Item = ValueRef<'a>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for part in std::iter::once(ValueRef::from(column)).chain(row) {
        let number;
        let part: &[u8] = match part {
            ValueRef::Text(part) | ValueRef::Blob(part) => part,
            ValueRef::Integer(value) => {
                number = value.to_be_bytes();
                &number
            }
            ValueRef::Real(_) | ValueRef::Null => &[],
        };
        bytes.extend_from_slice(&part.len().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn failed(error: anyhow::Error) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("draw random bytes: {error}"))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
