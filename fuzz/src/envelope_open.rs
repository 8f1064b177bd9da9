//! The envelope, from its text: what is read as one is the same when it is sealed and read again.

use tidegate::read::{self, Opened};
use tidegate_envelope::{Body, Digest, Envelope, Header, Unsealed};

/// Takes the text of a message.
///
/// # Panics
/// When an envelope loses something on its way.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let envelope = match Envelope::open(text) {
        Ok(envelope) => envelope,
        Err(error) => return drop(error.to_string()),
    };
    if let Body::Inline(body) = &envelope.body {
        assert_eq!(Digest::of(body), envelope.sha256, "a damaged body is not let in");
    }
    let Some(sealed) = seal(&envelope) else { return };
    let again = Envelope::open(&sealed).expect("what was sealed can be opened");
    assert_eq!(again.receipt, envelope.receipt);
    assert_eq!(again.source, envelope.source);
    assert_eq!(again.profile, envelope.profile);
    assert_eq!(again.sha256, envelope.sha256);
    assert_eq!(again.body, envelope.body);
    assert_eq!(seal(&again).as_ref(), Some(&sealed), "what was cut once is not cut again");
    match (&again.body, read::read(envelope)) {
        (Body::Inline(body), Opened::Event(event)) => assert_eq!(&event.body, body),
        (Body::Vault(_), Opened::Elsewhere(_)) => {}
        (body, opened) => panic!("{body:?} was read as {opened:?}"),
    }
}

/// The envelope's text; `None` when its body is larger than the edge puts in one.
fn seal(envelope: &Envelope) -> Option<String> {
    let headers: Vec<_> =
        envelope.headers.iter().map(|Header(name, value)| (name.as_str(), value.as_str())).collect();
    let unsealed = Unsealed {
        receipt: envelope.receipt,
        source: &envelope.source,
        profile: envelope.profile.as_deref(),
        method: &envelope.method,
        headers: &headers,
        content_type: envelope.content_type.as_deref(),
    };
    match &envelope.body {
        Body::Inline(body) => unsealed.seal(body).ok(),
        Body::Vault(vault) => unsealed.seal_reference(*vault, envelope.sha256).ok(),
    }
}
