use super::*;

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
