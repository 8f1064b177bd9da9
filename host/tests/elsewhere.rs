//! Bodies that the vault has, with a vault that can fail: nothing is acknowledged before it is recorded, nothing is
//! forgotten before it is recorded, and nothing is lost for want of a body.

mod home;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use home::Home;
use std::sync::{Arc, Mutex};
use tidegate::comparison::Comparisons;
use tidegate::edge::EdgeClient;
use tidegate::holding::Holding;
use tidegate::partition::Partitions;
use tidegate::pipeline::{Parts, Pipeline, PipelineBounds};
use tidegate::plan::PlanRules;
use tidegate::queue::Queue as _;
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::registry::Switchboard;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::parked::ParkedQuery;
use tidegate::store::sql::SqlStore;
use tidegate::store::{EventRow, Store as _};
use tidegate::turn::Turn;
use tidegate::versions::Versions;
use tidegate_envelope::{Digest, Receipt, SourceName, Unsealed, VaultBody};
use tidegate_queue::{Behavior, NewMessage, QueueId, Queues, system_clock};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const BODY: &[u8] = br#"{"event_type":"asset.update","id":675}"#;

/// What the vault answers, and what it was asked.
#[derive(Default)]
struct Vault {
    /// The status and the bytes of the next answers.
    answer: Mutex<(u16, Vec<u8>)>,
    asked: Mutex<Vec<&'static str>>,
}

impl Vault {
    fn note(&self, what: &'static str) {
        self.asked.lock().expect("nobody panicked").push(what);
    }
}

async fn serve(vault: Arc<Vault>) -> String {
    let give = async |State(vault): State<Arc<Vault>>, Path(_): Path<(String, String)>| -> Response {
        vault.note("get");
        let (status, bytes) = vault.answer.lock().expect("nobody panicked").clone();
        (StatusCode::from_u16(status).expect("a status"), bytes).into_response()
    };
    let forget = async |State(vault): State<Arc<Vault>>, Path(_): Path<(String, String)>| {
        vault.note("delete");
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/vault/{source}/{receipt}", get(give).delete(forget)).with_state(vault);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A pipeline between a queue and a vault.
struct Stage {
    pipeline: Arc<Pipeline<SqlStore>>,
    store: SqlStore,
    queues: Queues,
    queue_id: QueueId,
    queue: EmbeddedQueue,
    vault: Arc<Vault>,
    _dir: Home,
}

impl Stage {
    async fn set(status: u16, bytes: &[u8]) -> Self {
        let vault = Arc::new(Vault::default());
        *vault.answer.lock().expect("nobody panicked") = (status, bytes.to_vec());
        let edge = EdgeClient::new(&serve(Arc::clone(&vault)).await, "a-token").expect("a client");
        Self::with(Some(edge), vault).await
    }

    async fn with(edge: Option<EdgeClient>, vault: Arc<Vault>) -> Self {
        let dir = Home::new();
        let store = dir.open().expect("a store");
        let sandbox = Sandbox::new(SandboxConfig::new(dir.path().join("compiled"))).expect("a sandbox");
        let pipeline = Pipeline::new(Parts {
            store: store.clone(),
            versions: Arc::new(Versions::new(store.clone(), Arc::new(sandbox))),
            switchboard: Arc::new(Switchboard::default()),
            rules: PlanRules::default(),
            bounds: PipelineBounds { fetching_max: 1, ..PipelineBounds::default() },
            now_ms: || 1_800_000_000_000,
            chance: || 0.5,
            recorded: Arc::new(Notify::new()),
            holding: Holding::new(Partitions::ALL),
            edge,
            heard: Arc::default(),
            comparisons: Comparisons::new().0,
            signals: Arc::default(),
        });
        let queues =
            Queues::open(&dir.path().join("queue"), Behavior::default(), system_clock()).expect("a queue");
        let queue_id = queues.ensure_queue("events").await.expect("a queue");
        let queue = EmbeddedQueue::new(queues.clone(), queue_id, 60_000);
        let pipeline = Arc::new(pipeline.await.expect("a pipeline"));
        Self { pipeline, store, queues, queue_id, queue, vault, _dir: dir }
    }

    /// Queues an envelope whose body is elsewhere, and has the pipeline work on what is ready.
    async fn deliver(&self, receipt: Receipt) {
        let source = SourceName::new("amj").expect("a name");
        let unsealed = Unsealed {
            receipt,
            source: &source,
            profile: Some("amj"),
            method: "POST",
            headers: &[],
            content_type: Some("application/json"),
        };
        let bytes = u64::try_from(BODY.len()).expect("a small body");
        let vault = VaultBody { bytes, total_bytes: Some(bytes), truncated: false };
        let text = unsealed.seal_reference(vault, Digest::of(BODY)).expect("it fits");
        self.queues.send(&self.queue_id, vec![NewMessage::text(text)]).await.expect("the queue takes it");
        let pulled = self.queue.pull(10).await.expect("the queue delivers");
        assert_eq!(pulled.deliveries.len(), 1);
        self.pipeline.process(&self.queue, pulled.deliveries, Turn::alone()).await;
    }

    async fn event(&self, receipt: Receipt) -> Option<EventRow> {
        self.store.event(receipt).await.expect("the store answers")
    }

    async fn queued(&self) -> u64 {
        self.queues.metrics(&self.queue_id).await.expect("metrics").backlog_count
    }

    async fn parked(&self) -> Vec<String> {
        let rows = self.store.parked(ParkedQuery::default()).await.expect("the store answers").rows;
        rows.into_iter().map(|row| row.why).collect()
    }

    fn asked(&self) -> Vec<&'static str> {
        self.vault.asked.lock().expect("nobody panicked").clone()
    }
}

fn receipt(n: u128) -> Receipt {
    Receipt::new(1_795_000_000_123, n)
}

#[tokio::test]
async fn a_body_is_fetched_recorded_acknowledged_and_only_then_forgotten() {
    let stage = Stage::set(200, BODY).await;
    stage.deliver(receipt(1)).await;
    let event = stage.event(receipt(1)).await.expect("it is recorded");
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("asset.update", "675"));
    assert_eq!(event.findings, []);
    assert_eq!((stage.queued().await, stage.asked()), (0, vec!["get", "delete"]));
}

