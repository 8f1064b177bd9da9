//! The limits hold for the worst bytes there are, and any bytes come back as they went in.

use tidegate_envelope::limit::{
    BODY_INLINE_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HEADERS_KEPT, HEADERS_MAX, MESSAGE_BYTES_MAX,
    SOURCE_NAME_BYTES_MAX,
};
use tidegate_envelope::{Body, Digest, Envelope, EnvelopeError, Receipt, SourceName, Unsealed};

/// Everything but the body at its longest: each value full of a character that JSON makes six bytes of.
fn seal_at_the_limits(body: &[u8]) -> Result<String, EnvelopeError> {
    let long = "\u{1}".repeat(HEADER_VALUE_BYTES_MAX * 4);
    // One more than is kept.
    let headers = vec![("x-webhook-of-some-length-or-other", long.as_str()); HEADERS_MAX + 1];
    Unsealed {
        receipt: Receipt::new((1 << 48) - 1, u128::MAX),
        source: &SourceName::new(&"s".repeat(SOURCE_NAME_BYTES_MAX)).expect("the longest name"),
        method: &long,
        headers: &headers,
        profile: Some("the-name-of-a-profile"),
        content_type: Some(&long),
    }
    .seal(body)
}

#[test]
fn the_largest_body_of_the_worst_bytes_fits_in_a_message() {
    for byte in 0..=u8::MAX {
        let body = vec![byte; BODY_INLINE_BYTES_MAX];
        let message = seal_at_the_limits(&body).expect("a body at the limit");
        assert!(message.len() <= MESSAGE_BYTES_MAX, "byte {byte:#04x}: {} bytes", message.len());
        assert_eq!(Envelope::open(&message).expect("it opens").body, Body::Inline(body), "byte {byte:#04x}");
    }
}

#[test]
fn a_mix_that_sits_between_the_encodings_fits_too() {
    // One escaped byte in three makes text and base64 the same length.
    for escaped_of_hundred in 0..=100 {
        let body: Vec<u8> = (0..BODY_INLINE_BYTES_MAX)
            .map(|i| if i % 100 < escaped_of_hundred { b'"' } else { b'x' })
            .collect();
        let message = seal_at_the_limits(&body).expect("a body at the limit");
        assert!(message.len() <= MESSAGE_BYTES_MAX, "{escaped_of_hundred} %: {} bytes", message.len());
    }
}

#[test]
fn a_body_one_byte_over_the_limit_is_refused() {
    let error = seal_at_the_limits(&vec![b'x'; BODY_INLINE_BYTES_MAX + 1]).expect_err("one too many");
    assert!(
        matches!(error, EnvelopeError::BodyTooLarge { body_bytes } if body_bytes == BODY_INLINE_BYTES_MAX + 1),
        "{error:?}"
    );
}

#[test]
fn a_long_header_is_cut_between_characters() {
    let long = format!("{}\u{1F600}tail", "x".repeat(HEADER_VALUE_BYTES_MAX - 2));
    let message = Unsealed {
        receipt: Receipt::new(1, 1),
        source: &SourceName::new("amj").expect("a name"),
        method: "POST",
        headers: &[("user-agent", &long)],
        profile: None,
        content_type: Some(&long),
    }
    .seal(b"")
    .expect("it fits");
    let envelope = Envelope::open(&message).expect("it opens");
    let cut = "x".repeat(HEADER_VALUE_BYTES_MAX - 2);
    assert_eq!(envelope.content_type.as_deref(), Some(cut.as_str()));
    assert_eq!(envelope.headers.first().map(|header| header.1.as_str()), Some(cut.as_str()));
}

#[test]
fn any_bytes_come_back_as_they_went_in() {
    let seed = 0x7469_6465;
    let mut random = Random(seed);
    let source = SourceName::new("amj").expect("a name");
    for round in 0..3_000 {
        let length = random.below(700);
        // A third each: any bytes, ASCII with control characters, text beyond ASCII.
        let body: Vec<u8> = match round % 3 {
            0 => (0..length).map(|_| random.byte()).collect(),
            1 => (0..length).map(|_| random.byte() & 0x7f).collect(),
            _ => (0..length).map(|_| char::from(random.byte())).collect::<String>().into_bytes(),
        };
        let headers = HEADERS_KEPT.map(|name| (name, char::from(random.byte()).to_string()));
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let receipt = Receipt::new(u64::from(random.byte()), u128::from(random.byte()));
        let unsealed = Unsealed {
            receipt,
            source: &source,
            method: "POST",
            headers: &headers,
            profile: None,
            content_type: None,
        };
        let envelope = Envelope::open(&unsealed.seal(&body).expect("it fits")).expect("it opens");
        assert_eq!(envelope.body, Body::Inline(body.clone()), "seed {seed}, round {round}");
        assert_eq!((envelope.receipt, envelope.sha256), (receipt, Digest::of(&body)));
        let kept: Vec<_> = envelope.headers.iter().map(|h| (h.0.as_str(), h.1.as_str())).collect();
        assert_eq!(kept, headers, "seed {seed}, round {round}");
    }
}

/// A small generator (xorshift), so that every run tries the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() % 256).expect("a byte")
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.next() % limit).expect("a small number")
    }
}
