//! `SOURCES` as an operator edits it, and what is told of a source.

use tidegate_envelope::SourceName;
use tidegate_source::file::{FileError, SourcesFile};
use tidegate_source::sources::Sources;
use tidegate_source::status::{SourceStatus, Tally, VaultStatus};

const OLD: &str = "old-correct-horse-battery-staple";
const NEW: &str = "new-correct-horse-battery-staple";
const SECRET: &str = "another-horse-battery-staple-1";

fn name(text: &str) -> SourceName {
    SourceName::new(text).expect("a name")
}

fn parse(text: &str) -> SourcesFile {
    SourcesFile::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_written_is_what_was_read() {
    let written = format!(
        r#"{{
  "z": {{
    "profile": "hmac",
    "tokens": [
      "{OLD}",
      "{NEW}"
    ],
    "signing": {{
      "secrets": [
        "{SECRET}"
      ],
      "header": "x-signature",
      "algorithm": "sha512",
      "encoding": "base64",
      "prefix": "sha512=",
      "timestamp": {{
        "header": "x-time",
        "tolerance_s": 60,
        "template": "{{timestamp}}:{{body}}"
      }}
    }}
  }},
  "a": {{
    "profile": "amj",
    "tokens": [
      "{OLD}"
    ]
  }}
}}
"#
    );
    assert_eq!(parse(&written).to_json().as_deref(), Ok(&*written));
    let shuffled = format!(
        r#"{{"z":{{"signing":{{"timestamp":{{"template":"{{timestamp}}:{{body}}","tolerance_s":60,"header":"X-Time"}},
        "prefix":"sha512=","encoding":"base64","algorithm":"sha512","header":"X-Signature","secrets":["{SECRET}"]}},
        "tokens":["{OLD}","{NEW}"],"profile":"hmac"}},"a":["{OLD}"]}}"#
    );
    assert_eq!(parse(&shuffled).to_json().as_deref(), Ok(&*written));
}

