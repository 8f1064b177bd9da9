//! How long messages are kept, how they are counted, and how they are cleared away.

use crate::bench::{Bench, bodies};
use anyhow::Result;
use tidegate_queue::{Behavior, Metrics, QueueSettings};

fn keep(retention_s: u32) -> QueueSettings {
    QueueSettings { retention_s, ..QueueSettings::default() }
}

#[tokio::test]
async fn a_message_past_its_retention_is_never_delivered() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.queues.update(&bench.queue, None, keep(60)).await?;
    bench.send(&["old"]).await?;
    bench.clock.advance(59_999);
    bench.send(&["new"]).await?;
    bench.clock.advance(1);
    assert_eq!(bodies(&bench.pull(1_000).await?), ["new"]);
    assert_eq!(bench.backlog().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_queue_nobody_pulls_from_is_swept() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let idle = bench.queues.ensure_queue("idle").await?;
    bench.queues.update(&idle, None, keep(60)).await?;
    bench.queues.send(&idle, vec![tidegate_queue::NewMessage::text("a"); 500]).await?;
    bench.clock.advance(60_000);
    assert_eq!(bench.backlog().await?, 0);
    assert_eq!(bench.queues.metrics(&idle).await?, Metrics::default());
    Ok(())
}

#[tokio::test]
async fn metrics_count_messages_bytes_and_age() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let start_ms = bench.clock.now_ms();
    bench.send(&["four", "fives"]).await?;
    bench.clock.advance(10);
    bench.send(&["x"]).await?;
    let expected = Metrics { backlog_count: 3, backlog_bytes: 10, oldest_message_timestamp_ms: start_ms };
    assert_eq!(bench.queues.metrics(&bench.queue).await?, expected);
    let pulled = bench.pull(1_000).await?;
    bench.ack(&[pulled[0].lease, pulled[1].lease]).await?;
    let expected = Metrics { backlog_count: 1, backlog_bytes: 1, oldest_message_timestamp_ms: start_ms + 10 };
    assert_eq!(bench.queues.metrics(&bench.queue).await?, expected);
    bench.ack(&[pulled[2].lease]).await?;
    assert_eq!(bench.queues.metrics(&bench.queue).await?, Metrics::default());
    Ok(())
}

#[tokio::test]
async fn a_message_purged_under_lease_stays_gone() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["goes", "stays"]).await?;
    let shown = bench.queues.peek(&bench.queue, 10).await?;
    let held = bench.pull(1_000).await?;
    let reference = shown[0].reference;
    assert!(bench.queues.purge_messages(&bench.queue, vec![reference]).await?.is_empty());
    assert_eq!(bench.queues.purge_messages(&bench.queue, vec![reference]).await?, [reference]);
    assert_eq!(bench.backlog().await?, 1);
    bench.clock.advance(1_000);
    assert_eq!(bodies(&bench.pull(1_000).await?), ["stays"]);
    assert_eq!(bench.ack(&[held[0].lease]).await?, (0, 1));
    Ok(())
}

#[tokio::test]
async fn a_purge_takes_leased_and_delayed_messages_too() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a", "b"]).await?;
    bench.pull(1_000).await?;
    bench.queues.purge(&bench.queue).await?;
    assert_eq!(bench.backlog().await?, 0);
    bench.clock.advance(1_000);
    assert_eq!(bench.pull(1_000).await?.len(), 0);
    bench.send(&["c"]).await?;
    assert_eq!(bodies(&bench.pull(1_000).await?), ["c"]);
    Ok(())
}
