//! What the edge does with a request: tables of cases, and any bytes at all.

use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;
use tidegate_envelope::{Body as Kept, Digest, Envelope, Receipt, VaultBody};
use tidegate_source::{Source, Sources};
use tidegate_worker::accept::{Arrival, Body, Verdict, accept, headers_wanted, seal, whole_bytes_max};
use tidegate_worker::head::Head;

const NOW_MS: u64 = 1_795_000_000_123;

fn sources() -> Sources {
    Sources::parse(
        r#"{"amj":["correct-horse-battery-staple"],"any":{"profile":"generic","tokens":["other-horse-battery-staple"]}}"#,
    )
    .expect("the test's sources are right")
}

fn first(sources: &Sources) -> &Source {
    sources.iter().next().expect("a source")
}

fn arrival<'a>(head: &'a str, body: Body<'a>) -> Arrival<'a> {
    Arrival { head: Head::read(head), body, now_ms: NOW_MS, random: 7 }
}

#[test]
fn every_method_is_accepted_from_a_sender_that_signs_nothing() {
    for source in sources().iter() {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", ""] {
            let Verdict::Keep { receipt, shard, message } =
                accept(source, &arrival(method, Body::Whole(b"")), 1)
            else {
                panic!("{method} was refused");
            };
            let envelope = Envelope::open(&message).expect("the edge's own envelope opens");
            assert_eq!((envelope.receipt, envelope.method.as_str(), shard), (receipt, method, 0));
            assert_eq!(envelope.profile.as_deref(), Some(source.profile.name()));
        }
    }
}

#[test]
fn the_message_carries_the_request_and_nothing_secret() {
    let head = "POST\ncontent-type:application/json\nuser-agent:amj/1\ncookie:secret";
    let sources = sources();
    let verdict = accept(first(&sources), &arrival(head, Body::Whole(b"\xff\x00")), 1);
    let Verdict::Keep { receipt, message, .. } = verdict else { panic!("refused: {verdict:?}") };
    assert!(!message.contains("secret"), "{message}");
    let envelope = Envelope::open(&message).expect("the edge's own envelope opens");
    assert_eq!(receipt, Receipt::new(NOW_MS, 7));
    assert_eq!(envelope.received_at_ms, NOW_MS);
    assert_eq!(envelope.source.as_str(), "amj");
    assert_eq!(envelope.content_type.as_deref(), Some("application/json"));
    assert_eq!(envelope.body, Kept::Inline(b"\xff\x00".to_vec()));
    assert_eq!(envelope.headers.len(), 1, "{:?}", envelope.headers);
}

#[test]
fn a_body_over_the_inline_limit_goes_to_the_vault_and_its_envelope_says_so() {
    let sources = sources();
    let source = first(&sources);
    assert_eq!(whole_bytes_max(source), BODY_INLINE_BYTES_MAX);
    let body = vec![b'x'; BODY_INLINE_BYTES_MAX + 1];
    let whole = accept(source, &arrival("POST", Body::Whole(&body[1..])), 1);
    assert!(matches!(whole, Verdict::Keep { .. }));
    let receipt = Receipt::new(NOW_MS, 7);
    assert_eq!(accept(source, &arrival("POST", Body::Whole(&body)), 1), Verdict::Vault(receipt));
    assert_eq!(accept(source, &arrival("POST", Body::Unread), 1), Verdict::Vault(receipt));

    let kept = VaultBody { bytes: 5, total_bytes: None, truncated: true };
    let head = Head::read("PUT\ncontent-type:text/plain\nuser-agent:amj/1\ncookie:secret");
    let verdict = seal(source, &head, receipt, kept, Digest::of(b"first"), 1);
    let Verdict::Keep { receipt: same, message, .. } = verdict else { panic!("refused: {verdict:?}") };
    let envelope = Envelope::open(&message).expect("the edge's own envelope opens");
    assert_eq!((same, envelope.receipt, envelope.received_at_ms), (receipt, receipt, NOW_MS));
    assert_eq!((envelope.body, envelope.sha256), (Kept::Vault(kept), Digest::of(b"first")));
    assert_eq!((envelope.method.as_str(), envelope.headers.len()), ("PUT", 1));
}

