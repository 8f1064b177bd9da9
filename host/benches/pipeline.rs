//! Durable events per second through one process: queued, leased, decided in a fresh instance under all limits,
//! recorded with one plan and one effect, acknowledged; every commit waits for the disk. The floor, in the same
//! run: the store alone writing the same rows in transactions of the same size, with no queue and no plugin.
//! Prints one JSON object per figure.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::arrival;
use tidegate::comparison::Comparisons;
use tidegate::deploy::{By, Candidate, Deployer};
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::{Asked, Plan, PlanRules, plan};
use tidegate::plugin::Manifest;
use tidegate::poll::PollPolicy;
use tidegate::pump::{self, PumpBounds};
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::read::{Opened, read};
use tidegate::registry::{Active, Switchboard};
use tidegate::sandbox::{Call, Question, Sandbox, SandboxConfig};
use tidegate::store::sqlite::SqliteStore;
use tidegate::store::{Batch, Recorded, Store, SubjectChange};
use tidegate::versions::Versions;
use tidegate_envelope::{Envelope, Receipt, SourceName, Unsealed};
use tidegate_queue::{Behavior, NewMessage, QueueId, Queues, system_clock};
use tokio::sync::{Notify, watch};

const EVENTS: u64 = 120_000;
const GROUP: usize = 500;
/// Messages the producer runs ahead of the host.
const AHEAD_MAX: u64 = 8_000;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let envelopes: Vec<String> = (0..EVENTS).map(envelope).collect();
    let (mut pipeline, mut floor) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        pipeline.push(runtime.block_on(run_pipeline(envelopes.clone())));
        floor.push(runtime.block_on(run_store(&envelopes)));
        eprintln!(
            "round {round}: pipeline {:.0}/s, store alone {:.0}/s",
            pipeline[round - 1],
            floor[round - 1]
        );
    }
    let (pipeline, floor) = (median(pipeline), median(floor));
    println!(
        "{}",
        serde_json::json!({ "name": "pipeline", "value": pipeline, "unit": "events/s", "against": floor, "ratio": pipeline / floor })
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 500 million")
}

/// About 600 bytes, as the sender writes them; 2,000 assets.
fn envelope(n: u64) -> String {
    let body = format!(
        "{{\"field_values\":[{{\"id\":9,\"name\":\"Purchase cost\",\"value\":\"{n}\"}},{{\"id\":10,\"name\":\"Serial number\",\
         \"value\":\"C02XL0PGJGH{n:08}\"}},{{\"id\":11,\"name\":\"Warranty until\",\"value\":\"2027-01-31\"}}],\"created_at\":\
         \"2022-09-14 03:03:44.456537\",\"id\":{},\"location\":{{\"id\":50,\"name\":\"My IT Office\"}},\"name\":\"Spare-02\",\
         \"assettype\":{{\"id\":86,\"name\":\"2 in 3 Laptop\"}},\"loanee\":{{\"id\":142,\"name\":\"John Do\"}},\"updated_at\":\
         \"2022-11-11 05:05:07.{:06}\",\"event_type\":\"asset.update\"}}",
        n % 2_000,
        n % 1_000_000,
    );
    let source = SourceName::new("amj").expect("a valid name");
    let unsealed = Unsealed {
        receipt: Receipt::new(1_700_000_000_000 + n / 10, n.into()),
        source: &source,
        profile: Some("amj"),
        method: "POST",
        headers: &[
            ("user-agent", "Asset Management for Jira"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ],
        content_type: Some("application/json"),
    };
    unsealed.seal(body.as_bytes()).expect("fits in an envelope")
}

/// A host's middle, with plugins/rust at work.
struct Middle {
    store: SqliteStore,
    versions: Arc<Versions<SqliteStore>>,
    switchboard: Arc<Switchboard>,
}

impl Middle {
    async fn new(dir: &std::path::Path) -> Self {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let component = std::fs::read(root.join("plugins/rust/plugin.wasm"))
            .expect("plugins/rust/plugin.wasm is built; type: cargo xtask plugins");
        let manifest = std::fs::read_to_string(root.join("plugins/rust/plugin.toml")).expect("a manifest");
        let store = SqliteStore::open(dir).expect("a store");
        let sandbox = Arc::new(Sandbox::new(SandboxConfig::new(dir.join("compiled"))).expect("a sandbox"));
        let switchboard = Arc::new(Switchboard::default());
        let versions = Arc::new(Versions::new(store.clone(), sandbox));
        let deployer = Deployer::new(Arc::clone(&versions), Arc::clone(&switchboard), now_ms);
        let candidate = Candidate::new(Manifest::parse(&manifest).expect("well formed"), component);
        deployer.deploy(candidate, By::default()).await.expect("deploys");
        Self { store, versions, switchboard }
    }

    fn active(&self) -> Arc<Active> {
        Arc::clone(self.switchboard.current().iter().next().expect("one plugin"))
    }
}

fn rules() -> PlanRules {
    PlanRules::default()
}

async fn run_pipeline(envelopes: Vec<String>) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let middle = Middle::new(dir.path()).await;
    let queues =
        Queues::open(&dir.path().join("queue"), Behavior::default(), system_clock()).expect("a queue");
    let queue = queues.ensure_queue("events").await.expect("a queue");
    let pipeline = Pipeline::new(Parts {
        store: middle.store.clone(),
        versions: middle.versions,
        switchboard: middle.switchboard,
        rules: rules(),
        bounds: PipelineBounds {
            asking_max: 2,
            // Each asset has 60 events within a second.
            effects_per_minute_max: u32::MAX,
            ..PipelineBounds::default()
        },
        now_ms,
        chance: || 0.5,
        recorded: Arc::new(Notify::new()),
        edge: None,
        heard: Arc::default(),
        comparisons: Comparisons::new().0,
    });
    let pipeline = Arc::new(pipeline.await.expect("a pipeline"));
    let bounds = PumpBounds {
        in_flight_max: 8 * GROUP,
        batch_max: GROUP,
        poll: PollPolicy { busy_ms: 1, idle_ms: 1, factor: 1 },
        permanent_retry_ms: 1_000,
    };
    let (stop, stopped) = watch::channel(false);
    let embedded = Arc::new(EmbeddedQueue::new(queues.clone(), queue, 60_000));
    let started = Instant::now();
    let pump = tokio::spawn(pump::run(embedded, pipeline, bounds, stopped));
    produce(&queues, &queue, envelopes).await;
    while queues.metrics(&queue).await.expect("metrics").backlog_count > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let elapsed = started.elapsed();
    stop.send_replace(true);
    pump.await.expect("the pump ends");
    assert_eq!(count(&middle.store).await, EVENTS, "every event is recorded with its effect");
    per_second(elapsed)
}

