//! Asks untrusted plugins what they decide, each time in a fresh instance and within limits. Knows nothing of
//! grants, stores or what becomes of a decision.
//!
//! # Why these engine settings
//!
//! A fresh instance per event is only cheap when neither its start nor its end enters the kernel to change the
//! address space: in a process with several busy threads each such call interrupts every other one. So the
//! memory of a used instance is reset by the kernel's list of touched pages (`pagemap_scan`) and a `memset`,
//! and memory accesses are checked by compiled code instead of by guard pages, so that a growing memory needs
//! no `mprotect`. CPU per call of the two plugins that ship, Rust and JavaScript, on one machine on one day: 6 and
//! 142 us so; 10 and 122 us with guard pages; 18 and 243 us with neither. That a reused slot reads as zero
//! everywhere, the grown part included, is what `tests/sandbox/isolation.rs` is for.
//!
//! The price: guest code runs 10 to 25 per cent slower and takes twice as long to compile, and wasmtime's
//! mitigation of speculative out-of-bounds reads needs guard pages, so it is off. A plugin has no thread and no clock
//! that moves by itself to observe such a read with; plugins of people who distrust each other still belong in processes
//! of their own.
//!
//! Two threads that share an engine share its pool's state, which costs each half as much again. So there are several
//! engines, [`SandboxConfig::engines`], all of them running the same compiled code, and a call goes where no other is.

mod admission;
mod cache;
pub mod compiler;
mod engine;
mod hostcall;
mod inside;
mod limiter;
mod shelf;
mod slot;
mod ticker;
mod trap;
mod v1;
mod wasi;

use crate::decision::{Decision, Refusal};
use crate::event::Event;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::log::Log;
use compiler::Compiler;
use engine::{Engines, Kind};
use inside::Inside;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tidegate_envelope::Digest;

pub use admission::AdmissionError;
pub use engine::RUNTIME;
pub use inside::Held;
pub use shelf::Code;

/// The contracts this host speaks, newest first: a plugin exports one of them.
pub const CONTRACTS: [&str; 1] = [v1::INTERFACE];

/// How a sandbox is made. Every bound has a name and a default.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where compiled code is kept between runs. Made when missing. Whoever can write here can run code as this
    /// process.
    pub cache_dir: PathBuf,
    /// Engines, and so threads that ask without disturbing each other.
    pub engines: usize,
    /// Calls that may run at once on one engine; more wait for one to end.
    pub instances_max: u32,
    /// Bytes of the largest component.
    pub component_bytes_max: usize,
    /// Who compiles. The two bounds that follow hold for a compiler in a process of its own.
    pub compiler: Compiler,
    /// Time on the processor that compiling one component may take, in milliseconds; counted in whole seconds.
    pub compile_time_ms_max: u64,
    /// Bytes of memory that compiling one component may take.
    pub compile_memory_bytes_max: usize,
    /// Bytes of linear memory that can be reserved for one memory: no plugin's `memory_bytes` goes beyond.
    pub memory_bytes_max: usize,
    /// Linear memories of one plugin. A small language's runtime has one, QuickJS three.
    pub memories_max: u32,
    /// Elements of one table: no plugin's `table_elements` goes beyond.
    pub table_elements_max: usize,
    /// Tables of one plugin.
    pub tables_max: u32,
    /// Core instances of one plugin. CPython as componentize-py makes it has 38, each library being one.
    pub core_instances_max: u32,
    /// The longest call: no plugin's `wall_time_ms` goes beyond.
    pub wall_time_ms_max: u64,
    /// How often running calls are looked at. A call ends at its limit or up to two ticks later.
    pub tick: Duration,
    /// Plugins whose compiled code is in memory; of more, those used last.
    pub loaded_max: usize,
}

impl SandboxConfig {
    /// The defaults, with compiled code kept in `cache_dir`.
    #[must_use]
    pub fn new(cache_dir: PathBuf) -> Self {
        Self {
            cache_dir,
            engines: std::thread::available_parallelism().map_or(1, usize::from).min(16),
            instances_max: 32,
            component_bytes_max: 64 << 20,
            compiler: Compiler::InProcess,
            compile_time_ms_max: 120_000,
            compile_memory_bytes_max: 2 << 30,
            memory_bytes_max: 256 << 20,
            memories_max: 4,
            table_elements_max: 20_000,
            tables_max: 8,
            core_instances_max: 64,
            wall_time_ms_max: 60_000,
            tick: Duration::from_millis(2),
            loaded_max: 256,
        }
    }
}

