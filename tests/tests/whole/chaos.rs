//! The host, the queue and the edge are killed at random moments while events are posted: nothing that was
//! acknowledged is lost, and nothing is decided twice.

use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::parts::{Parts, Victim};
use tidegate_tests::system::{self, until};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Distinct events.
const EVENTS: usize = 2_000;
/// One of so many is posted again after it was acknowledged, as if the answer had been lost.
const POSTED_AGAIN_EACH: usize = 10;
/// Events posted at the same time.
const POSTING_MAX: usize = 16;
/// Each part is killed so often while events are posted, and once more after that.
const ROUNDS: usize = 5;
/// The longest that a part lives on after its moment has come.
const HESITATION_MS_MAX: u64 = 40;
/// How long the target of effects takes to answer: long enough for a host to die meanwhile.
const TARGET_PAUSE: Duration = Duration::from_millis(20);
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_receipt_is_decided_once_whatever_is_killed() -> anyhow::Result<()> {
    let seed = seed()?;
    println!("seed {seed}; to repeat it: CHAOS_SEED={seed}");
    let began = Instant::now();
    let receiver = Receiver::start_slow(TARGET_PAUSE).await?;
    let mut parts = Parts::start(&[]).await?;
    until("the host answers", async || Ok(Some(parts.cli.plugins().await?))).await?;
    parts.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;

    let progress = Arc::new(watch::Sender::new(0));
    let posting = tokio::spawn(post_all(Sender::new(&parts.request_url())?, Arc::clone(&progress)));
    for (taken, victim, hesitation) in schedule(&mut fastrand::Rng::with_seed(seed)) {
        progress.subscribe().wait_for(|count| *count >= taken).await.context("events are posted")?;
        // Not for anything to happen: the moment is the point.
        tokio::time::sleep(hesitation).await;
        parts
            .kill_and_restart(victim)
            .await
            .with_context(|| format!("kill {victim:?} after {taken} events"))?;
    }
    let sent = posting.await.context("post all events")??;
    parts.until_the_queue_is_empty().await?;
    let events = parts.cli.all_settled(&sent.receipts).await?;
    let duplicates = check_events(&events, &sent)?;
    let repeated = check_notices(&receiver, &events)?;

    println!(
        "posted {EVENTS} distinct events in {} attempts; acknowledged {}; recorded and decided {}, {duplicates} of \
         them as duplicates; killed the queue {} times, the edge {}, the host {}; {} notices, {repeated} of them \
         repeats under the same key; {:.1} s",
        sent.attempts,
        sent.receipts.len(),
        events.len(),
        parts.kills[0],
        parts.kills[1],
        parts.kills[2],
        receiver.notices().len(),
        began.elapsed().as_secs_f64(),
    );
    ensure!(parts.kills.iter().all(|kills| *kills > ROUNDS), "each part was killed");
    Ok(())
}

fn seed() -> anyhow::Result<u64> {
    match std::env::var("CHAOS_SEED") {
        Ok(text) => text.parse().context("read CHAOS_SEED"),
        Err(_) => Ok(fastrand::u64(..)),
    }
}

/// After how many acknowledged events which part is killed, and how long after that; in order.
fn schedule(rng: &mut fastrand::Rng) -> Vec<(usize, Victim, Duration)> {
    let mut moments: Vec<_> = (0..ROUNDS * 3).map(|_| rng.usize(0..EVENTS)).collect();
    moments.sort_unstable();
    // Once more each when the last event was taken.
    moments.extend([EVENTS; 3]);
    let mut victims = Vec::new();
    for _ in 0..=ROUNDS {
        let mut round = [Victim::Queue, Victim::Edge, Victim::Host];
        rng.shuffle(&mut round);
        victims.extend(round);
    }
    let mut with_hesitation =
        |(taken, victim)| (taken, victim, Duration::from_millis(rng.u64(0..=HESITATION_MS_MAX)));
    moments.into_iter().zip(victims).map(&mut with_hesitation).collect()
}

