//! The host that should work here, and whoever it tells.

use super::finding::Finding;
use super::{Patient, distant};
use serde_json::Value;
use std::sync::Arc;
use tidegate::admin::client::{Address, Client};
use tidegate::alert::sender::Target;
use tidegate::store::sqlite::inspect::SCHEMA;
use url::Url;

pub(super) async fn check(patient: Arc<Patient>) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let mut findings = vec![Finding::ok(
        "versions",
        format!("tidegate {own}, {}, store schema {}", tidegate::sandbox::RUNTIME, SCHEMA),
    )];
    let start = "systemctl start tidegate   # or: tidegate run";
    let Ok(address) = Address::read(&patient.data) else {
        let what = format!("no host has worked in {} yet", patient.data.display());
        findings.push(Finding::warning("host", what, start));
        return findings;
    };
    let asked = async {
        let client = Client::new(address, None)?;
        let health: Value = client.get("/healthz").await?;
        client.get::<Value>("/api/v1/stats").await?;
        anyhow::Ok(health)
    };
    findings.push(match asked.await {
        Err(error) => Finding::warning("host", format!("no host is at work here: {error:#}"), start),
        Ok(health) if health["version"] != own => Finding::warning(
            "host",
            format!("the host at work has version {}, this command {own}", health["version"]),
            "systemctl restart tidegate",
        ),
        Ok(_) => Finding::ok("host", "a host is at work and answers"),
    });
    findings
}

/// Whether anybody is told. Nothing is sent: that is `tidegate alert test`.
pub(super) async fn alerts(patient: Arc<Patient>) -> Vec<Finding> {
    const CHECK: &str = "alerts";
    let configured = &patient.config.alerts.url;
    if configured.is_empty() {
        let what = "alerts.url is not set: nobody is told when a sender is about to stop";
        return vec![Finding::warning(
            CHECK,
            what,
            "Set alerts.url in tidegate.toml, then: tidegate alert test",
        )];
    }
    let secret = Patient::secret("TIDEGATE_ALERTS_SECRET");
    let (url, target) = (Url::parse(configured), Target::new(configured, secret.as_deref()));
    let (Ok(mut url), Ok(_)) = (url, &target) else {
        let why =
            target.err().map_or_else(|| "alerts.url is no URL".to_owned(), |error| format!("{error:#}"));
        return vec![Finding::problem(CHECK, why, "echo whsec_$(head -c 24 /dev/urandom | base64)")];
    };
    if let Some(finding) = distant::name(CHECK, &url).await {
        return vec![finding];
    }
    // The origin alone: the rest may be secret, and to ask for it may mean something.
    url.set_path("/");
    url.set_query(None);
    let asked = async { distant::client(&url)?.head(url.clone()).send().await };
    vec![match asked.await {
        Err(error) => distant::unanswered(CHECK, &url, error),
        Ok(_) => Finding::ok(CHECK, "who is told can be reached; see it arrive: tidegate alert test"),
    }]
}
