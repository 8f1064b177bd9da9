//! Leases, their fence, delays and order.

use crate::bench::{Bench, bodies, leases};
use anyhow::Result;
use std::time::Duration;
use tidegate_queue::{
    Behavior, ConsumerSettings, LateAck, NewMessage, QueueError, QueueSettings, Retry, limit, system_clock,
};

fn with_late_ack(late_ack: LateAck) -> Behavior {
    Behavior { late_ack, ..Behavior::default() }
}

#[tokio::test]
async fn messages_come_in_the_order_they_were_sent() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a", "b"]).await?;
    bench.clock.advance(1);
    bench.send(&["c"]).await?;
    assert_eq!(bodies(&bench.pull(1_000).await?), ["a", "b", "c"]);
    Ok(())
}

#[tokio::test]
async fn a_message_under_lease_is_seen_by_nobody_else() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    assert_eq!(bench.pull(1_000).await?.len(), 1);
    bench.clock.advance(999);
    assert_eq!(bench.pull(1_000).await?.len(), 0);
    bench.clock.advance(1);
    assert_eq!(bench.pull(1_000).await?[0].attempts, 2);
    Ok(())
}

#[tokio::test]
async fn what_a_consumer_held_is_free_when_it_releases_it_at_its_start() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a", "b"]).await?;
    let held = leases(&bench.pull(60_000).await?);
    assert_eq!(bench.queues.release(&bench.queue).await?, 2);
    bench.queues.wait_until_ready(&bench.queue).await?;
    assert_eq!(bodies(&bench.pull(60_000).await?), ["a", "b"]);
    assert_eq!(bench.ack(&held).await?, (0, 2), "the leases of before hold nothing");
    Ok(())
}

#[tokio::test]
async fn an_older_lease_of_the_same_message_does_nothing() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    let first = leases(&bench.pull(1_000).await?);
    bench.clock.advance(1_000);
    let second = leases(&bench.pull(1_000).await?);
    assert_eq!(bench.ack(&first).await?, (0, 1));
    assert_eq!(bench.backlog().await?, 1);
    assert_eq!(bench.ack(&second).await?, (1, 0));
    assert_eq!(bench.backlog().await?, 0);
    Ok(())
}

