//! `tidegate parked show`: everything about one thing that is parked.

use crate::command::events::timeline;
use tidegate::admin::client::Client;
use tidegate::store::parked::{ParkedDetail, ParkedId};

/// Characters of a stray's text that people are shown.
const BODY_CHARS_MAX: usize = 4_000;

pub(super) async fn run(client: &Client, id: &ParkedId, json: bool) -> anyhow::Result<()> {
    let detail: ParkedDetail = client.get(&format!("/api/v1/parked/of/{id}")).await?;
    if json {
        return crate::command::print_json([&detail]);
    }
    crate::command::print(&text(&detail))
}

fn text(detail: &ParkedDetail) -> String {
    let ParkedDetail { id, state, why, event, request, body, interventions } = detail;
    let mut text = format!("{id}: {state}\n");
    if let Some(why) = why {
        text.push_str(&format!("why: {why}\n"));
    }
    if let (ParkedId::Plan(_, plugin), Some(event)) = (id, event)
        && let Some(plan) = event.plans.iter().find(|plan| plan.plugin == *plugin)
    {
        text.push_str(&format!("plugin: {plugin} version {}\n", plan.version.as_str()));
    }
    if let Some(request) = request {
        text.push_str(&format!("\n{} {}\n", request.method, request.url));
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        match request.body_bytes {
            Some(bytes) => text.push_str(&format!("({bytes} bytes of body)\n")),
            None => text.push_str("(no body)\n"),
        }
    }
    if let Some(event) = event {
        text.push('\n');
        text.push_str(&timeline(event));
    }
    for it in interventions {
        let reason = it.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        text.push_str(&format!("{} {} by a person{reason}\n", crate::command::time(it.at_ms), it.action));
    }
    if let Some(body) = body {
        let shown: String = body.chars().take(BODY_CHARS_MAX).collect();
        let more = if shown.len() < body.len() { "\n(the rest: --json)" } else { "" };
        text.push_str(&format!("\n{shown}{more}\n"));
    }
    text
}
