//! What is counted, in the text format that Prometheus and OpenMetrics readers take. Pure; knows nothing of who asks.

use crate::store::stats::Stats;
use std::fmt::Write as _;

/// What the text is, as HTTP says it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics. `tidegate_incoming_total` is `tidegate_events_done_total` + `tidegate_events{state="waiting"}` +
/// `tidegate_events{state="parked"}` in every answer: all of it is of one instant.
#[must_use]
pub fn text(stats: &Stats) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        // To a string, writing does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let Stats { accepted, strays, plans, effects, alerts, .. } = stats;
    let incoming = "All that came in: events that the edge accepted, events of the host's own, strays.";
    family("tidegate_incoming_total", "counter", incoming, &[("", stats.incoming)]);
    let done = "Of all that came in: what nobody has to do anything about any more.";
    family("tidegate_events_done_total", "counter", done, &[("", stats.done)]);
    let open = "Of all that came in: what waits for a plugin, and what is parked and needs a person.";
    let open_values = [(r#"{state="waiting"}"#, stats.waiting), (r#"{state="parked"}"#, stats.parked)];
    family("tidegate_events", "gauge", open, &open_values);
    let classes = "Events that the edge accepted, by how each stood to what came before.";
    let accepted = [
        (r#"{class="first"}"#, accepted.first),
        (r#"{class="duplicate"}"#, accepted.duplicate),
        (r#"{class="stale"}"#, accepted.stale),
        (r#"{class="conflict"}"#, accepted.conflict),
        (r#"{class="after-delete"}"#, accepted.after_delete),
        (r#"{class="echo"}"#, accepted.echo),
    ];
    family("tidegate_events_accepted_total", "counter", classes, &accepted);
    let caused = "Events of the host's own that plugins caused: wakes, replies, what was emitted.";
    family("tidegate_events_caused_total", "counter", caused, &[("", stats.caused)]);
    let upcoming = "Events of the host's own that are still to come.";
    family("tidegate_events_upcoming", "gauge", upcoming, &[("", stats.upcoming)]);
    family("tidegate_strays_parked", "gauge", "Deliveries that are no events.", &[("", strays.parked)]);
    let what = "Plans that are not decided: the plugin will be asked, is behind another event, or a person must look.";
    let plans = [
        (r#"{state="waiting"}"#, plans.waiting),
        (r#"{state="held"}"#, plans.held),
        (r#"{state="parked"}"#, plans.parked),
    ];
    family("tidegate_plans", "gauge", what, &plans);
    family("tidegate_effects_done_total", "counter", "Effects that were performed.", &[("", effects.done)]);
    let what = "Effects that are to be performed, and that were given up and need a person.";
    let open = [(r#"{state="waiting"}"#, effects.waiting), (r#"{state="parked"}"#, effects.parked)];
    family("tidegate_effects", "gauge", what, &open);
    let what = "Alerts that are to be sent, and that were given up and need a person.";
    let open = [(r#"{state="waiting"}"#, alerts.waiting), (r#"{state="parked"}"#, alerts.parked)];
    family("tidegate_alerts", "gauge", what, &open);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_says_what_it_is_and_no_line_is_said_twice() {
        let text = text(&Stats { incoming: 7, done: 4, waiting: 2, parked: 1, ..Stats::default() });
        let mut names: Vec<_> =
            text.lines().filter_map(|line| line.rsplit_once(' ')).map(|it| it.0).collect();
        let samples = names.iter().filter(|name| !name.starts_with('#')).count();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), text.lines().count(), "{text}");
        assert!(samples > 20, "{text}");
        for line in ["tidegate_incoming_total 7", "tidegate_events{state=\"waiting\"} 2"] {
            assert!(text.lines().any(|known| known == line), "{line}: {text}");
        }
        for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = family.split_once(' ').expect("a name and a kind");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{family}");
        }
    }
}
