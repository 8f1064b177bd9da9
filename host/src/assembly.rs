//! Puts the parts of a host together. The one place, with the commands and the tests, that names adapters.

mod common;
mod listen;
mod settings;
mod sharing;

pub(crate) use settings::rules;

use crate::command::variable;
use anyhow::Context as _;
use common::Common;
use reqwest::Url;
use settings::{condition_bounds, gate_bounds, pipeline_bounds, pump_bounds, sandbox_config};
use sharing::{Duties, Shared};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate::account::Accounts;
use tidegate::admin::client::Address;
use tidegate::admin::overview::keep_pace;
use tidegate::admin::sources::Endpoints;
use tidegate::alert::sender::{self as alert_sender, Target};
use tidegate::comparison::{self, Comparisons};
use tidegate::condition::Bounds;
use tidegate::config::Config;
use tidegate::config::given::{self, GivenSecret};
use tidegate::deploy::Deployer;
use tidegate::dryrun::DryRun;
use tidegate::edge::EdgeClient;
use tidegate::executor::secret::{self, SecretValue};
use tidegate::gate::Gate;
use tidegate::gauge;
use tidegate::keep::{self, Keeper};
use tidegate::outbox;
use tidegate::overseer;
use tidegate::pipeline::{Parts, Pipeline};
use tidegate::queue::Queue;
use tidegate::retention::Retention;
use tidegate::revisit;
use tidegate::sandbox::Sandbox;
use tidegate::signal::Signals;
use tidegate::store::seal::StoreKeys;
use tidegate::store::sql::SqlStore;
use tidegate::store::watched::Sending;
use tidegate::telemetry::{self, Collector, CollectorConfig, Telemetry};
use tidegate::trace::{Sampling, Told};
use tidegate::versions::Versions;
use tidegate::watch as watching;
use tidegate_envelope::SourceName;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// The longest that stopping waits for what is under way. What is not finished then was not acknowledged.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// What differs between a host in production and one that is tried out.
pub(crate) struct HostParts<Q> {
    /// What it pulls from, at least one.
    pub(crate) queues: Vec<Q>,
    /// What stands in no file.
    pub(crate) secrets: Secrets,
    /// Where this process listens beside its admin API: no effect goes there.
    pub(crate) own: Vec<SocketAddr>,
    /// How long what was recorded is kept.
    pub(crate) retention: Retention,
    /// The request URLs that are known.
    pub(crate) request_urls: BTreeMap<SourceName, Url>,
}

/// What stands in no file.
#[derive(Default)]
pub(crate) struct Secrets {
    /// What the edge knows as `HOST_TOKEN`.
    pub(crate) edge_token: Option<String>,
    /// What alerts are signed with.
    pub(crate) alerts_secret: Option<String>,
    /// What plugins may name.
    pub(crate) named: secret::Secrets,
    /// What the store is encrypted with, and what it was before.
    pub(crate) store: StoreKeys,
    /// What the database lets in, where the store is one.
    pub(crate) store_password: Option<String>,
    /// What the collector lets in, and what more it is told about this host, as OpenTelemetry's variables have it.
    pub(crate) otlp_headers: String,
    pub(crate) otlp_resource: String,
}

impl Secrets {
    /// The operator's, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or holds no secret.
    pub(crate) fn from_env(config: &Config) -> anyhow::Result<Self> {
        let named = given::secrets(config)?.into_iter().map(|GivenSecret { named, env }| {
            let name = named.name.clone();
            let value = variable(&env).with_context(|| {
                format!("set {env} in the environment to the value of the secret `{name}` ([[secrets]] in tidegate.toml)")
            })?;
            let value = SecretValue::new(&value).with_context(|| format!("read {env}, the secret `{name}`"))?;
            Ok((named, value))
        });
        let (key, old_keys) = (variable("TIDEGATE_STORE_KEY"), variable("TIDEGATE_STORE_KEY_OLD"));
        Ok(Self {
            edge_token: variable("TIDEGATE_EDGE_TOKEN"),
            alerts_secret: variable("TIDEGATE_ALERTS_SECRET"),
            named: secret::Secrets::new(named.collect::<anyhow::Result<_>>()?),
            store: StoreKeys::parse(key.as_deref(), old_keys.as_deref())?,
            store_password: variable("TIDEGATE_STORE_PASSWORD"),
            otlp_headers: variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default(),
            otlp_resource: variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default(),
        })
    }
}

