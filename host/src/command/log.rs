//! One readable log on standard error; standard output belongs to results.

use std::io::IsTerminal as _;
use tidegate::config::signal::LogFormat;
use tracing_subscriber::EnvFilter;

/// Starts the log of a service, which says what it does.
pub(crate) fn of_service(format: LogFormat) {
    match format {
        LogFormat::Human => human("info"),
        // Flat: `receipt` and its like stand beside `message`, where whoever collects logs finds them.
        LogFormat::Json => tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_env_filter(filter("info"))
            .with_writer(std::io::stderr)
            .init(),
    }
}

/// Starts the log of a command that only asks: it says no more than warnings, to a person.
pub(crate) fn of_command() {
    human("warn");
}

fn human(usual: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(filter(usual))
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

fn filter(usual: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual))
}
