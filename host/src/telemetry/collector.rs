//! A collector that takes OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>). Knows nothing of what is
//! sent to it, nor of when.

use crate::config::secure_url;
use crate::trace::text;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use percent_encoding::percent_decode_str;
use reqwest::{Client, redirect};
use std::time::Duration;
use url::Url;

/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that it can ask to be left alone.
const AFTER_MAX: Duration = Duration::from_secs(60);
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Where a collector is, and who tells it.
#[derive(Clone, Debug, Default)]
pub struct CollectorConfig {
    /// What comes before `/v1/traces`.
    pub url: String,
    /// Further headers as `name=value,...`, percent-encoded, as in `OTEL_EXPORTER_OTLP_HEADERS`: they may be secret.
    pub headers: String,
    /// The name of this service.
    pub service_name: String,
    /// More about this service, written as the headers are: `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource_attributes: String,
}

/// A collector.
pub struct Collector {
    client: Client,
    traces_url: Url,
    metrics_url: Url,
    headers: HeaderMap,
    resource: Vec<KeyValue>,
}

/// What it did instead of taking what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It did not answer.
    #[error("it cannot be reached ({0})")]
    Unreachable(&'static str),
    /// It answered otherwise.
    #[error("it answered {status}")]
    Status {
        /// The answer's status.
        status: StatusCode,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
}

impl Refusal {
    /// Whether the same may be taken later, as the specification has it.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 429 | 502..=504),
        }
    }

    /// How long it wants to be left alone.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable(_) => None,
            Self::Status { after, .. } => after.map(|after| after.min(AFTER_MAX)),
        }
    }
}

impl Collector {
    /// Checks where it is; it is not asked yet.
    ///
    /// # Errors
    /// Which of the settings cannot be, and what would be.
    pub fn new(config: &CollectorConfig) -> anyhow::Result<Self> {
        let CollectorConfig { url, headers, service_name, resource_attributes } = config;
        let headers = read_headers(headers).context("read OTEL_EXPORTER_OTLP_HEADERS")?;
        let base = if headers.is_empty() {
            Url::parse(url).context("it is no URL")
        } else {
            secure_url(url).context("OTEL_EXPORTER_OTLP_HEADERS may be secret")
        };
        let base = base.context("read telemetry.otlp_url")?;
        ensure!(
            matches!(base.scheme(), "http" | "https") && base.query().is_none(),
            "telemetry.otlp_url is an http or https URL without a query, like http://127.0.0.1:4318"
        );
        let at = |path: &str| -> anyhow::Result<Url> {
            let mut url = base.clone();
            let mut segments =
                url.path_segments_mut().map_err(|()| anyhow::anyhow!("it is no place for requests"))?;
            segments.pop_if_empty().extend(["v1", path]);
            drop(segments);
            Ok(url)
        };
        let pairs = pairs(resource_attributes).context("read OTEL_RESOURCE_ATTRIBUTES")?;
        let named = [("service.name", service_name.as_str()), ("service.version", env!("CARGO_PKG_VERSION"))];
        let own = named.map(|(name, value)| text(name, value));
        let given = pairs.into_iter().filter(|(name, _)| named.iter().all(|(own, _)| own != name));
        let resource = own.into_iter().chain(given.map(|(name, value)| text(&name, value))).collect();
        let is_local = secure_url(url).is_ok() && base.scheme() == "http";
        let client =
            Client::builder().redirect(redirect::Policy::none()).referer(false).timeout(ANSWER_TIMEOUT);
        let client = client.user_agent(concat!("Tidegate/", env!("CARGO_PKG_VERSION")));
        let client = if is_local { client.no_proxy() } else { client };
        Ok(Self {
            client: client.build().context("build the client for the collector")?,
            traces_url: at("traces")?,
            metrics_url: at("metrics")?,
            headers,
            resource,
        })
    }

    /// Who tells it.
    #[must_use]
    pub fn resource(&self) -> &[KeyValue] {
        &self.resource
    }

