//! A queue under test: one embedded queue, reached by one of the adapters.

use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::queue::rest::{RestQueue, RestQueueConfig, Token};
use tidegate::queue::{Delivery, DeliveryBody, Lease, Queue};
use tidegate_queue::{Behavior, NewMessage, QueueId, Queues, ServeOptions, Server};
use tokio::time::timeout;

/// The account of the queue under test.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
/// The token it takes.
pub(crate) const TOKEN: &str = "a-token-nobody-should-see";

/// Longer than anything here takes, shorter than an adapter's poll interval: what needs this long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A queue under test.
pub(crate) struct Bench<Q> {
    /// The adapter.
    pub(crate) queue: Q,
    /// The other side: for sending, and for looking.
    pub(crate) queues: Queues,
    /// The queue's id.
    pub(crate) id: QueueId,
    /// Its base URL.
    pub(crate) base_url: String,
    _directory: TempDir,
}

/// An embedded queue that is served until the test's runtime ends.
pub(crate) async fn serve(directory: &Path) -> (Queues, QueueId, String) {
    let any_port = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(ServeOptions {
        data_dir: directory.to_owned(),
        rest_addr: any_port,
        binding_addr: any_port,
        account_id: ACCOUNT.to_owned(),
        token: TOKEN.to_owned(),
        behavior: Behavior::default(),
        queues: vec!["events".to_owned()],
    })
    .await
    .expect("the queue starts");
    let (queues, base_url) = (server.queues.clone(), server.base_url());
    let id = queues.ensure_queue("events").await.expect("the queue is there");
    tokio::spawn(server.serve(std::future::pending()));
    (queues, id, base_url)
}

/// How the REST adapter reaches such a queue.
pub(crate) fn rest_config(base_url: &str, queue_id: &str, visibility_timeout_ms: u64) -> RestQueueConfig {
    RestQueueConfig {
        base_url: base_url.to_owned(),
        account_id: ACCOUNT.to_owned(),
        queue_id: queue_id.to_owned(),
        token: Token::new(TOKEN),
        visibility_timeout_ms,
        batch_max: 100,
    }
}

impl Bench<EmbeddedQueue> {
    pub(crate) async fn embedded(visibility_timeout_ms: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (queues, id, base_url) = serve(directory.path()).await;
        let queue = EmbeddedQueue::new(queues.clone(), id, visibility_timeout_ms);
        Self { queue, queues, id, base_url, _directory: directory }
    }
}

impl Bench<RestQueue> {
    pub(crate) async fn rest(visibility_timeout_ms: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (queues, id, base_url) = serve(directory.path()).await;
        let config = rest_config(&base_url, &id.to_string(), visibility_timeout_ms);
        let queue = RestQueue::new(config).expect("a good configuration");
        Self { queue, queues, id, base_url, _directory: directory }
    }
}

impl<Q: Queue> Bench<Q> {
    /// Queues these texts.
    pub(crate) async fn send(&self, texts: &[&str]) {
        for chunk in texts.chunks(100) {
            let messages = chunk.iter().map(|text| NewMessage::text((*text).to_owned())).collect();
            self.queues.send(&self.id, messages).await.expect("the queue takes them");
        }
    }

    /// Pulls until there are this many deliveries.
    pub(crate) async fn pull(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = vec![];
        let all = async {
            while deliveries.len() < count {
                let pulled = self.queue.pull(count - deliveries.len()).await.expect("the queue delivers");
                deliveries.extend(pulled.deliveries);
            }
        };
        timeout(PATIENCE, all).await.expect("there are that many to pull");
        deliveries
    }

    /// Acknowledges these.
    pub(crate) async fn ack(&self, deliveries: Vec<Delivery>) {
        let settled = deliveries.into_iter().map(|delivery| delivery.lease.ack()).collect();
        self.queue.settle(settled).await.expect("the queue takes it");
    }

    /// Has these delivered again.
    pub(crate) async fn retry(&self, leases: Vec<Lease>, delay: Duration) {
        let settled = leases.into_iter().map(|lease| lease.retry(delay)).collect();
        self.queue.settle(settled).await.expect("the queue takes it");
    }

    /// How many messages the queue holds, leased ones included.
    pub(crate) async fn held(&self) -> u64 {
        self.queues.metrics(&self.id).await.expect("the queue counts").backlog_count
    }
}

/// The text of a delivery.
pub(crate) fn text(delivery: &Delivery) -> &str {
    match &delivery.body {
        DeliveryBody::Text(text) => text,
        DeliveryBody::Undecodable { reason, .. } => panic!("{reason}"),
    }
}

/// The texts of deliveries, sorted: a queue promises no order.
pub(crate) fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    let mut texts: Vec<_> = deliveries.iter().map(text).collect();
    texts.sort_unstable();
    texts
}
