//! Tables of bodies: what is read of each.

use super::*;
use tidegate_envelope::{Digest, Receipt, SourceName, VaultBody};

fn event(body: &[u8]) -> Event {
    read_fetched(envelope(body), body.to_vec())
}

fn envelope(body: &[u8]) -> Envelope {
    Envelope {
        receipt: Receipt::new(1_700_000_000_000, 7),
        source: SourceName::new("amj").expect("a valid name"),
        received_at_ms: 1_700_000_000_000,
        method: "POST".into(),
        profile: Some("amj".into()),
        headers: vec![],
        content_type: None,
        sha256: Digest::of(body),
        body: Body::Inline(body.to_vec()),
    }
}

#[test]
fn a_body_in_the_vault_is_read_once_it_is_fetched() {
    let mut envelope = envelope(b"{}");
    envelope.body = Body::Vault(VaultBody { bytes: 8, total_bytes: Some(8), truncated: false });
    let Opened::Elsewhere(envelope) = read(envelope) else { panic!("the vault has it") };
    assert_eq!(read_fetched(envelope, b"{\"id\":1}".to_vec()).subject, "1");
}

#[test]
fn the_senders_sample_is_read_in_full() {
    let event = event(include_bytes!("../../../tests/samples/asset-update.json"));
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("asset.update", "675"));
    assert_eq!(event.occurred_at_us, Some(1_668_143_107_302_773));
    let asset = event.asset.expect("the sample is an object");
    assert_eq!(asset.name.as_deref(), Some("Spare-02"));
    assert_eq!(asset.asset_type.and_then(|it| it.name).as_deref(), Some("2 in 3 Laptop"));
    let loanee = asset.loanee.expect("the sample has a loanee");
    assert_eq!((loanee.id.as_deref(), loanee.name.as_deref()), (Some("142"), Some("John Do")));
    assert!(asset.field_values.expect("the sample has field values").starts_with('['));
}

