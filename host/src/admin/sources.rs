//! How the sources are, what was told of them, and whether one works. Knows nothing of how that is found out.

use super::extract::{Only, Operate, Path, Sent};
use super::refusal::Refused;
use super::{Admin, PAGE_ROWS_MAX};
use crate::alert::Gap;
use crate::sample;
use crate::store::Store;
use crate::store::watched::AlertRow;
use crate::vigil::report::SourcesReport;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tidegate_envelope::{Receipt, SourceName};

/// Where sources are tried.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The edge, when it is known: a test goes nowhere else.
    pub edge: Option<Url>,
    /// The request URLs that are known. Elsewhere than with `tidegate dev` the host knows none: a token is between the edge
    /// and the sender.
    pub known: BTreeMap<SourceName, Url>,
}

/// A test of a source.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceTest {
    /// The source's request URL; not needed where the host knows it. It is kept nowhere.
    #[serde(default)]
    pub url: Option<String>,
}

/// A source's name in a path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfSource {
    /// Which source.
    source: SourceName,
}

/// What a test gave.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SourceTested {
    /// The event that came of it; what becomes of it is told like that of any other.
    pub receipt: Receipt,
    /// How long the edge took to answer, in milliseconds.
    pub ack_ms: u64,
}

pub(super) async fn sources<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Json<SourcesReport> {
    let report = Arc::clone(&admin.sources.borrow());
    Json((*report).clone())
}

pub(super) async fn gaps<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<Vec<Gap>>, Refused> {
    Ok(Json(admin.store.gaps(PAGE_ROWS_MAX).await?))
}

pub(super) async fn alerts<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<Vec<AlertRow>>, Refused> {
    Ok(Json(admin.store.alerts(PAGE_ROWS_MAX).await?))
}

pub(super) async fn test<S: Store + Clone>(
    _: Only<Operate>,
    State(admin): State<Arc<Admin<S>>>,
    Path(OfSource { source }): Path<OfSource>,
    Sent(test): Sent<SourceTest>,
) -> Result<Json<SourceTested>, Refused> {
    let url = admin.endpoints.of(&source, test.url.as_deref())?;
    let asked = Instant::now();
    let now = Timestamp::from_millisecond((admin.now_ms)().cast_signed()).unwrap_or_default();
    let posted = sample::post(url, &source, now).await;
    let receipt = posted.map_err(|error| Refused::new(StatusCode::BAD_GATEWAY, format!("{error:#}")))?;
    let ack_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(SourceTested { receipt, ack_ms }))
}

impl Endpoints {
    /// Where this source is tried.
    fn of(&self, source: &SourceName, given: Option<&str>) -> Result<Url, Refused> {
        let Some(given) = given else {
            return self.known.get(source).cloned().ok_or_else(|| {
                let why = format!(
                    "the host does not know where {source} takes events: give its request URL as `url`"
                );
                Refused::unprocessable(why)
            });
        };
        let edge = self.edge.as_ref().ok_or_else(|| {
            Refused::unprocessable(
                "no edge.url is set, and a test goes to the edge alone: set it in tidegate.toml",
            )
        })?;
        let url = sample::request_url(given, source)
            .map_err(|error| Refused::unprocessable(format!("url: {error:#}")))?;
        if url.origin() != edge.origin() {
            let why = format!("url: it is not at the edge, which is {}", edge.origin().ascii_serialization());
            return Err(Refused::unprocessable(why));
        }
        Ok(url)
    }
}
