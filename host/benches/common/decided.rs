//! What the host records of an event that one version of a plugin decides: for benches that write it themselves.

use tidegate::arrival;
use tidegate::event::Event;
use tidegate::plan::{Asked, PlanRules, plan};
use tidegate::registry::Active;
use tidegate::sandbox::{Call, Question, Sandbox};
use tidegate::store::{Recorded, SubjectChange};

pub(crate) fn decided(sandbox: &Sandbox, active: &Active, event: Event, now_ms: u64) -> Recorded {
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
        now_ms,
        jitter: 0.5,
    };
    let plans = vec![plan(asked, &PlanRules::default())];
    let subject = SubjectChange { mark: arrival::advance(None, &event), expected: None };
    Recorded { event, queued_at_ms: 1, pulled_at_ms: 2, decided_at_ms: 3, plans, subject, came: None }
}
