//! A hundred thousand requests that no sane sender makes, to a live URL of the built Worker: each is kept, byte for
//! byte, and answered with a receipt, and the Worker is none the worse.

use anyhow::{Context as _, ensure};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tidegate_envelope::{Envelope, Receipt};
use tidegate_sender::mutate::{Mutator, Request};
use tidegate_tests::connection::{Body, Connection};
use tidegate_tests::edge::{Edge, live_path};
use tidegate_tests::recorder::Recorder;
use tokio::task::JoinSet;

/// Requests in all.
const REQUESTS: usize = 100_000;
/// What is on the queue is looked at after each round.
const ROUNDS: usize = 10;
/// Connections at the same time, each kept open for all of a round.
const CONNECTIONS: usize = 20;
/// Bytes of the longest body: within what an envelope takes inline.
const BODY_BYTES_MAX: usize = 8 * 1024;
/// The most memory that workerd may hold in the end, in kilobytes: twice what it was measured to need.
const RESIDENT_KB_MAX: u64 = 650_000;
/// The most by which it may grow in the second half, in kilobytes: 4 kB for each request. V8 lets its heap grow in
/// steps and was measured to take one of 100 MB late.
const GROWTH_KB_MAX: u64 = 200_000;

/// What was sent and what came back.
struct Sent {
    /// The receipt in the answer; none where the answer had no body to hold one.
    receipt: Option<Receipt>,
    /// Of method and body.
    hash: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_odd_requests_are_all_kept_and_the_worker_is_none_the_worse() -> anyhow::Result<()>
{
    let seed = match std::env::var("FUZZ_SEED") {
        Ok(text) => text.parse().context("read FUZZ_SEED")?,
        Err(_) => u64::from(fastrand::u32(..)),
    };
    println!("seed {seed}; to repeat it: FUZZ_SEED={seed}");
    let log = keep_log();
    let queue = Recorder::start().await?;
    let edge = Edge::start(queue.addr()).await?;
    let process_id = edge.workerd.process_id().context("workerd runs")?;
    let began = Instant::now();
    let mut resident_kb = vec![resident_kb_of(process_id)?];
    let mut receipts = HashSet::new();
    let mut mutators: Vec<_> =
        (0_u64..).take(CONNECTIONS).map(|n| Mutator::new(seed + n, BODY_BYTES_MAX)).collect();
    for _ in 0..ROUNDS {
        let (sent, used) = round(edge.workerd.addr(), mutators).await?;
        mutators = used;
        check(&sent, &queue, &mut receipts)?;
        resident_kb.push(resident_kb_of(process_id)?);
    }
    println!(
        "{} receipts in {:.1} s; resident kB after each round: {resident_kb:?}",
        receipts.len(),
        began.elapsed().as_secs_f64()
    );
    ensure!(receipts.len() == REQUESTS, "{} receipts for {REQUESTS} requests", receipts.len());
    let last = *resident_kb.last().context("it was measured")?;
    ensure!(last <= RESIDENT_KB_MAX, "workerd holds {last} kB");
    let settled = *resident_kb.get(ROUNDS / 2).context("it was measured")?;
    ensure!(last <= settled + GROWTH_KB_MAX, "workerd grew from {settled} kB in the first half to {last} kB");
    edge.workerd.stop().await?;
    let log = String::from_utf8_lossy(&log.lock().expect("no holder panics")).into_owned();
    for word in ["RuntimeError", "panicked", "unreachable", "failed to handle"] {
        ensure!(!log.contains(word), "workerd's log names `{word}`:\n{log}");
    }
    Ok(())
}

/// Sends one round's requests, and gives the mutators back where they are then.
async fn round(addr: SocketAddr, mutators: Vec<Mutator>) -> anyhow::Result<(Vec<Sent>, Vec<Mutator>)> {
    let mut connections = JoinSet::new();
    for mutator in mutators {
        connections.spawn(connection(addr, mutator));
    }
    let (mut sent, mut used) = (Vec::new(), Vec::new());
    while let Some(done) = connections.join_next().await {
        let (answered, mutator) = done.context("run a connection")??;
        sent.extend(answered);
        used.push(mutator);
    }
    Ok((sent, used))
}

async fn connection(addr: SocketAddr, mut mutator: Mutator) -> anyhow::Result<(Vec<Sent>, Mutator)> {
    let mut connection = Connection::open(addr).await?;
    let (path, host) = (live_path(), addr.to_string());
    let mut sent = Vec::new();
    for request in mutator.by_ref().take(REQUESTS / ROUNDS / CONNECTIONS) {
        let body = if request.method == "HEAD" { Body::Absent } else { Body::Follows };
        let answer = connection.exchange(&request.wire(&path, &host), body).await;
        let (status, answer) = answer.with_context(|| described(&request))?;
        let text = String::from_utf8_lossy(answer);
        ensure!((200..300).contains(&status), "{status} {text} for {}", described(&request));
        let receipt = match body {
            Body::Follows => Some(receipt_in(&text).with_context(|| described(&request))?),
            Body::Absent => None,
        };
        sent.push(Sent { receipt, hash: hash(request.method, &request.body) });
    }
    Ok((sent, mutator))
}

fn receipt_in(answer: &str) -> anyhow::Result<Receipt> {
    let answer: serde_json::Value = serde_json::from_str(answer).context("an answer is JSON")?;
    answer["receipt"].as_str().context("an answer has a receipt")?.parse().context("read a receipt")
}

/// A request, short enough for an error.
fn described(request: &Request) -> String {
    let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
    let headers: String = headers.collect::<Vec<_>>().join("; ").chars().take(2_000).collect();
    let body: String = request.body.escape_ascii().to_string().chars().take(200).collect();
    format!("{} {:?} [{headers}] {} bytes: {body}", request.method, request.framing, request.body.len())
}

fn hash(method: &str, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (method, body).hash(&mut hasher);
    hasher.finish()
}

/// Every receipt is on the queue once, with the bytes that it was given for, and nothing else is.
fn check(sent: &[Sent], queue: &Recorder, receipts: &mut HashSet<Receipt>) -> anyhow::Result<()> {
    let mut queued = HashMap::new();
    for message in queue.take() {
        let envelope = Envelope::open(std::str::from_utf8(&message.body)?)
            .map_err(|error| anyhow::anyhow!("open an envelope: {error:?}"))?;
        let body = envelope.body.inline().context("a short body is inline")?;
        ensure!(receipts.insert(envelope.receipt), "{} is on the queue twice", envelope.receipt);
        queued.insert(envelope.receipt, hash(&envelope.method, body));
    }
    let mut without = Vec::new();
    for sent in sent {
        match sent.receipt {
            Some(receipt) => {
                let kept =
                    queued.remove(&receipt).with_context(|| format!("{receipt} is not on the queue"))?;
                ensure!(kept == sent.hash, "{receipt} has other bytes on the queue than were sent");
            }
            None => without.push(sent.hash),
        }
    }
    let mut left: Vec<_> = queued.into_values().collect();
    left.sort_unstable();
    without.sort_unstable();
    ensure!(left == without, "{} more on the queue, {} answers without a receipt", left.len(), without.len());
    Ok(())
}

/// What a process holds in memory, in kilobytes.
fn resident_kb_of(process_id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).context("read /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it says VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("read VmRSS")
}

/// Keeps what this process logs: workerd's words are among them.
fn keep_log() -> Arc<Mutex<Vec<u8>>> {
    let log = Log::default();
    let kept = Arc::clone(&log.0);
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).init();
    kept
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no holder panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
