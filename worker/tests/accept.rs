//! What the edge does with a request: tables of cases, and any bytes at all.

use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;
use tidegate_envelope::{Body as Kept, Envelope, Receipt};
use tidegate_source::Sources;
use tidegate_worker::accept::{Arrival, Body, Verdict, accept, headers_wanted};
use tidegate_worker::answer::{Answer, Status};
use tidegate_worker::head::Head;

const LIVE: &str = "/in/amj/correct-horse-battery";
const NOW_MS: u64 = 1_795_000_000_123;

fn sources() -> Sources {
    Sources::parse(
        r#"{"amj":["correct-horse-battery","previous-horse-battery"],"other":["other-horse-battery"]}"#,
    )
    .expect("the test's sources are right")
}

fn judge(method: &str, path: &str, body: Body<'_>) -> Verdict {
    let head = format!("{method}\nhttps://events.example{path}\ncontent-type:text/plain");
    accept(&sources(), &Arrival { head: Head::read(&head), body, now_ms: NOW_MS, random: 7 })
}

fn is_accepted(path: &str) -> bool {
    matches!(judge("POST", path, Body::Whole(b"{}")), Verdict::Accepted { .. })
}

#[test]
fn every_method_on_a_live_url_is_accepted() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let Verdict::Accepted { receipt, message } = judge(method, LIVE, Body::Whole(b"")) else {
            panic!("{method} was refused");
        };
        let envelope = Envelope::open(&message).expect("the edge's own envelope opens");
        assert_eq!((envelope.receipt, envelope.method.as_str()), (receipt, method));
    }
}

#[test]
fn the_message_carries_the_request_and_nothing_secret() {
    let head = format!(
        "POST\nhttps://events.example{LIVE}?a=b\ncontent-type:application/json\nuser-agent:amj/1\ncookie:secret"
    );
    let arrival =
        Arrival { head: Head::read(&head), body: Body::Whole(b"\xff\x00"), now_ms: NOW_MS, random: 7 };
    let Verdict::Accepted { receipt, message } = accept(&sources(), &arrival) else {
        panic!("a live URL with a query was refused");
    };
    assert!(!message.contains("correct-horse") && !message.contains("secret"), "{message}");
    let envelope = Envelope::open(&message).expect("the edge's own envelope opens");
    assert_eq!(receipt, Receipt::new(NOW_MS, 7));
    assert_eq!(envelope.received_at_ms, NOW_MS);
    assert_eq!(envelope.source.as_str(), "amj");
    assert_eq!(envelope.content_type.as_deref(), Some("application/json"));
    assert_eq!(envelope.body, Kept::Inline(b"\xff\x00".to_vec()));
    assert_eq!(envelope.headers.len(), 1, "{:?}", envelope.headers);
}

#[test]
fn only_the_exact_url_is_live() {
    for path in [
        LIVE,
        "/in/amj/previous-horse-battery",
        "/in/other/other-horse-battery",
        "/in/amj/correct-horse-battery?query=x",
        "/in/amj/correct-horse-battery#fragment",
    ] {
        assert!(is_accepted(path), "{path}");
    }
    let long = format!("/in/amj/{}", "a".repeat(1 << 20));
    for path in [
        "",
        "/",
        "/in",
        "/in/",
        "/in/amj",
        "/in/amj/",
        "/in//correct-horse-battery",
        "//in/amj/correct-horse-battery",
        "/in//amj/correct-horse-battery",
        "/in/amj//correct-horse-battery",
        "/in/amj/correct-horse-battery/",
        "/in/amj/correct-horse-battery/x",
        "/in/amj/correct-horse-batter",
        "/in/amj/correct-horse-batteryy",
        "/in/amj/orrect-horse-battery",
        "/in/amj/CORRECT-horse-battery",
        "/in/amj/correct-horse-battery%00",
        "/in/amj/correct-horse-battery%2f",
        "/in/%61mj/correct-horse-battery",
        "/IN/amj/correct-horse-battery",
        "/in/amj/../amj/correct-horse-battery",
        "/in/amj/other-horse-battery",
        "/in/other/correct-horse-battery",
        "/in/amj\u{0}/correct-horse-battery",
        "/in/ämj/correct-horse-battery",
        "/in/nobody/correct-horse-battery",
        "/in/amj?/correct-horse-battery",
        "/healthz/",
        "/healthz2",
        &long,
    ] {
        assert_eq!(judge("POST", path, Body::Whole(b"{}")), Verdict::NotFound, "{path:.60}");
    }
}

