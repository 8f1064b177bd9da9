//! What an event costs when hosts share the work: one, two and four of them on one PostgreSQL database and four queues, all on
//! the same cores as the server and the sender. Prints the hosts' and the server's time of the processors per event, against
//! one host's; without what each takes that has nothing to do, which is printed, too, nor what a host takes once, until it is
//! warm. All events wait in the queues before the hosts begin, so that batches are full. Takes the number of events
//! (20,000), which must be sent before the database takes hosts that are frozen for gone. The server is named in
//! `TIDEGATE_TEST_POSTGRES`.

use super::edge::cpu_time;
use super::effects::post;
use anyhow::{Context as _, ensure};
use postgres::{Client, Config, NoTls};
use serde_json::Value;
use std::time::{Duration, Instant};
use tidegate_tests::bench;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::database::SERVER;
use tidegate_tests::system::parts::Parts;
use tidegate_tests::system::process::Process;
use tidegate_tests::system::{actor, until};

const DATABASE: &str = "bench_group";
const QUEUES: usize = 4;
const HOSTS: [usize; 3] = [1, 2, 4];
/// What each queue has for whoever pulls from it before it is measured.
const WARM: u64 = 1_500;
/// In which hosts that are there have shared everything out.
const SETTLE: Duration = Duration::from_secs(4);

/// Microseconds of the processors for each event, and those of a host that has nothing to do for each second.
struct Cost {
    hosts: f64,
    server: f64,
    idle: f64,
}

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let events = numbers.first().copied().unwrap_or(20_000);
    let mut first: Option<Cost> = None;
    for count in HOSTS {
        let cost = one(count, events).await.with_context(|| format!("measure {count} hosts"))?;
        let against = first.as_ref().unwrap_or(&cost);
        for (what, value, against) in
            [("cpu", cost.hosts, against.hosts), ("server", cost.server, against.server)]
        {
            let name = format!("group-{count}-{what}");
            println!("{}", bench::figure_against(&name, value, "us/event", against));
        }
        println!("{}", bench::figure(&format!("group-{count}-idle"), cost.idle / 1e3, "ms/s and host"));
        first.get_or_insert(cost);
    }
    Ok(())
}

async fn one(count: usize, events: u64) -> anyhow::Result<Cost> {
    let server = std::env::var(SERVER).with_context(|| format!("{SERVER} names no server"))?;
    let postmaster = fresh_database(&server).await?;
    let url = format!("{server}/{DATABASE}?sslmode=disable");
    let env = [("TIDEGATE_STORE_URL", url.as_str()), ("TIDEGATE_STORE_OTHERS", "share")];
    let parts = Parts::start_without_host(&env, QUEUES).await?;
    let mut hosts: Vec<Process> = Vec::new();
    for n in 0..count {
        let dir = parts.path(&format!("host-{n}"));
        std::fs::create_dir(&dir).context("make a folder")?;
        hosts.push(parts.start_host_in(&dir)?);
        let cli = Cli::new(&dir);
        until("the host answers", async || Ok(cli.plugins().await.ok())).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let cli = Cli::new(&parts.path("host-0"));
    let folder = bench::data_dir()?;
    let plugin = actor(folder.path(), "[settings]\ndo = \"note seen\"\n")?;
    cli.output(&["plugin", "deploy", plugin.to_str().context("a path of UTF-8")?]).await?;

    let until_decided = async |events: u64| {
        until("all are decided", async || {
            let stats: Value = cli.json(&["stats", "--json"]).await?;
            Ok((stats["plans"]["decided"] == events).then_some(()))
        })
        .await
    };
    let (sender, warm) = (Sender::new(&parts.request_url())?, WARM * u64::try_from(QUEUES)?);
    post(&sender, 0..warm).await?;
    until_decided(warm).await?;

    let spent = || -> anyhow::Result<[f64; 2]> {
        let of = |pid| anyhow::Ok(cpu_time(pid)?.as_secs_f64() * 1e6);
        let hosts = hosts.iter().map(|host| of(host.id()?)).sum::<anyhow::Result<f64>>()?;
        let server = children(postmaster)?.into_iter().map(of).sum::<anyhow::Result<f64>>()?;
        Ok([hosts, server])
    };
    let (before, since) = (spent()?, Instant::now());
    tokio::time::sleep(SETTLE).await;
    let (after, rested_s) = (spent()?, since.elapsed().as_secs_f64());
    let idle = [0, 1].map(|at| (after[at] - before[at]) / rested_s);
    for host in &hosts {
        host.signal("STOP").await?;
    }
    post(&sender, warm..warm + events).await?;
    let (before, since) = (spent()?, Instant::now());
    for host in &hosts {
        host.signal("CONT").await?;
    }
    until_decided(warm + events).await?;
    let (after, took_s) = (spent()?, since.elapsed().as_secs_f64());
    let each = |at: usize| {
        let spent = after[at] - before[at] - idle[at] * took_s;
        anyhow::Ok(spent / f64::from(u32::try_from(events)?))
    };
    let idle = idle[0] / f64::from(u32::try_from(count)?);
    Ok(Cost { hosts: each(0)?, server: each(1)?, idle })
}

/// A database with nothing in it; gives the process that all of the server's have come from.
async fn fresh_database(server: &str) -> anyhow::Result<u32> {
    let mut config: Config = server.parse().with_context(|| format!("read {SERVER}"))?;
    let making = tokio::task::spawn_blocking(move || {
        let mut client: Client = config.dbname("postgres").connect(NoTls)?;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
        client.batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
        let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        let checkpointer: i32 = client.query_one(sql, &[])?.try_get(0)?;
        parent(u32::try_from(checkpointer)?)
    });
    making.await.context("ask the server")?
}

/// The processes that have come from this one.
fn children(of: u32) -> anyhow::Result<Vec<u32>> {
    let processes = std::fs::read_dir("/proc").context("list the processes")?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children: Vec<u32> = pids.filter(|pid| parent(*pid).is_ok_and(|parent| parent == of)).collect();
    ensure!(!children.is_empty(), "the server has no processes");
    Ok(children)
}

/// As the kernel's documentation of `/proc/<pid>/stat` has it: behind the name in brackets, the second field.
fn parent(pid: u32) -> anyhow::Result<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("ask after a process")?;
    let (_, fields) = stat.rsplit_once(')').context("a process has a name")?;
    fields.split_whitespace().nth(1).context("a process has a parent")?.parse().context("read its parent")
}
