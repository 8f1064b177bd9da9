//! The commands, one file each, and what they share.

pub(crate) mod alert;
pub(crate) mod backup;
pub(crate) mod capacity;
pub(crate) mod compile;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod forget;
pub(crate) mod hosts;
pub(crate) mod log;
pub(crate) mod manual;
mod moment;
pub(crate) mod nearby;
pub(crate) mod notify;
pub(crate) mod parked;
pub(crate) mod plugin;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod sender;
pub(crate) mod source;
pub(crate) mod stats;
pub(crate) mod store;
mod table;
pub(crate) mod token;
pub(crate) mod top;

use anyhow::Context as _;
use nearby::Place;
use std::io::{IsTerminal as _, Write};
use std::path::Path;
use tidegate::admin::client::Client;
use tidegate::config::Config;
use tokio::signal::unix::{SignalKind, signal};

/// The configuration under the environment; `tidegate.toml` in the working directory when no file is named.
pub(crate) fn load_config(path: Option<&Path>) -> anyhow::Result<Config> {
    let usual = Path::new("tidegate.toml");
    Config::load(path.or_else(|| usual.exists().then_some(usual)), std::env::vars())
}

/// Speaks to this host.
fn client(host: &Place) -> anyhow::Result<Client> {
    host.client()
}

/// Listens for Ctrl-C and SIGTERM from now on, and gives what resolves on the first of them. Called before a
/// service says that it is ready: whoever reads that may stop it at once. Cancel-safe.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A secret: 192 bits, so that hardly any run of digits is taken for a weaker one.
pub(crate) fn random_token() -> anyhow::Result<String> {
    random_hex::<24>()
}

/// So many random bytes from the operating system, in hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> anyhow::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("draw a random token: {error}"))?;
    Ok(hex::encode(bytes))
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Prints to standard output. A reader that went away (`| head`) ends the command quietly.
#[expect(clippy::disallowed_methods, reason = "a command that only prints has nothing to clean up")]
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("write to standard output"),
    }
}

/// Prints one JSON object per line.
fn print_json<T: serde::Serialize>(rows: impl IntoIterator<Item = T>) -> anyhow::Result<()> {
    let lines = rows.into_iter().map(|row| Ok(serde_json::to_string(&row)? + "\n"));
    print(&lines.collect::<anyhow::Result<String>>()?)
}

/// Whether people read standard output; then it may have colours.
fn on_a_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A time for people: UTC, to the millisecond.
fn time(ms: u64) -> String {
    let stamp = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| ms.to_string(), |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S.%3fZ").to_string())
}