#[test]
fn a_wrapped_event_is_found() {
    for (json, kind, subject) in [
        (r#"{"event":{"event_type":"asset.update","id":675}}"#, "asset.update", "675"),
        (r#"{"event":{"event_type":"asset.update","id":675},"id":1}"#, "", "1"),
        (r#"{"event":{"id":675}}"#, "", ""),
        (r#"{"event_type":{"event_type":"asset.update"}}"#, "", ""),
    ] {
        let event = event(json.as_bytes());
        assert_eq!((event.kind.as_str(), event.subject.as_str()), (kind, subject), "{json}");
        assert_eq!(event.findings.iter().any(|it| it.code == "wrapped"), kind == "asset.update", "{json}");
    }
}

#[test]
fn a_body_that_is_nearly_json_still_says_what_it_is_about() {
    for body in [
        &b"\xef\xbb\xbf{\"id\":675,\"name\":\"a\"}"[..],
        b"{\"id\":675,\"name\":\"\xff\"} and more",
        br#"{"id":675,"name":"\ud800"}"#,
    ] {
        let event = event(body);
        assert_eq!(event.subject, "675", "{}", String::from_utf8_lossy(body));
        assert_eq!(event.body, body);
    }
}

#[test]
fn any_bytes_make_an_event() {
    for body in [&b""[..], b"null", b"[1]", b"\xff\xfe", b"{", b"{\"id\":{}}", b"\"text\""] {
        let event = event(body);
        assert_eq!((event.kind.as_str(), event.subject.as_str()), ("", ""), "{body:?}");
        assert_eq!(event.body, body);
    }
}

#[test]
fn an_id_is_text_whatever_its_type() {
    for (json, subject) in [
        (r#"{"id":675}"#, "675"),
        (r#"{"id":"675"}"#, "675"),
        (r#"{"id":9007199254740993}"#, "9007199254740993"),
        (r#"{"id":1,"id":2}"#, "2"),
        (r#"{"id":1,"id":null}"#, ""),
        (r#"{"id":675.0}"#, "675"),
        (r#"{"id":6.75e2}"#, "675"),
        (r#"{"id":67500E-2}"#, "675"),
        (r#"{"id":0.675e+3}"#, "675"),
        (r#"{"id":-675.0}"#, "-675"),
        (r#"{"id":-0}"#, "0"),
        (r#"{"id":0e5}"#, "0"),
        (r#"{"id":6.755}"#, "6.755"),
        (r#"{"id":675e-3}"#, "675e-3"),
        (r#"{"id":1e39}"#, "1000000000000000000000000000000000000000"),
        (r#"{"id":1e40}"#, "1e40"),
        (r#"{"id":1e99999999999999999999}"#, "1e99999999999999999999"),
        (r#"{"id":1e-9223372036854775808}"#, "1e-9223372036854775808"),
        (
            r#"{"id":123456789012345678901234567890123456789012345678901234567890}"#,
            "123456789012345678901234567890123456789012345678901234567890",
        ),
        (r#"{"id":" 675"}"#, " 675"),
        (r#"{"id":"675.0"}"#, "675.0"),
        (r#"{"id":"0675"}"#, "0675"),
        (r#"{"id":""}"#, ""),
        (r#"{"id":true}"#, ""),
        (r#"{"id":null}"#, ""),
        (r#"{"id":[1]}"#, ""),
    ] {
        assert_eq!(event(json.as_bytes()).subject, subject, "{json}");
    }
}

#[test]
fn the_senders_three_forms_of_time_are_read() {
    for (text, us) in [
        ("2022-11-11 05:05:07.302773", Some(1_668_143_107_302_773)),
        ("2022-11-11 05:05:07", Some(1_668_143_107_000_000)),
        ("2022-11-11T06:05:07+01:00", Some(1_668_143_107_000_000)),
        ("2022-11-11 06:05:07.302773+01:00", Some(1_668_143_107_302_773)),
        ("2022-11-11T05:05:07Z", Some(1_668_143_107_000_000)),
        ("2022-11-11T05:05:07.302773999", Some(1_668_143_107_302_773)),
        ("", None),
        ("2022-13-11 05:05:07", None),
        ("2022-02-30 05:05:07", None),
        ("99999-01-01 00:00:00", None),
        ("1668143107", None),
        ("yesterday", None),
        ("1969-01-01 00:00:00", None),
    ] {
        assert_eq!(timestamp_us(text), us, "{text}");
    }
}

#[test]
fn a_kind_that_is_not_known_is_read_like_any_other() {
    let event = event(br#"{"event_type":"asset.teleport","id":675,"updated_at":"2022-11-11 05:05:07"}"#);
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("asset.teleport", "675"));
    assert_eq!(event.occurred_at_us, Some(1_668_143_107_000_000));
}

#[test]
fn nobody_outside_speaks_for_the_host() {
    for (kind, read) in
        [("tidegate.reply", ""), ("tidegate.", ""), ("tidegate", "tidegate"), ("x.tidegate.", "x.tidegate.")]
    {
        let event = event(format!(r#"{{"event_type":"{kind}","id":1}}"#).as_bytes());
        assert_eq!((event.kind.as_str(), event.subject.as_str()), (read, "1"));
        assert_eq!(event.findings.iter().any(|it| it.code == "reserved-kind"), read.is_empty(), "{kind}");
    }
}

#[test]
fn a_kind_or_an_id_without_end_is_none() {
    for (field, longest) in [("event_type", "k".repeat(512)), ("id", "7".repeat(512))] {
        let body = |text: &str| format!(r#"{{"{field}":"{text}"}}"#).into_bytes();
        let whole = event(&body(&longest));
        assert_eq!(whole.kind.clone() + &whole.subject, longest);
        let cut = event(&body(&(longest + "x")));
        assert_eq!(cut.kind + &cut.subject, "");
        assert!(cut.findings.iter().any(|it| it.code == "too-long"), "{:?}", cut.findings);
    }
}

#[test]
fn what_is_nested_without_end_does_not_hide_what_the_event_is_about() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let event = event(format!(r#"{{"event_type":"e","id":675,"field_values":{deep}}}"#).as_bytes());
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("e", "675"));
    assert_eq!(event.asset.and_then(|asset| asset.field_values), Some(deep));
    assert!(event.findings.iter().any(|it| it.code == "too-deep"), "{:?}", event.findings);
}

#[test]
fn any_field_may_be_of_any_type_or_absent_and_the_others_are_read_all_the_same() {
    let sample: serde_json::Map<_, _> =
        serde_json::from_slice(include_bytes!("../../../tests/samples/asset-update.json"))
            .expect("an object");
    let whole = event(&serde_json::to_vec(&sample).expect("JSON"));
    let odd = ["null", "true", "-1.5", r#""text""#, "[[]]", "{}", r#"{"id":{},"name":[]}"#];
    for field in sample.keys() {
        for value in odd.into_iter().map(Some).chain([None]) {
            let mut body = sample.clone();
            match value {
                Some(json) => body.insert(field.clone(), serde_json::from_str(json).expect("JSON")),
                None => body.remove(field),
            };
            let read = event(&serde_json::to_vec(&body).expect("JSON"));
            let (read, whole) = (parts(&read), parts(&whole));
            for (name, part) in whole.iter().filter(|(name, _)| *name != field.as_str()) {
                let of_this = read.iter().find(|(other, _)| other == name).map(|(_, part)| part);
                assert_eq!(of_this, Some(part), "{field} is {value:?}: {name}");
            }
        }
    }
}

/// What is read of each field, by the name the sender has for it.
fn parts(event: &Event) -> Vec<(&'static str, String)> {
    let asset = event.asset.as_ref().expect("an object");
    vec![
        ("event_type", event.kind.clone()),
        ("id", format!("{} {:?}", event.subject, asset.id)),
        ("name", format!("{:?}", asset.name)),
        ("assettype", format!("{:?}", asset.asset_type)),
        ("location", format!("{:?}", asset.location)),
        ("loanee", format!("{:?}", asset.loanee)),
        ("created_at", format!("{:?}", asset.created_at)),
        ("updated_at", format!("{:?}", asset.updated_at)),
        ("field_values", format!("{:?}", asset.field_values)),
    ]
}

#[test]
fn a_field_of_a_wrong_type_hides_no_other() {
    let event = event(br#"{"event_type":7,"id":1,"loanee":"Jo","location":{"name":3},"assettype":null}"#);
    let asset = event.asset.expect("an object");
    assert_eq!((event.kind.as_str(), asset.loanee), ("7", None));
    assert_eq!(asset.location, Some(Reference { id: None, name: Some("3".into()) }));
    assert_eq!(asset.asset_type, None);
}
