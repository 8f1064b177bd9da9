//! The store, and this host's part in the work of all that share it.

use super::common::Common;
use super::{Secrets, now_ms};
use crate::command::notify;
use anyhow::Context as _;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use tidegate::admin::guard::{self, Guard};
use tidegate::config::{self, Config};
use tidegate::duty;
use tidegate::group::{self, Group};
use tidegate::heard::Heard;
use tidegate::holding::Holding;
use tidegate::partition::Partitions;
use tidegate::presence::{self, Own, Presence};
use tidegate::pump::{self, PumpBounds};
use tidegate::queue::Queue;
use tidegate::queue::errands::Errands;
use tidegate::signal::Signals;
use tidegate::store::group::Host;
use tidegate::store::sql::{Others, SqlStore};
use tidegate::vigil::report::SourcesReport;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The store, in a file or in a database. So many queues are pulled from.
pub(super) async fn open(
    config: &Config,
    data: &Path,
    secrets: &Secrets,
    queues: usize,
) -> anyhow::Result<SqlStore> {
    let (keys, url) = (secrets.store.clone(), config.store.url.clone());
    if url.is_empty() {
        return SqlStore::open_with(data, &keys);
    }
    let password = secrets.store_password.clone();
    let others = match config.store.others {
        config::others::Others::Refuse => Others::Refuse,
        config::others::Others::Await => Others::Await,
        config::others::Others::Share => Others::Share(Host { name: name(config), queues }),
    };
    if others == Others::Await {
        notify::tell(notify::STANDING_BY);
    }
    let opening =
        tokio::task::spawn_blocking(move || SqlStore::connect(&url, password.as_deref(), &keys, others));
    opening.await.context("open the store")?
}

/// What the host is called among those that share the work.
fn name(config: &Config) -> String {
    if config.store.host.is_empty() {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        config.store.host.clone()
    }
}

pub(super) fn shares(config: &Config) -> bool {
    !config.store.url.is_empty() && config.store.others == config::others::Others::Share
}

/// What this host holds at the start: everything, unless it shares the work. Then it claims its part.
pub(super) fn holding(config: &Config) -> Arc<Holding> {
    Holding::new(if shares(config) { Partitions::NONE } else { Partitions::ALL })
}

/// Ends when another host works on the store, or when this one is stopped.
pub(super) async fn until_taken_over(store: SqlStore, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = store.ended() => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// What there is one of for all hosts.
pub(super) struct Duties<'a> {
    pub(super) tasks: &'a mut JoinSet<()>,
    pub(super) holding: &'a Arc<Holding>,
    pub(super) stopped: &'a watch::Receiver<bool>,
}

impl Duties<'_> {
    /// Has it done by one of them.
    pub(super) fn add<P, F>(&mut self, parts: P, run: fn(P, watch::Receiver<bool>) -> F)
    where
        P: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let begin = move |stop| run(parts.clone(), stop);
        self.tasks.spawn(duty::run(Arc::clone(self.holding), begin, self.stopped.clone()));
    }
}

/// Told how many hosts pull from each of so many queues: this one alone, unless it shares the work.
pub(super) fn pullers(config: &Config, queues: usize) -> Vec<watch::Sender<usize>> {
    let at_first = usize::from(!shares(config));
    (0..queues).map(|_| watch::Sender::new(at_first)).collect()
}

/// What this host says of itself.
pub(super) fn own(config: &Config, pullers: &[watch::Sender<usize>], signals: &Arc<Signals>) -> Arc<Own> {
    Arc::new(Own {
        name: name(config),
        started_ms: now_ms(),
        pullers: pullers.iter().map(watch::Sender::subscribe).collect(),
        signals: Arc::clone(signals),
    })
}

/// What a host has for those that it shares the work with.
pub(super) struct Shared {
    pub(super) own: Arc<Own>,
    pub(super) guard: Arc<Guard>,
    pub(super) report: watch::Sender<Arc<SourcesReport>>,
    pub(super) heard: Arc<Heard>,
    pub(super) pullers: Vec<watch::Sender<usize>>,
    pub(super) bounds: PumpBounds,
}

impl Common<'_, SqlStore> {
    /// Starts what pulls from the queues.
    pub(super) fn start_pumps<Q: Queue>(
        &self,
        queues: Vec<Q>,
        pullers: &[watch::Sender<usize>],
        bounds: &PumpBounds,
        tasks: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) {
        for (queue, pullers) in queues.into_iter().zip(pullers) {
            let (pipeline, pullers) = (Arc::clone(&self.pipeline), pullers.subscribe());
            tasks.spawn(pump::run(Arc::new(queue), pipeline, bounds.clone(), pullers, stopped.clone()));
        }
    }

    /// Starts what makes this host one of several.
    pub(super) fn share(&self, shared: Shared, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
        let Shared { own, guard, report, heard, pullers, bounds } = shared;
        let (store, pipeline) = (self.store.clone(), Arc::clone(&self.pipeline));
        let holding = pipeline.holding();
        let errands = Arc::new(Errands::new(store.clone(), Arc::clone(holding)));
        tasks.spawn(pump::run(errands, Arc::clone(&pipeline), bounds, pump::alone(), stopped.clone()));
        tasks.spawn(guard::follow(guard, store.clone(), stopped.clone()));
        let (holding, sources) = (Arc::clone(holding), report);
        let accounts = Arc::clone(&self.deployer.versions.accounts);
        let presence = Presence { store: store.clone(), own, accounts, holding, sources, now_ms };
        tasks.spawn(presence::run(presence, stopped.clone()));
        let (deployer, raised) = (Arc::clone(&self.deployer), Arc::clone(&self.raised));
        let group = Group { store, pipeline, deployer, heard, raised, pullers };
        tasks.spawn(group::run(group, stopped.clone()));
    }
}
