//! The limits one call of a plugin runs under. Each has a name, a default, and a hostile guest in
//! `tests/guests` that breaks it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of one call. A manifest may lower them; only the operator's configuration raises them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Total time of one call, in milliseconds.
    pub wall_time_ms: u64,
    /// Units of fuel, about one per WebAssembly instruction; 0: not counted. Unlike time it is the same on every
    /// machine and in every run, and counting it makes a plugin slower.
    pub fuel: u64,
    /// Bytes of all linear memories together, and of what a plugin's exceptions take.
    pub memory_bytes: usize,
    /// How often its memories and tables may ask to grow, those of its start included: each time is work for the
    /// host. Under the default `memory_bytes` a memory can grow 1,024 times, a page at a time.
    pub memory_growths: usize,
    /// Elements of any one table.
    pub table_elements: usize,
    /// Bytes of everything the plugin returns.
    pub result_bytes: usize,
    /// Bytes of everything that one call of the host takes with it: what the host copies on the plugin's behalf
    /// before it looks at it.
    pub hostcall_bytes: usize,
    /// Decisions it may return.
    pub decisions: usize,
    /// Bytes of its log that are kept, ends of lines included; the rest is left out and counted.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_time_ms: 1_000,
            fuel: 0,
            memory_bytes: 64 << 20,
            memory_growths: 2_000,
            table_elements: 20_000,
            result_bytes: 1 << 20,
            hostcall_bytes: 1 << 20,
            decisions: 64,
            log_bytes: 16 << 10,
        }
    }
}

/// Bytes of stack a plugin may use. One number for the whole engine, not per plugin: wasmtime sets it when
/// the engine is made.
pub const STACK_BYTES_MAX: usize = 512 << 10;
