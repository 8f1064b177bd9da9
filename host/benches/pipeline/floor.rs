//! The floor: the same rows, written by the store alone.

use super::host::{Middle, now_ms};
use super::usage::{Meter, Spent};
use super::{EVENTS, GROUP};
use tidegate::arrival;
use tidegate::plan::{Asked, Plan, PlanRules, plan};
use tidegate::read::{Opened, read};
use tidegate::registry::Active;
use tidegate::sandbox::{Call, Question, Sandbox};
use tidegate::store::{Batch, Recorded, Store as _, SubjectChange};
use tidegate_envelope::Envelope;

pub(crate) async fn run(envelopes: &[String]) -> Spent {
    let dir = tempfile::tempdir().expect("a directory");
    let middle = Middle::new(dir.path()).await;
    let active = middle.active();
    let recorded: Vec<_> =
        envelopes.iter().map(|text| decide(&middle.versions.sandbox, &active, text)).collect();
    let meter = Meter::start();
    let mut batches = recorded.into_iter().peekable();
    let mut waiting = tokio::task::JoinSet::new();
    while batches.peek().is_some() {
        let events = batches.by_ref().take(GROUP).collect();
        let store = middle.store.clone();
        waiting.spawn(async move { store.commit(Batch { events, ..Batch::default() }).await });
        if waiting.len() >= 8 {
            waiting.join_next().await.expect("one waits").expect("no panic").expect("commits");
        }
    }
    while let Some(committed) = waiting.join_next().await {
        committed.expect("no panic").expect("commits");
    }
    meter.stop(EVENTS)
}

fn decide(sandbox: &Sandbox, active: &Active, text: &str) -> Recorded {
    let Opened::Event(event) = read(Envelope::open(text).expect("an envelope")) else {
        panic!("the body is inline");
    };
    let code = sandbox.load(&active.code).expect("it is there");
    let question = Question { event: &event, attempt: 1, settings: &active.settings, memory: None };
    let Call { answer, log, .. } = sandbox.call(&code, &question, &active.limits);
    let asked = Asked {
        event: &event,
        active,
        attempt: 1,
        asked_us: 30,
        memory: None,
        answer,
        log,
        now_ms: now_ms(),
        jitter: 0.5,
    };
    let plans: Vec<Plan> = vec![plan(asked, &PlanRules::default())];
    let subject = SubjectChange { mark: arrival::advance(None, &event), expected: None };
    Recorded { event, queued_at_ms: 1, pulled_at_ms: 2, decided_at_ms: 3, plans, subject, came: None }
}
