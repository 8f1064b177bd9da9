//! What is counted as it is written is what there is: counted again, row by row, after everything that changes a state.

use super::*;
use std::collections::BTreeMap;
use tidegate::store::parked::{Action, Intervention, ParkedId};
use tidegate::store::stats::Stats;

/// The tables counted row by row, as the counters have it; states with none left are in neither.
fn recount(dir: &Home) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let read = |sql: &str| {
        let rows = dir.query(sql).into_iter();
        rows.map(|row| (format!("{} {}", row[0], row[1]), row[2].parse().expect("a count"))).collect()
    };
    (
        read("SELECT what, state, count FROM counters WHERE count <> 0"),
        read(
            "SELECT 'event', state, count(*) FROM events GROUP BY state
             UNION ALL SELECT 'arrival', arrival, count(*) FROM events WHERE cause IS NULL GROUP BY arrival
             UNION ALL SELECT 'caused', 0, count(*) FROM events WHERE cause IS NOT NULL HAVING count(*) > 0
             UNION ALL SELECT 'plan', state, count(*) FROM plans GROUP BY state
             UNION ALL SELECT 'effect', state, count(*) FROM effects GROUP BY state
             UNION ALL SELECT 'upcoming', 0, count(*) FROM upcoming HAVING count(*) > 0
             UNION ALL SELECT 'stray', state, count(*) FROM strays GROUP BY state
             UNION ALL SELECT 'alert', state, count(*) FROM alerts GROUP BY state",
        ),
    )
}

pub(crate) async fn assert_counted(dir: &Home, store: &SqlStore, when: &str) -> Stats {
    let (counted, there) = recount(dir);
    assert_eq!(counted, there, "{when}");
    let stats = store.stats().await.expect("reads");
    assert_eq!(stats.incoming, stats.done + stats.waiting + stats.parked, "{when}");
    stats
}

fn about_one_asset(n: u64, plans: Vec<Plan>) -> Recorded {
    let mut recorded = recorded(n, plans);
    recorded.event.subject = "675".to_owned();
    recorded
}

#[tokio::test]
async fn counters_are_what_there_is_after_every_change() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    assert_counted(&dir, &store, "of nothing").await;

    let parked = || Verdict::Parked { why: "trap".into(), is_holding: true };
    let mut duplicate = recorded(9, vec![]);
    duplicate.event.arrival = Arrival::Duplicate(receipt(1));
    let events = vec![
        decided(&version, 1),
        about_one_asset(2, vec![plan(&version, parked())]),
        about_one_asset(3, vec![plan(&version, Verdict::Held)]),
        about_one_asset(4, vec![plan(&version, Verdict::Held)]),
        duplicate,
    ];
    let strays = (0..3).map(|n| Stray { body: format!("{n}"), why: "no".into(), pulled_at_ms: NOW_MS });
    let strays: Vec<_> = strays.collect();
    store.commit(Batch { events, strays, ..Batch::default() }).await.expect("commits");
    // The same again is not counted again.
    commit_events(&store, vec![decided(&version, 1)]).await;
    let stats = assert_counted(&dir, &store, "after a batch").await;
    assert_eq!((stats.incoming, stats.done, stats.waiting, stats.parked), (8, 2, 2, 4));
    assert_eq!((stats.accepted.first, stats.accepted.duplicate, stats.plans.held), (4, 1, 2));

    let seq = super::effects_due(&store, NOW_MS + 3).await[0].seq;
    let outcome =
        |state| EffectOutcome { seq, attempts: 1, state, what: "503".into(), at_ms: NOW_MS + 5, reply: None };
    for state in [EffectState::Waiting { due_at_ms: NOW_MS + 9 }, EffectState::Parked] {
        store.commit(Batch { outcomes: vec![outcome(state)], ..Batch::default() }).await.expect("commits");
        assert_counted(&dir, &store, "after an attempt").await;
    }

    let key = EffectKey::new(receipt(1), &manifest().name, 0);
    let drop = || Action::Drop { reason: Some("known".into()) };
    for (id, action) in [
        (ParkedId::Plan(receipt(2), manifest().name), Action::Redrive { version: None }),
        (ParkedId::Effect(key.clone()), Action::Redrive { version: None }),
        (ParkedId::Stray(1), drop()),
        (ParkedId::Stray(2), Action::Redrive { version: None }),
        // What is not parked is left alone.
        (ParkedId::Effect(key), drop()),
        (ParkedId::Stray(1), Action::Redrive { version: None }),
        (ParkedId::Alert(1), drop()),
    ] {
        let when = format!("after {action:?} of {id}");
        let interventions = vec![Intervention { id, action, at_ms: NOW_MS + 10 }];
        store.commit(Batch { interventions, ..Batch::default() }).await.expect("commits");
        assert_counted(&dir, &store, &when).await;
    }
    let stats = assert_counted(&dir, &store, "in the end").await;
    assert_eq!((stats.strays.parked, stats.strays.dropped), (1, 1));
    assert_eq!((stats.effects.waiting, stats.effects.parked, stats.plans.waiting), (1, 0, 1));
}
