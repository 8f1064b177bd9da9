//! What is parked is found, tried again and dropped, each for itself.

use super::*;
use tidegate::partition::Partitions;
use tidegate::store::parked::{Action, Intervention, ParkedId};
use tidegate::store::watched::{AlertOutcome, Sending, WatchedBatch};

fn about(n: u64, subject: &str, plans: Vec<Plan>) -> Recorded {
    let mut recorded = recorded(n, plans);
    recorded.event.subject = subject.to_owned();
    recorded.decided_at_ms = NOW_MS + n;
    recorded
}

fn parked(version: &Version, why: &str) -> Plan {
    plan(version, Verdict::Parked { why: why.into(), is_holding: true })
}

fn id(n: u64) -> ParkedId {
    ParkedId::Plan(receipt(n), manifest().name)
}

/// One of each kind, parked in this order: a stray, two plans, an effect, an alert.
async fn one_of_each(dir: &Home) -> (SqlStore, Version) {
    let (store, version) = open(dir).await;
    let events = vec![
        about(1, "675", vec![parked(&version, "the plugin trapped")]),
        about(2, "676", vec![parked(&version, "NotGranted")]),
        decided(&version, 3),
    ];
    let strays = vec![Stray { body: "what".into(), why: "not an envelope".into(), pulled_at_ms: NOW_MS }];
    let alert = tidegate::alert::Alert::Resumed {
        profile: None,
        gap: tidegate::alert::Gap {
            source: SourceName::new("amj").expect("a name"),
            from_ms: NOW_MS,
            to_ms: NOW_MS + 1,
            after: tidegate::alert::GapCause::Silence,
        },
        at_ms: NOW_MS,
    };
    let watched = WatchedBatch { alerts: vec![alert], sending: Sending::On, ..WatchedBatch::default() };
    store.commit(Batch { events, strays, watched, ..Batch::default() }).await.expect("commits");
    let effect = super::effects_due(&store, NOW_MS + 9).await.remove(0);
    let alert = store.alerts_due(NOW_MS + 9, 1).await.expect("reads").remove(0);
    let outcomes = vec![EffectOutcome {
        seq: effect.seq,
        attempts: 9,
        state: EffectState::Parked,
        what: "connection refused".into(),
        at_ms: NOW_MS + 50,
        reply: None,
    }];
    let what = "410".to_owned();
    let alert =
        AlertOutcome { seq: alert.seq, attempts: 3, state: EffectState::Parked, what, at_ms: NOW_MS + 60 };
    let watched = WatchedBatch { outcomes: vec![alert], ..WatchedBatch::default() };
    store.commit(Batch { outcomes, watched, ..Batch::default() }).await.expect("commits");
    (store, version)
}

async fn ids(store: &SqlStore, query: ParkedQuery) -> Vec<String> {
    let mut query = ParkedQuery { rows_max: Some(1), ..query };
    let mut ids = Vec::new();
    loop {
        let page = store.parked(query.clone()).await.expect("reads");
        ids.extend(page.rows.iter().map(|row| row.id.to_string()));
        query.after = page.next;
        if query.after.is_none() {
            return ids;
        }
    }
}

async fn intervene(store: &SqlStore, id: ParkedId, action: Action) {
    let interventions = vec![Intervention { id, action, at_ms: NOW_MS + 100 }];
    store.commit(Batch { interventions, ..Batch::default() }).await.expect("commits");
}

fn dropped() -> Action {
    Action::Drop { reason: Some("known".into()) }
}

