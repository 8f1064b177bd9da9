//! A host without its outbox, and the queue it pulls from.

use super::GROUP;
use super::traffic::produce;
use super::usage::{Meter, Spent};
use std::path::Path;
use std::sync::Arc;
use tidegate::comparison::Comparisons;
use tidegate::config::ExecutorSection;
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::holding::Holding;
use tidegate::partition::Partitions;
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::PlanRules;
use tidegate::plugin::Manifest;
use tidegate::poll::PollPolicy;
use tidegate::pump::{self, InFlight, PumpBounds};
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::queue::rest::{BATCH_MAX, RestQueue, RestQueueConfig, Token};
use tidegate::registry::{Active, Switchboard};
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::sql::SqlStore;
use tidegate::store::{self, Batch, EffectOutcome, EffectSeq, EffectState, Store as _};
use tidegate::versions::Versions;
use tidegate_queue::{Behavior, QueueId, Queues, ServeOptions, Server};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

const LEASE_MS: u64 = 60_000;
const QUEUE: &str = "events";
const ACCOUNT: &str = "bench";
const TOKEN: &str = "bench";

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 500 million")
}

/// A host's middle, with plugins/rust at work.
pub(crate) struct Middle {
    pub(crate) store: SqlStore,
    pub(crate) versions: Arc<Versions<SqlStore>>,
    switchboard: Arc<Switchboard>,
}

impl Middle {
    pub(crate) async fn new(dir: &Path, store: SqlStore) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let component = std::fs::read(root.join("plugins/rust/plugin.wasm"))
            .expect("plugins/rust/plugin.wasm is built; type: cargo xtask plugins");
        let manifest = std::fs::read_to_string(root.join("plugins/rust/plugin.toml")).expect("a manifest");
        let sandbox = Arc::new(Sandbox::new(SandboxConfig::new(dir.join("compiled"))).expect("a sandbox"));
        let switchboard = Arc::new(Switchboard::default());
        let versions = Arc::new(Versions::new(store.clone(), sandbox));
        let deployer = Deployer::new(Arc::clone(&versions), Arc::clone(&switchboard), now_ms);
        let candidate = Candidate::new(Manifest::parse(&manifest).expect("well formed"), component);
        deployer.deploy(candidate, Role::Active, By::default()).await.expect("deploys");
        Self { store, versions, switchboard }
    }

    pub(crate) fn active(&self) -> Arc<Active> {
        Arc::clone(self.switchboard.current().iter().next().expect("one plugin"))
    }

    async fn pipeline(self) -> Arc<Pipeline<SqlStore>> {
        let parts = Parts {
            store: self.store,
            versions: self.versions,
            switchboard: self.switchboard,
            rules: PlanRules::default(),
            bounds: PipelineBounds {
                asking_max: 2,
                // Each asset has 60 events within a second.
                effects_per_minute_max: u32::MAX,
                ..PipelineBounds::default()
            },
            now_ms,
            chance: || 0.5,
            recorded: Arc::new(Notify::new()),
            holding: Holding::new(Partitions::ALL),
            edge: None,
            heard: Arc::default(),
            comparisons: Comparisons::new().0,
            signals: Arc::default(),
        };
        Arc::new(Pipeline::new(parts).await.expect("a pipeline"))
    }
}

/// How a host gets its deliveries.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// The queue is in the process.
    InProcess,
    /// It is behind its REST contract, on the loopback.
    Rest,
}

