//! Versions swapped every second under the sender, through `tidegate dev` as a user starts it: what that costs the events
//! in between, and whether every one is decided once, by one version, and told once. First the same load without a swap.
//! Prints JSON lines. Takes the seconds with swaps (60) and the events per second (300).

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tidegate::admin::client::{Address, Client};
use tidegate::admin::plugins::{AssignRequest, ChangeRequest};
use tidegate::deploy::Deployed;
use tidegate::plugin::Version;
use tidegate::store::EventRow;
use tidegate_tests::bench;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, plugin, until};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Between two swaps.
const SWAP_EVERY: Duration = Duration::from_secs(1);
/// Where the notices of the two versions go.
const PATHS: [&str; 2] = ["/a", "/b"];

/// When a notice was there, and under which path; by receipt, each time it came.
type Notices = Arc<Mutex<HashMap<String, Vec<(Instant, String)>>>>;

/// What was posted: by receipt, when.
type Posted = HashMap<String, Instant>;

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let seconds = numbers.first().copied().unwrap_or(60);
    let per_second = numbers.get(1).copied().unwrap_or(300);
    let (url, notices) = receive().await?;
    let dir = bench::data_dir()?;
    let dev = Dev::start(dir.path()).await?;
    let swapper = Swapper::new(&dev, dir.path(), &url).await?;
    let sender = Arc::new(Sender::new(dev.ready("request_url"))?);
    let events = seconds * per_second;

    // The first ones start what only the first need.
    post(&sender, 0, per_second * 2, per_second).await?;
    let calm = post(&sender, per_second * 2, per_second * 2 + events, per_second).await?;
    let first = per_second * 2 + events;
    let (busy, swaps) =
        tokio::join!(post(&sender, first, first + events, per_second), swapper.swap(seconds, &notices));
    let (busy, swaps) = (busy?, swaps?);
    let told = until("every notice has come", async || {
        let notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(busy
            .keys()
            .chain(calm.keys())
            .all(|receipt| notices.contains_key(receipt))
            .then(|| notices.clone()))
    })
    .await?;
    let mixed = judge(&dev, &swapper, &told, &busy).await?;
    let calm_p99 = bench::percentile(&latencies_ms(&calm, &told), 99);
    let busy_p99 = bench::percentile(&latencies_ms(&busy, &told), 99);
    eprintln!(
        "{} swaps among {} events, {} by the one and {} by the other version: lost 0, doubled 0",
        swaps.promotes.len() + swaps.rollbacks.len(),
        busy.len(),
        mixed.0,
        mixed.1
    );
    println!("{}", bench::figure_against("swap-p99", busy_p99, "ms", calm_p99));
    println!("{}", bench::figure("swap-promote-to-first", bench::percentile(&swaps.promotes, 50), "ms"));
    println!("{}", bench::figure("swap-rollback", bench::percentile(&swaps.rollbacks, 50), "ms"));
    Ok(())
}

/// Two versions of the plugin, and what switches them.
struct Swapper {
    client: Client,
    versions: [Version; 2],
}

/// How long each took, in milliseconds.
#[derive(Default)]
struct Swaps {
    /// From asking for the other version to the first notice of an event that it decided.
    promotes: Vec<f64>,
    /// From asking to go back to the answer that it is done.
    rollbacks: Vec<f64>,
}

impl Swapper {
    async fn new(dev: &Dev, dir: &std::path::Path, url: &str) -> anyhow::Result<Self> {
        let mut versions = Vec::new();
        for path in PATHS.iter().rev() {
            let deployed = dev.cli.deploy(&plugin("rust")?, &format!("{url}{path}")).await?;
            versions.insert(0, deployed.version.context("it has a version")?);
        }
        let client = Client::new(Address::read(&dir.join("data"))?, None)?;
        Ok(Self { client, versions: versions.try_into().ok().context("there are two")? })
    }

