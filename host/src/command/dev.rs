//! `tidegate dev`: the whole system on this machine.

mod state;

use crate::assembly::{Host, HostParts, Secrets};
use crate::command::plugin::reload;
use anyhow::{Context as _, bail, ensure};
use reqwest::Url;
use serde::Serialize;
use state::State;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate::config::Config;
use tidegate::dev::workerd::{QueueBinding, Workerd, WorkerdOptions};
use tidegate::queue::embedded::EmbeddedQueue;
use tidegate::retention::Retention;
use tidegate_queue::{Behavior, ServeError, ServeOptions, Server};
use tidegate_toolchain::tool;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The name of the embedded queue.
const QUEUE_NAME: &str = "tidegate";
/// How long to wait before workerd is started again after it ended by itself, and how often to try: the sender
/// knows one URL, so the port stays.
const EDGE_RESTART: Duration = Duration::from_millis(200);
const EDGE_RESTARTS_MAX: u32 = 25;

#[derive(clap::Args)]
#[command(after_help = "\
All state is in --data DIR: start it again and it goes on where it was, at the same URLs. Plugins may reach loopback \
addresses here, which a host in production refuses.

Example: tidegate dev --watch plugins/notify    # build and deploy it, now and whenever a source changes")]
pub(crate) struct Args {
    /// Build the plugin in this directory and put it to work, now and whenever its sources change; one without [build] in its
    /// plugin.toml, whenever its component does. When that fails, the version at work stays. May be given several times.
    #[arg(long, value_name = "DIR")]
    watch: Vec<PathBuf>,
    /// Print one JSON object when ready, for programs: request_url, page_url, edge_url, edge_token, admin_url, admin_token,
    /// queue_url, account_id, queue_id, queue_token, data. Then one for each reload: v, watched, plugin, version, before,
    /// error, took_ms.
    #[arg(long)]
    json: bool,
}

/// Where everything is, for programs.
#[derive(Serialize)]
struct Ready<'a> {
    request_url: String,
    /// The page, with the token in the part of the URL that no browser sends.
    page_url: String,
    edge_url: String,
    edge_token: &'a str,
    admin_url: &'a str,
    admin_token: &'a str,
    queue_url: String,
    account_id: &'a str,
    queue_id: String,
    queue_token: &'a str,
    data: PathBuf,
}

pub(crate) async fn run(args: Args, mut config: Config, data: &Path) -> anyhow::Result<()> {
    for dir in &args.watch {
        ensure!(dir.is_dir(), "--watch {}: there is no such directory", dir.display());
    }
    let workerd = tool::find("workerd")?;
    config.executor.allow_loopback = true;
    let mut state = State::load_or_make(data)?;

    let queue = bind_queue(&config, data, &state).await?;
    let (queue_url, queue_rest, queue_binding) = (queue.base_url(), queue.rest_addr, queue.binding_addr);
    let own = vec![queue_rest, queue_binding];
    let queue_id = queue.ensure_queue(QUEUE_NAME).await?;
    let released = queue.queues.release(&queue_id).await?;
    tracing::debug!(released, "what the last start held under lease is free again");
    let embedded = EmbeddedQueue::new(queue.queues.clone(), queue_id, config.queue.visibility_timeout_ms);
    let (stop_queue, queue_stopped) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(queue.serve(async move {
        // Sent or dropped: either way it is over.
        let _ = queue_stopped.await;
    }));
    let sources = serde_json::json!({ config.dev.source.to_string(): [&state.source_token] }).to_string();
    let worker_build = find_worker_build(&config.dev.worker_build);
    let edge = Edge {
        binary: &workerd,
        build: &worker_build,
        queues: &[QueueBinding { addr: queue_binding, name: QUEUE_NAME }],
        sources: &sources,
        host_token: &state.edge_token.clone(),
        dir: &data.join("edge"),
    };
    let mut running = edge.start(remembered(state.request_port, config.dev.request_listen)).await?;
    let request_addr = running.addr();
    state.remember(data, request_addr.port(), queue_rest.port())?;
    let edge_url = format!("http://{request_addr}");
    let mut secrets = Secrets::from_env(&config)?;
    if config.edge.url.is_empty() {
        config.edge.url.clone_from(&edge_url);
        secrets.edge_token = Some(state.edge_token.clone());
    }
    let retention = Retention::for_trying_out(&config.retention);
    let request_url = state.request_url(&edge_url, &config.dev.source);
    let known = Url::parse(&request_url).context("read the request URL")?;
    let request_urls = [(config.dev.source.clone(), known)].into();
    let parts = HostParts { queues: vec![embedded], secrets, own, retention, request_urls };
    let mut host = Host::start(&config, data, parts).await?;

    let note = super::nearby::leave_note(data);
    if let Err(error) = &note {
        tracing::warn!(
            "failed to tell other directories' commands of this host, name --data there: {error:#}"
        );
    }
    let ready = Ready {
        request_url,
        page_url: format!("{}/#token={}", host.admin.url, host.admin.token),
        edge_url,
        edge_token: &state.edge_token,
        admin_url: &host.admin.url.clone(),
        admin_token: &host.admin.token.clone(),
        queue_url,
        account_id: &state.account_id,
        queue_id: queue_id.to_string(),
        queue_token: &state.queue_token,
        data: std::path::absolute(data).context("find the data directory")?,
    };
    let stopped = super::stopped()?;
    tokio::pin!(stopped);
    announce(&ready, &config.store.url, args.json)?;
    let reloads = args.watch.into_iter().map(|dir| reload::run(dir, host.admin.clone(), args.json));
    let mut reloads: JoinSet<_> = reloads.collect();

    loop {
        tokio::select! {
            () = &mut stopped => break,
            error = host.failed() => return Err(error),
            Some(ended) = reloads.join_next() => ended.context("watch a plugin")??,
            served = &mut serving => bail!("the queue stopped: {served:?}"),
            status = running.wait() => {
                tracing::error!("workerd ended ({}), starting it again", status?);
                running = edge.restart(request_addr).await?;
            }
        }
    }
    drop((note, reloads));
    tracing::info!("stopping: the edge first, then what was pulled");
    running.stop().await?;
    host.stop().await;
    drop(stop_queue);
    serving.await?.context("stop the queue")
}

