//! What a person says about what is parked, while the host works on the same lanes.

use super::stage::{Stage, event};
use tidegate::pipeline::intervene::Order;
use tidegate::store::parked::{ParkedId, ParkedQuery};

fn everything() -> Order {
    Order::default()
}

fn of(what: &str) -> Order {
    Order { query: ParkedQuery { what: Some(what.into()), ..ParkedQuery::default() }, ..Order::default() }
}

#[tokio::test]
async fn what_was_mended_is_redriven_and_its_lane_goes_on_in_order() {
    let stage = Stage::set("").await;
    let steps = ["count; emit loan.ended 1 >> count", "count", "count"];
    stage.deliver(&[event(1, 1, steps[0]), event(1, 2, steps[1])]).await;
    assert_eq!(stage.plan_states(1).await, ["parked", "held"]);
    // Nothing has changed: it fails again, and is parked again.
    assert_eq!(stage.pipeline().redrive(everything()).await.expect("works").done, 1);
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await, ["parked", "held"]);
    stage.deploy("emits = [\"loan.ended\"]\n").await;
    assert_eq!(stage.pipeline().redrive(everything()).await.expect("works").done, 1);
    // What is known of the lane is read again, so what comes now waits behind.
    stage.deliver(&[event(1, 3, steps[2])]).await;
    stage.settle().await;
    assert_eq!(stage.notes(1).await[..3], ["count 1", "count 2", "count 3"]);
    assert!(stage.states(1).await.iter().all(|state| state == "decided"));
    // And the lane is free: in memory, too.
    stage.deliver(&[event(1, 4, "count")]).await;
    assert_eq!(stage.states(1).await.last().map(String::as_str), Some("decided"));
}

#[tokio::test]
async fn what_is_dropped_frees_its_lane_in_memory_too() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "trap"), event(1, 2, "count")]).await;
    let order = Order { reason: Some("known".into()), ..everything() };
    assert_eq!(stage.pipeline().drop_parked(order).await.expect("works").done, 1);
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await, ["dropped", "decided"]);
    stage.deliver(&[event(1, 3, "count")]).await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}

#[tokio::test]
async fn what_a_plugin_parked_itself_is_redriven_while_its_lane_is_used() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "park enough"), event(1, 2, "retry 50 1; count")]).await;
    assert_eq!(stage.plan_states(1).await, ["parked", "waiting"]);
    stage.pipeline().redrive(everything()).await.expect("works");
    assert_eq!(stage.plan_states(1).await, ["held", "waiting"], "not both are asked at once");
    stage.deliver(&[event(1, 3, "count")]).await;
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await, ["parked", "decided", "decided"]);
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}

#[tokio::test]
async fn only_the_version_that_was_named_is_asked() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "trap")]).await;
    let order = Order { version: Some("0123".into()), ..everything() };
    let result = stage.pipeline().redrive(order).await.expect("works");
    assert_eq!((result.done, result.failed.len()), (0, 1));
    assert!(result.failed[0].why.contains("no version of `actor` begins with 0123"), "{result:?}");
    assert_eq!(stage.plan_states(1).await, ["parked"]);
}

#[tokio::test]
async fn a_stray_is_read_again_and_stays_while_it_is_no_event() {
    let stage = Stage::set("").await;
    stage.stray("no envelope").await;
    let result = stage.pipeline().redrive(of("stray")).await.expect("works");
    assert_eq!(result.done, 0);
    assert!(result.failed[0].why.starts_with("it is still no event"), "{result:?}");
    // One that an older host could not read, and this one can.
    let sealed = Stage::seal(&event(1, 1, "count"));
    stage.stray(&sealed).await;
    let result = stage.pipeline().redrive(of("stray")).await.expect("works");
    assert_eq!((result.done, result.failed.len()), (1, 1));
    assert_eq!(stage.notes(1).await, ["count 1"]);
    let stats = stage.stats().await;
    assert_eq!((stats.incoming, stats.done, stats.parked), (2, 1, 1));
    let order = Order {
        query: ParkedQuery { id: Some(ParkedId::Stray(1)), ..ParkedQuery::default() },
        ..Order::default()
    };
    assert_eq!(stage.pipeline().drop_parked(order).await.expect("works").done, 1);
    assert_eq!(stage.stats().await.parked, 0);
}

#[tokio::test]
async fn a_page_at_a_time_reaches_everything_once() {
    let stage = Stage::set("").await;
    let events: Vec<_> = (1..=7).map(|asset| event(asset, 1, "trap")).collect();
    stage.deliver(&events).await;
    let mut after = None;
    let mut done = Vec::new();
    loop {
        let query = ParkedQuery { rows_max: Some(3), after, ..ParkedQuery::default() };
        let result = stage.pipeline().drop_parked(Order { query, ..Order::default() }).await.expect("works");
        done.push(result.done);
        after = result.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(done, [3, 3, 1]);
    assert_eq!(stage.stats().await.parked, 0);
}