    /// Swaps for so long: to the second version, and back, in turns.
    async fn swap(&self, seconds: u64, notices: &Notices) -> anyhow::Result<Swaps> {
        let mut swaps = Swaps::default();
        let mut tick = interval(SWAP_EVERY);
        for turn in 0..seconds {
            tick.tick().await;
            let asked_at = Instant::now();
            if turn % 2 == 0 {
                let request =
                    AssignRequest { version: self.versions[1].as_str().into(), ..AssignRequest::default() };
                let _: Deployed = self.client.post("/api/v1/plugins/of/loan-notice/assign", &request).await?;
                swaps.promotes.push(first_of(notices, PATHS[1], asked_at).await?);
            } else {
                let request = ChangeRequest::default();
                let _: Deployed =
                    self.client.post("/api/v1/plugins/of/loan-notice/rollback", &request).await?;
                swaps.rollbacks.push(asked_at.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(swaps)
    }
}

/// Milliseconds until a notice comes under this path.
async fn first_of(notices: &Notices, path: &str, since: Instant) -> anyhow::Result<f64> {
    let deadline = since + SWAP_EVERY / 2;
    loop {
        let first = {
            let notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
            notices
                .values()
                .flatten()
                .filter(|(at, came)| *at > since && came == path)
                .map(|(at, _)| *at)
                .min()
        };
        match first {
            Some(at) => return Ok((at - since).as_secs_f64() * 1e3),
            None => ensure!(Instant::now() < deadline, "no event was decided by the other version"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Posts the events of these numbers at this pace; all are answered.
async fn post(sender: &Arc<Sender>, from: u64, to: u64, per_second: u64) -> anyhow::Result<Posted> {
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(per_second)?);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut posts = JoinSet::new();
    for number in from..to {
        tick.tick().await;
        let sender = Arc::clone(sender);
        let event = loan(usize::try_from(number)?);
        posts.spawn(async move {
            let posted_at = Instant::now();
            anyhow::Ok((sender.post(&event).await?.to_string(), posted_at))
        });
    }
    let mut posted = Posted::new();
    while let Some(done) = posts.join_next().await {
        let (receipt, posted_at) = done.context("a post panicked")??;
        posted.insert(receipt, posted_at);
    }
    Ok(posted)
}

/// Milliseconds from each post to its notice.
fn latencies_ms(posted: &Posted, told: &HashMap<String, Vec<(Instant, String)>>) -> Vec<f64> {
    let latency = |(receipt, posted_at): (&String, &Instant)| {
        let (arrived, _) = told.get(receipt)?.first()?;
        Some((*arrived - *posted_at).as_secs_f64() * 1e3)
    };
    posted.iter().filter_map(latency).collect()
}

/// Every event was decided once and told once, where the version that decided it says. Gives how many each decided.
async fn judge(
    dev: &Dev,
    swapper: &Swapper,
    told: &HashMap<String, Vec<(Instant, String)>>,
    posted: &Posted,
) -> anyhow::Result<(usize, usize)> {
    let events: Vec<EventRow> = dev.cli.events().await?;
    let events: HashMap<_, _> = events.into_iter().map(|row| (row.receipt.to_string(), row)).collect();
    let mut by = [0, 0];
    for receipt in posted.keys() {
        let row = events.get(receipt).with_context(|| format!("lost: {receipt}"))?;
        let [plan] = &row.plans[..] else { anyhow::bail!("{receipt} has {} plans", row.plans.len()) };
        ensure!(plan.state == "decided" && plan.attempt == 1, "{receipt}: {plan:?}");
        let place = swapper.versions.iter().position(|version| *version == plan.version);
        let place = place.with_context(|| format!("{receipt} was decided by neither"))?;
        let notices = told.get(receipt).context("it was told")?;
        ensure!(notices.len() == 1, "doubled: {receipt} was told {} times", notices.len());
        ensure!(notices[0].1 == PATHS[place], "{receipt}: the plan of one version, the notice of the other");
        by[place] += 1;
    }
    ensure!(by.iter().all(|count| *count > 0), "both versions decided: {by:?}");
    Ok((by[0], by[1]))
}

/// Listens for notices on a free port of the loopback, and looks at the clock before anything else.
async fn receive() -> anyhow::Result<(String, Notices)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
    let url = format!("http://{}", listener.local_addr()?);
    let notices = Notices::default();
    let router = Router::new().fallback(take).with_state(Arc::clone(&notices));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a bound listener serves") });
    Ok((url, notices))
}

async fn take(State(notices): State<Notices>, uri: Uri, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let Ok(notice) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let receipt = notice.get("receipt").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
    notices.entry(receipt).or_default().push((now, uri.path().to_owned()));
    StatusCode::OK
}
