//! The state machine, step by step: what it says, and that it says it once.

mod stage;

use super::report::{EdgeReport, SourceState};
use super::*;
use crate::alert::GapCause;
use crate::rhythm::Silence;
use stage::*;

/// What each step must make it say: the kinds of alerts, or nothing.
type Case<'a> = (&'a str, &'a [(u64, Step, &'a [&'a str])]);

#[test]
fn each_alert_is_raised_once_per_episode() {
    let silence_max = VigilRules { silence_max_ms: Some(MINUTE_MS) };
    let cases: [(VigilRules, Case<'_>); 14] = [
        (
            VigilRules::default(),
            (
                "a source that is well",
                &[(1, well(0), &[]), (11, well(9), &[]), (12, Event(12), &[]), (3_600, Tick, &[])],
            ),
        ),
        (
            VigilRules::default(),
            (
                "the first failure, the second, the third",
                &[
                    (1, well(0), &[]),
                    (11, failing(1, 10), &["source.failing"]),
                    (21, failing(2, 20), &["source.nearly_cut_off"]),
                    (22, failing(2, 20), &[]),
                    (31, failing(3, 30), &["source.cut_off"]),
                    (41, failing(3, 30), &[]),
                    (51, failing(7, 50), &[]),
                    (99, Tick, &[]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "from well to cut off between two polls",
                &[(1, well(0), &[]), (11, failing(4, 10), &["source.cut_off"])],
            ),
        ),
        (
            VigilRules::default(),
            (
                "the last failures of a cut-off are told after the event that ends it",
                &[
                    (1, well(0), &[]),
                    (11, failing(4, 10), &["source.cut_off"]),
                    (20, Event(20), &["source.resumed"]),
                    (21, failing(9, 19), &[]),
                    (22, recovered(21, 22), &[]),
                    (40, recovered(39, 40), &["source.failing"]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "a failure and a success between two polls",
                &[(1, well(0), &[]), (11, recovered(8, 9), &["source.failing"]), (21, recovered(8, 20), &[])],
            ),
        ),
        (
            VigilRules::default(),
            (
                "failures that had passed before anybody watched",
                &[
                    (1, recovered(0, 1), &[]),
                    (11, recovered(0, 10), &[]),
                    (21, recovered(20, 21), &["source.failing"]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            ("failures that go on when the watch begins", &[(1, failing(2, 0), &["source.nearly_cut_off"])]),
        ),
        (
            VigilRules::default(),
            (
                "a source that fails again and again is one episode",
                &[
                    (1, well(0), &[]),
                    (11, failing(1, 10), &["source.failing"]),
                    (21, recovered(10, 20), &[]),
                    (22, Tick, &[]),
                    (31, failing(1, 30), &[]),
                    (41, recovered(30, 40), &[]),
                    // All has been well for ten minutes: the next one is news.
                    (700, recovered(30, 690), &[]),
                    (701, Tick, &[]),
                    (711, failing(1, 710), &["source.failing"]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "the edge's word comes later than the event that makes it old",
                &[
                    (1, well(0), &[]),
                    (11, failing(3, 10), &["source.cut_off"]),
                    (16, Event(16), &["source.resumed"]),
                    (17, failing(3, 10), &[]),
                    (18, recovered(10, 16), &[]),
                    (26, Event(26), &[]),
                    (27, failing(3, 25), &["source.failing"]),
                    (28, recovered(25, 26), &[]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "a test of the operator's is no sign of the sender",
                &[
                    (1, well(0), &[]),
                    (11, failing(3, 10), &["source.cut_off"]),
                    (21, recovered(10, 20), &[]),
                    (22, Test(20), &[]),
                    (90, recovered(10, 20), &[]),
                    (150, recovered(10, 20), &[]),
                    (200, recovered(10, 199), &["source.resumed"]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "a restart does not say it again",
                &[
                    (1, well(0), &[]),
                    (11, failing(3, 10), &["source.cut_off"]),
                    (12, Restart, &[]),
                    (13, failing(3, 10), &[]),
                    (14, Tick, &[]),
                    (15, Restart, &[]),
                    (16, Event(16), &["source.resumed"]),
                    (17, Restart, &[]),
                    (18, recovered(10, 16), &[]),
                    (19, Tick, &[]),
                ],
            ),
        ),
        (
            VigilRules::default(),
            (
                "the edge does not answer",
                &[
                    (1, Unreachable, &[]),
                    (11, Unreachable, &[]),
                    (21, Unreachable, &["edge.unreachable"]),
                    (31, Unreachable, &[]),
                    (32, Restart, &[]),
                    (41, Unreachable, &[]),
                    (51, Unreachable, &[]),
                    (61, Unreachable, &[]),
                    (71, well(70), &[]),
                    (81, Unreachable, &[]),
                    (91, Unreachable, &[]),
                    (101, Unreachable, &["edge.unreachable"]),
                ],
            ),
        ),
        (
            silence_max,
            (
                "a silence longer than the operator allows",
                &[
                    (1, well(0), &[]),
                    (2, Event(2), &[]),
                    (60, Tick, &[]),
                    (63, Tick, &["source.silent"]),
                    (200, Tick, &[]),
                    (201, Restart, &[]),
                    (300, Tick, &[]),
                    (301, Event(301), &["source.resumed"]),
                    (350, Tick, &[]),
                    (362, Tick, &["source.silent"]),
                ],
            ),
        ),
        (
            silence_max,
            (
                "a silence that may be ours is not the source's",
                &[
                    (1, well(1), &[]),
                    (50, Unreachable, &[]),
                    (90, Tick, &[]),
                    (91, well(90), &[]),
                    (92, Tick, &[]),
                ],
            ),
        ),
    ];
    for (rules, (name, steps)) in cases {
        let mut stage = Stage::new(rules);
        for (at_s, step, expected) in steps {
            let said = stage.step(*at_s, *step);
            let kinds: Vec<_> = said.iter().map(Alert::kind).collect();
            assert_eq!(&kinds, expected, "{name}, at {at_s} s: {step:?}");
        }
    }
}

#[test]
fn a_gap_is_from_the_last_sign_of_life_to_the_first_event_after() {
    for (name, steps, from_s, to_s, after) in [
        (
            "an event that comes before the edge is asked again",
            &[(1, well(0)), (6, Event(6)), (11, failing(3, 10)), (95, Event(94))][..],
            6,
            94,
            GapCause::CutOff,
        ),
        (
            "an event that the edge was faster to tell of",
            &[(1, well(0)), (11, failing(3, 10)), (91, recovered(10, 89)), (95, Event(88))],
            5,
            88,
            GapCause::CutOff,
        ),
        (
            "an answer whose event does not come through the queue",
            &[(1, well(0)), (11, failing(3, 10)), (91, recovered(10, 89)), (151, recovered(10, 150))],
            5,
            150,
            GapCause::CutOff,
        ),
        (
            "events that were accepted before the failures and come late",
            &[(1, well(0)), (11, failing(3, 10)), (20, Event(7)), (21, Event(8)), (95, Event(94))],
            8,
            94,
            GapCause::CutOff,
        ),
        (
            "silence first, then failures",
            &[(1, well(1)), (700, Tick), (710, failing(3, 709)), (800, Event(800))],
            1,
            800,
            GapCause::CutOff,
        ),
        (
            "silence",
            &[(1, well(1)), (2, Event(2)), (700, Tick), (800, Event(800))],
            2,
            800,
            GapCause::Silence,
        ),
    ] {
        let mut stage = Stage::new(VigilRules { silence_max_ms: Some(600 * SECOND_MS) });
        let said: Vec<_> = steps.iter().flat_map(|(at_s, step)| stage.step(*at_s, *step)).collect();
        let gaps: Vec<_> = said
            .iter()
            .filter_map(|alert| match alert {
                Alert::Resumed { gap, .. } => Some(gap),
                _ => None,
            })
            .collect();
        let ms = |s: u64| START_MS + s * SECOND_MS;
        let found: Vec<_> = gaps.iter().map(|gap| (gap.from_ms, gap.to_ms, gap.after)).collect();
        assert_eq!(found, [(ms(from_s), ms(to_s), after)], "{name}: {said:?}");
    }
}

#[test]
fn a_busy_source_that_stops_is_silent_within_minutes_and_its_nights_are_not() {
    let week_ms = rhythm::HISTORY_MS_MIN;
    let mut rhythm = Rhythm::new(START_MS - 2 * week_ms);
    for minute in 1..=2 * week_ms / MINUTE_MS {
        rhythm.event(START_MS - 2 * week_ms + minute * MINUTE_MS, Silence::Natural);
    }
    let mut memory = Memory::default();
    let well = SourceMemory { last_ms: Some(START_MS), ..SourceMemory::default() };
    memory.sources.insert(amj(), well);
    let mut vigil = Vigil::new(VigilRules::default(), START_MS, memory, [(amj(), rhythm)]);
    let silent_after =
        (1..=60).find(|minute| !vigil.tick(START_MS + minute * MINUTE_MS).is_empty()).expect("is noticed");
    assert!((10..=25).contains(&silent_after), "noticed after {silent_after} min");
}

#[test]
fn a_report_says_how_each_source_is() {
    let edge = |failure: Option<&str>| {
        Some(EdgeReport { asked_ms: Some(START_MS), failure: failure.map(Into::into), faults: vec![] })
    };
    for (name, steps, edge, state, left) in [
        ("well", &[(1, well(0))][..], edge(None), SourceState::Ok, Some(3)),
        ("well, and no edge to ask", &[(1, Event(1))], None, SourceState::Ok, None),
        ("not listed", &[(1, Event(1))], edge(None), SourceState::Unknown, None),
        (
            "no answer",
            &[(1, well(0)), (11, Unreachable)],
            edge(Some("refused")),
            SourceState::Unknown,
            Some(3),
        ),
        ("failing", &[(1, failing(2, 0))], edge(None), SourceState::Failing, Some(1)),
        ("cut off", &[(1, failing(3, 0))], edge(None), SourceState::CutOff, Some(0)),
        ("silent", &[(1, well(1)), (700, Tick)], edge(None), SourceState::Silent, Some(3)),
    ] {
        let mut stage = Stage::new(VigilRules { silence_max_ms: Some(600 * SECOND_MS) });
        for (at_s, step) in steps {
            stage.step(*at_s, *step);
        }
        let report = stage.vigil.report(edge, START_MS + 800 * SECOND_MS);
        let row = report.sources.first().expect("one source");
        assert_eq!((row.state, row.left), (state, left), "{name}");
        let needs_a_person = matches!(state, SourceState::CutOff | SourceState::Silent);
        assert_eq!(!row.steps.is_empty(), needs_a_person, "{name}: {:?}", row.steps);
    }
}
