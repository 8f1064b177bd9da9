//! The chaos run: the built system under the sender, with `kill -9` of the host every few seconds, a target that fails a
//! third of the time, a plugin that traps a tenth of the time, and a disk that is full for a while. Says whether what was
//! acknowledged is what was decided or parked, and whether the target was told each thing once. Takes `--minutes=N`,
//! `--rate=N` and `--seed=N`. With a server named in `TIDEGATE_TEST_POSTGRES` the host keeps everything there, and in place
//! of a full disk the database crashes, and is away for a while. Then `--hosts=N` may be more than one: they share it, and two
//! queues, and one or another is killed, frozen, or cut off from the database or from the queues. With `--from=PATH`, the
//! executable of another release, they begin as that and become this one after the other, while all of that goes on.

mod database;
mod hosts;
mod judge;
mod relay;
mod target;

use anyhow::{Context as _, bail, ensure};
use database::Database;
use hosts::Hosts;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use target::Target;
use tidegate_envelope::Receipt;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::player::Told;
use tidegate_sender::policy::Answer;
use tidegate_tests::play::{keep_log, play};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::database::SERVER;
use tidegate_tests::system::{actor, until};
use tokio::time::Instant;

/// Assets that live at the same time.
const ASSETS: usize = 500;
/// The host lives at least and at most so long.
const LIFE_S: (u64, u64) = (2, 6);
/// What can still be written to a file of which nothing is there yet when the disk is full.
const ROOM_BYTES: u64 = 1 << 20;
/// Where there are several hosts, a dead one stays away at most so long.
const DEAD_S_MAX: u64 = 4;
/// How many queues several hosts share.
const QUEUES: usize = 2;
/// How long the disk is full.
const FULL: Duration = Duration::from_secs(8);

struct Options {
    minutes: u32,
    rate: u32,
    seed: u64,
    hosts: usize,
    from: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = options()?;
    println!("seed {}; to repeat it: --seed={}", options.seed, options.seed);
    println!("the log: {}", keep_log("chaos.log")?.display());
    let report = run(&options).await?;
    print!("{report}");
    Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options() -> anyhow::Result<Options> {
    let mut options =
        Options { minutes: 3, rate: 200, seed: u64::from(fastrand::u32(..)), hosts: 1, from: None };
    for argument in std::env::args().skip(1) {
        let (flag, value) = argument.split_once('=').unwrap_or((&argument, ""));
        let read = || format!("read {argument}");
        match flag {
            "--minutes" => options.minutes = value.parse().with_context(read)?,
            "--rate" => options.rate = value.parse().with_context(read)?,
            "--seed" => options.seed = value.parse().with_context(read)?,
            "--hosts" => options.hosts = value.parse().with_context(read)?,
            "--from" => options.from = Some(value.into()),
            _ => bail!(
                "there is no {flag}; there are --minutes=N, --rate=N, --seed=N, --hosts=N and --from=PATH"
            ),
        }
    }
    let Options { minutes, rate, hosts, ref from, .. } = options;
    ensure!(minutes > 0 && rate > 0 && hosts > 0, "--minutes, --rate and --hosts: more than 0");
    ensure!(
        from.is_none() || hosts > 1,
        "--from: one host after the other becomes of this release: name --hosts=N, too"
    );
    Ok(options)
}

async fn run(options: &Options) -> anyhow::Result<judge::Report> {
    let target = Target::start(options.seed).await?;
    // Soon again, and often: what is left in the end is what no retry can mend.
    let env = [
        ("TIDEGATE_RETRY_FIRST_MS", "100"),
        ("TIDEGATE_RETRY_CAP_MS", "1000"),
        ("TIDEGATE_RETRY_EFFECTS_MAX", "40"),
    ];
    let database = Database::make().await?;
    ensure!(
        options.hosts == 1 || database.is_some(),
        "--hosts={}: several hosts share a database: name a server in {}; `cargo xtask postgres` starts one",
        options.hosts,
        SERVER
    );
    let queues = if options.hosts > 1 { QUEUES } else { 1 };
    let from = options.from.as_deref();
    let mut hosts = Hosts::start(&env, (options.hosts, queues), database.as_ref(), from).await?;
    deploy(&hosts.cli().await?, &format!("trap-tenth; count; post {}", target.url())).await?;

    let mut seen: HashMap<Receipt, u64> = HashMap::new();
    let lasts = Duration::from_secs(u64::from(options.minutes) * 60);
    let life = Life::new(LifeOptions { seed: options.seed, assets: ASSETS, oddities: Oddities::SOME });
    let events = life.take(usize::try_from(lasts.as_secs() * u64::from(options.rate))?);
    let url = hosts.parts.request_url();
    let playing = play(&url, options.rate.into(), events, |told| {
        if let Told::Attempt(attempt) = told
            && let Answer::Status { receipt: Some(receipt), .. } = &attempt.answer
            && let Ok(receipt) = receipt.parse()
        {
            seen.insert(receipt, attempt.of);
        }
    });
    let trouble = make_trouble(&mut hosts, database.as_ref(), options, lasts);
    let (verdict, trouble) = tokio::join!(playing, trouble);
    println!("{}", verdict?);
    trouble?;
    print!("{hosts}");
    hosts.parts.until_the_queue_is_empty().await?;
    if let Some(database) = &database {
        until(
            "no host has anything for another",
            async || Ok((database.errands().await? == 0).then_some(())),
        )
        .await?;
    }
    let cli = hosts.cli().await?;
    let events = until("nothing is due any more", async || {
        let events = cli.events().await?;
        Ok(Some(events).filter(|events| judge::is_over(events)))
    })
    .await?;
    Ok(judge::judge(&seen, &events, &target, hosts.kills))
}

async fn deploy(cli: &Cli, steps: &str) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("make a folder")?;
    let actor = actor(dir.path(), &format!("hosts = [\"127.0.0.1\"]\n[settings]\ndo = {steps:?}\n"))?;
    let actor = actor.to_str().context("a path of UTF-8")?;
    cli.output(&["plugin", "deploy", actor]).await.map(drop)
}

