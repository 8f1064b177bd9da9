//! What so many events a second need, and what gives out first. Pure: arithmetic on figures that are published, measured or
//! assumed; knows nothing of the machine it runs on.
//!
//! One database is written by one transaction at a time, whoever writes: hosts that share one take turns. So what grows is a
//! *group*: a Worker with its sources and queues, the hosts that pull from them, and their database. Two groups share nothing,
//! as an asset's events must be decided in one place. Within a group each host has the assets of its own queues, where there are
//! enough, and its own targets.

mod figure;
mod money;
#[cfg(test)]
mod tests;

use crate::config::{ExecutorSection, PumpSection};
use anyhow::ensure;
pub use figure::{FIGURES, Figure, LANGUAGES, Origin};
pub use money::Money;
use serde::Serialize;
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// Where a host keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// In a file on its own disk.
    #[default]
    Sqlite,
    /// In a PostgreSQL database.
    Postgres,
}

/// What is asked about: a flow of events, and every figure that an answer rests on. [`FIGURES`] says what each means.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "FIGURES explains each once, where operators read it")]
pub struct Case {
    pub store: Kept,
    /// At the sustained rate.
    pub events_per_second: f64,
    pub peak: f64,
    pub event_bytes: f64,
    pub effects: f64,
    pub plugin_us: f64,
    pub cores: f64,
    pub days: f64,
    pub targets: f64,
    pub target_ms: f64,
    pub hosts_per_database: f64,
    pub queues_max: f64,
    pub pull_batch: f64,
    pub pull_ms: f64,
    pub record_ms: f64,
    pub host_us: f64,
    pub effect_us: f64,
    pub database_per_second: f64,
    pub outcomes_per_second: f64,
    pub server_us: f64,
    pub kept_bytes: f64,
    pub written_bytes: f64,
    pub envelope_bytes: f64,
    pub queue_per_second: f64,
    pub queue_bytes: f64,
    pub queue_days: f64,
    pub account_queues: f64,
    pub step_bytes: f64,
    pub operation_dollars: f64,
    pub operations_free: f64,
    pub request_dollars: f64,
    pub requests_free: f64,
    pub cpu_dollars: f64,
    pub cpu_free: f64,
    pub edge_cpu_ms: f64,
    pub plan_dollars: f64,
    pub host_dollars: f64,
    pub database_dollars: f64,
    pub address_requests: f64,
}

/// So much of a thing is there, and so much of it an event takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// What it is.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: &'static str,
    /// How much of it the peak needs.
    pub needs: f64,
    /// How much there is.
    pub has: f64,
    /// At how many events a second it gives out.
    pub gives_out_at: f64,
    /// What its limit rests on, as [`Case::figures`] has it.
    pub rests_on: &'static str,
    /// What to do then.
    pub then: &'static str,
}

impl Resource {
    /// Of a hundred, how much of it the peak uses.
    #[must_use]
    pub fn used_percent(&self) -> f64 {
        100.0 * self.needs / self.has
    }
}

/// A key of `tidegate.toml` that bounds what one host does at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it is as it comes.
    pub as_it_comes: f64,
    /// What each host needs it to be.
    pub needs: f64,
    /// As it comes it is enough for so many events a second, by all hosts together.
    pub enough_up_to: f64,
}

/// What a flow of events needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Events a second at the worst of times: all but money and what is kept is for these.
    pub peak_per_second: f64,
    /// Workers with sources of their own, each with queues, hosts and a database of its own.
    pub groups: f64,
    /// Queues, in all groups together.
    pub queues: f64,
    /// Hosts at work, in all groups together.
    pub hosts: f64,
    /// What is there, the first to give out before the others.
    pub resources: Vec<Resource>,
    /// What one group gives out at, however many queues and hosts it is given.
    pub group_ends: Resource,
    /// What bounds a host as it comes.
    pub settings: Vec<Setting>,
    /// Processors that databases' servers are busy with, where there are servers; hosts are in `resources`.
    pub server_cores: f64,
    /// Bytes a second that hosts pull.
    pub pulled_bytes: f64,
    /// Bytes a second that are written to databases' disks.
    pub written_bytes: f64,
    /// Bytes that databases have when the oldest event goes.
    pub kept_bytes: f64,
    /// Hours that hosts may be away at the sustained rate before a queue is full or forgets.
    pub hours_away: f64,
    /// Requests a second that each host makes to the queues' API.
    pub requests_per_host: f64,
    /// What Cloudflare bills.
    pub money: Money,
}

/// How many there are of what can be added.
#[derive(Clone, Copy)]
struct Shape {
    groups: f64,
    /// In each group.
    hosts: f64,
    /// In each group.
    queues: f64,
}

