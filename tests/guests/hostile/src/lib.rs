//! A plugin that does what it should not, as an ordinary Rust program would do it: the event's kind says what.
//! Attacks that no compiler would emit are the `.wat` files beside this folder.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v1", world: "plugin" });
}

use bindings::exports::tidegate::plugin::handler::{Decision, Emit, Event, Guest, Http, Refusal};
use std::hint::black_box;

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

impl Guest for Hostile {
    fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
        match event.kind.as_str() {
            "allocate" => Ok(vec![Decision::Note(hoard().to_string())]),
            "allocate-and-get-on" => Err(get_on_without()),
            "grow-in-small-steps" => grow_in_small_steps(),
            "recurse" => Ok(vec![Decision::Note(recurse(1).to_string())]),
            "panic" => panic_deep_inside(&event),
            "flood-result" => Ok(vec![Decision::Note("x".repeat(8 << 20))]),
            "flood-refusal" => Err(Refusal::Park("x".repeat(8 << 20))),
            "flood-decisions" => Ok((0..1_000).map(|count| Decision::Note(count.to_string())).collect()),
            "spin" => spin(),
            "half-granted" => Ok(vec![http(&event), emit()]),
            "elsewhere" => Ok(vec![Decision::Http(Http {
                url: "https://elsewhere.example/".to_owned(),
                ..request(&event)
            })]),
            "again" if event.attempt == 1 => Err(Refusal::RetryAfterMs(30)),
            "again" => Ok(vec![http(&event), Decision::Note(format!("attempt {}", event.attempt))]),
            "not-mine" => Err(Refusal::Skip),
            _ => Ok(Vec::new()),
        }
    }
}

/// A request to where the settings say.
fn http(event: &Event) -> Decision {
    Decision::Http(request(event))
}

fn request(event: &Event) -> Http {
    let url = event.settings.iter().find(|setting| setting.name == "notice_url");
    Http {
        method: "POST".to_owned(),
        url: url.map(|setting| setting.value.clone()).unwrap_or_default(),
        headers: Vec::new(),
        body: Some(event.receipt.clone().into_bytes()),
        timeout_ms: None,
        reply_tag: None,
    }
}

/// A decision that the host does not carry out.
fn emit() -> Decision {
    Decision::Emit(Emit { kind: "other".to_owned(), subject: String::new(), content_type: None, body: Vec::new() })
}

/// Takes memory until the allocator gives up, which ends in a trap.
fn hoard() -> usize {
    let mut kept = Vec::new();
    for _ in 0..4_096 {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
    kept.len()
}

/// Asks for memory a page at a time, whatever the answer is.
fn grow_in_small_steps() -> ! {
    loop {
        black_box(core::arch::wasm32::memory_grow(0, 1));
    }
}

/// Takes memory until it is refused, and answers all the same.
fn get_on_without() -> Refusal {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut more = Vec::new();
        if more.try_reserve_exact(1 << 20).is_err() {
            return Refusal::Other("no more memory".to_owned());
        }
        kept.push(black_box(more));
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let here = black_box([depth; 64]);
    black_box(recurse(black_box(depth + 1))) + here[5]
}

#[inline(never)]
fn panic_deep_inside(event: &Event) -> ! {
    panic!("no handler for {}", event.kind)
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}
