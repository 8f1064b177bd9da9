//! A plugin that does what its event says: `"do":"note hello; wake 100 later >> forget"` in the body is a list of steps.
//! What stands behind `>>` is what the event that a step leads to says.
//!
//! | step | what is decided |
//! |---|---|
//! | `note TEXT` | a note |
//! | `remember TEXT`, `forget` | as the words say |
//! | `count` | what is remembered is a number that grows by one each time, and a note of it |
//! | `tell` | notes of what it was told: arrival, previous, changed, memory, attributes |
//! | `wake MS TAG`, `emit KIND SUBJECT` | an event to come |
//! | `post URL`, `ask URL TAG`, `put URL JSON` | a request; `ask` wants the reply |
//! | `skip`, `park WHY`, `retry MS TIMES` | a refusal; `retry` stops after so many |
//! | `trap`, `spin` | a fault |
//! | `trap-each N` | a fault for each asset whose id is a multiple of N |
//! | `trap-tenth` | a fault for about one event in ten, always the same ones |
//!
//! An event that says nothing is done with as the setting `do` says.

use tidegate_plugin::{
    Arrival, Decision, Emit, Event, Http, Refusal, Wake, forget, note, park, remember, retry_after_ms, skip,
};

fn main() {
    tidegate_plugin::run(handle);
}

fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
    let text = event.text().unwrap_or_default().to_owned();
    let told = event.setting("do").map(|steps| format!("\"do\":\"{steps}\"")).unwrap_or_default();
    let text = if text.contains("\"do\":\"") { text } else { told };
    let rest = text.split_once("\"do\":\"").map(|(_, rest)| rest).unwrap_or_default();
    let all = rest.split('"').next().unwrap_or_default();
    let (steps, then) = all.split_once(">>").unwrap_or((all, ""));
    let then = format!("{{\"do\":\"{}\"}}", then.trim());
    let mut decisions = Vec::new();
    for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        act(&event, step, &then, &mut decisions)?;
    }
    Ok(decisions)
}

fn act(event: &Event, step: &str, then: &str, decisions: &mut Vec<Decision>) -> Result<(), Refusal> {
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "note" => decisions.push(note(rest)),
        "remember" => decisions.push(remember(rest)),
        "forget" => decisions.push(forget()),
        "count" => {
            let before =
                event.memory.as_deref().and_then(|memory| std::str::from_utf8(memory).ok()?.parse().ok());
            let now = before.unwrap_or(0_u64) + 1;
            decisions.extend([remember(now.to_string()), note(format!("count {now}"))]);
        }
        "tell" => decisions.extend(told(event).into_iter().map(note)),
        "wake" => decisions.push(Wake::after_ms(number(first)).tag(second).body(then).into()),
        "emit" => decisions.push(Emit::new(first).subject(second).json(then).into()),
        "post" => decisions.push(Http::post(rest).text(event.receipt.clone()).into()),
        "ask" => decisions.push(Http::post(first).json(then).reply_tag(second).into()),
        "put" => decisions.push(Http::put(first).json(second.replace('\'', "\"")).into()),
        "skip" => return Err(skip()),
        "park" => return Err(park(rest)),
        "retry" if u64::from(event.attempt) <= number(second) => return Err(retry_after_ms(number(first))),
        "retry" => {}
        "trap" => panic!("told to"),
        "trap-each" if event.subject.parse().is_ok_and(|id: u64| id % number(first) == 0) => panic!("one of them"),
        "trap-each" => {}
        "trap-tenth" if event.receipt.bytes().map(u32::from).sum::<u32>() % 10 == 0 => panic!("one of ten"),
        "trap-tenth" => {}
        "spin" => loop {
            std::hint::black_box(());
        },
        _ => panic!("no such step: {step}"),
    }
    Ok(())
}

fn told(event: &Event) -> Vec<String> {
    let arrival = match &event.arrival {
        Arrival::First => "first",
        Arrival::Duplicate => "duplicate",
        Arrival::Stale => "stale",
        Arrival::Conflict => "conflict",
        Arrival::AfterDelete => "after-delete",
        Arrival::Other(class) => class,
    };
    let memory = event.memory.as_deref().map(String::from_utf8_lossy);
    let attributes = event.attributes.iter().map(|it| format!("{}={}", it.name, it.value));
    vec![
        format!("arrival {arrival}"),
        format!("previous {}", event.previous.as_deref().unwrap_or("-")),
        format!("changed {}", event.changed.join(" ")),
        format!("memory {}", memory.as_deref().unwrap_or("-")),
        format!("attributes {}", attributes.collect::<Vec<_>>().join(" ")),
    ]
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}