#[test]
fn no_head_makes_it_panic() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let text: String = (0..random.below(40))
            .map(|_| ['\n', '/', ':', '?', '#', 'i', 'n', 'ä', '\u{0}', '%', '\u{1F600}'][random.below(11)])
            .collect();
        let arrival =
            Arrival { head: Head::read(&text), body: Body::Whole(b""), now_ms: u64::MAX, random: u128::MAX };
        assert_eq!(accept(&sources(), &arrival), Verdict::NotFound, "{text:?}");
    }
}

#[test]
fn a_body_over_the_limit_is_never_half_kept() {
    let body = vec![b'x'; BODY_INLINE_BYTES_MAX + 1];
    assert!(matches!(judge("POST", LIVE, Body::Whole(&body[1..])), Verdict::Accepted { .. }));
    assert_eq!(judge("POST", LIVE, Body::Whole(&body)), Verdict::TooLarge);
    assert_eq!(judge("POST", LIVE, Body::OverLimit), Verdict::TooLarge);
    // Whoever does not know the token does not learn the limit either.
    assert_eq!(judge("POST", "/in/amj/wrong-horse-battery", Body::OverLimit), Verdict::NotFound);
}

#[test]
fn health_is_asked_by_any_method() {
    assert_eq!(judge("GET", "/healthz", Body::Whole(b"")), Verdict::Health);
    assert_eq!(judge("HEAD", "/healthz?now", Body::Whole(b"")), Verdict::Health);
}

#[test]
fn each_verdict_has_its_answer() {
    let receipt = Receipt::new(NOW_MS, 7);
    let accepted = Answer::to(Verdict::Accepted { receipt, message: "the envelope".into() });
    assert_eq!(accepted.pack(), format!(r#"2020040{{"receipt":"{receipt}"}}the envelope"#));

    let health = Answer::to(Verdict::Health);
    assert_eq!((health.status, health.message.as_deref()), (Status::Ok, None));
    assert!(health.body.contains(env!("CARGO_PKG_VERSION")));

    let not_found = Answer::to(Verdict::NotFound);
    assert_eq!(not_found.pack(), r#"4040034{"error":"no source has this URL"}"#);

    for answer in [Answer::to(Verdict::TooLarge), Answer::undelivered(), Answer::misconfigured("x")] {
        assert_eq!((answer.status, answer.message.as_deref()), (Status::Unavailable, None));
    }
}

#[test]
fn an_answer_is_ascii_json_of_a_length_that_fits_in_four_digits() {
    let hostile = format!("quote\" backslash\\ line\n ü \u{1F600} {}", "long".repeat(10_000));
    let packed = Answer::misconfigured(&hostile).pack();
    assert!(packed.is_ascii());
    assert_eq!(packed[3..7].parse::<usize>().expect("four digits"), packed.len() - 7);
    assert!(packed[7..].starts_with(r#"{"error":""#) && packed.ends_with(r#""}"#));
    assert!(!packed[10..packed.len() - 3].contains('\\'));
}

#[test]
fn the_shell_brings_every_header_an_envelope_keeps() {
    let wanted: Vec<_> = headers_wanted().collect();
    assert!(wanted.contains(&"content-type") && wanted.contains(&"user-agent"), "{wanted:?}");
    assert!(
        wanted.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')),
        "{wanted:?}"
    );
}

/// A small generator (xorshift), so that every run tries the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit).expect("a small number")
    }
}
