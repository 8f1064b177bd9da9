//! Versions are swapped while events come: none is lost, none is decided twice, and a bad version changes
//! nothing.

use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev, until};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Versions deployed while events come.
const SWAPS: usize = 10;
/// Events taken between two of them.
const EVENTS_BETWEEN: usize = 150;
/// The first of the assets whose events are waited for; the senders' are lower.
const WAITED_FOR: usize = 1_000_000;
/// Senders that post one event after the other.
const SENDERS: usize = 8;

/// One deployment, seen from outside.
struct Swap {
    version: String,
    path: &'static str,
    /// No later than this it was asked for, in milliseconds since the Unix epoch.
    asked_at_ms: u64,
    /// At this time it had returned.
    returned_at_ms: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_swapped_under_load_lose_nothing_and_decide_nothing_twice() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start(dir.path()).await?;
    let plugin = system::plugin("rust")?;
    let mut swaps = vec![swap(&dev, &plugin, &receiver, "/v1").await?];

    let sender = Sender::new(dev.ready("request_url"))?;
    let (load, mut waited_for) = (Load::start(&sender), Vec::new());
    for number in 0..SWAPS {
        load.taken_more(EVENTS_BETWEEN).await?;
        // However far behind the host was: which version decides about this one is beyond doubt.
        load.word.send_replace(Word::Pause);
        let receipt = sender.post(&loan(WAITED_FOR + number)).await?;
        until("it is decided", async || {
            Ok(Some(dev.cli.event(receipt).await?).filter(|event| event.state == "decided"))
        })
        .await?;
        waited_for.push(receipt);
        load.word.send_replace(Word::Post);
        let path = if number % 2 == 0 { "/v2" } else { "/v1" };
        swaps.push(swap(&dev, &plugin, &receiver, path).await?);
    }
    load.taken_more(EVENTS_BETWEEN).await?;
    let receipts = [load.stop().await?, waited_for].concat();
    let events = dev.cli.all_settled(&receipts).await?;

    ensure!(events.len() == receipts.len(), "{} events of {} posted", events.len(), receipts.len());
    let after_return = check_versions(&events, &swaps)?;
    check_notices(&events, &receiver, &swaps)?;
    let took_ms = swaps.iter().map(|swap| swap.returned_at_ms - swap.asked_at_ms).max().unwrap_or(0);
    println!(
        "{} events over {SWAPS} swaps, {after_return} of them certainly after a swap and before the next; the \
         slowest deployment took {took_ms} ms",
        events.len()
    );
    Ok(())
}

async fn swap(dev: &Dev, plugin: &Path, receiver: &Receiver, path: &'static str) -> anyhow::Result<Swap> {
    let asked_at_ms = now_ms()?;
    let deployed = dev.cli.deploy(plugin, &receiver.url(path)).await?;
    Ok(Swap {
        version: deployed.version.context("it has one")?.as_str().to_owned(),
        path,
        asked_at_ms,
        returned_at_ms: now_ms()?,
    })
}

fn now_ms() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// Each event was decided once; one accepted after a deployment returned, by that version. Gives how many those
/// were.
fn check_versions(events: &[EventRow], swaps: &[Swap]) -> anyhow::Result<usize> {
    let mut certain = vec![0; swaps.len()];
    for event in events {
        ensure!(event.state == "decided" && event.class == "first", "{event:?}");
        ensure!(event.plans.len() == 1 && event.effects.len() == 1, "{event:?} was decided once");
        let version = event.version.as_ref().context("it was decided by a version")?.as_str();
        let last = swaps.iter().rposition(|swap| swap.returned_at_ms < event.received_at_ms);
        let last = last.context("no event came before the first version")?;
        let next_asked_at_ms = swaps.get(last + 1).map_or(u64::MAX, |next| next.asked_at_ms);
        // One that was decided before the next version was asked for leaves no doubt.
        if event.decided_at_ms < next_asked_at_ms {
            certain[last] += 1;
            ensure!(version == swaps[last].version, "{event:?} came after {}", swaps[last].version);
        }
    }
    ensure!(certain.iter().all(|events| *events > 0), "of these certainly between two swaps: {certain:?}");
    Ok(certain.iter().sum())
}

/// What the receiver saw: each event once, at the URL of the version that decided it.
fn check_notices(events: &[EventRow], receiver: &Receiver, swaps: &[Swap]) -> anyhow::Result<()> {
    let paths: HashMap<&str, &str> = swaps.iter().map(|swap| (swap.version.as_str(), swap.path)).collect();
    ensure!(paths.len() == 2, "two settings are two versions");
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for notice in receiver.notices() {
        seen.entry(notice.key).or_default().push(notice.path);
    }
    ensure!(seen.len() == events.len(), "{} notices of {} events", seen.len(), events.len());
    for event in events {
        let version = event.version.as_ref().context("it was decided by a version")?.as_str();
        let key = &event.effects.first().context("it has an effect")?.key;
        let told = seen.get(key).with_context(|| format!("{key} was not seen"))?;
        ensure!(
            told.iter().map(String::as_str).eq(paths.get(version).copied()),
            "{key} was seen at {told:?}"
        );
    }
    let both = swaps.iter().all(|swap| seen.values().flatten().any(|path| path == swap.path));
    ensure!(both, "both versions decided something");
    Ok(())
}

/// Senders that post different events until they are stopped.
struct Load {
    word: watch::Sender<Word>,
    taken: Arc<watch::Sender<usize>>,
    senders: JoinSet<anyhow::Result<Vec<Receipt>>>,
}

