//! The secret `SOURCES`: what it may say, and what never leaks from it.

use tidegate_source::sources::{Sources, SourcesError};
use tidegate_source::token::{TOKEN_CHARS_MAX, TokenKey};
use tidegate_source::{Judgement, Request};

const OLD: &str = "old-correct-horse-battery-staple";
const NEW: &str = "new-correct-horse-battery-staple";
/// What every secret of these tests has in it.
const SECRET: &str = "s3cret";

#[test]
fn a_source_may_have_several_tokens_while_one_is_rotated() {
    let sources = Sources::parse(&format!(r#" {{"amj":["{OLD}","{NEW}"]}} "#)).expect("right");
    for (text, token) in [
        (format!("amj/{OLD}"), Some(1)),
        (format!("amj/{NEW}"), Some(2)),
        (format!("amj/{}", &OLD[..31]), None),
        (format!("amj/{OLD}0"), None),
        ("amj/".into(), None),
        ("amj".into(), None),
        (String::new(), None),
        (format!("other/{OLD}"), None),
        (format!("amj/{OLD},{NEW}"), None),
    ] {
        assert_eq!(sources.find(&text).map(|found| found.token), token, "{text}");
    }
}

#[test]
fn two_sources_may_not_swap_their_tokens() {
    let sources = Sources::parse(&format!(r#"{{"a":["{OLD}"],"b":["{NEW}"]}}"#)).expect("right");
    let name = |text: String| sources.find(&text).map(|found| found.source.name.to_string());
    assert_eq!(name(format!("a/{OLD}")).as_deref(), Some("a"));
    assert_eq!(name(format!("b/{NEW}")).as_deref(), Some("b"));
    assert_eq!(name(format!("a/{NEW}")), None);
}

#[test]
fn a_bare_list_of_tokens_is_a_source_of_amj() {
    let list = Sources::parse(&format!(r#"{{"x":["{OLD}"],"y":{{"tokens":["{NEW}"]}}}}"#)).expect("right");
    assert!(list.iter().all(|source| source.profile.name() == "amj" && source.tokens == 1));
    let request = Request { method: "BREW", headers: &[], body: b"", now_s: 0 };
    for source in list.iter() {
        assert!(!source.reads_body() && source.headers_read().is_empty());
        assert_eq!(source.judge(&request), Judgement::Event);
    }
}

/// The fault of this text, whether it is that of all of it or of one source.
fn fault(json: &str) -> String {
    match Sources::parse(json) {
        Err(error) => error.to_string(),
        Ok(sources) => sources.faults().first().unwrap_or_else(|| panic!("{json} is right")).to_string(),
    }
}

#[test]
fn each_fault_is_named_by_its_place() {
    let long = "0123456789abcdef".repeat(TOKEN_CHARS_MAX / 16) + "x";
    let ten = vec![format!("\"{OLD}\""); 10].join(",");
    for (json, words) in [
        ("", "not JSON"),
        ("null", "not JSON"),
        ("[]", "not JSON"),
        ("{\n\"amj\":[5}", "line 2"),
        (r#"{"amj":["s3cret-horse-battery-staple"]} x"#, "not JSON"),
        ("{}", "names no source"),
        (r#"{"amj":"s3cret-horse-battery-staple"}"#, "`amj` has to be an object"),
        (r#"{"amj":["s3cret-horse-battery-staple", 5]}"#, "`amj` `tokens` has to be a list of texts"),
        (r#"{"amj":{"tokens":"s3cret"}}"#, "`amj` `tokens` has to be a list of texts"),
        (r#"{"amj":{"profile":["s3cret"]}}"#, "`amj` `profile` has to be a text"),
        (r#"{"amj":{"tokens":[],"tokens":[]}}"#, "`amj` has a key twice"),
        (r#"{"amj":{"tokns":["s3cret"]}}"#, "`amj` has a key `tokns`; there are profile, tokens, signing"),
        (r#"{"amj":{"profile":"gitlab","tokens":["s3cret"]}}"#, "a profile `gitlab`; there are amj, generic"),
        (r#"{"amj":[]}"#, "gives `amj` no token; make one with: openssl rand -hex 24"),
        (r#"{"amj":{"profile":"amj"}}"#, "gives `amj` no token"),
        (&format!(r#"{{"amj":[{ten}]}}"#), "gives `amj` more than 9 tokens"),
        (r#"{"A/B":["s3cret"]}"#, "`A/B` cannot name a source"),
        (&format!(r#"{{"amj":["{OLD}"],"amj":["{NEW}"]}}"#), "names `amj` twice"),
        (&format!(r#"{{"amj":["{OLD}","s3cret-horse"]}}"#), "token 2 of `amj` can be guessed: about 62 bits"),
        (r#"{"amj":["s3cret-horse"]}"#, "at least 128 are needed; make one with: openssl rand -hex 24"),
        (r#"{"amj":["correct-horse-battery"]}"#, "can be guessed: about 110 bits"),
        (r#"{"amj":["s3cret horse battery staple"]}"#, "token 1 of `amj` has a character"),
        (r#"{"amj":["s3cret/horse/battery/staple"]}"#, "token 1 of `amj` has a character"),
        (r#"{"amj":["s3crét-horse-battery-staple"]}"#, "token 1 of `amj` has a character"),
        (&format!(r#"{{"amj":["{long}"]}}"#), "token 1 of `amj` is longer than 256"),
    ] {
        let fault = fault(json);
        assert!(fault.contains(words), "{json} gave: {fault}");
        assert!(!fault.contains(SECRET), "a token leaked: {fault}");
    }
}

#[test]
fn each_fault_of_settings_says_what_to_do() {
    let strong = r#""secrets":["s3cret-4b5a69788796a5b4c3d2e1f00f1e2d3c"]"#;
    for (profile, signing, words) in [
        (
            "amj",
            format!("{{{strong}}}"),
            "`amj` takes no `signing.secrets`, its sender signs nothing: remove it",
        ),
        ("cloudevents", format!("{{{strong}}}"), "`cloudevents` takes no `signing.secrets`"),
        ("github", "{}".into(), "`signing.secrets` is missing: give a list"),
        ("github", r#"{"secrets":[]}"#.into(), "`signing.secrets` is missing"),
        ("github", r#"{"secrets":"s3cret"}"#.into(), "`signing.secrets` has to be a list of texts"),
        (
            "github",
            r#"{"secrets":["s3cret"]}"#.into(),
            "secret 1 can be guessed: about 31 bits, at least 128",
        ),
        ("github", r#"{"secrets":["s3cret"]}"#.into(), "make one with: openssl rand -hex 24"),
        (
            "github",
            format!(r#"{{{strong},"header":"x-a"}}"#),
            "`github` takes no `signing.header`, only secrets",
        ),
        (
            "github",
            format!(r#"{{{strong},"hedder":"x-a"}}"#),
            "`signing` has no key `hedder`; there are secrets",
        ),
        ("github", format!("{{{strong},{strong}}}"), "`signing.secrets` is there twice"),
        ("github", "[]".into(), "`signing` has to be an object"),
        ("github", r#"{"secrets":["a","b","c","d","e"]}"#.into(), "`signing.secrets` has more than 4"),
        ("hmac", format!("{{{strong}}}"), "`signing.header` is missing"),
        (
            "hmac",
            format!(r#"{{{strong},"header":"x a"}}"#),
            "`signing.header` has to be the name of a header",
        ),
        ("hmac", format!(r#"{{{strong},"header":5}}"#), "`signing.header` has to be a text"),
        (
            "hmac",
            format!(r#"{{{strong},"algorithm":"md5"}}"#),
            "`signing.algorithm` has to be sha1, sha256 or sha512",
        ),
        ("hmac", format!(r#"{{{strong},"encoding":"rot13"}}"#), "`signing.encoding` has to be hex or base64"),
        ("hmac", format!(r#"{{{strong},"prefix":null}}"#), "`signing.prefix` has to be a text"),
        ("hmac", format!(r#"{{{strong},"timestamp":{{}}}}"#), "`signing.timestamp.header` is missing"),
        ("hmac", format!(r#"{{{strong},"timestamp":{{"at":"x"}}}}"#), "`signing.timestamp` has no key `at`"),
        (
            "hmac",
            format!(r#"{{{strong},"timestamp":{{"header":"x-t","tolerance_s":-1}}}}"#),
            "`signing.timestamp.tolerance_s` has to be a whole number of seconds",
        ),
        (
            "hmac",
            format!(r#"{{{strong},"timestamp":{{"header":"x-t","tolerance_s":86401}}}}"#),
            "`signing.timestamp.tolerance_s` has to be 86400 at most",
        ),
        (
            "hmac",
            format!(r#"{{{strong},"header":"x-s","timestamp":{{"header":"x-t","template":"{{body}}"}}}}"#),
            "`signing.timestamp.template` has to have {timestamp} and {body} in it, each once",
        ),
        (
            "standard-webhooks",
            r#"{"secrets":["whsec_s3cret!"]}"#.into(),
            "secret 1 is neither whsec_ nor whpk_",
        ),
        ("standard-webhooks", r#"{"secrets":["whsec_AAECAwQFBgcICQoLDA0O"]}"#.into(), "about 120 bits"),
        ("standard-webhooks", r#"{"secrets":["whpk_AAEC"]}"#.into(), "secret 1 is no ed25519 public key"),
        (
            "standard-webhooks",
            r#"{"secrets":["whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}"#.into(),
            "secret 1 is no ed25519 public key",
        ),
        (
            "standard-webhooks",
            r#"{"secrets":["whsk_s3cretAAA"]}"#.into(),
            "secret 1 is a private key, which is the sender's alone",
        ),
        // The prefix that Stripe gives every secret adds nothing to it.
        ("stripe", r#"{"secrets":["whsec_s3cretK1mN3pQ5rS7tV9"]}"#.into(), "secret 1 can be guessed"),
    ] {
        let entry = format!(r#"{{"x":{{"profile":"{profile}","tokens":["{OLD}"],"signing":{signing}}}}}"#);
        let fault = fault(&entry);
        assert!(fault.starts_with("SOURCES: `x`: ") && fault.contains(words), "{entry} gave: {fault}");
        assert!(!fault.contains(SECRET), "a secret leaked: {fault}");
    }
}

#[test]
fn a_wrong_source_takes_no_other_with_it() {
    let wrong = [
        r#""s3cret""#,
        "5",
        "null",
        "[]",
        r#"["s3cret"]"#,
        r#"{"tokens":{}}"#,
        r#"{"tokens":[5]}"#,
        r#"{"profile":"github","tokens":["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]}"#,
        r#"{"profile":"nobody","tokens":["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]}"#,
        r#"{"profile":5,"tokens":["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]}"#,
        r#"{"tokens":["0f1e2d3c4b5a69788796a5b4c3d2e1f0"],"signing":[[[[[[]]]]]]}"#,
    ];
    for wrong in wrong {
        let json = format!(r#"{{"a":["{OLD}"],"x":{wrong},"b":["{NEW}"]}}"#);
        let sources = Sources::parse(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert!(sources.find(&format!("a/{OLD}")).is_some(), "{json}");
        assert!(sources.find(&format!("b/{NEW}")).is_some(), "{json}");
        assert_eq!(sources.iter().count(), 2, "{json}");
        assert_eq!(sources.faults().len(), 1, "{json}");
        assert!(sources.faults().iter().all(|fault| fault.to_string().contains("`x`")), "{json}");
    }
}

#[test]
fn of_two_sources_with_one_name_the_first_is_live() {
    let sources = Sources::parse(&format!(r#"{{"a":["{OLD}"],"a":["{NEW}"]}}"#)).expect("one is live");
    assert!(sources.find(&format!("a/{OLD}")).is_some() && sources.find(&format!("a/{NEW}")).is_none());
    assert!(matches!(sources.faults(), [SourcesError::NamedTwice(_)]));
}

#[test]
fn a_token_of_128_bits_is_strong_enough() {
    let hex = "8f742231b10e8888abcd99eee1f185a5";
    for (token, right) in [
        (hex, true),
        (&hex[1..], false),
        ("correct-horse-battery", false),
        ("correct-horse-battery-staple", true),
        ("previous-horse-battery-staple", true),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ("changemechangemechangemechangemechangemechangeme", false),
    ] {
        assert_eq!(Sources::parse(&format!(r#"{{"amj":["{token}"]}}"#)).is_ok(), right, "{token}");
    }
}

#[test]
fn nothing_that_holds_a_token_or_a_secret_prints_it() {
    let json =
        format!(r#"{{"gh":{{"profile":"github","tokens":["{OLD}"],"signing":{{"secrets":["{NEW}"]}}}}}}"#);
    let sources = Sources::parse(&json).expect("right");
    let settings = tidegate_source::Settings { secrets: vec![NEW.into()], ..Default::default() };
    for text in [format!("{sources:?}"), format!("{:?}", TokenKey::presented(OLD)), format!("{settings:?}")] {
        assert!(text.contains("redacted") && !text.contains("horse"), "{text}");
    }
}
