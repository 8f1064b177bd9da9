//! The README says what the code does: its table is the profiles' own, and its examples are live sources.

use std::collections::BTreeSet;
use tidegate_source::file::SourcesFile;
use tidegate_source::{Profile, Punishment, Sources, profile, settings, strength};

const README: &str = include_str!("../README.md");

fn row(profile: &dyn Profile) -> String {
    let punishment = match profile.punishment() {
        Punishment::Consecutive(failures) => {
            format!("stops after {failures} failures one after another, until a person acts")
        }
        Punishment::Other(words) => words.to_owned(),
        Punishment::None => "never stops; an event that it could not deliver is lost".to_owned(),
    };
    let keys = match profile.settings_keys() {
        [] => "none".to_owned(),
        keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
    };
    format!("| `{}` | {} | {keys} | {} | {punishment} |", profile.name(), profile.about(), profile.accepted())
}

#[test]
fn the_table_of_profiles_is_that_of_the_code() {
    let table: Vec<_> = profile::all().map(row).collect();
    let section = README.split("## The format").next().expect("a first part");
    let written: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(written == table, "the README's table has to be:\n{}", table.join("\n"));
}

/// The JSON blocks of the README.
fn examples() -> Vec<&'static str> {
    let blocks = README.split("```json\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("a block ends")).collect()
}

#[test]
fn the_examples_are_live_and_show_every_profile() {
    let mut shown = BTreeSet::new();
    for example in examples() {
        let sources = Sources::parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert!(SourcesFile::parse(example).is_ok(), "{example}");
        shown.extend(sources.iter().map(|source| source.profile.name()));
    }
    assert_eq!(shown, profile::all().map(Profile::name).collect());
}

#[test]
fn every_key_of_the_settings_is_named_and_shown() {
    let examples = examples().concat();
    for key in settings::KEYS.iter().chain(&settings::TIMESTAMP_KEYS) {
        assert!(README.contains(&format!("`{key}`")), "`{key}` is not named");
        assert!(examples.contains(&format!("\"{key}\":")), "{key} is not shown");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    for words in [
        format!("at least {} bits", strength::BITS_MIN),
        format!("`{}`", strength::REMEDY),
        format!("up to {} tokens", tidegate_source::sources::TOKENS_MAX),
        format!("up to {} secrets", settings::SECRETS_MAX),
        format!("up to {} characters", tidegate_source::token::TOKEN_CHARS_MAX),
        format!("{} bytes", tidegate_source::file::SOURCES_BYTES_MAX),
    ] {
        assert!(README.contains(&words), "{words}");
    }
}
