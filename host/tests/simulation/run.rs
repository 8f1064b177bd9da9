//! One run, from its seed to its verdict.

use super::check;
use super::host;
use super::queue::BadQueue;
use super::scenario::Scenario;
use super::tables::Tables;
use super::target::Target;
use super::world::{self, Clock, Mishap, START_MS, tell, true_ms};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tidegate::partition::Partitions;
use tidegate::store::Store as _;
use tidegate::store::sql::SqlStore;

/// The longest that a run may take, by the host's clock: then something is stuck.
pub(crate) const RUN_MS_MAX: u64 = 3_600_000;
/// The longest story: most have some hundred lines.
pub(crate) const LINES_MAX: usize = 20_000;

/// A runtime whose only clock is the run's.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// What happened in the run of this seed.
///
/// # Panics
/// When something did not hold; the story is printed before.
pub(crate) fn run(seed: u64) -> Vec<String> {
    play(seed, &Tables::in_memory(seed))
}

/// As [`run`], with these tables.
pub(crate) fn play(seed: u64, tables: &Tables) -> Vec<String> {
    world::begin(seed);
    let which = tables.begin();
    let runtime = runtime();
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(tell_all(tables))));
    // What is left of the last host ends with the runtime, and needs its world until then.
    drop(runtime);
    let story = world::end();
    if let Err(panic) = ended {
        println!(
            "{}\nseed {seed} fails; `cargo xtask sim --seed {seed}{which}` repeats it",
            story.join("\n")
        );
        std::panic::resume_unwind(panic);
    }
    story
}

async fn tell_all(tables: &Tables) {
    let scenario = world::draw(Scenario::draw);
    for (number, told) in scenario.told.iter().enumerate() {
        tell(format!("the sender will tell {number}, {} times: {}", told.receipts.len(), told.body()));
    }
    let observer = tables.observer();
    let (store, mut disk) = tables.open();
    host::record_versions(&store, &mut disk, scenario.asks).await;
    drop((store, disk));
    let queue = BadQueue::new(scenario.posted.clone(), observer.clone());
    let target = Target::default();
    for steps in scenario.lives.iter().copied().map(Some).chain([None]) {
        world::be_calm(steps.is_none());
        let host = world::is_born(Clock::default(), steps.map(|steps| (steps, Mishap::Dies)));
        tell(format!("a host starts; steps to live: {steps:?}"));
        tokio::select! {
            biased;
            () = host::live(tables, &scenario, (host, &queue), &target) => {}
            () = until_all_is_done(&observer, &queue), if steps.is_none() => {}
        }
        check::whole(&scenario, &observer).await;
        assert_eq!(world::broken(), Vec::<String>::new());
    }
    tell("nothing is left to do");
    check::done(&scenario, &observer, &target).await;
    tell(check::summary(&check::rows(&observer).await, &target));
}

/// Resolves when nothing is due, now or later.
async fn until_all_is_done(store: &SqlStore, queue: &BadQueue) {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if queue.is_empty() && nothing_is_due(store).await {
            return;
        }
        assert!(true_ms() < START_MS + RUN_MS_MAX, "something is stuck: it never ends");
        assert!(world::lines() < LINES_MAX, "something is done over and over: it never ends");
    }
}

/// Whether the host has nothing to do, now or later.
pub(crate) async fn nothing_is_due(store: &SqlStore) -> bool {
    let far = u64::MAX >> 2;
    store.asks_due(far, 1, Partitions::ALL).await.expect("reads").is_empty()
        && store.upcoming_due(far, 1, Partitions::ALL).await.expect("reads").is_empty()
        && store.targets_waiting(far, 1).await.expect("reads").is_empty()
}
