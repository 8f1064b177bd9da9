//! The figures that the model rests on, each with where it comes from. Pure: a table; knows nothing of what is made of them.

use super::Case;
use serde::Serialize;

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// It is what is asked about: what it is unless another is given.
    Asked(&'static str),
    /// Who sells it says so, here.
    Published(&'static str),
    /// This bench gave it, on two cores of a virtual machine (Xeon, 24 GB) that all it drives shares.
    Measured(&'static str),
    /// Nobody measured it here: give your own.
    Assumed(&'static str),
    /// The code has it so.
    Code(&'static str),
}

impl Origin {
    /// Its kind, in a word, and what it rests on.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Asked(text) => ("asked", text),
            Self::Published(text) => ("published", text),
            Self::Measured(text) => ("measured", text),
            Self::Assumed(text) => ("assumed", text),
            Self::Code(text) => ("code", text),
        }
    }
}

/// One figure.
#[derive(Debug)]
pub struct Figure {
    /// By which it is overridden.
    pub name: &'static str,
    /// What it is, with its unit.
    pub means: &'static str,
    /// What it is unless another is given: with SQLite, with PostgreSQL.
    pub usual: [f64; 2],
    /// Where it comes from.
    pub origin: Origin,
    /// Where a case has it.
    pub(super) of: fn(&mut Case) -> &mut f64,
}

/// What the plugin of each language in `plugins/` takes for one event, in a fresh instance: microseconds of a processor. The
/// table of README.md, column `fresh p50`, which `cargo xtask bench languages --readme` measures and writes.
pub const LANGUAGES: [(&str, f64); 10] = [
    ("assemblyscript", 6.0),
    ("rust", 7.0),
    ("zig", 8.0),
    ("c", 9.0),
    ("cpp", 9.0),
    ("go", 102.0),
    ("typescript", 121.0),
    ("lua", 126.0),
    ("javascript", 128.0),
    ("python", 1306.0),
];

const QUEUE_LIMITS: Origin = Origin::Published("https://developers.cloudflare.com/queues/platform/limits/");
const QUEUE_PRICES: Origin = Origin::Published("https://developers.cloudflare.com/queues/platform/pricing/");
const WORKER_PRICES: Origin =
    Origin::Published("https://developers.cloudflare.com/workers/platform/pricing/");

/// Every figure.
pub static FIGURES: [Figure; 37] = [
    both(
        "peak",
        "how many times more comes at the worst of times",
        1.0,
        Origin::Asked("an even flow"),
        |case| &mut case.peak,
    ),
    both(
        "event-bytes",
        "bytes of an event's body, on average",
        450.0,
        Origin::Asked("an asset with three fields, as `bench pipeline` has it"),
        |case| &mut case.event_bytes,
    ),
    both("effects", "effects of an event, on average", 1.0, Origin::Asked("one each"), |case| {
        &mut case.effects
    }),
    both(
        "plugin-us",
        "us of a processor that an event's plugins take, all together",
        7.0,
        Origin::Measured(
            "bench languages: the plugin in Rust; for others --language, or what `tidegate plugin bench` says of yours",
        ),
        |case| &mut case.plugin_us,
    ),
    both(
        "cores",
        "cores of a host",
        2.0,
        Origin::Asked("what the benches ran on; how one host fares on more was not measured"),
        |case| &mut case.cores,
    ),
    both("days", "days that what was recorded is kept", 30.0, Origin::Asked("a month"), |case| {
        &mut case.days
    }),
    both(
        "targets",
        "targets that effects are spread over evenly",
        1.0,
        Origin::Asked("all go to one"),
        |case| &mut case.targets,
    ),
    both(
        "target-ms",
        "ms until a target has answered",
        100.0,
        Origin::Assumed("it is your target's: `tidegate events show` says `200 in 12 ms`"),
        |case| &mut case.target_ms,
    ),
    two(
        "hosts-per-database",
        "hosts that work on one database at the same time",
        [1.0, 120.0],
        Origin::Code(
            "a file is one host's; a database is shared by partitions, PARTITIONS in host/src/partition.rs",
        ),
        |case| &mut case.hosts_per_database,
    ),
    both(
        "queues-max",
        "queues that one Worker spreads events over",
        10.0,
        Origin::Code("SHARDS_MAX in worker/src/shard.rs: QUEUE to QUEUE_9"),
        |case| &mut case.queues_max,
    ),
    both(
        "pull-batch",
        "messages in a pull",
        100.0,
        Origin::Code("BATCH_MAX in host/src/queue/rest.rs, which is Cloudflare's limit"),
        |case| &mut case.pull_batch,
    ),
    both(
        "pull-ms",
        "ms that a pull takes, and an acknowledgement; a host has one pull under way for each queue",
        60.0,
        Origin::Assumed(
            "the median that Cloudflare tells of a send (https://blog.cloudflare.com/how-we-built-cloudflare-queues); of a pull it tells none",
        ),
        |case| &mut case.pull_ms,
    ),
    both(
        "record-ms",
        "ms from a pull's answer until what was decided is recorded",
        10.0,
        Origin::Measured(
            "bench latency: paced-latency-p99 7.6 to 9.7 ms at 1,000 events/s, effect included; at full load it is more",
        ),
        |case| &mut case.record_ms,
    ),
    two(
        "host-us",
        "us of a processor that a host takes for an event, without plugins and effects",
        [34.0, 31.0],
        Origin::Measured(
            "bench pipeline: pipeline-cpu 26.2 to 32.8 with the queue and a plugin of 7 in it, pipeline-postgres-cpu 24 to 31; pulling over REST 6 to 14 more",
        ),
        |case| &mut case.host_us,
    ),
    both(
        "effect-us",
        "us of a processor that a host takes to perform an effect and record what became of it",
        217.0,
        Origin::Measured("bench effects: effects-cpu 189 to 217, over HTTP without TLS, with SQLite"),
        |case| &mut case.effect_us,
    ),
    two(
        "database-per-second",
        "events that one database takes in a second, each with a plan and an effect to come",
        [53_300.0, 22_800.0],
        Origin::Measured(
            "bench pipeline: pipeline 53,300 to 68,400, pipeline-postgres 22,800 to 37,500, the lower one; all on the same two cores: a database on a machine of its own takes more",
        ),
        |case| &mut case.database_per_second,
    ),
    two(
        "outcomes-per-second",
        "outcomes of effects that one database takes in a second, while nothing else is written",
        [84_500.0, 3_600.0],
        Origin::Measured(
            "bench pipeline: pipeline-outcomes 84,500 to 103,600, pipeline-postgres-outcomes 3,600 to 7,600, the lower one",
        ),
        |case| &mut case.outcomes_per_second,
    ),
    two(
        "server-us",
        "us of a processor that the database's server takes for an event, outcomes not included",
        [0.0, 23.0],
        Origin::Measured(
            "bench pipeline --store postgres: pipeline-postgres-server 19.8 to 23.2; SQLite's are the host's",
        ),
        |case| &mut case.server_us,
    ),
    two(
        "kept-bytes",
        "bytes that an event takes in the database beyond its body",
        [780.0, 1_200.0],
        Origin::Measured(
            "bench pipeline: pipeline-stored 1,217, pipeline-postgres-stored 1,642, for bodies of 442, one plan and one effect",
        ),
        |case| &mut case.kept_bytes,
    ),
    two(
        "written-bytes",
        "bytes that an event has written to the database's disk",
        [5_300.0, 2_300.0],
        Origin::Measured(
            "bench pipeline: pipeline-written 5,235, an embedded queue's included; pipeline-postgres-written 2,288, of the server's log alone",
        ),
        |case| &mut case.written_bytes,
    ),
    both(
        "envelope-bytes",
        "bytes of a message beyond the body",
        550.0,
        Origin::Measured("the envelope of `bench pipeline`'s events"),
        |case| &mut case.envelope_bytes,
    ),
    both(
        "queue-per-second",
        "messages that a queue takes in a second, and gives",
        5_000.0,
        QUEUE_LIMITS,
        |case| &mut case.queue_per_second,
    ),
    both("queue-bytes", "bytes that may wait in a queue", 25e9, QUEUE_LIMITS, |case| &mut case.queue_bytes),
    both("queue-days", "days that a message may wait", 14.0, QUEUE_LIMITS, |case| &mut case.queue_days),
    both("account-queues", "queues of an account", 10_000.0, QUEUE_LIMITS, |case| &mut case.account_queues),
    both(
        "step-bytes",
        "bytes of a message that are billed as one operation",
        64_000.0,
        QUEUE_PRICES,
        |case| &mut case.step_bytes,
    ),
    both(
        "operation-dollars",
        "$ of a million queue operations: a message is written, read and deleted",
        0.40,
        QUEUE_PRICES,
        |case| &mut case.operation_dollars,
    ),
    both(
        "operations-free",
        "million operations a month that the plan has in it",
        1.0,
        QUEUE_PRICES,
        |case| &mut case.operations_free,
    ),
    both("request-dollars", "$ of a million requests to the Worker", 0.30, WORKER_PRICES, |case| {
        &mut case.request_dollars
    }),
    both("requests-free", "million requests a month that the plan has in it", 10.0, WORKER_PRICES, |case| {
        &mut case.requests_free
    }),
    both("cpu-dollars", "$ of a million ms of the Worker's processor", 0.02, WORKER_PRICES, |case| {
        &mut case.cpu_dollars
    }),
    both("cpu-free", "million ms a month that the plan has in it", 30.0, WORKER_PRICES, |case| {
        &mut case.cpu_free
    }),
    both(
        "edge-cpu-ms",
        "ms of the Worker's processor that a request is billed",
        3.0,
        Origin::Assumed("bench edge: edge-cpu says 0.1 under workerd; what Cloudflare bills was not seen"),
        |case| &mut case.edge_cpu_ms,
    ),
    both("plan-dollars", "$ of the plan a month", 5.0, WORKER_PRICES, |case| &mut case.plan_dollars),
    both("host-dollars", "$ of a host a month", 0.0, Origin::Asked("not counted"), |case| {
        &mut case.host_dollars
    }),
    both("database-dollars", "$ of a database a month", 0.0, Origin::Asked("not counted"), |case| {
        &mut case.database_dollars
    }),
    both(
        "address-requests",
        "requests that Cloudflare's API takes from one address in a second",
        200.0,
        Origin::Published(
            "https://developers.cloudflare.com/fundamentals/api/reference/limits/ - whether pulls count is not said there: what is over it is noted, not planned for",
        ),
        |case| &mut case.address_requests,
    ),
];

const fn both(
    name: &'static str,
    means: &'static str,
    usual: f64,
    origin: Origin,
    of: fn(&mut Case) -> &mut f64,
) -> Figure {
    two(name, means, [usual, usual], origin, of)
}

const fn two(
    name: &'static str,
    means: &'static str,
    usual: [f64; 2],
    origin: Origin,
    of: fn(&mut Case) -> &mut f64,
) -> Figure {
    Figure { name, means, usual, origin, of }
}
