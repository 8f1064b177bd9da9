//! A host with a thousand plugins: how long it takes to start with its code compiled before, what it takes in memory, and
//! whether an event for one of them is slower than with ten. Fifty components, each as twenty plugins. Prints one JSON
//! object per figure.

#[path = "common/resident.rs"]
mod resident;

use resident::resident_mib;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::event::Event;
use tidegate::plugin::Manifest;
use tidegate::read::{Opened, read};
use tidegate::sandbox::{Question, Sandbox, SandboxConfig};
use tidegate::store::sql::SqlStore;
use tidegate::versions::Versions;
use tidegate_envelope::{Envelope, Receipt, SourceName, Unsealed};

const PLUGINS: usize = 1_000;
const FEW: usize = 10;
const COMPONENTS: usize = 50;
const EVENTS: usize = 20_000;

#[tokio::main]
async fn main() {
    let (few, many) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let code = tempfile::tempdir().expect("a folder");
    deploy(few.path(), code.path(), FEW).await;
    deploy(many.path(), code.path(), PLUGINS).await;

    let before = resident_mib();
    let (few, few_started) = start(few.path(), code.path()).await;
    let (many, many_started) = start(many.path(), code.path()).await;
    eprintln!(
        "{PLUGINS} plugins at work after {many_started:.0?} ({FEW}: {few_started:.0?}), {:.1} MiB of memory for both",
        resident_mib() - before
    );
    println!("{}", figure("many-start", many_started.as_secs_f64() * 1e3, "ms"));
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        with_few.push(per_event(&few));
        with_many.push(per_event(&many));
    }
    let (few, many) = (median(with_few), median(with_many));
    let ratio = many / few;
    println!(
        "{}",
        serde_json::json!({ "name": "many-event", "value": many, "unit": "us", "against": few, "ratio": ratio })
    );
}

/// Deploys so many, and stops.
async fn deploy(data: &Path, code: &Path, plugins: usize) {
    let deployer = deployer(data, code);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let component = std::fs::read(root.join("plugins/rust/plugin.wasm"))
        .expect("plugins/rust/plugin.wasm is built; type: cargo xtask plugins");
    for number in 0..plugins {
        let manifest = format!(
            "name = \"plugin-{number}\"\nkinds = [\"kind.{number}\"]\nhosts = [\"127.0.0.1\"]\n\
             [settings]\nnotice_url = \"http://127.0.0.1:1/\"\n"
        );
        let manifest = Manifest::parse(&manifest).expect("well formed");
        let candidate = Candidate::new(manifest, other(&component, number % COMPONENTS));
        deployer.deploy(candidate, Role::Active, By::default()).await.expect("deploys");
    }
}

/// The same component with a custom section of its own: other bytes, compiled by itself.
fn other(component: &[u8], number: usize) -> Vec<u8> {
    let name = format!("number-{number:04}");
    let length = u8::try_from(name.len()).expect("short");
    let section = [&[0, length + 1, length][..], name.as_bytes()].concat();
    [component, &section].concat()
}

fn deployer(data: &Path, code: &Path) -> Deployer<SqlStore> {
    let store = SqlStore::open(data).expect("a store");
    let sandbox = Sandbox::new(SandboxConfig::new(code.to_owned())).expect("a sandbox");
    Deployer::new(Arc::new(Versions::new(store, Arc::new(sandbox))), Arc::default(), || 1)
}

/// Starts on what was deployed, and gives how long that took.
async fn start(data: &Path, code: &Path) -> (Deployer<SqlStore>, Duration) {
    loop {
        // The one before holds the directory until its writer has ended.
        let lock = std::fs::File::open(data.join("store.lock")).expect("it was deployed there");
        if lock.try_lock().is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    let deployer = deployer(data, code);
    deployer.restore().await.expect("restores");
    (deployer, began.elapsed())
}

/// Microseconds to find who wants an event and to ask, the plugin being among the last.
fn per_event(deployer: &Deployer<SqlStore>) -> f64 {
    let registry = deployer.switchboard.current();
    let event = event("kind.7");
    let sandbox = &deployer.versions.sandbox;
    let began = Instant::now();
    for _ in 0..EVENTS {
        for active in registry.route(&event) {
            let code = sandbox.load(&active.code).expect("it is there");
            let question = Question { event: &event, attempt: 1, settings: &active.settings, memory: None };
            black_box(sandbox.call(&code, &question, &active.limits));
        }
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(EVENTS).expect("fits"))
}

fn event(kind: &str) -> Event {
    let source = SourceName::new("amj").expect("a valid name");
    let body = format!("{{\"event_type\":\"{kind}\",\"id\":675,\"name\":\"Spare-02\"}}");
    let unsealed = Unsealed {
        receipt: Receipt::new(1_700_000_000_000, 7),
        source: &source,
        profile: Some("amj"),
        method: "POST",
        headers: &[],
        content_type: Some("application/json"),
    };
    let sealed = unsealed.seal(body.as_bytes()).expect("it fits");
    let Opened::Event(event) = read(Envelope::open(&sealed).expect("an envelope")) else {
        panic!("the body is inline");
    };
    event
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn figure(name: &str, value: f64, unit: &str) -> serde_json::Value {
    serde_json::json!({ "name": name, "value": value, "unit": unit })
}
