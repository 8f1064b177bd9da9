//! Words that the author's commands share when they speak to people.

use std::time::Duration;
use tidegate::fault::is_runtime;
use tidegate::workbench::said::{Bytes, Decision, FaultSaid, Http, Refusal};

/// A time, in the unit that reads best.
pub(super) fn took(time: Duration) -> String {
    let us = time.as_micros();
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Microseconds for JSON.
pub(super) fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A size, in the unit that reads best.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20),
    }
}

/// How much of its limit something is, in percent; no limit of nothing.
pub(super) fn percent(used: u64, limit: u64) -> u64 {
    used.saturating_mul(100).checked_div(limit).unwrap_or(100)
}

/// What is said about a fault, with where it happened and where to read on. Functions of the language's own are left out
/// when there are others.
pub(super) fn fault(fault: &FaultSaid) -> String {
    let all_are = fault.functions.iter().all(|name| is_runtime(name));
    let shown = fault.functions.iter().filter(|name| all_are || !is_runtime(name));
    let functions: String = shown.map(|name| format!("    in {name}\n")).collect();
    format!("{}\n{functions}what it means: tidegate plugin explain {}\n", fault.text, fault.name)
}

/// A refusal in words.
pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Skip => "skip: the event is none of its business".to_owned(),
        Refusal::RetryAfterMs(ms) => format!("retry_after_ms: ask again after {ms} ms"),
        Refusal::Park(why) => format!("park: {why}"),
        Refusal::Other(why) => format!("other: {why}"),
    }
}

/// A decision in lines, the first one without an indent.
pub(super) fn decision(decision: &Decision) -> String {
    match decision {
        Decision::Http(request) => http(request),
        Decision::Emit { kind, subject, body, .. } => format!("emit {kind} about {subject}\n{}", bytes(body)),
        Decision::Wake { after_ms, tag, body } => {
            format!("wake after {after_ms} ms, tag {tag}\n{}", bytes(body))
        }
        Decision::Remember(None) => "remember nothing\n".to_owned(),
        Decision::Remember(Some(memory)) => format!("remember\n{}", bytes(memory)),
        Decision::Note(text) => format!("note {text}\n"),
        Decision::Other { kind, body } => format!("other: {kind}\n{}", bytes(body)),
    }
}

fn http(request: &Http) -> String {
    let mut text = format!("http {} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        text.push_str(&format!("    {name}: {value}\n"));
    }
    if let Some(ms) = request.timeout_ms {
        text.push_str(&format!("    (at most {ms} ms)\n"));
    }
    if let Some(tag) = &request.reply_tag {
        text.push_str(&format!("    (the response comes back with the tag {tag})\n"));
    }
    text + &request.body.as_ref().map_or_else(String::new, bytes)
}

fn bytes(bytes: &Bytes) -> String {
    let (note, content) = match bytes {
        Bytes::Text(text) => ("", text),
        Bytes::Base64(text) => ("base64: ", text),
    };
    format!("{note}{content}").lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        let sizes = [(0, "0 B"), (35_764, "34 KiB"), (1_639_101, "1.5 MiB"), (64 << 20, "64.0 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        for (us, text) in [(7, "7 us"), (1_250, "1.2 ms"), (2_500_000, "2.5 s")] {
            assert_eq!(took(Duration::from_micros(us)), text);
        }
        assert_eq!((percent(1, 4), percent(0, 0)), (25, 100));
    }
}
