//! The middle of a host on real parts: queue, store, sandbox, the guest `actor` as its one plugin; and a clock that
//! stands still but where a test waits.

use super::home::Home;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate::comparison::Comparisons;
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::deployment::Deployment;
use tidegate::dryrun::DryRun;
use tidegate::gate::{Gate, GateBounds};
use tidegate::holding::Holding;
use tidegate::partition::Partitions;
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::PlanRules;
use tidegate::plugin::{Manifest, PluginName, Version};
use tidegate::queue::Queue as _;
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::retry::RetryPolicy;
use tidegate::revisit;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::listing::EventQuery;
use tidegate::store::sql::SqlStore;
use tidegate::store::stats::Stats;
use tidegate::store::{Batch, EventRow, Store as _, Stray};
use tidegate::turn::{Turn, Turns};
use tidegate::versions::Versions;
use tidegate_envelope::{Receipt, SourceName, Unsealed};
use tidegate_queue::{Behavior, NewMessage, QueueId, Queues, system_clock};
use tokio::sync::{Notify, watch};

/// One delivery: about this asset, at this second, with these steps.
pub(crate) struct Delivered {
    pub(crate) receipt: Receipt,
    pub(crate) body: String,
}

/// An update of an asset. The same arguments give the same delivery.
pub(crate) fn event(asset: u32, second: u32, steps: &str) -> Delivered {
    let body = format!(
        "{{\"event_type\":\"asset.update\",\"id\":{asset},\"updated_at\":\"2026-01-01 00:00:{second:02}.000001\",\"do\":\"{steps}\"}}"
    );
    let receipt = Receipt::new(1_767_225_600_000, (u128::from(asset) << 32) | u128::from(second));
    Delivered { receipt, body }
}

impl Delivered {
    /// The same request once more, as the sender repeats it.
    pub(crate) fn under_another_receipt(self) -> Self {
        Self { receipt: Receipt::new(self.receipt.timestamp_ms() + 1_000, 7), ..self }
    }
}

pub(crate) struct Stage {
    dir: Home,
    host: Option<Middle>,
    manifest: String,
    share_ms_max: u64,
    queues: Queues,
    queue_id: QueueId,
}

/// The middle of a host, with what was at work put to work.
pub(crate) struct Middle {
    pub(crate) store: SqlStore,
    pub(crate) pipeline: Arc<Pipeline<SqlStore>>,
    pub(crate) deployer: Arc<Deployer<SqlStore>>,
    pub(crate) recorded: Arc<Notify>,
}

impl Middle {
    pub(crate) async fn new(
        store: SqlStore,
        sandbox: SandboxConfig,
        holding: Arc<Holding>,
        share_ms_max: u64,
    ) -> Self {
        let sandbox = Arc::new(Sandbox::new(sandbox).expect("a sandbox"));
        let versions = Arc::new(Versions::new(store.clone(), sandbox));
        let deployer = Deployer::new(Arc::clone(&versions), Arc::default(), now_ms);
        deployer.restore().await.expect("restores");
        let recorded = Arc::new(Notify::new());
        let pipeline = Pipeline::new(Parts {
            store: store.clone(),
            versions,
            switchboard: Arc::clone(&deployer.switchboard),
            rules: PlanRules {
                retry: RetryPolicy { attempts_max: 5, first_ms: 10, factor: 2, cap_ms: 100 },
                ..PlanRules::default()
            },
            bounds: PipelineBounds { share_ms_max, ..PipelineBounds::default() },
            now_ms,
            chance: || 0.5,
            recorded: Arc::clone(&recorded),
            holding,
            edge: None,
            heard: Arc::default(),
            comparisons: Comparisons::new().0,
            signals: Arc::default(),
        });
        let pipeline = Arc::new(pipeline.await.expect("a pipeline"));
        Self { store, pipeline, deployer: Arc::new(deployer), recorded }
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 500 million")
}

pub(crate) fn candidate(manifest: &str) -> Candidate {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests/actor/guest.wasm");
    let component = std::fs::read(guest).expect("it is built; type: cargo xtask plugins");
    let manifest = format!("name = \"actor\"\nkinds = [\"*\"]\n{manifest}");
    Candidate::new(Manifest::parse(&manifest).expect("a manifest"), component)
}

pub(crate) fn approved() -> By {
    By { approve: true, ..By::default() }
}

impl Stage {
    /// With these lines in the plugin's manifest.
    pub(crate) async fn set(manifest: &str) -> Self {
        Self::with(manifest, 10_000).await
    }

