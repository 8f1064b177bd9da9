//! What an operator waits for, while it works: the admin API's answers of a host with a million stored events, at a thousand new
//! ones a second through the edge. Prints JSON lines: the 95th percentile of each question. Takes the seconds (20) and the
//! stored events (1000000).
//!
//! The stored events are a thousand real ones, decided and performed by a host, and copies of their rows.

use anyhow::ensure;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tidegate::store::stats::Stats;
use tidegate_tests::bench;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, plugin, until};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Real events.
const REAL: usize = 1_000;
/// New events in a second.
const PACE: u32 = 1_000;
/// Before each question: an operator's page and command line ask less often.
const PAUSE: Duration = Duration::from_millis(10);

/// What is asked: its name, and where. `0` is after the last.
const QUESTIONS: [(&str, &str); 5] = [
    ("look-overview", "/api/v1/overview"),
    ("look-events", "/api/v1/events?before=0&rows_max=100"),
    ("look-subject", "/api/v1/events?before=0&rows_max=100&subject=7"),
    ("look-text", "/api/v1/events?before=0&rows_max=100&text=Spare-7"),
    ("look-parked", "/api/v1/parked?rows_max=100"),
];

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let seconds = numbers.first().copied().unwrap_or(20);
    let stored = numbers.get(1).copied().unwrap_or(1_000_000);
    let dir = bench::data_dir()?;
    let receiver = Receiver::start().await?;
    seed(dir.path(), &receiver).await?;
    let took = Instant::now();
    multiply(&dir.path().join("data/store.sqlite"), stored)?;
    eprintln!("{stored} events are stored, made in {:.0?}", took.elapsed());

    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_ADMIN_REQUESTS_PER_SECOND", "100000")]).await?;
    let (stop, stopped) = watch::channel(false);
    let asking =
        tokio::spawn(ask(dev.ready("admin_url").to_owned(), dev.ready("admin_token").to_owned(), stopped));
    let sent = post(&Sender::new(dev.ready("request_url"))?, seconds).await?;
    stop.send_replace(true);
    let answered = asking.await??;
    let stats: Stats = dev.cli.json(&["stats", "--json"]).await?;
    ensure!(stats.incoming >= stored + sent, "{sent} more events flowed: {stats:?}");
    for ((name, _), took_ms) in QUESTIONS.iter().zip(&answered) {
        println!("{}", bench::figure(&format!("{name}-p95"), bench::percentile(took_ms, 95), "ms"));
    }
    eprintln!(
        "{} questions, while {sent} events came at {PACE} a second",
        answered.iter().map(Vec::len).sum::<usize>()
    );
    Ok(())
}

/// Real events, from the edge to their effects.
async fn seed(dir: &Path, receiver: &Receiver) -> anyhow::Result<()> {
    let dev = Dev::start(dir).await?;
    dev.cli.deploy(&plugin("rust")?, &receiver.url("/notices")).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    for number in 0..REAL {
        sender.post(&loan(number)).await?;
    }
    until("all of them are performed", || async {
        let stats: Stats = dev.cli.json(&["stats", "--json"]).await?;
        Ok((stats.effects.done >= u64::try_from(REAL)?).then_some(()))
    })
    .await?;
    dev.process.kill().await
}

/// So many events in all: copies of the rows that are there, each of an event of its own.
fn multiply(store: &Path, events: u64) -> anyhow::Result<()> {
    let mut db = rusqlite::Connection::open(store)?;
    let columns = |db: &rusqlite::Connection, table: &str, without: &[&str]| -> anyhow::Result<String> {
        let mut statement = db.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().filter(|name| !without.contains(&name.as_str())).collect::<Vec<_>>().join(", "))
    };
    let (of_event, of_plan, of_effect) = (
        columns(&db, "events", &["seq", "receipt"])?,
        columns(&db, "plans", &["event_seq"])?,
        columns(&db, "effects", &["seq", "event_seq"])?,
    );
    let copies = events / u64::try_from(REAL)?;
    let transaction = db.transaction()?;
    let span: i64 = transaction.query_row("SELECT max(seq) FROM events", [], |row| row.get(0))?;
    for copy in 1..copies {
        let by = span * i64::try_from(copy)?;
        transaction.execute_batch(&format!(
            "INSERT INTO events (seq, receipt, {of_event})
             SELECT seq + {by}, CAST(substr(receipt, 1, 6) || randomblob(10) AS BLOB), {of_event} FROM events WHERE seq <= {span};
             INSERT INTO plans (event_seq, {of_plan}) SELECT event_seq + {by}, {of_plan} FROM plans WHERE event_seq <= {span};
             INSERT INTO effects (event_seq, {of_effect}) SELECT event_seq + {by}, {of_effect} FROM effects WHERE event_seq <= {span};"
        ))?;
    }
    transaction.execute("UPDATE counters SET count = count * ?1", [i64::try_from(copies)?])?;
    transaction.commit()?;
    Ok(())
}

/// Posts events at the pace for so long, and says how many.
async fn post(sender: &Sender, seconds: u64) -> anyhow::Result<u64> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / PACE);
    let events = seconds * u64::from(PACE);
    let mut posts = JoinSet::new();
    for number in 0..events {
        pace.tick().await;
        let (sender, event) = (sender.clone(), loan(REAL + usize::try_from(number)?));
        posts.spawn(async move { sender.post(&event).await });
    }
    while let Some(posted) = posts.join_next().await {
        posted??;
    }
    Ok(events)
}

/// Asks one question after the other until it is stopped: how long each took, in milliseconds.
async fn ask(url: String, token: String, stopped: watch::Receiver<bool>) -> anyhow::Result<Vec<Vec<f64>>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut took_ms = vec![Vec::new(); QUESTIONS.len()];
    while !*stopped.borrow() {
        for ((_, path), took_ms) in QUESTIONS.iter().zip(&mut took_ms) {
            tokio::time::sleep(PAUSE).await;
            let started = Instant::now();
            let response = http.get(format!("{url}{path}")).bearer_auth(&token).send().await?;
            let answer: Value = response.error_for_status()?.json().await?;
            took_ms.push(started.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.is_object(), "{path}: {answer}");
        }
    }
    Ok(took_ms)
}
