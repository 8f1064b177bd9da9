//! What hosts that share a database know of each other: who is there, what each holds, how far it is behind; what one says of
//! the sources, and whom one lets in. On a real server, each host with connections of its own.

mod home;

use home::Home;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tidegate::access::{KeptToken, Role};
use tidegate::account::Accounts;
use tidegate::admin::guard::{self, Guard};
use tidegate::condition::Bounds;
use tidegate::gauge::{self, Gauge};
use tidegate::holding::Holding;
use tidegate::partition::{Partition, Partitions};
use tidegate::presence::{self, Own, Presence};
use tidegate::roster::{HostRow, HostState, HostsReport};
use tidegate::signal::Signals;
use tidegate::store::access::TokenChange;
use tidegate::store::group::{Change, Errand, Group as _, NewErrand};
use tidegate::store::sql::SqlStore;
use tidegate::store::watched::Sending;
use tidegate::store::{Batch, Store as _};
use tidegate::vigil::report::{SourceRow, SourceState, SourcesReport};
use tidegate_envelope::{Digest, SourceName};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

const OWN_TOKEN: &str = "of this machine";

/// One host, as far as others see it.
struct Member {
    store: SqlStore,
    signals: Arc<Signals>,
    sources: watch::Receiver<Arc<SourcesReport>>,
    stop: watch::Sender<bool>,
    saying: JoinHandle<()>,
}

impl Member {
    /// It holds these, pulls from the first of two queues, and says so.
    async fn start(home: &Home, name: &str, held: Partitions, sources: SourcesReport) -> Self {
        let store = home.open_sharing(name).await;
        assert_eq!(store.hold(Change::Claim(held)).await.expect("claims"), held);
        let (report, sources) = watch::channel(Arc::new(sources));
        let (signals, (stop, stopped)) = (Arc::new(Signals::default()), watch::channel(false));
        let pullers = [1, 0].map(|pullers| watch::channel(pullers).1).to_vec();
        let own = Own { name: name.into(), started_ms: 1, pullers, signals: Arc::clone(&signals) };
        let presence = Presence {
            store: store.clone(),
            own: Arc::new(own),
            accounts: Arc::new(Accounts::new(0)),
            holding: Holding::new(held),
            sources: report,
            now_ms,
        };
        let saying = tokio::spawn(presence::run(presence, stopped));
        Self { store, signals, sources, stop, saying }
    }

    async fn report(&self) -> HostsReport {
        let hosts = self.store.hosts(0).await.expect("reads");
        HostsReport::of(&hosts, self.store.own(), &self.store.behind().await.expect("reads"), now_ms())
    }

    /// What it sees of the host of this name, once it is so.
    async fn sees(&self, name: &str, is_so: impl Fn(&HostRow) -> bool) -> HostRow {
        let look = async || self.report().await.hosts.into_iter().find(|row| row.name == name && is_so(row));
        until(name, look).await
    }
}

/// Looks until there is something.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("after 1970")
}

fn halves() -> (Partitions, Partitions) {
    let first = Partitions::ALL.iter().filter(|partition| partition.number() < 60).collect();
    (first, Partitions::ALL.without(first))
}

