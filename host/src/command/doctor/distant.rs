//! What is far away: its name, its TLS, its clock. Knows nothing of what is asked there.

use super::finding::Finding;
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Client, redirect};
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// How long one request may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How far clocks may be apart: what is signed is refused by many receivers when it is five minutes off, and times of events
/// are compared across machines.
const SKEW_S_WARNING: u64 = 5;
const SKEW_S_PROBLEM: u64 = 60;

/// A client that follows nothing and gives up soon.
pub(super) fn client(url: &Url) -> reqwest::Result<Client> {
    let builder = Client::builder().redirect(redirect::Policy::none()).timeout(ANSWER_MAX).referer(false);
    let builder = if url.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.user_agent(concat!("Tidegate/", env!("CARGO_PKG_VERSION"))).build()
}

/// Whether the name in a URL leads anywhere; `None` when it does.
pub(super) async fn name(check: &'static str, url: &Url) -> Option<Finding> {
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    let looked = tokio::time::timeout(ANSWER_MAX, tokio::net::lookup_host((host, port))).await;
    let why = match looked {
        Ok(Ok(mut addresses)) => match addresses.next() {
            Some(_) => return None,
            None => "it has no address".to_owned(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", ANSWER_MAX.as_secs()),
    };
    let fix = format!("Check the name, and what resolves names here: getent hosts {host}");
    Some(Finding::problem(check, format!("the name {host} leads nowhere: {why}"), fix))
}

/// Why a request had no answer, with what to type. The URL is not shown: it may hold a secret.
pub(super) fn unanswered(check: &'static str, url: &Url, error: reqwest::Error) -> Finding {
    let origin = url.origin().ascii_serialization();
    let what = format!("{origin} does not answer: {:#}", anyhow::Error::new(error.without_url()));
    Finding::problem(check, what, format!("See what happens on the way: curl -v {origin}"))
}

/// How far its clock is from ours; `None` when it did not say a time.
pub(super) fn clock(of: &str, headers: &HeaderMap, now_ms: u64) -> Option<Finding> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let theirs_s = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let skew_s = theirs_s.abs_diff(now_ms / 1_000);
    let what = format!("this machine's clock is {skew_s} s from that of the {of}");
    let fix = "Have it set by a time server: timedatectl set-ntp true";
    Some(if skew_s <= SKEW_S_WARNING {
        Finding::ok("clock", what)
    } else if skew_s <= SKEW_S_PROBLEM {
        Finding::warning("clock", what, fix)
    } else {
        Finding::problem("clock", what, fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Level;

    #[test]
    fn clocks_may_be_so_far_apart() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Fri, 11 Nov 2022 05:05:07 GMT".parse().expect("a header"));
        let at_s = 1_668_143_107;
        for (now_s, level) in [
            (at_s, Level::Ok),
            (at_s + 5, Level::Ok),
            (at_s - 6, Level::Warning),
            (at_s + 60, Level::Warning),
            (at_s + 61, Level::Problem),
            (0, Level::Problem),
        ] {
            assert_eq!(
                clock("edge", &headers, now_s * 1_000).expect("it says a time").level,
                level,
                "{now_s}"
            );
        }
        assert_eq!(clock("edge", &HeaderMap::new(), 0), None);
    }
}
