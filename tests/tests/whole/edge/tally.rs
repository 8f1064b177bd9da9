//! How the senders were answered: counted, told to the host, and not forgotten.

use super::stage::{Chunked, Stage};
use tidegate_tests::edge::{SOURCE, TOKEN_BEFORE, live_path};

/// A sender that hangs up in the middle of its body: the edge cannot acknowledge that.
async fn fail(stage: &Stage) {
    let mut sender = Chunked::open(&stage.edge, &live_path()).await;
    sender.chunk(b"half").await.expect("sent");
}

#[tokio::test]
async fn a_source_that_nobody_used_has_a_status() {
    let stage = Stage::set().await;
    let status = stage.status().await;
    assert_eq!((status.v, status.faults.len()), (1, 0));
    let [source] = status.sources.as_slice() else { panic!("{status:?}") };
    assert_eq!((source.source.as_str(), source.profile.as_str()), (SOURCE, "amj"));
    assert_eq!((source.cutoff, source.left), (Some(3), Some(3)));
    assert_eq!((source.tally.failures, source.tally.last_success_ms), (0, None));
    assert_eq!(source.tally.tokens_used_ms, [0, 0]);
}

#[tokio::test]
async fn failures_count_down_to_the_cutoff_and_the_first_success_resets_them() {
    let stage = Stage::set().await;
    for failures in 1..=4 {
        fail(&stage).await;
        let status = stage.source_status(|status| status.tally.failures == failures).await;
        assert_eq!(u64::from(status.tally.failures_in_row), failures);
        assert_eq!(u64::from(status.left.expect("it cuts off")), 3_u64.saturating_sub(failures));
        assert!(status.tally.last_failure_ms.is_some() && status.tally.last_success_ms.is_none());
    }
    stage.post("{}").await;
    let status = stage.source_status(|status| status.tally.last_success_ms.is_some()).await;
    assert_eq!((status.tally.failures_in_row, status.left, status.tally.failures), (0, Some(3), 4));
    assert!(status.tally.last_failure.is_some(), "what went wrong last is still said");
}

#[tokio::test]
async fn each_token_says_when_it_was_used_last() {
    let stage = Stage::set().await;
    let (status, _) = stage.send("POST", &format!("/in/{SOURCE}/{TOKEN_BEFORE}"), "{}").await;
    assert_eq!(status, 202);
    let status = stage.source_status(|status| status.tally.last_success_ms.is_some()).await;
    assert_eq!(status.tally.tokens_used_ms[0], 0);
    assert_eq!(Some(status.tally.tokens_used_ms[1]), status.tally.last_success_ms);
}

#[tokio::test]
async fn the_tally_outlives_kill_9() {
    let stage = Stage::set().await;
    stage.post("{}").await;
    fail(&stage).await;
    stage.source_status(|status| status.tally.failures == 1).await;
    // The vault has it, not this isolate alone.
    told(&stage, "\"failures\":1").await;
    let stage = stage.kill_and_restart().await;
    let status = stage.source_status(|status| status.tally.failures == 1).await;
    assert_eq!((status.tally.failures_in_row, status.left), (1, Some(2)));
    assert!(status.tally.last_success_ms.is_some());
}

#[tokio::test]
async fn failures_while_the_vault_is_dead_are_told_once_it_is_back() {
    let stage = Stage::set().await;
    stage.post("{}").await;
    told(&stage, "\"failures\":0").await;
    let lock = stage.lock_vault();
    fail(&stage).await;
    let status = stage.source_status(|status| status.tally.failures == 1).await;
    assert_eq!(status.left, Some(2));
    drop(lock);
    // Told with one of the next answers.
    fail(&stage).await;
    let status = stage.source_status(|status| status.tally.failures >= 2 && status.vault.is_some()).await;
    assert_eq!(status.tally.failures, 2);
}

/// Waits until the vault's file says so.
async fn told(stage: &Stage, words: &str) {
    let look = async {
        loop {
            let json = stage.vault_files().first().and_then(|file| {
                let database = rusqlite::Connection::open(file).ok()?;
                database.query_row("SELECT json FROM tally", [], |row| row.get::<_, String>(0)).ok()
            });
            if json.is_some_and(|json| json.contains(words)) {
                return;
            }
            // Answers while it is not there yet; nothing says when it is.
            stage.status().await;
        }
    };
    tokio::time::timeout(super::stage::PATIENCE, look).await.expect("the vault is told");
}