#[test]
fn a_token_is_rotated_without_a_moment_without_one() {
    let mut file = parse(&format!(r#"{{"amj":["{OLD}"],"gh":{{"profile":"generic","tokens":["{OLD}"]}}}}"#));
    assert_eq!(file.add_token(&name("amj"), NEW), Ok(2));
    let both = Sources::parse(&file.to_json().expect("text")).expect("sources");
    for (number, token) in [(1, OLD), (2, NEW)] {
        assert_eq!(both.find(&format!("amj/{token}")).map(|found| found.token), Some(number));
    }
    assert_eq!(file.drop_token(&name("amj"), 1), Ok(()));
    let one = Sources::parse(&file.to_json().expect("text")).expect("sources");
    assert!(one.find(&format!("amj/{OLD}")).is_none() && one.find(&format!("amj/{NEW}")).is_some());
    assert!(one.find(&format!("gh/{OLD}")).is_some(), "the other source is as it was");
    let counts: Vec<_> = file.sources().map(|(name, tokens)| (name.as_str(), tokens)).collect();
    assert_eq!(counts, [("amj", 1), ("gh", 1)]);
}

#[test]
fn an_edit_that_would_leave_it_wrong_is_not_done() {
    let text = format!(r#"{{"amj":["{OLD}"],"gh":{{"profile":"generic","tokens":["{OLD}"]}}}}"#);
    let mut file = parse(&text);
    let before = file.to_json().expect("text");
    let amj = name("amj");
    for (result, words) in [
        (file.add_token(&name("jira"), NEW).map(drop), "no source `jira`; there are amj, gh"),
        (file.add_token(&amj, "s3cret").map(drop), "token 2 of `amj` can be guessed"),
        (file.add_token(&amj, "s3cret horse").map(drop), "token 2 of `amj` has a character"),
        (file.add_token(&amj, OLD).map(drop), "`amj` has this token already"),
        (file.drop_token(&amj, 0), "numbered from 1 to 1"),
        (file.drop_token(&amj, 2), "numbered from 1 to 1"),
        (file.drop_token(&amj, usize::MAX), "numbered from 1 to 1"),
        (file.drop_token(&amj, 1), "`amj` has one token: add the new one"),
        (file.drop_token(&name("jira"), 1), "no source `jira`"),
    ] {
        let error = result.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("s3cret") && !error.contains("horse"), "a token leaked: {error}");
    }
    assert_eq!(file.to_json().as_deref(), Ok(&*before));
    for number in 2..=9 {
        let token = format!("{number}-correct-horse-battery-staple");
        assert_eq!(file.add_token(&amj, &token), Ok(number));
    }
    let error = file.add_token(&amj, NEW).expect_err("a tenth token");
    assert!(error.to_string().contains("more than 9 tokens"), "{error}");
}

#[test]
fn any_fault_is_an_error_and_says_its_line() {
    for (text, words) in [
        (format!("{{\n\"a\":[\"{OLD}\"],\n\"b\":\n  [\"weak\"]\n}}"), "token 1 of `b` can be guessed"),
        (format!("{{\n\"a\":[\"{OLD}\"],\n\"é\":\n  [\"{NEW}\"]\n}}"), "`é` cannot name a source"),
        (format!("{{\n\"a\":[\"{OLD}\"],\n\"b\":\n  {{\"profil\":\"amj\"}}\n}}"), "has a key `profil`"),
        (format!("{{\n\"a\":[\"{OLD}\"],\n\"a\":\n  [\"{NEW}\"]\n}}"), "names `a` twice"),
    ] {
        let error = SourcesFile::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(words) && error.ends_with("(line 4)"), "{error}");
    }
    let error = SourcesFile::parse(&format!("{{\n\"a\":[\"{OLD}\"]\n\"b\":5}}")).expect_err("no comma");
    assert!(error.to_string().contains("line 3, column 1"), "{error}");
    assert!(SourcesFile::parse("{}").is_err());
}

#[test]
fn what_no_worker_could_hold_is_not_written() {
    let tokens = |count: usize| {
        let tokens: Vec<_> =
            (0..count).map(|n| format!(r#""{n}-{}""#, "0123456789abcdefghijklm".repeat(2))).collect();
        tokens.join(",").replace("m0", &format!("m{count}"))
    };
    let entries = |sources: usize| {
        let entries: Vec<_> = (0..sources).map(|n| format!(r#""s{n}":[{}]"#, tokens(9))).collect();
        format!("{{{}}}", entries.join(","))
    };
    let text = parse(&entries(9)).to_json().expect("it fits");
    assert!(text.len() <= 5_120 && Sources::parse(&text).is_ok(), "{}", text.len());
    let error = parse(&entries(11)).to_json().expect_err("it does not");
    assert!(matches!(error, FileError::TooLong(5_121..)), "{error}");
    assert!(error.to_string().contains("5120 at most"), "{error}");
}

#[test]
fn a_status_says_how_many_failures_are_left() {
    let signing = format!(r#""signing":{{"secrets":["{SECRET}"]}}"#);
    let entry = |profile: &str, signing: &str| {
        format!(
            r#"{{"s":{{"profile":"{profile}","tokens":["{OLD}"]{}{signing}}}}}"#,
            if signing.is_empty() { "" } else { "," }
        )
    };
    let vault = VaultStatus { messages: 1, oldest_ms: Some(5), bodies: 0, body_bytes: 0 };
    for (profile, signing, failures_in_row, cutoff, left) in [
        ("amj", "", 0, Some(3), Some(3)),
        ("amj", "", 2, Some(3), Some(1)),
        ("amj", "", 3, Some(3), Some(0)),
        ("amj", "", u32::MAX, Some(3), Some(0)),
        ("shopify", &*signing, 5, Some(8), Some(3)),
        ("generic", "", 2, None, None),
        ("github", &*signing, 2, None, None),
    ] {
        let sources = Sources::parse(&entry(profile, signing)).expect("sources");
        let source = sources.iter().next().expect("a source");
        let tally = Tally { failures_in_row, ..Tally::default() };
        let status = SourceStatus::of(source, tally.clone(), Some(vault));
        assert_eq!((status.cutoff, status.left), (cutoff, left), "{profile} after {failures_in_row}");
        assert_eq!((status.source.as_str(), &*status.profile, status.tally), ("s", profile, tally));
        assert_eq!(status.vault, Some(vault));
    }
}
