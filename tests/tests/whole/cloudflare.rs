//! Cloudflare's own clients, unchanged and offline, against `tidegate queue serve`: wrangler, the SDK, and the
//! conformance suite. Knows nothing of how the queue keeps messages.

use anyhow::{Context as _, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Output, Stdio};
use tempfile::TempDir;
use tidegate_tests::edge::root;
use tidegate_tests::system::process::Process;
use tidegate_tests::system::{self, PATIENCE};
use tidegate_toolchain::tool;
use tokio::process::Command;
use tokio::time::timeout;

const TOKEN: &str = "a-right-token";
const WRONG_TOKEN: &str = "a-wrong-token";

/// A running `tidegate queue serve`, and what its clients are told. Dropping it kills it.
struct Queue {
    dir: TempDir,
    _process: Process,
    base_url: String,
    account: String,
    id: String,
}

impl Queue {
    async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut command = Command::new(system::tidegate()?);
        command
            .args(["queue", "serve", "--json", "--queue", "events", "--data", "data"])
            .args(["--listen", "127.0.0.1:0", "--binding-listen", "127.0.0.1:0"])
            .current_dir(dir.path())
            .env("TIDEGATE_QUEUE_TOKEN", TOKEN);
        let mut process = Process::start("tidegate queue serve", command, &dir.path().join("queue.log"))?;
        let ready: Value = serde_json::from_str(&process.line().await?)?;
        Ok(Self {
            base_url: text(&ready, "/queue_url")?,
            account: text(&ready, "/account_id")?,
            id: text(&ready, "/queues/events")?,
            dir,
            _process: process,
        })
    }

    /// A Node program with a home of its own, and nothing of the developer's Cloudflare settings.
    async fn node(&self, token: &str, script: &Path, args: &[&str]) -> anyhow::Result<Output> {
        let home = self.dir.path().join("home");
        std::fs::create_dir_all(&home)?;
        let mut command = Command::new(tool::find("node")?);
        command.arg(script).args(args).current_dir(&home).env_clear();
        for name in ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(name, &home);
        }
        command.env("CLOUDFLARE_API_TOKEN", token);
        command.envs([
            ("CLOUDFLARE_API_BASE_URL", self.base_url.as_str()),
            ("CLOUDFLARE_ACCOUNT_ID", &self.account),
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_SEND_ERROR_REPORTS", "false"),
            // Without the banner there is no look for a newer version either.
            ("WRANGLER_HIDE_BANNER", "true"),
            ("WRANGLER_LOG", "log"),
            ("NO_COLOR", "1"),
            ("CI", "1"),
        ]);
        output(command).await
    }

    /// `wrangler`, expected to succeed: what it prints.
    async fn wrangler(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.node(TOKEN, &tool::find("wrangler")?, args).await?;
        ensure!(output.status.success(), "wrangler {}: {output:?}", args.join(" "));
        String::from_utf8(output.stdout).context("read what wrangler printed")
    }

    /// `wrangler`, expected to fail: what it says.
    async fn wrangler_refusal(&self, token: &str, args: &[&str]) -> anyhow::Result<String> {
        let output = self.node(token, &tool::find("wrangler")?, args).await?;
        ensure!(output.status.code() == Some(1), "wrangler {}: {output:?}", args.join(" "));
        String::from_utf8(output.stderr).context("read what wrangler said")
    }

    /// `tidegate queue conform` on this queue.
    async fn conform(&self, token: &str) -> anyhow::Result<Output> {
        let mut command = Command::new(system::tidegate()?);
        command
            .args(["queue", "conform", "--base-url", &self.base_url, "--account-id", &self.account])
            .current_dir(self.dir.path())
            .env("TIDEGATE_QUEUE_TOKEN", token);
        output(command).await
    }

    /// The `result` of a GET on the API, under the account.
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let url = format!("{}/accounts/{}{path}", self.base_url, self.account);
        let response = client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
        let mut answer: Value = response.json().await?;
        Ok(answer.get_mut("result").context("an answer has a result")?.take())
    }
}

