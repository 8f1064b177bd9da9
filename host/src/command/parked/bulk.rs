//! Redriving and dropping, one or many: how many they are, the question whether that is meant, then batch by batch.

use super::Filter;
use crate::assembly::now_ms;
use anyhow::bail;
use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tidegate::admin::client::Client;
use tidegate::pipeline::intervene::{Intervened, Order};
use tidegate::store::parked::{ParkedId, ParkedQuery};
use tokio::time::Instant;

/// What a program is told by its exit code when nothing that is parked was meant.
const NOTHING: u8 = 3;
/// How many are done in one transaction at most.
const BATCH_MAX: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ids, as `tidegate parked list` prints them; or select by the options.
    #[arg(value_name = "ID", conflicts_with_all = ["all", "receipt", "subject", "source", "plugin", "what", "reason", "since", "until"])]
    ids: Vec<ParkedId>,
    #[command(flatten)]
    filter: Filter,
    /// All that is parked.
    #[arg(long)]
    all: bool,
    /// Only say how many that would be.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// At most so many a second, so that what is behind them is not run over.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    per_second: u16,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is done to them.
pub(super) enum Action {
    Redrive { version: Option<String> },
    Drop { reason: Option<String> },
}

impl Action {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redrive",
            Self::Drop { .. } => "drop",
        }
    }

    const fn done(&self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redriven",
            Self::Drop { .. } => "dropped",
        }
    }

    async fn order(&self, client: &Client, query: ParkedQuery) -> anyhow::Result<Intervened> {
        let order = match self {
            Self::Redrive { version } => Order { query, version: version.clone(), reason: None },
            Self::Drop { reason } => Order { query, version: None, reason: reason.clone() },
        };
        client.post(&format!("/api/v1/parked/{}", self.verb()), &order).await
    }
}

pub(super) async fn run(client: &Client, args: Args, action: Action) -> anyhow::Result<ExitCode> {
    let verb = action.verb();
    let queries = queries(&args, verb)?;
    let counts = count(client, &queries).await?;
    let all: u64 = counts.values().sum();
    if all == 0 {
        eprintln!("nothing that is parked is meant by that: tidegate parked list shows what there is");
        return Ok(ExitCode::from(NOTHING));
    }
    let kinds: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let kinds = kinds.join(", ");
    if args.dry_run {
        crate::command::print(&format!("would {verb} {kinds}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.ids.is_empty() && !args.yes && !confirm(&format!("{verb} {kinds}?"))? {
        bail!("nothing was done");
    }
    let mut result = Intervened::default();
    for query in queries {
        batches(client, &action, query, args.per_second, all, &mut result).await?;
    }
    for failed in &result.failed {
        eprintln!("{} is parked still: {}", failed.id, failed.why);
    }
    if args.json {
        crate::command::print_json([&result])?;
    } else {
        crate::command::print(&format!(
            "{} {}, {} failed\n",
            action.done(),
            result.done,
            result.failed.len()
        ))?;
    }
    Ok(if result.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is meant. Never what is parked later than now: what fails again is not tried again for ever.
fn queries(args: &Args, verb: &str) -> anyhow::Result<Vec<ParkedQuery>> {
    if !args.ids.is_empty() {
        let of = |id: &ParkedId| ParkedQuery { id: Some(id.clone()), ..ParkedQuery::default() };
        return Ok(args.ids.iter().map(of).collect());
    }
    let now_ms = now_ms();
    let query = args.filter.clone().query();
    let Filter { receipt, subject, source, plugin, what, reason, range } = &args.filter;
    let is_any = receipt.is_some() || range.since.is_some() || range.until.is_some();
    if !is_any && !args.all && [subject, source, plugin, what, reason].iter().all(|it| it.is_none()) {
        bail!("say what to {verb}: ids, options that select, or --all");
    }
    let until_ms = Some(query.until_ms.unwrap_or(now_ms).min(now_ms));
    Ok(vec![ParkedQuery { until_ms, ..query }])
}

/// How many of each kind.
async fn count(client: &Client, queries: &[ParkedQuery]) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for query in queries {
        let mut query = query.clone();
        loop {
            let page = super::page(client, &query).await?;
            for row in page.rows {
                *counts.entry(row.what).or_default() += 1;
            }
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(counts)
}

fn confirm(question: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("{question} add --yes, or --dry-run to see only how many they are");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn batches(
    client: &Client,
    action: &Action,
    mut query: ParkedQuery,
    per_second: u16,
    all: u64,
    result: &mut Intervened,
) -> anyhow::Result<()> {
    query.rows_max = Some(usize::from(per_second).min(BATCH_MAX));
    loop {
        let (started, before) = (Instant::now(), result.done + u64::try_from(result.failed.len())?);
        let batch = action.order(client, query.clone()).await?;
        result.done += batch.done;
        result.failed.extend(batch.failed);
        let so_far = result.done + u64::try_from(result.failed.len())?;
        if all > 1 {
            let end = if std::io::stderr().is_terminal() && so_far < all { "\r" } else { "\n" };
            eprint!("{} {} of {all}, {} failed{end}", action.done(), result.done, result.failed.len());
        }
        query.after = batch.next;
        if query.after.is_none() {
            return Ok(());
        }
        let share_s = u32::try_from(so_far - before)?;
        let share = Duration::from_secs(1) * share_s / u32::from(per_second);
        tokio::time::sleep_until(started + share).await;
    }
}
