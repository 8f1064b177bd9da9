//! The report for people: ten seconds for the top of it.

use super::super::show::{fault, size, took};
use super::Report;
use crate::command::{table, time};
use std::time::Duration;
use tidegate::drift::{Drift, Field};
use tidegate::dryrun::tally::{Cost, Difference, Outcome};

/// Characters of a value on a line.
const VALUE_CHARS_MAX: usize = 60;

pub(super) fn report(report: &Report, details_max: usize) -> String {
    let Report { plugin, candidate, against, tally, .. } = report;
    let base = against.as_ref().map_or("what was decided".to_owned(), |version| version.short().to_owned());
    let left_out = match report.left_out {
        0 => String::new(),
        left_out => format!(", {left_out} left out"),
    };
    let mut text = format!(
        "{plugin}: {} against {base}, {} events{left_out} ({} a second)\n\n",
        candidate.short(),
        report.events,
        report.events_per_second
    );
    if report.events == 0 {
        return text + "there is no event that it was or would be asked about\n";
    }
    let counted = Outcome::ALL.into_iter().filter(|outcome| tally.count(*outcome) > 0);
    for outcome in counted {
        text.push_str(&format!("  {:<17}{:>10}\n", outcome.words(), tally.count(outcome)));
    }
    text.push('\n');
    text.push_str(&table::render(
        &["", "asked", "mean", "p99", "slowest", "memory"],
        &[cost("candidate", &tally.candidate), cost("before", &tally.base)],
    ));
    for outcome in Outcome::ALL {
        text.push_str(&details(report, outcome, details_max));
    }
    text
}

fn cost(name: &str, cost: &Cost) -> Vec<String> {
    let time = |us| if cost.calls == 0 { "-".to_owned() } else { took(Duration::from_micros(us)) };
    let memory = if cost.calls == 0 { "-".to_owned() } else { size(cost.memory_bytes_max) };
    let calls = cost.calls.to_string();
    vec![name.to_owned(), calls, time(cost.mean_us()), time(cost.p99_us()), time(cost.wall_us_max), memory]
}

fn details(report: &Report, outcome: Outcome, details_max: usize) -> String {
    let told: Vec<_> = report.tally.of(outcome).take(details_max).collect();
    if told.is_empty() {
        return String::new();
    }
    let (count, words) = (report.tally.count(outcome), outcome.words());
    let mut text = format!("\n{words}: {} of {count}\n", told.len());
    told.into_iter().for_each(|difference| text.push_str(&one(difference)));
    text
}

fn one(difference: &Difference) -> String {
    let Difference { receipt, event_kind, subject, received_at_ms, drift, .. } = difference;
    let subject = if subject.is_empty() { "-" } else { subject };
    let mut text = format!("  {receipt}  {event_kind} {subject}  {}\n", time(*received_at_ms));
    let Some(Drift { fields, fields_left_out, fault: at_fault, .. }) = drift else { return text };
    match at_fault {
        Some(said) => fault(said).lines().for_each(|line| text.push_str(&format!("    {line}\n"))),
        None => fields.iter().for_each(|field| text.push_str(&shown(field))),
    }
    if *fields_left_out > 0 && at_fault.is_none() {
        text.push_str(&format!("    and {fields_left_out} fields more\n"));
    }
    text
}

fn shown(Field { pointer, before, after }: &Field) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("    {pointer}: {} -> {}\n", cut(before), cut(after)),
        (None, Some(after)) => format!("    {pointer}: + {}\n", cut(after)),
        (Some(before), None) => format!("    {pointer}: - {}\n", cut(before)),
        (None, None) => format!("    {pointer}\n"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
