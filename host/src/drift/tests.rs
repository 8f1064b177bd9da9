use super::*;
use crate::decision::{Decision, HttpRequest, Refusal};
use crate::fault::Fault;

fn http(url: &str, body: &str) -> Decision {
    Decision::Http(HttpRequest {
        method: "POST".into(),
        url: url.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: Some(body.as_bytes().to_vec()),
        timeout_ms: None,
        reply_tag: None,
    })
}

fn note(text: &str) -> Decision {
    Decision::Note(text.into())
}

fn decided(decisions: &[Decision]) -> Answer {
    Ok(Ok(decisions.to_vec()))
}

fn trap(cause: &str, backtrace: &str) -> Answer {
    Err(Fault::Trap { cause: cause.into(), backtrace: backtrace.into() })
}

fn lines(drift: &Drift) -> Vec<String> {
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let line =
        |field: &Field| format!("{}: {} -> {}", field.pointer, side(&field.before), side(&field.after));
    drift.fields.iter().map(line).collect()
}

#[test]
fn each_pair_of_answers_has_its_kind() {
    let (a, b) = (note("a"), note("b"));
    for (before, after, kind) in [
        (decided(&[]), decided(&[]), Kind::Same),
        (Ok(Err(Refusal::Skip)), Ok(Err(Refusal::Skip)), Kind::Same),
        (trap("unreachable", "f"), trap("unreachable", "g"), Kind::Same),
        (decided(&[]), decided(std::slice::from_ref(&a)), Kind::Added),
        (Ok(Err(Refusal::Skip)), decided(std::slice::from_ref(&a)), Kind::Added),
        (decided(std::slice::from_ref(&b)), decided(&[a.clone(), b.clone()]), Kind::Added),
        (decided(&[a.clone(), b.clone()]), decided(std::slice::from_ref(&a)), Kind::Removed),
        (decided(std::slice::from_ref(&a)), Ok(Err(Refusal::Skip)), Kind::Removed),
        (decided(&[]), Ok(Err(Refusal::Skip)), Kind::Changed),
        (decided(&[a.clone(), b.clone()]), decided(&[b.clone(), a.clone()]), Kind::Changed),
        (decided(std::slice::from_ref(&a)), decided(std::slice::from_ref(&b)), Kind::Changed),
        (Ok(Err(Refusal::Park("a".into()))), Ok(Err(Refusal::Park("b".into()))), Kind::Changed),
        (decided(&[]), trap("unreachable", ""), Kind::NewFault),
        (trap("unreachable", ""), decided(&[]), Kind::FaultGone),
        (trap("unreachable", ""), trap("divide by zero", ""), Kind::OtherFault),
    ] {
        let drift = compare(&before, &after);
        assert_eq!(drift.kind, kind, "{before:?} {after:?}");
        assert_eq!(drift.fields.is_empty(), kind == Kind::Same, "{drift:?}");
    }
}

#[test]
fn a_field_in_a_body_that_is_json_is_named() {
    let before = decided(&[note("x"), http("https://a/", r#"{"loanee":{"name":"Ann","id":1},"b/c":[1]}"#)]);
    let after = decided(&[note("x"), http("https://a/", r#"{"loanee":{"name":"Bob","id":1},"b/c":[1,2]}"#)]);
    let drift = compare(&before, &after);
    assert_eq!(
        lines(&drift),
        [
            "/decisions/1/http/body/text/b~1c/1: - -> 2",
            "/decisions/1/http/body/text/loanee/name: \"Ann\" -> \"Bob\"",
        ]
    );
}

#[test]
fn the_same_json_in_other_bytes_differs_as_text() {
    let drift = compare(&decided(&[http("u", r#"{"a":1}"#)]), &decided(&[http("u", r#"{ "a": 1 }"#)]));
    assert_eq!(lines(&drift), [r#"/decisions/0/http/body/text: "{\"a\":1}" -> "{ \"a\": 1 }""#]);
}

#[test]
fn a_decision_put_in_front_is_one_field() {
    let drift = compare(&decided(&[note("a"), note("b")]), &decided(&[note("z"), note("a"), note("b")]));
    assert_eq!(lines(&drift), [r#"/decisions/0: - -> {"note":"z"}"#]);
}

#[test]
fn a_fault_is_told_with_its_functions_and_what_is_lost_by_it() {
    let drift = compare(&decided(&[note("a")]), &trap("unreachable", "decide\nhandle"));
    let fault = drift.fault.as_ref().expect("it faults");
    assert_eq!((fault.name.as_str(), fault.functions.join(" ").as_str()), ("trap", "decide handle"));
    assert!(lines(&drift).contains(&r#"/decisions: [{"note":"a"}] -> -"#.to_owned()), "{drift:?}");
}

#[test]
fn what_is_kept_of_a_huge_difference_is_bounded() {
    let body = |letter: &str| serde_json::to_string(&vec![letter.repeat(50_000); 40]).expect("plain data");
    let drift = compare(&decided(&[http("u", &body("ä"))]), &decided(&[http("u", &body("ö"))]));
    assert_eq!((drift.fields.len(), drift.fields_left_out), (FIELDS_MAX, 40 - FIELDS_MAX));
    let longest = drift.fields.iter().filter_map(|field| field.after.as_deref()).map(|it| it.chars().count());
    assert_eq!(longest.max(), Some(VALUE_CHARS_MAX + 1));
    let text = serde_json::to_string(&drift).expect("plain data");
    assert_eq!(serde_json::from_str::<Drift>(&text).expect("reads back"), drift);
}