/// Where the edge of the `tidegate dev` on this directory is, and the token that it knows its host by; `None` when there was
/// none.
pub(crate) fn own_edge(config: &Config, data: &Path) -> anyhow::Result<Option<(String, String)>> {
    Ok(State::load(data)?.map(|state| (edge_url(config, &state), state.edge_token)))
}

/// Where the source of the `tidegate dev` on this directory takes events; `None` when there was none.
pub(crate) fn request_url(config: &Config, data: &Path) -> anyhow::Result<Option<String>> {
    Ok(State::load(data)?.map(|state| state.request_url(&edge_url(config, &state), &config.dev.source)))
}

/// Where the edge was at the last start.
fn edge_url(config: &Config, state: &State) -> String {
    format!("http://{}", remembered(state.request_port, config.dev.request_listen))
}

/// Listens where the last start did, or elsewhere when another program has taken that.
async fn bind_queue(config: &Config, data: &Path, state: &State) -> Result<Server, ServeError> {
    let options = |listen| ServeOptions {
        data_dir: data.join("queue"),
        rest_addr: listen,
        binding_addr: SocketAddr::new(config.dev.queue_listen.ip(), 0),
        account_id: state.account_id.clone(),
        token: state.queue_token.clone(),
        behavior: Behavior::default(),
        queues: vec![QUEUE_NAME.to_owned()],
    };
    let remembered = remembered(state.queue_port, config.dev.queue_listen);
    match Server::bind(options(remembered)).await {
        Err(_) if remembered != config.dev.queue_listen => {
            Server::bind(options(config.dev.queue_listen)).await
        }
        result => result,
    }
}

/// The built Worker where the configuration says, or else in the repository that this command was built in: so it
/// starts from any working directory.
fn find_worker_build(configured: &Path) -> PathBuf {
    let command = std::env::current_exe().unwrap_or_default();
    let places = std::iter::once(Path::new("")).chain(command.ancestors().skip(1));
    let found = places.map(|place| place.join(configured)).find(|build| build.is_dir());
    found.unwrap_or_else(|| configured.to_owned())
}

/// The port of the last start where the configuration leaves it open, so that URLs stay.
fn remembered(port: u16, configured: SocketAddr) -> SocketAddr {
    if configured.port() == 0 { SocketAddr::new(configured.ip(), port) } else { configured }
}

/// What the edge is started with, each time.
struct Edge<'a> {
    binary: &'a Path,
    build: &'a Path,
    queues: &'a [QueueBinding<'a>],
    sources: &'a str,
    host_token: &'a str,
    dir: &'a Path,
}

impl Edge<'_> {
    /// Starts workerd where it was.
    async fn restart(&self, listen: SocketAddr) -> anyhow::Result<Workerd> {
        let mut attempt = 1;
        loop {
            tokio::time::sleep(EDGE_RESTART).await;
            match Workerd::start(self.options(listen)).await {
                Err(error) if attempt < EDGE_RESTARTS_MAX => {
                    tracing::warn!(attempt, "failed to start the edge at {listen}, trying again: {error:#}");
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Starts workerd there, or on a free port when another program has taken it.
    async fn start(&self, listen: SocketAddr) -> anyhow::Result<Workerd> {
        match Workerd::start(self.options(listen)).await {
            Err(error) if listen.port() != 0 => {
                tracing::warn!("failed to start the edge at {listen}, taking another port: {error:#}");
                Workerd::start(self.options(SocketAddr::new(listen.ip(), 0))).await
            }
            result => result,
        }
    }

    const fn options(&self, listen: SocketAddr) -> WorkerdOptions<'_> {
        WorkerdOptions {
            binary: self.binary,
            worker_build_dir: self.build,
            listen,
            queues: self.queues,
            sources: self.sources,
            host_token: self.host_token,
            body_bytes_max: None,
            dir: self.dir,
        }
    }
}

/// This command as it can be typed in any directory.
fn typed() -> anyhow::Result<String> {
    let typed = std::env::args().next().unwrap_or_else(|| "tidegate".to_owned());
    if !typed.contains('/') {
        return Ok(typed);
    }
    Ok(std::path::absolute(typed).context("find this command")?.display().to_string())
}

fn announce(ready: &Ready<'_>, database: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return super::print_json([ready]);
    }
    let database = if database.is_empty() { String::new() } else { format!(" and in {database}") };
    super::print(&format!(
        "Tidegate is ready. Ctrl-C stops it; all its state is in {data}{database}.\n\n\
         See it work:\n  {page}\n\n\
         Send it an event:\n  curl -i '{url}' -H 'content-type: application/json' \\\n    \
         -d '{{\"event_type\":\"asset.update\",\"id\":675,\"name\":\"Spare-02\",\"loanee\":{{\"id\":142,\"name\":\"John Do\"}}}}'\n\n\
         Then, in another terminal:\n  {tidegate} plugin new notify --lang python && cd notify\n  \
         {tidegate} plugin build && {tidegate} plugin test && {tidegate} plugin deploy\n  {tidegate} events list\n\n",
        tidegate = typed()?,
        data = ready.data.display(),
        page = ready.page_url,
        url = ready.request_url,
    ))
}