async fn output(mut command: Command) -> anyhow::Result<Output> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    timeout(PATIENCE, running).await.context("it does not end")?.context("run it")
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("{pointer} in {value}"))?.to_owned())
}

#[tokio::test]
async fn wrangler_makes_a_queue_gives_it_a_pull_consumer_and_deletes_it() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let list = queue.wrangler(&["queues", "list"]).await?;
    ensure!(list.contains(&queue.id) && list.contains("events"), "{list}");

    let created = queue.wrangler(&["queues", "create", "jobs"]).await?;
    ensure!(created.contains("Created queue 'jobs'"), "{created}");
    let id = text(&queue.get("/queues?name=jobs").await?, "/0/queue_id")?;
    let info = queue.wrangler(&["queues", "info", "jobs"]).await?;
    ensure!(info.contains(&id) && info.contains("Number of Consumers: 0"), "{info}");

    let settings = ["--message-retries", "7", "--visibility-timeout-secs", "30", "--batch-size", "20"];
    let more = ["--retry-delay-secs", "5", "--dead-letter-queue", "events"];
    let add = [&["queues", "consumer", "http", "add", "jobs"][..], &settings, &more].concat();
    let added = queue.wrangler(&add).await?;
    ensure!(added.contains("Added consumer to queue jobs."), "{added}");
    let info = queue.wrangler(&["queues", "info", "jobs"]).await?;
    ensure!(info.contains("Number of Consumers: 1") && info.contains("HTTP Pull Consumer"), "{info}");
    ensure!(info.contains(&format!("/queues/{id}/messages/pull")), "{info}");
    let consumers = queue.get(&format!("/queues/{id}/consumers")).await?;
    ensure!(consumers.as_array().is_some_and(|consumers| consumers.len() == 1), "{consumers}");
    let expected =
        json!({ "batch_size": 20, "max_retries": 7, "retry_delay": 5, "visibility_timeout_ms": 30_000 });
    ensure!(consumers.pointer("/0/type") == Some(&json!("http_pull")), "{consumers}");
    ensure!(consumers.pointer("/0/dead_letter_queue") == Some(&json!("events")), "{consumers}");
    ensure!(consumers.pointer("/0/settings") == Some(&expected), "{consumers}");

    let removed = queue.wrangler(&["queues", "consumer", "http", "remove", "jobs"]).await?;
    ensure!(removed.contains("Removed consumer from queue jobs."), "{removed}");
    ensure!(queue.get(&format!("/queues/{id}/consumers")).await? == json!([]), "the consumer is gone");
    let deleted = queue.wrangler(&["queues", "delete", "jobs"]).await?;
    ensure!(deleted.contains("Deleted queue jobs."), "{deleted}");
    ensure!(queue.get("/queues?name=jobs").await? == json!([]), "the queue is gone");
    Ok(())
}

#[tokio::test]
async fn wrangler_pauses_and_purges_a_queue() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let own = format!("/queues/{}", queue.id);
    let paused = async || anyhow::Ok(queue.get(&own).await?.pointer("/settings/delivery_paused").cloned());
    queue.wrangler(&["queues", "pause-delivery", "events"]).await?;
    ensure!(paused().await? == Some(json!(true)), "{:?}", paused().await?);
    queue.wrangler(&["queues", "resume-delivery", "events"]).await?;
    ensure!(paused().await? == Some(json!(false)), "{:?}", paused().await?);

    let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let url = format!("{}/accounts/{}{own}/messages", queue.base_url, queue.account);
    let message = json!({ "body": "to be purged", "content_type": "text" });
    client.post(url).bearer_auth(TOKEN).json(&message).send().await?.error_for_status()?;
    let backlog = async || anyhow::Ok(queue.get(&format!("{own}/metrics")).await?["backlog_count"].take());
    ensure!(backlog().await? == json!(1), "{}", backlog().await?);
    queue.wrangler(&["queues", "purge", "events", "--force"]).await?;
    ensure!(backlog().await? == json!(0), "{}", backlog().await?);
    Ok(())
}

