//! Several hosts on one database: each on real parts, all in this process.

use super::home::Home;
use super::stage::{Delivered, Middle, Stage, approved, candidate, event, now_ms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::deploy::Role;
use tidegate::group::{self, Group};
use tidegate::holding::Holding;
use tidegate::partition::{Partition, Partitions};
use tidegate::pipeline::intervene::Order;
use tidegate::plugin::PluginName;
use tidegate::pump::{self, InFlight, PumpBounds};
use tidegate::queue::errands::Errands;
use tidegate::queue::{Delivery, DeliveryBody, Lease, Pulled, Queue, QueueError, Settle};
use tidegate::revisit;
use tidegate::sandbox::SandboxConfig;
use tidegate::store::group::{Change, Group as _};
use tidegate::store::keeping::Audit;
use tidegate::store::listing::EventQuery;
use tidegate::store::{Batch, EventRow, Store as _};
use tidegate::turn::Turn;
use tidegate_envelope::Receipt;
use tokio::sync::watch;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

/// One host of several, at work.
pub(crate) struct Host {
    pub(crate) middle: Middle,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Host {
    async fn start(home: &Home, name: &str) -> Self {
        let store = home.open_sharing(name).await;
        let sandbox = SandboxConfig::new(home.path().join(name));
        let middle = Middle::new(store, sandbox, Holding::new(Partitions::NONE), 10_000).await;
        let (stop, stopped) = watch::channel(false);
        let Middle { store, pipeline, deployer, recorded } = &middle;
        let group = Group {
            store: store.clone(),
            pipeline: Arc::clone(pipeline),
            deployer: Arc::clone(deployer),
            heard: Arc::default(),
            raised: Arc::default(),
            pullers: Vec::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(group::run(group, stopped.clone()));
        let asking =
            revisit::run(store.clone(), Arc::clone(pipeline), Arc::clone(recorded), now_ms, stopped.clone());
        tasks.spawn(asking);
        let errands = Errands::new(store.clone(), Arc::clone(pipeline.holding()));
        let bounds = PumpBounds {
            in_flight: InFlight::new(100, 1),
            batch_max: 100,
            poll: Default::default(),
            permanent_retry_ms: 100,
        };
        tasks.spawn(pump::run(Arc::new(errands), Arc::clone(pipeline), bounds, pump::alone(), stopped));
        Self { middle, stop, tasks }
    }

    /// Ends it in good order.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    pub(crate) async fn held(&self) -> Partitions {
        self.middle.pipeline.holding().held().await.partitions
    }

    /// Has this host pull these, whichever assets they are about.
    pub(crate) async fn deliver(&self, events: &[Delivered]) {
        let deliveries = events.iter().map(|event| Delivery {
            lease: Lease::new(event.receipt.to_string()),
            attempts: 1,
            queued_at_ms: now_ms(),
            body: DeliveryBody::Text(Stage::seal(event)),
        });
        self.middle.pipeline.process(&Nowhere, deliveries.collect(), Turn::alone()).await;
    }

    async fn rows(&self) -> BTreeMap<u32, Vec<EventRow>> {
        let query = EventQuery { rows_max: Some(1_000), ..EventQuery::default() };
        let page = self.middle.store.events(query).await.expect("reads");
        let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in page.events {
            rows.entry(row.subject.parse().expect("a number")).or_default().push(row);
        }
        rows
    }

    /// What the plugin noted about each asset, in the order of arrival, once nothing waits.
    pub(crate) async fn notes(&self, events: usize) -> BTreeMap<u32, Vec<String>> {
        let rows = until("everything is decided", async || {
            let rows = self.rows().await;
            let all: Vec<_> = rows.values().flatten().collect();
            let decided =
                all.iter().flat_map(|row| &row.plans).filter(|plan| plan.state == "decided").count();
            (all.len() == events && decided == events).then_some(rows)
        });
        let notes =
            |rows: Vec<EventRow>| rows.into_iter().flat_map(|row| row.plans).flat_map(|plan| plan.notes);
        rows.await.into_iter().map(|(asset, rows)| (asset, notes(rows).collect())).collect()
    }
}

/// The queue of deliveries that a test makes up.
struct Nowhere;

impl Queue for Nowhere {
    async fn pull(&self, _: usize) -> Result<Pulled, QueueError> {
        std::future::pending().await
    }

    async fn settle(&self, _: Vec<Settle>) -> Result<(), QueueError> {
        Ok(())
    }
}

pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_shared_by(hosts: &[&Host]) {
    until("all is shared out", async || {
        let mut all = Partitions::NONE;
        for host in hosts {
            let held = host.held().await;
            let even = 120 / u32::try_from(hosts.len()).expect("few");
            if held.len() != even {
                return None;
            }
            all = all.with(held);
        }
        (all == Partitions::ALL).then_some(())
    })
    .await;
}

pub(crate) fn of_all(assets: u32, second: u32, steps: &str) -> Vec<Delivered> {
    (1..=assets).map(|asset| event(asset, second, steps)).collect()
}

/// One that holds everything, with the plugin at work.
pub(crate) async fn one_host() -> (Home, Host) {
    let home = Home::new();
    let one = Host::start(&home, "one").await;
    until_shared_by(&[&one]).await;
    deploy(&one, "").await;
    (home, one)
}

/// Two that hold as much each, and nothing at work.
pub(crate) async fn two_hosts() -> (Home, [Host; 2]) {
    let home = Home::new();
    let one = Host::start(&home, "one").await;
    let two = join(&home, &one).await;
    (home, [one, two])
}

/// One more, until it holds its part.
pub(crate) async fn join(home: &Home, one: &Host) -> Host {
    let two = Host::start(home, "two").await;
    until_shared_by(&[one, &two]).await;
    two
}

pub(crate) async fn deploy(host: &Host, manifest: &str) {
    let deployed = host.middle.deployer.deploy(candidate(manifest), Role::Active, approved());
    deployed.await.expect("deploys");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn each_asset_is_decided_in_order_whoever_pulls_while_hosts_come_and_go() {
    let (home, one) = one_host().await;
    one.deliver(&of_all(40, 1, "count")).await;
    let two = join(&home, &one).await;
    one.deliver(&of_all(40, 2, "count")).await;
    // What is on its way to the other host would be overtaken: the later one of an asset, decided first, makes the other stale.
    one.notes(80).await;
    two.deliver(&of_all(40, 3, "retry 1 1; count")).await;
    assert_eq!(two.notes(120).await.len(), 40);
    two.stop().await;
    until_shared_by(&[&one]).await;
    one.deliver(&of_all(40, 4, "count")).await;
    for (asset, notes) in one.notes(160).await {
        assert_eq!(notes, ["count 1", "count 2", "count 3", "count 4"], "asset {asset}");
    }
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn what_waits_is_decided_by_whoever_holds_it_then() {
    let (home, one) = one_host().await;
    one.deliver(&of_all(40, 1, "retry 1500 1; count")).await;
    one.deliver(&of_all(40, 2, "count")).await;
    let two = join(&home, &one).await;
    for (asset, notes) in two.notes(80).await {
        assert_eq!(notes, ["count 1", "count 2"], "asset {asset}");
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn what_comes_twice_is_known_to_whoever_holds_its_asset_now() {
    let (home, one) = one_host().await;
    one.deliver(&of_all(20, 1, "count")).await;
    let two = join(&home, &one).await;
    // The queue delivers them again, to the other; and the sender sends them again.
    two.deliver(&of_all(20, 1, "count")).await;
    let mut again = of_all(20, 1, "count");
    for delivered in &mut again {
        let mut bytes = delivered.receipt.to_bytes();
        // Its time.
        bytes[5] += 1;
        delivered.receipt = Receipt::from_bytes(bytes);
    }
    two.deliver(&again).await;
    let rows = until("all are recorded", async || {
        let rows = one.rows().await;
        (rows.values().map(Vec::len).sum::<usize>() == 40).then_some(rows)
    });
    for (asset, rows) in rows.await {
        let classes: Vec<_> = rows.iter().map(|row| row.class.as_str()).collect();
        assert_eq!(classes, ["first", "duplicate"], "asset {asset}");
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn what_a_person_wants_is_done_by_whoever_holds_the_asset() {
    let (_home, [one, two]) = two_hosts().await;
    deploy(&one, "").await;
    one.deliver(&of_all(20, 1, "trap")).await;
    one.deliver(&of_all(20, 2, "count")).await;
    until("the first are parked and the others held", async || {
        let rows = one.rows().await;
        let states: Vec<_> = rows.values().flatten().flat_map(|row| &row.plans).map(|it| &it.state).collect();
        let count = |state: &str| states.iter().filter(|it| **it == state).count();
        (count("parked") == 20 && count("held") == 20).then_some(())
    })
    .await;
    let dropped = one.middle.pipeline.drop_parked(Order::default()).await.expect("drops");
    assert_eq!((dropped.done, dropped.failed.len()), (20, 0));
    until("what was behind them is decided", async || {
        let rows = one.rows().await;
        let second = rows.values().filter_map(|rows| rows.get(1)?.plans.first());
        (second.filter(|plan| plan.state == "decided" && plan.notes == ["count 1"]).count() == 20)
            .then_some(())
    })
    .await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_change_of_what_is_at_work_holds_on_every_host_when_it_is_answered() {
    let (_home, [one, two]) = two_hosts().await;
    let name = PluginName::new("actor").expect("a name");
    for manifest in ["", "arrivals = [\"stale\"]\n"] {
        deploy(&one, manifest).await;
        let at = |host: &Host| {
            let board = host.middle.deployer.switchboard.current();
            board.find(&name).expect("it is at work").version.clone()
        };
        assert_eq!(at(&one), at(&two));
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_partition_is_one_hosts_and_who_lost_it_writes_nothing_more() {
    let home = Home::new();
    let (one, two) = (home.open_sharing("one").await, home.open_sharing("two").await);
    let first: Partitions = [Partition::FIRST].into_iter().collect();
    assert_eq!(one.hold(Change::Claim(Partitions::ALL)).await.expect("claims"), Partitions::ALL);
    assert_eq!(two.hold(Change::Claim(first)).await.expect("claims"), Partitions::NONE);
    one.hold(Change::Release(first)).await.expect("releases");
    assert_eq!(two.hold(Change::Claim(Partitions::ALL)).await.expect("claims"), first);
    let members = one.members().await.expect("reads");
    let names: Vec<_> = members.all.iter().map(|member| member.host.name.as_str()).collect();
    assert_eq!((names, members.own), (vec!["one", "two"], Some(0)));
    // Its sessions end, and it makes them anew: nobody has claimed anything in between.
    end_all_sessions(&home);
    one.commit(audit(1)).await.expect("is written");
    two.commit(audit(2)).await.expect("is written");
    assert_eq!(two.hold(Change::Claim(Partitions::ALL)).await.expect("claims"), Partitions::NONE);
    // And now somebody does.
    end_all_sessions(&home);
    assert_eq!(
        two.hold(Change::Claim(Partitions::ALL)).await.expect("claims"),
        Partitions::ALL.without(first)
    );
    let error = one.commit(audit(3)).await.expect_err("it is over");
    assert!(error.to_string().contains("another tidegate works on the database"), "{error}");
    tokio::time::timeout(PATIENCE, one.ended()).await.expect("it ends");
    two.commit(audit(4)).await.expect("is written");
    assert_eq!(home.query("SELECT count(*) FROM audit"), [["3"]]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn places_are_in_the_order_in_which_they_can_be_seen() {
    let home = Home::new();
    let stores = [home.open_sharing("one").await, home.open_sharing("two").await];
    let mut writing = JoinSet::new();
    for store in stores {
        writing.spawn(async move {
            for n in 0..200 {
                store.commit(audit(n)).await.expect("is written");
            }
        });
    }
    while !writing.is_empty() {
        let seen = home.query("SELECT coalesce(max(seq), 0) - count(*) FROM audit");
        assert_eq!(seen, [["0"]], "a place was seen before one that is lower");
        while writing.try_join_next().is_some_and(|ended| ended.is_ok()) {}
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(home.query("SELECT count(*) FROM audit"), [["400"]]);
}

fn audit(n: u64) -> Batch {
    Batch { audit: vec![Audit { at_ms: n, record: "{}".to_owned() }], ..Batch::default() }
}

/// All but the one that this is asked on.
fn end_all_sessions(home: &Home) {
    home.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}
