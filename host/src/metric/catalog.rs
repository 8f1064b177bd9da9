//! Every metric there is, by name, from what was read. Pure. `docs/metrics.md` explains each; a test holds the two together.

use super::count::{Counted, LABELS_MAX, QueueCounted};
use super::{Family, Kind, Sample, Value};
use crate::account::AccountRow;
use crate::sandbox::Occupancy;
use crate::store::keeping::Pages;
use crate::store::stats::Stats;
use crate::vigil::report::{SourceRow, SourceState, SourcesReport};
use std::time::Duration;

/// All that the metrics are made of, each part as of one instant.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// When it was read, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When the host started.
    pub started_ms: u64,
    /// What the store counts.
    pub stats: Stats,
    /// When the edge accepted the oldest event that a plugin will be asked about.
    pub oldest_waiting_ms: Option<u64>,
    /// What the host counted since it started.
    pub counted: Counted,
    /// What each version cost since then.
    pub accounts: Vec<AccountRow>,
    /// What is at work: plugin, role and the beginning of the version.
    pub deployments: Vec<(String, &'static str, String)>,
    /// This host among those that share the work.
    pub group: GroupReading,
    /// How the sources are.
    pub sources: SourcesReport,
    /// What is in the sandbox.
    pub sandbox: Occupancy,
    /// How large the store is.
    pub pages: Pages,
    /// Bytes that are free on its disk; `None` when the system does not say.
    pub disk_free_bytes: Option<u64>,
}

/// A host among those that share the work.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupReading {
    /// Hosts that are there.
    pub hosts: u64,
    /// Partitions that this one holds.
    pub partitions: u64,
    /// What the others have for it to do.
    pub errands: u64,
}

/// All metrics, in the order in which they are documented.
#[must_use]
pub fn families(readings: &Readings) -> Vec<Family> {
    let parts = [flow, latencies, queues, group, plugins, effects, sources, machine];
    parts.into_iter().flat_map(|part| part(readings)).collect()
}

/// `tidegate_incoming_total` is `tidegate_events_done_total` + `tidegate_events{state="waiting"}` +
/// `tidegate_events{state="parked"}` in every answer: all of it is of one instant.
fn flow(readings: &Readings) -> Vec<Family> {
    let Stats { accepted, strays, plans, alerts, .. } = &readings.stats;
    let stats = &readings.stats;
    let classes = [
        ("first", accepted.first),
        ("duplicate", accepted.duplicate),
        ("stale", accepted.stale),
        ("conflict", accepted.conflict),
        ("after-delete", accepted.after_delete),
        ("echo", accepted.echo),
    ];
    let oldest = readings.oldest_waiting_ms.map_or(0, |at_ms| readings.now_ms.saturating_sub(at_ms));
    let by_source = readings.counted.accepted.iter();
    vec![
        counter("tidegate_incoming_total", "All that came in: events that the edge accepted, events of the host's own, strays.")
            .with(stats.incoming),
        counter("tidegate_events_done_total", "Of all that came in: what nobody has to do anything about any more.")
            .with(stats.done),
        gauge("tidegate_events", "Of all that came in: what waits for a plugin, and what is parked and needs a person.")
            .by("state", [("waiting", stats.waiting), ("parked", stats.parked)]),
        counter("tidegate_events_accepted_total", "Events that the edge accepted, by how each stood to what came before.")
            .by("class", classes),
        counter("tidegate_source_events_total", "Events that the edge accepted and the host recorded since its start, by source.")
            .by("source", by_source.map(|(source, [count])| (source.as_str(), *count))),
        counter("tidegate_events_caused_total", "Events of the host's own that plugins caused: wakes, replies, what was emitted.")
            .with(stats.caused),
        gauge("tidegate_events_upcoming", "Events of the host's own that are still to come.").with(stats.upcoming),
        gauge("tidegate_strays_parked", "Deliveries that are no events.").with(strays.parked),
        gauge("tidegate_plans", "Plans that are not decided: the plugin will be asked, is behind another event, or a person must look.")
            .by("state", [("waiting", plans.waiting), ("held", plans.held), ("parked", plans.parked)]),
        gauge("tidegate_oldest_waiting_seconds", "How long ago the edge accepted the oldest event that a plugin will be asked about; 0 when none waits.")
            .time(Duration::from_millis(oldest)),
        counter("tidegate_alerts_sent_total", "Alerts that were sent.").with(alerts.done),
        gauge("tidegate_alerts", "Alerts that are to be sent, and that were given up and need a person.")
            .by("state", [("waiting", alerts.waiting), ("parked", alerts.parked)]),
    ]
}

