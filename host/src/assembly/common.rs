//! What most parts of a host have in common, and the parts that are made of little else.

use super::now_ms;
use super::settings::{effects_retry, executor_config, per_second, rollout_rules, vigil_rules};
use crate::command::random_token;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tidegate::admin::Admin;
use tidegate::admin::guard::Guard;
use tidegate::admin::sources::Endpoints;
use tidegate::alert::sender::{AlertSender, Target};
use tidegate::condition::Bounds;
use tidegate::config::{Config, given};
use tidegate::deploy::Deployer;
use tidegate::dryrun::DryRun;
use tidegate::edge::EdgeClient;
use tidegate::executor::Executor;
use tidegate::executor::secret::Secrets;
use tidegate::forget::Forgetter;
use tidegate::gauge::Gauge;
use tidegate::heard::Heard;
use tidegate::meter::Meter;
use tidegate::outbox::Outbox;
use tidegate::overseer::Overseer;
use tidegate::pace::Pace;
use tidegate::pipeline::Pipeline;
use tidegate::presence::Own;
use tidegate::signal::Signals;
use tidegate::store::Store;
use tidegate::store::watched::Sending;
use tidegate::vigil::report::SourcesReport;
use tidegate::watch::Watch;
use tokio::sync::{Notify, watch};

pub(super) struct Common<'a, S> {
    pub(super) config: &'a Config,
    pub(super) data: &'a Path,
    pub(super) store: S,
    pub(super) deployer: Arc<Deployer<S>>,
    pub(super) pipeline: Arc<Pipeline<S>>,
    pub(super) signals: Arc<Signals>,
    /// Whether alerts are sent.
    pub(super) sending: Sending,
    /// Told after alerts were recorded.
    pub(super) raised: Arc<Notify>,
}

impl<S: Store + Clone> Common<'_, S> {
    pub(super) fn overseer(&self) -> Overseer<S> {
        Overseer {
            deployer: Arc::clone(&self.deployer),
            rules: rollout_rules(self.config),
            sending: self.sending,
            raised: Arc::clone(&self.raised),
        }
    }

    pub(super) fn gauge(&self, bounds: watch::Receiver<Bounds>) -> Gauge<S> {
        Gauge {
            store: self.store.clone(),
            data: self.data.to_owned(),
            signals: Arc::clone(&self.signals),
            bounds,
            every: Duration::from_millis(self.config.alerts.look_ms),
            sending: self.sending,
            raised: Arc::clone(&self.raised),
            now_ms,
        }
    }

    pub(super) fn watch(
        &self,
        edge: Option<EdgeClient>,
        heard: Arc<Heard>,
        report: watch::Sender<Arc<SourcesReport>>,
    ) -> Watch<S> {
        Watch {
            store: self.store.clone(),
            edge,
            poll: Duration::from_millis(self.config.edge.poll_ms),
            rules: vigil_rules(self.config),
            sending: self.sending,
            heard,
            report,
            raised: Arc::clone(&self.raised),
            now_ms,
        }
    }

    pub(super) fn forgetter(&self) -> Arc<Forgetter<S>> {
        Arc::new(Forgetter {
            store: self.store.clone(),
            pipeline: Arc::clone(&self.pipeline),
            now_ms,
            salt: || fastrand::u128(..),
            report: Mutex::default(),
        })
    }

    pub(super) fn meter(&self, sources: watch::Receiver<Arc<SourcesReport>>) -> Arc<Meter<S>> {
        Arc::new(Meter {
            store: self.store.clone(),
            deployer: Arc::clone(&self.deployer),
            holding: Arc::clone(self.pipeline.holding()),
            sources,
            signals: Arc::clone(&self.signals),
            data: self.data.to_owned(),
            started_ms: now_ms(),
            now_ms,
        })
    }

    pub(super) fn alert_sender(&self, target: Target) -> AlertSender<S> {
        AlertSender {
            store: self.store.clone(),
            target,
            retry: effects_retry(self.config),
            now_ms,
            chance: fastrand::f64,
            raised: Arc::clone(&self.raised),
        }
    }

    /// Asks the store who may ask; the token is this machine's own.
    pub(super) async fn guard(&self, token: &str) -> anyhow::Result<Arc<Guard>> {
        Ok(Arc::new(Guard::new(self.store.tokens().await?, token, per_second(self.config))))
    }

    pub(super) fn admin(
        &self,
        (own, guard): (&Arc<Own>, &Arc<Guard>),
        dry_run: Arc<DryRun<S>>,
        sources: watch::Receiver<Arc<SourcesReport>>,
        endpoints: Endpoints,
        (pace, meter): (&Arc<RwLock<Pace>>, &Arc<Meter<S>>),
        stopped: &watch::Receiver<bool>,
    ) -> Admin<S> {
        Admin {
            store: self.store.clone(),
            deployer: Arc::clone(&self.deployer),
            meter: Arc::clone(meter),
            dry_run,
            pipeline: Arc::clone(&self.pipeline),
            raised: Arc::clone(&self.raised),
            forgetter: self.forgetter(),
            sources,
            endpoints,
            pace: Arc::clone(pace),
            guard: Arc::clone(guard),
            own: Arc::clone(own),
            now_ms,
            random_token,
            stopped: stopped.clone(),
        }
    }

    /// Performs with these secrets, and never against what listens here.
    pub(super) fn outbox(
        &self,
        secrets: Secrets,
        own: Vec<SocketAddr>,
        recorded: Arc<Notify>,
    ) -> anyhow::Result<Outbox<S>> {
        let config = self.config;
        let (targets, certificates) = given::targets(config)?;
        Ok(Outbox {
            store: self.store.clone(),
            executor: Executor::new(executor_config(config, secrets, own, certificates)?)?,
            retry: effects_retry(config),
            in_flight_max: config.executor.in_flight_max,
            targets,
            now_ms,
            chance: fastrand::f64,
            recorded,
            signals: Arc::clone(&self.signals),
            holding: Arc::clone(self.pipeline.holding()),
        })
    }
}
