//! The queue: whether it lets this host in, and whether its consumer is set so that nothing is lost. Asks Cloudflare's REST
//! API, or whatever speaks it.

use super::finding::Finding;
use super::{Patient, distant};
use serde_json::Value;
use std::sync::Arc;
use tidegate::queue::rest::{RestQueue, RestQueueConfig, Token};
use url::Url;

const CHECK: &str = "queue";
/// What a consumer must be set to: more attempts than Cloudflare gives there are none, and what has none left is deleted.
const RETRIES: u64 = 100;
/// How long messages should be kept at least: the four days that are usual, in seconds; and what is far too little.
const RETENTION_S_WARNING: u64 = 345_600;
const RETENTION_S_PROBLEM: u64 = 3_600;

pub(super) async fn check(patient: Arc<Patient>) -> Vec<Finding> {
    let queue = &patient.config.queue;
    if queue.account_id.is_empty() || queue.queue_id.is_empty() {
        if patient.dev.is_some() {
            let what =
                "`tidegate dev` brings its own; `tidegate run` takes queue.account_id and queue.queue_id";
            return vec![Finding::ok(CHECK, what)];
        }
        let fix = "Set queue.account_id and queue.queue_id in tidegate.toml; `npx wrangler queues list` shows the id";
        return vec![Finding::problem(CHECK, "tidegate.toml does not say which queue to pull from", fix)];
    }
    let Some(token) = Patient::secret("TIDEGATE_QUEUE_TOKEN") else {
        let fix = "export TIDEGATE_QUEUE_TOKEN=...   # an API token that may edit queues";
        return vec![Finding::problem(CHECK, "TIDEGATE_QUEUE_TOKEN is not set here", fix)];
    };
    let base = match Url::parse(&queue.base_url) {
        Ok(base) => base,
        Err(error) => {
            return vec![Finding::problem(
                CHECK,
                format!("queue.base_url is no URL: {error}"),
                "Leave queue.base_url out for Cloudflare",
            )];
        }
    };
    if let Some(finding) = distant::name(CHECK, &base).await {
        return vec![finding];
    }
    let mut findings = Vec::new();
    for id in std::iter::once(&queue.queue_id).chain(&queue.more_queue_ids) {
        findings.extend(one(&patient, &base, &token, id).await);
    }
    findings
}

/// One queue, under its id.
async fn one(patient: &Patient, base: &Url, token: &str, id: &str) -> Vec<Finding> {
    let config = &patient.config.queue;
    // What the host itself would refuse to start with.
    if let Err(error) = RestQueue::new(RestQueueConfig {
        base_url: config.base_url.clone(),
        account_id: config.account_id.clone(),
        queue_id: id.to_owned(),
        token: Token::new(token),
        visibility_timeout_ms: config.visibility_timeout_ms,
        batch_max: config.batch_max,
    }) {
        return vec![Finding::problem(
            CHECK,
            format!("{error:#}"),
            "Every key with its meaning: tidegate config",
        )];
    }
    let path =
        format!("{}/accounts/{}/queues/{id}", config.base_url.trim_end_matches('/'), config.account_id);
    let mut findings = Vec::new();
    let (status, answer) = match ask(base, &path, token, patient, &mut findings).await {
        Ok(answer) => answer,
        Err(finding) => return vec![finding],
    };
    if let Some(refused) = refusal(status, &answer, id) {
        findings.push(refused);
        return findings;
    }
    let consumers = ask(base, &format!("{path}/consumers"), token, patient, &mut Vec::new()).await;
    let consumers = consumers.map(|(_, answer)| answer["result"].clone()).unwrap_or_default();
    findings.extend(judge(&answer["result"], &consumers));
    findings
}