/// Kills a host again and again, or where there are several freezes one or cuts it off; in the middle its disk is full for a
/// while, or the database crashes and is away. Of several that are of another release one after the other becomes of this.
async fn make_trouble(
    hosts: &mut Hosts,
    database: Option<&Database>,
    options: &Options,
    lasts: Duration,
) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let until = Instant::now() + lasts;
    let mut full_at = Some(Instant::now() + lasts / 2);
    let (mut next, mut old) = (0, if options.from.is_some() { hosts.count() } else { 0 });
    let upgrade_each = lasts / u32::try_from(hosts.count() + 1)?;
    let mut upgrade_at = Instant::now() + upgrade_each;
    while Instant::now() < until || old > 0 {
        if old > 0 && Instant::now() >= upgrade_at {
            old -= 1;
            hosts.upgrade(old).await.context("upgrade a host")?;
            upgrade_at += upgrade_each;
        }
        if full_at.is_some_and(|at| Instant::now() >= at) {
            full_at = None;
            match database {
                Some(database) => take_the_database(hosts, database).await?,
                None => fill_the_disk(hosts).await?,
            }
        }
        tokio::time::sleep(Duration::from_secs(random.u64(LIFE_S.0..=LIFE_S.1))).await;
        if hosts.count() == 1 {
            hosts.kill(0, Duration::ZERO).await?;
            continue;
        }
        let victim = random.usize(0..hosts.count());
        match next {
            0 => hosts.freeze(victim).await?,
            1 => hosts.cut_off_from_queues(victim).await?,
            3 => hosts.cut_off(victim).await?,
            _ => hosts.kill(victim, Duration::from_secs(random.u64(0..=DEAD_S_MAX))).await?,
        }
        next = (next + 1) % 7;
    }
    hosts.start_those_that_lost()
}

/// The database crashes, and then for a while there is none.
async fn take_the_database(hosts: &mut Hosts, database: &Database) -> anyhow::Result<()> {
    // One that is only starting would end, and say why.
    hosts.until_all_work().await?;
    database.crash().await?;
    hosts.until_all_work().await.context("the database crashed, and recovers")?;
    database.be_away(FULL).await?;
    // Whether it reads or records when that happens is chance; what the server says is not.
    let refused = hosts.said(database::REFUSED)?;
    println!("the database crashed once and was away for {FULL:?}: the hosts were refused {refused} times");
    ensure!(refused > 0, "no host noticed that the database was away");
    Ok(())
}

/// For a while the host can write nothing beyond the beginning of its files: to it, the disk is full. What it logs fits.
async fn fill_the_disk(hosts: &mut Hosts) -> anyhow::Result<()> {
    // One that is only starting would end, and say why.
    let host = hosts.the_only_one().await?;
    let id = i32::try_from(host.id()?).ok().and_then(Pid::from_raw).context("the host has an id")?;
    let now = u64::try_from(host.log()?.len())? + ROOM_BYTES;
    prlimit(Some(id), Resource::Fsize, Rlimit { current: Some(now), maximum: None })
        .context("fill the disk")?;
    tokio::time::sleep(FULL).await;
    let failed = host.log()?.matches("failed to record").count();
    println!("the disk was full at {now} bytes for {FULL:?}: the host failed to record {failed} times");
    ensure!(failed > 0, "the host did not notice that its disk was full");
    prlimit(Some(id), Resource::Fsize, Rlimit { current: None, maximum: None }).context("make room")?;
    Ok(())
}
