//! A queue to test with: its clock, its directory, its server.

use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tidegate_queue::{
    Behavior, ConsumerSettings, ConsumerSpec, Lease, Message, NewMessage, QueueId, Queues, ServeError,
    ServeOptions, Server,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A clock that stands until it is moved, in milliseconds.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Queues on a hand-moved clock.
pub(crate) struct Bench {
    pub(crate) queues: Queues,
    pub(crate) queue: QueueId,
    pub(crate) clock: HandClock,
    pub(crate) directory: TempDir,
    behavior: Behavior,
}

impl Bench {
    pub(crate) async fn new(behavior: Behavior) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let clock = HandClock(Arc::new(AtomicU64::new(1_764_000_000_000)));
        let queues = open(&directory, &clock, behavior.clone())?;
        let queue = queues.ensure_queue("main").await?;
        Ok(Self { queues, queue, clock, directory, behavior })
    }

    /// Closes everything and opens it again.
    pub(crate) fn reopen(self) -> Result<Self> {
        drop(self.queues);
        let queues = open(&self.directory, &self.clock, self.behavior.clone())?;
        Ok(Self { queues, ..self })
    }

    pub(crate) async fn send(&self, bodies: &[&str]) -> Result<()> {
        let messages = bodies.iter().map(|body| NewMessage::text((*body).to_owned())).collect();
        self.queues.send(&self.queue, messages).await?;
        Ok(())
    }

    pub(crate) async fn pull(&self, visibility_ms: u64) -> Result<Vec<Message>> {
        Ok(self.queues.pull(&self.queue, 100, visibility_ms).await?.messages)
    }

    /// Acknowledges; says how many were taken and how many made a warning.
    pub(crate) async fn ack(&self, leases: &[Lease]) -> Result<(usize, usize)> {
        let report = self.queues.ack(&self.queue, leases.to_vec(), Vec::new()).await?;
        Ok((report.acks, report.warnings.len()))
    }

    pub(crate) async fn backlog(&self) -> Result<u64> {
        Ok(self.queues.metrics(&self.queue).await?.backlog_count)
    }

    /// Changes the consumer of the queue.
    pub(crate) async fn set_consumer(
        &self,
        dead_letter_queue: Option<&str>,
        settings: ConsumerSettings,
    ) -> Result<()> {
        let record = self.queues.queue(&self.queue).await?;
        let consumer = record.consumer.expect("ensure_queue gives one");
        let spec = ConsumerSpec {
            dead_letter_queue: dead_letter_queue.map(str::to_owned),
            settings,
            ..consumer.spec
        };
        self.queues.update_consumer(&self.queue, consumer.id, spec).await?;
        Ok(())
    }
}

pub(crate) fn open(directory: &TempDir, clock: &HandClock, behavior: Behavior) -> Result<Queues> {
    let clock = clock.clone();
    Ok(Queues::open(directory.path(), behavior, Arc::new(move || clock.now_ms()))?)
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|m| String::from_utf8_lossy(&m.body).into_owned()).collect()
}

pub(crate) fn leases(messages: &[Message]) -> Vec<Lease> {
    messages.iter().map(|m| m.lease).collect()
}

/// A server under way.
pub(crate) struct Running {
    pub(crate) base_url: String,
    pub(crate) binding_url: String,
    pub(crate) queues: Queues,
    pub(crate) queue: QueueId,
    _directory: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) fn url(&self, queue: &QueueId, path: &str) -> String {
        format!("{}/accounts/account/queues/{queue}{path}", self.base_url)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        drop(self.stop);
        Ok(self.serving.await??)
    }
}

pub(crate) fn options(behavior: Behavior) -> ServeOptions {
    let loopback = ([127, 0, 0, 1], 0).into();
    ServeOptions {
        data_dir: Default::default(),
        rest_addr: loopback,
        binding_addr: loopback,
        account_id: "account".to_owned(),
        token: "token".to_owned(),
        behavior,
        queues: vec!["main".to_owned()],
    }
}

pub(crate) async fn serve(options: ServeOptions) -> Result<Running> {
    let directory = tempfile::tempdir()?;
    let data_dir = directory.path().to_owned();
    let server = Server::bind(ServeOptions { data_dir, ..options }).await?;
    let (stop, stopped) = oneshot::channel();
    Ok(Running {
        base_url: server.base_url(),
        binding_url: format!("http://{}", server.binding_addr),
        queue: server.ensure_queue("main").await?,
        queues: server.queues.clone(),
        _directory: directory,
        stop,
        serving: tokio::spawn(server.serve(async { drop(stopped.await) })),
    })
}

/// A client that goes nowhere else and does not wait for ever.
pub(crate) fn client() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(40))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    Ok(client)
}
