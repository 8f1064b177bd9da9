//! The benches that drive other processes. Takes the name of one, and the numbers that it says it takes.

mod edge;
mod effects;
mod group;
mod latency;
mod look;
mod queue;
mod swap;

use anyhow::{Context as _, bail};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().context("name a bench: edge, effects, group, latency, look, queue or swap")?;
    let numbers = words
        .map(|word| word.parse().with_context(|| format!("{word} is no number")))
        .collect::<anyhow::Result<Vec<u64>>>()?;
    match name.as_str() {
        "edge" => edge::run(&numbers).await,
        "effects" => effects::run(&numbers).await,
        "group" => group::run(&numbers).await,
        "latency" => latency::run(&numbers).await,
        "look" => look::run(&numbers).await,
        "queue" => queue::run(&numbers).await,
        "swap" => swap::run(&numbers).await,
        other => {
            bail!("there is no bench {other}; there are edge, effects, group, latency, look, queue and swap")
        }
    }
}