/// Runs plugins. One per process; shared by reference between the threads that ask.
pub struct Sandbox {
    config: SandboxConfig,
    plain: Arc<Engines>,
    /// Made when the first plugin asks for fuel.
    metered: OnceLock<Arc<Engines>>,
    compiling: cache::Compiling,
    shelf: shelf::Shelf,
}

/// A compiled, admitted plugin. Cheap to clone.
#[derive(Clone)]
pub struct Prepared(Arc<Admitted>);

struct Admitted {
    digest: Digest,
    /// Which engines it was made for.
    engines: Arc<Engines>,
    /// One per engine, in their order.
    handlers: Vec<v1::Handler>,
}

/// What a plugin is asked: one event, and what the host adds to it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The event.
    pub event: &'a Event,
    /// Which time this plugin is asked about this event, from 1.
    pub attempt: u32,
    /// The settings of the plugin's deployment: name and value.
    pub settings: &'a [(String, String)],
    /// What it last remembered about the subject.
    pub memory: Option<&'a [u8]>,
}

/// What came of asking: decisions, the plugin's own "no", or the host's word about the plugin.
pub type Answer = Result<Result<Vec<Decision>, Refusal>, Fault>;

/// One call of a plugin, however it ended.
#[derive(Clone, Debug)]
pub struct Call {
    /// What came of it.
    pub answer: Answer,
    /// What it used.
    pub usage: Usage,
    /// What it wrote, up to a fault too.
    pub log: Log,
}

impl Call {
    /// A call that did not come to pass.
    #[must_use]
    pub fn failed(fault: Fault) -> Self {
        Self { answer: Err(fault), usage: Usage::default(), log: Log::default() }
    }
}

/// What is in a sandbox at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Instances of plugins alive.
    pub instances: u64,
    /// Plugins whose compiled code is in memory.
    pub codes_loaded: u64,
}

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all linear memories together at the call's end, which is their peak: memories never shrink.
    pub memory_bytes: usize,
    /// How often a memory or a table asked to grow, those of the start included.
    pub memory_growths: usize,
    /// Units of fuel; `None` when they were not counted.
    pub fuel: Option<u64>,
}

impl Sandbox {
    /// Makes the engines, the folder of compiled code and the ticker's thread.
    ///
    /// # Errors
    /// When the folder cannot be made or the machine can run no engine at all.
    pub fn new(config: SandboxConfig) -> anyhow::Result<Self> {
        cache::make_dir(&config.cache_dir)?;
        let plain = Arc::new(Engines::new(&config, Kind::Plain)?);
        let (compiling, shelf) = (cache::Compiling::default(), shelf::Shelf::default());
        Ok(Self { config, plain, metered: OnceLock::new(), compiling, shelf })
    }

    /// Admits a component whose fuel is not counted; as [`Sandbox::prepare_for`] the default limits.
    ///
    /// # Errors
    /// As [`Sandbox::prepare_for`].
    pub fn prepare(&self, component: &[u8]) -> Result<Prepared, AdmissionError> {
        self.prepare_for(component, &Limits::default())
    }

    /// Admits a component: checks it, compiles it or finds its compiled code in the cache. Takes seconds for a
    /// large component that was never seen before, and longer when others are being compiled: one is at a time. Call it
    /// off the hot path. Of the limits only whether there is one of fuel matters: counting is compiled in.
    ///
    /// # Errors
    /// When the bytes are not a component, or not one of a known contract. Says what would have been accepted.
    pub fn prepare_for(&self, component: &[u8], limits: &Limits) -> Result<Prepared, AdmissionError> {
        admission::check_bytes(component, self.config.component_bytes_max)?;
        let digest = Digest::of(component);
        let engines = self.engines(limits.fuel > 0)?;
        let compiled = cache::load_or_compile(&engines, &self.config, &self.compiling, component, &digest)?;
        self.admit(digest, engines, &compiled)
    }

    /// As [`Sandbox::prepare_for`], for a plugin that may have to make room for others.
    ///
    /// # Errors
    /// As [`Sandbox::prepare_for`].
    pub fn code_of(&self, component: &[u8], limits: &Limits) -> Result<Code, AdmissionError> {
        let prepared = self.prepare_for(component, limits)?;
        Ok(self.shelf.place(*prepared.digest(), limits.fuel > 0, Some(prepared)))
    }

    /// The code of the component with this digest, when the cache has it: neither read nor in memory before it is asked.
    #[must_use]
    pub fn code_at_hand(&self, digest: &Digest, limits: &Limits) -> Option<Code> {
        let is_at_hand = self.is_at_hand(digest, limits);
        is_at_hand.then(|| self.shelf.place(*digest, limits.fuel > 0, None))
    }

