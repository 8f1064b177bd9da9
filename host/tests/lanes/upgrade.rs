//! What several hosts are brought to while they work: other tables, another version.

use super::group::{Host, deploy, join, of_all, one_host, two_hosts, until};
use super::stage::{event, now_ms};
use std::cell::OnceCell;
use std::sync::Arc;
use tidegate::account::AccountRow;
use tidegate::overseer::{self, Overseer};
use tidegate::partition::Partition;
use tidegate::plugin::{PluginName, Version};
use tidegate::presence::{self, Own, Presence};
use tidegate::rollout::RolloutRules;
use tidegate::store::sql::SqlStore;
use tidegate::store::watched::Sending;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a host of the next release does when it starts, as the schema does it: a table, columns and an index more, which those
/// of this release leave alone, while nobody else's transaction is under way.
const NEXT: &str = "BEGIN; SELECT pg_advisory_xact_lock(8388346167643173890);
     CREATE TABLE later (host BIGINT PRIMARY KEY REFERENCES hosts ON DELETE CASCADE);
     ALTER TABLE events ADD COLUMN later TEXT; CREATE INDEX events_later ON events (later, seq);
     ALTER TABLE plans ADD COLUMN later BIGINT NOT NULL DEFAULT 7; ALTER TABLE subjects ADD COLUMN later BIGINT;
     INSERT INTO schema_versions (version, works_since) SELECT max(version) + 1, max(version) FROM schema_versions;
     COMMIT";
const ASSETS: u32 = 8;
/// Events of each asset before the change and after it, and all of them at most.
const BEFORE: u32 = 5;
const AFTER: u32 = 5;
const EVENTS_MAX: u32 = 55;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn hosts_work_on_while_the_tables_become_those_of_the_next_release() {
    let (home, one) = one_host().await;
    let two = join(&home, &one).await;
    let home = Arc::new(home);
    let (told, mut progress) = watch::channel(0);
    let changed_at = OnceCell::new();
    let delivering = async {
        let mut second = 0;
        while changed_at.get().is_none_or(|at| second < at + AFTER) {
            second += 1;
            assert!(second < EVENTS_MAX, "it takes too long, or holds nothing up");
            one.deliver(&of_all(ASSETS, second, "count")).await;
            told.send_replace(second);
        }
        second
    };
    let changing = async {
        progress.wait_for(|second| *second >= BEFORE).await.expect("events are delivered");
        let home = Arc::clone(&home);
        tokio::task::spawn_blocking(move || home.run(NEXT)).await.expect("is done");
        changed_at.set(*progress.borrow()).expect("once");
    };
    let (last, ()) = tokio::join!(delivering, changing);
    // One of this release that starts anew finds tables that are newer than it, and works on them.
    two.stop().await;
    let two = join(&home, &one).await;
    one.notes(events(last)).await;
    one.deliver(&of_all(ASSETS, last + 1, "count")).await;
    let in_order: Vec<_> = (1..=last + 1).map(|count| format!("count {count}")).collect();
    for (asset, notes) in two.notes(events(last + 1)).await {
        assert_eq!(notes, in_order, "asset {asset}");
    }
    one.stop().await;
    two.stop().await;
}

fn events(seconds: u32) -> usize {
    usize::try_from(seconds * ASSETS).expect("few")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_version_is_judged_by_what_it_does_on_every_host() {
    let (_home, [one, two]) = two_hosts().await;
    let (watches, other) = match one.held().await.contains(Partition::FIRST) {
        true => (&one, &two),
        false => (&two, &one),
    };
    deploy(watches, "").await;
    let good = active(watches);
    deploy(watches, "arrivals = [\"stale\"]\n").await;
    assert_ne!(active(watches), good);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(overseer::run(overseer_on(watches), stopped.clone()));
    for host in [watches, other] {
        tasks.spawn(presence::run(presence_of(host), stopped.clone()));
    }

    let held = other.held().await;
    let there = (1..=400).filter(|asset: &u32| held.contains(Partition::of_subject(&asset.to_string())));
    other.deliver(&there.map(|asset| event(asset, 1, "trap")).collect::<Vec<_>>()).await;
    until("the first version is at work again", async || (active(watches) == good).then_some(())).await;
    until("on the other host, too", async || (active(other) == good).then_some(())).await;
    let usage = watches.middle.deployer.usage_of_all().await.expect("reads");
    let own = watches.middle.deployer.usage();
    let asked = |rows: &[AccountRow]| rows.iter().map(|row| row.calls).sum::<u64>();
    assert!(asked(&usage) >= 50 && asked(&own) == 0, "{usage:?}");

    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
    one.stop().await;
    two.stop().await;
}

fn active(host: &Host) -> Version {
    let name = PluginName::new("actor").expect("a name");
    host.middle.deployer.switchboard.current().find(&name).expect("it is at work").version.clone()
}

fn overseer_on(host: &Host) -> Overseer<SqlStore> {
    let deployer = Arc::clone(&host.middle.deployer);
    Overseer { deployer, rules: RolloutRules::default(), sending: Sending::Off, raised: Arc::default() }
}

fn presence_of(host: &Host) -> Presence<SqlStore> {
    Presence {
        store: host.middle.store.clone(),
        own: Arc::new(Own {
            name: "one of two".into(),
            started_ms: 1,
            pullers: Vec::new(),
            signals: Arc::default(),
        }),
        accounts: Arc::clone(&host.middle.deployer.versions.accounts),
        holding: Arc::clone(host.middle.pipeline.holding()),
        sources: watch::channel(Arc::default()).0,
        now_ms,
    }
}
