//! A person is forgotten while the host works on the same lanes.

use super::group::{deploy, two_hosts};
use super::stage::{Delivered, Stage, event, now_ms};
use std::sync::{Arc, Mutex};
use tidegate::forget::{ForgetReport, ForgetRequest, Forgetter};
use tidegate::partition::{Partition, Partitions};
use tidegate::pipeline::Pipeline;
use tidegate::store::Store as _;
use tidegate::store::sql::SqlStore;

fn lent(asset: u32, second: u32, steps: &str) -> Delivered {
    let plain = event(asset, second, steps);
    let loanee = ",\"loanee\":{\"id\":142,\"name\":\"John Do\"}}";
    Delivered { body: plain.body.trim_end_matches('}').to_owned() + loanee, ..plain }
}

async fn forget(stage: &Stage, dry_run: bool) -> ForgetReport {
    forget_at(stage.store(), stage.pipeline(), dry_run).await
}

async fn forget_at(store: &SqlStore, pipeline: &Arc<Pipeline<SqlStore>>, dry_run: bool) -> ForgetReport {
    let (store, pipeline) = (store.clone(), Arc::clone(pipeline));
    let forgetter = Arc::new(Forgetter { store, pipeline, now_ms, salt: || 7, report: Mutex::default() });
    let request =
        ForgetRequest { person: Some("142".into()), dry_run, by: "me".into(), ..ForgetRequest::default() };
    forgetter.start(request).expect("starts");
    loop {
        let report = forgetter.progress().expect("was started");
        if report.is_done {
            assert_eq!(report.error, None);
            return report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_person_is_forgotten_everywhere_and_the_lanes_go_on() {
    let stage = Stage::set("hosts = [\"a.example\"]\n").await;
    stage
        .deliver(&[
            lent(1, 1, "remember John Do; note lent to John Do; post https://a.example/John-Do"),
            lent(1, 2, "wake 600000 later >> note John Do"),
            lent(1, 3, "John Do"),
            event(1, 4, "count"),
            event(2, 1, "count"),
        ])
        .await;
    stage.stray("{\"loanee\": {\"id\": \"142\"").await;
    assert_eq!(stage.plan_states(1).await, ["decided", "decided", "parked", "held"]);

    let looked = forget(&stage, true).await;
    assert!(looked.found.values().sum::<u64>() >= 8 && looked.subjects == 1, "{looked:?}");
    assert_eq!(stage.plan_states(1).await, ["decided", "decided", "parked", "held"], "it only looked");

    let report = forget(&stage, false).await;
    assert!(report.is_clean() && !report.files.is_empty(), "{report:?}");
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await, ["decided", "decided", "dropped", "decided"]);
    // And the lane is free, what was remembered forgotten: in memory, too.
    stage.deliver(&[event(1, 5, "count; tell")]).await;
    let notes = stage.notes(1).await;
    assert_eq!(notes[..2], ["count 1", "count 2"], "{notes:?}");
    stage.deliver(&[event(2, 2, "count")]).await;
    assert_eq!(stage.notes(2).await, ["count 1", "count 2"], "another asset's memory stays");
    let stats = stage.stats().await;
    assert_eq!((stats.incoming, stats.done, stats.parked), (8, 7, 1), "the stray is parked still");
    assert_eq!((stats.upcoming, stats.effects.dropped), (0, 1));

    let again = forget(&stage, false).await;
    assert!(again.is_clean() && again.found.is_empty(), "{again:?}");
}

#[tokio::test]
async fn what_was_being_asked_when_its_person_was_forgotten_does_not_leave_its_lane_twice() {
    let stage = Stage::set("").await;
    stage.deliver(&[lent(1, 1, "retry 1 1; count"), event(1, 2, "count")]).await;
    assert_eq!(stage.plan_states(1).await, ["waiting", "held"]);
    // As a slice of work that was started before and ends after.
    let since = stage.pipeline().since().await;
    let due = stage.store().asks_due(now_ms() + 1_000, 16, Partitions::ALL).await.expect("reads");
    assert_eq!(due.len(), 1);
    assert!(forget(&stage, false).await.is_clean());
    stage.pipeline().revisit(due, since).await.expect("records");
    stage.deliver(&[event(1, 3, "count")]).await;
    assert_eq!(stage.plan_states(1).await, ["dropped", "waiting", "held"], "the second comes first");
    stage.settle().await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_person_is_forgotten_by_every_host_that_decides_about_their_assets() {
    const ASSETS: u32 = 8;
    let (_home, [one, two]) = two_hosts().await;
    deploy(&one, "").await;
    for host in [&one, &two] {
        let held = host.held().await;
        assert!((1..=ASSETS).any(|asset| held.contains(Partition::of_subject(&asset.to_string()))));
    }
    let lent: Vec<_> = (1..=ASSETS).map(|asset| lent(asset, 1, "count; note lent to John Do")).collect();
    one.deliver(&lent).await;
    one.notes(lent.len()).await;

    let report = forget_at(&two.middle.store, &two.middle.pipeline, false).await;
    assert!(report.is_clean() && report.subjects == u64::from(ASSETS), "{report:?}");

    let anew: Vec<_> = (1..=ASSETS).map(|asset| event(asset, 2, "count")).collect();
    one.deliver(&anew).await;
    for (asset, notes) in two.notes(lent.len() + anew.len()).await {
        assert_eq!(
            notes,
            ["count 1"],
            "asset {asset}: what was said is erased, what was remembered forgotten"
        );
    }
    one.stop().await;
    two.stop().await;
}