/// What the sender knows in the end.
#[derive(Default)]
struct Sent {
    receipts: Vec<Receipt>,
    attempts: u32,
}

/// Posts all events, each until it is taken, and says how many were.
async fn post_all(sender: Sender, progress: Arc<watch::Sender<usize>>) -> anyhow::Result<Sent> {
    let permits = Arc::new(Semaphore::new(POSTING_MAX));
    let mut posts = JoinSet::new();
    for number in 0..EVENTS {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (sender, progress) = (sender.clone(), Arc::clone(&progress));
        posts.spawn(async move {
            let mut taken = vec![sender.post_until_taken(&loan(number)).await?];
            progress.send_modify(|count| *count += 1);
            if number % POSTED_AGAIN_EACH == 0 {
                taken.push(sender.post_until_taken(&loan(number)).await?);
            }
            drop(permit);
            anyhow::Ok(taken)
        });
    }
    let mut sent = Sent::default();
    while let Some(taken) = posts.join_next().await {
        for taken in taken.context("post an event")?? {
            sent.receipts.push(taken.receipt);
            sent.attempts += taken.attempts;
        }
    }
    Ok(sent)
}

/// Every acknowledged receipt is there, all are decided, and of the same bytes one is the first. Gives how many
/// are duplicates: those posted again, and those whose answer was lost with the part that would have given it.
fn check_events(events: &[EventRow], sent: &Sent) -> anyhow::Result<usize> {
    let mut known = HashSet::new();
    for event in events {
        ensure!(known.insert(event.receipt), "{} is listed twice", event.receipt);
        ensure!(event.state == "decided", "{} is {}", event.receipt, event.state);
    }
    for receipt in &sent.receipts {
        ensure!(known.contains(receipt), "{receipt} was acknowledged and is lost");
    }
    // Each event is about an asset of its own, so the same subject is the same bytes.
    let mut subjects: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    for event in events {
        subjects.entry(&event.subject).or_default().push(event);
    }
    ensure!(subjects.len() == EVENTS, "{} of {EVENTS} assets are known", subjects.len());
    for (subject, events) in &subjects {
        let (firsts, others): (Vec<&EventRow>, Vec<&EventRow>) =
            events.iter().partition(|event| event.class == "first");
        ensure!(firsts.len() == 1, "asset {subject} has {} first events", firsts.len());
        let first = firsts.first().context("there is one")?;
        ensure!(
            first.plans.len() == 1 && first.effects.len() == 1,
            "{first:?} was decided once, with one effect"
        );
        ensure!(
            first.effects.iter().all(|effect| effect.state == "done"),
            "{first:?} has its effect performed"
        );
        for other in others {
            ensure!(other.class == "duplicate" && other.plans.is_empty(), "{other:?} is a duplicate");
            ensure!(other.effects.is_empty(), "{other:?} causes nothing");
        }
    }
    Ok(events.len() - EVENTS)
}

/// What the world outside saw: one key for each asset, the recorded one. Gives how many notices were repeats.
fn check_notices(receiver: &Receiver, events: &[EventRow]) -> anyhow::Result<usize> {
    let notices = receiver.notices();
    let mut keys: HashMap<String, BTreeSet<String>> = HashMap::new();
    for notice in &notices {
        let body: serde_json::Value = serde_json::from_slice(&notice.body).context("a notice is JSON")?;
        let asset =
            body.get("asset").and_then(serde_json::Value::as_str).context("a notice names its asset")?;
        keys.entry(asset.to_owned()).or_default().insert(notice.key.clone());
    }
    for event in events.iter().filter(|event| event.class == "first") {
        let recorded: BTreeSet<_> = event.effects.iter().map(|effect| effect.key.clone()).collect();
        let seen = keys.get(&event.subject).with_context(|| format!("{} has no notice", event.receipt))?;
        ensure!(
            *seen == recorded,
            "asset {} was told under {seen:?}, recorded is {recorded:?}",
            event.subject
        );
    }
    ensure!(keys.len() == EVENTS, "notices of {} assets, not of {EVENTS}", keys.len());
    Ok(notices.len() - EVENTS)
}
