//! Which host a command speaks to when none is named: the one that works here, or the `tidegate dev` that was started
//! last by this user, wherever that is. Knows nothing of what is asked of it. A host in production is never found like
//! this: it is named.

use anyhow::Context as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate::admin::client::{Address, Client};
use tidegate::config::secure_url;
use tidegate_envelope::Digest;
use url::Url;

/// The directory of the host's state when none is named.
pub(crate) const USUAL: &str = ".tidegate";
/// The longest that a host on this machine may take to be found alive.
const ALIVE_WITHIN: Duration = Duration::from_millis(500);

/// The note that a `tidegate dev` runs. Dropping it takes the note away.
pub(crate) struct Note(PathBuf);

impl Drop for Note {
    fn drop(&mut self) {
        // What is left of a killed one is taken away by the next who looks.
        let _ = fs::remove_file(&self.0);
    }
}

/// Leaves a note for other directories' commands: where this host's state is, and nothing else.
///
/// # Errors
/// When the environment names no home for it, or it cannot be written. The host works without it.
pub(crate) fn leave_note(data: &Path) -> anyhow::Result<Note> {
    let data = data.canonicalize().with_context(|| format!("find {}", data.display()))?;
    let text = data.to_str().context("the directory's path is not UTF-8")?;
    let dir = notes().context("neither XDG_STATE_HOME nor HOME is set")?;
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let note = dir.join(Digest::of(text.as_bytes()).to_string());
    fs::write(&note, text).with_context(|| format!("write {}", note.display()))?;
    Ok(Note(note))
}

/// The host that a command speaks to.
pub(crate) enum Place {
    /// The one that works in this directory, on this machine.
    Here(PathBuf),
    /// The one at this address, wherever that is.
    There(Address, Option<PathBuf>),
}

impl Place {
    /// Its directory, when it is on this machine.
    pub(crate) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Here(dir) => Some(dir),
            Self::There(..) => None,
        }
    }

    /// A client of it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        match self {
            Self::Here(dir) => Client::new(Address::read(dir)?, None),
            Self::There(address, authority) => Client::new(address.clone(), authority.as_deref()),
        }
    }
}

/// A host elsewhere, as the command line names it.
#[derive(clap::Args)]
pub(crate) struct Remote {
    /// Speak to the host at this URL (its admin.listen) instead of one on this machine. The token is read from
    /// TIDEGATE_ADMIN_TOKEN: `tidegate token new` makes one.
    #[arg(long, env = "TIDEGATE_HOST", value_name = "URL")]
    host: Option<String>,

    /// Trust this authority (PEM), too, when speaking to --host.
    #[arg(long, env = "TIDEGATE_HOST_CA", value_name = "FILE", requires = "host")]
    host_ca: Option<PathBuf>,
}

impl Remote {
    fn place(&self, url: &str) -> anyhow::Result<Place> {
        let url = secure_url(url).context("--host")?;
        let token = super::variable("TIDEGATE_ADMIN_TOKEN").context(
            "--host takes a token: on the host's machine type `tidegate token new NAME --role operate`, and set \
             TIDEGATE_ADMIN_TOKEN to what it prints",
        )?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Place::There(Address { url, token }, self.host_ca.clone()))
    }
}

/// The host to speak to: the one that is named; or the usual one here, when a host works in it; or the `tidegate dev` that was
/// started last. Says on standard error when it is not here.
pub(crate) fn find(remote: &Remote, named: Option<&Path>) -> anyhow::Result<Place> {
    if let Some(url) = &remote.host {
        return remote.place(url);
    }
    let here = named.unwrap_or(Path::new(USUAL)).to_owned();
    if named.is_some() || is_alive(&here) {
        return Ok(Place::Here(here));
    }
    let Some(elsewhere) = last_started() else { return Ok(Place::Here(here)) };
    eprintln!("the host is the `tidegate dev` in {}", elsewhere.display());
    Ok(Place::Here(elsewhere))
}

/// The directory of the last started `tidegate dev` that is alive. Notes of others are taken away.
fn last_started() -> Option<PathBuf> {
    let notes = fs::read_dir(notes()?).ok()?.flatten().filter_map(|entry| {
        let written = entry.metadata().and_then(|found| found.modified()).ok()?;
        Some((written, entry.path()))
    });
    let mut notes: Vec<_> = notes.collect();
    notes.sort();
    notes.into_iter().rev().find_map(|(_, note)| {
        let data = PathBuf::from(fs::read_to_string(&note).ok()?);
        if is_alive(&data) {
            return Some(data);
        }
        let _ = fs::remove_file(&note);
        None
    })
}

/// Whether something listens where the host that works in this directory would.
fn is_alive(data: &Path) -> bool {
    let listening = || {
        let url = Url::parse(&Address::read(data).ok()?.url).ok()?;
        let addr = *url.socket_addrs(|| None).ok()?.first()?;
        TcpStream::connect_timeout(&addr, ALIVE_WITHIN).ok()
    };
    listening().is_some()
}

/// Where the notes are: the user's own state.
fn notes() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")))?;
    Some(base.join("tidegate/dev"))
}
