//! One event's way through the system, in order of time.

use super::dash;
use tidegate::store::{EffectRow, EventRow, PlanRow};

/// Pointers shown on the line of what has changed.
const CHANGED_MAX: usize = 12;

/// When, in milliseconds since the Unix epoch; a word; what.
type Step = (u64, String, String);

/// The event's way, each step with the milliseconds since it was accepted.
pub(crate) fn timeline(event: &EventRow) -> String {
    let mut steps = arrival(event);
    for plan in &event.plans {
        steps.extend(of_plan(event, plan));
    }
    for effect in &event.effects {
        let before = effect.tries.iter().filter(|tried| tried.attempt < effect.attempts);
        steps.extend(before.map(|tried| {
            let what = format!("{} (attempt {}) -> {}", effect.request, tried.attempt, tried.what);
            (tried.at_ms, "tried".to_owned(), what)
        }));
        steps.push(of_effect(event, effect));
    }
    if let Some(story) = &event.story {
        for caused in &story.caused {
            let what =
                format!("{} {} {} ({})", caused.kind, dash(&caused.subject), caused.receipt, caused.state);
            steps.push((caused.at_ms, "led to".into(), what));
        }
        for it in &story.interventions {
            let reason = it.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            steps.push((it.at_ms, it.action.clone(), format!("{} by a person{reason}", it.id)));
        }
    }
    steps.sort_by_key(|step| step.0);
    let (kind, subject) = (dash(&event.kind), dash(&event.subject));
    let accepted = crate::command::time(event.received_at_ms);
    let mut text = format!("{}  {kind} {subject} of {} ({accepted})\n", event.receipt, event.source);
    let (bold, plain) = if crate::command::on_a_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (at_ms, word, what) in steps {
        let since_ms = at_ms.saturating_sub(event.received_at_ms);
        text.push_str(format!("  +{since_ms:>5} ms  {bold}{word:<9}{plain}  {what}").trim_end());
        text.push('\n');
    }
    text
}

/// From the edge to the plugins.
fn arrival(event: &EventRow) -> Vec<Step> {
    let step = |at_ms: u64, word: &str, what: String| (at_ms, word.to_owned(), what);
    let accepted = match event.cause {
        Some(cause) => step(event.received_at_ms, "due", format!("an event of the host's own, from {cause}")),
        None => step(event.received_at_ms, "accepted", "at the edge".to_owned()),
    };
    let mut steps = vec![accepted];
    steps.extend(event.findings.iter().map(|it| step(event.received_at_ms, "odd", it.to_string())));
    steps.push(step(event.queued_at_ms, "queued", String::new()));
    steps.push(step(event.pulled_at_ms, "pulled", "by the host".to_owned()));
    let before = match (event.duplicate_of, event.previous) {
        (Some(original), _) => format!(" of {original}"),
        (None, Some(previous)) => format!("; the subject's snapshot before was {previous}"),
        (None, None) => String::new(),
    };
    steps.push(step(event.pulled_at_ms, "class", format!("{}{before}", event.class)));
    let changed = event.story.as_ref().map(|story| story.changed.as_slice()).unwrap_or_default();
    if !changed.is_empty() {
        let more = match changed.len().saturating_sub(CHANGED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown: Vec<_> = changed.iter().take(CHANGED_MAX).map(String::as_str).collect();
        steps.push(step(event.pulled_at_ms, "changed", shown.join(" ") + &more));
    }
    match event.duplicate_of {
        Some(original) => {
            let what = format!("a duplicate of {original}: nobody was asked");
            steps.push(step(event.decided_at_ms, "decided", what));
        }
        None if event.plans.is_empty() => {
            steps.push(step(event.decided_at_ms, "decided", "no plugin is asked about it".to_owned()));
        }
        None => {}
    }
    steps
}

fn of_plan(event: &EventRow, plan: &PlanRow) -> Vec<Step> {
    let at_ms = if plan.at_ms > 0 { plan.at_ms } else { event.decided_at_ms };
    let (plugin, version) = (&plan.plugin, plan.version.short());
    let asked = match plan.attempt {
        0 => "not asked yet".to_owned(),
        1 => format!("asked for {} us", plan.asked_us),
        attempts => format!("asked {attempts} times, the last for {} us", plan.asked_us),
    };
    let due = plan
        .due_at_ms
        .map_or_else(String::new, |due_at_ms| format!(", due {} ms later", due_at_ms.saturating_sub(at_ms)));
    let why = plan.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let what = format!("{plugin} version {version}, {asked}{due}{why}");
    let mut steps = vec![(at_ms, plan.state.clone(), what)];
    steps.extend(plan.notes.iter().map(|note| (at_ms, "note".to_owned(), note.clone())));
    steps.extend(plan.log.shown().map(|line| (at_ms, "log".to_owned(), line)));
    steps
}

fn of_effect(event: &EventRow, effect: &EffectRow) -> Step {
    let word = if effect.state == "done" { "performed" } else { &effect.state };
    let attempts =
        if effect.attempts > 1 { format!(" ({} attempts)", effect.attempts) } else { String::new() };
    let what = effect.what.as_ref().map_or_else(String::new, |what| format!(" -> {what}"));
    let paused = effect.paused.as_ref().map_or_else(String::new, |pause| {
        let until = crate::command::time(pause.until_ms);
        format!("; its target is left alone until {until}: {}", pause.why)
    });
    (
        effect.at_ms.unwrap_or(event.decided_at_ms),
        word.to_owned(),
        format!("{}{what}{attempts}{paused}", effect.request),
    )
}