impl Shape {
    /// In each group: one pull after the other from each queue, by the host that has its assets; or by several.
    const fn pullers(self) -> f64 {
        self.hosts.max(self.queues)
    }
}

impl Plan {
    /// What gives out before anything else while no host's settings are touched, if that is one of them.
    #[must_use]
    pub fn untouched(&self) -> Option<&Setting> {
        let first = self.settings.iter().min_by(|a, b| a.enough_up_to.total_cmp(&b.enough_up_to))?;
        (first.enough_up_to < self.resources[0].gives_out_at).then_some(first)
    }
}

impl Case {
    /// With the usual figures.
    #[must_use]
    pub fn new(store: Kept, events_per_second: f64) -> Self {
        let mut case = Self { store, events_per_second, ..Self::default() };
        for figure in &FIGURES {
            let [sqlite, postgres] = figure.usual;
            *(figure.of)(&mut case) = if store == Kept::Sqlite { sqlite } else { postgres };
        }
        case
    }

    /// Gives the figure of this name another value.
    ///
    /// # Errors
    /// When there is none of this name: says which there are.
    pub fn set(&mut self, name: &str, value: f64) -> anyhow::Result<()> {
        let Some(figure) = FIGURES.iter().find(|figure| figure.name == name) else {
            let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
            anyhow::bail!("there is no figure `{name}`; there are: {}", names.join(", "));
        };
        *(figure.of)(self) = value;
        Ok(())
    }

    /// Each figure with what it is here, and what that rests on: `given`, or the word of its [`Origin`].
    pub fn figures(&self) -> impl Iterator<Item = (&'static Figure, f64, &'static str)> {
        let (mut case, mut usual) = (self.clone(), Self::new(self.store, 1.0));
        FIGURES.iter().map(move |figure| {
            let [value, usual] = [&mut case, &mut usual].map(|case| *(figure.of)(case));
            let is_usual = value.total_cmp(&usual).is_eq();
            (figure, value, if is_usual { figure.origin.words().0 } else { "given" })
        })
    }

