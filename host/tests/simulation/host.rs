//! One host of a run: the real pump, pipeline, revisiting, sandbox and tables.

use super::line;
use super::queue::BadQueue;
use super::scenario::{Asks, Scenario, TARGETS};
use super::tables::Tables;
use super::target::{self, Target};
use super::world::{self, chance, now_ms, pause, step, tell, up_to_ms};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tidegate::comparison::Comparisons;
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::group::{self, Group};
use tidegate::heard::Heard;
use tidegate::holding::Holding;
use tidegate::limits::Limits;
use tidegate::partition::Partitions;
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::PlanRules;
use tidegate::plugin::Manifest;
use tidegate::poll::PollPolicy;
use tidegate::pump::{self, InFlight, PumpBounds};
use tidegate::queue::Queue;
use tidegate::queue::errands::Errands;
use tidegate::registry::{Active, Standing, Switchboard};
use tidegate::retry::RetryPolicy;
use tidegate::revisit;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::sql::{Disk, SqlStore};
use tidegate::store::versions::{NewVersion, Provenance};
use tidegate::store::{Batch, Store as _, StoreError};
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

/// Between two words to the database.
const HEARTBEAT: Duration = Duration::from_secs(4);

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
    // Two tests of one process may be here at once: each makes its own.
    let name = format!("plugins-{asks:?}-{:?}", std::thread::current().id());
    let (store, mut disk) = SqlStore::in_memory(&name, || Duration::ZERO).expect("a store");
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
            "name = \"{name}\"\nkinds = {kinds:?}\nhosts = {TARGETS:?}\nemits = [\"loan.ended\"]\narrivals = {arrivals}\n"
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

/// What every part of a host is given.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) store: SqlStore,
    pub(crate) holding: Arc<Holding>,
    pub(crate) recorded: Arc<Notify>,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Part {
    /// Of a host on this store that holds everything, and is never stopped.
    pub(crate) fn alone(store: SqlStore) -> (Self, watch::Sender<bool>) {
        let (stop, stopped) = watch::channel(false);
        let (holding, recorded) = (Holding::new(Partitions::ALL), Arc::default());
        (Self { store, holding, recorded, stopped }, stop)
    }
}

/// The middle of a host.
pub(crate) struct Middle {
    pub(crate) pipeline: Arc<Pipeline<SqlStore>>,
    deployer: Arc<Deployer<SqlStore>>,
    heard: Arc<Heard>,
}

pub(crate) async fn middle(part: &Part, scenario: &Scenario) -> Result<Middle, StoreError> {
    let (switchboard, heard) = (Arc::new(Switchboard::default()), Arc::default());
    let versions = Arc::new(versions(part.store.clone()));
    let standing = |active: Active| {
        let none = Standing::none(active.manifest.name.clone());
        Standing { active: Some(versions.alive.hold(active)), ..none }
    };
    switchboard.set(plugins(scenario.asks).await.into_iter().map(standing).collect());
    let deployer = Deployer::new(Arc::clone(&versions), Arc::clone(&switchboard), now_ms);
    let pipeline = Pipeline::new(Parts {
        store: part.store.clone(),
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
            recent_events_max: 1_000,
            ..PipelineBounds::default()
        },
        now_ms,
        chance,
        recorded: Arc::clone(&part.recorded),
        holding: Arc::clone(&part.holding),
        edge: None,
        heard: Arc::clone(&heard),
        comparisons: Comparisons::new().0,
        signals: Arc::default(),
    });
    let pipeline = Arc::new(pipeline.await?.on_one_thread(pause));
    Ok(Middle { pipeline, deployer: Arc::new(deployer), heard })
}

