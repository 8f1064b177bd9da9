//! The sources' configuration: any text is some, or faults that hold no secret.

use tidegate_source::Sources;
use tidegate_source::profile::{Judgement, Request};

/// Takes the text of the sources.
///
/// # Panics
/// When a source that signs takes an empty request.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let sources = match Sources::parse(text) {
        Ok(sources) => sources,
        Err(fault) => return drop(fault.to_string()),
    };
    for fault in sources.faults() {
        drop(fault.to_string());
    }
    let nothing = Request { method: "POST", headers: &[], body: &[], now_s: 0 };
    for source in sources.iter() {
        assert!(source.tokens > 0, "{source:?} has a token");
        if source.reads_body() {
            assert!(matches!(source.judge(&nothing), Judgement::Forged(_)), "{source:?} takes anything");
        }
    }
    assert!(sources.find("").is_none() && sources.find("amj/").is_none(), "no token is not a token");
}
