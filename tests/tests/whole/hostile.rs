//! A hostile plugin beside a good one, in the whole system: each attack parks its own event with the fault's
//! name, and everything else goes on.

use anyhow::{Context as _, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidegate::account::AccountRow;
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev, until};

/// What the hostile guest does when an event is of this kind, and the name of the fault that it is.
const ATTACKS: [(&str, &str); 9] = [
    ("allocate", "memory_bytes"),
    ("grow-in-small-steps", "memory_growths"),
    // Rust keeps large locals in memory, and runs out of that before it runs out of stack.
    ("recurse", "trap"),
    ("panic", "trap"),
    ("flood-result", "result_bytes"),
    ("flood-refusal", "result_bytes"),
    ("flood-decisions", "decisions"),
    ("spin", "wall_time_ms"),
    // At no fault: it gets on without what it was denied, and says so in its own words.
    ("allocate-and-get-on", "no more memory"),
];

/// Times that each attack is made.
const ROUNDS: usize = 3;

/// The guest as a plugin that is asked about its attacks, and about what the good one is asked about.
fn hostile_plugin(dir: &Path) -> anyhow::Result<PathBuf> {
    let component = root().join("tests/guests/hostile/guest.wasm");
    ensure!(component.exists(), "{} is missing; type: cargo xtask plugins", component.display());
    let dir = dir.join("hostile");
    std::fs::create_dir(&dir)?;
    std::fs::copy(component, dir.join("plugin.wasm"))?;
    let manifest = "name = \"hostile\"\nkinds = [\"*\"]\n[limits]\nwall_time_ms = 300\n";
    std::fs::write(dir.join("plugin.toml"), manifest)?;
    Ok(dir)
}

#[tokio::test]
async fn each_attack_parks_its_own_event_and_everything_else_goes_on() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    // A plugin that ran out of time is asked once more, soon.
    let env = [("TIDEGATE_RETRY_ASKS_MAX", "2"), ("TIDEGATE_RETRY_FIRST_MS", "20")];
    let dev = Dev::start_with(dir.path(), &env).await?;
    let hostile = hostile_plugin(dir.path())?;
    dev.cli.output(&["plugin", "deploy", &hostile.to_string_lossy()]).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;

    let sender = Sender::new(dev.ready("request_url"))?;
    let (mut attacks, mut loans) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (place, (kind, fault)) in ATTACKS.into_iter().enumerate() {
            // About an asset of its own: what is parked holds what comes after it in its lane.
            let event = json!({ "event_type": kind, "id": format!("attack-{round}-{place}") });
            attacks.push((sender.post(&event).await?, kind, fault));
            loans.push(sender.post(&loan(round * ATTACKS.len() + place)).await?);
        }
    }
    let posted: Vec<Receipt> =
        attacks.iter().map(|(receipt, ..)| *receipt).chain(loans.iter().copied()).collect();
    let events = dev.cli.all_settled(&posted).await?;

    let parked = dev.cli.parked().await?;
    ensure!(parked.len() == attacks.len(), "{} attacks, {} parked", attacks.len(), parked.len());
    for (receipt, kind, fault) in &attacks {
        let event = find(&events, *receipt)?;
        ensure!(event.state == "parked" && event.plans.len() == 1, "{event:?}");
        let row = parked.iter().find(|row| row.receipt == Some(*receipt));
        let row = row.with_context(|| format!("{kind} is parked"))?;
        ensure!(row.why.contains(fault) && row.what == "event", "{kind} is parked for {fault}: {row:?}");
        ensure!(row.plugin.as_ref().is_some_and(|plugin| plugin.as_str() == "hostile"), "{row:?}");
    }
    let listed = dev.cli.output(&["parked", "list"]).await?;
    for name in ["memory_bytes", "result_bytes", "decisions", "wall_time_ms"] {
        ensure!(listed.contains(&format!("tidegate plugin explain {name}\n")), "{listed}");
    }
    for receipt in &loans {
        let event = find(&events, *receipt)?;
        ensure!(event.state == "decided" && event.plans.len() == 2, "{event:?}");
        ensure!(event.effects.iter().map(|effect| effect.state.as_str()).eq(["done"]), "{event:?}");
        receiver.until_answered(&receipt.to_string(), 200).await?;
    }
    accounted(&dev).await?;
    println!("{} attacks parked, {} loans decided beside them", attacks.len(), loans.len());
    Ok(())
}

