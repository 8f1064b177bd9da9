//! One host of a run: the real pump, pipeline, revisiting, sandbox and tables.

use super::queue::BadQueue;
use super::scenario::{Asks, Scenario};
use super::target::{self, Target};
use super::world::{self, chance, now_ms, pause, step, tell, up_to_ms};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tidegate::comparison::Comparisons;
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::holding::Holding;
use tidegate::limits::Limits;
use tidegate::partition::Partitions;
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::PlanRules;
use tidegate::plugin::Manifest;
use tidegate::poll::PollPolicy;
use tidegate::pump::{self, InFlight, PumpBounds};
use tidegate::registry::{Active, Standing, Switchboard};
use tidegate::retry::RetryPolicy;
use tidegate::revisit;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::sql::{Disk, SqlStore};
use tidegate::store::versions::{NewVersion, Provenance};
use tidegate::store::{Batch, Store as _};
use tidegate::versions::Versions;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// One for the process; the time that a call takes is the machine's, so no call is ended for it.
static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulation");
    let config = SandboxConfig { engines: 2, ..SandboxConfig::new(dir) };
    Arc::new(Sandbox::new(config).expect("a sandbox"))
});
static PLUGINS: LazyLock<Mutex<HashMap<Asks, Vec<Active>>>> = LazyLock::new(Mutex::default);

/// The names of the plugins.
pub(crate) const ACTOR: &str = "actor";
pub(crate) const CLERK: &str = "clerk";

/// The kinds that a plugin is asked about.
pub(crate) fn kinds(plugin: &str) -> &'static [&'static str] {
    match plugin {
        ACTOR => &["*"],
        _ => &["asset.create", "asset.update", "tidegate.wake"],
    }
}

fn versions(store: SqlStore) -> Versions<SqlStore> {
    let limits = Limits { wall_time_ms: 60_000, ..Limits::default() };
    Versions { limits, ..Versions::new(store, Arc::clone(&SANDBOX)) }
}

/// The plugins, compiled once for the process.
pub(crate) async fn plugins(asks: Asks) -> Vec<Active> {
    if let Some(known) = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner).get(&asks) {
        return known.clone();
    }
    let (store, mut disk) =
        SqlStore::in_memory(&format!("plugins-{asks:?}"), || Duration::ZERO).expect("a store");
    let switchboard = Arc::new(Switchboard::default());
    let deployer = Deployer::new(Arc::new(versions(store)), Arc::clone(&switchboard), now_ms);
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests/actor/guest.wasm");
    let component = std::fs::read(guest).expect("it is built; type: cargo xtask plugins");
    for name in [ACTOR, CLERK] {
        let arrivals = match asks {
            Asks::First => "[]",
            Asks::All => "[\"stale\", \"conflict\", \"after-delete\"]",
        };
        let kinds = kinds(name);
        let manifest = format!(
            "name = \"{name}\"\nkinds = {kinds:?}\nhosts = [\"target.example\"]\nemits = [\"loan.ended\"]\narrivals = {arrivals}\n"
        );
        let manifest = Manifest::parse(&manifest).expect("a manifest");
        let deploying =
            deployer.deploy(Candidate::new(manifest, component.clone()), Role::Active, By::default());
        let writing = async {
            loop {
                disk.wait().await;
                disk.write().expect("writes");
            }
        };
        tokio::select! {
            deployed = deploying => { deployed.expect("deploys"); }
            () = writing => {}
        }
    }
    let plugins: Vec<_> = switchboard.current().iter().map(|active| Active::clone(active)).collect();
    PLUGINS.lock().unwrap_or_else(PoisonError::into_inner).insert(asks, plugins.clone());
    plugins
}

