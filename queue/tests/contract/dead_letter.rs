//! What becomes of messages that are delivered in vain.

use crate::bench::{Bench, bodies};
use anyhow::{Context, Result};
use tidegate_queue::{Behavior, ConsumerSettings, DeadLetterIdentity, Retry, RetryCount};

fn retries(max: u32) -> ConsumerSettings {
    ConsumerSettings { max_retries: Some(max), ..ConsumerSettings::default() }
}

/// Lets leases run out until nothing comes any more; says how often the message came.
async fn deliveries(bench: &Bench) -> Result<usize> {
    let mut count = 0;
    for _ in 0..20 {
        count += bench.pull(1_000).await?.len();
        bench.clock.advance(1_000);
    }
    Ok(count)
}

#[tokio::test]
async fn an_expired_lease_uses_up_a_retry() -> Result<()> {
    for (retry_count, expected) in [(RetryCount::Retries, 3), (RetryCount::Deliveries, 2)] {
        let behavior = Behavior { retry_count, ..Behavior::default() };
        let bench = Bench::new(behavior).await?;
        bench.set_consumer(None, retries(2)).await?;
        bench.send(&["a"]).await?;
        assert_eq!(deliveries(&bench).await?, expected);
        assert_eq!(bench.backlog().await?, 0, "without a dead letter queue it is dropped");
    }
    Ok(())
}

#[tokio::test]
async fn the_last_retry_moves_the_message_at_once() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.set_consumer(Some("dead"), retries(0)).await?;
    bench.send(&["a"]).await?;
    let message = bench.pull(1_000).await?.pop().context("no message")?;
    let retry = Retry { lease: message.lease, delay_s: Some(60) };
    bench.queues.ack(&bench.queue, Vec::new(), vec![retry]).await?;
    assert_eq!(bench.backlog().await?, 0);
    let dead = bench.queues.find("dead").await?.context("no dead letter queue")?;
    let letters = bench.queues.pull(&dead, 10, 1_000).await?.messages;
    assert_eq!(bodies(&letters), ["a"]);
    assert_eq!((letters[0].id, letters[0].timestamp_ms), (message.id, message.timestamp_ms));
    assert_eq!(letters[0].attempts, 1, "its attempts count anew");
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_gets_a_new_id_where_the_behavior_says_so() -> Result<()> {
    let behavior = Behavior { dead_letter_identity: DeadLetterIdentity::New, ..Behavior::default() };
    let bench = Bench::new(behavior).await?;
    bench.set_consumer(Some("dead"), retries(0)).await?;
    bench.send(&["a"]).await?;
    let message = bench.pull(1_000).await?.pop().context("no message")?;
    bench.clock.advance(1_000);
    assert_eq!(bench.pull(1_000).await?.len(), 0);
    let dead = bench.queues.find("dead").await?.context("no dead letter queue")?;
    let letters = bench.queues.pull(&dead, 10, 1_000).await?.messages;
    assert_eq!(bodies(&letters), ["a"]);
    assert_ne!(letters[0].id, message.id);
    assert_eq!(letters[0].timestamp_ms, message.timestamp_ms + 1_000);
    Ok(())
}

#[tokio::test]
async fn dead_messages_in_front_do_not_hide_the_living_behind() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.set_consumer(Some("dead"), retries(0)).await?;
    bench.send(&["a", "b", "c"]).await?;
    bench.pull(1_000).await?;
    bench.clock.advance(1_000);
    bench.send(&["d", "e"]).await?;
    let pulled = bench.queues.pull(&bench.queue, 2, 1_000).await?;
    assert_eq!(bodies(&pulled.messages), ["d", "e"]);
    assert_eq!(pulled.metrics.backlog_count, 2);
    let dead = bench.queues.find("dead").await?.context("no dead letter queue")?;
    assert_eq!(bench.queues.metrics(&dead).await?.backlog_count, 3);
    Ok(())
}

#[tokio::test]
async fn a_queue_cannot_be_its_own_dead_letter_queue() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    assert!(bench.set_consumer(Some("main"), retries(0)).await.is_err());
    Ok(())
}
