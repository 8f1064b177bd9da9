//! A real OpenTelemetry collector on this machine, and who it hands on what it takes. Knows nothing of what a trace means.

use super::process::Process;
use super::{lasting_port, local, until};
use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use tidegate_toolchain::tool;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// What the collector handed on.
#[derive(Debug, Default)]
struct Handed {
    spans: Vec<Span>,
    metrics: Vec<Metric>,
}

/// A running collector. Dropping it kills it.
#[derive(Debug)]
pub struct Collector {
    /// Where it takes OTLP over HTTP.
    pub url: String,
    handed: Arc<Mutex<Handed>>,
    serving: JoinHandle<()>,
    _process: Process,
    _dir: TempDir,
}

impl Collector {
    /// Starts one that hands on what it takes.
    ///
    /// # Errors
    /// When it is not on this machine, the error says what to type; or when it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let (dir, listener) = (tempfile::tempdir()?, TcpListener::bind(local(0)).await?);
        let onward = format!("http://{}", listener.local_addr()?);
        let handed = Arc::<Mutex<Handed>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take_traces))
            .route("/v1/metrics", post(take_metrics))
            .with_state(Arc::clone(&handed));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a bound listener serves until it is dropped");
        });
        let (http, grpc) = (local(lasting_port()?), local(lasting_port()?));
        let mut command = Command::new(tool::find("rotel")?);
        command.args(["start", "--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc]);
        command.args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
        command.args(["--otlp-exporter-endpoint", &onward]);
        command.current_dir(dir.path());
        let process = Process::start("rotel", command, &dir.path().join("log"))?;
        let (client, url) = (reqwest::Client::builder().no_proxy().build()?, format!("http://{http}"));
        until("the collector answers", async || {
            Ok(client.post(format!("{url}/v1/traces")).send().await.ok().map(drop))
        })
        .await
        .with_context(|| process.log().unwrap_or_default())?;
        Ok(Self { url, handed, serving, _process: process, _dir: dir })
    }

    /// The spans of this trace that it handed on up to now.
    #[must_use]
    pub fn spans(&self, trace_id: [u8; 16]) -> Vec<Span> {
        let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }

    /// Waits until it handed on so many spans of this trace, and gives them.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn until_spans(&self, trace_id: [u8; 16], count: usize) -> anyhow::Result<Vec<Span>> {
        let enough = until("the collector has the spans", async || {
            Ok(Some(self.spans(trace_id)).filter(|spans| spans.len() >= count))
        });
        enough.await.with_context(|| format!("there are {:#?}", self.spans(trace_id)))
    }

    /// Waits until it handed on a metric of this name.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn until_metric(&self, name: &str) -> anyhow::Result<Metric> {
        until("the collector has the metric", async || {
            let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(handed.metrics.iter().rfind(|metric| metric.name == name).cloned())
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The collector's requests are compressed, whatever it is told.
fn unpacked(body: &[u8]) -> Bytes {
    let mut unpacked = Vec::new();
    GzDecoder::new(body).read_to_end(&mut unpacked).expect("a collector's request is compressed");
    unpacked.into()
}

async fn take_traces(State(handed): State<Arc<Mutex<Handed>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(unpacked(&body)).expect("a collector speaks OTLP");
    let spans = request.resource_spans.into_iter().flat_map(|it| it.scope_spans).flat_map(|it| it.spans);
    handed.lock().unwrap_or_else(PoisonError::into_inner).spans.extend(spans);
}

async fn take_metrics(State(handed): State<Arc<Mutex<Handed>>>, body: Bytes) {
    let request = ExportMetricsServiceRequest::decode(unpacked(&body)).expect("a collector speaks OTLP");
    let metrics =
        request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics).flat_map(|it| it.metrics);
    handed.lock().unwrap_or_else(PoisonError::into_inner).metrics.extend(metrics);
}
