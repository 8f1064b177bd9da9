//! Random operations against a model: no message is lost, none comes back after its acknowledgement, no two
//! leases hold one message, and the backlog is what the model says.

use crate::bench::Bench;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use tidegate_queue::{Behavior, Lease, NewMessage, Retry};

#[derive(Default)]
struct Model {
    sent: u32,
    /// Messages that are in the queue.
    open: BTreeSet<u32>,
    /// The newest lease of each message that has one.
    current: BTreeMap<u32, Lease>,
    /// Every lease ever given and not yet used, newest or not.
    given: Vec<(u32, Lease)>,
    delivered: u32,
    fenced: u32,
}

async fn send(bench: &Bench, model: &mut Model, random: &mut fastrand::Rng) -> Result<()> {
    let count = random.u32(1..20);
    let numbers = model.sent..model.sent + count;
    let messages = numbers.clone().map(|n| NewMessage {
        delay_s: random.bool().then(|| random.u32(0..3)),
        ..NewMessage::text(n.to_string())
    });
    bench.queues.send(&bench.queue, messages.collect()).await?;
    model.open.extend(numbers);
    model.sent += count;
    Ok(())
}

async fn pull(bench: &Bench, model: &mut Model, random: &mut fastrand::Rng) -> Result<()> {
    let visibility_ms = random.u64(0..4_000);
    let pulled = bench.queues.pull(&bench.queue, random.usize(1..30), visibility_ms).await?;
    for message in pulled.messages {
        let number: u32 = std::str::from_utf8(&message.body)?.parse()?;
        assert!(model.open.contains(&number), "{number} came though it is gone");
        if let Some(held) = model.current.insert(number, message.lease) {
            assert!(held.until_ms() <= bench.clock.now_ms(), "{number} came though it is held");
        }
        model.given.push((number, message.lease));
        model.delivered += 1;
    }
    Ok(())
}

/// Uses up some leases, good ones and stale ones, and checks that the queue tells them apart.
async fn settle(bench: &Bench, model: &mut Model, random: &mut fastrand::Rng) -> Result<()> {
    random.shuffle(&mut model.given);
    let keep = model.given.len() - random.usize(0..=model.given.len().min(20));
    let (mut acks, mut retries, mut stale) = (Vec::new(), Vec::new(), 0);
    for (number, lease) in model.given.split_off(keep) {
        let is_current = model.current.get(&number) == Some(&lease);
        stale += usize::from(!is_current);
        let is_ack = random.bool();
        if is_current {
            model.current.remove(&number);
            if is_ack {
                model.open.remove(&number);
            }
        }
        if is_ack {
            acks.push(lease);
        } else {
            let delay_s = random.bool().then(|| random.u32(0..2));
            retries.push(Retry { lease, delay_s });
        }
    }
    let asked = acks.len() + retries.len();
    let report = bench.queues.ack(&bench.queue, acks, retries).await?;
    assert_eq!(report.warnings.len(), stale, "stale leases");
    assert_eq!(report.acks + report.retries, asked - stale, "good leases");
    model.fenced += u32::try_from(stale)?;
    Ok(())
}

async fn run(seed: u64) -> Result<Model> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bench = Bench::new(Behavior::default()).await?;
    let mut model = Model::default();
    for _ in 0..600 {
        match random.u32(0..20) {
            0..5 => send(&bench, &mut model, &mut random).await?,
            5..11 => pull(&bench, &mut model, &mut random).await?,
            11..16 => settle(&bench, &mut model, &mut random).await?,
            16..19 => bench.clock.advance(random.u64(0..1_500)),
            _ => bench = bench.reopen()?,
        }
        assert_eq!(bench.backlog().await?, u64::try_from(model.open.len())?, "seed {seed}");
    }
    // In the end everything that is open comes, once.
    bench.clock.advance(10_000);
    let mut left = BTreeSet::new();
    loop {
        let messages = bench.queues.pull(&bench.queue, 500, 3_600_000).await?.messages;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let number: u32 = std::str::from_utf8(&message.body)?.parse()?;
            assert!(left.insert(number), "seed {seed}: {number} came twice");
        }
    }
    assert_eq!(left, model.open, "seed {seed}");
    Ok(model)
}

#[tokio::test]
async fn random_operations_lose_and_double_nothing() -> Result<()> {
    let first: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let (mut delivered, mut fenced) = (0, 0);
    for seed in first..first + 4 {
        println!("seed {seed}");
        let model = run(seed).await?;
        delivered += model.delivered;
        fenced += model.fenced;
    }
    println!("{delivered} deliveries, {fenced} stale leases fenced off");
    assert!(delivered > 1_000 && fenced > 100, "the operations reach what they are to test");
    Ok(())
}
