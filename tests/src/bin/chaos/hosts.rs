//! The hosts of a run: one, or several that share a database. Knows nothing of what they record.

use crate::database::Database;
use crate::relay::Relay;
use anyhow::{Context as _, ensure};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_tests::system::PATIENCE;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::parts::Parts;
use tidegate_tests::system::process::Process;
use tokio::time::{Instant, sleep, timeout};

/// How long a host is frozen, or cut off from its database: longer than the 15 seconds for which the server bears its silence,
/// and the others that it is gone.
const SILENT: Duration = Duration::from_secs(25);
/// How long a host is cut off from the queues: longer than the 2 seconds after which what it has pulled is another's.
const QUEUES_AWAY: Duration = Duration::from_secs(6);
/// A host that does not answer within that does not work.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// What a host says that ends because another has what it had.
const TAKEN_OVER: &str = "another tidegate works on the database since";
/// What a host says when partitions come to it.
const TOOK: &str = "took partitions over";

pub(crate) struct Hosts {
    /// What they pull from.
    pub(crate) parts: Parts,
    all: Vec<Host>,
    /// How often one was killed, frozen, cut off from the database, and from the queues.
    pub(crate) kills: usize,
    freezes: usize,
    cuts: usize,
    queue_cuts: usize,
    /// How often one lost what it had while the database was away.
    losses: usize,
}

struct Host {
    name: String,
    dir: PathBuf,
    cli: Cli,
    /// Nothing while it is dead.
    process: Option<Process>,
    /// Bytes of its log when it was started.
    said_before: usize,
    /// Where it finds its database, if it has one.
    database: Option<(String, Relay)>,
    /// Where it finds its queues, if it can be cut off from them.
    queues: Option<(String, Relay)>,
    /// The `tidegate` that it is; the one that was built, if no other is named.
    program: Option<PathBuf>,
}

impl Host {
    fn start(&mut self, parts: &Parts, shares: bool) -> anyhow::Result<()> {
        let mut env = vec![("TIDEGATE_STORE_HOST", self.name.as_str())];
        env.extend(self.database.as_ref().map(|(url, _)| ("TIDEGATE_STORE_URL", url.as_str())));
        env.extend(self.queues.as_ref().map(|(url, _)| ("TIDEGATE_QUEUE_BASE_URL", url.as_str())));
        env.extend(shares.then_some(("TIDEGATE_STORE_OTHERS", "share")));
        let process = parts.start_host_with(&self.dir, self.program.as_deref(), &env)?;
        self.said_before = process.log()?.len();
        self.process = Some(process);
        Ok(())
    }

    async fn answers(&self) -> bool {
        self.process.is_some() && matches!(timeout(ANSWER_MAX, self.cli.plugins()).await, Ok(Ok(_)))
    }

    fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().with_context(|| format!("{} runs", self.name))
    }

    /// Waits until it ends by itself: others have what it had.
    async fn until_it_ends(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("it runs")?;
        let (log, since) = (process.log()?, Instant::now());
        let status =
            process.ended().await.with_context(|| format!("others have what {} had: {log}", self.name))?;
        self.check_end(&std::fs::read_to_string(self.dir.join("run.log"))?, status)?;
        println!(
            "{} was gone for {SILENT:?}; back, it ended after {:.1?}: {status}",
            self.name,
            since.elapsed()
        );
        Ok(())
    }

    /// Fails unless this is how a host ends that was taken over.
    fn check_end(&self, log: &str, status: std::process::ExitStatus) -> anyhow::Result<()> {
        let said = log.get(self.said_before..).unwrap_or_default();
        let is_right = status.code() == Some(1) && said.contains(TAKEN_OVER);
        ensure!(is_right, "{} ended, but not as one taken over ({status}):\n{said}", self.name);
        Ok(())
    }
}