fn latencies(readings: &Readings) -> Vec<Family> {
    let counted = &readings.counted;
    let all = [
        (
            "tidegate_ack_seconds",
            "From the edge's accepting an event to the queue's having it: what its sender waits for.",
            &counted.queued,
        ),
        ("tidegate_decide_seconds", "From the edge's accepting an event to its decision.", &counted.decided),
        ("tidegate_commit_seconds", "From an event's decision to its being durable.", &counted.committed),
        (
            "tidegate_perform_seconds",
            "From the edge's accepting an event to the end of each of its effects.",
            &counted.performed,
        ),
    ];
    all.map(|(name, help, spread)| {
        let samples = vec![Sample { labels: Vec::new(), value: Value::Spread(spread.clone()) }];
        Family { name, kind: Kind::Histogram, help, samples }
    })
    .into()
}

fn queues(readings: &Readings) -> Vec<Family> {
    let of = |read: fn(&QueueCounted) -> Option<u64>| {
        let queues = readings.counted.queues.iter().zip(1..);
        queues.filter_map(move |(queue, number): (_, u32)| Some((number.to_string(), read(queue)?)))
    };
    vec![
        counter("tidegate_queue_delivered_total", "Deliveries pulled, by queue, numbered as in the configuration.")
            .by("queue", of(|queue| Some(queue.delivered))),
        counter("tidegate_queue_pulls_total", "Pulls that the queue answered.").by("queue", of(|queue| Some(queue.pulls))),
        counter("tidegate_queue_pulls_empty_total", "Pulls that gave nothing.")
            .by("queue", of(|queue| Some(queue.pulls_empty))),
        counter("tidegate_queue_pulls_failed_total", "Pulls that failed.").by("queue", of(|queue| Some(queue.pulls_failed))),
        gauge("tidegate_queue_backlog", "What the queue held at the last pull beside what was pulled, by its own account; absent while it does not say.")
            .by("queue", of(|queue| queue.backlog)),
        counter("tidegate_queue_acknowledged_total", "Deliveries acknowledged.").with(readings.counted.acknowledged),
    ]
}

fn group(readings: &Readings) -> Vec<Family> {
    let GroupReading { hosts, partitions, errands } = readings.group;
    vec![
        gauge("tidegate_group_hosts", "Hosts that share the work and are there, this one included.")
            .with(hosts),
        gauge("tidegate_group_partitions", "Of the 120 partitions of the work, those that this host holds.")
            .with(partitions),
        gauge(
            "tidegate_group_errands",
            "What other hosts have for this one to do: mostly deliveries that they pulled.",
        )
        .with(errands),
    ]
}

fn plugins(readings: &Readings) -> Vec<Family> {
    let labels = |row: &AccountRow| {
        vec![("plugin", row.plugin.to_string()), ("version", row.version.short().to_owned())]
    };
    let each = |read: fn(&AccountRow) -> Value| {
        let rows = readings.accounts.iter();
        rows.map(move |row| Sample { labels: labels(row), value: read(row) }).collect()
    };
    let faults = readings.accounts.iter().flat_map(|row| {
        row.faults.iter().map(|(fault, count)| Sample {
            labels: [labels(row), vec![("fault", fault.clone())]].concat(),
            value: Value::Number(*count),
        })
    });
    let at_work = readings.deployments.iter().map(|(plugin, role, version)| Sample {
        labels: vec![("plugin", plugin.clone()), ("role", (*role).to_owned()), ("version", version.clone())],
        value: Value::Number(1),
    });
    vec![
        gauge("tidegate_deployment_info", "1 for each version at work: active, canary or shadow.")
            .samples(at_work.collect()),
        counter("tidegate_plugin_calls_total", "Questions to a version.")
            .samples(each(|row| Value::Number(row.calls))),
        counter("tidegate_plugin_call_seconds_total", "Time of all calls of a version together.")
            .samples(each(|row| Value::Time(Duration::from_micros(row.wall_us)))),
        counter("tidegate_plugin_refusals_total", "Questions that a version said no to itself.")
            .samples(each(|row| Value::Number(row.refusals))),
        counter("tidegate_plugin_faults_total", "Faults of a version, by name.").samples(faults.collect()),
        gauge("tidegate_plugin_memory_bytes_max", "The most memory that one call of a version had.")
            .samples(each(|row| Value::Number(u64::try_from(row.memory_bytes_max).unwrap_or(u64::MAX)))),
        counter("tidegate_plugin_compared_total", "Answers that were compared with another version's.")
            .samples(each(|row| Value::Number(row.compared))),
        counter("tidegate_plugin_drifted_total", "Answers that differed from the other version's.")
            .samples(each(|row| Value::Number(row.drifted))),
        gauge("tidegate_sandbox_instances", "Instances of plugins alive.").with(readings.sandbox.instances),
        gauge("tidegate_sandbox_codes_loaded", "Plugins whose compiled code is in memory.")
            .with(readings.sandbox.codes_loaded),
    ]
}

