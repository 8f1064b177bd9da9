use super::catalog::{Readings, families};
use super::count::{BatchCounts, Counts, LABELS_MAX, OTHER};
use super::*;
use crate::account::Accounts;
use crate::plugin::{PluginName, Version};
use crate::store::EffectState;
use crate::store::stats::Stats;
use crate::target::Target;
use std::collections::BTreeSet;
use std::path::Path;

fn repository_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// All names in a text that are a metric's, or a part of a histogram's.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.filter(|word| word.starts_with("tidegate_") || word.starts_with("process_"));
    let base = |word: &str| {
        let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| word.strip_suffix(suffix));
        suffix.unwrap_or(word).to_owned()
    };
    named.map(base).collect()
}

fn names() -> BTreeSet<String> {
    families(&Readings::default()).iter().map(|family| family.name.to_owned()).collect()
}

#[test]
fn each_family_says_what_it_is_and_no_line_is_said_twice() {
    let stats = Stats { incoming: 7, done: 4, waiting: 2, parked: 1, ..Stats::default() };
    let text = text(&families(&Readings { stats, ..Readings::default() }));
    let mut names: Vec<_> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|it| it.0).collect();
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
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{family}");
    }
}

#[test]
fn the_document_names_the_metrics_that_there_are() {
    let document = repository_file("docs/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.filter(|(name, _)| !names_in(name).is_empty()).collect();
    let documented: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let families = families(&Readings::default());
    assert_eq!(
        documented,
        families.iter().map(|family| family.name).collect::<Vec<_>>(),
        "in the same order"
    );
    for (family, (_, row)) in families.iter().zip(rows) {
        assert!(row.starts_with(family.kind.word()), "{}: {row}", family.name);
    }
}

#[test]
fn the_rules_and_the_dashboard_ask_for_metrics_that_there_are() {
    let known = names();
    for file in ["ops/prometheus/alerts.yml", "ops/prometheus/alerts.test.yml", "ops/grafana/tidegate.json"] {
        let asked = names_in(&repository_file(file));
        assert!(asked.len() > 3, "{file}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
    }
    // Nothing is kept that nobody would see: each stands in the dashboard, in a rule, or explains another.
    let seen = names_in(&repository_file("ops/grafana/tidegate.json"));
    let explained =
        ["caused", "upcoming", "strays", "compared", "drifted", "memory", "vault", "failures_total", "edge"];
    for name in known.difference(&seen) {
        assert!(explained.iter().any(|part| name.contains(part)), "the dashboard does not show {name}");
    }
}

#[test]
fn a_hostile_label_stays_in_its_place() {
    let labels = vec![("plugin", "a\"} 1\n# HELP \\".to_owned())];
    let sample = Sample { labels, value: Value::Number(1) };
    let family = Family { name: "x", kind: Kind::Gauge, help: "An x.", samples: vec![sample] };
    let text = text(&[family]);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.ends_with("x{plugin=\"a\\\"} 1\\n# HELP \\\\\"} 1\n"), "{text}");
}

#[test]
fn times_fall_into_buckets_that_add_up() {
    let counts = Counts::default();
    let target = Target::from_stored("https://a.example");
    for after_ms in [0, 1, 3, 100, 101, 90_000_000] {
        counts.attempted(&target, EffectState::Done, after_ms);
    }
    counts.attempted(&target, EffectState::Parked, 5);
    let counted = counts.read();
    assert_eq!(counted.attempts, [("https://a.example".to_owned(), [6, 0, 1])]);
    let text = text(&families(&Readings { counted, ..Readings::default() }));
    for line in [
        "tidegate_perform_seconds_bucket{le=\"0.001\"} 2",
        "tidegate_perform_seconds_bucket{le=\"0.005\"} 3",
        "tidegate_perform_seconds_bucket{le=\"0.1\"} 4",
        "tidegate_perform_seconds_bucket{le=\"0.25\"} 5",
        "tidegate_perform_seconds_bucket{le=\"3600\"} 5",
        "tidegate_perform_seconds_bucket{le=\"+Inf\"} 6",
        "tidegate_perform_seconds_sum 90000.205",
        "tidegate_perform_seconds_count 6",
        "tidegate_attempts_total{target=\"https://a.example\",outcome=\"parked\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
}

#[test]
fn a_plugin_that_calls_a_thousand_targets_makes_no_thousand_labels() {
    let counts = Counts::default();
    for n in 0..5_000 {
        counts.attempted(&Target::from_stored(&format!("https://{n:04}.example")), EffectState::Done, 1);
    }
    let counted = counts.read();
    assert_eq!(counted.attempts.len(), LABELS_MAX + 1);
    assert_eq!(counted.attempts.iter().map(|(_, [done, ..])| done).sum::<u64>(), 5_000);
    assert_eq!(counted.attempts.last().map(|(name, _)| name.as_str()), Some(OTHER));
}

#[test]
fn what_each_version_costs_stands_under_its_name() {
    let accounts = Accounts::new(0);
    let version = Version::from_stored(&"7".repeat(64));
    let account = accounts.open(&PluginName::new("loan-notice").expect("a name"), &version);
    let fault = crate::fault::Fault::WallTime { limit_ms: 1 };
    let took = Duration::from_micros(1_500);
    account.add(&Err(fault), &crate::sandbox::Usage { memory_bytes: 65_536, ..Default::default() }, took);
    let text = text(&families(&Readings { accounts: accounts.rows(|_, _| true), ..Readings::default() }));
    let labels = "plugin=\"loan-notice\",version=\"777777777777\"";
    for line in [
        format!("tidegate_plugin_calls_total{{{labels}}} 1"),
        format!("tidegate_plugin_call_seconds_total{{{labels}}} 0.0015"),
        format!("tidegate_plugin_faults_total{{{labels},fault=\"wall_time_ms\"}} 1"),
        format!("tidegate_plugin_memory_bytes_max{{{labels}}} 65536"),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
}

#[test]
fn a_backlog_that_is_not_known_is_not_said() {
    let counts = Counts::default();
    let (first, second) = (counts.queue(), counts.queue());
    first.pulled(100, Some(250), 0);
    first.pulled(10, Some(260), 100);
    second.pulled(7, Some(9), 0);
    second.failed();
    let queues = counts.read().queues;
    assert_eq!(queues.iter().map(|queue| queue.backlog).collect::<Vec<_>>(), [Some(150), None]);
    assert_eq!((queues[0].delivered, queues[0].pulls, queues[0].pulls_empty), (110, 2, 0));
    assert_eq!((queues[1].delivered, queues[1].pulls, queues[1].pulls_failed), (7, 1, 1));
    counts.committed(&BatchCounts::of(&[]), 5);
    assert_eq!(counts.read().decided.count(), 0);
}

#[test]
fn what_no_queue_has_said_of_its_backlog_is_not_nothing() {
    let counts = Counts::default();
    let (first, second) = (counts.queue(), counts.queue());
    first.pulled(0, None, 0);
    assert_eq!(counts.backlog(), None);
    first.pulled(1, Some(3), 9);
    assert_eq!(counts.backlog(), Some(3));
    second.pulled(0, Some(4), 0);
    first.pulled(0, Some(0), 0);
    assert_eq!(counts.backlog(), Some(4));
    // What was said last holds while it cannot be asked.
    second.failed();
    second.pulled(0, None, 0);
    assert_eq!(counts.backlog(), Some(4));
}