async fn produce(queues: &Queues, queue: &QueueId, envelopes: Vec<String>) {
    let mut envelopes = envelopes.into_iter().map(NewMessage::text).peekable();
    while envelopes.peek().is_some() {
        let group: Vec<_> = envelopes.by_ref().take(GROUP).collect();
        let metrics = queues.send(queue, group).await.expect("sends");
        if metrics.backlog_count > AHEAD_MAX {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Events with one effect each, counted from the store.
async fn count(store: &SqliteStore) -> u64 {
    let waiting = store.targets_waiting(u64::MAX >> 1, usize::MAX).await.expect("reads");
    let effects: usize = waiting.iter().map(|waiting| waiting.due.len()).sum();
    u64::try_from(effects).expect("a count")
}

/// The same rows, written by the store alone.
async fn run_store(envelopes: &[String]) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let middle = Middle::new(dir.path()).await;
    let active = middle.active();
    let recorded: Vec<_> =
        envelopes.iter().map(|text| decide(&middle.versions.sandbox, &active, text)).collect();
    let started = Instant::now();
    let mut batches = recorded.into_iter().peekable();
    let mut waiting = tokio::task::JoinSet::new();
    while batches.peek().is_some() {
        let events = batches.by_ref().take(GROUP).collect();
        let store = middle.store.clone();
        waiting.spawn(async move { store.commit(Batch { events, ..Batch::default() }).await });
        if waiting.len() >= 8 {
            waiting.join_next().await.expect("one waits").expect("no panic").expect("commits");
        }
    }
    while let Some(committed) = waiting.join_next().await {
        committed.expect("no panic").expect("commits");
    }
    per_second(started.elapsed())
}

fn decide(sandbox: &Sandbox, active: &Active, text: &str) -> Recorded {
    let Opened::Event(event) = read(Envelope::open(text).expect("an envelope")) else {
        panic!("the body is inline");
    };
    let code = sandbox.load(&active.code).expect("it is there");
    let question = Question { event: &event, attempt: 1, settings: &active.settings, memory: None };
    let Call { answer, log, .. } = sandbox.call(&code, &question, &active.limits);
    let asked = Asked {
        event: &event,
        active,
        attempt: 1,
        asked_us: 30,
        memory: None,
        answer,
        log,
        now_ms: now_ms(),
        jitter: 0.5,
    };
    let plans: Vec<Plan> = vec![plan(asked, &rules())];
    let subject = SubjectChange { mark: arrival::advance(None, &event), expected: None };
    Recorded { event, queued_at_ms: 1, pulled_at_ms: 2, decided_at_ms: 3, plans, subject, came: None }
}

fn per_second(elapsed: Duration) -> f64 {
    f64::from(u32::try_from(EVENTS).expect("fits")) / elapsed.as_secs_f64()
}