    /// Whether the cache has the code of the component with this digest.
    #[must_use]
    pub fn is_at_hand(&self, digest: &Digest, limits: &Limits) -> bool {
        let engines = self.engines(limits.fuel > 0);
        engines.is_ok_and(|engines| cache::is_there(&engines, &self.config, digest))
    }

    /// What the cache has.
    fn find(&self, digest: &Digest, is_metered: bool) -> Result<Prepared, AdmissionError> {
        let engines = self.engines(is_metered)?;
        let compiled = cache::find(&engines, &self.config, digest)?;
        self.admit(*digest, engines, &compiled)
    }

    fn engines(&self, is_metered: bool) -> Result<Arc<Engines>, AdmissionError> {
        if is_metered { self.metered() } else { Ok(Arc::clone(&self.plain)) }
    }

    fn metered(&self) -> Result<Arc<Engines>, AdmissionError> {
        if let Some(engines) = self.metered.get() {
            return Ok(Arc::clone(engines));
        }
        let made = Engines::new(&self.config, Kind::Metered);
        let made = made.map_err(|error| AdmissionError::Host(format!("count fuel: {error:#}")))?;
        // Two may get here at once; both take what the first one made.
        Ok(Arc::clone(self.metered.get_or_init(|| Arc::new(made))))
    }

    /// Asks a plugin about an event, in a fresh instance, on this thread, for as long as `limits` allow and the
    /// wait for a free instance takes. The thread needs [`crate::limits::STACK_BYTES_MAX`] of free stack.
    ///
    /// # Errors
    /// When the plugin broke a limit or the contract; nothing else is harmed by that.
    ///
    /// # Panics
    /// When `plugin` was prepared by another sandbox, or there is a limit of fuel and it was not prepared for one.
    pub fn ask(&self, plugin: &Prepared, question: &Question<'_>, limits: &Limits) -> Answer {
        self.call(plugin, question, limits).answer
    }

    /// As [`Sandbox::ask`], and says what the call used and wrote.
    ///
    /// # Panics
    /// As [`Sandbox::ask`].
    #[must_use]
    pub fn call(&self, plugin: &Prepared, question: &Question<'_>, limits: &Limits) -> Call {
        let mut inside = Inside::new(self, plugin, limits, Some(question.event));
        let instance = inside.handler.instance(&mut inside.store);
        let result = instance.and_then(|instance| instance.ask(&mut inside.store, question));
        inside.call(result)
    }

    /// What a fresh instance uses before it is asked anything.
    ///
    /// # Errors
    /// When it cannot even start within the limits.
    ///
    /// # Panics
    /// As [`Sandbox::ask`].
    pub fn at_rest(&self, plugin: &Prepared, limits: &Limits) -> Result<Usage, Fault> {
        let mut inside = Inside::new(self, plugin, limits, None);
        let started = inside.handler.instance(&mut inside.store);
        started.map(|_| inside.usage()).map_err(|failure| inside.fault(failure))
    }

    /// Makes an instance that stays; it holds one of [`SandboxConfig::instances_max`] places. What its WASI says is of
    /// `event`.
    ///
    /// # Errors
    /// As [`Sandbox::at_rest`].
    ///
    /// # Panics
    /// As [`Sandbox::ask`].
    pub fn hold<'a>(&self, plugin: &'a Prepared, event: &Event, limits: &Limits) -> Result<Held<'a>, Fault> {
        Held::new(Inside::new(self, plugin, limits, Some(event)))
    }

    /// The limits, none beyond what this sandbox can hold.
    fn bounded(&self, limits: &Limits) -> Limits {
        Limits {
            wall_time_ms: limits.wall_time_ms.min(self.config.wall_time_ms_max),
            memory_bytes: limits.memory_bytes.min(self.config.memory_bytes_max),
            table_elements: limits.table_elements.min(self.config.table_elements_max),
            ..*limits
        }
    }

    /// Ticks until a call of this length has had all of it: the first tick may come at once, so one more.
    fn ticks(&self, wall_time_ms: u64) -> u64 {
        let tick_us = u64::try_from(self.config.tick.as_micros()).unwrap_or(u64::MAX).max(1);
        wall_time_ms.saturating_mul(1_000).div_ceil(tick_us).saturating_add(1)
    }
}

impl Prepared {
    /// The SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Prepared").field(&self.0.digest).finish()
    }
}
