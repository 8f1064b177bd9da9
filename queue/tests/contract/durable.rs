//! What survives: a close, a kill, a second process.

use crate::bench::{Bench, bodies, leases, open};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tidegate_queue::{
    Behavior, Clock, NewMessage, OpenError, QueueError, QueueSettings, Queues, system_clock,
};
use tokio::task::JoinSet;

#[tokio::test]
async fn everything_confirmed_is_there_after_a_reopen() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["acked", "leased", "waiting"]).await?;
    let held = bench.queues.pull(&bench.queue, 2, 1_000).await?.messages;
    bench.ack(&[held[0].lease]).await?;
    let before = bench.queues.metrics(&bench.queue).await?;
    let queue = bench.queue;
    let bench = bench.reopen()?;
    assert_eq!(bench.queues.ensure_queue("main").await?, queue, "its id is stable");
    assert_eq!(bench.queues.metrics(&queue).await?, before);
    assert_eq!(bodies(&bench.pull(1_000).await?), ["waiting"], "the lease still holds");
    assert_eq!(bench.ack(&[held[1].lease]).await?, (1, 0), "and can still be acknowledged");
    Ok(())
}

#[tokio::test]
async fn a_lease_from_before_a_restart_is_fenced_off_by_a_newer_one() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    let before = leases(&bench.pull(1_000).await?);
    let text = bench.queues.seal().lease_text(&before[0]);
    let bench = bench.reopen()?;
    bench.clock.advance(1_000);
    let after = leases(&bench.pull(1_000).await?);
    assert_eq!(bench.queues.seal().read_lease(&text), Some(before[0]), "its text is still read");
    assert_eq!(bench.ack(&before).await?, (0, 1));
    assert_eq!(bench.ack(&after).await?, (1, 0));
    Ok(())
}

#[tokio::test]
async fn an_emptied_queue_never_gives_a_key_twice() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    let old = bench.pull(1_000).await?;
    bench.ack(&leases(&old)).await?;
    let bench = bench.reopen()?;
    bench.send(&["b"]).await?;
    let new = bench.pull(1_000).await?;
    assert_ne!(old[0].id, new[0].id);
    assert_eq!(bench.ack(&leases(&old)).await?, (0, 1));
    Ok(())
}

#[tokio::test]
async fn many_sends_at_once_share_few_commits() -> Result<()> {
    const SENDS: usize = 400;
    let bench = Bench::new(Behavior::default()).await?;
    let before = bench.queues.commits();
    let mut sends = JoinSet::new();
    for n in 0..SENDS {
        let (queues, queue) = (bench.queues.clone(), bench.queue);
        sends.spawn(async move { queues.send(&queue, vec![NewMessage::text(n.to_string())]).await });
    }
    while let Some(sent) = sends.join_next().await {
        sent??;
    }
    let commits = usize::try_from(bench.queues.commits() - before)?;
    assert_eq!(bench.backlog().await?, 400);
    assert!(commits * 4 <= SENDS, "{SENDS} sends made {commits} commits");
    Ok(())
}

#[tokio::test]
async fn an_empty_pull_writes_nothing() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let before = bench.queues.commits();
    for _ in 0..10 {
        assert_eq!(bench.pull(1_000).await?.len(), 0);
    }
    assert_eq!(bench.queues.commits(), before);
    Ok(())
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_says_so() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let second = Queues::open(bench.directory.path(), Behavior::default(), system_clock());
    let error = second.err().context("it was opened twice")?;
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(bench.queues);
    open(&bench.directory, &bench.clock, Behavior::default())?;
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_fails_is_refused_whole_and_the_queue_goes_on() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["before"]).await?;
    // Somebody opens the file by hand and writes: the queue's own transaction cannot begin to write.
    let intruder = rusqlite::Connection::open(bench.directory.path().join("queue.sqlite"))?;
    intruder.execute_batch("BEGIN IMMEDIATE")?;
    let refused = bench.queues.send(&bench.queue, vec![NewMessage::text("refused")]).await;
    assert!(matches!(refused, Err(QueueError::Storage(_))), "{refused:?}");
    assert_eq!(bench.backlog().await?, 1, "reading goes on, and the tally is what the file says");
    let paused = QueueSettings { paused: true, ..QueueSettings::default() };
    let refused = bench.queues.update(&bench.queue, None, paused).await;
    assert!(matches!(refused, Err(QueueError::Storage(_))), "{refused:?}");
    let kept = bench.queues.queue(&bench.queue).await?.settings;
    assert_eq!(kept, QueueSettings::default(), "what was refused is not remembered");
    intruder.execute_batch("ROLLBACK")?;
    bench.send(&["after"]).await?;
    assert_eq!(bodies(&bench.pull(1_000).await?), ["before", "after"]);
    Ok(())
}

