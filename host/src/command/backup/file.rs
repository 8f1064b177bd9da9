//! The file of a backup: a tar whose first entry says what the others must be. Knows nothing of where they belong.

use super::PARTS;
use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tidegate::store::sqlite::inspect::{self, Copied};

/// The first entry.
const MANIFEST: &str = "manifest.json";
/// Bytes of the longest one that is read.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of this format.
    pub(super) v: u32,
    /// The version of the Tidegate that wrote it.
    pub(super) tidegate: String,
    /// When it was written, in milliseconds since the Unix epoch.
    pub(super) made_at_ms: u64,
    pub(super) parts: Vec<Part>,
}

/// One SQLite file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Its `user_version`.
    pub(super) schema: u32,
    /// Rows by table.
    pub(super) rows: BTreeMap<String, u64>,
}

impl Part {
    /// The file at this path, read through: damage is an error.
    pub(super) fn of(name: &str, path: &Path) -> anyhow::Result<Self> {
        let Copied { schema, rows } = inspect::verify(path)?;
        let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let mut hashing = Hashing::default();
        let bytes = io::copy(&mut file, &mut hashing).with_context(|| format!("read {}", path.display()))?;
        Ok(Self { name: name.to_owned(), bytes, sha256: hashing.hex(), schema, rows })
    }

    pub(super) fn for_people(&self) -> String {
        let rows: u64 = self.rows.values().sum();
        let events = self.rows.get("events").or_else(|| self.rows.get("messages"));
        let events = events.map_or_else(String::new, |events| format!(", {events} of them events"));
        format!(
            "{}: schema {}, {rows} rows{events}, {} bytes, SHA-256 {}",
            self.name, self.schema, self.bytes, self.sha256
        )
    }
}

/// Writes what is in this directory, readable by this user alone, and waits for the disk.
pub(super) fn write(to: &Path, manifest: &Manifest, dir: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut tar = tar::Builder::new(file.with_context(|| format!("write {}", to.display()))?);
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(text.len())?);
    header.set_mode(0o600);
    header.set_mtime(manifest.made_at_ms / 1_000);
    tar.append_data(&mut header, MANIFEST, &text[..]).context("write the manifest")?;
    for part in &manifest.parts {
        let path = dir.join(&part.name);
        tar.append_path_with_name(&path, &part.name).with_context(|| format!("write {}", part.name))?;
    }
    tar.into_inner().and_then(|file| file.sync_all()).with_context(|| format!("write {}", to.display()))
}

/// Takes the parts out into this directory and compares them with the manifest: size, hash, and what is in them.
pub(super) fn read(from: &Path, dir: &Path) -> anyhow::Result<Manifest> {
    let file = File::open(from).with_context(|| format!("open {}", from.display()))?;
    let mut tar = tar::Archive::new(file);
    let no_backup = || format!("{} is no backup of Tidegate", from.display());
    let mut entries = tar.entries().with_context(no_backup)?;
    let first = entries.next().with_context(no_backup)?.with_context(no_backup)?;
    ensure!(first.path_bytes() == MANIFEST.as_bytes(), "{}", no_backup());
    let mut text = Vec::new();
    first.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).with_context(no_backup)?;
    let manifest: Manifest = serde_json::from_slice(&text).with_context(no_backup)?;
    ensure!(
        manifest.v == 1,
        "{} has format {}, this tidegate knows 1: use a newer one",
        from.display(),
        manifest.v
    );
    for part in &manifest.parts {
        ensure!(
            PARTS.iter().any(|(name, _)| *name == part.name),
            "it holds a part that is not known: {}",
            part.name
        );
        let entry = entries
            .next()
            .with_context(|| format!("{} is cut off: {} is missing", from.display(), part.name))?;
        let entry = entry.with_context(|| format!("read {}", from.display()))?;
        ensure!(
            entry.path_bytes() == part.name.as_bytes(),
            "{} has its parts in another order",
            from.display()
        );
        let path = dir.join(&part.name);
        let out = File::create_new(&path).with_context(|| format!("write {}", path.display()))?;
        let mut out = Both(out, Hashing::default());
        io::copy(&mut entry.take(part.bytes.saturating_add(1)), &mut out).context("take out a part")?;
        out.0.sync_all().with_context(|| format!("write {}", path.display()))?;
        if out.1.hex() != part.sha256 {
            bail!("{} in {} is not what was written: its SHA-256 is another", part.name, from.display());
        }
        ensure!(
            Part::of(&part.name, &path)? == *part,
            "{} holds other rows than its manifest says",
            part.name
        );
    }
    Ok(manifest)
}

/// Hashes what is written to it.
#[derive(Default)]
struct Hashing(Sha256);

impl Hashing {
    fn hex(self) -> String {
        tidegate_envelope::Digest::from_bytes(self.0.finalize().into()).to_string()
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to a file and hashes what was written.
struct Both(File, Hashing);

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.write(bytes.get(..written).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
