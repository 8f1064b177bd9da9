//! The admin API: what the command line and the page speak to, under `/api/v1`. Each request needs a token, whoever asks: a
//! plugin that may reach loopback must not be able to deploy another. Knows nothing of SQL or wasm.

pub mod client;
pub mod dryrun;
mod extract;
mod forget;
pub mod guard;
mod hosts;
mod listing;
pub mod overview;
pub mod plugins;
mod refusal;
pub mod route;
mod schema;
pub mod serve;
pub mod sources;
pub mod stream;
pub mod tokens;
mod veil;

use crate::deploy::Deployer;
use crate::dryrun::DryRun;
use crate::forget::Forgetter;
use crate::meter::Meter;
use crate::pace::Pace;
use crate::pipeline::Pipeline;
use crate::presence::Own;
use crate::vigil::report::SourcesReport;
use guard::Guard;
use sources::Endpoints;
use std::sync::{Arc, RwLock};
use tokio::sync::{Notify, watch};

/// Rows in one page of a list.
pub const PAGE_ROWS_MAX: usize = 500;

/// What the API works on.
pub struct Admin<S> {
    /// What is listed.
    pub store: S,
    /// What deploys.
    pub deployer: Arc<Deployer<S>>,
    /// What reads the metrics.
    pub meter: Arc<Meter<S>>,
    /// What asks versions about events of the past.
    pub dry_run: Arc<DryRun<S>>,
    /// What carries out what is said about what is parked.
    pub pipeline: Arc<Pipeline<S>>,
    /// Told when an alert is to be sent again.
    pub raised: Arc<Notify>,
    /// What forgets a person.
    pub forgetter: Arc<Forgetter<S>>,
    /// How the sources are.
    pub sources: watch::Receiver<Arc<SourcesReport>>,
    /// Where sources are tried.
    pub endpoints: Endpoints,
    /// The last hour.
    pub pace: Arc<RwLock<Pace>>,
    /// Who may ask.
    pub guard: Arc<Guard>,
    /// This host, as it says itself.
    pub own: Arc<Own>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// Chance, for tokens.
    pub random_token: fn() -> anyhow::Result<String>,
    /// Told when the host stops: whoever follows it is let go.
    pub stopped: watch::Receiver<bool>,
}
