//! One asset's events through the middle of the host: in order, once, each knowing what the one before led to.

#[path = "lanes/dryrun.rs"]
mod dryrun;
#[path = "lanes/forget.rs"]
mod forget;
#[path = "lanes/group.rs"]
mod group;
mod home;
#[path = "lanes/intervene.rs"]
mod intervene;
#[path = "lanes/stage.rs"]
mod stage;
#[path = "lanes/upgrade.rs"]
mod upgrade;
#[path = "lanes/versions.rs"]
mod versions;

use stage::{Delivered, Stage, event};

#[tokio::test]
async fn memory_goes_from_one_event_of_an_asset_to_the_next_within_a_batch_and_between_batches() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "count"), event(2, 1, "count"), event(1, 2, "count")]).await;
    stage.deliver(&[event(1, 3, "count")]).await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2", "count 3"]);
    assert_eq!(stage.notes(2).await, ["count 1"]);
}

#[tokio::test]
async fn memory_outlives_the_host() {
    let mut stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "count")]).await;
    stage.restart().await;
    stage.deliver(&[event(1, 2, "count")]).await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}

#[tokio::test]
async fn a_plugin_is_told_what_was_before_and_what_is_different() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "note a"), event(1, 2, "tell")]).await;
    let notes = stage.notes(1).await;
    assert_eq!(notes[..2], ["note a".trim_start_matches("note "), "arrival first"]);
    assert!(notes[2].contains("note a"), "{notes:?}");
    assert_eq!(notes[3], "changed /updated_at /do");
    assert_eq!(notes[4], "memory -");
}

#[tokio::test]
async fn what_comes_late_or_twice_causes_nothing_unless_it_is_asked_for() {
    for (arrivals, expected) in [("", &["now"][..]), ("\"stale\"", &["now", "late"])] {
        let stage = Stage::set(&format!("arrivals = [{arrivals}]\n")).await;
        let again = event(1, 5, "note now").under_another_receipt();
        stage.deliver(&[event(1, 5, "note now"), event(1, 4, "note late"), again]).await;
        assert_eq!(stage.notes(1).await, expected);
        assert_eq!(stage.classes(1).await, ["first", "stale", "duplicate"]);
    }
}

#[tokio::test]
async fn a_fault_holds_its_lane_and_no_other() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "trap"), event(1, 2, "note a"), event(2, 1, "note b")]).await;
    stage.deliver(&[event(1, 3, "note c")]).await;
    assert_eq!(stage.states(1).await, ["parked", "waiting", "waiting"]);
    assert_eq!(stage.plan_states(1).await, ["parked", "held", "held"]);
    assert_eq!((stage.notes(1).await.len(), stage.notes(2).await), (0, vec!["b".to_owned()]));
}

#[tokio::test]
async fn a_plugins_own_no_holds_nothing() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "park enough"), event(1, 2, "note a")]).await;
    assert_eq!(stage.states(1).await, ["parked", "decided"]);
}

#[tokio::test]
async fn what_is_asked_again_later_keeps_its_place() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "retry 50 1; count"), event(1, 2, "count"), event(1, 3, "count")]).await;
    assert_eq!(stage.plan_states(1).await, ["waiting", "held", "held"]);
    stage.settle().await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2", "count 3"]);
    stage.deliver(&[event(1, 4, "count")]).await;
    assert_eq!(stage.notes(1).await[3], "count 4", "the lane is free again");
}

#[tokio::test]
async fn a_lane_is_held_across_a_restart() {
    let mut stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "trap")]).await;
    stage.restart().await;
    stage.deliver(&[event(1, 2, "note a")]).await;
    assert_eq!(stage.plan_states(1).await, ["parked", "held"]);
}

#[tokio::test]
async fn a_slow_plugin_is_asked_in_turn_and_in_order() {
    let stage = Stage::with("", 0).await;
    stage.deliver(&[event(1, 1, "count"), event(1, 2, "count"), event(2, 1, "count")]).await;
    assert_eq!(stage.plan_states(1).await, ["waiting", "held"]);
    stage.settle().await;
    assert_eq!(
        (stage.notes(1).await, stage.notes(2).await.len()),
        (vec!["count 1".into(), "count 2".into()], 1)
    );
}

#[tokio::test]
async fn what_a_plugin_emits_and_when_it_is_woken_are_events_in_the_same_lane() {
    let stage = Stage::set("emits = [\"loan.ended\"]\n").await;
    stage
        .deliver(&[
            event(1, 1, "count; wake 50 soon >> count; tell"),
            event(1, 2, "emit loan.ended 1 >> count"),
        ])
        .await;
    stage.settle().await;
    let notes = stage.notes(1).await;
    assert!(notes.starts_with(&["count 1".into(), "count 2".into(), "count 3".into()]), "{notes:?}");
    assert_eq!(notes.last().map(String::as_str), Some("attributes tag=soon"));
    assert_eq!(stage.kinds(1).await, ["asset.update", "asset.update", "loan.ended", "tidegate.wake"]);
}