/// A host at work. Stop it with [`Host::stop`]; dropping it stops it at once, and nothing is lost by that.
pub(crate) struct Host {
    /// Where its admin API is.
    pub(crate) admin: Address,
    stop: watch::Sender<bool>,
    conditions: watch::Sender<Bounds>,
    tasks: JoinSet<()>,
}

impl Host {
    /// Starts a host that pulls from these queues and keeps its state in this directory.
    pub(crate) async fn start<Q: Queue>(
        config: &Config,
        data: &Path,
        parts: HostParts<Q>,
    ) -> anyhow::Result<Self> {
        let HostParts { queues, secrets, own, retention, request_urls } = parts;
        let (edge, target) = (edge(config, &secrets)?, target(config, &secrets)?);
        let endpoints = Endpoints { edge: edge.as_ref().map(|edge| edge.url().clone()), known: request_urls };
        let collector = collector(config, &secrets)?;
        let (stop, stopped) = watch::channel(false);
        let (recorded, heard) = (Arc::new(Notify::new()), Arc::default());
        let (signals, told) = signals(config);
        let store = sharing::open(config, data, &secrets, queues.len()).await?;
        let holding = sharing::holding(config);
        let (deployer, dry_run) = deployer(config, data, &store, &secrets).await?;
        let (comparisons, compared) = Comparisons::new();
        let pipeline = Pipeline::new(Parts {
            store: store.clone(),
            versions: Arc::clone(&deployer.versions),
            switchboard: Arc::clone(&deployer.switchboard),
            rules: rules(config),
            bounds: pipeline_bounds(config),
            now_ms,
            chance: fastrand::f64,
            recorded: Arc::clone(&recorded),
            holding: Arc::clone(&holding),
            edge: edge.clone(),
            heard: Arc::clone(&heard),
            comparisons,
            signals: Arc::clone(&signals),
        });
        let pipeline = Arc::new(pipeline.await?);
        let sending = if target.is_some() { Sending::On } else { Sending::Off };
        let raised = Arc::default();
        let common = Common { config, data, store, deployer, pipeline, signals, sending, raised };
        let mut tasks = JoinSet::new();
        tasks.spawn(sharing::until_taken_over(common.store.clone(), stopped.clone()));
        let (report, sources) = watch::channel(Arc::default());
        let (conditions, bounds_now) = watch::channel(condition_bounds(config));
        let (pace, meter) = (Arc::default(), common.meter(sources.clone()));
        let token = crate::command::random_token()?;
        let pullers = sharing::pullers(config, queues.len());
        let this = sharing::own(config, &pullers, &common.signals);
        let guard = common.guard(&token).await?;
        let admin = common.admin((&this, &guard), dry_run, sources, endpoints, (&pace, &meter), &stopped);
        let (admin, admin_addrs) = listen::serve(config, admin, token, &mut tasks, &stopped).await?;
        let own = own.into_iter().chain(admin_addrs).collect();
        let outbox = common.outbox(secrets.named, own, Arc::clone(&recorded))?;
        admin.write(data)?;
        let Common { store, deployer, pipeline, .. } = &common;
        tasks.spawn(keep_pace(store.clone(), Arc::clone(deployer), pace, now_ms, stopped.clone()));
        let mut duties = Duties { tasks: &mut tasks, holding: &holding, stopped: &stopped };
        duties.add(common.watch(edge, Arc::clone(&heard), report.clone()), watching::run);
        duties.add(common.overseer(), overseer::run);
        duties.add(common.gauge(bounds_now), gauge::run);
        duties.add(Keeper { store: store.clone(), retention, now_ms }, keep::run);
        if let Some(target) = target {
            duties.add(common.alert_sender(target), alert_sender::run);
        }
        let compared =
            comparison::run(store.clone(), Arc::clone(pipeline), compared, now_ms, stopped.clone());
        tasks.spawn(compared);
        if let Some((collector, told)) = collector.zip(told) {
            let metrics_every = Duration::from_millis(config.telemetry.metrics_ms);
            let signals = Arc::clone(&common.signals);
            let telemetry = Telemetry { collector, told, meter, signals, metrics_every };
            tasks.spawn(telemetry::run(telemetry, stopped.clone()));
        }
        tasks.spawn(outbox::run(outbox, stopped.clone()));
        tasks.spawn(revisit::run(store.clone(), Arc::clone(pipeline), recorded, now_ms, stopped.clone()));
        // What others pulled for this host is one queue more.
        let shares = sharing::shares(config);
        let bounds = pump_bounds(config, queues.len() + usize::from(shares));
        common.start_pumps(queues, &pullers, &bounds, &mut tasks, &stopped);
        if shares {
            let shared = Shared { own: this, guard, report, heard, pullers, bounds };
            common.share(shared, &mut tasks, &stopped);
        }
        Ok(Self { admin, stop, conditions, tasks })
    }

