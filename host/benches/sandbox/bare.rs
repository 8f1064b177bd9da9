//! wasmtime itself, with the sandbox's settings and nothing around it, and the event that benches ask about. Knows
//! nothing of what is measured.

use std::path::{Path, PathBuf};
use tidegate::event::{Arrival, Asset, Event, Reference};
use tidegate::limits::{Limits, STACK_BYTES_MAX};
use tidegate_envelope::{Digest, Receipt, SourceName};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, PoolingAllocationConfig, ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder,
};
use wit::exports::tidegate::plugin::handler;

pub(crate) mod wit {
    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// The loop somebody would write who needs nothing but speed.
pub(crate) struct Bare {
    engine: Engine,
    plugin: wit::PluginPre<Counted>,
}

impl Bare {
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
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
        let mut linker = Linker::new(&engine);
        // A log that nothing is written to; what does call WASI cannot run here.
        linker.define_unknown_imports_as_traps(&component)?;
        let plugin = wit::PluginPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, plugin })
    }

    /// Asks a fresh instance; says how many decisions there were.
    pub(crate) fn ask(&self, told: handler::Event<'_>, limits: &Limits) -> wasmtime::Result<usize> {
        self.instance(limits)?.ask(told, limits)
    }

    /// A fresh instance.
    pub(crate) fn instance(&self, limits: &Limits) -> wasmtime::Result<Instance> {
        let within = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .build();
        let mut store = Store::new(&self.engine, Counted { within, memory_bytes: 0 });
        store.limiter(|limiter| limiter);
        store.set_epoch_deadline(1_000);
        let plugin = self.plugin.instantiate(&mut store)?;
        Ok(Instance { store, plugin })
    }
}

/// One instance, which may be asked again and again.
pub(crate) struct Instance {
    store: Store<Counted>,
    plugin: wit::Plugin,
}

impl Instance {
    /// Asks; says how many decisions there were.
    pub(crate) fn ask(&mut self, told: handler::Event<'_>, limits: &Limits) -> wasmtime::Result<usize> {
        self.store.set_hostcall_fuel(limits.result_bytes);
        let answer = self.plugin.tidegate_plugin_handler().call_handle(&mut self.store, told)?;
        Ok(answer.map_or(usize::MAX, |decisions| decisions.len()))
    }

    /// Bytes of all its linear memories.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes
    }
}

/// wasmtime's own limits, and how much memory was asked for within them.
struct Counted {
    within: StoreLimits,
    memory_bytes: usize,
}

impl ResourceLimiter for Counted {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let is_given = self.within.memory_growing(current, desired, maximum)?;
        if is_given {
            self.memory_bytes += desired - current;
        }
        Ok(is_given)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.within.table_growing(current, desired, maximum)
    }
}

/// An event in the contract's words.
pub(crate) fn told<'a>(
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
        occurred_at_ms: event.occurred_at_ms(),
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

/// The sender's own example of an event.
pub(crate) fn sample() -> Event {
    let body = std::fs::read(root().join("tests/samples/asset-update.json")).expect("the sample");
    let reference = |id: &str, name: &str| Some(Reference { id: Some(id.into()), name: Some(name.into()) });
    Event {
        receipt: Receipt::new(1_668_143_107_500, 675),
        source: SourceName::new("amj").expect("a source"),
        kind: "asset.update".to_owned(),
        subject: "675".to_owned(),
        received_at_ms: 1_668_143_107_500,
        occurred_at_us: Some(1_668_143_107_302_773),
        arrival: Arrival::First,
        content_type: Some("application/json".to_owned()),
        sha256: Digest::of(&body),
        body,
        asset: Some(Asset {
            id: Some("675".into()),
            name: Some("Spare-02".into()),
            asset_type: reference("86", "2 in 3 Laptop"),
            location: reference("50", "My IT Office"),
            loanee: reference("142", "John Do"),
            created_at: Some("2022-09-14 03:03:44.456537".into()),
            updated_at: Some("2022-11-11 05:05:07.302773".into()),
            field_values: Some(r#"[{"id":9,"name":"Purchase cost","value":"1200"}]"#.to_owned()),
        }),
        findings: Vec::new(),
        json: None,
        previous: None,
        changed: Vec::new(),
        attributes: Vec::new(),
        cause: None,
        trace: None,
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
