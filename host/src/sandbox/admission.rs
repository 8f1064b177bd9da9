//! Decides whether bytes are a plugin this host can run, and says what is wrong when they are not. Knows nothing
//! of files.

use super::SandboxConfig;
use super::{v1, wasi};
use crate::fault::Trouble;
use wasmtime::component::Component;

/// Why a component was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The bytes are not WebAssembly.
    #[error(
        "these {bytes} bytes are not WebAssembly: a plugin is a component, a binary that starts with `\\0asm`"
    )]
    NotWasm {
        /// How many bytes were given.
        bytes: usize,
    },
    /// The bytes are a core module.
    #[error(
        "this is a core module, not a component: run `wasm-tools component new MODULE.wasm -o plugin.wasm` on it \
         (`cargo xtask plugins` does it for the plugins of this repository)"
    )]
    CoreModule,
    /// There are more bytes than the sandbox takes.
    #[error("the component has {bytes} bytes, component_bytes_max is {limit_bytes}")]
    TooLarge {
        /// How many bytes were given.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// Compiling it took too much time on the processor.
    #[error(
        "compiling the component took more than {limit_ms} ms of processor time: make it smaller (one enormous function is slowest), or \
         raise `sandbox.compile_time_ms_max` in tidegate.toml"
    )]
    CompileTime {
        /// The limit.
        limit_ms: u64,
    },
    /// Compiling it took too much memory.
    #[error(
        "compiling the component took more than {limit_bytes} bytes of memory: make it smaller (one enormous function \
         takes most), or raise `sandbox.compile_memory_bytes_max` in tidegate.toml"
    )]
    CompileMemory {
        /// The limit.
        limit_bytes: usize,
    },
    /// The compiler died of it.
    #[error("the compiler crashed on the component: {0}")]
    CompilerCrash(String),
    /// It is damaged, or uses WebAssembly that this host does not know.
    #[error("the component cannot be compiled: {0}")]
    Invalid(String),
    /// It imports something that is not given.
    #[error(
        "the component imports {}: a plugin may import the contract's log (`{}`), interfaces of WASI 0.2 (`wasi:...@0.2.N`), and \
         nothing else",
        listed(.0),
        wasi::LOG
    )]
    Imports(Vec<String>),
    /// It imports the log or WASI 0.2 with other types.
    #[error("the component imports something else than is given by that name: {0}")]
    WrongImports(String),
    /// It exports no handler of a known version.
    #[error(
        "the component exports {}; accepted is {}: {}",
        listed(exports),
        listed(accepted),
        rebuild(exports)
    )]
    NoHandler {
        /// What it exports.
        exports: Vec<String>,
        /// What would have been accepted.
        accepted: Vec<String>,
    },
    /// It exports the handler by name, with other types.
    #[error("the component's `{name}` is not what the contract says: {cause}")]
    WrongHandler {
        /// The export.
        name: String,
        /// What differs.
        cause: String,
    },
    /// It needs more than the sandbox gives to any plugin.
    #[error("the component needs more than this host gives to any plugin: {0}")]
    NeedsTooMuch(String),
    /// The host could not do its part: nothing is known of the component.
    #[error("the component was not judged: {0}")]
    Host(String),
}

impl AdmissionError {
    /// What this is in the table that explains what authors and operators meet.
    #[must_use]
    pub const fn trouble(&self) -> Trouble {
        match self {
            Self::NotWasm { .. } => Trouble::NotWasm,
            Self::CoreModule => Trouble::CoreModule,
            Self::TooLarge { .. } => Trouble::ComponentBytes,
            Self::CompileTime { .. } => Trouble::CompileTimeMs,
            Self::CompileMemory { .. } => Trouble::CompileMemoryBytes,
            Self::CompilerCrash(_) => Trouble::CompilerCrash,
            Self::Invalid(_) => Trouble::Invalid,
            Self::Imports(_) | Self::WrongImports(_) => Trouble::Imports,
            Self::NoHandler { .. } => Trouble::NoHandler,
            Self::WrongHandler { .. } => Trouble::WrongHandler,
            Self::NeedsTooMuch(_) => Trouble::NeedsTooMuch,
            Self::Host(_) => Trouble::Host,
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What to do about a component without a known handler.
fn rebuild(exports: &[String]) -> &'static str {
    if exports.iter().any(|export| export.starts_with("tidegate:plugin/")) {
        "it was built for another version of the contract; build it again with the plugin.wit of this host, which \
         `tidegate plugin new` writes"
    } else {
        "build it for the world `plugin` of the contract, which `tidegate plugin new` writes as wit/plugin.wit"
    }
}

/// The first look, before anything is hashed or compiled.
pub(super) fn check_bytes(component: &[u8], bytes_max: usize) -> Result<(), AdmissionError> {
    // After the magic come two 16-bit numbers: a version, and a layer that is 0 for core modules, 1 for components.
    match component {
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => return Err(AdmissionError::CoreModule),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => {}
        _ => return Err(AdmissionError::NotWasm { bytes: component.len() }),
    }
    if component.len() > bytes_max {
        return Err(AdmissionError::TooLarge { bytes: component.len(), limit_bytes: bytes_max });
    }
    Ok(())
}

/// The second look, at compiled code: what it imports, exports and needs.
pub(super) fn admit(component: &Component, config: &SandboxConfig) -> Result<v1::Handler, AdmissionError> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned());
    let refused: Vec<_> = imports.filter(|name| !wasi::is_given(name)).collect();
    if !refused.is_empty() {
        return Err(AdmissionError::Imports(refused));
    }
    if ty.get_export(engine, v1::INTERFACE).is_none() {
        let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        return Err(AdmissionError::NoHandler {
            exports,
            accepted: super::CONTRACTS.map(str::to_owned).to_vec(),
        });
    }
    check_needs(component, config)?;
    let linked = wasi::linker(component).and_then(|linker| linker.instantiate_pre(component));
    let linked = linked.map_err(|error| AdmissionError::WrongImports(format!("{error:#}")))?;
    v1::Handler::new(linked).map_err(|error| AdmissionError::WrongHandler {
        name: v1::INTERFACE.to_owned(),
        cause: format!("{error:#}"),
    })
}

/// The pool has refused such components already, when there is one; this holds without it.
fn check_needs(component: &Component, config: &SandboxConfig) -> Result<(), AdmissionError> {
    let Some(needs) = component.resources_required() else {
        return Err(AdmissionError::Invalid("it instantiates components or modules it imports".to_owned()));
    };
    let bytes = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(64 << 10);
    let elements = needs.max_initial_table_size.unwrap_or(0);
    let limit = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
    let checks = [
        ("memories", needs.num_memories.into(), "memories_max", config.memories_max.into()),
        ("bytes of memory", bytes, "memory_bytes_max", limit(config.memory_bytes_max)),
        ("tables", needs.num_tables.into(), "tables_max", config.tables_max.into()),
        ("elements in a table", elements, "table_elements_max", limit(config.table_elements_max)),
    ];
    match checks.into_iter().find(|&(_, needs, _, limit)| needs > limit) {
        Some((what, needs, name, limit)) => {
            Err(AdmissionError::NeedsTooMuch(format!("{needs} {what}, {name} is {limit}")))
        }
        None => Ok(()),
    }
}
