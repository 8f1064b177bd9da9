//! Versions and what is at work of each plugin.

use super::*;
use tidegate::store::versions::{VersionQuery, VersionState};

#[tokio::test]
async fn the_newest_deployment_of_a_plugin_holds_and_all_of_them_are_its_history() {
    let dir = dir();
    let (store, first) = open(&dir).await;
    let second = new_version(b"changed").version;
    store
        .commit(Batch { versions: vec![new_version(b"changed")], ..Batch::default() })
        .await
        .expect("records");
    for (version, at_ms) in [(&second, 1), (&first, 2), (&second, 3)] {
        deploy(&store, version, at_ms).await;
    }
    let now = store.deployments().await.expect("reads");
    assert_eq!(now.iter().map(|it| it.roles.active.clone()).collect::<Vec<_>>(), [Some(second)]);
    let history = store.history(manifest().name, 3).await.expect("reads");
    assert_eq!(history.iter().map(|it| (it.id, it.at_ms)).collect::<Vec<_>>(), [(4, 3), (3, 2), (2, 1)]);
    assert_eq!((history[0].who.as_str(), history[0].action), ("ann", Action::Deploy));
}

#[tokio::test]
async fn a_deployment_of_a_version_that_was_never_recorded_is_refused() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let deployment = Deployment {
        roles: Roles { active: Some(new_version(b"unknown").version), ..Roles::default() },
        ..store.history(manifest().name, 1).await.expect("reads").remove(0)
    };
    let batch = Batch { deployments: vec![deployment], ..Batch::default() };
    let error = store.commit(batch).await.expect_err("is refused").to_string();
    assert!(error.contains("was never recorded"), "{error}");
    assert_eq!(store.deployments().await.expect("reads")[0].roles.active, Some(version));
}

#[tokio::test]
async fn a_version_is_kept_as_it_was_recorded_first() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let again = NewVersion { made_at_ms: NOW_MS + 9, ..new_version(b"component") };
    store.commit(Batch { versions: vec![again], ..Batch::default() }).await.expect("commits");
    let kept = store.kept_versions(vec![version.clone()]).await.expect("reads").remove(0);
    assert_eq!((kept.made_at_ms, kept.component_bytes, kept.state), (NOW_MS, 9, VersionState::Usable));
    assert_eq!(kept.component_sha256, Some(Digest::of(b"component")));
    assert_eq!(store.component(version).await.expect("reads").expect("is there"), b"component");
    let query = VersionQuery { plugin: manifest().name, prefix: Some("zz".into()), rows_max: 5 };
    assert!(store.versions(query).await.expect("reads").is_empty());
}