/// A file of the first schema, with a message that waits, one under lease after a retry, and a dead letter. It is
/// never regenerated: every later version opens it.
const GOLDEN: &str = include_str!("../../golden/v1.sql");

#[tokio::test]
async fn a_file_of_schema_1_opens_with_all_it_holds() -> Result<()> {
    let directory = tempfile::tempdir()?;
    rusqlite::Connection::open(directory.path().join("queue.sqlite"))?.execute_batch(GOLDEN)?;
    let clock: Clock = Arc::new(|| 1_764_000_002_000);
    let queues = Queues::open(directory.path(), Behavior::default(), clock)?;
    let queue = queues.find("main").await?.context("no queue")?;
    let record = queues.queue(&queue).await?;
    let consumer = record.consumer.context("no consumer")?.spec;
    assert_eq!(record.id.to_string(), "566e052ad16778c6a0558ce7e202fe00");
    assert_eq!(consumer.dead_letter_queue.as_deref(), Some("dead"));
    assert_eq!(consumer.settings.max_retries, Some(1));
    assert_eq!(queues.metrics(&queue).await?.backlog_count, 2);
    let waiting = queues.pull(&queue, 10, 1_000).await?.messages;
    assert_eq!(bodies(&waiting), ["waiting"]);
    let lease = queues.seal().read_lease("AAABAAAAAAEAAAGatpgP2AAAAAKpDuMc9Ng4L7aHupU");
    let report = queues.ack(&queue, vec![lease.context("the lease is not read")?], Vec::new()).await?;
    assert_eq!((report.acks, report.warnings.len()), (1, 0));
    let dead = queues.find("dead").await?.context("no dead letter queue")?;
    let letters = queues.pull(&dead, 10, 1_000).await?.messages;
    assert_eq!(bodies(&letters), ["dead"]);
    assert_eq!(letters[0].timestamp_ms, 1_764_000_000_000);
    Ok(())
}

const CHILD_DIRECTORY: &str = "TIDEGATE_QUEUE_TEST_CHILD";

/// Does nothing unless the test below starts this program again: then it sends until it is killed.
#[tokio::test]
async fn child_that_sends_until_it_is_killed() -> Result<()> {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else {
        return Ok(());
    };
    let queues = Queues::open(directory.as_ref(), Behavior::default(), system_clock())?;
    let queue = queues.ensure_queue("main").await?;
    for n in 0_u64.. {
        queues.send(&queue, vec![NewMessage::text(n.to_string())]).await?;
        println!("confirmed {n}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_confirmed_survives_kill_9() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut before = 0;
    for round in 1..=3_usize {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "durable::child_that_sends_until_it_is_killed", "--nocapture"])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut confirmed = 0;
        for line in lines {
            confirmed += usize::from(line?.contains("confirmed"));
            if confirmed == 200 * round {
                child.kill()?;
            }
        }
        child.wait()?;
        ensure!(confirmed >= 200 * round, "the child stopped by itself after {confirmed} messages");
        let queues = Queues::open(directory.path(), Behavior::default(), system_clock())?;
        let queue = queues.ensure_queue("main").await?;
        let counted = usize::try_from(queues.metrics(&queue).await?.backlog_count)?;
        assert!(counted - before >= confirmed, "{confirmed} were confirmed, {} are there", counted - before);
        before = counted;
    }
    let queues = Queues::open(directory.path(), Behavior::default(), system_clock())?;
    let queue = queues.ensure_queue("main").await?;
    let mut pulled = 0;
    loop {
        let count = queues.pull(&queue, 500, 600_000).await?.messages.len();
        if count == 0 {
            break;
        }
        pulled += count;
    }
    assert_eq!(pulled, before, "the count is what can be pulled");
    Ok(())
}
