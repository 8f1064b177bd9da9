//! Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
//! notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

mod bindings {
    wit_bindgen::generate!({ path: "../../wit/v1", world: "plugin" });
}

use bindings::exports::tidegate::plugin::handler::{Asset, Decision, Event, Guest, Http, NameValue, Refusal};
use serde::Serialize;

struct LoanNotice;

bindings::export!(LoanNotice with_types_in bindings);

impl Guest for LoanNotice {
    fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
        let Some((asset, loanee)) = loan(&event) else {
            return Ok(Vec::new());
        };
        let url = setting(&event, "notice_url").ok_or_else(|| {
            Refusal::Park("the setting `notice_url` is missing: say where notices go".to_owned())
        })?;
        let notice = Notice {
            text: format!("{} is on loan to {loanee}", title(asset)),
            asset: asset.id.as_deref().unwrap_or(&event.subject),
            receipt: &event.receipt,
        };
        let body = serde_json::to_vec(&notice).map_err(|error| Refusal::Park(error.to_string()))?;
        Ok(vec![post(url, body)])
    }
}

/// What is posted. The order of the fields is the order in the JSON.
#[derive(Serialize)]
struct Notice<'a> {
    text: String,
    asset: &'a str,
    receipt: &'a str,
}

/// The asset and the name of who has it, when this event says that somebody has.
fn loan(event: &Event) -> Option<(&Asset, String)> {
    if event.kind != "asset.update" {
        return None;
    }
    let asset = event.asset.as_ref()?;
    let loanee = asset.loanee.as_ref()?;
    let name = given(loanee.name.as_deref()).map(str::to_owned);
    let name = name.or_else(|| given(loanee.id.as_deref()).map(|id| format!("person {id}")))?;
    Some((asset, name))
}

/// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
fn title(asset: &Asset) -> String {
    let name = given(asset.name.as_deref()).unwrap_or("An asset");
    let kind = asset.asset_type.as_ref().and_then(|kind| given(kind.name.as_deref()));
    kind.map_or_else(|| name.to_owned(), |kind| format!("{name} ({kind})"))
}

fn setting<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let found = event.settings.iter().find(|setting| setting.name == name)?;
    given(Some(&found.value))
}

/// Text that is there and not empty.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn post(url: &str, body: Vec<u8>) -> Decision {
    Decision::Http(Http {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![NameValue { name: "content-type".to_owned(), value: "application/json".to_owned() }],
        body: Some(body),
        timeout_ms: None,
        reply_tag: None,
    })
}