impl Hosts {
    /// Starts so many, each in a directory of its own and with its own ways to database and queues; several share both, and as
    /// many queues as `queues` says. They are of another release where its executable is named.
    pub(crate) async fn start(
        env: &[(&str, &str)],
        (count, queues): (usize, usize),
        database: Option<&Database>,
        program: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let parts = Parts::start_without_host(env, queues).await?;
        let mut all = Vec::new();
        for n in 1..=count {
            let name = format!("host-{n}");
            let dir = parts.path(&name);
            std::fs::create_dir(&dir).context("make a folder")?;
            let database = match database {
                Some(database) => {
                    let relay = Relay::start(database.addr()?).await?;
                    Some((database.url_at(relay.port), relay))
                }
                None => None,
            };
            let queues = match count {
                1 => None,
                _ => {
                    let relay = Relay::start(parts.queues_addr()).await?;
                    Some((parts.queues_url_at(relay.port), relay))
                }
            };
            let (cli, program) = (Cli::new(&dir), program.map(Path::to_owned));
            let mut host = Host { name, cli, dir, process: None, said_before: 0, database, queues, program };
            host.start(&parts, count > 1)?;
            all.push(host);
        }
        Ok(Self { parts, all, kills: 0, freezes: 0, cuts: 0, queue_cuts: 0, losses: 0 })
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    fn shares(&self) -> bool {
        self.all.len() > 1
    }

    /// The command line of one that answers.
    pub(crate) async fn cli(&mut self) -> anyhow::Result<Cli> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.start_those_that_lost()?;
            for host in &self.all {
                if host.answers().await {
                    return Ok(host.cli.clone());
                }
            }
            ensure!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until a host answers");
            sleep(LOOK).await;
        }
    }

    /// Starts anew whoever lost what it had to another while the database was away, and has ended by itself.
    pub(crate) fn start_those_that_lost(&mut self) -> anyhow::Result<()> {
        let shares = self.shares();
        for host in &mut self.all {
            let Some(status) = host.process.as_mut().map(Process::has_ended).transpose()?.flatten() else {
                continue;
            };
            let log = host.process.take().context("it was there")?.log()?;
            host.check_end(&log, status)?;
            host.start(&self.parts, shares)?;
            self.losses += 1;
        }
        Ok(())
    }

    /// The only one, once it works.
    pub(crate) async fn the_only_one(&mut self) -> anyhow::Result<&Process> {
        self.cli().await?;
        self.all[0].process()
    }

    /// How often the hosts said this, all together.
    pub(crate) fn said(&self, what: &str) -> anyhow::Result<usize> {
        let logs = self.all.iter().filter_map(|host| host.process.as_ref()).map(Process::log);
        logs.map(|log| Ok(log?.matches(what).count())).sum()
    }

    /// `kill -9` of this one, whatever it does, and this much later a new one in its place.
    pub(crate) async fn kill(&mut self, victim: usize, pause: Duration) -> anyhow::Result<()> {
        self.start_those_that_lost()?;
        let shares = self.shares();
        let host = &mut self.all[victim];
        host.process.take().context("a host runs")?.kill().await?;
        self.kills += 1;
        sleep(pause).await;
        host.start(&self.parts, shares)
    }

    /// Freezes this one for so long that the others have what it had. It must then end by itself, and is started anew.
    pub(crate) async fn freeze(&mut self, victim: usize) -> anyhow::Result<()> {
        self.start_those_that_lost()?;
        self.until_it_has_some(victim).await?;
        let host = &mut self.all[victim];
        host.process()?.signal("STOP").await?;
        sleep(SILENT).await;
        host.process()?.signal("CONT").await?;
        host.until_it_ends().await.context("it was frozen")?;
        self.freezes += 1;
        host.start(&self.parts, true)
    }

    /// Cuts this one off from its database for so long that the others have what it had. As [`Self::freeze`].
    pub(crate) async fn cut_off(&mut self, victim: usize) -> anyhow::Result<()> {
        self.start_those_that_lost()?;
        self.until_it_has_some(victim).await?;
        let host = &mut self.all[victim];
        let (_, relay) = host.database.as_ref().context("it has a database")?;
        relay.cut();
        sleep(SILENT).await;
        relay.mend();
        host.until_it_ends().await.context("it was cut off")?;
        self.cuts += 1;
        host.start(&self.parts, true)
    }

    /// Cuts this one off from the queues for so long that others pull what it has pulled. It keeps its part, and must pull again.
    pub(crate) async fn cut_off_from_queues(&mut self, victim: usize) -> anyhow::Result<()> {
        self.start_those_that_lost()?;
        self.until_it_has_some(victim).await?;
        let host = &mut self.all[victim];
        let (_, relay) = host.queues.as_ref().context("there is a way to the queues")?;
        relay.cut();
        sleep(QUEUES_AWAY).await;
        relay.mend();
        let (since, passed) = (Instant::now(), relay.passed());
        while relay.passed() == passed {
            let log = host.process()?.log()?;
            ensure!(since.elapsed() < PATIENCE, "{} asks the queues for nothing any more:\n{log}", host.name);
            sleep(LOOK).await;
        }
        self.queue_cuts += 1;
        Ok(())
    }

    /// One host after the other is stopped as an operator does it, and is of this release when it is started again.
    pub(crate) async fn upgrade(&mut self, victim: usize) -> anyhow::Result<()> {
        self.start_those_that_lost()?;
        let host = &mut self.all[victim];
        let mut process = host.process.take().context("it runs")?;
        process.signal("TERM").await?;
        let status = process.ended().await?;
        ensure!(status.success(), "{} did not stop well ({status}):\n{}", host.name, process.log()?);
        host.program = None;
        host.start(&self.parts, true)?;
        println!("{} is of the new release from now on", host.name);
        self.until_it_has_some(victim).await
    }

    /// Waits until each does its part.
    pub(crate) async fn until_all_work(&mut self) -> anyhow::Result<()> {
        self.cli().await?;
        if self.shares() {
            for host in 0..self.all.len() {
                self.until_it_has_some(host).await?;
            }
        }
        Ok(())
    }

    /// One that has nothing yet loses nothing.
    async fn until_it_has_some(&self, host: usize) -> anyhow::Result<()> {
        let (host, deadline) = (&self.all[host], Instant::now() + PATIENCE);
        loop {
            let log = host.process()?.log()?;
            if log.get(host.said_before..).unwrap_or_default().contains(TOOK) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "waited {PATIENCE:?} in vain until {} has its part:\n{log}",
                host.name
            );
            sleep(LOOK).await;
        }
    }
}

/// What they went through. Nothing to say of one alone.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, freezes, cuts, queue_cuts, losses, .. } = self;
        if !self.shares() {
            return Ok(());
        }
        let moves = self.said(TOOK).unwrap_or_default();
        writeln!(
            f,
            "of {} hosts one was killed {kills} times, frozen {freezes} times, cut off from the database {cuts} times and from the \
             queues {queue_cuts} times; while the database was away, one lost its part {losses} times; a part came to one {moves} \
             times",
            self.all.len(),
        )
    }
}
