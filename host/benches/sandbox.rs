//! `Sandbox::ask` against the best bare wasmtime loop that makes the same call under the same limits: engine with
//! the same settings, fresh store, `InstancePre`, typed call. Both take turns within one run, so that both have the
//! same weather. Prints a line of JSON per comparison; needs `cargo xtask plugins`.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;
use tidegate::event::{Arrival, Asset, Event, Reference};
use tidegate::limits::{Limits, STACK_BYTES_MAX};
use tidegate::sandbox::{Prepared, Question, Sandbox, SandboxConfig};
use tidegate_envelope::{Digest, Receipt, SourceName};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder};
use wit::exports::tidegate::plugin::handler;

mod wit {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

const ROUNDS: usize = 300;
const CALLS_PER_ROUND: u32 = 50;

/// The loop somebody would write who needs nothing but speed.
struct Bare {
    engine: Engine,
    plugin: wit::PluginPre<StoreLimits>,
}

impl Bare {
    fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_core_instances(512)
            .total_memories(128)
            .total_tables(256)
            .max_memory_size(256 << 20)
            .linear_memory_keep_resident(2 << 20)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES_MAX)
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .signals_based_traps(false)
            .memory_reservation(256 << 20)
            .memory_guard_size(0)
            .guard_before_linear_memory(false)
            .allocation_strategy(pool);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let plugin = wit::PluginPre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
        Ok(Self { engine, plugin })
    }

    fn ask(&self, told: handler::Event<'_>, limits: &Limits) -> wasmtime::Result<usize> {
        let limiter = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .build();
        let mut store = Store::new(&self.engine, limiter);
        store.limiter(|limiter| limiter);
        store.set_epoch_deadline(1_000);
        store.set_hostcall_fuel(limits.result_bytes);
        let plugin = self.plugin.instantiate(&mut store)?;
        let answer = plugin.tidegate_plugin_handler().call_handle(store, told)?;
        Ok(answer.map_or(usize::MAX, |decisions| decisions.len()))
    }
}

/// One side of a comparison: a thread's medians for both contestants, in microseconds per call.
struct Medians {
    ours: f64,
    bare: f64,
}

struct Contest<'a> {
    sandbox: &'a Sandbox,
    plugin: Prepared,
    component: Vec<u8>,
    event: &'a Event,
    settings: Vec<(String, String)>,
    limits: Limits,
}

impl Contest<'_> {
    fn ours(&self) {
        let question = Question { event: self.event, attempt: 1, settings: &self.settings };
        let answer = self.sandbox.ask(&self.plugin, &question, &self.limits);
        assert!(matches!(answer, Ok(Ok(decisions)) if decisions.len() == 1), "the plugin decides one thing");
    }

    fn bare(&self, bare: &Bare, receipt: &str) {
        let settings: Vec<_> =
            self.settings.iter().map(|(name, value)| handler::NameValueParam { name, value }).collect();
        let count = bare.ask(told(self.event, receipt, &settings), &self.limits).expect("the call succeeds");
        assert_eq!(count, 1);
    }

    /// Runs on as many threads as asked for; a round of one contestant never runs beside a round of the other.
    fn run(&self, threads: usize) -> Medians {
        let barrier = Barrier::new(threads);
        let medians: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.one_thread(&barrier))).collect();
            running.into_iter().map(|thread| thread.join().expect("the contest ends")).collect()
        });
        let count = f64::from(u32::try_from(threads).expect("a few threads"));
        Medians {
            ours: medians.iter().map(|medians| medians.ours).sum::<f64>() / count,
            bare: medians.iter().map(|medians| medians.bare).sum::<f64>() / count,
        }
    }

    fn one_thread(&self, barrier: &Barrier) -> Medians {
        // An engine per thread is the best there is for the bare loop too.
        let bare = Bare::new(&self.component).expect("a bare engine");
        let receipt = self.event.receipt.to_string();
        let (mut ours_us, mut bare_us) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            barrier.wait();
            ours_us.push(timed(|| self.ours()));
            barrier.wait();
            bare_us.push(timed(|| self.bare(&bare, &receipt)));
        }
        Medians { ours: median(ours_us), bare: median(bare_us) }
    }
}