    /// Sends an `ExportTraceServiceRequest`. Cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn traces(&self, body: impl Into<Bytes>) -> Result<(), Refusal> {
        self.send(&self.traces_url, body.into()).await
    }

    /// Sends an `ExportMetricsServiceRequest`. Cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn metrics(&self, body: impl Into<Bytes>) -> Result<(), Refusal> {
        self.send(&self.metrics_url, body.into()).await
    }

    async fn send(&self, url: &Url, body: Bytes) -> Result<(), Refusal> {
        let request = self.client.post(url.clone()).headers(self.headers.clone());
        let answer = request.header(CONTENT_TYPE, PROTOBUF).body(body).send().await;
        // The error would name the URL, which may hold a token.
        let answer = answer.map_err(|error| {
            Refusal::Unreachable(if error.is_timeout() { "no answer in time" } else { "no connection" })
        })?;
        let (status, headers) = (answer.status(), answer.headers());
        let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let after = after.map(Duration::from_secs);
        // Read to its end, so that the connection is used again.
        let _ = answer.bytes().await;
        if status.is_success() { Ok(()) } else { Err(Refusal::Status { status, after }) }
    }
}

fn read_headers(given: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(given)? {
        let mut value =
            HeaderValue::from_str(&value).with_context(|| format!("{name} has no value for a header"))?;
        value.set_sensitive(true);
        headers.insert(name.parse::<HeaderName>().with_context(|| format!("`{name}` is no header"))?, value);
    }
    Ok(headers)
}

/// `name=value,name=value`, percent-encoded
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables>).
fn pairs(given: &str) -> anyhow::Result<Vec<(String, String)>> {
    let decoded = |text: &str| anyhow::Ok(percent_decode_str(text.trim()).decode_utf8()?.into_owned());
    let pairs = given.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').context("each is written name=value")?;
        Ok((decoded(name)?, decoded(value)?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, headers: &str) -> CollectorConfig {
        CollectorConfig { url: url.into(), headers: headers.into(), ..CollectorConfig::default() }
    }

    #[test]
    fn what_may_be_secret_goes_to_no_place_that_others_can_read() {
        for (url, headers, is_fine) in [
            ("http://collector:4318", "", true),
            ("http://collector:4318/", "x=1", false),
            ("http://127.0.0.1:4318/base/", "authorization=Bearer%20t,x-team=a", true),
            ("https://collector.example", "authorization=Bearer%20t", true),
            ("https://collector.example?token=1", "", false),
            ("grpc://collector:4317", "", false),
            ("collector", "", false),
            ("https://collector.example", "authorization", false),
            ("https://collector.example", "a b=c", false),
            ("https://collector.example", "a=%0A", false),
        ] {
            assert_eq!(Collector::new(&config(url, headers)).is_ok(), is_fine, "{url} {headers}");
        }
        let collector = Collector::new(&config("http://127.0.0.1:4318/base/", "authorization=Bearer%20t"));
        let collector = collector.unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(collector.traces_url.as_str(), "http://127.0.0.1:4318/base/v1/traces");
        assert_eq!(collector.headers.get("authorization").and_then(|it| it.to_str().ok()), Some("Bearer t"));
    }

    #[test]
    fn what_the_operator_says_of_the_host_does_not_hide_what_it_is() {
        let more = "service.version=9,deployment.environment.name=test%20bed".to_owned();
        let config = CollectorConfig {
            service_name: "ours".into(),
            resource_attributes: more,
            ..config("http://a", "")
        };
        let collector = Collector::new(&config).unwrap_or_else(|error| panic!("{error:#}"));
        let said = collector.resource().iter().map(|it| it.key.as_str()).collect::<Vec<_>>();
        assert_eq!(said, ["service.name", "service.version", "deployment.environment.name"]);
        assert!(format!("{:?}", collector.resource()).contains("test bed"));
    }
}
