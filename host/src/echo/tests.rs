//! Tables of writes, of the events that follow, and of what comes close.

use super::*;
use serde_json::json;

const NOW_MS: u64 = 1_700_000_000_000;

fn sent(body: &Value) -> Expected {
    expect(body.to_string().as_bytes(), NOW_MS).expect("a body that says something")
}

fn is_echo_of(writes: &[Value], changed: &[&str], told: &Value) -> bool {
    let expected: Vec<_> = writes.iter().map(sent).collect();
    let changed: Vec<_> = changed.iter().map(|&pointer| pointer.to_owned()).collect();
    is_echo(&expected, &changed, &told.to_string(), NOW_MS)
}

/// An asset as the sender tells of it.
fn asset(more: Value) -> Value {
    let mut asset = json!({
        "id": 675, "name": "Spare-02", "location": {"id": 50, "name": "My IT Office"}, "loanee": null,
        "updated_at": "2022-11-11 05:05:07.302773", "event_type": "asset.update",
    });
    let Value::Object(more) = more else { panic!("fields") };
    asset.as_object_mut().expect("an object").extend(more);
    asset
}

#[test]
fn what_was_written_comes_back_as_an_echo() {
    for (write, changed, more) in [
        (json!({"name": "New"}), &["/name", "/updated_at"][..], json!({"name": "New"})),
        // No stamp at all, and the first update after a create.
        (json!({"name": "New"}), &["/name"], json!({"name": "New"})),
        (json!({"name": "New"}), &["/event_type", "/name"], json!({"name": "New"})),
        // Of what was written, some was so before.
        (json!({"name": "New", "id": 675}), &["/name"], json!({"name": "New"})),
        // What an id points at comes with its name.
        (
            json!({"location": {"id": 51}}),
            &["/location/id", "/location/name", "/updated_at"],
            json!({"location": {"id": 51, "name": "Elsewhere"}}),
        ),
        (json!({"location": {"id": "51"}}), &["/location/id"], json!({"location": {"id": 51}})),
        (json!({"room": 51}), &["/room"], json!({"room": "51"})),
        (json!({"loanee": {"id": 1}}), &["/loanee"], json!({"loanee": {"id": 1, "name": "John Do"}})),
        // A null may come back as nothing.
        (json!({"loanee": null}), &["/loanee"], json!({})),
        (json!({"custom": null}), &["/custom"], json!({})),
        (json!({"custom": {"a": null}}), &["/custom/a"], json!({"custom": {"b": 1}})),
        (json!({"tags": ["a", {"b": 1}]}), &["/tags"], json!({"tags": ["a", {"b": 1}]})),
        (json!({"a/b": {"~": 1}}), &["/a~1b/~0"], json!({"a/b": {"~": 1, "c": 2}})),
        // The write changed nothing.
        (json!({"name": "Spare-02"}), &["/updated_at"], json!({})),
        (json!({"name": "Spare-02", "location": {"id": 50}}), &["/updated_at", "/event_type"], json!({})),
    ] {
        assert!(is_echo_of(std::slice::from_ref(&write), changed, &asset(more)), "{write} {changed:?}");
    }
}

#[test]
fn what_a_person_changed_is_no_echo() {
    for (write, changed, more) in [
        // Another field in the same update.
        (json!({"name": "New"}), &["/name", "/loanee", "/updated_at"][..], json!({"name": "New"})),
        // The same field, otherwise.
        (json!({"name": "New"}), &["/name"], json!({"name": "Newer"})),
        (json!({"name": "New"}), &["/name"], json!({"name": null})),
        (json!({"name": "New"}), &["/name"], json!({"name": "new"})),
        (json!({"name": null}), &["/name"], json!({"name": ""})),
        (json!({"loanee": {"id": 1}}), &["/loanee"], json!({"loanee": null})),
        (json!({"loanee": {"id": 1}}), &["/loanee"], json!({"loanee": {"name": "John Do"}})),
        (json!({"loanee": {"id": 1}}), &["/loanee"], json!({"loanee": 1})),
        (json!({"flag": true}), &["/flag"], json!({"flag": "true"})),
        (json!({"count": 5}), &["/count"], json!({"count": "05"})),
        // Beside what was written in the same object, where no id says that it belongs to it.
        (json!({"custom": {"a": 1}}), &["/custom/a", "/custom/b"], json!({"custom": {"a": 1, "b": 2}})),
        (json!({"custom": {}}), &["/custom/b"], json!({"custom": {"b": 2}})),
        (json!({"a": {"id": 1, "b": {"c": 1}}}), &["/a/b/d"], json!({"a": {"id": 1, "b": {"c": 1, "d": 2}}})),
        // One more in a list.
        (json!({"tags": ["a"]}), &["/tags"], json!({"tags": ["a", "b"]})),
        (json!({"tags": [{"a": 1}]}), &["/tags"], json!({"tags": [{"a": 1, "b": 2}]})),
        // A field whose name begins like one that was written.
        (json!({"name": "New"}), &["/name2"], json!({"name": "New", "name2": "x"})),
        // Something of which nobody knows what: all has changed, nothing has, nothing is known.
        (json!({"name": "New", "": 1}), &[""], json!({"name": "New", "": 1})),
        (json!({"name": "Spare-02"}), &[], json!({})),
        // Only the stamps, and the event does not say what was written.
        (json!({"name": "New"}), &["/updated_at"], json!({})),
        (json!({"name": "Spare-02", "loanee": {"id": 1}}), &["/updated_at"], json!({})),
        // It was deleted, or begins: no write of fields does that.
        (json!({"name": "Spare-02"}), &["/event_type", "/updated_at"], json!({"event_type": "asset.delete"})),
        (json!({"name": "Spare-02"}), &["/event_type", "/updated_at"], json!({"event_type": "asset.create"})),
    ] {
        assert!(!is_echo_of(std::slice::from_ref(&write), changed, &asset(more)), "{write} {changed:?}");
    }
}