/// The middle of a host. Whoever has the disk says when it writes.
pub(crate) async fn middle(
    name: &str,
    scenario: &Scenario,
    recorded: &Arc<Notify>,
) -> (SqlStore, Disk, Arc<Pipeline<SqlStore>>) {
    let (store, disk) = SqlStore::in_memory(name, pause).expect("a store");
    let switchboard = Arc::new(Switchboard::default());
    let versions = Arc::new(versions(store.clone()));
    let standing = |active: Active| {
        let none = Standing::none(active.manifest.name.clone());
        Standing { active: Some(versions.alive.hold(active)), ..none }
    };
    switchboard.set(plugins(scenario.asks).await.into_iter().map(standing).collect());
    let pipeline = Pipeline::new(Parts {
        store: store.clone(),
        versions,
        switchboard,
        rules: PlanRules {
            retry: RetryPolicy { attempts_max: 8, first_ms: 10, factor: 2, cap_ms: 100 },
            ..PlanRules::default()
        },
        bounds: PipelineBounds {
            asking_max: 2,
            share_ms_max: scenario.share_ms_max,
            subjects_bytes_max: scenario.subjects_bytes_max,
            effects_per_minute_max: scenario.effects_per_minute_max,
            ..PipelineBounds::default()
        },
        now_ms,
        chance,
        recorded: Arc::clone(recorded),
        holding: Holding::new(Partitions::ALL),
        edge: None,
        heard: Arc::default(),
        comparisons: Comparisons::new().0,
        signals: Arc::default(),
    });
    let pipeline = pipeline.await.expect("a pipeline").on_one_thread(pause);
    (store, disk, Arc::new(pipeline))
}

/// Records the plugins' versions, as deploying did once.
pub(crate) async fn record_versions(store: &SqlStore, disk: &mut Disk, asks: Asks) {
    let recorded = |active: Active| NewVersion {
        version: active.version,
        manifest: active.manifest,
        // Nobody reads it: the plugins are compiled once for all runs.
        component: Vec::new(),
        provenance: Provenance::default(),
        made_at_ms: now_ms(),
    };
    let versions = plugins(asks).await.into_iter().map(recorded).collect();
    let submitted = store.submit(Batch { versions, ..Batch::default() }).await.expect("it is there");
    disk.write().expect("writes");
    submitted.durable().await.expect("it is written");
}

/// Lives until it dies, or for as long as this is polled.
pub(crate) async fn live(name: &str, scenario: &Scenario, queue: &BadQueue, target: &Target) {
    let recorded = Arc::new(Notify::new());
    let born = middle(name, scenario, &recorded);
    let (store, disk, pipeline) = tokio::select! {
        biased;
        born = born => born,
        // It died while it read what is known.
        () = world::death() => return,
    };
    let (_stop, stopped) = watch::channel(false);
    let poll = PollPolicy { busy_ms: 10, idle_ms: 100, factor: 2 };
    let bounds = PumpBounds {
        in_flight: InFlight::new(16, 1),
        batch_max: scenario.batch_max,
        poll,
        permanent_retry_ms: 100,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(write(disk));
    tasks.spawn(target::perform(store.clone(), target.clone()));
    tasks.spawn(revisit::run(store, Arc::clone(&pipeline), recorded, now_ms, stopped.clone()));
    tasks.spawn(pump::run(Arc::new(queue.clone()), pipeline, bounds, pump::alone(), stopped));
    tokio::select! {
        biased;
        Some(ended) = tasks.join_next() => panic!("a part of the host stopped: {ended:?}"),
        () = world::death() => {}
    }
    tasks.shutdown().await;
}

/// The disk: it takes its time, at times a long one, and what it has not written when the host dies is gone.
async fn write(mut disk: Disk) {
    while disk.wait().await {
        tokio::time::sleep(up_to_ms(if world::goes_wrong(20) { 700 } else { 8 })).await;
        step("before a commit").await;
        let batches = disk.write().expect("memory is no disk that could be full");
        tell(format!("committed {batches}"));
        step("after a commit, before anyone heard of it").await;
    }
}