    /// With this share of a batch for the plugin, in milliseconds.
    pub(crate) async fn with(manifest: &str, share_ms_max: u64) -> Self {
        let dir = Home::new();
        let queues =
            Queues::open(&dir.path().join("queue"), Behavior::default(), system_clock()).expect("a queue");
        let queue_id = queues.ensure_queue("events").await.expect("a queue");
        let manifest = manifest.to_owned();
        let mut stage = Self { dir, host: None, manifest, share_ms_max, queues, queue_id };
        stage.restart().await;
        stage
    }

    /// Stops the host, as if it had died, and starts another on what it left.
    pub(crate) async fn restart(&mut self) {
        let is_new = self.host.take().is_none();
        let store = loop {
            // The one before holds the directory until its writer has ended.
            match self.dir.open() {
                Ok(store) => break store,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let sandbox = SandboxConfig::new(self.dir.path().join("compiled"));
        let host = Middle::new(store, sandbox, Holding::new(Partitions::ALL), self.share_ms_max).await;
        if is_new {
            let deployed = host.deployer.deploy(candidate(&self.manifest), Role::Active, approved());
            deployed.await.expect("deploys");
        }
        self.host = Some(host);
    }

    /// Another version of the plugin, with these lines in its manifest, becomes the active one.
    pub(crate) async fn deploy(&self, manifest: &str) -> Version {
        let deployed =
            self.deployer().deploy(candidate(manifest), Role::Active, approved()).await.expect("deploys");
        deployed.version.expect("it has one")
    }

    /// Another version of the plugin, which has nothing to do yet.
    pub(crate) async fn record(&self, manifest: &str) -> Version {
        self.deployer().record(candidate(manifest)).await.expect("records")
    }

    /// Removes the compiled code from the disk.
    pub(crate) fn forget_compiled(&self) {
        std::fs::remove_dir_all(self.dir.path().join("compiled")).expect("it was there");
        std::fs::create_dir(self.dir.path().join("compiled")).expect("a folder");
    }

    /// What asks versions about what was decided here.
    pub(crate) fn dry_run(&self) -> Arc<DryRun<SqlStore>> {
        Arc::new(DryRun::new(Arc::clone(&self.deployer().versions), PlanRules::default()))
    }

    /// From now on a version goes to work only when it has run dry within these bounds.
    pub(crate) fn gate(&mut self, bounds: GateBounds) {
        let gate = Gate::new(self.dry_run(), bounds);
        let Deployer { versions, switchboard, .. } = self.deployer();
        let deployer = Deployer::new(Arc::clone(versions), Arc::clone(switchboard), now_ms).with_gate(gate);
        self.host.as_mut().expect("it was started").deployer = Arc::new(deployer);
    }

    pub(crate) fn deployer(&self) -> &Deployer<SqlStore> {
        &self.host().deployer
    }

    pub(crate) fn name(&self) -> PluginName {
        PluginName::new("actor").expect("a name")
    }

    pub(crate) fn active(&self) -> Version {
        self.deployer().switchboard.current().find(&self.name()).expect("it is at work").version.clone()
    }

    pub(crate) async fn history(&self) -> Vec<Deployment> {
        self.host().store.history(self.name(), 100).await.expect("reads")
    }

    /// Which version each of the asset's plans is of.
    pub(crate) async fn versions(&self, asset: u32) -> Vec<Version> {
        self.rows(asset).await.into_iter().flat_map(|row| row.plans).map(|plan| plan.version).collect()
    }

    pub(crate) fn store(&self) -> &SqlStore {
        &self.host().store
    }

    pub(crate) fn pipeline(&self) -> &Arc<Pipeline<SqlStore>> {
        &self.host().pipeline
    }

    pub(crate) async fn stats(&self) -> Stats {
        self.host().store.stats().await.expect("reads")
    }

    /// Parks this text as a delivery that is no event.
    pub(crate) async fn stray(&self, text: &str) {
        let stray = Stray { body: text.into(), why: "it was none".into(), pulled_at_ms: now_ms() - 1 };
        let batch = Batch { strays: vec![stray], ..Batch::default() };
        self.host().store.commit(batch).await.expect("commits");
    }

    fn host(&self) -> &Middle {
        self.host.as_ref().expect("it was started")
    }

    /// A delivery as the edge seals it.
    pub(crate) fn seal(event: &Delivered) -> String {
        let source = SourceName::new("amj").expect("a name");
        let unsealed = Unsealed {
            receipt: event.receipt,
            source: &source,
            profile: Some("amj"),
            method: "POST",
            headers: &[],
            content_type: Some("application/json"),
        };
        unsealed.seal(event.body.as_bytes()).expect("it fits")
    }

    /// Queues these and has the pipeline work on them as one batch.
    pub(crate) async fn deliver(&self, events: &[Delivered]) {
        let sealed = events.iter().map(|event| NewMessage::text(Self::seal(event)));
        self.queues.send(&self.queue_id, sealed.collect()).await.expect("the queue takes them");
        let queue = EmbeddedQueue::new(self.queues.clone(), self.queue_id, 60_000);
        let pulled = queue.pull(100).await.expect("the queue delivers");
        assert_eq!(pulled.deliveries.len(), events.len());
        self.host().pipeline.process(&queue, pulled.deliveries, Turn::alone()).await;
    }

    /// Queues these batches and has the pipeline work on the last of them first; each has its turn.
    pub(crate) async fn deliver_backwards(&self, batches: &[&[Delivered]]) {
        let queue = EmbeddedQueue::new(self.queues.clone(), self.queue_id, 60_000);
        let (mut turns, mut pulled) = (Turns::default(), Vec::new());
        for events in batches {
            let sealed = events.iter().map(|event| NewMessage::text(Self::seal(event)));
            self.queues.send(&self.queue_id, sealed.collect()).await.expect("the queue takes them");
            pulled.push((queue.pull(100).await.expect("the queue delivers").deliveries, turns.next_turn()));
        }
        let mut working = tokio::task::JoinSet::new();
        for (deliveries, turn) in pulled.into_iter().rev() {
            let (pipeline, queue) = (Arc::clone(&self.host().pipeline), queue.clone());
            working.spawn(async move { pipeline.process(&queue, deliveries, turn).await });
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        working.join_all().await;
    }

    /// Lets the host do what is due until nothing is, now or later.
    pub(crate) async fn settle(&self) {
        let Middle { store, pipeline, recorded, .. } = self.host();
        let (stop, stopped) = watch::channel(false);
        let work = revisit::run(store.clone(), Arc::clone(pipeline), Arc::clone(recorded), now_ms, stopped);
        let work = tokio::spawn(work);
        while store.next_due_at_ms(0, Partitions::ALL).await.expect("reads").is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send_replace(true);
        work.await.expect("ends");
    }

    /// The events about this asset, in the order they were recorded.
    async fn rows(&self, asset: u32) -> Vec<EventRow> {
        let page = self.host().store.events(EventQuery::default()).await.expect("reads");
        page.events.into_iter().filter(|row| row.subject == asset.to_string()).collect()
    }

    pub(crate) async fn notes(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().flat_map(|row| row.plans).flat_map(|plan| plan.notes).collect()
    }

    pub(crate) async fn classes(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().map(|row| row.class).collect()
    }

    pub(crate) async fn kinds(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().map(|row| row.kind).collect()
    }

    pub(crate) async fn states(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().map(|row| row.state).collect()
    }

    pub(crate) async fn plan_states(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().flat_map(|row| row.plans).map(|plan| plan.state).collect()
    }

    pub(crate) async fn whys(&self, asset: u32) -> Vec<String> {
        self.rows(asset).await.into_iter().flat_map(|row| row.plans).filter_map(|plan| plan.why).collect()
    }
}