#[tokio::test]
async fn two_leases_that_end_at_the_same_moment_are_still_two() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    let first = bench.pull(1_000).await?[0].lease;
    let retry = Retry { lease: first, delay_s: None };
    bench.queues.ack(&bench.queue, Vec::new(), vec![retry]).await?;
    let second = bench.pull(1_000).await?[0].lease;
    assert_eq!(first.until_ms(), second.until_ms());
    assert_eq!(bench.ack(&[first]).await?, (0, 1));
    assert_eq!(bench.ack(&[second]).await?, (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_retry_under_an_older_lease_does_nothing() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a"]).await?;
    let lease = bench.pull(1_000).await?[0].lease;
    bench.clock.advance(1_000);
    bench.pull(1_000).await?;
    let retry = Retry { lease, delay_s: None };
    let report = bench.queues.ack(&bench.queue, Vec::new(), vec![retry]).await?;
    assert_eq!((report.retries, report.warnings.len()), (0, 1));
    assert_eq!(bench.pull(1_000).await?.len(), 0, "the newer lease still hides it");
    Ok(())
}

#[tokio::test]
async fn a_late_lease_holds_until_the_message_is_delivered_again() -> Result<()> {
    let bench = Bench::new(with_late_ack(LateAck::UntilRedelivered)).await?;
    bench.send(&["a"]).await?;
    let late = leases(&bench.pull(1_000).await?);
    bench.clock.advance(5_000);
    assert_eq!(bench.ack(&late).await?, (1, 0));
    assert_eq!(bench.backlog().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_late_lease_is_refused_where_the_behavior_says_so() -> Result<()> {
    let bench = Bench::new(with_late_ack(LateAck::Refused)).await?;
    bench.send(&["a", "b"]).await?;
    let late = leases(&bench.pull(1_000).await?);
    bench.clock.advance(1_000);
    assert_eq!(bench.ack(&late).await?, (0, 2));
    let retries = vec![Retry { lease: late[0], delay_s: None }];
    let report = bench.queues.ack(&bench.queue, Vec::new(), retries).await?;
    assert_eq!((report.retries, report.warnings.len()), (0, 1));
    assert_eq!(bench.backlog().await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_late_lease_counts_even_against_another_where_the_behavior_says_so() -> Result<()> {
    let bench = Bench::new(with_late_ack(LateAck::Accepted)).await?;
    bench.send(&["a", "b"]).await?;
    let first = leases(&bench.pull(1_000).await?);
    bench.clock.advance(1_000);
    let second = leases(&bench.pull(1_000).await?);
    assert_eq!(bench.ack(&first[..1]).await?, (1, 1));
    assert_eq!(bench.backlog().await?, 1);
    assert_eq!(bench.ack(&second).await?.0, 2, "the second holder can acknowledge too");
    assert_eq!(bench.backlog().await?, 0);
    bench.clock.advance(2_000);
    assert_eq!(bench.pull(1_000).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_lease_of_another_queue_does_nothing() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let other = bench.queues.ensure_queue("other").await?;
    bench.send(&["a"]).await?;
    let lease = bench.pull(1_000).await?[0].lease;
    let report = bench.queues.ack(&other, vec![lease], Vec::new()).await?;
    assert_eq!((report.acks, report.warnings.len()), (0, 1));
    assert_eq!(bench.backlog().await?, 1);
    Ok(())
}

#[tokio::test]
async fn one_acknowledgement_given_twice_counts_once() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    bench.send(&["a", "b", "c"]).await?;
    let mut all = leases(&bench.pull(1_000).await?);
    all.push(all[1]);
    assert_eq!(bench.ack(&all).await?, (3, 1));
    assert_eq!(bench.backlog().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_message_s_own_delay_outranks_the_queue_s() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let settings = QueueSettings { delay_s: 10, ..QueueSettings::default() };
    bench.queues.update(&bench.queue, None, settings).await?;
    let message = |body: &'static str, delay_s| NewMessage { delay_s, ..NewMessage::text(body) };
    let messages = vec![message("queue's", None), message("none", Some(0)), message("own", Some(20))];
    bench.queues.send(&bench.queue, messages).await?;
    assert_eq!(bodies(&bench.pull(60_000).await?), ["none"]);
    bench.clock.advance(10_000);
    assert_eq!(bodies(&bench.pull(60_000).await?), ["queue's"]);
    bench.clock.advance(10_000);
    assert_eq!(bodies(&bench.pull(60_000).await?), ["own"]);
    Ok(())
}

#[tokio::test]
async fn a_retry_without_a_delay_takes_the_consumer_s() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let settings = ConsumerSettings { retry_delay: Some(30), ..ConsumerSettings::default() };
    bench.set_consumer(None, settings).await?;
    bench.send(&["consumer's", "own"]).await?;
    let held = leases(&bench.pull(600_000).await?);
    let retries = vec![Retry { lease: held[0], delay_s: None }, Retry { lease: held[1], delay_s: Some(5) }];
    let report = bench.queues.ack(&bench.queue, Vec::new(), retries).await?;
    assert_eq!(report.retries, 2);
    bench.clock.advance(5_000);
    assert_eq!(bodies(&bench.pull(600_000).await?), ["own"]);
    bench.clock.advance(25_000);
    assert_eq!(bodies(&bench.pull(600_000).await?), ["consumer's"]);
    Ok(())
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_and_takes_everything() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let paused = QueueSettings { paused: true, ..QueueSettings::default() };
    bench.queues.update(&bench.queue, None, paused).await?;
    bench.send(&["a"]).await?;
    let pulled = bench.queues.pull(&bench.queue, 1, 1_000).await;
    assert!(matches!(pulled, Err(QueueError::Paused)), "{pulled:?}");
    bench.queues.update(&bench.queue, None, QueueSettings::default()).await?;
    assert_eq!(bodies(&bench.pull(1_000).await?), ["a"]);
    Ok(())
}

#[tokio::test]
async fn a_group_with_one_bad_message_is_refused_whole() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let too_large = NewMessage::text(vec![b'x'; limit::BODY_BYTES_MAX + 1]);
    let sent = bench.queues.send(&bench.queue, vec![NewMessage::text("fits"), too_large]).await;
    assert_eq!(sent, Err(QueueError::MessageTooLarge(limit::BODY_BYTES_MAX + 1)));
    let crowd = vec![NewMessage::text("x"); limit::GROUP_MESSAGES_MAX + 1];
    let sent = bench.queues.send(&bench.queue, crowd).await;
    assert_eq!(sent, Err(QueueError::GroupSize(limit::GROUP_MESSAGES_MAX + 1)));
    assert_eq!(bench.backlog().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_waiter_wakes_for_a_sent_a_delayed_and_a_freed_message() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let queues = tidegate_queue::Queues::open(directory.path(), Behavior::default(), system_clock())?;
    let queue = queues.ensure_queue("main").await?;
    let patience = Duration::from_secs(20);
    let delayed = NewMessage { delay_s: Some(1), ..NewMessage::text("a") };
    let (waited, sent) = tokio::join!(
        tokio::time::timeout(patience, queues.wait_until_ready(&queue)),
        queues.send(&queue, vec![delayed])
    );
    waited??;
    sent?;
    let first = queues.pull(&queue, 1, 100).await?.messages;
    assert_eq!(first.len(), 1, "the delayed message is ready when the waiter wakes");
    tokio::time::timeout(patience, queues.wait_until_ready(&queue)).await??;
    let second = queues.pull(&queue, 1, 100).await?.messages;
    assert_eq!(second.first().map(|message| message.attempts), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_waiter_learns_that_its_queue_was_deleted() -> Result<()> {
    let bench = Bench::new(Behavior::default()).await?;
    let (waited, deleted) =
        tokio::join!(bench.queues.wait_until_ready(&bench.queue), bench.queues.delete(&bench.queue));
    deleted?;
    assert_eq!(waited, Err(QueueError::NotFound));
    Ok(())
}