fn sources(name: &str) -> SourcesReport {
    let row = SourceRow {
        source: SourceName::new(name).expect("a name"),
        profile: None,
        state: SourceState::Ok,
        since_ms: None,
        last_event_ms: Some(5),
        tally: None,
        cutoff: None,
        left: None,
        vault: None,
        rhythm: None,
        steps: Vec::new(),
    };
    SourcesReport { now_ms: 7, edge: None, sources: vec![row] }
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn each_host_says_of_all_who_is_there_and_what_each_holds() {
    let (home, (first, second)) = (Home::new(), halves());
    let a = Member::start(&home, "a", first, sources("amj")).await;
    let b = Member::start(&home, "b", second, SourcesReport::default()).await;
    b.signals.counts.begun(3);
    let errand = NewErrand {
        partition: Partition::FIRST,
        errand: Errand::Decide { text: "to decide".into(), queued_at_ms: 1 },
    };
    b.store.commit(Batch { errands: vec![errand], ..Batch::default() }).await.expect("is written");
    for member in [&a, &b] {
        let of_b = member.sees("b", |row| row.in_flight == 3).await;
        assert_eq!((of_b.state, of_b.queues, of_b.errands), (HostState::There, vec![1], 0));
        let of_a = member.sees("a", |row| row.errands == 1).await;
        assert!(of_a.holds_first() && of_a.partitions.len() == 60, "{of_a:?}");
        assert_eq!(of_a.release, env!("CARGO_PKG_VERSION"));
        assert!(now_ms().abs_diff(of_a.joined_at_ms) < 60_000 && now_ms().abs_diff(of_a.seen_at_ms) < 60_000);
        assert!(member.report().await.unheld.is_empty());
    }
    assert_eq!(a.report().await.hosts.iter().map(|row| row.is_own).collect::<Vec<_>>(), [true, false]);
    // What the host says of the sources that watches over them, the other hears.
    until("the sources", async || (b.sources.borrow().sources.len() == 1).then_some(())).await;
    assert_eq!(**b.sources.borrow(), sources("amj"));
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_host_that_was_stopped_has_left_and_one_that_was_not_is_gone_and_told_of_until_it_is_back() {
    let (home, (first, second)) = (Home::new(), halves());
    let a = Member::start(&home, "a", first, SourcesReport::default()).await;
    let b = Member::start(&home, "b", second, SourcesReport::default()).await;
    let c = Member::start(&home, "c", Partitions::NONE, SourcesReport::default()).await;
    c.stop.send_replace(true);
    c.saying.await.expect("ends");
    let leaving = a.sees("c", |row| row.state == HostState::Leaving).await;
    assert!(leaving.left_at_ms.is_some());
    drop(c.store);
    a.sees("c", |row| row.state == HostState::Left).await;

    let (_bounds, bounds) = watch::channel(Bounds { host_gone_ms: Some(500), ..Bounds::default() });
    let (stop, stopped) = watch::channel(false);
    let gauge = Gauge {
        store: a.store.clone(),
        data: home.path().to_owned(),
        signals: Arc::clone(&a.signals),
        bounds,
        every: Duration::from_millis(100),
        sending: Sending::Off,
        raised: Arc::new(Notify::new()),
        now_ms,
    };
    let looking = tokio::spawn(gauge::run(gauge.clone(), stopped));
    let told = async || {
        let alerts = a.store.alerts(10).await.expect("reads");
        alerts
            .iter()
            .map(|alert| format!("{} {}", alert.kind, alert.payload["data"]["host"]))
            .collect::<Vec<_>>()
    };
    // As one that was killed: it says nothing.
    b.saying.abort();
    let _ = b.saying.await;
    drop(b.store);
    let gone = a.sees("b", |row| row.state == HostState::Gone).await;
    assert_eq!((gone.partitions.len(), gone.in_flight), (0, 0));
    assert_eq!(a.report().await.unheld.len(), 60);
    until("it is told of", async || (told().await == ["group.host \"b\""]).then_some(())).await;
    // Whoever looks next says it no more.
    stop.send_replace(true);
    looking.await.expect("ends");
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(gauge::run(gauge, stopped));
    let again = Member::start(&home, "b", second, SourcesReport::default()).await;
    let is_back = async || (told().await.len() > 1).then_some(());
    until("it is back", is_back).await;
    assert_eq!(told().await, ["group.host \"b\"", "group.host.resolved \"b\""]);
    drop(again);
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_token_that_one_host_makes_or_takes_away_counts_on_the_others_when_they_are_told() {
    let home = Home::new();
    let (one, other) = (home.open_sharing("a").await, home.open_sharing("b").await);
    let per_second = NonZeroU32::new(10).expect("more than none");
    let guard = Arc::new(Guard::new(other.tokens().await.expect("reads"), OWN_TOKEN, per_second));
    let (_stop, stopped) = watch::channel(false);
    let told = other.told();
    tokio::spawn(guard::follow(Arc::clone(&guard), other, stopped));
    until("it listens", async || (told.borrow().change > 0).then_some(())).await;
    let token = b"made elsewhere";
    let kept = KeptToken {
        name: "ann".into(),
        role: Role::Operate,
        sha256: Digest::of(token),
        before: None,
        made_at_ms: 1,
        until_ms: None,
    };
    let changes = [TokenChange::Put(kept), TokenChange::Remove("ann".into())];
    for (change, counts) in changes.into_iter().zip([true, false]) {
        assert_ne!(guard.caller(token, 2).is_some(), counts);
        let before = told.borrow().change;
        one.commit(Batch { tokens: vec![change], ..Batch::default() }).await.expect("is written");
        until("it is told of", async || (told.borrow().change != before).then_some(())).await;
        until("it counts or not", async || (guard.caller(token, 2).is_some() == counts).then_some(())).await;
    }
    assert!(guard.caller(OWN_TOKEN.as_bytes(), 2).is_some(), "this machine's own always counts");
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn hosts_that_have_been_gone_for_a_day_are_forgotten_when_another_comes() {
    let home = Home::new();
    let a = Member::start(&home, "a", Partitions::NONE, SourcesReport::default()).await;
    let b = home.open_sharing("b").await;
    drop(b);
    a.sees("b", |row| row.state == HostState::Gone).await;
    home.run("UPDATE hosts SET seen_at_ms = seen_at_ms - 86500000");
    let c = home.open_sharing("c").await;
    let names: Vec<_> =
        c.hosts(0).await.expect("reads").into_iter().map(|host| host.member.host.name).collect();
    assert_eq!(names, ["a", "c"], "one that is there is not, whatever its clock says");
}