#[tokio::test]
async fn every_filter_finds_what_it_says_page_by_page() {
    let dir = dir();
    let (store, _) = one_of_each(&dir).await;
    let (one, two, effect) =
        (id(1).to_string(), id(2).to_string(), EffectKey::new(receipt(3), &manifest().name, 0).to_string());
    let everything = ["stray/1", &one, &two, &effect, "alert/1"];
    let all = ParkedQuery::default;
    for (query, expected) in [
        (all(), &everything[..]),
        (ParkedQuery { what: Some("event".into()), ..all() }, &everything[1..3]),
        (ParkedQuery { what: Some("effect".into()), ..all() }, &everything[3..4]),
        (ParkedQuery { subject: Some("675".into()), ..all() }, &everything[1..2]),
        (ParkedQuery { source: Some("amj".into()), ..all() }, &everything[1..]),
        (ParkedQuery { plugin: Some("notice".into()), ..all() }, &everything[1..4]),
        (ParkedQuery { receipt: Some(receipt(2)), ..all() }, &everything[2..3]),
        (ParkedQuery { reason: Some("notgranted".into()), ..all() }, &everything[2..3]),
        (ParkedQuery { reason: Some("not an".into()), ..all() }, &everything[..1]),
        (ParkedQuery { since_ms: Some(NOW_MS + 2), ..all() }, &everything[2..]),
        (ParkedQuery { until_ms: Some(NOW_MS + 2), ..all() }, &everything[..2]),
        (ParkedQuery { id: Some(id(2)), ..all() }, &everything[2..3]),
        (ParkedQuery { id: Some(ParkedId::Stray(1)), ..all() }, &everything[..1]),
        (ParkedQuery { id: Some(ParkedId::Stray(9)), ..all() }, &[]),
    ] {
        assert_eq!(ids(&store, query.clone()).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_is_redriven_is_due_at_once_and_counts_its_attempts_anew() {
    let dir = dir();
    let (store, _) = one_of_each(&dir).await;
    let key = EffectKey::new(receipt(3), &manifest().name, 0);
    for id in [id(1), ParkedId::Effect(key.clone()), ParkedId::Alert(1)] {
        intervene(&store, id, Action::Redrive { version: None }).await;
    }
    let asks = store.asks_due(NOW_MS + 100, 10, Partitions::ALL).await.expect("reads");
    assert_eq!((asks.len(), asks[0].attempts, asks[0].event.receipt), (1, 0, receipt(1)));
    let effects = super::effects_due(&store, NOW_MS + 100).await;
    assert_eq!((effects.len(), effects[0].attempts, effects[0].effect.key()), (1, 0, &key));
    let alerts = store.alerts_due(NOW_MS + 100, 10).await.expect("reads");
    assert_eq!((alerts.len(), alerts[0].attempts), (1, 0));
    assert_eq!(ids(&store, ParkedQuery::default()).await, ["stray/1".to_owned(), id(2).to_string()]);
    let event = store.event(receipt(1)).await.expect("reads").expect("is there");
    let story = event.story.expect("a single event has one");
    assert_eq!((event.state.as_str(), story.interventions[0].action.as_str()), ("waiting", "redriven"));
}

#[tokio::test]
async fn what_is_dropped_is_kept_and_counts_as_done_and_its_lane_goes_on() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let held = || plan(&version, Verdict::Held);
    let events = vec![
        about(1, "675", vec![parked(&version, "trap")]),
        about(2, "675", vec![held()]),
        about(3, "675", vec![held()]),
    ];
    commit_events(&store, events).await;
    assert!(store.asks_due(NOW_MS + 100, 10, Partitions::ALL).await.expect("reads").is_empty());
    for _ in 0..2 {
        // Twice is once.
        intervene(&store, id(1), dropped()).await;
    }
    let asks = store.asks_due(NOW_MS + 100, 10, Partitions::ALL).await.expect("reads");
    assert_eq!(asks.iter().map(|ask| ask.event.receipt).collect::<Vec<_>>(), [receipt(2)], "one at a time");
    let event = store.event(receipt(1)).await.expect("reads").expect("is there");
    assert_eq!((event.state.as_str(), event.plans[0].state.as_str()), ("decided", "dropped"));
    assert_eq!(event.plans[0].why.as_deref(), Some("trap"), "why it was parked is still known");
    let story = event.story.expect("a single event has one");
    assert_eq!((story.interventions.len(), story.interventions[0].reason.as_deref()), (1, Some("known")));
    let detail = store.parked_detail(id(1)).await.expect("reads").expect("is there");
    assert_eq!(detail.state, "dropped");
}

#[tokio::test]
async fn what_a_plugin_parked_itself_waits_for_whoever_is_first_in_its_lane() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let own = Verdict::Parked { why: "enough".into(), is_holding: false };
    let events = vec![
        about(1, "675", vec![plan(&version, own.clone())]),
        about(2, "675", vec![plan(&version, own)]),
        about(3, "675", vec![plan(&version, Verdict::Waiting { due_at_ms: NOW_MS, why: "slow".into() })]),
    ];
    commit_events(&store, events).await;
    intervene(&store, id(1), Action::Redrive { version: None }).await;
    let asked = async || {
        let asks = store.asks_due(NOW_MS + 100, 10, Partitions::ALL).await.expect("reads");
        asks.iter().map(|ask| (ask.seq, ask.event.receipt)).collect::<Vec<_>>()
    };
    assert_eq!(asked().await.iter().map(|it| it.1).collect::<Vec<_>>(), [receipt(3)], "not both at once");
    // Dropping another that stands in no lane lets nobody go before it is their turn.
    intervene(&store, id(2), dropped()).await;
    assert_eq!(asked().await.len(), 1);
    let replan = Replan {
        event: asked().await[0].0,
        plan: plan(&version, Verdict::Skipped),
        decided_at_ms: NOW_MS + 100,
        subject: SubjectChange::default(),
    };
    store.commit(Batch { replans: vec![replan], ..Batch::default() }).await.expect("commits");
    assert_eq!(asked().await.iter().map(|it| it.1).collect::<Vec<_>>(), [receipt(1)], "now it is its turn");
}

#[tokio::test]
async fn what_there_is_to_say_about_each_kind_is_said() {
    let dir = dir();
    let (store, _) = one_of_each(&dir).await;
    let detail = async |id| store.parked_detail(id).await.expect("reads").expect("is there");
    let effect = detail(ParkedId::Effect(EffectKey::new(receipt(3), &manifest().name, 0))).await;
    let request = effect.request.expect("it has one");
    assert_eq!((request.method.as_str(), request.body_bytes), ("POST", Some(3)));
    assert_eq!(request.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
    assert_eq!(effect.event.expect("its event").receipt, receipt(3));
    let stray = detail(ParkedId::Stray(1)).await;
    assert_eq!((stray.body.as_deref(), stray.why.as_deref()), (Some("what"), Some("not an envelope")));
    intervene(&store, ParkedId::Stray(1), dropped()).await;
    let stray = detail(ParkedId::Stray(1)).await;
    assert_eq!((stray.state.as_str(), stray.interventions.len()), ("dropped", 1));
    assert!(store.parked_detail(ParkedId::Stray(9)).await.expect("reads").is_none());
}
