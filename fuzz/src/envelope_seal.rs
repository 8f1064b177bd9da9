//! The envelope, from its parts: any request fits in a message and comes out as it went in.

use derive_arbitrary::Arbitrary;
use tidegate_envelope::limit::{BODY_INLINE_BYTES_MAX, HEADERS_MAX, MESSAGE_BYTES_MAX};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName, Unsealed, VaultBody};

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    received_at_ms: u64,
    random: u128,
    source: &'a str,
    profile: Option<&'a str>,
    method: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    content_type: Option<&'a str>,
    vault: Option<(u64, Option<u64>, bool)>,
    body: &'a [u8],
}

/// Takes the parts of a request.
///
/// # Panics
/// When a request does not fit in a message or comes out as another one.
pub fn check(bytes: &[u8]) {
    let Some(request) = crate::made_of::<Request<'_>>(bytes) else { return };
    let usual = SourceName::new("amj").expect("a valid name");
    let source = SourceName::new(request.source).unwrap_or(usual);
    // A profile's name is one of ten: only the sender's own words are cut.
    let profile =
        request.profile.filter(|name| name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase()));
    let unsealed = Unsealed {
        receipt: Receipt::new(request.received_at_ms & ((1 << 48) - 1), request.random),
        source: &source,
        profile,
        method: request.method,
        headers: &request.headers,
        content_type: request.content_type,
    };
    let sha256 = Digest::of(request.body);
    let (sealed, body) = match request.vault {
        Some((bytes, total_bytes, truncated)) => {
            let vault = VaultBody { bytes, total_bytes, truncated };
            (unsealed.seal_reference(vault, sha256), Body::Vault(vault))
        }
        None => (unsealed.seal(request.body), Body::Inline(request.body.to_vec())),
    };
    let Ok(sealed) = sealed else {
        assert!(request.body.len() > BODY_INLINE_BYTES_MAX, "only a large body is refused");
        return;
    };
    assert!(sealed.len() <= MESSAGE_BYTES_MAX, "{} bytes are no message", sealed.len());
    let opened = Envelope::open(&sealed).expect("what was sealed can be opened");
    assert_eq!(opened.receipt, unsealed.receipt);
    assert_eq!(opened.received_at_ms, unsealed.receipt.timestamp_ms());
    assert_eq!(opened.source, source);
    assert_eq!(opened.profile.as_deref(), profile);
    assert_eq!((opened.sha256, &opened.body), (sha256, &body));
    assert!(request.method.starts_with(&opened.method));
    assert_eq!(opened.headers.len(), request.headers.len().min(HEADERS_MAX));
    for (kept, (name, value)) in opened.headers.iter().zip(&request.headers) {
        assert!(name.starts_with(&kept.0) && value.starts_with(&kept.1), "{kept:?} of {name}: {value}");
    }
    assert_eq!(opened.content_type.is_some(), request.content_type.is_some());
}
