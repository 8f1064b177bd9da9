//! The main job on real input, shown: one event from the edge to its effect, and a plugin swapped on the way.

use crate::receiver::{Arrived, Receiver};
use crate::{edge, plugin, shell};
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tidegate_toolchain::tools::Tools;

/// The longest that a step of the demo may take.
const STEP: Duration = Duration::from_secs(30);

/// Builds everything, starts everything, and shows it.
pub(crate) fn run(root: &Path, tools: &Tools, once: bool) -> anyhow::Result<()> {
    heading("Building the host, the Worker and a plugin (the first time takes some minutes)");
    tools.ensure("workerd")?;
    // Before the host, which brings the plugins' folders: a new component in one has it built again.
    plugin::build_plugins(root, tools, &["rust"])?;
    let tidegate = shell::build_host(root)?;
    edge::build(root)?;

    heading("Starting the system: the Worker under workerd, the queue, the host");
    let dir = shell::target_dir(root).join("demo");
    remove(&dir)?;
    fs::create_dir_all(&dir)?;
    let receiver = Receiver::start()?;
    let system = System::start(root, &tidegate, &dir)?;
    println!("request URL  {}", system.ready("request_url")?);
    println!("notices go   {}/notices", receiver.url);

    heading("Deploying plugins/rust, and posting the sender's sample event");
    system.deploy(&root.join("plugins/rust"), &receiver)?;
    let sample: Value = serde_json::from_slice(&fs::read(root.join("tests/samples/asset-update.json"))?)?;
    show(&system, &receiver, &sample)?;

    heading("Deploying a changed plugin: nothing is restarted");
    let changed = change_plugin(root, tools, &dir)?;
    system.deploy(&changed, &receiver)?;
    let mut later = sample;
    later["updated_at"] = "2022-11-12 09:00:00.000001".into();
    show(&system, &receiver, &later)?;

    if once {
        system.stop()?;
        println!("\ndemo: ok");
        return Ok(());
    }
    play(&system, &receiver)
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn remove(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("clear the demo's directory")
        }
        _ => Ok(()),
    }
}

/// Posts an event at the edge and follows it to the notice and through the timeline.
fn show(system: &System, receiver: &Receiver, event: &Value) -> anyhow::Result<()> {
    let posted_at = Instant::now();
    let receipt = system.post(event)?;
    println!("202 from the edge after {:.1} ms, receipt {receipt}", posted_at.elapsed().as_secs_f64() * 1e3);
    let arrived = receiver.next(STEP)?;
    println!("notice at its receiver after {:.1} ms:", posted_at.elapsed().as_secs_f64() * 1e3);
    print_arrived(&arrived);
    ensure!(arrived.key.starts_with(&receipt), "the notice carries another event's key: {}", arrived.key);
    println!("{}", system.timeline(&receipt)?);
    Ok(())
}

fn print_arrived(arrived: &Arrived) {
    println!("  {}\n  Idempotency-Key: {}\n  {}", arrived.request, arrived.key, arrived.body);
}

/// A copy of the Rust plugin whose notice reads differently, built from its source.
fn change_plugin(root: &Path, tools: &Tools, dir: &Path) -> anyhow::Result<PathBuf> {
    let (from, to) = (root.join("plugins/rust"), dir.join("changed"));
    fs::create_dir_all(to.join("src"))?;
    for file in ["Cargo.lock", "plugin.toml"] {
        fs::copy(from.join(file), to.join(file)).with_context(|| format!("copy {file}"))?;
    }
    let manifest = fs::read_to_string(from.join("Cargo.toml"))?;
    let sdk = root.join("sdk/rust");
    fs::write(to.join("Cargo.toml"), manifest.replace("../../sdk/rust", &sdk.to_string_lossy()))?;
    let source = fs::read_to_string(from.join("src/main.rs"))?;
    let changed = source.replace("is on loan to", "now travels with");
    ensure!(
        changed.contains("now travels with"),
        "plugins/rust no longer says `is on loan to`: the demo changes that"
    );
    fs::write(to.join("src/main.rs"), changed)?;
    println!("changed \"is on loan to\" into \"now travels with\" in its source, and built it");
    plugin::build_copy(root, tools, &to)?;
    Ok(to)
}