    fn rests_on(&self, name: &str) -> &'static str {
        let found = self.figures().find(|(figure, ..)| figure.name == name);
        found.map_or("given", |(.., rests_on)| rests_on)
    }

    /// What it needs.
    ///
    /// # Errors
    /// When a figure cannot be what it is.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        self.check()?;
        let peak = self.events_per_second * self.peak;
        let full = Shape { groups: 1.0, hosts: self.hosts_per_database, queues: self.queues_max };
        let group_ends = self.resources(peak, full).swap_remove(0);
        let groups = whole(peak / group_ends.gives_out_at);
        let each = peak / groups;
        let pullers = whole(each / self.pulled_by_one());
        let by_cores = each * self.event_us() / 1e6 / self.cores;
        // With fewer queues than hosts a host is brought what another decides.
        let hosts = whole(by_cores).max(if pullers > self.queues_max { pullers } else { 1.0 });
        let queues = whole(each / self.queue_per_second).max(pullers).max(hosts).min(self.queues_max);
        let shape = Shape { groups, hosts, queues };
        let (hosts, queues) = (groups * hosts, groups * queues);
        let days_until_full =
            queues * self.queue_bytes / self.message_bytes() / self.events_per_second / DAY_S;
        Ok(Plan {
            peak_per_second: peak,
            groups,
            queues,
            hosts,
            resources: self.resources(peak, shape),
            group_ends,
            settings: self.settings(peak, shape),
            server_cores: peak * self.server_us / 1e6,
            pulled_bytes: peak * self.message_bytes(),
            written_bytes: peak * self.written_bytes,
            kept_bytes: self.events_per_second * self.days * DAY_S * (self.event_bytes + self.kept_bytes),
            hours_away: 24.0 * self.queue_days.min(days_until_full),
            requests_per_host: 2.0 * peak / hosts / self.pull_batch,
            money: Money::of(self, groups * shape.pullers(), hosts, groups),
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.events_per_second.is_finite() && self.events_per_second > 0.0,
            "{} events a second: give a number above 0",
            self.events_per_second
        );
        let may_be_zero = |name: &str| {
            ["effects", "days", "server-us"].contains(&name)
                || ["-us", "-ms", "-free", "-dollars"].iter().any(|end| name.ends_with(end))
                    && name != "pull-ms"
        };
        for (figure, value, _) in self.figures() {
            let fits = value.is_finite() && (value > 0.0 || value == 0.0 && may_be_zero(figure.name));
            ensure!(fits, "{} cannot be {value}: it is {}", figure.name, figure.means);
        }
        ensure!(self.peak >= 1.0, "peak is how many times more comes at the worst of times: at least 1");
        ensure!(
            self.event_us() > 0.0,
            "an event that takes no time of a processor has no limit: set host-us"
        );
        let inline = u32::try_from(BODY_INLINE_BYTES_MAX).map_or(f64::MAX, f64::from);
        ensure!(
            self.event_bytes <= inline,
            "bodies over {inline} bytes go through the vault, whose requests and rows this does not count: give a smaller event-bytes"
        );
        Ok(())
    }

    fn message_bytes(&self) -> f64 {
        self.event_bytes + self.envelope_bytes
    }

    /// Microseconds of a host's processors that an event takes, with all that comes of it.
    fn event_us(&self) -> f64 {
        self.host_us + self.plugin_us + self.effects * self.effect_us
    }

    /// Seconds of a database's one writer that an event takes, with what becomes of its effects; as if the two never shared
    /// a transaction.
    fn writer_s(&self) -> f64 {
        1.0 / self.database_per_second + self.effects / self.outcomes_per_second
    }

    /// Messages a second that one host pulls from one queue.
    fn pulled_by_one(&self) -> f64 {
        self.pull_batch * 1e3 / self.pull_ms
    }

    /// What such a shape has; the first to give out comes first.
    fn resources(&self, peak: f64, shape: Shape) -> Vec<Resource> {
        let Shape { groups, hosts, queues } = shape;
        let resource = |(name, unit), each: f64, has: f64, figure, then| Resource {
            name,
            unit,
            needs: peak * each,
            has,
            gives_out_at: has / each,
            rests_on: self.rests_on(figure),
            then,
        };
        // A target is one host's, which so knows how much goes there.
        let performing = groups * hosts.min(self.targets) * self.cores;
        let mut all = vec![
            resource(QUEUES, 1.0, groups * queues * self.queue_per_second, "queue-per-second", MORE_QUEUES),
            resource(PULLS, 1.0, groups * shape.pullers() * self.pulled_by_one(), "pull-ms", MORE_PULLS),
            resource(CORES, self.event_us() / 1e6, groups * hosts * self.cores, "host-us", MORE_CORES),
            resource(EFFECTS, self.effects * self.effect_us / 1e6, performing, "effect-us", MORE_TARGETS),
            resource(DATABASE, self.writer_s(), groups, "database-per-second", MORE_GROUPS),
        ];
        all.sort_by(|a, b| a.gives_out_at.total_cmp(&b.gives_out_at));
        all
    }

    fn settings(&self, peak: f64, shape: Shape) -> Vec<Setting> {
        let (executor, pump) = (ExecutorSection::default(), PumpSection::default());
        let Shape { groups, hosts, .. } = shape;
        let performing = self.effects * self.target_ms / 1e3;
        let held = (2.0 * self.pull_ms + self.record_ms) / 1e3;
        let setting = |key, as_it_comes: usize, each: f64, sharers: f64| {
            let as_it_comes = u32::try_from(as_it_comes).map_or(f64::MAX, f64::from);
            let needs = whole(peak / sharers * each);
            Setting { key, as_it_comes, needs, enough_up_to: as_it_comes / each * sharers }
        };
        let at_one_target = performing / self.targets;
        let performers = groups * hosts.min(self.targets);
        vec![
            setting("executor.target_in_flight_max", executor.target_in_flight_max, at_one_target, groups),
            setting("executor.in_flight_max", executor.in_flight_max, performing, performers),
            setting("pump.in_flight_max", pump.in_flight_max, held, groups * hosts),
        ]
    }
}

/// So many whole ones, at least one. What is over by less than arithmetic can tell is not over.
fn whole(count: f64) -> f64 {
    (count - 1e-9).ceil().max(1.0)
}

/// What gives out: its name and what it is counted in.
type Name = (&'static str, &'static str);
const QUEUES: Name = ("queues", "messages/s");
const PULLS: Name = ("pulls", "messages/s");
const CORES: Name = ("hosts", "cores");
const EFFECTS: Name = ("effects", "cores");
const DATABASE: Name = ("database", "writers");

/// What to do then.
const MORE_QUEUES: &str = "one more queue: QUEUE_1 to QUEUE_9 in wrangler.toml, queue.more_queue_ids for the host; behind ten another group";
const MORE_PULLS: &str =
    "one more queue, or a host nearer to Cloudflare's API: it has one pull under way for each queue";
const MORE_CORES: &str = "a host with more cores, cheaper plugins, or one more host where the store is PostgreSQL (store.others = \"share\"); behind that another group";
const MORE_TARGETS: &str =
    "more cores for the host that has the target (a target is one host's); behind that another group";
const MORE_GROUPS: &str = "another group: a Worker with sources of its own, queues, a host and a database";
