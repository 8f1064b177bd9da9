//! The store, and this host's part in the work of all that share it.

use super::Secrets;
use super::common::Common;
use super::settings::pump_bounds;
use crate::command::notify;
use anyhow::Context as _;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use tidegate::config::{self, Config};
use tidegate::duty;
use tidegate::group::{self, Group};
use tidegate::heard::Heard;
use tidegate::holding::Holding;
use tidegate::partition::Partitions;
use tidegate::pump;
use tidegate::queue::Queue;
use tidegate::queue::errands::Errands;
use tidegate::store::group::Host;
use tidegate::store::sql::{Others, SqlStore};
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

fn shares(config: &Config) -> bool {
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

impl Common<'_, SqlStore> {
    /// Starts what pulls from the queues: each alone, or as the part in the group says, which is started, too.
    pub(super) fn start_pumps<Q: Queue>(
        &self,
        queues: Vec<Q>,
        (holding, heard): (&Arc<Holding>, Arc<Heard>),
        tasks: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) {
        let is_shared = shares(self.config);
        let bounds = pump_bounds(self.config, queues.len() + usize::from(is_shared));
        let mut told = Vec::new();
        for queue in queues {
            let (tell, pullers) = watch::channel(usize::from(!is_shared));
            told.push(tell);
            let pipeline = Arc::clone(&self.pipeline);
            tasks.spawn(pump::run(Arc::new(queue), pipeline, bounds, pullers, stopped.clone()));
        }
        if !is_shared {
            return;
        }
        let (store, pipeline) = (self.store.clone(), Arc::clone(&self.pipeline));
        let errands = Errands::new(store.clone(), Arc::clone(holding));
        let pumping =
            pump::run(Arc::new(errands), Arc::clone(&pipeline), bounds, pump::alone(), stopped.clone());
        tasks.spawn(pumping);
        let (deployer, raised) = (Arc::clone(&self.deployer), Arc::clone(&self.raised));
        let group = Group { store, pipeline, deployer, heard, raised, pullers: told };
        tasks.spawn(group::run(group, stopped.clone()));
    }
}
