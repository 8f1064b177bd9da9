//! The hosts of a run: one, or several on one database, of which one is at work and the others stand by. Knows nothing of
//! what they record.

use anyhow::{Context as _, ensure};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tidegate_tests::system::PATIENCE;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::parts::Parts;
use tidegate_tests::system::process::Process;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a host is frozen at least: longer than the 15 seconds for which the server bears its silence.
const FROZEN: Duration = Duration::from_secs(20);
/// A host that does not answer within that does not work.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// What a host says that ends because another took over.
const TAKEN_OVER: &str = "another tidegate works on the database since";

pub(crate) struct Hosts {
    /// What they pull from.
    pub(crate) parts: Parts,
    all: Vec<Host>,
    /// How often one was killed.
    pub(crate) kills: usize,
    /// From each kill to the first answer of the next one, where there are several.
    after_kills: Vec<Duration>,
    after_freezes: Vec<Duration>,
    /// How often one lost the database to another while that was away.
    swaps: usize,
}

struct Host {
    dir: PathBuf,
    cli: Cli,
    /// Nothing while it is dead or frozen.
    process: Option<Process>,
    /// Bytes of its log when it was started.
    said_before: usize,
}

impl Host {
    fn start(&mut self, parts: &Parts) -> anyhow::Result<()> {
        let process = parts.start_host_in(&self.dir)?;
        self.said_before = process.log()?.len();
        self.process = Some(process);
        Ok(())
    }

    /// One that stands by has no admin API yet.
    async fn answers(&self) -> bool {
        self.process.is_some() && matches!(timeout(ANSWER_MAX, self.cli.plugins()).await, Ok(Ok(_)))
    }

    /// Fails unless this is how a host ends that was taken over.
    fn check_end(&self, process: &Process, status: std::process::ExitStatus) -> anyhow::Result<()> {
        let log = process.log()?;
        let said = log.get(self.said_before..).unwrap_or_default();
        let is_right = status.code() == Some(1) && said.contains(TAKEN_OVER);
        ensure!(is_right, "{} ended, but not as one taken over ({status}):\n{said}", self.dir.display());
        Ok(())
    }
}

impl Hosts {
    /// Starts so many, each in a directory of its own.
    pub(crate) async fn start(env: &[(&str, &str)], count: usize) -> anyhow::Result<Self> {
        let standby = (count > 1).then_some(("TIDEGATE_STORE_OTHERS", "await"));
        let env: Vec<_> = env.iter().copied().chain(standby).collect();
        let parts = Parts::start_without_host(&env).await?;
        let mut all = Vec::new();
        for n in 1..=count {
            let dir = parts.path(&format!("host-{n}"));
            std::fs::create_dir(&dir).context("make a folder")?;
            let mut host = Host { cli: Cli::new(&dir), dir, process: None, said_before: 0 };
            host.start(&parts)?;
            all.push(host);
        }
        let (after_kills, after_freezes) = (Vec::new(), Vec::new());
        Ok(Self { parts, all, kills: 0, after_kills, after_freezes, swaps: 0 })
    }

    /// The one at work. Of two that answer one is about to end: it lost the database to the other.
    async fn at_work(&mut self) -> anyhow::Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answering = self.answering().await;
            if !self.start_anew()?
                && let [one] = answering[..]
            {
                return Ok(one);
            }
            ensure!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until one host answers");
            sleep(LOOK).await;
        }
    }

    async fn answering(&self) -> Vec<usize> {
        let mut answering = Vec::new();
        for (n, host) in self.all.iter().enumerate() {
            if host.answers().await {
                answering.push(n);
            }
        }
        answering
    }

    /// Starts anew whoever lost the database to another while that was away, and has ended by itself. Says whether any has.
    fn start_anew(&mut self) -> anyhow::Result<bool> {
        let swaps = self.swaps;
        for host in &mut self.all {
            let Some(status) = host.process.as_mut().map(Process::has_ended).transpose()?.flatten() else {
                continue;
            };
            let process = host.process.take().context("it was there")?;
            host.check_end(&process, status)?;
            host.start(&self.parts)?;
            self.swaps += 1;
        }
        Ok(self.swaps > swaps)
    }

    /// The command line of the one at work.
    pub(crate) async fn cli(&mut self) -> anyhow::Result<Cli> {
        let one = self.at_work().await?;
        Ok(self.all[one].cli.clone())
    }

    /// The one at work.
    pub(crate) async fn process(&mut self) -> anyhow::Result<&Process> {
        let one = self.at_work().await?;
        self.all[one].process.as_ref().context("it is at work")
    }

    /// `kill -9` of the only one, whatever it does, and a new one in its place.
    pub(crate) async fn kill_the_only_one(&mut self) -> anyhow::Result<()> {
        self.kill(0).await?;
        self.all[0].start(&self.parts)
    }

    /// `kill -9` of the one at work. When another has taken over, and this pause later, it is started again.
    pub(crate) async fn kill_the_one_at_work(&mut self, pause: Duration) -> anyhow::Result<()> {
        let victim = self.at_work().await?;
        let killed_at = Instant::now();
        self.kill(victim).await?;
        self.at_work().await.context("the one at work was killed")?;
        self.after_kills.push(killed_at.elapsed());
        sleep(pause).await;
        self.all[victim].start(&self.parts)
    }

    async fn kill(&mut self, victim: usize) -> anyhow::Result<()> {
        self.kills += 1;
        self.all[victim].process.take().context("a host runs")?.kill().await
    }

    /// Freezes the one at work until another has taken over. It must then end by itself, and is started anew.
    pub(crate) async fn freeze_the_one_at_work(&mut self) -> anyhow::Result<()> {
        let victim = self.at_work().await?;
        let mut frozen = self.all[victim].process.take().context("it is at work")?;
        frozen.signal("STOP").await?;
        let frozen_at = Instant::now();
        self.at_work().await.context("the one at work was frozen")?;
        self.after_freezes.push(frozen_at.elapsed());
        sleep_until(frozen_at + FROZEN).await;
        frozen.signal("CONT").await?;
        let woken_at = Instant::now();
        let status = frozen.ended().await.context("it was frozen and another took over")?;
        self.all[victim].check_end(&frozen, status)?;
        println!(
            "a host was frozen for {FROZEN:?}; woken, it ended after {:.1?}: {status}",
            woken_at.elapsed()
        );
        self.all[victim].start(&self.parts)
    }
}

/// How often they were killed and frozen, and what that cost. Nothing to say of one alone.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after_kills, after_freezes, swaps, .. } = self;
        if self.all.len() == 1 {
            return Ok(());
        }
        let (mut kills, mut freezes) = (after_kills.clone(), after_freezes.clone());
        kills.sort_unstable();
        freezes.sort_unstable();
        writeln!(
            f,
            "of {} hosts the one at work was killed {} times: the next answered after {}",
            self.all.len(),
            kills.len(),
            spread(&kills)
        )?;
        writeln!(f, "it was frozen {} times: the next answered after {}", freezes.len(), spread(&freezes))?;
        writeln!(f, "it lost the database to another while that was away {swaps} times")
    }
}

/// Of what is sorted.
fn spread(sorted: &[Duration]) -> String {
    let Some(max) = sorted.last() else { return "no time".to_owned() };
    format!("p50 {:.1?}, max {max:.1?}", sorted[(sorted.len() - 1) / 2])
}