    /// Takes over what can be at work; `config::reload` says what that is.
    pub(crate) fn reload(&self, config: &Config) {
        self.conditions.send_replace(condition_bounds(config));
    }

    /// Stops pulling, finishes what was pulled and what is being performed, then returns.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_MAX, finish).await.is_err() {
            tracing::warn!(
                "not everything was finished within {DRAIN_MAX:?}; it comes again after the next start"
            );
        }
    }

    /// Resolves when one of the host's loops has ended though nobody stopped it.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a part of the host stopped"),
            _ => anyhow::anyhow!("a part of the host stopped"),
        }
    }
}

/// What puts versions to work, with those that were at work before; and what tries them.
async fn deployer(
    config: &Config,
    data: &Path,
    store: &SqlStore,
    secrets: &Secrets,
) -> anyhow::Result<(Arc<Deployer<SqlStore>>, Arc<DryRun<SqlStore>>)> {
    let versions = Arc::new(Versions {
        limits: config.limits,
        secrets: secrets.named.named(),
        accounts: Arc::new(Accounts::new(now_ms())),
        ..Versions::new(store.clone(), Arc::new(Sandbox::new(sandbox_config(config, data)?)?))
    });
    let dry_run = Arc::new(DryRun::new(Arc::clone(&versions), rules(config)));
    let gate = Gate::new(Arc::clone(&dry_run), gate_bounds(config));
    let deployer = Deployer::new(versions, Arc::default(), now_ms).with_gate(gate);
    let deployer = deployer.trusting(given::trust(&config.plugins)?);
    let registry = deployer.restore().await.context("bring back the deployed plugins")?;
    tracing::info!(plugins = registry.standings().count(), "restored");
    Ok((Arc::new(deployer), dry_run))
}

/// The edge, where one is configured.
fn edge(config: &Config, secrets: &Secrets) -> anyhow::Result<Option<EdgeClient>> {
    if config.edge.url.is_empty() {
        tracing::warn!(
            "edge.url is not set: nobody tells when a sender is about to stop, and large bodies wait"
        );
        return Ok(None);
    }
    let token = secrets.edge_token.as_deref();
    let token = token.context("edge.url is set: set TIDEGATE_EDGE_TOKEN to the Worker's HOST_TOKEN, too")?;
    EdgeClient::new(&config.edge.url, token).map(Some)
}

/// What the parts tell, and what of it goes to the collector, where there is one.
fn signals(config: &Config) -> (Arc<Signals>, Option<mpsc::Receiver<Told>>) {
    if config.telemetry.otlp_url.is_empty() {
        return Default::default();
    }
    let (signals, told) = Signals::with_traces(Sampling(config.telemetry.sample_ratio));
    (Arc::new(signals), Some(told))
}

/// Where traces and metrics go, if anywhere.
fn collector(config: &Config, secrets: &Secrets) -> anyhow::Result<Option<Collector>> {
    let telemetry = &config.telemetry;
    if telemetry.otlp_url.is_empty() {
        return Ok(None);
    }
    let collector = CollectorConfig {
        url: telemetry.otlp_url.clone(),
        headers: secrets.otlp_headers.clone(),
        service_name: telemetry.service_name.clone(),
        resource_attributes: secrets.otlp_resource.clone(),
    };
    Collector::new(&collector).map(Some)
}

/// Where alerts go, if anywhere.
fn target(config: &Config, secrets: &Secrets) -> anyhow::Result<Option<Target>> {
    if config.alerts.url.is_empty() {
        return Ok(None);
    }
    Target::new(&config.alerts.url, secrets.alerts_secret.as_deref()).map(Some)
}

/// The wall clock: the one place where it enters.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
