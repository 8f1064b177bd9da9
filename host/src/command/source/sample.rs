//! `tidegate source test`: the sender's sample event, sent the way the sender does and followed to its end.

use crate::command::nearby::Place;
use crate::command::{client, dev, events, print, print_json};
use anyhow::{Context as _, bail, ensure};
use reqwest::Url;
use std::time::Duration;
use tidegate::admin::client::Client;
use tidegate::config::Config;
use tidegate::sample;
use tidegate::store::EventRow;
use tidegate::vigil::report::SourcesReport;
use tidegate_envelope::{Receipt, SourceName};
use tokio::time::Instant;

/// The pause between two looks at what became of it.
const LOOK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which source.
    #[arg(value_parser = SourceName::new)]
    name: SourceName,
    /// Its request URL; with `tidegate dev` on this directory it is known.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How long to wait until it is decided, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Print what became of it as one JSON object, as `events show --json` does.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, config: &Config, host: &Place) -> anyhow::Result<()> {
    let url = request_url(args, config, host)?;
    let host = client(host)?;
    // Asked first: what cannot be followed is not sent.
    let _: SourcesReport = host.get("/api/v1/sources").await?;
    let started = Instant::now();
    let receipt = sample::post(url, &args.name, jiff::Timestamp::now()).await?;
    let say = |text: String| if args.json { Ok(()) } else { print(&text) };
    say(format!("the edge took it in {} ms: receipt {receipt}\n", started.elapsed().as_millis()))?;
    let event = follow(&host, receipt, Duration::from_secs(args.wait)).await?;
    if args.json {
        print_json([&event])?;
    } else {
        print(&events::timeline(&event))?;
    }
    ensure!(event.state == "decided", "it is {}: see `tidegate parked list`", event.state);
    say(format!("{} works: from the edge to the decision in {} ms\n", args.name, since(&event)))
}

const fn since(event: &EventRow) -> u64 {
    event.decided_at_ms.saturating_sub(event.received_at_ms)
}

/// Prints where the source takes events.
pub(super) fn url(name: &SourceName, config: &Config, host: &Place) -> anyhow::Result<()> {
    let url = known_url(name, config, host)?.with_context(|| {
        format!("only a `tidegate dev` knows where {name} takes events: https://<your domain>/in/{name}/<token of sources.json>")
    })?;
    print(&format!("{url}\n"))
}

fn known_url(name: &SourceName, config: &Config, host: &Place) -> anyhow::Result<Option<String>> {
    let Some(dir) = host.dir() else { return Ok(None) };
    Ok(dev::request_url(config, dir)?.filter(|_| config.dev.source == *name))
}

fn request_url(args: &Args, config: &Config, host: &Place) -> anyhow::Result<Url> {
    let known = match &args.url {
        Some(url) => Some(url.clone()),
        None => known_url(&args.name, config, host)?,
    };
    let url =
        known.with_context(|| format!("say where {} is: --url https://<your domain>/in/...", args.name))?;
    sample::request_url(&url, &args.name).context("--url")
}

/// Waits until the event needs nothing more to be decided.
async fn follow(host: &Client, receipt: Receipt, wait: Duration) -> anyhow::Result<EventRow> {
    let until = Instant::now() + wait;
    loop {
        // Not known yet, or the host is starting: either way there is time left to see.
        let event: anyhow::Result<EventRow> = host.get(&format!("/api/v1/events/{receipt}")).await;
        match event {
            Ok(event) if event.state != "waiting" => return Ok(event),
            Ok(_) if Instant::now() >= until => {
                bail!("it is still waiting to be decided after {wait:?}: tidegate events show {receipt}")
            }
            Err(error) if Instant::now() >= until => {
                return Err(error.context(format!(
                    "the edge took it, and the host did not have it within {wait:?}: does it pull from the same queue?"
                )));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}
