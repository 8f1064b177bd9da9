//! Bodies: an event as it is, one that was damaged on the way, and what never was an event. Knows nothing of methods
//! and headers.

use super::{length, one_of, random_bytes};

/// Levels of nested JSON.
const DEPTH_MAX: usize = 20_000;
/// Changes made to one body.
const CHANGES_MAX: usize = 6;

/// Bodies that are JSON and no object, or nearly JSON.
const SCALARS: [&[u8]; 12] = [
    b"null",
    b"true",
    b"0",
    b"\"\"",
    b"[]",
    b"{}",
    b" ",
    b"\xef\xbb\xbf{}",
    b"{\"a\":1}{\"a\":2}",
    b"NaN",
    b"'x'",
    b"<x/>",
];

/// A body, from this event or from nothing. Most are no longer than `max`.
pub(super) fn odd(rng: &mut fastrand::Rng, event: Vec<u8>, max: usize) -> Vec<u8> {
    match rng.u32(0..100) {
        0..25 => event,
        25..50 => changed(rng, event),
        50..55 => Vec::new(),
        55..60 => truncated(rng, event),
        60..70 => {
            let bytes = length(rng, max);
            random_bytes(rng, bytes)
        }
        70..75 => not_utf8(rng),
        75..80 => nested(rng, max),
        80..88 => huge_number(rng, max),
        88..94 => duplicate_keys(rng),
        _ => one_of(rng, &SCALARS).to_vec(),
    }
}

/// Some bytes replaced, removed, doubled or inserted.
fn changed(rng: &mut fastrand::Rng, mut body: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.usize(1..=CHANGES_MAX) {
        if body.is_empty() {
            return body;
        }
        let at = rng.usize(0..body.len());
        let end = (at + rng.usize(1..=16)).min(body.len());
        match rng.u8(0..4) {
            0 => body[at..end].iter_mut().for_each(|byte| *byte = rng.u8(..)),
            1 => drop(body.drain(at..end)),
            2 => {
                let part = body[at..end].to_vec();
                drop(body.splice(at..at, part));
            }
            _ => body.insert(at, one_of(rng, b"\0\"\\{}[]:,\n\xff\x80")),
        }
    }
    body
}

fn truncated(rng: &mut fastrand::Rng, mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(rng.usize(0..body.len().max(1)));
    body
}

/// JSON with bytes in a text that are no UTF-8.
fn not_utf8(rng: &mut fastrand::Rng) -> Vec<u8> {
    let bad: [&[u8]; 5] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"];
    let bad = one_of(rng, &bad);
    [b"{\"event_type\":\"asset.update\",\"id\":675,\"name\":\"".as_slice(), bad, b"\"}"].concat()
}

fn nested(rng: &mut fastrand::Rng, max: usize) -> Vec<u8> {
    let depth = length(rng, DEPTH_MAX);
    let (open, close) = one_of(rng, &[("[", "]"), ("{\"id\":", "}")]);
    let depth = depth.min(max / (open.len() + 1));
    format!("{}0{}", open.repeat(depth), close.repeat(depth)).into_bytes()
}

fn huge_number(rng: &mut fastrand::Rng, max: usize) -> Vec<u8> {
    let digits = "9".repeat(length(rng, max.min(50_000)).max(1));
    let number = match rng.u8(0..5) {
        0 => digits,
        1 => format!("-{digits}.{digits}"),
        2 => "1e999999999".to_owned(),
        3 => "-0".to_owned(),
        _ => "18446744073709551616".to_owned(),
    };
    format!("{{\"event_type\":\"asset.update\",\"id\":{number}}}").into_bytes()
}

fn duplicate_keys(rng: &mut fastrand::Rng) -> Vec<u8> {
    let fields = (0..rng.usize(2..40)).map(|number| format!("\"id\":{number}")).collect::<Vec<_>>().join(",");
    format!("{{{fields},\"event_type\":\"asset.update\",\"event_type\":\"asset.delete\"}}").into_bytes()
}
