//! What a store remembers of watching sources.

use super::{NOW_MS, dir, open, reopen};
use tidegate::alert::{Alert, Gap, GapCause, Trouble};
use tidegate::rhythm::Rhythm;
use tidegate::store::watched::{AlertOutcome, Sending, WatchedBatch};
use tidegate::store::{Batch, EffectState, Store};
use tidegate::vigil::{Changes, Memory, Vigil, VigilRules};
use tidegate_envelope::SourceName;

fn amj() -> SourceName {
    SourceName::new("amj").expect("a valid name")
}

fn failing(n: u64) -> Alert {
    Alert::Failing(Trouble {
        source: amj(),
        profile: "amj".into(),
        failures_in_row: 1,
        left: Some(2),
        last_failure: None,
        last_failure_ms: None,
        last_success_ms: None,
        at_ms: NOW_MS + n,
    })
}

fn gap() -> Gap {
    Gap { source: amj(), from_ms: NOW_MS - 10, to_ms: NOW_MS, after: GapCause::CutOff }
}

fn raised(alerts: Vec<Alert>, sending: Sending) -> Batch {
    Batch { watched: WatchedBatch { alerts, sending, ..WatchedBatch::default() }, ..Batch::default() }
}

#[tokio::test]
async fn an_alert_is_due_until_it_is_sent_or_parked() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    let alerts = vec![failing(1), failing(2), failing(3)];
    store.commit(raised(alerts, Sending::On)).await.expect("commits");
    let due = store.alerts_due(NOW_MS + 2, 10).await.expect("reads");
    assert_eq!(due.len(), 2, "the third is later");
    assert_eq!(store.next_alert_at_ms(NOW_MS + 2).await.expect("reads"), Some(NOW_MS + 3));
    let due = store.alerts_due(NOW_MS + 3, 10).await.expect("reads");
    assert_eq!(
        (due[0].id.clone(), due[0].payload.clone()),
        (failing(1).id(), failing(1).payload().to_string())
    );

    let ends = [EffectState::Done, EffectState::Parked, EffectState::Waiting { due_at_ms: NOW_MS + 500 }];
    let outcomes = due.iter().zip(ends).map(|(due, state)| AlertOutcome {
        seq: due.seq,
        attempts: 1,
        state,
        what: "what".into(),
        at_ms: NOW_MS + 100,
    });
    let watched = WatchedBatch { outcomes: outcomes.collect(), ..WatchedBatch::default() };
    store.commit(Batch { watched, ..Batch::default() }).await.expect("commits");
    assert!(store.alerts_due(NOW_MS + 499, 10).await.expect("reads").is_empty());
    let again = store.alerts_due(NOW_MS + 500, 10).await.expect("reads");
    assert_eq!((again.len(), again[0].attempts, again[0].id.clone()), (1, 1, failing(3).id()));
    let rows = store.alerts(2).await.expect("reads");
    let rows: Vec<_> = rows.iter().map(|row| (row.state.as_str(), row.what.as_deref())).collect();
    assert_eq!(rows, [("parked", Some("what")), ("waiting", Some("what"))], "the last two, oldest first");
    let parked = super::all_parked(&store).await;
    assert_eq!((parked[0].what.as_str(), parked[0].why.as_str()), ("alert", "source.failing: what"));
}

#[tokio::test]
async fn an_alert_with_nobody_to_send_it_to_is_listed_alone_and_a_gap_for_itself() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    let resumed = Alert::Resumed { profile: None, gap: gap(), at_ms: NOW_MS };
    store.commit(raised(vec![failing(1), resumed], Sending::Off)).await.expect("commits");
    assert!(store.alerts_due(u64::MAX >> 1, 10).await.expect("reads").is_empty());
    let rows = store.alerts(10).await.expect("reads");
    let rows: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.state.as_str())).collect();
    assert_eq!(rows, [("source.failing", "logged"), ("source.resumed", "logged")]);
    assert_eq!(store.gaps(10).await.expect("reads"), [gap()]);
}

#[tokio::test]
async fn what_a_vigil_must_remember_is_there_after_reopening() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    let nothing = store.last_vigil().await.expect("reads");
    assert_eq!((nothing.memory, nothing.rhythms), (Memory::default(), vec![]));

    let mut vigil = Vigil::new(VigilRules::default(), NOW_MS, Memory::default(), []);
    vigil.recorded(&amj(), NOW_MS, NOW_MS + 7, NOW_MS + 8);
    let (first, memory) = (vigil.changes(), vigil.memory());
    vigil.recorded(&amj(), NOW_MS + 400_000, NOW_MS + 400_000, NOW_MS + 400_000);
    let (second, last) = (vigil.changes(), vigil.memory());
    assert_ne!(memory, last);
    for changes in [first, second] {
        let watched = WatchedBatch { changes, ..WatchedBatch::default() };
        store.commit(Batch { watched, ..Batch::default() }).await.expect("commits");
    }
    drop(store);
    let left = reopen(&dir).await.last_vigil().await.expect("reads");
    assert_eq!(left.memory, last);
    assert_eq!(
        left.rhythms.iter().map(|(_, rhythm)| rhythm.last_ms()).collect::<Vec<_>>(),
        [NOW_MS + 400_000]
    );
}

#[tokio::test]
async fn changes_that_are_none_leave_what_was_stored() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    let changes = Changes { memory: None, rhythms: vec![(amj(), Rhythm::new(NOW_MS))] };
    let watched = WatchedBatch { changes, ..WatchedBatch::default() };
    store.commit(Batch { watched, ..Batch::default() }).await.expect("commits");
    store.commit(Batch::default()).await.expect("commits");
    assert_eq!(store.last_vigil().await.expect("reads").rhythms, [(amj(), Rhythm::new(NOW_MS))]);
}