/// Microseconds per call of one round.
fn timed(call: impl Fn()) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS_PER_ROUND {
        call();
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS_PER_ROUND)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn told<'a>(
    event: &'a Event,
    receipt: &'a str,
    settings: &'a [handler::NameValueParam<'a>],
) -> handler::Event<'a> {
    let reference = |reference: &'a Reference| handler::Reference {
        id: reference.id.as_deref(),
        name: reference.name.as_deref(),
    };
    handler::Event {
        receipt,
        source: event.source.as_str(),
        kind: &event.kind,
        subject: &event.subject,
        received_at_ms: event.received_at_ms,
        occurred_at_ms: event.occurred_at_ms,
        arrival: handler::Arrival::First,
        attempt: 1,
        content_type: event.content_type.as_deref(),
        body: &event.body,
        asset: event.asset.as_ref().map(|asset| handler::Asset {
            id: asset.id.as_deref(),
            name: asset.name.as_deref(),
            asset_type: asset.asset_type.as_ref().map(reference),
            location: asset.location.as_ref().map(reference),
            loanee: asset.loanee.as_ref().map(reference),
            created_at: asset.created_at.as_deref(),
            updated_at: asset.updated_at.as_deref(),
            field_values: asset.field_values.as_deref(),
        }),
        previous: None,
        changed: &[],
        memory: None,
        settings,
        attributes: &[],
    }
}

fn sample() -> Event {
    let body = std::fs::read(root().join("tests/samples/asset-update.json")).expect("the sample");
    let reference =
        |id: &str, name: &str| Some(Reference { id: Some(id.to_owned()), name: Some(name.to_owned()) });
    Event {
        receipt: Receipt::new(1_668_143_107_500, 675),
        source: SourceName::new("amj").expect("a source"),
        kind: "asset.update".to_owned(),
        subject: "675".to_owned(),
        received_at_ms: 1_668_143_107_500,
        occurred_at_ms: Some(1_668_143_107_302),
        arrival: Arrival::First,
        content_type: Some("application/json".to_owned()),
        sha256: Digest::of(&body),
        body,
        asset: Some(Asset {
            id: Some("675".to_owned()),
            name: Some("Spare-02".to_owned()),
            asset_type: reference("86", "2 in 3 Laptop"),
            location: reference("50", "My IT Office"),
            loanee: reference("142", "John Do"),
            created_at: Some("2022-09-14 03:03:44.456537".to_owned()),
            updated_at: Some("2022-11-11 05:05:07.302773".to_owned()),
            field_values: Some(r#"[{"id":9,"name":"Purchase cost","value":"1200"}]"#.to_owned()),
        }),
        findings: Vec::new(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> anyhow::Result<()> {
    let cache_dir = tempfile::tempdir()?;
    let sandbox = Sandbox::new(SandboxConfig::new(cache_dir.path().to_owned()))?;
    let event = sample();
    let runs = [
        ("sandbox", "rust", 1),
        ("sandbox, 2 threads", "rust", 2),
        ("sandbox, JavaScript", "javascript", 1),
        ("sandbox, JavaScript, 2 threads", "javascript", 2),
    ];
    for (name, plugin, threads) in runs {
        let path = root().join("plugins").join(plugin).join("plugin.wasm");
        let component = std::fs::read(&path)
            .map_err(|error| anyhow::anyhow!("{}: {error}. Type: cargo xtask plugins", path.display()))?;
        let contest = Contest {
            sandbox: &sandbox,
            plugin: sandbox.prepare(&component)?,
            component,
            event: &event,
            settings: vec![("notice_url".to_owned(), "http://127.0.0.1:8790/notices".to_owned())],
            limits: Limits::default(),
        };
        let Medians { ours, bare } = contest.run(threads);
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let line = serde_json::json!({
            "name": name, "value": rounded(ours), "unit": "us/event",
            "against": rounded(bare), "ratio": rounded(ours / bare),
        });
        println!("{line}");
    }
    Ok(())
}
