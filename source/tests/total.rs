//! What a verifier says to bytes that nobody would send: a judgement, never a panic, and not for long.

use serde_json::json;
use tidegate_source::{Judgement, Profile, Request, Source, Sources, profile};

const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const ROUNDS: usize = 3_000;

/// A source of each profile, with all the settings it takes.
fn sources() -> Sources {
    let mut entries = serde_json::Map::new();
    for profile in profile::all() {
        let mut signing = serde_json::Map::new();
        for key in profile.settings_keys() {
            let value = match *key {
                "secrets" if profile.name() == "standard-webhooks" => json!([SECRET, PUBLIC]),
                "secrets" => json!([SECRET]),
                "header" => json!("x-signature"),
                "algorithm" => json!("sha512"),
                "encoding" => json!("base64"),
                "prefix" => json!("sha512="),
                "timestamp" => json!({ "header": "x-time", "template": "{timestamp}.{body}" }),
                other => panic!("a value for `{other}`"),
            };
            signing.insert((*key).to_owned(), value);
        }
        let entry = json!({ "profile": profile.name(), "tokens": [TOKEN], "signing": signing });
        entries.insert(profile.name().to_owned(), entry);
    }
    let sources = Sources::parse(&json!(entries).to_string()).expect("sources");
    assert!(sources.faults().is_empty(), "{:?}", sources.faults());
    sources
}

/// A text of pieces that parsers trip over, and of any characters.
fn odd_text(random: &mut fastrand::Rng) -> String {
    const PIECES: [&str; 32] = [
        "",
        "sha256=",
        "sha512=",
        "v0=",
        "v1=",
        "v1,",
        "v1a,",
        "t=",
        ",",
        " ",
        "=",
        ";",
        "NaN",
        "-1",
        "+1",
        "1e9",
        "inf",
        "1764000000",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "0x10",
        "é",
        "\u{0}",
        "\u{202e}",
        "AAAA",
        "====",
        "whsec_",
        "{body}",
        "%",
        "\"",
        "\\",
        "z",
    ];
    let mut text = String::new();
    for _ in 0..random.usize(..12) {
        match random.u8(..4) {
            0 => text.push(random.char(..)),
            1 => text.extend((0..random.usize(..80)).map(|_| char::from(random.u8(..128)))),
            2 => text.extend((0..64).map(|_| random.digit(16))),
            _ => text.push_str(PIECES[random.usize(..PIECES.len())]),
        }
    }
    text
}

fn odd_bytes(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = vec![0; random.usize(..200)];
    random.fill(&mut bytes);
    if random.bool() { odd_text(random).into_bytes() } else { bytes }
}

/// Every header that the source reads, each with a value of its own.
fn judge(source: &Source, values: &[String], method: &str, body: &[u8], now_s: u64) -> Judgement {
    let names = source.headers_read();
    let headers: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    source.judge(&Request { method, headers: &headers, body, now_s })
}

#[test]
fn any_bytes_are_given_a_judgement_and_none_is_taken_for_the_senders() {
    let sources = sources();
    let mut random = fastrand::Rng::with_seed(4);
    for source in sources.iter() {
        for _ in 0..ROUNDS {
            let values: Vec<_> = (0..3).map(|_| odd_text(&mut random)).collect();
            let method = if random.bool() { "POST".to_owned() } else { odd_text(&mut random) };
            let body = odd_bytes(&mut random);
            let now_s = if random.bool() { 1_764_000_000 } else { random.u64(..) };
            let judgement = judge(source, &values, &method, &body, now_s);
            if source.reads_body() {
                assert!(matches!(judgement, Judgement::Forged(_)), "{source:?}: {values:?}: {judgement:?}");
            }
        }
    }
}

#[test]
fn any_bytes_have_a_topic_or_none() {
    let mut random = fastrand::Rng::with_seed(5);
    for profile in profile::all() {
        for _ in 0..ROUNDS {
            let values: Vec<_> = profile.headers_kept().iter().map(|_| odd_text(&mut random)).collect();
            let kept = profile.headers_kept().iter().copied();
            let headers: Vec<_> = kept.zip(values.iter().map(String::as_str)).collect();
            let topic = profile.topic(&headers, &odd_bytes(&mut random));
            let longest = [topic.kind, topic.subject].into_iter().flatten().map(|text| text.len()).max();
            assert!(longest.unwrap_or_default() <= 512, "{}: {longest:?}", profile.name());
        }
    }
}

#[test]
fn a_header_with_ten_thousand_signatures_is_refused() {
    let sources = sources();
    let time = 1_764_000_000.to_string();
    for source in sources.iter().filter(|source| source.reads_body()) {
        for one in ["v1,AAAA ", "v1a,AAAA ", "v1=00,", "sha512=AAAA,", "v0=00"] {
            let list = one.repeat(10_000);
            for values in [[&time, &time, &list], [&list, &time, &time], [&time, &list, &list]] {
                let values = values.map(String::clone);
                let judgement = judge(source, &values, "POST", b"body", 1_764_000_000);
                assert!(matches!(judgement, Judgement::Forged(_)), "{source:?}: {one}: {judgement:?}");
            }
        }
    }
}

#[test]
fn no_header_that_is_kept_holds_a_signature_or_a_secret() {
    use tidegate_envelope::limit::{HEADERS_KEPT, HEADERS_MAX};
    let sources = sources();
    for source in sources.iter() {
        let kept = source.profile.headers_kept();
        assert!(kept.len() + HEADERS_KEPT.len() <= HEADERS_MAX, "{}: {kept:?}", source.profile.name());
        for name in kept {
            let secret = ["signature", "hmac", "authorization", "cookie", "token", "secret"];
            assert!(!secret.iter().any(|word| name.contains(word)), "{}: {name}", source.profile.name());
            assert_eq!(*name, name.to_ascii_lowercase());
        }
        assert!(source.headers_read().iter().all(|name| *name == name.to_ascii_lowercase()), "{source:?}");
    }
}

#[test]
fn every_profile_acknowledges_with_a_2xx_and_says_how_to_resume() {
    let mut names: Vec<_> = profile::all().map(Profile::name).collect();
    for profile in profile::all() {
        assert!((200..300).contains(&profile.accepted()), "{}", profile.name());
        assert!(!profile.about().is_empty() && !profile.resume_steps().is_empty(), "{}", profile.name());
        assert!(profile.resume_steps().iter().all(|step| step.ends_with(['.', '1'])), "{}", profile.name());
        assert_eq!(profile::find(profile.name()).map(Profile::name), Some(profile.name()));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), profile::all().count(), "each name is there once");
}
