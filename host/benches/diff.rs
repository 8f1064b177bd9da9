//! Events per second of a dry run: read from the store, asked twice in a fresh instance under all limits, compared with
//! what was recorded; on one thread. First a version that decides the same, then one that decides otherwise about every
//! event, so that the version that decided is asked, too, and both are compared field by field. Prints one JSON object per
//! figure.

#[path = "common/decided.rs"]
mod decided;

use decided::decided;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::deploy::{By, Candidate, Deployer, Role};
use tidegate::dryrun::tally::{Outcome, Tally};
use tidegate::dryrun::{DryRun, Run};
use tidegate::plan::PlanRules;
use tidegate::plugin::Manifest;
use tidegate::read::read_fetched;
use tidegate::registry::Active;
use tidegate::sandbox::{Sandbox, SandboxConfig};
use tidegate::store::past::PastQuery;
use tidegate::store::sql::SqlStore;
use tidegate::store::{Batch, Recorded, Store};
use tidegate::versions::Versions;
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

const EVENTS: u64 = 20_000;
const GROUP: u64 = 500;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqlStore::open(dir.path()).expect("a store");
    let sandbox = Arc::new(Sandbox::new(SandboxConfig::new(dir.path().join("compiled"))).expect("a sandbox"));
    let versions = Arc::new(Versions::new(store.clone(), Arc::clone(&sandbox)));
    let deployer = Deployer::new(Arc::clone(&versions), Arc::default(), || 1);
    deployer.deploy(candidate(""), Role::Active, By::default()).await.expect("deploys");
    let active = Arc::clone(deployer.switchboard.current().iter().next().expect("one plugin"));
    for group in 0..EVENTS / GROUP {
        let events = (group * GROUP..(group + 1) * GROUP).map(|n| recorded(&sandbox, &active, n)).collect();
        store.commit(Batch { events, ..Batch::default() }).await.expect("commits");
    }
    let dry_run = DryRun::new(Arc::clone(&versions), PlanRules::default());
    let others = [
        ("diff", "other = \"x\"", Outcome::Same),
        ("diff-changed", "notice_url = \"http://127.0.0.1/other\"", Outcome::Changed),
    ];
    for (name, setting, outcome) in others {
        let version = deployer.record(candidate(setting)).await.expect("records");
        let run = Run {
            candidate: versions.get(&version).await.expect("it is there"),
            against: None,
            told_max: 20,
        };
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let tally = all(&dry_run, &run).await;
            rates.push(f64::from(u32::try_from(EVENTS).expect("few")) / started.elapsed().as_secs_f64());
            assert_eq!(tally.count(outcome), EVENTS, "{:?}", tally.outcomes);
        }
        rates.sort_by(f64::total_cmp);
        let value = rates[ROUNDS / 2];
        println!("{}", serde_json::json!({ "name": name, "value": value, "unit": "events/s" }));
    }
}

/// plugins/rust, with this line in its settings.
fn candidate(setting: &str) -> Candidate {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let component = std::fs::read(root.join("plugins/rust/plugin.wasm"))
        .expect("plugins/rust/plugin.wasm is built; type: cargo xtask plugins");
    let manifest = std::fs::read_to_string(root.join("plugins/rust/plugin.toml")).expect("a manifest");
    let mut manifest = Manifest::parse(&manifest).expect("well formed");
    if let Some((name, value)) = setting.split_once(" = ") {
        manifest.settings.insert(name.to_owned(), value.trim_matches('"').to_owned());
    }
    Candidate::new(manifest, component)
}

async fn all(dry_run: &DryRun<SqlStore>, run: &Run) -> Tally {
    let manifest = Arc::new(run.candidate.manifest.clone());
    let (mut tally, mut before) = (Tally::default(), None);
    loop {
        let query = PastQuery { manifest: Arc::clone(&manifest), before, since_ms: None, events_max: 256 };
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        let page = dry_run.page(run, query, until).await.expect("is asked");
        tally.merge(page.tally, run.told_max);
        if page.is_end {
            return tally;
        }
        before = Some(page.cursor);
    }
}

/// About 600 bytes, as the sender writes them; 2,000 assets.
fn body(n: u64) -> Vec<u8> {
    format!(
        "{{\"field_values\":[{{\"id\":9,\"name\":\"Purchase cost\",\"value\":\"{n}\"}},{{\"id\":10,\"name\":\"Serial number\",\
         \"value\":\"C02XL0PGJGH{n:08}\"}},{{\"id\":11,\"name\":\"Warranty until\",\"value\":\"2027-01-31\"}}],\"created_at\":\
         \"2022-09-14 03:03:44.456537\",\"id\":{},\"location\":{{\"id\":50,\"name\":\"My IT Office\"}},\"name\":\"Spare-02\",\
         \"assettype\":{{\"id\":86,\"name\":\"2 in 3 Laptop\"}},\"loanee\":{{\"id\":142,\"name\":\"John Do\"}},\"updated_at\":\
         \"2022-11-11 05:05:07.{n:06}\",\"event_type\":\"asset.update\"}}",
        n % 2_000,
    )
    .into_bytes()
}

/// As the host records it, after the subject's event before.
fn recorded(sandbox: &Sandbox, active: &Active, n: u64) -> Recorded {
    let receipt = |n: u64| Receipt::new(1_700_000_000_000 + n, n.into());
    let body = body(n);
    let envelope = Envelope {
        receipt: receipt(n),
        source: SourceName::new("amj").expect("a valid name"),
        received_at_ms: 1_700_000_000_000 + n,
        method: "POST".into(),
        profile: None,
        headers: Vec::new(),
        content_type: Some("application/json".into()),
        sha256: Digest::of(&body),
        body: Body::Inline(Vec::new()),
    };
    let mut event = read_fetched(envelope, body);
    if let Some(before) = n.checked_sub(2_000) {
        let json = String::from_utf8(self::body(before)).expect("JSON");
        event.come_after(tidegate::event::Snapshot { receipt: receipt(before), json: json.into() });
    }
    decided(sandbox, active, event, 1)
}
