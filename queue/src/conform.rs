//! One conformance suite for Cloudflare's pull contract. It talks over HTTP only and makes its own queues, so it
//! runs against the embedded queue and, with credentials, against Cloudflare itself. It knows nothing of how
//! either is built, and polls where Cloudflare promises no moment.

mod client;
mod control;
mod dead;
mod lease;
mod publish;
mod report;

pub use report::{CaseReport, Outcome, Report};

use anyhow::{Context, Result};
use client::{Bench, Client};
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

/// What the suite runs against.
#[derive(Clone)]
pub struct Target {
    /// What SDKs are given as their base URL, as `https://api.cloudflare.com/client/v4`.
    pub base_url: String,
    /// The account.
    pub account_id: String,
    /// A token that may edit the account's queues.
    pub token: String,
}

/// How a case ends when it does not fail.
enum Verdict {
    /// The promise was kept.
    Kept,
    /// Nothing was promised; it went this way.
    Went(String),
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Verdict>> + Send + 'a>>;

struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Bench) -> Running<'a>,
}

/// Every case, in the order it runs. Each leaves the queue without its own messages.
const CASES: &[Case] = &[
    Case { name: "a published text comes back unchanged", run: |b| Box::pin(publish::text(b)) },
    Case { name: "published JSON comes back as the same JSON", run: |b| Box::pin(publish::json(b)) },
    Case { name: "a batch comes back whole", run: |b| Box::pin(publish::batch(b)) },
    Case { name: "a message over 128 KB is refused", run: |b| Box::pin(publish::message_too_large(b)) },
    Case { name: "a batch over 256 KB is refused", run: |b| Box::pin(publish::batch_too_large(b)) },
    Case { name: "a batch of 101 messages is refused", run: |b| Box::pin(publish::batch_too_long(b)) },
    Case { name: "a delay over 24 hours is refused", run: |b| Box::pin(publish::delay_too_long(b)) },
    Case { name: "an unknown content type is refused", run: |b| Box::pin(publish::unknown_content_type(b)) },
    Case { name: "a body that is not JSON is refused", run: |b| Box::pin(publish::malformed(b)) },
    Case { name: "a delayed message waits for its time", run: |b| Box::pin(publish::delayed(b)) },
    Case { name: "a pull gives at most five by default", run: |b| Box::pin(lease::default_batch(b)) },
    Case { name: "a pull of more than 100 is refused", run: |b| Box::pin(lease::batch_too_large(b)) },
    Case { name: "a lease over 12 hours is refused", run: |b| Box::pin(lease::lease_too_long(b)) },
    Case { name: "a message under lease is hidden", run: |b| Box::pin(lease::hidden(b)) },
    Case { name: "an acknowledged message is gone", run: |b| Box::pin(lease::acknowledged(b)) },
    Case { name: "the first delivery's attempts", run: |b| Box::pin(lease::first_attempt(b)) },
    Case { name: "a retried message comes again, one attempt later", run: |b| Box::pin(lease::retried(b)) },
    Case { name: "a retry with a delay waits for its time", run: |b| Box::pin(lease::retried_later(b)) },
    Case { name: "an expired lease brings the message back", run: |b| Box::pin(lease::expired(b)) },
    Case { name: "an acknowledgement under an older lease", run: |b| Box::pin(lease::stale(b)) },
    Case { name: "a lease id nobody gave out harms nothing", run: |b| Box::pin(lease::made_up(b)) },
    Case { name: "a null lease id spoils the request", run: |b| Box::pin(lease::null(b)) },
    Case { name: "a pull that would rather wait", run: |b| Box::pin(lease::waiting(b)) },
    Case { name: "a message without retries left is dead-lettered", run: |b| Box::pin(dead::lettered(b)) },
    Case { name: "a look at messages leaves them", run: |b| Box::pin(control::peek(b)) },
    Case { name: "a message is purged by its ref", run: |b| Box::pin(control::purge_by_ref(b)) },
    Case { name: "metrics count the backlog", run: |b| Box::pin(control::metrics(b)) },
    Case { name: "a purge empties the queue", run: |b| Box::pin(control::purge(b)) },
    Case { name: "a paused queue refuses pulls with 409", run: |b| Box::pin(control::paused(b)) },
    Case { name: "a queue is found by its name and its id", run: |b| Box::pin(control::found(b)) },
    Case { name: "settings out of range are refused", run: |b| Box::pin(control::bad_settings(b)) },
    Case { name: "a consumer is read, changed and never doubled", run: |b| Box::pin(control::consumer(b)) },
    Case { name: "a wrong token is refused with 403", run: |b| Box::pin(control::wrong_token(b)) },
    Case { name: "an unknown queue is refused", run: |b| Box::pin(control::unknown_queue(b)) },
    Case { name: "a malformed queue id is refused", run: |b| Box::pin(control::malformed_queue(b)) },
    Case { name: "an unknown route is refused", run: |b| Box::pin(control::unknown_route(b)) },
    Case { name: "a deleted queue is gone", run: |b| Box::pin(control::deleted(b)) },
];

/// Runs every case against the target and tells `on_progress` of each as it ends. Makes queues with random names
/// and deletes them in the end, also after failures. Not cancel-safe: a dropped run leaves its queues behind.
///
/// # Errors
/// When the target cannot be reached, or refuses to make a queue.
pub async fn run(target: &Target, mut on_progress: impl FnMut(&CaseReport)) -> Result<Report> {
    let client = Client::new(target)?;
    let bench = Bench::set_up(client)
        .await
        .context("set up a queue for the suite (check the base URL, the account and the token)")?;
    let mut report = Report { base_url: target.base_url.clone(), cases: Vec::with_capacity(CASES.len()) };
    for case in CASES {
        let start = Instant::now();
        let ended = (case.run)(&bench).await;
        if ended.is_err() {
            // What a failed case left in the queue is not the next one's fault.
            bench.empty().await;
        }
        conclude(&mut report, case.name, start, ended, &mut on_progress);
    }
    let start = Instant::now();
    let ended = bench.tear_down().await.map(|()| Verdict::Kept);
    conclude(&mut report, "the suite's queues are deleted", start, ended, &mut on_progress);
    Ok(report)
}

fn conclude(
    report: &mut Report,
    name: &'static str,
    start: Instant,
    ended: Result<Verdict>,
    on_progress: &mut impl FnMut(&CaseReport),
) {
    let outcome = match ended {
        Ok(Verdict::Kept) => Outcome::Passed,
        Ok(Verdict::Went(which)) => Outcome::Observed(which),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let case = CaseReport { name, outcome, milliseconds };
    on_progress(&case);
    report.cases.push(case);
}

/// What a pull consumer of the suite is made with.
fn consumer_body(max_retries: u32, dead_letter_queue: Option<&str>) -> serde_json::Value {
    let mut body = json!({
        "type": "http_pull",
        "settings": { "max_retries": max_retries, "visibility_timeout_ms": 30_000 },
    });
    if let Some(name) = dead_letter_queue {
        body["dead_letter_queue"] = json!(name);
    }
    body
}
