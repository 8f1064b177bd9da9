//! The secret `SOURCES`: what it may say, and what never leaks from it.

use tidegate_source::sources::Sources;
use tidegate_source::token::{TOKEN_CHARS_MAX, TokenKey};

const SIXTEEN: &str = "0123456789abcdef";

#[test]
fn a_source_may_have_several_tokens_while_one_is_rotated() {
    let sources = Sources::parse(r#" {"amj":["old-token-0123456","new-token-0123456"]} "#).expect("right");
    for (text, found) in [
        ("amj/old-token-0123456", true),
        ("amj/new-token-0123456", true),
        ("amj/old-token-012345", false),
        ("amj/old-token-01234567", false),
        ("amj/", false),
        ("amj", false),
        ("", false),
        ("other/old-token-0123456", false),
        ("amj/old-token-0123456,new-token-0123456", false),
    ] {
        assert_eq!(sources.find(text).is_some(), found, "{text}");
    }
}

#[test]
fn two_sources_may_not_swap_their_tokens() {
    let sources = Sources::parse(r#"{"a":["token-of-a-012345"],"b":["token-of-b-012345"]}"#).expect("right");
    assert_eq!(sources.find("a/token-of-a-012345").map(|found| found.source.name.as_str()), Some("a"));
    assert_eq!(sources.find("b/token-of-b-012345").map(|found| found.source.name.as_str()), Some("b"));
    assert!(sources.find("a/token-of-b-012345").is_none());
}

#[test]
fn each_fault_is_named_by_its_place() {
    let long = "x".repeat(TOKEN_CHARS_MAX + 1);
    for (json, words) in [
        ("", "not JSON"),
        ("null", "not JSON"),
        ("[]", "not JSON"),
        (r#"{"amj":"s3cret-0123456789"}"#, "not JSON"),
        (r#"{"amj":["s3cret-0123456789", 5]}"#, "line 1, column 30"),
        ("{\n\"amj\":[5]}", "line 2"),
        (r#"{"amj":["s3cret-0123456789"]} x"#, "not JSON"),
        ("{}", "names no source"),
        (r#"{"amj":[]}"#, "gives `amj` no token"),
        (r#"{"A/B":["s3cret-0123456789"]}"#, "`A/B` cannot name a source"),
        (r#"{"amj":["s3cret-0123456789"],"amj":["s3cret-9876543210"]}"#, "names `amj` twice"),
        (r#"{"amj":["s3cret-0123456789","s3cret-01234567"]}"#, "token 2 of `amj` is shorter than 16"),
        (r#"{"amj":["s3cret 0123456789"]}"#, "token 1 of `amj` has a character"),
        (r#"{"amj":["s3cret/0123456789"]}"#, "token 1 of `amj` has a character"),
        (r#"{"amj":["s3crét-0123456789"]}"#, "token 1 of `amj` has a character"),
        (&format!(r#"{{"amj":["{long}"]}}"#), "token 1 of `amj` is longer than 256"),
    ] {
        let error = match Sources::parse(json) {
            Err(error) => error.to_string(),
            Ok(sources) => sources.faults().first().expect(json).to_string(),
        };
        assert!(error.contains(words), "{json} gave: {error}");
        assert!(!error.contains("s3cr"), "a token leaked: {error}");
    }
}

#[test]
fn a_token_of_sixteen_characters_is_long_enough() {
    assert!(Sources::parse(&format!(r#"{{"amj":["{SIXTEEN}"]}}"#)).is_ok());
    assert!(Sources::parse(&format!(r#"{{"amj":["{}"]}}"#, &SIXTEEN[1..])).is_err());
}

#[test]
fn nothing_that_holds_a_token_prints_it() {
    let sources = Sources::parse(&format!(r#"{{"amj":["{SIXTEEN}"]}}"#)).expect("right");
    for text in [format!("{sources:?}"), format!("{:?}", TokenKey::presented(SIXTEEN))] {
        assert!(text.contains("redacted") && !text.contains(SIXTEEN), "{text}");
    }
}
