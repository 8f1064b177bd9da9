//! A target: the server that effects go to. What it may be sent at a time, how fast, and whether it is left alone for a
//! while. Pure: time is passed in; knows nothing of requests or of stores.

mod breaker;
mod bucket;
mod gate;
mod share;

pub use breaker::Pause;
pub use gate::{Gate, Pass, Room};
pub use share::{Waiting, share};

use std::fmt;
use std::sync::Arc;
use url::{Position, Url};

/// One server: scheme, host and port of a URL, as `https://a.example` or `http://a.example:8080`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(Arc<str>);

impl Target {
    /// The target of a request to this URL.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        Self(url[..Position::BeforePath].into())
    }

    /// The target as it was stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one target may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// Requests at the same time.
    pub in_flight_max: usize,
    /// Requests within a second; 0 is no limit.
    pub requests_per_second: u32,
    /// After so many failures of its own in a row it is left alone for a while.
    pub failures_max: u32,
    /// How long at first, in milliseconds; twice as long each time that it fails again.
    pub pause_ms: u64,
    /// How long at most, in milliseconds.
    pub pause_ms_max: u64,
}

impl Default for TargetLimits {
    fn default() -> Self {
        Self {
            in_flight_max: 16,
            requests_per_second: 0,
            failures_max: 10,
            pause_ms: 1_000,
            pause_ms_max: 60_000,
        }
    }
}

/// What an attempt says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, and the answer was its own to give: 2xx, 3xx, 4xx.
    Answers,
    /// It failed: 5xx, no answer in time, no connection.
    Fails,
    /// Nothing: it was not asked, or not given enough time.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_scheme_host_and_port() {
        for (url, target) in [
            ("https://a.example/x?y=1", "https://a.example"),
            ("https://a.example:443/", "https://a.example"),
            ("https://A.example:8443", "https://a.example:8443"),
            ("http://a.example/", "http://a.example"),
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("http://[::1]:8080/x", "http://[::1]:8080"),
        ] {
            let of = Target::of(&Url::parse(url).expect(url));
            assert_eq!(of.as_str(), target, "{url}");
            assert_eq!(of, Target::from_stored(target));
        }
    }
}
