//! Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
//! notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

use serde::Serialize;
use tidegate_plugin::{Decision, Event, Http, Refusal, park};

fn main() {
    tidegate_plugin::run(handle);
}

/// What is posted. The order of the fields is the order in the JSON.
#[derive(Serialize)]
struct Notice<'a> {
    text: String,
    asset: &'a str,
    receipt: &'a str,
}

/// An event in, a list of decisions out, or the refusal.
fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
    let Some(asset) = event.asset.as_ref().filter(|_| event.kind == "asset.update") else {
        return Ok(Vec::new());
    };
    let Some(loanee) = asset.loanee_name() else {
        return Ok(Vec::new());
    };
    let url = event
        .setting("notice_url")
        .ok_or_else(|| park("the setting `notice_url` is missing: say where notices go"))?;
    let notice = Notice {
        text: format!("{} is on loan to {loanee}", asset.title()),
        asset: asset.id.as_deref().unwrap_or(&event.subject),
        receipt: &event.receipt,
    };
    let notice = serde_json::to_string(&notice).map_err(|error| park(error.to_string()))?;
    Ok(vec![Http::post(url).json(notice).into()])
}