/// A host at work.
pub(crate) struct Host {
    store: SqlStore,
    queues: Queues,
    queue: QueueId,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Host {
    pub(crate) async fn start(dir: &Path, store: SqlStore, way: Way) -> Self {
        let middle = Middle::new(dir, store).await;
        let store = middle.store.clone();
        let pipeline = middle.pipeline().await;
        let server = Server::bind(serve_options(dir)).await.expect("a queue");
        let queues = server.queues.clone();
        let queue = queues.ensure_queue(QUEUE).await.expect("a queue");
        let (stop, stopped) = watch::channel(false);
        let pump = match way {
            Way::InProcess => {
                let embedded = Arc::new(EmbeddedQueue::new(queues.clone(), queue, LEASE_MS));
                tokio::spawn(pump::run(embedded, pipeline, bounds(GROUP), pump::alone(), stopped.clone()))
            }
            Way::Rest => {
                let rest = Arc::new(rest_queue(server.base_url(), queue));
                tokio::spawn(pump::run(rest, pipeline, bounds(BATCH_MAX), pump::alone(), stopped.clone()))
            }
        };
        let serving = tokio::spawn(async move {
            let mut stopped = stopped;
            let stopped = async move { drop(stopped.wait_for(|stop| *stop).await) };
            server.serve(stopped).await.expect("serves");
        });
        Self { store, queues, queue, stop, tasks: vec![pump, serving] }
    }

    /// Has it decide so many events: from the first that is queued to the last that is acknowledged.
    pub(crate) async fn feed(&self, envelopes: impl Iterator<Item = String>, events: u64) -> Spent {
        let meter = Meter::start();
        produce(&self.queues, &self.queue, envelopes).await;
        meter.stop(events)
    }

    /// Has its store record that each effect was performed, as the outbox does: one by one, so many side by side.
    pub(crate) async fn record_outcomes(&self, effects: u64) -> Spent {
        let meter = Meter::start();
        let mut recording = JoinSet::new();
        for seq in 1..=i64::try_from(effects).expect("few") {
            let (seq, at_ms, what) = (EffectSeq(seq), now_ms(), "200 in 5 ms".to_owned());
            let outcome =
                EffectOutcome { seq, attempts: 1, state: EffectState::Done, what, at_ms, reply: None };
            let (store, batch) = (self.store.clone(), Batch { outcomes: vec![outcome], ..Batch::default() });
            recording.spawn(async move { store::record(&store, batch).await });
            if recording.len() >= ExecutorSection::default().in_flight_max {
                recording.join_next().await.expect("one is under way").expect("no panic");
            }
        }
        recording.join_all().await;
        meter.stop(effects)
    }

    /// Ends it. Every one of its events must be recorded, with its effect; but for those that were overtaken by a later
    /// batch on the way, which nothing forbids, and were stale: one batch in 20,000 on a busy machine.
    pub(crate) async fn stop(self, events: u64) {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        let stats = self.store.stats().await.expect("counts");
        let (stale, effects) = (stats.accepted.stale, stats.effects.waiting + stats.effects.done);
        assert_eq!((stats.done, effects + stale), (events, events), "{stats:?}");
        assert!(stale <= events / 1_000, "{stats:?}");
    }
}

fn bounds(batch_max: usize) -> PumpBounds {
    PumpBounds {
        in_flight: InFlight::new(8 * GROUP, 1),
        batch_max,
        poll: PollPolicy { busy_ms: 1, idle_ms: 1, factor: 1 },
        permanent_retry_ms: 1_000,
    }
}

fn serve_options(dir: &Path) -> ServeOptions {
    let any = "127.0.0.1:0".parse().expect("an address");
    ServeOptions {
        data_dir: dir.join("queue"),
        rest_addr: any,
        binding_addr: any,
        account_id: ACCOUNT.to_owned(),
        token: TOKEN.to_owned(),
        behavior: Behavior::default(),
        queues: vec![QUEUE.to_owned()],
    }
}

fn rest_queue(base_url: String, queue: QueueId) -> RestQueue {
    let config = RestQueueConfig {
        base_url,
        account_id: ACCOUNT.to_owned(),
        queue_id: queue.to_string(),
        token: Token::new(TOKEN),
        visibility_timeout_ms: LEASE_MS,
        batch_max: BATCH_MAX,
    };
    RestQueue::new(config).expect("a client")
}
