//! One readable log on standard error; standard output belongs to results.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts the log. Services say what they do; commands that only ask say no more than warnings.
pub(crate) fn start(service: bool) {
    let usual = if service { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}
