//! The edge: whether it answers, knows our token, and has all of its sources live.

use super::finding::Finding;
use super::{Patient, distant};
use std::sync::Arc;
use tidegate::edge::EdgeClient;
use url::Url;

const CHECK: &str = "edge";

pub(super) async fn check(patient: Arc<Patient>) -> Vec<Finding> {
    let (configured, token) = match place(&patient) {
        Ok(place) => place,
        Err(finding) => return vec![finding],
    };
    let (url, client) = match (Url::parse(&configured), EdgeClient::new(&configured, &token)) {
        (Ok(url), Ok(client)) => (url, client),
        (_, Err(error)) => {
            return vec![Finding::problem(CHECK, format!("{error:#}"), "Mend edge.url in tidegate.toml")];
        }
        (Err(error), _) => {
            return vec![Finding::problem(CHECK, format!("edge.url: {error}"), "Mend it in tidegate.toml")];
        }
    };
    if let Some(finding) = distant::name(CHECK, &url).await {
        return vec![finding];
    }
    let mut findings = match clock(&patient, &url).await {
        Ok(found) => found,
        Err(error) => return vec![distant::unanswered(CHECK, &url, error)],
    };
    match client.status().await {
        Err(error) => {
            let fix = "npx wrangler secret put HOST_TOKEN   # with the value of TIDEGATE_EDGE_TOKEN";
            findings.push(Finding::problem(CHECK, format!("{error:#}"), fix));
        }
        Ok(status) => {
            let live = status.sources.len();
            findings.push(match live {
                0 => Finding::problem(
                    CHECK,
                    "the edge has no source that is live",
                    "npx wrangler secret put SOURCES",
                ),
                _ => Finding::ok(CHECK, format!("the edge answers, and has {live} sources live")),
            });
            findings.extend(status.faults.iter().map(|fault| {
                let fix = "tidegate source check --file SOURCES.json && npx wrangler secret put SOURCES < SOURCES.json";
                Finding::problem(CHECK, format!("a source is not live at the edge: {fault}"), fix)
            }));
        }
    }
    findings
}

/// Where it is, and the token that it knows the host by.
fn place(patient: &Patient) -> Result<(String, String), Finding> {
    let configured = &patient.config.edge.url;
    if !configured.is_empty() {
        let token = Patient::secret("TIDEGATE_EDGE_TOKEN").ok_or_else(|| {
            let fix =
                "export TIDEGATE_EDGE_TOKEN=...   # what `npx wrangler secret put HOST_TOKEN` was given";
            Finding::problem(CHECK, "TIDEGATE_EDGE_TOKEN is not set here", fix)
        })?;
        return Ok((configured.clone(), token));
    }
    patient.dev.clone().ok_or_else(|| {
        let what = "edge.url is not set: nobody tells when a sender is about to stop, and large bodies wait";
        Finding::warning(CHECK, what, "Set edge.url in tidegate.toml to the Worker's URL")
    })
}

/// Asks for what needs no token, for the sake of the time it is answered at.
async fn clock(patient: &Patient, url: &Url) -> reqwest::Result<Vec<Finding>> {
    let response = distant::client(url)?.get(url.clone()).send().await?;
    Ok(distant::clock("edge", response.headers(), (patient.now_ms)()).into_iter().collect())
}