fn effects(readings: &Readings) -> Vec<Family> {
    let effects = &readings.stats.effects;
    let attempts = readings.counted.attempts.iter().flat_map(|(target, counts)| {
        ["done", "again", "parked"].into_iter().zip(*counts).map(|(outcome, count)| Sample {
            labels: vec![("target", target.clone()), ("outcome", outcome.to_owned())],
            value: Value::Number(count),
        })
    });
    vec![
        counter("tidegate_effects_done_total", "Effects that were performed.").with(effects.done),
        gauge(
            "tidegate_effects",
            "Effects that are to be performed, and that were given up and need a person.",
        )
        .by("state", [("waiting", effects.waiting), ("parked", effects.parked)]),
        counter(
            "tidegate_attempts_total",
            "Attempts at effects since the host's start, by target and by what they gave.",
        )
        .samples(attempts.collect()),
    ]
}

fn sources(readings: &Readings) -> Vec<Family> {
    const STATES: [SourceState; 5] = [
        SourceState::Ok,
        SourceState::Failing,
        SourceState::CutOff,
        SourceState::Silent,
        SourceState::Unknown,
    ];
    let rows = || readings.sources.sources.iter().take(LABELS_MAX);
    let each = |read: fn(&SourceRow) -> Option<Value>| {
        let sample = |row: &SourceRow| {
            Some(Sample { labels: vec![("source", row.source.to_string())], value: read(row)? })
        };
        rows().filter_map(sample).collect()
    };
    let states = rows().flat_map(|row| {
        STATES.into_iter().map(|state| Sample {
            labels: vec![("source", row.source.to_string()), ("state", state.word().to_owned())],
            value: Value::Number(u64::from(row.state == state)),
        })
    });
    let edge = readings.sources.edge.as_ref();
    let answers = edge.map(|edge| u64::from(edge.asked_ms.is_some() && edge.failure.is_none()));
    vec![
        gauge("tidegate_source_state", "1 for the state that the source is in.").samples(states.collect()),
        gauge(
            "tidegate_source_failures_left",
            "How many more failures in a row it takes until the sender stops; absent where it never does.",
        )
        .samples(each(|row| row.left.map(|left| Value::Number(left.into())))),
        counter("tidegate_source_failures_total", "Answers of the edge to the sender that were not 2xx.")
            .samples(each(|row| row.tally.as_ref().map(|tally| Value::Number(tally.failures)))),
        gauge(
            "tidegate_source_last_event_timestamp_seconds",
            "When an event last came from the source, since the Unix epoch.",
        )
        .samples(each(|row| row.last_event_ms.map(|at_ms| Value::Time(Duration::from_millis(at_ms))))),
        gauge(
            "tidegate_source_vault_messages",
            "Events that wait in the source's vault at the edge because no queue took them yet.",
        )
        .samples(each(|row| row.vault.map(|vault| Value::Number(vault.messages)))),
        gauge(
            "tidegate_edge_answers",
            "1 while the edge tells how its sources are, else 0; absent when no edge.url is set.",
        )
        .by("", answers.map(|answers| ("", answers))),
    ]
}

fn machine(readings: &Readings) -> Vec<Family> {
    let Readings { pages, counted, disk_free_bytes, .. } = readings;
    let version = env!("CARGO_PKG_VERSION");
    vec![
        gauge("tidegate_store_bytes", "Bytes of the store: its file, or its database.")
            .with(pages.all.saturating_mul(pages.bytes)),
        gauge("tidegate_store_free_bytes", "Bytes of it that the next events will fill.")
            .with(pages.free.saturating_mul(pages.bytes)),
        gauge(
            "tidegate_disk_free_bytes",
            "Bytes that are free on the store's disk; absent when the system does not say.",
        )
        .by("", disk_free_bytes.map(|bytes| ("", bytes))),
        counter("tidegate_traces_sent_total", "Events and attempts whose spans the collector took.")
            .with(counted.told),
        counter(
            "tidegate_traces_dropped_total",
            "Events and attempts whose spans it did not take, or not fast enough.",
        )
        .with(counted.untold),
        gauge("tidegate_build_info", "1, with the version of this host.").by("version", [(version, 1)]),
        gauge("process_start_time_seconds", "When the host started, since the Unix epoch.")
            .time(Duration::from_millis(readings.started_ms)),
    ]
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help, samples: Vec::new() }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help, samples: Vec::new() }
}

impl Family {
    fn with(self, number: u64) -> Self {
        self.by("", [("", number)])
    }

    fn time(self, time: Duration) -> Self {
        self.samples(vec![Sample { labels: Vec::new(), value: Value::Time(time) }])
    }

    /// One sample for each value of a label; without its name there is no label.
    fn by<T: AsRef<str>>(self, label: &'static str, numbers: impl IntoIterator<Item = (T, u64)>) -> Self {
        let sample = |(value, number): (T, u64)| {
            let labels = if label.is_empty() { Vec::new() } else { vec![(label, value.as_ref().to_owned())] };
            Sample { labels, value: Value::Number(number) }
        };
        self.samples(numbers.into_iter().map(sample).collect())
    }

    fn samples(self, samples: Vec<Sample>) -> Self {
        Self { samples, ..self }
    }
}
