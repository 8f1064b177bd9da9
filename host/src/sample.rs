//! The sender's sample event, sent the way the sender does: what shows that a source works. Knows nothing of what becomes of it.

use crate::config::secure_url;
use crate::heard::TEST_NAME;
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use reqwest::{Client, StatusCode, Url, redirect};
use serde_json::Value;
use std::time::Duration;
use tidegate_envelope::{Receipt, SourceName};

/// What the sender's documentation shows
/// (<https://asset-management-for-jira.readme.io/reference/using-the-events-api>).
const SAMPLE: &str = include_str!("../../tests/samples/asset-update.json");
/// What the sender would wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The URL that this source's sender posts to.
///
/// # Errors
/// When it is another's, or a secret would travel to it in the open.
pub fn request_url(text: &str, source: &SourceName) -> anyhow::Result<Url> {
    let url = secure_url(text)?;
    let its = format!("/in/{source}/");
    ensure!(url.path().contains(&its), "it is not one of {source}: its path has {its}<token>");
    Ok(url)
}

/// Posts the sample, made at this time. No other event has the same bytes: it would be taken for its duplicate.
///
/// # Errors
/// When the edge did not take it, with what that means.
pub async fn post(url: Url, source: &SourceName, now: Timestamp) -> anyhow::Result<Receipt> {
    let mut event: Value = serde_json::from_str(SAMPLE).context("read the sample event")?;
    event["id"] = 0.into();
    event["name"] = format!("{TEST_NAME} {now}").into();
    // Another moment each time: at the same one it would be a conflict, and nobody would be asked.
    event["updated_at"] = now.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string().into();
    let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(ANSWER_MAX).build()?;
    let response = http.post(url).json(&event).send().await.map_err(reqwest::Error::without_url);
    let response =
        response.context("the edge gave no answer within 3 seconds, which its sender counts as a failure")?;
    match response.status() {
        status if status.is_success() => {}
        StatusCode::NOT_FOUND => bail!("the edge answered 404: it knows no source {source} with this token"),
        StatusCode::UNAUTHORIZED => {
            bail!("the edge answered 401: the sender of {source} signs its requests, and this test cannot")
        }
        StatusCode::SERVICE_UNAVAILABLE => bail!("the edge answered 503: no store took the event in time"),
        status => bail!("the edge answered {status}, which its sender counts as a failure"),
    }
    let answer: Value =
        response.json().await.map_err(reqwest::Error::without_url).context("read the edge's answer")?;
    let receipt =
        answer.get("receipt").and_then(Value::as_str).context("the edge's answer has no receipt")?;
    receipt.parse().context("read the receipt")
}