#[tokio::test]
async fn the_same_event_again_is_acknowledged_though_the_vault_has_forgotten() {
    let stage = Stage::set(200, BODY).await;
    stage.deliver(receipt(1)).await;
    *stage.vault.answer.lock().expect("nobody panicked") = (404, Vec::new());
    stage.deliver(receipt(1)).await;
    assert_eq!((stage.queued().await, stage.parked().await.len()), (0, 0));
    assert!(stage.event(receipt(1)).await.is_some());
}

#[tokio::test]
async fn an_event_whose_body_is_gone_is_parked_whole() {
    let stage = Stage::set(404, b"").await;
    stage.deliver(receipt(1)).await;
    assert_eq!(stage.queued().await, 0);
    assert_eq!(stage.parked().await, ["the vault no longer has its body"]);
}

#[tokio::test]
async fn while_the_vault_fails_the_event_stays_on_the_queue() {
    let longer = [BODY, b" "].concat();
    for (status, bytes) in
        [(500, &b"down"[..]), (401, b""), (302, b""), (200, b"other bytes"), (200, &longer)]
    {
        let stage = Stage::set(status, bytes).await;
        stage.deliver(receipt(1)).await;
        assert_eq!((stage.queued().await, stage.parked().await.len()), (1, 0), "{status}");
        assert!(stage.event(receipt(1)).await.is_none(), "{status}");
        assert_eq!(stage.asked(), ["get"], "{status}: nothing is forgotten that was not recorded");
    }
}

#[tokio::test]
async fn without_an_edge_the_event_stays_on_the_queue() {
    let stage = Stage::with(None, Arc::default()).await;
    stage.deliver(receipt(1)).await;
    assert_eq!((stage.queued().await, stage.parked().await.len()), (1, 0));
}

#[test]
fn the_edge_is_spoken_to_in_secret_only() {
    for (url, token, words) in [
        ("http://events.example.com", "t", "https"),
        ("ftp://events.example.com", "t", "https"),
        ("events.example.com", "t", "edge.url"),
        ("https://events.example.com/?a", "t", "without a query"),
        ("https://events.example.com", " ", "TIDEGATE_EDGE_TOKEN"),
        ("https://events.example.com", "s3cr\u{7}et", "TIDEGATE_EDGE_TOKEN"),
    ] {
        let error = format!("{:#}", EdgeClient::new(url, token).expect_err(url));
        assert!(error.contains(words) && !error.contains("s3cr"), "{url}: {error}");
    }
    for url in
        ["https://events.example.com", "http://127.0.0.1:8787", "http://localhost:8787/", "http://[::1]:1"]
    {
        let client = EdgeClient::new(url, "s3cret-token").expect(url);
        assert!(!format!("{client:?}").contains("s3cret"), "{client:?}");
    }
}