/// What the senders do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Post,
    Pause,
    Stop,
}

impl Load {
    fn start(sender: &Sender) -> Self {
        let (word, told) = watch::channel(Word::Post);
        let taken = Arc::new(watch::Sender::new(0));
        let mut senders = JoinSet::new();
        for first in 0..SENDERS {
            let (sender, mut told, taken) = (sender.clone(), told.clone(), Arc::clone(&taken));
            senders.spawn(async move {
                let mut receipts = Vec::new();
                let mut numbers = (first..).step_by(SENDERS);
                while *told.wait_for(|word| *word != Word::Pause).await? == Word::Post {
                    // Once: while nothing dies, everything is taken at once.
                    receipts.push(sender.post(&loan(numbers.next().context("numbers do not end")?)).await?);
                    taken.send_modify(|count| *count += 1);
                }
                Ok(receipts)
            });
        }
        Self { word, taken, senders }
    }

    async fn taken_more(&self, count: usize) -> anyhow::Result<()> {
        let goal = *self.taken.borrow() + count;
        let mut taken = self.taken.subscribe();
        tokio::time::timeout(system::PATIENCE, taken.wait_for(|taken| *taken >= goal))
            .await
            .context("events stall")??;
        Ok(())
    }

    async fn stop(mut self) -> anyhow::Result<Vec<Receipt>> {
        self.word.send_replace(Word::Stop);
        let mut receipts = Vec::new();
        while let Some(done) = self.senders.join_next().await {
            receipts.extend(done.context("post events")??);
        }
        Ok(receipts)
    }
}

/// Something that must not be deployed, and words that its refusal must hold.
struct Bad {
    name: &'static str,
    component: Option<Vec<u8>>,
    manifest: &'static str,
    words: Vec<&'static str>,
}

const MANIFEST: &str = "name = \"loan-notice\"\nkinds = [\"asset.update\"]\n";

fn bad_ones() -> anyhow::Result<Vec<Bad>> {
    let interface = "tidegate:plugin/handler@1.0.0";
    let component = |text: &str| wat::parse_str(text).context("assemble a component");
    let other_types = format!(
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) \
         (func $f (canon lift (core func $i \"f\"))) (instance $h (export \"handle\" (func $f))) \
         (export \"{interface}\" (instance $h)))"
    );
    let good = std::fs::read(system::plugin("rust")?.join("plugin.wasm"))?;
    let bad = |name, component, words: Vec<&'static str>| Bad { name, component, manifest: MANIFEST, words };
    Ok(vec![
        bad("text", Some(b"print('hello')".to_vec()), vec!["not WebAssembly", "component"]),
        bad("module", Some(component("(module)")?), vec!["core module", "wasm-tools component new"]),
        bad("nothing", Some(component("(component)")?), vec!["exports nothing", "accepted is", interface]),
        bad("types", Some(component(&other_types)?), vec![interface, "not what the contract says"]),
        bad(
            "wasi",
            Some(component("(component (import \"wasi:cli/environment@0.3.0\" (instance)))")?),
            vec!["wasi:cli/environment@0.3.0", "interfaces of WASI 0.2", "nothing else"],
        ),
        bad("missing", None, vec!["plugin.wasm", "tidegate plugin build"]),
        Bad {
            name: "key",
            component: Some(good.clone()),
            manifest: "name = \"loan-notice\"\nkinds = [\"asset.update\"]\nhots = []\n",
            words: vec!["plugin.toml", "hots", "line 3"],
        },
        Bad {
            name: "limit",
            component: Some(good.clone()),
            manifest: "name = \"loan-notice\"\nkinds = [\"*\"]\n[limits]\nwall_time_ms = 60000\n",
            words: vec!["wall_time_ms = 60000", "operator's 1000"],
        },
        Bad {
            name: "syntax",
            component: Some(good),
            manifest: "name = \"loan-notice\"\nkinds = [\n",
            words: vec!["plugin.toml", "line 2"],
        },
    ])
}

fn write(dir: &Path, bad: &Bad) -> anyhow::Result<PathBuf> {
    let dir = dir.join(bad.name);
    std::fs::create_dir(&dir)?;
    std::fs::write(dir.join("plugin.toml"), bad.manifest)?;
    if let Some(component) = &bad.component {
        std::fs::write(dir.join("plugin.wasm"), component)?;
    }
    Ok(dir)
}

#[tokio::test]
async fn a_bad_version_is_refused_with_a_reason_and_the_good_one_goes_on() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start(dir.path()).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let good = dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/good")).await?;

    for (number, bad) in bad_ones()?.iter().enumerate() {
        let path = write(dir.path(), bad)?;
        let said = dev.cli.refusal(&["plugin", "deploy", &path.to_string_lossy()]).await?;
        ensure!(said.starts_with("error: "), "{}: {said}", bad.name);
        for word in &bad.words {
            ensure!(said.contains(*word), "{}: `{said}` should say `{word}`", bad.name);
        }
        let plugins = dev.cli.plugins().await?;
        ensure!(plugins.len() == 1 && plugins.iter().all(|row| row.version == good.version), "{plugins:?}");
        let receipt = sender.post(&loan(number)).await?;
        receiver.until_answered(&receipt.to_string(), 200).await?;
        let event = dev.cli.settled(receipt).await?;
        ensure!(event.version == good.version, "{event:?} after {}", bad.name);
    }
    let nowhere = dev.cli.refusal(&["plugin", "deploy", "no-such-directory"]).await?;
    ensure!(nowhere.contains("no-such-directory"), "{nowhere}");
    Ok(())
}
