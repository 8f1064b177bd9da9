//! What an event keeps of its sender's trace: whoever asks again or performs later needs it, after a restart, too.

use super::*;
use tidegate::partition::Partitions;
use tidegate::store::EventSeq;
use tidegate::store::keeping::Removal;
use tidegate::trace::TraceParent;

#[tokio::test]
async fn a_senders_trace_is_known_until_its_event_is_removed() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent = TraceParent::parse(header).expect("a header");
    let waits = Verdict::Waiting { due_at_ms: NOW_MS, why: "later".into() };
    let mut events =
        vec![decided(&version, 1), recorded(2, vec![plan(&version, waits)]), decided(&version, 3)];
    events[0].event.trace = Some(parent);
    events[1].event.trace = Some(parent);
    commit_events(&store, events).await;
    drop(store);

    let store = reopen(&dir).await;
    let traces: Vec<_> = effects_due(&store, NOW_MS + 9).await.iter().map(|due| due.trace).collect();
    assert_eq!(traces, [Some(parent), None]);
    let asks = store.asks_due(NOW_MS + 9, 10, Partitions::ALL).await.expect("reads");
    assert_eq!(asks.iter().map(|ask| ask.event.trace).collect::<Vec<_>>(), [Some(parent)]);

    let done = effects_due(&store, NOW_MS + 9).await.into_iter().map(|due| EffectOutcome {
        seq: due.seq,
        attempts: 1,
        state: EffectState::Done,
        what: "200 in 1 ms".into(),
        at_ms: NOW_MS + 9,
        reply: None,
    });
    store.commit(Batch { outcomes: done.collect(), ..Batch::default() }).await.expect("commits");
    let removal = Removal { events: vec![EventSeq(1)], ..Removal::default() };
    store.commit(Batch { removal, ..Batch::default() }).await.expect("commits");
    assert_eq!(all(&store).await.len(), 2);
    drop(store);
    let left = dir.query("SELECT event_seq FROM traces");
    assert_eq!(left, [["2"]], "of the event that waits");
}