#[tokio::test]
async fn wrangler_says_what_was_refused_and_why() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let said = queue.wrangler_refusal(TOKEN, &["queues", "create", "events"]).await?;
    ensure!(said.contains("queue name `events` is already taken [code: 11009]"), "{said}");
    let said = queue.wrangler_refusal(TOKEN, &["queues", "info", "nowhere"]).await?;
    ensure!(said.contains(r#"Queue "nowhere" does not exist."#), "{said}");
    let said = queue.wrangler_refusal(WRONG_TOKEN, &["queues", "list"]).await?;
    ensure!(said.contains("Authentication error [code: 10000]"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_official_sdk_pushes_pulls_and_acknowledges() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let package = tool::find("cloudflare")?;
    let package = package.to_str().context("the tools' path is UTF-8")?;
    let script = root().join("tests/cloudflare/sdk.mjs");
    let output = queue.node(TOKEN, &script, &[package, &queue.base_url, &queue.account]).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout)?;

    let id = text(&said, "/created/id")?;
    ensure!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let message =
        |kind: &str, attempts, body: Value| json!({ "type": kind, "attempts": attempts, "body": body });
    let sent = |attempts| {
        [
            message("text", attempts, json!("9007199254740993 as it is")),
            message("json", attempts, json!({ "loanee": { "id": 142, "name": "Zoë" } })),
            message("text", attempts, json!("first of two")),
            message("json", attempts, json!(["second", 2, null])),
        ]
    };
    let refused = |name: &str, status, code, message: &str| {
        let errors = [json!({ "code": code, "message": message })];
        json!({ "name": name, "status": status, "errors": errors })
    };
    let consumer =
        json!({ "batch_size": 5, "max_retries": 5, "retry_delay": 0, "visibility_timeout_ms": 60_000 });
    for (what, expected) in [
        ("/created/name", json!("sdk")),
        ("/listed", json!(["events", "sdk"])),
        ("/consumer", json!({ "type": "http_pull", "settings": consumer })),
        ("/pushed", json!(4)),
        ("/metrics/backlog_count", json!(4)),
        ("/peeked", json!(sent(0))),
        ("/pulled", json!(sent(1))),
        ("/acked", json!({ "ackCount": 2, "retryCount": 2, "warnings": {} })),
        ("/pulled_again", json!(&sent(2)[2..])),
        ("/acked_again", json!({ "ackCount": 2, "retryCount": 0, "warnings": {} })),
        ("/left/backlog_count", json!(0)),
        ("/left/backlog_bytes", json!(0)),
        ("/wrong_token", refused("PermissionDeniedError", 403, 10_000, "Authentication error")),
        ("/deleted", refused("NotFoundError", 404, 10_104, "queue not found")),
    ] {
        ensure!(said.pointer(what) == Some(&expected), "{what}: {:?}", said.pointer(what));
    }
    let oldest = said.pointer("/metrics/oldest_message_timestamp_ms").and_then(Value::as_u64);
    ensure!(oldest.is_some_and(|oldest| oldest > 1_600_000_000_000), "{oldest:?}");
    Ok(())
}

#[tokio::test]
async fn the_conformance_suite_passes() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let output = queue.conform(TOKEN).await?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.code() == Some(0), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let (cases, last) = printed.trim_end().rsplit_once('\n').context("cases and a last line")?;
    ensure!(last.ends_with(&format!("0 failed: {}", queue.base_url)), "{last}");
    ensure!(cases.lines().count() >= 35, "{cases}");
    for case in cases.lines() {
        ensure!(case.starts_with("pass ") || case.starts_with("observed "), "{case}");
    }
    let left = queue.get("/queues").await?;
    ensure!(left.as_array().is_some_and(|queues| queues.len() == 1), "it cleans up after itself: {left}");
    Ok(())
}

#[tokio::test]
async fn the_conformance_suite_says_that_the_token_is_wrong() -> anyhow::Result<()> {
    let queue = Queue::start().await?;
    let output = queue.conform(WRONG_TOKEN).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    ensure!(said.lines().count() == 1 && said.starts_with("error: set up a queue for the suite"), "{said}");
    ensure!(
        said.contains("403") && said.contains("Authentication error") && said.contains("check the base URL"),
        "{said}"
    );
    Ok(())
}
