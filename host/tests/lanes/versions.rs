//! Which version is asked: one decides an asset's events until what is at work changes, and what it was asked it is asked
//! again.

use super::stage::{Stage, event};
use tidegate::deploy::{By, Role};
use tidegate::deployment::{Action, Share};
use tidegate::pipeline::intervene::Order;
use tidegate::plugin::Version;

fn by() -> By {
    By { approve: true, ..By::default() }
}

fn share(text: &str) -> Share {
    text.parse().expect("a share")
}

#[tokio::test]
async fn what_is_asked_again_is_asked_of_the_same_version_through_a_swap() {
    let stage = Stage::set("").await;
    let first = stage.active();
    stage.deliver(&[event(1, 1, "retry 50 2; count")]).await;
    let second = stage.deploy("[settings]\na = \"b\"").await;
    stage.deliver(&[event(2, 1, "count")]).await;
    stage.settle().await;
    assert_eq!(stage.versions(1).await, std::slice::from_ref(&first), "it was asked before the swap");
    assert_eq!(stage.versions(2).await, [second]);
    assert_eq!(stage.plan_states(1).await, ["decided"]);
}

#[tokio::test]
async fn what_was_held_behind_it_is_asked_of_what_decides_when_its_turn_comes() {
    let stage = Stage::set("").await;
    let first = stage.active();
    stage.deliver(&[event(1, 1, "retry 50 2; count"), event(1, 2, "count")]).await;
    let second = stage.deploy("[settings]\na = \"b\"").await;
    stage.settle().await;
    assert_eq!(stage.versions(1).await, [first, second]);
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"], "in order, and the memory is the plugin's");
}

#[tokio::test]
async fn what_waits_for_a_withdrawn_version_is_asked_of_the_one_it_gave_way_to() {
    let mut stage = Stage::set("").await;
    let first = stage.active();
    let second = stage.deploy("[settings]\na = \"b\"").await;
    stage.deliver(&[event(1, 1, "retry 200 2; count")]).await;
    let withdrawn = stage.deployer().withdraw(&stage.name(), &second, "too many faults".into()).await;
    let withdrawn = withdrawn.expect("records").expect("there is one before");
    assert_eq!((withdrawn.action, withdrawn.roles.active), (Action::Withdraw, Some(first.clone())));
    stage.settle().await;
    assert_eq!(stage.versions(1).await, std::slice::from_ref(&first));
    // A rollback does not go back to it, and a restart remembers.
    stage.restart().await;
    assert_eq!(stage.active(), first);
    let error = stage.deployer().rollback(&stage.name(), None, by()).await.expect_err("none is left");
    assert!(error.to_string().contains("no earlier deployment"), "{error}");
}

#[tokio::test]
async fn a_canary_decides_for_its_share_and_never_in_turns() {
    let stage = Stage::set("").await;
    let first = stage.active();
    let second = stage.record("[settings]\na = \"b\"").await;
    let role = Role::Canary { share: share("30"), steps: vec![] };
    stage.deployer().assign(&second, role, by()).await.expect("a canary");
    for turn in 1..=3 {
        let events: Vec<_> = (1..=40).map(|asset| event(asset, turn, "count")).collect();
        stage.deliver(&events).await;
    }
    let mut in_share = 0;
    for asset in 1..=40 {
        let versions = stage.versions(asset).await;
        assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "asset {asset}: {versions:?}");
        let expected = share("30").covers(&stage.name(), "amj", asset.to_string().as_bytes());
        assert_eq!(versions[0] == second, expected, "asset {asset}");
        in_share += usize::from(expected);
    }
    assert!((4..=24).contains(&in_share), "{in_share}");
    let promoted = stage.deployer().promote(&stage.name(), by()).await.expect("promotes");
    assert_eq!((promoted.before, promoted.version), (Some(first.clone()), Some(second.clone())));
    // In one step back to what was before, and to any deployment that ever was.
    let back = stage.deployer().rollback(&stage.name(), None, by()).await.expect("goes back");
    assert_eq!(back.version, Some(first));
    let with_canary = stage.history().await.iter().find(|it| it.action == Action::Canary).expect("was").id;
    let back = stage.deployer().rollback(&stage.name(), Some(with_canary), by()).await.expect("restores");
    assert_eq!(back.roles.canary.expect("it had one").version, second);
}

#[tokio::test]
async fn a_version_that_asks_for_more_is_refused_until_approved() {
    let stage = Stage::set("").await;
    let first = stage.active();
    let second = stage.record("hosts = [\"pay.example\"]").await;
    let error = stage.deployer().assign(&second, Role::Active, By::default()).await.expect_err("is refused");
    assert_eq!(
        error.to_string(),
        "this version asks for more than the active one:\n  hosts: +pay.example\nto approve it, deploy it with --approve"
    );
    assert_eq!(stage.active(), first);
    stage.deployer().assign(&second, Role::Active, by()).await.expect("is approved");
    assert_eq!(stage.active(), second);
}

#[tokio::test]
async fn a_retired_plugin_is_asked_nothing_and_can_come_back() {
    let mut stage = Stage::set("").await;
    let first = stage.active();
    stage.deployer().retire(&stage.name(), by()).await.expect("retires");
    stage.deliver(&[event(1, 1, "count")]).await;
    assert!(stage.versions(1).await.is_empty());
    stage.restart().await;
    stage.deployer().rollback(&stage.name(), None, by()).await.expect("comes back");
    stage.deliver(&[event(1, 2, "count")]).await;
    assert_eq!(stage.versions(1).await, [first]);
}

#[tokio::test]
async fn what_is_parked_is_redriven_by_whichever_version_is_named() {
    let stage = Stage::set("").await;
    let first = stage.active();
    stage.deliver(&[event(1, 1, "emit loan.ended 1")]).await;
    assert_eq!(stage.plan_states(1).await, ["parked"], "it may not emit");
    let second = stage.record("emits = [\"loan.ended\"]").await;
    let order = |version: &Version| Order { version: Some(version.short().into()), ..Order::default() };
    stage.pipeline().redrive(order(&first)).await.expect("works");
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await, ["parked"], "the same one says the same");
    stage.pipeline().redrive(order(&second)).await.expect("works");
    stage.settle().await;
    assert_eq!(stage.plan_states(1).await[0], "decided");
    assert_eq!(stage.versions(1).await[0], second, "though it is not at work");
}

#[tokio::test]
async fn a_version_that_nothing_needs_is_not_in_memory() {
    let stage = Stage::set("").await;
    let first = stage.active();
    let second = stage.deploy("[settings]\na = \"b\"").await;
    let alive: Vec<_> = stage.deployer().versions.alive.versions().into_iter().map(|(_, it)| it).collect();
    assert_eq!(alive, [second]);
    stage.deployer().rollback(&stage.name(), None, by()).await.expect("goes back");
    let alive: Vec<_> = stage.deployer().versions.alive.versions().into_iter().map(|(_, it)| it).collect();
    assert_eq!(alive, [first]);
}

#[tokio::test]
async fn a_plugin_whose_compiled_code_was_removed_is_compiled_again_and_loses_nothing() {
    let mut stage = Stage::set("").await;
    stage.restart().await;
    stage.forget_compiled();
    stage.deliver(&[event(1, 1, "count"), event(1, 2, "count")]).await;
    assert_eq!(stage.plan_states(1).await, ["waiting", "held"]);
    stage.settle().await;
    assert_eq!(stage.notes(1).await, ["count 1", "count 2"]);
}
