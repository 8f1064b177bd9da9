//! Makes wasmtime's engines, the one place that decides their settings; `sandbox.rs` says why. Knows nothing of
//! plugins.

use super::SandboxConfig;
use super::slot::{Slot, Slots};
use super::ticker::Ticker;
use crate::limits::STACK_BYTES_MAX;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmtime::{Collector, Config, Enabled, Engine, PoolingAllocationConfig};

/// Bytes of a used memory that are reset in place; what lies beyond is given back to the kernel.
const KEEP_RESIDENT_BYTES: usize = 2 << 20;

/// Bytes of a used table that are reset in place.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// Frames of a plugin's stack that a fault shows.
const BACKTRACE_FRAMES_MAX: usize = 20;

/// What runs plugins. Cargo.toml has the exact version.
pub const RUNTIME: &str = "wasmtime 48";
/// Bytes of one instance's bookkeeping; 1 MiB is wasmtime's default and ample for the largest runtimes.
const INSTANCE_BYTES_MAX: usize = 1 << 20;

/// What an engine counts. Code compiled for one kind does not run on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Time alone.
    Plain,
    /// Time and fuel.
    Metered,
}

/// The engines of one kind, all with the same settings, and the free places of each. Time goes on for their calls until
/// they are dropped.
pub(super) struct Engines {
    kind: Kind,
    engines: Vec<Engine>,
    slots: Vec<Slots>,
    _ticker: Ticker,
}

impl Engines {
    /// Tries the pool of instances first. Where the address space is too small for it (a `ulimit`, a small
    /// container) instances are made on demand, which is slower and otherwise the same.
    pub(super) fn new(config: &SandboxConfig, kind: Kind) -> anyhow::Result<Self> {
        let count = config.engines.max(1);
        let pooled = || (0..count).map(|_| Engine::new(&pooled(config, kind))).collect::<Result<Vec<_>, _>>();
        let engines = match pooled() {
            Ok(engines) => engines,
            Err(error) => {
                tracing::warn!("no pool of instances, they are made on demand: {error:#}");
                let made = (0..count).map(|_| compiling(config.memory_bytes_max, kind));
                let made = made.collect::<Result<Vec<_>, _>>();
                made.map_err(|error| anyhow::anyhow!("make an engine: {error:#}"))?
            }
        };
        let slots = (0..count).map(|_| Slots::new(config.instances_max.max(1))).collect();
        let ticker = Ticker::start(&engines, config.tick)?;
        Ok(Self { kind, engines, slots, _ticker: ticker })
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Instances alive.
    pub(super) fn instances(&self) -> u64 {
        self.slots.iter().map(|slots| u64::from(slots.held())).sum()
    }

    pub(super) fn all(&self) -> &[Engine] {
        &self.engines
    }

    /// A place in an engine that nobody else is in, with the engine's index; while there is none, waits for one in this
    /// thread's own. Threads begin with their own, so that they meet seldom.
    pub(super) fn take(&self) -> (usize, &Engine, Slot<'_>) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static TURN: usize = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        let count = self.engines.len();
        let own = TURN.with(|turn| turn % count);
        let mut all = (0..count).map(|n| (own + n) % count);
        let idle = all.find_map(|index| Some((index, self.slots[index].take_if_idle()?)));
        let (index, slot) = idle.unwrap_or_else(|| (own, self.slots[own].take()));
        (index, &self.engines[index], slot)
    }
}

/// An engine without a pool: one to compile with, for all of its kind.
pub(super) fn compiling(memory_bytes_max: usize, kind: Kind) -> wasmtime::Result<Engine> {
    Engine::new(&common(memory_bytes_max, kind))
}

/// What every engine of a kind has, with or without a pool.
fn common(memory_bytes_max: usize, kind: Kind) -> Config {
    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        // What Lua's errors are made of. A thrown exception lives in a heap that wasmtime collects, and that an instance
        // has only when its module can throw, catch or hold one: the others pay nothing. The heap is a memory like the
        // rest, so that it counts into `memory_bytes`.
        .wasm_exceptions(true)
        // An exception holds what was thrown with it, which was there before: no cycles, so counting frees them all.
        .collector(Collector::DeferredReferenceCounting)
        // No language here needs more of that heap: what is off cannot be attacked.
        .wasm_gc(false)
        .wasm_function_references(false)
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(kind == Kind::Metered)
        .max_wasm_stack(STACK_BYTES_MAX)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        // The same event gives the same bytes on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .memory_init_cow(true)
        // No guard pages, so no `mprotect` when a memory grows: compiled code checks each access.
        .signals_based_traps(false)
        .memory_reservation(u64::try_from(memory_bytes_max).unwrap_or(u64::MAX))
        .memory_guard_size(0)
        .guard_before_linear_memory(false);
    settings
}

fn pooled(config: &SandboxConfig, kind: Kind) -> Config {
    let instances = config.instances_max.max(1);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(config.core_instances_max))
        // One more each, for the heap of exceptions.
        .total_memories(instances.saturating_mul(config.memories_max.saturating_add(1)))
        .total_gc_heaps(instances)
        .total_tables(instances.saturating_mul(config.tables_max))
        .max_core_instances_per_component(config.core_instances_max)
        .max_memories_per_component(config.memories_max)
        .max_tables_per_component(config.tables_max)
        .max_memories_per_module(config.memories_max)
        .max_tables_per_module(config.tables_max)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(config.memory_bytes_max)
        .table_elements(config.table_elements_max)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        // Needs Linux 6.7; without it the first bytes of every memory are reset, which is slower.
        .pagemap_scan(Enabled::Auto);
    let mut settings = common(config.memory_bytes_max, kind);
    settings.allocation_strategy(pool);
    settings
}