#[test]
fn one_write_accounts_for_all_that_has_changed() {
    let both = asset(json!({"name": "New", "loanee": {"id": 1}}));
    let (name, loanee) = (json!({"name": "New"}), json!({"loanee": {"id": 1}}));
    assert!(is_echo_of(&[name.clone(), loanee.clone()], &["/loanee"], &both));
    assert!(!is_echo_of(&[name, loanee], &["/name", "/loanee"], &both));
    assert!(is_echo_of(&[json!({"name": "New", "loanee": {"id": 1}})], &["/name", "/loanee"], &both));
}

#[test]
fn an_echo_is_expected_for_ten_minutes() {
    let expected = [sent(&json!({"name": "New"}))];
    let changed = ["/name".to_owned()];
    let is_echo_at = |now_ms| is_echo(&expected, &changed, r#"{"name": "New"}"#, now_ms);
    assert!(is_echo_at(NOW_MS) && is_echo_at(NOW_MS + 600_000));
    assert!(!is_echo_at(NOW_MS + 600_001));
}

#[test]
fn nothing_is_an_echo_when_nothing_is_expected_or_readable() {
    let changed = ["/name".to_owned()];
    assert!(!is_echo(&[], &changed, r#"{"name": "New"}"#, NOW_MS));
    for json in ["", "[]", r#"{"name": "New""#, "null"] {
        assert!(!is_echo(&[sent(&json!({"name": "New"}))], &changed, json, NOW_MS), "{json}");
    }
}

#[test]
fn a_body_that_says_nothing_is_not_expected() {
    for body in ["", "{}", "[]", "[1]", "null", "name=New", "{\"name\":", "\u{feff}{\"name\": 1}"] {
        assert_eq!(expect(body.as_bytes(), NOW_MS), None, "{body}");
    }
    assert_eq!(expect(b"\xff", NOW_MS), None);
    let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    assert!(expect(body(BODY_BYTES_MAX).as_bytes(), NOW_MS).is_some());
    assert_eq!(expect(body(BODY_BYTES_MAX + 1).as_bytes(), NOW_MS), None);
    assert_eq!(expect(b"{\"a\":1}", u64::MAX).map(|expected| expected.until_ms), Some(u64::MAX));
}

#[test]
fn a_plugin_that_writes_without_end_is_remembered_within_bounds() {
    let mut expected = Vec::new();
    for n in 0..40 {
        remember(&mut expected, sent(&json!({ "n": n })), NOW_MS);
    }
    let kept: Vec<_> = expected.iter().map(|expected| expected.fields["n"].as_u64().expect("n")).collect();
    assert_eq!(kept, (24..40).collect::<Vec<_>>());
}

#[test]
fn what_is_over_or_said_again_makes_room() {
    let (old, new) = (sent(&json!({"a": 1})), sent(&json!({"b": 1})));
    let mut expected = vec![old.clone(), new.clone()];
    let again = Expected { until_ms: NOW_MS + 700_000, ..old.clone() };
    remember(&mut expected, again.clone(), NOW_MS);
    assert_eq!(expected, [new, again.clone()]);
    remember(&mut expected, old.clone(), NOW_MS + 600_001);
    assert_eq!(expected, [old]);
}

#[test]
fn what_is_expected_is_stored_as_it_was() {
    let expected = vec![sent(&json!({"name": "New", "n": 1.5, "big": 9_007_199_254_740_993_u64}))];
    let stored = serde_json::to_string(&expected).expect("plain data");
    assert_eq!(serde_json::from_str::<Vec<Expected>>(&stored).expect("what was stored"), expected);
}
