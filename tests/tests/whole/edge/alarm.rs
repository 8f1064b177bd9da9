//! The vault's alarm: it goes on sending whatever happens to a send, to one message, or to the Worker beside it.

use super::stage::{PATIENCE, Stage, opened, receipts};
use tidegate_tests::recorder::Mood;
use tokio::time::timeout;

#[tokio::test]
async fn a_send_that_hangs_is_given_up_and_tried_again() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let acknowledged = stage.post("{}").await;
    stage.queue.set_mood(Mood::Hangs);
    // The edge's own, and the alarm's first, which hangs, and its second.
    timeout(PATIENCE, stage.queue.sends(3)).await.expect("it is tried again");
    stage.queue.set_mood(Mood::Takes);
    let mut delivered = timeout(PATIENCE, stage.queue.take_all(1)).await.expect("delivered");
    stage.source_status(|status| status.vault.is_some_and(|vault| vault.messages == 0)).await;
    // The given-up one was taken too: it could not be called back. The host knows the receipt.
    delivered.extend(stage.queue.take());
    assert!(receipts(&delivered).iter().all(|receipt| *receipt == acknowledged));
}

#[tokio::test]
async fn a_message_that_the_queue_never_takes_does_not_stop_the_others() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let poison = stage.post("POISON").await;
    let others = [stage.post("one").await, stage.post("two").await, stage.post("three").await];
    stage.queue.set_mood(Mood::Refuses("POISON"));
    let delivered = timeout(PATIENCE, stage.queue.take_all(3)).await.expect("the others are delivered");
    assert_eq!(receipts(&delivered), others);
    // It is kept, and goes when the queue takes it.
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(1)).await.expect("delivered");
    assert_eq!(receipts(&delivered), [poison]);
}

#[tokio::test]
async fn after_an_outage_of_several_tries_the_oldest_still_goes_first() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        acknowledged.push(stage.post(format!("{number}")).await);
    }
    // The edge's own five, and four of the alarm's.
    timeout(PATIENCE, stage.queue.sends(9)).await.expect("it is tried again and again");
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(5)).await.expect("delivered");
    // One of them proved that the queue is back; the others come in their order.
    let mut in_order = receipts(&delivered);
    let proof = in_order.remove(0);
    acknowledged.retain(|receipt| *receipt != proof);
    assert_eq!(in_order, acknowledged);
}

#[tokio::test]
async fn large_messages_go_in_batches_that_the_queue_takes() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let mut acknowledged = Vec::new();
    for _ in 0..12 {
        acknowledged.push(stage.post(vec![0xff; 60_000]).await);
    }
    stage.queue.set_mood(Mood::Takes);
    let delivered = timeout(PATIENCE, stage.queue.take_all(12)).await.expect("delivered");
    assert_eq!(receipts(&delivered), acknowledged);
    assert!(
        delivered
            .iter()
            .all(|message| opened(message).body.inline().is_some_and(|body| body.len() == 60_000))
    );
    // More than one in a batch, and well below the 256 kB that Cloudflare takes.
    let most = stage.queue.largest_send_bytes();
    assert!((150_000..=200_000).contains(&most), "{most}");
}