/// An answer, with its status. What its clock says goes to `findings`.
async fn ask(
    base: &Url,
    url: &str,
    token: &str,
    patient: &Patient,
    findings: &mut Vec<Finding>,
) -> Result<(u16, Value), Finding> {
    let unanswered = |error| distant::unanswered(CHECK, base, error);
    let client = distant::client(base).map_err(unanswered)?;
    let response = client.get(url).bearer_auth(token.trim()).send().await.map_err(unanswered)?;
    findings.extend(distant::clock("queue", response.headers(), (patient.now_ms)()));
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(unanswered)?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

/// What it means that the queue said no; `None` when it did not.
fn refusal(status: u16, answer: &Value, id: &str) -> Option<Finding> {
    let said = answer["errors"][0]["message"].as_str().unwrap_or("no reason");
    let refused = format!("the queue {id} refused with {status}: {said}");
    Some(match status {
        200 if answer["result"].is_object() => return None,
        200 => Finding::problem(
            CHECK,
            "what answers is not a queue's API",
            "Leave queue.base_url out for Cloudflare; for `tidegate queue serve` it is the REST address it printed",
        ),
        401 | 403 => Finding::problem(
            CHECK,
            refused,
            "export TIDEGATE_QUEUE_TOKEN=...   # of this account, not expired, with Queues: Edit (read and write)",
        ),
        400 | 404 => Finding::problem(
            CHECK,
            refused,
            "Compare queue.queue_id (an id, not a name): npx wrangler queues list",
        ),
        _ => Finding::problem(
            CHECK,
            refused,
            "Try again in a minute; if it stays so: https://www.cloudflarestatus.com",
        ),
    })
}

/// What is wrong with a queue and its consumers, as the API shows them. Pure.
fn judge(queue: &Value, consumers: &Value) -> Vec<Finding> {
    let name = queue["queue_name"].as_str().unwrap_or("NAME");
    let mut findings = settings(queue, name);
    let listed = consumers.as_array().or_else(|| queue["consumers"].as_array());
    let listed = listed.map(Vec::as_slice).unwrap_or_default();
    let add = format!("npx wrangler queues consumer http add {name} --message-retries {RETRIES}");
    let Some(consumer) = listed.iter().find(|consumer| consumer["type"] == "http_pull") else {
        let (what, fix) = match listed.first() {
            None => (format!("the queue {name} has no consumer: nobody may pull from it"), add),
            Some(_) => (
                format!(
                    "the queue {name} has a consumer that is a Worker: it takes what this host should pull"
                ),
                format!("npx wrangler queues consumer worker remove {name} SCRIPT && {add}"),
            ),
        };
        findings.push(Finding::problem(CHECK, what, fix));
        return findings;
    };
    let anew = format!("npx wrangler queues consumer http remove {name} && {add}");
    let settings = &consumer["settings"];
    match settings["max_retries"].as_u64() {
        Some(RETRIES) => findings.push(Finding::ok(CHECK, format!("{name}: pulled over HTTP, {RETRIES} retries"))),
        Some(retries) => findings.push(Finding::problem(
            CHECK,
            format!("{name} gives up a message after {retries} retries: while the host is away it is deleted unseen"),
            anew.clone(),
        )),
        None => findings.push(Finding::warning(CHECK, format!("{name} does not say its max_retries"), anew.clone())),
    }
    if let Some(dead) = consumer["dead_letter_queue"].as_str().filter(|dead| !dead.is_empty()) {
        let what = format!("{name} puts what it gives up into {dead}, which no host pulls from");
        findings.push(Finding::warning(CHECK, what, anew));
    }
    findings
}

/// The settings of the queue itself.
fn settings(queue: &Value, name: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let settings = &queue["settings"];
    if settings["delivery_paused"] == true {
        let fix = format!("npx wrangler queues resume-delivery {name}");
        findings.push(Finding::problem(CHECK, format!("{name} is paused: it gives nothing out"), fix));
    }
    if let Some(kept_s) = settings["message_retention_period"].as_u64() {
        let what = format!(
            "{name} keeps a message for {} h: a host that is away for longer loses it",
            kept_s / 3_600
        );
        let fix = format!("npx wrangler queues update {name} --message-retention-period-secs 1209600");
        match kept_s {
            0..RETENTION_S_PROBLEM => findings.push(Finding::problem(CHECK, what, fix)),
            RETENTION_S_PROBLEM..RETENTION_S_WARNING => findings.push(Finding::warning(CHECK, what, fix)),
            _ => findings
                .push(Finding::ok(CHECK, format!("{name} keeps a message for {} days", kept_s / 86_400))),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_that_loses_events_is_found() {
        let pull = |retries| json!([{ "type": "http_pull", "settings": { "max_retries": retries }, "dead_letter_queue": "" }]);
        for (settings, consumers, level, words) in [
            (json!({ "message_retention_period": 345_600 }), pull(100), Level::Ok, "100 retries"),
            (json!({}), pull(3), Level::Problem, "after 3 retries"),
            (json!({}), json!([]), Level::Problem, "no consumer"),
            (json!({}), json!([{ "type": "worker" }]), Level::Problem, "is a Worker"),
            (json!({ "delivery_paused": true }), pull(100), Level::Problem, "paused"),
            (json!({ "message_retention_period": 86_400 }), pull(100), Level::Warning, "for 24 h"),
            (json!({ "message_retention_period": 60 }), pull(100), Level::Problem, "for 0 h"),
            (
                json!({}),
                json!([{ "type": "http_pull", "settings": { "max_retries": 100 }, "dead_letter_queue": "dead" }]),
                Level::Warning,
                "into dead",
            ),
        ] {
            let found = judge(&json!({ "queue_name": "q", "settings": settings }), &consumers);
            let finding = found.iter().find(|finding| finding.what.contains(words));
            let finding = finding.unwrap_or_else(|| panic!("`{words}` in {found:?}"));
            assert_eq!(finding.level, level, "{finding:?}");
            assert_eq!(finding.fix.is_none(), level == Level::Ok, "{finding:?}");
        }
    }
}
