//! A component that takes long to compile is deployed while events come: it is refused, and no event waited for it.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use tidegate::account::AccountRow;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev};

/// Steps of the function that takes long to compile: tens of seconds' worth.
const STEPS: usize = 100_000;
/// What the operator allows, in milliseconds.
/// Less than what makes it run out of memory first.
const COMPILE_TIME_MS_MAX: &str = "2000";

/// `tests/guests/compiles-slowly.wat`, made enormous. That it is no plugin would be found after it was compiled.
fn slow_plugin(dir: &Path) -> anyhow::Result<PathBuf> {
    let text = std::fs::read_to_string(root().join("tests/guests/compiles-slowly.wat"))?;
    let (before, step) = text.split_once(";; repeat\n").context("it says what to repeat")?;
    let (step, after) = step.split_once('\n').context("a line")?;
    let steps = format!("{step}\n").repeat(STEPS);
    let text = format!("(component (core module (memory 1) {before}{steps}{after}))");
    let dir = dir.join("slow");
    std::fs::create_dir(&dir)?;
    std::fs::write(dir.join("plugin.wasm"), wat::parse_str(text)?)?;
    std::fs::write(dir.join("plugin.toml"), "name = \"slow\"\nkinds = [\"*\"]\n")?;
    Ok(dir)
}

#[tokio::test]
async fn a_component_that_compiles_slowly_is_refused_and_no_event_waits_for_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let env = [("TIDEGATE_SANDBOX_COMPILE_TIME_MS_MAX", COMPILE_TIME_MS_MAX)];
    let dev = Dev::start_with(dir.path(), &env).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let slow = slow_plugin(dir.path())?;

    let args = ["plugin", "deploy", &slow.to_string_lossy()];
    let refusal = dev.cli.refusal(&args);
    tokio::pin!(refusal);
    let mut decided = 0;
    let refused = loop {
        let one = async {
            let receipt = sender.post(&loan(decided)).await?;
            let event = dev.cli.settled(receipt).await?;
            ensure!(event.state == "decided" && event.plans.len() == 1, "{event:?}");
            anyhow::Ok(())
        };
        tokio::select! {
            refused = &mut refusal => break refused?,
            one = one => one?,
        }
        decided += 1;
    };
    println!(
        "{decided} events arrived and were decided, one after the other, while it was compiled: {refused}"
    );
    ensure!(
        refused.contains("sandbox.compile_time_ms_max") && refused.contains(COMPILE_TIME_MS_MAX),
        "{refused}"
    );
    ensure!(decided >= 5, "{decided} events were decided meanwhile");
    ensure!(dev.cli.plugins().await?.len() == 1, "the slow one is not at work");

    let usage: Vec<AccountRow> = dev.cli.rows(&["plugin", "usage", "--json"]).await?;
    let [row] = usage.as_slice() else { anyhow::bail!("{usage:?}") };
    ensure!(row.calls >= u64::try_from(decided)? && row.faults.is_empty(), "{row:?}");
    ensure!(row.active && row.memory_bytes_max > 0 && row.wall_us >= row.wall_us_max, "{row:?}");
    let shown = dev.cli.output(&["plugin", "usage"]).await?;
    ensure!(shown.contains("at work") && shown.contains("none"), "{shown}");
    println!("{shown}");
    Ok(())
}
