use super::*;
use crate::condition::{Condition, Turn};

const AT_MS: u64 = 1_668_143_107_302;

fn trouble(failures_in_row: u32, left: Option<u32>) -> Trouble {
    Trouble {
        source: SourceName::new("amj").expect("a valid name"),
        profile: "amj".into(),
        failures_in_row,
        left,
        last_failure: Some("503 no store confirmed".into()),
        last_failure_ms: Some(AT_MS - 1_000),
        last_success_ms: None,
        at_ms: AT_MS,
    }
}

const fn news(condition: Condition, turn: Turn, value: u64) -> News {
    News { condition, turn, value, bound: 100, since_ms: AT_MS - 60_000, at_ms: AT_MS }
}

fn all() -> Vec<Alert> {
    let source = SourceName::new("amj").expect("a valid name");
    let gap = Gap { source: source.clone(), from_ms: AT_MS - 5_000, to_ms: AT_MS, after: GapCause::CutOff };
    vec![
        Alert::Failing(trouble(1, Some(2))),
        Alert::NearlyCutOff(trouble(2, Some(1))),
        Alert::CutOff(trouble(3, Some(0))),
        Alert::Silent { source, profile: Some("amj".into()), since_ms: AT_MS - 9_000, at_ms: AT_MS },
        Alert::Resumed { profile: Some("amj".into()), gap, at_ms: AT_MS },
        Alert::EdgeUnreachable { since_ms: AT_MS - 9_000, why: "401 wrong token".into(), at_ms: AT_MS },
        Alert::VersionWithdrawn {
            plugin: PluginName::new("notice").expect("a name"),
            version: Version::from_stored("0123456789abcdef"),
            now: None,
            why: "3 faults in 20 calls".into(),
            at_ms: AT_MS,
        },
        Alert::Host(news(Condition::Parked, Turn::Begins, 2)),
        Alert::Test { at_ms: AT_MS },
    ]
}

#[test]
fn every_alert_says_what_happened_and_what_to_do() {
    for (alert, kind, words) in all()
        .into_iter()
        .zip([
            ("source.failing", ["amj", "503 no store confirmed", "2 more in a row"]),
            ("source.nearly_cut_off", ["amj", "2 failures in a row", "one more"]),
            ("source.cut_off", ["amj", "3 failures in a row", "switched delivery off"]),
            ("source.silent", ["amj", "2022-11-11T05:04:58Z", "not like it"]),
            ("source.resumed", ["amj", "2022-11-11T05:05:02Z and 2022-11-11T05:05:07Z", "may be lost"]),
            ("edge.unreachable", ["the edge", "401 wrong token", "2022-11-11T05:04:58Z"]),
            ("plugin.version_withdrawn", ["0123456789ab", "notice", "3 faults in 20 calls"]),
            ("host.parked", ["2 are parked", "need", "a person"]),
            ("test", ["test", "Tidegate", "arrive"]),
        ])
        .map(|(alert, (kind, words))| (alert, kind, words))
    {
        let payload = alert.payload();
        assert_eq!(payload["type"], kind);
        assert_eq!(payload["timestamp"], "2022-11-11T05:05:07Z");
        let summary = payload["data"]["summary"].as_str().expect("a summary");
        for word in words {
            assert!(summary.contains(word), "{kind}: `{summary}` should say `{word}`");
        }
        assert!(!alert.steps().is_empty(), "{kind}");
    }
}

#[test]
fn a_cut_off_sender_is_enabled_by_the_steps_of_its_profile() {
    let amj = profile::find("amj").expect("the profile exists");
    let payload = Alert::CutOff(trouble(3, Some(0))).payload();
    let steps = payload["data"]["steps"].as_array().expect("steps");
    for step in amj.resume_steps() {
        assert!(steps.iter().any(|it| it == step), "{step}");
    }
    assert!(!resume_steps(Some("no such profile")).is_empty());
}

#[test]
fn an_id_is_the_same_each_time_and_another_for_each_alert() {
    let ids: std::collections::BTreeSet<_> = all().iter().map(Alert::id).collect();
    assert_eq!(ids.len(), all().len());
    assert_eq!(Alert::Failing(trouble(1, Some(2))).id(), Alert::Failing(trouble(9, None)).id());
}

#[test]
fn every_condition_says_how_much_and_what_to_type() {
    let words = [
        (Condition::Waiting, 400_000, "6 min, more than 0 s"),
        (Condition::Parked, 1, "1 is parked"),
        (Condition::Disk, 97, "97 % full, more than 100 %"),
        (Condition::Store, 5 << 20, "5 MiB, more than 0 MiB"),
        (Condition::Backlog, 101, "101 messages wait in the queue, more than 100 messages"),
    ];
    for ((condition, value, word), known) in words.into_iter().zip(Condition::ALL) {
        assert_eq!(condition, known);
        let begins = Alert::Host(news(condition, Turn::Begins, value));
        let over = Alert::Host(news(condition, Turn::Over, 0));
        assert!(begins.summary().contains(word), "`{}` should say `{word}`", begins.summary());
        assert_eq!(over.kind(), format!("{}.resolved", begins.kind()));
        assert!(over.summary().contains("well again"), "{}", over.summary());
        assert_ne!(begins.id(), over.id());
        let data = begins.payload()["data"].clone();
        assert_eq!((&data["value"], &data["since"]), (&value.into(), &"2022-11-11T05:04:07Z".into()));
    }
}