#[tokio::test]
async fn a_chain_that_never_ends_is_ended() {
    let stage = Stage::set("emits = [\"again\"]\n").await;
    // What an emitted event says is handed on as it is, so only the first step is said here.
    stage.deliver(&[event(1, 1, "emit again 1 >> emit again 1")]).await;
    stage.settle().await;
    assert_eq!(stage.kinds(1).await.len(), 3);
}

#[tokio::test]
async fn what_was_not_granted_is_said_and_holds_the_lane() {
    for (step, why) in [
        ("emit other 1", "`emits` of plugin.toml"),
        ("emit tidegate.wake 1", "the host's own"),
        ("ask http://127.0.0.1:1/ tag", "not granted"),
    ] {
        let stage = Stage::set("emits = [\"loan.ended\"]\n").await;
        stage.deliver(&[event(1, 1, step)]).await;
        let said = stage.whys(1).await;
        assert!(said[0].contains(why), "{step}: {said:?}");
        assert_eq!(stage.plan_states(1).await, ["parked"]);
    }
}

#[tokio::test]
async fn a_delivery_that_comes_again_after_everything_is_decided_once() {
    let mut stage = Stage::set("").await;
    let events = [event(1, 1, "count"), event(1, 2, "count")];
    stage.deliver(&events).await;
    stage.deliver(&events).await;
    stage.restart().await;
    stage.deliver(&events).await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}

/// An update that says more of the asset, and asks for a write to the sender each time.
fn written(second: u32, name: &str, place: &str) -> Delivered {
    let mut event = event(1, second, "put http://127.0.0.1:9/assets/1 {'name':'Spare-03'}");
    let more = format!("{{\"name\":\"{name}\",\"place\":\"{place}\",");
    event.body = event.body.replacen('{', &more, 1);
    event
}

#[tokio::test]
async fn a_plugin_that_writes_back_to_the_sender_settles_in_one_round() {
    let stage = Stage::set("hosts = [\"127.0.0.1\"]\nwrites_back_to = [\"127.0.0.1\"]\n").await;
    stage.deliver(&[written(1, "Spare-02", "a")]).await;
    stage.deliver(&[written(2, "Spare-03", "a")]).await;
    assert_eq!(stage.classes(1).await, ["first", "echo"]);
    assert_eq!(stage.plan_states(1).await, ["decided"], "nobody was asked about what we wrote ourselves");
    stage.deliver(&[written(3, "Spare-03", "b")]).await;
    assert_eq!(stage.classes(1).await[2], "first", "a person has changed something else");
}

#[tokio::test]
async fn what_was_written_is_still_expected_after_a_restart() {
    let mut stage = Stage::set("hosts = [\"127.0.0.1\"]\nwrites_back_to = [\"127.0.0.1\"]\n").await;
    stage.deliver(&[written(1, "Spare-02", "a")]).await;
    stage.restart().await;
    stage.deliver(&[written(2, "Spare-03", "a")]).await;
    assert_eq!(stage.classes(1).await, ["first", "echo"]);
}

#[tokio::test]
async fn a_plugin_that_does_not_say_that_it_writes_back_is_asked() {
    let stage = Stage::set("hosts = [\"127.0.0.1\"]\n").await;
    stage.deliver(&[written(1, "Spare-02", "a"), written(2, "Spare-03", "a")]).await;
    assert_eq!(stage.classes(1).await, ["first", "first"]);
}

#[tokio::test]
async fn a_wake_up_is_told_the_same_however_often_it_is_asked_about() {
    let stage = Stage::set("").await;
    stage.deliver(&[event(1, 1, "wake 10 soon >> retry 20 1; tell")]).await;
    stage.settle().await;
    let notes = stage.notes(1).await;
    assert!(notes.contains(&"changed ".to_owned()), "its body is no state of the asset: {notes:?}");
}

#[tokio::test]
async fn a_batch_is_not_overtaken_by_one_that_was_pulled_later() {
    let stage = Stage::set("").await;
    let batches = [[event(1, 1, "count")], [event(1, 2, "count")], [event(1, 3, "count")]];
    stage.deliver_backwards(&batches.each_ref().map(|batch| &batch[..])).await;
    assert_eq!(stage.classes(1).await, ["first", "first", "first"]);
    assert_eq!(stage.notes(1).await, ["count 1", "count 2", "count 3"]);
}
