//! The page in a real browser, against the running system: what a person does with it, and how each view looks. The steps
//! are in `tests/browser`; pictures of the views are left in `target/screenshots`.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::process::Process;
use tidegate_tests::system::{Dev, actor, lasting_port, local};
use tidegate_toolchain::tool;
use tokio::process::Command;

/// Events that are there before the browser comes: more than fit into the document.
const EVENTS: u32 = 420;

/// The running system, always at the same address.
async fn start(dir: &Path, listen: &str) -> anyhow::Result<Dev> {
    Dev::start_with(
        dir,
        &[("TIDEGATE_ADMIN_LISTEN", listen), ("TIDEGATE_QUEUE_VISIBILITY_TIMEOUT_MS", "2000")],
    )
    .await
}

/// A token of this name and role.
async fn token(dev: &Dev, role: &str) -> anyhow::Result<String> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/api/v1/tokens", dev.ready("admin_url"));
    let asked = http.post(url).bearer_auth(dev.ready("admin_token"));
    let answer = asked.json(&json!({ "name": format!("the-{role}"), "role": role })).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["token"].as_str().context("it is told")?.to_owned())
}

/// Events and two versions of a plugin, the later one on trial.
async fn furnish(dir: &Path, dev: &Dev, receiver: &Receiver) -> anyhow::Result<()> {
    let authority = receiver.url("").trim_start_matches("http://").to_owned();
    let deploy = async |settings: &str, more: &[&str]| {
        let plugin = actor(dir, &format!("hosts = [\"{authority}\"]\n{settings}"))?;
        let plugin = plugin.to_string_lossy();
        dev.cli.output(&[&["plugin", "deploy", &*plugin, "--approve"], more].concat()).await
    };
    deploy("", &[]).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let mut last = None;
    for first in (0..EVENTS).step_by(20) {
        let posts = (first..EVENTS.min(first + 20)).map(|id| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.post(&json!({ "event_type": "asset.create", "id": id })).await })
        });
        for post in posts.collect::<Vec<_>>() {
            last = Some(post.await??);
        }
    }
    sender.post(&json!({ "event_type": "asset.update", "id": "odd", "do": "trap" })).await?;
    dev.cli.settled(last.context("there are events")?).await?;
    deploy("[settings]\ndo = \"note nothing to do\"\n", &["--canary", "50"]).await.map(drop)
}

/// The script, with what it is told.
fn script(dev: &Dev, receiver: &Receiver, tokens: &Value, log: &Path) -> anyhow::Result<Process> {
    let shots = root().join("target/screenshots");
    fs::create_dir_all(&shots)?;
    let given = json!({
        "chromium": tool::find("chromium")?,
        "playwright": tool::find("playwright-core")?,
        "axe": tool::find("axe-core")?,
        "shots": shots,
        "page_url": dev.ready("page_url"),
        "request_url": dev.ready("request_url"),
        "target_url": receiver.url("/notices"),
        "refusing_url": receiver.url_that_answers(&[400, 200]),
        "tokens": tokens,
    });
    let mut command = Command::new(tool::find("node")?);
    command.arg(root().join("tests/browser/run.mjs")).arg(given.to_string());
    Process::start("the browser", command, log)
}

#[tokio::test]
async fn the_page_does_in_a_browser_what_it_promises() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let listen = local(lasting_port()?);
    let receiver = Receiver::start().await?;
    let mut dev = start(dir.path(), &listen).await?;
    furnish(dir.path(), &dev, &receiver).await?;
    let [read, operate, admin] = ["read", "operate", "admin"].map(|role| token(&dev, role));
    let tokens = json!({ "read": read.await?, "operate": operate.await?, "admin": admin.await? });
    let mut browser = script(&dev, &receiver, &tokens, &dir.path().join("browser.log"))?;
    let mut failures = Vec::new();
    loop {
        let line = browser.line().await?;
        println!("{line}");
        match line.as_str() {
            "restart" => {
                dev.process.kill().await?;
                dev = start(dir.path(), &listen).await?;
            }
            "passed" => break,
            line if line.starts_with("failed ") => break,
            line if line.starts_with("ok ") || line.starts_with("seen ") => {}
            line => failures.push(line.to_owned()),
        }
    }
    ensure!(failures.is_empty(), "{}\n{}", failures.join("\n"), browser.log()?);
    ensure!(browser.ended().await?.success(), "{}", browser.log()?);
    Ok(())
}
