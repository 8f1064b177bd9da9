//! What an operator has besides the host: alerts of its own state, `doctor`, `backup` and `restore`, `top`, the units,
//! the manifests.

mod alert;
mod doctor;
mod file;
mod kubernetes;
mod unit;

use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::Path;
use tidegate_tests::receiver::{Notice, Receiver};
use tidegate_tests::system::Dev;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A `tidegate dev` that tells this receiver, and looks how it is all the time.
async fn told(dir: &Path, receiver: &Receiver, more: &[(&str, &str)]) -> anyhow::Result<Dev> {
    let url = receiver.url("/alerts");
    let env = [
        ("TIDEGATE_ALERTS_URL", url.as_str()),
        ("TIDEGATE_ALERTS_SECRET", SECRET),
        ("TIDEGATE_ALERTS_LOOK_MS", "100"),
        ("TIDEGATE_ALERTS_DISK_PERCENT_MAX", "0"),
    ];
    Dev::start_with(dir, &[&env[..], more].concat()).await
}

/// Verifies a notice with the library of Standard Webhooks, and gives what it says.
fn verified(notice: &Notice) -> anyhow::Result<Value> {
    let webhook = standardwebhooks::Webhook::new(SECRET).context("read the secret")?;
    webhook.verify(&notice.body, &notice.headers).context("verify an alert")?;
    serde_json::from_slice(&notice.body).context("read an alert")
}

/// The types of what came, in order.
fn kinds(notices: &[Notice]) -> anyhow::Result<Vec<String>> {
    notices.iter().map(|it| Ok(verified(it)?["type"].as_str().unwrap_or_default().to_owned())).collect()
}

/// Puts something into a host's queue that is no event: it is parked.
async fn stray(dev: &Dev, text: &str) -> anyhow::Result<()> {
    let body = json!({ "body": text, "content_type": "text" });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let sent = client.post(dev.queue("/messages")).bearer_auth(dev.ready("queue_token")).json(&body);
    sent.send().await?.error_for_status()?;
    Ok(())
}