/// As [`middle`], as often as it takes to read what is known.
async fn begin(part: &Part, scenario: &Scenario) -> Middle {
    loop {
        match middle(part, scenario).await {
            Ok(middle) => return middle,
            Err(error) => tell(format!("begins anew: {error}")),
        }
    }
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

/// Lives until it dies, or for as long as this is polled: alone on its store.
pub(crate) async fn live(
    tables: &Tables,
    scenario: &Scenario,
    (host, queue): (usize, &BadQueue),
    target: &Target,
) {
    let (store, disk) = tables.open();
    let (part, _stop) = Part::alone(store);
    let death = world::strikes(host);
    let middle = tokio::select! {
        biased;
        middle = begin(&part, scenario) => middle,
        // It died while it read what is known.
        () = death.notified() => return,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(write(disk));
    let stopped = part.stopped.clone();
    pull(
        &mut tasks,
        queue.clone(),
        &middle.pipeline,
        (scenario, pump::alone(), &InFlight::new(16, 1)),
        &stopped,
    );
    work(&mut tasks, part, &middle, target);
    tokio::select! {
        biased;
        Some(ended) = tasks.join_next() => panic!("a part of the host stopped: {ended:?}"),
        () = death.notified() => {}
    }
    tasks.shutdown().await;
}

/// How the life of one of several hosts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was told to.
    InGoodOrder,
    /// Another host has held what this one held.
    TakenOver,
    /// It could not read what is known.
    NotBegun,
}

/// Lives until it is told to stop, or taken over: one of several on its store.
pub(crate) async fn share(
    part: Part,
    disk: Disk,
    (scenario, queues): (Arc<Scenario>, Vec<BadQueue>),
    target: Target,
) -> End {
    let mut writing = JoinSet::new();
    writing.spawn(write(disk));
    let Ok(middle) = middle(&part, &scenario).await else { return End::NotBegun };
    let (store, stopped) = (part.store.clone(), part.stopped.clone());
    let mut tasks = JoinSet::new();
    let pullers: Vec<_> = queues.iter().map(|_| watch::Sender::new(0)).collect();
    let in_flight = InFlight::new(32, queues.len() + 1);
    for (queue, pullers) in queues.into_iter().zip(&pullers) {
        pull(&mut tasks, queue, &middle.pipeline, (&scenario, pullers.subscribe(), &in_flight), &stopped);
    }
    let errands = Errands::new(store.clone(), Arc::clone(&part.holding));
    pull(&mut tasks, errands, &middle.pipeline, (&scenario, pump::alone(), &in_flight), &stopped);
    work(&mut tasks, part, &middle, &target);
    let Middle { pipeline, deployer, heard } = middle;
    let group = Group { store: store.clone(), pipeline, deployer, heard, raised: Arc::default(), pullers };
    tasks.spawn(group::run(group, stopped.clone()));
    tasks.spawn(beat(store.clone(), stopped.clone()));
    loop {
        tokio::select! {
            biased;
            () = store.ended() => return End::TakenOver,
            ended = tasks.join_next() => match ended {
                Some(ended) => {
                    ended.expect("a part of the host does not panic");
                    assert!(*stopped.borrow(), "a part of the host stopped");
                }
                None => break,
            }
        }
    }
    // Its writer ends when all is written that was handed over.
    drop(store);
    while writing.join_next().await.is_some() {}
    End::InGoodOrder
}

/// The database hears of the host every few seconds, as from what `SqlStore::connect` starts.
async fn beat(store: SqlStore, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        // Whether it was written or not: the next word comes later.
        drop(store.commit(Batch::default()).await);
    }
}

/// Starts what waits for what is recorded.
fn work(tasks: &mut JoinSet<()>, part: Part, middle: &Middle, target: &Target) {
    let Part { store, recorded, stopped, .. } = part.clone();
    tasks.spawn(target::perform(part, target.clone()));
    tasks.spawn(revisit::run(store, Arc::clone(&middle.pipeline), recorded, now_ms, stopped));
}

fn pull<Q: Queue>(
    tasks: &mut JoinSet<()>,
    queue: Q,
    pipeline: &Arc<Pipeline<SqlStore>>,
    (scenario, pullers, in_flight): (&Scenario, watch::Receiver<usize>, &InFlight),
    stopped: &watch::Receiver<bool>,
) {
    let poll = PollPolicy { busy_ms: 10, idle_ms: 100, factor: 2 };
    let bounds = PumpBounds {
        in_flight: in_flight.clone(),
        batch_max: scenario.batch_max,
        poll,
        permanent_retry_ms: 100,
    };
    tasks.spawn(pump::run(Arc::new(queue), Arc::clone(pipeline), bounds, pullers, stopped.clone()));
}

/// The disk, or the database: it takes its time, at times a long one, and what it has not written when the host dies is gone.
async fn write(mut disk: Disk) {
    while disk.wait().await {
        let usual_ms = world::reach().commit_ms;
        tokio::time::sleep(up_to_ms(if world::goes_wrong(20) { 700 } else { usual_ms })).await;
        step("before a commit").await;
        world::asks(line::Asks::Writes);
        match disk.write() {
            Ok(batches) => tell(format!("committed {batches}")),
            Err(error) => {
                tell(format!("nothing is committed: {error:#}"));
                tokio::time::sleep(up_to_ms(2_000)).await;
            }
        }
        step("after a commit, before anyone heard of it").await;
    }
}
