//! The signatures: any request is judged, and none that its sender did not sign is taken for the sender's. Starts from the
//! signed requests among the profiles' vectors and changes them.

mod signed;

use derive_arbitrary::Arbitrary;
use signed::{Signed, signed};
use tidegate_source::{Judgement, TOPIC_BYTES_MAX, profile};

/// Characters of the shortest signature, as text: SHA-1 in base64 without its padding.
const SIGNATURE_CHARS_MIN: usize = 27;

#[derive(Arbitrary, Debug)]
struct Forgery<'a> {
    of: u16,
    changes: Vec<Change<'a>>,
}

/// What is done to a signed request.
#[derive(Arbitrary, Debug)]
enum Change<'a> {
    BodyBit(u32),
    Body(&'a [u8]),
    HeaderBit { header: u8, bit: u16 },
    Header { header: u8, value: &'a str },
    WithoutHeader(u8),
    Time(u64),
    Method(&'a str),
}

/// Takes changes to a signed request.
///
/// # Panics
/// When a request is taken for the sender's that it did not sign.
pub fn check(bytes: &[u8]) {
    let Some(forgery) = crate::made_of::<Forgery<'_>>(bytes) else { return };
    let all = signed();
    let original = all.iter().cycle().nth(usize::from(forgery.of) % all.len()).expect("there are some");
    let mut request = original.request.clone();
    for change in &forgery.changes {
        change.apply(&mut request);
    }
    let judgement = original.judge(&request);
    assert!(request != original.request || judgement == Judgement::Event, "{}: signed", original.name);
    let of_same_sender: Vec<_> = all.iter().filter(|other| other.profile == original.profile).collect();
    let is_known_body = of_same_sender.iter().any(|other| other.request.body == request.body);
    let is_known_signature = signatures(&request.headers).any(|text| {
        of_same_sender
            .iter()
            .any(|other| signatures(&other.request.headers).any(|known| is_same(known, text)))
    });
    if !is_known_body || !is_known_signature {
        let is_forged = matches!(judgement, Judgement::Forged(_));
        assert!(is_forged, "{}: {request:?} is taken for signed: {judgement:?}", original.name);
    }
    topics(&request);
}

/// Any profile's word of what a request is about is bounded.
fn topics(request: &signed::Request) {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for profile in profile::all() {
        let topic = profile.topic(&headers, &request.body);
        for text in [topic.kind, topic.subject].into_iter().flatten() {
            assert!((1..=TOPIC_BYTES_MAX).contains(&text.len()), "{}: {text}", profile.name());
        }
    }
}

impl Change<'_> {
    fn apply(&self, request: &mut signed::Request) {
        match *self {
            Self::BodyBit(bit) => flip(&mut request.body, bit),
            Self::Body(bytes) => request.body = bytes.to_vec(),
            Self::HeaderBit { header, bit } => {
                if let Some((_, value)) = chosen(&mut request.headers, header) {
                    let mut bytes = value.clone().into_bytes();
                    flip(&mut bytes, u32::from(bit));
                    *value = String::from_utf8_lossy(&bytes).into_owned();
                }
            }
            Self::Header { header, value } => {
                if let Some((_, old)) = chosen(&mut request.headers, header) {
                    *old = value.to_owned();
                }
            }
            Self::WithoutHeader(header) => {
                if !request.headers.is_empty() {
                    request.headers.remove(usize::from(header) % request.headers.len());
                }
            }
            Self::Time(now_s) => request.now_s = now_s,
            Self::Method(method) => request.method = method.to_owned(),
        }
    }
}

fn chosen(headers: &mut [(String, String)], number: u8) -> Option<&mut (String, String)> {
    let number = usize::from(number).checked_rem(headers.len())?;
    headers.get_mut(number)
}

/// Flips one bit, where there is any.
fn flip(bytes: &mut [u8], bit: u32) {
    let place = usize::try_from(bit / 8).unwrap_or_default().checked_rem(bytes.len());
    if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
        *byte ^= 1 << (bit % 8);
    }
}

/// All in these headers that is long enough to be a signature.
fn signatures(headers: &[(String, String)]) -> impl Iterator<Item = &str> {
    let parts = headers.iter().flat_map(|(_, value)| value.split([',', ' ', '=', ';']));
    parts.filter(|part| part.len() >= SIGNATURE_CHARS_MIN)
}

/// Hexadecimal digits are of either case, base64 is not.
fn is_same(one: &str, other: &str) -> bool {
    let is_hex = one.bytes().all(|byte| byte.is_ascii_hexdigit());
    one == other || (is_hex && one.eq_ignore_ascii_case(other))
}

impl Signed {
    fn judge(&self, request: &signed::Request) -> Judgement {
        let source = self.sources.iter().next().expect("one source");
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        source.judge(&tidegate_source::Request {
            method: &request.method,
            headers: &headers,
            body: &request.body,
            now_s: request.now_s,
        })
    }
}
