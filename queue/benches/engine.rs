//! How fast the queue is, as one JSON line per figure: messages per second through send, pull and ack in this
//! process, and sends per second over the binding protocol. Durable in every case: synchronous=FULL.
//!
//! `cargo bench -p tidegate-queue --bench engine [-- SECONDS]`

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use std::path::Path;
use std::time::{Duration, Instant};
use tidegate_queue::{Behavior, NewMessage, Queues, ServeOptions, Server, system_clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const BODY_BYTES: usize = 1_000;
const CLIENTS: usize = 64;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(3);
    let time = Duration::from_secs(seconds);
    for batch in [500, 100, 1] {
        in_process(batch, time).await?;
    }
    let shared = in_process_shared(time).await?;
    print("send, 64 tasks, 1 message each call", shared);
    over_binding(time).await
}

/// A figure with the CPU time behind it.
struct Figure {
    messages: u64,
    elapsed: Duration,
    cpu: Duration,
    commits: u64,
}

fn print(name: &str, figure: Figure) {
    let messages = f64::from(u32::try_from(figure.messages).unwrap_or(u32::MAX));
    let line = serde_json::json!({
        "name": name,
        "per_second": (messages / figure.elapsed.as_secs_f64()).round(),
        "cpu_us_per_message": (figure.cpu.as_secs_f64() * 1e8 / messages).round() / 100.0,
        "commits": figure.commits,
    });
    println!("{line}");
}

struct Watch {
    start: Instant,
    cpu: Duration,
    commits: u64,
}

impl Watch {
    fn start(queues: &Queues) -> Self {
        Self { start: Instant::now(), cpu: cpu_time(), commits: queues.commits() }
    }

    fn stop(self, queues: &Queues, messages: u64) -> Figure {
        Figure {
            messages,
            elapsed: self.start.elapsed(),
            cpu: cpu_time().saturating_sub(self.cpu),
            commits: queues.commits() - self.commits,
        }
    }
}

/// CPU time of this process so far, where the system tells (ticks of 10 ms on Linux).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

async fn in_process(batch: usize, time: Duration) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let queues = Queues::open(directory.path(), Behavior::default(), system_clock())?;
    let queue = queues.ensure_queue("bench").await?;
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let share = time / 3;

    let watch = Watch::start(&queues);
    let mut sent = 0;
    while watch.start.elapsed() < share {
        queues.send(&queue, vec![NewMessage::text(body.clone()); batch]).await?;
        sent += u64::try_from(batch)?;
    }
    print(&format!("send, batch {batch}"), watch.stop(&queues, sent));

    let watch = Watch::start(&queues);
    let mut pulled = Vec::new();
    let mut count = 0;
    loop {
        let messages = queues.pull(&queue, batch, 600_000).await?.messages;
        if messages.is_empty() {
            break;
        }
        count += u64::try_from(messages.len())?;
        pulled.push(messages.into_iter().map(|message| message.lease).collect::<Vec<_>>());
    }
    ensure!(count == sent, "pulled {count} of {sent}");
    print(&format!("pull, batch {batch}"), watch.stop(&queues, count));

    let watch = Watch::start(&queues);
    let mut acked = 0;
    for leases in pulled {
        acked += queues.ack(&queue, leases, Vec::new()).await?.acks;
    }
    let acked = u64::try_from(acked)?;
    ensure!(acked == sent, "acknowledged {acked} of {sent}");
    print(&format!("ack, batch {batch}"), watch.stop(&queues, acked));
    Ok(())
}

async fn in_process_shared(time: Duration) -> Result<Figure> {
    let directory = tempfile::tempdir()?;
    let queues = Queues::open(directory.path(), Behavior::default(), system_clock())?;
    let queue = queues.ensure_queue("bench").await?;
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let watch = Watch::start(&queues);
    let end = watch.start + time;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (queues, body) = (queues.clone(), body.clone());
        tasks.spawn(async move {
            let mut sent: u64 = 0;
            while Instant::now() < end {
                queues.send(&queue, vec![NewMessage::text(body.clone())]).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(task) = tasks.join_next().await {
        sent += task??;
    }
    Ok(watch.stop(&queues, sent))
}

async fn over_binding(time: Duration) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let server = Server::bind(options(directory.path())?).await?;
    let (addr, queues) = (server.binding_addr, server.queues.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async { drop(stopped.await) }));
    let watch = Watch::start(&queues);
    let end = watch.start + time;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        tasks.spawn(async move {
            let mut connection = TcpStream::connect(addr).await?;
            connection.set_nodelay(true)?;
            let mut sent: u64 = 0;
            while Instant::now() < end {
                post_message(&mut connection).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(task) = tasks.join_next().await {
        sent += task??;
    }
    let figure = watch.stop(&queues, sent);
    let queue = queues.ensure_queue("bench").await?;
    let backlog = queues.metrics(&queue).await?.backlog_count;
    ensure!(backlog == sent, "{backlog} queued of {sent} sent");
    print("binding POST /message, 64 connections, client included", figure);
    drop(stop);
    serving.await??;
    Ok(())
}

async fn post_message(connection: &mut TcpStream) -> Result<()> {
    let head = format!(
        "POST /message HTTP/1.1\r\nHost: fake-host\r\nX-Msg-Fmt: text\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + BODY_BYTES, b'x');
    connection.write_all(&request).await?;
    let mut answer = Vec::with_capacity(512);
    loop {
        let read = connection.read_buf(&mut answer).await?;
        ensure!(read > 0, "the server closed the connection");
        if is_whole(&answer)? {
            return Ok(());
        }
    }
}

/// Whether a whole answer is there; an error unless it is a good one.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let text = std::str::from_utf8(answer)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(false);
    };
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without length")?;
    Ok(body.len() >= length.1.trim().parse()?)
}

fn options(directory: &Path) -> Result<ServeOptions> {
    Ok(ServeOptions {
        data_dir: directory.to_owned(),
        rest_addr: "127.0.0.1:0".parse()?,
        binding_addr: "127.0.0.1:0".parse()?,
        account_id: "bench".to_owned(),
        token: "bench".to_owned(),
        behavior: Behavior::default(),
        queues: vec!["bench".to_owned()],
    })
}