#[test]
fn what_a_profile_says_is_what_is_answered() {
    let sources = Sources::parse(
        r#"{"gh":{"profile":"github","tokens":["correct-horse-battery-staple"],"signing":{"secrets":["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]}},
            "ce":{"profile":"cloudevents","tokens":["other-horse-battery-staple"]}}"#,
    )
    .expect("the test's sources are right");
    let [github, events] = sources.iter().collect::<Vec<_>>()[..] else { panic!("two sources") };
    let said = |source, head: &str, body| match accept(source, &arrival(head, body), 1) {
        Verdict::Say(answer) => answer.status,
        Verdict::Keep { .. } => 2,
        Verdict::Vault(_) => 3,
    };
    // A signed body must be there in full; without it, it is too large.
    assert_eq!(whole_bytes_max(github), 25 << 20);
    let large = vec![b'x'; BODY_INLINE_BYTES_MAX + 1];
    // `printf '{}' | openssl dgst -sha256 -hmac 0f1e2d3c4b5a69788796a5b4c3d2e1f0`
    let mac = "16d4815d338fdf652f8825a9a8a88bd863952293107b800c520cebcfaa1faace";
    let right = format!("POST\nx-hub-signature-256:sha256={mac}");
    for (head, body, status) in [
        ("POST", Body::Whole(b"{}"), 401),
        ("POST\nx-hub-signature-256:sha256=00", Body::Whole(&large), 401),
        ("POST\nx-hub-signature-256:sha256=00", Body::Unread, 413),
        (&right, Body::Whole(b"{}"), 2),
        (&right, Body::Whole(b"{ }"), 401),
    ] {
        assert_eq!(said(github, head, body), status, "{head}");
    }
    for (head, body, verdict) in [
        ("OPTIONS\nwebhook-request-origin:x", Body::Whole(b""), 200),
        ("OPTIONS", Body::Unread, 200),
        ("POST\nce-type:x", Body::Whole(b"{}"), 2),
        ("POST\nce-type:x", Body::Unread, 3),
    ] {
        assert_eq!(said(events, head, body), verdict, "{head}");
    }
}

#[test]
fn no_head_makes_it_panic() {
    let mut random = Random(1);
    let sources = sources();
    for _ in 0..20_000 {
        let text: String = (0..random.below(40))
            .map(|_| ['\n', '/', ':', '?', '#', 'i', 'n', 'ä', '\u{0}', '%', '\u{1F600}'][random.below(11)])
            .collect();
        let arrival =
            Arrival { head: Head::read(&text), body: Body::Whole(b""), now_ms: u64::MAX, random: u128::MAX };
        let verdict = accept(first(&sources), &arrival, 10);
        assert!(matches!(verdict, Verdict::Keep { .. }), "{text:?}");
    }
}

#[test]
fn events_about_one_subject_go_to_one_queue() {
    let sources = sources();
    let shard = |random, body: &str| {
        let arrival = Arrival { random, ..arrival("POST", Body::Whole(body.as_bytes())) };
        match accept(first(&sources), &arrival, 10) {
            Verdict::Keep { shard, .. } => shard,
            verdict => panic!("{body}: {verdict:?}"),
        }
    };
    let mut used = [0; 10];
    for id in 0..1_000 {
        let home = shard(id, &format!(r#"{{"id":{id},"name":"x"}}"#));
        used[home] += 1;
        for same in [
            format!(r#"{{"event_type":"asset.update","id":"{id}"}}"#),
            format!(r#"{{"nested":{{"id":5}}, "id" : {id} }}"#),
        ] {
            assert_eq!(shard(1, &same), home, "{same}");
        }
    }
    assert!(used.iter().all(|events| (50..200).contains(events)), "uneven: {used:?}");
    // What has no subject is spread by its receipt.
    for body in ["", "[1]", "{}", "not JSON", r#"{"id":null}"#, r#"{"id":1,"id":2}"#] {
        assert!((0..20).any(|random| shard(random, body) != shard(0, body)), "{body}");
    }
}

#[test]
fn the_shell_brings_every_header_an_envelope_keeps_and_each_once() {
    for source in sources().iter() {
        let wanted = headers_wanted(source);
        for name in
            ["content-type", "user-agent"].into_iter().chain(source.profile.headers_kept().iter().copied())
        {
            assert_eq!(wanted.iter().filter(|known| *known == name).count(), 1, "{wanted:?}");
        }
        assert!(
            wanted.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')),
            "{wanted:?}"
        );
    }
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