/// Each fault stands on the account of the plugin that made it, by name; a plugin that ran out of time was asked twice.
async fn accounted(dev: &Dev) -> anyhow::Result<()> {
    let rows: Vec<AccountRow> = dev.cli.rows(&["plugin", "usage", "--json"]).await?;
    let [good, hostile] =
        ["loan-notice", "hostile"].map(|name| rows.iter().find(|row| row.plugin.as_str() == name));
    let hostile = hostile.context("the hostile one has an account")?;
    let rounds = u64::try_from(ROUNDS)?;
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, fault) in ATTACKS.iter().filter(|(kind, _)| *kind != "allocate-and-get-on") {
        *expected.entry((*fault).to_owned()).or_default() += if *kind == "spin" { 2 } else { 1 } * rounds;
    }
    ensure!(hostile.faults == expected && hostile.refusals == rounds, "{hostile:?}");
    ensure!(hostile.wall_us_max >= 300_000 && hostile.memory_bytes_max > 60 << 20, "{hostile:?}");
    ensure!(good.is_some_and(|good| good.active && good.faults.is_empty()), "{good:?}");
    Ok(())
}

fn find(events: &[EventRow], receipt: Receipt) -> anyhow::Result<&EventRow> {
    let found = events.iter().find(|event| event.receipt == receipt);
    found.with_context(|| format!("{receipt} is listed"))
}

#[tokio::test]
async fn half_a_plan_is_never_performed_and_a_plugin_that_asks_to_be_asked_again_is() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_RETRY_FIRST_MS", "20")]).await?;
    let plugin = hostile_plugin(dir.path())?;
    let setting = format!("notice_url={}", receiver.url("/notices"));
    let args = ["plugin", "deploy", &plugin.to_string_lossy(), "--host", "127.0.0.1", "--set", &setting];
    dev.cli.output(&args).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let cases = [
        ("half-granted", "parked", "decision 1: `emit` of `other`, which is not granted", 0),
        ("elsewhere", "parked", "`elsewhere.example` is not granted (granted: 127.0.0.1)", 0),
        ("not-mine", "decided", "", 0),
        ("again", "decided", "", 1),
    ];
    for (kind, state, why, effects) in cases {
        let receipt = sender.post(&json!({ "event_type": kind, "id": kind })).await?;
        let event = dev.cli.settled(receipt).await?;
        let plan = event.plans.first().context("it was asked")?;
        ensure!(event.state == state && event.effects.len() == effects, "{kind}: {event:?}");
        ensure!(plan.why.clone().unwrap_or_default().contains(why), "{kind}: {plan:?}");
        if kind == "again" {
            ensure!(plan.attempt == 2 && plan.notes == ["attempt 2"], "{plan:?}");
            receiver.until_answered(&receipt.to_string(), 200).await?;
        }
    }
    ensure!(receiver.notices().len() == 1, "one plan was whole and had an effect");
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_no_event_is_parked_as_a_stray_and_the_next_one_is_decided() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let strays = [
        json!({ "body": "hello", "content_type": "text" }),
        json!({ "body": { "v": 1 }, "content_type": "json" }),
        json!({ "body": { "v": 99, "receipt": "x" }, "content_type": "json" }),
        json!({ "body": "", "content_type": "text" }),
    ];
    for stray in &strays {
        let request = client.post(dev.queue("/messages")).bearer_auth(dev.ready("queue_token")).json(stray);
        request.send().await?.error_for_status()?;
    }
    let parked = until("all strays are parked", async || {
        Ok(Some(dev.cli.parked().await?).filter(|parked| parked.len() >= strays.len()))
    })
    .await?;
    ensure!(parked.len() == strays.len(), "{parked:?}");
    for row in &parked {
        ensure!(row.what == "stray" && row.receipt.is_none() && !row.why.is_empty(), "{row:?}");
    }
    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(1)).await?;
    ensure!(dev.cli.settled(receipt).await?.state == "decided", "the next event is decided");
    Ok(())
}