/// Stays up: prints a line to play with, and every notice that arrives.
fn play(system: &System, receiver: &Receiver) -> anyhow::Result<()> {
    heading("It stays up; Ctrl-C stops it. Send it events:");
    println!(
        "curl -i '{}' -H 'content-type: application/json' \\\n  -d '{{\"event_type\":\"asset.update\",\"id\":1,\"name\":\"Laptop\",\"loanee\":{{\"id\":2,\"name\":\"Ada\"}}}}'",
        system.ready("request_url")?
    );
    println!("{} sender '{}' --rate 5 --for 60", system.tidegate.display(), system.ready("request_url")?);
    println!("{} --data {} events list", system.tidegate.display(), system.data.display());
    while let Some(arrived) = receiver.wait() {
        println!("\na notice arrived:");
        print_arrived(&arrived);
    }
    Ok(())
}

/// A running `tidegate dev`. Dropping it kills it.
struct System {
    tidegate: PathBuf,
    data: PathBuf,
    process: Child,
    ready: Value,
}

impl Drop for System {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to stop.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl System {
    fn start(root: &Path, tidegate: &Path, dir: &Path) -> anyhow::Result<Self> {
        let data = dir.join("data");
        let log = fs::File::create(dir.join("log.txt"))?;
        let mut process = Command::new(tidegate)
            .current_dir(root)
            .args(["dev", "--json", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("start tidegate dev")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output is piped")?).read_line(&mut line)?;
        if line.is_empty() {
            let log = fs::read_to_string(dir.join("log.txt"))?;
            bail!("tidegate dev did not start:\n{log}");
        }
        let ready =
            serde_json::from_str(&line).context("read the line that tidegate dev prints when ready")?;
        Ok(Self { tidegate: tidegate.to_owned(), data, process, ready })
    }

    fn ready(&self, name: &str) -> anyhow::Result<&str> {
        self.ready
            .get(name)
            .and_then(Value::as_str)
            .with_context(|| format!("tidegate dev --json has no {name}"))
    }

    fn deploy(&self, plugin: &Path, receiver: &Receiver) -> anyhow::Result<()> {
        let setting = format!("notice_url={}/notices", receiver.url);
        let output = self.tidegate(&["plugin", "deploy", &plugin.to_string_lossy(), "--set", &setting])?;
        print!("{output}");
        Ok(())
    }

    fn post(&self, event: &Value) -> anyhow::Result<String> {
        let mut answer =
            ureq::post(self.ready("request_url")?).send_json(event).context("post the event at the edge")?;
        let answer: Value = answer.body_mut().read_json().context("read the edge's answer")?;
        Ok(answer["receipt"].as_str().context("the edge's answer has a receipt")?.to_owned())
    }

    /// The event's timeline, once its effect is recorded as performed.
    #[expect(clippy::disallowed_methods, reason = "no runtime here: this thread has nothing else to do")]
    fn timeline(&self, receipt: &str) -> anyhow::Result<String> {
        let deadline = Instant::now() + STEP;
        loop {
            let text = self.tidegate(&["events", "show", receipt])?;
            if text.contains("performed") {
                return Ok(text);
            }
            ensure!(Instant::now() < deadline, "the effect was never recorded as performed:\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn tidegate(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.tidegate).arg("--data").arg(&self.data).args(args).output()?;
        ensure!(
            output.status.success(),
            "tidegate {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.process.id().to_string();
        shell::run(Command::new("kill").args(["-TERM", &pid]))?;
        let status = self.process.wait()?;
        ensure!(status.success(), "tidegate dev ended with {status} on SIGTERM");
        Ok(())
    }
}
